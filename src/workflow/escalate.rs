//! Nobody decides: further people are asked, and decide like the reviewers whom the rule names.

use jiff::Timestamp;
use serde_json::json;

use super::{Error, Workflow, petition_facts, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        customer::Labels,
        id::{self, PetitionName},
        petition::{Escalation, Petition, PetitionState},
    },
    policy::{self, Admission, Refusal, Rule},
    store::{NewMessage, Purpose, Tx},
};

/// Few enough to hold nobody up; the scan comes again.
const BATCH: i64 = 200;

impl Workflow {
    /// When a petition that is admitted now is to be escalated. A remote space escalates by its own rules.
    pub(super) fn plan_escalation(
        &self,
        admitted: &Result<Admission<'_>, Refusal>,
        now: Timestamp,
    ) -> Option<Escalation> {
        let escalate = admitted.as_ref().ok()?.rule.escalate.as_ref().filter(|_| self.remote.is_none())?;
        now.checked_add(escalate.after).ok().map(Escalation::Planned)
    }

    /// Escalates every petition that has waited as long as its rule says; one that fails keeps none of the others
    /// from it.
    pub async fn escalate_petitions(&self) -> Result<(), Error> {
        let mut failed = None;
        for name in &self.store.petitions_to_escalate(self.now(), BATCH).await? {
            if let Err(error) = settle(|| self.escalate(name)).await {
                tracing::warn!(%error, petition = %name, "a petition could not be escalated; trying again");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn escalate(&self, name: &PetitionName) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(petition) = tx.lock_petition(name).await? else { return Ok(()) };
        let open = petition.state == PetitionState::Open && petition.pending_until > now;
        if !open || !matches!(petition.escalation, Some(Escalation::Planned(at)) if at <= now) {
            return Ok(());
        }
        let customer = tx.customer_ever(petition.customer.as_str()).await?;
        let rule = policy::rule_for(&self.policy, customer.as_ref().map(|customer| &customer.labels));
        let Some(rule) = rule.filter(|rule| rule.escalate.is_some()) else {
            // Today's rule escalates nothing.
            tx.set_escalated(name, None).await?;
            tx.commit(&[]).await?;
            return Ok(());
        };
        let labels = customer.as_ref().map(|customer| &customer.labels);
        let entry = self.escalate_held(&mut tx, &petition, rule, labels, None, now).await?;
        tx.commit(&[entry]).await?;
        Ok(())
    }

    /// Escalates a petition that this transaction holds, by that rule; `why`, if it is before its time.
    pub(super) async fn escalate_held(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        rule: &Rule,
        labels: Option<&Labels>,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<AuditEntry, Error> {
        let name = &petition.name;
        tx.set_escalated(name, Some(now)).await?;
        let asked = policy::escalated_to(&self.policy, rule, &petition_facts(petition, None));
        self.ask_bots(tx, petition, &asked, labels, now).await?;
        // Whatever `dm` says: nobody else tells them.
        for dest in self.cards_for(asked) {
            let id = id::message_id(now, self.entropy.as_ref());
            tx.insert_message(&NewMessage { id, petition: name, purpose: Purpose::Card, dest }, now).await?;
        }
        tx.touch_messages(name, now).await?;
        let to: Vec<String> = rule.escalates_to().iter().map(ToString::to_string).collect();
        let mut details = json!({ "to": to, "rule": rule.name });
        if let Some(why) = why {
            details["why"] = json!(why);
        }
        Ok(AuditEntry::new(now, AuditEvent::PetitionEscalated, SYSTEM, Via::Worker)
            .petition(name.as_str())
            .about(&petition.petitioner.email, &petition.customer)
            .details(details))
    }
}
