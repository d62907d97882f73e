//! Socket Mode: with `settings.socket_mode_enabled` in its manifest the app is called over the WebSockets that it opens,
//! each envelope over one of them, and not over HTTP.
//!
//! As Slack does: a ticket is good for one connection, an app has at most ten, an envelope that is not acknowledged before
//! its connection ends is delivered over another one.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{
        Query, State as Shared, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{
    Server, Workspace,
    deliver::GIVE_UP,
    methods::{Failure, Outcome},
    model::{Answer, State, string},
};

/// Connections that an app may have at once.
const MOST: usize = 10;

/// What befalls one of the next envelopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// Its connection breaks before it is sent.
    Lost,
    /// Its connection breaks when the bot acknowledges it, and nobody hears that.
    AckLost,
    /// It is delivered over all connections at once.
    Everywhere,
}

/// The connections, and what is under way over them.
#[derive(Default)]
pub struct Links {
    /// Turned off in the app's settings: connections can be made, and nothing comes over them.
    off: bool,
    open: Vec<Link>,
    tickets: Vec<String>,
    faults: VecDeque<LinkFault>,
    waiting: HashMap<String, Waiting>,
    /// Every envelope, as often as it was sent.
    sent: Vec<Value>,
    acks: Vec<Value>,
    pongs: usize,
    turn: usize,
}

struct Link {
    id: u64,
    out: mpsc::UnboundedSender<Out>,
}

/// An envelope that is not acknowledged yet.
struct Waiting {
    link: u64,
    /// Dropped when the connection ends.
    told: oneshot::Sender<Value>,
    ack_is_lost: bool,
    takes_answer: bool,
}

enum Out {
    Text(Value),
    /// In good order.
    Close,
    /// The connection is gone, without a word.
    Reset,
}

pub fn routes() -> Router<Server> {
    Router::new().route("/link", get(link))
}

async fn link(
    Shared(server): Shared<Server>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(workspace) = server.workspace() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let ticket = query.get("ticket").cloned().unwrap_or_default();
    let known = workspace.update(|state| {
        let tickets = &mut state.links.tickets;
        tickets.iter().position(|known| *known == ticket).map(|at| tickets.swap_remove(at))
    });
    if known.is_none() {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.on_upgrade(move |socket| serve(server, socket))
}

/// Holds no handle on the workspace while it waits.
async fn serve(server: Server, mut socket: WebSocket) {
    let (out, mut orders) = mpsc::unbounded_channel();
    let Some((id, hello)) = server.workspace().map(|workspace| workspace.greet(out)) else { return };
    for message in [Message::text(hello.to_string()), Message::Ping("link".into())] {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    // Only now can anything be delivered over it.
    loop {
        tokio::select! {
            () = server.stop.cancelled() => break,
            order = orders.recv() => match order {
                Some(Out::Text(value)) => {
                    if socket.send(Message::text(value.to_string())).await.is_err() {
                        break;
                    }
                }
                Some(Out::Close) => {
                    let close = CloseFrame { code: 1000, reason: "".into() };
                    socket.send(Message::Close(Some(close))).await.ok();
                    break;
                }
                Some(Out::Reset) | None => break,
            },
            message = socket.recv() => {
                let Some(workspace) = server.workspace() else { break };
                match message {
                    Some(Ok(Message::Text(text))) => {
                        if workspace.acknowledged(id, &text) {
                            break;
                        }
                    }
                    Some(Ok(Message::Pong(_))) => workspace.update(|state| state.links.pongs += 1),
                    Some(Ok(Message::Ping(_))) => {}
                    Some(Ok(Message::Binary(_))) => workspace.update(|state| state.dislike("link: a binary message")),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                }
            }
        }
    }
    if let Some(workspace) = server.workspace() {
        workspace.update(|state| state.links.forget(id));
    }
}

impl Links {
    fn forget(&mut self, id: u64) {
        self.open.retain(|link| link.id != id);
        self.waiting.retain(|_, waiting| waiting.link != id);
    }

    fn usable(&self) -> bool {
        !self.off && !self.open.is_empty()
    }

    /// The connection whose turn it is.
    fn next(&mut self) -> Option<u64> {
        if !self.usable() {
            return None;
        }
        self.turn += 1;
        Some(self.open[self.turn % self.open.len()].id)
    }

    fn order(&self, id: u64, out: Out) {
        if let Some(link) = self.open.iter().find(|link| link.id == id) {
            link.out.send(out).ok();
        }
    }
}

impl Workspace {
    /// The app-level token, with the scope `connections:write`.
    pub fn app_token(&self) -> String {
        format!("xapp-1-{}-0-{}", self.app_id(), self.0.config.team_id.to_lowercase())
    }

    /// How many connections the app has now.
    pub fn links(&self) -> usize {
        self.read(|state| state.links.open.len())
    }

    /// Every envelope so far, as often as it was sent.
    pub fn envelopes(&self) -> Vec<Value> {
        self.read(|state| state.links.sent.clone())
    }

    /// Every acknowledgement so far that was heard.
    pub fn acks(&self) -> Vec<Value> {
        self.read(|state| state.links.acks.clone())
    }

    /// Pings of ours that were answered.
    pub fn pongs(&self) -> usize {
        self.read(|state| state.links.pongs)
    }

    /// Gives the next envelope that has none yet this fault. Those that tell the bot of its own doing do not count.
    pub fn link_fault(&self, fault: LinkFault) {
        self.update(|state| state.links.faults.push_back(fault));
    }

    /// Tells all connections that they will end. After `warning` they live until [`Workspace::close_links`]; after
    /// `refresh_requested` they end at once; after `link_disabled` too, and Socket Mode is off.
    pub fn disconnect(&self, reason: &str) {
        let frame = json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "applink-1" } });
        self.update(|state| {
            let ids: Vec<u64> = state.links.open.iter().map(|link| link.id).collect();
            for id in ids {
                state.links.order(id, Out::Text(frame.clone()));
                if reason != "warning" {
                    state.links.order(id, Out::Close);
                }
            }
            state.links.off |= reason == "link_disabled";
        });
    }

    /// Ends the `oldest` connections in good order.
    pub fn close_links(&self, oldest: usize) {
        self.update(|state| state.links.open.iter().take(oldest).for_each(|link| drop(link.out.send(Out::Close))));
    }

    /// Breaks all connections.
    pub fn reset_links(&self) {
        self.update(|state| state.links.open.iter().for_each(|link| drop(link.out.send(Out::Reset))));
    }

    /// Sends any text over all connections.
    pub fn blurt(&self, text: &Value) {
        self.update(|state| state.links.open.iter().for_each(|link| drop(link.out.send(Out::Text(text.clone())))));
    }

    /// Turns Socket Mode on again in the app's settings.
    pub fn enable_socket_mode(&self) {
        self.update(|state| state.links.off = false);
    }

    /// `apps.connections.open`.
    pub(super) fn open_link(&self, token: &str) -> Outcome {
        if token == self.0.config.bot_token {
            return Err(Failure::new("not_allowed_token_type"));
        }
        if token != self.app_token() {
            return Err(Failure::new("invalid_auth"));
        }
        self.update(|state| {
            let ticket = self.secret(state, "ticket");
            state.links.tickets.push(ticket.clone());
            let host = self.0.origin.trim_start_matches("http://");
            let mut answer = json!({ "url": format!("ws://{host}/link?ticket={ticket}&app_id={}", self.app_id()) });
            if state.links.off || !state.app.socket_mode {
                answer["response_metadata"] = json!({ "messages": ["[WARN] Socket Mode is not turned on."] });
            }
            Ok(answer)
        })
    }

    /// A new connection, and the hello that it begins with. One too many makes the oldest end.
    fn greet(&self, out: mpsc::UnboundedSender<Out>) -> (u64, Value) {
        self.update(|state| {
            let id = state.next();
            if state.links.open.len() >= MOST {
                let oldest = state.links.open[0].id;
                let frame = json!({ "type": "disconnect", "reason": "too_many_websockets", "debug_info": {} });
                state.links.order(oldest, Out::Text(frame));
                state.links.order(oldest, Out::Close);
                state.dislike(format!("more than {MOST} connections at once"));
            }
            state.links.open.push(Link { id, out });
            let hello = json!({
                "type": "hello", "num_connections": state.links.open.len(),
                "connection_info": { "app_id": self.app_id() },
                "debug_info": { "host": "applink-1", "build_number": 10, "approximate_connection_time": 18060 },
            });
            (id, hello)
        })
    }

    /// Takes an acknowledgement. `true`: the connection breaks now.
    fn acknowledged(&self, link: u64, text: &str) -> bool {
        self.update(|state| {
            let Ok(ack) = serde_json::from_str::<Value>(text) else {
                state.dislike("link: what came is no JSON");
                return false;
            };
            let id = string(&ack["envelope_id"]);
            if state.links.waiting.get(&id).is_some_and(|waiting| waiting.ack_is_lost && waiting.link == link) {
                return true;
            }
            if !state.links.sent.iter().any(|sent| sent["envelope_id"] == id.as_str()) {
                state.dislike(format!("link: an acknowledgement of nothing: {text}"));
            }
            state.links.acks.push(ack.clone());
            // What was delivered everywhere is acknowledged more than once.
            if let Some(waiting) = state.links.waiting.remove(&id) {
                if !waiting.takes_answer && ack.get("payload").is_some() {
                    state.dislike(format!("link: an answer to what takes none: {text}"));
                }
                waiting.told.send(ack).ok();
            }
            false
        })
    }

    /// Delivers a payload, and once more where its connection ends before it is acknowledged.
    pub(super) async fn send_envelope(&self, kind: &str, payload: Value, takes_answer: bool) -> Answer {
        let id = self.update(|state| {
            let number = state.next();
            format!("{number:08x}-0000-4000-8000-{}", &self.secret(state, "envelope")[..12])
        });
        let event = &payload["event"];
        let own = event["bot_id"].is_string() || event["subtype"].is_string();
        let fault = if own { None } else { self.update(|state| state.links.faults.pop_front()) };
        let mut envelope = json!({
            "envelope_id": id, "type": kind, "accepts_response_payload": takes_answer, "payload": payload,
        });
        if kind == "events_api" {
            envelope["retry_attempt"] = json!(0);
            envelope["retry_reason"] = json!("");
        }
        self.send_over(envelope, fault).await
    }

    /// Sends an envelope again, as it is given.
    pub async fn redeliver(&self, envelope: &Value) -> Answer {
        self.send_over(envelope.clone(), None).await
    }

    async fn send_over(&self, envelope: Value, mut fault: Option<LinkFault>) -> Answer {
        // Nobody to send it to at first: Slack says so at once.
        let mut patience = Duration::ZERO;
        loop {
            let usable = |slack: &Workspace| slack.read(|state| state.links.usable()).then_some(());
            if self.wait_for("a connection", patience, usable).await.is_err() {
                return Answer::unsent("failed with the error “dispatch_failed”");
            }
            patience = GIVE_UP;
            let Some(link) = self.update(|state| state.links.next()) else { continue };
            let started = Instant::now();
            let (told, heard) = oneshot::channel();
            self.update(|state| send(state, link, told, &envelope, fault.take()));
            // A late answer to a person is worth knowing; an event that is not kept gets none.
            let patience = if envelope["type"] == "events_api" { self.patience() } else { GIVE_UP };
            match tokio::time::timeout(patience, heard).await {
                Ok(Ok(ack)) => return answer(&ack, started.elapsed(), self.patience()),
                // The connection is gone.
                Ok(Err(_)) => {}
                Err(_) => {
                    return Answer {
                        took: started.elapsed(),
                        ..Answer::unsent("failed with the error “operation_timeout” (not acknowledged)")
                    };
                }
            }
        }
    }
}

fn send(state: &mut State, link: u64, told: oneshot::Sender<Value>, envelope: &Value, fault: Option<LinkFault>) {
    let links = &mut state.links;
    if fault == Some(LinkFault::Lost) {
        links.order(link, Out::Reset);
        // Nothing goes over it any more; with `told` ends the waiting.
        links.open.retain(|known| known.id != link);
        return;
    }
    let waiting = Waiting {
        link,
        told,
        ack_is_lost: fault == Some(LinkFault::AckLost),
        takes_answer: envelope["accepts_response_payload"] == true,
    };
    links.waiting.insert(string(&envelope["envelope_id"]), waiting);
    let everywhere: Vec<u64> = links.open.iter().map(|link| link.id).collect();
    let over = if fault == Some(LinkFault::Everywhere) { everywhere } else { vec![link] };
    for id in over {
        links.sent.push(envelope.clone());
        links.order(id, Out::Text(envelope.clone()));
    }
}

fn answer(ack: &Value, took: Duration, patience: Duration) -> Answer {
    let json = ack.get("payload").cloned();
    let late = || format!("failed with the error “operation_timeout” ({} ms)", took.as_millis());
    Answer {
        status: 200,
        body: json.as_ref().map(Value::to_string).unwrap_or_default(),
        json,
        took,
        problem: (took > patience).then(late),
    }
}
