//! Says what Slack, or a careful reviewer, would refuse in blocks, messages and views.
//!
//! Each finding ends with a JSON pointer, as in Slack's own `response_metadata.messages`. The table is in `kit.rs`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    kit::{self, Field, Rule},
    markup,
    model::{elements, string},
};

/// Where blocks are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    Message,
    Modal,
    Home,
}

/// A view over this many bytes is too large.
const VIEW_BYTES: usize = 250 * 1024;
/// A message text over this is not readable; over the second it is cut.
const TEXT_ADVISED: usize = 4000;

pub use super::markup::length;

/// What is wrong with the blocks of a message, a modal or a Home tab.
pub fn blocks(surface: Surface, blocks: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.blocks(surface, blocks);
    check.found
}

/// What is wrong with a view.
pub fn view(view: &Value) -> Vec<String> {
    let mut check = Check::default();
    let kind = string(&view["type"]);
    let Some(fields) = kit::view(&kind) else {
        return vec![format!("no such type of view: {} [json-pointer:/view/type]", view["type"])];
    };
    check.fields("/view", view, &fields, &["type", "blocks"]);
    let surface = if kind == "home" { Surface::Home } else { Surface::Modal };
    check.at.push_str("/view");
    check.blocks(surface, &view["blocks"]);
    let has_inputs =
        view["blocks"].as_array().is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "input"));
    if surface == Surface::Modal && has_inputs && !view["submit"].is_object() {
        check.say("/submit", "a modal with inputs needs submit");
    }
    if view.to_string().len() > VIEW_BYTES {
        check.say("", "more than 250 KB");
    }
    check.found
}

/// What is wrong with the top-level `text` of a message that has, or has not, blocks.
pub fn text(text: &str, with_blocks: bool) -> Vec<String> {
    let mut found = markup::check(text);
    if with_blocks && text.trim().is_empty() {
        found.push("blocks without a top-level text, which is what notifications and screen readers use".to_owned());
    }
    if markup::length(text) > TEXT_ADVISED {
        found.push(format!("a text of {} characters; more than {TEXT_ADVISED} is not readable", markup::length(text)));
    }
    found.into_iter().map(|what| format!("{what} [json-pointer:/text]")).collect()
}

/// What is wrong with the answer to an options request.
pub fn options_answer(answer: &Value) -> Vec<String> {
    let mut check = Check::default();
    let list = |name: &str| answer[name].as_array().is_some_and(|items| items.len() <= 100);
    match (list("options"), list("option_groups")) {
        // An empty list is fine here: nothing was found.
        (true, false) if answer["options"] != serde_json::json!([]) => {
            check.value("/options", &answer["options"], Rule::Options(100, false));
        }
        (false, true) => check.value("/option_groups", &answer["option_groups"], Rule::Groups),
        (true, false) => {}
        _ => check.say("", "an options answer has at most 100 of either options or option_groups"),
    }
    check.found
}

/// What is wrong with message metadata.
pub fn metadata(metadata: &Value) -> Vec<String> {
    let Some(fields) = metadata.as_object() else { return vec!["metadata is not an object".to_owned()] };
    if fields.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let kind = string(&metadata["event_type"]);
    if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        found.push(format!("metadata.event_type is not snake_case: {kind}"));
    }
    match metadata["event_payload"].as_object() {
        None => found.push("metadata.event_payload is not an object".to_owned()),
        Some(payload) => {
            if let Some((name, _)) = payload.iter().find(|(_, value)| value.is_object() || value.is_null()) {
                found.push(format!("metadata.event_payload.{name} is neither text, number nor truth value"));
            }
        }
    }
    found
}

#[derive(Default)]
struct Check {
    found: Vec<String>,
    /// Prefix of all pointers.
    at: String,
}

impl Check {
    fn say(&mut self, at: &str, what: impl std::fmt::Display) {
        self.found.push(format!("{what} [json-pointer:{}{at}]", self.at));
    }

    fn blocks(&mut self, surface: Surface, blocks: &Value) {
        let most = if surface == Surface::Message { 50 } else { 100 };
        let Some(list) = blocks.as_array() else { return self.say("/blocks", "blocks must be an array") };
        if list.is_empty() {
            self.say("/blocks", "an empty array");
        }
        if list.len() > most {
            self.say("/blocks", format!("no more than {most} items allowed, there are {}", list.len()));
        }
        let mut ids = BTreeSet::new();
        let mut markdown = 0;
        for (index, block) in list.iter().enumerate() {
            let at = format!("/blocks/{index}");
            self.block(&at, surface, block);
            if let Some(id) = block["block_id"].as_str()
                && !ids.insert(id)
            {
                self.say(&at, format!("the block_id {id} is there twice"));
            }
            if block["type"] == "markdown" {
                markdown += block["text"].as_str().map_or(0, markup::length);
            }
        }
        if markdown > 12_000 {
            self.say("/blocks", "more than 12000 characters of markdown in all");
        }
        let focused = elements(list).into_iter().filter(|(_, element)| element["focus_on_load"] == true).count();
        if focused > 1 {
            self.say("/blocks", "more than one element with focus_on_load");
        }
        if list.iter().filter(|block| block["type"] == "table").count() > 1 {
            self.say("/blocks", "more than one table");
        }
    }

    fn block(&mut self, at: &str, surface: Surface, block: &Value) {
        let kind = string(&block["type"]);
        let Some(fields) = kit::block(&kind) else {
            return self.say(at, format!("no such type of block: {}", block["type"]));
        };
        if surface != Surface::Message && matches!(kind.as_str(), "markdown" | "table") {
            self.say(at, format!("{kind} blocks are for messages only"));
        }
        if let Some(id) = block.get("block_id") {
            self.value(&format!("{at}/block_id"), id, Rule::Str(255));
        }
        self.fields(at, block, &fields, &["type", "block_id"]);
        if kind == "section" && block.get("text").is_none() && block.get("fields").is_none() {
            self.say(at, "a section needs text or fields");
        }
        let primary = |element: &&Value| element["style"] == "primary";
        if block["elements"].as_array().is_some_and(|elements| elements.iter().filter(primary).count() > 1) {
            self.say(at, "more than one primary button beside each other");
        }
        let mut actions = BTreeSet::new();
        for (_, element) in elements(std::slice::from_ref(block)) {
            if let Some(id) = element["action_id"].as_str()
                && !actions.insert(id)
            {
                self.say(at, format!("the action_id {id} is there twice"));
            }
        }
    }

    /// Every field that is there is known and right, every needed one is there.
    fn fields(&mut self, at: &str, object: &Value, fields: &[Field], besides: &[&str]) {
        let Some(given) = object.as_object() else { return self.say(at, "must be an object") };
        for field in fields {
            match given.get(field.name) {
                Some(value) => self.value(&format!("{at}/{}", field.name), value, field.rule),
                None if field.needed => self.say(at, format!("missing required field: {}", field.name)),
                None => {}
            }
        }
        for name in given.keys() {
            if !besides.contains(&name.as_str()) && !fields.iter().any(|field| field.name == name) {
                self.say(at, format!("no such field: {name}"));
            }
        }
    }

    fn value(&mut self, at: &str, value: &Value, rule: Rule) {
        match rule {
            Rule::Plain(most) => self.text_object(at, value, most, false),
            Rule::Text(most) => self.text_object(at, value, most, true),
            Rule::Texts(items, most) => {
                for (index, item) in self.items(at, value, items).iter().enumerate() {
                    self.text_object(&format!("{at}/{index}"), item, most, true);
                }
            }
            Rule::Str(most) => self.string(at, value, most),
            Rule::Url => {
                self.string(at, value, 3000);
                if !value.as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://")) {
                    self.say(at, "not a URL");
                }
            }
            Rule::Bool if !value.is_boolean() => self.say(at, "must be true or false"),
            Rule::Int(least, most) if !value.as_i64().is_some_and(|number| (least..=most).contains(&number)) => {
                self.say(at, format!("must be a whole number from {least} to {most}"));
            }
            Rule::Day
                if !value.as_str().is_some_and(|day| day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok()) =>
            {
                self.say(at, "must be a day like 2026-11-24");
            }
            Rule::Hour if !value.as_str().is_some_and(is_hour) => self.say(at, "must be a time of day like 17:00"),
            Rule::OneOf(words) if !value.as_str().is_some_and(|word| words.contains(&word)) => {
                self.say(at, format!("must be one of {words:?}"));
            }
            Rule::Strings(most) => {
                for (index, item) in self.items(at, value, most).iter().enumerate() {
                    self.string(&format!("{at}/{index}"), item, 255);
                }
            }
            Rule::Words(words, most) => {
                for (index, item) in self.items(at, value, most).iter().enumerate() {
                    self.value(&format!("{at}/{index}"), item, Rule::OneOf(words));
                }
            }
            Rule::Element(kinds) => self.element(at, value, kinds),
            Rule::Elements(kinds, most) => {
                for (index, item) in self.items(at, value, most).iter().enumerate() {
                    self.element(&format!("{at}/{index}"), item, kinds);
                }
            }
            Rule::Options(most, mrkdwn) => {
                for (index, item) in self.items(at, value, most).iter().enumerate() {
                    self.fields(&format!("{at}/{index}"), item, &kit::option(mrkdwn, most == 5), &[]);
                }
            }
            Rule::Groups => {
                for (index, item) in self.items(at, value, 100).iter().enumerate() {
                    self.fields(&format!("{at}/{index}"), item, &kit::option_group(), &[]);
                }
            }
            Rule::Option => self.fields(at, value, &kit::option(true, false), &[]),
            Rule::Confirm => self.fields(at, value, kit::CONFIRM, &[]),
            Rule::Dispatch => self.fields(at, value, kit::DISPATCH, &[]),
            Rule::Table(rows, columns) => {
                for (index, row) in self.items(at, value, rows).iter().enumerate() {
                    self.items(&format!("{at}/{index}"), row, columns);
                }
            }
            Rule::Any if value.is_null() || *value == serde_json::json!([]) => self.say(at, "must not be empty"),
            Rule::Bool | Rule::Int(..) | Rule::Day | Rule::Hour | Rule::OneOf(_) | Rule::Any => {}
        }
    }

    /// The items of an array that is neither empty nor too long.
    fn items<'a>(&mut self, at: &str, value: &'a Value, most: usize) -> &'a [Value] {
        let Some(items) = value.as_array() else {
            self.say(at, "must be an array");
            return &[];
        };
        if items.is_empty() {
            self.say(at, "an empty array");
        }
        if items.len() > most {
            self.say(at, format!("no more than {most} items allowed, there are {}", items.len()));
        }
        items
    }

    fn string(&mut self, at: &str, value: &Value, most: usize) {
        let Some(text) = value.as_str() else { return self.say(at, "must be a string") };
        self.length(at, text, most);
        for what in markup::check_plain(text) {
            self.say(at, what);
        }
    }

    fn length(&mut self, at: &str, text: &str, most: usize) {
        if markup::length(text) > most {
            self.say(at, format!("must be no more than {most} characters, there are {}", markup::length(text)));
        }
    }

    fn text_object(&mut self, at: &str, object: &Value, most: usize, mrkdwn: bool) {
        let kind = string(&object["type"]);
        let fields: &[Field] = match kind.as_str() {
            "plain_text" => &[Field { name: "emoji", needed: false, rule: Rule::Bool }],
            "mrkdwn" if mrkdwn => &[Field { name: "verbatim", needed: false, rule: Rule::Bool }],
            "mrkdwn" => return self.say(at, "must be plain_text, not mrkdwn"),
            _ => return self.say(at, "must be a text object"),
        };
        self.fields(at, object, fields, &["type", "text"]);
        let at = format!("{at}/text");
        let Some(text) = object["text"].as_str() else { return self.say(&at, "must be a string") };
        if text.is_empty() {
            self.say(&at, "must be more than 0 characters");
        }
        self.length(&at, text, most);
        for what in if kind == "mrkdwn" { markup::check(text) } else { markup::check_plain(text) } {
            self.say(&at, what);
        }
    }

    fn element(&mut self, at: &str, element: &Value, kinds: &[&str]) {
        let kind = string(&element["type"]);
        if !kinds.contains(&kind.as_str()) {
            return self.say(at, format!("no such type of element here: {}", element["type"]));
        }
        if matches!(kind.as_str(), "plain_text" | "mrkdwn") {
            return self.text_object(at, element, 3000, true);
        }
        let Some(fields) = kit::element(&kind) else { return self.say(at, format!("no such element: {kind}")) };
        if let Some(id) = element.get("action_id") {
            self.value(&format!("{at}/action_id"), id, Rule::Str(255));
        }
        let besides: &[&str] = if kind == "image" { &["type"] } else { &["type", "action_id"] };
        self.fields(at, element, &fields, besides);
        self.element_as_a_whole(at, element, &kind);
    }

    /// What no single field shows.
    fn element_as_a_whole(&mut self, at: &str, element: &Value, kind: &str) {
        if matches!(kind, "static_select" | "multi_static_select")
            && element.get("options").is_some() == element.get("option_groups").is_some()
        {
            self.say(at, "a select needs either options or option_groups");
        }
        let groups = element["option_groups"].as_array().into_iter().flatten();
        let offered: Vec<&Value> = groups
            .filter_map(|group| group["options"].as_array())
            .chain(element["options"].as_array())
            .flatten()
            .collect();
        let initial = element
            .get("initial_option")
            .into_iter()
            .chain(element["initial_options"].as_array().into_iter().flatten());
        if !offered.is_empty() {
            for option in initial {
                if !offered.contains(&option) {
                    self.say(at, format!("the initial option {} is not among the options", option["value"]));
                }
            }
            let values: BTreeSet<String> = offered.iter().map(|option| string(&option["value"])).collect();
            if values.len() != offered.len() {
                self.say(at, "two options with one value");
            }
        }
        let most = element["max_selected_items"].as_u64().unwrap_or(100);
        for initial in ["initial_options", "initial_users"] {
            if element[initial].as_array().is_some_and(|items| items.len() as u64 > most) {
                self.say(at, format!("more {initial} than max_selected_items"));
            }
        }
        let (least, most) =
            (element["min_length"].as_u64().unwrap_or(0), element["max_length"].as_u64().unwrap_or(3000));
        if least > most {
            self.say(at, "min_length is more than max_length");
        }
        if let Some(value) = element["initial_value"].as_str()
            && markup::length(value) as u64 > most
        {
            self.say(at, "initial_value is longer than max_length");
        }
    }
}

fn is_hour(time: &str) -> bool {
    let number = |part: &str, most: u32| part.len() == 2 && part.parse::<u32>().is_ok_and(|number| number < most);
    time.split_once(':').is_some_and(|(hour, minute)| number(hour, 24) && number(minute, 60))
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
