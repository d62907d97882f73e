//! `[[provisioner]]`: who is told of accesses.

use super::{
    reader::{Reader, Section, Value},
    webhooks::{WEBHOOK_TIMEOUT, WebhookConfig, kinds, webhook},
};
use crate::domain::{customer::Labels, id::ProvisionerName};

#[derive(Clone, Debug)]
pub struct ProvisionerConfig {
    /// Stable: leases remember it.
    pub name: ProvisionerName,
    /// Labels that a customer must have, all of them. `None`: every customer.
    pub matches: Option<Labels>,
    /// Kinds of the resources that it is told about. `None`: customers.
    pub kinds: Option<Vec<String>>,
    pub kind: ProvisionerKind,
}

#[derive(Clone, Debug)]
pub enum ProvisionerKind {
    Webhook(WebhookConfig),
}

const WEBHOOK_KEYS: &[&str] = &["name", "kind", "kinds", "match", "url", "secret", "headers", "timeout", "dry_run"];
const LATER_WEBHOOK_KEYS: &[&str] = &["read_back"];
const LATER_KINDS: &[&str] = &["postgres", "okta_group", "okta_attribute"];

pub(super) fn provisioners(reader: &mut Reader<'_>, value: Option<&Value<'_>>) -> Vec<ProvisionerConfig> {
    let sections = reader.sections(value, "provisioner");
    let mut names = Vec::new();
    sections.iter().filter_map(|section| provisioner(reader, section, &mut names)).collect()
}

fn provisioner(reader: &mut Reader<'_>, section: &Section<'_>, names: &mut Vec<String>) -> Option<ProvisionerConfig> {
    let name = reader.name_of(section, names, true);
    if section.get("kind").is_none() {
        reader.mistake(section.at, "this provisioner has no kind; add kind = \"webhook\"");
    }
    let kind = reader.text_of(section, "kind")?;
    // The keys of another kind would only be mistaken for unknown ones.
    let kind = match kind.value.as_str() {
        "webhook" => {
            reader.only(section, WEBHOOK_KEYS, LATER_WEBHOOK_KEYS);
            webhook(reader, section, WEBHOOK_TIMEOUT).map(ProvisionerKind::Webhook)
        }
        later if LATER_KINDS.contains(&later) => {
            let message = format!("the kind “{later}” is not in this version of Latchkey yet; remove this provisioner");
            reader.mistake(kind.at, message);
            None
        }
        _ => {
            let message = format!("there is no kind {}; write kind = \"webhook\"", kind.shown());
            reader.mistake(kind.at, message);
            None
        }
    };
    let matches = reader.labels_of(section);
    let kinds = kinds(reader, section);
    Some(ProvisionerConfig { name: ProvisionerName::new(name?), matches, kinds, kind: kind? })
}
