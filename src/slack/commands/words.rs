//! What people type into Slack, made readable in two ways.
//!
//! [`human`] keeps the letters as typed, for the reason that reviewers read. [`fold`] makes equal whatever people mean
//! to be equal, for ids, names, keywords and lengths. Slack's clients curl quotes, lengthen dashes and insert
//! invisible characters on their own, so nobody can be told not to type them.
//!
//! Pure and linear; never fails. May import `std`, `unicode-normalization` and `slack::text`.

use unicode_normalization::UnicodeNormalization;

use crate::slack::text::{is_blank, is_invisible};

const SOFT_HYPHEN: char = '\u{ad}';

/// The text of a command as a person reads it: mentions and links by their names, entities decoded once, nothing
/// invisible, single spaces, and ticket numbers with a plain hyphen. Otherwise the letters as typed.
pub fn human(text: &str) -> String {
    collapse(&tickets(&readable(&visible(text))))
}

/// As [`human`], for text that did not come from Slack: nothing in it is markup or an entity.
pub fn tidy(text: &str) -> String {
    collapse(&tickets(&visible(text)))
}

/// What different ways of typing the same thing have in common: NFKC, straight quotes, plain hyphens and spaces.
///
/// Folding what is folded changes nothing. Upper and lower case stay.
pub fn fold(text: &str) -> String {
    // Nearly every word; each is folded a few times over while a command is read.
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return text.to_owned();
    }
    let text = tickets(&visible(text));
    let folded: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'))
        .nfkc()
        .map(|c| match (quote_kind(c), is_dash(c)) {
            (Some(QuoteKind::Double), _) => '"',
            (Some(QuoteKind::Single), _) => '\'',
            (None, true) => '-',
            (None, false) => c,
        })
        .collect();
    collapse(&folded)
}

/// A word as keywords are compared: folded, lower case, without the bold, code or colon around it.
pub fn key(word: &str) -> String {
    let folded = fold(word);
    unformatted(unformatted(&folded).trim_end_matches([':', ','])).to_lowercase()
}

/// A word of a customer's name: folded, without formatting, quotes and the punctuation of the sentence around it.
pub fn name_word(word: &str) -> String {
    let folded = fold(word);
    let bare = unformatted(unformatted(&folded).trim_end_matches([',', ';', ':', '.', '!'])).trim_matches(['"', '\'']);
    if bare.is_empty() { folded } else { bare.to_owned() }
}

/// The first word of a text whose words are parted by single spaces, and what follows it.
pub fn split(text: &str) -> Option<(&str, &str)> {
    (!text.is_empty()).then(|| text.split_once(' ').unwrap_or((text, "")))
}

/// A quoted text at the very beginning, folded, and what follows it; none if no quote opens there or none closes it.
///
/// Any kind of double quote closes any other, and two in a row stand for one. Single quotes within a word are
/// apostrophes.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches(['*', '`']);
    let mut chars = text.char_indices().peekable();
    let kind = quote_kind(chars.next()?.1)?;
    let mut content = String::new();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|&(_, c)| c);
        if quote_kind(c) != Some(kind) {
            content.push(c);
            continue;
        }
        match kind {
            QuoteKind::Double if next.and_then(quote_kind) == Some(kind) => {
                content.push('"');
                chars.next();
            }
            QuoteKind::Single if next.is_some_and(char::is_alphanumeric) => content.push(c),
            QuoteKind::Double | QuoteKind::Single => {
                let after = text[at + c.len_utf8()..].trim_start_matches(['*', '`', ',', ';', ':', '.']);
                return Some((fold(&content), after.trim_start()));
            }
        }
    }
    None
}

/// The text in quotes that [`quoted`] reads back.
pub fn in_quotes(text: &str) -> String {
    format!("\"{}\"", fold(text).replace('"', "\"\""))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum QuoteKind {
    Double,
    Single,
}

fn quote_kind(c: char) -> Option<QuoteKind> {
    match c {
        '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '「' | '」' | '\u{ff02}' => Some(QuoteKind::Double),
        '\'' | '‘' | '’' | '‚' | '‛' | '‹' | '›' | '\u{ff07}' => Some(QuoteKind::Single),
        _ => None,
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

/// Bold and code fall away at either end of a word, italics and strikes only in pairs: ids do begin with `_`.
fn unformatted(mut word: &str) -> &str {
    loop {
        let inner = word.trim_matches(['*', '`']);
        let inner = ['_', '~'].into_iter().fold(inner, |word, mark| {
            word.strip_prefix(mark).and_then(|w| w.strip_suffix(mark)).filter(|w| !w.is_empty()).unwrap_or(word)
        });
        if inner.len() == word.len() {
            return word;
        }
        word = inner;
    }
}

/// Every blank a space, nothing that cannot be seen but soft hyphens, which [`tickets`] judges.
fn visible(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            c if is_blank(c) => Some(' '),
            SOFT_HYPHEN => Some(c),
            c if c.is_control() || is_invisible(c) => None,
            c => Some(c),
        })
        .collect()
}

fn collapse(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Slack's markup by its names, entities decoded once.
fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        push_decoded(&mut out, &rest[..at]);
        rest = &rest[at + 1..];
        // Up to the next bracket of either kind: no bracket is looked at twice, however many are left open.
        let body = rest.find(['<', '>']).filter(|&end| rest[end..].starts_with('>')).map(|end| &rest[..end]);
        match body.and_then(|body| Some((body, markup(body)?))) {
            Some((body, shown)) => {
                push_decoded(&mut out, &shown);
                rest = &rest[body.len() + 1..];
            }
            None => out.push('<'),
        }
    }
    push_decoded(&mut out, rest);
    out
}

/// What stands between `<` and `>`, as it reads; none if that is no markup of Slack's.
fn markup(body: &str) -> Option<String> {
    let (target, label) = body.split_once('|').unwrap_or((body, ""));
    let label = Some(label.trim()).filter(|label| !label.is_empty());
    let is_id = |id: &&str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
    for sign in ['@', '#'] {
        if let Some(id) = target.strip_prefix(sign).filter(is_id) {
            return Some(format!("{sign}{}", label.unwrap_or(id).trim_start_matches(sign)));
        }
    }
    if let Some(special) = target.strip_prefix('!').filter(|s| s.starts_with(|c: char| c.is_ascii_alphabetic())) {
        return Some(match (special, label) {
            ("here" | "channel" | "everyone", _) => format!("@{special}"),
            (_, Some(label)) => label.to_owned(),
            (_, None) => format!("@{}", special.rsplit('^').next().unwrap_or(special)),
        });
    }
    let address = ["http://", "https://", "mailto:", "tel:"].iter().any(|s| target.starts_with(s));
    address.then(|| {
        let bare = target.trim_start_matches("mailto:").trim_start_matches("tel:");
        label.unwrap_or(bare).to_owned()
    })
}

fn push_decoded(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')].into_iter().find(|(e, _)| rest.starts_with(e));
        let (length, c) = entity.map_or((1, '&'), |(entity, c)| (entity.len(), c));
        out.push(c);
        rest = &rest[length..];
    }
    out.push_str(rest);
}

/// Gives ticket numbers the plain hyphen, letters and digits that `[A-Z]+-[0-9]+` finds, and leaves all other dashes
/// alone. Drops soft hyphens elsewhere.
fn tickets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Where the letters and digits at the end of `out` begin, while they could stand before a ticket's number.
    let mut prefix: Option<usize> = None;
    let (mut in_word, mut in_number) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = narrow(c);
        if is_dash(c) || c == SOFT_HYPHEN {
            while chars.next_if_eq(&SOFT_HYPHEN).is_some() {}
            let number = chars.peek().is_some_and(|&next| narrow(next).is_ascii_digit());
            match prefix.filter(|_| number) {
                Some(start) => {
                    let letters: String = out[start..].chars().map(narrow).collect();
                    out.truncate(start);
                    out.push_str(&letters);
                    out.push('-');
                }
                None if c == SOFT_HYPHEN => continue,
                None => out.push(c),
            }
            in_number = prefix.is_some() && number;
            (prefix, in_word) = (None, false);
            continue;
        }
        in_number &= plain.is_ascii_digit();
        if in_number {
            in_word = true;
            out.push(plain);
            continue;
        }
        if plain.is_ascii_alphanumeric() || plain == '_' {
            if !in_word {
                prefix = plain.is_ascii_alphabetic().then_some(out.len());
            }
        } else {
            prefix = None;
        }
        in_word = c.is_alphanumeric() || plain == '_';
        out.push(c);
    }
    out
}

/// Full-width letters and digits as ASCII has them.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reasons_stay_as_typed_but_readable() {
        for (given, shown) in [
            ("  debug\u{a0}the\n“login”\u{202f}page… ", "debug the “login” page…"),
            ("R&amp;D &lt;b&gt; &amp;lt; &nbsp; & x", "R&D <b> &lt; &nbsp; & x"),
            ("ask <@U123|bo> or <@U456>", "ask @bo or @U456"),
            ("in <#C1|ops> <#C2|> <#C3>", "in #ops #C2 #C3"),
            ("<!here> <!subteam^S1|@leads> <!subteam^S2> <!date^1^{time}|noon>", "@here @leads @S2 noon"),
            ("see <https://x.test/a?b&amp;c|BUG-1> <https://x.test/?a=1&amp;b>", "see BUG-1 https://x.test/?a=1&b"),
            ("<mailto:a@b.test|a@b.test> <mailto:a@b.test>", "a@b.test a@b.test"),
            ("a < b and c > d <x> <<@U1>", "a < b and c > d <x> <@U1"),
            ("BUG–482, BUG‑482 BUG−482 BUG\u{ad}482 BUG—482", "BUG-482, BUG-482 BUG-482 BUG-482 BUG-482"),
            ("ＢＵＧ－４８２ ４８２", "BUG-482 ４８２"),
            ("down 2020–2024 – and — more co\u{ad}de", "down 2020–2024 – and — more code"),
            ("\u{200b}B\u{feff}U\u{2060}G-4\u{202e}8\u{200d}2\u{7}", "BUG-482"),
            ("ﬁne ½", "ﬁne ½"),
        ] {
            assert_eq!(human(given), shown, "{given:?}");
        }
    }

    #[test]
    fn folding_makes_equal_what_is_meant_so() {
        for (given, folded) in [
            ("Ａｃｍｅ\u{3000}１２３", "Acme 123"),
            ("“Acme” ‘x’ «y»", "\"Acme\" 'x' \"y\""),
            ("cus–9–a", "cus-9-a"),
            ("ﬁn\u{fe0f}", "fin"),
        ] {
            assert_eq!(fold(given), folded, "{given:?}");
        }
        for (word, same) in [("*FOR:*", "for"), ("`to`,", "to"), ("_as_", "as"), ("_as", "_as"), ("**", "")] {
            assert_eq!(key(word), same, "{word:?}");
        }
        for (word, name) in [("*Acme*,", "Acme"), ("“Acme", "Acme"), ("cus_1", "cus_1"), ("Inc.", "Inc"), ("*", "*")]
        {
            assert_eq!(name_word(word), name, "{word:?}");
        }
    }

    #[test]
    fn quotes_close_each_other() {
        for (given, content, after) in [
            ("\"Acme Corp\" for 4h", "Acme Corp", "for 4h"),
            ("”Acme Corp“for 4h", "Acme Corp", "for 4h"),
            ("« Acme »", "Acme", ""),
            ("‘O’Brien’ x", "O'Brien", "x"),
            ("*\"Acme\"*: x", "Acme", "x"),
            ("\"a \"\"b\"\" c\" d", "a \"b\" c", "d"),
            ("\"\" d", "", "d"),
        ] {
            assert_eq!(quoted(given), Some((content.to_owned(), after)), "{given:?}");
        }
        for given in ["Acme", "\"Acme", "'Acme Corp", "", "*"] {
            assert_eq!(quoted(given), None, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn each_form_is_stable(text in "\\PC{0,40}|[A-Za-z0-9 \u{ad}–\\-Ｂ４¨\u{301}\u{200b}]{0,30}") {
            let (folded, tidied) = (fold(&text), tidy(&text));
            prop_assert_eq!(fold(&folded), folded.clone());
            prop_assert_eq!(tidy(&tidied), tidied.clone());
            let again = in_quotes(&text);
            prop_assert_eq!(quoted(&again), Some((folded, "")));
            prop_assert_eq!(human(&crate::slack::text::escape(&text)), tidied);
        }
    }
}
