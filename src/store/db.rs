//! One enum over two databases, and the macros that write a query once for both.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::{Lane, Nudges, StoreError, Watchers, audit, homes::Touched, open::TURN, queue, watch};
use crate::{audit::AuditEntry, domain::id::PetitionName};

/// The database behind a [`Store`]. SQLite has one writer connection, which queues fairly, and a few readers.
#[derive(Clone, Debug)]
pub enum Db {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PgPool),
}

/// One statement in the words of each database; most are the same in both.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl Sql {
    pub const fn both(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
    pub const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }
}

/// Names the statements of a table and lists them in `ALL`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: $crate::store::Sql = $sql;)*
        pub(super) const ALL: &[$crate::store::Sql] = &[$($name),*];
    };
}

/// Runs the body with a connection pool to read from: `reading!(store, SQL, |sql, pool| …)`.
macro_rules! reading {
    ($store:expr, $sql:expr, |$text:ident, $pool:ident| $body:expr) => {
        match &$store.db {
            $crate::store::Db::Sqlite { read: $pool, .. } => {
                let $text = $sql.sqlite;
                $body
            }
            $crate::store::Db::Postgres($pool) => {
                let $text = $sql.postgres;
                $body
            }
        }
    };
}

/// The same for bookkeeping writes outside a [`Tx`]: one statement, its own transaction.
macro_rules! writing {
    ($store:expr, $sql:expr, |$text:ident, $pool:ident| $body:expr) => {
        match &$store.db {
            $crate::store::Db::Sqlite { write: $pool, .. } => {
                let $text = $sql.sqlite;
                $body
            }
            $crate::store::Db::Postgres($pool) => {
                let $text = $sql.postgres;
                $body
            }
        }
    };
}

/// Runs the body inside the transaction.
macro_rules! within {
    ($tx:expr, $sql:expr, |$text:ident, $conn:ident| $body:expr) => {
        match &mut $tx.conn {
            $crate::store::Conn::Sqlite(tx) => {
                let ($text, $conn) = ($sql.sqlite, &mut **tx);
                $body
            }
            $crate::store::Conn::Postgres(tx) => {
                let ($text, $conn) = ($sql.postgres, &mut **tx);
                $body
            }
        }
    };
}

pub(super) use {reading, statements, within, writing};

/// Told to other processes with the commit.
const TELL: &str = "SELECT pg_notify($1, $2)";

/// The database, open and migrated.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) db: Db,
    pub(super) nudges: Arc<Nudges>,
    pub(super) watchers: Arc<Watchers>,
}

#[derive(Debug)]
pub enum Conn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A change in the making. Dropped without [`Tx::commit`], nothing of it happened.
#[derive(Debug)]
pub struct Tx {
    pub(super) conn: Conn,
    nudges: Arc<Nudges>,
    watchers: Arc<Watchers>,
    /// Petitions whose state this changes.
    pub(super) changed: BTreeSet<PetitionName>,
    /// One job a lane is enough: it drains what is due. The id says what caused it.
    jobs: BTreeMap<Lane, String>,
    /// Whose Home tabs are to show this.
    pub(super) homes: Touched,
}

impl Store {
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Begins a change. On SQLite it holds the one write lock until it ends: no network call inside.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let begin = async {
            Ok(match &self.db {
                Db::Sqlite { write, .. } => Conn::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
                Db::Postgres(pool) => Conn::Postgres(pool.begin().await?),
            })
        };
        // The wait for our turn and the wait for other processes together, so that people can still be told in time.
        let begun = tokio::time::timeout(TURN, begin).await;
        let conn = begun.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(Tx {
            conn,
            nudges: self.nudges.clone(),
            watchers: self.watchers.clone(),
            changed: BTreeSet::new(),
            jobs: BTreeMap::new(),
            homes: Touched::default(),
        })
    }

    pub fn nudges(&self) -> &Arc<Nudges> {
        &self.nudges
    }

    /// Whether the database answers at all.
    pub async fn ping(&self) -> Result<(), StoreError> {
        const PING: Sql = Sql::both("SELECT 1");
        reading!(self, PING, |sql, pool| sqlx::query(sql).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// Closes every connection, after those in use are given back.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Asks for a job once the change is committed. `id` names what caused it.
    pub fn enqueue(&mut self, lane: Lane, id: impl Into<String>) {
        self.jobs.entry(lane).or_insert_with(|| id.into());
    }

    /// Commits the change together with its audit entries and the jobs it causes; there is no other way to commit.
    pub async fn commit(mut self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        for entry in entries {
            audit::insert(&mut self, entry).await?;
        }
        self.touch_homes().await?;
        let jobs = std::mem::take(&mut self.jobs);
        for (lane, id) in &jobs {
            queue::push(&mut self, lane, id).await?;
        }
        match self.conn {
            Conn::Sqlite(tx) => tx.commit().await?,
            Conn::Postgres(mut tx) => {
                for petition in &self.changed {
                    sqlx::query(TELL).bind(watch::CHANNEL).bind(petition.as_str()).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
        }
        for petition in &self.changed {
            self.watchers.changed(petition);
        }
        self.nudges.wake(jobs.into_keys());
        Ok(())
    }
}
