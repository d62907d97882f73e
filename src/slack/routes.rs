//! The four doors that Slack knocks on.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use super::{
    BUDGET, Slack, actions, commands,
    inbound::{self, Interaction, SlashCommand},
    views::{Content, answer},
};
use crate::{
    domain::signature::verify_slack,
    http::signed::{BadBody, raw_body, single},
};

pub fn routes(slack: Arc<Slack>) -> Router {
    Router::new()
        .route("/slack/commands", post(command))
        .route("/slack/interactions", post(interaction))
        .route("/slack/options", post(options))
        .route("/slack/events", post(event))
        .with_state(slack)
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
    let body = raw_body(headers, body).await.map_err(|bad| match bad {
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

/// An answer that only the person sees who typed the command.
fn ephemeral(content: &Content) -> Response {
    Json(json!({ "response_type": "ephemeral", "text": content.text, "blocks": content.blocks })).into_response()
}

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
    // By itself, so that what was begun is not broken off half-way when Slack must be answered first.
    let worker = slack.clone();
    let act = slack.afterwards.spawn(async move { commands::run(&worker, &command, &signature).await });
    ephemeral(&match tokio::time::timeout(BUDGET, act).await {
        Ok(Ok(content)) => content,
        Ok(Err(_)) => answer::not_stored("Something went wrong here."),
        Err(_) => answer::under_way(),
    })
}

async fn interaction(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let Verified { body, signature } = match verified(&slack, "/slack/interactions", &headers, body).await {
        Ok(verified) => verified,
        Err(refused) => return refused,
    };
    let Some(payload) = inbound::payload(&body) else {
        unknown("interaction without a payload");
        return StatusCode::OK.into_response();
    };
    let kind = payload["type"].as_str().unwrap_or_default().to_owned();
    let Ok(interaction) = serde_json::from_value::<Interaction>(payload) else {
        unknown(&kind);
        return StatusCode::OK.into_response();
    };
    match kind.as_str() {
        "block_actions" => {
            actions::pressed(slack, interaction, signature).await;
            StatusCode::OK.into_response()
        }
        "view_submission" => match actions::submitted(slack, interaction, signature).await {
            None => StatusCode::OK.into_response(),
            Some(errors) => Json(json!({ "response_action": "errors", "errors": errors })).into_response(),
        },
        "block_suggestion" => Json(json!({ "options": [] })).into_response(),
        // Nothing was submitted, so there is nothing to do.
        "view_closed" => StatusCode::OK.into_response(),
        other => {
            unknown(other);
            StatusCode::OK.into_response()
        }
    }
}

/// No message of ours has a typeahead yet, so there is nothing to suggest.
async fn options(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    match verified(&slack, "/slack/options", &headers, body).await {
        Ok(_) => Json(json!({ "options": [] })).into_response(),
        Err(refused) => refused,
    }
}

async fn event(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let Verified { body, .. } = match verified(&slack, "/slack/events", &headers, body).await {
        Ok(verified) => verified,
        Err(refused) => return refused,
    };
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    match event["type"].as_str() {
        Some("url_verification") => Json(json!({ "challenge": event["challenge"] })).into_response(),
        // Everything that an event could tell is read from Slack again before it is acted upon.
        Some("event_callback" | "app_rate_limited") => StatusCode::OK.into_response(),
        other => {
            unknown(other.unwrap_or("event without a type"));
            StatusCode::OK.into_response()
        }
    }
}

/// Acknowledged and counted: Slack adds kinds without asking. The name is Slack's, so it is cut short.
fn unknown(kind: &str) {
    let kind: String = kind.chars().take(40).collect();
    tracing::info!(kind, "a Slack payload of a kind we do not know");
    metrics::counter!("latchkey_slack_unknown_payloads_total").increment(1);
}
