//! Tells one provisioner what it is owed: grants in one lane, revokes in another, each stream in order.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{JobError, Jobs, deadline};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        backoff,
        event::Wanted,
        id::{self, CustomerId, ProvisionerName},
        person::Email,
    },
    store::{Outcome, Provisioning, Receipt, StoreError},
};

/// How many calls to one provisioner are under way at once, for each kind.
const AT_ONCE: usize = 32;
/// While something slow is under way, this often it is looked for what has come due beside it.
pub(super) const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);
/// The longest wait between two attempts. Neither is ever given up; a revoke comes back sooner.
const GRANT_CAP: SignedDuration = SignedDuration::from_mins(5);
const REVOKE_CAP: SignedDuration = SignedDuration::from_mins(1);
/// From then on a revoke that nobody confirmed is an error in the log at each attempt, not a warning.
const LOUD_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Delivers until nothing is due. Slow answers of some streams do not hold up the others.
pub(super) async fn drain(
    jobs: &Arc<Jobs>,
    name: &ProvisionerName,
    wanted: Wanted,
    stop: &CancellationToken,
) -> Result<(), JobError> {
    let store = jobs.workflow.store();
    let longest = jobs.provisioners.get(name).map_or(std::time::Duration::ZERO, |known| known.timeout());
    // Tasks of their own: a future that waits for the database and is not polled would hold up everybody behind it.
    let mut under_way = JoinSet::new();
    let mut result = Ok(());
    loop {
        if !stop.is_cancelled() && result.is_ok() && under_way.len() <= AT_ONCE / 2 {
            let now = jobs.clock.now();
            let attempt = id::attempt_id(now, jobs.workflow.entropy.as_ref());
            let room = (AT_ONCE - under_way.len()) as i64;
            match store.claim_provisionings(name, wanted, now, &attempt, deadline(now, longest), room).await {
                Ok(due) => {
                    for one in due {
                        under_way.spawn(deliver(jobs.clone(), one, attempt.clone()));
                    }
                }
                // What is under way is seen to its end: its receiver may have heard it already.
                Err(error) => result = Err(error.into()),
            }
        }
        let Ok(ended) = tokio::time::timeout(LOOK_AGAIN, under_way.join_next()).await else { continue };
        match ended {
            None => return result,
            Some(Ok(Ok(()))) => {}
            // What came of it is not recorded, so it comes due again: told twice is better than not told.
            Some(Ok(Err(error))) => tracing::warn!(provisioner = %name, %error, "a delivery could not be recorded"),
            Some(Err(panic)) => tracing::error!(provisioner = %name, %panic, "a delivery panicked"),
        }
    }
}

async fn deliver(jobs: Arc<Jobs>, due: Provisioning, attempt: String) -> Result<(), StoreError> {
    let id = format!("{}-{}-{}", due.access, due.wanted_version, due.provisioner);
    let result = match jobs.provisioners.get(&due.provisioner) {
        Some(provisioner) => provisioner.apply(&id, &due.event, jobs.clock.as_ref()).await.map_err(|why| why.0),
        None => Err(format!("latchkey.toml has no provisioner named `{}` any more", due.provisioner)),
    };
    let now = jobs.clock.now();
    let cap = match due.wanted {
        Wanted::Grant => GRANT_CAP,
        Wanted::Revoke => REVOKE_CAP,
    };
    let word = if result.is_ok() { "applied" } else { "failed" };
    metrics::counter!("latchkey_deliveries_total", "provisioner" => due.provisioner.to_string(),
        "kind" => due.wanted.word(), "result" => word)
    .increment(1);
    let outcome = match result {
        Ok(()) => Outcome::Applied,
        Err(error) => {
            let next_at = backoff::next_at(now, due.attempts, cap, jobs.workflow.entropy.as_ref());
            tell_operators(&due, now, &error);
            Outcome::Failed { error, next_at }
        }
    };
    // Once more where another transaction was in the way: an outcome that is not recorded is told a second time.
    match record(&jobs, &due, &attempt, now, &outcome).await {
        Err(StoreError::Conflict) => record(&jobs, &due, &attempt, now, &outcome).await,
        recorded => recorded,
    }
}

/// The longer a revoke takes, the louder it gets.
fn tell_operators(due: &Provisioning, now: jiff::Timestamp, error: &str) {
    let age = now.duration_since(due.wanted_at);
    let (provisioner, access, attempts) = (&due.provisioner, &due.access, due.attempts);
    if due.wanted == Wanted::Revoke && age > LOUD_AFTER {
        tracing::error!(
            %provisioner, %access, attempts, error, age_s = age.as_secs(),
            "a revoke is not confirmed: production may still allow what is over; it is tried until it is"
        );
    } else {
        tracing::warn!(%provisioner, %access, attempts, error, kind = due.wanted.word(), "a delivery failed");
    }
}

/// Records what came of an attempt, with an audit entry where the state changed, and shows it on the messages.
async fn record(
    jobs: &Jobs,
    due: &Provisioning,
    attempt: &str,
    now: jiff::Timestamp,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let mut tx = jobs.workflow.store().begin().await?;
    let receipt = Receipt {
        access: &due.access,
        provisioner: &due.provisioner,
        version: due.wanted_version,
        wanted: due.wanted,
        attempt,
    };
    if tx.record_outcome(&receipt, now, outcome).await?.is_none() {
        return Ok(());
    }
    let (event, error, shown) = match outcome {
        Outcome::Applied => (Some(AuditEvent::ProvisionerApplied), None, true),
        Outcome::Failed { error, .. } => {
            let news = due.failing.is_none();
            // Messages say for how long it has been failing: drawn again whenever that has about doubled.
            let shown = news || due.attempts.count_ones() == 1;
            (news.then_some(AuditEvent::ProvisionerFailing), Some(error), shown)
        }
    };
    let mut entries = Vec::new();
    if let Some(event) = event {
        let mut entry = AuditEntry::new(now, event, SYSTEM, Via::Worker).petition(&due.event.petition).details(json!({
            "provisioner": due.provisioner.as_str(), "event": format!("access/{}", due.wanted.word()),
            "version": due.wanted_version, "attempts": due.attempts, "error": error,
        }));
        entry.person = Email::parse(&due.event.person).ok();
        entry.customer = Some(CustomerId::new(&due.event.customer));
        entries.push(entry);
    }
    if shown {
        // Leases that ended with the change that is being told show what became of it.
        // A stream that was failing may have been so since an earlier change, whose messages say so.
        let since = due.failing.as_ref().map_or(due.wanted_at, |(since, _)| due.wanted_at.min(*since));
        let ended_since = since.saturating_sub(SignedDuration::from_mins(2)).unwrap_or(since);
        tx.touch_messages_of_access(&due.access, now, ended_since).await?;
    }
    tx.commit(&entries).await
}
