//! Reviewers decide. The policy judges every claim with today's facts; the last one that is needed grants.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Actor, Decider, Error, Workflow, extend::Left, follow_access::Cause, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        customer::Labels,
        id::{self, PetitionName},
        lease::{Holding, Lease},
        length,
        person::Email,
        petition::{Claim, ClaimKind, CloseReason, Petition, PetitionState},
    },
    policy::{self, ClaimFacts, PersonFacts, PetitionFacts, Verdict},
    store::{Dest, NewMessage, Origin, Purpose, Told, Tx},
};

/// One person's claim on a petition.
#[derive(Clone, Debug)]
pub struct Review {
    pub petition: PetitionName,
    pub maker: Actor,
    /// The trusted bot that speaks for its maker.
    pub delegate: Option<Email>,
    pub note: String,
    /// The length that an approval is for; `None`: what was asked for.
    pub length: Option<SignedDuration>,
    /// What the maker's program writes on it.
    pub labels: Labels,
    /// Today's facts of everybody who has approved before.
    pub known: Vec<PersonFacts>,
    pub signature: Option<String>,
    pub via: Via,
}

#[derive(Clone, Debug)]
pub enum Reviewed {
    /// The claim counts, and more are needed.
    Counted(Petition),
    Granted {
        petition: Petition,
        until: Timestamp,
        /// It was asked for longer; the rule allows this much.
        shortened: bool,
    },
    /// Denied, or revoked: it is closed now.
    Closed(Petition),
}

impl Workflow {
    /// Approves. Grants when every claim that the policy demands is there, each judged now (I1).
    pub async fn approve(&self, review: &Review) -> Result<Reviewed, Error> {
        settle(|| self.try_approve(review)).await
    }

    async fn try_approve(&self, review: &Review) -> Result<Reviewed, Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let (petition, labels) = self.load_for_review(&mut tx, review, now).await?;
        if petition.state != PetitionState::Open {
            return Err(Error::WrongState(Box::new(petition)));
        }
        let facts = petition_facts(&petition, labels.as_ref());
        policy::may_review(&self.policy, &facts, &review.maker.facts, ClaimKind::Approve)
            .map_err(|why| Error::Forbidden(why.to_string()))?;
        self.same_length(&mut tx, review, &petition).await?;
        let mut entries = Vec::new();
        let approved = Told::Approved(review.maker.facts.email.clone());
        if self.make_claim(&mut tx, review, ClaimKind::Approve, now, &mut entries).await? {
            tx.touch_messages(&petition.name, now).await?;
            self.tell_thread(&mut tx, &petition, &approved, now).await?;
            tx.commit(&entries).await?;
            return Ok(Reviewed::Counted(petition));
        }

        let claims = tx.claims(&petition.name).await?;
        let approvals: Vec<&Claim> = claims.iter().filter(|claim| claim.kind == ClaimKind::Approve).collect();
        let mut judged = Vec::with_capacity(approvals.len());
        // Of a bot, latchkey.toml says all that there is to know.
        let bots: Vec<PersonFacts> = self.deciders.iter().map(Decider::facts).collect();
        for claim in &approvals {
            let facts = [&review.maker.facts]
                .into_iter()
                .chain(&bots)
                .chain(&review.known)
                .find(|facts| facts.email == claim.maker.email)
                .ok_or(Error::FactsMissing)?;
            judged.push(ClaimFacts { maker: facts.clone(), kind: ClaimKind::Approve });
        }
        // The most careful of them decides about the length.
        let shortest = approvals.iter().map(|claim| claim.length.unwrap_or(petition.length)).min();
        let asked = shortest.unwrap_or(petition.length);
        let left = self.left_of(&mut tx, &petition, now).await?;
        let length = asked.saturating_add(left.map_or(SignedDuration::ZERO, Left::time));
        let facts = PetitionFacts { length, ..facts };
        match policy::judge(&self.policy, &facts, &judged) {
            Verdict::Wait { .. } => {
                tx.touch_messages(&petition.name, now).await?;
                self.tell_thread(&mut tx, &petition, &approved, now).await?;
                tx.commit(&entries).await?;
                Ok(Reviewed::Counted(petition))
            }
            Verdict::NoRule => {
                Err(Error::Forbidden("no rule covers this customer any more, so nobody can approve it".to_owned()))
            }
            Verdict::Grant { length, shortened_from, rule } => {
                let until = now.saturating_add(length).unwrap_or(Timestamp::MAX);
                let until = petition.asked_until().map_or(until, |moment| until.min(moment));
                // Time went by since whoever approved first said until when.
                let until = approvals.iter().filter_map(|claim| claim.ends_by()).fold(until, Timestamp::min);
                if until <= now {
                    let sentence =
                        "an earlier approval was for a time that is over, so nothing is left to grant; deny it";
                    return Err(Error::Conflict(sentence.to_owned()));
                }
                let length = until.duration_since(now);
                if left.is_some_and(|left| until <= left.until) {
                    return Err(Error::Conflict(format!(
                        "The policy allows {} from now on, and this access lasts that long already, so there is nothing \
                         to extend. Deny it, or approve it later.",
                        length::show(length)
                    )));
                }
                // Those who lost the right since are on record as claims, but it was not they who granted it.
                let by: Vec<Email> = judged
                    .iter()
                    .filter(|claim| policy::may_review(&self.policy, &facts, &claim.maker, claim.kind).is_ok())
                    .map(|claim| claim.maker.email.clone())
                    .collect();
                let mut granted = petition.clone();
                granted.state = petition
                    .state
                    .grant(by.clone(), now, until)
                    .map_err(|_| Error::Store(crate::store::StoreError::Conflict))?;
                let granter = &review.maker.facts.email;
                entries.push(
                    AuditEntry::new(now, AuditEvent::PetitionGranted, granter.as_str(), review.via)
                        .petition(granted.name.as_str())
                        .about(&granted.petitioner.email, &granted.customer)
                        .details(json!({
                            "approved_by": by, "until": until.to_string(), "length_secs": length.as_secs(),
                            "shortened_from_secs": shortened_from.map(|was| was.as_secs()), "rule": rule,
                            "extends": granted.extends.as_ref().map(|extends| &extends.of),
                        })),
                );
                tx.set_petition_state(&granted.name, &granted.state).await?;
                let cause = Cause { actor: granter.as_str(), reason: &granted.reason, via: review.via };
                self.begin_lease(&mut tx, &granted, until, now, &cause, &mut entries).await?;
                tx.touch_messages(&granted.name, now).await?;
                self.tell_thread(&mut tx, &granted, &Told::Granted, now).await?;
                self.tell_petitioner(&mut tx, &granted, Purpose::NewsDecided, granter.as_str(), now).await?;
                tx.commit(&entries).await?;
                Ok(Reviewed::Granted { petition: granted, until, shortened: shortened_from.is_some() })
            }
        }
    }

    /// A second approval by the same person is the first one again, so it must not name another time.
    async fn same_length(&self, tx: &mut Tx, review: &Review, petition: &Petition) -> Result<(), Error> {
        let Some(length) = review.length else { return Ok(()) };
        let claims = tx.claims(&petition.name).await?;
        let own = |claim: &&Claim| claim.kind == ClaimKind::Approve && claim.maker.email == review.maker.facts.email;
        match claims.iter().find(own).map(|claim| claim.length.unwrap_or(petition.length)) {
            Some(before) if before != length => Err(Error::Conflict(format!(
                "You have approved this for {} before, and that stands. Deny it if that is too long.",
                length::show(before)
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Denies. One reviewer's word is enough.
    pub async fn deny(&self, review: &Review) -> Result<Reviewed, Error> {
        settle(|| self.try_deny(review)).await
    }

    async fn try_deny(&self, review: &Review) -> Result<Reviewed, Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let (petition, labels) = self.load_for_review(&mut tx, review, now).await?;
        if petition.state != PetitionState::Open {
            return Err(Error::WrongState(Box::new(petition)));
        }
        let facts = petition_facts(&petition, labels.as_ref());
        policy::may_review(&self.policy, &facts, &review.maker.facts, ClaimKind::Deny)
            .map_err(|why| Error::Forbidden(why.to_string()))?;
        let mut entries = Vec::new();
        self.make_claim(&mut tx, review, ClaimKind::Deny, now, &mut entries).await?;
        let by = review.maker.facts.email.clone();
        let cause = Cause { actor: by.as_str(), reason: "denied", via: review.via };
        let why = CloseReason::Denied { by: by.clone(), note: review.note.clone() };
        let petition = self.close_open(&mut tx, petition, why, now, &cause, &mut entries).await?;
        self.tell_petitioner(&mut tx, &petition, Purpose::NewsDecided, by.as_str(), now).await?;
        tx.commit(&entries).await?;
        Ok(Reviewed::Closed(petition))
    }

    /// Loads and holds the petition with its customer's labels of today, and notes the request.
    pub(super) async fn load_for_review(
        &self,
        tx: &mut Tx,
        review: &Review,
        now: Timestamp,
    ) -> Result<(Petition, Option<Labels>), Error> {
        self.note_request(tx, review.signature.as_deref(), now, &review.petition).await?;
        let petition =
            tx.lock_petition(&review.petition).await?.ok_or_else(|| Error::NoSuchPetition(review.petition.clone()))?;
        let petition = petition.at(now);
        let customer = tx.customer_ever(petition.customer.as_str()).await?;
        Ok((petition, customer.map(|customer| customer.labels)))
    }

    /// Keeps the claim and records it; a repeat changes nothing. `true`: a remote space decides, and is owed the claim.
    pub(super) async fn make_claim(
        &self,
        tx: &mut Tx,
        review: &Review,
        kind: ClaimKind,
        now: Timestamp,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<bool, Error> {
        let claim = Claim {
            id: id::claim_id(now, self.entropy.as_ref()),
            petition: review.petition.clone(),
            kind,
            maker: review.maker.person(),
            delegate: review.delegate.clone(),
            note: review.note.clone(),
            length: review.length.filter(|_| kind == ClaimKind::Approve),
            labels: review.labels.clone(),
            at: now,
        };
        if tx.insert_claim(&claim).await? {
            entries.push(
                AuditEntry::new(now, AuditEvent::ClaimMade, claim.maker.email.as_str(), review.via)
                    .petition(review.petition.as_str())
                    .details(json!({
                        "claim": kind.word(), "note": claim.note,
                        "slack_user": claim.maker.slack.as_ref().map(|user| user.as_str()),
                        "length_secs": claim.length.map(|length| length.as_secs()),
                        "delegate": claim.delegate,
                    })),
            );
        }
        self.owe_claim(tx, &claim, now).await
    }

    pub(super) async fn begin_lease(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        until: Timestamp,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<(), Error> {
        let holding = Holding {
            person: petition.petitioner.email.clone(),
            customer: petition.customer.clone(),
            role: petition.role.clone(),
        };
        let access = self.hold_access(tx, &holding, now).await?;
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
        tx.insert_lease(&lease, Origin::Space).await?;
        entries.push(
            AuditEntry::new(now, AuditEvent::LeaseBegan, cause.actor, cause.via)
                .petition(petition.name.as_str())
                .about(&lease.holding.person, &lease.holding.customer)
                .details(json!({
                    "lease": lease.id.as_str(), "role": lease.holding.role, "expires_at": until.to_string(),
                })),
        );
        self.touch_reviewers(tx, petition, now);
        self.end_replaced(tx, petition, now, cause, entries).await?;
        self.follow_access(tx, &access, now, cause, entries).await
    }

    /// `warn_before` the end, or half the lease where that is shorter.
    pub(super) fn warn_at(&self, starts: Timestamp, ends: Timestamp) -> Option<Timestamp> {
        let before = self.policy.access.warn_before.min(ends.duration_since(starts) / 2);
        if before.is_zero() { None } else { ends.checked_sub(before).ok() }
    }

    /// Owes the petitioner a short reply under their message, which is what notifies them; unless the `actor` is they:
    /// nobody hears about their own act.
    pub(super) async fn tell_petitioner(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        purpose: Purpose,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        if Email::parse(actor).is_ok_and(|actor| actor == petition.petitioner.email) {
            return Ok(());
        }
        if let Some(user) = &petition.petitioner.slack {
            let id = id::message_id(now, self.entropy.as_ref());
            let dest = Dest::User(user.to_string());
            tx.insert_message(&NewMessage { id, petition: &petition.name, purpose, dest }, now).await?;
        }
        Ok(())
    }
}

/// What the policy needs of a petition; `labels` are the customer's of today.
pub fn petition_facts<'a>(petition: &'a Petition, labels: Option<&'a Labels>) -> PetitionFacts<'a> {
    PetitionFacts {
        petitioner: &petition.petitioner.email,
        petitioner_slack: petition.petitioner.slack.as_ref(),
        filed_by: &petition.filed_by,
        labels,
        length: petition.length,
        escalated: petition.is_escalated(),
    }
}
