//! What programs send, made into the domain's words: proto3 JSON in either spelling, unknown fields ignored, null like
//! nothing. What cannot be kept or understood is refused with a sentence that names it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema, Type,
        schema::{ObjectBuilder, SchemaType},
    },
};

use crate::{
    domain::{customer::Labels, id::CustomerId, length, person::Email, resource::Resource},
    http::error::ApiError,
    indent::LONGEST_ID,
    workflow::Wish,
};

/// The most bytes of a kind, and of a longer text; a label's key may be as long as an id.
const LONGEST_KIND: usize = 256;
const LONGEST_TEXT: usize = 10_000;
/// What the asker's program calls a petition.
pub const KEY_LABEL: &str = "latchkey/petition";
/// What an approval's labels about its length and its end begin with.
const TIMES: &str = "indent.com/time/";
const END_LABEL: &str = "indent.com/time/expires";
const MOST_LABELS: usize = 100;
/// All labels of one thing together: they come back with every event of a petition.
const LONGEST_LABELS: usize = 8 * 1024;

/// A text; a number or a truth becomes one, as databases and forms send ids.
#[derive(Debug, Default)]
pub struct Text(pub String);

impl PartialSchema for Text {
    fn schema() -> RefOr<Schema> {
        let kinds = [Type::String, Type::Number, Type::Boolean, Type::Null];
        ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds)).build().into()
    }
}

impl ToSchema for Text {}

/// As it was written; `None` where it is so large that its last digits are lost.
fn plain_number(number: &serde_json::Number) -> Option<String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let exact = number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|value| value.abs() <= EXACT);
    exact.then(|| number.to_string())
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => match plain_number(&number) {
                Some(text) => Ok(Self(text)),
                None => Err(D::Error::custom("a number that large loses digits; send it as a text")),
            },
            Value::Bool(truth) => Ok(Self(truth.to_string())),
            Value::Null => Ok(Self::default()),
            Value::Array(_) | Value::Object(_) => Err(D::Error::custom("expected a text or a number")),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct PetitionBody {
    pub petition: PetitionInput,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PetitionInput {
    pub reason: Option<String>,
    pub petitioners: Option<Vec<ResourceInput>>,
    pub resources: Option<Vec<ResourceInput>>,
    #[serde(alias = "default_duration")]
    pub default_duration: Option<DurationInput>,
    pub meta: Option<MetaInput>,
    pub state: Option<StateInput>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct StateInput {
    pub status: Option<StatusInput>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct StatusInput {
    pub phase: Option<String>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct MetaInput {
    pub labels: Option<BTreeMap<String, Text>>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceInput {
    pub kind: Option<String>,
    pub id: Option<Text>,
    #[serde(alias = "display_name")]
    pub display_name: Option<Text>,
    pub email: Option<String>,
    #[serde(alias = "alt_ids")]
    pub alt_ids: Option<Vec<Text>>,
    pub labels: Option<BTreeMap<String, Text>>,
}

/// `"10800s"` as proto3 JSON has it, or the object that Indent's TypeScript declares.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum DurationInput {
    Text(String),
    Parts { seconds: Option<Value>, nanos: Option<i64> },
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct ClaimBody {
    pub claim: ClaimInput,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ClaimInput {
    #[schema(value_type = String, pattern = "^access/(approve|deny|revoke)$", example = "access/approve")]
    pub event: Option<String>,
    pub reason: Option<String>,
    pub actor: Option<ResourceInput>,
    pub meta: Option<MetaInput>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct ResourceBody {
    pub resource: ResourceInput,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct ResourcesBody {
    pub resources: Vec<ResourceInput>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamesBody {
    #[serde(alias = "resource_names")]
    pub resource_names: Vec<String>,
}

pub fn invalid(sentence: impl Into<String>) -> ApiError {
    ApiError::Invalid(sentence.into())
}

/// A text that a database keeps: no NUL, not endless.
pub fn text(what: &str, text: &str, longest: usize) -> Result<String, ApiError> {
    if text.contains('\0') {
        return Err(invalid(format!("{what} holds a NUL character")));
    }
    if text.len() > longest {
        return Err(invalid(format!("{what} is longer than {longest} bytes")));
    }
    Ok(text.to_owned())
}

pub fn reason(given: Option<String>) -> Result<String, ApiError> {
    text("`reason`", &given.unwrap_or_default(), LONGEST_TEXT)
}

pub fn labels(given: Option<BTreeMap<String, Text>>) -> Result<Labels, ApiError> {
    let given = given.unwrap_or_default();
    if given.len() > MOST_LABELS {
        return Err(invalid(format!("more than {MOST_LABELS} labels")));
    }
    if given.iter().map(|(key, Text(value))| key.len() + value.len()).sum::<usize>() > LONGEST_LABELS {
        return Err(invalid(format!("labels longer than {LONGEST_LABELS} bytes together")));
    }
    given
        .into_iter()
        .map(|(key, Text(value))| {
            let what = format!("label `{}`", key.chars().take(60).collect::<String>());
            Ok((text(&what, &key, LONGEST_ID)?, text(&what, &value, LONGEST_TEXT)?))
        })
        .collect()
}

/// The labels of a petition without those that are ours to write; a program's own key is its own.
pub fn petition_labels(given: Option<BTreeMap<String, Text>>) -> Result<Labels, ApiError> {
    let mut labels = labels(given)?;
    labels.retain(|key, _| key == KEY_LABEL || !(key.starts_with("latchkey/") || key == "PetitionReplacedBy"));
    Ok(labels)
}

/// The labels of a claim without those that are ours, and without those that say for how long, which are kept as a
/// length. With an end they are kept, too: what is left until then is another length at each repeat.
pub fn claim_labels(mut labels: Labels, has_end: bool) -> Labels {
    labels.retain(|key, _| {
        let ours = key.starts_with("latchkey/") || (key.starts_with(TIMES) && !has_end);
        !ours && !["petition", "indent.com/petition", "expires"].contains(&key.as_str())
    });
    labels
}

/// What a claim was given about its length and its end, as it was written.
pub fn times(labels: &Labels) -> impl Iterator<Item = (&String, &String)> {
    labels.iter().filter(|(key, _)| key.starts_with(TIMES))
}

impl ResourceInput {
    /// With a kind and an id, both plain.
    pub fn read(self) -> Result<Resource, ApiError> {
        let kind = self.kind.unwrap_or_default();
        let id = self.id.unwrap_or_default().0;
        if !CustomerId::is_plain(&kind) {
            return Err(invalid("a resource needs a `kind`, without control characters"));
        }
        let whose = format!("the resource `{}`", id.chars().take(60).collect::<String>());
        if !CustomerId::is_plain(&id) {
            return Err(invalid(format!("a resource of kind `{kind}` needs an `id`, without control characters")));
        }
        let alt_ids = self.alt_ids.unwrap_or_default().into_iter();
        Ok(Resource {
            kind: text(&format!("the kind of {whose}"), &kind, LONGEST_KIND)?,
            id: text(&format!("the id of {whose}"), &id, LONGEST_ID)?,
            display_name: text(
                &format!("the displayName of {whose}"),
                &self.display_name.unwrap_or_default().0,
                LONGEST_TEXT,
            )?,
            email: text(&format!("the email of {whose}"), &self.email.unwrap_or_default(), LONGEST_ID)?.to_lowercase(),
            alt_ids: alt_ids.map(|Text(id)| text("an altId", &id, LONGEST_ID)).collect::<Result<_, _>>()?,
            labels: labels(self.labels)?,
        })
    }

    /// Who it is, where it says so.
    pub fn person(&self) -> Result<Option<Email>, ApiError> {
        match self.email.as_deref() {
            None | Some("") => Ok(None),
            Some(email) => Email::parse(email).map(Some).map_err(|fault| invalid(fault.to_string())),
        }
    }
}

/// Says "until revoked" in one of Indent's ways.
fn is_without_end(labels: &Labels) -> bool {
    labels.get("indent.com/time/indefinite").is_some_and(|text| text == "true")
}

/// A Go duration of a label: `0s` and nothing are the default, less than nothing is without end.
fn wish(what: &str, given: &str) -> Result<Wish, ApiError> {
    match length::from_go(given) {
        _ if given.is_empty() => Ok(Wish::Default),
        Some(length) if length.is_zero() => Ok(Wish::Default),
        Some(length) if length.is_negative() => Ok(Wish::WithoutEnd),
        Some(length) if length < SignedDuration::from_secs(1) => Err(invalid(format!("{what}: at least one second"))),
        Some(length) => Ok(Wish::For(SignedDuration::from_secs(length.as_secs()))),
        None => Err(invalid(format!("{what} is not a duration; write it like `3h0m0s` or `10800s`"))),
    }
}

/// How long a petition is for: its `defaultDuration`, else its label.
pub fn asked_length(given: Option<&DurationInput>, labels: &Labels) -> Result<Wish, ApiError> {
    if is_without_end(labels) {
        return Ok(Wish::WithoutEnd);
    }
    let given = match given {
        None => Wish::Default,
        Some(DurationInput::Text(text)) => wish("`defaultDuration`", text)?,
        Some(DurationInput::Parts { seconds, nanos }) => {
            let seconds = match seconds {
                None | Some(Value::Null) => Some(0),
                Some(Value::String(text)) => text.parse().ok(),
                Some(value) => value.as_i64(),
            };
            let seconds = seconds.ok_or_else(|| invalid("`defaultDuration.seconds` is a whole number"))?;
            let nanos = nanos.unwrap_or_default();
            match (seconds, nanos) {
                (0, 0) => Wish::Default,
                (seconds, nanos) if seconds < 0 || nanos < 0 => Wish::WithoutEnd,
                (0, _) => return Err(invalid("`defaultDuration`: at least one second")),
                (seconds, _) => Wish::For(SignedDuration::from_secs(seconds)),
            }
        }
    };
    match (given, labels.get("indent.com/petition/duration")) {
        (Wish::Default, Some(text)) => wish("the label `indent.com/petition/duration`", text),
        (given, _) => Ok(given),
    }
}

/// How long an approval is for; `None`: as asked. Without end is the longest there is, which the policy cuts.
pub fn approved_length(labels: &Labels) -> Result<Option<SignedDuration>, ApiError> {
    if is_without_end(labels) {
        return Ok(Some(length::LONGEST));
    }
    let given = labels.get("indent.com/time/duration").map_or("", String::as_str);
    Ok(match wish("the label `indent.com/time/duration`", given)? {
        Wish::Default => None,
        Wish::For(length) => Some(length.min(length::LONGEST)),
        Wish::WithoutEnd => Some(length::LONGEST),
    })
}

/// The moment at which an approval is to end, where it names one.
pub fn approved_end(labels: &Labels) -> Result<Option<Timestamp>, ApiError> {
    match labels.get(END_LABEL).map_or("", String::as_str) {
        "" => Ok(None),
        text => match text.parse::<Timestamp>() {
            Ok(end) => Ok(Some(end)),
            Err(_) => Err(invalid(format!("the label `{END_LABEL}` is not an RFC 3339 time"))),
        },
    }
}

/// The length of an approval that counts from `from` and must not go on after `end`: what it names or what was asked
/// for, as far as there is time.
pub fn length_until(length: SignedDuration, from: Timestamp, end: Timestamp) -> Result<SignedDuration, ApiError> {
    let left = SignedDuration::from_secs(end.duration_since(from).as_secs());
    if !left.is_positive() {
        return Err(invalid(format!("what the label `{END_LABEL}` names is over already")));
    }
    Ok(length.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(key: &str, value: &str) -> Labels {
        Labels::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn lengths_are_understood_in_every_spelling() {
        let hours = |n| Wish::For(SignedDuration::from_hours(n));
        let read = |json: &str| {
            let given: DurationInput = serde_json::from_str(json).unwrap();
            asked_length(Some(&given), &Labels::new()).unwrap()
        };
        for (json, wanted) in [
            (r#""10800s""#, hours(3)),
            (r#""3h0m0s""#, hours(3)),
            (r#""0s""#, Wish::Default),
            (r#""-1ns""#, Wish::WithoutEnd),
            (r#"{"seconds":10800}"#, hours(3)),
            (r#"{"seconds":"10800","nanos":0}"#, hours(3)),
            ("{}", Wish::Default),
        ] {
            assert_eq!(read(json), wanted, "{json}");
        }
        let label = labelled("indent.com/petition/duration", "0.5h0m0s");
        assert_eq!(asked_length(None, &label).unwrap(), Wish::For(SignedDuration::from_mins(30)));
        assert_eq!(asked_length(None, &labelled("indent.com/time/indefinite", "true")).unwrap(), Wish::WithoutEnd);
        assert!(asked_length(None, &labelled("indent.com/petition/duration", "soon")).is_err());
    }

    #[test]
    fn an_approval_is_as_asked_or_as_its_label_says() {
        let read = |text| approved_length(&labelled("indent.com/time/duration", text)).unwrap();
        assert_eq!(approved_length(&Labels::new()).unwrap(), None);
        assert_eq!(read("0s"), None);
        assert_eq!(read("3h0m0s"), Some(SignedDuration::from_hours(3)));
        assert_eq!(read("-1ns"), Some(length::LONGEST));
    }

    #[test]
    fn an_approval_does_not_go_on_after_the_end_that_it_names() {
        let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let read = |text| approved_end(&labelled(END_LABEL, text));
        assert!(read("").unwrap().is_none() && approved_end(&Labels::new()).unwrap().is_none());
        assert!(read("tomorrow").is_err() && read("1772442000").is_err());
        let end = read("2026-03-02T12:00:00+01:00").unwrap().unwrap();
        for (asked, wanted) in [(1, 1), (2, 2), (3, 2)] {
            let length = length_until(SignedDuration::from_hours(asked), now, end).unwrap();
            assert_eq!(length, SignedDuration::from_hours(wanted), "{asked}");
        }
        assert_eq!(length_until(length::LONGEST, now, end).unwrap(), SignedDuration::from_hours(2));
        assert!(length_until(SignedDuration::from_hours(1), end, end).is_err());
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_name() {
        let read = |json: &str| serde_json::from_str::<ResourceInput>(json).unwrap().read();
        let fine =
            read(r#"{"kind":"customer","id":123,"display_name":"AcmeCorp","labels":{"plan":"team","seats":7},"x":1}"#);
        let fine = fine.unwrap();
        assert_eq!(
            (fine.id.as_str(), fine.display_name.as_str(), fine.labels["seats"].as_str()),
            ("123", "AcmeCorp", "7")
        );
        for bad in [
            r#"{"id":"1"}"#,
            r#"{"kind":"customer"}"#,
            r#"{"kind":"customer","id":"a\u001fb"}"#,
            r#"{"kind":"cust\u0000omer","id":"1"}"#,
            r#"{"kind":"customer","id":"1","displayName":"a\u0000"}"#,
        ] {
            assert!(matches!(read(bad), Err(ApiError::Invalid(_))), "{bad}");
        }
    }
}
