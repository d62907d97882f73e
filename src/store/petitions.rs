//! Petitions and the claims made on them.

use jiff::{SignedDuration, Timestamp};
use sqlx::{FromRow, types::Json};

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
    instant,
};
use crate::domain::{
    customer::Labels,
    id::{ClaimId, CustomerId, PetitionName, Role, SlackUserId},
    person::{Email, Person},
    petition::{Claim, ClaimKind, CloseReason, Escalation, Extension, Grant, Petition, PetitionState},
    resource::Resource,
};

statements! {
    FIND = Sql::both("SELECT * FROM petitions WHERE name = $1");
    /// Loads for a change. The update is what holds the row against other transactions on PostgreSQL.
    LOCK = Sql::both("UPDATE petitions SET version = version + 1 WHERE name = $1 RETURNING *");
    INSERT = Sql::both(
        "INSERT INTO petitions (name, petitioner, petitioner_slack, petitioner_name, filed_by, customer, customer_name,
             role, reason, length_us, rule, same_key, opened_us, pending_until_us, state, closed_us, close_reason,
             close_note, labels, resource, client_key, extends, pre_approved_us, escalate_us, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, 1)",
    );
    RECENT_OF = Sql::both(
        "SELECT * FROM petitions WHERE petitioner = $1 AND state = 'closed' ORDER BY closed_us DESC LIMIT $2",
    );
    EXTENDING = Sql::both(
        "SELECT * FROM petitions WHERE extends = $1 AND state = 'open' AND pending_until_us > $2 ORDER BY name LIMIT 1",
    );
    SET_STATE = Sql::both(
        "UPDATE petitions SET state = $2, granted_us = COALESCE($3, granted_us), granted_by = COALESCE($4, granted_by),
             until_us = COALESCE($5, until_us), closed_us = $6, close_reason = $7, closed_by = $8, close_note = $9,
             escalate_us = NULL
         WHERE name = $1",
    );
    SAME = Sql::both(
        "SELECT * FROM petitions WHERE same_key = $1 AND opened_us > $2
             AND (state <> 'closed' OR close_reason = 'refused') ORDER BY opened_us DESC LIMIT 1",
    );
    BY_KEY = Sql::both("SELECT * FROM petitions WHERE filed_by = $1 AND client_key = $2");
    SET_LABELS = Sql::both("UPDATE petitions SET labels = $2 WHERE name = $1");
    /// One person's repeats wait for each other, so that two at the same instant are one petition.
    SAME_LOCK = Sql::each("SELECT 1", "SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtext($1))) held");
    UNDECIDED = Sql::both(
        "SELECT name FROM petitions WHERE state = 'open' AND pending_until_us <= $1 ORDER BY pending_until_us LIMIT $2",
    );
    TO_ESCALATE = Sql::both(
        "SELECT name FROM petitions WHERE escalate_us <= $1 ORDER BY escalate_us, name LIMIT $2",
    );
    ESCALATED = Sql::both("UPDATE petitions SET escalate_us = NULL, escalated_us = $2 WHERE name = $1");
    CLAIMS = Sql::both("SELECT * FROM claims WHERE petition = $1 ORDER BY at_us, id");
    INSERT_CLAIM = Sql::both(
        "INSERT INTO claims (id, petition, kind, maker, maker_slack, maker_name, note, at_us, length_us, delegate,
             labels)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (petition, kind, maker) DO NOTHING",
    );
}

#[derive(FromRow)]
pub(super) struct PetitionRow {
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
    escalate_us: Option<i64>,
    escalated_us: Option<i64>,
    state: String,
    granted_us: Option<i64>,
    granted_by: Option<String>,
    until_us: Option<i64>,
    closed_us: Option<i64>,
    close_reason: Option<String>,
    closed_by: Option<String>,
    close_note: Option<String>,
    labels: Json<Labels>,
    resource: Option<Json<Resource>>,
    extends: Option<String>,
    pre_approved_us: Option<i64>,
    version: i64,
}

const TABLE: &str = "petitions";

impl PetitionRow {
    pub(super) fn decode(self) -> Result<Petition, StoreError> {
        let fault = || StoreError::Inconsistent { table: TABLE, key: self.name.clone() };
        let email = |text: &str| Email::parse(text).map_err(|_| fault());
        let note = self.close_note.clone().unwrap_or_default();
        let closer = || self.closed_by.as_deref().ok_or_else(fault).and_then(email);
        let by = self.granted_by.as_deref().unwrap_or_default();
        let by: Vec<Email> = by.split(' ').filter(|e| !e.is_empty()).map(email).collect::<Result<_, _>>()?;
        let granted = match (self.granted_us, self.until_us) {
            (Some(at), Some(until)) => Some(Grant { at: instant(TABLE, at)?, by, until: instant(TABLE, until)? }),
            (None, None) => None,
            _ => return Err(fault()),
        };
        let state = match (self.state.as_str(), granted, self.closed_us) {
            ("open", None, None) => PetitionState::Open,
            ("granted", Some(Grant { at, by, until }), None) => PetitionState::Granted { at, by, until },
            ("closed", granted, Some(at)) => {
                let why = match self.close_reason.as_deref() {
                    Some("refused") => CloseReason::Refused { because: note },
                    Some("denied") => CloseReason::Denied { by: closer()?, note },
                    Some("withdrawn") => CloseReason::Withdrawn,
                    Some("dismissed") => CloseReason::Dismissed { by: closer()?, note },
                    Some("undecided") => CloseReason::Undecided,
                    Some("revoked") => {
                        CloseReason::Revoked { by: self.closed_by.as_deref().map(email).transpose()?, note }
                    }
                    Some("expired") => CloseReason::Expired,
                    Some("done") => CloseReason::Done,
                    Some("replaced") => CloseReason::Replaced { by: PetitionName::new(note) },
                    _ => return Err(fault()),
                };
                PetitionState::Closed { at: instant(TABLE, at)?, why, granted }
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
            labels: self.labels.0,
            resource: self.resource.map(|resource| resource.0),
            extends: self.extends.map(|of| Extension {
                of: PetitionName::new(of),
                pre_approved: self.pre_approved_us.map(SignedDuration::from_micros),
            }),
            opened_at: instant(TABLE, self.opened_us)?,
            pending_until: instant(TABLE, self.pending_until_us)?,
            escalation: match (self.escalated_us, self.escalate_us) {
                (Some(at), _) => Some(Escalation::Done(instant(TABLE, at)?)),
                (None, Some(at)) => Some(Escalation::Planned(instant(TABLE, at)?)),
                (None, None) => None,
            },
            state,
            version: self.version,
            name: PetitionName::new(self.name),
        })
    }
}

#[derive(FromRow)]
pub(super) struct ClaimRow {
    id: String,
    petition: String,
    kind: String,
    maker: String,
    maker_slack: Option<String>,
    maker_name: String,
    note: String,
    at_us: i64,
    length_us: Option<i64>,
    delegate: Option<String>,
    labels: Json<Labels>,
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
            delegate: self.delegate.as_deref().map(Email::parse).transpose().map_err(|_| fault())?,
            note: self.note.clone(),
            length: self.length_us.map(SignedDuration::from_micros),
            labels: self.labels.0,
            at: instant("claims", self.at_us)?,
            id: ClaimId::new(self.id),
        })
    }
}

pub(super) fn claims(rows: Vec<ClaimRow>) -> Result<Vec<Claim>, StoreError> {
    rows.into_iter().map(ClaimRow::decode).collect()
}

impl Store {
    pub async fn petition(&self, name: &PetitionName) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> =
            reading!(self, FIND, |sql, pool| { sqlx::query_as(sql).bind(name.as_str()).fetch_optional(pool).await })?;
        row.map(PetitionRow::decode).transpose()
    }

    /// What somebody asked for and is over, or was refused, newest first.
    pub async fn recent_of(&self, person: &Email, limit: i64) -> Result<Vec<Petition>, StoreError> {
        let rows: Vec<PetitionRow> = reading!(self, RECENT_OF, |sql, pool| {
            sqlx::query_as(sql).bind(person.as_str()).bind(limit).fetch_all(pool).await
        })?;
        rows.into_iter().map(PetitionRow::decode).collect()
    }

    /// The extension of a petition that waits for its reviewers.
    pub async fn open_extension(&self, of: &PetitionName, now: Timestamp) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> = reading!(self, EXTENDING, |sql, pool| {
            sqlx::query_as(sql).bind(of.as_str()).bind(now.as_microsecond()).fetch_optional(pool).await
        })?;
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

    /// Open petitions that are to be escalated by now, the longest due first.
    pub async fn petitions_to_escalate(&self, now: Timestamp, limit: i64) -> Result<Vec<PetitionName>, StoreError> {
        let names: Vec<String> = reading!(self, TO_ESCALATE, |sql, pool| {
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

    /// The extension of a petition that waits for its reviewers.
    pub async fn open_extension(&mut self, of: &PetitionName, now: Timestamp) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> = within!(self, EXTENDING, |sql, conn| {
            sqlx::query_as(sql).bind(of.as_str()).bind(now.as_microsecond()).fetch_optional(conn).await
        })?;
        row.map(PetitionRow::decode).transpose()
    }

    /// The petition that this filer has opened under a key of their own.
    pub async fn petition_by_key(&mut self, filed_by: &Email, key: &str) -> Result<Option<Petition>, StoreError> {
        let row: Option<PetitionRow> = within!(self, BY_KEY, |sql, conn| {
            sqlx::query_as(sql).bind(filed_by.as_str()).bind(key).fetch_optional(conn).await
        })?;
        row.map(PetitionRow::decode).transpose()
    }

    pub async fn set_petition_labels(&mut self, name: &PetitionName, labels: &Labels) -> Result<(), StoreError> {
        self.changed.insert(name.clone());
        within!(self, SET_LABELS, |sql, conn| {
            sqlx::query(sql).bind(name.as_str()).bind(Json(labels)).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    }

    /// `same_key` folds person and words, for [`Tx::same_petition`]; a second petition of one filer under the same
    /// `client_key` is `Conflict`.
    pub async fn insert_petition(
        &mut self,
        petition: &Petition,
        same_key: &str,
        client_key: Option<&str>,
    ) -> Result<(), StoreError> {
        let (closed, reason, note) = match &petition.state {
            PetitionState::Open => (None, None, None),
            PetitionState::Closed { at, why: why @ CloseReason::Refused { because }, granted: None } => {
                (Some(at.as_microsecond()), Some(why.word()), Some(because.as_str()))
            }
            PetitionState::Granted { .. } | PetitionState::Closed { .. } => {
                return Err(StoreError::Inconsistent { table: TABLE, key: petition.name.to_string() });
            }
        };
        self.touch_homes_of_petition(&petition.name, petition.opened_at);
        let extends = petition.extends.as_ref();
        let pre_approved = extends.and_then(|extends| extends.pre_approved);
        let escalate = match (&petition.state, petition.escalation) {
            (PetitionState::Open, Some(Escalation::Planned(at))) => Some(at.as_microsecond()),
            _ => None,
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
                .bind(Json(&petition.labels))
                .bind(petition.resource.as_ref().map(Json))
                .bind(client_key)
                .bind(extends.map(|extends| extends.of.as_str()))
                .bind(pre_approved.map(|moved| moved.as_micros() as i64))
                .bind(escalate)
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// Writes when a petition that this transaction holds was escalated; `None`: it will not be.
    pub async fn set_escalated(&mut self, name: &PetitionName, at: Option<Timestamp>) -> Result<(), StoreError> {
        self.changed.insert(name.clone());
        within!(self, ESCALATED, |sql, conn| {
            let at = at.map(Timestamp::as_microsecond);
            sqlx::query(sql).bind(name.as_str()).bind(at).execute(conn).await.map(|_| ())
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
                    CloseReason::Denied { by, note: text } | CloseReason::Dismissed { by, note: text } => {
                        closed_by = Some(by.as_str());
                        note = Some(text.as_str());
                    }
                    CloseReason::Revoked { by, note: text } => {
                        closed_by = by.as_ref().map(Email::as_str);
                        note = Some(text.as_str());
                    }
                    CloseReason::Refused { because } => note = Some(because.as_str()),
                    CloseReason::Replaced { by } => note = Some(by.as_str()),
                    CloseReason::Withdrawn | CloseReason::Undecided | CloseReason::Expired | CloseReason::Done => {}
                }
            }
        }
        self.changed.insert(name.clone());
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
        self.changed.insert(claim.petition.clone());
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
                .bind(claim.length.map(|length| length.as_micros() as i64))
                .bind(claim.delegate.as_ref().map(Email::as_str))
                .bind(Json(&claim.labels))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
