//! One at a time, across all processes: a row that must be moved on while the work runs.

use jiff::{SignedDuration, Timestamp};

use super::Workflow;
use crate::store::{Schedule, StoreError};

pub(super) struct Hold {
    schedule: Schedule,
    /// Work that has not moved for this long is dead, and another may begin.
    lasts: SignedDuration,
    until: Timestamp,
}

impl Hold {
    /// `None`: somebody else is at it.
    pub async fn take(
        workflow: &Workflow,
        schedule: Schedule,
        lasts: SignedDuration,
    ) -> Result<Option<Self>, StoreError> {
        let now = workflow.now();
        let won = workflow.store.win_tick(schedule.clone(), now, lasts).await?;
        Ok(won.then(|| Self { schedule, lasts, until: now.saturating_add(lasts).unwrap_or(Timestamp::MAX) }))
    }

    /// `false`: it was given up for dead, and somebody else is at it.
    pub async fn renew(&mut self, workflow: &Workflow) -> Result<bool, StoreError> {
        let next = workflow.now().saturating_add(self.lasts).unwrap_or(Timestamp::MAX);
        if next != self.until && !workflow.store.move_schedule(self.schedule.clone(), self.until, next).await? {
            return Ok(false);
        }
        self.until = next;
        Ok(true)
    }

    pub async fn release(self, workflow: &Workflow) -> Result<(), StoreError> {
        workflow.store.move_schedule(self.schedule, self.until, Timestamp::UNIX_EPOCH).await?;
        Ok(())
    }
}
