//! What Slack says of a channel, read as leniently as what it says of a person.
//!
//! Pure.

use serde_json::Value;

use super::user::filled;

/// A channel, public or private, or a direct message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackChannel {
    pub id: String,
    /// Without its `#`. `None`: a direct message.
    pub name: Option<String>,
    pub archived: bool,
    /// Whether the bot is in it; it always is in a direct message with it.
    pub is_member: bool,
}

impl SlackChannel {
    /// `None`: it does not say which it is about.
    pub fn read(channel: &Value) -> Option<Self> {
        Some(Self {
            id: filled(&channel["id"])?,
            name: filled(&channel["name"]),
            archived: channel["is_archived"] == true,
            is_member: channel["is_member"] == true || channel["is_im"] == true,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn channels_and_direct_messages_are_read() {
        let read = |value| SlackChannel::read(&value).map(|channel| (channel.archived, channel.is_member));
        assert_eq!(read(json!({ "id": "C1", "name": "access", "is_member": true })), Some((false, true)));
        assert_eq!(read(json!({ "id": "C1", "is_archived": true, "is_member": null })), Some((true, false)));
        assert_eq!(read(json!({ "id": "D1", "is_im": true })), Some((false, true)));
        assert_eq!(read(json!({ "name": "access" })), None);
    }
}
