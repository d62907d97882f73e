//! A petition that takes the place of another: the old lease lasts until the new one is granted, and ends with it.

use jiff::Timestamp;
use serde_json::json;

use super::{Error, Workflow, follow_access::Cause};
use crate::{
    audit::{AuditEntry, AuditEvent},
    domain::{
        id::PetitionName,
        lease::EndCause,
        petition::{CloseReason, Petition, PetitionState},
    },
    store::{Told, Tx},
};

/// The label that names the petition whose place a new one takes.
pub const REPLACES_LABEL: &str = "PetitionReplaces";

impl Workflow {
    /// Ends what a petition that is granted now replaces: only a granted petition of the same petitioner for the same
    /// customer and role. The access is held and the new lease is there; whoever calls lets the access follow, so that
    /// provisioners hear of one new end and of no revoke.
    pub(super) async fn end_replaced(
        &self,
        tx: &mut Tx,
        new: &Petition,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<(), Error> {
        let named = new.labels.get(REPLACES_LABEL).map(PetitionName::new);
        // Labels can be written anew; what was extended stays what it was.
        let Some(name) = new.extends.as_ref().map(|extends| extends.of.clone()).or(named) else { return Ok(()) };
        let Some(mut old) = tx.lock_petition(&name).await? else { return Ok(()) };
        let same = old.petitioner.email == new.petitioner.email && old.customer == new.customer && old.role == new.role;
        if !same || old.name == new.name || !matches!(old.state, PetitionState::Granted { .. }) {
            return Ok(());
        }
        let why = CloseReason::Replaced { by: new.name.clone() };
        old.state = match old.state.clone().close_granted(now, why) {
            Ok(state) => state,
            Err(_) => return Ok(()),
        };
        tx.set_petition_state(&old.name, &old.state).await?;
        let entry = |event, details| {
            AuditEntry::new(now, event, cause.actor, cause.via)
                .petition(old.name.as_str())
                .about(&old.petitioner.email, &old.customer)
                .details(details)
        };
        entries.push(entry(AuditEvent::PetitionClosed, json!({ "why": "replaced", "note": new.name })));
        if let Some(lease) = tx.lease_of(&old.name).await?
            && tx.end_lease(&lease.id, now, EndCause::Replaced).await?
        {
            let details = json!({ "lease": lease.id.as_str(), "why": "replaced", "role": lease.holding.role });
            entries.push(entry(AuditEvent::LeaseEnded, details));
        }
        tx.touch_messages(&old.name, now).await?;
        self.tell_thread(tx, &old, &Told::Closed, now).await?;
        Ok(())
    }
}
