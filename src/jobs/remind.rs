//! Reminds reviewers of what waits for them: one message for each, which changes with what it lists.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline};
use crate::{
    domain::{id, reminder},
    slack::reminders,
    store::{Reminded, Schedule},
};

/// How often it is looked who has waited for long; to the minute is good enough.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// A reminder asks Slack who its reader is, and posts.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);

pub(super) async fn drain(jobs: &Arc<Jobs>, stop: &CancellationToken) -> Result<(), JobError> {
    let Some(slack) = &jobs.slack else { return Ok(()) };
    let store = jobs.workflow.store();
    let now = jobs.clock.now();
    if store.schedule_due(Schedule::Remind).await?.is_none_or(|due| due <= now) {
        // Before the schedule moves on, as it may be done twice but not forgotten.
        store.raise_reminders(now, reminder::AFTER).await?;
        store.win_tick(Schedule::Remind, now, LOOK_EVERY).await?;
    }
    while !stop.is_cancelled() {
        let now = jobs.clock.now();
        let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
        // One by one: nobody waits for a reminder.
        let Some(due) = store.claim_reminders(now, &attempt, deadline(now, LONGEST), 1).await?.pop() else { break };
        let reminded = match tokio::time::timeout(LONGEST, reminders::remind(slack, &due)).await {
            Ok(reminded) => reminded,
            Err(_) => reminders::try_later(slack, &due, "no answer in time"),
        };
        if let Reminded::Later { error, .. } = &reminded {
            tracing::warn!(channel = due.channel, error, "a reminder waits");
        }
        store.record_reminder(&due, &attempt, jobs.clock.now(), &reminded).await?;
    }
    Ok(())
}
