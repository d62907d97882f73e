//! Customers: the resources that access is given to.

use std::collections::BTreeMap;

use super::id::CustomerId;

/// The columns after id and name of the company's customers query.
pub type Labels = BTreeMap<String, String>;

/// A customer as the company's database last told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub id: CustomerId,
    pub name: String,
    pub labels: Labels,
}

const LONGEST_KEY: usize = 200;

/// What two spellings of one name have in common: letters and digits, lower-cased.
///
/// `Acme Corp`, `AcmeCorp` and `ACME-Corp.` share a key; a person who types any of them means the same customer,
/// and when two customers share a key, both are offered. Nobody types more than its length, and an index holds no more.
pub fn name_key(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(LONGEST_KEY).collect()
}
