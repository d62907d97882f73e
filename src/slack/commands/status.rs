//! `/access status <petition>`: who asked for what and why, what happened since, where it stands. For those whose
//! petition it is and those who may decide it today; to everybody else there is no such petition.

use super::words::{human, key};
use crate::{
    domain::{
        id::{PetitionName, SlackUserId},
        petition::{ClaimKind, PetitionState},
    },
    policy::{self, Rule},
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{
            Content, answer,
            status::{self, May},
            word::{self, Usage},
        },
    },
    workflow::{Error, petition_facts},
};

pub const USAGE: Usage = Usage {
    typed: "/access status <petition>",
    does: "shows one petition: who asked for what, what happened since, where it stands.",
    example: "/access status 0190a1b2c3d4e5f6",
    more: "You see those that you asked for or filed and those that you may decide. The lists name them.",
};

/// The name in what follows the word; `None` where there is none, or too much.
fn parse(rest: &str) -> Option<PetitionName> {
    let rest = human(rest);
    let mut words = rest.split(' ').map(key).filter(|word| !word.is_empty());
    let first = words.next()?;
    let name = if first == "petition" { words.next()? } else { first };
    words.next().is_none().then(|| PetitionName::new(name.trim_end_matches('.')))
}

pub(super) async fn run(slack: &Slack, command: &SlashCommand, rest: &str) -> Result<Content, Error> {
    let Some(name) = parse(rest) else { return Ok(word::incomplete(&USAGE, &[])) };
    let workflow = &slack.workflow;
    let found = workflow.store().petitions_named(std::slice::from_ref(&name)).await?.pop();
    let labels = found.as_ref().and_then(|found| found.labels.as_ref());
    let rule = found.as_ref().and_then(|_| policy::rule_for(workflow.policy(), labels));
    let groups = rule.map(Rule::slack_groups).unwrap_or_default();
    let user = SlackUserId::new(&command.user_id);
    let actor = match slack.directory.actor(&user, command.team_id.as_deref(), &groups, Freshness::AMinuteAgo).await {
        Ok(actor) => actor,
        Err(stranger) => return Ok(answer::stranger(&stranger.to_string())),
    };
    let Some(found) = &found else { return Ok(status::unseen(name.as_str())) };
    let petition = &found.petition;
    let facts = petition_facts(petition, labels);
    let may = |kind| policy::may_review(workflow.policy(), &facts, &actor.facts, kind).is_ok();
    let (approve, deny) = (may(ClaimKind::Approve), may(ClaimKind::Deny));
    if !petition.is_of(&actor.facts.email) && !deny {
        return Ok(status::unseen(name.as_str()));
    }
    let mut story = workflow.story(&name).await?;
    let now = workflow.now();
    story.petition = story.petition.at(now);
    let said = story.claims.iter().any(|claim| claim.maker.email == actor.facts.email);
    let open = story.petition.state == PetitionState::Open;
    let may = May {
        own: petition.petitioner.email == actor.facts.email,
        approve: approve && open && !said,
        deny,
        revoke: may(ClaimKind::Revoke),
    };
    Ok(status::status(&story, may, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_was_copied() {
        for text in ["0190a1b2c3d4e5f6", "`0190A1B2C3D4E5F6`", "petition 0190a1b2c3d4e5f6.", "*0190a1b2c3d4e5f6*"] {
            assert_eq!(parse(text), Some(PetitionName::new("0190a1b2c3d4e5f6")), "{text}");
        }
        for text in ["", "  ", "petition", "one two"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
