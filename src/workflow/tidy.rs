//! Housekeeping: chain the record, forget what nobody needs.

use jiff::SignedDuration;

use super::{Error, Workflow};
use crate::domain::signature::TOLERANCE_SECS;

/// Finished jobs and dead workers are kept this long for whoever looks.
const KEEP_JOBS: SignedDuration = SignedDuration::from_mins(5);

impl Workflow {
    /// Ties every entry that is not yet in the chain to those before it.
    pub async fn chain_record(&self) -> Result<(), Error> {
        Ok(self.store.chain_audit().await?)
    }

    /// Chains the record, forgets answered requests whose replay would be stale, and clears the job queue, which
    /// counts in real time whatever our own clock says.
    pub async fn tidy(&self, real_now: jiff::Timestamp) -> Result<(), Error> {
        self.chain_record().await?;
        // Twice the tolerance: a signature may be that much ahead of our clock and still be fresh.
        let stale = SignedDuration::from_secs(2 * TOLERANCE_SECS + 60);
        self.store.forget_answered(self.now().saturating_sub(stale).unwrap_or(jiff::Timestamp::MIN)).await?;
        self.store.tidy_queue(real_now.saturating_sub(KEEP_JOBS).unwrap_or(jiff::Timestamp::MIN)).await?;
        Ok(())
    }
}
