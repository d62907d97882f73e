//! Settings from the environment.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf};

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::nearest::did_you_mean;
use crate::domain::length;

/// Every variable that this version reads: its name, its default (empty: none) and what it is for.
pub const VARIABLES: &[(&str, &str, &str)] = &[
    ("DATABASE_URL", "sqlite://latchkey.db", "where everything is kept: `sqlite://PATH` or `postgres://…`"),
    ("LISTEN", "127.0.0.1:3000", "address and port to listen on"),
    ("PUBLIC_URL", "`http://` + LISTEN", "where others reach this server; used in the Slack manifest and in links"),
    ("LATCHKEY_CONFIG", "latchkey.toml", "the file with policy and provisioners"),
    ("LATCHKEY_SECRET", "made at first start, kept in the database", "signs API tokens; at least 32 characters"),
    ("SLACK_BOT_TOKEN", "", "`xoxb-…`; without it Slack is off"),
    ("SLACK_SIGNING_SECRET", "", "proves that a request is Slack's; several, separated by commas, for rotation"),
    (
        "SLACK_APP_TOKEN",
        "",
        "`xapp-…`; Socket Mode: Slack needs no public address of ours, and no SLACK_SIGNING_SECRET",
    ),
    ("SLACK_API_URL", "https://slack.com/api", "base of Slack's Web API"),
    ("INDENT_SPACE", "default", "name of the space in the HTTP API; with a remote space, its name there"),
    ("INDENT_API_TOKEN", "", "a token of the remote space; without it Latchkey is the space"),
    ("INDENT_API_URL", "https://platform.indentapis.com/v1", "base of the remote space's API"),
    (
        "INDENT_WEBHOOK_SECRET",
        "",
        "verifies `/webhooks/indent`, which answers 404 without it; several, separated by commas",
    ),
    ("CUSTOMERS_DATABASE_URL", "", "the company's database with the customers, PostgreSQL or SQLite; only read"),
    ("CUSTOMERS_QUERY", "select id, name, plan from customers", "columns after id and name become labels"),
    ("CUSTOMERS_SYNC_EVERY", "15m", "how often the customers are read"),
    ("CUSTOMERS_MAX_REMOVALS", "20%", "a run that lacks more of the customers than this changes nothing"),
    ("CUSTOMER_KIND", "customer", "kind of customer resources on the wire"),
    ("LOG_FORMAT", "text", "`text` or `json`; `RUST_LOG` chooses what is logged"),
    ("LATCHKEY_URL", "", "for client commands: the server to talk to"),
    ("LATCHKEY_TOKEN", "", "for client commands: the API token"),
];

/// Variables of parts that this version does not have. Ignoring one would be worse than stopping.
const NOT_YET: &[&str] = &[
    "OKTA_DOMAIN",
    "OKTA_TOKEN",
    "OKTA_CLIENT_ID",
    "OKTA_PRIVATE_KEY",
    "PAGERDUTY_TOKEN",
    "PAGERDUTY_URL",
    "OPSGENIE_TOKEN",
    "OPSGENIE_URL",
    "INCIDENTIO_TOKEN",
    "INCIDENTIO_URL",
];

/// The environment, understood.
#[derive(Clone, Debug)]
pub struct Settings {
    pub database_url: DatabaseUrl,
    pub listen: SocketAddr,
    /// http or https, without query or credentials.
    pub public_url: Url,
    pub config_path: PathBuf,
    /// At least 32 characters; `None`: the one that the database keeps.
    pub secret: Option<SecretString>,
    /// `None`: Slack is off.
    pub slack: Option<SlackSettings>,
    /// The name of our space: one segment of a URL's path.
    pub space: String,
    /// Empty: `/webhooks/indent` is off.
    pub webhook_secrets: Vec<SecretString>,
    /// `None`: we are the space.
    pub remote: Option<RemoteSettings>,
    /// `None`: customers come through the API alone.
    pub customers: Option<CustomersSettings>,
    pub sync_every: SignedDuration,
    /// 0 to 100.
    pub max_removals_percent: f64,
    pub customer_kind: String,
    pub log_format: LogFormat,
}

#[derive(Clone, Debug)]
pub struct SlackSettings {
    pub bot_token: SecretString,
    /// None is empty; any of them may sign. Without one there is an app token, and no request over HTTP is believed.
    pub signing_secrets: Vec<SecretString>,
    /// `Some`: Socket Mode.
    pub app_token: Option<SecretString>,
    /// Without a slash at its end.
    pub api_url: String,
}

/// The space elsewhere that decides; its name is [`Settings::space`].
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Visible ASCII characters: it goes into a header.
    pub token: SecretString,
    /// Without a slash at its end.
    pub url: Url,
}

#[derive(Clone, Debug)]
pub struct CustomersSettings {
    pub url: DatabaseUrl,
    pub query: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// The address of a database. `Display` leaves out what may be a password.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// The whole URL, with its `sqlite:`.
    Sqlite(String),
    /// The whole URL; it may hold a password.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// `sqlite://PATH`, `postgres://…` or `postgresql://…`; otherwise what would be right.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RIGHT: &str = "write sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE";
        let (scheme, rest) = text.split_once(':').ok_or(RIGHT)?;
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default();
                if path.is_empty() {
                    return Err("the path of the file is missing; write sqlite://PATH, like sqlite://latchkey.db");
                }
                if path == ":memory:" || rest.contains("mode=memory") {
                    return Err("a database in memory forgets everything; write sqlite://PATH");
                }
                Ok(Self::Sqlite(text.to_owned()))
            }
            "postgres" | "postgresql" => match Url::parse(text) {
                Ok(url) if !url.cannot_be_a_base() => Ok(Self::Postgres(text.into())),
                Ok(_) | Err(_) => Err("write postgres://USER:PASSWORD@HOST/DATABASE, with `%40` for an @ in the \
                                       password, `%2F` for a / and `%23` for a #"),
            },
            _ => Err(RIGHT),
        }
    }

    /// The whole URL, password included: for connecting, never for showing.
    pub fn expose(&self) -> &str {
        match self {
            Self::Sqlite(url) => url,
            Self::Postgres(url) => url.expose_secret(),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(url) => f.write_str(url),
            // A password may stand in the query too, so only host, port and database are shown.
            Self::Postgres(url) => match Url::parse(url.expose_secret()) {
                Ok(url) => {
                    write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                    if let Some(port) = url.port() {
                        write!(f, ":{port}")?;
                    }
                    f.write_str(url.path())
                }
                Err(_) => f.write_str("postgres://…"),
            },
        }
    }
}

/// Everything that is wrong with the environment. Each mistake names its variable and says what would be right; no
/// value of a secret is among them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct SettingsError {
    pub mistakes: Vec<String>,
}

impl Settings {
    /// Reads all variables and reports all mistakes together. An empty value means not set. Variables that are neither
    /// ours nor start with `LATCHKEY_` are somebody else's.
    pub fn from_env(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let vars = vars.into_iter().filter(|(_, value)| !value.trim().is_empty());
        let mut env = Env { vars: vars.collect(), mistakes: Vec::new() };
        env.refuse_unknown();
        let listen = env.listen();
        let settings = Self {
            database_url: env
                .database_url("DATABASE_URL")
                .unwrap_or_else(|| DatabaseUrl::Sqlite("sqlite://latchkey.db".to_owned())),
            public_url: env.public_url(listen),
            listen,
            config_path: env.text("LATCHKEY_CONFIG", "latchkey.toml").into(),
            secret: env.secret(),
            slack: env.slack(),
            space: env.word("INDENT_SPACE", "default"),
            webhook_secrets: env.secrets("INDENT_WEBHOOK_SECRET"),
            remote: env.remote(),
            customers: env.customers(),
            sync_every: env.length("CUSTOMERS_SYNC_EVERY", SignedDuration::from_mins(15)),
            max_removals_percent: env.percent("CUSTOMERS_MAX_REMOVALS", 20.0),
            customer_kind: env.word("CUSTOMER_KIND", "customer"),
            log_format: env.log_format(),
        };
        if env.mistakes.is_empty() { Ok(settings) } else { Err(SettingsError { mistakes: env.mistakes }) }
    }
}

/// The variables that are set. A wrong one is noted and read as its default, so that reading goes on to the next.
struct Env {
    vars: BTreeMap<String, String>,
    mistakes: Vec<String>,
}

impl Env {
    fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(VARIABLES.iter().any(|(known, ..)| *known == name), "{name} is missing in VARIABLES");
        self.vars.get(name).map(|value| value.trim())
    }

    fn wrong(&mut self, name: &str, remedy: impl fmt::Display) {
        self.mistakes.push(format!("{name}: {remedy}"));
    }

    fn refuse_unknown(&mut self) {
        let known = || VARIABLES.iter().map(|(name, ..)| *name);
        for name in self.vars.keys() {
            if NOT_YET.contains(&name.as_str()) {
                self.mistakes.push(format!("{name}: this version of Latchkey cannot do that yet; unset it"));
            } else if name.starts_with("LATCHKEY_") && !known().any(|known| known == name) {
                let hint = did_you_mean(name, known().filter(|name| name.starts_with("LATCHKEY_")));
                self.mistakes.push(format!("{name}: there is no such setting{}", or_unset(hint)));
            }
        }
    }

    fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    fn database_url(&mut self, name: &str) -> Option<DatabaseUrl> {
        match DatabaseUrl::parse(self.get(name)?) {
            Ok(url) => Some(url),
            Err(remedy) => {
                self.wrong(name, format_args!("not the address of a database; {remedy}"));
                None
            }
        }
    }

    fn listen(&mut self) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], 3000));
        let Some(text) = self.get("LISTEN") else { return default };
        if let Ok(listen) = text.parse() {
            return listen;
        }
        let wrong = format!("“{text}” is not an address and a port; write it like 127.0.0.1:3000 or 0.0.0.0:3000");
        self.wrong("LISTEN", wrong);
        default
    }

    fn public_url(&mut self, listen: SocketAddr) -> Url {
        let from_listen = format!("http://{listen}");
        let text = self.get("PUBLIC_URL").unwrap_or(&from_listen);
        match http_url(text) {
            Ok(url) => url,
            Err(what) => {
                self.wrong("PUBLIC_URL", format_args!("{what}; write it like https://latchkey.example.com"));
                // Never seen by anybody, as a mistake is noted. A constant URL that is right cannot fail to parse.
                Url::parse("http://127.0.0.1:3000").expect("a URL")
            }
        }
    }

    fn secret(&mut self) -> Option<SecretString> {
        // Not trimmed: whoever else signs tokens with it uses every character.
        let secret = self.vars.get("LATCHKEY_SECRET")?.clone();
        let count = secret.chars().count();
        if count < 32 {
            let remedy = format!("has {count} characters and needs at least 32; `openssl rand -hex 32` makes one");
            self.wrong("LATCHKEY_SECRET", remedy);
        }
        Some(secret.into())
    }

    /// A comma-separated list.
    fn secrets(&mut self, name: &str) -> Vec<SecretString> {
        let Some(text) = self.get(name) else { return Vec::new() };
        let secrets: Vec<SecretString> =
            text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(SecretString::from).collect();
        if secrets.is_empty() {
            self.wrong(name, "holds nothing but commas; write one secret, or several with commas between");
        }
        secrets
    }

    fn slack(&mut self) -> Option<SlackSettings> {
        let signing_secrets = self.secrets("SLACK_SIGNING_SECRET");
        let app_token = self.app_token();
        let api_url = self.get("SLACK_API_URL").unwrap_or("https://slack.com/api").trim_end_matches('/').to_owned();
        if let Err(what) = http_url(&api_url) {
            self.wrong("SLACK_API_URL", format_args!("{what}; write it like https://slack.com/api, or unset it"));
        }
        let Some(bot_token) = self.get("SLACK_BOT_TOKEN").map(str::to_owned) else {
            if !signing_secrets.is_empty() {
                self.wrong(
                    "SLACK_SIGNING_SECRET",
                    "needs SLACK_BOT_TOKEN beside it: the Bot User OAuth Token of your Slack app (OAuth & Permissions)",
                );
            }
            if app_token.is_some() {
                self.wrong(
                    "SLACK_APP_TOKEN",
                    "needs SLACK_BOT_TOKEN beside it: the Bot User OAuth Token of your Slack app (OAuth & Permissions)",
                );
            }
            return None;
        };
        if bot_token.starts_with("xapp-") || !bot_token.chars().all(|c| c.is_ascii_graphic()) {
            let remedy = "not a bot token; it starts with xoxb- and stands in your Slack app under OAuth & Permissions";
            self.wrong("SLACK_BOT_TOKEN", remedy);
        }
        if signing_secrets.is_empty() && self.get("SLACK_APP_TOKEN").is_none() {
            self.wrong(
                "SLACK_BOT_TOKEN",
                "needs SLACK_SIGNING_SECRET beside it, or nobody could tell Slack's requests from forged ones; it \
                 stands in your Slack app under Basic Information (or SLACK_APP_TOKEN, for Socket Mode)",
            );
        }
        Some(SlackSettings { bot_token: bot_token.into(), signing_secrets, app_token, api_url })
    }

    fn app_token(&mut self) -> Option<SecretString> {
        let token = self.get("SLACK_APP_TOKEN")?.to_owned();
        if !token.starts_with("xapp-") || !token.chars().all(|c| c.is_ascii_graphic()) {
            let remedy = "not an app-level token; it starts with xapp- and is made in your Slack app under Basic \
                          Information, App-Level Tokens, with the scope connections:write";
            self.wrong("SLACK_APP_TOKEN", remedy);
        }
        Some(token.into())
    }

    fn remote(&mut self) -> Option<RemoteSettings> {
        let text = self.get("INDENT_API_URL").unwrap_or("https://platform.indentapis.com/v1").trim_end_matches('/');
        let url = http_url(text).map_err(|what| {
            let example = "https://platform.indentapis.com/v1, or https://HOST/v1 of another Latchkey";
            self.wrong("INDENT_API_URL", format_args!("{what}; write it like {example}"));
        });
        let Some(token) = self.get("INDENT_API_TOKEN").map(str::to_owned) else {
            if self.get("INDENT_API_URL").is_some() {
                self.wrong(
                    "INDENT_API_URL",
                    "needs INDENT_API_TOKEN, a token of the space there; set it, or unset this",
                );
            }
            return None;
        };
        if !token.chars().all(|c| c.is_ascii_graphic()) {
            let remedy =
                "holds a blank or a character that no token has; copy it again, on one line and without quotes";
            self.wrong("INDENT_API_TOKEN", remedy);
        }
        if self.get("INDENT_WEBHOOK_SECRET").is_none() {
            self.wrong(
                "INDENT_API_TOKEN",
                "needs INDENT_WEBHOOK_SECRET beside it, or no grant of the remote space could be believed; it is the \
                 secret of the webhook that the remote space calls",
            );
        }
        Some(RemoteSettings { token: token.into(), url: url.ok()? })
    }

    fn customers(&mut self) -> Option<CustomersSettings> {
        let query = self.text("CUSTOMERS_QUERY", "select id, name, plan from customers");
        if self.get("CUSTOMERS_DATABASE_URL").is_none() && self.get("CUSTOMERS_QUERY").is_some() {
            self.wrong("CUSTOMERS_QUERY", "needs CUSTOMERS_DATABASE_URL, the database to ask; set it, or unset this");
        }
        Some(CustomersSettings { url: self.database_url("CUSTOMERS_DATABASE_URL")?, query })
    }

    /// A name that can stand as one segment of a path.
    fn word(&mut self, name: &str, default: &str) -> String {
        let word = self.text(name, default);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if word.len() > 64 || !word.chars().all(plain) || word.chars().all(|c| c == '.') {
            let remedy = format!("write at most 64 letters, digits, `.`, `_` and `-`, like {default}");
            self.wrong(name, remedy);
        }
        word
    }

    fn length(&mut self, name: &str, default: SignedDuration) -> SignedDuration {
        let Some(text) = self.get(name) else { return default };
        length::parse(text).unwrap_or_else(|fault| {
            self.wrong(name, format_args!("{fault}; the default is {}", length::show(default)));
            default
        })
    }

    fn percent(&mut self, name: &str, default: f64) -> f64 {
        let Some(text) = self.get(name) else { return default };
        // The sign is demanded, because 0.2 may mean 20 % or a fifth of one.
        let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
        match number {
            Some(number) if (0.0..=100.0).contains(&number) => number,
            Some(_) | None => {
                let wrong = format!("“{text}” is not a percentage from 0% to 100%; write it like {default}%");
                self.wrong(name, wrong);
                default
            }
        }
    }

    fn log_format(&mut self) -> LogFormat {
        match self.get("LOG_FORMAT") {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(text) => {
                let wrong = format!("“{text}” is not a format; write text or json");
                self.wrong("LOG_FORMAT", wrong);
                LogFormat::Text
            }
        }
    }
}

fn or_unset(hint: String) -> String {
    if hint.is_empty() { "; unset it".to_owned() } else { format!("{hint} Otherwise unset it") }
}

/// An http or https URL with a host, and with nothing in it that could be a secret or that others would lose: no
/// credentials, query or fragment. The error does not repeat the text.
fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "not a URL")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("not an http or https URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password has no place in it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("`?` and `#` have no place in it");
    }
    Ok(url)
}

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
