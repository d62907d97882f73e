//! What bots are still to be asked: one row is one petition and one `[[decision]]`.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{statements, within, writing},
    instants,
};
use crate::domain::id::{DecisionName, PetitionName};

statements! {
    INSERT = Sql::both(
        "INSERT INTO decisions (petition, name, next_us, attempts) VALUES ($1, $2, $3, 0)
         ON CONFLICT (petition, name) DO NOTHING",
    );
    CLAIM = Sql::each(
        "UPDATE decisions SET attempt = $3, next_us = $4, attempts = attempts + 1
         WHERE (petition, name) IN (SELECT petition, name FROM decisions
             WHERE name = $1 AND next_us <= $2 ORDER BY next_us LIMIT $5)
         RETURNING *",
        "UPDATE decisions SET attempt = $3, next_us = $4, attempts = attempts + 1
         WHERE (petition, name) IN (SELECT petition, name FROM decisions
             WHERE name = $1 AND next_us <= $2 ORDER BY next_us LIMIT $5 FOR UPDATE SKIP LOCKED)
         RETURNING *",
    );
    CLOSE = Sql::both(
        "UPDATE decisions SET next_us = NULL, attempt = NULL, failing_us = NULL, last_error = NULL
         WHERE petition = $1 AND name = $2 AND attempt = $3",
    );
    FAILED = Sql::both(
        "UPDATE decisions SET next_us = $5, attempt = NULL, failing_us = COALESCE(failing_us, $4), last_error = $6
         WHERE petition = $1 AND name = $2 AND attempt = $3",
    );
}

#[derive(FromRow)]
struct Row {
    petition: String,
    name: String,
    attempts: i64,
    failing_us: Option<i64>,
    last_error: Option<String>,
}

/// One question to one bot.
#[derive(Clone, Debug)]
pub struct PendingDecision {
    pub petition: PetitionName,
    pub name: DecisionName,
    /// The one under way included.
    pub attempts: i64,
    pub failing: Option<(Timestamp, String)>,
}

impl Row {
    fn decode(self) -> Result<PendingDecision, StoreError> {
        let error = self.last_error.unwrap_or_default();
        Ok(PendingDecision {
            petition: PetitionName::new(self.petition),
            name: DecisionName::new(self.name),
            attempts: self.attempts,
            failing: instants("decisions", self.failing_us)?.map(|since| (since, error)),
        })
    }
}

impl Tx {
    /// Owes a bot the question, and asks for it to be put.
    pub async fn want_decision(
        &mut self,
        petition: &PetitionName,
        name: &DecisionName,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.as_str())
                .bind(name.as_str())
                .bind(now.as_microsecond())
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        self.enqueue(Lane::Decide(name.clone()), petition.as_str());
        Ok(())
    }

    /// A bot answered, or there is nothing left to ask it. `false`: the attempt is not current any more.
    pub async fn close_decision(&mut self, decision: &PendingDecision, attempt: &str) -> Result<bool, StoreError> {
        Ok(within!(self, CLOSE, |sql, conn| {
            sqlx::query(sql)
                .bind(decision.petition.as_str())
                .bind(decision.name.as_str())
                .bind(attempt)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })?)
    }
}

impl Store {
    /// Takes up to `limit` due questions to one bot for one attempt. Whoever takes them must say what came of it before
    /// `until`; after that they are due again.
    pub async fn claim_decisions(
        &self,
        name: &DecisionName,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<PendingDecision>, StoreError> {
        let rows: Vec<Row> = writing!(self, CLAIM, |sql, pool| {
            sqlx::query_as(sql)
                .bind(name.as_str())
                .bind(now.as_microsecond())
                .bind(attempt)
                .bind(until.as_microsecond())
                .bind(limit)
                .fetch_all(pool)
                .await
        })?;
        rows.into_iter().map(Row::decode).collect()
    }

    /// It did not, or we cannot tell: it is asked again at `next_at`.
    pub async fn retry_decision(
        &self,
        decision: &PendingDecision,
        attempt: &str,
        now: Timestamp,
        next_at: Timestamp,
        error: &str,
    ) -> Result<(), StoreError> {
        writing!(self, FAILED, |sql, pool| {
            sqlx::query(sql)
                .bind(decision.petition.as_str())
                .bind(decision.name.as_str())
                .bind(attempt)
                .bind(now.as_microsecond())
                .bind(next_at.as_microsecond())
                .bind(error)
                .execute(pool)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }
}
