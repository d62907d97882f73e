//! Nobody is left who could read of a petition: whoever comes next is asked at once, and where there is nobody, the
//! petitioner is told.

use jiff::Timestamp;

use super::{Error, Workflow, petition_facts, settle};
use crate::{
    audit::AuditEntry,
    domain::{
        id::{self, MessageId, PetitionName},
        petition::{Escalation, Petition, PetitionState},
    },
    policy,
    store::{NewMessage, PendingDecision, Purpose, Tx},
};

/// Who is asked when a card reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Somebody has a card or is to get one, a bot is still to be asked, or it is no question any more.
    Others,
    /// The reviewers themselves, who would have read it in a channel.
    Reviewers,
    /// Those to whom the rule escalates, before its time.
    Escalated,
    /// There is nobody.
    Nobody,
}

impl Workflow {
    /// A card reaches nobody as things are: its place takes none, or whoever is there may not decide. `why` goes into
    /// the record. Once for each card; told again, nothing happens.
    pub async fn card_lost(&self, petition: &PetitionName, card: &MessageId, why: &str) -> Result<Next, Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let Some(petition) = tx.lock_petition(petition).await? else { return Ok(Next::Others) };
            if !tx.lose_card(card, now).await? {
                return Ok(Next::Others);
            }
            let (next, entries) = self.ask_next(&mut tx, &petition, why, now).await?;
            tx.commit(&entries).await?;
            Ok(next)
        })
        .await
    }

    /// A card that reached nobody is posted after all.
    pub async fn card_found(&self, petition: &PetitionName, card: &MessageId) -> Result<(), Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            if tx.find_card(card).await? {
                tx.touch_petitioner(petition, now).await?;
            }
            tx.commit(&[]).await?;
            Ok(())
        })
        .await
    }

    /// A bot has answered, or there is nothing left to ask it: perhaps it was the last that could be asked.
    pub async fn close_decision(&self, decision: &PendingDecision, attempt: &str) -> Result<Next, Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let petition = tx.lock_petition(&decision.petition).await?;
            let closed = tx.close_decision(decision, attempt).await?;
            let (next, entries) = match petition.filter(|_| closed) {
                Some(petition) => self.ask_next(&mut tx, &petition, "no bot decided", now).await?,
                None => (Next::Others, Vec::new()),
            };
            tx.commit(&entries).await?;
            Ok(next)
        })
        .await
    }

    async fn ask_next(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        why: &str,
        now: Timestamp,
    ) -> Result<(Next, Vec<AuditEntry>), Error> {
        let name = &petition.name;
        let open = petition.state == PetitionState::Open && petition.pending_until > now;
        // A remote space asks whom it likes.
        if !open || self.remote.is_some() || !tx.is_unreached(name).await? {
            return Ok((Next::Others, Vec::new()));
        }
        let customer = tx.customer_ever(petition.customer.as_str()).await?;
        let labels = customer.as_ref().map(|customer| &customer.labels);
        let mut entries = Vec::new();
        if let Some(rule) = policy::rule_for(&self.policy, labels) {
            if !rule.dm {
                let mut new = false;
                let reviewers = policy::reviewers_of(&self.policy, rule, &petition_facts(petition, labels));
                for dest in self.cards_for(reviewers) {
                    let id = id::message_id(now, self.entropy.as_ref());
                    let card = NewMessage { id, petition: name, purpose: Purpose::Card, dest };
                    new |= tx.insert_message(&card, now).await?;
                }
                if new {
                    return Ok((Next::Reviewers, entries));
                }
            }
            if rule.escalate.is_some() && matches!(petition.escalation, Some(Escalation::Planned(_))) {
                entries.push(self.escalate_held(tx, petition, rule, labels, Some(why), now).await?);
                if !tx.is_unreached(name).await? {
                    return Ok((Next::Escalated, entries));
                }
            }
        }
        tx.touch_petitioner(name, now).await?;
        Ok((Next::Nobody, entries))
    }
}
