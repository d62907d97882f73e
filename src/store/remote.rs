//! Petitions that a remote space decides: what that space is owed, and how far it has got.
//!
//! One row of `remote_petitions` is one stream: its calls go out one after the other, and between them the petition is
//! looked at, in case an event of the space was lost. Rows change under the lock of their petition.

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
    instant, instants,
};
use crate::domain::{
    id::{CustomerId, PetitionName, Role},
    lease::Holding,
    person::Email,
    petition::ClaimKind,
};

statements! {
    BEGIN = Sql::both(
        "INSERT INTO remote_petitions (petition, active_us, next_us, attempts, unsure) VALUES ($1, $2, $2, 0, $3)",
    );
    ADD_CALL = Sql::both(
        "INSERT INTO remote_calls (petition, position, kind, actor, reason, length_us, owed_us)
         VALUES ($1, (SELECT COALESCE(MAX(position) + 1, 0) FROM remote_calls WHERE petition = $1), $2, $3, $4, $5, $6)",
    );
    /// An attempt under way keeps its claim and is followed by another; a space that is away is not asked sooner.
    WAKE = Sql::both(
        "UPDATE remote_petitions SET active_us = $2,
             next_us = CASE WHEN attempt IS NULL AND (failing_us IS NULL OR next_us IS NULL) THEN $2 ELSE next_us END
         WHERE petition = $1",
    );
    CLAIM = Sql::each(
        "UPDATE remote_petitions SET unsure = unsure OR attempt IS NOT NULL, attempt = $2, next_us = $3,
             attempts = attempts + 1
         WHERE petition IN (SELECT petition FROM remote_petitions WHERE next_us <= $1 ORDER BY next_us, petition LIMIT $4)
         RETURNING *",
        "UPDATE remote_petitions SET unsure = unsure OR attempt IS NOT NULL, attempt = $2, next_us = $3,
             attempts = attempts + 1
         WHERE petition IN (SELECT petition FROM remote_petitions WHERE next_us <= $1 ORDER BY next_us, petition LIMIT $4
             FOR UPDATE SKIP LOCKED)
         RETURNING *",
    );
    FIND = Sql::both("SELECT * FROM remote_petitions WHERE petition = $1");
    BY_NAME = Sql::both("SELECT petition FROM remote_petitions WHERE remote_name = $1");
    GRANTED = Sql::both(
        "SELECT petition FROM leases WHERE person = $1 AND customer = $2 AND role = $3 AND origin = 'remote'
             AND ended_us IS NULL ORDER BY petition",
    );
    FIRST_CALL = Sql::both(
        "SELECT * FROM remote_calls WHERE petition = $1 AND done_us IS NULL ORDER BY position LIMIT 1",
    );
    OPEN_CALLS = Sql::both("SELECT COUNT(*) FROM remote_calls WHERE petition = $1 AND done_us IS NULL");
    LAST_REFUSED = Sql::both(
        "SELECT * FROM remote_calls WHERE petition = $1 AND refused IS NOT NULL ORDER BY position DESC LIMIT 1",
    );
    SAID_BEFORE = Sql::both(
        "SELECT COUNT(*) FROM remote_calls WHERE petition = $1 AND kind = $2 AND actor = $3 AND refused IS NULL",
    );
    CALL_DONE = Sql::both(
        "UPDATE remote_calls SET done_us = $3, refused = $4 WHERE petition = $1 AND position = $2 AND done_us IS NULL",
    );
    DROP_CALLS = Sql::both("UPDATE remote_calls SET done_us = $2 WHERE petition = $1 AND done_us IS NULL");
    SETTLED = Sql::both(
        "UPDATE remote_petitions SET remote_name = COALESCE($2, remote_name), attempt = NULL, attempts = 0,
             unsure = $3, failing_us = NULL, last_error = NULL, active_us = $4, next_us = $5
         WHERE petition = $1 AND attempt = $6",
    );
    FAILED = Sql::both(
        "UPDATE remote_petitions SET attempt = NULL, unsure = unsure OR $2, failing_us = COALESCE(failing_us, $3),
             last_error = $4, next_us = $5
         WHERE petition = $1 AND attempt = $6",
    );
    AWAY = Sql::both(
        "SELECT MIN(failing_us) FROM remote_petitions WHERE next_us IS NOT NULL AND failing_us IS NOT NULL",
    );
}

const TABLE: &str = "remote_petitions";

#[derive(FromRow)]
struct StreamRow {
    petition: String,
    remote_name: Option<String>,
    active_us: i64,
    next_us: Option<i64>,
    attempts: i64,
    unsure: bool,
    failing_us: Option<i64>,
    last_error: Option<String>,
}

#[derive(FromRow)]
struct CallRow {
    petition: String,
    position: i64,
    kind: String,
    actor: String,
    reason: String,
    length_us: Option<i64>,
    owed_us: i64,
    refused: Option<String>,
}

/// One petition that a remote space decides, and how far that space has heard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteStream {
    pub petition: PetitionName,
    /// Its name there; `None` while the space has not said it.
    pub remote_name: Option<String>,
    /// When something last happened to it.
    pub active_at: Timestamp,
    /// When something is due; `None` when there is nothing left to say or to learn.
    pub next_at: Option<Timestamp>,
    /// Attempts at what is due so far, the one under way included.
    pub attempts: i64,
    /// An earlier attempt at the same call may have reached the space.
    pub unsure: bool,
    /// Since when the space does not answer, and how.
    pub failing: Option<(Timestamp, String)>,
}

/// What a call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// There is this petition.
    Create,
    Claim(ClaimKind),
}

impl Call {
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Claim(kind) => kind.word(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Create, Self::Claim(ClaimKind::Approve), Self::Claim(ClaimKind::Deny), Self::Claim(ClaimKind::Revoke)]
            .into_iter()
            .find(|call| call.word() == word)
    }
}

/// One call that the space is owed, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCall {
    pub position: i64,
    pub call: Call,
    /// Who says it.
    pub actor: Email,
    pub reason: String,
    /// The length that an approval names; `None`: what was asked for.
    pub length: Option<SignedDuration>,
    pub owed_at: Timestamp,
    /// What the space said when it did not take it.
    pub refused: Option<String>,
}

/// Something to be told, before it has its place in the stream.
#[derive(Clone, Debug)]
pub struct NewCall<'a> {
    pub call: Call,
    pub actor: &'a Email,
    pub reason: &'a str,
    pub length: Option<SignedDuration>,
}

/// What people are shown of a petition that a remote space decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTruth {
    pub stream: RemoteStream,
    /// The first call that the space has not taken yet.
    pub owed: Option<RemoteCall>,
    /// The last call that it did not want.
    pub refused: Option<RemoteCall>,
}

impl StreamRow {
    fn decode(self) -> Result<RemoteStream, StoreError> {
        let failing = instants(TABLE, self.failing_us)?.map(|at| (at, self.last_error.clone().unwrap_or_default()));
        Ok(RemoteStream {
            petition: PetitionName::new(self.petition),
            remote_name: self.remote_name,
            active_at: instant(TABLE, self.active_us)?,
            next_at: instants(TABLE, self.next_us)?,
            attempts: self.attempts,
            unsure: self.unsure,
            failing,
        })
    }
}

impl CallRow {
    fn decode(self) -> Result<RemoteCall, StoreError> {
        const TABLE: &str = "remote_calls";
        let fault = || StoreError::Inconsistent { table: TABLE, key: format!("{}/{}", self.petition, self.position) };
        Ok(RemoteCall {
            position: self.position,
            call: Call::from_word(&self.kind).ok_or_else(fault)?,
            actor: Email::parse(&self.actor).map_err(|_| fault())?,
            reason: self.reason.clone(),
            length: self.length_us.map(SignedDuration::from_micros),
            owed_at: instant(TABLE, self.owed_us)?,
            refused: self.refused.clone(),
        })
    }
}

impl Store {
    /// Takes up to `limit` due streams for one attempt, as for provisionings.
    pub async fn claim_remote(
        &self,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<RemoteStream>, StoreError> {
        let rows: Vec<StreamRow> = writing!(self, CLAIM, |sql, pool| {
            sqlx::query_as(sql)
                .bind(now.as_microsecond())
                .bind(attempt)
                .bind(until.as_microsecond())
                .bind(limit)
                .fetch_all(pool)
                .await
        })?;
        rows.into_iter().map(StreamRow::decode).collect()
    }

    /// The first call of a stream that the space has not taken.
    pub async fn first_call(&self, petition: &PetitionName) -> Result<Option<RemoteCall>, StoreError> {
        let row: Option<CallRow> = reading!(self, FIRST_CALL, |sql, pool| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_optional(pool).await
        })?;
        row.map(CallRow::decode).transpose()
    }

    /// `None`: no remote space decides this petition.
    pub async fn remote_truth(&self, petition: &PetitionName) -> Result<Option<RemoteTruth>, StoreError> {
        let row: Option<StreamRow> = reading!(self, FIND, |sql, pool| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_optional(pool).await
        })?;
        let Some(stream) = row.map(StreamRow::decode).transpose()? else { return Ok(None) };
        let refused: Option<CallRow> = reading!(self, LAST_REFUSED, |sql, pool| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_optional(pool).await
        })?;
        let refused = refused.map(CallRow::decode).transpose()?;
        Ok(Some(RemoteTruth { stream, owed: self.first_call(petition).await?, refused }))
    }

    /// Since when the space has not answered about some petition; `None` when it answers.
    pub async fn space_away_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let since: Option<i64> = reading!(self, AWAY, |sql, pool| sqlx::query_scalar(sql).fetch_one(pool).await)?;
        instants(TABLE, since)
    }
}

/// What came of an attempt at a stream.
#[derive(Clone, Debug)]
pub enum StreamOutcome<'a> {
    /// The space answered. `next_at` is when it is due again.
    Settled { remote_name: Option<&'a str>, active_at: Timestamp, next_at: Option<Timestamp> },
    /// It did not; `ambiguous` when it may have heard all the same.
    Failed { error: &'a str, ambiguous: bool, next_at: Timestamp },
}

impl Tx {
    /// Begins the stream of a petition of this transaction, with its creation as the first call.
    pub async fn begin_remote(
        &mut self,
        petition: &PetitionName,
        create: &NewCall<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        within!(self, BEGIN, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.as_str())
                .bind(now.as_microsecond())
                .bind(false)
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        self.owe_remote(petition, create, now).await
    }

    /// Owes the space one more call about a held petition.
    pub async fn owe_remote(
        &mut self,
        petition: &PetitionName,
        new: &NewCall<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        within!(self, ADD_CALL, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.as_str())
                .bind(new.call.word())
                .bind(new.actor.as_str())
                .bind(new.reason)
                .bind(new.length.map(|length| length.as_micros() as i64))
                .bind(now.as_microsecond())
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        self.wake_remote(petition, now).await
    }

    /// Something happened to a held petition: its stream is due now.
    pub async fn wake_remote(&mut self, petition: &PetitionName, now: Timestamp) -> Result<(), StoreError> {
        within!(self, WAKE, |sql, conn| {
            sqlx::query(sql).bind(petition.as_str()).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
        })?;
        self.enqueue(Lane::Remote, petition.as_str());
        Ok(())
    }

    /// `None`: no remote space decides this petition.
    pub async fn remote_stream(&mut self, petition: &PetitionName) -> Result<Option<RemoteStream>, StoreError> {
        let row: Option<StreamRow> = within!(self, FIND, |sql, conn| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_optional(conn).await
        })?;
        row.map(StreamRow::decode).transpose()
    }

    /// The petition of ours that the remote space calls so.
    pub async fn petition_called(&mut self, remote_name: &str) -> Result<Option<PetitionName>, StoreError> {
        let name: Option<String> = within!(self, BY_NAME, |sql, conn| {
            sqlx::query_scalar(sql).bind(remote_name).fetch_optional(conn).await
        })?;
        Ok(name.map(PetitionName::new))
    }

    /// The granted petitions of a holding that a remote space decided, in the order of their names.
    pub async fn granted_remotely(&mut self, holding: &Holding) -> Result<Vec<PetitionName>, StoreError> {
        let customer: &CustomerId = &holding.customer;
        let names: Vec<String> = within!(self, GRANTED, |sql, conn| {
            sqlx::query_scalar(sql)
                .bind(holding.person.as_str())
                .bind(customer.as_str())
                .bind(holding.role.as_ref().map_or("", Role::as_str))
                .fetch_all(conn)
                .await
        })?;
        Ok(names.into_iter().map(PetitionName::new).collect())
    }

    /// Whether the space was told this by this person, or will be; what it did not take does not count.
    pub async fn was_said(&mut self, petition: &PetitionName, call: Call, actor: &Email) -> Result<bool, StoreError> {
        let count: i64 = within!(self, SAID_BEFORE, |sql, conn| {
            sqlx::query_scalar(sql).bind(petition.as_str()).bind(call.word()).bind(actor.as_str()).fetch_one(conn).await
        })?;
        Ok(count > 0)
    }

    /// The space took a call, or said why it did not. `false` when that was recorded before.
    pub async fn call_done(
        &mut self,
        petition: &PetitionName,
        position: i64,
        now: Timestamp,
        refused: Option<&str>,
    ) -> Result<bool, StoreError> {
        let rows = within!(self, CALL_DONE, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.as_str())
                .bind(position)
                .bind(now.as_microsecond())
                .bind(refused)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Whatever is still owed has lost its meaning.
    pub async fn drop_calls(&mut self, petition: &PetitionName, now: Timestamp) -> Result<(), StoreError> {
        within!(self, DROP_CALLS, |sql, conn| {
            sqlx::query(sql).bind(petition.as_str()).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    }

    pub async fn calls_owed(&mut self, petition: &PetitionName) -> Result<i64, StoreError> {
        Ok(within!(self, OPEN_CALLS, |sql, conn| {
            sqlx::query_scalar(sql).bind(petition.as_str()).fetch_one(conn).await
        })?)
    }

    /// Records what came of an attempt. `false` when the attempt is not current any more.
    pub async fn record_remote(
        &mut self,
        petition: &PetitionName,
        attempt: &str,
        now: Timestamp,
        outcome: &StreamOutcome<'_>,
    ) -> Result<bool, StoreError> {
        let now_us = now.as_microsecond();
        let (rows, due) = match outcome {
            StreamOutcome::Settled { remote_name, active_at, next_at } => {
                let rows = within!(self, SETTLED, |sql, conn| {
                    sqlx::query(sql)
                        .bind(petition.as_str())
                        .bind(remote_name)
                        .bind(false)
                        .bind(active_at.as_microsecond())
                        .bind(next_at.map(|at| at.as_microsecond()))
                        .bind(attempt)
                        .execute(conn)
                        .await
                        .map(|done| done.rows_affected())
                })?;
                (rows, next_at.is_some_and(|at| at <= now))
            }
            StreamOutcome::Failed { error, ambiguous, next_at } => {
                let rows = within!(self, FAILED, |sql, conn| {
                    sqlx::query(sql)
                        .bind(petition.as_str())
                        .bind(ambiguous)
                        .bind(now_us)
                        .bind(error)
                        .bind(next_at.as_microsecond())
                        .bind(attempt)
                        .execute(conn)
                        .await
                        .map(|done| done.rows_affected())
                })?;
                (rows, false)
            }
        };
        if due {
            self.enqueue(Lane::Remote, petition.as_str());
        }
        Ok(rows == 1)
    }
}
