//! Reminds one reviewer: looks at what waits for them now, and posts the message that lists it or brings it up to date.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    Slack,
    client::Advice,
    directory::{Freshness, Stranger},
    lookup::{self, Place},
    outbox::{self, Trouble},
    views::reminder,
};
use crate::{
    domain::{
        backoff,
        id::SlackUserId,
        person::Email,
        reminder::{Waiting, due},
    },
    policy::Rule,
    store::{Dest, Reminded, Reminder, Sent},
    workflow::{self, Story, URGENT_LABEL},
};

/// The longest wait between two attempts.
const CAP: SignedDuration = SignedDuration::from_mins(10);

/// One attempt. Never fails: what came of it is what is recorded.
pub async fn remind(slack: &Slack, reminder: &Reminder) -> Reminded {
    match attempt(slack, reminder).await {
        Ok(reminded) => reminded,
        // A message that is gone, or a person who is: a later card tries again.
        Err(Trouble::Slack(error)) if error.advice() == Advice::Never => {
            tracing::warn!(channel = reminder.channel, %error, "a reminder cannot be shown");
            Reminded::Done { ts: None, reminded: reminder.reminded, next: None }
        }
        Err(trouble) => match outbox::after_trouble(slack, trouble, reminder.attempts, outbox::trace(reminder.tried)) {
            Sent::Later { at, error, .. } => Reminded::Later { at, error },
            Sent::Shown { .. } | Sent::Never { .. } => try_later(slack, reminder, "not shown"),
        },
    }
}

pub fn try_later(slack: &Slack, reminder: &Reminder, why: &str) -> Reminded {
    let at = backoff::next_at(slack.workflow.now(), reminder.attempts, CAP, slack.workflow.entropy.as_ref());
    Reminded::Later { at, error: why.to_owned() }
}

async fn attempt(slack: &Slack, reminder: &Reminder) -> Result<Reminded, Trouble> {
    // The one that follows the last one.
    let stamp = format!("{}/{}", reminder.channel, reminder.reminded.map_or(0, Timestamp::as_microsecond));
    let mut reminder = reminder.clone();
    if let Some(since) = reminder.tried {
        let found = lookup::find(slack, Place::Channel(&reminder.channel), &stamp, since).await?;
        if let Some((_, ts)) = found {
            // Then the one before it is overtaken already.
            (reminder.ts, reminder.reminded) = (Some(ts), Some(since));
        }
    }
    let reminder = &reminder;
    let waiting = waiting(slack, reminder).await?;
    let now = slack.workflow.now();
    let (stories, next) = match &waiting {
        Some((waiting, zone)) => {
            let facts: Vec<Waiting> = waiting.iter().map(|(story, asked)| facts(story, *asked)).collect();
            (waiting.iter().map(|(story, _)| story).collect(), due(&facts, reminder.reminded, zone, now))
        }
        None => (Vec::new(), None),
    };
    if next.is_some_and(|next| next <= now) {
        // What was said before would be said twice.
        if let Some(ts) = &reminder.ts {
            slack.client.update(&reminder.channel, ts, &reminder::overtaken()).await?;
        }
        let said = reminder::waiting(&stories, now);
        let (_, ts) = slack.client.post(&reminder.channel, None, &said, Some(&stamp)).await?;
        let next = waiting.as_ref().and_then(|(waiting, zone)| {
            let facts: Vec<Waiting> = waiting.iter().map(|(story, asked)| facts(story, *asked)).collect();
            due(&facts, Some(now), zone, now)
        });
        return Ok(Reminded::Done { ts: Some(ts), reminded: Some(now), next });
    }
    if let Some(ts) = &reminder.ts {
        slack.client.update(&reminder.channel, ts, &reminder::waiting(&stories, now)).await?;
    }
    let ts = reminder.ts.clone().filter(|_| !stories.is_empty());
    Ok(Reminded::Done { ts, reminded: reminder.reminded, next })
}

type Waits = (Vec<(Story, Timestamp)>, jiff::tz::TimeZone);

/// What waits for the reader of a direct message, with when they were asked, and their clock. `None`: there is nobody
/// who may decide.
async fn waiting(slack: &Slack, reminder: &Reminder) -> Result<Option<Waits>, Trouble> {
    let user = match &reminder.dest {
        Dest::User(id) => Some(SlackUserId::new(id)),
        Dest::Email(email) => match Email::parse(email) {
            Ok(email) => slack.directory.member_by_email(&email).await?,
            Err(_) => None,
        },
        Dest::Channel(_) | Dest::Group(_) => None,
    };
    let Some(user) = user else { return Ok(None) };
    let groups: BTreeSet<String> = slack.workflow.policy().rules.iter().flat_map(Rule::slack_groups).collect();
    let actor = match slack.directory.actor(&user, None, &groups, Freshness::AMinuteAgo).await {
        Ok(actor) => actor,
        Err(away @ Stranger::SlackAway) => return Err(workflow::Error::Unavailable(away.to_string()).into()),
        Err(Stranger::NoEmail { .. } | Stranger::Unknown) => return Ok(None),
    };
    let zone = slack.directory.zone(&user).await?;
    let cards = slack.workflow.store().cards_in(&reminder.channel).await?;
    Ok(Some((slack.workflow.waiting_among(&actor, cards).await?, zone)))
}

fn facts(story: &Story, asked: Timestamp) -> Waiting {
    let petition = &story.petition;
    let urgent = petition.labels.get(URGENT_LABEL).is_some_and(|value| value == "true");
    Waiting { asked, closes: petition.pending_until, urgent }
}
