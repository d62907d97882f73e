//! Resources that somebody puts here, and takes away again: customers beside those of the company's database, and
//! whatever else petitions may name. A batch is written whole or not at all.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Error, SourceRow, Workflow, settle, sync_customers::derived};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        id,
        resource::{Resource, Source},
    },
    store::{RemovedCustomers, StagedCustomer, StoredResource, Tx},
};

/// What is to be put; kinds and ids are plain and no pair comes twice.
#[derive(Clone, Debug, Default)]
pub struct Put {
    pub customers: Vec<SourceRow>,
    pub others: Vec<Resource>,
}

/// A resource that the API names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Customer(String),
    /// By its name.
    Other(String),
}

/// How many ids an entry of the record names; the count says the rest.
const NAMED_IN_RECORD: usize = 20;

impl Workflow {
    /// Creates or updates all of it, in one transaction.
    pub async fn put_resources(&self, put: &Put, source: &Source, by: &str, via: Via) -> Result<(), Error> {
        settle(|| async {
            let mut tx = self.store.begin().await?;
            let entries = [self.write_resources(&mut tx, put, source, by, via).await?];
            tx.commit(&entries).await?;
            Ok(())
        })
        .await
    }

    /// The same for one that is there; what the company's database says is `Conflict`.
    pub async fn replace_resource(&self, put: &Put, by: &str, via: Via) -> Result<(), Error> {
        settle(|| async {
            let mut tx = self.store.begin().await?;
            for SourceRow { id, .. } in &put.customers {
                if let Some("sync" | "kept") = tx.customer_source(id).await?.as_deref() {
                    let sentence = format!("customer `{id}` comes from the customers database; change it there");
                    return Err(Error::Conflict(sentence));
                }
            }
            let entries = [self.write_resources(&mut tx, put, &Source::Upload, by, via).await?];
            tx.commit(&entries).await?;
            Ok(())
        })
        .await
    }

    /// The same, but a resource that is there already is `Conflict`.
    pub async fn create_resource(&self, put: &Put, by: &str, via: Via) -> Result<(), Error> {
        settle(|| async {
            let mut tx = self.store.begin().await?;
            for customer in &put.customers {
                if tx.customer_source(&customer.id).await?.is_some() {
                    return Err(Error::Conflict(format!("there is a customer with the id `{}`", customer.id)));
                }
            }
            for other in &put.others {
                if tx.resource_by_id(&other.kind, &other.id).await?.is_some() {
                    let sentence = format!("there is a resource of kind `{}` with the id `{}`", other.kind, other.id);
                    return Err(Error::Conflict(sentence));
                }
            }
            let entries = [self.write_resources(&mut tx, put, &Source::Upload, by, via).await?];
            tx.commit(&entries).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn write_resources(
        &self,
        tx: &mut Tx,
        put: &Put,
        source: &Source,
        by: &str,
        via: Via,
    ) -> Result<AuditEntry, Error> {
        let now = self.now();
        if !put.customers.is_empty() {
            let mut rows: Vec<StagedCustomer> = put.customers.iter().cloned().map(derived).collect();
            // Two batches at once take their rows in one order, or they would wait for each other.
            rows.sort_by(|a, b| a.id.cmp(&b.id));
            tx.put_customers(&rows, source, now).await?;
            self.owe_customers(tx, now).await?;
        }
        if !put.others.is_empty() {
            let named = |resource: &Resource| StoredResource {
                name: id::resource_name(now, self.entropy.as_ref()),
                resource: resource.clone(),
            };
            let mut rows: Vec<StoredResource> = put.others.iter().map(named).collect();
            rows.sort_by(|a, b| (&a.resource.kind, &a.resource.id).cmp(&(&b.resource.kind, &b.resource.id)));
            tx.put_resources(&rows, source, now).await?;
        }
        let ids = put.customers.iter().map(|row| row.id.as_str()).chain(put.others.iter().map(|one| one.id.as_str()));
        let ids: Vec<&str> = ids.take(NAMED_IN_RECORD).collect();
        let count = put.customers.len() + put.others.len();
        Ok(AuditEntry::new(now, AuditEvent::ResourcesPut, by, via)
            .details(json!({ "count": count, "ids": ids, "source": source.to_string() })))
    }

    /// Takes away all of them or none. Their leases run on and end in time; they just cannot be asked for any more.
    /// A customer of the company's database would be back at the next sync, and is `Conflict`. `Ok(false)`: one of
    /// them is not there.
    pub async fn remove_resources(&self, gone: &[Named], by: &str, via: Via) -> Result<bool, Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let mut customers = BTreeSet::new();
            for named in gone {
                match named {
                    Named::Customer(id) => match tx.customer_source(id).await?.as_deref() {
                        None => return Ok(false),
                        Some("sync" | "kept") => {
                            return Err(Error::Conflict(format!(
                                "customer `{id}` comes from the customers database and would be back at the next \
                                 sync; remove it there"
                            )));
                        }
                        Some(_) => {
                            customers.insert(id.clone());
                        }
                    },
                    Named::Other(name) => {
                        if !tx.remove_resource(name).await? {
                            return Ok(false);
                        }
                    }
                }
            }
            let customers: Vec<String> = customers.into_iter().collect();
            if !customers.is_empty() {
                tx.remove_customers(&RemovedCustomers(customers.clone()), now).await?;
                self.owe_customers(&mut tx, now).await?;
            }
            let entry = AuditEntry::new(now, AuditEvent::ResourcesRemoved, by, via).details(json!({
                "count": gone.len(), "customers": customers.iter().take(NAMED_IN_RECORD).collect::<Vec<_>>(),
            }));
            tx.commit(&[entry]).await?;
            Ok(true)
        })
        .await
    }
}
