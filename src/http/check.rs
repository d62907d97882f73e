//! "May this person see this customer, now?" The question that production asks before it shows anything.

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use serde::{Deserialize, Serialize};

use super::{
    Http,
    auth::{Caller, Scope},
    error::ApiError,
    signed::{BadBody, raw_body},
};
use crate::{domain::person::Email, workflow::Truth};

/// The most questions that are answered at once.
const AT_ONCE: usize = 1000;

#[derive(Debug, Deserialize)]
pub struct Question {
    user: Option<String>,
    customer: Option<String>,
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Questions {
    checks: Vec<Question>,
}

/// `{"allowed":false}` and nothing else when it is a no.
#[derive(Debug, Serialize)]
pub struct Reply {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    petition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Replies {
    results: Vec<Reply>,
}

pub async fn check_one(
    State(http): State<Http>,
    caller: Caller,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Reply>, ApiError> {
    caller.demand(Scope::Check)?;
    let Query(question) = question.map_err(|_| ApiError::Invalid(USAGE.to_owned()))?;
    Ok(Json(answer(&http, &question).await?))
}

pub async fn check_many(
    State(http): State<Http>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Replies>, ApiError> {
    caller.demand(Scope::Check)?;
    let body = raw_body(&headers, body).await.map_err(|bad| match bad {
        BadBody::TooLarge => ApiError::TooLarge,
        BadBody::Truncated => ApiError::Invalid("the body is incomplete".to_owned()),
    })?;
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
