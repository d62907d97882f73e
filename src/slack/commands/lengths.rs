//! Lengths of time within what people type: where a length ends, and what was meant as one and is none.
//!
//! Pure; the words of a text are parted by single spaces. May import `std`, `jiff`, `domain::length` and `words`.

use jiff::SignedDuration;

use super::parser::KEYWORDS;
use super::words::{key, split};
use crate::domain::length::{self, BadLength};

/// `4 hours and 30 minutes`.
const LONGEST_LENGTH: usize = 5;
/// Words between `for` and a length that change nothing: `for the next 4h`.
const FILLERS: [&str; 6] = ["the", "next", "up", "to", "about", "another"];
const NUMBERS: [&str; 12] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// What stands after a `for`; the texts are the length as typed, and what follows it.
pub enum Found<'a> {
    Length(SignedDuration, String, &'a str),
    Bad(String, BadLength, &'a str),
    Prose,
}

/// Reads the longest length at the beginning of `text`. What begins with a digit but is none is a mistake when
/// `meant`, and otherwise only if it looks like one.
pub fn length_after(text: &str, meant: bool) -> Found<'_> {
    let mut text = text;
    for _ in 0..2 {
        text = split(text).filter(|(word, _)| FILLERS.contains(&key(word).as_str())).map_or(text, |(_, after)| after);
    }
    let (mut words, mut afters) = (Vec::new(), Vec::new());
    let mut rest = text;
    while words.len() < LONGEST_LENGTH
        && let Some((word, after)) = split(rest)
    {
        words.push(key(word).trim_end_matches(['.', ';', '!', ')']).to_owned());
        afters.push(after);
        rest = after;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let typed =
        |after: &str| text[..text.len() - after.len()].trim_end().trim_end_matches([',', '.', ';', ':']).to_owned();
    for n in (1..=words.len()).rev() {
        let after = afters[n - 1];
        match length::parse(&spelled(&words[..n])) {
            Ok(length) => return Found::Length(length, typed(after), after),
            Err(why @ (BadLength::TooShort | BadLength::TooLong(_))) => return Found::Bad(typed(after), why, after),
            Err(BadLength::NotUnderstood(_)) => {}
        }
    }
    let Some(n) = failed_length(&words, meant) else {
        return Found::Prose;
    };
    let given = typed(afters[n - 1]);
    Found::Bad(given.clone(), BadLength::NotUnderstood(given.chars().take(60).collect()), afters[n - 1])
}

/// How many of these words, which are no length, were meant as one.
fn failed_length(words: &[&str], meant: bool) -> Option<usize> {
    let first = *words.first()?;
    let unit = words.get(1).copied().filter(|word| !KEYWORDS.contains(word));
    let timelike = unit.is_some_and(|unit| {
        ["sec", "min", "hour", "day", "week", "fortnight", "month", "quarter", "year"]
            .iter()
            .any(|u| unit.starts_with(u))
    });
    let bare = first.chars().all(|c| c.is_ascii_digit() || c == '.');
    match first.starts_with(|c: char| c.is_ascii_digit()) {
        true if !bare => Some(1),
        true if unit.is_none() => Some(1),
        true => (meant || timelike).then_some(2),
        false => (timelike && number(first).is_some()).then_some(2),
    }
}

/// Numbers in words as digits: `half an hour`, `two days`, `an hour and a half`, `4 hours and 30 minutes`.
fn spelled(words: &[&str]) -> String {
    let half = |unit: &str| match unit {
        "minute" => Some("30s"),
        "hour" => Some("30m"),
        "day" => Some("12h"),
        _ => None,
    };
    let one = |word: &str| number(word) == Some(1);
    match words {
        ["half", "a" | "an", unit] | ["half", unit] => half(unit).unwrap_or_default().to_owned(),
        [n, unit, "and", "a", "half"] if one(n) => half(unit).map(|h| format!("1 {unit} {h}")).unwrap_or_default(),
        [.., "and"] => String::new(),
        _ => {
            let digits = |word: &&str| number(word).map_or_else(|| (*word).to_owned(), |n| n.to_string());
            words.iter().filter(|word| **word != "and").map(digits).collect::<Vec<_>>().join(" ")
        }
    }
}

fn number(word: &str) -> Option<usize> {
    match word {
        "a" | "an" => Some(1),
        _ => NUMBERS.iter().position(|n| *n == word).map(|n| n + 1),
    }
}

/// A `for` and its length that end the text, and what stands before them. Only what is a length but for its size
/// counts as a mistake here: `for 2024` at the end of a reason is no length.
pub fn length_at_end(text: &str) -> Option<(&str, Found<'_>)> {
    let mut before = text;
    for _ in 0..LONGEST_LENGTH + 3 {
        let (head, word) = before.rsplit_once(' ').unwrap_or(("", before));
        if key(word) == "for" {
            let found = length_after(text[before.len()..].trim_start(), false);
            if let Found::Length(_, _, "") | Found::Bad(_, BadLength::TooShort | BadLength::TooLong(_), "") = found {
                return Some((head.trim_end_matches([',', ' ']), found));
            }
        }
        before = head;
    }
    None
}
