//! The client of another space: petitions, claims and customers go there through Indent's HTTP API.
//!
//! It reads leniently, follows no redirect, and tells three kinds of trouble apart, because they lead to different acts:
//! what the space has not heard, what it may have heard, and what it will never take. Nothing here logs.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{webhook, wire};
use crate::{
    domain::{
        clock::Clock,
        customer::Customer,
        length,
        petition::{ClaimKind, Petition},
    },
    workflow::{Phase, REPLACES_LABEL, Seen, SeenEvent, SeenKind},
};

/// Why the space did not do what was asked. The sentence is for people: no URL, no token, nothing of a body but the
/// message of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It has not heard it; the same may work later.
    #[error("{why}")]
    Retry { why: String, after: Option<Duration> },
    /// It may have heard it.
    #[error("{why}")]
    Ambiguous { why: String, after: Option<Duration> },
    /// It has, and will never take it.
    #[error("{why}")]
    Permanent { why: String, status: u16 },
}

pub struct SpaceSettings {
    /// With its `/v1`, without a slash at its end.
    pub url: Url,
    pub space: String,
    pub token: SecretString,
    /// The kind of customer resources.
    pub customer_kind: String,
}

/// One space elsewhere.
pub struct Space {
    settings: SpaceSettings,
    client: Client,
    clock: Arc<dyn Clock>,
}

/// One call may take this long.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read; a batch of customers comes back whole.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
/// No server is believed that wants to be left alone for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Labels of Indent, and ours.
const DURATION: &str = "indent.com/time/duration";
const NAME_LABEL: &str = "indent.com/block";
pub const OUR_NAME: &str = "latchkey/petition";

impl Space {
    pub fn new(settings: SpaceSettings, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT / 2)
            // A redirect could lead the token anywhere.
            .redirect(Policy::none())
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        if settings.url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.")) {
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()?, settings, clock })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.space
    }

    /// Where it is, for telling one space from another.
    pub fn address(&self) -> String {
        format!("{} {} {}", self.settings.url, self.settings.space, self.settings.customer_kind)
    }

    /// Files a petition of ours; its name there. `replaces`: the name there of the one whose place it takes.
    pub async fn create_petition(&self, petition: &Petition, replaces: Option<&str>) -> Result<String, Trouble> {
        let mut labels = json!({
            "indent.com/app/config/id": format!("space:{}", self.settings.space),
            OUR_NAME: petition.name.as_str(),
            "indent.com/petition/duration": length::go(petition.length),
        });
        if let Some(replaces) = replaces {
            labels[REPLACES_LABEL] = json!(replaces);
        }
        let body = json!({ "petition": {
            "reason": petition.reason,
            "petitioners": [self.petitioner(petition)],
            "resources": [self.resource(petition)],
            "meta": { "labels": labels },
        } });
        let answer = self.call(Method::POST, &["petitions"], None, Some(&body)).await?;
        named(&answer)
    }

    /// The name there of a petition of ours, if the space has it.
    pub async fn find_petition(&self, petition: &Petition) -> Result<Option<String>, Trouble> {
        let selector = format!("{OUR_NAME}={}", petition.name);
        let query = [("labelSelector", selector.as_str())];
        let answer = self.call(Method::GET, &["petitions"], Some(&query), None).await?;
        // A space that does not know selectors answers with everything.
        let ours = |found: &&Value| found["meta"]["labels"][OUR_NAME].as_str() == Some(petition.name.as_str());
        let list = answer["petitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().find(ours).map(named).transpose()
    }

    /// Whether the space answers and takes the token; reads one petition and forgets it.
    pub async fn look(&self) -> Result<(), Trouble> {
        self.call(Method::GET, &["petitions"], Some(&[("pageSize", "1")]), None).await.map(|_| ())
    }

    /// How a petition stands there.
    pub async fn petition(&self, name: &str) -> Result<Seen, Trouble> {
        Ok(seen(&self.call(Method::GET, &["petitions", name], None, None).await?))
    }

    /// Makes a claim in the name of a person. It is taken once, however often it is sent.
    pub async fn create_claim(
        &self,
        name: &str,
        petition: &Petition,
        kind: ClaimKind,
        actor: &str,
        reason: &str,
        length: Option<SignedDuration>,
    ) -> Result<(), Trouble> {
        let event = match kind {
            ClaimKind::Approve => "access/approve",
            ClaimKind::Deny => "access/deny",
            ClaimKind::Revoke => "access/revoke",
        };
        let mut claim = json!({
            "event": event,
            "reason": reason,
            "actor": { "kind": "user", "email": actor },
            "resources": [self.petitioner(petition), self.resource(petition)],
        });
        if kind == ClaimKind::Approve {
            let length = length.unwrap_or(petition.length);
            claim["meta"] = json!({ "labels": { DURATION: length::go(length) } });
        }
        let body = json!({ "claim": claim });
        self.call(Method::POST, &["petitions", name, "claims"], None, Some(&body)).await.map(|_| ())
    }

    /// Creates or updates customers; the name there of each by its id, where the answer has it.
    pub async fn put_customers(&self, customers: &[Customer]) -> Result<Vec<(String, String)>, Trouble> {
        let resources: Vec<Value> = customers
            .iter()
            .map(|customer| {
                json!({
                    "kind": self.settings.customer_kind, "id": customer.id.as_str(),
                    "displayName": customer.name, "labels": customer.labels,
                })
            })
            .collect();
        let body = json!({ "resources": resources });
        let path = ["resources:bulkUpdate"];
        // The definition of the API says PUT, its own SDK sends POST: a space may know only one of them.
        let answer = match self.call(Method::PUT, &path, None, Some(&body)).await {
            Err(Trouble::Permanent { status: 404 | 405 | 501, .. }) => {
                self.call(Method::POST, &path, None, Some(&body)).await?
            }
            answer => answer?,
        };
        let list = answer["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
        let name = |resource: &Value| Some((text(&resource["id"])?, text(&resource["labels"][NAME_LABEL])?));
        Ok(list.iter().filter_map(name).collect())
    }

    /// Whether there is a resource of this name there.
    pub async fn has_resource(&self, name: &str) -> Result<bool, Trouble> {
        match self.call(Method::GET, &["resources", name], None, None).await {
            Ok(_) => Ok(true),
            Err(Trouble::Permanent { status: 404, .. }) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Takes resources away by their names there.
    pub async fn take_resources(&self, names: &[&str]) -> Result<(), Trouble> {
        let body = json!({ "resourceNames": names });
        self.call(Method::POST, &["resources:bulkDelete"], None, Some(&body)).await.map(|_| ())
    }

    fn petitioner(&self, petition: &Petition) -> Value {
        let person = &petition.petitioner;
        json!({ "kind": "user", "email": person.email.as_str(), "displayName": person.name })
    }

    fn resource(&self, petition: &Petition) -> Value {
        if let Some(resource) = &petition.resource {
            return json!(resource);
        }
        let mut labels = Map::new();
        if let Some(role) = &petition.role {
            labels.insert("role".to_owned(), json!(role.as_str()));
        }
        json!({
            "kind": self.settings.customer_kind, "id": petition.customer.as_str(),
            "displayName": petition.customer_name, "labels": labels,
        })
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&[(&str, &str)]>,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let mut url = self.settings.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["spaces", &self.settings.space]).extend(path);
        }
        let mut request = self
            .client
            .request(method, url)
            .bearer_auth(self.settings.token.expose_secret())
            .header("Indent-Space", &self.settings.space)
            .header("Accept", "application/json");
        if let Some(query) = query {
            request = request.query(query);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| broken(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        // An error of which only the status arrived is the same error.
        let bytes = match read(response).await {
            Ok(bytes) => bytes,
            Err(trouble) if status.is_success() => return Err(trouble),
            Err(_) => Vec::new(),
        };
        judge(status, &headers, &bytes, self.clock.now())
    }
}

/// An error without the URL, which may hold something private.
fn broken(error: &reqwest::Error) -> Trouble {
    if error.is_connect() {
        Trouble::Retry { why: "cannot connect".to_owned(), after: None }
    } else if error.is_builder() {
        Trouble::Permanent { why: "the request cannot be written".to_owned(), status: 0 }
    } else if error.is_timeout() {
        Trouble::Ambiguous { why: "no answer in time".to_owned(), after: None }
    } else {
        Trouble::Ambiguous { why: "the connection broke".to_owned(), after: None }
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if answer.len() + chunk.len() > LONGEST_ANSWER {
            return Err(Trouble::Ambiguous { why: "the answer is too long".to_owned(), after: None });
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// The answer, or the trouble that it is.
fn judge(status: StatusCode, headers: &HeaderMap, bytes: &[u8], now: Timestamp) -> Result<Value, Trouble> {
    let after = retry_after(headers, now);
    let answer: Option<Value> = serde_json::from_slice(bytes).ok().filter(Value::is_object);
    let html = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    let said = said(answer.as_ref());
    let code = status.as_u16();
    if status.is_success() {
        return match answer {
            Some(answer) => Ok(answer),
            // Some proxy spoke; whether anybody behind it heard, nobody knows.
            None => Err(Trouble::Ambiguous { why: format!("it answered {code} without JSON"), after }),
        };
    }
    let why = format!("it answered {code}{said}");
    let wants_repeat = headers.get("x-should-retry").and_then(|value| value.to_str().ok());
    Err(match (code, wants_repeat) {
        (_, Some("false")) => Trouble::Permanent { why, status: code },
        (429, _) => Trouble::Retry { why, after },
        (408 | 500.., _) => Trouble::Ambiguous { why, after },
        // A page for people is of something that stands before the space.
        _ if html => Trouble::Ambiguous { why: format!("it answered {code} without JSON"), after },
        (_, Some("true")) => Trouble::Retry { why, after },
        (401, _) => Trouble::Retry { why: format!("it does not accept INDENT_API_TOKEN ({code}{said})"), after },
        (300..=399, _) => Trouble::Retry { why: format!("it answered {code}; INDENT_API_URL leads elsewhere"), after },
        _ => Trouble::Permanent { why, status: code },
    })
}

/// `: ` and the message of an error body, in whichever of its forms.
fn said(answer: Option<&Value>) -> String {
    let Some(answer) = answer else { return String::new() };
    let message =
        [&answer["error"]["message"], &answer["message"], &answer["error"]].into_iter().find_map(Value::as_str);
    match message.map(|message| message.chars().filter(|c| !c.is_control()).take(300).collect::<String>()) {
        Some(message) if !message.is_empty() => format!(": {message}"),
        Some(_) | None => String::new(),
    }
}

/// Seconds, or the date of HTTP.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(at.duration_since(now)).ok()?
        }
    };
    Some(wait.min(LONGEST_WAIT)).filter(|wait| !wait.is_zero())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn named(petition: &Value) -> Result<String, Trouble> {
    let name = text(&petition["name"]).or_else(|| text(&petition["meta"]["name"]));
    name.filter(|name| name.len() <= 200 && !name.chars().any(char::is_control))
        .ok_or_else(|| Trouble::Ambiguous { why: "it answered without the petition's name".to_owned(), after: None })
}

/// A petition as the space shows it. What is not understood says nothing: the petition is then as open as it was.
fn seen(petition: &Value) -> Seen {
    let phase = match petition["state"]["status"]["phase"].as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("granted") => Phase::Granted,
        Some("revoked" | "closed" | "deleted") => Phase::Closed,
        Some(_) | None => Phase::Open,
    };
    let history = petition["state"]["eventHistory"].as_array().map(Vec::as_slice).unwrap_or_default();
    let event = |value: &Value| {
        let event: wire::Event = serde_json::from_value(value.clone()).ok()?;
        let kind = match event.event.as_str() {
            "access/approve" => SeenKind::Approve,
            "access/deny" => SeenKind::Deny,
            "access/grant" | "access/request/approved" => SeenKind::Grant,
            "access/revoke" | "access/grant/revoked" => SeenKind::Revoke,
            _ => return None,
        };
        let at = event.timestamp.parse().ok()?;
        let reason = event.reason.chars().filter(|c| *c != '\0').take(1000).collect();
        // An end that is not understood is none: our own maximum bounds it.
        let end = webhook::end_of(&event, at).ok().flatten();
        Some(SeenEvent { kind, at, actor: webhook::actor_of(&event), reason, end })
    };
    Seen { phase, events: history.iter().filter_map(event).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Result<Value, Trouble> {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), reqwest::header::HeaderValue::from_static(value))
        });
        let now = "2026-03-02T09:00:00Z".parse().unwrap();
        judge(StatusCode::from_u16(status).unwrap(), &headers.collect(), body.as_bytes(), now)
    }

    #[test]
    fn what_may_have_been_heard_is_told_from_what_was_not() {
        let json = r#"{"error":{"message":"nope"},"message":"nope"}"#;
        for status in [500, 501, 502, 503, 504, 408] {
            assert!(matches!(judged(status, &[], json), Err(Trouble::Ambiguous { .. })), "{status}");
        }
        for status in [429, 401, 302] {
            assert!(matches!(judged(status, &[], json), Err(Trouble::Retry { .. })), "{status}");
        }
        for status in [400, 403, 404, 409, 422] {
            let why = format!("it answered {status}: nope");
            assert_eq!(judged(status, &[], json), Err(Trouble::Permanent { why, status }));
        }
        let html = [("content-type", "text/html; charset=utf-8")];
        for status in [200, 403, 404, 502] {
            assert!(matches!(judged(status, &html, "<html>"), Err(Trouble::Ambiguous { .. })), "{status}");
        }
        assert!(matches!(judged(503, &[("x-should-retry", "false")], json), Err(Trouble::Permanent { .. })));
        assert!(matches!(judged(409, &[("x-should-retry", "true")], json), Err(Trouble::Retry { .. })));
    }

    #[test]
    fn when_to_come_back_is_seconds_or_a_date() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("Mon, 02 Mar 2026 09:00:20 GMT", Some(20)),
            ("Mon, 02 Mar 2026 08:00:00 GMT", None),
            ("0", None),
            ("soon", None),
            ("999999999", Some(900)),
        ] {
            let Err(Trouble::Retry { after, .. }) = judged(429, &[("retry-after", text)], "{}") else { panic!() };
            assert_eq!(after, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn every_form_of_an_error_is_read() {
        for body in
            [r#"{"error":{"message":"m"}}"#, r#"{"error":"m","code":7,"message":"m"}"#, r#"{"code":5,"message":"m"}"#]
        {
            let why = "it answered 400: m".to_owned();
            assert_eq!(judged(400, &[], body), Err(Trouble::Permanent { why, status: 400 }));
        }
        assert!(matches!(judged(400, &[], "x"), Err(Trouble::Permanent { why, .. }) if why == "it answered 400"));
    }
}
