//! A holder asks for more time. The extension is a petition of its own, for the policy to judge; the old lease lasts
//! until it is granted and then ends as replaced, so that nobody loses access in between.
//!
//! Its length is by how much the end moves. Where the old lease is over by the time of the approval, the length counts
//! from then, as for any petition.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Actor, Ask, Error, REPLACES_LABEL, Repeat, Subject, Wish, Workflow, follow_access::Cause,
    open_petition::SAME_WITHIN, settle,
};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        customer::Labels,
        id::{self, PetitionName, SlackUserId},
        petition::{CloseReason, Extension, Petition, PetitionState},
    },
    policy::{self, Asked, Refusal, Rule},
    store::{Dest, NewMessage, Purpose, StoreError, Tx},
};

/// What a holder asks for.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The granted petition whose end shall move.
    pub of: PetitionName,
    /// Whose it is.
    pub petitioner: Actor,
    /// What it gives access to, as it is today: see [`Workflow::subject_of`].
    pub subject: Subject,
    /// By how much.
    pub by: SignedDuration,
    pub reason: String,
    /// Typed words come twice when a client believes them lost; a form names the petition that it extends.
    pub repeat: Repeat,
    /// Today's members of the Slack user groups that the rule names; `None` where Slack could not be asked.
    pub slack_groups: BTreeMap<String, Option<BTreeSet<SlackUserId>>>,
    pub signature: Option<String>,
    pub via: Via,
}

#[derive(Clone, Debug)]
pub enum Extended {
    /// Its reviewers will be told.
    Open(Petition),
    /// The rule had it approved beforehand.
    Granted(Petition),
    /// It was asked for before; this is that petition, open or granted.
    Same(Petition),
    /// The policy refused it; the petition is on record as closed.
    Refused(Petition, String),
}

/// The end that an extension moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub until: Timestamp,
    pub now: Timestamp,
}

impl Left {
    pub fn time(self) -> SignedDuration {
        self.until.duration_since(self.now)
    }
}

impl Workflow {
    /// Asks for an extension. `WrongState`: the access is over, or another petition has taken its place.
    pub async fn extend_access(&self, extend: &Extend) -> Result<Extended, Error> {
        settle(|| self.try_extend(extend)).await
    }

    /// What a petition is about, as it is today. `Conflict`: it can be asked for no more.
    pub async fn subject_of(&self, petition: &Petition) -> Result<Subject, Error> {
        if let Some(resource) = &petition.resource {
            return Ok(Subject::Other(resource.clone()));
        }
        let gone = "This customer is not in the list of customers any more, so access to it cannot be asked for.";
        let customer = self.store.customer(petition.customer.as_str()).await?;
        customer.map(Subject::Customer).ok_or_else(|| Error::Conflict(gone.to_owned()))
    }

    /// How much longer somebody may ask for at this instant; `None` where no rule covers it.
    pub async fn most_longer(&self, petition: &Petition) -> Result<Option<SignedDuration>, Error> {
        let (PetitionState::Granted { until, .. }, Some(rule)) = (&petition.state, self.rule_of(petition).await?)
        else {
            return Ok(None);
        };
        let left = until.duration_since(self.now()).max(SignedDuration::ZERO);
        Ok(Some(self.policy.max_duration(rule).saturating_sub(left).max(SignedDuration::ZERO)))
    }

    async fn try_extend(&self, extend: &Extend) -> Result<Extended, Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let old = tx.lock_petition(&extend.of).await?.ok_or_else(|| Error::NoSuchPetition(extend.of.clone()))?;
        if old.petitioner.email != extend.petitioner.facts.email {
            return Err(Error::Forbidden(format!("Only {} can extend this access.", old.petitioner.name)));
        }
        if let Some(same) = self.asked_before(&mut tx, &old, extend, now).await? {
            if let Some(signature) = &extend.signature {
                tx.note_answered(signature, now, Some(&same.name)).await?;
                tx.commit(&[]).await?;
            }
            return Ok(Extended::Same(same));
        }
        let left = match &old.state {
            PetitionState::Granted { until, .. } if *until > now => Left { until: *until, now },
            PetitionState::Granted { .. } => {
                let sentence = "The time of this access is up, so there is nothing to extend. Ask for it again.";
                return Err(Error::Conflict(sentence.to_owned()));
            }
            PetitionState::Open | PetitionState::Closed { .. } => return Err(Error::WrongState(Box::new(old))),
        };
        if extend.subject.id() != old.customer {
            return Err(Error::Invalid("That petition gives access to something else.".to_owned()));
        }
        let ask = ask_to_extend(extend, &old);
        let labels = match &ask.subject {
            Subject::Customer(customer) => Some(&customer.labels),
            Subject::Other(_) => None,
        };
        let asked = Asked {
            petitioner: &ask.petitioner.facts,
            filed_by: &ask.filed_by,
            for_other: None,
            labels,
            role: old.role.as_ref(),
            length: Some(extend.by),
            left: left.time(),
            reason: &ask.reason,
            slack_groups: &ask.slack_groups,
        };
        let admitted = policy::admit(&self.policy, &asked);
        match &admitted {
            Err(
                refusal
                @ (Refusal::ReasonTooShort { .. } | Refusal::TicketMissing { .. } | Refusal::UnknownRole { .. }),
            ) => return Err(Error::Invalid(refusal.to_string())),
            Err(refusal @ Refusal::SlackAway { .. }) => return Err(Error::Unavailable(refusal.to_string())),
            Ok(_) | Err(_) => {}
        }
        let mut petition = self.draft(&ask, Some(extend.by), &admitted, now);
        let before = old.extends.as_ref().and_then(|extends| extends.pre_approved).unwrap_or_default();
        let free = |rule: &Rule| self.remote.is_none() && policy::is_pre_approved(rule, extend.by, before);
        let pre_approved = admitted.as_ref().ok().filter(|admission| free(admission.rule)).map(|_| before + extend.by);
        petition.extends = Some(Extension { of: old.name.clone(), pre_approved });
        if self.remote.is_some() {
            // The other space knows lengths that count from its approval, and nothing else.
            petition.length = SignedDuration::from_secs(petition.length.saturating_add(left.time()).as_secs());
        }
        self.note_request(&mut tx, extend.signature.as_deref(), now, &petition.name).await?;
        tx.insert_petition(&petition, petition.name.as_str(), None).await?;
        let mut details = json!({
            "reason": petition.reason, "length_secs": petition.length.as_secs(), "role": petition.role,
            "rule": petition.rule, "customer_name": petition.customer_name, "extends": old.name,
        });
        let entry = |event| {
            AuditEntry::new(now, event, petition.filed_by.as_str(), extend.via)
                .petition(petition.name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
        };
        let admission = match admitted {
            Ok(admission) => admission,
            Err(refusal) => {
                let because = refusal.to_string();
                details["because"] = json!(because);
                tx.commit(&[entry(AuditEvent::PetitionRefused).details(details)]).await?;
                return Ok(Extended::Refused(petition, because));
            }
        };
        let mut entries = vec![entry(AuditEvent::PetitionOpened).details(details)];
        if pre_approved.is_some() {
            let petition = self.grant_at_once(&mut tx, petition, admission.rule, left, &mut entries).await?;
            tx.commit(&entries).await?;
            return Ok(Extended::Granted(petition));
        }
        self.announce(&mut tx, &petition, admission.rule, labels, now).await?;
        self.owe_petition(&mut tx, &petition, now).await?;
        // Its own message shows that it waits.
        tx.touch_messages(&old.name, now).await?;
        tx.commit(&entries).await?;
        Ok(Extended::Open(petition))
    }

    /// The petition that the same question has led to before: the one that waits, or the one that a repeat would pile up on.
    async fn asked_before(
        &self,
        tx: &mut Tx,
        old: &Petition,
        extend: &Extend,
        now: Timestamp,
    ) -> Result<Option<Petition>, Error> {
        if let Some(open) = tx.open_extension(&old.name, now).await? {
            return Ok(Some(open));
        }
        let same = |petition: &Petition| petition.length == extend.by && petition.reason == extend.reason;
        let just_now = old.opened_at > now.saturating_sub(SAME_WITHIN).unwrap_or(now);
        if extend.repeat == Repeat::SameWords && old.extends.is_some() && just_now && same(old) {
            return Ok(Some(old.clone()));
        }
        // The form was sent twice: its petition has been extended by then.
        if let PetitionState::Closed { why: CloseReason::Replaced { by }, .. } = &old.state
            && let Some(new) = tx.petition(by).await?
            && new.extends.as_ref().is_some_and(|extends| extends.of == old.name)
            && same(&new)
        {
            return Ok(Some(new));
        }
        Ok(None)
    }

    /// The rule allows it without a reviewer: the lease begins now, and the channels get a line.
    async fn grant_at_once(
        &self,
        tx: &mut Tx,
        mut petition: Petition,
        rule: &Rule,
        left: Left,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<Petition, Error> {
        let now = left.now;
        let until = left.until.saturating_add(petition.length).unwrap_or(Timestamp::MAX);
        petition.state =
            petition.state.grant(Vec::new(), now, until).map_err(|_| Error::Store(StoreError::Conflict))?;
        let moved = petition.extends.as_ref().and_then(|extends| extends.pre_approved);
        entries.push(
            AuditEntry::new(now, AuditEvent::PetitionGranted, SYSTEM, Via::Worker)
                .petition(petition.name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
                .details(json!({
                    "approved_by": [], "pre_approved_by_rule": rule.name, "until": until.to_string(),
                    "length_secs": until.duration_since(now).as_secs(),
                    "moved_without_reviewer_secs": moved.map(|moved| moved.as_secs()), "rule": rule.name,
                })),
        );
        tx.set_petition_state(&petition.name, &petition.state).await?;
        let cause = Cause { actor: petition.petitioner.email.as_str(), reason: &petition.reason, via: Via::Worker };
        self.begin_lease(tx, &petition, until, now, &cause, entries).await?;
        let own = petition.petitioner.slack.iter().map(|user| (Purpose::Petitioner, Dest::User(user.to_string())));
        let lines: BTreeSet<Dest> = rule.notify.iter().cloned().map(Dest::Channel).collect();
        for (purpose, dest) in own.chain(lines.into_iter().map(|dest| (Purpose::PreApproved, dest))) {
            let id = id::message_id(now, self.entropy.as_ref());
            tx.insert_message(&NewMessage { id, petition: &petition.name, purpose, dest }, now).await?;
        }
        Ok(petition)
    }

    /// The end that an open petition would move if it were granted now; holds the lease's petition until the commit.
    pub(super) async fn left_of(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        now: Timestamp,
    ) -> Result<Option<Left>, Error> {
        let Some(extends) = &petition.extends else { return Ok(None) };
        let old = tx.lock_petition(&extends.of).await?;
        Ok(old.and_then(|old| match old.state {
            PetitionState::Granted { until, .. } if until > now => Some(Left { until, now }),
            PetitionState::Open | PetitionState::Granted { .. } | PetitionState::Closed { .. } => None,
        }))
    }

    /// A petition has ended or was decided: what shows it beside its own is drawn again. An extension of what its holder
    /// gave back is not wanted any more.
    pub(super) async fn tell_linked(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<(), Error> {
        if let Some(extends) = &petition.extends {
            tx.touch_messages(&extends.of, now).await?;
        }
        if matches!(petition.state, PetitionState::Closed { why: CloseReason::Expired, .. }) {
            // Many end at once: whoever ends them tells for all of them.
            return Ok(());
        }
        let Some(open) = tx.open_extension(&petition.name, now).await? else { return Ok(()) };
        if !matches!(petition.state, PetitionState::Closed { why: CloseReason::Done, .. }) {
            return Ok(tx.touch_messages(&open.name, now).await?);
        }
        let Some(open) = tx.lock_petition(&open.name).await?.filter(|open| open.state == PetitionState::Open) else {
            return Ok(());
        };
        let open = Box::pin(self.close_open(tx, open, CloseReason::Withdrawn, now, cause, entries)).await?;
        let note = "what it extends was given back";
        self.owe_end(tx, &open, crate::domain::petition::ClaimKind::Deny, note, now).await
    }
}

fn ask_to_extend(extend: &Extend, old: &Petition) -> Ask {
    Ask {
        petitioner: extend.petitioner.clone(),
        filed_by: extend.petitioner.facts.email.clone(),
        for_other: None,
        subject: extend.subject.clone(),
        role: old.role.clone(),
        length: Wish::For(extend.by),
        until: None,
        reason: extend.reason.clone(),
        labels: Labels::from([(REPLACES_LABEL.to_owned(), old.name.to_string())]),
        repeat: extend.repeat.clone(),
        slack_groups: extend.slack_groups.clone(),
        signature: None,
        via: extend.via,
    }
}
