//! Grant and revoke events from outside: the sender decided, we keep the leases that follow (DESIGN §11).
//!
//! What an event changes depends only on which events have been heard, not on their order, number or delay; see
//! [`crate::domain::standing`].

use jiff::Timestamp;
use serde_json::json;

use super::{Error, Workflow, follow_access::Cause, follow_remote::Followed, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        event::Wanted,
        id::{self, LeaseId, PetitionName, Role},
        lease::{EndCause, Holding, Lease},
        person::Email,
        petition::{CloseReason, Petition, PetitionState},
        standing::{Standing, Weighing, outweighs},
    },
    store::{Origin, Purpose, Tx},
};

/// One actionable event, read and checked by the edge.
#[derive(Clone, Debug)]
pub struct IncomingEvent {
    pub wanted: Wanted,
    /// `None` only for a revoke that names its petition, which is enough.
    pub holding: Option<Holding>,
    /// The event's own time; the signature's where it has none.
    pub at: Timestamp,
    /// The sender's end, `None` for "until revoked".
    pub end: Option<Timestamp>,
    pub petition: Option<String>,
    /// `latchkey/petition`: our own name of a petition that the sender decides.
    pub own_petition: Option<String>,
    /// `latchkey/version`.
    pub version: Option<i64>,
    pub actor: String,
    pub reason: String,
}

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The leases changed.
    Changed,
    /// It said nothing new: heard before, or outweighed by what was heard.
    Nothing,
    /// It would grant a petition of our own space, and only our own policy does that.
    OwnPetition,
}

impl Workflow {
    /// Applies one event in one transaction.
    pub async fn apply_event(&self, event: &IncomingEvent) -> Result<Applied, Error> {
        settle(|| self.try_apply_event(event)).await
    }

    async fn try_apply_event(&self, event: &IncomingEvent) -> Result<Applied, Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let mut entries = Vec::new();
        if let Some(petition) = &event.petition
            && let Some(own) = tx.lock_petition(&PetitionName::new(petition)).await?
        {
            if event.wanted == Wanted::Grant {
                return Ok(Applied::OwnPetition);
            }
            if matches!(own.state, PetitionState::Closed { .. }) {
                return Ok(Applied::Nothing);
            }
            self.revoke_own(&mut tx, own, event, now, &mut entries).await?;
            tx.commit(&entries).await?;
            return Ok(Applied::Changed);
        }
        let followed = match self.follow_event(&mut tx, event, now, &mut entries).await? {
            Followed::Ours => {
                tx.commit(&entries).await?;
                return Ok(if entries.is_empty() { Applied::Nothing } else { Applied::Changed });
            }
            Followed::NotOurs { changed } => changed,
        };
        let changed = match (event.version, &event.petition) {
            (Some(version), _) if event.holding.is_some() => {
                self.apply_version(&mut tx, event, version, now, &mut entries).await?
            }
            (_, Some(petition)) => self.apply_petition(&mut tx, event, petition, now, &mut entries).await?,
            (_, None) => self.apply_time(&mut tx, event, now, &mut entries).await?,
        };
        if !changed && !followed {
            return Ok(Applied::Nothing);
        }
        tx.commit(&entries).await?;
        Ok(Applied::Changed)
    }

    /// A revoke ends its petition for good, decided or not: taking away is always safe, whatever the version.
    async fn revoke_own(
        &self,
        tx: &mut Tx,
        own: Petition,
        event: &IncomingEvent,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<(), Error> {
        entries.push(received(event, now));
        let note = "revoked by a signed event from outside".to_owned();
        let why = CloseReason::Revoked { by: Email::parse(&event.actor).ok(), note };
        let cause = Cause { actor: &event.actor, reason: &event.reason, via: Via::Webhook };
        let own = if own.state == PetitionState::Open {
            self.close_open(tx, own, why, now, &cause, entries).await?
        } else {
            self.close_granted(tx, own, why, now, &cause, entries).await?
        };
        self.tell_petitioner(tx, &own, Purpose::NewsEnded, SYSTEM, now).await
    }

    /// Another Latchkey's access: its highest version stands.
    async fn apply_version(
        &self,
        tx: &mut Tx,
        event: &IncomingEvent,
        version: i64,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<bool, Error> {
        let Some(holding) = &event.holding else { return Ok(false) };
        let subject = version_subject(holding);
        self.weigh(tx, event, &subject, Weighing::ByVersion, version, now, entries).await
    }

    /// Known by its petition: a revoke ends it for good, even one that comes first.
    async fn apply_petition(
        &self,
        tx: &mut Tx,
        event: &IncomingEvent,
        petition: &str,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<bool, Error> {
        let (tomb, _) = tx.lock_standing(&format!("petition:{petition}")).await?;
        if tomb.as_ref().is_some_and(|tomb| tomb.revoked) {
            return Ok(false);
        }
        if event.wanted == Wanted::Grant {
            let Some(holding) = &event.holding else { return Ok(false) };
            let subject = format!("petition:{petition}\n{}", subject_of(holding));
            let rank = event.at.as_microsecond();
            return self.weigh(tx, event, &subject, Weighing::ByPetition, rank, now, entries).await;
        }
        let standing = Standing { rank: event.at.as_microsecond(), revoked: true, end: None };
        tx.set_standing(&format!("petition:{petition}"), &standing, None).await?;
        entries.push(received(event, now));
        let cause = Cause { actor: &event.actor, reason: &event.reason, via: Via::Webhook };
        let mut leases = tx.foreign_leases(petition).await?;
        // In the order in which expiry holds accesses, or the two would wait for each other.
        leases.sort_by(|a, b| (&a.holding, &a.id).cmp(&(&b.holding, &b.id)));
        for lease in leases {
            self.end_held_lease(tx, &lease, EndCause::Revoked, now, &cause, entries).await?;
        }
        Ok(true)
    }

    /// A plain Indent sender: the later event on the access stands.
    async fn apply_time(
        &self,
        tx: &mut Tx,
        event: &IncomingEvent,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<bool, Error> {
        let Some(holding) = &event.holding else { return Ok(false) };
        let subject = time_subject(holding);
        self.weigh(tx, event, &subject, Weighing::ByTime, event.at.as_microsecond(), now, entries).await
    }

    /// Weighs the event against what stands on the subject; if it is stronger, the subject's one lease follows it.
    #[allow(clippy::too_many_arguments)]
    async fn weigh(
        &self,
        tx: &mut Tx,
        event: &IncomingEvent,
        subject: &str,
        weighing: Weighing,
        rank: i64,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<bool, Error> {
        let (held, lease) = tx.lock_standing(subject).await?;
        let said = Standing { rank, revoked: event.wanted == Wanted::Revoke, end: event.end };
        if !outweighs(weighing, &said, held.as_ref()) {
            return Ok(false);
        }
        let cause = Cause { actor: &event.actor, reason: &event.reason, via: Via::Webhook };
        entries.push(received(event, now));
        let Some(holding) = &event.holding else { return Ok(false) };
        let access = self.hold_access(tx, holding, now).await?;
        let active = match &lease {
            Some(id) => tx.event_lease(id).await?.filter(|lease| lease.is_live(now)),
            None => None,
        };
        let lease = match event.wanted {
            Wanted::Revoke if weighing == Weighing::ByTime => {
                // It names nobody but person and customer, so it takes whatever was said before it.
                for active in tx.leases_said_until(&access.id, event.at).await? {
                    self.end_held_lease(tx, &active, EndCause::Revoked, now, &cause, entries).await?;
                }
                lease
            }
            Wanted::Revoke => {
                if let Some(active) = active {
                    self.end_held_lease(tx, &active, EndCause::Revoked, now, &cause, entries).await?;
                }
                lease
            }
            // A bare revoke has taken it since, and was only heard first.
            Wanted::Grant if weighing != Weighing::ByTime && revoked_since(tx, holding, event.at).await? => lease,
            // It is over already, and so is the lease whose end it would have moved.
            Wanted::Grant if event.end.is_some_and(|end| end <= now) => {
                if let Some(active) = active {
                    self.end_held_lease(tx, &active, EndCause::Expired, now, &cause, entries).await?;
                }
                lease
            }
            Wanted::Grant => {
                let lease = self.grant_from_outside(tx, event, holding, active, &access.id, now, entries).await?;
                self.follow_access(tx, &access, now, &cause, entries).await?;
                Some(lease)
            }
        };
        tx.set_standing(subject, &said, lease.as_ref()).await?;
        Ok(true)
    }

    /// Begins the lease of a grant whose end is yet to come, or moves the end of the one that stands.
    #[allow(clippy::too_many_arguments)]
    async fn grant_from_outside(
        &self,
        tx: &mut Tx,
        event: &IncomingEvent,
        holding: &Holding,
        active: Option<Lease>,
        access: &id::AccessId,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<LeaseId, Error> {
        // The end is always set, and never further than our own maximum from now.
        let furthest = now.saturating_add(self.policy.access.max_duration).unwrap_or(Timestamp::MAX);
        let expires_at = event.end.map_or(furthest, |end| end.min(furthest));
        let petition = event.petition.clone().unwrap_or_default();
        let entry = |kind, lease: &LeaseId| {
            AuditEntry::new(now, kind, event.actor.as_str(), Via::Webhook)
                .petition(&petition)
                .about(&holding.person, &holding.customer)
                .details(json!({
                    "lease": lease.as_str(), "role": holding.role, "expires_at": expires_at.to_string(),
                }))
        };
        if let Some(active) = active {
            tx.move_lease(&active.id, expires_at, &petition, event.at).await?;
            entries.push(entry(AuditEvent::LeaseMoved, &active.id));
            return Ok(active.id);
        }
        let lease = Lease {
            id: id::lease_id(now, self.entropy.as_ref()),
            access: access.clone(),
            petition: petition.clone(),
            holding: holding.clone(),
            starts_at: now,
            expires_at,
            // Whoever granted it warns its holder.
            warn_at: None,
            ended: None,
        };
        tx.insert_lease(&lease, Origin::Event { said_at: event.at }).await?;
        entries.push(entry(AuditEvent::LeaseBegan, &lease.id));
        Ok(lease.id)
    }
}

/// Whether a bare revoke on this access is as late as `at` or later.
pub(super) async fn revoked_since(tx: &mut Tx, holding: &Holding, at: Timestamp) -> Result<bool, Error> {
    let standing = tx.standing(&time_subject(holding)).await?;
    Ok(standing.is_some_and(|standing| standing.revoked && standing.rank >= at.as_microsecond()))
}

pub(super) fn received(event: &IncomingEvent, now: Timestamp) -> AuditEntry {
    let mut entry = AuditEntry::new(now, AuditEvent::EventReceived, event.actor.as_str(), Via::Webhook)
        .details(json!({
            "event": format!("access/{}", event.wanted.word()), "event_at": event.at.to_string(),
            "end": event.end.map(|end| end.to_string()), "version": event.version, "role": event.holding.as_ref().map(|holding| &holding.role),
            "reason": event.reason,
        }));
    entry.petition = event.petition.clone();
    match &event.holding {
        Some(holding) => entry.about(&holding.person, &holding.customer),
        None => entry,
    }
}

/// Where versions of an access are weighed.
pub(super) fn version_subject(holding: &Holding) -> String {
    format!("version:{}", subject_of(holding))
}

/// Where bare events on an access are weighed.
fn time_subject(holding: &Holding) -> String {
    format!("time:{}", subject_of(holding))
}

/// Separated by a character that e-mails, ids and roles do not hold.
fn subject_of(holding: &Holding) -> String {
    let role = holding.role.as_ref().map_or("", Role::as_str);
    format!("{}\n{}\n{role}", holding.person, holding.customer)
}
