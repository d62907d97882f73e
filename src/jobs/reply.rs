//! Says what is owed in the threads of messages, in each thread one after the other.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline, deliver::LOOK_AGAIN};
use crate::{
    domain::id,
    slack::{Slack, replies},
    store::{Reply, Sent, StoreError, Trace},
};

/// How many replies are under way at once.
const AT_ONCE: usize = 8;
/// They wait for their channel's turn as well as for Slack's answer.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(20);

pub(super) async fn drain(jobs: &Arc<Jobs>, stop: &CancellationToken) -> Result<(), JobError> {
    let Some(slack) = &jobs.slack else { return Ok(()) };
    let store = jobs.workflow.store();
    // Tasks of their own, as for messages.
    let mut under_way = JoinSet::new();
    let mut result = Ok(());
    loop {
        if !stop.is_cancelled() && result.is_ok() && under_way.len() < AT_ONCE {
            let now = jobs.clock.now();
            let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
            let room = (AT_ONCE - under_way.len()) as i64;
            match store.claim_replies(now, &attempt, deadline(now, LONGEST), room).await {
                Ok(due) => {
                    for reply in due {
                        under_way.spawn(say(jobs.clone(), slack.clone(), reply, attempt.clone()));
                    }
                }
                // What is under way is seen to its end: it may be said already.
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            Some(Err(panic)) => tracing::error!(%panic, "a reply in a thread panicked"),
            Some(Ok(Err(error))) => {
                tracing::warn!(%error, "what came of a reply could not be recorded; it is looked for")
            }
        }
    }
}

async fn say(jobs: Arc<Jobs>, slack: Arc<Slack>, reply: Reply, attempt: String) -> Result<(), StoreError> {
    let sent = match tokio::time::timeout(LONGEST, replies::say(&slack, &reply)).await {
        Ok(sent) => sent,
        Err(_) => replies::try_later(&slack, &reply, "no answer in time", Trace::MayStand),
    };
    let word = match &sent {
        Sent::Shown { .. } => "shown",
        Sent::Later { error, .. } => {
            tracing::warn!(petition = %reply.petition, error, "a reply in a thread waits");
            "later"
        }
        Sent::Never { error } => {
            tracing::error!(petition = %reply.petition, error, "a reply in a thread cannot be said");
            "never"
        }
    };
    metrics::counter!("latchkey_slack_messages_total", "purpose" => "reply", "result" => word).increment(1);
    jobs.workflow.store().record_reply(&reply, &attempt, &sent).await
}
