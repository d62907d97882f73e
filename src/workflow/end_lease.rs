//! A lease or a petition ends before its time: its holder is done, its petitioner withdraws, a reviewer revokes.
//!
//! An accepted end denies at once: the lease is over in the same transaction, whatever the provisioners do (I3).

use jiff::Timestamp;
use serde_json::json;

use super::{Error, Review, Reviewed, Workflow, follow_access::Cause, review_petition::petition_facts, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        id::PetitionName,
        lease::{EndCause, Lease},
        person::Email,
        petition::{ClaimKind, CloseReason, Petition, PetitionState},
    },
    policy,
    store::{Purpose, Told, Tx},
};

impl Workflow {
    /// The holder gives the access back.
    pub async fn give_back(&self, review: &Review) -> Result<Petition, Error> {
        settle(|| async {
            let now = self.now();
            let (mut tx, petition) = self.load_own(review, now).await?;
            if !matches!(petition.state, PetitionState::Granted { .. }) {
                return Err(Error::WrongState(Box::new(petition)));
            }
            let cause = Cause { actor: review.maker.facts.email.as_str(), reason: "done", via: review.via };
            let mut entries = Vec::new();
            self.make_claim(&mut tx, review, ClaimKind::Revoke, now, &mut entries).await?;
            let petition = self.close_granted(&mut tx, petition, CloseReason::Done, now, &cause, &mut entries).await?;
            tx.commit(&entries).await?;
            Ok(petition)
        })
        .await
    }

    /// The petitioner takes an open petition back.
    pub async fn withdraw(&self, review: &Review) -> Result<Petition, Error> {
        settle(|| async {
            let now = self.now();
            let (mut tx, petition) = self.load_own(review, now).await?;
            if petition.state != PetitionState::Open {
                return Err(Error::WrongState(Box::new(petition)));
            }
            let cause = Cause { actor: review.maker.facts.email.as_str(), reason: "withdrawn", via: review.via };
            let mut entries = Vec::new();
            self.make_claim(&mut tx, review, ClaimKind::Deny, now, &mut entries).await?;
            let petition =
                self.close_open(&mut tx, petition, CloseReason::Withdrawn, now, &cause, &mut entries).await?;
            tx.commit(&entries).await?;
            Ok(petition)
        })
        .await
    }

    /// An administrator closes a petition, decided or not: what it gave is taken away, nothing is given.
    pub async fn dismiss(&self, name: &PetitionName, by: &Email, note: &str, via: Via) -> Result<Petition, Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let found = tx.lock_petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
            let petition = found.at(now);
            let cause = Cause { actor: by.as_str(), reason: "closed by an administrator", via };
            let (by, note) = (by.clone(), note.to_owned());
            let mut entries = Vec::new();
            let (petition, news, kind) = match &petition.state {
                PetitionState::Open => {
                    let why = CloseReason::Dismissed { by, note };
                    (
                        self.close_open(&mut tx, petition, why, now, &cause, &mut entries).await?,
                        Purpose::NewsDecided,
                        ClaimKind::Deny,
                    )
                }
                PetitionState::Granted { .. } => {
                    let why = CloseReason::Revoked { by: Some(by), note };
                    (
                        self.close_granted(&mut tx, petition, why, now, &cause, &mut entries).await?,
                        Purpose::NewsEnded,
                        ClaimKind::Revoke,
                    )
                }
                PetitionState::Closed { .. } => return Ok(petition),
            };
            self.owe_end(&mut tx, &petition, kind, "closed by an administrator", now).await?;
            self.tell_petitioner(&mut tx, &petition, news, cause.actor, now).await?;
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
            self.tell_petitioner(&mut tx, &petition, Purpose::NewsEnded, by.as_str(), now).await?;
            tx.commit(&entries).await?;
            Ok(Reviewed::Closed(petition))
        })
        .await
    }

    /// Loads and holds a petition for whom it is for, and for nobody else.
    async fn load_own(&self, review: &Review, now: Timestamp) -> Result<(Tx, Petition), Error> {
        let (mut tx, name) = (self.store.begin().await?, &review.petition);
        self.note_request(&mut tx, review.signature.as_deref(), now, name).await?;
        let petition = tx.lock_petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?.at(now);
        if petition.petitioner.email != review.maker.facts.email {
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
            CloseReason::Dismissed { .. } => AuditEvent::PetitionDismissed,
            CloseReason::Undecided => AuditEvent::PetitionUndecided,
            CloseReason::Refused { .. }
            | CloseReason::Revoked { .. }
            | CloseReason::Replaced { .. }
            | CloseReason::Expired
            | CloseReason::Done => AuditEvent::PetitionClosed,
        };
        let (word, note) = (why.word(), note_of(&why));
        petition.state = petition
            .state
            .clone()
            .close_undecided(now, why)
            .map_err(|_| Error::WrongState(Box::new(petition.clone())))?;
        tx.set_petition_state(&petition.name, &petition.state).await?;
        tx.touch_messages(&petition.name, now).await?;
        self.tell_thread(tx, &petition, &Told::Closed, now).await?;
        entries.push(
            AuditEntry::new(now, event, cause.actor, cause.via)
                .petition(petition.name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
                .details(json!({ "why": word, "note": note })),
        );
        self.touch_reviewers(tx, &petition, now);
        self.tell_linked(tx, &petition, now, cause, entries).await?;
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
            CloseReason::Replaced { .. } => EndCause::Replaced,
            CloseReason::Revoked { .. }
            | CloseReason::Refused { .. }
            | CloseReason::Denied { .. }
            | CloseReason::Withdrawn
            | CloseReason::Dismissed { .. }
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
        self.tell_linked(tx, &petition, now, cause, entries).await?;
        self.tell_thread(tx, &petition, &Told::Closed, now).await?;
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
        CloseReason::Denied { note, .. } | CloseReason::Dismissed { note, .. } | CloseReason::Revoked { note, .. } => {
            note.clone()
        }
        CloseReason::Refused { because } => because.clone(),
        CloseReason::Replaced { by } => by.to_string(),
        CloseReason::Withdrawn | CloseReason::Undecided | CloseReason::Expired | CloseReason::Done => String::new(),
    }
}

/// The worker acts for nobody.
pub(super) fn system(reason: &'static str) -> Cause<'static> {
    Cause { actor: crate::audit::SYSTEM, reason, via: Via::Worker }
}
