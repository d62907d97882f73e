//! The JSON of people, messages and views exactly as Slack writes it.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    Workspace, WorkspaceConfig,
    model::{Channel, Group, Message, Person, State, string, with_ids},
};
use crate::domain::signature;

pub const TEAM_NAME: &str = "Acme";
pub const TEAM_DOMAIN: &str = "acme";

fn tail(config: &WorkspaceConfig) -> String {
    config.bot_name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase()
}

pub fn bot_user_id(config: &WorkspaceConfig) -> String {
    format!("U0{}", tail(config))
}

pub fn bot_id(config: &WorkspaceConfig) -> String {
    format!("B0{}", tail(config))
}

pub fn app_id(config: &WorkspaceConfig) -> String {
    format!("A0{}", tail(config))
}

/// The zones that people of ours live in, with their rules, so that no zone database is needed: the names by which Slack
/// calls them in winter and in summer.
const ZONES: [(&str, &str, &str, &str); 5] = [
    ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", "Central European Time", "Central European Summer Time"),
    ("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0", "Greenwich Mean Time", "British Summer Time"),
    ("America/New_York", "EST5EDT,M3.2.0,M11.1.0", "Eastern Standard Time", "Eastern Daylight Time"),
    ("America/Los_Angeles", "PST8PDT,M3.2.0,M11.1.0", "Pacific Standard Time", "Pacific Daylight Time"),
    ("Asia/Tokyo", "JST-9", "Japan Standard Time", ""),
];

/// The name of a time zone as Slack shows it, and how far it is from UTC now.
fn zone(tz: &str, now: Timestamp) -> (String, i32) {
    let Some((_, rules, winter, summer)) = ZONES.iter().find(|(name, ..)| *name == tz) else {
        let zone = TimeZone::get(tz).unwrap_or(TimeZone::UTC);
        return (tz.to_owned(), zone.to_offset(now).seconds());
    };
    let zone = TimeZone::posix(rules).unwrap_or(TimeZone::UTC);
    let at = zone.to_offset_info(now);
    (if at.dst().is_dst() { summer } else { winter }.to_string(), at.offset().seconds())
}

impl Workspace {
    /// Unguessable text that no two calls share.
    pub(super) fn secret(&self, state: &mut State, purpose: &str) -> String {
        let number = state.next().to_string();
        signature::sign_v0(&self.0.config.signing_secret, purpose, number.as_bytes())[..24].to_owned()
    }

    /// A message time that no other message has.
    pub(super) fn ts(&self, state: &mut State) -> String {
        format!("{}.{:06}", self.now(), state.next() % 1_000_000)
    }

    /// A view as Slack keeps it: what the bot sent, and all that Slack adds.
    pub(super) fn stored_view(
        &self,
        state: &mut State,
        sent: &Value,
        id: &str,
        root: &str,
        previous: Option<&str>,
    ) -> Value {
        let config = &self.0.config;
        let mut view = json!({
            "id": id, "team_id": config.team_id, "type": "modal", "private_metadata": "", "callback_id": "",
            "clear_on_close": false, "notify_on_close": false, "close": null, "submit": null, "external_id": "",
            "previous_view_id": previous, "root_view_id": root, "app_id": app_id(config),
            "app_installed_team_id": config.team_id, "bot_id": bot_id(config),
        });
        for (name, value) in sent.as_object().into_iter().flatten() {
            view[name] = value.clone();
        }
        let blocks = with_ids(state, &sent["blocks"]);
        view["state"] = json!({ "values": super::form::initial_values(&blocks) });
        view["blocks"] = json!(blocks);
        view["hash"] = json!(format!("{}.{}", self.now(), &self.secret(state, "hash")[..8]));
        view
    }

    pub(super) fn message_json(&self, message: &Message) -> Value {
        let config = &self.0.config;
        let mut value = json!({ "type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": config.team_id });
        if message.user == bot_user_id(config) {
            value["bot_id"] = json!(bot_id(config));
            value["app_id"] = json!(app_id(config));
            value["bot_profile"] = json!({
                "id": bot_id(config), "app_id": app_id(config), "name": config.bot_name, "deleted": false,
                "updated": 1_700_000_000, "team_id": config.team_id,
                "icons": { "image_36": format!("{}/icon.svg", self.0.origin) },
            });
        }
        if !message.blocks.is_empty() {
            value["blocks"] = json!(message.blocks);
        }
        if let Some(thread) = &message.thread_ts {
            value["thread_ts"] = json!(thread);
        }
        if let Some(metadata) = &message.metadata {
            value["metadata"] = metadata.clone();
        }
        if message.edited > 0 {
            value["edited"] = json!({ "user": bot_id(config), "ts": message.ts });
        }
        value
    }

    pub(super) fn person_json(&self, person: &Person, locale: bool) -> Value {
        let team = person.team_id.as_deref().unwrap_or(&self.0.config.team_id);
        let (first, last) = person.name.split_once(' ').unwrap_or((&person.name, ""));
        let mut profile = json!({
            "title": person.title, "phone": "", "skype": "", "real_name": person.name,
            "real_name_normalized": person.name, "display_name": person.handle(),
            "display_name_normalized": person.handle(), "first_name": first, "last_name": last, "fields": null,
            "status_text": "", "status_emoji": "", "status_expiration": 0, "avatar_hash": "g0", "team": team,
        });
        if let Some(email) = &person.email {
            profile["email"] = json!(email);
        }
        let mut user = json!({
            "id": person.id, "team_id": team, "name": person.handle(), "deleted": person.deleted, "profile": profile,
            "is_bot": person.is_bot, "is_app_user": false, "updated": 1_700_000_000,
        });
        // Slack says no more about those who left.
        if !person.deleted {
            let now = Timestamp::from_second(self.now()).unwrap_or_default();
            let (tz_label, tz_offset) = zone(&person.tz, now);
            let more = json!({
                "color": "9f69e7", "real_name": person.name, "tz": person.tz,
                "tz_label": tz_label, "tz_offset": tz_offset, "is_admin": false, "is_owner": false,
                "is_primary_owner": false, "is_restricted": person.is_restricted,
                "is_ultra_restricted": person.is_ultra_restricted, "is_email_confirmed": person.email_confirmed,
                "who_can_share_contact_card": "EVERYONE",
            });
            for (name, value) in more.as_object().into_iter().flatten() {
                user[name] = value.clone();
            }
        }
        if person.is_stranger {
            user["is_stranger"] = json!(true);
        }
        if locale {
            user["locale"] = json!("en-US");
        }
        user
    }

    pub(super) fn channel_json(&self, channel: &Channel) -> Value {
        json!({
            "id": channel.id, "name": channel.name, "name_normalized": channel.name, "is_channel": true,
            "is_group": false, "is_im": false, "is_mpim": false, "is_private": channel.private, "is_archived": channel.archived,
            "is_general": false, "is_shared": false, "is_ext_shared": false, "is_org_shared": false,
            "is_member": channel.bot_is_member, "created": 1_700_000_000, "creator": "USLACK", "unlinked": 0,
            "context_team_id": self.0.config.team_id, "updated": 1_700_000_000_000_u64,
            "topic": { "value": "", "creator": "", "last_set": 0 },
            "purpose": { "value": "", "creator": "", "last_set": 0 },
        })
    }

    pub(super) fn dm_json(&self, person: &Person) -> Value {
        json!({
            "id": person.dm(), "created": 1_700_000_000, "is_im": true, "is_archived": false, "is_org_shared": false,
            "user": person.id, "is_user_deleted": person.deleted, "priority": 0,
            "context_team_id": self.0.config.team_id,
        })
    }

    pub(super) fn group_json(&self, group: &Group, users: bool) -> Value {
        let mut value = json!({
            "id": group.id, "team_id": self.0.config.team_id, "is_usergroup": true, "is_subteam": true,
            "name": group.handle, "description": "", "handle": group.handle, "is_external": false,
            "date_create": 1_700_000_000, "date_update": 1_700_000_000, "date_delete": 0, "auto_type": null,
            "auto_provision": false, "enterprise_subteam_id": "", "created_by": "USLACK", "updated_by": "USLACK",
            "deleted_by": null, "prefs": { "channels": [], "groups": [] }, "user_count": group.members.len(),
        });
        if users {
            value["users"] = json!(group.members);
        }
        value
    }

    /// `{id, username, name, team_id}` as interactions carry it.
    pub(super) fn actor_json(&self, state: &State, user: &str) -> Value {
        let person = state.person(user);
        let handle = person.map_or_else(|| user.to_lowercase(), Person::handle);
        let team = person.and_then(|person| person.team_id.clone()).unwrap_or_else(|| self.0.config.team_id.clone());
        json!({ "id": user, "username": handle, "name": handle, "team_id": team })
    }

    pub(super) fn metadata(value: &Value) -> Option<Value> {
        let given = value.as_object().is_some_and(|fields| !fields.is_empty());
        given.then(|| json!({ "event_type": string(&value["event_type"]), "event_payload": value["event_payload"] }))
    }
}
