//! A claim that the bot of a `[[decision]]` answered with. The policy judges it like anybody's.

use jiff::SignedDuration;

use super::{Actor, Error, Review, Reviewed, Workflow, post_claim::TRIES};
use crate::{
    audit::Via,
    domain::id::{DecisionName, PetitionName},
};

/// What a bot says to one petition.
#[derive(Clone, Debug)]
pub struct BotClaim {
    pub decision: DecisionName,
    pub petition: PetitionName,
    /// A bot approves or denies; revoking is for people.
    pub approves: bool,
    pub note: String,
    /// Of an approval: for how long; `None`: as asked.
    pub length: Option<SignedDuration>,
}

impl Workflow {
    /// Makes the claim. `Forbidden`: the policy does not let this bot decide this petition, today.
    pub async fn claim_of_bot(&self, claim: &BotClaim) -> Result<Reviewed, Error> {
        let decider = self.deciders.iter().find(|decider| decider.name == claim.decision);
        let decider = decider.ok_or_else(|| {
            Error::Forbidden(format!("latchkey.toml has no decision named `{}` any more", claim.decision))
        })?;
        let mut tries = 1;
        loop {
            let (_, known) = self.approvers(&claim.petition).await?;
            let review = Review {
                petition: claim.petition.clone(),
                maker: Actor { facts: decider.facts(), name: claim.decision.to_string() },
                delegate: None,
                note: claim.note.clone(),
                length: claim.length,
                labels: Default::default(),
                known,
                signature: None,
                via: Via::Webhook,
            };
            let made = if claim.approves { self.approve(&review).await } else { self.deny(&review).await };
            match made {
                // Somebody has approved since, whose facts are wanted too.
                Err(Error::FactsMissing) if tries < TRIES => tries += 1,
                made => return made,
            }
        }
    }
}
