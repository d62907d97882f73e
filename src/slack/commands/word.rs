//! The words of `/access` that are no request: which one was typed, and which one was meant.
//!
//! A word stands first. After `customer`, or in quotes, the same letters are a customer's name; so they are where a
//! request goes on after them (`list for 4h to debug …`). A near miss counts only while no customer goes by it.
//!
//! Pure. To add a word: a line in the list below, a file beside this one with its `USAGE`, an arm in [`super::run`].

use super::{
    parser::{self, Ask, Command, CustomerWords},
    words::{human, key},
};
use crate::slack::views::word::Usage;

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident = $typed:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word {
            $($(#[$doc])* $word,)*
        }

        impl Word {
            pub const ALL: &[Word] = &[$(Word::$word),*];

            /// As it is typed.
            pub fn typed(self) -> &'static str {
                match self {
                    $(Word::$word => stringify!($typed),)*
                }
            }

            /// What help says of it.
            pub fn usage(self) -> &'static Usage {
                match self {
                    $(Word::$word => &super::$typed::USAGE,)*
                }
            }
        }
    };
}

words! {
    List = list,
    Pending = pending,
    Status = status,
    Who = who,
    Extend = extend,
    Done = done,
    Revoke = revoke,
    Help = help,
}

/// A word and what follows it, as Slack sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed<'a> {
    pub word: Word,
    pub rest: &'a str,
}

impl Word {
    pub fn named(text: &str) -> Option<Word> {
        let key = key(text);
        Self::ALL.iter().copied().find(|word| word.typed() == key)
    }

    /// The word that somebody was about to type; the same word is near itself.
    pub fn near(text: &str) -> Option<Word> {
        let key = key(text);
        let letters = key.chars().count();
        if !(3..=12).contains(&letters) {
            return None;
        }
        let near = Self::ALL.iter().map(|word| (distance(&key, word.typed()), *word));
        // Of short words every other one is near.
        let near = near.filter(|(far, word)| *far <= if word.typed().len() <= 4 { 1 } else { 2 });
        near.min_by_key(|(far, _)| *far).map(|(_, word)| word)
    }

    /// Whether anything may follow it.
    fn takes_more(self) -> bool {
        match self {
            Word::List | Word::Pending => false,
            Word::Status | Word::Who | Word::Extend | Word::Done | Word::Revoke | Word::Help => true,
        }
    }
}

/// The word that a text begins with, unless the text is a request. Help is the parser's.
pub fn read(text: &str) -> Option<Typed<'_>> {
    let (first, rest) = after_command(text)?;
    let word = Word::named(&human(first)).filter(|word| *word != Word::Help)?;
    let alone = human(rest).is_empty();
    let taken = match word {
        // A length belongs to it; only right after it, the word itself is a customer's name.
        Word::Extend => {
            let rest = human(rest);
            let next = key(rest.split(' ').next().unwrap_or_default());
            alone || !["for", "as", "to", "because"].contains(&next.as_str())
        }
        // Whose, or why, is said of nothing else; a length in the reason is part of the reason.
        Word::Revoke if super::revoke::is_meant(rest) => true,
        _ if word.takes_more() => alone || !is_request(&parser::parse(text)),
        _ => alone,
    };
    taken.then_some(Typed { word, rest })
}

/// The word that was probably meant by what reads as a request without a length, role or reason of its own.
pub fn meant<'a>(text: &'a str, ask: &Ask) -> Option<Typed<'a>> {
    let (first, rest) = after_command(text)?;
    let word = Word::near(&human(first))?;
    let unquoted = matches!(ask.customer, CustomerWords::Words(_));
    let bare = (ask.length.is_none() || word == Word::Extend) && ask.role.is_none() && ask.lead.is_none();
    // What stands after a word that takes nothing more makes it less of a word, unless it is spelt exactly so.
    let fits = word.takes_more() || human(rest).is_empty() || Word::named(&human(first)).is_some();
    (unquoted && bare && fits).then_some(Typed { word, rest })
}

/// The first word of a text, without the `/access` that people paste along, and what follows it.
pub fn after_command(text: &str) -> Option<(&str, &str)> {
    let split = |text: &'_ str| -> Option<(usize, usize)> {
        let start = text.find(|c: char| !c.is_whitespace())?;
        Some((start, text[start..].find(char::is_whitespace).map_or(text.len(), |end| start + end)))
    };
    let (start, end) = split(text)?;
    if key(&text[start..end]) == "/access" {
        let text = &text[end..];
        let (start, end) = split(text)?;
        return Some((&text[start..end], text[end..].trim()));
    }
    Some((&text[start..end], text[end..].trim()))
}

/// Whether a clause of a request follows the very first word, or a length stands anywhere.
fn is_request(parsed: &Result<Command, parser::Misunderstood>) -> bool {
    match parsed {
        Ok(Command::Ask(ask)) => {
            let alone = matches!(&ask.customer, CustomerWords::Words(words) if words.len() == 1);
            ask.length.is_some() || alone
        }
        Ok(Command::Help | Command::Empty) => false,
        Err(parser::Misunderstood::BadLength { .. } | parser::Misunderstood::RoleMissing { .. }) => true,
        Err(parser::Misunderstood::NoCustomer { .. }) => false,
    }
}

/// Letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Option<(Word, &str)> {
        read(text).map(|typed| (typed.word, typed.rest))
    }

    fn misspelt(text: &str) -> Option<(Word, &str)> {
        match parser::parse(text) {
            Ok(Command::Ask(ask)) => meant(text, &ask).map(|typed| (typed.word, typed.rest)),
            _ => None,
        }
    }

    #[test]
    fn words_are_read_with_what_follows_them() {
        for (text, read) in [
            ("list", (Word::List, "")),
            (" *List* ", (Word::List, "")),
            ("/access pending", (Word::Pending, "")),
            ("`status` 0190a1b2c3d4e5f6", (Word::Status, "0190a1b2c3d4e5f6")),
            ("who Acme Corp", (Word::Who, "Acme Corp")),
            ("extend 123 for 2h", (Word::Extend, "123 for 2h")),
            ("extend 123 by 2h", (Word::Extend, "123 by 2h")),
            ("extend", (Word::Extend, "")),
            ("DONE: \"Acme\u{a0}Corp\"", (Word::Done, "\"Acme\u{a0}Corp\"")),
            ("done", (Word::Done, "")),
            ("revoke 123 <@U0ANA|ana>", (Word::Revoke, "123 <@U0ANA|ana>")),
            ("revoke Acme because he left", (Word::Revoke, "Acme because he left")),
            ("revoke 123 <@U0ANA|ana> because it was for 1h", (Word::Revoke, "123 <@U0ANA|ana> because it was for 1h")),
            ("revoke 123 because she needed it for 1 hour", (Word::Revoke, "123 because she needed it for 1 hour")),
        ] {
            assert_eq!(word(text), Some(read), "{text:?}");
        }
    }

    #[test]
    fn requests_stay_requests() {
        for text in [
            "customer list for 4h to debug BUG-482",
            "customer \"list\"",
            "\"list\" for 4h to debug BUG-482",
            "list for 4h to debug BUG-482",
            "list to debug BUG-482",
            "pending debug BUG-482",
            "done for 4h to debug BUG-482",
            "who to debug BUG-482",
            "extend for 4h to debug BUG-482",
            "customer extend for 4h to debug BUG-482",
            "revoke as readonly to debug BUG-482",
            "revoke because BUG-482",
            "revoke for 4h because of BUG-482",
            "status Acme for 4h to debug BUG-482",
            "123 to list",
            "help",
            "",
        ] {
            assert_eq!(word(text), None, "{text:?}");
        }
    }

    #[test]
    fn near_misses_are_recognised_but_not_in_requests() {
        for (text, read) in [
            ("lst", (Word::List, "")),
            ("penidng", (Word::Pending, "")),
            ("satus 0190", (Word::Status, "0190")),
            ("revok 123", (Word::Revoke, "123")),
            ("exted 123 by 2h", (Word::Extend, "123 by 2h")),
            ("extnd 123 for 2h", (Word::Extend, "123 for 2h")),
            ("hlep", (Word::Help, "")),
            ("list mine", (Word::List, "mine")),
        ] {
            assert_eq!(misspelt(text), Some(read), "{text:?}");
        }
        for text in ["lst for 4h", "lst to debug", "lst mine", "customer lst", "\"lst\"", "wo", "Globex", "123"] {
            assert_eq!(misspelt(text), None, "{text:?}");
        }
    }

    #[test]
    fn distances_count_slips() {
        for (a, b, far) in [("", "abc", 3), ("list", "list", 0), ("lits", "list", 1), ("lst", "list", 1), ("a", "b", 1)]
        {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }
}
