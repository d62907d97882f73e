//! The words after `/access`. To add one: a line in [`word::Word`], a file here, an arm in [`run_word`].

mod ask;
mod done;
mod ends;
mod extend;
mod help;
mod lengths;
mod list;
mod named;
pub mod parser;
mod pending;
mod revoke;
mod status;
mod who;
mod word;
mod words;

use self::{
    parser::{Ask, Command, Misunderstood},
    word::{Typed, Word},
};
use super::{
    Slack,
    actions::{self, ask::Form},
    inbound::SlashCommand,
    views::{self, Content, answer, ask::Prefill},
};
use crate::{
    domain::id::SlackUserId,
    domain::length::{self, BadLength},
    workflow::Error,
};

/// Runs a command and says what came of it, to the person who typed it alone. `None`: a form opened that says it all.
pub(super) async fn run(slack: &Slack, command: &SlashCommand, signature: &str) -> Option<Content> {
    match answer_to(slack, command, signature).await {
        Answer::Said(content) => Some(content),
        Answer::Form(prefill) => match form(slack, command, &prefill).await {
            Form::Open => None,
            Form::Refused(why) => Some(*why),
            Form::Unopened => Some(help::run(slack, &command.text)),
        },
        // The form goes on from what was understood; the words stay, for whoever would rather type.
        Answer::Unclear(content, prefill) => match form(slack, command, &prefill).await {
            Form::Open | Form::Unopened => Some(content),
            Form::Refused(why) => Some(*why),
        },
    }
}

async fn form(slack: &Slack, command: &SlashCommand, prefill: &Prefill) -> Form {
    let user = SlackUserId::new(&command.user_id);
    actions::ask::open(slack, &user, command.team_id.as_deref(), command.trigger_id.as_deref(), prefill).await
}

/// What somebody is shown for a command.
enum Answer {
    Said(Content),
    /// They want the form.
    Form(Box<Prefill>),
    /// Nothing was done, because something was not understood; the form opens with what was.
    Unclear(Content, Box<Prefill>),
}

async fn answer_to(slack: &Slack, command: &SlashCommand, signature: &str) -> Answer {
    let policy = slack.workflow.policy();
    if command.text.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("break-glass")) {
        let sentence =
            "Break-glass is not part of this version. Ask with /access, and tell a reviewer that it is urgent.";
        return Answer::Said(answer::click_refused(sentence));
    }
    if let Some(typed) = word::read(&command.text) {
        let content = run_word(slack, command, typed, signature).await;
        return Answer::Said(content.unwrap_or_else(|error| ask::explain(&error)));
    }
    let parse = |text: &str| match policy.access.roles.is_empty() {
        true => parser::parse_without_roles(text),
        false => parser::parse(text),
    };
    let parsed = parse(&command.text);
    // `/access new Acme for 2h`: the form, filled in; unless a customer goes by the name of `New …`.
    if let Some((word, rest)) = word::after_command(&command.text)
        && words::key(word) == "new"
        && !rest.is_empty()
        && let Ok(Command::Ask(ask)) = &parsed
        && !ask::names_a_customer(slack, ask).await.unwrap_or_default()
    {
        return Answer::Form(Box::new(ask::prefill(slack, parse(rest)).await));
    }
    match parsed {
        Ok(Command::Help) => Answer::Said(help::run(slack, &command.text)),
        Ok(Command::Empty) => Answer::Form(Box::default()),
        Ok(Command::Ask(ask)) => match misspelled(slack, command, &ask).await {
            Ok(Some(content)) => Answer::Said(content),
            Ok(None) => ask::run(slack, command, &ask, signature).await,
            Err(error) => Answer::Said(ask::explain(&error)),
        },
        // It was understood, and is longer than any policy allows: the policy says how long it may be.
        Err(Misunderstood::BadLength { given, why: BadLength::TooLong(_), rest }) => {
            let ask = Ask { length: Some(length::LONGEST), length_text: Some(given), ..*rest };
            ask::run(slack, command, &ask, signature).await
        }
        Err(misunderstood) => {
            let length = length::show(policy.access.default_duration);
            let content = answer::misunderstood(&misunderstood, &corrected(&misunderstood, &length));
            let prefill = ask::prefill(slack, Err(misunderstood)).await;
            Answer::Unclear(content.clone(), Box::new(Prefill { said: content.text, ..prefill }))
        }
    }
}

async fn run_word(
    slack: &Slack,
    command: &SlashCommand,
    Typed { word, rest }: Typed<'_>,
    signature: &str,
) -> Result<Content, Error> {
    match word {
        Word::List => list::run(slack, command).await,
        Word::Pending => pending::run(slack, command).await,
        Word::Status => status::run(slack, command, rest).await,
        Word::Who => who::run(slack, command, rest).await,
        Word::Done => done::run(slack, command, rest, signature).await,
        Word::Extend => extend::run(slack, command, rest, signature).await,
        Word::Revoke => revoke::run(slack, command, rest, signature).await,
        Word::Help => Ok(help::run(slack, &command.text)),
    }
}

/// The answer to a word that is nearly one of ours; `None` where a customer goes by it, or it is no near miss.
async fn misspelled(slack: &Slack, command: &SlashCommand, ask: &Ask) -> Result<Option<Content>, Error> {
    let Some(Typed { word, rest }) = word::meant(&command.text, ask) else { return Ok(None) };
    if ask::names_a_customer(slack, ask).await? {
        return Ok(None);
    }
    let rest = words::human(rest);
    let takes_nothing = Word::List == word || Word::Pending == word;
    let corrected = match (takes_nothing || rest.is_empty(), word) {
        (false, _) => format!("/access {} {rest}", word.typed()),
        (true, Word::List | Word::Pending | Word::Help) => format!("/access {}", word.typed()),
        (true, Word::Status | Word::Who | Word::Extend | Word::Done | Word::Revoke) => word.usage().example.to_owned(),
    };
    let typed = word::after_command(&command.text).map(|(first, _)| words::human(first)).unwrap_or_default();
    Ok(Some(views::word::misspelled(&typed, word.usage(), &corrected)))
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
