//! Time passes: leases end, and petitions that nobody decided close themselves.
//!
//! The check denies from `expires_at` on without any of this; here the end is recorded and the provisioners are told.

use super::{Error, Workflow, end_lease::system, settle};
use crate::{
    domain::{
        id::PetitionName,
        lease::{EndCause, Lease},
        petition::{ClaimKind, CloseReason, PetitionState},
    },
    store::Purpose,
};

/// How many leases end in one transaction: enough to share its commit, few enough to hold nobody up.
const BATCH: i64 = 50;

/// Petitions that are listed at once; whatever is over comes in the next round.
const MANY: i64 = 500;

/// So many failures one after the other are not the rows' fault: the database is away, and the rest can wait.
const GIVE_UP_AFTER: u32 = 3;

impl Workflow {
    /// Ends every lease whose time is up. One that cannot be ended now keeps none of the others from it; it is still
    /// due. Safe to run twice at once: whoever is second finds nothing to end.
    pub async fn expire_leases(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let due = self.store.expired_leases(self.now(), after.as_ref(), BATCH).await?;
            let Some(last) = due.last() else { return Ok(()) };
            after = Some((last.expires_at, last.id.clone()));
            if let Err(error) = settle(|| self.end_expired(&due)).await {
                tracing::warn!(%error, leases = due.len(), "leases could not be ended together; ending each by itself");
                self.end_one_by_one(&due).await?;
            }
        }
    }

    async fn end_one_by_one(&self, due: &[Lease]) -> Result<(), Error> {
        let mut failures = 0;
        for lease in due {
            match settle(|| self.end_expired(std::slice::from_ref(lease))).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::error!(
                        %error, lease = %lease.id,
                        "a lease is over and could not be ended: the check denies, but nobody is told yet; trying again"
                    );
                    if failures == GIVE_UP_AFTER {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
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
        let over = names.clone();
        for name in names {
            if let Some(petition) = tx.lock_petition(&name).await? {
                petitions.insert(name, petition);
            }
        }
        let mut leases: Vec<&Lease> = due.iter().collect();
        leases.sort_by(|a, b| (&a.holding, &a.id).cmp(&(&b.holding, &b.id)));
        for lease in leases {
            // An event from outside may have moved an end since it was listed.
            match petitions.remove(&PetitionName::new(&lease.petition)) {
                Some(petition) if matches!(petition.state, PetitionState::Granted { until, .. } if until <= now) => {
                    let petition =
                        self.close_granted(&mut tx, petition, CloseReason::Expired, now, &cause, &mut entries).await?;
                    self.tell_petitioner(&mut tx, &petition, Purpose::NewsEnded, cause.actor, now).await?;
                }
                Some(_) | None => {
                    self.hold_access(&mut tx, &lease.holding, now).await?;
                    let Some(lease) = tx.lease(&lease.id).await?.filter(|lease| !lease.is_live(now)) else { continue };
                    self.end_held_lease(&mut tx, &lease, EndCause::Expired, now, &cause, &mut entries).await?;
                }
            }
        }
        tx.touch_messages_of_extensions(&over, now).await?;
        tx.commit(&entries).await?;
        Ok(())
    }

    /// Closes every petition that was not decided in time; one that fails keeps none of the others from it.
    pub async fn close_undecided(&self) -> Result<(), Error> {
        let mut failed = None;
        for name in &self.store.undecided_petitions(self.now(), MANY).await? {
            if let Err(error) = settle(|| self.close_one_undecided(name)).await {
                tracing::warn!(%error, petition = %name, "an undecided petition could not be closed; trying again");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn close_one_undecided(&self, name: &PetitionName) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(petition) = tx.lock_petition(name).await? else { return Ok(()) };
        if petition.state != PetitionState::Open || petition.pending_until > now {
            return Ok(());
        }
        let mut entries = Vec::new();
        let cause = system("undecided");
        let petition = self.close_open(&mut tx, petition, CloseReason::Undecided, now, &cause, &mut entries).await?;
        self.owe_end(&mut tx, &petition, ClaimKind::Deny, "nobody decided in time", now).await?;
        self.tell_petitioner(&mut tx, &petition, Purpose::NewsDecided, cause.actor, now).await?;
        tx.commit(&entries).await?;
        Ok(())
    }
}
