//! Slack's payloads, read leniently: every field may be absent, null or of another type than we know, and what is unknown
//! is ignored. Only what we act on is here. A click is who pressed what; nothing else about it can make it be lost.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A slash command: a form over HTTP, JSON with the same fields over Socket Mode.
#[derive(Clone, Debug, Default)]
pub struct SlashCommand {
    pub text: String,
    pub user_id: String,
    pub team_id: Option<String>,
    pub trigger_id: Option<String>,
    pub response_url: Option<String>,
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
                "response_url" => command.response_url = Some(value.into_owned()).filter(|url| !url.is_empty()),
                "trigger_id" => command.trigger_id = Some(value.into_owned()).filter(|id| !id.is_empty()),
                _ => {}
            }
        }
        (!command.user_id.is_empty()).then_some(command)
    }

    /// The same of the JSON. `None` when there is no user to answer to.
    pub fn from_json(payload: &Value) -> Option<Self> {
        let word = |name: &str| payload[name].as_str().filter(|word| !word.is_empty()).map(str::to_owned);
        Some(Self {
            text: word("text").unwrap_or_default(),
            user_id: word("user_id")?,
            team_id: word("team_id"),
            trigger_id: word("trigger_id"),
            response_url: word("response_url"),
        })
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

/// A field as we know it. `None`: Slack left it out, or it is something else by now.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Value::deserialize(from).map(|value| serde_json::from_value(value).ok())
}

/// The items that we know; none where there is no list.
fn items<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let items = lenient::<D, Vec<Value>>(from)?.unwrap_or_default();
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Interaction {
    #[serde(deserialize_with = "lenient")]
    pub user: Option<User>,
    #[serde(deserialize_with = "lenient")]
    pub team: Option<Team>,
    #[serde(deserialize_with = "lenient")]
    pub trigger_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub response_url: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub channel: Option<Named>,
    #[serde(deserialize_with = "lenient")]
    pub container: Option<Container>,
    #[serde(deserialize_with = "items")]
    pub actions: Vec<Action>,
    #[serde(deserialize_with = "lenient")]
    pub view: Option<View>,
    /// Of a shortcut.
    #[serde(deserialize_with = "lenient")]
    pub callback_id: Option<String>,
    /// Of a typeahead: which, and what was typed so far.
    #[serde(deserialize_with = "lenient")]
    pub action_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub team_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Team {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Container {
    #[serde(deserialize_with = "lenient")]
    pub channel_id: Option<String>,
    /// It is shown to whoever pressed alone, and nothing redraws it.
    #[serde(deserialize_with = "lenient")]
    pub is_ephemeral: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Action {
    #[serde(deserialize_with = "lenient")]
    pub action_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct View {
    #[serde(deserialize_with = "lenient")]
    pub callback_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub private_metadata: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub state: Option<State>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    #[serde(deserialize_with = "lenient")]
    pub values: Option<Map<String, Value>>,
}

impl Interaction {
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_ref()?.id.as_deref().filter(|id| !id.is_empty())
    }

    /// The user's own workspace, as the signed payload has it; the workspace it happened in where it does not say.
    pub fn team_id(&self) -> Option<&str> {
        let own = self.user.as_ref().and_then(|user| user.team_id.as_deref()).filter(|id| !id.is_empty());
        own.or_else(|| self.team.as_ref().and_then(|team| team.id.as_deref()).filter(|id| !id.is_empty()))
    }

    pub fn channel_id(&self) -> Option<&str> {
        let channel = self.channel.as_ref().and_then(|channel| channel.id.as_deref()).filter(|id| !id.is_empty());
        channel.or_else(|| self.container.as_ref().and_then(|container| container.channel_id.as_deref()))
    }
}

impl View {
    /// The value that was chosen in an input; empty when none was.
    pub fn chosen(&self, block: &str, input: &str) -> &str {
        let values = self.state.as_ref().and_then(|state| state.values.as_ref());
        let chosen = values.and_then(|values| values.get(block)?.get(input)?.get("selected_option")?.get("value"));
        chosen.and_then(Value::as_str).unwrap_or_default()
    }

    /// All values that were chosen in an input that takes several.
    pub fn all_chosen(&self, block: &str, input: &str) -> Vec<&str> {
        let chosen = self.input(block, input)["selected_options"].as_array();
        chosen.into_iter().flatten().filter_map(|option| option["value"].as_str()).collect()
    }

    /// What was typed into an input; empty when nothing was.
    pub fn typed(&self, block: &str, input: &str) -> &str {
        self.input(block, input)["value"].as_str().unwrap_or_default()
    }

    /// The state of an input, as Slack has it for its type; null where there is none.
    pub fn input(&self, block: &str, input: &str) -> &Value {
        let values = self.state.as_ref().and_then(|state| state.values.as_ref());
        values.and_then(|values| values.get(block)?.get(input)).unwrap_or(&Value::Null)
    }
}
