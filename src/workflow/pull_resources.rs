//! Keeps what a `[[pull]]` brings in step with what its endpoint says.
//!
//! As the customer sync: the whole answer is there before anything is changed, too many removals change nothing, and
//! what is written is written in small transactions.

use std::collections::HashSet;

use jiff::SignedDuration;
use serde_json::json;

use super::{Error, Put, SourceRow, Workflow, hold::Hold, settle, sync_customers::derived};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        id::{self, PullName},
        resource::{Resource, Source},
    },
    store::{RemovedCustomers, Schedule, StagedCustomer, StoreError, StoredResource, Tx},
};

/// What a pull changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// New or different.
    pub written: u64,
    pub removed: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The sentence says what its endpoint did not do.
    #[error("{0}")]
    Endpoint(String),
    #[error(
        "it lacks {missing} of the {had} resources that it brought before, which is more than CUSTOMERS_MAX_REMOVALS \
         ({limit}%) allows; nothing was changed. If they are really gone, raise it for one run"
    )]
    TooManyGone { missing: u64, had: u64, limit: f64 },
    #[error("it is running already; this run changed nothing")]
    Busy,
    #[error(transparent)]
    Workflow(#[from] Error),
}

impl From<StoreError> for PullError {
    fn from(error: StoreError) -> Self {
        Self::Workflow(error.into())
    }
}

/// Which pull it is, and on whose word it runs.
#[derive(Clone, Copy, Debug)]
pub struct PullsAs<'a> {
    pub pull: &'a PullName,
    pub by: &'a str,
    pub via: Via,
    pub max_removals_percent: f64,
}

/// Written at once: a transaction of some ten milliseconds.
const BATCH: usize = 2_000;
/// A run that has not moved for this long, after its endpoint's time is over, is dead.
const HOLD: SignedDuration = SignedDuration::from_mins(2);
/// How many ids an entry of the record names.
const NAMED_IN_RECORD: usize = 20;

/// What was brought before and is not any more.
struct Gone {
    customers: Vec<String>,
    /// By their names.
    others: Vec<String>,
}

impl Workflow {
    /// Runs a pull: `bring` asks the endpoint and takes at most `longest`. No kind and id comes twice in what it brings.
    pub async fn pull_resources(
        &self,
        run: PullsAs<'_>,
        longest: SignedDuration,
        bring: impl Future<Output = Result<Put, PullError>>,
    ) -> Result<(Put, Pulled), PullError> {
        let hold = Hold::take(self, Schedule::PullRunning(run.pull.clone()), longest + HOLD).await?;
        let mut hold = hold.ok_or(PullError::Busy)?;
        let result = async {
            let put = bring.await?;
            let pulled = self.put_pulled(&mut hold, run, &put).await?;
            Ok((put, pulled))
        }
        .await;
        hold.release(self).await?;
        result
    }

    async fn put_pulled(&self, hold: &mut Hold, run: PullsAs<'_>, put: &Put) -> Result<Pulled, PullError> {
        let source = Source::Pull(run.pull.to_string());
        let gone = self.gone(&source, put, run.max_removals_percent).await?;
        let mut pulled = Pulled::default();
        for rows in put.customers.chunks(BATCH) {
            renew(hold, self).await?;
            pulled.written += settle(|| self.put_batch(run, &source, rows, &[])).await?;
        }
        for others in put.others.chunks(BATCH) {
            renew(hold, self).await?;
            pulled.written += settle(|| self.put_batch(run, &source, &[], others)).await?;
        }
        for ids in gone.customers.chunks(BATCH) {
            renew(hold, self).await?;
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let removed = tx.remove_customers_of(&source, &RemovedCustomers(ids.to_vec()), now).await?;
            if !removed.is_empty() {
                self.owe_customers(&mut tx, now).await?;
            }
            pulled.removed += self.commit_removal(tx, run, &source, &removed).await?;
        }
        for names in gone.others.chunks(BATCH) {
            renew(hold, self).await?;
            let mut tx = self.store.begin().await?;
            let mut removed = Vec::new();
            for name in names {
                if tx.remove_resource_of(&source, name).await? {
                    removed.push(name.clone());
                }
            }
            pulled.removed += self.commit_removal(tx, run, &source, &removed).await?;
        }
        Ok(pulled)
    }

    /// Nothing is gone that was never brought: what came from elsewhere under the same id stays.
    async fn gone(&self, source: &Source, put: &Put, limit: f64) -> Result<Gone, PullError> {
        let mut tx = self.store.begin().await?;
        let customers = tx.customers_of_source(source).await?;
        let others = tx.resources_of_source(source).await?;
        drop(tx);
        let had = (customers.len() + others.len()) as u64;
        let brought: HashSet<&str> = put.customers.iter().map(|row| row.id.as_str()).collect();
        let brought_others: HashSet<(&str, &str)> =
            put.others.iter().map(|one| (one.kind.as_str(), one.id.as_str())).collect();
        let gone = Gone {
            customers: customers.into_iter().filter(|id| !brought.contains(id.as_str())).collect(),
            others: others
                .into_iter()
                .filter(|one| !brought_others.contains(&(one.resource.kind.as_str(), one.resource.id.as_str())))
                .map(|one| one.name)
                .collect(),
        };
        let missing = (gone.customers.len() + gone.others.len()) as u64;
        if missing as f64 > had as f64 * limit / 100.0 {
            return Err(PullError::TooManyGone { missing, had, limit });
        }
        Ok(gone)
    }

    /// How many were new or different; when none was, nothing is put on record.
    async fn put_batch(
        &self,
        run: PullsAs<'_>,
        source: &Source,
        customers: &[SourceRow],
        others: &[Resource],
    ) -> Result<u64, Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let mut written = 0;
        if !customers.is_empty() {
            let mut rows: Vec<StagedCustomer> = customers.iter().cloned().map(derived).collect();
            rows.sort_by(|a, b| a.id.cmp(&b.id));
            written += tx.put_customers(&rows, source, now).await?;
            if written > 0 {
                self.owe_customers(&mut tx, now).await?;
            }
        }
        if !others.is_empty() {
            let named = |resource: &Resource| StoredResource {
                name: id::resource_name(now, self.entropy.as_ref()),
                resource: resource.clone(),
            };
            written += tx.put_resources(&others.iter().map(named).collect::<Vec<_>>(), source, now).await?;
        }
        if written > 0 {
            let details = json!({ "count": written, "source": source.to_string() });
            tx.commit(&[AuditEntry::new(now, AuditEvent::ResourcesPut, run.by, run.via).details(details)]).await?;
        }
        Ok(written)
    }

    /// How many it were; when it was none, nothing is put on record.
    async fn commit_removal(
        &self,
        tx: Tx,
        run: PullsAs<'_>,
        source: &Source,
        named: &[String],
    ) -> Result<u64, StoreError> {
        if named.is_empty() {
            return Ok(0);
        }
        let details = json!({
            "count": named.len(), "ids": named.iter().take(NAMED_IN_RECORD).collect::<Vec<_>>(),
            "source": source.to_string(),
        });
        let entry = AuditEntry::new(self.now(), AuditEvent::ResourcesRemoved, run.by, run.via).details(details);
        tx.commit(&[entry]).await?;
        Ok(named.len() as u64)
    }
}

async fn renew(hold: &mut Hold, workflow: &Workflow) -> Result<(), PullError> {
    if hold.renew(workflow).await? { Ok(()) } else { Err(PullError::Busy) }
}
