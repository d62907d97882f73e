//! response_urls: five posts in thirty minutes, by which the bot answers where it may not be a member.
//!
//! The answer to a slash command has the same form and takes the same way.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use super::{
    Server, Workspace, api,
    model::{Message, RESPONSE_SECS, RESPONSE_USES, ResponseUrl, State, string, with_ids},
};

/// The name under which posts to response_urls stand in the record and in faults.
pub const METHOD: &str = "response_url";
const KEYS: &[&str] = &[
    "response_type",
    "replace_original",
    "delete_original",
    "text",
    "blocks",
    "attachments",
    "thread_ts",
    "mrkdwn",
    "metadata",
    "unfurl_links",
    "unfurl_media",
    "parse",
    "link_names",
];

pub fn routes() -> Router<Server> {
    Router::new().route("/response/{team}/{secret}", post(respond))
}

async fn respond(
    Shared(server): Shared<Server>,
    Path((team, secret)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(workspace) = server.workspace() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let sent = serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null);
    let fault = workspace.take_fault(METHOD);
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.is_carried_out()) {
        workspace.record(METHOD, sent, json!({ "fault": format!("{fault:?}") }));
        drop(workspace);
        return api::faulty(&server, fault).await;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let outcome = workspace.update(|state| {
        if !kind.starts_with("application/json") {
            state.dislike(format!("{METHOD}: the content type is “{kind}”, not application/json"));
        }
        workspace.post_to_url(state, &format!("{team}/{secret}"), &sent)
    });
    let answered = json!(outcome.err().unwrap_or("ok"));
    workspace.record(METHOD, sent, answered);
    workspace.echo();
    drop(workspace);
    match (fault, outcome) {
        (Some(fault), _) => api::faulty(&server, &fault).await,
        (None, Ok(())) => "ok".into_response(),
        (None, Err(error @ ("expired_url" | "used_url"))) => (StatusCode::NOT_FOUND, error).into_response(),
        (None, Err(error)) => axum::Json(json!({ "ok": false, "error": error })).into_response(),
    }
}

impl Workspace {
    /// A fresh response_url for what this person just did.
    pub(super) fn response_url(&self, state: &mut State, of: ResponseUrl) -> String {
        let key = format!("{}/{}", self.0.config.team_id, self.secret(state, METHOD));
        let url = format!("{}/response/{key}", self.0.origin);
        state.response_urls.insert(key, of);
        url
    }

    fn post_to_url(&self, state: &mut State, key: &str, sent: &Value) -> Result<(), &'static str> {
        let now = self.now();
        let url = state.response_urls.get_mut(key).ok_or("expired_url")?;
        if now - url.issued > RESPONSE_SECS {
            return Err("expired_url");
        }
        if url.uses >= RESPONSE_USES {
            return Err("used_url");
        }
        url.uses += 1;
        let url = url.clone();
        self.answer_place(state, METHOD, &url, sent)
    }

    /// Does what a message that answers a command or a click asks for.
    pub(super) fn answer_place(
        &self,
        state: &mut State,
        by: &str,
        at: &ResponseUrl,
        sent: &Value,
    ) -> Result<(), &'static str> {
        let Some(fields) = sent.as_object() else {
            state.dislike(format!("{by}: not a JSON object"));
            return Err("invalid_payload");
        };
        for unknown in fields.keys().filter(|name| !KEYS.contains(&name.as_str())) {
            state.dislike(format!("{by}: no such field: {unknown}"));
        }
        let original = at.original.as_ref().and_then(|ts| state.message(&at.channel, ts)).cloned();
        if sent["delete_original"] == json!(true) {
            if let Some(original) = &original {
                state.messages.retain(|message| message.channel != original.channel || message.ts != original.ts);
            }
            return Ok(());
        }
        let kind = sent["response_type"].as_str().unwrap_or("ephemeral");
        if !matches!(kind, "ephemeral" | "in_channel") {
            state.dislike(format!("{by}: no such response_type: {kind}"));
        }
        let text = string(&sent["text"]);
        let blocks = match &sent["blocks"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        if text.is_empty() && blocks.is_null() {
            // `{"response_type": "in_channel"}` only shows what was typed.
            return if fields.contains_key("response_type") { Ok(()) } else { Err("no_text") };
        }
        self.dislikes(state, by, &text, &blocks).map_err(|_| "invalid_blocks")?;
        let blocks = with_ids(state, &blocks);
        if let (Some(original), true) = (original, sent["replace_original"] == json!(true)) {
            if let Some(message) = state.message_mut(&original.channel, &original.ts) {
                message.text = text;
                message.blocks = blocks;
                message.edited += 1;
            }
            return Ok(());
        }
        let thread_ts = sent["thread_ts"].as_str().map(str::to_owned).or_else(|| at.thread_ts.clone());
        if kind == "in_channel" {
            let ts = self.ts(state);
            let message = Message {
                channel: at.channel.clone(),
                ts,
                thread_ts,
                text,
                blocks,
                edited: 0,
                ephemeral: false,
                user: self.bot_user_id(),
                to: None,
                metadata: Self::metadata(&sent["metadata"]),
            };
            self.echo_post(state, &message);
            state.messages.push(message);
        } else {
            self.show_ephemeral(state, &at.channel, &at.user, thread_ts, text, blocks);
        }
        Ok(())
    }
}
