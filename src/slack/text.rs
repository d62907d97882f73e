//! Text that goes out to Slack: escaping, cutting to length, dates, mentions, links.
//!
//! Whatever a person, a customer's name or another system gave us passes through here before it stands in a message.
//! Lengths are counted in UTF-16 units, the strictest reading of Slack's undefined “characters”.
//!
//! Pure; may import `std`, `jiff` and `unicode-normalization`.

use jiff::Timestamp;
use unicode_normalization::char::is_combining_mark;

/// How [`date`] shows an instant in the reader's own time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateStyle {
    /// `today at 14:22`, `Nov 30 at 14:22`.
    Moment,
    /// `today at 14:22:05`, for what lasts only seconds.
    Second,
    /// `14:22`, where the day is plain.
    Time,
}

/// Escapes `&`, `<` and `>`, the only three that Slack knows. Nothing is stripped, cut or neutralised.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            Some(entity) => out.push_str(entity),
            None => out.push(c),
        }
    }
    out
}

/// Somebody else's text on one line of mrkdwn: it can neither mention, link, format nor reorder what stands around it.
///
/// The result, escapes included, has at most `max_utf16` UTF-16 units; what was cut ends in `…`, never inside an
/// entity or between a letter and its accents. Emoji codes are left alone.
pub fn mrkdwn_user_text(text: &str, max_utf16: usize) -> String {
    let mut out = Fitted::new(max_utf16);
    push_line(&mut out, &one_line(text));
    out.finish()
}

/// Text for a `plain_text` object: one line, nothing invisible in it, at most `max_utf16` UTF-16 units.
///
/// Not escaped, since nothing is markup there; set `emoji` to false beside it.
pub fn plain(text: &str, max_utf16: usize) -> String {
    let mut out = Fitted::new(max_utf16);
    for c in one_line(text).chars() {
        out.push_char(c);
    }
    out.finish()
}

/// Somebody else's text as a `>` quote in mrkdwn, line by line, blank lines left out; no text, no quote.
///
/// The result has at most `max_utf16` UTF-16 units. Otherwise as safe as [`mrkdwn_user_text`].
pub fn quote(text: &str, max_utf16: usize) -> String {
    let mut out = Fitted::new(max_utf16);
    let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    let lines = text.split(breaks).map(one_line).filter(|line| !line.is_empty());
    for (n, line) in lines.enumerate() {
        out.push(if n == 0 { "> " } else { "\n> " });
        push_line(&mut out, &line);
    }
    out.finish()
}

/// An instant that every reader sees in their own time zone, with [`utc`] where Slack cannot; in mrkdwn only.
pub fn date(at: Timestamp, style: DateStyle) -> String {
    let (tokens, fallback) = match style {
        DateStyle::Moment => ("{date_short_pretty} at {time}", utc(at)),
        DateStyle::Second => ("{date_short_pretty} at {time_secs}", at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        DateStyle::Time => ("{time}", utc(at)),
    };
    format!("<!date^{}^{tokens}|{fallback}>", at.as_second())
}

/// `2026-11-23 14:22 UTC`, for where no date token works: plain_text, notifications, the command line.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A mention of the person with this Slack id; what is no id comes back as harmless text.
pub fn mention(user: &str) -> String {
    if !user.is_empty() && user.chars().all(|c| c.is_ascii_alphanumeric()) {
        return format!("<@{user}>");
    }
    mrkdwn_user_text(user, 200)
}

/// A link in mrkdwn. An address that is not plain http or https gives the label alone; no label, the address.
pub fn link(url: &str, label: &str) -> String {
    let shown = mrkdwn_user_text(if one_line(label).is_empty() { url } else { label }, usize::MAX);
    if !is_web_address(url) {
        return shown;
    }
    // A raw `|` would end the address early, and an escaped bracket is no part of one.
    let url = url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E");
    format!("<{}|{shown}>", escape(&url))
}

/// Shows nothing and stands only to hide, split or reorder: zero-width, bidi controls, soft hyphens, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Looks like a space to a person, whatever Unicode calls it: Braille and Hangul blanks too.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Only what can be seen, each run of blanks one space, none at the ends.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_blank(c) {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !c.is_control() && !is_invisible(c) {
            out.push(c);
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

fn escaped(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// Pushes one line, escaped, with its formatting characters made harmless.
fn push_line(out: &mut Fitted, line: &str) {
    let mut before = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let inside_word =
            before.is_some_and(char::is_alphanumeric) && chars.peek().copied().is_some_and(char::is_alphanumeric);
        match c {
            // Slack makes a quote of an escaped `>` too when it begins a line.
            '>' if before.is_none() => out.push("\u{200b}&gt;"),
            // Slack formats at the edges of words only, so `customer_id` can stay as it can be copied; elsewhere a
            // zero-width space is not sure to stop it, a look-alike is.
            '*' if !inside_word => out.push_char('\u{2217}'),
            '_' if !inside_word => out.push_char('\u{2cd}'),
            '~' if !inside_word => out.push_char('\u{223c}'),
            '`' => out.push_char('\u{2cb}'),
            _ => match escaped(c) {
                Some(entity) => out.push(entity),
                None => out.push_char(c),
            },
        }
        before = Some(c);
    }
}

fn is_web_address(url: &str) -> bool {
    let after =
        |scheme: &str| url.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).map(|s| &url[s.len()..]);
    after("https://").or_else(|| after("http://")).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !url.chars().any(|c| is_blank(c) || c.is_control() || is_invisible(c))
}

/// A text that grows piece by piece up to a limit and remembers where it could be cut.
struct Fitted {
    text: String,
    units: usize,
    max: usize,
    /// The last end of a piece that leaves room for `…`, in bytes.
    cut: usize,
    full: bool,
}

impl Fitted {
    fn new(max: usize) -> Self {
        Self { text: String::new(), units: 0, max, cut: 0, full: false }
    }

    /// One character. An accent, a variation selector or a skin tone is not parted from what it belongs to.
    fn push_char(&mut self, c: char) {
        let extends = is_combining_mark(c) || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
        self.push_piece(c.encode_utf8(&mut [0; 4]), !extends);
    }

    /// One piece that is never cut inside.
    fn push(&mut self, piece: &str) {
        self.push_piece(piece, true);
    }

    fn push_piece(&mut self, piece: &str, may_cut_before: bool) {
        if self.full {
            return;
        }
        if may_cut_before && self.units < self.max {
            self.cut = self.text.len();
        }
        self.text.push_str(piece);
        self.units += piece.encode_utf16().count();
        self.full = self.units > self.max;
    }

    fn finish(mut self) -> String {
        if !self.full {
            return self.text;
        }
        if self.max == 0 {
            return String::new();
        }
        self.text.truncate(self.cut);
        let mut end = self.text.trim_end().len();
        // A line of a quote with nothing in it; text from outside has no raw `>`.
        if self.text[..end].ends_with("\n>") {
            end -= 2;
        }
        self.text.truncate(end);
        self.text.push('…');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn only_three_characters_are_escaped() {
        assert_eq!(escape("a & b <!here> \"'"), "a &amp; b &lt;!here&gt; \"'");
        assert_eq!(escape("&amp;"), "&amp;amp;");
    }

    #[test]
    fn user_text_cannot_format_mention_or_reorder() {
        for (given, shown) in [
            ("debug BUG-482", "debug BUG-482"),
            ("*Approved* by _Bo_ ~no~", "∗Approved∗ by ˍBoˍ ∼no∼"),
            ("customer_id of a*b", "customer_id of a*b"),
            ("`rm` a`b", "ˋrmˋ aˋb"),
            ("> quoted > not", "\u{200b}&gt; quoted &gt; not"),
            ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;"),
            ("two\nlines\t \u{a0}here ", "two lines here"),
            ("ev\u{202e}il\u{200b}\u{7}", "evil"),
            (":white_check_mark: ok", ":white_check_mark: ok"),
            ("", ""),
        ] {
            assert_eq!(mrkdwn_user_text(given, 3000), shown, "{given:?}");
        }
    }

    #[test]
    fn a_cut_is_marked_and_never_inside() {
        assert_eq!(mrkdwn_user_text("abcdef", 6), "abcdef");
        assert_eq!(mrkdwn_user_text("abcdefg", 6), "abcde…");
        assert_eq!(mrkdwn_user_text("ab&cd", 6), "ab…");
        assert_eq!(mrkdwn_user_text("a&b", 7), "a&amp;b");
        assert_eq!(mrkdwn_user_text("abc def", 5), "abc…");
        assert_eq!(mrkdwn_user_text("e\u{301}e\u{301}e\u{301}", 4), "e\u{301}…");
        assert_eq!(plain("😀😀😀", 4), "😀…");
        assert_eq!(plain("👍🏽👍🏽", 6), "👍🏽…");
        assert_eq!(plain("abc", 1), "…");
        assert_eq!(plain("abc", 0), "");
        assert_eq!(plain("", 0), "");
    }

    #[test]
    fn plain_text_is_left_as_it_is() {
        assert_eq!(plain("R&D <x> *y*\n", 150), "R&D <x> *y*");
    }

    #[test]
    fn quotes_keep_their_lines() {
        assert_eq!(quote("one\r\n\n two *b*\n> three", 99), "> one\n> two ∗b∗\n> \u{200b}&gt; three");
        assert_eq!(quote("one\ntwo", 8), "> one…");
        assert_eq!(quote("one\ntwo", 10), "> one\n> t…");
        assert_eq!(quote(" \n ", 99), "");
    }

    #[test]
    fn dates_carry_a_fallback_with_its_zone() {
        let at = at("2026-11-23T14:22:05Z");
        assert_eq!(utc(at), "2026-11-23 14:22 UTC");
        assert_eq!(
            date(at, DateStyle::Moment),
            "<!date^1795443725^{date_short_pretty} at {time}|2026-11-23 14:22 UTC>"
        );
        assert_eq!(date(at, DateStyle::Time), "<!date^1795443725^{time}|2026-11-23 14:22 UTC>");
        assert_eq!(
            date(at, DateStyle::Second),
            "<!date^1795443725^{date_short_pretty} at {time_secs}|2026-11-23 14:22:05 UTC>"
        );
    }

    #[test]
    fn mentions_and_links() {
        assert_eq!(mention("U0BO"), "<@U0BO>");
        assert_eq!(mention("U1> <!here"), "U1&gt; &lt;!here");
        assert_eq!(link("https://x.test/a?b=1&c=2", "BUG-482 <1>"), "<https://x.test/a?b=1&amp;c=2|BUG-482 &lt;1&gt;>");
        assert_eq!(link("HTTP://x.test/a|b>", ""), "<HTTP://x.test/a%7Cb%3E|HTTP://x.test/a|b&gt;>");
        for url in ["javascript:alert(1)", "https://", "http:///x", "https://x y", "é", "https://x\n", "ftp://x"] {
            assert_eq!(link(url, "here"), "here", "{url:?}");
        }
    }

    /// Text that is rich in what could go wrong.
    fn nasty() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("&".to_owned()),
            Just("<!channel>".to_owned()),
            Just("<@U1>".to_owned()),
            Just("&lt;".to_owned()),
            Just("\n> ".to_owned()),
            Just("e\u{301}".to_owned()),
            Just("\u{202e}".to_owned()),
            "[*_~` ]{1,3}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    fn units(text: &str) -> usize {
        text.encode_utf16().count()
    }

    /// Every `&` begins one of the three entities, and no bracket is left raw.
    fn assert_safe(text: &str) {
        for (n, _) in text.match_indices('&') {
            assert!(["&amp;", "&lt;", "&gt;"].iter().any(|e| text[n..].starts_with(e)), "{text:?}");
        }
        assert!(!text.contains(['<', '>']), "{text:?}");
    }

    proptest! {
        #[test]
        fn user_text_fits_and_is_safe(text in nasty(), max in 0..60_usize) {
            let shown = mrkdwn_user_text(&text, max);
            prop_assert!(units(&shown) <= max);
            let hidden = shown.chars().any(|c| c.is_control() || (is_invisible(c) && c != '\u{200b}'));
            prop_assert!(!hidden);
            assert_safe(&shown);
            prop_assert!(units(&plain(&text, max)) <= max);
        }

        #[test]
        fn quotes_fit_and_are_safe(text in nasty(), max in 0..60_usize) {
            let shown = quote(&text, max);
            prop_assert!(units(&shown) <= max);
            for line in shown.lines().filter(|line| *line != "…") {
                let Some(rest) = line.strip_prefix('>') else { panic!("{shown:?}") };
                assert_safe(rest);
            }
        }

        #[test]
        fn what_fits_is_whole(text in nasty()) {
            prop_assert!(!mrkdwn_user_text(&text.replace('…', ""), usize::MAX).contains('…'));
        }

        #[test]
        fn escaping_and_links_hold_nothing_raw(url in nasty(), label in nasty()) {
            assert_safe(&escape(&label));
            let shown = link(&format!("https://x{url}"), &label);
            assert_safe(shown.strip_prefix('<').and_then(|s| s.strip_suffix('>')).unwrap_or(&shown));
        }
    }
}
