//! Keeps Home tabs fresh: draws each that is due from the truth and publishes it.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline, deliver::LOOK_AGAIN};
use crate::{
    domain::id,
    slack::{Slack, home},
    store::{Home, Published, StoreError},
};

/// How many are under way at once.
const AT_ONCE: usize = 4;
const LONGEST: std::time::Duration = std::time::Duration::from_secs(10);

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
            match store.claim_homes(now, &attempt, deadline(now, LONGEST), room).await {
                Ok(due) => {
                    for one in due {
                        under_way.spawn(publish(jobs.clone(), slack.clone(), one, attempt.clone()));
                    }
                }
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            Some(Err(panic)) => tracing::error!(%panic, "publishing a Home tab panicked"),
            Some(Ok(Err(error))) => tracing::warn!(%error, "a Home tab could not be recorded and is published again"),
        }
    }
}

async fn publish(jobs: Arc<Jobs>, slack: Arc<Slack>, due: Home, attempt: String) -> Result<(), StoreError> {
    let published = match tokio::time::timeout(LONGEST, home::publish(&slack, &due)).await {
        Ok(published) => published,
        Err(_) => home::try_later(&slack, &due, "no answer in time"),
    };
    let user = due.user_id.0.as_str();
    let word = match &published {
        Published::Shown => "shown",
        Published::Later { error, .. } => {
            tracing::warn!(user, error, "a Home tab waits");
            "later"
        }
        Published::Never { error } => {
            tracing::error!(user, error, "a Home tab cannot be shown");
            "never"
        }
    };
    metrics::counter!("latchkey_slack_homes_total", "result" => word).increment(1);
    jobs.workflow.store().record_home(&due, &attempt, jobs.clock.now(), &published).await
}
