//! What the bot's app declares in its manifest. Slack gives it that much and no more: no event that it did not subscribe
//! to, no Home tab that is switched off, no shortcut that nobody declared.

use serde_json::Value;

use super::model::{State, string};

/// The declared parts of an app that decide what it gets.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    pub scopes: Vec<String>,
    /// Such as `app_home_opened` and `message.channels`.
    pub events: Vec<String>,
    pub shortcuts: Vec<Shortcut>,
    pub home_tab: bool,
    /// The app is called over its own connections instead of over HTTP.
    pub socket_mode: bool,
    /// Typeaheads have somewhere to ask.
    pub options: bool,
}

/// A global shortcut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortcut {
    pub name: String,
    pub callback_id: String,
    pub description: String,
}

impl Installed {
    /// Reads an app manifest. What is not in it is not declared.
    pub fn from_manifest(manifest: &Value) -> Self {
        let words = |value: &Value| value.as_array().into_iter().flatten().map(string).collect();
        let settings = &manifest["settings"];
        let shortcuts = manifest["features"]["shortcuts"].as_array().into_iter().flatten();
        let global = |shortcut: &&Value| shortcut["type"] == "global";
        Self {
            scopes: words(&manifest["oauth_config"]["scopes"]["bot"]),
            events: words(&settings["event_subscriptions"]["bot_events"]),
            shortcuts: shortcuts
                .filter(global)
                .map(|shortcut| Shortcut {
                    name: string(&shortcut["name"]),
                    callback_id: string(&shortcut["callback_id"]),
                    description: string(&shortcut["description"]),
                })
                .collect(),
            home_tab: manifest["features"]["app_home"]["home_tab_enabled"] == true,
            socket_mode: settings["socket_mode_enabled"] == true,
            options: settings["socket_mode_enabled"] == true
                || settings["interactivity"]["message_menu_options_url"].is_string(),
        }
    }
}

/// Which subscription and which scope bring the messages of a place.
pub fn message_event(channel_type: &str) -> (&'static str, &'static str) {
    match channel_type {
        "im" => ("message.im", "im:history"),
        "group" => ("message.groups", "groups:history"),
        _ => ("message.channels", "channels:history"),
    }
}

impl State {
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.as_ref().unwrap_or(&self.app.scopes).iter().any(|has| has == scope)
    }

    /// Why the bot is not told of an event; `Ok`: it is.
    pub fn subscribed(&self, event: &str, scope: Option<&str>) -> Result<(), String> {
        if !self.app.events.iter().any(|name| name == event) {
            return Err(format!("the app's manifest does not subscribe to {event} (settings.event_subscriptions)"));
        }
        match scope.filter(|scope| !self.has_scope(scope)) {
            Some(scope) => Err(format!("{event} needs the scope {scope}, which the bot does not have")),
            None => Ok(()),
        }
    }
}
