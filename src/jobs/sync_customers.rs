//! The customer sync as a job: when its schedule is due, by whoever wins the tick.

use jiff::SignedDuration;

use super::{JobError, Jobs};
use crate::{
    customers,
    store::Schedule,
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
    if !jobs.workflow.store().win_tick(Schedule::SyncCustomers, jobs.clock.now(), source.every).await? {
        return Ok(());
    }
    let result = source.sync(&jobs.workflow, |_| {}).await;
    // A source that is away must not keep a server from becoming ready: there is nothing more to wait for.
    jobs.health.set_first_sync_pending(false);
    let synced = result?;
    tracing::info!(read = synced.read, changed = synced.changed, vanished = synced.vanished, "customers synced");
    Ok(())
}
