//! What the bot is sent, with the time it took to answer: signed requests as Slack signs them, or over its own connections.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Workspace, model::Answer};
use crate::domain::signature;

/// Slack shows an error after this.
const PATIENCE: Duration = Duration::from_secs(3);
/// We wait longer, to say how late the answer was.
pub const GIVE_UP: Duration = Duration::from_secs(10);
const FORM: &str = "application/x-www-form-urlencoded";

impl Workspace {
    /// For a machine that is slower than its promises: how long the bot may take for an answer, at most [`GIVE_UP`].
    pub fn set_patience(&self, patience: Duration) {
        self.update(|state| state.patience = Some(patience));
    }

    pub(super) fn patience(&self) -> Duration {
        self.read(|state| state.patience).unwrap_or(PATIENCE)
    }

    /// `X-Slack-Request-Timestamp` and `X-Slack-Signature` for a body, now.
    pub fn sign(&self, body: &[u8]) -> (String, String) {
        let time = self.now().to_string();
        let signature = signature::sign_slack(&self.0.config.signing_secret, &time, body);
        (time, signature)
    }

    /// Sends any body to a path of the bot, signed as Slack would.
    pub async fn send_raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let Some(base) = self.read(|state| state.bot_url.clone()) else {
            return Answer::unsent("no bot is connected");
        };
        let (time, signature) = self.sign(&body);
        let started = Instant::now();
        let request = self.0.client.post(format!("{base}{path}")).header("content-type", content_type);
        let request = request.header("accept", "application/json,*/*").body(body);
        let request = request.header("x-slack-request-timestamp", time).header("x-slack-signature", signature);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Answer { took: started.elapsed(), ..Answer::unsent(trouble(&error)) },
        };
        let status = response.status();
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = header("content-type").starts_with("application/json");
        let body = match response.text().await {
            Ok(body) => body,
            Err(error) => return Answer { took: started.elapsed(), ..Answer::unsent(trouble(&error)) },
        };
        let took = started.elapsed();
        let json = if is_json { serde_json::from_str::<Value>(&body).ok() } else { None };
        if let Some(said) = json.clone().filter(|_| status.is_success()) {
            self.update(|state| state.answers.push((path.to_owned(), said)));
        }
        let problem = if !status.is_success() {
            Some(format!("failed with the error “http_client_error” ({status})"))
        } else if took > self.patience() {
            Some(format!("failed with the error “operation_timeout” ({} ms)", took.as_millis()))
        } else {
            None
        };
        if problem.is_none() && !is_json && body.trim_start().starts_with('{') {
            self.update(|state| state.dislike(format!("{path}: a JSON answer without content type application/json")));
        }
        Answer { status: status.as_u16(), body, json, took, problem }
    }

    fn socket_mode(&self) -> bool {
        self.read(|state| state.app.socket_mode)
    }

    /// A slash command.
    pub(super) async fn send_command(&self, fields: &[(&str, &str)]) -> Answer {
        if !self.socket_mode() {
            return self.send_form("/slack/commands", fields).await;
        }
        let fields = fields.iter().map(|&(name, value)| (name.to_owned(), json!(value)));
        self.send_envelope("slash_commands", Value::Object(fields.collect()), true).await
    }

    async fn send_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send_raw(path, FORM, body.into_bytes()).await
    }

    pub(super) async fn send_payload(&self, path: &str, payload: &Value) -> Answer {
        if self.socket_mode() {
            let takes_answer = matches!(payload["type"].as_str(), Some("view_submission" | "block_suggestion"));
            return self.send_envelope("interactive", payload.clone(), takes_answer).await;
        }
        self.send_form(path, &[("payload", &payload.to_string())]).await
    }

    /// Tells the bot of an event, such as `{"type": "app_home_opened", …}`.
    pub async fn event(&self, event: Value) -> Answer {
        let config = &self.0.config;
        let number = self.update(|state| state.next());
        let wrapped = json!({
            "token": "deprecated", "team_id": config.team_id, "context_team_id": config.team_id,
            "context_enterprise_id": null, "api_app_id": self.app_id(), "event": event, "type": "event_callback",
            "event_id": format!("Ev0{number:08}"), "event_time": self.now(), "is_ext_shared_channel": false,
            "authorizations": [{
                "enterprise_id": null, "team_id": config.team_id, "user_id": self.bot_user_id(), "is_bot": true,
                "is_enterprise_install": false,
            }],
            "event_context": format!("4-{number:08}"),
        });
        let answer = if self.socket_mode() {
            self.send_envelope("events_api", wrapped.clone(), false).await
        } else {
            self.send_raw("/slack/events", "application/json", wrapped.to_string().into_bytes()).await
        };
        self.update(|state| state.events.push((wrapped, answer.status)));
        answer
    }
}

/// What Slack tells the person when the bot cannot be reached.
fn trouble(error: &reqwest::Error) -> String {
    let word = if error.is_timeout() { "operation_timeout" } else { "dispatch_failed" };
    format!("failed with the error “{word}”")
}
