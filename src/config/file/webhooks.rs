//! What every webhook of the file has: where it goes, how it is signed, and the kinds of resources that it is about.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use secrecy::SecretString;
use toml::de::DeValue;
use url::Url;

use super::reader::{Reader, Section, Text, start};
use crate::domain::length;

/// Signed events to an endpoint of the company's own. `Debug` shows no secret, no header and no path.
#[derive(Clone)]
pub struct WebhookConfig {
    /// http or https, without credentials or fragment.
    pub url: Url,
    /// At least one, none empty. The first signs `X-Indent-Signature`, all sign `webhook-signature`.
    pub secrets: Vec<SecretString>,
    /// Further headers, by their lower-case names; none that Latchkey sets itself.
    pub headers: BTreeMap<String, String>,
    /// For one attempt.
    pub timeout: SignedDuration,
    /// Nothing is sent; deliveries count as done.
    pub dry_run: bool,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            // Some senders keep a secret in the path, and header values often are one.
            .field("origin", &self.url.origin().ascii_serialization())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}

/// Headers that the delivery sets, or that belong to the connection.
const OUR_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-indent-signature",
    "x-indent-timestamp",
];

/// How long one attempt may take: when the file does not say, and at most.
#[derive(Clone, Copy)]
pub(super) struct Timeout {
    pub default: SignedDuration,
    pub longest: SignedDuration,
}

/// Whoever answers these has little to do.
pub(super) const WEBHOOK_TIMEOUT: Timeout =
    Timeout { default: SignedDuration::from_secs(10), longest: SignedDuration::from_secs(60) };

/// Reads `url`, `secret`, `headers`, `timeout` and `dry_run`; which of them may be there, the caller has checked.
pub(super) fn webhook(reader: &mut Reader<'_>, section: &Section<'_>, bounds: Timeout) -> Option<WebhookConfig> {
    if section.get("url").is_none() {
        reader.mistake(section.at, "this webhook has no url; add url = \"https://…\"");
    }
    let url = reader.text_of(section, "url").and_then(|text| match webhook_url(&text.value) {
        Ok(url) => Some(url),
        Err(message) => {
            reader.mistake(text.at, message);
            None
        }
    });
    let secrets = secrets(reader, section);
    let headers = headers(reader, section);
    let timeout = timeout(reader, section, bounds);
    let dry_run = reader.flag_of(section, "dry_run").unwrap_or(false);
    Some(WebhookConfig { url: url?, secrets, headers, timeout, dry_run })
}

/// `kinds`: of resources, as the wire has them. `None`: customers.
pub(super) fn kinds(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Vec<String>> {
    const RIGHT: &str = "write it like kinds = [\"customer\"]";
    let value = section.get("kinds")?;
    let before = reader.count();
    let texts = reader.texts(value);
    if texts.is_empty() && reader.count() == before {
        reader.mistake(start(value), format_args!("there is no kind in this list; {RIGHT}, or remove it"));
    }
    let mut kinds: Vec<String> = Vec::new();
    for text in texts {
        let plain = |c: char| !c.is_control() && !c.is_whitespace();
        if text.value.is_empty() || text.value.len() > 200 || !text.value.chars().all(plain) {
            reader.mistake(text.at, format_args!("{} cannot be the kind of a resource; {RIGHT}", text.shown()));
        } else if kinds.contains(&text.value) {
            reader.mistake(text.at, format_args!("the kind {} is listed twice; remove one", text.shown()));
        } else {
            kinds.push(text.value);
        }
    }
    Some(kinds)
}

/// The message does not repeat the text, which may hold a secret.
fn webhook_url(text: &str) -> Result<Url, &'static str> {
    const RIGHT: &str = "this is not an http or https URL; write it like \"https://access.acme.test/webhooks/indent\"";
    let url = Url::parse(text).map_err(|_| RIGHT)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(RIGHT);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a user name or password has no place in a URL; send it with headers = { authorization = \"${…}\" }",
        );
    }
    if url.fragment().is_some() {
        return Err("what follows “#” in a URL is never sent; remove it");
    }
    Ok(url)
}

fn secrets(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<SecretString> {
    const RIGHT: &str = "secret = \"${PROD_WEBHOOK_SECRET}\" and set that variable; the receiver needs the same secret";
    let Some(value) = section.get("secret") else {
        reader.mistake(section.at, format_args!("this webhook has no secret to sign with; write {RIGHT}"));
        return Vec::new();
    };
    let before = reader.count();
    let texts: Vec<Text> = match value.get_ref() {
        DeValue::Array(_) => reader.texts(value),
        _ => reader.text(value).into_iter().collect(),
    };
    if texts.is_empty() && reader.count() == before {
        reader.mistake(start(value), format_args!("there is no secret in this list; write {RIGHT}"));
    }
    for text in &texts {
        if text.value.trim().is_empty() {
            reader.mistake(text.at, format_args!("this secret is empty; write {RIGHT}"));
        }
        if let Some(encoded) = text.value.strip_prefix("whsec_")
            && !STANDARD.decode(encoded).is_ok_and(|key| !key.is_empty())
        {
            reader.mistake(text.at, "what follows whsec_ in a secret is base64, and this is not; copy it again");
        }
    }
    texts.into_iter().map(|text| SecretString::from(text.value)).collect()
}

fn headers(reader: &mut Reader<'_>, section: &Section<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    let table = section.get("headers").and_then(|value| reader.section(value, "headers = { name = \"value\" }"));
    let Some(section) = table else { return headers };
    for (key, value) in section.table {
        let (at, typed) = (key.span().start, key.get_ref().as_ref());
        let name = typed.to_ascii_lowercase();
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            reader.mistake(at, "this cannot be the name of a header; write it like x-team, in letters, digits and “-”");
            continue;
        }
        if OUR_HEADERS.contains(&name.as_str()) {
            reader.mistake(at, format_args!("Latchkey sets the header “{name}” itself; remove it"));
            continue;
        }
        let Some(text) = reader.text(value) else { continue };
        if !text.value.chars().all(|c| c == '\t' || c == ' ' || c.is_ascii_graphic()) {
            reader.mistake(text.at, "the value of a header is one line of ASCII; remove what is not");
        } else if headers.insert(name, text.value).is_some() {
            reader.mistake(at, format_args!("the header “{typed}” is here twice; remove one"));
        }
    }
    headers
}

fn timeout(reader: &mut Reader<'_>, section: &Section<'_>, bounds: Timeout) -> SignedDuration {
    let Some(timeout) = reader.length_of(section, "timeout") else { return bounds.default };
    // `length_of` has seen to the second.
    if timeout > bounds.longest {
        let seconds = |length: SignedDuration| match length.as_secs() {
            secs if secs <= 60 => format!("{secs}s"),
            _ => length::show(length),
        };
        let message = format!(
            "a timeout is from 1s to {} here; write it like \"{}\"",
            seconds(bounds.longest),
            seconds(bounds.default)
        );
        reader.mistake(section.place_of("timeout"), message);
    }
    timeout
}
