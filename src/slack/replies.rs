//! Says one reply in a thread: draws what it tells, and posts it under its message.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    Slack,
    lookup::{self, Place},
    markup,
    outbox::{self, Trouble},
    views::{comment, history},
};
use crate::{
    domain::{backoff, id::SlackUserId},
    store::{Purpose, Reply, Sent, Told, Trace},
};

/// The longest wait between two attempts at one reply.
const CAP: SignedDuration = SignedDuration::from_mins(2);

/// One attempt. Never fails: what came of it is what is recorded.
pub async fn say(slack: &Slack, reply: &Reply) -> Sent {
    match attempt(slack, reply).await {
        Ok(sent) => sent,
        Err(trouble) => outbox::after_trouble(slack, trouble, reply.attempts, outbox::trace(reply.tried)),
    }
}

pub fn try_later(slack: &Slack, reply: &Reply, why: &str, trace: Trace) -> Sent {
    let at = backoff::next_at(slack.workflow.now(), reply.attempts, CAP, slack.workflow.entropy.as_ref());
    Sent::Later { at, error: why.to_owned(), trace }
}

async fn attempt(slack: &Slack, reply: &Reply) -> Result<Sent, Trouble> {
    let store = slack.workflow.store();
    let above = store.above(reply).await?;
    let Some((channel, ts)) = above.posted else {
        // Never by itself: what belongs to no card would be one more message.
        return Ok(match above.due {
            true => try_later(slack, reply, "the message above is not posted yet", Trace::Nothing),
            false => Sent::Shown { posted: None },
        });
    };
    let story = slack.workflow.story(&reply.petition).await?;
    let content = match &reply.told {
        Told::Comment { channel, ts } => match store.comment(channel, ts).await? {
            Some(said) => {
                let words = markup::readable(&said.text, &names(slack, &said.text).await);
                Some(match above.purpose {
                    Purpose::Card | Purpose::PreApproved => comment::for_reviewers(&story, &said.author, &words),
                    Purpose::Petitioner | Purpose::NewsDecided | Purpose::NewsWarning | Purpose::NewsEnded => {
                        comment::for_petitioner(&story, &said.author, &words)
                    }
                })
            }
            None => None,
        },
        told => history::told(&story, told),
    };
    let Some(content) = content else { return Ok(Sent::Shown { posted: None }) };
    let stamp = format!("{}/{}", reply.message, reply.seq);
    if let Some(since) = reply.tried {
        // It says the same as ever, so there is nothing to bring up to date.
        let found = lookup::find(slack, Place::Thread { channel: &channel, ts: &ts }, &stamp, since).await?;
        if found.is_some() {
            return Ok(Sent::Shown { posted: found });
        }
    }
    let posted = slack.client.post(&channel, Some(&ts), &content, Some(&stamp)).await?;
    Ok(Sent::Shown { posted: Some(posted) })
}

/// What the mentioned people are called, as far as Slack says so now: a mention passed on as it is would ping them.
async fn names(slack: &Slack, text: &str) -> BTreeMap<String, String> {
    /// More than anybody mentions in earnest.
    const MOST: usize = 20;
    let mut names = BTreeMap::new();
    for id in markup::mentioned(text).into_iter().take(MOST) {
        if let Some(name) = slack.directory.name(&SlackUserId::new(&id)).await {
            names.insert(id, name);
        }
    }
    names
}
