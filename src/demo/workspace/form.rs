//! How a modal is filled in: the values Slack's client would send, and what it would not let pass.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    markup,
    model::{State, View, elements, string},
};

/// Why a form was not sent.
pub enum Unsent {
    /// The client shows these under the inputs, by block id.
    Errors(BTreeMap<String, String>),
    /// Whoever fills it in made a mistake.
    Problem(String),
}

/// The key of an element's value, the field that sets it at first, and whether there may be several.
fn slot(kind: &str) -> Option<(&'static str, &'static str, bool)> {
    Some(match kind {
        "plain_text_input" | "number_input" | "email_text_input" | "url_text_input" => {
            ("value", "initial_value", false)
        }
        "static_select" | "external_select" | "radio_buttons" => ("selected_option", "initial_option", false),
        "multi_static_select" | "multi_external_select" | "checkboxes" => ("selected_options", "initial_options", true),
        "users_select" => ("selected_user", "initial_user", false),
        "multi_users_select" => ("selected_users", "initial_users", true),
        "channels_select" => ("selected_channel", "initial_channel", false),
        "multi_channels_select" => ("selected_channels", "initial_channels", true),
        "conversations_select" => ("selected_conversation", "initial_conversation", false),
        "multi_conversations_select" => ("selected_conversations", "initial_conversations", true),
        "datepicker" => ("selected_date", "initial_date", false),
        "timepicker" => ("selected_time", "initial_time", false),
        "datetimepicker" => ("selected_date_time", "initial_date_time", false),
        _ => return None,
    })
}

/// `state.values` before anybody typed.
pub fn initial_values(blocks: &[Value]) -> Value {
    let mut values = json!({});
    for (block, element) in elements(blocks) {
        let kind = string(&element["type"]);
        let Some((key, initial, many)) = slot(&kind) else { continue };
        let empty = if many { json!([]) } else { Value::Null };
        let value = element.get(initial).cloned().unwrap_or(empty);
        let mut entry = Map::from_iter([("type".to_owned(), json!(kind))]);
        entry.insert(key.to_owned(), value);
        values[&block][string(&element["action_id"])] = Value::Object(entry);
    }
    values
}

/// Carries what was typed over to the next content of a view, where block id and action id stayed the same.
pub fn keep_typed(view: &mut Value, old: &Value) {
    let Some(values) = view["state"]["values"].as_object_mut() else { return };
    for (block, actions) in values {
        for (action, value) in actions.as_object_mut().into_iter().flatten() {
            let before = &old["state"]["values"][block][action];
            if before["type"] == value["type"] {
                *value = before.clone();
            }
        }
    }
}

/// `state.values` after `typed` was put into a view. The keys are block ids, labels or action ids; several choices of
/// one input stand on lines of their own.
pub fn fill(state: &State, view: &View, typed: &[(String, String)]) -> Result<Value, Unsent> {
    let mut values = view.value["state"]["values"].clone();
    for (key, text) in typed {
        let (block, element) = input(view, key).map_err(Unsent::Problem)?;
        let offered = state.offered.get(&(view.id.clone(), string(&element["action_id"])));
        let value = value_of(state, element, text, offered.map_or(&[], Vec::as_slice));
        let value = value.map_err(|problem| Unsent::Problem(format!("{key}: {problem}")))?;
        values[&block][string(&element["action_id"])] = value;
    }
    Ok(values)
}

/// What Slack's client says before it sends anything.
pub fn unsendable(view: &View, values: &Value) -> Result<(), Unsent> {
    let mut errors = BTreeMap::new();
    for block in view.blocks().iter().filter(|block| block["type"] == "input") {
        let (id, element) = (string(&block["block_id"]), &block["element"]);
        let entry = &values[&id][string(&element["action_id"])];
        let value = slot(&string(&element["type"])).map_or(&Value::Null, |(key, ..)| &entry[key]);
        if value.is_null() || *value == json!([]) || *value == json!("") {
            if block["optional"] != json!(true) {
                errors.insert(id, "Please complete this required field.".to_owned());
            }
            continue;
        }
        let Some(text) = value.as_str() else { continue };
        let (least, most) = (element["min_length"].as_u64(), element["max_length"].as_u64());
        let length = markup::length(text) as u64;
        let wrong = match element["type"].as_str() {
            Some("number_input") => text.parse::<f64>().is_err().then(|| "Please enter a number.".to_owned()),
            Some("email_text_input") => (!text.contains('@')).then(|| "Please enter an e-mail address.".to_owned()),
            Some("url_text_input") => (!text.contains("://")).then(|| "Please enter a URL.".to_owned()),
            _ if least.is_some_and(|least| length < least) => {
                least.map(|least| format!("Please enter at least {least} characters."))
            }
            _ if most.is_some_and(|most| length > most) => {
                most.map(|most| format!("Please enter at most {most} characters."))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            errors.insert(id, wrong);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Unsent::Errors(errors)) }
}

/// The input that has this block id, label or action id, with its block id.
pub fn input<'a>(view: &'a View, key: &str) -> Result<(String, &'a Value), String> {
    let mut names = Vec::new();
    for block in view.blocks() {
        let label = string(&block["label"]["text"]);
        for (id, element) in elements(std::slice::from_ref(block)) {
            if slot(&string(&element["type"])).is_none() {
                continue;
            }
            if key == id || key == label || element["action_id"] == *key {
                return Ok((id, element));
            }
            names.push(if label.is_empty() { id } else { format!("{label} ({id})") });
        }
    }
    Err(format!("there is no input {key} in “{}”; there are: {}", view.title, names.join(", ")))
}

/// One `state.values` entry, from what a person would type or choose. The empty text clears it.
pub fn value_of(state: &State, element: &Value, text: &str, offered: &[Value]) -> Result<Value, String> {
    let kind = string(&element["type"]);
    let (key, _, many) = slot(&kind).ok_or_else(|| format!("nothing can be put into a {kind}"))?;
    let chosen = |wanted: &str| match key {
        "value" | "selected_date" | "selected_time" => Ok(json!(wanted)),
        "selected_date_time" => {
            wanted.parse::<i64>().map(|at| json!(at)).map_err(|_| "not a number of seconds".to_owned())
        }
        "selected_option" | "selected_options" => option(element, offered, wanted),
        "selected_user" | "selected_users" => {
            let fits = |person: &&super::Person| person.id == wanted || person.name == wanted;
            let person = state.people.iter().find(fits).map(|person| json!(person.id));
            person.ok_or_else(|| format!("nobody is called {wanted}"))
        }
        _ => {
            let channel = state.channels.iter().find(|channel| channel.id == wanted || channel.name == wanted);
            channel.map(|channel| json!(channel.id)).ok_or_else(|| format!("no channel is called {wanted}"))
        }
    };
    let value = match (many, text.is_empty()) {
        (false, true) => Value::Null,
        (true, true) => json!([]),
        (false, false) => chosen(text)?,
        (true, false) => Value::Array(text.lines().map(chosen).collect::<Result<_, _>>()?),
    };
    let mut entry = Map::from_iter([("type".to_owned(), json!(kind))]);
    entry.insert(key.to_owned(), value);
    Ok(Value::Object(entry))
}

/// The option with this value or this visible text.
fn option(element: &Value, offered: &[Value], wanted: &str) -> Result<Value, String> {
    let grouped = |value: &Value| {
        let groups = value["option_groups"].as_array().into_iter().flatten();
        groups.flat_map(|group| group["options"].as_array().into_iter().flatten()).cloned().collect::<Vec<_>>()
    };
    let own = element["options"].as_array().cloned().unwrap_or_default();
    let initial =
        element.get("initial_option").into_iter().chain(element["initial_options"].as_array().into_iter().flatten());
    let all: Vec<Value> =
        own.into_iter().chain(grouped(element)).chain(offered.to_vec()).chain(initial.cloned()).collect();
    let by_value = all.iter().find(|option| option["value"] == wanted);
    let found = by_value.or_else(|| all.iter().find(|option| option["text"]["text"] == wanted));
    found.cloned().ok_or_else(|| {
        let texts: Vec<String> = all.iter().map(|option| string(&option["text"]["text"])).collect();
        format!("there is no option {wanted}; there are: {}", texts.join(", "))
    })
}
