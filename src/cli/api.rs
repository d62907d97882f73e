//! The client side of the commands that ask a running server.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use super::Env;

pub struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

/// What the server said. What is no JSON is `Null`: a proxy's page of HTML, or nothing at all.
pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
    base: String,
}

impl Reply {
    /// The sentence of an answer that cannot be used.
    pub fn message(&self) -> String {
        let (status, base) = (self.status.as_u16(), &self.base);
        let said = self.body["error"]["message"].as_str().or(self.body["message"].as_str()).unwrap_or_default();
        match (self.status, said) {
            (StatusCode::UNAUTHORIZED, said) if !said.is_empty() => format!(
                "the server answered 401: {said}; LATCHKEY_TOKEN is of another server, expired or revoked, make one with \
                 `latchkey token create`"
            ),
            (_, "") if self.body.is_object() => format!("the server answered {status} without saying why"),
            (_, "") => format!(
                "{base} answered {status} with something that is no answer of Latchkey's; is LATCHKEY_URL right?"
            ),
            (_, said) => format!("the server answered {status}: {said}"),
        }
    }

    /// The body of a success; everything else is an error with its sentence.
    pub fn success(self) -> anyhow::Result<Value> {
        if self.status.is_success() && self.body.is_object() { Ok(self.body) } else { bail!(self.message()) }
    }

    /// Whether the same question may be answered in a moment.
    pub fn is_passing(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Api {
    /// `LATCHKEY_URL` and `LATCHKEY_TOKEN`; the URL defaults to a server on this machine.
    pub fn new(env: &Env) -> anyhow::Result<Self> {
        let base = env.get("LATCHKEY_URL").unwrap_or_else(|| "http://127.0.0.1:3000".to_owned());
        let base = base.trim_end_matches('/').to_owned();
        // A file that a token was written to ends with a new line.
        let token = env.get("LATCHKEY_TOKEN").map(|token| token.trim().to_owned()).unwrap_or_default();
        if token.is_empty() {
            bail!("LATCHKEY_TOKEN is not set; make one with `latchkey token create`")
        }
        if !token.chars().all(|c| c.is_ascii_graphic()) {
            bail!("LATCHKEY_TOKEN holds a blank or a character that no token has; copy it again, on one line")
        }
        let client = reqwest::Client::builder().build()?;
        Ok(Self { client, base, token })
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Reply> {
        self.send(self.client.get(self.url(path)?).query(query).timeout(PATIENCE)).await
    }

    /// The server may take `wait` before it answers.
    pub async fn get_waiting(&self, path: &[&str], wait: Duration) -> anyhow::Result<Reply> {
        let query = [("wait", format!("{}s", wait.as_secs().max(1)))];
        self.send(self.client.get(self.url(path)?).query(&query).timeout(wait + PATIENCE)).await
    }

    pub async fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Reply> {
        self.send(self.client.post(self.url(path)?).json(body).timeout(PATIENCE)).await
    }

    fn url(&self, path: &[&str]) -> anyhow::Result<reqwest::Url> {
        // The parser of URLs drops these two, and the path would mean something else.
        if path.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            bail!("an empty name, “.” and “..” name nothing on the server");
        }
        let mut url = reqwest::Url::parse(&self.base).with_context(|| {
            format!("LATCHKEY_URL ({}) is not a URL; write it like https://latchkey.example.com", self.base)
        })?;
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("LATCHKEY_URL ({}) must begin with http:// or https://", self.base))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Reply> {
        let answer = request.bearer_auth(&self.token).send().await;
        let answer = answer.map_err(|error| anyhow::anyhow!("no answer from {}: {}", self.base, cause(error)))?;
        let status = answer.status();
        let body = answer.json().await.unwrap_or_default();
        Ok(Reply { status, body, base: self.base.clone() })
    }
}

/// The innermost reason, which is the one that people can mend: `Connection refused`.
fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
