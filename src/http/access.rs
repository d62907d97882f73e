//! Who holds what now, where something that is over may still be open, and how far each provisioner is: what
//! `latchkey access list` shows.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Http,
    auth::{Caller, Scope},
    error::ApiError,
    openapi,
};
use crate::domain::{
    id::{AccessId, CustomerId},
    lease::Lease,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only this person's
    #[serde(default)]
    user: String,
    /// Only on this customer, or on the resource of this id where `kind` says its kind
    #[serde(default)]
    customer: String,
    /// The kind of a resource that is no customer; only with `customer`
    #[serde(default)]
    kind: String,
    /// The `nextPageToken` of the page before
    #[serde(default)]
    page_token: String,
    /// At most so many; 100 is the most
    #[param(value_type = i64, required = false)]
    page_size: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessPage)]
pub struct Page {
    leases: Vec<Line>,
    /// Absent on the last page
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    next_page_token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lease)]
pub struct Line {
    user: String,
    /// The id of the customer, or of the resource where there is a `kind`
    customer: String,
    /// Absent where it is a customer
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    role: Option<String>,
    petition: String,
    lease: String,
    #[schema(format = DateTime)]
    starts_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// Only of a lease that is over: some provisioner has not confirmed that yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    ended_at: Option<String>,
    provisioners: Vec<Progress>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    name: String,
    /// `pending`, `applied`, `revoking`, `revoked` or `failing`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64)]
    attempts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    last_error: Option<String>,
}

const PAGE: i64 = 100;
const USAGE: &str = "the list takes `user`, `customer`, a `kind` with it, `pageToken` and a `pageSize` up to 100";

/// Who holds what
///
/// Live leases and those that are over but not closed everywhere, oldest first, with the progress of the access that
/// each belongs to. Needs the scope `admin`.
#[utoipa::path(
    get, path = "/v1/spaces/{space}/access", operation_id = "listAccess", tag = "check",
    params(("space" = String, Path, description = "The space", example = "default"), Filter),
    security(("token" = ["admin"])),
    responses(
        (status = 200, description = "One page", body = Page),
        openapi::Invalid, openapi::NotFound, openapi::Guarded,
    ),
)]
pub async fn list(
    State(http): State<Http>,
    caller: Caller,
    Path(space): Path<String>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    if space != http.space {
        return Err(ApiError::NotFound);
    }
    caller.demand(Scope::Admin)?;
    let Query(filter) = filter.map_err(|_| ApiError::Invalid(USAGE.to_owned()))?;
    let texts = [&filter.user, &filter.customer, &filter.kind, &filter.page_token];
    let kind_alone = filter.customer.is_empty() && !filter.kind.is_empty();
    if kind_alone || texts.into_iter().any(|text| text.contains('\0')) {
        return Err(ApiError::Invalid(USAGE.to_owned()));
    }
    let store = http.workflow.store();
    let limit = filter.page_size.unwrap_or(PAGE).clamp(1, PAGE);
    let user = filter.user.to_lowercase();
    let customer = match filter.kind.as_str() {
        "" => filter.customer,
        kind => CustomerId::of_kind(kind, &filter.customer).into_string(),
    };
    let leases = store.open_leases(http.workflow.now(), &user, &customer, &filter.page_token, limit).await?;
    let next_page_token = (leases.len() as i64 == limit).then(|| leases.last().map(|l| l.id.to_string())).flatten();
    let mut lines = Vec::with_capacity(leases.len());
    for lease in leases {
        let provisioners = progress(&http, &lease.access).await?;
        lines.push(line(lease, provisioners));
    }
    Ok(Json(Page { leases: lines, next_page_token }))
}

async fn progress(http: &Http, access: &AccessId) -> Result<Vec<Progress>, ApiError> {
    let provisionings = http.workflow.store().provisionings(access).await?;
    Ok(provisionings
        .into_iter()
        .map(|one| {
            let state = one.word();
            let failing = one.failing.filter(|_| state == "failing");
            Progress {
                name: one.provisioner.into_string(),
                state,
                attempts: failing.is_some().then_some(one.attempts),
                failing_since: failing.as_ref().map(|(since, _)| since.to_string()),
                last_error: failing.map(|(_, error)| error),
            }
        })
        .collect())
}

fn line(lease: Lease, provisioners: Vec<Progress>) -> Line {
    let customer = &lease.holding.customer;
    Line {
        user: lease.holding.person.to_string(),
        customer: customer.bare().to_owned(),
        kind: customer.kind().map(str::to_owned),
        role: lease.holding.role.map(|role| role.into_string()),
        petition: lease.petition,
        lease: lease.id.into_string(),
        starts_at: lease.starts_at.to_string(),
        expires_at: lease.expires_at.to_string(),
        ended_at: lease.ended.map(|(at, _)| at.to_string()),
        provisioners,
    }
}
