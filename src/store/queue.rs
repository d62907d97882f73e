//! Lanes of work, and the jobs that ask for them.
//!
//! What is owed stands in our own tables. A job is only the alarm clock: it names a lane and what caused it, is pushed
//! in the transaction of its cause, and may run twice, late or never.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use futures_channel::mpsc;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Conn, Db, Sql, Store, StoreError, Tx,
    db::{reading, statements, writing},
};
use crate::domain::id::{DecisionName, ProvisionerName, PullName};

statements! {
    WAITING = Sql::each(
        "SELECT COUNT(*) FROM Jobs WHERE job_type = $1 AND status = 'Pending'",
        "SELECT COUNT(*) FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending'",
    );
    DELETE_DONE = Sql::each(
        "DELETE FROM Jobs WHERE status IN ('Done', 'Killed') AND done_at < $1",
        "DELETE FROM apalis.jobs WHERE status IN ('Done', 'Killed') AND done_at < to_timestamp($1)",
    );
    DELETE_WORKERS = Sql::each(
        "DELETE FROM Workers WHERE last_seen < $1 AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)",
        "DELETE FROM apalis.workers WHERE last_seen < to_timestamp($1)
         AND id NOT IN (SELECT lock_by FROM apalis.jobs WHERE lock_by IS NOT NULL)",
    );
}

/// One queue, one worker. Revokes and grants of each provisioner go apart, so that nothing slow blocks a revoke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Revoke(ProvisionerName),
    Grant(ProvisionerName),
    /// Leases that are over, petitions nobody decided.
    Expire,
    Warn,
    /// Petitions that nobody has decided, for which further people are asked.
    Escalate,
    Notify,
    /// Home tabs that are to be drawn anew.
    Home,
    /// What is to be said in the threads of messages.
    Reply,
    /// Reviewers who are to be reminded.
    Remind,
    /// Bots that are to be asked.
    Decide(DecisionName),
    SyncCustomers,
    Pull(PullName),
    /// What a remote space is owed of petitions, and what there is to learn from it.
    Remote,
    /// Customers that a remote space has not, or not as they are.
    UploadCustomers,
    /// Old rows that nobody needs any more; the chain of the record.
    Tidy,
}

impl fmt::Display for Lane {
    /// The name of the queue. Stable: renaming one would leave its jobs behind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoke(provisioner) => write!(f, "revoke:{provisioner}"),
            Self::Grant(provisioner) => write!(f, "grant:{provisioner}"),
            Self::Expire => f.write_str("expire-leases"),
            Self::Warn => f.write_str("warn-holders"),
            Self::Escalate => f.write_str("escalate-petitions"),
            Self::Notify => f.write_str("notify"),
            Self::Home => f.write_str("publish-homes"),
            Self::Reply => f.write_str("reply"),
            Self::Remind => f.write_str("remind"),
            Self::Decide(decision) => write!(f, "decide:{decision}"),
            Self::SyncCustomers => f.write_str("sync-customers"),
            Self::Pull(pull) => write!(f, "pull:{pull}"),
            Self::Remote => f.write_str("remote"),
            Self::UploadCustomers => f.write_str("upload-customers"),
            Self::Tidy => f.write_str("tidy"),
        }
    }
}

/// What a job carries: the id of what caused it, for the log. The work is what the tables say is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
}

/// Tells the workers of this process that there is something to do, so that they need not wait for their next look.
#[derive(Debug, Default)]
pub struct Nudges {
    lanes: Mutex<HashMap<String, mpsc::Sender<()>>>,
    scan: tokio::sync::Notify,
}

impl Nudges {
    /// The nudges for one lane from now on; an earlier listener of the lane hears nothing more.
    pub fn listen(&self, lane: &Lane) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel(1);
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).insert(lane.to_string(), sender);
        receiver
    }

    pub fn wake(&self, lanes: impl IntoIterator<Item = Lane>) {
        for lane in lanes {
            self.wake_queue(&lane.to_string());
        }
        self.scan.notify_one();
    }

    /// By the queue's name, as a notification of PostgreSQL brings it. Unknown names are somebody else's.
    pub fn wake_queue(&self, queue: &str) {
        if let Some(sender) = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).get_mut(queue) {
            // Full means that a nudge is waiting already, which says the same.
            let _ = sender.try_send(());
        }
    }

    pub fn wake_scan(&self) {
        self.scan.notify_one();
    }

    /// Completes when something was committed that may be due sooner than was planned.
    pub async fn scan_wanted(&self) {
        self.scan.notified().await;
    }
}

fn task(id: &str) -> apalis_core::task::Task<Vec<u8>> {
    let job = serde_json::json!({ "id": id }).to_string();
    apalis_core::task::Task::new(job.into_bytes())
}

fn as_sqlx(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(sqlx::Error::Io(std::io::Error::other(error)))
}

/// Pushes a job in the caller's transaction.
pub(super) async fn push(tx: &mut Tx, lane: &Lane, id: &str) -> Result<(), StoreError> {
    let queue = lane.to_string();
    match &mut tx.conn {
        Conn::Sqlite(tx) => apalis_sqlite::queries::push_tasks(&mut **tx, &queue, &[task(id)]).await.map_err(as_sqlx),
        Conn::Postgres(tx) => {
            apalis_postgres::queries::push_tasks(&mut **tx, &queue, vec![task(id)]).await.map_err(as_sqlx)
        }
    }
}

impl Store {
    /// Pushes a job for work that the tables say is due, unless one is waiting already.
    pub async fn push_if_none_waits(&self, lane: &Lane, id: &str) -> Result<(), StoreError> {
        let queue = lane.to_string();
        let waiting: i64 =
            reading!(self, WAITING, |sql, pool| { sqlx::query_scalar(sql).bind(&queue).fetch_one(pool).await })?;
        if waiting == 0 {
            match &self.db {
                Db::Sqlite { write, .. } => {
                    let mut conn = write.acquire().await?;
                    apalis_sqlite::queries::push_tasks(&mut *conn, &queue, &[task(id)]).await.map_err(as_sqlx)?;
                }
                Db::Postgres(pool) => {
                    let mut conn = pool.acquire().await?;
                    apalis_postgres::queries::push_tasks(&mut *conn, &queue, vec![task(id)]).await.map_err(as_sqlx)?;
                }
            }
        }
        self.nudges.wake_queue(&queue);
        Ok(())
    }

    /// Deletes finished jobs, and workers that were last seen before `before` and hold no job. Whole seconds.
    pub async fn tidy_queue(&self, before: Timestamp) -> Result<(), StoreError> {
        let before = before.as_second();
        for sql in [DELETE_DONE, DELETE_WORKERS] {
            writing!(self, sql, |sql, pool| sqlx::query(sql).bind(before).execute(pool).await.map(|_| ()))?;
        }
        Ok(())
    }
}
