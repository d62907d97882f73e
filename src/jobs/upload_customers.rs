//! Sends a remote space the customers that it has not, or not as they are, and takes away those that vanished.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use jiff::{SignedDuration, Timestamp};

use super::{JobError, Jobs};
use crate::{
    domain::{backoff, customer::Customer},
    indent::{Space, Trouble},
    store::{Schedule, SentCustomer, Store, StoreError},
};

/// Customers in one call.
const BATCH: usize = 500;
/// How often it is looked for changes that nobody announced.
const EVERY: SignedDuration = SignedDuration::from_mins(15);
/// An upload that has not moved for this long is dead, and another may begin.
const HOLD: SignedDuration = SignedDuration::from_mins(2);
/// The longest wait between two attempts.
const CAP: SignedDuration = SignedDuration::from_mins(1);

pub(super) async fn run(jobs: &Jobs) -> Result<(), JobError> {
    let Some(space) = &jobs.space else { return Ok(()) };
    let (store, now) = (jobs.workflow.store(), jobs.clock.now());
    if !store.win_tick(Schedule::UploadCustomers, now, EVERY).await? {
        return Ok(());
    }
    let next = now.saturating_add(EVERY).unwrap_or(Timestamp::MAX);
    if !store.win_tick(Schedule::UploadRunning, now, HOLD).await? {
        // Somebody else sends them; or died over it, and then it is ours to do as soon as that is certain.
        if let Some(free) = store.schedule_due(Schedule::UploadRunning).await? {
            store.move_schedule(Schedule::UploadCustomers, next, free.clamp(now, next)).await?;
        }
        return Ok(());
    }
    let mut upload = Upload { jobs, store, space, hold: now.saturating_add(HOLD).unwrap_or(Timestamp::MAX) };
    let result = upload.everything().await;
    store.move_schedule(Schedule::UploadRunning, upload.hold, Timestamp::UNIX_EPOCH).await?;
    let trouble = match result {
        Ok(sent) => {
            if sent > 0 {
                tracing::info!(customers = sent, "the remote space has the customers that changed");
            }
            jobs.failed_uploads.store(0, Ordering::Relaxed);
            return Ok(());
        }
        Err(Stopped::Job(error)) => {
            store.make_due(Schedule::UploadCustomers, jobs.clock.now()).await?;
            return Err(error);
        }
        Err(Stopped::Space(trouble)) => trouble,
    };
    let tries = jobs.failed_uploads.fetch_add(1, Ordering::Relaxed) + 1;
    let (Trouble::Retry { why, after } | Trouble::Ambiguous { why, after }) = trouble else { return Ok(()) };
    tracing::warn!(why, "the remote space did not take the customers; trying again");
    let now = jobs.clock.now();
    let after = after.and_then(|after| SignedDuration::try_from(after).ok());
    let again = match after.and_then(|after| now.checked_add(after).ok()) {
        Some(at) => at,
        None => backoff::next_at(now, tries, CAP, jobs.workflow.entropy.as_ref()),
    };
    Ok(store.make_due(Schedule::UploadCustomers, again).await?)
}

enum Stopped {
    Job(JobError),
    Space(Trouble),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Job(error.into())
    }
}

struct Upload<'a> {
    jobs: &'a Jobs,
    store: &'a Store,
    space: &'a Space,
    /// Until when the others leave it to us.
    hold: Timestamp,
}

impl Upload<'_> {
    /// Everything that differs; how many customers it was.
    async fn everything(&mut self) -> Result<u64, Stopped> {
        self.store.send_to(&self.space.address()).await?;
        let (mut sent, mut after) = (0, String::new());
        loop {
            let batch = self.store.customers_to_send(&after, BATCH as i64).await?;
            let Some((last, _)) = batch.last() else { break };
            after = last.id.as_str().to_owned();
            if !self.renew().await? {
                return Ok(sent);
            }
            sent += self.send(batch).await?;
        }
        after.clear();
        loop {
            let batch = self.store.customers_to_take(&after, BATCH as i64).await?;
            let Some((last, _)) = batch.last() else { return Ok(sent) };
            after = last.clone();
            if !self.renew().await? {
                return Ok(sent);
            }
            sent += self.take(batch).await?;
        }
    }

    /// `false` when it took too long and somebody else has taken over.
    async fn renew(&mut self) -> Result<bool, Stopped> {
        let next = self.jobs.clock.now().saturating_add(HOLD).unwrap_or(Timestamp::MAX);
        if next != self.hold && !self.store.move_schedule(Schedule::UploadRunning, self.hold, next).await? {
            return Ok(false);
        }
        self.hold = next;
        Ok(true)
    }

    /// One that the space does not take keeps none of the others from it: the batch is halved until it stands alone.
    async fn send(&self, batch: Vec<(Customer, i64)>) -> Result<u64, Stopped> {
        let (mut sent, mut left) = (0, vec![batch]);
        while let Some(mut batch) = left.pop() {
            let customers: Vec<Customer> = batch.iter().map(|(customer, _)| customer.clone()).collect();
            match self.space.put_customers(&customers).await {
                Ok(names) => {
                    let mut names: BTreeMap<String, String> = names.into_iter().collect();
                    let note = |(customer, hash): (Customer, i64)| {
                        let id = customer.id.into_string();
                        SentCustomer { name: names.remove(&id), id, hash }
                    };
                    let noted: Vec<SentCustomer> = batch.into_iter().map(note).collect();
                    self.store.note_sent(&noted).await?;
                    sent += noted.len() as u64;
                }
                Err(Trouble::Permanent { why, .. }) => {
                    if let [(customer, _)] = batch.as_slice() {
                        tracing::error!(customer = %customer.id, why, "the remote space does not take a customer");
                        continue;
                    }
                    let half = batch.split_off(batch.len() / 2);
                    left.extend([half, batch]);
                }
                Err(trouble) => return Err(Stopped::Space(trouble)),
            }
        }
        Ok(sent)
    }

    async fn take(&self, batch: Vec<(String, Option<String>)>) -> Result<u64, Stopped> {
        let (mut taken, mut left) = (0, vec![batch]);
        while let Some(mut batch) = left.pop() {
            // The space never told a name: there is nothing to name.
            let names: Vec<&str> = batch.iter().filter_map(|(_, name)| name.as_deref()).collect();
            match if names.is_empty() { Ok(()) } else { self.take_there(&names).await } {
                Ok(()) => {}
                Err(Trouble::Permanent { why, .. }) if batch.len() == 1 => {
                    tracing::error!(why, "the remote space does not let a customer go");
                    continue;
                }
                Err(Trouble::Permanent { .. }) => {
                    let half = batch.split_off(batch.len() / 2);
                    left.extend([half, batch]);
                    continue;
                }
                Err(trouble) => return Err(Stopped::Space(trouble)),
            }
            let ids: Vec<String> = batch.into_iter().map(|(id, _)| id).collect();
            self.store.note_taken(&ids).await?;
            taken += ids.len() as u64;
        }
        Ok(taken)
    }

    /// One that is gone there already is taken, whether the space says so by 404 or refuses the call by 400.
    async fn take_there(&self, names: &[&str]) -> Result<(), Trouble> {
        match (self.space.take_resources(names).await, names) {
            (Err(Trouble::Permanent { status: 404, .. }), [_]) => Ok(()),
            (Err(refused @ Trouble::Permanent { status: 400, .. }), [name]) => {
                match self.space.has_resource(name).await {
                    Ok(false) => Ok(()),
                    Ok(true) | Err(Trouble::Permanent { .. }) => Err(refused),
                    Err(trouble) => Err(trouble),
                }
            }
            (done, _) => done,
        }
    }
}
