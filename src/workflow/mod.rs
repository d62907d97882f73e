//! What can be done, one file per use case. Every change of state goes through here, whichever door it comes from.
//!
//! A use case loads the truth inside a transaction, asks [`crate::policy`], changes the state, and commits it with its
//! audit entries, its messages and the deliveries it causes. It never calls out: who clicked and who is in which Slack
//! group are facts that the edge has gathered before.
//!
//! May import: `domain`, `policy`, `audit`, `store`. To add a use case: one file, one `impl Workflow` in it.

mod apply_event;
mod end_lease;
mod error;
mod expire;
mod follow_access;
mod open_petition;
mod read;
mod review_petition;
mod sync_customers;
mod tidy;
mod tokens;
mod warn;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::{
    apply_event::{Applied, IncomingEvent},
    error::Error,
    open_petition::{Ask, Opened},
    read::{Story, Truth},
    review_petition::{Review, Reviewed, petition_facts},
    sync_customers::{SourceRow, SyncError, Synced},
    tokens::NewToken,
};
use crate::{
    domain::{
        clock::{Clock, Entropy},
        customer::Labels,
        id::{PetitionName, ProvisionerName},
        person::Person,
    },
    policy::{PersonFacts, Policy},
    store::{Store, StoreError, Tx},
};

/// A provisioner as far as deciding who is told needs it.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: ProvisionerName,
    /// Customer labels that must all fit; empty fits everything.
    pub matches: Labels,
}

impl Target {
    fn fits(&self, labels: Option<&Labels>) -> bool {
        self.matches.iter().all(|(key, value)| labels.is_some_and(|labels| labels.get(key) == Some(value)))
    }
}

/// Somebody who acts, with what is known of them today.
#[derive(Clone, Debug)]
pub struct Actor {
    pub facts: PersonFacts,
    /// What people call them.
    pub name: String,
}

impl Actor {
    pub fn person(&self) -> Person {
        Person { email: self.facts.email.clone(), slack: self.facts.slack.clone(), name: self.name.clone() }
    }
}

/// The use cases, over one store, one policy and one clock.
#[derive(Clone)]
pub struct Workflow {
    pub(crate) store: Store,
    pub(crate) policy: Arc<Policy>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    targets: Arc<Vec<Target>>,
}

impl Workflow {
    pub fn new(
        store: Store,
        policy: Arc<Policy>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        targets: Vec<Target>,
    ) -> Self {
        Self { store, policy, clock, entropy, targets: Arc::new(targets) }
    }

    /// Notes the signed request that causes this change, so that a replay of it changes nothing.
    async fn note_request(
        &self,
        tx: &mut Tx,
        signature: Option<&str>,
        now: Timestamp,
        petition: &PetitionName,
    ) -> Result<(), Error> {
        match signature {
            Some(signature) if !tx.note_answered(signature, now, Some(petition)).await? => Err(Error::Replayed),
            Some(_) | None => Ok(()),
        }
    }

    /// Notes a signed request that was answered without a change, so that a replay changes nothing either, whatever its
    /// maker may do by then.
    pub async fn note_refused(&self, signature: &str) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        tx.note_answered(signature, now, None).await?;
        tx.commit(&[]).await?;
        Ok(())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// How often a use case starts over because somebody else changed the same thing at the same time. Each of them makes
/// progress, so a few are enough.
const TRIES: u32 = 5;

/// Runs an attempt again while it ends in a conflict with another transaction.
async fn settle<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(Error::Store(StoreError::Conflict)) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}
