//! What a remote space decided about our petitions comes back: by its events, and by looks at it when those are lost.
//!
//! The space's word on one petition is weighed as any word from outside ([`crate::domain::standing`]): a revoke is final,
//! of two grants the later counts. A petition that was closed here stays closed, whatever the space says later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::{Error, IncomingEvent, Workflow, apply_event, follow_access::Cause};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        event::Wanted,
        id::{self, PetitionName},
        lease::{EndCause, Holding, Lease},
        person::Email,
        petition::{ClaimKind, CloseReason, Petition, PetitionState},
        standing::{Standing, Weighing, outweighs},
    },
    store::{Origin, Purpose, Told, Tx},
};

/// One word of the space on one petition.
pub(super) struct Word<'a> {
    pub at: Timestamp,
    pub end: Option<Timestamp>,
    pub actor: &'a str,
    pub reason: &'a str,
    /// Who approved, as far as it is known.
    pub by: Vec<Email>,
    pub via: Via,
    /// It tells how the petition stands now, not how it stood once.
    pub sure: bool,
}

/// What came of an event for the petitions that a remote space decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// It was about one of them, and that is all it was about.
    Ours,
    /// It may make a lease of its own; some of theirs may have changed with it.
    NotOurs { changed: bool },
}

impl Workflow {
    /// Applies an event to the petitions that a remote space decides: to the one that it names, and where it tells the
    /// end of the whole access, to all of that access.
    pub(super) async fn follow_event(
        &self,
        tx: &mut Tx,
        event: &IncomingEvent,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Followed, Error> {
        let named = self.named_by(tx, event).await?;
        // A version, or no petition at all, speaks of the whole access.
        let whole = event.version.is_some() || event.petition.is_none();
        let mut names = match &event.holding {
            Some(holding) if whole => tx.granted_remotely(holding).await?,
            Some(_) | None => Vec::new(),
        };
        names.extend(named.clone());
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(Followed::NotOurs { changed: false });
        }
        let mut held = BTreeMap::new();
        for name in names {
            if let Some(petition) = tx.lock_petition(&name).await? {
                held.insert(name, petition);
            }
        }
        let own = named.and_then(|name| held.remove(&name));
        let newest = self.newest(tx, event, own.is_some()).await?;
        let before = entries.len();
        if newest.is_some() {
            for other in held.into_values() {
                self.bound(tx, other, event, now, entries).await?;
            }
        }
        let Some(own) = own else {
            return Ok(Followed::NotOurs { changed: entries.len() > before });
        };
        let word = Word::of(event);
        match event.wanted {
            // A newer event has said how far the access reaches; a look will tell about this petition.
            Wanted::Grant if newest.is_none() => {}
            Wanted::Grant if event.holding.as_ref().is_some_and(|holding| !same_subject(holding, &own)) => {
                tracing::warn!(petition = %own.name, "an event grants a petition of ours to somebody or for something else");
                return Ok(Followed::Ours);
            }
            Wanted::Grant => {
                self.remote_grants(tx, own, &word, now, entries).await?;
            }
            // Whatever its version: the petition that it names is over.
            Wanted::Revoke => {
                self.remote_closes(tx, own, ClaimKind::Revoke, &word, now, entries).await?;
            }
        }
        // After the petition's own lease has begun, so that there is no gap.
        if let Some(foreign) = newest.flatten() {
            self.end_held_lease(tx, &foreign, EndCause::Revoked, now, &word.cause(), entries).await?;
        }
        if entries.len() > before {
            entries.insert(before, apply_event::received(event, now));
        }
        Ok(Followed::Ours)
    }

    /// The petition of ours that an event means: by the name that the space gave it, or by ours while the space's answer
    /// has not come.
    async fn named_by(&self, tx: &mut Tx, event: &IncomingEvent) -> Result<Option<PetitionName>, Error> {
        if let Some(name) = &event.petition
            && let Some(own) = tx.petition_called(name).await?
        {
            return Ok(Some(own));
        }
        let Some(own) = &event.own_petition else { return Ok(None) };
        let own = PetitionName::new(own);
        let stream = tx.remote_stream(&own).await?;
        Ok(stream.filter(|stream| stream.remote_name.is_none()).map(|_| own))
    }

    /// Weighs a versioned event on its access. `None`: a newer one was heard. With `own`, a petition of ours takes the
    /// word over; then the lease comes along that an earlier event made without one.
    async fn newest(&self, tx: &mut Tx, event: &IncomingEvent, own: bool) -> Result<Option<Option<Lease>>, Error> {
        let (Some(holding), Some(version)) = (&event.holding, event.version) else { return Ok(Some(None)) };
        let subject = apply_event::version_subject(holding);
        let (known, lease) = tx.lock_standing(&subject).await?;
        let said = Standing { rank: version, revoked: event.wanted == Wanted::Revoke, end: event.end };
        if !outweighs(Weighing::ByVersion, &said, known.as_ref()) {
            return Ok(None);
        }
        if !own {
            return Ok(Some(None));
        }
        tx.set_standing(&subject, &said, None).await?;
        Ok(Some(match lease {
            Some(id) => tx.event_lease(&id).await?,
            None => None,
        }))
    }

    /// An event that speaks of the whole access bounds what another petition of ours gives of it, where it was granted
    /// before. Whether anything changed.
    async fn bound(
        &self,
        tx: &mut Tx,
        petition: Petition,
        event: &IncomingEvent,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<bool, Error> {
        let Some(lease) = tx.lease_of(&petition.name).await? else { return Ok(false) };
        if tx.said_of(&lease.id).await?.is_none_or(|said| said > event.at) {
            return Ok(false);
        }
        let word = Word::of(event);
        match (event.wanted, event.version, event.end) {
            (Wanted::Revoke, ..) => {
                self.remote_closes(tx, petition, ClaimKind::Revoke, &word, now, entries).await?;
            }
            (Wanted::Grant, Some(_), Some(end)) if end <= now => {
                self.remote_closes(tx, petition, ClaimKind::Revoke, &word, now, entries).await?;
            }
            (Wanted::Grant, Some(_), Some(end)) if end < lease.expires_at => {
                self.move_end(tx, petition, &lease, end, &word, now, entries).await?;
            }
            (Wanted::Grant, ..) => return Ok(false),
        }
        Ok(true)
    }

    /// The space calls a held petition so. What its events did before that was known becomes the petition's.
    pub(super) async fn remote_named(
        &self,
        tx: &mut Tx,
        petition: Petition,
        name: &str,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let over = tx.standing(&format!("petition:{name}")).await?.is_some_and(|standing| standing.revoked);
        let petition = self.adopt(tx, petition, name, now, entries).await?;
        if !over {
            return Ok(petition);
        }
        let word = Word {
            at: now,
            end: None,
            actor: "outside",
            reason: "revoked by a signed event of its space",
            by: Vec::new(),
            via: Via::Worker,
            sure: true,
        };
        self.remote_closes(tx, petition, ClaimKind::Revoke, &word, now, entries).await
    }

    /// Leases that events made under the petition's name there: one becomes the petition's own where it has none, the
    /// others end, as nothing may be held twice.
    async fn adopt(
        &self,
        tx: &mut Tx,
        mut petition: Petition,
        name: &str,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let holding = holding_of(&petition);
        self.hold_access(tx, &holding, now).await?;
        let cause = Cause { actor: "outside", reason: "granted by its space", via: Via::Worker };
        for lease in tx.foreign_leases(name).await? {
            let fits = lease.holding == holding && lease.is_live(now);
            // One that goes on beyond the moment until which it was asked for is none that this petition may keep.
            let fits = fits && no_later_than_asked(&petition, lease.expires_at) == lease.expires_at;
            match petition.state.clone().grant(Vec::new(), lease.starts_at, lease.expires_at) {
                Ok(granted) if fits && petition.pending_until > now => {
                    let said = tx.said_of(&lease.id).await?.unwrap_or(lease.starts_at);
                    tx.adopt_lease(&lease.id, &petition.name, self.warn_at(lease.starts_at, lease.expires_at)).await?;
                    let subject = subject_of(&petition);
                    tx.lock_standing(&subject).await?;
                    let standing =
                        Standing { rank: said.as_microsecond(), revoked: false, end: Some(lease.expires_at) };
                    tx.set_standing(&subject, &standing, None).await?;
                    petition.state = granted;
                    tx.set_petition_state(&petition.name, &petition.state).await?;
                    entries.push(granted_entry(&petition, lease.expires_at, now, &cause));
                    self.tell_thread(tx, &petition, &Told::Granted, now).await?;
                    self.tell_petitioner(tx, &petition, Purpose::NewsDecided, SYSTEM, now).await?;
                }
                Ok(_) | Err(_) => self.end_held_lease(tx, &lease, EndCause::Revoked, now, &cause, entries).await?,
            }
        }
        Ok(petition)
    }

    /// The space granted a held petition, or gave its grant another end.
    pub(super) async fn remote_grants(
        &self,
        tx: &mut Tx,
        petition: Petition,
        word: &Word<'_>,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let subject = subject_of(&petition);
        let (known, _) = tx.lock_standing(&subject).await?;
        let said = Standing { rank: word.at.as_microsecond(), revoked: false, end: word.end };
        if !outweighs(Weighing::ByPetition, &said, known.as_ref()) {
            return Ok(petition);
        }
        tx.set_standing(&subject, &said, None).await?;
        let mut petition = petition.at(now);
        if matches!(petition.state, PetitionState::Closed { .. }) {
            // Closed here is closed; the next look sees to it that the space hears so.
            tx.wake_remote(&petition.name, now).await?;
            return Ok(petition);
        }
        let holding = holding_of(&petition);
        let access = self.hold_access(tx, &holding, now).await?;
        if !word.sure && apply_event::revoked_since(tx, &holding, word.at).await? {
            return Ok(petition);
        }
        // The end is always set, and never further than our own maximum, from whenever it was said or is heard.
        let furthest = word.at.min(now).saturating_add(self.policy.access.max_duration).unwrap_or(Timestamp::MAX);
        let until = word.end.map_or(furthest, |end| end.min(furthest));
        let until = no_later_than_asked(&petition, until);
        if until <= now {
            return self.remote_over(tx, petition, CloseReason::Expired, word, now, entries).await;
        }
        if let Some(lease) = tx.lease_of(&petition.name).await? {
            return self.move_end(tx, petition, &lease, until, word, now, entries).await;
        }
        let Ok(granted) = petition.state.clone().grant(word.by.clone(), now, until) else { return Ok(petition) };
        petition.state = granted;
        tx.set_petition_state(&petition.name, &petition.state).await?;
        let cause = word.cause();
        entries.push(granted_entry(&petition, until, now, &cause));
        let lease = Lease {
            id: id::lease_id(now, self.entropy.as_ref()),
            access: access.id.clone(),
            petition: petition.name.to_string(),
            holding,
            starts_at: now,
            expires_at: until,
            warn_at: self.warn_at(now, until),
            ended: None,
        };
        tx.insert_lease(&lease, Origin::Remote { said_at: word.at }).await?;
        entries.push(lease_entry(AuditEvent::LeaseBegan, &lease, until, now, &cause));
        self.touch_reviewers(tx, &petition, now);
        self.end_replaced(tx, &petition, now, &cause, entries).await?;
        self.follow_access(tx, &access, now, &cause, entries).await?;
        if let Some(name) = tx.remote_stream(&petition.name).await?.and_then(|stream| stream.remote_name) {
            petition = self.adopt(tx, petition, &name, now, entries).await?;
        }
        tx.touch_messages(&petition.name, now).await?;
        self.tell_thread(tx, &petition, &Told::Granted, now).await?;
        self.tell_petitioner(tx, &petition, Purpose::NewsDecided, SYSTEM, now).await?;
        Ok(petition)
    }

    /// Another end for the lease of a granted petition.
    #[allow(clippy::too_many_arguments)]
    async fn move_end(
        &self,
        tx: &mut Tx,
        mut petition: Petition,
        lease: &Lease,
        until: Timestamp,
        word: &Word<'_>,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let access = self.hold_access(tx, &lease.holding, now).await?;
        tx.move_lease(&lease.id, until, petition.name.as_str(), word.at).await?;
        if until == lease.expires_at {
            return Ok(petition);
        }
        if let PetitionState::Granted { until: end, .. } = &mut petition.state {
            *end = until;
        }
        tx.set_petition_state(&petition.name, &petition.state).await?;
        let cause = word.cause();
        entries.push(lease_entry(AuditEvent::LeaseMoved, lease, until, now, &cause));
        self.follow_access(tx, &access, now, &cause, entries).await?;
        tx.touch_messages(&petition.name, now).await?;
        self.tell_thread(tx, &petition, &Told::Moved(until), now).await?;
        Ok(petition)
    }

    /// The space closed a held petition, for good.
    pub(super) async fn remote_closes(
        &self,
        tx: &mut Tx,
        petition: Petition,
        kind: ClaimKind,
        word: &Word<'_>,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let subject = subject_of(&petition);
        tx.lock_standing(&subject).await?;
        let said = Standing { rank: word.at.as_microsecond(), revoked: true, end: None };
        tx.set_standing(&subject, &said, None).await?;
        let by = Email::parse(word.actor).ok();
        let own = by.as_ref() == Some(&petition.petitioner.email);
        let note = word.reason.to_owned();
        let why = match (&petition.state, kind, by) {
            (PetitionState::Open, ClaimKind::Deny, Some(_)) if own => CloseReason::Withdrawn,
            (PetitionState::Open, ClaimKind::Deny, Some(by)) => CloseReason::Denied { by, note },
            (PetitionState::Granted { .. }, ..) if note.eq_ignore_ascii_case("expired") => CloseReason::Expired,
            (PetitionState::Granted { .. }, ..) if own => CloseReason::Done,
            (_, _, by) => CloseReason::Revoked { by, note },
        };
        self.remote_over(tx, petition, why, word, now, entries).await
    }

    async fn remote_over(
        &self,
        tx: &mut Tx,
        petition: Petition,
        why: CloseReason,
        word: &Word<'_>,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let cause = word.cause();
        let (closed, news) = match &petition.state {
            PetitionState::Open => {
                (self.close_open(tx, petition, why, now, &cause, entries).await?, Purpose::NewsDecided)
            }
            PetitionState::Granted { .. } => {
                (self.close_granted(tx, petition, why, now, &cause, entries).await?, Purpose::NewsEnded)
            }
            PetitionState::Closed { .. } => return Ok(petition),
        };
        if let Some(name) = tx.remote_stream(&closed.name).await?.and_then(|stream| stream.remote_name) {
            let mut leases = tx.foreign_leases(&name).await?;
            leases.sort_by(|a, b| (&a.holding, &a.id).cmp(&(&b.holding, &b.id)));
            for lease in leases {
                self.end_held_lease(tx, &lease, EndCause::Revoked, now, &cause, entries).await?;
            }
        }
        self.tell_petitioner(tx, &closed, news, cause.actor, now).await?;
        Ok(closed)
    }
}

impl<'a> Word<'a> {
    fn of(event: &'a IncomingEvent) -> Self {
        Self {
            at: event.at,
            end: event.end,
            actor: &event.actor,
            reason: &event.reason,
            by: Email::parse(&event.actor).into_iter().collect(),
            via: Via::Webhook,
            sure: false,
        }
    }

    fn cause(&self) -> Cause<'_> {
        Cause { actor: self.actor, reason: self.reason, via: self.via }
    }
}

fn holding_of(petition: &Petition) -> Holding {
    Holding {
        person: petition.petitioner.email.clone(),
        customer: petition.customer.clone(),
        role: petition.role.clone(),
    }
}

/// Whether it is about the person and the customer of the petition; what the role is, the petition says.
fn same_subject(holding: &Holding, petition: &Petition) -> bool {
    holding.person == petition.petitioner.email && holding.customer == petition.customer
}

/// Where the space's words on a petition of ours are weighed.
fn subject_of(petition: &Petition) -> String {
    format!("remote:{}", petition.name)
}

fn granted_entry(petition: &Petition, until: Timestamp, now: Timestamp, cause: &Cause<'_>) -> AuditEntry {
    AuditEntry::new(now, AuditEvent::PetitionGranted, cause.actor, cause.via)
        .petition(petition.name.as_str())
        .about(&petition.petitioner.email, &petition.customer)
        .details(json!({ "until": until.to_string(), "by_space": true }))
}

fn lease_entry(event: AuditEvent, lease: &Lease, until: Timestamp, now: Timestamp, cause: &Cause<'_>) -> AuditEntry {
    AuditEntry::new(now, event, cause.actor, cause.via)
        .petition(&lease.petition)
        .about(&lease.holding.person, &lease.holding.customer)
        .details(json!({
            "lease": lease.id.as_str(), "role": lease.holding.role, "expires_at": until.to_string(),
        }))
}

/// Asked for until a moment, it ends then, whatever length the space counts from its approval.
fn no_later_than_asked(petition: &Petition, until: Timestamp) -> Timestamp {
    petition.asked_until().map_or(until, |moment| until.min(moment))
}
