//! A remote space decides: what it is owed of our petitions, and what came of telling it.
//!
//! The petition is opened here first, with everything that follows for people; in the same transaction its space is owed
//! the news. What takes access away has happened here before the space hears of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Error, Workflow, end_lease::system, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        backoff,
        petition::{Claim, ClaimKind, CloseReason, Petition, PetitionState},
    },
    store::{Call, Lane, NewCall, Purpose, RemoteCall, RemoteStream, Schedule, StreamOutcome, Tx},
    workflow::look_remote::{Phase, Seen},
};

/// One attempt at a stream: which, and by whom it was taken.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub stream: &'a RemoteStream,
    pub id: &'a str,
}

/// The longest wait between two attempts.
const CAP: SignedDuration = SignedDuration::from_mins(1);
/// How often an active petition is looked at in case an event of its space was lost, and how seldom a quiet one.
const LOOK_SOON: SignedDuration = SignedDuration::from_secs(30);
const LOOK_SELDOM: SignedDuration = SignedDuration::from_mins(10);

impl Workflow {
    /// Whether petitions that are opened from now on are decided by a remote space.
    pub fn remote_space(&self) -> Option<&str> {
        self.remote.as_deref()
    }

    /// Owes the remote space a petition that this transaction opened; nothing where we are the space.
    pub(super) async fn owe_petition(&self, tx: &mut Tx, petition: &Petition, now: Timestamp) -> Result<(), Error> {
        if self.remote.is_none() {
            return Ok(());
        }
        let create = NewCall { call: Call::Create, actor: &petition.filed_by, reason: &petition.reason, length: None };
        Ok(tx.begin_remote(&petition.name, &create, now).await?)
    }

    /// Owes the remote space the customers that this transaction changed.
    pub(super) async fn owe_customers(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        if self.remote.is_some() {
            tx.due_now(&Schedule::UploadCustomers, Lane::UploadCustomers, now).await?;
        }
        Ok(())
    }

    /// Owes the space that decides a held petition a claim, unless it was told the same before. `false`: no remote
    /// space decides it.
    pub(super) async fn owe_claim(&self, tx: &mut Tx, claim: &Claim, now: Timestamp) -> Result<bool, Error> {
        if tx.remote_stream(&claim.petition).await?.is_none() {
            return Ok(false);
        }
        let Some(petition) = tx.petition(&claim.petition).await? else { return Ok(false) };
        // Whoever filed it for somebody else is nobody there.
        let own = petition.is_of(&claim.maker.email);
        let actor = if own { &petition.petitioner.email } else { &claim.maker.email };
        let call = Call::Claim(claim.kind);
        if !tx.was_said(&claim.petition, call, actor).await? {
            let new = NewCall { call, actor, reason: &claim.note, length: claim.length };
            tx.owe_remote(&claim.petition, &new, now).await?;
        }
        Ok(true)
    }

    /// A held petition was closed here by nobody's claim: its space is told so in its petitioner's name.
    pub(super) async fn owe_end(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        kind: ClaimKind,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        if tx.remote_stream(&petition.name).await?.is_some() {
            let actor = &petition.petitioner.email;
            let new = NewCall { call: Call::Claim(kind), actor, reason, length: None };
            tx.owe_remote(&petition.name, &new, now).await?;
        }
        Ok(())
    }

    /// The space has the petition, under this name.
    pub async fn remote_created(&self, attempt: Attempt<'_>, call: &RemoteCall, name: &str) -> Result<(), Error> {
        settle(|| async {
            let (now, mut tx, petition) = self.hold_remote(attempt).await?;
            let mut entries = Vec::new();
            if tx.call_done(&petition.name, call.position, now, None).await? {
                entries.push(told(&petition, call, now).details(json!({ "call": "create", "remote_name": name })));
            }
            let petition = self.remote_named(&mut tx, petition, name, now, &mut entries).await?;
            let next_at = self.next_at(&mut tx, &petition, now, now).await?;
            let outcome = StreamOutcome::Settled { remote_name: Some(name), active_at: now, next_at };
            self.record(tx, attempt, &petition, now, &outcome, entries).await
        })
        .await
    }

    /// The space will never take the petition: it is closed here with what the space said, and the petitioner is told.
    pub async fn remote_refused(&self, attempt: Attempt<'_>, call: &RemoteCall, why: &str) -> Result<(), Error> {
        settle(|| async {
            let (now, mut tx, mut petition) = self.hold_remote(attempt).await?;
            tx.call_done(&petition.name, call.position, now, Some(why)).await?;
            tx.drop_calls(&petition.name, now).await?;
            let mut entries = vec![refused(&petition, call, now, why)];
            if petition.state == PetitionState::Open {
                let space = self.remote.as_deref().unwrap_or_default();
                let because = format!("the space {space} did not take it: {why}");
                let closed = CloseReason::Refused { because };
                petition = self.close_open(&mut tx, petition, closed, now, &system("refused"), &mut entries).await?;
                self.tell_petitioner(&mut tx, &petition, Purpose::NewsDecided, SYSTEM, now).await?;
            }
            let outcome = StreamOutcome::Settled { remote_name: None, active_at: now, next_at: None };
            self.record(tx, attempt, &petition, now, &outcome, entries).await
        })
        .await
    }

    /// The petition was closed here before the space could have heard of it: there is nothing to tell any more.
    pub async fn remote_needless(&self, attempt: Attempt<'_>) -> Result<(), Error> {
        settle(|| async {
            let (now, mut tx, petition) = self.hold_remote(attempt).await?;
            tx.drop_calls(&petition.name, now).await?;
            let outcome = StreamOutcome::Settled { remote_name: None, active_at: now, next_at: None };
            self.record(tx, attempt, &petition, now, &outcome, Vec::new()).await
        })
        .await
    }

    /// The space took a claim, or said that it never will.
    pub async fn remote_claimed(
        &self,
        attempt: Attempt<'_>,
        call: &RemoteCall,
        why_not: Option<&str>,
    ) -> Result<(), Error> {
        settle(|| async {
            let (now, mut tx, petition) = self.hold_remote(attempt).await?;
            let mut entries = Vec::new();
            if tx.call_done(&petition.name, call.position, now, why_not).await? {
                entries.push(match why_not {
                    None => told(&petition, call, now).details(json!({ "call": call.call.word(), "by": call.actor })),
                    Some(why) => refused(&petition, call, now, why),
                });
            }
            let next_at = self.next_at(&mut tx, &petition, now, now).await?;
            let outcome = StreamOutcome::Settled { remote_name: None, active_at: now, next_at };
            self.record(tx, attempt, &petition, now, &outcome, entries).await
        })
        .await
    }

    /// What a look at the petition there has shown.
    pub async fn remote_seen(&self, attempt: Attempt<'_>, seen: &Seen) -> Result<(), Error> {
        settle(|| async {
            let (now, mut tx, petition) = self.hold_remote(attempt).await?;
            let mut entries = Vec::new();
            let before = petition.state.clone();
            let petition = self.follow_seen(&mut tx, petition, seen, now, &mut entries).await?;
            let active_at = if petition.state == before { attempt.stream.active_at } else { now };
            let closed = seen.phase == Phase::Closed;
            let next_at = match self.next_at(&mut tx, &petition, active_at, now).await? {
                // Nothing is left to say, and nothing to learn.
                _ if closed && tx.calls_owed(&petition.name).await? == 0 => None,
                next_at => next_at,
            };
            let outcome = StreamOutcome::Settled { remote_name: None, active_at, next_at };
            self.record(tx, attempt, &petition, now, &outcome, entries).await
        })
        .await
    }

    /// The space did not answer, or not in a way that settles anything. `after`: when it wants to be asked again.
    pub async fn remote_failed(
        &self,
        attempt: Attempt<'_>,
        error: &str,
        ambiguous: bool,
        after: Option<SignedDuration>,
    ) -> Result<(), Error> {
        settle(|| async {
            let now = self.now();
            let stream = attempt.stream;
            let mut tx = self.store.begin().await?;
            let next_at = match after {
                Some(after) => now.saturating_add(after).unwrap_or(Timestamp::MAX),
                None => backoff::next_at(now, stream.attempts, CAP, self.entropy.as_ref()),
            };
            // Petitions before streams, as everywhere.
            let news = stream.failing.is_none();
            if news || stream.attempts.count_ones() == 1 {
                // Messages say for how long: drawn again whenever that has about doubled.
                tx.touch_messages(&stream.petition, now).await?;
            }
            let outcome = StreamOutcome::Failed { error, ambiguous, next_at };
            if !tx.record_remote(&stream.petition, attempt.id, now, &outcome).await? {
                return Ok(());
            }
            let entry = AuditEntry::new(now, AuditEvent::SpaceFailing, SYSTEM, Via::Worker)
                .petition(stream.petition.as_str())
                .details(json!({ "error": error }));
            tx.commit(if news { std::slice::from_ref(&entry) } else { &[] }).await?;
            Ok(())
        })
        .await
    }

    async fn hold_remote(&self, attempt: Attempt<'_>) -> Result<(Timestamp, Tx, Petition), Error> {
        let name = &attempt.stream.petition;
        let mut tx = self.store.begin().await?;
        let petition = tx.lock_petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
        Ok((self.now(), tx, petition))
    }

    /// Commits what an attempt has brought, unless somebody else has taken the stream over.
    async fn record(
        &self,
        mut tx: Tx,
        attempt: Attempt<'_>,
        petition: &Petition,
        now: Timestamp,
        outcome: &StreamOutcome<'_>,
        entries: Vec<AuditEntry>,
    ) -> Result<(), Error> {
        // A look that showed nothing new changes nothing that people see.
        if !entries.is_empty() || attempt.stream.failing.is_some() {
            tx.touch_messages(&petition.name, now).await?;
        }
        if tx.record_remote(&petition.name, attempt.id, now, outcome).await? {
            tx.commit(&entries).await?;
        }
        Ok(())
    }

    /// When the stream of a held petition is due next: at once while something is owed; else at the next look, while the
    /// space may have news.
    async fn next_at(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        active_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        if tx.calls_owed(&petition.name).await? > 0 {
            return Ok(Some(now));
        }
        let look = match &petition.state {
            PetitionState::Open | PetitionState::Granted { .. } => true,
            PetitionState::Closed { why, .. } => match why {
                // It ends there by itself, or never was.
                CloseReason::Expired | CloseReason::Refused { .. } => false,
                // Once more, to see that it is closed there too.
                CloseReason::Denied { .. }
                | CloseReason::Withdrawn
                | CloseReason::Dismissed { .. }
                | CloseReason::Undecided
                | CloseReason::Replaced { .. }
                | CloseReason::Revoked { .. }
                | CloseReason::Done => true,
            },
        };
        if !look {
            return Ok(None);
        }
        let wait = (now.duration_since(active_at) / 10).clamp(LOOK_SOON, LOOK_SELDOM);
        let mut random = [0u8; 1];
        self.entropy.fill(&mut random);
        let less = wait / 4 * i32::from(random[0]) / 255;
        Ok(now.checked_add(wait - less).ok())
    }
}

fn told(petition: &Petition, call: &RemoteCall, now: Timestamp) -> AuditEntry {
    AuditEntry::new(now, AuditEvent::SpaceTold, call.actor.as_str(), Via::Worker)
        .petition(petition.name.as_str())
        .about(&petition.petitioner.email, &petition.customer)
}

fn refused(petition: &Petition, call: &RemoteCall, now: Timestamp, why: &str) -> AuditEntry {
    AuditEntry::new(now, AuditEvent::SpaceRefused, call.actor.as_str(), Via::Worker)
        .petition(petition.name.as_str())
        .about(&petition.petitioner.email, &petition.customer)
        .details(json!({ "call": call.call.word(), "why": why }))
}
