//! Waiting for a petition to change, without asking the database again and again.
//!
//! A commit tells what it changed: to those who wait in this process at once, on PostgreSQL to other processes with
//! NOTIFY. Everybody who waits for one petition shares one look at it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{OnceCell, watch};

use super::{Store, StoreError};
use crate::domain::{
    id::PetitionName,
    petition::{Claim, Petition},
};

/// The channel on which PostgreSQL carries the names of changed petitions.
pub(super) const CHANNEL: &str = "latchkey_petition";

/// A petition with its claims, as they were read together.
#[derive(Debug)]
pub struct Seen {
    pub petition: Petition,
    pub claims: Vec<Claim>,
    /// The answer as the first of those who waited was given it, for the others while the petition stands as it is
    /// stored: one that nobody decided in time is closed before anybody writes it down.
    pub written: OnceLock<Bytes>,
}

/// One look, taken by whoever comes first and shared by the others.
type Look = Arc<OnceCell<Arc<Seen>>>;

/// Who waits for what in this process.
#[derive(Debug, Default)]
pub struct Watchers(Mutex<HashMap<PetitionName, watch::Sender<Look>>>);

impl Watchers {
    fn join(&self, name: &PetitionName) -> watch::Receiver<Look> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name.clone()).or_insert_with(|| watch::Sender::new(Look::default())).subscribe()
    }

    /// Wakes those who wait for it.
    pub fn changed(&self, name: &PetitionName) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = all.get(name) {
            sender.send_replace(Look::default());
        }
    }

    /// Lets the next look be a new one, unless somebody has seen to that since `known` was taken. Nobody is woken.
    fn renew(&self, name: &PetitionName, known: &Look) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = all.get(name) {
            sender.send_if_modified(|look| {
                if Arc::ptr_eq(look, known) {
                    *look = Look::default();
                }
                false
            });
        }
    }

    /// Wakes everybody, after news may have been missed.
    pub fn anything_changed(&self) {
        for sender in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            sender.send_replace(Look::default());
        }
    }

    fn count(&self) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().map(watch::Sender::receiver_count).sum()
    }

    fn leave(&self, name: &PetitionName, receiver: Option<watch::Receiver<Look>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that the last of several that leave at once sees that nobody is left.
        drop(receiver);
        if all.get(name).is_some_and(|sender| sender.receiver_count() == 0) {
            all.remove(name);
        }
    }
}

/// Somebody who waits for one petition. No change is missed between two looks.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    name: PetitionName,
    /// `None` only while it leaves.
    receiver: Option<watch::Receiver<Look>>,
    /// The look that it has taken part in last.
    last: Option<Look>,
}

impl Watch {
    /// The petition as it is after the newest change that was told of; `None` when there is none of that name.
    pub async fn look(&mut self) -> Result<Option<Arc<Seen>>, StoreError> {
        let Some(receiver) = &mut self.receiver else { return Ok(None) };
        let look = receiver.borrow_and_update().clone();
        self.last = Some(look.clone());
        let read = || async {
            let petition = self.store.petition(&self.name).await?.ok_or(Missing::NotThere)?;
            let claims = self.store.claims(&self.name).await?;
            Ok(Arc::new(Seen { petition, claims, written: OnceLock::new() }))
        };
        match look.get_or_try_init(read).await {
            Ok(seen) => Ok(Some(seen.clone())),
            Err(Missing::NotThere) => Ok(None),
            Err(Missing::Store(error)) => Err(error),
        }
    }

    /// The petition as it is by now, whether or not a change was told. Many who ask at once share one look.
    pub async fn look_again(&mut self) -> Result<Option<Arc<Seen>>, StoreError> {
        if let Some(known) = &self.last {
            self.store.watchers.renew(&self.name, known);
        }
        self.look().await
    }

    /// Completes when it has changed since the last look.
    pub async fn changed(&mut self) {
        let told = match &mut self.receiver {
            Some(receiver) => receiver.changed().await.is_ok(),
            None => false,
        };
        if !told {
            // The sender lives as long as anybody waits; without it nothing is ever told.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.store.watchers.leave(&self.name, self.receiver.take());
    }
}

enum Missing {
    NotThere,
    Store(StoreError),
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Store {
    /// How many wait for petitions in this process.
    pub fn waiting(&self) -> usize {
        self.watchers.count()
    }

    pub fn watch(&self, name: &PetitionName) -> Watch {
        Watch { store: self.clone(), name: name.clone(), receiver: Some(self.watchers.join(name)), last: None }
    }
}
