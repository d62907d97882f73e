//! A pull as a job: when its schedule is due, by whoever wins the tick.

use jiff::Timestamp;

use super::{JobError, Jobs};
use crate::{domain::id::PullName, store::Schedule, workflow::PullError};

pub(super) async fn run(jobs: &Jobs, name: &PullName) -> Result<(), JobError> {
    let Some(pull) = jobs.pulls.all.get(name) else { return Ok(()) };
    let (store, now) = (jobs.workflow.store(), jobs.clock.now());
    let schedule = Schedule::Pull(name.clone());
    if !store.win_tick(schedule.clone(), now, pull.every).await? {
        return Ok(());
    }
    match jobs.pulls.on_schedule(&jobs.workflow, name).await {
        Ok(pulled) => {
            tracing::info!(pull = %name, written = pulled.written, removed = pulled.removed, "resources pulled");
            Ok(())
        }
        Err(PullError::Busy) => {
            // Somebody else is at it; or died over it, and then it is ours to do as soon as that is certain.
            let next = now.saturating_add(pull.every).unwrap_or(Timestamp::MAX);
            if let Some(free) = store.schedule_due(Schedule::PullRunning(name.clone())).await? {
                store.move_schedule(schedule, next, free.clamp(now, next)).await?;
            }
            Ok(())
        }
        Err(error) => Err(JobError::Pull(name.clone(), error)),
    }
}
