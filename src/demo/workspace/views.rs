//! The views.* methods: modals on triggers, stacks of at most three, hashes, Home tabs.

use serde_json::{Value, json};

use super::{
    Workspace, form,
    methods::{Args, Failure, Outcome, needed, structured, text},
    model::{State, TRIGGER_SECS, VIEW_STACK, View, string},
    validate,
};

impl Workspace {
    fn view_argument(&self, state: &mut State, method: &str, kind: &str, args: &Args) -> Result<Value, Failure> {
        let view = structured(args, "view", "invalid_arguments")?.ok_or_else(|| Failure::missing("view"))?;
        self.judged_view(state, method, kind, &view)?;
        Ok(view)
    }

    /// Fails, on record, when the view is not right or not of this type.
    pub(super) fn judged_view(&self, state: &mut State, method: &str, kind: &str, view: &Value) -> Result<(), Failure> {
        let mut found = validate::view(view);
        if view["type"] != kind {
            found.push(format!("this takes a view of type {kind}"));
        }
        self.refuse(state, method, "invalid_arguments", found)
    }

    /// Nobody else has this external_id.
    fn external_id_free(&self, state: &State, view: &Value, but: Option<&str>) -> Result<(), Failure> {
        let id = string(&view["external_id"]);
        let taken = state.modals.values().flatten().chain(state.homes.values());
        let mut taken = taken.filter(|other| Some(other.id.as_str()) != but);
        if !id.is_empty() && taken.any(|other| other.value["external_id"] == json!(id)) {
            return Err(Failure::new("duplicate_external_id"));
        }
        Ok(())
    }

    pub(super) fn open_view(&self, state: &mut State, method: &str, args: &Args) -> Outcome {
        let pointer = text(args, "interactivity_pointer").or_else(|| text(args, "trigger_id"));
        let id = pointer.ok_or_else(|| Failure::missing("trigger_id"))?;
        let view = self.view_argument(state, method, "modal", args)?;
        let now = self.now();
        let trigger = state.triggers.get(&id).ok_or_else(|| Failure::new("invalid_trigger_id"))?;
        if trigger.used {
            return Err(Failure::new("exchanged_trigger_id"));
        }
        if now - trigger.issued > TRIGGER_SECS {
            return Err(Failure::new("expired_trigger_id"));
        }
        let user = trigger.user.clone();
        self.external_id_free(state, &view, None)?;
        let pushes = method == "views.push";
        let depth = state.modals.get(&user).map_or(0, Vec::len);
        if pushes && depth == 0 {
            return Err(Failure::new("invalid_trigger_id"));
        }
        if pushes && depth >= VIEW_STACK {
            return Err(Failure::new("push_limit_reached"));
        }
        if let Some(trigger) = state.triggers.get_mut(&id) {
            trigger.used = true;
        }
        if !pushes {
            state.modals.remove(&user);
        }
        Ok(json!({ "view": self.push_view(state, &user, &view) }))
    }

    /// Lays a view on this person's stack.
    pub(super) fn push_view(&self, state: &mut State, user: &str, sent: &Value) -> Value {
        let id = format!("V0{:06}", state.next());
        let below = state.modals.get(user).and_then(|stack| stack.last());
        let (root, previous) = match below {
            Some(below) => (string(&below.value["root_view_id"]), Some(below.id.clone())),
            None => (id.clone(), None),
        };
        let value = self.stored_view(state, sent, &id, &root, previous.as_deref());
        state.modals.entry(user.to_owned()).or_default().push(View::new(value.clone()));
        value
    }

    /// Puts another view in the place of one; what was typed stays where block and action ids do.
    pub(super) fn replace_view(&self, state: &mut State, id: &str, sent: &Value) -> Option<Value> {
        let (_, old) = state.view(id)?;
        let old = old.value.clone();
        let root = string(&old["root_view_id"]);
        let mut value = self.stored_view(state, sent, id, &root, old["previous_view_id"].as_str());
        form::keep_typed(&mut value, &old);
        *state.view_mut(id)? = View::new(value.clone());
        Some(value)
    }

    pub(super) fn update_view(&self, state: &mut State, args: &Args) -> Outcome {
        let id = match (text(args, "view_id"), text(args, "external_id")) {
            (Some(id), _) => id,
            (None, Some(external)) => {
                let mut views = state.modals.values().flatten().chain(state.homes.values());
                let view = views.find(|view| view.value["external_id"] == json!(external));
                view.ok_or_else(|| Failure::new("not_found"))?.id.clone()
            }
            (None, None) => return Err(Failure::missing("view_id")),
        };
        let (_, known) = state.view(&id).ok_or_else(|| Failure::new("not_found"))?;
        let (hash, kind) = (string(&known.value["hash"]), string(&known.value["type"]));
        if text(args, "hash").is_some_and(|given| given != hash) {
            return Err(Failure::new("hash_conflict"));
        }
        let view = self.view_argument(state, "views.update", &kind, args)?;
        self.external_id_free(state, &view, Some(&id))?;
        let view = self.replace_view(state, &id, &view).ok_or_else(|| Failure::new("not_found"))?;
        Ok(json!({ "view": view }))
    }

    pub(super) fn publish_view(&self, state: &mut State, args: &Args) -> Outcome {
        let user = needed(args, "user_id")?;
        if !state.app.home_tab {
            state.dislike("views.publish: the app's manifest has no Home tab (features.app_home.home_tab_enabled)");
            return Err(Failure::new("not_enabled"));
        }
        state.person(&user).filter(|person| !person.is_bot).ok_or_else(|| Failure::new("user_not_found"))?;
        let known = state.homes.get(&user).map(|view| (view.id.clone(), string(&view.value["hash"])));
        if let (Some(given), Some((_, hash))) = (text(args, "hash"), &known)
            && given != *hash
        {
            return Err(Failure::new("hash_conflict"));
        }
        let view = self.view_argument(state, "views.publish", "home", args)?;
        let id = known.map_or_else(|| format!("V0{:06}", state.next()), |(id, _)| id);
        let value = self.stored_view(state, &view, &id, &id, None);
        state.homes.insert(user, View::new(value.clone()));
        Ok(json!({ "view": value }))
    }
}
