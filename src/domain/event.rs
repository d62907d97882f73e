//! What a provisioner is told: one change of one access, complete, so that it can be told again in the same words.

use serde::{Deserialize, Serialize};

use super::customer::Labels;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    Grant,
    Revoke,
}

impl Wanted {
    pub fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revoke => "revoke",
        }
    }
}

/// Kept as JSON with the change that caused it. Times are RFC 3339 in UTC; `expires_at` is the end of the access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEvent {
    pub wanted: Wanted,
    pub at: jiff::Timestamp,
    /// Who caused it: the approver's or revoker's e-mail, or `system` at expiry.
    pub actor: String,
    pub reason: String,
    pub person: String,
    pub customer: String,
    pub customer_name: String,
    pub customer_labels: Labels,
    pub role: Option<String>,
    /// Grant: the petition whose lease now ends last. Revoke: the one whose lease ended last.
    pub petition: String,
    pub expires_at: jiff::Timestamp,
    /// The length of that petition's lease, in seconds.
    pub length_secs: i64,
    pub version: i64,
    /// The request and the approvals of that petition, oldest first.
    pub history: Vec<EarlierEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierEvent {
    /// `access/request` or `access/approve`.
    pub event: String,
    pub at: jiff::Timestamp,
    pub actor: String,
    pub reason: String,
}
