//! What an endpoint answers: its resources, read leniently but whole. A resource that cannot be kept makes the answer
//! one that cannot be used, because what is not in it would be taken for gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{
    domain::{
        customer::Labels,
        id::{CustomerId, PullName},
        resource::Resource,
    },
    webhooks::{Answer, Failure, judge},
    workflow::{Put, SourceRow},
};

/// The most bytes of an id and of an e-mail: no index of a database takes much more.
const LONGEST_ID: usize = 1024;

/// One at a time, so that a long answer is not kept twice.
struct Read<'a> {
    kinds: &'a BTreeSet<String>,
    resources: BTreeMap<(String, String), Resource>,
    /// Kinds that nobody asked for, and how many of each.
    ignored: BTreeMap<String, u64>,
    fault: Option<String>,
}

impl Read<'_> {
    fn take(&mut self, value: &Value) {
        let kind = text(&value["kind"]).unwrap_or_default();
        if !self.kinds.contains(&kind) {
            *self.ignored.entry(kind.chars().take(60).collect()).or_default() += 1;
            return;
        }
        // As it is: leaving out a character would make it the id of something else.
        let id = match value["id"].as_str().map(str::to_owned).or_else(|| text(&value["id"])) {
            Some(id) if CustomerId::is_plain(&id) && id.len() <= LONGEST_ID => id,
            Some(_) | None => {
                let fault = format!("a resource of kind `{kind}` in its answer has no id, or one that cannot be kept");
                self.fault.get_or_insert(fault);
                return;
            }
        };
        let display_name = text(&value["displayName"]).filter(|name| !name.trim().is_empty());
        let alt_ids = value["altIds"].as_array().into_iter().flatten().filter_map(text).collect();
        let labels = value["labels"].as_object().into_iter().flatten();
        let labels: Labels = labels.filter_map(|(key, value)| Some((key.replace('\0', ""), text(value)?))).collect();
        let resource = Resource {
            display_name: display_name.unwrap_or_else(|| id.clone()),
            email: text(&value["email"]).filter(|email| email.len() <= LONGEST_ID).unwrap_or_default().to_lowercase(),
            kind: kind.clone(),
            id: id.clone(),
            alt_ids,
            labels,
        };
        // Said twice: the last word stands.
        self.resources.insert((kind, id), resource);
    }
}

/// Texts without the NUL that no database keeps; numbers and booleans as JSON writes them.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.replace('\0', "")),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Understands an answer. `Err` says what is wrong with it, and nothing is to be changed.
pub(super) fn read(
    answer: &Answer,
    pull: &PullName,
    kinds: &BTreeSet<String>,
    customer_kind: &str,
) -> Result<Put, Failure> {
    if !answer.whole {
        judge(answer.status, &Value::Null, &Value::Null)?;
        return Err(Failure(format!("its answer is longer than {} MiB", super::LONGEST_ANSWER >> 20)));
    }
    let mut read = Read { kinds, resources: BTreeMap::new(), ignored: BTreeMap::new(), fault: None };
    let mut json = serde_json::Deserializer::from_slice(&answer.body);
    let parsed = (&mut json).deserialize_map(Parts { read: &mut read }).and_then(|parts| json.end().map(|()| parts));
    let parts = match parsed {
        Ok(parts) => parts,
        Err(_) => {
            judge(answer.status, &Value::Null, &Value::Null)?;
            return Err(Failure("its answer is not a JSON object with a list of resources".to_owned()));
        }
    };
    judge(answer.status, &parts.error, &parts.status)?;
    if !parts.listed {
        return Err(Failure("its answer holds no list of resources".to_owned()));
    }
    for (kind, count) in read.ignored {
        tracing::warn!(%pull, kind, count, "an endpoint brought resources of a kind that it was not asked for");
    }
    if let Some(fault) = read.fault {
        return Err(Failure(fault));
    }
    let (customers, others): (Vec<_>, Vec<_>) =
        read.resources.into_values().partition(|resource| resource.kind == customer_kind);
    let customers =
        customers.into_iter().map(|one| SourceRow { id: one.id, name: one.display_name, labels: one.labels }).collect();
    Ok(Put { customers, others })
}

/// Reads the three members that matter and skips the others.
struct Parts<'r, 'a> {
    read: &'r mut Read<'a>,
}

#[derive(Default)]
struct Said {
    error: Value,
    status: Value,
    /// An endpoint that has nothing must say so: no list at all is an answer to another question.
    listed: bool,
}

impl<'de> Visitor<'de> for Parts<'_, '_> {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Said, A::Error> {
        let mut said = Said::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "error" => said.error = map.next_value()?,
                "status" => said.status = map.next_value()?,
                "resources" => {
                    map.next_value_seed(List { read: self.read })?;
                    said.listed = true;
                }
                _ => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
        }
        Ok(said)
    }
}

struct List<'r, 'a> {
    read: &'r mut Read<'a>,
}

impl<'de> serde::de::DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of resources")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<Value>()? {
            self.read.take(&value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str, whole: bool) -> Result<Put, String> {
        let answer = Answer { status: status.try_into().unwrap(), body: body.into(), whole };
        let kinds = BTreeSet::from(["customer".to_owned(), "vault".to_owned()]);
        read(&answer, &PullName::new("crm"), &kinds, "customer").map_err(|why| why.0)
    }

    #[test]
    fn what_is_not_whole_is_not_used() {
        let body = r#"{"resources":[{"kind":"customer","id":1}]}"#;
        assert_eq!(said(200, body, true).unwrap().customers.len(), 1);
        assert_eq!(said(200, body, false).unwrap_err(), "its answer is longer than 64 MiB");
        assert_eq!(said(500, body, false).unwrap_err(), "it answered 500");
        assert!(said(200, &body[..body.len() - 1], true).unwrap_err().contains("not a JSON object"));
        assert!(said(200, r#"{"status":{}}"#, true).unwrap_err().contains("no list of resources"));
        assert_eq!(said(500, r#"{"status":{"message":"away"}}"#, true).unwrap_err(), "it answered 500: away");
    }

    #[test]
    fn an_id_that_no_index_takes_cannot_be_kept() {
        let with = |kind: &str, length: usize| {
            let id = "9".repeat(length);
            said(200, &format!(r#"{{"resources":[{{"kind":"{kind}","id":"{id}"}}]}}"#), true)
        };
        for kind in ["customer", "vault"] {
            assert!(with(kind, LONGEST_ID).is_ok(), "{kind}");
            assert!(with(kind, LONGEST_ID + 1).unwrap_err().contains("cannot be kept"), "{kind}");
        }
    }

    #[test]
    fn resources_are_read_leniently() {
        let body = r#"{"x":[{}],"resources":[
            {"kind":"customer","id":12345678901234567890,"displayName":" ","labels":{"a":1.5,"b":true,"c":null,"d":{}}},
            {"kind":"vault","id":"v","altIds":"none","labels":[],"email":7,"more":[[[]]]},
            {"kind":"user","id":null},null,7,"x",[]],"status":null,"error":null}"#;
        let put = said(200, body, true).unwrap();
        assert_eq!((put.customers.len(), put.others.len()), (1, 1));
        assert_eq!((&*put.customers[0].id, &*put.customers[0].name), ("12345678901234567890", "12345678901234567890"));
        let labels: Vec<_> =
            put.customers[0].labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(labels, [("a", "1.5"), ("b", "true")]);
        assert_eq!((&*put.others[0].email, put.others[0].alt_ids.len()), ("7", 0));
    }
}
