//! A workspace with a small bot that answers by the book, for the tests beside.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use axum::{Router, body::Bytes, http::HeaderMap, response::IntoResponse, routing::post};
use serde_json::{Value, json};

use super::{Person, Workspace, WorkspaceConfig};
use crate::domain::signature;

const SECRET: &str = "shhh";
pub const START: i64 = 1_700_000_000;

pub struct Bench {
    pub slack: Workspace,
    pub now: Arc<AtomicI64>,
    pub client: reqwest::Client,
}

impl Bench {
    pub async fn new() -> Self {
        let config = WorkspaceConfig {
            team_id: "T0ACME".to_owned(),
            bot_token: "xoxb-1".to_owned(),
            signing_secret: SECRET.to_owned(),
            bot_name: "Latchkey".to_owned(),
        };
        let slack = Workspace::start(config).await.unwrap();
        // It hears of no event, unless a test installs another.
        let scopes = ["chat:write", "im:write", "users:read", "users:read.email", "usergroups:read", "channels:read"];
        slack.install(&json!({ "oauth_config": { "scopes": { "bot": scopes } } }));
        let now = Arc::new(AtomicI64::new(START));
        let clock = now.clone();
        slack.set_now(Arc::new(move || clock.load(Ordering::SeqCst)));
        slack.add_person(Person::new("U0ANA", "Ana", "ana@acme.test"));
        slack.add_person(Person::new("U0BO", "Bo", "bo@acme.test"));
        slack.add_channel("C0ACCESS", "access", &["U0ANA", "U0BO"], true);
        slack.add_channel("C0OTHER", "other", &["U0ANA"], false);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { slack, now, client }
    }

    pub async fn post(&self, method: &str, args: Value) -> Value {
        let request = self.client.post(format!("{}/{method}", self.slack.api_url())).bearer_auth("xoxb-1").json(&args);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub async fn get(&self, method: &str, query: &str) -> Value {
        let request = self.client.get(format!("{}/{method}?{query}", self.slack.api_url())).bearer_auth("xoxb-1");
        request.send().await.unwrap().json().await.unwrap()
    }

    pub async fn say(&self, channel: &str, text: &str) -> Value {
        self.post("chat.postMessage", json!({ "channel": channel, "text": text })).await
    }

    /// A bot that answers each path with what `f` makes of the form; it keeps every form that came.
    pub async fn bot(&self, f: impl Fn(&str, &Form) -> Value + Send + Sync + 'static) -> Arc<Mutex<Vec<Form>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, f) = (seen.clone(), Arc::new(f));
        let handler = move |uri: axum::http::Uri, headers: HeaderMap, body: Bytes| async move {
            let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
            let (time, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
            let now = jiff::Timestamp::from_second(time.parse().unwrap()).unwrap();
            signature::verify_slack(&[SECRET], now, &time, &signature, &body).unwrap();
            let form = Form { fields: url::form_urlencoded::parse(&body).into_owned().collect(), body };
            let answer = f(uri.path(), &form);
            kept.lock().unwrap().push(form);
            if answer.is_null() { ().into_response() } else { axum::Json(answer).into_response() }
        };
        let router = Router::new().route("/slack/{path}", post(handler));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.slack.connect(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        seen
    }
}

pub struct Form {
    pub fields: Vec<(String, String)>,
    body: Bytes,
}

impl Form {
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub fn payload(&self) -> Value {
        serde_json::from_str(self.get("payload")).unwrap_or(Value::Null)
    }

    /// What came as JSON, which events do.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

pub fn modal() -> Value {
    let text = |text: &str| json!({ "type": "plain_text", "text": text });
    json!({
        "type": "modal", "callback_id": "deny", "title": text("Deny"), "submit": text("Deny"), "private_metadata": "pet_1",
        "notify_on_close": true,
        "blocks": [{
            "type": "input", "block_id": "reason", "label": text("Reason"),
            "element": { "type": "plain_text_input", "action_id": "text", "min_length": 5 },
        }],
    })
}

pub fn card() -> Value {
    json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": "*Ana* asks for R&amp;D" } },
        { "type": "actions", "block_id": "decide", "elements": [
            { "type": "button", "action_id": "approve", "value": "pet_1", "text": { "type": "plain_text", "text": "Approve" } },
        ]},
    ])
}
