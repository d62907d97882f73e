//! The worker: what is due is done.
//!
//! Every lane is drained by one apalis worker. A job says that its lane has something to do; what that is, the tables
//! say. [`scan`] pushes a job for everything that has come due by time, or that a crash left behind. All work may be
//! done twice, late, or by another process.
//!
//! May import: `workflow`, `store`, `webhooks`, `provisioners`, `slack`, `indent`, `customers`, `pulls`, `domain`,
//! `health`. To add a job: one file
//! with its `drain`, a variant of [`Lane`], its arm in [`Jobs::drain`].

mod decide;
mod deliver;
mod notify;
mod publish_homes;
mod pull;
mod queue;
mod remind;
mod reply;
mod scan;
mod sync_customers;
mod tell_remote;
mod upload_customers;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicI64},
};

use jiff::SignedDuration;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::sync_customers::CustomersSource;
use crate::{
    domain::{
        clock::{Clock, Timestamp},
        event::Wanted,
        id::{DecisionName, ProvisionerName, PullName},
    },
    health::{Health, WorkerState},
    indent::Space,
    provisioners::Provisioner,
    pulls::Pulls,
    slack::Slack,
    store::{Lane, Schedule},
    webhooks::DecisionHook,
    workflow::{self, Workflow},
};

/// Why a drain stopped before the lane was empty. The scan tries again; what was claimed comes due again by itself.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Workflow(#[from] workflow::Error),
    #[error("pull `{0}` failed and changed nothing: {1}")]
    Pull(PullName, workflow::PullError),
    #[error("the sync failed: {0}")]
    Sync(#[from] workflow::SyncError),
}

impl From<crate::store::StoreError> for JobError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Workflow(error.into())
    }
}

/// What the jobs need.
pub struct Jobs {
    pub workflow: Workflow,
    pub clock: Arc<dyn Clock>,
    pub provisioners: BTreeMap<ProvisionerName, Provisioner>,
    pub decisions: BTreeMap<DecisionName, DecisionHook>,
    /// `None` while Slack is off: its messages wait.
    pub slack: Option<Arc<Slack>>,
    pub customers: Option<CustomersSource>,
    pub pulls: Arc<Pulls>,
    /// `None`: no other space decides our petitions, and none of their calls are due.
    pub space: Option<Arc<Space>>,
    /// Uploads that failed one after the other.
    pub failed_uploads: AtomicI64,
    pub health: Arc<Health>,
}

/// How often finished jobs and stale notes are cleared away, and the record is chained at the latest.
const TIDY_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl Jobs {
    /// Runs all workers and the scan until `stop`, then lets what runs finish. Returns when everything has.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        // All of them before any runs, so that nobody finds only those that were quick and takes them for all.
        let lanes = self.lanes();
        self.health.set_worker(scan::NAME, WorkerState::Starting);
        for lane in &lanes {
            self.health.set_worker(&lane.to_string(), WorkerState::Starting);
        }
        for lane in lanes {
            tracker.spawn(queue::run_worker(self.clone(), lane, stop.clone()));
        }
        tracker.spawn(scan::supervise(self.clone(), stop.clone()));
        tracker.close();
        tracker.wait().await;
    }

    /// The lanes this process has workers for.
    fn lanes(&self) -> Vec<Lane> {
        let mut lanes = vec![Lane::Expire, Lane::Warn, Lane::Escalate, Lane::Tidy];
        if self.slack.is_some() {
            lanes.extend([Lane::Notify, Lane::Reply, Lane::Remind, Lane::Home]);
        }
        lanes.extend(self.customers.is_some().then_some(Lane::SyncCustomers));
        if self.space.is_some() {
            lanes.extend([Lane::Remote, Lane::UploadCustomers]);
        }
        for name in self.provisioners.keys() {
            lanes.push(Lane::Revoke(name.clone()));
            lanes.push(Lane::Grant(name.clone()));
        }
        lanes.extend(self.decisions.keys().cloned().map(Lane::Decide));
        lanes.extend(self.pulls.all.keys().cloned().map(Lane::Pull));
        lanes
    }

    /// Does what is due in a lane until nothing is, or until `stop`.
    async fn drain(self: &Arc<Self>, lane: &Lane, stop: &CancellationToken) -> Result<(), JobError> {
        match lane {
            Lane::Revoke(name) => deliver::drain(self, name, Wanted::Revoke, stop).await,
            Lane::Grant(name) => deliver::drain(self, name, Wanted::Grant, stop).await,
            Lane::Expire => {
                // Both, whatever becomes of the other.
                let (leases, petitions) = (self.workflow.expire_leases().await, self.workflow.close_undecided().await);
                Ok(leases.and(petitions)?)
            }
            Lane::Warn => {
                while !stop.is_cancelled() && self.workflow.warn_holders().await? {}
                Ok(())
            }
            Lane::Escalate => Ok(self.workflow.escalate_petitions().await?),
            Lane::Notify => notify::drain(self, stop).await,
            Lane::Home => publish_homes::drain(self, stop).await,
            Lane::Reply => reply::drain(self, stop).await,
            Lane::Remind => remind::drain(self, stop).await,
            Lane::Decide(name) => decide::drain(self, name, stop).await,
            Lane::SyncCustomers => sync_customers::run(self).await,
            Lane::Pull(name) => pull::run(self, name).await,
            Lane::Remote => tell_remote::drain(self, stop).await,
            Lane::UploadCustomers => upload_customers::run(self).await,
            Lane::Tidy => self.tidy().await,
        }
    }

    async fn tidy(&self) -> Result<(), JobError> {
        let store = self.workflow.store();
        if store.win_tick(Schedule::Tidy, self.clock.now(), TIDY_EVERY).await? {
            // apalis stamps its rows with the real time, whatever clock the rest of us lives by.
            self.workflow.tidy(crate::clock::SystemClock.now()).await?;
        }
        Ok(())
    }
}

/// When an attempt that began now is given up for dead, if nobody records what came of it.
fn deadline(now: Timestamp, longest: std::time::Duration) -> Timestamp {
    let longest = SignedDuration::try_from(longest).unwrap_or(SignedDuration::from_mins(1));
    now.saturating_add(longest + SignedDuration::from_secs(2)).unwrap_or(Timestamp::MAX)
}
