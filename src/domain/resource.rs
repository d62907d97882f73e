//! Resources: what petitions name. Customers are the resources of one kind; others may be anything.

use serde::{Deserialize, Serialize};

use super::customer::Labels;

/// One resource as somebody gave it, with its texts made plain. Kept as JSON where it is no customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    pub kind: String,
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alt_ids: Vec<String>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// Where a stored resource comes from, which says who may take it away again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The company's database: the sync removes what it does not find there any more.
    Sync,
    /// Somebody put it through the API; only the API removes it.
    Upload,
    /// The `[[pull]]` of that name: removed when a pull does not bring it any more.
    Pull(String),
}

/// `sync`, `upload` or `pull:NAME`, as the database has it.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sync => f.write_str("sync"),
            Self::Upload => f.write_str("upload"),
            Self::Pull(name) => write!(f, "pull:{name}"),
        }
    }
}
