//! What people do: type commands, take shortcuts, press buttons. Each is one signed request, as Slack's client makes it.

use serde_json::{Value, json};

use super::{
    Workspace, form,
    model::{Answer, Message, ResponseUrl, State, Trigger, View, elements, string},
    shapes::TEAM_DOMAIN,
};

/// Where a button stands.
enum Place {
    Message(Message),
    View(View),
}

impl Workspace {
    /// Types a slash command. `channel` may be a person's id or a D id: their direct message with the bot.
    pub async fn command(&self, user: &str, channel: &str, command: &str, text: &str) -> Answer {
        let prepared = self.update(|state| {
            let place = state.place(channel)?;
            let at = self.answerable(user, &place, None, None);
            let url = self.response_url(state, at.clone());
            let name = state.place_name(&place);
            let handle = string(&self.actor_json(state, user)["name"]);
            let team = string(&self.actor_json(state, user)["team_id"]);
            Some((at, url, name, handle, team, self.trigger(state, user)))
        });
        let Some((at, url, name, handle, team, trigger)) = prepared else {
            return Answer::unsent(format!("there is no channel {channel}"));
        };
        let app = self.app_id();
        let fields = [
            ("token", "deprecated"),
            ("team_id", &team),
            ("team_domain", TEAM_DOMAIN),
            ("channel_id", &at.channel),
            ("channel_name", &name),
            ("user_id", user),
            ("user_name", &handle),
            ("command", command),
            ("text", text),
            ("api_app_id", &app),
            ("is_enterprise_install", "false"),
            ("response_url", &url),
            ("trigger_id", &trigger),
        ];
        let mut answer = self.send_command(&fields).await;
        if answer.problem.is_some() || answer.body.is_empty() {
            return answer;
        }
        let sent = answer.json.clone().unwrap_or_else(|| json!({ "text": answer.body }));
        let typed = format!("{command} {text}");
        let shown = self.update(|state| {
            if sent["response_type"] == "in_channel" {
                let typed = self.said(state, user, &at.channel, typed.trim());
                state.messages.push(typed);
            }
            self.answer_place(state, "the answer to a command", &at, &sent)
        });
        self.echo();
        answer.problem = shown.err().map(|error| format!("failed with the error “{error}”"));
        answer
    }

    /// Takes a global shortcut from the menu beside the message line.
    pub async fn shortcut(&self, user: &str, callback_id: &str) -> Answer {
        let payload = self.update(|state| {
            if !state.app.shortcuts.iter().any(|shortcut| shortcut.callback_id == callback_id) {
                let known: Vec<&str> = state.app.shortcuts.iter().map(|known| known.callback_id.as_str()).collect();
                return Err(format!(
                    "the app's manifest declares no global shortcut {callback_id} (features.shortcuts); there are: {known:?}"
                ));
            }
            let mut payload = self.envelope(state, "shortcut", user);
            payload["callback_id"] = json!(callback_id);
            payload["action_ts"] = json!(self.ts(state));
            payload["trigger_id"] = json!(self.trigger(state, user));
            Ok(payload)
        });
        match payload {
            Ok(payload) => self.send_payload("/slack/interactions", &payload).await,
            Err(problem) => Answer::unsent(problem),
        }
    }

    /// Presses the button with this visible text, on the message as it is given: a stale copy sends the stale button.
    /// A confirmation is taken as given.
    pub async fn press(&self, user: &str, message: &Message, button: &str) -> Answer {
        let fits = |element: &Value| element["type"] == "button" && element["text"]["text"] == button;
        let Some((block, element)) = find(&message.blocks, fits) else {
            return Answer::unsent(format!(
                "there is no button {button} on the message; there are: {:?}; it says: {}",
                message.buttons(),
                message.plain()
            ));
        };
        self.act(user, Place::Message(message.clone()), block, element, None).await
    }

    /// Presses the button with this action id, on the message as it is now.
    pub async fn press_action(&self, user: &str, channel: &str, ts: &str, action_id: &str) -> Answer {
        self.choose(user, channel, ts, action_id, None).await
    }

    /// Presses a button of a message, or (with `value`: an option's value or text) chooses in a select or a menu.
    pub async fn choose(&self, user: &str, channel: &str, ts: &str, action_id: &str, value: Option<&str>) -> Answer {
        let message = self.read(|state| state.message(&state.place(channel)?, ts).cloned());
        let Some(message) = message else { return Answer::unsent(format!("there is no message {ts} in {channel}")) };
        let Some((block, element)) = find(&message.blocks, |element| element["action_id"] == action_id) else {
            return Answer::unsent(format!("there is no action {action_id} on the message: {}", message.plain()));
        };
        self.act(user, Place::Message(message), block, element, value).await
    }

    /// Presses a button of a modal or a Home tab, by its visible text or action id, or chooses there (`value`).
    pub async fn press_view(&self, user: &str, view_id: &str, button: &str, value: Option<&str>) -> Answer {
        let view = self.read(|state| state.view(view_id).filter(|(of, _)| *of == user).map(|(_, view)| view.clone()));
        let Some(view) = view else { return Answer::unsent(format!("{user} has no view {view_id}")) };
        let fits = |element: &Value| element["action_id"] == button || element["text"]["text"] == button;
        let Some((block, element)) = find(view.blocks(), fits) else {
            return Answer::unsent(format!("there is no button {button} in the view; there are: {:?}", view.buttons()));
        };
        if self.read(|state| state.modals.get(user).and_then(|stack| stack.last()).is_some_and(|top| top.id != view_id))
            && view.value["type"] == "modal"
        {
            return Answer::unsent(format!("{view_id} is not the topmost modal of {user}"));
        }
        let quiet = |known: &Value| known["block_id"] == *block && known["type"] == "input";
        if view.blocks().iter().any(|known| quiet(known) && known["dispatch_action"] != json!(true)) {
            return Answer::unsent(format!("the input {block} has no dispatch_action: the bot hears of it on submit"));
        }
        self.act(user, Place::View(view), block, element, value).await
    }

    /// Presses a button of this person's Home tab.
    pub async fn press_home(&self, user: &str, button: &str) -> Answer {
        match self.home(user) {
            Some(home) => self.press_view(user, &home.id, button, None).await,
            None => Answer::unsent(format!("{user} has no Home tab yet")),
        }
    }

    async fn act(&self, user: &str, place: Place, block: String, element: Value, value: Option<&str>) -> Answer {
        let payload = self.update(|state| self.action_payload(state, user, &place, &block, &element, value));
        match payload {
            Ok(payload) => self.send_payload("/slack/interactions", &payload).await,
            Err(problem) => Answer::unsent(problem),
        }
    }

    fn action_payload(
        &self,
        state: &mut State,
        user: &str,
        place: &Place,
        block: &str,
        element: &Value,
        value: Option<&str>,
    ) -> Result<Value, String> {
        let kind = string(&element["type"]);
        let mut action = json!({ "type": kind, "action_id": element["action_id"], "block_id": block });
        action["action_ts"] = json!(self.ts(state));
        match (kind.as_str(), value) {
            ("button", _) => {
                for name in ["text", "value", "style", "url"] {
                    if let Some(value) = element.get(name) {
                        action[name] = value.clone();
                    }
                }
            }
            ("overflow", Some(wanted)) => {
                let options = element["options"].as_array().into_iter().flatten();
                let fits = |option: &&Value| option["value"] == wanted || option["text"]["text"] == wanted;
                let chosen = options.clone().find(fits).ok_or_else(|| format!("there is no option {wanted}"))?;
                action["selected_option"] = chosen.clone();
            }
            (_, Some(wanted)) => {
                let of = match place {
                    Place::Message(message) => &message.ts,
                    Place::View(view) => &view.id,
                };
                let offered = state.offered.get(&(of.clone(), string(&element["action_id"]))).cloned();
                let entry = form::value_of(state, element, wanted, &offered.unwrap_or_default())?;
                if let Place::View(view) = place
                    && let Some(known) = state.view_mut(&view.id)
                {
                    known.value["state"]["values"][block][string(&element["action_id"])] = entry.clone();
                }
                for (name, value) in entry.as_object().into_iter().flatten() {
                    action[name] = value.clone();
                }
            }
            (_, None) => return Err(format!("a {kind} needs to be told what is chosen")),
        }
        let mut payload = self.envelope(state, "block_actions", user);
        payload["trigger_id"] = json!(self.trigger(state, user));
        payload["actions"] = json!([action]);
        match place {
            Place::Message(message) => {
                let (channel, name) = (&message.channel, state.place_name(&message.channel));
                let mut container = json!({
                    "type": "message", "message_ts": message.ts, "channel_id": channel, "is_ephemeral": message.ephemeral,
                });
                if let Some(thread) = &message.thread_ts {
                    container["thread_ts"] = json!(thread);
                }
                payload["container"] = container;
                payload["channel"] = json!({ "id": channel, "name": name });
                if !message.ephemeral {
                    payload["message"] = self.message_json(message);
                    thread_facts(state, message, &mut payload["message"]);
                }
                payload["state"] = json!({ "values": form::initial_values(&message.blocks) });
                let at = self.answerable(user, channel, message.thread_ts.clone(), Some(message.ts.clone()));
                payload["response_url"] = json!(self.response_url(state, at));
            }
            Place::View(view) => {
                // What was chosen just now is already in it.
                let view = state.view(&view.id).map_or(&view.value, |(_, known)| &known.value);
                payload["container"] = json!({ "type": "view", "view_id": view["id"] });
                payload["view"] = view.clone();
            }
        }
        Ok(payload)
    }

    /// Tells the bot what a person is now, as Slack does after a change (`user_change`).
    pub async fn announce_person(&self, id: &str) -> Answer {
        let user = self.read(|state| state.person(id).map(|person| self.person_json(person, false)));
        let Some(user) = user else { return Answer::unsent(format!("there is nobody called {id}")) };
        let now = self.now();
        self.event(json!({ "type": "user_change", "user": user, "cache_ts": now, "event_ts": format!("{now}.000000") }))
            .await
    }

    /// What all interactions have.
    pub(super) fn envelope(&self, state: &State, kind: &str, user: &str) -> Value {
        json!({
            "type": kind, "user": self.actor_json(state, user), "api_app_id": self.app_id(), "token": "deprecated",
            "team": { "id": self.0.config.team_id, "domain": TEAM_DOMAIN }, "enterprise": null,
            "is_enterprise_install": false,
        })
    }

    pub(super) fn trigger(&self, state: &mut State, user: &str) -> String {
        let id = format!("{}.{}.{}", state.next(), self.now(), self.secret(state, "trigger"));
        state.triggers.insert(id.clone(), Trigger { user: user.to_owned(), issued: self.now(), used: false });
        id
    }

    fn answerable(
        &self,
        user: &str,
        channel: &str,
        thread_ts: Option<String>,
        original: Option<String>,
    ) -> ResponseUrl {
        ResponseUrl {
            user: user.to_owned(),
            channel: channel.to_owned(),
            thread_ts,
            original,
            issued: self.now(),
            uses: 0,
        }
    }
}

/// The first interactive element that fits, with its block id.
pub(super) fn find(blocks: &[Value], fits: impl Fn(&Value) -> bool) -> Option<(String, Value)> {
    elements(blocks).into_iter().find(|(_, element)| fits(element)).map(|(block, element)| (block, element.clone()))
}

/// What Slack adds to the parent of a thread.
fn thread_facts(state: &State, message: &Message, shown: &mut Value) {
    let of_it = |reply: &&Message| reply.channel == message.channel && reply.thread_ts.as_ref() == Some(&message.ts);
    let replies: Vec<&Message> = state.messages.iter().filter(of_it).filter(|reply| !reply.ephemeral).collect();
    let Some(last) = replies.last() else { return };
    let mut users: Vec<&str> = Vec::new();
    for reply in &replies {
        if !users.contains(&reply.user.as_str()) {
            users.push(&reply.user);
        }
    }
    shown["thread_ts"] = json!(message.ts);
    shown["reply_count"] = json!(replies.len());
    shown["reply_users_count"] = json!(users.len());
    shown["reply_users"] = json!(users);
    shown["latest_reply"] = json!(last.ts);
}

#[cfg(test)]
#[path = "act_tests.rs"]
mod tests;
