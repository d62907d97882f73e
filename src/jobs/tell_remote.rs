//! Tells a remote space what it is owed of each petition, in order, and looks at petitions whose events may be lost.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline, deliver::LOOK_AGAIN};
use crate::{
    domain::{
        id::{self, PetitionName},
        petition::{ClaimKind, Petition, PetitionState},
    },
    indent::{Space, TIMEOUT, Trouble},
    store::{Call, RemoteCall, RemoteStream, Schedule, StoreError},
    workflow::{Attempt, Error, Phase, REPLACES_LABEL},
};

/// How many petitions are told or looked at at once.
const AT_ONCE: usize = 8;
/// From then on it is an error in the log, not a warning, that the space was not told of an end.
const LOUD_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// One attempt makes at most this many calls.
const CALLS: u32 = 3;

pub(super) async fn drain(jobs: &Arc<Jobs>, stop: &CancellationToken) -> Result<(), JobError> {
    let Some(space) = &jobs.space else { return Ok(()) };
    let store = jobs.workflow.store();
    // Tasks of their own, as for deliveries.
    let mut under_way = JoinSet::new();
    let mut result = Ok(());
    loop {
        if !stop.is_cancelled() && result.is_ok() && under_way.len() < AT_ONCE {
            let now = jobs.clock.now();
            let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
            let room = (AT_ONCE - under_way.len()) as i64;
            match store.claim_remote(now, &attempt, deadline(now, TIMEOUT * CALLS), room).await {
                Ok(due) => {
                    for stream in due {
                        under_way.spawn(attend(jobs.clone(), space.clone(), stream, attempt.clone()));
                    }
                }
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            // It comes due again, and nothing that the space takes twice is sent to it twice.
            Some(Ok(Err(error))) => tracing::warn!(%error, "what a remote space answered could not be recorded"),
            Some(Err(panic)) => tracing::error!(%panic, "telling a remote space panicked"),
        }
    }
}

/// One attempt at one stream.
async fn attend(jobs: Arc<Jobs>, space: Arc<Space>, stream: RemoteStream, id: String) -> Result<(), Error> {
    let (workflow, store) = (&jobs.workflow, jobs.workflow.store());
    let attempt = Attempt { stream: &stream, id: &id };
    let Some(petition) = store.petition(&stream.petition).await? else {
        let key = stream.petition.to_string();
        return Err(StoreError::Inconsistent { table: "remote_petitions", key }.into());
    };
    let call = store.first_call(&stream.petition).await?;
    let replaced = match petition.labels.get(REPLACES_LABEL) {
        Some(name) => store.remote_truth(&PetitionName::new(name)).await?.and_then(|truth| truth.stream.remote_name),
        None => None,
    };
    // As it was before the space is asked: what is sent meanwhile, it may not have had yet when it judged.
    let unsent = match &call {
        Some(call) if call.call == Call::Create => {
            store.send_to(&space.address()).await?;
            store.is_unsent(&petition.customer).await?
        }
        Some(_) | None => false,
    };
    let done = match (&call, &stream.remote_name) {
        (Some(call), _) => tell(&space, &stream, &petition, call, replaced.as_deref()).await,
        (None, Some(name)) => space.petition(name).await.map(Done::Seen),
        // Nothing is owed and there is nothing to look at.
        (None, None) => Ok(Done::Needless),
    };
    let word = if done.is_ok() { "done" } else { "failed" };
    let what = call.as_ref().map_or("look", |call| call.call.word());
    metrics::counter!("latchkey_remote_calls_total", "call" => what, "result" => word).increment(1);
    match (done, &call) {
        (Ok(Done::Created(name)), Some(call)) => workflow.remote_created(attempt, call, &name).await,
        (Ok(Done::Claimed), Some(call)) => workflow.remote_claimed(attempt, call, None).await,
        (Ok(Done::Seen(seen)), _) => workflow.remote_seen(attempt, &seen).await,
        (Ok(Done::Needless | Done::Created(_) | Done::Claimed), _) => workflow.remote_needless(attempt).await,
        // It does not know the customer yet, or knows another rule for it: that is no answer to the petition.
        (Err(Trouble::Permanent { why, status: 400 | 404 | 422 }), Some(_)) if unsent => {
            tracing::warn!(
                petition = %stream.petition, why,
                "the remote space does not take a petition for a customer that it was not sent yet; sending it first"
            );
            store.make_due(Schedule::UploadCustomers, jobs.clock.now()).await?;
            workflow.remote_failed(attempt, &why, false, None).await
        }
        (Err(Trouble::Permanent { why, .. }), Some(call)) if call.call == Call::Create => {
            tracing::warn!(petition = %stream.petition, why, "the remote space does not take a petition");
            workflow.remote_refused(attempt, call, &why).await
        }
        (Err(Trouble::Permanent { why, .. }), Some(call)) if call.call == Call::Claim(ClaimKind::Approve) => {
            tracing::warn!(petition = %stream.petition, why, "the remote space does not take an approval");
            workflow.remote_claimed(attempt, call, Some(&why)).await
        }
        // What takes access away is never given up, and a look is tried again.
        (Err(trouble), _) => {
            let (why, ambiguous, after) = match trouble {
                Trouble::Retry { why, after } => (why, false, after),
                Trouble::Ambiguous { why, after } => (why, true, after),
                Trouble::Permanent { why, .. } => (why, false, None),
            };
            let age = call.as_ref().map_or(SignedDuration::ZERO, |call| jobs.clock.now().duration_since(call.owed_at));
            let (petition, attempts) = (&stream.petition, stream.attempts);
            if age > LOUD_AFTER && call.as_ref().is_some_and(|call| takes_away(call.call)) {
                tracing::error!(
                    %petition, why, attempts, call = what, age_s = age.as_secs(),
                    "what was taken away here is not taken away in the remote space yet; it is told until it is"
                );
            } else {
                tracing::warn!(%petition, why, attempts, call = what, "a remote space was not told or seen");
            }
            let after = after.and_then(|after| SignedDuration::try_from(after).ok());
            workflow.remote_failed(attempt, &why, ambiguous, after).await
        }
    }
}

fn takes_away(call: Call) -> bool {
    match call {
        Call::Claim(ClaimKind::Deny | ClaimKind::Revoke) => true,
        Call::Create | Call::Claim(ClaimKind::Approve) => false,
    }
}

enum Done {
    /// The space has the petition, by this name.
    Created(String),
    Claimed,
    Seen(crate::workflow::Seen),
    /// It was closed here before the space could have heard of it.
    Needless,
}

async fn tell(
    space: &Space,
    stream: &RemoteStream,
    petition: &Petition,
    call: &RemoteCall,
    replaced: Option<&str>,
) -> Result<Done, Trouble> {
    let closed = matches!(petition.state, PetitionState::Closed { .. });
    match (call.call, stream.remote_name.as_deref()) {
        (Call::Create, _) | (Call::Claim(_), None) => {
            // Created once: what may have been heard is looked for first.
            if stream.unsure
                && let Some(name) = space.find_petition(petition).await.map_err(only_the_look)?
            {
                return Ok(Done::Created(name));
            }
            if closed {
                return Ok(Done::Needless);
            }
            space.create_petition(petition, replaced).await.map(Done::Created)
        }
        // What was taken away meanwhile is not approved any more; that follows in the stream.
        (Call::Claim(ClaimKind::Approve), Some(_)) if closed => Ok(Done::Claimed),
        (Call::Claim(kind), Some(name)) => claim(space, petition, call, kind, name).await,
    }
}

/// A look that is refused says nothing about the petition.
fn only_the_look(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Permanent { why, .. } => Trouble::Ambiguous { why, after: None },
        trouble @ (Trouble::Retry { .. } | Trouble::Ambiguous { .. }) => trouble,
    }
}

async fn claim(
    space: &Space,
    petition: &Petition,
    call: &RemoteCall,
    kind: ClaimKind,
    name: &str,
) -> Result<Done, Trouble> {
    let say = |kind| space.create_claim(name, petition, kind, call.actor.as_str(), &call.reason, call.length);
    let refused = match say(kind).await {
        Ok(()) => return Ok(Done::Claimed),
        Err(refused @ Trouble::Permanent { .. }) if kind != ClaimKind::Approve => refused,
        Err(trouble) => return Err(trouble),
    };
    // Somebody may have been faster there. What is closed is closed; what was granted meanwhile is revoked, what is not
    // granted any more denied.
    let other = match space.petition(name).await {
        Ok(seen) => match (seen.phase, kind) {
            (Phase::Closed, _) => return Ok(Done::Claimed),
            (Phase::Granted, ClaimKind::Deny) => ClaimKind::Revoke,
            (Phase::Open, ClaimKind::Revoke) => ClaimKind::Deny,
            (Phase::Open | Phase::Granted, _) => return Err(refused),
        },
        Err(Trouble::Permanent { status: 404, .. }) => return Ok(Done::Claimed),
        Err(_) => return Err(refused),
    };
    say(other).await.map(|()| Done::Claimed)
}
