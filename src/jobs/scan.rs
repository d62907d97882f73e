//! Finds what is due and pushes a job for it: what came due by time, and what the queue lost.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Jobs;
use crate::{
    health::WorkerState,
    store::{Due, Lane, Schedule, Store, StoreError},
};

/// What the scan is called among the workers.
pub(super) const NAME: &str = "scan";

/// The longest between two looks: another process may have committed something that is due sooner than we planned.
const LOOK_EVERY: SignedDuration = SignedDuration::from_millis(500);
/// The shortest: commits come in bursts, and one look finds them all.
const REST: Duration = Duration::from_millis(10);
/// How long something may be due for a provisioner that we do not know before we take it upon us.
const ORPHANED: SignedDuration = SignedDuration::from_mins(1);
/// After a look that failed.
const RECOVER: Duration = Duration::from_secs(1);

/// Runs the scan until `stop`, again after a panic: without it nothing comes due.
pub(super) async fn supervise(jobs: Arc<Jobs>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if tokio::spawn(run(jobs.clone(), stop.clone())).await.is_err() {
            tracing::error!("the scan panicked; starting it again");
            jobs.health.set_worker(NAME, WorkerState::Down("it panicked".to_owned()));
            tokio::time::sleep(RECOVER).await;
        }
    }
}

async fn run(jobs: Arc<Jobs>, stop: CancellationToken) {
    start_schedules(&jobs, &stop).await;
    jobs.health.set_worker(NAME, WorkerState::Running);
    let store = jobs.workflow.store().clone();
    let lanes = jobs.lanes();
    while !stop.is_cancelled() {
        let now = jobs.clock.now();
        let wait = match look(&jobs, &store, &lanes, now, &stop).await {
            Ok(next) => jobs.clock.sleep_until(next),
            Err(error) => {
                tracing::warn!(%error, "cannot see what is due; trying again");
                Box::pin(tokio::time::sleep(RECOVER))
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = wait => {}
            // A clock that is set by hand does not move by itself, and other processes commit meanwhile.
            () = tokio::time::sleep(LOOK_EVERY.unsigned_abs()) => {}
            () = store.nudges().scan_wanted() => {}
        }
        tokio::time::sleep(REST).await;
    }
}

/// Pushes a job for each lane with due work; returns when to look again.
async fn look(
    jobs: &Arc<Jobs>,
    store: &Store,
    lanes: &[Lane],
    now: Timestamp,
    stop: &CancellationToken,
) -> Result<Timestamp, super::JobError> {
    let mut next = now.saturating_add(LOOK_EVERY).unwrap_or(Timestamp::MAX);
    // One lane that cannot be asked keeps none of the others from it.
    let mut pushed: Result<(), StoreError> = Ok(());
    for Due { lane, at } in store.next_due().await? {
        if at > now {
            if lanes.contains(&lane) {
                next = next.min(at);
            }
            continue;
        }
        match &lane {
            known if lanes.contains(known) => pushed = pushed.and(store.push_if_none_waits(&lane, "scan").await),
            // It is not in our file. A newer file elsewhere may have it, so it is left alone for a while; then nobody
            // has it, and somebody must say that a revoke is still owed, or that a bot is not asked any more.
            Lane::Revoke(_) | Lane::Grant(_) | Lane::Decide(_) => {
                if now.duration_since(at) > ORPHANED {
                    jobs.drain(&lane, stop).await?;
                }
            }
            // Slack is off, there is no customers database or remote space, or the pull is not in our file: it waits
            // until they are back.
            Lane::Notify
            | Lane::Home
            | Lane::Reply
            | Lane::Remind
            | Lane::SyncCustomers
            | Lane::Pull(_)
            | Lane::Remote
            | Lane::UploadCustomers
            | Lane::Expire
            | Lane::Warn
            | Lane::Escalate
            | Lane::Tidy => {}
        }
    }
    pushed?;
    Ok(next)
}

/// The first tidying, the first sync and the first pulls are due at the start.
async fn start_schedules(jobs: &Jobs, stop: &CancellationToken) {
    let mut schedules = vec![Schedule::Tidy];
    // Before those that bring customers: they make it due again when there is something to send.
    schedules.extend(jobs.space.is_some().then_some(Schedule::UploadCustomers));
    schedules.extend(jobs.slack.is_some().then_some(Schedule::Remind));
    schedules.extend(jobs.customers.is_some().then_some(Schedule::SyncCustomers));
    schedules.extend(jobs.pulls.all.keys().cloned().map(Schedule::Pull));
    for schedule in schedules {
        while let Err(error) = jobs.workflow.store().make_due(schedule.clone(), jobs.clock.now()).await {
            tracing::warn!(%error, schedule = %schedule.word(), "cannot start a schedule; trying again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RECOVER) => {}
            }
        }
    }
}
