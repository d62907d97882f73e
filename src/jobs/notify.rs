//! Shows people what is so: draws each due message from the truth and posts or updates it.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline, deliver::LOOK_AGAIN};
use crate::{
    domain::id::{self, PetitionName},
    slack::{Slack, outbox},
    store::{Message, Purpose, Sent, Trace},
    workflow::{self, Next},
};

/// How many messages are under way at once; Slack's limits are per channel and method.
const AT_ONCE: usize = 16;
/// Messages wait for their channel's turn as well as for Slack's answer.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(20);

pub(super) async fn drain(jobs: &Arc<Jobs>, stop: &CancellationToken) -> Result<(), JobError> {
    let Some(slack) = &jobs.slack else { return Ok(()) };
    let store = jobs.workflow.store();
    // Tasks of their own, as for deliveries.
    let mut under_way = JoinSet::new();
    let mut result = Ok(());
    loop {
        if !stop.is_cancelled() && result.is_ok() && under_way.len() < AT_ONCE {
            let now = jobs.clock.now();
            let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
            let room = (AT_ONCE - under_way.len()) as i64;
            match store.claim_messages(now, &attempt, deadline(now, LONGEST), room).await {
                Ok(due) => {
                    for message in due {
                        under_way.spawn(show(jobs.clone(), slack.clone(), message, attempt.clone()));
                    }
                }
                // What is under way is seen to its end: it may be posted already.
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            Some(Err(panic)) => tracing::error!(%panic, "showing a message panicked"),
            Some(Ok(Err(error))) => {
                tracing::warn!(%error, "what came of a message could not be recorded; it is looked for")
            }
        }
    }
}

async fn show(jobs: Arc<Jobs>, slack: Arc<Slack>, message: Message, attempt: String) -> Result<(), workflow::Error> {
    let sent = match tokio::time::timeout(LONGEST, outbox::show(&slack, &message)).await {
        Ok(sent) => sent,
        Err(_) => outbox::try_later(&slack, &message, "no answer in time", Trace::MayStand),
    };
    let word = match &sent {
        Sent::Shown { .. } => "shown",
        Sent::Later { error, .. } => {
            tracing::warn!(petition = %message.petition, purpose = message.purpose.word(), error, "a message waits");
            "later"
        }
        Sent::Never { error } => {
            tracing::error!(
                petition = %message.petition, purpose = message.purpose.word(), dest = %message.dest, error,
                "a message cannot be shown"
            );
            "never"
        }
    };
    metrics::counter!("latchkey_slack_messages_total", "purpose" => message.purpose.word(), "result" => word)
        .increment(1);
    // Before it is recorded: whoever is killed in between does both again.
    ask_next(&jobs, &message, &sent).await?;
    jobs.workflow.store().record_sent(&message, &attempt, jobs.clock.now(), &sent).await?;
    Ok(())
}

/// Where a card reaches nobody, somebody else is asked.
async fn ask_next(jobs: &Jobs, message: &Message, sent: &Sent) -> Result<(), workflow::Error> {
    if message.purpose != Purpose::Card || message.posted.is_some() {
        return Ok(());
    }
    let why = match sent {
        Sent::Shown { posted: Some(_) } if message.lost => {
            return jobs.workflow.card_found(&message.petition, &message.id).await;
        }
        // Slack is away, or a token is wrong: that mends itself, or keeps everybody from everything.
        Sent::Shown { posted: Some(_) } | Sent::Later { trace: Trace::Nothing | Trace::MayStand, .. } => return Ok(()),
        Sent::Shown { posted: None } => "nobody there may decide it",
        Sent::Later { error, trace: Trace::Unreachable, .. } | Sent::Never { error } => error,
    };
    if !message.lost {
        let next = jobs.workflow.card_lost(&message.petition, &message.id, why).await?;
        tell_operators(&message.petition, next, why);
    }
    Ok(())
}

/// Says who is asked instead of those whom no card reaches.
pub(super) fn tell_operators(petition: &PetitionName, next: Next, why: &str) {
    let word = match next {
        Next::Others => return,
        Next::Reviewers => "reviewers",
        Next::Escalated => "escalated",
        Next::Nobody => "nobody",
    };
    metrics::counter!("latchkey_petitions_unreached_total", "next" => word).increment(1);
    if next == Next::Nobody {
        tracing::error!(%petition, why, "nobody can be asked about a petition; mend what the reason names");
    } else {
        tracing::warn!(%petition, why, next = word, "no card of a petition reaches anybody; others are asked");
    }
}
