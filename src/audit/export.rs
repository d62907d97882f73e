//! One entry as a line of JSON.

use serde_json::{Value, json};

/// The line of `latchkey audit export`, without the line feed. `details` stays as it was written.
#[allow(clippy::too_many_arguments)]
pub fn export_line(
    position: i64,
    at: jiff::Timestamp,
    event: &str,
    actor: &str,
    via: &str,
    petition: Option<&str>,
    person: Option<&str>,
    customer: Option<&str>,
    details: &str,
    hash: &str,
) -> String {
    let details: Value = serde_json::from_str(details).unwrap_or_else(|_| Value::String(details.to_owned()));
    json!({
        "position": position, "at": at.to_string(), "event": event, "actor": actor, "via": via,
        "petition": petition, "person": person, "customer": customer, "details": details, "hash": hash,
    })
    .to_string()
}
