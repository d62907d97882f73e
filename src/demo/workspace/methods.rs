//! What each Web API method does to the workspace, and the errors Slack would give.
//!
//! The views.* methods are in `views.rs`, those that read messages in `history.rs`. To add one: a row in [`METHODS`], an arm in [`Workspace::call`].

use serde_json::{Map, Value, json};

use super::{
    Workspace,
    model::{Message, State, string, with_ids},
    shapes, validate,
};

/// Why a call failed, as Slack says it.
#[derive(Debug)]
pub struct Failure {
    error: String,
    messages: Vec<String>,
    more: Vec<(&'static str, Value)>,
}

impl Failure {
    pub fn new(error: &str) -> Self {
        Self { error: error.to_owned(), messages: Vec::new(), more: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more.push((name, value));
        self
    }

    fn saying(error: &str, messages: Vec<String>) -> Self {
        Self { messages, ..Self::new(error) }
    }

    pub fn missing(argument: &str) -> Self {
        Self::saying("invalid_arguments", vec![format!("missing required field: {argument}")])
    }

    pub fn json(&self) -> Value {
        let mut value = json!({ "ok": false, "error": self.error });
        if !self.messages.is_empty() {
            value["errors"] = json!(self.messages);
            let messages = self.messages.iter().map(|message| format!("[ERROR] {message}"));
            value["response_metadata"] = json!({ "messages": messages.collect::<Vec<_>>() });
        }
        for (name, more) in &self.more {
            value[*name] = more.clone();
        }
        value
    }
}

pub type Args = Map<String, Value>;
pub type Outcome = Result<Value, Failure>;

pub struct Method {
    pub name: &'static str,
    pub args: &'static [&'static str],
    /// Changes nothing; takes query and form arguments only.
    pub reads: bool,
    /// Without it the answer is `missing_scope`.
    pub scope: Option<&'static str>,
}

const fn reads(name: &'static str, args: &'static [&'static str]) -> Method {
    Method { name, args, reads: true, scope: scope_of(name) }
}

const fn writes(name: &'static str, args: &'static [&'static str]) -> Method {
    Method { name, args, reads: false, scope: scope_of(name) }
}

/// The scope that Slack's documentation demands. A channel of ours is a public one.
const fn scope_of(name: &str) -> Option<&'static str> {
    match name.as_bytes() {
        b"team.info" => Some("team:read"),
        b"users.info" => Some("users:read"),
        b"users.lookupByEmail" => Some("users:read.email"),
        b"usergroups.list" | b"usergroups.users.list" => Some("usergroups:read"),
        b"conversations.info" => Some("channels:read"),
        b"conversations.history" | b"conversations.replies" => Some("channels:history"),
        b"conversations.open" => Some("im:write"),
        b"chat.postMessage" | b"chat.update" | b"chat.postEphemeral" => Some("chat:write"),
        _ => None,
    }
}

pub const METHODS: &[Method] = &[
    writes("auth.test", &[]),
    reads("team.info", &["team"]),
    reads("users.info", &["user", "include_locale"]),
    reads("users.lookupByEmail", &["email"]),
    reads("usergroups.list", &["include_count", "include_disabled", "include_users", "team_id"]),
    reads("usergroups.users.list", &["usergroup", "include_disabled", "team_id"]),
    reads("conversations.info", &["channel", "include_locale", "include_num_members"]),
    reads(
        "conversations.history",
        &["channel", "cursor", "include_all_metadata", "inclusive", "latest", "limit", "oldest"],
    ),
    reads(
        "conversations.replies",
        &["channel", "ts", "cursor", "include_all_metadata", "inclusive", "latest", "limit", "oldest"],
    ),
    writes("conversations.open", &["users", "channel", "return_im", "prevent_creation"]),
    writes(
        "chat.postMessage",
        &[
            "channel",
            "text",
            "blocks",
            "attachments",
            "thread_ts",
            "reply_broadcast",
            "metadata",
            "unfurl_links",
            "unfurl_media",
            "parse",
            "link_names",
            "mrkdwn",
            "markdown_text",
        ],
    ),
    writes(
        "chat.update",
        &[
            "channel",
            "ts",
            "text",
            "blocks",
            "attachments",
            "metadata",
            "parse",
            "link_names",
            "reply_broadcast",
            "markdown_text",
        ],
    ),
    writes(
        "chat.postEphemeral",
        &["channel", "user", "text", "blocks", "attachments", "thread_ts", "parse", "link_names", "markdown_text"],
    ),
    reads("chat.getPermalink", &["channel", "message_ts"]),
    writes("views.open", &["trigger_id", "interactivity_pointer", "view"]),
    writes("views.push", &["trigger_id", "interactivity_pointer", "view"]),
    writes("views.update", &["view_id", "external_id", "view", "hash"]),
    writes("views.publish", &["user_id", "view", "hash"]),
];

pub fn text(args: &Args, name: &str) -> Option<String> {
    args.get(name).and_then(Value::as_str).filter(|value| !value.is_empty()).map(str::to_owned)
}

pub fn needed(args: &Args, name: &str) -> Result<String, Failure> {
    text(args, name).ok_or_else(|| Failure::missing(name))
}

pub fn yes(args: &Args, name: &str) -> bool {
    args.get(name).is_some_and(|value| matches!(value.as_str(), Some("true" | "1")) || *value == json!(true))
}

/// An argument that is JSON, as such or as a string.
pub fn structured(args: &Args, name: &str, error: &str) -> Result<Option<Value>, Failure> {
    match args.get(name) {
        Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| Failure::new(error)),
        other => Ok(other.cloned()),
    }
}

/// The part of a message the bot sends.
struct Content {
    text: String,
    blocks: Vec<Value>,
    metadata: Option<Value>,
}

impl Workspace {
    pub(super) fn call(&self, state: &mut State, method: &str, args: &Args) -> Outcome {
        match method {
            "auth.test" => Ok(self.auth_test()),
            "team.info" => self.team_info(args),
            "users.info" => {
                let id = needed(args, "user")?;
                let person = state.person(&id).ok_or_else(|| Failure::new("user_not_found"))?;
                Ok(json!({ "user": self.person_json(person, yes(args, "include_locale")) }))
            }
            "users.lookupByEmail" => {
                let email = needed(args, "email")?;
                let has_it = |own: &String| own.eq_ignore_ascii_case(&email);
                let mut people = state.people.iter().filter(|person| !person.deleted);
                let person = people.find(|person| person.email.as_ref().is_some_and(has_it));
                let person = person.ok_or_else(|| Failure::new("users_not_found"))?;
                Ok(json!({ "user": self.person_json(person, false) }))
            }
            "usergroups.list" => {
                let users = yes(args, "include_users");
                let groups: Vec<Value> = state.groups.iter().map(|group| self.group_json(group, users)).collect();
                Ok(json!({ "usergroups": groups }))
            }
            "usergroups.users.list" => {
                let id = needed(args, "usergroup")?;
                let group = state.groups.iter().find(|group| group.id == id);
                Ok(json!({ "users": group.ok_or_else(|| Failure::new("no_such_subteam"))?.members }))
            }
            "conversations.info" => {
                let id = needed(args, "channel")?;
                let channel = state.channel(&id).map(|channel| {
                    let mut value = self.channel_json(channel);
                    if yes(args, "include_num_members") {
                        value["num_members"] = json!(channel.members.len());
                    }
                    value
                });
                let channel = channel.or_else(|| state.dm_owner(&id).map(|person| self.dm_json(person)));
                Ok(json!({ "channel": channel.ok_or_else(|| Failure::new("channel_not_found"))? }))
            }
            "conversations.history" => self.history(state, args),
            "conversations.replies" => self.thread(state, args),
            "conversations.open" => self.conversations_open(state, args),
            "chat.postMessage" => self.post_message(state, args),
            "chat.update" => self.update_message(state, args),
            "chat.postEphemeral" => self.post_ephemeral(state, args),
            "chat.getPermalink" => {
                let (channel, ts) = (needed(args, "channel")?, needed(args, "message_ts")?);
                state
                    .place(&channel)
                    .filter(|place| *place == channel)
                    .ok_or_else(|| Failure::new("channel_not_found"))?;
                let message = state.message(&channel, &ts).filter(|message| !message.ephemeral);
                let message = message.ok_or_else(|| Failure::new("message_not_found"))?;
                let mut link = format!("{}/archives/{channel}/p{}", self.0.origin, ts.replace('.', ""));
                if let Some(thread) = &message.thread_ts {
                    link.push_str(&format!("?thread_ts={thread}&cid={channel}"));
                }
                Ok(json!({ "channel": channel, "permalink": link }))
            }
            "views.open" | "views.push" => self.open_view(state, method, args),
            "views.update" => self.update_view(state, args),
            "views.publish" => self.publish_view(state, args),
            _ => Err(Failure::new("unknown_method")),
        }
    }

    fn auth_test(&self) -> Value {
        let config = &self.0.config;
        json!({
            "url": self.page_url(), "team": shapes::TEAM_NAME, "user": config.bot_name.to_lowercase(),
            "team_id": config.team_id, "user_id": shapes::bot_user_id(config), "bot_id": shapes::bot_id(config),
            "enterprise_id": null, "is_enterprise_install": false,
        })
    }

    fn team_info(&self, args: &Args) -> Outcome {
        let config = &self.0.config;
        if text(args, "team").is_some_and(|team| team != config.team_id) {
            return Err(Failure::new("team_not_found"));
        }
        Ok(json!({ "team": {
            "id": config.team_id, "name": shapes::TEAM_NAME, "url": self.page_url(), "domain": shapes::TEAM_DOMAIN,
            "email_domain": "acme.test", "icon": { "image_default": true }, "avatar_base_url": "", "is_verified": false,
        }}))
    }

    fn conversations_open(&self, state: &mut State, args: &Args) -> Outcome {
        if let Some(id) = text(args, "channel") {
            let person = state.dm_owner(&id).ok_or_else(|| Failure::new("channel_not_found"))?;
            return Ok(json!({ "no_op": true, "already_open": true, "channel": self.dm_json(person) }));
        }
        let users: Vec<String> = match args.get("users") {
            Some(Value::Array(users)) => users.iter().map(string).collect(),
            Some(Value::String(users)) => users.split(',').map(|user| user.trim().to_owned()).collect(),
            _ => return Err(Failure::new("users_list_not_supplied")),
        };
        let [id] = users.as_slice() else { return Err(Failure::new("invalid_user_combination")) };
        let person = state.person(id).filter(|person| !person.is_bot).ok_or_else(|| Failure::new("user_not_found"))?;
        if person.deleted {
            return Err(Failure::new("user_disabled"));
        }
        let channel = if yes(args, "return_im") { self.dm_json(person) } else { json!({ "id": person.dm() }) };
        Ok(json!({ "channel": channel }))
    }

    /// Records what is wrong, and fails with it.
    pub(super) fn refuse(
        &self,
        state: &mut State,
        method: &str,
        error: &str,
        found: Vec<String>,
    ) -> Result<(), Failure> {
        if found.is_empty() {
            return Ok(());
        }
        for what in &found {
            state.dislike(format!("{method}: {what}"));
        }
        Err(Failure::saying(error, found))
    }

    /// Text, blocks and metadata, all of them judged. `None`: there is neither text nor block.
    pub(super) fn dislikes(&self, state: &mut State, method: &str, text: &str, blocks: &Value) -> Result<(), Failure> {
        let with_blocks = blocks.as_array().is_some_and(|blocks| !blocks.is_empty());
        for what in validate::text(text, with_blocks) {
            state.dislike(format!("{method}: {what}"));
        }
        if blocks.is_null() {
            return Ok(());
        }
        self.refuse(state, method, "invalid_blocks", validate::blocks(validate::Surface::Message, blocks))
    }

    fn content(&self, state: &mut State, method: &str, args: &Args) -> Result<Content, Failure> {
        let updates = method == "chat.update";
        let given = args.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut blocks = structured(args, "blocks", "invalid_blocks_format")?.unwrap_or(Value::Null);
        if blocks == json!([]) && updates {
            // chat.update takes the empty list: it removes the blocks.
            blocks = Value::Null;
        }
        let given = if given.is_empty() { text(args, "markdown_text").unwrap_or_default() } else { given };
        if given.is_empty() && blocks.is_null() {
            return Err(Failure::new("no_text"));
        }
        if validate::length(&given) > if updates { 4000 } else { 40_000 } {
            state.dislike(format!("{method}: the text is too long"));
            return Err(Failure::new("msg_too_long"));
        }
        self.dislikes(state, method, &given, &blocks)?;
        let metadata = structured(args, "metadata", "invalid_metadata_format")?.unwrap_or(Value::Null);
        if !metadata.is_null() {
            self.refuse(state, method, "invalid_metadata_format", validate::metadata(&metadata))?;
        }
        let blocks = with_ids(state, &blocks);
        Ok(Content { text: given, blocks, metadata: Self::metadata(&metadata) })
    }

    /// Where the bot may write: a channel it is in, or a direct message.
    fn writable(&self, state: &State, id: &str) -> Result<String, Failure> {
        if let Some(channel) = state.channel(id) {
            if channel.archived {
                return Err(Failure::new("is_archived"));
            }
            if !channel.bot_is_member {
                return Err(Failure::new("not_in_channel"));
            }
            return Ok(channel.id.clone());
        }
        let person = state.dm_owner(id).filter(|person| !person.deleted);
        person.map(|person| person.dm()).ok_or_else(|| Failure::new("channel_not_found"))
    }

    fn post_message(&self, state: &mut State, args: &Args) -> Outcome {
        let wanted = needed(args, "channel")?;
        let person = state.person(&wanted).filter(|person| !person.is_bot).map(|person| person.dm());
        let channel = self.writable(state, person.as_deref().unwrap_or(&wanted))?;
        let content = self.content(state, "chat.postMessage", args)?;
        let thread_ts = text(args, "thread_ts");
        if let Some(ts) = &thread_ts {
            match state.message(&channel, ts) {
                Some(parent) if parent.is_reply() => {
                    state.dislike("chat.postMessage: thread_ts is a reply, not a parent")
                }
                Some(parent) if !parent.ephemeral => {}
                _ => return Err(Failure::new("thread_not_found")),
            }
        }
        let ts = self.ts(state);
        let message = Message {
            channel: channel.clone(),
            ts: ts.clone(),
            thread_ts,
            text: content.text,
            blocks: content.blocks,
            edited: 0,
            ephemeral: false,
            user: self.bot_user_id(),
            to: None,
            metadata: content.metadata,
        };
        let shown = self.message_json(&message);
        self.echo_post(state, &message);
        state.messages.push(message);
        Ok(json!({ "channel": channel, "ts": ts, "message": shown }))
    }

    fn update_message(&self, state: &mut State, args: &Args) -> Outcome {
        let (channel, ts) = (needed(args, "channel")?, needed(args, "ts")?);
        // Unlike chat.postMessage this takes no person's id.
        let channel = self.writable(state, &channel)?;
        match state.message(&channel, &ts) {
            None => return Err(Failure::new("message_not_found")),
            Some(message) if message.ephemeral => return Err(Failure::new("message_not_found")),
            Some(message) if message.user != self.bot_user_id() => return Err(Failure::new("cant_update_message")),
            Some(_) => {}
        }
        let content = self.content(state, "chat.update", args)?;
        let before = state.message(&channel, &ts).map(|message| self.message_json(message)).unwrap_or_default();
        let message = state.message_mut(&channel, &ts).ok_or_else(|| Failure::new("message_not_found"))?;
        message.text = content.text;
        message.blocks = content.blocks;
        if args.contains_key("metadata") {
            message.metadata = content.metadata;
        }
        message.edited += 1;
        let shown = self.message_json(message);
        self.echo_edit(state, &before, &shown, &channel);
        Ok(json!({ "channel": channel, "ts": ts, "text": shown["text"], "message": shown }))
    }

    fn post_ephemeral(&self, state: &mut State, args: &Args) -> Outcome {
        let (channel, user) = (needed(args, "channel")?, needed(args, "user")?);
        let channel = self.writable(state, &channel)?;
        let inside = match state.channel(&channel) {
            Some(known) => known.members.contains(&user),
            None => state.dm_owner(&channel).is_some_and(|person| person.id == user),
        };
        if !inside {
            return Err(Failure::new("user_not_in_channel"));
        }
        let content = self.content(state, "chat.postEphemeral", args)?;
        let thread_ts = text(args, "thread_ts");
        let ts = self.show_ephemeral(state, &channel, &user, thread_ts, content.text, content.blocks);
        Ok(json!({ "message_ts": ts }))
    }

    /// Shows one person a message; its ts.
    pub(super) fn show_ephemeral(
        &self,
        state: &mut State,
        channel: &str,
        user: &str,
        thread_ts: Option<String>,
        text: String,
        blocks: Vec<Value>,
    ) -> String {
        let ts = self.ts(state);
        state.messages.push(Message {
            channel: channel.to_owned(),
            ts: ts.clone(),
            thread_ts,
            text,
            blocks,
            edited: 0,
            ephemeral: true,
            user: self.bot_user_id(),
            to: Some(user.to_owned()),
            metadata: None,
        });
        ts
    }
}
