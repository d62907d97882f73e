//! What may stand in a text that Slack reads as markup: no pings, no half-escaped customer names, no control characters.

/// Slack does not say what a "character" is. The longer of code points and UTF-16 units keeps within either reading.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count().max(text.chars().count())
}

/// Everything wrong with a text that is read as markup (`mrkdwn` objects, and the `text` of a message).
pub fn check(text: &str) -> Vec<String> {
    let mut found = check_plain(text);
    let mut rest = text;
    let mut line_start = true;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        match next {
            '&' if !["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity)) => {
                found.push(format!("an unescaped & in {}", quote(rest)));
            }
            '<' => match after.split_once('>') {
                Some((token, tail)) if is_token(token) => {
                    rest = tail;
                    line_start = false;
                    continue;
                }
                _ => found.push(format!("an unescaped < in {}", quote(rest))),
            },
            '>' if !line_start => found.push(format!("an unescaped > in {}", quote(rest))),
            _ => {}
        }
        // `>` and `>>>` at the start of a line quote it.
        line_start = next == '\n' || (line_start && (next == '>' || next == ' '));
        rest = after;
    }
    found
}

/// What is wrong with any text at all, also one that is shown as it stands.
pub fn check_plain(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for ping in ["<!channel", "<!here", "<!everyone"] {
        if text.contains(ping) {
            found.push(format!("{ping}> pings everybody"));
        }
    }
    if let Some(control) = text.chars().find(|&c| is_control(c)) {
        found.push(format!("the control character U+{:04X} in {}", u32::from(control), quote(text)));
    }
    found
}

fn is_control(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether `<token>` is one of Slack's: a mention, a link, a date.
fn is_token(token: &str) -> bool {
    let id = |text: &str, prefixes: &[char]| {
        let id = text.split('|').next().unwrap_or_default();
        id.starts_with(prefixes) && id.len() > 1 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    if token.contains(['<', '\n']) {
        return false;
    }
    if let Some(user) = token.strip_prefix('@') {
        return id(user, &['U', 'W']);
    }
    if let Some(channel) = token.strip_prefix('#') {
        return id(channel, &['C', 'G']);
    }
    if let Some(group) = token.strip_prefix("!subteam^") {
        return id(group, &['S']);
    }
    if let Some(date) = token.strip_prefix("!date^") {
        return is_date(date);
    }
    let url = token.split('|').next().unwrap_or_default();
    if let Some(address) = url.strip_prefix("mailto:") {
        return address.contains('@');
    }
    ["https://", "http://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
        && !url.contains(' ')
}

/// `UNIX^TOKENS[^LINK]|FALLBACK`
fn is_date(date: &str) -> bool {
    const TOKENS: [&str; 10] = [
        "date_num",
        "date",
        "date_short",
        "date_long",
        "date_pretty",
        "date_short_pretty",
        "date_long_pretty",
        "time",
        "time_secs",
        "ago",
    ];
    let Some((front, fallback)) = date.split_once('|') else { return false };
    let mut parts = front.split('^');
    let (Some(seconds), Some(format)) = (parts.next(), parts.next()) else { return false };
    let mut named = format.split('{').skip(1).map(|part| part.split('}').next().unwrap_or_default()).peekable();
    seconds.parse::<i64>().is_ok()
        && !fallback.is_empty()
        && named.peek().is_some()
        && named.all(|name| TOKENS.contains(&name))
}

fn quote(text: &str) -> String {
    format!("“{}”", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_reads_as_its_own_may_stand() {
        for text in [
            "*Ana* asks for <https://acme.test/x?a=1|AcmeCorp> &amp; more, ask <@U0BO> or <!subteam^S0LEADS>",
            "until <!date^1700000000^{date_short_pretty} at {time}|2023-11-14 22:13 UTC>",
            "> quoted\n>>> and more",
            "<#C0ACCESS|access> <mailto:bo@acme.test|Bo>",
            "a\ttab &lt;b&gt;",
        ] {
            assert_eq!(check(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_was_not_escaped_is_found() {
        for text in [
            "R&D",
            "a < b",
            "a -> b",
            "<b>bold</b>",
            "<!channel> look",
            "<!here|here>",
            "<@ana>",
            "<javascript:x|y>",
            "<!date^soon^{time}|x>",
            "<!date^1700000000^{time}>",
            "<!date^1700000000^{clock}|x>",
            "evil\u{202e}txt",
            "null\0",
            "<!foo>",
            "<https://x\n|y>",
        ] {
            assert!(!check(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_longer_reading_of_character_counts() {
        assert_eq!(length("ab"), 2);
        assert_eq!(length("😀"), 2);
    }
}
