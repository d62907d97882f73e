//! "May this person see this customer, now?" The question that production asks before it shows anything.

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    BODY_LIMIT, Http,
    auth::{Caller, Scope},
    error::ApiError,
    openapi,
    signed::raw_body,
};
use crate::{domain::person::Email, workflow::Truth};

/// The most questions that are answered at once.
const AT_ONCE: usize = 1000;

#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct Question {
    /// The person's e-mail
    #[param(value_type = String, example = "ana@acme.test")]
    #[schema(value_type = String, example = "ana@acme.test")]
    user: Option<String>,
    /// The customer's id
    #[param(value_type = String, example = "123")]
    #[schema(value_type = String, example = "123")]
    customer: Option<String>,
    /// This role or a stronger one; without it any will do
    #[param(value_type = Option<String>, nullable = false, example = "readonly")]
    #[schema(example = "readonly")]
    role: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Questions {
    #[schema(max_items = 1000)]
    checks: Vec<Question>,
}

/// `{"allowed":false}` and nothing else when it is a no.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Answer", examples(json!({ "allowed": true, "expires_at": "2026-01-02T19:04:05Z",
    "petition": "05ccd8a7a31f4c00", "role": "readonly" }), json!({ "allowed": false })))]
pub struct Reply {
    allowed: bool,
    /// When the access ends: ask again then, not before
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<String>,
    /// The petition that ends last
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    petition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    role: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Replies {
    results: Vec<Reply>,
}

/// May this person see this customer, now?
#[utoipa::path(
    get, path = "/v1/check", operation_id = "check", tag = "check", params(Question), security(("token" = ["check"])),
    responses((status = 200, description = "Yes or no", body = Reply), openapi::Invalid, openapi::Guarded),
)]
pub async fn check_one(
    State(http): State<Http>,
    caller: Caller,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Reply>, ApiError> {
    caller.demand(Scope::Check)?;
    let Query(question) = question.map_err(|_| ApiError::Invalid(USAGE.to_owned()))?;
    Ok(Json(answer(&http, &question).await?))
}

/// The same for up to 1000 at once
///
/// The answers come in the order of the questions.
#[utoipa::path(
    post, path = "/v1/check", operation_id = "checkMany", tag = "check", request_body = Questions,
    security(("token" = ["check"])),
    responses(
        (status = 200, description = "Yes or no, for each", body = Replies),
        openapi::Invalid, openapi::TooLarge, openapi::Guarded,
    ),
)]
pub async fn check_many(
    State(http): State<Http>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Replies>, ApiError> {
    caller.demand(Scope::Check)?;
    let body = raw_body(&headers, body, BODY_LIMIT).await.map_err(|bad| bad.told(BODY_LIMIT))?;
    let questions: Questions = serde_json::from_slice(&body).map_err(|error| {
        ApiError::Invalid(format!("the body must be {{\"checks\":[{{\"user\":…,\"customer\":…}}]}}: {error}"))
    })?;
    if questions.checks.len() > AT_ONCE {
        return Err(ApiError::Invalid(format!("at most {AT_ONCE} checks at once")));
    }
    let mut results = Vec::with_capacity(questions.checks.len());
    for question in &questions.checks {
        results.push(answer(&http, question).await?);
    }
    Ok(Json(Replies { results }))
}

const USAGE: &str = "a check needs `user` (an e-mail) and `customer` (an id), and may have a `role`";

async fn answer(http: &Http, question: &Question) -> Result<Reply, ApiError> {
    let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let (Some(user), Some(customer)) = (text(&question.user), text(&question.customer)) else {
        return Err(ApiError::Invalid(USAGE.to_owned()));
    };
    if customer.contains('\0') {
        return Err(ApiError::Invalid("a customer's id holds no NUL".to_owned()));
    }
    let user = Email::parse(&user).map_err(|fault| ApiError::Invalid(fault.to_string()))?;
    let role = text(&question.role);
    let truth = http.workflow.check(&user, &customer, role.as_deref(), http.workflow.now()).await?;
    Ok(match truth {
        Truth::Denied => Reply { allowed: false, expires_at: None, petition: None, role: None },
        Truth::Allowed(held) => Reply {
            allowed: true,
            expires_at: Some(held.expires_at.to_string()),
            petition: Some(held.petition).filter(|name| !name.is_empty()),
            role: held.role.map(|role| role.into_string()),
        },
    })
}
