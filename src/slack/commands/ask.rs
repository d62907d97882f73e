//! `/access customer 123 for 4h to debug BUG-482`: finds the customer, looks up who asks, opens the petition.

use std::collections::BTreeSet;

use super::parser::{self, CustomerWords};
use crate::{
    audit::Via,
    domain::{
        customer::Customer,
        id::{Role, SlackUserId},
        length,
        petition::{CloseReason, Petition, PetitionState},
    },
    policy,
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{Content, answer},
    },
    store::{CustomerLookup, StoreError},
    workflow::{Ask, Error, Opened, petition_facts},
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand, ask: &parser::Ask, signature: &str) -> Content {
    let answer = match attempt(slack, command, ask, signature).await {
        // The same request came twice at once, and the other was first: now there is an answer to repeat.
        Err(Error::Replayed) => attempt(slack, command, ask, signature).await,
        answer => answer,
    };
    answer.unwrap_or_else(|error| explain(&error))
}

/// A sentence for every way in which asking can end without a petition.
fn explain(error: &Error) -> Content {
    match error {
        Error::Invalid(sentence) | Error::Forbidden(sentence) => answer::click_refused(sentence),
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

async fn attempt(slack: &Slack, command: &SlashCommand, ask: &parser::Ask, signature: &str) -> Result<Content, Error> {
    let workflow = &slack.workflow;
    // Slack, or somebody with a copy, sends the very same request again: it answers like the first.
    if let Some(answered) = workflow.store().answered(signature).await?
        && let Some(name) = answered.petition
        && let Some(petition) = workflow.store().petition(&name).await?
    {
        return opened_before(slack, &petition).await;
    }
    let access = &workflow.policy().access;
    let length = ask.length.unwrap_or(access.default_duration);
    let found = find_customer(slack, ask).await?;
    let (customer, reason) = match found {
        Found::One(customer, reason) => (customer, reason),
        Found::Answer(content) => return Ok(*content),
    };
    let role = ask.role.as_deref();
    if reason.trim().chars().count() < access.min_reason {
        let length = length::show(length);
        let name = format!("{} ({})", customer.name, customer.id);
        let understood = answer::Understood {
            customer: Some(&name),
            role,
            length: ask.length.is_some().then_some(length.as_str()),
            reason: &reason,
        };
        let corrected = parser::corrected(customer.id.as_str(), role, &length, super::EXAMPLE_REASON);
        return Ok(answer::missing_reason(&understood, &corrected, access.min_reason));
    }
    if reason.chars().count() > LONGEST_REASON {
        let sentence = format!("The reason is longer than {LONGEST_REASON} characters. Shorten it and ask again.");
        return Ok(answer::click_refused(&sentence));
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
        Err(stranger) => return Ok(answer::stranger(&stranger.to_string())),
    };
    let opened = workflow
        .open_petition(&Ask {
            petitioner,
            customer,
            role: ask.role.clone().map(Role::new),
            length: ask.length,
            reason,
            slack_groups,
            signature: Some(signature.to_owned()),
            via: Via::Slack,
        })
        .await;
    match opened {
        Ok(Opened::Open(petition)) => opened_before(slack, &petition).await,
        Ok(Opened::Same(petition)) => Ok(answer::same(&petition)),
        Ok(Opened::Refused(petition, because)) => refused(slack, &petition, &because).await,
        Err(error) => Err(error),
    }
}

/// The answer to a petition that was opened, now or by the request that this one repeats.
async fn opened_before(slack: &Slack, petition: &Petition) -> Result<Content, Error> {
    if let PetitionState::Closed { why: CloseReason::Refused { because }, .. } = &petition.state {
        return refused(slack, petition, because).await;
    }
    let Some(rule) = slack.workflow.rule_of(petition).await? else {
        return Ok(answer::opened(petition, Vec::new(), 0));
    };
    let facts = petition_facts(petition, None);
    let reviewers = policy::reviewers_of(slack.workflow.policy(), rule, &facts);
    let people = reviewers.emails.iter().map(ToString::to_string);
    let groups = reviewers.slack_groups.iter().map(|_| "a Slack group of reviewers".to_owned());
    Ok(answer::opened(petition, people.chain(groups).collect(), rule.notify.len()))
}

/// What the policy said, and where a shorter length would do, the command that asks for it.
async fn refused(slack: &Slack, petition: &Petition, because: &str) -> Result<Content, Error> {
    let policy = slack.workflow.policy();
    let longest = slack.workflow.rule_of(petition).await?.map(|rule| policy.max_duration(rule));
    let corrected = longest.filter(|longest| petition.length > *longest).map(|longest| {
        let role = petition.role.as_ref().map(Role::as_str);
        parser::corrected(petition.customer.as_str(), role, &length::show(longest), &petition.reason)
    });
    Ok(answer::refused(petition, because, corrected.as_deref()))
}

/// What fits a card and the record; nobody reads more.
const LONGEST_REASON: usize = 10_000;

enum Found {
    One(Customer, String),
    /// Nobody, or several: what to say.
    Answer(Box<Content>),
}

/// The longest run of words that names a customer wins; what is left of them belongs to the reason.
async fn find_customer(slack: &Slack, ask: &parser::Ask) -> Result<Found, Error> {
    let access = &slack.workflow.policy().access;
    let length = length::show(ask.length.unwrap_or(access.default_duration));
    let role = ask.role.as_deref();
    let corrected = |customer: &Customer, reason: &str| parser::corrected(customer.id.as_str(), role, &length, reason);
    let readings = ask.readings();
    let mut nobody: Vec<(String, String, Vec<Customer>)> = Vec::new();
    for (text, reason) in readings {
        match slack.workflow.store().look_up_customer(&text).await? {
            CustomerLookup::One(customer) => return Ok(Found::One(customer, reason)),
            CustomerLookup::Several(same) => {
                let commands = same.iter().map(|customer| corrected(customer, &reason)).collect();
                return Ok(Found::Answer(Box::new(answer::ambiguous_customer(&text, &same, commands))));
            }
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
    let commands = like.iter().map(|customer| corrected(customer, &reason)).collect();
    Ok(Found::Answer(Box::new(answer::unknown_customer(&text, &like, commands))))
}
