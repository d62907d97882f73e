//! Who outside is told of accesses, and who is asked about petitions, as far as deciding that needs to know them.

use std::collections::BTreeSet;

use crate::{
    domain::{
        customer::Labels,
        id::{CustomerId, DecisionName, ProvisionerName},
        person::Email,
    },
    policy::PersonFacts,
};

/// The kinds of resources that a webhook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds {
    customers: bool,
    others: BTreeSet<String>,
}

impl Kinds {
    /// What a customer is called on the wire is for the settings to say.
    pub fn new<'k>(kinds: impl IntoIterator<Item = &'k str>, customer_kind: &str) -> Self {
        let (customers, others) = kinds.into_iter().partition::<Vec<_>, _>(|kind| *kind == customer_kind);
        Self { customers: !customers.is_empty(), others: others.into_iter().map(str::to_owned).collect() }
    }

    pub fn customers() -> Self {
        Self { customers: true, others: BTreeSet::new() }
    }

    pub(super) fn hold(&self, resource: &CustomerId) -> bool {
        resource.kind().map_or(self.customers, |kind| self.others.contains(kind))
    }
}

/// A provisioner.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: ProvisionerName,
    pub kinds: Kinds,
    /// Customer labels that must all fit; empty fits everything.
    pub matches: Labels,
}

/// A bot that is asked what it says.
#[derive(Clone, Debug)]
pub struct Decider {
    pub name: DecisionName,
    /// The reviewer that it speaks as.
    pub bot: Email,
    pub kinds: Kinds,
    pub matches: Labels,
}

fn all_fit(wanted: &Labels, labels: Option<&Labels>) -> bool {
    wanted.iter().all(|(key, value)| labels.is_some_and(|labels| labels.get(key) == Some(value)))
}

impl Target {
    pub(super) fn fits(&self, resource: &CustomerId, labels: Option<&Labels>) -> bool {
        self.kinds.hold(resource) && all_fit(&self.matches, labels)
    }
}

impl Decider {
    /// What is known of the bot.
    pub fn facts(&self) -> PersonFacts {
        PersonFacts { email: self.bot.clone(), slack: None, full_member: true, slack_groups: BTreeSet::new() }
    }

    pub(super) fn fits(&self, resource: &CustomerId, labels: Option<&Labels>) -> bool {
        self.kinds.hold(resource) && all_fit(&self.matches, labels)
    }
}
