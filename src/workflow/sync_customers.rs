//! Keeps our list of customers in step with the company's database.
//!
//! Three steps, with flat memory: read our own ids and hashes, read the whole source and put aside what differs, and
//! only when all of it was read and too few are missing, move that into place in small transactions. A source that
//! fails half-way has changed nothing.

use std::collections::{BTreeMap, HashMap};

use futures_util::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Error, Workflow, hold::Hold};
use crate::{
    audit::{AuditEntry, AuditEvent, SYSTEM, Via},
    domain::{
        customer::{Labels, name_key},
        id::CustomerId,
        resource::Source,
    },
    store::{CustomerHash, RemovedCustomers, Schedule, StagedCustomer, StoreError},
};

/// One row of the company's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    pub id: String,
    pub name: String,
    pub labels: Labels,
}

/// What a sync found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    pub read: u64,
    /// New, renamed, relabelled, or back again.
    pub changed: u64,
    pub vanished: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The sentence names what could not be read.
    #[error("{0}")]
    Source(String),
    #[error(
        "the customers database lacks {missing} of the {had} customers it had, which is more than \
         CUSTOMERS_MAX_REMOVALS ({limit}%) allows; nothing was changed. If they are really gone, raise it for one run"
    )]
    TooManyGone { missing: u64, had: u64, limit: f64 },
    #[error("another sync is running; this one changed nothing")]
    Busy,
    #[error(transparent)]
    Workflow(#[from] Error),
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        Self::Workflow(error.into())
    }
}

/// Rows put aside or moved into place at once: a transaction of some ten milliseconds.
const BATCH: usize = 2_000;
/// A sync that has not moved for this long is dead, and another may begin.
const HOLD: SignedDuration = SignedDuration::from_mins(2);

/// What we know of one customer: its hash, and whether it was gone or has been seen in this run.
struct Known {
    hash: i64,
    gone: bool,
    /// Whether it came by a sync; what was uploaded is not for a sync to remove.
    synced: bool,
    /// Whether it came by a sync and was uploaded since.
    kept: bool,
    seen: bool,
}

impl Known {
    fn is_missing(&self) -> bool {
        self.synced && !self.gone && !self.seen
    }

    /// The company's database has it no more, and whoever uploaded it may change it again.
    fn is_released(&self) -> bool {
        self.kept && !self.seen
    }
}

impl Workflow {
    /// Runs one sync over the rows of the source. `progress` is called now and then with the rows read so far.
    pub async fn sync_customers(
        &self,
        rows: impl Stream<Item = Result<SourceRow, SyncError>>,
        max_removals_percent: f64,
        progress: impl Fn(u64),
    ) -> Result<Synced, SyncError> {
        let hold = Hold::take(self, Schedule::SyncRunning, HOLD).await?;
        let mut hold = hold.ok_or(SyncError::Busy)?;
        let result = self.sync_held(&mut hold, rows, max_removals_percent, progress).await;
        hold.release(self).await?;
        result
    }

    async fn sync_held(
        &self,
        hold: &mut Hold,
        rows: impl Stream<Item = Result<SourceRow, SyncError>>,
        max_removals_percent: f64,
        progress: impl Fn(u64),
    ) -> Result<Synced, SyncError> {
        self.store.clear_stage().await?;
        let mut known: HashMap<u64, Known> = HashMap::new();
        self.store
            .each_customer_hash(|row| {
                let CustomerHash { row_hash: hash, gone, synced, kept, .. } = *row;
                known.insert(id_hash(&row.id), Known { hash, gone, synced, kept, seen: false });
            })
            .await?;
        let had = known.values().filter(|known| known.synced && !known.gone).count() as u64;

        let mut synced = Synced::default();
        let mut batch: BTreeMap<String, StagedCustomer> = BTreeMap::new();
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.next().await {
            let row = row?;
            if !CustomerId::is_plain(&row.id) {
                let shown: String = row.id.chars().filter(|c| !c.is_control()).take(60).collect();
                let sentence = format!("the id of a customer is empty or holds a control character: “{shown}”");
                return Err(SyncError::Source(sentence));
            }
            synced.read += 1;
            let hash = row_hash(&row);
            match known.get_mut(&id_hash(&row.id)) {
                Some(known) if known.hash == hash && !known.gone => known.seen = true,
                other => {
                    if let Some(known) = other {
                        known.seen = true;
                    }
                    batch.insert(row.id.clone(), staged(row, hash));
                }
            }
            if batch.len() == BATCH {
                synced.changed += self.stage(&mut batch).await?;
            }
            if synced.read % BATCH as u64 == 0 {
                renew(hold, self).await?;
                progress(synced.read);
            }
        }
        synced.changed += self.stage(&mut batch).await?;
        progress(synced.read);

        let missing = known.values().filter(|known| known.is_missing()).count() as u64;
        if missing as f64 > had as f64 * max_removals_percent / 100.0 {
            return Err(SyncError::TooManyGone { missing, had, limit: max_removals_percent });
        }
        self.move_into_place(hold).await?;
        if known.values().any(|known| known.is_missing() || known.is_released()) {
            synced.vanished = self.remove_vanished(hold, &known).await?;
        }
        Ok(synced)
    }

    async fn stage(&self, batch: &mut BTreeMap<String, StagedCustomer>) -> Result<u64, SyncError> {
        let rows: Vec<StagedCustomer> = std::mem::take(batch).into_values().collect();
        if !rows.is_empty() {
            self.store.stage_customers(&rows).await?;
        }
        Ok(rows.len() as u64)
    }

    async fn move_into_place(&self, hold: &mut Hold) -> Result<(), SyncError> {
        loop {
            renew(hold, self).await?;
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let moved = tx.apply_stage(now, BATCH as i64).await?;
            if moved == 0 {
                return Ok(());
            }
            tx.commit(&[synced_entry(now, moved, 0)]).await?;
        }
    }

    /// Their leases run on and end in time; they just cannot be asked for any more. How many it were: whoever was
    /// uploaded meanwhile stays.
    async fn remove_vanished(&self, hold: &mut Hold, known: &HashMap<u64, Known>) -> Result<u64, SyncError> {
        let (mut gone, mut released): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        self.store
            .each_customer_hash(|row| {
                let known = known.get(&id_hash(&row.id));
                if row.synced && !row.gone && known.is_some_and(Known::is_missing) {
                    gone.push(row.id.clone());
                }
                if row.kept && known.is_some_and(Known::is_released) {
                    released.push(row.id.clone());
                }
            })
            .await?;
        for ids in released.chunks(BATCH) {
            hold.renew(self).await?;
            let mut tx = self.store.begin().await?;
            tx.release_customers(ids).await?;
            tx.commit(&[]).await?;
        }
        let mut vanished = 0;
        for ids in gone.chunks(BATCH) {
            renew(hold, self).await?;
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let removed = tx.remove_customers_of(&Source::Sync, &RemovedCustomers(ids.to_vec()), now).await?;
            if !removed.is_empty() {
                tx.commit(&[synced_entry(now, 0, removed.len() as u64)]).await?;
                vanished += removed.len() as u64;
            }
        }
        Ok(vanished)
    }
}

async fn renew(hold: &mut Hold, workflow: &Workflow) -> Result<(), SyncError> {
    if hold.renew(workflow).await? { Ok(()) } else { Err(SyncError::Busy) }
}

fn synced_entry(now: Timestamp, changed: u64, vanished: u64) -> AuditEntry {
    AuditEntry::new(now, AuditEvent::CustomersSynced, SYSTEM, Via::Worker)
        .details(json!({ "changed": changed, "vanished": vanished }))
}

/// A row with all that is derived from it.
pub(super) fn derived(row: SourceRow) -> StagedCustomer {
    let hash = row_hash(&row);
    staged(row, hash)
}

fn staged(row: SourceRow, row_hash: i64) -> StagedCustomer {
    StagedCustomer { name_key: name_key(&row.name), id: row.id, name: row.name, labels: row.labels, row_hash }
}

fn first_eight(hash: Sha256) -> [u8; 8] {
    let digest = hash.finalize();
    // SHA-256 has 32 bytes.
    std::array::from_fn(|n| digest[n])
}

/// Stands for an id in memory. Two of a million ids share one with a probability of 1 in 10^7 or so; the worst that
/// follows is that a change of one of them is found late.
fn id_hash(id: &str) -> u64 {
    u64::from_be_bytes(first_eight(Sha256::new_with_prefix(id.as_bytes())))
}

/// Of everything that is shown or matched, so that equal hashes mean that there is nothing to write.
fn row_hash(row: &SourceRow) -> i64 {
    let mut hash = Sha256::new();
    let texts = std::iter::once(&row.name).chain(row.labels.iter().flat_map(|(key, value)| [key, value]));
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    i64::from_be_bytes(first_eight(hash))
}
