//! What can be wrong with the customers database, as sentences for operators: which setting, and what to do.
//!
//! The address holds a password, so nothing here repeats it: of an error only what the database or the operating
//! system said is shown.

use std::time::Duration;

use crate::workflow::SyncError;

fn sentence(text: impl Into<String>) -> SyncError {
    SyncError::Source(text.into())
}

/// What went wrong, without what we sent.
fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        sqlx::Error::Io(io) => io.to_string(),
        sqlx::Error::Tls(tls) => tls.to_string(),
        sqlx::Error::PoolTimedOut => "it did not let us in within 5 s".to_owned(),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => "a value is not valid text".to_owned(),
        // Configuration errors quote parts of the address.
        _ => "the connection failed".to_owned(),
    }
}

pub(super) fn not_an_address() -> SyncError {
    sentence(
        "CUSTOMERS_DATABASE_URL is not the address of a database; write it like \
         postgres://USER:PASSWORD@HOST/DATABASE or sqlite://PATH, with %40 for an @ in the password",
    )
}

pub(super) fn connection(error: &sqlx::Error) -> SyncError {
    sentence(format!(
        "cannot open the customers database: {}. Check that CUSTOMERS_DATABASE_URL has the right address, name, user \
         and password, and that it can be reached from here",
        cause(error)
    ))
}

pub(super) fn silent(waited: Duration) -> SyncError {
    sentence(format!(
        "the customers database gave no answer for {} s. Check that CUSTOMERS_DATABASE_URL can be reached from here, \
         and that nothing locks what CUSTOMERS_QUERY reads",
        waited.as_secs()
    ))
}

pub(super) fn query(error: &sqlx::Error) -> SyncError {
    sentence(format!(
        "the customers database does not take CUSTOMERS_QUERY: {}. Correct it; it must be one SELECT that gives an id, \
         a name and any further columns as labels",
        cause(error)
    ))
}

pub(super) fn row(error: &sqlx::Error) -> SyncError {
    sentence(format!(
        "the customers database failed while CUSTOMERS_QUERY was read: {}. Nothing was changed; run that query by hand \
         on CUSTOMERS_DATABASE_URL, mend what it stumbles over, and sync again",
        cause(error)
    ))
}

pub(super) fn no_columns() -> SyncError {
    sentence("CUSTOMERS_QUERY gives no columns; it must be one SELECT that gives an id, a name and any labels")
}

pub(super) fn same_name(name: &str) -> SyncError {
    sentence(format!("CUSTOMERS_QUERY gives two columns named “{name}”; give one of them another name with AS"))
}
