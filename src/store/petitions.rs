//! Petitions and the claims made on them.

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
    instant, instants,
};
use crate::domain::{
    id::{ClaimId, CustomerId, PetitionName, Role, SlackUserId},
    person::{Email, Person},
    petition::{Claim, ClaimKind, CloseReason, Petition, PetitionState},
};

statements! {
    FIND = Sql::both("SELECT * FROM petitions WHERE name = $1");
    /// Loads for a change. The update is what holds the row against other transactions on PostgreSQL.
    LOCK = Sql::both("UPDATE petitions SET version = version + 1 WHERE name = $1 RETURNING *");
    INSERT = Sql::both(
        "INSERT INTO petitions (name, petitioner, petitioner_slack, petitioner_name, filed_by, customer, customer_name,
             role, reason, length_us, rule, same_key, opened_us, pending_until_us, state, closed_us, close_reason,
             close_note, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 1)",
    );
    SET_STATE = Sql::both(
        "UPDATE petitions SET state = $2, granted_us = COALESCE($3, granted_us), granted_by = COALESCE($4, granted_by),
             until_us = COALESCE($5, until_us), closed_us = $6, close_reason = $7, closed_by = $8, close_note = $9
         WHERE name = $1",
    );
    SAME = Sql::both(
        "SELECT * FROM petitions WHERE same_key = $1 AND opened_us > $2
             AND (state <> 'closed' OR close_reason = 'refused') ORDER BY opened_us DESC LIMIT 1",
    );
    /// One person's repeats wait for each other, so that two at the same instant are one petition.
    SAME_LOCK = Sql::each("SELECT 1", "SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtext($1))) held");
    UNDECIDED = Sql::both(
        "SELECT name FROM petitions WHERE state = 'open' AND pending_until_us <= $1 ORDER BY pending_until_us LIMIT $2",
    );
    CLAIMS = Sql::both("SELECT * FROM claims WHERE petition = $1 ORDER BY at_us, id");
    INSERT_CLAIM = Sql::both(
        "INSERT INTO claims (id, petition, kind, maker, maker_slack, maker_name, note, at_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (petition, kind, maker) DO NOTHING",
    );
}

#[derive(FromRow)]
struct PetitionRow {
    name: String,
    petitioner: String,
    petitioner_slack: Option<String>,
    petitioner_name: String,
    filed_by: String,
    customer: String,
    customer_name: String,
    role: String,
    reason: String,
    length_us: i64,
    rule: Option<String>,
    opened_us: i64,
    pending_until_us: i64,
    state: String,
    granted_us: Option<i64>,
    granted_by: Option<String>,
    until_us: Option<i64>,
    closed_us: Option<i64>,
    close_reason: Option<String>,
    closed_by: Option<String>,
    close_note: Option<String>,
    version: i64,
}

const TABLE: &str = "petitions";

impl PetitionRow {
    fn decode(self) -> Result<Petition, StoreError> {
        let fault = || StoreError::Inconsistent { table: TABLE, key: self.name.clone() };
        let email = |text: &str| Email::parse(text).map_err(|_| fault());
        let note = self.close_note.clone().unwrap_or_default();
        let closer = || self.closed_by.as_deref().ok_or_else(fault).and_then(email);
        let state = match (self.state.as_str(), self.granted_us, self.until_us, self.closed_us) {
            ("open", None, None, None) => PetitionState::Open,
            ("granted", Some(at), Some(until), None) => {
                let by = self.granted_by.as_deref().unwrap_or_default();
                PetitionState::Granted {
                    at: instant(TABLE, at)?,
                    by: by.split(' ').filter(|e| !e.is_empty()).map(email).collect::<Result<_, _>>()?,
                    until: instant(TABLE, until)?,
                }
            }
            ("closed", granted, _, Some(at)) => {
                let why = match self.close_reason.as_deref() {
                    Some("refused") => CloseReason::Refused { because: note },
                    Some("denied") => CloseReason::Denied { by: closer()?, note },
                    Some("withdrawn") => CloseReason::Withdrawn,
                    Some("undecided") => CloseReason::Undecided,
                    Some("revoked") => {
                        CloseReason::Revoked { by: self.closed_by.as_deref().map(email).transpose()?, note }
                    }
                    Some("expired") => CloseReason::Expired,
                    Some("done") => CloseReason::Done,
                    _ => return Err(fault()),
                };
                PetitionState::Closed { at: instant(TABLE, at)?, why, granted: instants(TABLE, granted)? }
            }
            _ => return Err(fault()),
        };
        Ok(Petition {
            petitioner: Person {
                email: email(&self.petitioner)?,
                slack: self.petitioner_slack.clone().map(SlackUserId::new),
                name: self.petitioner_name.clone(),
            },
            filed_by: email(&self.filed_by)?,
            customer: CustomerId::new(self.customer.clone()),
            customer_name: self.customer_name.clone(),
            role: (!self.role.is_empty()).then(|| Role::new(self.role.clone())),
            reason: self.reason.clone(),
            length: SignedDuration::from_micros(self.length_us),
            rule: self.rule.clone(),
            opened_at: instant(TABLE, self.opened_us)?,
            pending_until: instant(TABLE, self.pending_until_us)?,
            state,
            version: self.version,
            name: PetitionName::new(self.name),
        })
    }
}

#[derive(FromRow)]
struct ClaimRow {
    id: String,
    petition: String,
    kind: String,
    maker: String,
    maker_slack: Option<String>,
    maker_name: String,
    note: String,
    at_us: i64,
}

impl ClaimRow {
    fn decode(self) -> Result<Claim, StoreError> {
        let fault = || StoreError::Inconsistent { table: "claims", key: self.id.clone() };
        let kind = match self.kind.as_str() {
            "approve" => ClaimKind::Approve,
            "deny" => ClaimKind::Deny,
            "revoke" => ClaimKind::Revoke,
            _ => return Err(fault()),
        };
        Ok(Claim {
            petition: PetitionName::new(self.petition.clone()),
            kind,
            maker: Person {
                email: Email::parse(&self.maker).map_err(|_| fault())?,
                slack: self.maker_slack.clone().map(SlackUserId::new),
                name: self.maker_name.clone(),
            },
            note: self.note.clone(),
            at: instant("claims", self.at_us)?,
            id: ClaimId::new(self.id),
        })
    }
}

fn claims(rows: Vec<ClaimRow>) -> Result<Vec<Claim>, StoreError> {
    rows.into_iter().map(ClaimRow::decode).collect()
}

impl Store {
    pub async fn petition(&self, name: &PetitionName) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> =
            reading!(self, FIND, |sql, pool| { sqlx::query_as(sql).bind(name.as_str()).fetch_optional(pool).await })?;
        row.map(PetitionRow::decode).transpose()
    }

    /// Oldest first.
    pub async fn claims(&self, petition: &PetitionName) -> Result<Vec<Claim>, StoreError> {
        claims(reading!(self, CLAIMS, |sql, pool| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_all(pool).await
        })?)
    }

    /// Petitions that nobody decided in time.
    pub async fn undecided_petitions(&self, now: Timestamp, limit: i64) -> Result<Vec<PetitionName>, StoreError> {
        let names: Vec<String> = reading!(self, UNDECIDED, |sql, pool| {
            sqlx::query_scalar(sql).bind(now.as_microsecond()).bind(limit).fetch_all(pool).await
        })?;
        Ok(names.into_iter().map(PetitionName::new).collect())
    }
}

impl Tx {
    pub async fn petition(&mut self, name: &PetitionName) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> =
            within!(self, FIND, |sql, conn| { sqlx::query_as(sql).bind(name.as_str()).fetch_optional(conn).await })?;
        row.map(PetitionRow::decode).transpose()
    }

    /// Loads a petition for a change and holds it until the commit; its version is the new one.
    pub async fn lock_petition(&mut self, name: &PetitionName) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> =
            within!(self, LOCK, |sql, conn| { sqlx::query_as(sql).bind(name.as_str()).fetch_optional(conn).await })?;
        row.map(PetitionRow::decode).transpose()
    }

    /// A petition with the same words by the same person, opened after `since` and not closed by anybody's act.
    pub async fn same_petition(&mut self, same_key: &str, since: Timestamp) -> Result<Option<Petition>, StoreError> {
        within!(self, SAME_LOCK, |sql, conn| sqlx::query(sql).bind(same_key).execute(conn).await.map(|_| ()))?;
        let row: Option<PetitionRow> = within!(self, SAME, |sql, conn| {
            sqlx::query_as(sql).bind(same_key).bind(since.as_microsecond()).fetch_optional(conn).await
        })?;
        row.map(PetitionRow::decode).transpose()
    }

    /// `same_key` folds person and words, for [`Tx::same_petition`].
    pub async fn insert_petition(&mut self, petition: &Petition, same_key: &str) -> Result<(), StoreError> {
        let (closed, reason, note) = match &petition.state {
            PetitionState::Open => (None, None, None),
            PetitionState::Closed { at, why: why @ CloseReason::Refused { because }, granted: None } => {
                (Some(at.as_microsecond()), Some(why.word()), Some(because.as_str()))
            }
            PetitionState::Granted { .. } | PetitionState::Closed { .. } => {
                return Err(StoreError::Inconsistent { table: TABLE, key: petition.name.to_string() });
            }
        };
        within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.name.as_str())
                .bind(petition.petitioner.email.as_str())
                .bind(petition.petitioner.slack.as_ref().map(SlackUserId::as_str))
                .bind(&petition.petitioner.name)
                .bind(petition.filed_by.as_str())
                .bind(petition.customer.as_str())
                .bind(&petition.customer_name)
                .bind(petition.role.as_ref().map_or("", Role::as_str))
                .bind(&petition.reason)
                .bind(petition.length.as_micros() as i64)
                .bind(petition.rule.as_deref())
                .bind(same_key)
                .bind(petition.opened_at.as_microsecond())
                .bind(petition.pending_until.as_microsecond())
                .bind(petition.state.word())
                .bind(closed)
                .bind(reason)
                .bind(note)
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// Writes the state of a petition that this transaction holds.
    pub async fn set_petition_state(&mut self, name: &PetitionName, state: &PetitionState) -> Result<(), StoreError> {
        let micros = |at: &Timestamp| at.as_microsecond();
        let (mut granted, mut by, mut until) = (None, None, None);
        let (mut closed, mut reason, mut closed_by, mut note) = (None, None, None, None);
        match state {
            PetitionState::Open => {}
            PetitionState::Granted { at, by: approvers, until: end } => {
                granted = Some(micros(at));
                by = Some(approvers.iter().map(Email::as_str).collect::<Vec<_>>().join(" "));
                until = Some(micros(end));
            }
            PetitionState::Closed { at, why, .. } => {
                closed = Some(micros(at));
                reason = Some(why.word());
                match why {
                    CloseReason::Denied { by, note: text } => {
                        closed_by = Some(by.as_str());
                        note = Some(text.as_str());
                    }
                    CloseReason::Revoked { by, note: text } => {
                        closed_by = by.as_ref().map(Email::as_str);
                        note = Some(text.as_str());
                    }
                    CloseReason::Refused { because } => note = Some(because.as_str()),
                    CloseReason::Withdrawn | CloseReason::Undecided | CloseReason::Expired | CloseReason::Done => {}
                }
            }
        }
        within!(self, SET_STATE, |sql, conn| {
            sqlx::query(sql)
                .bind(name.as_str())
                .bind(state.word())
                .bind(granted)
                .bind(by)
                .bind(until)
                .bind(closed)
                .bind(reason)
                .bind(closed_by)
                .bind(note)
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// Oldest first.
    pub async fn claims(&mut self, petition: &PetitionName) -> Result<Vec<Claim>, StoreError> {
        claims(within!(self, CLAIMS, |sql, conn| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_all(conn).await
        })?)
    }

    /// `false` when the same person has made the same claim before.
    pub async fn insert_claim(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        let rows = within!(self, INSERT_CLAIM, |sql, conn| {
            sqlx::query(sql)
                .bind(claim.id.as_str())
                .bind(claim.petition.as_str())
                .bind(claim.kind.word())
                .bind(claim.maker.email.as_str())
                .bind(claim.maker.slack.as_ref().map(SlackUserId::as_str))
                .bind(&claim.maker.name)
                .bind(&claim.note)
                .bind(claim.at.as_microsecond())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
