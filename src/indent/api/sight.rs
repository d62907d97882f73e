//! Who sees what: administrators everything, others their own petitions and those that they may review, and of the
//! resources those that they may ask for.

use std::collections::BTreeSet;

use super::{Api, caller::Client};
use crate::{
    domain::{
        customer::Labels,
        id::PetitionName,
        person::Email,
        petition::{ClaimKind, Petition},
    },
    http::error::ApiError,
    policy::{self, PersonFacts, Rule},
    store::Listed,
    workflow::{Actor, Error, Freshness, petition_facts},
};

/// What somebody sees.
pub enum Sight {
    Everything(Actor),
    /// What the policy gives them a part in today.
    Own(Actor),
}

impl Api {
    /// With today's facts of whoever calls. Needs the scope `petition` or `admin`. While Slack is away an administrator,
    /// who sees everything whatever it says, is who their token says; anybody else waits until it is back.
    pub async fn sight(&self, client: &Client) -> Result<Sight, ApiError> {
        client.demand_sight()?;
        let workflow = &self.http.workflow;
        let groups: BTreeSet<String> = workflow.policy().rules.iter().flat_map(Rule::slack_groups).collect();
        let actor = match workflow.actor(&client.0.email, "", &groups, Freshness::AMinuteAgo).await {
            Err(Error::Unavailable(_)) if client.is_admin() => by_token(&client.0.email),
            actor => actor?,
        };
        Ok(if client.is_admin() { Sight::Everything(actor) } else { Sight::Own(actor) })
    }

    pub fn sees(&self, sight: &Sight, petition: &Petition, labels: Option<&Labels>) -> bool {
        match sight {
            Sight::Everything(_) => true,
            Sight::Own(actor) => {
                let facts = petition_facts(petition, labels);
                let policy = self.http.workflow.policy();
                petition.is_of(&actor.facts.email)
                    || policy::may_review(policy, &facts, &actor.facts, ClaimKind::Deny).is_ok()
            }
        }
    }

    /// A petition that the caller may see; others are not there.
    pub async fn seen(&self, sight: &Sight, name: &str) -> Result<Listed, ApiError> {
        let names = [PetitionName::new(name)];
        let found = self.http.workflow.store().petitions_named(&names).await?.pop();
        found.filter(|found| self.sees(sight, &found.petition, found.labels.as_ref())).ok_or(ApiError::NotFound)
    }

    /// Whether somebody may ask for a customer with these labels.
    pub fn may_ask(&self, actor: &Actor, labels: &Labels) -> bool {
        policy::may_ask_for(self.http.workflow.policy(), &actor.facts, labels)
    }
}

impl Sight {
    pub fn actor(&self) -> &Actor {
        match self {
            Self::Everything(actor) | Self::Own(actor) => actor,
        }
    }
}

/// Somebody of whom only the token speaks; in none of Slack's groups.
fn by_token(email: &Email) -> Actor {
    let facts = PersonFacts { email: email.clone(), slack: None, full_member: true, slack_groups: BTreeSet::new() };
    Actor { facts, name: email.to_string() }
}
