//! Time passes: leases end, and petitions that nobody decided close themselves.
//!
//! The check denies from `expires_at` on without any of this; here the end is recorded and the provisioners are told.

use super::{Error, Workflow, end_lease::system, settle};
use crate::{
    audit::{AuditEntry, AuditEvent},
    domain::{
        id::PetitionName,
        lease::{EndCause, Lease},
        petition::{CloseReason, PetitionState},
    },
    store::Purpose,
};

/// How many leases end in one transaction: enough to share its commit, few enough to hold nobody up.
const BATCH: i64 = 50;

/// What one round did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// There may be more.
    Some,
    Nothing,
}

impl Workflow {
    /// Ends a batch of the leases whose time is up. Safe to run twice at once: whoever is second finds nothing to end.
    pub async fn expire_leases(&self) -> Result<Expired, Error> {
        let due = self.store.expired_leases(self.now(), BATCH).await?;
        if due.is_empty() {
            return Ok(Expired::Nothing);
        }
        settle(|| self.end_expired(&due)).await?;
        Ok(Expired::Some)
    }

    async fn end_expired(&self, due: &[Lease]) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let mut entries = Vec::new();
        let cause = system("expired");
        // Petitions before accesses, both in one order, as everywhere: or two transactions would wait for each other.
        let mut names: Vec<PetitionName> = due.iter().map(|lease| PetitionName::new(&lease.petition)).collect();
        names.sort();
        names.dedup();
        let mut petitions = std::collections::BTreeMap::new();
        for name in names {
            if let Some(petition) = tx.lock_petition(&name).await? {
                petitions.insert(name, petition);
            }
        }
        let mut leases: Vec<&Lease> = due.iter().collect();
        leases.sort_by(|a, b| (&a.holding, &a.id).cmp(&(&b.holding, &b.id)));
        for lease in leases {
            match petitions.remove(&PetitionName::new(&lease.petition)) {
                Some(petition) if matches!(petition.state, PetitionState::Granted { .. }) => {
                    let petition =
                        self.close_granted(&mut tx, petition, CloseReason::Expired, now, &cause, &mut entries).await?;
                    self.tell_petitioner(&mut tx, &petition, Purpose::NewsEnded, now).await?;
                }
                Some(_) | None => {
                    // An event from outside may have moved its end since it was listed.
                    self.hold_access(&mut tx, &lease.holding, now).await?;
                    let Some(lease) = tx.lease(&lease.id).await?.filter(|lease| !lease.is_live(now)) else { continue };
                    self.end_held_lease(&mut tx, &lease, EndCause::Expired, now, &cause, &mut entries).await?;
                }
            }
        }
        tx.commit(now, &entries).await?;
        Ok(())
    }

    /// Closes a batch of the petitions that were not decided in time.
    pub async fn close_undecided(&self) -> Result<Expired, Error> {
        let due = self.store.undecided_petitions(self.now(), BATCH).await?;
        for name in &due {
            settle(|| self.close_one_undecided(name)).await?;
        }
        Ok(if due.is_empty() { Expired::Nothing } else { Expired::Some })
    }

    async fn close_one_undecided(&self, name: &PetitionName) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(mut petition) = tx.lock_petition(name).await? else { return Ok(()) };
        if petition.state != PetitionState::Open || petition.pending_until > now {
            return Ok(());
        }
        petition.state = PetitionState::Closed { at: now, why: CloseReason::Undecided, granted: None };
        tx.set_petition_state(name, &petition.state).await?;
        tx.touch_messages(name, now).await?;
        self.tell_petitioner(&mut tx, &petition, Purpose::NewsDecided, now).await?;
        let cause = system("undecided");
        let entry = AuditEntry::new(now, AuditEvent::PetitionUndecided, cause.actor, cause.via)
            .petition(name.as_str())
            .about(&petition.petitioner.email, &petition.customer);
        tx.commit(now, &[entry]).await?;
        Ok(())
    }
}
