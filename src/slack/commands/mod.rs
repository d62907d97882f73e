//! The words after `/access`. To add one: a variant of [`parser::Command`], a file here, an arm in [`run`].

mod ask;
mod lengths;
pub mod parser;
mod words;

use self::parser::{Ask, Command, Misunderstood};
use super::{
    Slack,
    inbound::SlashCommand,
    views::{Content, answer},
};
use crate::domain::length::{self, BadLength};

/// Runs a command and says what came of it, to the person who typed it alone.
pub(super) async fn run(slack: &Slack, command: &SlashCommand, signature: &str) -> Content {
    let policy = slack.workflow.policy();
    if command.text.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("break-glass")) {
        let sentence =
            "Break-glass is not part of this version. Ask with /access, and tell a reviewer that it is urgent.";
        return answer::click_refused(sentence);
    }
    let parsed = if policy.access.roles.is_empty() {
        parser::parse_without_roles(&command.text)
    } else {
        parser::parse(&command.text)
    };
    match parsed {
        Ok(Command::Help | Command::Empty) => {
            answer::help(None, policy.access.default_duration, policy.access.max_duration)
        }
        Ok(Command::Ask(ask)) => ask::run(slack, command, &ask, signature).await,
        // It was understood, and is longer than any policy allows: the policy says how long it may be.
        Err(Misunderstood::BadLength { given, why: BadLength::TooLong(_), rest }) => {
            let ask = Ask { length: Some(length::LONGEST), length_text: Some(given), ..*rest };
            ask::run(slack, command, &ask, signature).await
        }
        Err(misunderstood) => {
            let length = length::show(policy.access.default_duration);
            answer::misunderstood(&misunderstood, &corrected(&misunderstood, &length))
        }
    }
}

/// A command that would do, made of what was understood; what is missing is filled in as an example.
fn corrected(what: &Misunderstood, default_length: &str) -> String {
    let (Misunderstood::NoCustomer { rest }
    | Misunderstood::BadLength { rest, .. }
    | Misunderstood::RoleMissing { rest }) = what;
    let (customer, reason) = rest.readings().pop().unwrap_or_else(|| ("123".to_owned(), rest.reason.clone()));
    let reason = if reason.trim().is_empty() { EXAMPLE_REASON } else { &reason };
    let length = rest.length_text.as_deref().filter(|_| rest.length.is_some()).unwrap_or(default_length);
    parser::corrected(&customer, rest.role.as_deref(), length, reason)
}

/// Stands where a reason is missing.
const EXAMPLE_REASON: &str = "debug BUG-482";
