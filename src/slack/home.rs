//! Publishes one Home tab: draws it from the truth as it is now, for the person whose it is.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    Slack,
    client::{Advice, SlackError},
    directory::{Freshness, Stranger},
    views::home,
};
use crate::{
    domain::backoff,
    policy::Rule,
    store::{Home, Published},
    workflow::Error,
};

/// The longest wait between two attempts.
const CAP: SignedDuration = SignedDuration::from_mins(2);
/// Somebody has to mend something at Slack.
const MENDING: SignedDuration = SignedDuration::from_mins(5);

/// One attempt. Never fails: what came of it is what is recorded.
pub async fn publish(slack: &Slack, due: &Home) -> Published {
    let later = |wait: SignedDuration, error: String| {
        let at = slack.workflow.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        Published::Later { at, error }
    };
    match attempt(slack, due).await {
        Ok(()) => Published::Shown,
        Err(Trouble::Workflow(error)) => try_later(slack, due, &error.to_string()),
        Err(Trouble::Slack(error)) => match error.advice() {
            Advice::RetryAfter(wait) => later(SignedDuration::try_from(wait).unwrap_or(CAP), error.to_string()),
            Advice::Retry => try_later(slack, due, &error.to_string()),
            Advice::RetrySlowly => later(MENDING, error.to_string()),
            Advice::Never => Published::Never { error: error.to_string() },
        },
    }
}

pub fn try_later(slack: &Slack, due: &Home, why: &str) -> Published {
    let at = backoff::next_at(slack.workflow.now(), due.attempts, CAP, slack.workflow.entropy.as_ref());
    Published::Later { at, error: why.to_owned() }
}

enum Trouble {
    Slack(SlackError),
    Workflow(Error),
}

impl From<SlackError> for Trouble {
    fn from(error: SlackError) -> Self {
        Self::Slack(error)
    }
}
impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Workflow(error.into())
    }
}

async fn attempt(slack: &Slack, due: &Home) -> Result<(), Trouble> {
    let (workflow, user) = (&slack.workflow, &due.user_id.0);
    // Whose petition falls under which rule is not known yet.
    let groups: BTreeSet<String> = workflow.policy().rules.iter().flat_map(Rule::slack_groups).collect();
    let view = match slack.directory.actor(user, None, &groups, Freshness::AMinuteAgo).await {
        Ok(actor) if actor.facts.full_member => {
            workflow.store().home_is_of(user, Some(&actor.facts.email)).await?;
            let facts = workflow.home_of(&actor, home::SHOWN).await?;
            home::home(&facts, &workflow.policy().access, workflow.now())
        }
        Ok(_) => {
            workflow.store().home_is_of(user, None).await?;
            home::guest()
        }
        Err(away @ Stranger::SlackAway) => return Err(Error::Unavailable(away.to_string()).into()),
        Err(stranger @ (Stranger::NoEmail { .. } | Stranger::Unknown)) => {
            workflow.store().home_is_of(user, None).await?;
            home::stranger(&stranger.to_string())
        }
    };
    Ok(slack.client.publish_view(user, &view).await?)
}
