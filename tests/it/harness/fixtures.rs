//! What Slack may send: `tests/fixtures/slack`, one folder for each door. Keys and shapes are those of Slack's
//! documentation, everything else is made up. A file is the payload alone; of a command, the fields of its form.

use std::path::Path;

use latchkey::demo::workspace::Workspace;
use serde_json::{Value, json};

use super::acts::{form, payload};

/// A fixture, by its file name.
pub struct Fixture {
    pub name: String,
    pub value: Value,
}

/// The doors that a folder of fixtures is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Commands,
    Interactions,
    Options,
    Events,
}

impl Door {
    pub const ALL: [Self; 4] = [Self::Commands, Self::Interactions, Self::Options, Self::Events];

    pub fn path(self) -> &'static str {
        match self {
            Self::Commands => "/slack/commands",
            Self::Interactions => "/slack/interactions",
            Self::Options => "/slack/options",
            Self::Events => "/slack/events",
        }
    }

    /// Every fixture of this door, in order, with the addresses for answers on this workspace instead of Slack's own.
    pub fn fixtures(self, slack: &Workspace) -> Vec<Fixture> {
        folder(self.path().trim_start_matches("/slack/"), slack)
    }

    /// The body by which Slack brings it over HTTP.
    pub fn body(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Commands => {
                let fields = value.as_object().into_iter().flatten();
                let fields: Vec<(&str, &str)> =
                    fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect();
                form(&fields)
            }
            Self::Interactions | Self::Options => payload(value),
            Self::Events => value.to_string().into_bytes(),
        }
    }
}

/// The fixtures of a folder.
pub fn folder(name: &str, slack: &Workspace) -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/slack").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    // Nothing leaves the machine: there the addresses are unknown, as if they had expired.
    let here = format!("{}/response/", slack.origin());
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("https://hooks.slack.com/", &here);
        Fixture {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            value: serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        }
    };
    paths.iter().map(read).collect()
}

/// What was displayed, or belongs to features that we do not use: nobody reads what is inside.
const SHOWN: [&str; 11] = [
    "blocks",
    "message",
    "attachments",
    "original_message",
    "app_unfurl",
    "rich_text_value",
    "files",
    "profile",
    "bot_profile",
    "function_data",
    "interactivity",
];

/// Where each field and item of a payload stands, as JSON pointers; of [`SHOWN`] only that it is there.
pub fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        let mut visit = |name: &str, child: &Value| {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            found.push(at.clone());
            if !SHOWN.contains(&name) {
                walk(child, &at, found);
            }
        };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, child)| visit(name, child)),
            Value::Array(items) => items.iter().enumerate().for_each(|(index, child)| visit(&index.to_string(), child)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// The payload with that place missing, null, and of another type: of which one, `turn` says.
pub fn spoiled(value: &Value, place: &str, turn: usize) -> [Value; 3] {
    let without = {
        let mut copy = value.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        match copy.pointer_mut(parent).unwrap() {
            Value::Object(fields) => {
                fields.remove(&name.replace("~1", "/").replace("~0", "~"));
            }
            Value::Array(items) => {
                items.remove(name.parse().unwrap());
            }
            other => unreachable!("{place} is in {other}"),
        }
        copy
    };
    let put = |other: Value| {
        let mut copy = value.clone();
        *copy.pointer_mut(place).unwrap() = other;
        copy
    };
    let others = [json!(""), json!(7), json!(true), json!([]), json!({}), json!([[null], { "id": 7 }])];
    [without, put(Value::Null), put(others[turn % others.len()].clone())]
}
