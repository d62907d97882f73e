//! Customers for somebody who is typing one.

use super::{Error, Workflow};
use crate::{
    domain::{
        customer::{Customer, name_key},
        id::CustomerId,
    },
    policy::{self, PersonFacts},
    store::CustomerLookup,
};

/// How many of what they asked for lately come first.
const RECENT: usize = 10;
/// Of what fits, so many are looked through where some of it may be nothing for them to ask for.
const LOOKED_THROUGH: usize = 2_000;

/// What may be meant, nearest first; only what the person may ask for, be it for somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggested {
    /// What they asked for before, the latest first.
    pub recent: Vec<Customer>,
    pub others: Vec<Customer>,
    /// There are more that fit.
    pub cut: bool,
}

impl Workflow {
    /// Whether a customer may be shown to somebody who asks: names are customer data too.
    pub fn may_name(&self, person: &PersonFacts, customer: &Customer) -> bool {
        policy::may_ask_for(&self.policy, person, &customer.labels)
            || policy::may_ask_for_others_of(&self.policy, person, &customer.labels)
    }

    /// Customers whose names are like a text that names none, or names several.
    pub async fn near(&self, person: &PersonFacts, text: &str) -> Result<Vec<Customer>, Error> {
        let mut near = match self.store.look_up_customer(text).await? {
            CustomerLookup::One(customer) => vec![customer],
            CustomerLookup::Several(customers) | CustomerLookup::Nobody(customers) => customers,
        };
        near.retain(|customer| self.may_name(person, customer));
        Ok(near)
    }

    /// Customers that fit what was typed so far: at most `limit`, recent ones first.
    pub async fn suggest_customers(&self, person: &PersonFacts, typed: &str, limit: usize) -> Result<Suggested, Error> {
        let everywhere = self.policy.rules.iter().all(|rule| rule.petitioners.is_none());
        let wanted = if everywhere { limit + 1 } else { LOOKED_THROUGH };
        let found = self.store.customers_typed(typed, wanted).await?;
        let full = found.len() == wanted;
        let mut others: Vec<Customer> = found.into_iter().filter(|customer| self.may_name(person, customer)).collect();
        let lately = self.store.asked_for_lately(&person.email, RECENT).await?;
        let ids: Vec<&str> = lately.iter().map(|id| id.as_str()).collect();
        let known = self.store.customers_named(&ids).await?;
        let (typed, key) = (typed.trim(), name_key(typed));
        let fits = |customer: &&Customer| {
            let named = !key.is_empty() && name_key(&customer.name).contains(&key);
            (typed.is_empty() || named || customer.id.as_str().starts_with(typed)) && self.may_name(person, customer)
        };
        let of = |id: &CustomerId| known.iter().find(|customer| customer.id == *id).filter(fits).cloned();
        let recent: Vec<Customer> = lately.iter().filter_map(of).collect();
        others.retain(|customer| recent.iter().all(|known| known.id != customer.id));
        let room = limit.saturating_sub(recent.len());
        let cut = full || others.len() > room;
        others.truncate(room);
        Ok(Suggested { recent, others, cut })
    }
}
