//! One entry as a line of JSON.

use serde_json::{Value, json};

/// One chained entry, as it is exported.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    pub position: i64,
    pub at: jiff::Timestamp,
    pub event: String,
    pub actor: String,
    pub via: String,
    pub petition: Option<String>,
    pub person: Option<String>,
    pub customer: Option<String>,
    pub details: String,
    pub hash: String,
}

impl StoredEntry {
    /// The line of `latchkey audit export`, without the line feed. `details` stays as it was written.
    pub fn export_line(&self) -> String {
        let details: Value =
            serde_json::from_str(&self.details).unwrap_or_else(|_| Value::String(self.details.clone()));
        json!({
            "position": self.position, "at": self.at.to_string(), "event": self.event, "actor": self.actor,
            "via": self.via, "petition": self.petition, "person": self.person, "customer": self.customer,
            "details": details, "hash": self.hash,
        })
        .to_string()
    }
}
