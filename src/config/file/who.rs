//! People and groups, as the file names them.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{Reader, Text, Value};
use crate::{domain::person::Email, policy::Who};

type Groups = BTreeMap<String, BTreeSet<Email>>;

const FORMS: &str = "write \"bo@acme.test\", \"group:leads\" or \"slack:S0LEADS\"";

/// `[groups]`: names of our own for people, by their e-mail.
pub(super) fn groups(reader: &mut Reader<'_>, value: Option<&Value<'_>>) -> Groups {
    let mut groups = Groups::new();
    let Some(section) = value.and_then(|value| reader.section(value, "[groups]")) else { return groups };
    for (key, value) in section.table {
        let name = key.get_ref().as_ref();
        if name.trim().is_empty() {
            reader.mistake(key.span().start, "a group needs a name; write it like leads = [\"bo@acme.test\"]");
            continue;
        }
        let mut members = BTreeSet::new();
        for text in reader.texts(value) {
            match Email::parse(&text.value) {
                Ok(email) => {
                    members.insert(email);
                }
                Err(_) if text.value.starts_with("group:") || text.value.starts_with("slack:") => {
                    let message =
                        format!("a group holds e-mails alone; name {} in the rule, beside group:{name}", text.shown());
                    reader.mistake(text.at, message);
                }
                Err(_) => {
                    let message = format!("{} is not an e-mail; write it like \"bo@acme.test\"", text.shown());
                    reader.mistake(text.at, message);
                }
            }
        }
        groups.insert(name.to_owned(), members);
    }
    groups
}

/// A list of people and groups. An empty one is a mistake, and `instead` says what to do.
pub(super) fn everybody(reader: &mut Reader<'_>, value: &Value<'_>, groups: &Groups, instead: &str) -> Vec<Who> {
    let before = reader.count();
    let texts = reader.texts(value);
    if texts.is_empty() && reader.count() == before {
        reader.mistake(value.span().start, format_args!("nobody is listed here; {instead}"));
    }
    texts.iter().filter_map(|text| who(reader, text, groups)).collect()
}

fn who(reader: &mut Reader<'_>, text: &Text, groups: &Groups) -> Option<Who> {
    match understood(text, groups) {
        Ok(who) => Some(who),
        Err(message) => {
            reader.mistake(text.at, message);
            None
        }
    }
}

fn understood(text: &Text, groups: &Groups) -> Result<Who, String> {
    let (value, shown) = (text.value.trim(), text.shown());
    if let Some(name) = value.strip_prefix("group:") {
        if groups.contains_key(name) {
            return Ok(Who::Group(name.to_owned()));
        }
        let guesses: Vec<String> = groups.keys().map(|name| format!("group:{name}")).collect();
        let hint = match text.guess(guesses.iter().map(String::as_str)) {
            hint if hint.is_empty() => "; add it to [groups]".to_owned(),
            hint => hint,
        };
        return Err(format!("there is no group {shown}{hint}"));
    }
    if let Some(id) = value.strip_prefix("slack:") {
        if is_slack_id(id, "S") {
            return Ok(Who::SlackGroup(id.to_owned()));
        }
        return Err(format!(
            "{shown} names no user group of Slack; write its id, like \"slack:S0LEADS\" (Slack shows it as “Copy group ID”)"
        ));
    }
    if ["pagerduty:", "opsgenie:", "incidentio:"].iter().any(|source| value.starts_with(source)) {
        return Err(format!("{shown} is not in this version of Latchkey yet; remove it, or {FORMS}"));
    }
    if let Ok(email) = Email::parse(value) {
        return Ok(Who::Email(email));
    }
    if groups.contains_key(value) {
        return Err(format!("{shown} is a group; write it with “group:” before it"));
    }
    if is_slack_id(value, "S") && value.len() > 4 {
        return Err(format!("{shown} looks like a user group of Slack; write it with “slack:” before it"));
    }
    Err(format!("{shown} names nobody; {FORMS}"))
}

/// Ids in Slack are one letter for the kind, then upper-case letters and digits.
pub(super) fn is_slack_id(text: &str, kinds: &str) -> bool {
    let mut chars = text.chars();
    let kind = chars.next().is_some_and(|kind| kinds.contains(kind));
    kind && (2..=32).contains(&text.len()) && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
