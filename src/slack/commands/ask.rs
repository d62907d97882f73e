//! `/access customer 123 for 4h to debug BUG-482`: finds the customer, looks up who asks, opens the petition.

use std::collections::BTreeSet;

use super::{
    Answer,
    parser::{self, Command, CustomerWords, Misunderstood},
};
use crate::{
    audit::Via,
    domain::{
        customer::{Customer, Labels},
        id::{Role, SlackUserId},
        length,
        petition::{CloseReason, Petition, PetitionState},
    },
    policy,
    slack::{
        Slack,
        directory::{Freshness, Stranger},
        inbound::SlashCommand,
        typeahead,
        views::{Content, answer, ask::Prefill, words},
    },
    store::{CustomerLookup, StoreError},
    workflow::{Actor, Ask, Error, Opened, Repeat, Subject, Wish, petition_facts},
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand, ask: &parser::Ask, signature: &str) -> Answer {
    let answer = match attempt(slack, command, ask, signature).await {
        // The same request came twice at once, and the other was first: now there is an answer to repeat.
        Err(Error::Replayed) => attempt(slack, command, ask, signature).await,
        answer => answer,
    };
    answer.unwrap_or_else(|error| Answer::Said(explain(&error)))
}

/// A sentence for every way in which asking can end without a petition.
pub(super) fn explain(error: &Error) -> Content {
    match error {
        Error::Invalid(sentence) | Error::Forbidden(sentence) | Error::Conflict(sentence) => {
            answer::click_refused(sentence)
        }
        Error::Unavailable(sentence) => answer::not_stored(sentence),
        Error::Store(StoreError::Unavailable(_) | StoreError::Conflict) | Error::FactsMissing | Error::Replayed => {
            tracing::warn!(%error, "a command could not be stored");
            answer::not_stored("The database does not answer.")
        }
        Error::WrongState(petition) => answer::already(petition, &[]),
        Error::NoSuchPetition(_) | Error::Store(StoreError::Inconsistent { .. } | StoreError::Other(_)) => {
            tracing::error!(%error, "a command failed");
            answer::not_stored("Something went wrong here.")
        }
    }
}

async fn attempt(slack: &Slack, command: &SlashCommand, ask: &parser::Ask, signature: &str) -> Result<Answer, Error> {
    let workflow = &slack.workflow;
    // Slack, or somebody with a copy, sends the very same request again: it answers like the first.
    if let Some(answered) = workflow.store().answered(signature).await?
        && let Some(name) = answered.petition
        && let Some(petition) = workflow.store().petition(&name).await?
    {
        return opened_before(slack, command, &petition).await.map(Answer::Said);
    }
    let access = &workflow.policy().access;
    let length = ask.length.unwrap_or(access.default_duration);
    let found = find_customer(slack, ask).await?;
    let short = |reason: &str| reason.trim().chars().count() < access.min_reason;
    let clear = matches!(&found, Found::One(_, reason) if !short(reason));
    // Names are customer data too: what is said of them, only those are told who may ask for them.
    let (found, named) = if clear {
        (found, true)
    } else {
        match asker(slack, command).await {
            Ok(asker) => found.shown_to(|customer| workflow.may_name(&asker.facts, customer)),
            Err(stranger) => return Ok(Answer::Said(answer::stranger(&stranger.to_string()))),
        }
    };
    let filled = found.prefill(ask);
    let unclear =
        |content: Content| Answer::Unclear(content.clone(), Box::new(Prefill { said: content.text, ..filled.clone() }));
    let (customer, reason) = match found {
        Found::One(customer, reason) => (customer, reason),
        Found::Several { ref text, ref reason, ref same } => {
            return Ok(unclear(answer::ambiguous_customer(text, same, commands(slack, ask, same, reason))));
        }
        Found::Nobody { ref text, ref reason, ref like } => {
            return Ok(unclear(answer::unknown_customer(text, like, commands(slack, ask, like, reason))));
        }
    };
    let role = ask.role.as_deref();
    // Else the policy says what keeps them from asking.
    if short(&reason) && named {
        let length = length::show(length);
        let name = format!("{} ({})", customer.name, customer.id);
        let understood = answer::Understood {
            customer: Some(&name),
            role,
            length: ask.length.is_some().then_some(length.as_str()),
            reason: &reason,
        };
        let corrected = parser::corrected(customer.id.as_str(), role, &length, super::EXAMPLE_REASON);
        return Ok(unclear(answer::missing_reason(&understood, &corrected, access.min_reason)));
    }
    if reason.chars().count() > LONGEST_REASON {
        let sentence = format!("The reason is longer than {LONGEST_REASON} characters. Shorten it and ask again.");
        return Ok(Answer::Said(answer::click_refused(&sentence)));
    }

    let rule = policy::rule_for(workflow.policy(), Some(&customer.labels));
    let groups = rule.map(policy::Rule::slack_groups).unwrap_or_default();
    let user = SlackUserId::new(&command.user_id);
    let team = command.team_id.as_deref();
    // The policy reads the groups from the map, where one that cannot be read stops nobody from asking.
    let none = BTreeSet::new();
    let (petitioner, slack_groups) = tokio::join!(
        slack.directory.actor(&user, team, &none, Freshness::AMinuteAgo),
        slack.directory.groups(&groups, Freshness::AMinuteAgo),
    );
    let petitioner = match petitioner {
        Ok(actor) => actor,
        Err(stranger) => return Ok(Answer::Said(answer::stranger(&stranger.to_string()))),
    };
    let opened = workflow
        .open_petition(&Ask {
            filed_by: petitioner.facts.email.clone(),
            petitioner,
            for_other: None,
            subject: Subject::Customer(customer),
            role: ask.role.clone().map(Role::new),
            length: ask.length.map_or(Wish::Default, Wish::For),
            until: None,
            reason,
            labels: Labels::new(),
            repeat: Repeat::SameWords,
            slack_groups,
            signature: Some(signature.to_owned()),
            via: Via::Slack,
        })
        .await;
    match opened {
        Ok(Opened::Open(petition)) => opened_before(slack, command, &petition).await.map(Answer::Said),
        Ok(Opened::Same(petition)) => Ok(Answer::Said(answer::same(&petition))),
        Ok(Opened::Refused(petition, because)) => refused(slack, command, &petition, &because).await.map(Answer::Said),
        // It left no petition: something of it is missing, or is no role.
        Err(Error::Invalid(sentence)) => Ok(unclear(answer::click_refused(&sentence))),
        Err(error) => Err(error),
    }
}

/// Whoever types, for what they may be shown.
async fn asker(slack: &Slack, command: &SlashCommand) -> Result<Actor, Stranger> {
    let groups = typeahead::groups_of(&slack.workflow.policy().rules);
    slack.directory.asker(&SlackUserId::new(&command.user_id), command.team_id.as_deref(), &groups).await
}

/// The answer to a petition that was opened, now or by the request that this one repeats.
async fn opened_before(slack: &Slack, command: &SlashCommand, petition: &Petition) -> Result<Content, Error> {
    if let PetitionState::Closed { why: CloseReason::Refused { because }, .. } = &petition.state {
        return refused(slack, command, petition, because).await;
    }
    let now = slack.workflow.now();
    let space = match slack.workflow.remote_space() {
        None => None,
        Some(space) => {
            let away = slack.workflow.store().space_away_since().await?;
            Some((space, away.map(|since| words::elapsed(since, now))))
        }
    };
    let Some(rule) = slack.workflow.rule_of(petition).await? else {
        return Ok(answer::opened(petition, Vec::new(), 0, space));
    };
    let facts = petition_facts(petition, None);
    let reviewers = policy::reviewers_of(slack.workflow.policy(), rule, &facts);
    // As they are asked: not a bot, and nobody by themselves where the channel alone is told.
    let people = reviewers.emails.iter().filter(|email| !slack.workflow.is_bot(email)).map(ToString::to_string);
    let groups = reviewers.slack_groups.iter().map(|_| "a Slack group of reviewers".to_owned());
    let told = if rule.dm { people.chain(groups).collect() } else { Vec::new() };
    Ok(answer::opened(petition, told, rule.notify.len(), space))
}

/// What the policy said, and where a shorter length would do, the command that asks for it.
async fn refused(slack: &Slack, command: &SlashCommand, petition: &Petition, because: &str) -> Result<Content, Error> {
    let policy = slack.workflow.policy();
    let customer = slack.workflow.store().customer(petition.customer.as_str()).await?;
    // Who may never ask for it is not told its name for trying.
    let named = match (&customer, asker(slack, command).await) {
        (Some(customer), Ok(asker)) => slack.workflow.may_name(&asker.facts, customer),
        (Some(_), Err(_)) | (None, _) => false,
    };
    let rule = slack.workflow.rule_of(petition).await?;
    if !named && rule.is_some() {
        return Ok(answer::click_refused(because));
    }
    let longest = rule.map(|rule| policy.max_duration(rule));
    let corrected = longest.filter(|longest| petition.length > *longest).map(|longest| {
        let role = petition.role.as_ref().map(Role::as_str);
        parser::corrected(petition.customer.as_str(), role, &length::show(longest), &petition.reason)
    });
    Ok(answer::refused(petition, because, corrected.as_deref()))
}

/// What fits a card and the record; nobody reads more.
const LONGEST_REASON: usize = 10_000;

/// Whom the words name.
enum Found {
    One(Customer, String),
    Several { text: String, reason: String, same: Vec<Customer> },
    Nobody { text: String, reason: String, like: Vec<Customer> },
}

impl Found {
    /// Without the customers that are not to be named; `false` where that is the one that was found.
    fn shown_to(self, may_name: impl Fn(&Customer) -> bool) -> (Self, bool) {
        match self {
            Self::One(customer, reason) => {
                let named = may_name(&customer);
                (Self::One(customer, reason), named)
            }
            Self::Several { text, reason, mut same } => {
                same.retain(may_name);
                let none = same.is_empty();
                (
                    if none { Self::Nobody { text, reason, like: same } } else { Self::Several { text, reason, same } },
                    true,
                )
            }
            Self::Nobody { text, reason, mut like } => {
                like.retain(may_name);
                (Self::Nobody { text, reason, like }, true)
            }
        }
    }

    /// The form, filled in with all that was understood.
    fn prefill(&self, ask: &parser::Ask) -> Prefill {
        let (customers, typed, reason) = match self {
            Self::One(customer, reason) => (vec![customer.clone()], "", reason),
            Self::Several { text, reason, .. } | Self::Nobody { text, reason, .. } => {
                (Vec::new(), text.as_str(), reason)
            }
        };
        Prefill {
            said: String::new(),
            customers,
            typed: typed.to_owned(),
            role: ask.role.clone(),
            length: ask.length,
            reason: reason.clone(),
        }
    }
}

/// The form, filled in with what was understood of a text.
pub(super) async fn prefill(slack: &Slack, parsed: Result<Command, Misunderstood>) -> Prefill {
    let ask = match parsed {
        Ok(Command::Ask(ask)) => ask,
        Ok(Command::Help | Command::Empty) => return Prefill::default(),
        Err(
            Misunderstood::NoCustomer { rest }
            | Misunderstood::BadLength { rest, .. }
            | Misunderstood::RoleMissing { rest },
        ) => *rest,
    };
    if ask.readings().is_empty() {
        let (role, length, reason) = (ask.role.clone(), ask.length, ask.reason.clone());
        return Prefill { role, length, reason, ..Prefill::default() };
    }
    // Without the database the form opens all the same; whoever fills it in is told then.
    find_customer(slack, &ask).await.map_or_else(|_| Prefill::default(), |found| found.prefill(&ask))
}

/// The commands that ask for each of these instead.
fn commands(slack: &Slack, ask: &parser::Ask, customers: &[Customer], reason: &str) -> Vec<String> {
    let length = length::show(ask.length.unwrap_or(slack.workflow.policy().access.default_duration));
    let role = ask.role.as_deref();
    customers.iter().map(|customer| parser::corrected(customer.id.as_str(), role, &length, reason)).collect()
}

/// Whether any reading of the words is a customer, or several.
pub(super) async fn names_a_customer(slack: &Slack, ask: &parser::Ask) -> Result<bool, Error> {
    for (text, _) in ask.readings() {
        match slack.workflow.store().look_up_customer(&text).await? {
            CustomerLookup::One(_) | CustomerLookup::Several(_) => return Ok(true),
            CustomerLookup::Nobody(_) => {}
        }
    }
    Ok(false)
}

/// The longest run of words that names a customer wins; what is left of them belongs to the reason.
async fn find_customer(slack: &Slack, ask: &parser::Ask) -> Result<Found, Error> {
    let readings = ask.readings();
    let mut nobody: Vec<(String, String, Vec<Customer>)> = Vec::new();
    for (text, reason) in readings {
        match slack.workflow.store().look_up_customer(&text).await? {
            CustomerLookup::One(customer) => return Ok(Found::One(customer, reason)),
            CustomerLookup::Several(same) => return Ok(Found::Several { text, reason, same }),
            CustomerLookup::Nobody(like) => nobody.push((text, reason, like)),
        }
    }
    // With look-alikes first; else what stands before a clear keyword is the name, and without one the first word is.
    let best = nobody.iter().position(|(_, _, like)| !like.is_empty()).or_else(|| {
        let whole = ask.length.is_some() || matches!(ask.customer, CustomerWords::Quoted(_));
        if whole { Some(0) } else { nobody.len().checked_sub(1) }
    });
    let (text, reason, like) = match best.and_then(|best| nobody.into_iter().nth(best)) {
        Some(reading) => reading,
        None => (String::new(), ask.reason.clone(), Vec::new()),
    };
    Ok(Found::Nobody { text, reason, like })
}
