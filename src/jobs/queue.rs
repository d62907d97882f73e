//! The only file that knows how apalis runs workers. Its traps and what we do about each:
//!
//! - workers end on any database error: each is started again, and shows as down until it runs;
//! - a worker's name must be new for every start, or the jobs of a killed process never come back;
//! - without a strategy the queue is looked at every 30 s: nudges first, and an interval beside them;
//! - a panic would leave its job running for ever: it is caught here;
//! - its own back-off is not stored: a drain never fails, our tables say when to try again.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use apalis::prelude::*;
use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::Jobs;
use crate::{
    health::WorkerState,
    store::{Db, Job, Lane},
};

/// How often a queue is looked at without a nudge.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A worker that missed three beats is dead, and its jobs go to others.
const HEARTBEAT: Duration = Duration::from_secs(10);
const MISSED_BEATS: usize = 3;
/// Between the death of a worker and its next start.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// A job that ended its process this often is not tried again; the work itself stays due.
const TOO_OFTEN: usize = 10;

#[derive(Clone)]
struct Context {
    jobs: Arc<Jobs>,
    lane: Lane,
    stop: CancellationToken,
}

/// Never fails: what could not be done is still due in our tables, and the scan asks for it again.
async fn handle(job: Job, attempt: Attempt, context: Data<Context>) -> Result<(), BoxDynError> {
    let Context { jobs, lane, stop } = &*context;
    let queue = lane.to_string();
    if attempt.current() > TOO_OFTEN {
        tracing::error!(queue, id = job.id, "a job was started too often and is dropped");
        return Ok(());
    }
    let result = AssertUnwindSafe(jobs.drain(lane, stop)).catch_unwind().await;
    let word = match result {
        Ok(Ok(())) => "done",
        Ok(Err(error)) => {
            tracing::warn!(queue, id = job.id, %error, "a job failed; what it should do is still due");
            "failed"
        }
        Err(_) => {
            tracing::error!(queue, id = job.id, "a job panicked; what it should do is still due");
            "panicked"
        }
    };
    metrics::counter!("latchkey_jobs_total", "queue" => queue, "result" => word).increment(1);
    Ok(())
}

/// The types of the two backends differ, the words do not.
macro_rules! run_on {
    ($backend:expr, $config:expr, $name:expr, $nudges:expr, $context:expr, $stop:expr) => {{
        let strategy = Strategy::new().stream($nudges).interval(LOOK_EVERY);
        let config =
            $config.batch_size(1).heartbeat_interval(HEARTBEAT).missed_heartbeats(MISSED_BEATS).lock_tasks(false);
        WorkerBuilder::new($name)
            .backend($backend.with_config(config).poll_with_strategy(strategy))
            .data($context)
            .concurrency(1)
            .build(handle)
            .run_until($stop)
            .await
            .map_err(|error| error.to_string())
    }};
}

/// Runs the worker of one lane, again and again until `stop`.
pub(super) async fn run_worker(jobs: Arc<Jobs>, lane: Lane, stop: CancellationToken) {
    let queue = lane.to_string();
    let store = jobs.workflow.store().clone();
    while !stop.is_cancelled() {
        let name =
            format!("{queue}-{}", crate::domain::id::attempt_id(jobs.clock.now(), jobs.workflow.entropy.as_ref()));
        let nudges = store.nudges().listen(&lane);
        let context = Context { jobs: jobs.clone(), lane: lane.clone(), stop: stop.clone() };
        let stopped = stop.clone();
        let until = async move {
            stopped.cancelled().await;
            Ok::<(), WorkerError>(())
        };
        jobs.health.set_worker(&queue, WorkerState::Running);
        let ended = match store.db() {
            Db::Sqlite { write, .. } => {
                run_on!(
                    SqliteStorage::<Job>::new(write),
                    apalis_sqlite::Config::default().queue(&queue),
                    name,
                    nudges,
                    context,
                    until
                )
            }
            Db::Postgres(pool) => {
                run_on!(
                    PostgresStorage::<Job>::new(pool),
                    apalis_postgres::Config::default().queue(&queue),
                    name,
                    nudges,
                    context,
                    until
                )
            }
        };
        if stop.is_cancelled() {
            return;
        }
        let why = ended.err().unwrap_or_else(|| "it ended by itself".to_owned());
        tracing::warn!(queue, why, "a worker died; starting it again");
        jobs.health.set_worker(&queue, WorkerState::Down("it lost its database".to_owned()));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RESTART_AFTER) => {}
        }
    }
}
