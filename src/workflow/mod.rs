//! What can be done, one file per use case. Every change of state goes through here, whichever door it comes from.
//!
//! A use case loads the truth inside a transaction, asks [`crate::policy`], changes the state, and commits it with its
//! audit entries, its messages and the deliveries it causes. It never calls out: who clicked and who is in which Slack
//! group are facts that the edge has gathered before.
//!
//! May import: `domain`, `policy`, `audit`, `store`. To add a use case: one file, one `impl Workflow` in it.

mod apply_event;
mod ask_next;
mod bot_claim;
mod brief;
mod end_lease;
mod error;
mod escalate;
mod expire;
mod extend;
mod follow_access;
mod follow_remote;
mod hold;
mod home;
mod lists;
mod look_remote;
mod open_petition;
mod people;
mod post_claim;
mod pull_resources;
mod put_resources;
mod read;
mod relabel;
mod replace;
mod review_petition;
mod suggest;
mod sync_customers;
mod targets;
mod tell_remote;
mod tell_thread;
mod tidy;
mod tokens;
mod wait;
mod warn;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::{
    apply_event::{Applied, IncomingEvent},
    ask_next::Next,
    bot_claim::BotClaim,
    brief::Brief,
    error::Error,
    extend::{Extend, Extended},
    home::HomeFacts,
    lists::{Cut, Live, URGENT_LABEL},
    look_remote::{Phase, Seen, SeenEvent, SeenKind},
    open_petition::{Ask, NOTE_LABEL, Opened, Repeat, Subject, Wish},
    people::{Freshness, People, SlackGroups, TokensOnly},
    post_claim::NewClaim,
    pull_resources::{PullError, Pulled, PullsAs},
    put_resources::{Named, Put},
    read::{Remote, Story, Truth},
    replace::REPLACES_LABEL,
    review_petition::{Review, Reviewed, petition_facts},
    suggest::Suggested,
    sync_customers::{SourceRow, SyncError, Synced},
    targets::{Decider, Kinds, Target},
    tell_remote::Attempt,
    tell_thread::Written,
    tokens::NewToken,
};
use crate::{
    domain::{
        clock::{Clock, Entropy},
        id::{CustomerId, PetitionName},
        person::{Email, Person},
    },
    policy::{PersonFacts, Policy},
    store::{Store, StoreError, Tx},
};

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
    people: Arc<dyn People>,
    deciders: Arc<Vec<Decider>>,
    /// The name of the remote space that decides; `None`: we are the space.
    remote: Option<Arc<str>>,
}

impl Workflow {
    pub fn new(
        store: Store,
        policy: Arc<Policy>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        targets: Vec<Target>,
    ) -> Self {
        Self {
            store,
            policy,
            clock,
            entropy,
            targets: Arc::new(targets),
            deciders: Arc::default(),
            people: Arc::new(TokensOnly),
            remote: None,
        }
    }

    /// With Slack's word on who somebody is.
    pub fn with_people(mut self, people: Arc<dyn People>) -> Self {
        self.people = people;
        self
    }

    /// With bots that are asked about petitions.
    pub fn with_deciders(self, deciders: Vec<Decider>) -> Self {
        Self { deciders: Arc::new(deciders), ..self }
    }

    /// From now on petitions are decided by the remote space of this name.
    pub fn decided_by(mut self, space: &str) -> Self {
        self.remote = Some(space.into());
        self
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

    /// Whether this is the bot of a `[[decision]]`, who reads no messages and whom no other system knows.
    pub fn is_bot(&self, email: &Email) -> bool {
        self.deciders.iter().any(|decider| decider.bot == *email)
    }

    /// Whether a provisioner is told of resources of this kind, which is not that of customers.
    pub fn is_provisioned(&self, kind: &str) -> bool {
        let any = CustomerId::of_kind(kind, "");
        self.targets.iter().any(|target| target.kinds.hold(&any))
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
