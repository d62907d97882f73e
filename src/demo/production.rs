//! A production service with its own access control, as a company would have one: it verifies each signed event and
//! keeps who may see which customer. It can be told to fail.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::{clock::Clock, signature::verify_indent};

/// One signed event, as it arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The one grant or revoke in it.
    pub event: Value,
    /// What it was answered with.
    pub status: u16,
}

impl Delivery {
    /// `access/grant` or `access/revoke`.
    pub fn kind(&self) -> &str {
        self.event["event"].as_str().unwrap_or_default()
    }
    pub fn label(&self, name: &str) -> &str {
        self.event["meta"]["labels"][name].as_str().unwrap_or_default()
    }
    pub fn person(&self) -> &str {
        self.event["resources"][0]["email"].as_str().unwrap_or_default()
    }
    pub fn customer(&self) -> &str {
        self.event["resources"][1]["id"].as_str().unwrap_or_default()
    }
}

/// What to do instead of applying.
#[derive(Clone, Debug)]
pub enum Trouble {
    Status(u16),
    /// 200 with this body.
    Body(&'static str),
    /// Never answers.
    Hang,
    /// Applies, and the answer is lost.
    Lost,
}

#[derive(Default)]
struct Held {
    deliveries: Vec<Delivery>,
    allowed: BTreeMap<(String, String), i64>,
    trouble: VecDeque<Trouble>,
    down: Option<Trouble>,
}

struct Inner {
    secret: String,
    url: String,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    changes: watch::Sender<u64>,
    _stop_on_drop: DropGuard,
}

/// A handle on the service; it ends with the last handle.
#[derive(Clone)]
pub struct Production(Arc<Inner>);

impl Production {
    /// Binds a free port of 127.0.0.1.
    pub async fn start(secret: &str, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let stop = CancellationToken::new();
        let production = Self(Arc::new(Inner {
            secret: secret.to_owned(),
            url: format!("http://{}/webhooks/indent", listener.local_addr()?),
            clock,
            held: Mutex::default(),
            changes: watch::Sender::new(0),
            _stop_on_drop: stop.clone().drop_guard(),
        }));
        let routes = Router::new().route("/webhooks/indent", post(receive)).with_state(Arc::downgrade(&production.0));
        tokio::spawn(async move {
            // It ends when the last handle is dropped; nobody is left to tell of an error.
            let _ = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
        });
        Ok(production)
    }

    /// Where signed events go.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that arrived with a valid signature, in order, failed attempts too.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.held().deliveries.clone()
    }

    /// Those that were applied.
    pub fn applied(&self) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(|delivery| delivery.status == 200).collect()
    }

    /// What its own access control says: told of a grant, and of no revoke since.
    pub fn allows(&self, person: &str, customer: &str) -> bool {
        self.held().allowed.contains_key(&(person.to_owned(), customer.to_owned()))
    }

    /// Everybody it would let in.
    pub fn allowed(&self) -> Vec<(String, String)> {
        self.held().allowed.keys().cloned().collect()
    }

    /// The next deliveries get these, one each.
    pub fn next(&self, trouble: impl IntoIterator<Item = Trouble>) {
        self.held().trouble.extend(trouble);
    }

    /// Every delivery gets this, until `None`.
    pub fn set_down(&self, trouble: Option<Trouble>) {
        self.held().down = trouble;
    }

    /// Waits for something to become true; woken by each delivery. `Err` says what was awaited.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        timeout: Duration,
        look: impl Fn(&Self) -> Option<T>,
    ) -> Result<T, String> {
        let mut changes = self.0.changes.subscribe();
        let seen = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = look(self) {
                    return found;
                }
                // The sender is in `self`.
                let _ = changes.changed().await;
            }
        };
        tokio::time::timeout(timeout, seen).await.map_err(|_| format!("waited {timeout:?} for {what}"))
    }
}

async fn receive(State(inner): State<std::sync::Weak<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(inner) = inner.upgrade() else { return StatusCode::GONE.into_response() };
    let production = Production(inner);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (time, signature) = (header("x-indent-timestamp"), header("x-indent-signature"));
    if verify_indent(&[&production.0.secret], production.0.clock.now(), time, signature, &body).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    // Asked what it is, which is no delivery.
    if json.get("info").is_some() {
        return axum::Json(serde_json::json!({ "status": { "code": 0 } })).into_response();
    }
    let actionable = |event: &&Value| matches!(event["event"].as_str(), Some("access/grant" | "access/revoke"));
    let event = json["events"].as_array().and_then(|events| events.iter().find(actionable)).cloned();
    let mut delivery = Delivery {
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        event: event.unwrap_or_default(),
        status: 200,
    };
    let trouble = {
        let mut held = production.held();
        held.trouble.pop_front().or_else(|| held.down.clone())
    };
    delivery.status = match trouble {
        None => 200,
        Some(Trouble::Status(status)) => status,
        Some(Trouble::Body(_)) => 299,
        Some(Trouble::Hang) => 0,
        Some(Trouble::Lost) => 1,
    };
    production.keep(&delivery);
    match trouble {
        None => axum::Json(serde_json::json!({ "status": {} })).into_response(),
        Some(Trouble::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Some(Trouble::Body(body)) => body.into_response(),
        Some(Trouble::Hang | Trouble::Lost) => std::future::pending().await,
    }
}

impl Production {
    fn keep(&self, delivery: &Delivery) {
        let mut held = self.held();
        let key = (delivery.person().to_owned(), delivery.customer().to_owned());
        if matches!(delivery.status, 200 | 1) {
            match delivery.kind() {
                "access/grant" => {
                    let until = delivery.label("indent.com/time/expires").parse::<Timestamp>();
                    held.allowed.insert(key, until.map_or(0, |until| until.as_second()));
                }
                "access/revoke" => {
                    held.allowed.remove(&key);
                }
                _ => {}
            }
        }
        held.deliveries.push(delivery.clone());
        drop(held);
        self.0.changes.send_modify(|n| *n += 1);
    }
}
