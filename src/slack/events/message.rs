//! `message`: somebody wrote in a channel or a direct message that the bot is in. A reply under one of our messages is a
//! comment; everything else, and what the bot itself wrote, is none of our business.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;

use super::{Callback, Slack};
use crate::{
    domain::id::SlackUserId,
    slack::directory::{Freshness, Stranger},
    workflow::{self, Written},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    channel: Option<String>,
    ts: Option<String>,
    thread_ts: Option<String>,
    user: Option<String>,
    /// The writer's own workspace.
    user_team: Option<String>,
    text: Option<String>,
    subtype: Option<String>,
    bot_id: Option<String>,
}

pub(super) async fn heard(slack: &Arc<Slack>, callback: &Callback) -> Result<(), workflow::Error> {
    let Ok(message) = Message::deserialize(&callback.event) else { return Ok(()) };
    // Edits, deletions, joins and the like are no comments; with these two a person still wrote a reply.
    let wrote = matches!(message.subtype.as_deref(), None | Some("thread_broadcast" | "file_share"));
    let (Some(channel), Some(ts), Some(thread), Some(user)) =
        (message.channel, message.ts, message.thread_ts, message.user)
    else {
        return Ok(());
    };
    let text = message.text.unwrap_or_default();
    if !wrote || message.bot_id.is_some() || thread == ts || text.trim().is_empty() {
        return Ok(());
    }
    let Some(under) = slack.workflow.store().message_at(&channel, &thread).await? else { return Ok(()) };
    let (user, team) = (SlackUserId::new(user), message.user_team.as_deref());
    let author = match slack.directory.actor(&user, team, &BTreeSet::new(), Freshness::AMinuteAgo).await {
        Ok(author) => author,
        Err(away @ Stranger::SlackAway) => return Err(workflow::Error::Unavailable(away.to_string())),
        // A bot, or a guest without an address: nobody who could be named to the petitioner.
        Err(Stranger::NoEmail { .. } | Stranger::Unknown) => return Ok(()),
    };
    slack.workflow.comment(&Written { under, channel, ts, author, text }).await
}
