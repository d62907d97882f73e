//! `[access]`: what holds for every rule.

use jiff::SignedDuration;
use regex_lite::Regex;
use url::Url;

use super::reader::{Reader, Section, Value};
use crate::{
    domain::{id::Role, length},
    policy::Access,
};

const KEYS: &[&str] = &[
    "default_duration",
    "max_duration",
    "pending_for",
    "warn_before",
    "min_reason",
    "self_approval",
    "roles",
    "ticket",
    "ticket_url",
];

/// Without the section, or without a key of it, these hold.
fn defaults() -> Access {
    Access {
        default_duration: SignedDuration::from_hours(4),
        max_duration: SignedDuration::from_hours(24),
        pending_for: SignedDuration::from_hours(24),
        warn_before: SignedDuration::from_mins(10),
        min_reason: 5,
        self_approval: false,
        roles: Vec::new(),
        ticket: None,
        ticket_url: None,
    }
}

pub(super) fn access(reader: &mut Reader<'_>, value: Option<&Value<'_>>) -> Access {
    let defaults = defaults();
    let Some(section) = value.and_then(|value| reader.section(value, "[access]")) else { return defaults };
    reader.only(&section, KEYS, &[]);
    let max_duration = reader.length_of(&section, "max_duration").unwrap_or(defaults.max_duration);
    let default_duration = match reader.length_of(&section, "default_duration") {
        Some(length) => {
            if length > max_duration {
                let (length, max) = (length::show(length), length::show(max_duration));
                let message =
                    format!("“default_duration” ({length}) is above “max_duration” ({max}); lower it to {max} or less");
                reader.mistake(section.place_of("default_duration"), message);
            }
            length
        }
        // The file says nothing about it, so it cannot be wrong about it.
        None => defaults.default_duration.min(max_duration),
    };
    let ticket = ticket(reader, &section);
    Access {
        default_duration,
        max_duration,
        pending_for: reader.length_of(&section, "pending_for").unwrap_or(defaults.pending_for),
        warn_before: reader.length_of(&section, "warn_before").unwrap_or(defaults.warn_before),
        min_reason: reader.number_of(&section, "min_reason", 0..=1000).unwrap_or(defaults.min_reason),
        self_approval: reader.flag_of(&section, "self_approval").unwrap_or(defaults.self_approval),
        roles: roles(reader, &section),
        ticket,
        ticket_url: ticket_url(reader, &section),
    }
}

fn roles(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<Role> {
    let Some(value) = section.get("roles") else { return Vec::new() };
    let mut roles: Vec<Role> = Vec::new();
    for text in reader.texts(value) {
        // It is typed as one word, and stands after a colon in ids like `123:readonly`.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if text.value.is_empty() || text.value.len() > 64 || !text.value.chars().all(plain) {
            let message = format!("{} cannot be a role; write letters, digits, “.”, “_” and “-”", text.shown());
            reader.mistake(text.at, message);
        } else if roles.iter().any(|role| role.as_str().eq_ignore_ascii_case(&text.value)) {
            reader.mistake(text.at, format_args!("the role {} is listed twice; remove one", text.shown()));
        } else {
            roles.push(Role::new(text.value));
        }
    }
    roles
}

fn ticket(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Regex> {
    let text = reader.text_of(section, "ticket")?;
    match Regex::new(&text.value) {
        Ok(ticket) => Some(ticket),
        Err(fault) => {
            let message =
                format!("not a regular expression ({fault}); write it like '[A-Z]+-[0-9]+', in single quotes");
            reader.mistake(text.at, message);
            None
        }
    }
}

fn ticket_url(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let text = reader.text_of(section, "ticket_url")?;
    if section.get("ticket").is_none() {
        reader.mistake(
            text.at,
            "“ticket_url” needs “ticket”, the form of a ticket; add ticket = '[A-Z]+-[0-9]+', or remove it",
        );
    }
    let example = "write it like \"https://jira.example.com/browse/{ticket}\"";
    if !text.value.contains("{ticket}") {
        reader.mistake(text.at, format_args!("“ticket_url” does not say where the ticket goes; {example}"));
        return None;
    }
    let url = Url::parse(&text.value.replace("{ticket}", "BUG-1"));
    if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        reader.mistake(text.at, format_args!("“ticket_url” is not an http or https URL; {example}"));
        return None;
    }
    Some(text.value)
}
