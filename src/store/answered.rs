//! Signed requests that were answered already: a replay answers like the first and changes nothing.

use jiff::Timestamp;

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
};
use crate::domain::id::PetitionName;

statements! {
    INSERT = Sql::both(
        "INSERT INTO answered (signature, at_us, petition) VALUES ($1, $2, $3) ON CONFLICT (signature) DO NOTHING",
    );
    FIND = Sql::both("SELECT petition FROM answered WHERE signature = $1");
    FORGET = Sql::both("DELETE FROM answered WHERE at_us < $1");
}

/// A signed request that was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The petition it led to, if it led to one.
    pub petition: Option<PetitionName>,
}

impl Store {
    /// What an identical signed request led to before.
    pub async fn answered(&self, signature: &str) -> Result<Option<Answered>, StoreError> {
        let row: Option<Option<String>> =
            reading!(self, FIND, |sql, pool| sqlx::query_scalar(sql).bind(signature).fetch_optional(pool).await)?;
        Ok(row.map(|petition| Answered { petition: petition.map(PetitionName::new) }))
    }

    /// Forgets requests whose signature is stale by now, so that a replay is refused anyway.
    pub async fn forget_answered(&self, before: Timestamp) -> Result<(), StoreError> {
        writing!(self, FORGET, |sql, pool| {
            sqlx::query(sql).bind(before.as_microsecond()).execute(pool).await.map(|_| ())
        })?;
        Ok(())
    }
}

impl Tx {
    /// Notes a signed request with the change it causes. `false` when it was noted before: the change that is being
    /// made is a replay's and must not be.
    pub async fn note_answered(
        &mut self,
        signature: &str,
        now: Timestamp,
        petition: Option<&PetitionName>,
    ) -> Result<bool, StoreError> {
        let rows = within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(signature)
                .bind(now.as_microsecond())
                .bind(petition.map(PetitionName::as_str))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
