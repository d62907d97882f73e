//! `/access pending`: what waits for this reviewer under today's rules, with the buttons of the card.

use std::collections::BTreeSet;

use crate::{
    domain::id::SlackUserId,
    policy::Rule,
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{
            Content, answer,
            status::{self, WAITING},
            word::Usage,
        },
    },
    workflow::Error,
};

pub const USAGE: Usage = Usage {
    typed: "/access pending",
    does: "shows what waits for your approval.",
    example: "/access pending",
    more: "You can approve and deny right there.",
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand) -> Result<Content, Error> {
    let user = SlackUserId::new(&command.user_id);
    // Whose petition falls under which rule is not known yet.
    let groups: BTreeSet<String> = slack.workflow.policy().rules.iter().flat_map(Rule::slack_groups).collect();
    let actor = match slack.directory.actor(&user, command.team_id.as_deref(), &groups, Freshness::AMinuteAgo).await {
        Ok(actor) => actor,
        Err(stranger) => return Ok(answer::stranger(&stranger.to_string())),
    };
    Ok(status::pending(&slack.workflow.waiting_for(&actor, WAITING).await?, slack.workflow.now()))
}
