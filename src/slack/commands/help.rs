//! `/access help [word]`: how to ask, and what each word does.

use super::{
    word::{Word, after_command},
    words::{human, key},
};
use crate::slack::{
    Slack,
    views::{
        Content,
        word::{self, Usage},
    },
};

pub const USAGE: Usage = Usage {
    typed: "/access help [word]",
    does: "shows how to ask, and what each word does.",
    example: "/access help who",
    more: "A customer that is called like a word can be asked for all the same: put “customer” before its name.",
};

/// What asking is called by those who look for help with it.
const ASKING: [&str; 6] = ["customer", "ask", "new", "request", "for", "access"];

pub(super) fn run(slack: &Slack, text: &str) -> Content {
    let about = after_command(text).map(|(_, rest)| human(rest)).unwrap_or_default();
    let access = &slack.workflow.policy().access;
    let all = || {
        let usages: Vec<&Usage> = Word::ALL.iter().map(|word| word.usage()).collect();
        word::help(&usages, access.default_duration, access.max_duration)
    };
    if about.is_empty() || ASKING.contains(&key(&about).as_str()) {
        return all();
    }
    match Word::named(&about).or_else(|| Word::near(&about)) {
        Some(word) => word::usage(word.usage()),
        None => all(),
    }
}
