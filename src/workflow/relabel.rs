//! An administrator's program writes other labels on a petition. They mean nothing to the policy.

use serde_json::json;

use super::{Error, Workflow, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{customer::Labels, id::PetitionName, person::Email},
};

impl Workflow {
    /// Replaces all labels of a petition, in whatever state.
    pub async fn relabel(&self, name: &PetitionName, labels: Labels, by: &Email, via: Via) -> Result<(), Error> {
        settle(|| async {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let petition = tx.lock_petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
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
