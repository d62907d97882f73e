//! A claim as programs make it: one event on one petition, by somebody known by their e-mail.
//!
//! What it means depends on whose petition it is: to deny one's own is to withdraw it, to revoke it is to give the
//! access back. The same claim by the same maker again is answered with the first and changes nothing.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{Actor, Error, Review, Workflow};
use crate::{
    audit::Via,
    domain::{
        customer::Labels,
        id::PetitionName,
        person::Email,
        petition::{Claim, ClaimKind, Petition, PetitionState},
    },
    policy::PersonFacts,
};

/// What a program asks for.
#[derive(Clone, Debug)]
pub struct NewClaim {
    pub petition: PetitionName,
    pub kind: ClaimKind,
    pub maker: Email,
    /// The trusted bot that speaks for the maker.
    pub delegate: Option<Email>,
    pub note: String,
    /// Of an approval: for how long; `None`: as asked.
    pub length: Option<SignedDuration>,
    /// What the maker's program writes on it.
    pub labels: Labels,
    pub via: Via,
}

/// Between gathering the facts and judging them another reviewer may have approved, whose facts are then missing.
pub(super) const TRIES: u32 = 3;

impl Workflow {
    /// Makes the claim, or finds the one that says the same. `Conflict` where the maker has said something else before.
    pub async fn post_claim(&self, new: &NewClaim) -> Result<Claim, Error> {
        if let Some(made) = self.made_before(new).await? {
            // It may be enough by now, where the rule or the other claims have changed.
            let petition = self.store.petition(&new.petition).await?;
            let open = petition.is_some_and(|petition| petition.state == PetitionState::Open);
            if !(open && new.kind == ClaimKind::Approve) {
                return Ok(made);
            }
        }
        let mut tries = 1;
        let result = loop {
            match self.try_post_claim(new).await {
                Err(Error::FactsMissing) if tries < TRIES => tries += 1,
                result => break result,
            }
        };
        match (result, self.made_before(new).await?) {
            // Two at once: the other was first, and says the same.
            (Ok(()) | Err(Error::WrongState(_)), Some(made)) => Ok(made),
            (Ok(()), None) => Err(Error::NoSuchPetition(new.petition.clone())),
            (Err(error), _) => Err(error),
        }
    }

    async fn try_post_claim(&self, new: &NewClaim) -> Result<(), Error> {
        let petition = self.store.petition(&new.petition).await?;
        let own = petition.filter(|petition| petition.petitioner.email == new.maker);
        let mut review = match &own {
            Some(own) if new.kind != ClaimKind::Approve => by_its_petitioner(own, new.via),
            Some(_) | None => self.gather(&new.petition, &new.maker, new.via).await?,
        };
        review.note.clone_from(&new.note);
        review.length = new.length;
        review.labels.clone_from(&new.labels);
        review.delegate.clone_from(&new.delegate);
        match (new.kind, own.is_some()) {
            (ClaimKind::Approve, _) => self.approve(&review).await.map(|_| ()),
            (ClaimKind::Deny, true) => self.withdraw(&review).await.map(|_| ()),
            (ClaimKind::Deny, false) => self.deny(&review).await.map(|_| ()),
            (ClaimKind::Revoke, true) => self.give_back(&review).await.map(|_| ()),
            (ClaimKind::Revoke, false) => self.revoke(&review).await.map(|_| ()),
        }
    }

    async fn made_before(&self, new: &NewClaim) -> Result<Option<Claim>, Error> {
        let claims = self.store.claims(&new.petition).await?;
        let made = claims.into_iter().find(|claim| claim.kind == new.kind && claim.maker.email == new.maker);
        match made {
            Some(made) if new.kind == ClaimKind::Approve && made.length != new.length => {
                Err(Error::Conflict(format!("{} has approved this for another length before", new.maker)))
            }
            made => Ok(made),
        }
    }
}

/// To take one's own back takes nobody's facts, so it does not wait for Slack to answer. It decides nothing else.
fn by_its_petitioner(own: &Petition, via: Via) -> Review {
    let person = &own.petitioner;
    let facts = PersonFacts {
        email: person.email.clone(),
        slack: person.slack.clone(),
        full_member: false,
        slack_groups: BTreeSet::new(),
    };
    Review {
        petition: own.name.clone(),
        maker: Actor { facts, name: person.name.clone() },
        delegate: None,
        note: String::new(),
        length: None,
        labels: Labels::new(),
        known: Vec::new(),
        signature: None,
        via,
    }
}
