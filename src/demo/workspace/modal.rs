//! What people do in a modal: type, choose, look something up, submit, close.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Workspace,
    act::find,
    form::{self, Unsent},
    model::{Answer, State, VIEW_STACK, string},
};

impl Workspace {
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
                self.look_up(user, view_id, &action, text).await;
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

    /// Cancels a modal without submitting it; what lies below shows again, unless the view has `clear_on_close`. The bot
    /// hears of it when the view has `notify_on_close`.
    pub async fn close(&self, user: &str, view_id: &str) -> Option<Answer> {
        let all = self.read(|state| state.view(view_id).is_some_and(|(_, view)| view.value["clear_on_close"] == true));
        self.shut(user, view_id, all).await
    }

    /// Closes the whole stack, by the × in its corner.
    pub async fn dismiss(&self, user: &str, view_id: &str) -> Option<Answer> {
        self.shut(user, view_id, true).await
    }

    async fn shut(&self, user: &str, view_id: &str, all: bool) -> Option<Answer> {
        let payload = self.update(|state| {
            let (_, view) = state.view(view_id).filter(|(of, view)| *of == user && view.value["type"] == "modal")?;
            let value = view.value.clone();
            if all {
                state.modals.remove(user);
            } else {
                state.close_view(view_id);
            }
            if value["notify_on_close"] != json!(true) {
                return None;
            }
            let mut payload = self.envelope(state, "view_closed", user);
            payload["view"] = value;
            payload["is_cleared"] = json!(all);
            Some(payload)
        })?;
        Some(self.send_payload("/slack/interactions", &payload).await)
    }

    /// Types into a typeahead of the topmost modal; the options that the bot offers, groups laid together.
    ///
    /// # Errors
    /// There is no such typeahead, too little was typed to ask, or the bot did not answer by the book.
    pub async fn suggest(&self, user: &str, action_id: &str, typed: &str) -> Result<Vec<Value>, String> {
        let view = self.view(user).ok_or_else(|| format!("{user} has no modal open"))?;
        let answer = self.look_up(user, &view.id, action_id, typed).await;
        match answer.problem {
            Some(problem) => Err(problem),
            None => Ok(offered(answer.json.as_ref().unwrap_or(&Value::Null))),
        }
    }

    /// The same in any view; what it was offered can then be chosen there.
    pub(super) async fn look_up(&self, user: &str, view_id: &str, action_id: &str, typed: &str) -> Answer {
        let payload = self.update(|state| {
            if !state.app.options {
                let where_to = "settings.interactivity.message_menu_options_url";
                return Err(format!("the app's manifest does not say where typeaheads ask ({where_to})"));
            }
            let nothing = || format!("there is no typeahead {action_id}");
            let (_, view) = state.view(view_id).filter(|(of, _)| *of == user).ok_or_else(nothing)?;
            let external = |element: &Value| string(&element["type"]).contains("external_select");
            let fits = |element: &Value| element["action_id"] == action_id && external(element);
            let (block, element) = find(view.blocks(), fits).ok_or_else(nothing)?;
            let least = element["min_query_length"].as_u64().unwrap_or(3);
            if (typed.chars().count() as u64) < least {
                return Err(format!("Slack asks from {least} characters on, and “{typed}” has fewer"));
            }
            let view = view.value.clone();
            let mut payload = self.envelope(state, "block_suggestion", user);
            payload["container"] = json!({ "type": "view", "view_id": view_id });
            payload["action_id"] = json!(action_id);
            payload["block_id"] = json!(block);
            payload["value"] = json!(typed);
            payload["view"] = view;
            Ok(payload)
        });
        let payload = match payload {
            Ok(payload) => payload,
            Err(problem) => return Answer::unsent(problem),
        };
        let answer = self.send_payload("/slack/options", &payload).await;
        if answer.problem.is_none() {
            let json = answer.json.clone().unwrap_or(Value::Null);
            self.update(|state| {
                for what in super::validate::options_answer(&json) {
                    state.dislike(format!("the options of {action_id}: {what}"));
                }
                // What was offered before can still be chosen: several choices come of several look-ups.
                let known = state.offered.entry((view_id.to_owned(), action_id.to_owned())).or_default();
                let fresh = offered(&json);
                known.retain(|old| fresh.iter().all(|new| new["value"] != old["value"]));
                known.splice(0..0, fresh);
            });
        }
        answer
    }

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

/// The options of an answer, those of its groups too.
fn offered(answer: &Value) -> Vec<Value> {
    let groups = answer["option_groups"].as_array().into_iter().flatten();
    let lists = groups.filter_map(|group| group["options"].as_array()).chain(answer["options"].as_array());
    lists.flatten().cloned().collect()
}
