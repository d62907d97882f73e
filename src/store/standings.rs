//! The strongest word heard from outside on each subject.

use sqlx::FromRow;

use super::{
    Sql, StoreError, Tx,
    db::{statements, within},
    instants,
};
use crate::domain::{id::LeaseId, standing::Standing};

statements! {
    /// Makes the row if it is new, and holds it. A new row has the rank that everything outweighs.
    LOCK = Sql::both(
        "INSERT INTO standings (subject, rank, revoked) VALUES ($1, $2, $3)
         ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject RETURNING *",
    );
    FIND = Sql::both("SELECT * FROM standings WHERE subject = $1");
    SET = Sql::both("UPDATE standings SET rank = $2, revoked = $3, end_us = $4, lease = $5 WHERE subject = $1");
}

#[derive(FromRow)]
struct StandingRow {
    rank: i64,
    revoked: bool,
    end_us: Option<i64>,
    lease: Option<String>,
}

impl StandingRow {
    fn decode(self) -> Result<Option<Standing>, StoreError> {
        let end = instants("standings", self.end_us)?;
        Ok((self.rank != UNHEARD).then_some(Standing { rank: self.rank, revoked: self.revoked, end }))
    }
}

/// Nothing has been said yet.
const UNHEARD: i64 = i64::MIN;

impl Tx {
    /// What stands on a subject and the lease it made, held until the commit. `None`: nothing was said yet.
    pub async fn lock_standing(&mut self, subject: &str) -> Result<(Option<Standing>, Option<LeaseId>), StoreError> {
        let row: StandingRow = within!(self, LOCK, |sql, conn| {
            sqlx::query_as(sql).bind(subject).bind(UNHEARD).bind(false).fetch_one(conn).await
        })?;
        let lease = row.lease.clone().map(LeaseId::new);
        Ok((row.decode()?, lease))
    }

    /// What stands on a subject, without holding it.
    pub async fn standing(&mut self, subject: &str) -> Result<Option<Standing>, StoreError> {
        let row: Option<StandingRow> =
            within!(self, FIND, |sql, conn| sqlx::query_as(sql).bind(subject).fetch_optional(conn).await)?;
        Ok(row.map(StandingRow::decode).transpose()?.flatten())
    }

    pub async fn set_standing(
        &mut self,
        subject: &str,
        standing: &Standing,
        lease: Option<&LeaseId>,
    ) -> Result<(), StoreError> {
        within!(self, SET, |sql, conn| {
            sqlx::query(sql)
                .bind(subject)
                .bind(standing.rank)
                .bind(standing.revoked)
                .bind(standing.end.map(|at| at.as_microsecond()))
                .bind(lease.map(LeaseId::as_str))
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }
}
