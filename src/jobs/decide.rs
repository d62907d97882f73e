//! Asks one bot what it says to the petitions that are waiting for it, and takes it at its word where the policy does.
//!
//! A question is done with when it is answered, or when its petition is not open any more. Until then it is put again
//! and again: nobody else may be there to decide.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline, deliver::LOOK_AGAIN, notify};
use crate::{
    domain::{
        backoff,
        id::{self, DecisionName},
        petition::PetitionState,
    },
    store::{PendingDecision, StoreError},
    webhooks::{DecisionHook, Opinion, Word},
    workflow::{BotClaim, Error},
};

/// How many questions to one bot are under way at once.
const AT_ONCE: usize = 16;
/// The longest wait between two attempts: somebody waits for the answer.
const CAP: SignedDuration = SignedDuration::from_mins(1);

/// Asks until nothing is due. Slow answers to some questions do not hold up the others.
pub(super) async fn drain(jobs: &Arc<Jobs>, name: &DecisionName, stop: &CancellationToken) -> Result<(), JobError> {
    let store = jobs.workflow.store();
    let longest = jobs.decisions.get(name).map_or(std::time::Duration::ZERO, DecisionHook::timeout);
    // Tasks of their own, as for deliveries.
    let mut under_way = JoinSet::new();
    let mut result = Ok(());
    loop {
        if !stop.is_cancelled() && result.is_ok() && under_way.len() <= AT_ONCE / 2 {
            let now = jobs.clock.now();
            let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
            let room = (AT_ONCE - under_way.len()) as i64;
            match store.claim_decisions(name, now, &attempt, deadline(now, longest), room).await {
                Ok(due) => {
                    for one in due {
                        under_way.spawn(decide(jobs.clone(), one, attempt.clone()));
                    }
                }
                // What is under way is seen to its end: an answer is worth keeping.
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            // It comes due again: asked twice is better than not asked.
            Some(Ok(Err(error))) => tracing::warn!(decision = %name, %error, "a decision could not be recorded"),
            Some(Err(panic)) => tracing::error!(decision = %name, %panic, "asking a bot panicked"),
        }
    }
}

async fn decide(jobs: Arc<Jobs>, due: PendingDecision, attempt: String) -> Result<(), Error> {
    let store = jobs.workflow.store();
    let (decision, petition) = (&due.name, &due.petition);
    let result = match jobs.decisions.get(decision) {
        Some(hook) => ask(&jobs, hook, &due).await,
        None => {
            tracing::warn!(%decision, %petition, "latchkey.toml has no such decision any more; nobody is asked");
            Ok("gone")
        }
    };
    let word = *result.as_ref().unwrap_or(&"failed");
    metrics::counter!("latchkey_decisions_total", "decision" => decision.to_string(), "result" => word).increment(1);
    match result {
        Ok(_) => {
            let next = jobs.workflow.close_decision(&due, &attempt).await?;
            notify::tell_operators(petition, next, "no bot decided, and no card reaches anybody");
            Ok(())
        }
        Err(error) => {
            let now = jobs.clock.now();
            let next_at = backoff::next_at(now, due.attempts, CAP, jobs.workflow.entropy.as_ref());
            tracing::warn!(%decision, %petition, attempts = due.attempts, error, "a bot could not be asked; trying again");
            store.retry_decision(&due, &attempt, now, next_at, &error).await?;
            Ok(())
        }
    }
}

/// One question. `Ok` says in a word what came of it and that there is nothing left to ask; `Err`, for operators, why
/// it is to be put again.
async fn ask(jobs: &Jobs, hook: &DecisionHook, due: &PendingDecision) -> Result<&'static str, String> {
    let store = jobs.workflow.store();
    let away = |error: StoreError| error.to_string();
    let Some(petition) = store.petition(&due.petition).await.map_err(away)? else { return Ok("gone") };
    let petition = petition.at(jobs.clock.now());
    if petition.state != PetitionState::Open {
        return Ok("closed");
    }
    let customer = store.customer_ever(petition.customer.as_str()).await.map_err(away)?;
    let labels = customer.map(|customer| customer.labels).unwrap_or_default();
    // A header holds it, and some receivers split it at dots.
    let name = due.name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let id = format!("{}-{name}", due.petition);
    let opinions = hook.ask(&id, &petition, &labels, jobs.clock.as_ref()).await.map_err(|why| why.0)?;
    let mut word = "no opinion";
    for opinion in opinions {
        word = claim(jobs, due, opinion).await?;
        if word == "denied" || word == "closed" {
            break;
        }
    }
    Ok(word)
}

/// Makes the bot's claim, for the policy to judge.
async fn claim(jobs: &Jobs, due: &PendingDecision, opinion: Opinion) -> Result<&'static str, String> {
    let claim = BotClaim {
        decision: due.name.clone(),
        petition: due.petition.clone(),
        approves: opinion.word == Word::Approve,
        note: opinion.reason,
        length: opinion.length,
    };
    let word = if claim.approves { "approved" } else { "denied" };
    match jobs.workflow.claim_of_bot(&claim).await {
        Ok(_) => {
            tracing::info!(decision = %due.name, petition = %due.petition, word, "a bot has decided");
            Ok(word)
        }
        // The policy judges: it does not count, and saying it again would not help.
        Err(why @ (Error::Forbidden(_) | Error::Invalid(_) | Error::Conflict(_))) => {
            tracing::warn!(decision = %due.name, petition = %due.petition, word, %why, "a bot's word does not count");
            Ok("forbidden")
        }
        Err(Error::WrongState(_) | Error::NoSuchPetition(_) | Error::Replayed) => Ok("closed"),
        Err(why @ (Error::Store(_) | Error::Unavailable(_) | Error::FactsMissing)) => Err(why.to_string()),
    }
}
