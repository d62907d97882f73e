//! A lease or a petition ends before its time: its holder is done, its petitioner withdraws, a reviewer revokes.
//!
//! An accepted end denies at once: the lease is over in the same transaction, whatever the provisioners do (I3).

use jiff::Timestamp;
use serde_json::json;

use super::{Actor, Error, Review, Reviewed, Workflow, follow_access::Cause, review_petition::petition_facts, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        id::PetitionName,
        lease::{EndCause, Lease},
        petition::{ClaimKind, CloseReason, Petition, PetitionState},
    },
    policy,
    store::{Purpose, Tx},
};

impl Workflow {
    /// The holder gives the access back.
    pub async fn give_back(
        &self,
        name: &PetitionName,
        actor: &Actor,
        signature: Option<&str>,
        via: Via,
    ) -> Result<Petition, Error> {
        settle(|| async {
            let now = self.now();
            let (mut tx, petition) = self.load_own(name, actor, signature, now).await?;
            if !matches!(petition.state, PetitionState::Granted { .. }) {
                return Err(Error::WrongState(Box::new(petition)));
            }
            let cause = Cause { actor: actor.facts.email.as_str(), reason: "done", via };
            let mut entries = Vec::new();
            let petition = self.close_granted(&mut tx, petition, CloseReason::Done, now, &cause, &mut entries).await?;
            tx.commit(&entries).await?;
            Ok(petition)
        })
        .await
    }

    /// The petitioner takes an open petition back.
    pub async fn withdraw(
        &self,
        name: &PetitionName,
        actor: &Actor,
        signature: Option<&str>,
        via: Via,
    ) -> Result<Petition, Error> {
        settle(|| async {
            let now = self.now();
            let (mut tx, petition) = self.load_own(name, actor, signature, now).await?;
            let cause = Cause { actor: actor.facts.email.as_str(), reason: "withdrawn", via };
            let mut entries = Vec::new();
            let petition =
                self.close_open(&mut tx, petition, CloseReason::Withdrawn, now, &cause, &mut entries).await?;
            tx.commit(&entries).await?;
            Ok(petition)
        })
        .await
    }

    /// A reviewer takes a granted access away.
    pub async fn revoke(&self, review: &Review) -> Result<Reviewed, Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let (petition, labels) = self.load_for_review(&mut tx, review, now).await?;
            if !matches!(petition.state, PetitionState::Granted { .. }) {
                return Err(Error::WrongState(Box::new(petition)));
            }
            let facts = petition_facts(&petition, labels.as_ref());
            let maker = &review.maker.facts;
            // Who approved it may take it back, even when the rule is gone or names others by now: when in doubt, no.
            let approved = matches!(&petition.state, PetitionState::Granted { by, .. } if by.contains(&maker.email));
            if !(approved && maker.full_member) {
                policy::may_review(&self.policy, &facts, maker, ClaimKind::Revoke)
                    .map_err(|why| Error::Forbidden(why.to_string()))?;
            }
            let mut entries = Vec::new();
            self.make_claim(&mut tx, review, ClaimKind::Revoke, now, &mut entries).await?;
            let by = review.maker.facts.email.clone();
            let cause = Cause { actor: by.as_str(), reason: "revoked", via: review.via };
            let why = CloseReason::Revoked { by: Some(by.clone()), note: review.note.clone() };
            let petition = self.close_granted(&mut tx, petition, why, now, &cause, &mut entries).await?;
            self.tell_petitioner(&mut tx, &petition, Purpose::NewsEnded, now).await?;
            tx.commit(&entries).await?;
            Ok(Reviewed::Closed(petition))
        })
        .await
    }

    /// Loads and holds a petition for its petitioner, and for nobody else.
    async fn load_own(
        &self,
        name: &PetitionName,
        actor: &Actor,
        signature: Option<&str>,
        now: Timestamp,
    ) -> Result<(Tx, Petition), Error> {
        let mut tx = self.store.begin().await?;
        self.note_request(&mut tx, signature, now, name).await?;
        let petition = tx.lock_petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?.at(now);
        if petition.petitioner.email != actor.facts.email {
            return Err(Error::Forbidden(format!("only {} can do that", petition.petitioner.name)));
        }
        Ok((tx, petition))
    }

    /// Closes a held petition that nobody granted.
    pub(super) async fn close_open(
        &self,
        tx: &mut Tx,
        mut petition: Petition,
        why: CloseReason,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let event = match &why {
            CloseReason::Denied { .. } => AuditEvent::PetitionDenied,
            CloseReason::Withdrawn => AuditEvent::PetitionWithdrawn,
            CloseReason::Undecided => AuditEvent::PetitionUndecided,
            CloseReason::Refused { .. } | CloseReason::Revoked { .. } | CloseReason::Expired | CloseReason::Done => {
                AuditEvent::PetitionClosed
            }
        };
        let (word, note) = (why.word(), note_of(&why));
        petition.state = petition
            .state
            .clone()
            .close_undecided(now, why)
            .map_err(|_| Error::WrongState(Box::new(petition.clone())))?;
        tx.set_petition_state(&petition.name, &petition.state).await?;
        tx.touch_messages(&petition.name, now).await?;
        entries.push(
            AuditEntry::new(now, event, cause.actor, cause.via)
                .petition(petition.name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
                .details(json!({ "why": word, "note": note })),
        );
        Ok(petition)
    }

    /// Ends the lease of a held, granted petition, closes the petition, and lets the access follow.
    pub(super) async fn close_granted(
        &self,
        tx: &mut Tx,
        mut petition: Petition,
        why: CloseReason,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let end = match &why {
            CloseReason::Done => EndCause::Done,
            CloseReason::Expired => EndCause::Expired,
            CloseReason::Revoked { .. }
            | CloseReason::Refused { .. }
            | CloseReason::Denied { .. }
            | CloseReason::Withdrawn
            | CloseReason::Undecided => EndCause::Revoked,
        };
        let (word, note) = (why.word(), note_of(&why));
        petition.state = petition
            .state
            .clone()
            .close_granted(now, why)
            .map_err(|_| Error::WrongState(Box::new(petition.clone())))?;
        tx.set_petition_state(&petition.name, &petition.state).await?;
        entries.push(
            AuditEntry::new(now, AuditEvent::PetitionClosed, cause.actor, cause.via)
                .petition(petition.name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
                .details(json!({ "why": word, "note": note })),
        );
        if let Some(lease) = tx.lease_of(&petition.name).await? {
            self.end_held_lease(tx, &lease, end, now, cause, entries).await?;
        }
        // After the deliveries, as whoever records one takes the rows in that order too.
        tx.touch_messages(&petition.name, now).await?;
        Ok(petition)
    }

    /// Holds the access of a lease, ends the lease, and lets the access follow. Nothing when it was ended before.
    pub(super) async fn end_held_lease(
        &self,
        tx: &mut Tx,
        lease: &Lease,
        end: EndCause,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<(), Error> {
        let access = self.hold_access(tx, &lease.holding, now).await?;
        if !tx.end_lease(&lease.id, now, end).await? {
            return Ok(());
        }
        entries.push(
            AuditEntry::new(now, AuditEvent::LeaseEnded, cause.actor, cause.via)
                .petition(&lease.petition)
                .about(&lease.holding.person, &lease.holding.customer)
                .details(json!({ "lease": lease.id.as_str(), "why": end.word(), "role": lease.holding.role })),
        );
        self.follow_access(tx, &access, now, cause, entries).await
    }
}

fn note_of(why: &CloseReason) -> String {
    match why {
        CloseReason::Denied { note, .. } | CloseReason::Revoked { note, .. } => note.clone(),
        CloseReason::Refused { because } => because.clone(),
        CloseReason::Withdrawn | CloseReason::Undecided | CloseReason::Expired | CloseReason::Done => String::new(),
    }
}

/// The worker acts for nobody.
pub(super) fn system(reason: &'static str) -> Cause<'static> {
    Cause { actor: crate::audit::SYSTEM, reason, via: Via::Worker }
}
