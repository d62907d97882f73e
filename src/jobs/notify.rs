//! Shows people what is so: draws each due message from the truth and posts or updates it.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline, deliver::LOOK_AGAIN};
use crate::{
    domain::id,
    slack::{Slack, outbox},
    store::{Message, Sent, StoreError},
};

/// How many messages are under way at once; Slack's limits are per channel and method.
const AT_ONCE: usize = 16;
/// Messages wait for their channel's turn as well as for Slack's answer.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(20);

pub(super) async fn drain(jobs: &Arc<Jobs>, stop: &CancellationToken) -> Result<(), JobError> {
    let Some(slack) = &jobs.slack else { return Ok(()) };
    let store = jobs.workflow.store();
    // Tasks of their own, as for deliveries.
    let mut under_way = JoinSet::new();
    let mut result = Ok(());
    loop {
        if !stop.is_cancelled() && result.is_ok() && under_way.len() < AT_ONCE {
            let now = jobs.clock.now();
            let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
            let room = (AT_ONCE - under_way.len()) as i64;
            match store.claim_messages(now, &attempt, deadline(now, LONGEST), room).await {
                Ok(due) => {
                    for message in due {
                        under_way.spawn(show(jobs.clone(), slack.clone(), message, attempt.clone()));
                    }
                }
                // What is under way is seen to its end: it may be posted already.
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            Some(Err(panic)) => tracing::error!(%panic, "showing a message panicked"),
            Some(Ok(Err(error))) => tracing::warn!(%error, "a message could not be recorded and may be shown twice"),
        }
    }
}

async fn show(jobs: Arc<Jobs>, slack: Arc<Slack>, message: Message, attempt: String) -> Result<(), StoreError> {
    let sent = match tokio::time::timeout(LONGEST, outbox::show(&slack, &message)).await {
        Ok(sent) => sent,
        Err(_) => outbox::try_later(&slack, &message, "no answer in time"),
    };
    let word = match &sent {
        Sent::Shown { .. } => "shown",
        Sent::Later { error, .. } => {
            tracing::warn!(petition = %message.petition, purpose = message.purpose.word(), error, "a message waits");
            "later"
        }
        Sent::Never { error } => {
            tracing::error!(
                petition = %message.petition, purpose = message.purpose.word(), dest = %message.dest, error,
                "a message cannot be shown"
            );
            "never"
        }
    };
    metrics::counter!("latchkey_slack_messages_total", "purpose" => message.purpose.word(), "result" => word)
        .increment(1);
    jobs.workflow.store().record_sent(&message, &attempt, jobs.clock.now(), &sent).await
}
