//! The client side of the commands that ask a running server.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::StatusCode;
use serde_json::Value;

use super::Env;

pub struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

/// What the server said, if it said something that can be used.
pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
}

impl Reply {
    /// The sentence of an error answer.
    pub fn message(&self) -> String {
        let said = self.body["error"]["message"].as_str().or(self.body["message"].as_str()).unwrap_or_default();
        format!("the server answered {}: {said}", self.status.as_u16())
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Api {
    /// `LATCHKEY_URL` and `LATCHKEY_TOKEN`; the URL defaults to a server on this machine.
    pub fn new(env: &Env) -> anyhow::Result<Self> {
        let base = env.get("LATCHKEY_URL").unwrap_or_else(|| "http://127.0.0.1:3000".to_owned());
        let base = base.trim_end_matches('/').to_owned();
        let Some(token) = env.get("LATCHKEY_TOKEN") else {
            bail!("LATCHKEY_TOKEN is not set; make one with `latchkey token create`")
        };
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { client, base, token })
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let mut url = reqwest::Url::parse(&self.base).context("LATCHKEY_URL is not a URL")?;
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("LATCHKEY_URL cannot have a path"))?
            .pop_if_empty()
            .extend(path);
        let answer = self.client.get(url).query(query).bearer_auth(&self.token).send().await;
        let answer =
            answer.map_err(|error| anyhow::anyhow!("no answer from {}: {}", self.base, error.without_url()))?;
        let status = answer.status();
        let body = answer.json().await.unwrap_or_default();
        Ok(Reply { status, body })
    }
}
