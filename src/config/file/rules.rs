//! `[[rule]]`: who may ask, and whose approval it takes.

use toml::de::DeValue;

use super::{
    reader::{Reader, Section, Value, start},
    who::{everybody, is_slack_id},
};
use crate::{
    domain::length,
    policy::{Escalate, Missing, Policy, Requirement, Rule, shortfall},
};

const KEYS: &[&str] = &[
    "name",
    "match",
    "petitioners",
    "for_others",
    "max_duration",
    "require",
    "notify",
    "dm",
    "self_approval",
    "extend_without_approval",
    "escalate",
    "sensitive",
];
const LATER: &[&str] = &["auto_approve", "break_glass"];
const LINE_KEYS: &[&str] = &["reviewers", "count"];
const ESCALATE_KEYS: &[&str] = &["after", "to"];
const ESCALATE: &str = "escalate = { after = \"30m\", to = [\"dan@acme.test\"] }";
const REQUIRE: &str = "require = [ { reviewers = [\"group:leads\"] } ]";

/// The rules in their order. `policy` has everything but them.
pub(super) fn rules(reader: &mut Reader<'_>, policy: &Policy, value: Option<&Value<'_>>) -> Vec<Rule> {
    let before = reader.count();
    let sections = reader.sections(value, "rule");
    if sections.is_empty() && reader.count() == before {
        let message = format!("there is no rule, so nobody could have access; add [[rule]] with a name and {REQUIRE}");
        reader.mistake(0, message);
    }
    let mut names = Vec::new();
    sections.iter().map(|section| rule(reader, policy, section, &mut names)).collect()
}

fn rule(reader: &mut Reader<'_>, policy: &Policy, section: &Section<'_>, names: &mut Vec<String>) -> Rule {
    let before = reader.count();
    reader.only(section, KEYS, LATER);
    let name = reader.name_of(section, names, false).unwrap_or_default();
    let matches = reader.labels_of(section);
    let petitioners = section.get("petitioners").map(|value| {
        everybody(reader, value, &policy.groups, "remove “petitioners” to let every full member of the workspace ask")
    });
    let for_others = section.get("for_others").map(|value| {
        everybody(reader, value, &policy.groups, "remove “for_others” if nobody may ask for somebody else")
    });
    let max_duration = reader.length_of(section, "max_duration");
    let most = policy.access.max_duration;
    if max_duration.is_some_and(|max| max > most) {
        let message = format!(
            "a rule cannot allow more than [access] “max_duration”, which is {}; lower this or raise that",
            length::show(most)
        );
        reader.mistake(section.place_of("max_duration"), message);
    }
    let extend_without_approval = reader.length_of(section, "extend_without_approval");
    let longest = max_duration.map_or(most, |max| max.min(most));
    if extend_without_approval.is_some_and(|allowance| allowance > longest) {
        let message = format!(
            "access under this rule lasts at most {longest}, so nothing could be extended by more; write \"{longest}\" or less",
            longest = length::show(longest).replace(' ', "")
        );
        reader.mistake(section.place_of("extend_without_approval"), message);
    }
    let (require, places) = require(reader, policy, section);
    let rule = Rule {
        name,
        matches,
        petitioners,
        for_others: for_others.unwrap_or_default(),
        max_duration,
        require,
        notify: notify(reader, section),
        dm: reader.flag_of(section, "dm").unwrap_or(true),
        self_approval: reader.flag_of(section, "self_approval"),
        extend_without_approval,
        escalate: escalate(reader, policy, section),
        sensitive: reader.flag_of(section, "sensitive").unwrap_or(false),
    };
    // With a reviewer that could not be read, there may seem to be too few.
    if reader.count() == before {
        enough_reviewers(reader, policy, section, &rule, &places);
    }
    rule
}

/// The lines, and where each says how many it wants.
fn require(reader: &mut Reader<'_>, policy: &Policy, section: &Section<'_>) -> (Vec<Requirement>, Vec<usize>) {
    let mut lines = (Vec::new(), Vec::new());
    let Some(value) = section.get("require") else {
        reader.mistake(section.at, format_args!("this rule demands nobody's approval; add {REQUIRE}"));
        return lines;
    };
    let DeValue::Array(items) = value.get_ref() else {
        reader.mistake(start(value), format_args!("“require” is a list of tables; write {REQUIRE}"));
        return lines;
    };
    if items.is_empty() {
        reader.mistake(start(value), format_args!("this rule demands nobody's approval; write {REQUIRE}"));
    }
    for item in items.iter() {
        let Some(line) = reader.section(item, "{ reviewers = [\"group:leads\"], count = 1 }") else { continue };
        let line = Section { what: "“require”".to_owned(), ..line };
        reader.only(&line, LINE_KEYS, &[]);
        let reviewers = match line.get("reviewers") {
            Some(value) => everybody(reader, value, &policy.groups, "list who may approve"),
            None => {
                reader.mistake(line.at, "this line says nobody who may approve; add reviewers = [\"group:leads\"]");
                Vec::new()
            }
        };
        let count = reader.number_of(&line, "count", 1..=1000).unwrap_or(1);
        lines.0.push(Requirement { reviewers, count });
        lines.1.push(line.place_of("count"));
    }
    lines
}

/// Whether the reviewers could meet the rule at all: each line by itself, then all of them by different people. Slack
/// user groups may have any number of members.
fn enough_reviewers(reader: &mut Reader<'_>, policy: &Policy, section: &Section<'_>, rule: &Rule, places: &[usize]) {
    let before = reader.count();
    for (line, place) in rule.require.iter().zip(places) {
        let alone = Rule { require: vec![line.clone()], ..rule.clone() };
        for Missing { count_left, .. } in shortfall(policy, &alone) {
            let count = line.count;
            let (people, remedy) = match count - count_left {
                0 => ("nobody".to_owned(), "add reviewers"),
                1 => ("only 1 person".to_owned(), "add reviewers, or lower “count”"),
                people => (format!("only {people} people"), "add reviewers, or lower “count”"),
            };
            let message = format!("“count” is {count} here, but the reviewers are {people}; {remedy}");
            reader.mistake(*place, message);
        }
    }
    let missing = shortfall(policy, rule);
    if reader.count() == before && !missing.is_empty() {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let message = format!(
            "nobody counts for two lines, and there are too few different people for all of them (missing: {}); add \
             reviewers, or join the lines",
            missing.join("; ")
        );
        reader.mistake(section.place_of("require"), message);
    }
}

fn escalate(reader: &mut Reader<'_>, policy: &Policy, section: &Section<'_>) -> Option<Escalate> {
    let table = reader.section(section.get("escalate")?, &format!("like {ESCALATE}"))?;
    let table = Section { what: "“escalate”".to_owned(), ..table };
    reader.only(&table, ESCALATE_KEYS, &[]);
    let after = reader.length_of(&table, "after");
    let to = table.get("to").map(|value| everybody(reader, value, &policy.groups, "list whom to ask then"));
    for (key, given) in [("after", table.get("after")), ("to", table.get("to"))] {
        if given.is_none() {
            reader.mistake(table.at, format_args!("“escalate” lacks “{key}”; write {ESCALATE}"));
        }
    }
    let pending_for = policy.access.pending_for;
    if after.is_some_and(|after| after >= pending_for) {
        let message = format!(
            "an undecided petition closes itself after {} ([access] “pending_for”), so it would never be escalated; \
             lower this or raise that",
            length::show(pending_for)
        );
        reader.mistake(table.place_of("after"), message);
    }
    Some(Escalate { after: after?, to: to? })
}

fn notify(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<String> {
    let Some(value) = section.get("notify") else { return Vec::new() };
    let mut channels = Vec::new();
    for text in reader.texts(value) {
        if !is_slack_id(&text.value, "CGDUW") {
            let message = format!(
                "{} is not the id of a channel; write it like \"C0ACCESS\" (Slack shows it at the end of the channel's \
                 details)",
                text.shown()
            );
            reader.mistake(text.at, message);
        } else if !channels.contains(&text.value) {
            channels.push(text.value);
        }
    }
    channels
}
