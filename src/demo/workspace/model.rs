//! What the workspace knows: people, channels, messages, views, and what was asked of it.
//!
//! Plain data behind one lock. Nothing here talks to anybody; `act.rs`, `methods.rs` and `page.rs` do.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde_json::{Value, json};

use super::{app::Installed, socket::Links};

/// Seconds a trigger lives. Slack's figure; our clock has whole seconds, so a trigger dies in the fourth.
pub const TRIGGER_SECS: i64 = 3;
/// Posts one response_url takes, and for how many seconds.
pub const RESPONSE_USES: u32 = 5;
pub const RESPONSE_SECS: i64 = 30 * 60;
/// Modals that may lie on each other.
pub const VIEW_STACK: usize = 3;

/// Somebody in the workspace.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    pub title: String,
    /// IANA name, such as `Europe/Berlin`.
    pub tz: String,
    pub deleted: bool,
    pub is_bot: bool,
    pub is_restricted: bool,
    pub is_ultra_restricted: bool,
    pub is_stranger: bool,
    pub email_confirmed: bool,
    /// `None`: the workspace's own.
    pub team_id: Option<String>,
}

impl Person {
    /// A full member with a confirmed e-mail, in UTC.
    pub fn new(id: &str, name: &str, email: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            email: Some(email.to_owned()),
            title: String::new(),
            tz: "Etc/UTC".to_owned(),
            deleted: false,
            is_bot: false,
            is_restricted: false,
            is_ultra_restricted: false,
            is_stranger: false,
            email_confirmed: true,
            team_id: None,
        }
    }

    /// What their profile says they do.
    pub fn titled(self, title: &str) -> Self {
        Self { title: title.to_owned(), ..self }
    }

    /// Where their clock is: an IANA name.
    pub fn in_zone(self, tz: &str) -> Self {
        Self { tz: tz.to_owned(), ..self }
    }

    /// The short name Slack sends as `user_name`.
    pub fn handle(&self) -> String {
        self.name.split_whitespace().collect::<Vec<_>>().join(".").to_lowercase()
    }

    /// The direct message with the bot. Always the same for one person.
    pub fn dm(&self) -> String {
        dm_of(&self.id)
    }
}

/// The id of a person's direct message with the bot.
pub fn dm_of(user: &str) -> String {
    match user.strip_prefix('U') {
        Some(rest) => format!("D{rest}"),
        None => format!("D{user}"),
    }
}

#[derive(Clone, Debug)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub members: Vec<String>,
    pub bot_is_member: bool,
    pub archived: bool,
    pub private: bool,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub id: String,
    pub handle: String,
    pub members: Vec<String>,
}

/// One message, as it stands now.
#[derive(Clone, Debug)]
pub struct Message {
    pub channel: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    pub text: String,
    pub blocks: Vec<Value>,
    /// How many times it was updated.
    pub edited: u32,
    pub ephemeral: bool,
    /// Who wrote it: the bot's user id, or a person's.
    pub user: String,
    /// The only reader of an ephemeral message.
    pub to: Option<String>,
    pub metadata: Option<Value>,
}

impl Message {
    /// Whether it stands in a thread, below what it replies to.
    pub fn is_reply(&self) -> bool {
        self.thread_ts.as_ref().is_some_and(|thread| *thread != self.ts)
    }

    /// The visible texts of its buttons, in order.
    pub fn buttons(&self) -> Vec<String> {
        elements(&self.blocks)
            .into_iter()
            .filter(|(_, element)| element["type"] == "button")
            .map(|(_, element)| string(&element["text"]["text"]))
            .collect()
    }

    /// All readable text of `text` and the blocks, one piece a line, with Slack's three entities decoded.
    /// Mentions, links and dates stay as they were sent.
    pub fn plain(&self) -> String {
        let mut pieces = vec![self.text.clone()];
        texts(&Value::Array(self.blocks.clone()), &mut pieces);
        pieces.retain(|piece| !piece.is_empty());
        unescape(&pieces.join("\n"))
    }
}

/// A modal or a Home tab as one person sees it.
#[derive(Clone, Debug)]
pub struct View {
    pub id: String,
    pub callback_id: String,
    pub title: String,
    /// The whole view, as Slack would send it.
    pub value: Value,
    /// Red text under the inputs, by block id.
    pub errors: BTreeMap<String, String>,
}

impl View {
    pub fn new(value: Value) -> Self {
        Self {
            id: string(&value["id"]),
            callback_id: string(&value["callback_id"]),
            title: string(&value["title"]["text"]),
            value,
            errors: BTreeMap::new(),
        }
    }

    pub fn blocks(&self) -> &[Value] {
        self.value["blocks"].as_array().map_or(&[], Vec::as_slice)
    }

    /// All readable text of the title and the blocks, one piece a line.
    pub fn plain(&self) -> String {
        let mut pieces = vec![self.title.clone()];
        texts(&self.value["blocks"], &mut pieces);
        unescape(&pieces.join("\n"))
    }

    /// The visible texts of the buttons in it, in order.
    pub fn buttons(&self) -> Vec<String> {
        elements(self.blocks())
            .into_iter()
            .filter(|(_, element)| element["type"] == "button")
            .map(|(_, element)| string(&element["text"]["text"]))
            .collect()
    }
}

/// One Web API call, or one post to a response_url (`method` is then `response_url`).
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub args: Value,
    /// The answer, or `{"status": …}` / `{"fault": …}` where there was none to speak of.
    pub answered: Value,
}

/// What the bot answered to a signed request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 0 when nothing was sent or nothing came back.
    pub status: u16,
    pub body: String,
    pub json: Option<Value>,
    pub took: Duration,
    /// What Slack would have shown the person as trouble, or why nothing was sent.
    pub problem: Option<String>,
}

impl Answer {
    /// An answer to something that was never sent.
    pub fn unsent(problem: impl Into<String>) -> Self {
        Self { status: 0, body: String::new(), json: None, took: Duration::ZERO, problem: Some(problem.into()) }
    }

    /// The readable text of an ephemeral slash answer, or the errors of a submission.
    pub fn text(&self) -> String {
        let Some(json) = &self.json else { return unescape(&self.body) };
        if let Some(errors) = json["errors"].as_object() {
            return errors.values().map(string).collect::<Vec<_>>().join("\n");
        }
        let mut pieces = vec![string(&json["text"])];
        texts(&json["blocks"], &mut pieces);
        texts(&json["view"]["blocks"], &mut pieces);
        pieces.retain(|piece| !piece.is_empty());
        unescape(&pieces.join("\n"))
    }

    pub fn ok(&self) -> bool {
        self.problem.is_none()
    }
}

/// What a Web API call gets instead of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    RateLimited {
        retry_after: u64,
    },
    Status(u16),
    /// 200 with a web page.
    Html,
    /// No answer at all until the workspace stops.
    Hang,
    ApiError(String),
    MalformedJson,
    /// The connection ends before anything was done.
    Reset,
    /// The call is carried out, and the connection ends before the answer.
    Lost,
    /// The call is carried out, and no answer comes until the workspace stops.
    Held,
}

impl Fault {
    /// Whether the call has its effect all the same.
    pub fn is_carried_out(&self) -> bool {
        matches!(self, Self::Lost | Self::Held)
    }
}

pub struct PendingFault {
    pub method: Option<String>,
    pub times: usize,
    pub fault: Fault,
}

/// One use of somebody's click or command to open a modal.
pub struct Trigger {
    pub user: String,
    pub issued: i64,
    pub used: bool,
}

/// Where a response_url leads.
#[derive(Clone)]
pub struct ResponseUrl {
    pub user: String,
    pub channel: String,
    pub thread_ts: Option<String>,
    /// The message whose button was pressed; `None` for a slash command.
    pub original: Option<String>,
    pub issued: i64,
    pub uses: u32,
}

/// Everything behind the one lock.
#[derive(Default)]
pub struct State {
    pub bot_url: Option<String>,
    /// `None`: Slack's own.
    pub patience: Option<Duration>,
    /// The JSON with which the bot answered, by the path that it was asked at.
    pub answers: Vec<(String, Value)>,
    /// What the app declared when it was installed.
    pub app: Installed,
    /// `None`: those that the app declared.
    pub scopes: Option<Vec<String>>,
    pub people: Vec<Person>,
    pub channels: Vec<Channel>,
    pub groups: Vec<Group>,
    pub messages: Vec<Message>,
    /// Open modals by person, the topmost last.
    pub modals: HashMap<String, Vec<View>>,
    pub homes: HashMap<String, View>,
    pub triggers: HashMap<String, Trigger>,
    pub response_urls: HashMap<String, ResponseUrl>,
    /// The options last offered, by (view id or message ts, action id).
    pub offered: HashMap<(String, String), Vec<Value>>,
    pub calls: Vec<Call>,
    pub violations: Vec<String>,
    /// The events that the bot was sent, and the status of its answers.
    pub events: Vec<(Value, u16)>,
    /// What the bot is yet to hear of its own doing.
    pub echoes: Vec<Value>,
    /// Socket Mode.
    pub links: Links,
    pub faults: Vec<PendingFault>,
    pub notes: Vec<String>,
    /// Grows with every id that is given out.
    pub counter: u64,
}

impl State {
    pub fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// Whose direct message this is.
    pub fn dm_owner(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| !person.is_bot && person.dm() == id)
    }

    /// A channel id or a D id as it is; a person's id becomes their direct message.
    pub fn place(&self, id: &str) -> Option<String> {
        if let Some(person) = self.person(id) {
            return Some(person.dm());
        }
        (self.channel(id).is_some() || self.dm_owner(id).is_some()).then(|| id.to_owned())
    }

    /// What kind of place it is, in the words of message events.
    pub fn channel_type(&self, id: &str) -> &'static str {
        match self.channel(id) {
            Some(channel) if channel.private => "group",
            Some(_) => "channel",
            None => "im",
        }
    }

    /// The name Slack sends with a channel id.
    pub fn place_name(&self, id: &str) -> String {
        match self.channel(id) {
            Some(channel) if channel.private => "privategroup".to_owned(),
            Some(channel) => channel.name.clone(),
            None => "directmessage".to_owned(),
        }
    }

    pub fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.channel == channel && message.ts == ts)
    }

    pub fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.channel == channel && message.ts == ts)
    }

    /// An open modal or a Home tab, and whose it is.
    pub fn view(&self, id: &str) -> Option<(&str, &View)> {
        let modals = self.modals.iter().flat_map(|(user, stack)| stack.iter().map(move |view| (user.as_str(), view)));
        let homes = self.homes.iter().map(|(user, view)| (user.as_str(), view));
        modals.chain(homes).find(|(_, view)| view.id == id)
    }

    pub fn view_mut(&mut self, id: &str) -> Option<&mut View> {
        self.modals.values_mut().flatten().chain(self.homes.values_mut()).find(|view| view.id == id)
    }

    /// Takes one view off its stack; a stack without views is none.
    pub fn close_view(&mut self, id: &str) {
        for stack in self.modals.values_mut() {
            stack.retain(|view| view.id != id);
        }
        self.modals.retain(|_, stack| !stack.is_empty());
    }

    pub fn dislike(&mut self, violation: impl Into<String>) {
        self.violations.push(violation.into());
    }
}

/// The interactive elements of blocks with their block ids, in reading order.
pub fn elements(blocks: &[Value]) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for block in blocks {
        let id = string(&block["block_id"]);
        match block["type"].as_str() {
            Some("actions") => {
                found.extend(block["elements"].as_array().into_iter().flatten().map(|element| (id.clone(), element)));
            }
            Some("section") if block["accessory"].is_object() => found.push((id, &block["accessory"])),
            Some("input") => found.push((id, &block["element"])),
            _ => {}
        }
    }
    found
}

/// Gives every block a `block_id` and every interactive element an `action_id`, as Slack does.
pub fn with_ids(state: &mut State, blocks: &Value) -> Vec<Value> {
    let mut blocks = blocks.as_array().cloned().unwrap_or_default();
    for block in &mut blocks {
        if block["block_id"].as_str().is_none_or(str::is_empty) {
            block["block_id"] = json!(format!("b{:04}", state.next()));
        }
        let elements: Vec<&mut Value> = match block["type"].as_str() {
            Some("actions") => block["elements"].as_array_mut().into_iter().flatten().collect(),
            Some("section") => block.get_mut("accessory").into_iter().collect(),
            Some("input") => block.get_mut("element").into_iter().collect(),
            _ => Vec::new(),
        };
        for element in elements {
            if element.is_object() && element["type"] != "image" && !element["action_id"].is_string() {
                element["action_id"] = json!(format!("a{:04}", state.next()));
            }
        }
    }
    blocks
}

/// Collects the texts people read: text objects, alternative texts, and `markdown` blocks.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => {
            if let (Some(text), Some("plain_text" | "mrkdwn" | "markdown" | "text")) =
                (fields.get("text").and_then(Value::as_str), fields.get("type").and_then(Value::as_str))
            {
                into.push(text.to_owned());
                return;
            }
            into.extend(fields.get("alt_text").and_then(Value::as_str).map(str::to_owned));
            // Reading order, where a block has several parts.
            for name in
                ["title", "label", "text", "fields", "accessory", "element", "elements", "options", "hint", "rows"]
            {
                if let Some(part) = fields.get(name) {
                    texts(part, into);
                }
            }
        }
        _ => {}
    }
}

/// The string in it, or the empty one.
pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Decodes Slack's three entities, once.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
