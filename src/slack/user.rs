//! What Slack says of a person, read so that nothing it leaves out, adds or spells as null is an error.
//!
//! Pure; may import `domain`.

use jiff::tz::{Offset, TimeZone};
use serde_json::Value;

use crate::domain::{id::SlackUserId, person::Email};

/// A person, a guest or a bot, as `users.info` shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackUser {
    pub id: SlackUserId,
    /// What people call them; theirs to choose, so never used to decide, and escaped wherever it is shown.
    pub name: String,
    pub title: Option<String>,
    /// `None` also when Slack says that nobody has confirmed it: anybody can type an address.
    pub email: Option<Email>,
    pub team_id: Option<String>,
    pub deleted: bool,
    pub is_bot: bool,
    /// A guest.
    pub is_restricted: bool,
    /// A guest of one channel.
    pub is_ultra_restricted: bool,
    /// Of another organisation, in a channel shared with it.
    pub is_stranger: bool,
    pub tz: Option<String>,
    /// Seconds east of UTC today, for a zone that this machine does not know.
    pub tz_offset: Option<i32>,
}

impl SlackUser {
    /// `None`: it does not say whom it is about.
    pub fn read(user: &Value) -> Option<Self> {
        let id = filled(&user["id"])?;
        let profile = &user["profile"];
        let names = [&profile["display_name"], &profile["real_name"], &user["real_name"], &user["name"]];
        let confirmed = user["is_email_confirmed"] != Value::Bool(false);
        Some(Self {
            name: names.into_iter().find_map(filled).unwrap_or_else(|| id.clone()),
            title: filled(&profile["title"]),
            email: filled(&profile["email"]).filter(|_| confirmed).and_then(|email| Email::parse(&email).ok()),
            team_id: filled(&user["team_id"]),
            deleted: flag(&user["deleted"]),
            is_bot: flag(&user["is_bot"]),
            is_restricted: flag(&user["is_restricted"]),
            is_ultra_restricted: flag(&user["is_ultra_restricted"]),
            is_stranger: flag(&user["is_stranger"]),
            tz: filled(&user["tz"]),
            tz_offset: user["tz_offset"].as_i64().and_then(|offset| offset.try_into().ok()),
            id: SlackUserId::new(id),
        })
    }
}

impl SlackUser {
    /// Their clock; UTC where nothing is known of it.
    pub fn zone(&self) -> TimeZone {
        let named = self.tz.as_deref().and_then(|name| TimeZone::get(name).ok());
        let offset = || Offset::from_seconds(self.tz_offset?).ok().map(TimeZone::fixed);
        named.or_else(offset).unwrap_or(TimeZone::UTC)
    }
}

/// Text with something in it.
pub(super) fn filled(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Every flag takes something away from its bearer, so what cannot be read counts as set.
fn flag(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_missing_or_null_is_no_error() {
        let bare = SlackUser::read(&json!({ "id": "U1", "new_field": [1], "profile": null, "deleted": null })).unwrap();
        assert_eq!((bare.name.as_str(), bare.email, bare.team_id, bare.deleted), ("U1", None, None, false));
        for nobody in [json!(null), json!([]), json!("U1"), json!({}), json!({ "id": "" }), json!({ "id": 7 })] {
            assert_eq!(SlackUser::read(&nobody), None, "{nobody}");
        }
    }

    #[test]
    fn people_are_called_what_they_want_to_be_called() {
        let name = |user: Value| SlackUser::read(&user).unwrap().name;
        let profile = json!({ "display_name": "Ana", "real_name": "Ana Ortiz" });
        assert_eq!(name(json!({ "id": "U1", "name": "aortiz", "profile": profile })), "Ana");
        let profile = json!({ "display_name": " ", "real_name": "Ana Ortiz" });
        assert_eq!(name(json!({ "id": "U1", "name": "aortiz", "profile": profile })), "Ana Ortiz");
        assert_eq!(name(json!({ "id": "U1", "name": "aortiz", "real_name": null })), "aortiz");
    }

    #[test]
    fn an_address_counts_unless_it_is_unconfirmed() {
        let email = |confirmed: Value, email: &str| {
            let user = json!({ "id": "U1", "is_email_confirmed": confirmed, "profile": { "email": email } });
            SlackUser::read(&user).unwrap().email.map(String::from)
        };
        assert_eq!(email(json!(true), "Ana@Acme.test").as_deref(), Some("ana@acme.test"));
        assert_eq!(email(json!(null), "ana@acme.test").as_deref(), Some("ana@acme.test"));
        assert_eq!(email(json!(false), "ana@acme.test"), None);
        assert_eq!(email(json!(true), "not one"), None);
    }

    #[test]
    fn a_flag_that_cannot_be_read_is_set() {
        let user =
            SlackUser::read(&json!({ "id": "U1", "deleted": "true", "is_bot": 1, "is_stranger": false })).unwrap();
        assert!(user.deleted && user.is_bot && !user.is_stranger && !user.is_restricted);
    }
}
