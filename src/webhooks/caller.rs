//! One signed POST, and whether it was taken.
//!
//! A body sent again has the same id and the same bytes, a fresh time and fresh signatures.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, header::HeaderMap, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Failure;
use crate::domain::{
    clock::Clock,
    signature::{sign_standard, sign_v0},
};

/// Where calls go, and how they are signed.
pub struct Endpoint {
    pub url: Url,
    /// The first signs for Indent's header, all sign for Standard Webhooks'.
    pub secrets: Vec<SecretString>,
    pub headers: HeaderMap,
    pub timeout: Duration,
}

pub struct Caller {
    endpoint: Endpoint,
    client: Client,
}

/// What came back, whatever it says.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// At most as long as was asked for.
    pub body: Vec<u8>,
    /// `false`: there was more of it.
    pub whole: bool,
}

impl Caller {
    pub fn new(endpoint: Endpoint) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .timeout(endpoint.timeout)
            .connect_timeout(endpoint.timeout.min(Duration::from_secs(5)))
            // A redirect could lead a signed event about a customer anywhere.
            .redirect(Policy::none())
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        if endpoint.url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.")) {
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()?, endpoint })
    }

    /// The longest that one call may take.
    pub fn timeout(&self) -> Duration {
        self.endpoint.timeout
    }

    /// Signs and sends; reads at most `longest` bytes of the answer.
    pub async fn send(&self, id: &str, body: String, longest: usize, clock: &dyn Clock) -> Result<Answer, Failure> {
        let now = clock.now();
        let time = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let secrets = || self.endpoint.secrets.iter().map(ExposeSecret::expose_secret);
        let Some(first) = secrets().next() else {
            return Err(Failure("it has no secret to sign with".to_owned()));
        };
        let standard: Vec<String> =
            secrets().map(|secret| sign_standard(secret, id, now.as_second(), body.as_bytes())).collect();
        let request = self
            .client
            .post(self.endpoint.url.clone())
            .headers(self.endpoint.headers.clone())
            .header("content-type", "application/json")
            .header("x-indent-timestamp", &time)
            .header("x-indent-signature", sign_v0(first, &time, body.as_bytes()))
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", standard.join(" "))
            .body(body);
        let response = request.send().await.map_err(|error| Failure(why(&error)))?;
        read(response, longest).await
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

async fn read(mut response: reqwest::Response, longest: usize) -> Result<Answer, Failure> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure(why(&error)))? {
        let room = longest - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(Answer { status, body, whole: false });
        }
    }
    Ok(Answer { status, body, whole: true })
}

impl Answer {
    /// Success is 2xx, no `error`, and no `status.code` but 0. What is not JSON says nothing more than the status.
    pub fn taken(&self) -> Result<(), Failure> {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        judge(self.status, &json["error"], &json["status"])
    }
}

/// Three generations of receivers say failure in three ways (reference §3.4): by the HTTP status, by an `error`, by
/// the code of a `status`.
pub fn judge(http: StatusCode, error: &Value, status: &Value) -> Result<(), Failure> {
    let code = &status["code"];
    let said = [&error["message"], &status["message"], error]
        .into_iter()
        .find_map(Value::as_str)
        .map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
        .unwrap_or_default();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    if !http.is_success() {
        return Err(Failure(format!("it answered {}{said}", http.as_u16())));
    }
    // Anything but no code or a plain 0 is a failure: a receiver that says "7" in quotes does not mean success.
    if !code.is_null() && code.as_i64() != Some(0) {
        // Shown as it is where it is a number or a short text; nothing else is a code.
        let code: String = code.to_string().chars().take(40).collect();
        return Err(Failure(format!("it answered with status code {code}{said}")));
    }
    if !error.is_null() {
        return Err(Failure(format!("it answered with an error{said}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: StatusCode, body: &str) -> Result<(), Failure> {
        Answer { status, body: body.into(), whole: true }.taken()
    }

    #[test]
    fn three_generations_of_failure_are_understood() {
        let ok = StatusCode::OK;
        for fine in ["", "ok", "{}", r#"{"status":{}}"#, r#"{"status":{"code":0}}"#, r#"{"error":null}"#, r#"["no"]"#] {
            assert!(judged(ok, fine).is_ok(), "{fine}");
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
            assert!(judged(status, failed).is_err(), "{failed}");
        }
    }
}
