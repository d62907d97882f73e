//! `resources:pullUpdate`: the pulls of `latchkey.toml`, now.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use utoipa::ToSchema;

use super::{
    Api,
    caller::{Client, Payload},
    described,
    output::Resource,
};
use crate::{
    audit::Via,
    http::{BODY_LIMIT, auth::Scope, error::ApiError, openapi},
};

/// Which pulls to run, and what to tell their endpoints.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PullBody {
    /// Those that bring one of these.
    #[serde(default)]
    #[schema(example = json!(["customer"]))]
    kinds: BTreeSet<String>,
    #[serde(default)]
    flags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PulledResources {
    resources: Vec<Resource>,
    status: Status,
}

/// Without a message all went well.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(title = "PullStatus", as = PullStatus)]
pub struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// gRPC's code for what is not as it must be, and would not be by asking again.
const FAILED_PRECONDITION: i32 = 9;

/// Pull resources now
///
/// Runs every `[[pull]]` of the file that brings one of the kinds, and says what was brought. A `status.message` says
/// what failed; what failed changed nothing.
#[utoipa::path(
    put, path = "/v1/spaces/{space}/resources:pullUpdate", operation_id = "pullResources", tag = "resources",
    params(described::InSpace),
    request_body(content = PullBody),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "Those that were brought, and what failed", body = PulledResources),
        openapi::Invalid, openapi::NotFound, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn pull_update(
    State(api): State<Api>,
    client: Client,
    Payload(body): Payload<PullBody, BODY_LIMIT>,
) -> Result<Json<PulledResources>, ApiError> {
    client.0.demand(Scope::Admin)?;
    let by = client.0.email.to_string();
    let done = api.pulls.on_demand(&api.http.workflow, body.kinds, body.flags, by, Via::Api).await;
    let status = match done.failures.as_slice() {
        [] => Status::default(),
        failures => Status { code: Some(FAILED_PRECONDITION), message: Some(failures.join("; ")) },
    };
    Ok(Json(PulledResources { resources: api.written(done.brought).await?, status }))
}

/// Pull resources now, by POST
///
/// The same as PUT.
#[utoipa::path(
    post, path = "/v1/spaces/{space}/resources:pullUpdate", operation_id = "pullResourcesByPost", tag = "resources",
    params(described::InSpace),
    request_body(content = PullBody),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "Those that were brought, and what failed", body = PulledResources),
        openapi::Invalid, openapi::NotFound, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn pull_update_by_post(
    api: State<Api>,
    client: Client,
    body: Payload<PullBody, BODY_LIMIT>,
) -> Result<Json<PulledResources>, ApiError> {
    pull_update(api, client, body).await
}
