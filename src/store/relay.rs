//! On PostgreSQL, passes on what other processes announce: jobs that were pushed, petitions that changed.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;

use super::{Db, Store, watch};
use crate::domain::id::PetitionName;

/// The channel on which apalis' trigger announces each new job.
const JOBS: &str = "apalis::job::insert";
/// After a lost connection.
const RECOVER: Duration = Duration::from_secs(1);

impl Store {
    /// The same on SQLite, for a process whose work another one does on the same file: once a second, while anybody waits,
    /// it asks whether the file has changed.
    pub async fn follow_file(&self, stop: &CancellationToken) {
        let Db::Sqlite { read, .. } = &self.db else { return };
        let mut known = None;
        let Ok(mut connection) = read.acquire().await else { return };
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RECOVER) => {}
            }
            if self.waiting() == 0 {
                continue;
            }
            // It counts the changes that other connections made, as this one sees them.
            let version: Result<i64, sqlx::Error> =
                sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await;
            match version {
                Ok(version) if known == Some(version) => {}
                Ok(version) => {
                    known = Some(version);
                    self.watchers.anything_changed();
                }
                Err(error) => tracing::debug!(%error, "cannot see whether the database has changed; trying again"),
            }
        }
    }

    /// Listens until `stop`, over one connection. A lost one is opened again; what was announced meanwhile is found by
    /// the scan, and those who wait for petitions look again.
    pub async fn relay(&self, stop: &CancellationToken) {
        let Db::Postgres(pool) = &self.db else { return };
        loop {
            let listen = async {
                let mut listener = PgListener::connect_with(pool).await?;
                listener.listen_all([JOBS, watch::CHANNEL]).await?;
                self.watchers.anything_changed();
                loop {
                    // `None`: the connection was lost and is there again.
                    match listener.try_recv().await? {
                        Some(notice) if notice.channel() == JOBS => self.job_announced(notice.payload()),
                        Some(notice) => self.watchers.changed(&PetitionName::new(notice.payload())),
                        None => self.watchers.anything_changed(),
                    }
                }
            };
            let failed: Result<(), sqlx::Error> = tokio::select! {
                () = stop.cancelled() => return,
                result = listen => result,
            };
            if let Err(error) = failed {
                tracing::debug!(%error, "not listening for news of other processes; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RECOVER) => {}
            }
        }
    }

    fn job_announced(&self, payload: &str) {
        let job: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        if let Some(queue) = job["job_type"].as_str() {
            self.nudges.wake_queue(queue);
            self.nudges.wake_scan();
        }
    }
}
