//! The page on which a person is Ana, Bo or Cy: its files, what it shows, and what it may do.
//!
//! It is open to whoever sits at this machine, and to nobody else: the name in `Host` must be loopback (no DNS
//! rebinding), and changes are JSON from the page's own origin (no cross-site forms).

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Query, State as Shared},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Server, Workspace,
    model::{Answer, Message, Person, State},
    shapes,
};

/// The longest a page waits for news; then it asks again.
const WAIT: Duration = Duration::from_secs(25);
/// The page draws the newest messages of a place.
const NEWEST: usize = 300;
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' \
                      data: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/", get(page))
        .route("/archives/{channel}/{message}", get(page))
        .route("/page.css", get(|_: Local| async { file("text/css; charset=utf-8", include_str!("page.css")) }))
        .route("/page.js", get(|_: Local| async { script(include_str!("page.js")) }))
        .route("/blocks.js", get(|_: Local| async { script(include_str!("blocks.js")) }))
        .route("/inputs.js", get(|_: Local| async { script(include_str!("inputs.js")) }))
        .route("/markup.js", get(|_: Local| async { script(include_str!("markup.js")) }))
        .route("/modal.js", get(|_: Local| async { script(include_str!("modal.js")) }))
        .route("/icon.svg", get(|_: Local| async { file("image/svg+xml", include_str!("icon.svg")) }))
        .route("/page/state", get(state))
        .route("/page/panel", get(panel))
        .route("/page/command", post(command))
        .route("/page/press", post(press))
        .route("/page/home", post(home))
        .route("/page/suggest", post(suggest))
        .route("/page/submit", post(submit))
        .route("/page/close", post(close))
        .route("/page/dismiss", post(dismiss))
        .route("/page/reply", post(reply))
        .route("/page/shortcut", post(shortcut))
}

fn script(text: &'static str) -> Response {
    file("text/javascript; charset=utf-8", text)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

/// Proof that a request came to a loopback name and, if it may change something, from the page itself.
struct Local;

impl FromRequestParts<Server> for Local {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &Server) -> Result<Self, StatusCode> {
        if is_local(&parts.method, &parts.headers) { Ok(Self) } else { Err(StatusCode::FORBIDDEN) }
    }
}

fn is_local(method: &Method, headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(host) = header("host") else { return false };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost") {
        return false;
    }
    if header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) && *method != Method::GET {
        return false;
    }
    if header("origin").is_some_and(|origin| origin != format!("http://{host}")) {
        return false;
    }
    let is_json = header("content-type").is_some_and(|kind| kind.split(';').next() == Some("application/json"));
    *method == Method::GET || is_json
}

async fn page(_: Local) -> Response {
    file("text/html; charset=utf-8", include_str!("page.html"))
}

#[derive(Deserialize)]
struct Look {
    /// Whose eyes.
    #[serde(default, rename = "as")]
    user: String,
    /// The version the page has; without it the answer comes at once.
    since: Option<u64>,
}

async fn state(_: Local, Shared(server): Shared<Server>, Query(look): Query<Look>) -> Response {
    let Some(workspace) = server.workspace() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let mut changes = workspace.0.changes.subscribe();
    if let Some(since) = look.since
        && *changes.borrow_and_update() == since
    {
        // Whoever waits holds no handle.
        drop(workspace);
        tokio::select! {
            _ = tokio::time::timeout(WAIT, changes.changed()) => {}
            () = server.stop.cancelled() => {}
        }
    } else {
        drop(workspace);
    }
    let Some(workspace) = server.workspace() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    // Read before the state: what changes in between is then shown twice, not missed.
    let version = *workspace.0.changes.borrow();
    Json(workspace.page_state(&look.user, version)).into_response()
}

async fn panel(_: Local, Shared(server): Shared<Server>) -> Json<Value> {
    let workspace = server.workspace();
    let panel = workspace.and_then(|it| it.0.panel.lock().unwrap_or_else(PoisonError::into_inner).clone());
    match panel {
        Some(panel) => Json(panel().await),
        None => Json(Value::Null),
    }
}

impl Workspace {
    fn page_state(&self, user: &str, version: u64) -> Value {
        self.read(|state| {
            let me = state.person(user).or_else(|| state.people.iter().find(|person| !person.is_bot));
            let shortcuts = state.app.shortcuts.iter().map(|shortcut| {
                json!({ "name": shortcut.name, "callback_id": shortcut.callback_id, "description": shortcut.description })
            });
            let shortcuts: Vec<Value> = shortcuts.collect();
            let people: Vec<Value> = state.people.iter().map(|person| page_person(state, person)).collect();
            let mut answer = json!({
                "version": version, "now": self.now(), "team": shapes::TEAM_NAME, "bot": self.bot_user_id(),
                "bot_name": self.0.config.bot_name, "people": people, "notes": state.notes, "me": null,
                "has_panel": self.0.panel.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
                "has_home": state.app.home_tab, "shortcuts": shortcuts,
                "groups": state.groups.iter().map(|group| json!({ "id": group.id, "handle": group.handle })).collect::<Vec<_>>(),
                "channels": state.channels.iter().map(|channel| json!({ "id": channel.id, "name": channel.name })).collect::<Vec<_>>(),
            });
            if let Some(me) = me {
                answer["me"] = json!(me.id);
                answer["places"] = json!(self.places(state, me));
                let modal = state.modals.get(&me.id).and_then(|stack| stack.last());
                answer["modal"] = json!(modal.map(|view| {
                    let depth = state.modals.get(&me.id).map_or(0, Vec::len);
                    json!({ "view": view.value, "errors": view.errors, "depth": depth })
                }));
                answer["home"] = json!(state.homes.get(&me.id).map(|view| &view.value));
            }
            answer
        })
    }

    /// The channels somebody is in and their direct message, with what they may see there.
    fn places(&self, state: &State, me: &Person) -> Vec<Value> {
        let mine = state.channels.iter().filter(|channel| channel.members.contains(&me.id));
        let channels = mine.map(|channel| (channel.id.clone(), channel.name.clone(), "channel"));
        let all = channels.chain([(me.dm(), self.0.config.bot_name.clone(), "dm")]);
        all.map(|(id, name, kind)| {
            let seen =
                |message: &&Message| message.channel == id && message.to.as_ref().is_none_or(|reader| *reader == me.id);
            let mut messages: Vec<Value> = state.messages.iter().filter(seen).map(page_message).collect();
            messages.drain(..messages.len().saturating_sub(NEWEST));
            json!({ "id": id, "name": name, "kind": kind, "messages": messages })
        })
        .collect()
    }
}

fn page_person(state: &State, person: &Person) -> Value {
    // How much the bot ever told them, so that the page can point at whom something waits for.
    let dm = person.dm();
    let to_them = |message: &&Message| match &message.to {
        Some(reader) => *reader == person.id,
        None => message.channel == dm && message.user != person.id,
    };
    let news = state.messages.iter().filter(to_them).count();
    json!({
        "id": person.id, "name": person.name, "title": person.title, "tz": person.tz, "bot": person.is_bot,
        "deleted": person.deleted, "news": news, "dm": dm,
    })
}

fn page_message(message: &Message) -> Value {
    json!({
        "ts": message.ts, "channel": message.channel, "thread": message.thread_ts, "user": message.user,
        "text": message.text, "blocks": message.blocks, "ephemeral": message.ephemeral, "edited": message.edited,
    })
}

/// What any act of the page may say.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Act {
    #[serde(rename = "as")]
    user: String,
    channel: String,
    text: String,
    ts: String,
    view: String,
    tab: String,
    action: String,
    value: Option<String>,
    /// What stands in the inputs, by action id or block id.
    values: BTreeMap<String, String>,
}

fn shown(answer: &Answer) -> Json<Value> {
    Json(json!({ "problem": answer.problem, "took_ms": answer.took.as_millis() as u64 }))
}

type Acted = Result<Json<Value>, StatusCode>;

fn acting(server: &Server) -> Result<Workspace, StatusCode> {
    server.workspace().ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

async fn command(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    let workspace = acting(&server)?;
    let text = act.text.trim();
    if !text.starts_with('/') {
        // Slack shows nobody what became of an event.
        workspace.say(&act.user, &act.channel, text).await;
        return Ok(Json(json!({ "problem": null })));
    }
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = mentions(&workspace, rest.trim_start());
    Ok(shown(&workspace.command(&act.user, &act.channel, command, &rest).await))
}

/// Slack resolves `@Name` and `@group` before the bot sees them.
fn mentions(workspace: &Workspace, text: &str) -> String {
    let mut text = text.to_owned();
    let names = workspace.read(|state| {
        let people =
            state.people.iter().map(|person| (person.name.clone(), format!("<@{}|{}>", person.id, person.handle())));
        let groups = state
            .groups
            .iter()
            .map(|group| (group.handle.clone(), format!("<!subteam^{}|@{}>", group.id, group.handle)));
        let mut names: Vec<(String, String)> = people.chain(groups).collect();
        // The longest first, so that one name within another does not win.
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names
    });
    for (name, mention) in names {
        text = text.replace(&format!("@{name}"), &mention);
    }
    text
}

async fn press(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    let workspace = acting(&server)?;
    let value = act.value.as_deref();
    let answer = if act.view.is_empty() {
        workspace.choose(&act.user, &act.channel, &act.ts, &act.action, value).await
    } else {
        workspace.keep_values(&act.view, &act.values);
        workspace.press_view(&act.user, &act.view, &act.action, value).await
    };
    Ok(shown(&answer))
}

async fn home(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    let workspace = acting(&server)?;
    // Slack shows nobody what became of an event.
    match act.tab.as_str() {
        "messages" => workspace.open_messages(&act.user).await,
        _ => workspace.open_home(&act.user).await,
    };
    Ok(Json(json!({ "problem": null })))
}

async fn shortcut(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    Ok(shown(&acting(&server)?.shortcut(&act.user, &act.action).await))
}

async fn reply(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    acting(&server)?.reply(&act.user, &act.channel, &act.ts, act.text.trim()).await;
    Ok(Json(json!({ "problem": null })))
}

async fn suggest(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    let answer = acting(&server)?.look_up(&act.user, &act.view, &act.action, &act.text).await;
    Ok(Json(json!({ "problem": answer.problem, "answer": answer.json })))
}

async fn submit(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    let values: Vec<(&str, &str)> = act.values.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    Ok(shown(&acting(&server)?.submit(&act.user, &act.view, &values).await))
}

async fn close(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    acting(&server)?.close(&act.user, &act.view).await;
    Ok(Json(json!({ "problem": null })))
}

async fn dismiss(_: Local, Shared(server): Shared<Server>, Json(act): Json<Act>) -> Acted {
    acting(&server)?.dismiss(&act.user, &act.view).await;
    Ok(Json(json!({ "problem": null })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_page_itself_may_act() {
        let json = ("content-type", "application/json");
        let host = ("host", "127.0.0.1:4000");
        let fine: &[&[(&'static str, &'static str)]] = &[
            &[host, json],
            &[host, json, ("origin", "http://127.0.0.1:4000"), ("sec-fetch-site", "same-origin")],
            &[("host", "localhost:4000"), json, ("origin", "http://localhost:4000")],
        ];
        for given in fine {
            assert!(is_local(&Method::POST, &headers(given)), "{given:?}");
        }
        let bad: &[&[(&'static str, &'static str)]] = &[
            &[json],
            &[host],
            &[host, ("content-type", "text/plain")],
            &[host, ("content-type", "application/x-www-form-urlencoded")],
            &[("host", "evil.test:4000"), json],
            &[("host", "127.0.0.1.evil.test"), json],
            &[host, json, ("origin", "http://evil.test")],
            &[host, json, ("origin", "http://127.0.0.1:5000")],
            &[host, json, ("origin", "null")],
            &[host, json, ("sec-fetch-site", "cross-site")],
        ];
        for given in bad {
            assert!(!is_local(&Method::POST, &headers(given)), "{given:?}");
        }
        assert!(is_local(&Method::GET, &headers(&[host])));
        assert!(!is_local(&Method::GET, &headers(&[("host", "evil.test")])));
    }
}
