//! The end is near: the holder is told once, in time to finish or to ask again.

use super::{Error, Workflow};
use crate::{audit::SYSTEM, domain::id::PetitionName, store::Purpose};

/// Few enough to hold nobody up.
const BATCH: i64 = 50;

impl Workflow {
    /// Owes a batch of holders their warning; whether there may be more.
    pub async fn warn_holders(&self) -> Result<bool, Error> {
        let now = self.now();
        let due = self.store.warnable_leases(now, BATCH).await?;
        for lease in &due {
            let name = PetitionName::new(&lease.petition);
            let mut tx = self.store.begin().await?;
            let Some(petition) = tx.lock_petition(&name).await? else { continue };
            // Somebody may have warned, or ended the lease, since it was listed; and late is worse than never once
            // the lease is over.
            if tx.mark_warned(&lease.id).await? && lease.is_live(now) {
                self.tell_petitioner(&mut tx, &petition, Purpose::NewsWarning, SYSTEM, now).await?;
                tx.touch_messages(&name, now).await?;
            }
            tx.commit(&[]).await?;
        }
        Ok(!due.is_empty())
    }
}
