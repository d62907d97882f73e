//! Somebody asks. The policy admits the petition, or refuses it with a reason; both go on record.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Actor, Error, Workflow, review_petition::petition_facts, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        customer::Customer,
        id::{self, PetitionName, Role, SlackUserId},
        petition::{CloseReason, Petition, PetitionState},
    },
    policy::{self, Admission, Asked, Refusal},
    store::{Dest, NewMessage, Purpose, Tx},
};

/// A repeat of the same words by the same person within this time is the same petition: Slack's clients send a command
/// again when they believe that it was lost.
const SAME_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// What somebody asks for, with the facts that the policy needs.
#[derive(Clone, Debug)]
pub struct Ask {
    pub petitioner: Actor,
    pub customer: Customer,
    pub role: Option<Role>,
    /// `None`: the default.
    pub length: Option<SignedDuration>,
    pub reason: String,
    /// Today's members of the Slack user groups that the rule names; `None` where Slack could not be asked.
    pub slack_groups: BTreeMap<String, Option<BTreeSet<SlackUserId>>>,
    /// The signature of the request that brought it, so that a replay changes nothing.
    pub signature: Option<String>,
    pub via: Via,
}

#[derive(Clone, Debug)]
pub enum Opened {
    /// It is open, and its reviewers will be told.
    Open(Petition),
    /// The same was asked for a moment ago; this is that petition.
    Same(Petition),
    /// The policy refused it; the petition is on record as closed.
    Refused(Petition, String),
}

impl Workflow {
    /// Opens a petition, or records why it was refused. `Invalid`: what was asked is incomplete and leaves no petition.
    pub async fn open_petition(&self, ask: &Ask) -> Result<Opened, Error> {
        settle(|| self.try_open_petition(ask)).await
    }

    async fn try_open_petition(&self, ask: &Ask) -> Result<Opened, Error> {
        let now = self.now();
        let asked = Asked {
            petitioner: &ask.petitioner.facts,
            filed_by: &ask.petitioner.facts.email,
            labels: Some(&ask.customer.labels),
            role: ask.role.as_ref(),
            length: ask.length,
            reason: &ask.reason,
            slack_groups: &ask.slack_groups,
        };
        let admitted = policy::admit(&self.policy, &asked);
        if let Err(
            refusal @ (Refusal::ReasonTooShort { .. } | Refusal::TicketMissing { .. } | Refusal::UnknownRole { .. }),
        ) = &admitted
        {
            return Err(Error::Invalid(refusal.to_string()));
        }
        if let Err(refusal @ Refusal::SlackAway { .. }) = &admitted {
            return Err(Error::Unavailable(refusal.to_string()));
        }
        let petition = self.draft(ask, &admitted, now);
        let same_key = same_key(&petition);
        let mut tx = self.store.begin().await?;
        if let Some(same) = tx.same_petition(&same_key, now.saturating_sub(SAME_WITHIN).unwrap_or(now)).await? {
            // Noted too: its replay, once the minute is over, must not open what it did not open now. Noted before
            // means that it is a replay, which answers the same.
            if let Some(signature) = &ask.signature {
                tx.note_answered(signature, now, Some(&same.name)).await?;
                tx.commit(&[]).await?;
            }
            return Ok(Opened::Same(same));
        }
        self.note_request(&mut tx, ask.signature.as_deref(), now, &petition.name).await?;
        tx.insert_petition(&petition, &same_key).await?;
        let details = json!({
            "reason": petition.reason, "length_secs": petition.length.as_secs(), "role": petition.role,
            "rule": petition.rule, "customer_name": petition.customer_name,
        });
        let entry = |event| {
            AuditEntry::new(now, event, petition.filed_by.as_str(), ask.via)
                .petition(petition.name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
        };
        match admitted {
            Ok(admission) => {
                self.announce(&mut tx, &petition, &admission, now).await?;
                tx.commit(&[entry(AuditEvent::PetitionOpened).details(details)]).await?;
                Ok(Opened::Open(petition))
            }
            Err(refusal) => {
                let because = refusal.to_string();
                let mut details = details;
                details["because"] = json!(because);
                tx.commit(&[entry(AuditEvent::PetitionRefused).details(details)]).await?;
                Ok(Opened::Refused(petition, because))
            }
        }
    }

    fn draft(&self, ask: &Ask, admitted: &Result<Admission<'_>, Refusal>, now: Timestamp) -> Petition {
        let access = &self.policy.access;
        let (rule, length, role, state) = match admitted {
            Ok(admission) => {
                (Some(admission.rule.name.clone()), admission.length, admission.role.clone(), PetitionState::Open)
            }
            Err(refusal) => {
                let why = CloseReason::Refused { because: refusal.to_string() };
                let closed = PetitionState::Closed { at: now, why, granted: None };
                (None, ask.length.unwrap_or(access.default_duration), ask.role.clone(), closed)
            }
        };
        Petition {
            name: id::petition_name(now, self.entropy.as_ref()),
            petitioner: ask.petitioner.person(),
            filed_by: ask.petitioner.facts.email.clone(),
            customer: ask.customer.id.clone(),
            customer_name: ask.customer.name.clone(),
            role,
            reason: ask.reason.clone(),
            length,
            rule,
            opened_at: now,
            pending_until: now.saturating_add(access.pending_for).unwrap_or(Timestamp::MAX),
            state,
            version: 1,
        }
    }

    /// One card for each reviewer and channel, one message for the petitioner.
    async fn announce(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        admission: &Admission<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let rule = admission.rule;
        let mut cards: BTreeSet<Dest> = rule.notify.iter().cloned().map(Dest::Channel).collect();
        if rule.dm {
            let facts = petition_facts(petition, None);
            let reviewers = policy::reviewers_of(&self.policy, rule, &facts);
            cards.extend(reviewers.emails.iter().map(|email| Dest::Email(email.to_string())));
            cards.extend(reviewers.slack_groups.into_iter().map(Dest::Group));
        }
        let petitioner = petition.petitioner.slack.iter().map(|user| Dest::User(user.to_string()));
        let messages = cards
            .into_iter()
            .map(|dest| (Purpose::Card, dest))
            .chain(petitioner.map(|dest| (Purpose::Petitioner, dest)));
        for (purpose, dest) in messages {
            let id = id::message_id(now, self.entropy.as_ref());
            tx.insert_message(&NewMessage { id, petition: &petition.name, purpose, dest }, now).await?;
        }
        Ok(())
    }
}

impl Workflow {
    /// Cards for people who were found later: the members of a Slack user group. Whoever has one gets no second.
    pub async fn add_cards(&self, name: &PetitionName, users: &[SlackUserId]) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        for user in users {
            let id = id::message_id(now, self.entropy.as_ref());
            let dest = Dest::User(user.to_string());
            tx.insert_message(&NewMessage { id, petition: name, purpose: Purpose::Card, dest }, now).await?;
        }
        tx.commit(&[]).await?;
        Ok(())
    }
}

/// Person and words, folded: what must be equal for two commands to be one.
fn same_key(petition: &Petition) -> String {
    use sha2::{Digest, Sha256};
    let words: Vec<&str> = petition.reason.split_whitespace().collect();
    let role = petition.role.as_ref().map_or("", Role::as_str);
    let key = format!(
        "{}\n{}\n{}\n{role}\n{}\n{}",
        petition.filed_by,
        petition.petitioner.email,
        petition.customer,
        petition.length.as_secs(),
        words.join(" ").to_lowercase()
    );
    hex::encode(Sha256::digest(key.as_bytes()))
}
