//! What somebody sees on their Home tab, and whose tabs a change concerns beside those that the store finds by itself.

use jiff::Timestamp;

use super::{Actor, Cut, Error, Live, Story, Workflow};
use crate::{
    domain::{
        id::{PetitionName, SlackUserId},
        petition::{Claim, Petition},
    },
    policy,
    store::Tx,
};

/// Everything that a Home tab shows; of each list the beginning.
#[derive(Clone, Debug)]
pub struct HomeFacts {
    pub live: Vec<Live>,
    /// What they have asked for.
    pub waiting: Cut<Story>,
    /// What they are asked about.
    pub asked: Cut<Story>,
    /// What ended or was closed lately, newest first.
    pub recent: Vec<(Petition, Vec<Claim>)>,
}

impl Workflow {
    /// They opened it: it is drawn anew, and kept fresh from now on.
    pub async fn home_opened(&self, user: &SlackUserId) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.home_opened(user, self.now()).await?;
        Ok(tx.commit(&[]).await?)
    }

    pub async fn home_of(&self, actor: &Actor, shown: usize) -> Result<HomeFacts, Error> {
        let email = &actor.facts.email;
        let asked = if policy::is_a_reviewer(&self.policy, &actor.facts) {
            self.waiting_for(actor, shown).await?
        } else {
            Cut { first: Vec::new(), all: 0 }
        };
        let recent = self.store.recent_of(email, shown as i64).await?;
        let names: Vec<PetitionName> = recent.iter().map(|petition| petition.name.clone()).collect();
        let mut claims = self.store.claims_of(&names).await?;
        let recent = recent.into_iter().map(|petition| {
            let claims = claims.remove(&petition.name).unwrap_or_default();
            (petition, claims)
        });
        Ok(HomeFacts {
            live: self.live_of(email, shown).await?,
            waiting: self.waiting_of(email, shown).await?,
            asked,
            recent: recent.collect(),
        })
    }

    /// A petition came or went: those who may decide it see so, also where nobody sends them a card.
    pub(super) fn touch_reviewers(&self, tx: &mut Tx, petition: &Petition, now: Timestamp) {
        let rule = self.policy.rules.iter().find(|rule| Some(&rule.name) == petition.rule.as_ref());
        if let Some(rule) = rule.filter(|rule| !rule.dm) {
            tx.touch_homes_of(&policy::reviewers(&self.policy, rule, petition.is_escalated()).emails, now);
        }
    }
}
