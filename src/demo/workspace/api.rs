//! The Web API's door: reads GET, form and JSON arguments, checks the bearer token, plays faults, keeps the record.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State as Shared},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::{Map, Value, json};

use super::{
    Server, Workspace,
    methods::{self, Failure},
    model::{Call, Fault, State},
};

pub fn routes() -> Router<Server> {
    Router::new().route("/api/{method}", any(call))
}

async fn call(
    Shared(server): Shared<Server>,
    verb: Method,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(workspace) = server.workspace() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let request = Request { verb, method, query: query.unwrap_or_default(), headers, body };
    if let Some(fault) = workspace.take_fault(&request.method) {
        return play(server, workspace, request, fault).await;
    }
    let outcome = request.outcome(&workspace);
    workspace.echo();
    answer(&workspace, outcome)
}

fn answer(workspace: &Workspace, outcome: Value) -> Response {
    let date = jiff::Timestamp::from_second(workspace.now()).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8".to_owned()),
        (header::DATE, date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        (header::HeaderName::from_static("x-oauth-scopes"), workspace.scopes().join(",")),
        (header::HeaderName::from_static("x-slack-req-id"), "0".to_owned()),
    ];
    (headers, outcome.to_string()).into_response()
}

async fn play(server: Server, workspace: Workspace, request: Request, fault: Fault) -> Response {
    if !fault.is_carried_out() {
        let (args, _) = request.arguments();
        let note = json!({ "fault": format!("{fault:?}") });
        workspace.record(&request.method, Value::Object(args), note);
        // A hanging call must not keep the workspace alive.
        drop(workspace);
        return faulty(&server, &fault).await;
    }
    request.outcome(&workspace);
    workspace.echo();
    drop(workspace);
    faulty(&server, &fault).await
}

/// What goes over the wire instead of an answer.
pub(super) async fn faulty(server: &Server, fault: &Fault) -> Response {
    let text =
        |status, kind: &'static str, body: String| (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    const JSON: &str = "application/json; charset=utf-8";
    match fault {
        Fault::RateLimited { retry_after } => {
            let body = json!({ "ok": false, "error": "ratelimited" }).to_string();
            let mut response = text(StatusCode::TOO_MANY_REQUESTS, JSON, body);
            response.headers_mut().insert(header::RETRY_AFTER, (*retry_after).into());
            response
        }
        Fault::Status(status) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            text(status, "text/plain; charset=utf-8", "upstream trouble".to_owned())
        }
        Fault::Html => {
            text(StatusCode::OK, "text/html; charset=utf-8", "<html><body>Be right back</body></html>".to_owned())
        }
        Fault::Hang | Fault::Held => {
            server.stop.cancelled().await;
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Fault::ApiError(error) => text(StatusCode::OK, JSON, json!({ "ok": false, "error": error }).to_string()),
        Fault::MalformedJson => text(StatusCode::OK, JSON, r#"{"ok":true,"channel":"C0"#.to_owned()),
        Fault::Reset | Fault::Lost => {
            // A body that fails at once makes the server drop the connection instead of finishing the answer.
            let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("reset")) });
            ([(header::CONTENT_LENGTH, "100")], Body::from_stream(broken)).into_response()
        }
    }
}

struct Request {
    verb: Method,
    method: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

/// How the body came.
#[derive(PartialEq)]
enum Form {
    None,
    Urlencoded,
    Json,
    /// Not read, and why.
    Bad(&'static str),
}

impl Request {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Query, form and JSON arguments together, without the token.
    fn arguments(&self) -> (Map<String, Value>, Form) {
        let mut args = Map::new();
        let pairs = |bytes: &[u8], args: &mut Map<String, Value>| {
            for (name, value) in url::form_urlencoded::parse(bytes) {
                args.insert(name.into_owned(), json!(value));
            }
        };
        pairs(self.query.as_bytes(), &mut args);
        let kind = self.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let form = match kind.as_str() {
            _ if self.body.is_empty() => Form::None,
            "application/x-www-form-urlencoded" => {
                pairs(&self.body, &mut args);
                Form::Urlencoded
            }
            "application/json" => match serde_json::from_slice(&self.body) {
                Ok(Value::Object(fields)) => {
                    // A null argument means its default.
                    args.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
                    Form::Json
                }
                Ok(_) => Form::Bad("json_not_object"),
                Err(_) => Form::Bad("invalid_json"),
            },
            _ => Form::Bad("invalid_post_type"),
        };
        args.remove("token");
        (args, form)
    }

    /// The answer, on record.
    fn outcome(&self, workspace: &Workspace) -> Value {
        let (args, form) = self.arguments();
        let outcome = match self.judge(workspace, &args, &form) {
            Ok(mut value) => {
                value["ok"] = json!(true);
                value
            }
            Err(failure) => failure.json(),
        };
        workspace.record(&self.method, Value::Object(args), outcome.clone());
        outcome
    }

    fn judge(&self, workspace: &Workspace, args: &Map<String, Value>, form: &Form) -> Result<Value, Failure> {
        let name = &self.method;
        let authorization = self.header(header::AUTHORIZATION);
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            workspace.update(|state| state.dislike(format!("{name}: no Authorization: Bearer header")));
            return Err(Failure::new("not_authed"));
        };
        if name == "apps.connections.open" {
            if self.verb != Method::POST {
                return Err(Failure::new("insecure_request"));
            }
            return workspace.open_link(token);
        }
        if token == workspace.app_token() {
            return Err(Failure::new("not_allowed_token_type"));
        }
        if token != workspace.0.config.bot_token {
            return Err(Failure::new("invalid_auth"));
        }
        let Some(method) = methods::METHODS.iter().find(|method| method.name == name) else {
            workspace.update(|state| state.dislike(format!("{name}: no such method")));
            return Err(Failure::new("unknown_method").with("req_method", json!(name)));
        };
        let place = |state: &State| state.channel_type(args.get("channel").and_then(Value::as_str).unwrap_or_default());
        let scope = match (method.scope, workspace.read(place)) {
            (Some("channels:read"), "group") => Some("groups:read"),
            (Some("channels:history"), "group") => Some("groups:history"),
            (Some("channels:history"), "im") => Some("im:history"),
            (scope, _) => scope,
        };
        if let Some(scope) = scope.filter(|scope| !workspace.read(|state| state.has_scope(scope))) {
            let provided = json!(workspace.scopes().join(","));
            return Err(Failure::new("missing_scope").with("needed", json!(scope)).with("provided", provided));
        }
        workspace.update(|state| {
            let fits = self.verb == Method::POST || (method.reads && self.verb == Method::GET);
            if !fits {
                state.dislike(format!("{name}: sent with {}", self.verb));
            }
            if let Form::Bad(error) = form {
                let kind = self.header(header::CONTENT_TYPE);
                state.dislike(format!("{name}: a body that cannot be read ({error}, content type “{kind}”)"));
                return Err(Failure::new(error));
            }
            if method.reads && *form == Form::Json {
                state.dislike(format!("{name}: reads query and form arguments, not JSON"));
            }
            for unknown in args.keys().filter(|arg| !method.args.contains(&arg.as_str())) {
                state.dislike(format!("{name}: no such argument: {unknown}"));
            }
            workspace.call(state, name, args)
        })
    }
}

impl Workspace {
    pub(super) fn record(&self, method: &str, args: Value, answered: Value) {
        self.update(|state| state.calls.push(Call { method: method.to_owned(), args, answered }));
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
