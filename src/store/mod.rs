//! The one place that knows SQL: tables in, domain values out, on SQLite and on PostgreSQL with the same text.
//!
//! [`Store`] reads and does bookkeeping; [`Tx`] changes what people may see, and commits that change together with its
//! audit entries and the jobs it causes. Every statement stands in a table's file below and is listed in
//! [`statements`], so that a test can prepare each one on both databases.
//!
//! May import: `domain`, `audit`. To add a table: two migrations, one file here, its line in `statements`.

#![allow(unused_braces, reason = "the query macros take closures, whose braces rustfmt puts there")]

mod accesses;
mod answered;
mod audit;
mod backlog;
mod comments;
mod customers;
mod db;
mod decisions;
mod homes;
mod leases;
mod messages;
mod open;
mod petition_pages;
mod petitions;
mod provisionings;
mod queue;
mod reach;
mod relay;
mod reminders;
mod remote;
mod replies;
mod resources;
mod settings;
mod standings;
mod tokens;
mod typeahead;
mod uploads;
mod watch;

use jiff::Timestamp;

pub use self::{
    answered::Answered,
    audit::ChainFault,
    backlog::{Backlog, Due},
    comments::Comment,
    customers::{CustomerHash, CustomerLookup, RemovedCustomers, StagedCustomer},
    db::{Conn, Db, Sql, Store, Tx},
    decisions::PendingDecision,
    homes::{Home, Published},
    leases::{Held, Origin},
    messages::{Dest, Message, MessageFault, NewMessage, Purpose, Sent, Trace},
    open::{OpenError, migrations_missing},
    petition_pages::Listed,
    provisionings::{Outcome, Provisioning, Receipt},
    queue::{Job, Lane, Nudges},
    reminders::{Reminded, Reminder},
    remote::{Call, NewCall, RemoteCall, RemoteStream, RemoteTruth, StreamOutcome},
    replies::{Above, Placed, Reply, Threads, Told},
    resources::StoredResource,
    settings::{FIRST_SYNC, Schedule},
    tokens::Token,
    uploads::SentCustomer,
    watch::{Seen, Watch, Watchers},
};

/// What can go wrong in the store. Nothing of it is shown to a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, busy, or gave up on us; the same call may work in a moment.
    #[error("the database did not answer: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Somebody else changed the same thing at the same time; load it again and decide again.
    #[error("the row was changed by another transaction")]
    Conflict,
    /// A row holds what the code never writes.
    #[error("inconsistent row in {table}: {key}")]
    Inconsistent { table: &'static str, key: String },
    #[error("database error: {0}")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::PoolTimedOut | E::PoolClosed | E::Io(_) | E::WorkerCrashed | E::Tls(_) => Self::Unavailable(error),
            E::Database(db) => match db.code().as_deref() {
                // Deadlock, serialization failure and unique violation on PostgreSQL; constraint on SQLite.
                Some("40P01" | "40001" | "23505" | "1555" | "2067") => Self::Conflict,
                Some(code) if is_away(code) => Self::Unavailable(error),
                _ => Self::Other(error),
            },
            _ => Self::Other(error),
        }
    }
}

/// Whether the code of a database says that it is away, busy, or a copy that takes no writes: the same may work later.
fn is_away(code: &str) -> bool {
    match code.parse::<i32>() {
        // SQLite: busy, locked, read-only or full disk, input/output error; the upper bits say more precisely what.
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6 | 8 | 10 | 13 | 14),
        // PostgreSQL has five characters: connection lost, out of resources; read-only, as a standby is; not accepting
        // connections; cancelled or cut off by a guard of ours; shutting down, starting up, dropped.
        Ok(_) | Err(_) => {
            ["08", "53"].iter().any(|class| code.starts_with(class))
                || matches!(code, "25006" | "25P03" | "55000" | "55P03" | "57014")
                || code.starts_with("57P0")
        }
    }
}

/// Every statement of the store, for the test that prepares each on both databases.
pub fn statements() -> Vec<(&'static str, &'static [Sql])> {
    vec![
        ("accesses", accesses::ALL),
        ("answered", answered::ALL),
        ("audit", audit::ALL),
        ("backlog", backlog::ALL),
        ("comments", comments::ALL),
        ("customers", customers::ALL),
        ("decisions", decisions::ALL),
        ("homes", homes::ALL),
        ("leases", leases::ALL),
        ("messages", messages::ALL),
        ("reach", reach::ALL),
        ("petition pages", petition_pages::ALL),
        ("petitions", petitions::ALL),
        ("provisionings", provisionings::ALL),
        ("queue", queue::ALL),
        ("reminders", reminders::ALL),
        ("remote", remote::ALL),
        ("replies", replies::ALL),
        ("resources", resources::ALL),
        ("settings", settings::ALL),
        ("standings", standings::ALL),
        ("tokens", tokens::ALL),
        ("typeahead", typeahead::ALL),
        ("uploads", uploads::ALL),
    ]
}

/// A stored time, as the domain knows it.
fn instant(table: &'static str, micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::Inconsistent { table, key: micros.to_string() })
}

fn instants(table: &'static str, micros: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    micros.map(|micros| instant(table, micros)).transpose()
}

#[cfg(test)]
mod tests {
    use super::is_away;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for away in ["5", "261", "517", "778", "1034", "8", "13", "08006", "53300", "53100", "57P01", "25006", "55000"]
        {
            assert!(is_away(away), "{away}");
        }
        for wrong in ["1", "787", "1555", "11", "23505", "42P01", "22P02", "40001", ""] {
            assert!(!is_away(wrong), "{wrong}");
        }
    }
}
