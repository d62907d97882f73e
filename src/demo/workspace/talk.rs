//! What people write, in channels, direct messages and threads, and what the bot hears of it.
//!
//! The bot hears of its own posts and edits too, as it does from Slack: whoever answers those answers itself for ever.

use serde_json::{Value, json};

use super::{
    Workspace, app,
    model::{Answer, Message, State, dm_of},
};

impl Workspace {
    /// Writes an ordinary message. The bot is told if it is there and may read; else `problem` says why it is not, and
    /// the message stands all the same.
    pub async fn say(&self, user: &str, channel: &str, text: &str) -> Answer {
        self.write(user, channel, None, text).await
    }

    /// Replies in a thread, as [`Workspace::say`] does outside of one. `thread_ts` is the ts of the thread's parent.
    pub async fn reply(&self, user: &str, channel: &str, thread_ts: &str, text: &str) -> Answer {
        self.write(user, channel, Some(thread_ts), text).await
    }

    async fn write(&self, user: &str, channel: &str, thread_ts: Option<&str>, text: &str) -> Answer {
        let event = self.update(|state| {
            let place = state.place(channel).ok_or_else(|| format!("there is no channel {channel}"))?;
            if state.channel(&place).is_some_and(|channel| !channel.members.iter().any(|member| member == user)) {
                return Err(format!("{user} is not in {channel}"));
            }
            if let Some(ts) = thread_ts
                && state.message(&place, ts).is_none_or(|parent| parent.ephemeral || parent.is_reply())
            {
                return Err(format!("{ts} is not the parent of a thread in {channel}"));
            }
            let mut message = self.said(state, user, &place, text);
            message.thread_ts = thread_ts.map(str::to_owned);
            state.messages.push(message.clone());
            self.message_event(state, &message)
        });
        match event {
            Ok(event) => self.event(event).await,
            Err(problem) => Answer::unsent(problem),
        }
    }

    /// A message of this person's, not yet in the channel.
    pub(super) fn said(&self, state: &mut State, user: &str, channel: &str, text: &str) -> Message {
        Message {
            channel: channel.to_owned(),
            ts: self.ts(state),
            thread_ts: None,
            text: text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            blocks: Vec::new(),
            edited: 0,
            ephemeral: false,
            user: user.to_owned(),
            to: None,
            metadata: None,
        }
    }

    /// The replies of a thread, in order, without its parent.
    pub fn replies(&self, channel: &str, thread_ts: &str) -> Vec<Message> {
        let in_thread = |message: &Message| message.thread_ts.as_deref() == Some(thread_ts) && message.is_reply();
        self.messages(channel).into_iter().filter(in_thread).collect()
    }

    /// The `message` event of a new message. `Err`: why the bot is not told.
    fn message_event(&self, state: &mut State, message: &Message) -> Result<Value, String> {
        let kind = self.heard(state, &message.channel)?;
        let mut event = self.message_json(message);
        if let Some(thread) = message.thread_ts.as_ref().filter(|ts| **ts != message.ts) {
            event["parent_user_id"] = json!(state.message(&message.channel, thread).map(|parent| &parent.user));
        }
        if message.user != self.bot_user_id() {
            let random = self.secret(state, "client_msg_id");
            let hex: String = random.bytes().map(|byte| format!("{byte:02x}")).collect();
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
            event["client_msg_id"] = json!(parts.join("-"));
            let text = super::model::unescape(&message.text);
            event["blocks"] = json!([{
                "type": "rich_text", "block_id": format!("b{:04}", state.next()),
                "elements": [{ "type": "rich_text_section", "elements": [{ "type": "text", "text": text }] }],
            }]);
        }
        event["channel"] = json!(message.channel);
        event["event_ts"] = json!(message.ts);
        event["channel_type"] = json!(kind);
        Ok(event)
    }

    /// The type of a channel whose messages the bot hears. `Err`: why it does not.
    fn heard(&self, state: &State, channel: &str) -> Result<&'static str, String> {
        let kind = state.channel_type(channel);
        if state.channel(channel).is_some_and(|channel| !channel.bot_is_member) {
            return Err(format!("the bot is not in {channel}"));
        }
        let (event, scope) = app::message_event(kind);
        state.subscribed(event, Some(scope))?;
        Ok(kind)
    }

    /// The bot posted this: it is told so, once the call that did it is answered.
    pub(super) fn echo_post(&self, state: &mut State, message: &Message) {
        if let Ok(event) = self.message_event(state, message) {
            state.echoes.push(event);
        }
    }

    /// The bot changed this message: it is told so too.
    pub(super) fn echo_edit(&self, state: &mut State, before: &Value, after: &Value, channel: &str) {
        if let Ok(kind) = self.heard(state, channel) {
            let ts = self.ts(state);
            state.echoes.push(json!({
                "type": "message", "subtype": "message_changed", "message": after, "previous_message": before,
                "channel": channel, "hidden": true, "ts": ts, "event_ts": ts, "channel_type": kind,
            }));
        }
    }

    /// Sends what the bot is to hear of its own doing, in order, behind its back.
    pub(super) fn echo(&self) {
        let echoes = self.update(|state| std::mem::take(&mut state.echoes));
        if echoes.is_empty() {
            return;
        }
        let workspace = self.clone();
        tokio::spawn(async move {
            for event in echoes {
                workspace.event(event).await;
            }
        });
    }

    /// Opens the Home tab: the bot is told, and publishes what it has to show.
    pub async fn open_home(&self, user: &str) -> Answer {
        if !self.read(|state| state.app.home_tab) {
            return Answer::unsent("the app's manifest has no Home tab (features.app_home.home_tab_enabled)");
        }
        self.open_tab(user, "home").await
    }

    /// Opens the direct message with the bot, which Slack tells the bot in the same way.
    pub async fn open_messages(&self, user: &str) -> Answer {
        self.open_tab(user, "messages").await
    }

    async fn open_tab(&self, user: &str, tab: &str) -> Answer {
        let event = self.update(|state| {
            state.subscribed("app_home_opened", None)?;
            let mut event = json!({
                "type": "app_home_opened", "user": user, "channel": dm_of(user), "tab": tab,
                "event_ts": self.ts(state),
            });
            if let Some(view) = state.homes.get(user).filter(|_| tab == "home") {
                event["view"] = view.value.clone();
            }
            Ok::<_, String>(event)
        });
        match event {
            Ok(event) => self.event(event).await,
            Err(problem) => Answer::unsent(problem),
        }
    }
}
