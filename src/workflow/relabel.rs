//! An administrator's program writes other labels on a petition. They mean nothing to the policy; those that do are
//! ours, and stay.

use serde_json::json;

use super::{Error, Workflow, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{customer::Labels, id::PetitionName, person::Email},
};

/// Until when it was asked for, what it became, whether it is urgent. The key that the asker's program chose for it
/// looks alike and is the program's own.
fn is_ours(label: &str) -> bool {
    label.starts_with("latchkey/") && label != "latchkey/petition"
}

impl Workflow {
    /// Replaces the labels of a petition, in whatever state, except those that are ours.
    pub async fn relabel(&self, name: &PetitionName, labels: Labels, by: &Email, via: Via) -> Result<(), Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let petition = tx.lock_petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
            let mut labels = labels.clone();
            labels.retain(|key, _| !is_ours(key));
            labels.extend(petition.labels.iter().filter(|(key, _)| is_ours(key)).map(|(k, v)| (k.clone(), v.clone())));
            if petition.labels == labels {
                return Ok(());
            }
            tx.set_petition_labels(name, &labels).await?;
            let entry = AuditEntry::new(now, AuditEvent::PetitionRelabelled, by.as_str(), via)
                .petition(name.as_str())
                .about(&petition.petitioner.email, &petition.customer)
                .details(json!({ "labels": labels }));
            tx.commit(&[entry]).await?;
            Ok(())
        })
        .await
    }
}
