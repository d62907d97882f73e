//! `POST /webhooks/indent`: grants and revokes that somebody else decided.
//!
//! Answers: 200 `{"status":{}}` when there is nothing left to do, 200 with `status.code` where a repeat cannot mend
//! anything (3 what was sent, 7 a petition of our own), 5xx when a repeat can.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    LONGEST_ID,
    client::OUR_NAME,
    pull_update,
    wire::{self, Resource},
};
use crate::{
    domain::{
        event::Wanted,
        id::{CustomerId, Role},
        lease::Holding,
        length,
        person::Email,
        signature::{TOLERANCE_SECS, verify_indent},
    },
    http::{
        BODY_LIMIT,
        error::ErrorBody,
        signed::{BadBody, raw_body, single},
    },
    store::StoreError,
    workflow::{Applied, Error, IncomingEvent, Workflow},
};

/// What the route needs.
pub struct Receiver {
    pub workflow: Workflow,
    pub secrets: Vec<SecretString>,
    pub customer_kind: String,
}

pub const PATH: &str = "/webhooks/indent";

pub fn routes() -> OpenApiRouter<Arc<Receiver>> {
    OpenApiRouter::default().routes(routes!(receive))
}

/// gRPC codes that receivers of Indent use.
const INVALID: i32 = 3;
const UNAVAILABLE: i32 = 14;
const INTERNAL: i32 = 13;
const DENIED: i32 = 7;
const BAD_SIGNATURE: i32 = 16;

fn status(http: StatusCode, code: i32, message: &str) -> Response {
    (http, Json(json!({ "status": { "code": code, "message": message } }))).into_response()
}

fn fine() -> Response {
    Json(json!({ "status": {} })).into_response()
}

/// What another space decided, or asks
///
/// `events` with `access/grant` or `access/revoke` (ApplyUpdate), `kinds` (PullUpdate) or `info` (GetInfo).
#[utoipa::path(
    post, path = PATH, operation_id = "receiveWebhook", tag = "signed", security(("indent" = [])),
    params(("X-Indent-Timestamp" = String, Header, description = "When it was signed", example = "2026-01-02T15:04:05Z")),
    request_body(content = Object, example = json!({ "info": true })),
    responses(
        (status = 200, description = "Done; or `status.code` says what no repeat can mend", body = Object,
            example = json!({ "status": {} })),
        (status = 400, description = "The body is incomplete", body = Object),
        (status = 401, description = "Bad or missing signature, or stale", body = Object),
        (status = 404, description = "No INDENT_WEBHOOK_SECRET is set", body = ErrorBody),
        (status = 413, description = "More than 1 MiB", body = Object),
        (status = 500, description = "Something went wrong here", body = Object),
        (status = 503, description = "The database is away; send it again", body = Object),
    ),
)]
async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Body) -> Response {
    let refuse = |http: StatusCode, code: i32, reason: &'static str| {
        metrics::counter!("latchkey_refused_requests_total", "route" => PATH, "reason" => reason).increment(1);
        tracing::warn!(reason, "refused a webhook");
        status(http, code, reason)
    };
    let body = match raw_body(&headers, body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(BadBody::TooLarge) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, INVALID, "the body is too large"),
        Err(BadBody::Truncated) => return refuse(StatusCode::BAD_REQUEST, INVALID, "the body is incomplete"),
    };
    let now = receiver.workflow.now();
    let (Some(time), Some(signature)) =
        (single(&headers, "x-indent-timestamp"), single(&headers, "x-indent-signature"))
    else {
        return refuse(StatusCode::UNAUTHORIZED, BAD_SIGNATURE, "no signature");
    };
    let secrets: Vec<&str> = receiver.secrets.iter().map(ExposeSecret::expose_secret).collect();
    if verify_indent(&secrets, now, time, signature, &body).is_err() {
        return refuse(StatusCode::UNAUTHORIZED, BAD_SIGNATURE, "bad signature or time");
    }
    let Ok(Value::Object(call)) = serde_json::from_slice::<Value>(&body) else {
        return status(StatusCode::OK, INVALID, "the body is not a JSON object");
    };
    // The order in which Indent's own runtime tells its calls apart.
    if let Some(kinds) = call.get("kinds") {
        return pull(&receiver, kinds).await;
    }
    if call.contains_key("info") {
        return info();
    }
    match call.get("events") {
        Some(Value::Array(events)) => apply(&receiver, events, signed_at(time, now)).await,
        _ => status(StatusCode::OK, INVALID, "the body holds no events"),
    }
}

fn signed_at(time: &str, now: Timestamp) -> Timestamp {
    let seconds = || time.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.parse().ok().or_else(seconds).unwrap_or(now)
}

/// Our customers, where they are among the kinds; nothing else is ours to tell.
async fn pull(receiver: &Receiver, kinds: &Value) -> Response {
    let kinds = kinds.as_array().map(Vec::as_slice).unwrap_or_default();
    if !kinds.iter().any(|kind| kind.as_str() == Some(receiver.customer_kind.as_str())) {
        let message = format!("there are resources of the kind `{}` here and of no other", receiver.customer_kind);
        return status(StatusCode::OK, INVALID, &message);
    }
    match pull_update::all_customers(receiver.workflow.store().clone(), &receiver.customer_kind).await {
        Ok(response) => response,
        Err(error) => failed(&error.into()),
    }
}

fn info() -> Response {
    let detail = json!({ "integrations": [{
        "name": "latchkey", "version": env!("CARGO_PKG_VERSION"), "capabilities": ["ApplyUpdate", "PullUpdate"],
    }] });
    Json(json!({ "status": { "code": 0, "details": [{ "detail": detail.to_string() }] } })).into_response()
}

/// Applies every grant and revoke, each in its own transaction; others are accepted and mean nothing here.
async fn apply(receiver: &Receiver, events: &[Value], signed_at: Timestamp) -> Response {
    let mut trouble: Option<(i32, String)> = None;
    for value in events {
        let Ok(event) = serde_json::from_value::<wire::Event>(value.clone()) else {
            trouble.get_or_insert((INVALID, "an event is not an object".to_owned()));
            continue;
        };
        let wanted = match event.event.as_str() {
            "access/grant" | "access/request/approved" => Wanted::Grant,
            "access/revoke" | "access/grant/revoked" => Wanted::Revoke,
            _ => continue,
        };
        let whole = match is_whole(receiver, &event).await {
            Ok(whole) => whole,
            Err(error) => return failed(&error.into()),
        };
        let incoming = match read(receiver, &event, wanted, signed_at, whole) {
            Ok(incoming) => incoming,
            Err(message) => {
                tracing::warn!(message, "an event from outside cannot be applied");
                trouble.get_or_insert((INVALID, message));
                continue;
            }
        };
        match receiver.workflow.apply_event(&incoming).await {
            Ok(Applied::Changed | Applied::Nothing) => {}
            Ok(Applied::OwnPetition) => {
                let message = "that petition is ours: only its own reviewers can grant it".to_owned();
                trouble.get_or_insert((DENIED, message));
            }
            Err(error) => return failed(&error),
        }
    }
    match trouble {
        None => fine(),
        Some((code, message)) => status(StatusCode::OK, code, &message),
    }
}

/// Temporary trouble: the sender is to repeat.
fn failed(error: &Error) -> Response {
    tracing::warn!(%error, "an event from outside could not be applied");
    match error {
        Error::Store(StoreError::Unavailable(_) | StoreError::Conflict)
        | Error::Unavailable(_)
        | Error::FactsMissing
        | Error::Replayed
        | Error::WrongState(_) => {
            status(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, "not stored; send it again in a moment")
        }
        Error::Store(StoreError::Inconsistent { .. } | StoreError::Other(_))
        | Error::Invalid(_)
        | Error::Forbidden(_)
        | Error::Conflict(_)
        | Error::NoSuchPetition(_) => {
            status(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, "not stored; the log says why")
        }
    }
}

/// Makes one event ours, or says what is missing. A revoke takes no more than it needs: what it does not say, or says
/// badly, must not keep access open. `whole`: as [`is_whole`] says.
fn read(
    receiver: &Receiver,
    event: &wire::Event,
    wanted: Wanted,
    signed_at: Timestamp,
    whole: bool,
) -> Result<IncomingEvent, String> {
    let petition = event.label("petition").or_else(|| event.label("indent.com/petition"));
    if petition.as_ref().is_some_and(|name| name.len() > LONGEST_ID) {
        return Err(format!("the petition's name is longer than {LONGEST_ID} bytes"));
    }
    // No sender can speak for a time that is further ahead than its own signature may be.
    let latest = signed_at.saturating_add(SignedDuration::from_secs(TOLERANCE_SECS)).unwrap_or(signed_at);
    let at = event.timestamp.parse::<Timestamp>().unwrap_or(signed_at).min(latest);
    let (holding, end, version) = match wanted {
        Wanted::Grant => (Some(holding_of(receiver, event, whole)?), end_of(event, at)?, version_of(event)?),
        Wanted::Revoke => {
            let holding = match holding_of(receiver, event, whole) {
                Ok(holding) => Some(holding),
                Err(_) if petition.is_some() => None,
                Err(message) => return Err(message),
            };
            (holding, None, version_of(event).unwrap_or_default())
        }
    };
    let reason = event.reason.chars().filter(|c| *c != '\0').take(1000).collect();
    let own_petition = event.label(OUR_NAME);
    Ok(IncomingEvent { wanted, holding, at, end, petition, own_petition, version, actor: actor_of(event), reason })
}

fn customer_of<'e>(receiver: &Receiver, event: &'e wire::Event) -> Option<&'e Resource> {
    event.resources.iter().find(|resource| resource.kind == receiver.customer_kind)
}

fn holding_of(receiver: &Receiver, event: &wire::Event, whole: bool) -> Result<Holding, String> {
    let customer =
        customer_of(receiver, event).ok_or_else(|| format!("no resource of the kind `{}`", receiver.customer_kind))?;
    let person = event
        .resources
        .iter()
        .find(|resource| resource.kind != receiver.customer_kind && !resource.email.is_empty())
        .ok_or("no resource with an e-mail")?;
    let person = Email::parse(&person.email).map_err(|fault| fault.to_string())?;
    let id = customer.id().ok_or("the customer has no id")?;
    // Ids of other kinds are kept with a control character in them, and are nobody's to forge.
    if !CustomerId::is_plain(&id) {
        return Err("the customer's id holds control characters".to_owned());
    }
    if id.len() > LONGEST_ID {
        return Err(format!("the customer's id is longer than {LONGEST_ID} bytes"));
    }
    let (id, role) = role_of(receiver, event, customer, id, whole)?;
    Ok(Holding { person, customer: CustomerId::new(id), role })
}

/// The role that an event names beside the id.
fn role_label(event: &wire::Event, customer: &Resource) -> Option<String> {
    event.label("latchkey/role").or_else(|| customer.label("role"))
}

fn role_named(receiver: &Receiver, name: &str) -> Option<Role> {
    let roles = &receiver.workflow.policy().access.roles;
    roles.iter().find(|role| role.as_str().eq_ignore_ascii_case(name)).cloned()
}

/// An id before its last colon, and the role of ours behind it.
fn parted<'i>(receiver: &Receiver, id: &'i str) -> Option<(&'i str, Role)> {
    let (bare, name) = id.rsplit_once(':').filter(|(bare, _)| !bare.is_empty())?;
    Some((bare, role_named(receiver, name)?))
}

/// Whether a role's name behind the customer's id is a part of the id: a label says another role, or there is, or was,
/// a customer with that very id.
async fn is_whole(receiver: &Receiver, event: &wire::Event) -> Result<bool, StoreError> {
    let Some(customer) = customer_of(receiver, event) else { return Ok(true) };
    let Some(id) = customer.id().filter(|id| id.len() <= LONGEST_ID && CustomerId::is_plain(id)) else {
        return Ok(true);
    };
    let Some((_, role)) = parted(receiver, &id) else { return Ok(true) };
    match role_label(event, customer) {
        Some(name) if role_named(receiver, &name).as_ref() != Some(&role) => Ok(true),
        Some(_) | None => Ok(receiver.workflow.store().customer_ever(&id).await?.is_some()),
    }
}

/// The event's role, the resource's, or the one behind the id; the first of ours where nothing is said.
fn role_of(
    receiver: &Receiver,
    event: &wire::Event,
    customer: &Resource,
    id: String,
    whole: bool,
) -> Result<(String, Option<Role>), String> {
    let Some(first) = receiver.workflow.policy().access.roles.first() else { return Ok((id, None)) };
    if !whole && let Some((bare, role)) = parted(receiver, &id) {
        return Ok((bare.to_owned(), Some(role)));
    }
    match role_label(event, customer) {
        None => Ok((id, Some(first.clone()))),
        Some(name) => match role_named(receiver, &name) {
            Some(role) => Ok((id, Some(role))),
            None => Err(format!("there is no role `{}` here", name.chars().take(40).collect::<String>())),
        },
    }
}

/// The label's instant, else the event's time and the label's length; `None` for "until revoked".
pub(super) fn end_of(event: &wire::Event, at: Timestamp) -> Result<Option<Timestamp>, String> {
    if let Some(text) = event.label("indent.com/time/expires").or_else(|| event.label("expires")) {
        return text.parse().map(Some).map_err(|_| "the label of the end is not an RFC 3339 time".to_owned());
    }
    let Some(text) = event.label("indent.com/time/duration") else { return Ok(None) };
    match length::from_go(&text) {
        // Indent's way to say "until revoked".
        Some(length) if length.is_negative() => Ok(None),
        // "0s" means the default, and there is none from outside: our own maximum bounds it.
        Some(length) if length.is_zero() => Ok(None),
        Some(length) => Ok(at.checked_add(length).ok()),
        None => Err("the label of the duration is not a Go duration".to_owned()),
    }
}

fn version_of(event: &wire::Event) -> Result<Option<i64>, String> {
    match event.label("latchkey/version") {
        None => Ok(None),
        Some(text) => text
            .parse()
            .ok()
            .filter(|version: &i64| *version > 0)
            .map(Some)
            .ok_or_else(|| "latchkey/version is not a positive number".to_owned()),
    }
}

/// Who decided, as the sender says; for the record only.
pub(super) fn actor_of(event: &wire::Event) -> String {
    let actor = Some(event.actor.email.clone()).filter(|email| !email.is_empty()).or_else(|| event.actor.id());
    actor.unwrap_or_else(|| "outside".to_owned()).chars().filter(|c| *c != '\0').take(254).collect()
}
