//! A signed ApplyUpdate to the company's own endpoint: Indent's body and headers, and the Standard Webhooks headers.
//!
//! The body is compact JSON exactly as `JSON.stringify` would write it, because many receivers parse it and serialise
//! it again before they verify (reference §3.1). A redelivery has the same id and body, a fresh time and signature.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, StatusCode, Url, header::HeaderMap, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::Failure;
use crate::domain::{
    clock::Clock,
    event::{AccessEvent, Wanted},
    length,
    signature::{sign_standard, sign_v0},
};

pub struct WebhookSettings {
    pub url: Url,
    /// The first signs for Indent's header, all sign for Standard Webhooks'.
    pub secrets: Vec<SecretString>,
    pub headers: HeaderMap,
    pub timeout: Duration,
    /// Nothing is sent, and everything counts as applied.
    pub dry_run: bool,
    /// The kind of customer resources.
    pub customer_kind: String,
}

pub struct Webhook {
    settings: WebhookSettings,
    client: Client,
}

/// How much of an answer is read; an answer that means anything is far shorter.
const LONGEST_ANSWER: usize = 64 * 1024;

impl Webhook {
    pub fn new(settings: WebhookSettings) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            // A redirect could lead a signed event about a customer anywhere.
            .redirect(Policy::none())
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        if settings.url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.")) {
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()?, settings })
    }

    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    pub async fn apply(&self, id: &str, event: &AccessEvent, clock: &dyn Clock) -> Result<(), Failure> {
        if self.settings.dry_run {
            return Ok(());
        }
        let body = body(event, &self.settings.customer_kind);
        let now = clock.now();
        let time = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let secrets = || self.settings.secrets.iter().map(ExposeSecret::expose_secret);
        let Some(first) = secrets().next() else {
            return Err(Failure("it has no secret to sign with".to_owned()));
        };
        let standard: Vec<String> =
            secrets().map(|secret| sign_standard(secret, id, now.as_second(), body.as_bytes())).collect();
        let request = self
            .client
            .post(self.settings.url.clone())
            .headers(self.settings.headers.clone())
            .header("content-type", "application/json")
            .header("x-indent-timestamp", &time)
            .header("x-indent-signature", sign_v0(first, &time, body.as_bytes()))
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", standard.join(" "))
            .body(body);
        let response = request.send().await.map_err(|error| Failure(why(&error)))?;
        let status = response.status();
        let answer = read(response).await?;
        judge(status, &answer)
    }
}

/// An error without the URL, which may hold something private.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "cannot connect".to_owned()
    } else {
        "the connection broke".to_owned()
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure(why(&error)))? {
        let room = LONGEST_ANSWER - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if answer.len() == LONGEST_ANSWER {
            break;
        }
    }
    Ok(answer)
}

/// Success is 2xx, no `error`, and no `status.code` but 0: three generations of receivers say failure in three ways
/// (reference §3.4). What is not JSON says nothing more than the status.
fn judge(status: StatusCode, answer: &[u8]) -> Result<(), Failure> {
    let json: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
    let code = &json["status"]["code"];
    let said = [&json["error"]["message"], &json["status"]["message"], &json["error"]]
        .into_iter()
        .find_map(Value::as_str)
        .map(|text| text.chars().take(200).collect::<String>())
        .unwrap_or_default();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    if !status.is_success() {
        return Err(Failure(format!("it answered {}{said}", status.as_u16())));
    }
    // Anything but no code or a plain 0 is a failure: a receiver that says "7" in quotes does not mean success.
    if !code.is_null() && code.as_i64() != Some(0) {
        return Err(Failure(format!("it answered with status code {code}{said}")));
    }
    if !json["error"].is_null() {
        return Err(Failure(format!("it answered with an error{said}")));
    }
    Ok(())
}

#[derive(Serialize)]
struct Body<'a> {
    events: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'a str,
    timestamp: String,
    actor: Resource<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    resources: Vec<Resource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

#[derive(Serialize)]
struct Meta {
    labels: BTreeMap<&'static str, String>,
}

#[derive(Serialize, Clone, Default)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
}

fn person(email: &str) -> Resource<'_> {
    if email.contains('@') {
        Resource { kind: "user", id: Some(email), email: Some(email), ..Resource::default() }
    } else {
        Resource { kind: "indent.v1.Bot", id: Some(email), ..Resource::default() }
    }
}

/// The earlier events of the petition, then the one that is to be applied; resources are person and customer, in this
/// order, because receivers insist on it.
fn body(event: &AccessEvent, customer_kind: &str) -> String {
    let mut labels: BTreeMap<&str, &str> = event
        .customer_labels
        .iter()
        // `JSON.parse` moves keys that look like array indexes to the front, and the signature would not fit any more.
        .filter(|(key, _)| !key.bytes().all(|b| b.is_ascii_digit()))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    if let Some(role) = &event.role {
        labels.insert("role", role);
    }
    let resources = vec![
        person(&event.person),
        Resource {
            kind: customer_kind,
            id: Some(&event.customer),
            display_name: Some(&event.customer_name),
            labels,
            ..Resource::default()
        },
    ];
    let mut meta: BTreeMap<&'static str, String> = BTreeMap::from([
        ("petition", event.petition.clone()),
        ("indent.com/petition", event.petition.clone()),
        ("indent.com/time/expires", event.expires_at.to_string()),
        ("indent.com/time/duration", length::go(jiff::SignedDuration::from_secs(event.length_secs))),
        ("latchkey/version", event.version.to_string()),
    ]);
    if let Some(role) = &event.role {
        meta.insert("latchkey/role", role.clone());
    }
    let mut events: Vec<Event<'_>> = event
        .history
        .iter()
        .map(|earlier| Event {
            event: &earlier.event,
            timestamp: earlier.at.to_string(),
            actor: person(&earlier.actor),
            reason: &earlier.reason,
            resources: resources.clone(),
            meta: None,
        })
        .collect();
    events.push(Event {
        event: match event.wanted {
            Wanted::Grant => "access/grant",
            Wanted::Revoke => "access/revoke",
        },
        timestamp: event.at.to_string(),
        actor: person(&event.actor),
        reason: &event.reason,
        resources,
        meta: Some(Meta { labels: meta }),
    });
    // Only maps with keys that are no strings cannot be written, and there are none.
    serde_json::to_string(&Body { events }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_generations_of_failure_are_understood() {
        let ok = StatusCode::OK;
        for fine in ["", "ok", "{}", r#"{"status":{}}"#, r#"{"status":{"code":0}}"#, r#"{"error":null}"#] {
            assert!(judge(ok, fine.as_bytes()).is_ok(), "{fine}");
        }
        for (status, failed) in [
            (ok, r#"{"error":{"message":"no","stack":"x"}}"#),
            (ok, r#"{"error":"no"}"#),
            (ok, r#"{"status":{"code":5,"message":"no such user"}}"#),
            (ok, r#"{"status":{"code":"7"}}"#),
            (ok, r#"{"status":{"code":7.5}}"#),
            (StatusCode::INTERNAL_SERVER_ERROR, r#"{"status":{"code":2,"details":"stack"}}"#),
            (StatusCode::FOUND, ""),
            (StatusCode::BAD_GATEWAY, "<html>"),
        ] {
            assert!(judge(status, failed.as_bytes()).is_err(), "{failed}");
        }
    }
}
