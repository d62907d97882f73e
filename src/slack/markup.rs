//! Slack's markup of what people write, read as plain text: mentions by name, links with their address.
//!
//! What comes out is text from outside like any other, and goes through [`super::text`] before it is shown.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

/// The ids of the people whom a text mentions.
pub fn mentioned(text: &str) -> BTreeSet<String> {
    let ids = pieces(text).filter_map(|piece| match piece {
        Piece::Token(token) => token.strip_prefix('@').map(|rest| rest.split('|').next().unwrap_or(rest).to_owned()),
        Piece::Words(_) => None,
    });
    ids.filter(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())).collect()
}

/// The text as its writer saw it. `names`: what people are called, by id.
pub fn readable(text: &str, names: &BTreeMap<String, String>) -> String {
    pieces(text)
        .map(|piece| match piece {
            Piece::Words(words) => decoded(words),
            Piece::Token(token) => shown(token, names),
        })
        .collect()
}

enum Piece<'a> {
    Words(&'a str),
    /// What stood between `<` and `>`.
    Token(&'a str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(inside) = rest.strip_prefix('<')
            && let Some(end) = inside.find('>')
        {
            rest = &inside[end + 1..];
            return Some(Piece::Token(&inside[..end]));
        }
        // A bracket that nothing closes is one like any other.
        let from = usize::from(rest.starts_with('<'));
        let end = rest[from..].find('<').map_or(rest.len(), |end| end + from);
        let (words, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Words(words))
    })
}

fn shown(token: &str, names: &BTreeMap<String, String>) -> String {
    let (what, label) = match token.split_once('|') {
        Some((what, label)) => (what, Some(decoded(label)).filter(|label| !label.trim().is_empty())),
        None => (token, None),
    };
    if let Some(id) = what.strip_prefix('@') {
        let name = names.get(id).cloned().or(label).unwrap_or_else(|| "somebody".to_owned());
        return format!("@{}", name.trim_start_matches('@'));
    }
    if let Some(id) = what.strip_prefix('#') {
        return format!("#{}", label.as_deref().unwrap_or(id).trim_start_matches('#'));
    }
    if let Some(special) = what.strip_prefix('!') {
        let kind = special.split('^').next().unwrap_or(special);
        return match (kind, label) {
            ("date", Some(label)) => label,
            ("subteam", None) => "@group".to_owned(),
            (kind, label) => format!("@{}", label.as_deref().unwrap_or(kind).trim_start_matches('@')),
        };
    }
    let address = decoded(what);
    match label {
        Some(label) if address.strip_prefix("mailto:") == Some(label.as_str()) => label,
        Some(label) if label != address => format!("{label} ({address})"),
        Some(_) | None => address,
    }
}

/// The three entities that Slack knows; `&` last, so that nothing is decoded twice.
fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_is_read_as_its_writer_saw_it() {
        let names = BTreeMap::from([("U0CY".to_owned(), "Cy".to_owned())]);
        for (written, read) in [
            ("why not <@U0CY>?", "why not @Cy?"),
            ("<@U0DAN|dan> or <@U0EVE>", "@dan or @somebody"),
            ("<!here> <!channel|@channel> <!subteam^S1|@leads> <!subteam^S1>", "@here @channel @leads @group"),
            ("see <#C1|access>, <#C2>", "see #access, #C2"),
            ("<https://x.test/a?b=1&amp;c=2|BUG-482>", "BUG-482 (https://x.test/a?b=1&c=2)"),
            ("<https://x.test> <mailto:a@acme.test|a@acme.test>", "https://x.test a@acme.test"),
            ("<!date^1^{date}|2026-11-24>", "2026-11-24"),
            ("1 &lt; 2 &amp;amp; 3 &gt; 2", "1 < 2 &amp; 3 > 2"),
            ("a < b, <", "a < b, <"),
            ("<><|><@><@|x>", "@somebody@x"),
            ("", ""),
        ] {
            assert_eq!(readable(written, &names), read, "{written}");
        }
        assert_eq!(mentioned("<@U0CY> <@U0DAN|dan> <@bad id> <#C1>"), ["U0CY", "U0DAN"].map(String::from).into());
    }

    proptest! {
        #[test]
        fn anything_can_be_read(text in "(<[@#!]?[a-z^|&;]{0,4}>?|[a-z&;<> ]){0,12}") {
            mentioned(&text);
            readable(&text, &BTreeMap::new());
        }
    }
}
