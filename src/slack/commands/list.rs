//! `/access list`: what somebody has, for how long still and how far each provisioner is, and what they wait for.

use std::collections::BTreeSet;

use crate::{
    domain::id::SlackUserId,
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{
            Content, answer,
            word::{self, ROWS, Usage},
        },
    },
    workflow::Error,
};

pub const USAGE: Usage = Usage {
    typed: "/access list",
    does: "shows what you have, for how long still, and what you wait for.",
    example: "/access list",
    more: "It also says how far each provisioner is.",
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand) -> Result<Content, Error> {
    let user = SlackUserId::new(&command.user_id);
    let actor =
        match slack.directory.actor(&user, command.team_id.as_deref(), &BTreeSet::new(), Freshness::AMinuteAgo).await {
            Ok(actor) => actor,
            Err(stranger) => return Ok(answer::stranger(&stranger.to_string())),
        };
    let live = slack.workflow.live_of(&actor.facts.email, ROWS).await?;
    let waiting = slack.workflow.waiting_of(&actor.facts.email, ROWS).await?;
    Ok(word::list(&live, &waiting, slack.workflow.now()))
}
