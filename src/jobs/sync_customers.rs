//! The customer sync as a job: when its schedule is due, by whoever wins the tick.

use jiff::{SignedDuration, Timestamp};

use super::{JobError, Jobs};
use crate::{
    customers,
    store::{FIRST_SYNC, Schedule},
    workflow::{SyncError, Synced, Workflow},
};

/// Where customers come from, and how often.
#[derive(Clone)]
pub struct CustomersSource {
    /// May hold a password, so this has no `Debug`.
    pub url: String,
    pub query: String,
    pub every: SignedDuration,
    pub max_removals_percent: f64,
}

impl CustomersSource {
    /// One sync, now.
    pub async fn sync(&self, workflow: &Workflow, progress: impl Fn(u64)) -> Result<Synced, SyncError> {
        let source = customers::open(&self.url, &self.query).await?;
        workflow.sync_customers(source.rows(), self.max_removals_percent, progress).await
    }
}

pub(super) async fn run(jobs: &Jobs) -> Result<(), JobError> {
    let Some(source) = &jobs.customers else { return Ok(()) };
    let (store, now) = (jobs.workflow.store(), jobs.clock.now());
    if !store.win_tick(Schedule::SyncCustomers, now, source.every).await? {
        return Ok(());
    }
    let result = source.sync(&jobs.workflow, |_| {}).await;
    if matches!(result, Err(SyncError::Busy)) {
        // Somebody else reads them; or died over it, and then it is ours to do as soon as that is certain.
        let next = now.saturating_add(source.every).unwrap_or(Timestamp::MAX);
        if let Some(free) = store.schedule_due(Schedule::SyncRunning).await? {
            store.move_schedule(Schedule::SyncCustomers, next, free.clamp(now, next)).await?;
        }
        return Ok(());
    }
    // A source that is away must not keep servers from becoming ready: there is nothing more to wait for.
    if jobs.health.first_sync_pending() {
        store.setting_or_keep(FIRST_SYNC, "tried").await?;
    }
    jobs.health.set_first_sync_pending(false);
    let synced = result?;
    if jobs.space.is_some() && synced.changed + synced.vanished > 0 {
        store.make_due(Schedule::UploadCustomers, jobs.clock.now()).await?;
    }
    tracing::info!(read = synced.read, changed = synced.changed, vanished = synced.vanished, "customers synced");
    Ok(())
}
