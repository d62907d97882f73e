//! Their JSON, read leniently: unknown fields are ignored, every field may be absent or null.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `null` is as good as nothing, for every field.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + serde::de::DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

/// The same for each of a list, so that one strange neighbour does not hide the others.
fn lenient_each<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Resource>, D::Error> {
    let list = match Value::deserialize(deserializer)? {
        Value::Array(list) => list,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    };
    Ok(list.into_iter().map(|value| Resource::deserialize(value).unwrap_or_default()).collect())
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event {
    #[serde(deserialize_with = "lenient")]
    pub event: String,
    #[serde(deserialize_with = "lenient")]
    pub timestamp: String,
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    #[serde(deserialize_with = "lenient")]
    pub actor: Resource,
    #[serde(deserialize_with = "lenient_each")]
    pub resources: Vec<Resource>,
    #[serde(deserialize_with = "lenient")]
    pub meta: Meta,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Meta {
    #[serde(deserialize_with = "lenient")]
    pub labels: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resource {
    #[serde(deserialize_with = "lenient")]
    pub kind: String,
    /// Text, or a number as some databases have it.
    #[serde(deserialize_with = "lenient")]
    pub id: Value,
    #[serde(deserialize_with = "lenient")]
    pub email: String,
    #[serde(deserialize_with = "lenient")]
    pub labels: BTreeMap<String, Value>,
}

/// Texts as they are, without the NUL that no database keeps; numbers and booleans as JSON writes them.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.replace('\0', "")),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Resource {
    /// As it is: leaving out a character would make it the id of something else.
    pub fn id(&self) -> Option<String> {
        match &self.id {
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            other => text(other),
        }
    }
    pub fn label(&self, name: &str) -> Option<String> {
        self.labels.get(name).and_then(text)
    }
}

impl Event {
    pub fn label(&self, name: &str) -> Option<String> {
        self.meta.labels.get(name).and_then(text)
    }
}
