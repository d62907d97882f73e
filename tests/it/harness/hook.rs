//! An endpoint of the company's that a test writes: it keeps what was asked and answers as it is told.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::Value;
use tokio::net::TcpListener;

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub enum Reply {
    Json(Value),
    Text(u16, String),
    /// Somewhere else.
    Redirect(String),
    /// Never.
    Hang,
}

struct Held {
    asked: Vec<Asked>,
    next: VecDeque<Reply>,
    otherwise: Reply,
}

/// A handle; the endpoint lives as long as the test.
#[derive(Clone)]
pub struct Hook {
    pub url: String,
    held: Arc<Mutex<Held>>,
}

impl Hook {
    /// Binds a free port of 127.0.0.1; says this until it is told something else.
    pub async fn saying(otherwise: Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
        let held = Held { asked: Vec::new(), next: VecDeque::new(), otherwise: Reply::Json(otherwise) };
        let hook = Self { url, held: Arc::new(Mutex::new(held)) };
        let heard = hook.clone();
        let routes = Router::new().fallback(any(move |headers, body| answer(heard.clone(), headers, body)));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        hook
    }

    /// Everything that was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.held.lock().unwrap().asked.clone()
    }

    /// The next requests get these, one each.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.held.lock().unwrap().next.extend(replies);
    }

    /// From now on every other request gets this.
    pub fn says(&self, reply: Reply) {
        self.held.lock().unwrap().otherwise = reply;
    }
}

async fn answer(hook: Hook, headers: HeaderMap, body: Bytes) -> Response {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let asked = Asked {
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let reply = {
        let mut held = hook.held.lock().unwrap();
        held.asked.push(asked);
        held.next.pop_front().unwrap_or_else(|| held.otherwise.clone())
    };
    match reply {
        Reply::Json(value) => axum::Json(value).into_response(),
        Reply::Text(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Reply::Redirect(target) => axum::response::Redirect::temporary(&target).into_response(),
        Reply::Hang => std::future::pending().await,
    }
}
