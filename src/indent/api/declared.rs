//! What `latchkey.toml` says, as Indent's webhooks and resource policies. It is changed in the file, not here.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, caller::Client, described};
use crate::{
    domain::customer::Labels,
    http::{auth::Scope, error::ApiError, openapi},
};

/// The file as far as administrators may read it here; no secret and no value of a header.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub webhooks: Vec<DeclaredWebhook>,
    pub policies: Vec<DeclaredPolicy>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub struct DeclaredWebhook {
    pub name: String,
    pub space_name: String,
    pub display_name: String,
    /// What it is for, as Indent marks its webhooks.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    pub url: String,
    pub method: &'static str,
    /// Only their names: a value may be a credential.
    pub headers: BTreeMap<String, Labels>,
    pub dry_run: bool,
}

/// One rule: what it is for and who decides.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ResourcePolicy)]
pub struct DeclaredPolicy {
    pub name: String,
    pub space_name: String,
    pub display_name: String,
    pub selector: Selector,
    /// In words: `2 of group:leads`.
    pub require: Vec<String>,
    pub max_duration: String,
}

#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicySelector)]
pub struct Selector {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub match_labels: Labels,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Webhooks {
    webhooks: Vec<DeclaredWebhook>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Policies {
    policies: Vec<DeclaredPolicy>,
}

/// The webhooks of latchkey.toml
#[utoipa::path(
    get, path = "/v1/spaces/{space}/webhooks", operation_id = "listWebhooks", tag = "configuration",
    params(described::InSpace),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "All of them", body = Webhooks),
        openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn webhooks(State(api): State<Api>, client: Client) -> Result<Json<Webhooks>, ApiError> {
    client.0.demand(Scope::Admin)?;
    Ok(Json(Webhooks { webhooks: api.declared.webhooks.clone() }))
}

/// One webhook
#[utoipa::path(
    get, path = "/v1/spaces/{space}/webhooks/{webhook}", operation_id = "getWebhook", tag = "configuration",
    params(described::InSpace, described::OfWebhook),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "The webhook", body = DeclaredWebhook),
        openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn webhook(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
) -> Result<Json<DeclaredWebhook>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let found = api.declared.webhooks.iter().find(|one| path.get("webhook") == Some(&one.name));
    found.cloned().map(Json).ok_or(ApiError::NotFound)
}

/// The rules of latchkey.toml
///
/// In the order of the file: the first that matches decides.
#[utoipa::path(
    get, path = "/v1/spaces/{space}/resourcePolicies", operation_id = "listResourcePolicies", tag = "configuration",
    params(described::InSpace),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "All of them", body = Policies),
        openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn policies(State(api): State<Api>, client: Client) -> Result<Json<Policies>, ApiError> {
    client.0.demand(Scope::Admin)?;
    Ok(Json(Policies { policies: api.declared.policies.clone() }))
}

/// One rule
#[utoipa::path(
    get, path = "/v1/spaces/{space}/resourcePolicies/{policy}", operation_id = "getResourcePolicy", tag = "configuration",
    params(described::InSpace, described::OfPolicy),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "The rule", body = DeclaredPolicy),
        openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn policy(
    State(api): State<Api>,
    client: Client,
    Path(path): Path<HashMap<String, String>>,
) -> Result<Json<DeclaredPolicy>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let found = api.declared.policies.iter().find(|one| path.get("policy") == Some(&one.name));
    found.cloned().map(Json).ok_or(ApiError::NotFound)
}
