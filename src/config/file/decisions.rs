//! `[[decision]]`: bots that are asked what they say to a petition.

use super::{
    reader::{Reader, Section, Value},
    webhooks::{WEBHOOK_TIMEOUT, WebhookConfig, kinds, webhook},
};
use crate::{
    domain::{customer::Labels, id::DecisionName, person::Email},
    policy::{Policy, Who},
};

#[derive(Clone, Debug)]
pub struct DecisionConfig {
    /// Stable: questions that are not answered yet remember it.
    pub name: DecisionName,
    /// The reviewer that it speaks as; some rule names it.
    pub bot: Email,
    /// Labels that a customer must have, all of them. `None`: every customer.
    pub matches: Option<Labels>,
    /// Kinds of the resources that it is asked about. `None`: customers.
    pub kinds: Option<Vec<String>>,
    pub webhook: WebhookConfig,
}

const KEYS: &[&str] = &["name", "bot", "kinds", "match", "url", "secret", "headers", "timeout", "dry_run"];

/// `policy` is `None` where not all of it could be read: what is missing may be the rule that names a bot.
pub(super) fn decisions(
    reader: &mut Reader<'_>,
    policy: Option<&Policy>,
    value: Option<&Value<'_>>,
) -> Vec<DecisionConfig> {
    let sections = reader.sections(value, "decision");
    let mut names = Vec::new();
    sections.iter().filter_map(|section| decision(reader, policy, section, &mut names)).collect()
}

fn decision(
    reader: &mut Reader<'_>,
    policy: Option<&Policy>,
    section: &Section<'_>,
    names: &mut Vec<String>,
) -> Option<DecisionConfig> {
    reader.only(section, KEYS, &[]);
    let name = name(reader, section, names);
    let bot = bot(reader, policy, section);
    let webhook = webhook(reader, section, WEBHOOK_TIMEOUT);
    let matches = reader.labels_of(section);
    let kinds = kinds(reader, section);
    Some(DecisionConfig { name: DecisionName::new(name?), bot: bot?, matches, kinds, webhook: webhook? })
}

/// People read it as the name of who decided, and it stands in the name of a queue.
fn name(reader: &mut Reader<'_>, section: &Section<'_>, names: &mut Vec<String>) -> Option<String> {
    let name = reader.name_of(section, names, false)?;
    if name.chars().count() > 64 {
        reader.mistake(section.place_of("name"), "the name of a decision has at most 64 characters; shorten it");
    }
    Some(name)
}

fn bot(reader: &mut Reader<'_>, policy: Option<&Policy>, section: &Section<'_>) -> Option<Email> {
    if section.get("bot").is_none() {
        let message = "this decision has no bot; add bot = \"oncall@acme.test\", the reviewer that a rule names";
        reader.mistake(section.at, message);
    }
    let text = reader.text_of(section, "bot")?;
    let Ok(bot) = Email::parse(&text.value) else {
        let message = format!("{} is not an e-mail; write it like \"oncall@acme.test\"", text.shown());
        reader.mistake(text.at, message);
        return None;
    };
    // By its e-mail: who is in a group is a person, and nobody speaks for a person.
    let is_bot = |who: &Who| *who == Who::Email(bot.clone());
    let names_it = |policy: &Policy| {
        policy.rules.iter().any(|rule| rule.require.iter().flat_map(|line| &line.reviewers).any(is_bot))
    };
    let is_person = |policy: &Policy| {
        let asks = policy.rules.iter().flat_map(|rule| rule.petitioners.iter().flatten()).any(is_bot);
        asks || policy.groups.values().any(|members| members.contains(&bot))
    };
    if policy.is_some_and(is_person) {
        let message = format!(
            "{} is in a group or may ask, so it is a person, and no bot may speak as one; give the bot an e-mail of its own",
            text.shown()
        );
        reader.mistake(text.at, message);
        return Some(bot);
    }
    if policy.is_some_and(|policy| !names_it(policy)) {
        let message = format!(
            "no rule names {} as a reviewer, so what it says would never count; add it to the reviewers of a rule",
            text.shown()
        );
        reader.mistake(text.at, message);
    }
    Some(bot)
}
