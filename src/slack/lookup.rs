//! Looks whether a message was posted, after a post of which nobody knows what came.

use jiff::{SignedDuration, Timestamp};

use super::{
    Slack,
    client::{Advice, Page, SlackError},
};
use crate::domain::id::SlackUserId;

/// How far Slack's clock may be behind ours.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Pages that are read before a copy is taken to be the lesser evil.
const MOST_PAGES: usize = 5;

/// Where a message would stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// A channel or a direct message, by its own id.
    Channel(&'a str),
    /// Somebody's direct message, by their id.
    Person(&'a str),
    Thread {
        channel: &'a str,
        ts: &'a str,
    },
}

/// Channel and time stamp of our message with that stamp, if it was posted at `since` or later. Where Slack will not
/// tell, it counts as not posted: a copy is better than no message.
///
/// # Errors
///
/// Slack cannot tell now.
pub(super) async fn find(
    slack: &Slack,
    place: Place<'_>,
    stamp: &str,
    since: Timestamp,
) -> Result<Option<(String, String)>, SlackError> {
    match look(slack, place, stamp, since).await {
        Err(error) => match error.advice() {
            Advice::Retry | Advice::RetryAfter(_) => Err(error),
            Advice::RetrySlowly | Advice::Never => Ok(untold(stamp, &error)),
        },
        found => found,
    }
}

fn untold<T>(stamp: &str, error: &SlackError) -> Option<T> {
    tracing::warn!(message = stamp, %error, "Slack does not tell whether a message is posted; it may be shown twice");
    None
}

async fn look(
    slack: &Slack,
    place: Place<'_>,
    stamp: &str,
    since: Timestamp,
) -> Result<Option<(String, String)>, SlackError> {
    let opened;
    let channel = match place {
        Place::Channel(id) | Place::Thread { channel: id, .. } => id,
        Place::Person(user) => {
            opened = slack.client.direct_message(&SlackUserId::new(user)).await?;
            &opened
        }
    };
    let since = since.saturating_sub(MARGIN).unwrap_or(Timestamp::UNIX_EPOCH);
    let oldest = format!("{}.{:06}", since.as_second(), since.subsec_microsecond());
    let mut cursor = String::new();
    for _ in 0..MOST_PAGES {
        let Page { messages, next } = match place {
            Place::Channel(_) | Place::Person(_) => slack.client.history(channel, &oldest, &cursor).await?,
            Place::Thread { ts, .. } => slack.client.thread(channel, ts, &oldest, &cursor).await?,
        };
        for message in messages.into_iter().filter(|message| message.stamp.as_deref() == Some(stamp)) {
            // Another app could write the same stamp, and we could never change its message.
            if message.bot_id.is_some() && message.bot_id == slack.client.auth_test().await?.bot_id {
                tracing::info!(
                    message = stamp,
                    "a message was posted although its answer was lost; it is not repeated"
                );
                return Ok(Some((channel.to_owned(), message.ts)));
            }
        }
        match next {
            Some(next) => cursor = next,
            None => return Ok(None),
        }
    }
    tracing::warn!(
        message = stamp,
        "too much was written since to tell whether a message is posted; it may be shown twice"
    );
    Ok(None)
}
