//! Somebody asks. The policy admits the petition, or refuses it with a reason; both go on record.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Actor, Error, Workflow, review_petition::petition_facts, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        customer::{Customer, Labels},
        id::{self, CustomerId, PetitionName, Role, SlackUserId},
        length,
        person::Email,
        petition::{CloseReason, Petition, PetitionState, UNTIL_LABEL},
        resource::Resource,
    },
    policy::{self, Admission, Asked, PersonFacts, Refusal, Reviewers, Rule},
    store::{Dest, NewMessage, Purpose, Tx},
};

/// A repeat of the same words by the same person within this time is the same petition: Slack's clients send a command
/// again when they believe that it was lost.
pub(super) const SAME_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// What somebody asks for, with the facts that the policy needs.
#[derive(Clone, Debug)]
pub struct Ask {
    pub petitioner: Actor,
    /// The petitioner, unless somebody who may asks on behalf of another.
    pub filed_by: Email,
    /// The filer's facts, where the policy is to say whether they may ask for another; `None`: they ask for themselves,
    /// or their token lets them ask for anybody.
    pub for_other: Option<PersonFacts>,
    pub subject: Subject,
    pub role: Option<Role>,
    pub length: Wish,
    /// Its access ends no later than this, whenever it is approved.
    pub until: Option<Timestamp>,
    pub reason: String,
    /// What the asker's program writes on it.
    pub labels: Labels,
    pub repeat: Repeat,
    /// Today's members of the Slack user groups that the rule names; `None` where Slack could not be asked.
    pub slack_groups: BTreeMap<String, Option<BTreeSet<SlackUserId>>>,
    /// The signature of the request that brought it, so that a replay changes nothing.
    pub signature: Option<String>,
    pub via: Via,
}

/// What access is asked for.
#[derive(Clone, Debug)]
pub enum Subject {
    Customer(Customer),
    /// A resource of another kind, as it was given: kind and id are plain and not empty.
    Other(Resource),
}

impl Subject {
    pub(super) fn id(&self) -> CustomerId {
        match self {
            Self::Customer(customer) => customer.id.clone(),
            Self::Other(resource) => CustomerId::of_kind(&resource.kind, &resource.id),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Customer(customer) => &customer.name,
            Self::Other(resource) if resource.display_name.is_empty() => &resource.id,
            Self::Other(resource) => &resource.display_name,
        }
    }

    fn labels(&self) -> Option<&Labels> {
        match self {
            Self::Customer(customer) => Some(&customer.labels),
            Self::Other(_) => None,
        }
    }
}

/// How long somebody wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nobody said.
    Default,
    For(SignedDuration),
    /// Until revoked: it becomes the longest that the rule allows, and says so.
    WithoutEnd,
}

/// What makes a second request the same petition as the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The same words by the same person within a minute, as Slack's clients send them twice.
    SameWords,
    /// A key that the filer's program chose.
    SameKey(String),
    Never,
}

/// The label that tells that a petition was asked for without end and what it became.
pub const NOTE_LABEL: &str = "latchkey/note";

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
    /// What would stand in its way now; nothing is stored.
    pub fn refusal_of(&self, ask: &Ask) -> Option<Refusal> {
        policy::admit(&self.policy, &self.asked(ask)).err()
    }

    fn asked<'a>(&self, ask: &'a Ask) -> Asked<'a> {
        let longest =
            || policy::rule_for(&self.policy, ask.subject.labels()).map(|rule| self.policy.max_duration(rule));
        let length = match ask.length {
            Wish::Default => None,
            Wish::For(length) => Some(length),
            Wish::WithoutEnd => longest(),
        };
        Asked {
            petitioner: &ask.petitioner.facts,
            filed_by: &ask.filed_by,
            for_other: ask.for_other.as_ref(),
            labels: ask.subject.labels(),
            role: ask.role.as_ref(),
            length,
            left: SignedDuration::ZERO,
            reason: &ask.reason,
            slack_groups: &ask.slack_groups,
        }
    }

    /// Opens a petition, or records why it was refused. `Invalid`: what was asked is incomplete and leaves no petition.
    pub async fn open_petition(&self, ask: &Ask) -> Result<Opened, Error> {
        settle(|| self.try_open_petition(ask)).await
    }

    async fn try_open_petition(&self, ask: &Ask) -> Result<Opened, Error> {
        let now = self.now();
        if ask.until.is_some_and(|moment| moment <= now) {
            return Err(Error::Invalid("That moment is over. Choose a later one.".to_owned()));
        }
        let asked = self.asked(ask);
        let length = asked.length;
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
        let petition = self.draft(ask, length, &admitted, now);
        let same_key = same_key(&petition);
        let mut tx = self.store.begin().await?;
        let same = match &ask.repeat {
            Repeat::SameWords => tx.same_petition(&same_key, now.saturating_sub(SAME_WITHIN).unwrap_or(now)).await?,
            Repeat::SameKey(key) => tx.petition_by_key(&ask.filed_by, key).await?,
            Repeat::Never => None,
        };
        if let (Some(same), Repeat::SameKey(key)) = (&same, &ask.repeat) {
            let asked = (&petition.petitioner.email, &petition.customer, &petition.reason);
            if (&same.petitioner.email, &same.customer, &same.reason) != asked {
                let sentence = format!("you have asked for something else under the key `{key}` before: {}", same.name);
                return Err(Error::Conflict(sentence));
            }
            if let PetitionState::Closed { why: CloseReason::Refused { because }, .. } = &same.state {
                return Ok(Opened::Refused(same.clone(), because.clone()));
            }
        }
        if let Some(same) = same {
            // Noted too: its replay, once the minute is over, must not open what it did not open now. Noted before
            // means that it is a replay, which answers the same.
            if let Some(signature) = &ask.signature {
                tx.note_answered(signature, now, Some(&same.name)).await?;
                tx.commit(&[]).await?;
            }
            return Ok(Opened::Same(same));
        }
        self.note_request(&mut tx, ask.signature.as_deref(), now, &petition.name).await?;
        let client_key = match &ask.repeat {
            Repeat::SameKey(key) => Some(key.as_str()),
            Repeat::SameWords | Repeat::Never => None,
        };
        tx.insert_petition(&petition, &same_key, client_key).await?;
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
                self.announce(&mut tx, &petition, admission.rule, asked.labels, now).await?;
                self.owe_petition(&mut tx, &petition, now).await?;
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

    pub(super) fn draft(
        &self,
        ask: &Ask,
        asked: Option<SignedDuration>,
        admitted: &Result<Admission<'_>, Refusal>,
        now: Timestamp,
    ) -> Petition {
        let access = &self.policy.access;
        let (rule, length, role, state) = match admitted {
            Ok(admission) => {
                (Some(admission.rule.name.clone()), admission.length, admission.role.clone(), PetitionState::Open)
            }
            Err(refusal) => {
                let why = CloseReason::Refused { because: refusal.to_string() };
                let closed = PetitionState::Closed { at: now, why, granted: None };
                (None, asked.unwrap_or(access.default_duration), ask.role.clone(), closed)
            }
        };
        let mut labels = ask.labels.clone();
        let mut pending_until = now.saturating_add(access.pending_for).unwrap_or(Timestamp::MAX);
        if ask.length == Wish::WithoutEnd {
            let note = format!("asked for without end; the policy allows {}", length::show(length));
            labels.insert(NOTE_LABEL.to_owned(), note);
        }
        if let Some(moment) = ask.until {
            labels.insert(UNTIL_LABEL.to_owned(), moment.to_string());
            // From then on an approval would give nothing.
            pending_until = pending_until.min(moment);
        }
        // Roles are of customers.
        let role = role.filter(|_| matches!(ask.subject, Subject::Customer(_)));
        Petition {
            name: id::petition_name(now, self.entropy.as_ref()),
            petitioner: ask.petitioner.person(),
            filed_by: ask.filed_by.clone(),
            customer: ask.subject.id(),
            customer_name: ask.subject.name().to_owned(),
            role,
            reason: ask.reason.clone(),
            length,
            rule,
            labels,
            resource: match &ask.subject {
                Subject::Customer(_) => None,
                Subject::Other(resource) => Some(resource.clone()),
            },
            extends: None,
            opened_at: now,
            pending_until,
            escalation: self.plan_escalation(admitted, now),
            state,
            version: 1,
        }
    }

    /// One card for each reviewer and channel, one message for the petitioner, a question to each bot.
    pub(super) async fn announce(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        rule: &Rule,
        labels: Option<&Labels>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.touch_reviewers(tx, petition, now);
        let reviewers = policy::reviewers_of(&self.policy, rule, &petition_facts(petition, labels));
        self.ask_bots(tx, petition, &reviewers, labels, now).await?;
        let mut cards: BTreeSet<Dest> = rule.notify.iter().cloned().map(Dest::Channel).collect();
        if rule.dm {
            cards.extend(self.cards_for(reviewers));
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

    /// A message to each of them. Bots read none: they are asked.
    pub(super) fn cards_for(&self, reviewers: Reviewers) -> impl Iterator<Item = Dest> {
        let people = reviewers.emails.into_iter().filter(|email| !self.is_bot(email));
        people.map(|email| Dest::Email(email.to_string())).chain(reviewers.slack_groups.into_iter().map(Dest::Group))
    }

    /// Owes a question to each bot among those who are asked that is about such resources.
    pub(super) async fn ask_bots(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        reviewers: &Reviewers,
        labels: Option<&Labels>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let labels = petition.resource.as_ref().map(|resource| &resource.labels).or(labels);
        for decider in self.deciders.iter() {
            if reviewers.emails.contains(&decider.bot) && decider.fits(&petition.customer, labels) {
                tx.want_decision(&petition.name, &decider.name, now).await?;
            }
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
    // Until a moment, the length shrinks with every second.
    let length =
        petition.asked_until().map_or_else(|| petition.length.as_secs().to_string(), |moment| moment.to_string());
    let key = format!(
        "{}\n{}\n{}\n{role}\n{length}\n{}",
        petition.filed_by,
        petition.petitioner.email,
        petition.customer,
        words.join(" ").to_lowercase()
    );
    hex::encode(Sha256::digest(key.as_bytes()))
}
