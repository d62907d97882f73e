//! `[[pull]]`: endpoints that are asked which resources there are.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    reader::{Reader, Section, Value},
    webhooks::{Timeout, WebhookConfig, kinds, webhook},
};
use crate::domain::id::PullName;

#[derive(Clone, Debug)]
pub struct PullConfig {
    /// Stable: the resources that it brought remember it.
    pub name: PullName,
    /// `None`: customers.
    pub kinds: Option<Vec<String>>,
    pub every: SignedDuration,
    /// Handed to the endpoint as they are.
    pub flags: BTreeMap<String, String>,
    pub webhook: WebhookConfig,
}

const KEYS: &[&str] = &["name", "url", "secret", "kinds", "every", "headers", "timeout", "flags"];
/// Whoever answers reads a whole table.
const TIMEOUT: Timeout = Timeout { default: SignedDuration::from_secs(30), longest: SignedDuration::from_mins(10) };
const EVERY: SignedDuration = SignedDuration::from_mins(15);

pub(super) fn pulls(reader: &mut Reader<'_>, value: Option<&Value<'_>>) -> Vec<PullConfig> {
    let sections = reader.sections(value, "pull");
    let mut names = Vec::new();
    sections.iter().filter_map(|section| pull(reader, section, &mut names)).collect()
}

fn pull(reader: &mut Reader<'_>, section: &Section<'_>, names: &mut Vec<String>) -> Option<PullConfig> {
    reader.only(section, KEYS, &[]);
    let name = reader.name_of(section, names, true);
    let webhook = webhook(reader, section, TIMEOUT);
    let kinds = kinds(reader, section);
    let every = reader.length_of(section, "every").unwrap_or(EVERY);
    let flags = flags(reader, section);
    Some(PullConfig { name: PullName::new(name?), kinds, every, flags, webhook: webhook? })
}

fn flags(reader: &mut Reader<'_>, section: &Section<'_>) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    let table = section.get("flags").and_then(|value| reader.section(value, "flags = { name = \"value\" }"));
    let Some(section) = table else { return flags };
    for (key, value) in section.table {
        if let Some(text) = reader.text(value) {
            flags.insert(key.get_ref().clone().into_owned(), text.value);
        }
    }
    flags
}
