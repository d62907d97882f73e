//! Posting messages, and finding again those whose answer was lost.
//!
//! Each of ours bears a stamp, in metadata that only we read: the id of its row and nothing about anybody.

use serde_json::{Value, json};

use super::{SlackClient, SlackError, filled, shown};
use crate::{domain::id::SlackUserId, slack::views::Content};

/// The method that posts.
pub const POST: &str = "chat.postMessage";
/// The kind of metadata that holds a stamp.
const STAMP: &str = "latchkey_message";
/// Messages in one answer.
const LIMIT: &str = "100";

/// Some messages of a channel or a thread.
#[derive(Debug, Default)]
pub struct Page {
    pub messages: Vec<Stood>,
    /// Where the rest begins.
    pub next: Option<String>,
}

/// A message that stands somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stood {
    pub ts: String,
    /// The bot that wrote it.
    pub bot_id: Option<String>,
    pub stamp: Option<String>,
}

impl SlackError {
    /// Whether a post was refused for its place, which takes nothing until somebody mends it.
    pub fn is_of_place(&self) -> bool {
        self.method() == POST
            && matches!(
                self.code(),
                Some(
                    "is_archived"
                        | "not_in_channel"
                        | "channel_not_found"
                        | "restricted_action"
                        | "messages_tab_disabled"
                )
            )
    }
}

impl SlackClient {
    /// Posts, waiting for its turn in that channel. A person's id as the channel sends to them alone. What comes back
    /// is where the message stands, which an update needs: a person's id is no channel. By its stamp it is found again.
    pub async fn post(
        &self,
        channel: &str,
        thread_ts: Option<&str>,
        content: &Content,
        stamp: Option<&str>,
    ) -> Result<(String, String), SlackError> {
        let method = POST;
        let mut args = shown(method, content)?;
        args["channel"] = json!(channel);
        // Nothing in a message may turn into a preview of somebody's choosing.
        args["unfurl_links"] = json!(false);
        args["unfurl_media"] = json!(false);
        if let Some(ts) = thread_ts {
            args["thread_ts"] = json!(ts);
        }
        if let Some(stamp) = stamp {
            args["metadata"] = json!({ "event_type": STAMP, "event_payload": { "id": stamp } });
        }
        self.wait_turn(method, channel).await?;
        let (answer, _) = self.write(method, channel, args).await?;
        filled(&answer["channel"]).zip(filled(&answer["ts"])).ok_or(SlackError::BadAnswer { method, status: 200 })
    }

    /// The id of the direct message with somebody, which is opened where there is none.
    pub async fn direct_message(&self, user: &SlackUserId) -> Result<String, SlackError> {
        let method = "conversations.open";
        let (answer, _) = self.write(method, "", json!({ "users": user.as_str() })).await?;
        filled(&answer["channel"]["id"]).ok_or(SlackError::BadAnswer { method, status: 200 })
    }

    /// What was posted in a channel or direct message after that time stamp, from `cursor` on.
    pub async fn history(&self, channel: &str, oldest: &str, cursor: &str) -> Result<Page, SlackError> {
        self.page("conversations.history", &[("channel", channel), ("oldest", oldest)], cursor).await
    }

    /// What was posted in a thread after that time stamp, and what it is under, from `cursor` on.
    pub async fn thread(&self, channel: &str, ts: &str, oldest: &str, cursor: &str) -> Result<Page, SlackError> {
        self.page("conversations.replies", &[("channel", channel), ("ts", ts), ("oldest", oldest)], cursor).await
    }

    async fn page(&self, method: &'static str, query: &[(&str, &str)], cursor: &str) -> Result<Page, SlackError> {
        let mut query = query.to_vec();
        query.extend([("include_all_metadata", "true"), ("limit", LIMIT)]);
        if !cursor.is_empty() {
            query.push(("cursor", cursor));
        }
        let answer = self.read(method, &query).await?;
        let messages = answer["messages"].as_array().ok_or(SlackError::BadAnswer { method, status: 200 })?;
        let stood = |message: &Value| {
            let metadata = &message["metadata"];
            let ours = metadata["event_type"] == STAMP;
            Some(Stood {
                ts: filled(&message["ts"])?,
                bot_id: filled(&message["bot_id"]),
                stamp: filled(&metadata["event_payload"]["id"]).filter(|_| ours),
            })
        };
        Ok(Page {
            messages: messages.iter().filter_map(stood).collect(),
            next: filled(&answer["response_metadata"]["next_cursor"]),
        })
    }
}
