//! What each provisioner shall be told of each access, and what it is known to have heard.
//!
//! One row is one stream. A newer state replaces an older one that was not delivered yet; while an attempt is under way
//! the newer state waits for it, so that a grant can never overtake the revoke that followed it.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
    instant, instants,
};
use crate::domain::{
    event::{AccessEvent, Wanted},
    id::{AccessId, ProvisionerName},
};

statements! {
    /// Replaces what is wanted. An attempt under way keeps its claim: `next_us` is then when it is given up for dead.
    WANT = Sql::both(
        "INSERT INTO provisionings (access, provisioner, wanted, wanted_version, wanted_us, event, next_us, attempts)
         VALUES ($1, $2, $3, $4, $5, $6, $5, 0)
         ON CONFLICT (access, provisioner) DO UPDATE SET wanted = excluded.wanted,
             wanted_version = excluded.wanted_version, wanted_us = excluded.wanted_us, event = excluded.event,
             next_us = CASE WHEN provisionings.attempt IS NULL THEN excluded.next_us ELSE provisionings.next_us END,
             attempts = 0",
    );
    TOLD = Sql::both("SELECT provisioner FROM provisionings WHERE access = $1 AND wanted = 'grant' ORDER BY provisioner");
    OF_ACCESS = Sql::both("SELECT * FROM provisionings WHERE access = $1 ORDER BY provisioner");
    CLAIM = Sql::each(
        "UPDATE provisionings SET attempt = $4, next_us = $5, attempts = attempts + 1
         WHERE (access, provisioner) IN (SELECT access, provisioner FROM provisionings
             WHERE provisioner = $1 AND wanted = $2 AND next_us <= $3 ORDER BY next_us LIMIT $6)
         RETURNING *",
        "UPDATE provisionings SET attempt = $4, next_us = $5, attempts = attempts + 1
         WHERE (access, provisioner) IN (SELECT access, provisioner FROM provisionings
             WHERE provisioner = $1 AND wanted = $2 AND next_us <= $3 ORDER BY next_us LIMIT $6
             FOR UPDATE SKIP LOCKED)
         RETURNING *",
    );
    /// The receiver has heard version $3. If something newer is wanted by now, it is due at once.
    APPLIED = Sql::both(
        "UPDATE provisionings SET applied = $4, applied_version = $3, applied_us = $5, attempt = NULL,
             failing_us = NULL, last_error = NULL, attempts = 0,
             next_us = CASE WHEN wanted_version = $3 THEN NULL ELSE CAST($5 AS BIGINT) END
         WHERE access = $1 AND provisioner = $2 AND attempt = $6 RETURNING *",
    );
    /// It has not, or we cannot tell. Something newer is tried at once, the same again at $5.
    FAILED = Sql::both(
        "UPDATE provisionings SET attempt = NULL, failing_us = COALESCE(failing_us, $4), last_error = $6,
             next_us = CASE WHEN wanted_version = $3 THEN $5 ELSE $4 END
         WHERE access = $1 AND provisioner = $2 AND attempt = $7 RETURNING *",
    );
}

#[derive(FromRow)]
struct Row {
    access: String,
    provisioner: String,
    wanted: String,
    wanted_version: i64,
    wanted_us: i64,
    event: String,
    applied: Option<String>,
    applied_version: Option<i64>,
    next_us: Option<i64>,
    attempts: i64,
    failing_us: Option<i64>,
    last_error: Option<String>,
}

const TABLE: &str = "provisionings";

/// One stream: the state that is wanted, and the one that is known to be applied.
#[derive(Clone, Debug)]
pub struct Provisioning {
    pub access: AccessId,
    pub provisioner: ProvisionerName,
    pub wanted: Wanted,
    pub wanted_version: i64,
    pub wanted_at: Timestamp,
    pub event: AccessEvent,
    pub applied: Option<(Wanted, i64)>,
    /// `None` when there is nothing left to do.
    pub next_at: Option<Timestamp>,
    /// Attempts at the wanted state so far, the one under way included.
    pub attempts: i64,
    pub failing: Option<(Timestamp, String)>,
}

impl Provisioning {
    /// The one word people are shown.
    pub fn word(&self) -> &'static str {
        let done = self.applied == Some((self.wanted, self.wanted_version));
        match (self.wanted, done, &self.failing) {
            (Wanted::Grant, true, _) => "applied",
            (Wanted::Revoke, true, _) => "revoked",
            (_, false, Some(_)) => "failing",
            (Wanted::Grant, false, None) => "pending",
            (Wanted::Revoke, false, None) => "revoking",
        }
    }

    fn lane(&self) -> Lane {
        match self.wanted {
            Wanted::Grant => Lane::Grant(self.provisioner.clone()),
            Wanted::Revoke => Lane::Revoke(self.provisioner.clone()),
        }
    }
}

fn wanted(text: &str) -> Option<Wanted> {
    match text {
        "grant" => Some(Wanted::Grant),
        "revoke" => Some(Wanted::Revoke),
        _ => None,
    }
}

impl Row {
    fn decode(self) -> Result<Provisioning, StoreError> {
        let fault = || StoreError::Inconsistent { table: TABLE, key: format!("{}/{}", self.access, self.provisioner) };
        let applied = match (self.applied.as_deref(), self.applied_version) {
            (None, None) => None,
            (Some(word), Some(version)) => Some((wanted(word).ok_or_else(fault)?, version)),
            _ => return Err(fault()),
        };
        let failing = instants(TABLE, self.failing_us)?.map(|at| (at, self.last_error.clone().unwrap_or_default()));
        Ok(Provisioning {
            wanted: wanted(&self.wanted).ok_or_else(fault)?,
            wanted_version: self.wanted_version,
            wanted_at: instant(TABLE, self.wanted_us)?,
            event: serde_json::from_str(&self.event).map_err(|_| fault())?,
            applied,
            next_at: instants(TABLE, self.next_us)?,
            attempts: self.attempts,
            failing,
            access: AccessId::new(self.access),
            provisioner: ProvisionerName::new(self.provisioner),
        })
    }
}

fn decode(rows: Vec<Row>) -> Result<Vec<Provisioning>, StoreError> {
    rows.into_iter().map(Row::decode).collect()
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    Applied,
    /// `error` is for operators; `next_at` is when to try the same again.
    Failed {
        error: String,
        next_at: Timestamp,
    },
}

/// Which attempt it was, and at which state.
#[derive(Clone, Debug)]
pub struct Receipt<'a> {
    pub access: &'a AccessId,
    pub provisioner: &'a ProvisionerName,
    pub version: i64,
    pub wanted: Wanted,
    pub attempt: &'a str,
}

impl Tx {
    /// Sets what a provisioner shall be told of an access that this transaction holds, and asks for the delivery.
    pub async fn want(
        &mut self,
        access: &AccessId,
        provisioner: &ProvisionerName,
        event: &AccessEvent,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(event)
            .map_err(|_| StoreError::Inconsistent { table: TABLE, key: access.to_string() })?;
        within!(self, WANT, |sql, conn| {
            sqlx::query(sql)
                .bind(access.as_str())
                .bind(provisioner.as_str())
                .bind(event.wanted.word())
                .bind(event.version)
                .bind(event.at.as_microsecond())
                .bind(&json)
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        let lane = match event.wanted {
            Wanted::Grant => Lane::Grant(provisioner.clone()),
            Wanted::Revoke => Lane::Revoke(provisioner.clone()),
        };
        self.enqueue(lane, access.as_str());
        Ok(())
    }

    /// What was last said to somebody of an access that is held.
    pub async fn last_told(&mut self, access: &AccessId) -> Result<Option<AccessEvent>, StoreError> {
        let rows: Vec<Row> =
            within!(self, OF_ACCESS, |sql, conn| sqlx::query_as(sql).bind(access.as_str()).fetch_all(conn).await)?;
        let mut told = rows.into_iter().map(Row::decode).collect::<Result<Vec<_>, _>>()?;
        told.retain(|one| one.wanted == Wanted::Grant);
        Ok(told.pop().map(|one| one.event))
    }

    /// Who has been told that this access began, and not yet that it ended.
    pub async fn told(&mut self, access: &AccessId) -> Result<Vec<ProvisionerName>, StoreError> {
        let names: Vec<String> =
            within!(self, TOLD, |sql, conn| { sqlx::query_scalar(sql).bind(access.as_str()).fetch_all(conn).await })?;
        Ok(names.into_iter().map(ProvisionerName::new).collect())
    }

    /// Records what came of an attempt. `None` when the attempt is not current any more: it took too long, and
    /// somebody else has taken the stream over. When something newer is wanted, its delivery is asked for.
    pub async fn record_outcome(
        &mut self,
        receipt: &Receipt<'_>,
        now: Timestamp,
        outcome: &Outcome,
    ) -> Result<Option<Provisioning>, StoreError> {
        let row: Option<Row> = match outcome {
            Outcome::Applied => within!(self, APPLIED, |sql, conn| {
                sqlx::query_as(sql)
                    .bind(receipt.access.as_str())
                    .bind(receipt.provisioner.as_str())
                    .bind(receipt.version)
                    .bind(receipt.wanted.word())
                    .bind(now.as_microsecond())
                    .bind(receipt.attempt)
                    .fetch_optional(conn)
                    .await
            })?,
            Outcome::Failed { error, next_at } => within!(self, FAILED, |sql, conn| {
                sqlx::query_as(sql)
                    .bind(receipt.access.as_str())
                    .bind(receipt.provisioner.as_str())
                    .bind(receipt.version)
                    .bind(now.as_microsecond())
                    .bind(next_at.as_microsecond())
                    .bind(error)
                    .bind(receipt.attempt)
                    .fetch_optional(conn)
                    .await
            })?,
        };
        let Some(provisioning) = row.map(Row::decode).transpose()? else { return Ok(None) };
        if provisioning.wanted_version != receipt.version {
            self.enqueue(provisioning.lane(), receipt.access.as_str());
        }
        Ok(Some(provisioning))
    }
}

impl Store {
    /// Takes up to `limit` due streams of one provisioner for one attempt. Whoever takes them must record an outcome
    /// before `until`; after that they are due again.
    pub async fn claim_provisionings(
        &self,
        provisioner: &ProvisionerName,
        wanted: Wanted,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<Provisioning>, StoreError> {
        decode(writing!(self, CLAIM, |sql, pool| {
            sqlx::query_as(sql)
                .bind(provisioner.as_str())
                .bind(wanted.word())
                .bind(now.as_microsecond())
                .bind(attempt)
                .bind(until.as_microsecond())
                .bind(limit)
                .fetch_all(pool)
                .await
        })?)
    }

    /// How far each provisioner is with an access.
    pub async fn provisionings(&self, access: &AccessId) -> Result<Vec<Provisioning>, StoreError> {
        decode(reading!(self, OF_ACCESS, |sql, pool| {
            sqlx::query_as(sql).bind(access.as_str()).fetch_all(pool).await
        })?)
    }
}
