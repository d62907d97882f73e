//! What a look at a petition in its remote space shows, and what follows from it.

use jiff::Timestamp;

use super::{Error, Workflow, follow_remote::Word};
use crate::{
    audit::{AuditEntry, Via},
    domain::{
        person::Email,
        petition::{ClaimKind, CloseReason, Petition, PetitionState},
    },
    store::Tx,
};

/// A petition as its space shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub phase: Phase,
    /// What is understood of its history.
    pub events: Vec<SeenEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Open,
    Granted,
    /// Revoked, closed or deleted: over.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenEvent {
    pub kind: SeenKind,
    pub at: Timestamp,
    pub actor: String,
    pub reason: String,
    /// What its labels say; `None` for "until revoked".
    pub end: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenKind {
    Approve,
    Deny,
    Grant,
    Revoke,
}

impl Workflow {
    /// What a look has shown.
    pub(super) async fn follow_seen(
        &self,
        tx: &mut Tx,
        petition: Petition,
        seen: &Seen,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let last = |kinds: &[SeenKind]| {
            seen.events.iter().filter(|event| kinds.contains(&event.kind)).max_by_key(|event| event.at)
        };
        let unknown = SeenEvent {
            kind: SeenKind::Grant,
            at: now,
            actor: "outside".to_owned(),
            reason: String::new(),
            end: now.checked_add(petition.length).ok(),
        };
        let (said, kind) = match seen.phase {
            Phase::Open => return self.still_there(tx, petition, ClaimKind::Deny, now).await,
            Phase::Granted if matches!(petition.state, PetitionState::Closed { .. }) => {
                return self.still_there(tx, petition, ClaimKind::Revoke, now).await;
            }
            Phase::Granted => match last(&[SeenKind::Grant]) {
                Some(grant) => (grant, None),
                // It does not say since when: known already, or from now on.
                None if matches!(petition.state, PetitionState::Granted { .. }) => return Ok(petition),
                None => (last(&[SeenKind::Approve]).unwrap_or(&unknown), None),
            },
            Phase::Closed => {
                let end = last(&[SeenKind::Deny, SeenKind::Revoke]);
                let kind =
                    if end.is_some_and(|end| end.kind == SeenKind::Deny) { ClaimKind::Deny } else { ClaimKind::Revoke };
                (end.unwrap_or(&unknown), Some(kind))
            }
        };
        let approvals = seen.events.iter().filter(|event| event.kind == SeenKind::Approve);
        let word = Word {
            at: said.at,
            end: said.end,
            actor: &said.actor,
            reason: &said.reason,
            by: approvals.filter_map(|event| Email::parse(&event.actor).ok()).collect(),
            via: Via::Worker,
            sure: true,
        };
        match kind {
            None => self.remote_grants(tx, petition, &word, now, entries).await,
            Some(kind) => self.remote_closes(tx, petition, kind, &word, now, entries).await,
        }
    }

    /// A petition that is over here and not there: the space is told again, in its petitioner's name.
    async fn still_there(
        &self,
        tx: &mut Tx,
        petition: Petition,
        kind: ClaimKind,
        now: Timestamp,
    ) -> Result<Petition, Error> {
        let over = matches!(
            &petition.state,
            PetitionState::Closed { why, .. } if !matches!(why, CloseReason::Expired | CloseReason::Refused { .. })
        );
        if over && tx.calls_owed(&petition.name).await? == 0 {
            self.owe_end(tx, &petition, kind, "closed where it was asked for", now).await?;
        }
        Ok(petition)
    }
}
