//! GetDecision: a bot is asked what it says to a petition that has just been opened.
//!
//! What it answers are claims. Whether they count is the policy's word, not the bot's; here it is only seen that the
//! bot speaks for itself, about this petition, in words that we understand. Whatever else it says is no opinion.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Body, Caller, Endpoint, Event, Failure, Meta, Resource,
    body::{labels_kept, person},
    caller::judge,
};
use crate::domain::{clock::Clock, customer::Labels, length, person::Email, petition::Petition};

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// The most of a reason that is kept.
const LONGEST_REASON: usize = 1_000;

/// One `[[decision]]`: where it is asked, and who it speaks for.
pub struct DecisionHook {
    caller: Caller,
    bot: Email,
    /// Nothing is sent, and it has no opinion.
    dry_run: bool,
    /// The kind of customer resources.
    customer_kind: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Approve,
    Deny,
}

/// What the bot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    pub word: Word,
    pub reason: String,
    /// For an approval: how long. `None`: as long as was asked for.
    pub length: Option<SignedDuration>,
}

impl DecisionHook {
    pub fn new(
        endpoint: Endpoint,
        bot: Email,
        dry_run: bool,
        customer_kind: impl Into<String>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self { caller: Caller::new(endpoint)?, bot, dry_run, customer_kind: customer_kind.into() })
    }

    pub fn timeout(&self) -> std::time::Duration {
        self.caller.timeout()
    }

    /// What it says to a petition, its denial first. `labels` are the customer's of today. `id` stays the same when the
    /// same petition is asked about again.
    pub async fn ask(
        &self,
        id: &str,
        petition: &Petition,
        labels: &Labels,
        clock: &dyn Clock,
    ) -> Result<Vec<Opinion>, Failure> {
        if self.dry_run {
            return Ok(Vec::new());
        }
        let body = body(petition, labels, &self.customer_kind);
        let answer = self.caller.send(id, body, LONGEST_ANSWER, clock).await?;
        if !answer.whole {
            return Err(Failure(format!("its answer is longer than {} MiB", LONGEST_ANSWER >> 20)));
        }
        let Ok(json @ Value::Object(_)) = serde_json::from_slice::<Value>(&answer.body) else {
            answer.taken()?;
            return Err(Failure("its answer is not a JSON object".to_owned()));
        };
        judge(answer.status, &json["error"], &json["status"])?;
        match &json["claims"] {
            Value::Null => Ok(Vec::new()),
            Value::Array(claims) => Ok(opinions(claims, &self.bot, petition, clock.now())),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Err(Failure("the `claims` of its answer are not a list".to_owned()))
            }
        }
    }
}

/// Bots spread the labels of the request over those of their answer (reference §3.3): what would decide there is not for
/// whoever asks to write.
fn decides(label: &str) -> bool {
    label.starts_with("indent.com/time/") || label.starts_with("latchkey/") || label == "expires"
}

/// One `access/request`: who asks, for what, without themselves among the resources.
fn body(petition: &Petition, customer_labels: &Labels, customer_kind: &str) -> String {
    let target_labels = petition.resource.as_ref().map_or(customer_labels, |resource| &resource.labels);
    let target = Resource {
        kind: petition.customer.kind().unwrap_or(customer_kind),
        id: Some(petition.customer.bare()),
        display_name: Some(&petition.customer_name),
        labels: labels_kept(target_labels).chain(petition.role.as_ref().map(|role| ("role", role.as_str()))).collect(),
        ..Resource::default()
    };
    let name = petition.name.as_str();
    let mut labels: BTreeMap<&str, Cow<'_, str>> = labels_kept(&petition.labels)
        .filter(|(key, _)| !decides(key))
        .map(|(key, value)| (key, value.into()))
        .collect();
    labels.extend([
        ("petition", Cow::from(name)),
        ("indent.com/petition", name.into()),
        ("indent.com/petition/duration", length::go(petition.length).into()),
    ]);
    if let Some(role) = &petition.role {
        labels.insert("latchkey/role", role.as_str().into());
    }
    let event = Event {
        event: "access/request",
        timestamp: petition.opened_at.to_string(),
        actor: person(petition.petitioner.email.as_str()),
        reason: &petition.reason,
        resources: vec![target],
        meta: Some(Meta { labels }),
    };
    Body { events: vec![event] }.to_json()
}

/// Those that count, denials first: whoever says both says no.
fn opinions(claims: &[Value], bot: &Email, petition: &Petition, now: Timestamp) -> Vec<Opinion> {
    let ignored = |why: &str| {
        tracing::warn!(%bot, petition = %petition.name, why, "a claim of a decision webhook is ignored");
    };
    let mut opinions = Vec::new();
    for claim in claims {
        match opinion(claim, bot, petition, now) {
            Ok(opinion) => opinions.push(opinion),
            Err(why) => ignored(why),
        }
    }
    opinions.sort_by_key(|opinion| opinion.word == Word::Approve);
    opinions
}

fn opinion(claim: &Value, bot: &Email, petition: &Petition, now: Timestamp) -> Result<Opinion, &'static str> {
    let word = match claim["event"].as_str() {
        Some("access/approve") => Word::Approve,
        Some("access/deny") => Word::Deny,
        Some(_) | None => return Err("it neither approves nor denies"),
    };
    let said_by =
        ["email", "id"].into_iter().find_map(|key| claim["actor"][key].as_str().filter(|who| !who.is_empty()));
    if said_by.is_some_and(|who| Email::parse(who).ok().as_ref() != Some(bot)) {
        return Err("it speaks as somebody else than its bot");
    }
    let labels = &claim["meta"]["labels"];
    let about = ["petition", "indent.com/petition"].into_iter().find_map(|key| labels[key].as_str());
    if about.is_some_and(|name| name != petition.name.as_str()) {
        return Err("it is about another petition");
    }
    let reason = claim["reason"].as_str().unwrap_or_default();
    let reason = reason.chars().filter(|c| !c.is_control() || *c == '\n').take(LONGEST_REASON).collect();
    let length = match word {
        Word::Approve => length_of(labels, petition, now)?,
        Word::Deny => None,
    };
    Ok(Opinion { word, reason, length })
}

/// The label's length, never beyond the label's end. What is written there and cannot be read must not become access
/// for longer than was meant.
fn length_of(labels: &Value, petition: &Petition, now: Timestamp) -> Result<Option<SignedDuration>, &'static str> {
    let length = match &labels["indent.com/time/duration"] {
        Value::Null => None,
        Value::String(text) => {
            let length = length::from_go(text).ok_or("the label of its duration is not a Go duration")?;
            // "0s" says the default, a negative one "until revoked": we go by what was asked for.
            (length.is_positive()).then_some(length)
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err("the label of its duration is not a Go duration");
        }
    };
    let end: Option<Timestamp> = match &labels["indent.com/time/expires"] {
        Value::Null => None,
        Value::String(text) => Some(text.parse().map_err(|_| "the label of its end is not an RFC 3339 time")?),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err("the label of its end is not an RFC 3339 time");
        }
    };
    let Some(end) = end else { return whole_seconds(length) };
    let left = end.duration_since(now);
    whole_seconds(Some(length.unwrap_or(petition.length).min(left)))
}

fn whole_seconds(length: Option<SignedDuration>) -> Result<Option<SignedDuration>, &'static str> {
    match length.map(|length| SignedDuration::from_secs(length.as_secs())) {
        Some(length) if !length.is_positive() => Err("what it approves is over already"),
        length => Ok(length),
    }
}
