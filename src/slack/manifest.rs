//! The manifest from which Slack makes the app: what `latchkey slack manifest` prints and README shows.
//!
//! It names what there is and nothing else, because what Slack offers to people must be answered. Slack is asked to call
//! us over HTTP; or, for Socket Mode, at no address at all.
//!
//! May import: `slack::scopes`. To add a feature: its lines in [`tree`], in the order in which Slack shows them.

use serde::{Serialize, Serializer, ser::SerializeMap};
use url::Url;

use super::scopes::SCOPES;

/// A value with its keys in an order for people, and with remarks, which only YAML can hold.
enum Node {
    Text(String),
    Flag(bool),
    Map(Vec<(&'static str, Node)>),
    List(Vec<Item>),
}

struct Item {
    node: Node,
    remark: Option<&'static str>,
}

/// The manifest of an app whose requests go to `public_url`, as JSON.
pub fn json(public_url: &Url) -> String {
    // Neither a map with keys that are no texts nor a number is in it: it can always be written.
    let text = serde_json::to_string_pretty(&tree(Some(public_url))).unwrap_or_default();
    format!("{text}\n")
}

/// The same as YAML, with a remark on each scope.
pub fn yaml(public_url: &Url) -> String {
    let mut out = String::new();
    write_yaml(&tree(Some(public_url)), 0, &mut out);
    out
}

/// The manifest of an app that is called by Socket Mode, as JSON.
pub fn socket_json() -> String {
    let text = serde_json::to_string_pretty(&tree(None)).unwrap_or_default();
    format!("{text}\n")
}

/// The same as YAML, with a remark on each scope.
pub fn socket_yaml() -> String {
    let mut out = String::new();
    write_yaml(&tree(None), 0, &mut out);
    out
}

/// What is told without being asked; each has its file in `events`.
const BOT_EVENTS: [&str; 4] = ["app_home_opened", "message.channels", "message.groups", "message.im"];

/// The `callback_id` of the global shortcut.
pub const SHORTCUT: &str = "request-access";

/// Without a public address the app is called by Socket Mode, and no address is in it.
fn tree(public_url: Option<&Url>) -> Node {
    let scopes = SCOPES.iter().map(|scope| Item { node: text(scope.name), remark: Some(scope.why) }).collect();
    Node::Map(vec![
        (
            "display_information",
            Node::Map(vec![
                ("name", text("Latchkey")),
                ("description", text("Time-limited access to one customer's data")),
            ]),
        ),
        (
            "features",
            Node::Map(vec![
                (
                    "app_home",
                    Node::Map(vec![
                        ("home_tab_enabled", Node::Flag(true)),
                        // Without it nobody could be sent a direct message.
                        ("messages_tab_enabled", Node::Flag(true)),
                        ("messages_tab_read_only_enabled", Node::Flag(false)),
                    ]),
                ),
                ("bot_user", Node::Map(vec![("display_name", text("latchkey")), ("always_online", Node::Flag(true))])),
                ("shortcuts", list([shortcut()])),
                ("slash_commands", list([access_command(public_url)])),
            ]),
        ),
        ("oauth_config", Node::Map(vec![("scopes", Node::Map(vec![("bot", Node::List(scopes))]))])),
        (
            "settings",
            Node::Map(vec![
                (
                    "event_subscriptions",
                    map([
                        address(public_url, "request_url", "slack/events"),
                        Some(("bot_events", list(BOT_EVENTS.map(text)))),
                    ]),
                ),
                (
                    "interactivity",
                    map([
                        Some(("is_enabled", Node::Flag(true))),
                        address(public_url, "request_url", "slack/interactions"),
                        address(public_url, "message_menu_options_url", "slack/options"),
                    ]),
                ),
                ("org_deploy_enabled", Node::Flag(false)),
                ("socket_mode_enabled", Node::Flag(public_url.is_none())),
                ("token_rotation_enabled", Node::Flag(false)),
            ]),
        ),
    ])
}

/// In the menu beside every message line: the form of `/access`.
fn shortcut() -> Node {
    Node::Map(vec![
        ("name", text("Request access")),
        ("type", text("global")),
        ("callback_id", text(SHORTCUT)),
        ("description", text("Ask for access to a customer")),
    ])
}

/// Where Slack calls us over HTTP.
fn address(public_url: Option<&Url>, key: &'static str, path: &str) -> Option<(&'static str, Node)> {
    // One slash between: Slack follows no redirect.
    public_url.map(|url| (key, Node::Text(format!("{}/{path}", url.as_str().trim_end_matches('/')))))
}

/// A map some of whose entries may be missing.
fn map<const N: usize>(entries: [Option<(&'static str, Node)>; N]) -> Node {
    Node::Map(entries.into_iter().flatten().collect())
}

fn access_command(public_url: Option<&Url>) -> Node {
    map([
        Some(("command", text("/access"))),
        address(public_url, "url", "slack/commands"),
        Some(("description", text("Ask for access to a customer"))),
        Some(("usage_hint", text("customer 123 for 4h to debug BUG-482"))),
        // An @name arrives as an id, which cannot be mistaken for somebody else's.
        Some(("should_escape", Node::Flag(true))),
    ])
}

fn text(text: &str) -> Node {
    Node::Text(text.to_owned())
}

fn list<const N: usize>(nodes: [Node; N]) -> Node {
    Node::List(nodes.into_iter().map(|node| Item { node, remark: None }).collect())
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(items) => serializer.collect_seq(items.iter().map(|item| &item.node)),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, node) in entries {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}

fn write_yaml(node: &Node, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match node {
        Node::Text(_) | Node::Flag(_) => {
            out.push_str(&scalar(node));
            out.push('\n');
        }
        Node::Map(entries) => {
            for (key, node) in entries {
                out.push_str(&format!("{indent}{key}:"));
                match node {
                    Node::Text(_) | Node::Flag(_) => out.push_str(&format!(" {}\n", scalar(node))),
                    Node::Map(_) | Node::List(_) => {
                        out.push('\n');
                        write_yaml(node, depth + 1, out);
                    }
                }
            }
        }
        Node::List(items) => {
            let texts = items.iter().map(|item| scalar(&item.node));
            let width = texts.map(|text| text.chars().count()).max().unwrap_or_default();
            for Item { node, remark } in items {
                match (node, remark) {
                    (Node::Text(_) | Node::Flag(_), Some(remark)) => {
                        out.push_str(&format!("{indent}- {:<width$}  # {remark}\n", scalar(node)));
                    }
                    (Node::Text(_) | Node::Flag(_), None) => out.push_str(&format!("{indent}- {}\n", scalar(node))),
                    (Node::Map(_) | Node::List(_), _) => {
                        // The first line of what is inside stands beside the dash.
                        let mut inner = String::new();
                        write_yaml(node, depth + 1, &mut inner);
                        out.push_str(&format!("{indent}- {}", inner.trim_start()));
                    }
                }
            }
        }
    }
}

/// One line. Texts that YAML could read as something else are quoted, in the way that JSON and YAML share.
fn scalar(node: &Node) -> String {
    match node {
        Node::Flag(flag) => flag.to_string(),
        Node::Text(text) if is_plain(text) => text.clone(),
        Node::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Node::Map(_) | Node::List(_) => String::new(),
    }
}

/// Begins with a letter or `/`, is no word of YAML's own, and nothing in it means something there.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "null", "y"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let simple = |c: char| c.is_ascii_alphanumeric() || " /:._-'".contains(c);
    let means = text.contains(": ") || text.ends_with([':', ' ']);
    let word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    begins && text.chars().all(simple) && !means && !word
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
