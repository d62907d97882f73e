//! What people do: type commands, press buttons, fill in modals. Each is one signed request, as Slack's client makes it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Workspace,
    form::{self, Unsent},
    model::{Answer, Message, ResponseUrl, State, Trigger, VIEW_STACK, View, elements, string},
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
        let mut answer = self.send_form("/slack/commands", &fields).await;
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
        answer.problem = shown.err().map(|error| format!("failed with the error “{error}”"));
        answer
    }

    /// Writes an ordinary message. The bot is not told: it has no scope to read messages.
    pub fn say(&self, user: &str, channel: &str, text: &str) {
        self.update(|state| {
            let place = state.place(channel).unwrap_or_else(|| channel.to_owned());
            let message = self.said(state, user, &place, text);
            state.messages.push(message);
        });
    }

    fn said(&self, state: &mut State, user: &str, channel: &str, text: &str) -> Message {
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

    /// Fills in the inputs of a modal (by block id, label or action id) and submits it, then does what the bot answers.
    /// What Slack's client would not send is not sent: the errors then stand in the view and in `problem`.
    pub async fn submit(&self, user: &str, view_id: &str, values: &[(&str, &str)]) -> Answer {
        let typed: Vec<(String, String)> =
            values.iter().map(|&(key, text)| (key.to_owned(), text.to_owned())).collect();
        self.offer_typed(user, view_id, &typed).await;
        let payload = self.update(|state| self.submission(state, user, view_id, &typed));
        let payload = match payload {
            Ok(payload) => payload,
            Err(problem) => return Answer::unsent(problem),
        };
        let mut answer = self.send_payload("/slack/interactions", &payload).await;
        if answer.problem.is_none() {
            let applied = self.update(|state| self.apply_submission(state, user, view_id, &answer));
            answer.problem = applied.err();
        }
        answer
    }

    /// Asks the bot for the options that a typeahead needs before its value can be chosen.
    async fn offer_typed(&self, user: &str, view_id: &str, typed: &[(String, String)]) {
        for (key, text) in typed {
            let wanted = self.read(|state| {
                let (_, view) = state.view(view_id)?;
                let (_, element) = form::input(view, key).ok()?;
                let action = string(&element["action_id"]);
                let asks = string(&element["type"]).contains("external_select") && !text.is_empty();
                let offered = state.offered.get(&(view_id.to_owned(), action.clone()));
                let known = form::value_of(state, element, text, offered.map_or(&[], Vec::as_slice)).is_ok();
                (asks && !known).then_some(action)
            });
            if let Some(action) = wanted {
                self.suggest(user, view_id, &action, text).await;
            }
        }
    }

    fn submission(
        &self,
        state: &mut State,
        user: &str,
        view_id: &str,
        typed: &[(String, String)],
    ) -> Result<Value, String> {
        let top = state.modals.get(user).and_then(|stack| stack.last());
        let view = top.filter(|view| view.id == view_id).cloned();
        let view = view.ok_or_else(|| format!("{view_id} is not the topmost modal of {user}"))?;
        let filled = form::fill(state, &view, typed);
        let checked = filled.and_then(|values| {
            // What was typed stays in the view, sent or not.
            if let Some(known) = state.view_mut(view_id) {
                known.value["state"]["values"] = values.clone();
            }
            form::unsendable(&view, &values)
        });
        let known = state.view_mut(view_id).ok_or("the modal is gone")?;
        match checked {
            Ok(()) => known.errors = BTreeMap::new(),
            Err(Unsent::Problem(problem)) => return Err(problem),
            Err(Unsent::Errors(errors)) => {
                let problem = format!("not sent: {errors:?}");
                known.errors = errors;
                return Err(problem);
            }
        }
        let view = known.value.clone();
        let mut payload = self.envelope(state, "view_submission", user);
        payload["trigger_id"] = json!(self.trigger(state, user));
        payload["view"] = view;
        payload["response_urls"] = json!([]);
        Ok(payload)
    }

    fn apply_submission(&self, state: &mut State, user: &str, view_id: &str, answer: &Answer) -> Result<(), String> {
        let Some(json) = &answer.json else {
            state.close_view(view_id);
            return Ok(());
        };
        let action = string(&json["response_action"]);
        const TROUBLE: &str = "We had some trouble connecting. Try again?";
        let by = "the answer to a submission";
        match action.as_str() {
            "errors" => {
                let Some(view) = state.view_mut(view_id) else { return Ok(()) };
                let is_input = |id: &str| view.blocks().iter().any(|b| b["type"] == "input" && b["block_id"] == id);
                let errors: BTreeMap<String, String> = json["errors"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(id, text)| (id.clone(), string(text)))
                    .collect();
                if errors.is_empty() || errors.iter().any(|(id, text)| !is_input(id) || text.is_empty()) {
                    state.dislike(format!("{by}: errors belong to block ids of inputs: {}", json["errors"]));
                    return Err(TROUBLE.to_owned());
                }
                view.errors = errors;
            }
            "update" | "push" => {
                if self.judged_view(state, by, "modal", &json["view"]).is_err() {
                    return Err(TROUBLE.to_owned());
                }
                if action == "update" {
                    self.replace_view(state, view_id, &json["view"]);
                } else if state.modals.get(user).is_some_and(|stack| stack.len() >= VIEW_STACK) {
                    state.dislike(format!("{by}: pushes more than {VIEW_STACK} views"));
                    return Err(TROUBLE.to_owned());
                } else {
                    self.push_view(state, user, &json["view"]);
                }
            }
            "clear" => {
                state.modals.remove(user);
            }
            "" if json.as_object().is_some_and(serde_json::Map::is_empty) => state.close_view(view_id),
            _ => {
                state.dislike(format!("{by}: no such response_action: {json}"));
                return Err(TROUBLE.to_owned());
            }
        }
        Ok(())
    }

    /// Closes the topmost modal without submitting it. The bot hears of it when the view has `notify_on_close`.
    pub async fn close(&self, user: &str, view_id: &str) -> Option<Answer> {
        let payload = self.update(|state| {
            let (_, view) = state.view(view_id).filter(|(of, view)| *of == user && view.value["type"] == "modal")?;
            let value = view.value.clone();
            state.close_view(view_id);
            if value["notify_on_close"] != json!(true) {
                return None;
            }
            let mut payload = self.envelope(state, "view_closed", user);
            payload["view"] = value;
            payload["is_cleared"] = json!(false);
            Some(payload)
        })?;
        Some(self.send_payload("/slack/interactions", &payload).await)
    }

    /// Types into a typeahead of a view; the options the bot offers are in the answer, and can then be chosen.
    pub async fn suggest(&self, user: &str, view_id: &str, action_id: &str, typed: &str) -> Answer {
        let payload = self.update(|state| {
            let (_, view) = state.view(view_id).filter(|(of, _)| *of == user)?;
            let (block, _) = find(view.blocks(), |element| element["action_id"] == action_id)?;
            let view = view.value.clone();
            let mut payload = self.envelope(state, "block_suggestion", user);
            payload["container"] = json!({ "type": "view", "view_id": view_id });
            payload["action_id"] = json!(action_id);
            payload["block_id"] = json!(block);
            payload["value"] = json!(typed);
            payload["view"] = view;
            Some(payload)
        });
        let Some(payload) = payload else { return Answer::unsent(format!("there is no typeahead {action_id}")) };
        let answer = self.send_payload("/slack/options", &payload).await;
        if answer.problem.is_none() {
            let json = answer.json.clone().unwrap_or(Value::Null);
            let groups = json["option_groups"].as_array().into_iter().flatten();
            let lists = groups.filter_map(|group| group["options"].as_array()).chain(json["options"].as_array());
            let options: Vec<Value> = lists.flatten().cloned().collect();
            self.update(|state| {
                for what in super::validate::options_answer(&json) {
                    state.dislike(format!("the options of {action_id}: {what}"));
                }
                state.offered.insert((view_id.to_owned(), action_id.to_owned()), options);
            });
        }
        answer
    }

    /// Opens the Home tab: the bot is told, and publishes what it has to show.
    pub async fn open_home(&self, user: &str) -> Answer {
        let view = self.home(user).map(|home| home.value);
        let mut event = json!({
            "type": "app_home_opened", "user": user, "channel": super::dm_of(user), "tab": "home",
            "event_ts": self.update(|state| self.ts(state)),
        });
        if let Some(view) = view {
            event["view"] = view;
        }
        self.event(event).await
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
    fn envelope(&self, state: &State, kind: &str, user: &str) -> Value {
        json!({
            "type": kind, "user": self.actor_json(state, user), "api_app_id": self.app_id(), "token": "deprecated",
            "team": { "id": self.0.config.team_id, "domain": TEAM_DOMAIN }, "enterprise": null,
            "is_enterprise_install": false,
        })
    }

    fn trigger(&self, state: &mut State, user: &str) -> String {
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
fn find(blocks: &[Value], fits: impl Fn(&Value) -> bool) -> Option<(String, Value)> {
    elements(blocks).into_iter().find(|(_, element)| fits(element)).map(|(block, element)| (block, element.clone()))
}

impl Workspace {
    /// Keeps what stands in the inputs of a view while a button of it is pressed.
    pub(super) fn keep_values(&self, view_id: &str, typed: &BTreeMap<String, String>) {
        let typed: Vec<(String, String)> = typed.iter().map(|(key, text)| (key.clone(), text.clone())).collect();
        self.update(|state| {
            let filled = state.view(view_id).and_then(|(_, view)| form::fill(state, view, &typed).ok());
            if let (Some(values), Some(view)) = (filled, state.view_mut(view_id)) {
                view.value["state"]["values"] = values;
            }
        });
    }
}
