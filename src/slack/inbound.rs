//! Slack's payloads, read leniently: every field may be absent or null, and what is unknown is ignored. Only what we
//! act on is here.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A slash command's form.
#[derive(Clone, Debug, Default)]
pub struct SlashCommand {
    pub text: String,
    pub user_id: String,
    pub team_id: Option<String>,
}

impl SlashCommand {
    /// `None` when there is no user to answer to.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut command = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            match name.as_ref() {
                "text" => command.text = value.into_owned(),
                "user_id" => command.user_id = value.into_owned(),
                "team_id" => command.team_id = Some(value.into_owned()).filter(|id| !id.is_empty()),
                _ => {}
            }
        }
        (!command.user_id.is_empty()).then_some(command)
    }
}

/// Slack's check of the certificate: to be answered with 200 and nothing else, even unsigned.
pub fn is_ssl_check(body: &[u8]) -> bool {
    url::form_urlencoded::parse(body).any(|(name, value)| name == "ssl_check" && value == "1")
}

/// The JSON in the `payload` field of an interaction.
pub fn payload(body: &[u8]) -> Option<Value> {
    let (_, json) = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload")?;
    serde_json::from_str(&json).ok()
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Interaction {
    pub user: Option<User>,
    pub team: Option<Team>,
    pub trigger_id: Option<String>,
    pub response_url: Option<String>,
    pub channel: Option<Named>,
    pub container: Option<Container>,
    pub actions: Option<Vec<Action>>,
    pub view: Option<View>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    pub id: Option<String>,
    pub team_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Team {
    pub id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    pub id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Container {
    pub channel_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Action {
    pub action_id: Option<String>,
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct View {
    pub callback_id: Option<String>,
    pub private_metadata: Option<String>,
    pub state: Option<State>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    pub values: Option<Map<String, Value>>,
}

impl Interaction {
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_ref()?.id.as_deref().filter(|id| !id.is_empty())
    }

    /// The user's own workspace, as the signed payload has it; the workspace it happened in where it does not say.
    pub fn team_id(&self) -> Option<&str> {
        let own = self.user.as_ref().and_then(|user| user.team_id.as_deref());
        own.or_else(|| self.team.as_ref().and_then(|team| team.id.as_deref()))
    }

    pub fn channel_id(&self) -> Option<&str> {
        let channel = self.channel.as_ref().and_then(|channel| channel.id.as_deref());
        channel.or_else(|| self.container.as_ref().and_then(|container| container.channel_id.as_deref()))
    }
}

impl View {
    /// What was typed into an input; empty when nothing was.
    pub fn typed(&self, block: &str, input: &str) -> &str {
        let values = self.state.as_ref().and_then(|state| state.values.as_ref());
        values.and_then(|values| values.get(block)?.get(input)?.get("value")?.as_str()).unwrap_or_default()
    }
}
