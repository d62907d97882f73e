//! `/access who <customer>`: who has access to it now, for those who may decide about it today.

use super::{
    named::{self, Named, name_in},
    word::Word,
};
use crate::{
    domain::{customer::Customer, id::SlackUserId, petition::ClaimKind},
    policy::{self, PetitionFacts, Rule},
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{
            Content, answer,
            word::{self, Usage},
        },
    },
    workflow::{Actor, Error},
};

pub const USAGE: Usage = Usage {
    typed: "/access who <customer>",
    does: "shows who has access to a customer now, until when and by which petition.",
    example: "/access who 123",
    more: "For those who may decide about that customer. An id or a name will do.",
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand, rest: &str) -> Result<Content, Error> {
    let name = name_in(rest);
    if name.is_empty() {
        return Ok(word::incomplete(&USAGE, &[]));
    }
    let customer = match named::find(slack, command, Word::Who, &name, "").await? {
        Named::One(customer) => customer,
        Named::Answer(content) => return Ok(*content),
    };
    let actor = match reviewer(slack, command, &customer, Freshness::AMinuteAgo).await? {
        Reviewer::Yes(_) => None,
        Reviewer::No(_, sentence) | Reviewer::Stranger(sentence) => Some(sentence),
    };
    if let Some(sentence) = actor {
        return Ok(answer::click_refused(&sentence));
    }
    let live = slack.workflow.live_on(&customer.id).await?;
    Ok(word::who(&customer, &live, slack.workflow.now()))
}

/// Whether somebody may decide about a customer today.
pub(super) enum Reviewer {
    Yes(Actor),
    /// The sentence says why not.
    No(Actor, String),
    Stranger(String),
}

/// Who typed a command, and whether today's rule of the customer has them among its reviewers.
pub(super) async fn reviewer(
    slack: &Slack,
    command: &SlashCommand,
    customer: &Customer,
    fresh: Freshness,
) -> Result<Reviewer, Error> {
    let policy = slack.workflow.policy();
    let groups = policy::rule_for(policy, Some(&customer.labels)).map(Rule::slack_groups).unwrap_or_default();
    let user = SlackUserId::new(&command.user_id);
    let actor = match slack.directory.actor(&user, command.team_id.as_deref(), &groups, fresh).await {
        Ok(actor) => actor,
        Err(stranger) => return Ok(Reviewer::Stranger(stranger.to_string())),
    };
    // A revoke does not ask whose petition it is, so anybody's will do.
    let facts = PetitionFacts {
        petitioner: &actor.facts.email,
        petitioner_slack: None,
        filed_by: &actor.facts.email,
        labels: Some(&customer.labels),
        length: policy.access.default_duration,
        escalated: false,
    };
    match policy::may_review(policy, &facts, &actor.facts, ClaimKind::Revoke) {
        Ok(()) => Ok(Reviewer::Yes(actor)),
        Err(why) => Ok(Reviewer::No(actor, why.to_string())),
    }
}
