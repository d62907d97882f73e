//! The text after `/access`, read as a command.
//!
//! `[customer] <id|name|"name"> [as ROLE] [for DURATION] [to|because] <reason>`, leniently: `as` and `for` in either
//! order, `for` at the end too, keywords in any case, and whatever Slack's clients made of quotes, dashes and spaces.
//! Without quotes nothing in the text says where a customer's name ends; [`Ask::readings`] lists what it may be.
//!
//! Pure, linear, and without panics on any text. May import `std`, `jiff`, `thiserror`, `domain::length`, `lengths` and `words`.
//! To add a word: a variant of [`Command`] and a line in `lone_word`, or in [`parse`] if more follows it.

use jiff::SignedDuration;

use super::lengths::{Found, length_after, length_at_end};
use super::words::{self, fold, key, split};
use crate::domain::length::BadLength;

/// What somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Ask(Ask),
    /// `help`, `?`, `-h` or `--help`, alone or with one word after it.
    Help,
    /// Nothing, or `new`: the form is wanted.
    Empty,
}

/// Access asked for, as far as words alone can tell; neither customer nor role is known to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub customer: CustomerWords,
    /// The customer's words as they were typed, one for one with [`CustomerWords::Words`]; none when quoted.
    pub typed: Vec<String>,
    pub role: Option<String>,
    pub length: Option<SignedDuration>,
    /// The length as it was typed, for echoing.
    pub length_text: Option<String>,
    /// The `to` or `because` before the reason, which belongs to it only when other words of the reason come first.
    pub lead: Option<String>,
    /// As typed, but for what nobody can see; may be empty. What reviewers read comes from [`Ask::readings`].
    pub reason: String,
}

/// The customer, folded for look-ups (see `words::fold`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerWords {
    Quoted(String),
    /// Up to the first keyword, so the beginning of the reason may be among them.
    Words(Vec<String>),
}

/// A text that is no command, with what was understood of it all the same, to show and to correct.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misunderstood {
    /// `rest` names no customer: it has no readings.
    #[error("no customer is named")]
    NoCustomer { rest: Box<Ask> },
    /// `given` is what stands where the length should, as typed; `rest` goes without it.
    #[error("{why}")]
    BadLength { given: String, why: BadLength, rest: Box<Ask> },
    #[error("“as” is not followed by a role")]
    RoleMissing { rest: Box<Ask> },
}

/// More words than this no customer's name is taken to have, unless in quotes.
const LONGEST_NAME: usize = 6;
const ARTICLES: [&str; 3] = ["a", "an", "the"];
pub(super) const KEYWORDS: [&str; 6] = ["customer", "as", "for", "to", "because", "reason"];
/// Words with a meaning of their own at the beginning, of [`lone_word`] and of the commands that the caller knows.
const COMMANDS: [&str; 9] = ["help", "new", "break-glass", "list", "pending", "status", "who", "done", "revoke"];

impl Ask {
    /// What the text may mean, as (customer, reason), the longest customer first: the caller takes the first whose
    /// customer exists. At most six readings; one when the customer was quoted, none when there is none.
    pub fn readings(&self) -> Vec<(String, String)> {
        match &self.customer {
            CustomerWords::Quoted(name) if name.is_empty() => Vec::new(),
            CustomerWords::Quoted(name) => vec![(name.clone(), self.reason.clone())],
            CustomerWords::Words(words) => {
                let longest = words.len().min(LONGEST_NAME);
                (1..=longest).rev().map(|n| (words[..n].join(" "), self.reason_after(n))).collect()
            }
        }
    }

    /// The reason when only the first `n` words are the customer.
    fn reason_after(&self, n: usize) -> String {
        let mut left = self.typed.get(n..).unwrap_or_default();
        // `Acme - debug`, `Acme : debug`: the dash parts the two and belongs to neither.
        while let [first, after @ ..] = left
            && is_separator(first)
        {
            left = after;
        }
        if left.is_empty() {
            return self.reason.clone();
        }
        let mut reason = left.join(" ");
        if !self.reason.is_empty() {
            for part in self.lead.iter().chain([&self.reason]) {
                reason.push(' ');
                reason.push_str(part);
            }
        }
        reason
    }
}

/// Reads what follows `/access`, as Slack sends it.
///
/// # Errors
///
/// [`Misunderstood`] when no customer is named, or where a length or role must stand and none does.
pub fn parse(text: &str) -> Result<Command, Misunderstood> {
    read(text, true)
}

/// As [`parse`], but `as` is an ordinary word: where there are no roles, or to read `123 debug as discussed` again
/// when there is no role `discussed`.
///
/// # Errors
///
/// As [`parse`], never [`Misunderstood::RoleMissing`].
pub fn parse_without_roles(text: &str) -> Result<Command, Misunderstood> {
    read(text, false)
}

/// The command that says the same in full, ready to be typed: `/access customer 123 for 4h to debug BUG-482`.
///
/// [`parse`] reads it back as the same customer and role (both folded), length and reason, if `length` is one. It is
/// plain text: whoever puts it into a message escapes it.
pub fn corrected(customer: &str, role: Option<&str>, length: &str, reason: &str) -> String {
    let mut command = format!("/access customer {}", one_word(customer));
    if let Some(role) = role {
        command.push_str(" as ");
        command.push_str(&one_word(role));
    }
    command.push_str(" for ");
    command.push_str(&words::tidy(length));
    let reason = words::tidy(reason);
    if !reason.is_empty() {
        command.push_str(" to ");
        command.push_str(&reason);
    }
    command
}

/// Folded, and in quotes unless it is a single word that means nothing else.
pub fn one_word(text: &str) -> String {
    let folded = fold(text);
    let lower = folded.to_lowercase();
    let edges = [folded.chars().next(), folded.chars().next_back()];
    let simple = edges.iter().all(|c| c.is_some_and(char::is_alphanumeric))
        && folded.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let reserved = [&KEYWORDS[..], &COMMANDS, &ARTICLES].concat().contains(&lower.as_str());
    if simple && !reserved { folded } else { words::in_quotes(&folded) }
}

fn read(text: &str, roles: bool) -> Result<Command, Misunderstood> {
    let text = words::human(text);
    // People paste what we showed them, command and all.
    let text = match split(&text) {
        Some((first, after)) if key(first) == "/access" => after,
        _ => &text,
    };
    if let Some(command) = lone_word(text) {
        return Ok(command);
    }
    let mut reader = Reader { rest: after_customer_word(text), roles, ..Reader::default() };
    let (customer, typed) = reader.customer();
    reader.clauses();
    reader.finish(customer, typed).map(Command::Ask)
}

fn lone_word(text: &str) -> Option<Command> {
    let Some((first, after)) = split(text) else {
        return Some(Command::Empty);
    };
    let word = key(first);
    match word.trim_start_matches('-') {
        "help" | "?" if !after.contains(' ') => Some(Command::Help),
        "h" if word.starts_with('-') && !after.contains(' ') => Some(Command::Help),
        "new" if after.is_empty() => Some(Command::Empty),
        _ => None,
    }
}

/// Past `customer`, `to customer`, `for customer`, or a `for` that begins no length: `for Acme for 4h`.
fn after_customer_word(text: &str) -> &str {
    let Some((first, after)) = split(text) else { return text };
    match (key(first).as_str(), split(after)) {
        ("customer", _) => after,
        ("to" | "for", Some((second, after))) if key(second) == "customer" => after,
        ("for", _) if matches!(length_after(after, true), Found::Prose) => after,
        _ => text,
    }
}

fn is_separator(word: &str) -> bool {
    matches!(fold(word).as_str(), "-" | "--" | ":" | ",")
}

/// What is read so far, and the text still to read: words parted by single spaces.
#[derive(Default)]
struct Reader<'a> {
    rest: &'a str,
    roles: bool,
    role: Option<String>,
    role_missing: bool,
    length: Option<(SignedDuration, String)>,
    bad_length: Option<(String, BadLength)>,
    lead: Option<String>,
}

impl<'a> Reader<'a> {
    /// The customer's words, folded and as typed, up to the first keyword.
    fn customer(&mut self) -> (CustomerWords, Vec<String>) {
        if let Some((name, after)) = words::quoted(self.rest) {
            self.rest = after;
            return (CustomerWords::Quoted(name), Vec::new());
        }
        let (mut names, mut typed) = (Vec::new(), Vec::new());
        while let Some((word, after)) = split(self.rest) {
            if self.at_keyword(typed.len()) {
                break;
            }
            let name = words::name_word(word);
            // `customer #123`.
            let name = if names.is_empty() { name.trim_start_matches('#') } else { &name };
            names.push(name.to_owned());
            typed.push(word.to_owned());
            self.rest = after;
        }
        (CustomerWords::Words(names), typed)
    }

    /// Whether a clause or the reason begins here, after so many words.
    fn at_keyword(&self, words_before: usize) -> bool {
        let Some((word, after)) = split(self.rest) else {
            return false;
        };
        match key(word).as_str() {
            "as" => self.roles,
            // Right after one word `for 3 hosts` must be meant as a length; after more it may be part of the reason.
            "for" => !matches!(length_after(after, words_before <= 1), Found::Prose),
            _ => lead(self.rest).is_some(),
        }
    }

    /// `as ROLE` and `for DURATION`, once each and in either order, and the word that leads in the reason.
    fn clauses(&mut self) {
        while let Some((word, after)) = split(self.rest) {
            match key(word).as_str() {
                "as" if self.roles && self.role.is_none() && !self.role_missing => self.role(after),
                "for" if self.length.is_none() && self.bad_length.is_none() => match length_after(after, true) {
                    Found::Length(length, text, after) => {
                        self.length = Some((length, text));
                        self.rest = after;
                    }
                    Found::Bad(given, why, after) => {
                        self.bad_length = Some((given, why));
                        self.rest = after;
                    }
                    Found::Prose => return,
                },
                _ => {
                    if let Some((word, after)) = lead(self.rest) {
                        self.lead = Some(word.to_owned());
                        self.rest = after;
                    } else if is_separator(word) {
                        self.rest = after;
                    }
                    return;
                }
            }
        }
    }

    fn role(&mut self, after: &'a str) {
        if let Some((role, after)) = words::quoted(after) {
            self.role_missing = role.is_empty();
            self.role = Some(role).filter(|role| !role.is_empty());
            self.rest = after;
            return;
        }
        let is_role = |word: &str| !KEYWORDS.contains(&key(word).as_str());
        let mut words = split(after).filter(|(word, _)| is_role(word));
        if let Some((word, next)) = words
            && ARTICLES.contains(&key(word).as_str())
        {
            words = split(next).filter(|(word, _)| is_role(word)).or(words);
        }
        match words {
            Some((word, after)) => {
                self.role = Some(words::name_word(word));
                self.rest = after;
            }
            None => {
                self.role_missing = true;
                self.rest = after;
            }
        }
    }

    /// What is left is the reason, but for a length at its end.
    fn finish(mut self, customer: CustomerWords, typed: Vec<String>) -> Result<Ask, Misunderstood> {
        let mut reason = self.rest;
        if self.length.is_none() && self.bad_length.is_none() {
            match length_at_end(reason) {
                Some((before, Found::Length(length, text, _))) => {
                    self.length = Some((length, text));
                    reason = before;
                }
                Some((before, Found::Bad(given, why, _))) => {
                    self.bad_length = Some((given, why));
                    reason = before;
                }
                Some((_, Found::Prose)) | None => {}
            }
        }
        let (length, length_text) = self.length.unzip();
        let nobody = match &customer {
            CustomerWords::Quoted(name) => name.is_empty(),
            CustomerWords::Words(words) => words.first().is_none_or(String::is_empty),
        };
        let customer = if nobody { CustomerWords::Words(Vec::new()) } else { customer };
        let typed = if nobody { Vec::new() } else { typed };
        let reason = reason.to_owned();
        let ask = Ask { customer, typed, role: self.role, length, length_text, lead: self.lead, reason };
        match (nobody, self.bad_length, self.role_missing) {
            (true, _, _) => Err(Misunderstood::NoCustomer { rest: Box::new(ask) }),
            (false, Some((given, why)), _) => Err(Misunderstood::BadLength { given, why, rest: Box::new(ask) }),
            (false, None, true) => Err(Misunderstood::RoleMissing { rest: Box::new(ask) }),
            (false, None, false) => Ok(ask),
        }
    }
}

/// The word that leads in a reason, as typed, and what follows it.
fn lead(text: &str) -> Option<(&str, &str)> {
    let (word, after) = split(text)?;
    let after = match key(word).as_str() {
        "to" => after,
        "because" => split(after).filter(|(of, _)| key(of) == "of").map_or(after, |(_, after)| after),
        "reason" if fold(word).ends_with(':') => after,
        _ => return None,
    };
    Some((text[..text.len() - after.len()].trim_end(), after))
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "parser_properties.rs"]
mod properties;
