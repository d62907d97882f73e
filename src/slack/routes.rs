//! The four doors that Slack knocks on.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Slack,
    dispatch::{self, NotStored, unknown},
    inbound::{self, SlashCommand},
};
use crate::{
    domain::signature::verify_slack,
    http::{
        BODY_LIMIT,
        error::ErrorBody,
        signed::{BadBody, raw_body, single},
    },
};

pub fn routes() -> OpenApiRouter<Arc<Slack>> {
    OpenApiRouter::default()
        .routes(routes!(command))
        .routes(routes!(interaction))
        .routes(routes!(options))
        .routes(routes!(event))
}

/// A request that is Slack's: the raw body, and the signature by which a replay is known.
struct Verified {
    body: Bytes,
    signature: String,
}

/// Reads, then verifies, before anything is parsed. Failures are answered with a status and no body.
async fn verified(slack: &Slack, route: &'static str, headers: &HeaderMap, body: Body) -> Result<Verified, Response> {
    let refuse = |status: StatusCode, reason: &'static str| {
        metrics::counter!("latchkey_refused_requests_total", "route" => route, "reason" => reason).increment(1);
        tracing::warn!(route, reason, "refused a request that claims to be Slack's");
        status.into_response()
    };
    let body = raw_body(headers, body, BODY_LIMIT).await.map_err(|bad| match bad {
        BadBody::TooLarge => refuse(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        BadBody::Truncated => refuse(StatusCode::BAD_REQUEST, "truncated"),
    })?;
    let time = single(headers, "x-slack-request-timestamp");
    let signature = single(headers, "x-slack-signature");
    let (Some(time), Some(signature)) = (time, signature) else {
        // Slack's check of the certificate may come unsigned; it gets a 200 and nothing of it is read.
        if route == "/slack/commands" && inbound::is_ssl_check(&body) {
            return Err(StatusCode::OK.into_response());
        }
        return Err(refuse(StatusCode::UNAUTHORIZED, "no signature"));
    };
    if verify_slack(&slack.secrets(), slack.workflow.now(), time, signature, &body).is_err() {
        if route == "/slack/commands" && inbound::is_ssl_check(&body) {
            return Err(StatusCode::OK.into_response());
        }
        return Err(refuse(StatusCode::UNAUTHORIZED, "bad signature or time"));
    }
    Ok(Verified { signature: format!("slack:{signature}"), body })
}

/// The slash command
#[utoipa::path(
    post, path = "/slack/commands", operation_id = "slackCommand", tag = "signed", security(("slack" = [])),
    params(("X-Slack-Request-Timestamp" = i64, Header, description = "When it was signed")),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "As Slack sends it"),
    responses(
        (status = 200, description = "What the person sees who typed it", body = Object),
        (status = 400, description = "The body is incomplete"),
        (status = 401, description = "Bad or missing signature, or stale"),
        (status = 404, description = "Slack is not configured", body = ErrorBody),
        (status = 413, description = "More than 1 MiB"),
    ),
)]
async fn command(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let Verified { body, signature } = match verified(&slack, "/slack/commands", &headers, body).await {
        Ok(verified) => verified,
        Err(refused) => return refused,
    };
    if inbound::is_ssl_check(&body) {
        return StatusCode::OK.into_response();
    }
    let Some(command) = SlashCommand::parse(&body) else {
        unknown("command without a user");
        return StatusCode::OK.into_response();
    };
    answer(dispatch::command(slack, command, signature).await)
}

/// Buttons and forms
#[utoipa::path(
    post, path = "/slack/interactions", operation_id = "slackInteraction", tag = "signed", security(("slack" = [])),
    params(("X-Slack-Request-Timestamp" = i64, Header, description = "When it was signed")),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "As Slack sends it"),
    responses(
        (status = 200, description = "Acknowledged; or the mistakes in a form", body = Object),
        (status = 400, description = "The body is incomplete"),
        (status = 401, description = "Bad or missing signature, or stale"),
        (status = 404, description = "Slack is not configured", body = ErrorBody),
        (status = 413, description = "More than 1 MiB"),
    ),
)]
async fn interaction(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let Verified { body, signature } = match verified(&slack, "/slack/interactions", &headers, body).await {
        Ok(verified) => verified,
        Err(refused) => return refused,
    };
    let Some(payload) = inbound::payload(&body) else {
        unknown("interaction without a payload");
        return StatusCode::OK.into_response();
    };
    answer(dispatch::interaction(slack, payload, signature).await)
}

/// Typeahead
#[utoipa::path(
    post, path = "/slack/options", operation_id = "slackOptions", tag = "signed", security(("slack" = [])),
    params(("X-Slack-Request-Timestamp" = i64, Header, description = "When it was signed")),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "As Slack sends it"),
    responses(
        (status = 200, description = "What can be chosen", body = Object),
        (status = 400, description = "The body is incomplete"),
        (status = 401, description = "Bad or missing signature, or stale"),
        (status = 404, description = "Slack is not configured", body = ErrorBody),
        (status = 413, description = "More than 1 MiB"),
    ),
)]
async fn options(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let Verified { body, signature } = match verified(&slack, "/slack/options", &headers, body).await {
        Ok(verified) => verified,
        Err(refused) => return refused,
    };
    let payload = inbound::payload(&body).unwrap_or_default();
    // Nothing to choose from is an answer too; an empty body is none.
    let found = match payload["type"].as_str() {
        Some("block_suggestion") => dispatch::interaction(slack, payload, signature).await,
        other => {
            unknown(other.unwrap_or("options without a payload"));
            None
        }
    };
    Json(found.unwrap_or_else(|| json!({ "options": [] }))).into_response()
}

/// Events
#[utoipa::path(
    post, path = "/slack/events", operation_id = "slackEvent", tag = "signed", security(("slack" = [])),
    params(("X-Slack-Request-Timestamp" = i64, Header, description = "When it was signed")),
    request_body(content = Object, content_type = "application/json", description = "As Slack sends it"),
    responses(
        (status = 200, description = "Acknowledged", body = Object),
        (status = 400, description = "The body is incomplete"),
        (status = 401, description = "Bad or missing signature, or stale"),
        (status = 404, description = "Slack is not configured", body = ErrorBody),
        (status = 413, description = "More than 1 MiB"),
        (status = 503, description = "Not stored; send it again"),
    ),
)]
async fn event(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let Verified { body, .. } = match verified(&slack, "/slack/events", &headers, body).await {
        Ok(verified) => verified,
        Err(refused) => return refused,
    };
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    match dispatch::event(&slack, &event).await {
        Ok(said) => answer(said),
        // Slack sends it again.
        Err(NotStored) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Without anything to say: an empty 200.
fn answer(said: Option<Value>) -> Response {
    said.map_or_else(|| StatusCode::OK.into_response(), |said| Json(said).into_response())
}
