//! The events that are sent, compact as `JSON.stringify` would write them: many receivers parse a body and serialise it
//! again before they verify (reference §3.1).

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

#[derive(Serialize)]
pub struct Body<'a> {
    pub events: Vec<Event<'a>>,
}

#[derive(Serialize)]
pub struct Event<'a> {
    pub event: &'a str,
    pub timestamp: String,
    pub actor: Resource<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'a str,
    pub resources: Vec<Resource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta<'a>>,
}

#[derive(Serialize)]
pub struct Meta<'a> {
    pub labels: BTreeMap<&'a str, Cow<'a, str>>,
}

#[derive(Serialize, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub struct Resource<'a> {
    pub kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<&'a str, &'a str>,
}

impl Body<'_> {
    pub fn to_json(&self) -> String {
        // Only maps with keys that are no strings cannot be written, and there are none.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Somebody by their e-mail, or a part of the system by its name.
pub fn person(email: &str) -> Resource<'_> {
    if email.contains('@') {
        Resource { kind: "user", id: Some(email), email: Some(email), ..Resource::default() }
    } else {
        Resource { kind: "indent.v1.Bot", id: Some(email), ..Resource::default() }
    }
}

/// `JSON.parse` moves keys that look like array indexes to the front, and the signature would not fit any more: such
/// labels are left out.
pub fn labels_kept(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    labels
        .iter()
        .filter(|(key, _)| !key.bytes().all(|b| b.is_ascii_digit()))
        .map(|(key, value)| (key.as_str(), value.as_str()))
}
