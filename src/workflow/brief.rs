//! What a reviewer weighs beside the story of an open petition: the customer, what else its petitioner holds, what the
//! rule still wants, and why they are asked.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Decider, Error, Live, Story, Workflow, petition_facts};
use crate::{
    domain::{
        customer::{Customer, Labels},
        id::{CustomerId, Role},
        lease::Lease,
        person::Person,
        petition::{ClaimKind, Petition, PetitionState},
    },
    policy::{self, ClaimFacts, Missing, PersonFacts, Rule, Verdict, Why},
};

/// Beside the story, as it is now.
#[derive(Clone, Debug, Default)]
pub struct Brief {
    /// What is known of the customer today.
    pub labels: Labels,
    /// Other customers of nearly the same name, the nearest first.
    pub alike: Vec<Customer>,
    /// What the petitioner holds besides what the petition would extend: this customer first, then what ends first.
    pub held: Vec<Live>,
    /// Of how many that is the part that its readers may know of.
    pub held_in_all: usize,
    /// The rule that decides it today.
    pub rule: Option<String>,
    /// What its lines still lack. Empty where that cannot be told now, or is not for us to tell.
    pub missing: Vec<Missing>,
}

/// Other customers, and accesses, that a brief names.
const ALIKE: usize = 3;
const HELD: usize = 5;
/// More leases of one person are not looked through.
const LEASES: i64 = 1_000;

impl Workflow {
    /// What there is to know beside a story. It may ask who those are who approved it; without an answer it says less.
    pub async fn brief(&self, story: &Story) -> Result<Brief, Error> {
        let petition = &story.petition;
        let customer = self.store.customer_ever(petition.customer.as_str()).await?;
        let alike = match &customer {
            Some(customer) => self.store.customers_alike(customer, ALIKE).await?,
            None => Vec::new(),
        };
        let rule = policy::rule_for(&self.policy, customer.as_ref().map(|customer| &customer.labels));
        let missing = match rule {
            Some(rule) if story.remote.is_none() => {
                self.missing(story, customer.as_ref().map(|customer| &customer.labels), rule).await
            }
            Some(_) | None => Vec::new(),
        };
        let (held, held_in_all) = self.held_beside(petition, rule).await?;
        let rule = rule.map(|rule| rule.name.clone());
        let labels = customer.map(|customer| customer.labels).unwrap_or_default();
        Ok(Brief { labels, alike, held, held_in_all, rule, missing })
    }

    /// Why this person is asked about a petition, by today's rule; `None` where it does not ask them.
    pub async fn why_asked(&self, petition: &Petition, person: &PersonFacts) -> Result<Option<Why>, Error> {
        let labels = self.customer_labels(petition).await?;
        Ok(policy::why_asked(&self.policy, &petition_facts(petition, labels.as_ref()), person))
    }

    /// The longest time for which an open petition can be approved now: what it asks for, or what its rule allows by
    /// now. `None`: no rule covers it.
    pub async fn most_to_approve(&self, story: &Story) -> Result<Option<SignedDuration>, Error> {
        let petition = &story.petition;
        let Some(rule) = self.rule_of(petition).await? else { return Ok(None) };
        let now = self.now();
        let left = match story.extends.as_ref().map(|old| &old.state) {
            Some(PetitionState::Granted { until, .. }) if *until > now && story.remote.is_none() => {
                until.duration_since(now)
            }
            Some(_) | None => SignedDuration::ZERO,
        };
        let most = self.policy.max_duration(rule).saturating_sub(left).min(petition.length);
        let most = petition.asked_until().map_or(most, |moment| most.min(moment.duration_since(now)));
        // In whole seconds, as everybody types them.
        Ok(Some(SignedDuration::from_secs(most.as_secs().max(0))))
    }

    /// What the lines of its rule lack, with what is known of those who approved.
    async fn missing(&self, story: &Story, labels: Option<&Labels>, rule: &Rule) -> Vec<Missing> {
        let approvals = story.claims.iter().filter(|claim| claim.kind == ClaimKind::Approve);
        let bots: Vec<PersonFacts> = self.deciders.iter().map(Decider::facts).collect();
        let people: Vec<Person> =
            approvals.map(|claim| claim.maker.clone()).filter(|maker| !self.is_bot(&maker.email)).collect();
        let known = if people.is_empty() {
            Vec::new()
        } else {
            match self.people.facts(&people, &rule.slack_groups(), super::Freshness::AMinuteAgo).await {
                Ok(known) => known,
                Err(_) => return Vec::new(),
            }
        };
        let made = |facts: &PersonFacts| story.claims.iter().any(|claim| claim.maker.email == facts.email);
        let claims: Vec<ClaimFacts> = known
            .into_iter()
            .chain(bots.into_iter().filter(made))
            .map(|maker| ClaimFacts { maker, kind: ClaimKind::Approve })
            .collect();
        match policy::judge(&self.policy, &petition_facts(&story.petition, labels), &claims) {
            Verdict::Wait { missing } => missing,
            Verdict::Grant { .. } | Verdict::NoRule => Vec::new(),
        }
    }

    /// Whether everybody who reads the cards of this rule also reads those about customers with these labels: who has
    /// access to others is not theirs to know.
    fn readers_know(&self, rule: Option<&Rule>, labels: &Labels) -> bool {
        let (Some(rule), Some(other)) = (rule, policy::rule_for(&self.policy, Some(labels))) else { return false };
        let these = policy::reviewers(&self.policy, rule, true);
        let those = policy::reviewers(&self.policy, other, true);
        rule.notify.iter().all(|channel| other.notify.contains(channel))
            && these.emails.is_subset(&those.emails)
            && these.slack_groups.is_subset(&those.slack_groups)
    }

    /// The beginning of what the petitioner holds, one for each customer and role, as far as the readers of a rule's
    /// cards may know of it, and how many there are.
    async fn held_beside(&self, petition: &Petition, rule: Option<&Rule>) -> Result<(Vec<Live>, usize), Error> {
        let leases = self.store.leases_of_person(&petition.petitioner.email, self.now(), LEASES).await?;
        let extended = petition.extends.as_ref().map(|extends| extends.of.as_str());
        let mut last: BTreeMap<(CustomerId, Option<Role>), Lease> = BTreeMap::new();
        // The first to end come first, so the last of one access is the one that counts.
        for lease in leases.into_iter().filter(|lease| Some(lease.petition.as_str()) != extended) {
            last.insert((lease.holding.customer.clone(), lease.holding.role.clone()), lease);
        }
        let mut held: Vec<Lease> = last.into_values().collect();
        held.sort_by_key(|lease| (lease.holding.customer != petition.customer, lease.expires_at, lease.id.clone()));
        let all = held.len();
        let ids: Vec<&str> = held.iter().map(|lease| lease.holding.customer.as_str()).collect();
        let known = self.store.customers_named(&ids).await?;
        held.retain(|lease| {
            let customer = &lease.holding.customer;
            let told = |other: &Customer| other.id == *customer && self.readers_know(rule, &other.labels);
            *customer == petition.customer || known.iter().any(told)
        });
        held.truncate(HELD);
        Ok((self.live(held, 0).await?, all))
    }
}
