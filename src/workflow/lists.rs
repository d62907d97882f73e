//! What people list: who holds what now, and what waits for whom.

use std::collections::HashMap;

use super::{Actor, Error, Story, Workflow, petition_facts};
use crate::{
    domain::{
        id::{CustomerId, PetitionName},
        lease::Lease,
        person::Email,
        petition::{ClaimKind, Petition, PetitionState},
    },
    policy,
    store::{Listed, Provisioning},
};

/// A live lease with everything that a list shows of it.
#[derive(Clone, Debug)]
pub struct Live {
    pub lease: Lease,
    /// `None`: a signed event from outside made it, and its petition is somebody else's.
    pub petition: Option<Petition>,
    pub customer_name: String,
    /// Only of those at the beginning of a list, see [`Workflow::live_of`].
    pub provisionings: Vec<Provisioning>,
}

/// A list's beginning, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Cut<T> {
    pub first: Vec<T>,
    pub all: usize,
}

/// The label that says that a petition cannot wait for working hours, when it is `true`.
pub const URGENT_LABEL: &str = "latchkey/urgent";

/// More rows than this nobody's list is read for; the sentence about the rest then says too few.
const MOST: i64 = 1_000;
/// Petitions that are looked through at once, and how often.
const PAGE: i64 = 500;
const PAGES: usize = 20;

impl Workflow {
    /// What somebody holds now, the first to end first; the first `told` with how far each provisioner is.
    pub async fn live_of(&self, person: &Email, told: usize) -> Result<Vec<Live>, Error> {
        let leases = self.store.leases_of_person(person, self.now(), MOST).await?;
        self.live(leases, told).await
    }

    /// Who has access to a customer now, the first to end first.
    pub async fn live_on(&self, customer: &CustomerId) -> Result<Vec<Live>, Error> {
        let leases = self.store.leases_on_customer(customer, self.now(), MOST).await?;
        self.live(leases, 0).await
    }

    pub(super) async fn live(&self, leases: Vec<Lease>, told: usize) -> Result<Vec<Live>, Error> {
        let names: Vec<PetitionName> = leases.iter().map(|lease| PetitionName::new(lease.petition.clone())).collect();
        let found = self.store.petitions_named(&names).await?.into_iter();
        let mut petitions: HashMap<String, Petition> =
            found.map(|found| (found.petition.name.to_string(), found.petition)).collect();
        let mut all = Vec::with_capacity(leases.len());
        for (n, lease) in leases.into_iter().enumerate() {
            let petition = petitions.remove(&lease.petition);
            let customer_name = match &petition {
                Some(petition) => petition.customer_name.clone(),
                None => {
                    let customer = self.store.customer_ever(lease.holding.customer.as_str()).await?;
                    customer.map_or_else(String::new, |customer| customer.name)
                }
            };
            let provisionings = if n < told { self.store.provisionings(&lease.access).await? } else { Vec::new() };
            all.push(Live { lease, petition, customer_name, provisionings });
        }
        Ok(all)
    }

    /// What somebody has asked for and nobody has decided, oldest first; the first `shown` of it.
    pub async fn waiting_of(&self, person: &Email, shown: usize) -> Result<Cut<Story>, Error> {
        let names = self.store.waiting_of(person, self.now(), MOST).await?;
        self.stories(&names, shown).await
    }

    /// What waits for this reviewer under today's rules, oldest first: what they may approve and have not yet.
    pub async fn waiting_for(&self, actor: &Actor, shown: usize) -> Result<Cut<Story>, Error> {
        let mut mine = Vec::new();
        let mut after = String::new();
        for _ in 0..PAGES {
            let page = self.store.waiting_petitions(self.now(), &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.petition.name.to_string();
            let full = page.len() as i64 == PAGE;
            let decidable = |listed: &&Listed| {
                let facts = petition_facts(&listed.petition, listed.labels.as_ref());
                policy::may_review(&self.policy, &facts, &actor.facts, ClaimKind::Approve).is_ok()
            };
            let names: Vec<PetitionName> =
                page.iter().filter(decidable).map(|listed| listed.petition.name.clone()).collect();
            let claims = self.store.claims_of(&names).await?;
            let said = |name: &PetitionName| {
                claims.get(name).is_some_and(|claims| claims.iter().any(|claim| claim.maker.email == actor.facts.email))
            };
            mine.extend(names.into_iter().filter(|name| !said(name)));
            if !full {
                break;
            }
        }
        self.stories(&mine, shown).await
    }

    /// Those of some petitions that wait for this reviewer under today's rules, with what came with each.
    pub async fn waiting_among<T>(
        &self,
        actor: &Actor,
        petitions: Vec<(PetitionName, T)>,
    ) -> Result<Vec<(Story, T)>, Error> {
        let mut mine = Vec::new();
        for (name, with) in petitions {
            let story = self.story(&name).await?;
            let labels = self.customer_labels(&story.petition).await?;
            let facts = petition_facts(&story.petition, labels.as_ref());
            let open = story.petition.clone().at(self.now()).state == PetitionState::Open;
            let may = policy::may_review(&self.policy, &facts, &actor.facts, ClaimKind::Approve).is_ok();
            let said = story.claims.iter().any(|claim| claim.maker.email == actor.facts.email);
            if open && may && !said {
                mine.push((story, with));
            }
        }
        Ok(mine)
    }

    async fn stories(&self, names: &[PetitionName], shown: usize) -> Result<Cut<Story>, Error> {
        let mut first = Vec::with_capacity(shown.min(names.len()));
        for name in names.iter().take(shown) {
            first.push(self.story(name).await?);
        }
        Ok(Cut { first, all: names.len() })
    }
}
