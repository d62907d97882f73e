//! Slack's Web API, as far as Latchkey needs it, and answers by `response_url`.
//!
//! Whatever Slack or something on the way says is an answer or a [`SlackError`]; nothing here panics on it. An error
//! carries the method and Slack's code, never a body, a token, an address or a `response_url`.
//!
//! May import: `domain`, `slack::views` for what is sent, `slack::user` for what is read.
//! To add a method: one function below or in `client/posts.rs`; arguments of reads go into the query, those of writes are JSON.

mod posts;

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use slack_morphism::prelude::SlackView;
use url::{Host, Url};

pub use self::posts::{POST, Page};
pub use super::{channel::SlackChannel, user::SlackUser};
use super::{user::filled, views::Content};
use crate::domain::{id::SlackUserId, person::Email};

/// Slack is near, or it is away.
const CONNECT: Duration = Duration::from_secs(2);
/// Slack takes one message a second for each channel, and short bursts.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
/// Who waits longer for their turn is told when to come back, so that no job sleeps past its claim.
const LONGEST_TURN: Duration = Duration::from_secs(10);
/// After a 429 that does not say how long.
const RATE_PAUSE: Duration = Duration::from_secs(30);
/// A `Retry-After` beyond this is a mistake.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A user group of ten thousand people is a seventh of it.
const LARGEST_ANSWER: usize = 1 << 20;
/// Channels and pauses that are remembered before those that are over are forgotten.
const REMEMBERED: usize = 1000;
/// The name that posts to a `response_url` have in errors.
const RESPONSE_URL: &str = "response_url";

/// One workspace's Web API. Clones share connections, turns and pauses.
#[derive(Clone)]
pub struct SlackClient(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base: String,
    token: SecretString,
    /// For posts and updates, which nobody waits for and which are shown twice when they are given up too soon.
    patience: Duration,
    turns: DefaultKeyedRateLimiter<String>,
    pauses: Mutex<HashMap<Queue, Instant>>,
}

/// What Slack counts calls by: the method and, for posts, the channel.
type Queue = (&'static str, String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// Slack understood the call and refused it. `detail` is Slack's own explanation, for logs.
    #[error("Slack refused {method}: {code}")]
    Api { method: &'static str, code: String, detail: String },
    #[error("Slack wants {method} no sooner than in {} s", .retry_after.as_secs())]
    RateLimited { method: &'static str, retry_after: Duration },
    /// Timed out, refused or cut off. What was asked for may have happened.
    #[error("Slack did not answer {method}")]
    NoAnswer { method: &'static str },
    /// Something answered, but not as Slack does. What was asked for may have happened.
    #[error("what answered {method} with status {status} was not Slack as it should be")]
    BadAnswer { method: &'static str, status: u16 },
}

/// Whether the same call is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Not sooner than this.
    RetryAfter(Duration),
    /// It may have happened already: repeat only what may be repeated.
    Retry,
    /// Somebody has to mend a credential, a scope or a channel first; then the same call works.
    RetrySlowly,
    /// The same call will never work.
    Never,
}

impl SlackError {
    pub fn advice(&self) -> Advice {
        match self {
            Self::RateLimited { retry_after, .. } => Advice::RetryAfter(*retry_after),
            Self::NoAnswer { .. } => Advice::Retry,
            Self::BadAnswer { status, .. } => match status {
                // A page of something between us and Slack, or an answer cut short, comes with 200 too.
                200..=299 | 408 | 500.. => Advice::Retry,
                _ => Advice::Never,
            },
            Self::Api { code, .. } => match code.as_str() {
                "service_unavailable" | "team_added_to_org" | "request_timeout" | "internal_error" | "fatal_error" => {
                    Advice::Retry
                }
                "invalid_auth"
                | "not_authed"
                | "account_inactive"
                | "token_revoked"
                | "token_expired"
                | "missing_scope"
                | "not_allowed_token_type"
                | "no_permission"
                | "access_denied"
                | "ekm_access_denied"
                | "team_access_not_granted"
                | "enterprise_is_restricted"
                | "org_login_required"
                | "accesslimited"
                | "two_factor_setup_required"
                | "not_in_channel"
                | "is_archived"
                | "messages_tab_disabled"
                | "restricted_action"
                | "channel_not_found" => Advice::RetrySlowly,
                "ratelimited" | "rate_limited" => Advice::Retry,
                // Our own mistakes, messages that are gone, and whatever Slack invents next.
                _ => Advice::Never,
            },
        }
    }

    pub fn method(&self) -> &'static str {
        match self {
            Self::Api { method, .. }
            | Self::RateLimited { method, .. }
            | Self::NoAnswer { method }
            | Self::BadAnswer { method, .. } => method,
        }
    }

    /// Slack's code for a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api { code, .. } => Some(code),
            Self::RateLimited { .. } | Self::NoAnswer { .. } | Self::BadAnswer { .. } => None,
        }
    }
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthTest {
    pub team_id: String,
    pub team: Option<String>,
    pub user_id: Option<SlackUserId>,
    /// What people type after `@`.
    pub user: Option<String>,
    pub bot_id: Option<String>,
    /// What the token may do; `None` where Slack did not say.
    pub scopes: Option<BTreeSet<String>>,
    /// Slack's own time, to the second.
    pub at: Option<Timestamp>,
}

/// What Slack says beside an answer.
#[derive(Default)]
pub(super) struct Beside {
    scopes: Option<BTreeSet<String>>,
    at: Option<Timestamp>,
}

impl SlackClient {
    /// `base` is the Web API without a slash at its end (`https://slack.com/api`); `timeout` is for one whole call; posts and
    /// updates have seven times as long.
    ///
    /// # Errors
    ///
    /// The system has no root certificates. Never where `base` is this machine over plain http.
    pub fn new(base: &str, token: SecretString, timeout: Duration) -> Result<Self, reqwest::Error> {
        // Without one the next line panics; where `main` has installed it before, this changes nothing.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        let url = Url::parse(base).ok();
        if url.as_ref().is_some_and(is_loopback) {
            http = http.no_proxy();
            if url.is_some_and(|url| url.scheme() == "http") {
                // Nothing is spoken over TLS then, so that a machine without certificates will do.
                http = http.tls_certs_only([]);
            }
        }
        Ok(Self(Arc::new(Inner {
            http: http.build()?,
            base: base.trim_end_matches('/').to_owned(),
            token,
            patience: timeout * 7,
            turns: RateLimiter::keyed(Quota::per_second(NonZeroU32::MIN).allow_burst(BURST)),
            pauses: Mutex::default(),
        })))
    }

    pub async fn auth_test(&self) -> Result<AuthTest, SlackError> {
        let method = "auth.test";
        let (answer, Beside { scopes, at }) = self.write(method, "", json!({})).await?;
        Ok(AuthTest {
            team_id: filled(&answer["team_id"]).ok_or(SlackError::BadAnswer { method, status: 200 })?,
            team: filled(&answer["team"]),
            user_id: filled(&answer["user_id"]).map(SlackUserId::new),
            user: filled(&answer["user"]),
            bot_id: filled(&answer["bot_id"]),
            scopes,
            at,
        })
    }

    pub async fn user(&self, id: &SlackUserId) -> Result<SlackUser, SlackError> {
        let method = "users.info";
        let answer = self.read(method, &[("user", id.as_str())]).await?;
        SlackUser::read(&answer["user"]).ok_or(SlackError::BadAnswer { method, status: 200 })
    }

    /// `None`: nobody active in the workspace has this address.
    pub async fn user_by_email(&self, email: &Email) -> Result<Option<SlackUser>, SlackError> {
        let method = "users.lookupByEmail";
        match self.read(method, &[("email", email.as_str())]).await {
            Ok(answer) => {
                SlackUser::read(&answer["user"]).map(Some).ok_or(SlackError::BadAnswer { method, status: 200 })
            }
            Err(error) if error.code() == Some("users_not_found") => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn group_members(&self, id: &str) -> Result<BTreeSet<SlackUserId>, SlackError> {
        let method = "usergroups.users.list";
        let answer = self.read(method, &[("usergroup", id)]).await?;
        let users = answer["users"].as_array().ok_or(SlackError::BadAnswer { method, status: 200 })?;
        Ok(users.iter().filter_map(filled).map(SlackUserId::new).collect())
    }

    /// `None`: there is no such channel, or none that the bot is allowed to see.
    pub async fn channel(&self, id: &str) -> Result<Option<SlackChannel>, SlackError> {
        let method = "conversations.info";
        match self.read(method, &[("channel", id)]).await {
            Ok(answer) => {
                SlackChannel::read(&answer["channel"]).map(Some).ok_or(SlackError::BadAnswer { method, status: 200 })
            }
            Err(error) if error.code() == Some("channel_not_found") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a message, with the channel and the time stamp that [`Self::post`] gave.
    pub async fn update(&self, channel: &str, ts: &str, content: &Content) -> Result<(), SlackError> {
        let method = "chat.update";
        let mut args = shown(method, content)?;
        args["channel"] = json!(channel);
        args["ts"] = json!(ts);
        self.write(method, "", args).await.map(|_| ())
    }

    /// Shows something to one person in a channel that both they and the bot are in.
    pub async fn post_ephemeral(&self, channel: &str, user: &SlackUserId, content: &Content) -> Result<(), SlackError> {
        let method = "chat.postEphemeral";
        let mut args = shown(method, content)?;
        args["channel"] = json!(channel);
        args["user"] = json!(user.as_str());
        self.write(method, "", args).await.map(|_| ())
    }

    /// Opens a form; the trigger lives three seconds and works once. That it has worked already is no error: the same
    /// click was delivered again, and the form is open.
    pub async fn open_view(&self, trigger_id: &str, view: &SlackView) -> Result<(), SlackError> {
        let method = "views.open";
        let view = serde_json::to_value(view).map_err(|_| unsendable(method))?;
        match self.write(method, "", json!({ "trigger_id": trigger_id, "view": view })).await {
            Err(error) if error.code() == Some("exchanged_trigger_id") => Ok(()),
            opened => opened.map(|_| ()),
        }
    }

    /// Shows somebody's Home tab.
    pub async fn publish_view(&self, user: &SlackUserId, view: &SlackView) -> Result<(), SlackError> {
        let method = "views.publish";
        let view = serde_json::to_value(view).map_err(|_| unsendable(method))?;
        let args = json!({ "user_id": user.as_str(), "view": view });
        self.write(method, "", args).await.map(|_| ())
    }

    /// Answers whoever typed or clicked, and nobody else; the original message stays. Whatever fails, somebody still
    /// has to be told another way.
    pub async fn respond(&self, response_url: &Url, content: &Content) -> Result<(), SlackError> {
        let method = RESPONSE_URL;
        let Some(url) = allowed_response_url(response_url.as_str(), &self.0.base) else {
            let detail = "neither on hooks.slack.com nor where SLACK_API_URL is".to_owned();
            return Err(SlackError::Api { method, code: "url_not_allowed".to_owned(), detail });
        };
        let mut args = shown(method, content)?;
        args["response_type"] = json!("ephemeral");
        args["replace_original"] = json!(false);
        // The address itself is the secret here; the token is nobody's business there.
        let (status, _, body) = self.send(method, "", with_json(self.0.http.post(url), &args)).await?;
        if status == 200 && body.trim_ascii() == b"ok" {
            return Ok(());
        }
        judge(method, status, &body).map(|_| ())
    }

    async fn read(&self, method: &'static str, query: &[(&str, &str)]) -> Result<Value, SlackError> {
        let request = self.0.http.get(format!("{}/{method}", self.0.base)).query(query);
        self.call(method, "", request).await.map(|(answer, _)| answer)
    }

    pub(super) async fn write(
        &self,
        method: &'static str,
        place: &str,
        args: Value,
    ) -> Result<(Value, Beside), SlackError> {
        let mut request = with_json(self.0.http.post(format!("{}/{method}", self.0.base)), &args);
        if matches!(method, POST | "chat.update") {
            request = request.timeout(self.0.patience);
        }
        self.call(method, place, request).await
    }

    /// One call with our token: Slack's answer, and what it says beside it.
    async fn call(
        &self,
        method: &'static str,
        place: &str,
        request: RequestBuilder,
    ) -> Result<(Value, Beside), SlackError> {
        let request = request.bearer_auth(self.0.token.expose_secret());
        let (status, beside, body) = self.send(method, place, request).await?;
        let result = judge(method, status, &body);
        if let Err(SlackError::RateLimited { retry_after, .. }) = &result {
            self.pause(method, place, *retry_after);
        }
        result.map(|answer| (answer, beside))
    }

    /// Sends it and reads what comes back, except where Slack said to wait and the time is not over.
    async fn send(
        &self,
        method: &'static str,
        place: &str,
        request: RequestBuilder,
    ) -> Result<(u16, Beside, Vec<u8>), SlackError> {
        if let Some(retry_after) = self.paused(method, place) {
            return Err(SlackError::RateLimited { method, retry_after });
        }
        // The library's error holds the address with its query, which may be an e-mail; it goes no further.
        let mut answer = request.send().await.map_err(|_| SlackError::NoAnswer { method })?;
        let status = answer.status().as_u16();
        if status == 429 {
            let retry_after = retry_after(&answer);
            self.pause(method, place, retry_after);
            return Err(SlackError::RateLimited { method, retry_after });
        }
        let beside = Beside { scopes: scopes(&answer), at: date(&answer) };
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| SlackError::NoAnswer { method })? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(SlackError::BadAnswer { method, status });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, beside, body))
    }

    async fn wait_turn(&self, method: &'static str, channel: &str) -> Result<(), SlackError> {
        let turns = &self.0.turns;
        if turns.len() > REMEMBERED {
            turns.retain_recent();
        }
        tokio::time::timeout(LONGEST_TURN, turns.until_key_ready(&channel.to_owned()))
            .await
            .map_err(|_| SlackError::RateLimited { method, retry_after: LONGEST_TURN })
    }

    fn paused(&self, method: &'static str, place: &str) -> Option<Duration> {
        let pauses = self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let until = pauses.get(&(method, place.to_owned()))?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn pause(&self, method: &'static str, place: &str, length: Duration) {
        // Each response_url has a queue of its own, and nobody waits in it.
        if method == RESPONSE_URL {
            return;
        }
        let now = Instant::now();
        let mut pauses = self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if pauses.len() >= REMEMBERED {
            pauses.retain(|_, until| *until > now);
        }
        pauses.insert((method, place.to_owned()), now + length);
    }
}

/// The address, if answers may be posted there: https on hooks.slack.com, or the origin of `api_base`. It comes with a
/// signed request, but whoever holds an old signing secret must not make us post to where they like.
pub fn allowed_response_url(url: &str, api_base: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let slack = url.scheme() == "https" && url.host_str() == Some("hooks.slack.com") && url.port().is_none();
    // Origins of addresses without a host equal nothing, themselves included.
    let own = Url::parse(api_base).is_ok_and(|base| base.origin() == url.origin());
    (slack || own).then_some(url)
}

/// Whether the address is one of this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn shown(method: &'static str, content: &Content) -> Result<Value, SlackError> {
    let mut args = Map::new();
    args.insert("text".to_owned(), json!(content.text));
    if !content.blocks.is_empty() {
        args.insert("blocks".to_owned(), serde_json::to_value(&content.blocks).map_err(|_| unsendable(method))?);
    }
    Ok(Value::Object(args))
}

fn unsendable(method: &'static str) -> SlackError {
    SlackError::Api { method, code: "invalid_blocks".to_owned(), detail: "not JSON".to_owned() }
}

/// Slack wants the character set named, and warns of `missing_charset` otherwise.
fn with_json(request: RequestBuilder, args: &Value) -> RequestBuilder {
    request.header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(args.to_string())
}

fn retry_after(answer: &Response) -> Duration {
    let given = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let secs = given.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    secs.unwrap_or(RATE_PAUSE).clamp(Duration::from_secs(1), LONGEST_PAUSE)
}

fn scopes(answer: &Response) -> Option<BTreeSet<String>> {
    let given = answer.headers().get("x-oauth-scopes")?.to_str().ok()?;
    Some(given.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

fn date(answer: &Response) -> Option<Timestamp> {
    let given = answer.headers().get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(given).ok()
}

/// Slack says `ok` in every answer that is one, whatever its status.
fn judge(method: &'static str, status: u16, body: &[u8]) -> Result<Value, SlackError> {
    let bad = SlackError::BadAnswer { method, status };
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Err(bad) };
    match (answer.get("ok").and_then(Value::as_bool), filled(&answer["error"])) {
        (Some(true), _) if (200..300).contains(&status) => Ok(answer),
        (Some(false), Some(code)) if matches!(code.as_str(), "ratelimited" | "rate_limited") => {
            Err(SlackError::RateLimited { method, retry_after: RATE_PAUSE })
        }
        (Some(false), Some(code)) => {
            Err(SlackError::Api { method, code: printable(&code, 60), detail: detail(&answer) })
        }
        (Some(_) | None, _) => Err(bad),
    }
}

/// Slack's explanation, and the scope that is missing.
fn detail(answer: &Value) -> String {
    let messages = answer["response_metadata"]["messages"].as_array().into_iter().flatten().filter_map(filled);
    let needed = filled(&answer["needed"]).map(|scope| format!("needed: {scope}"));
    printable(&messages.chain(needed).collect::<Vec<_>>().join("; "), 300)
}

/// For logs: one line of plain characters.
fn printable(text: &str, most: usize) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
