//! Waiting until a petition is decided.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Error, Workflow};
use crate::{
    domain::{
        id::PetitionName,
        petition::{Claim, Petition, PetitionState},
    },
    store::Seen,
};

impl Workflow {
    /// The petition as soon as it is decided, at once where it is decided already; as it stands where nobody has decided
    /// it by `until`, or `closing` completes before. However many wait, a change costs one look at the database, and so
    /// does the end of their wait. An undecided petition closes itself at its own time, whether or not the worker has
    /// written it down.
    pub async fn wait_decided(
        &self,
        name: &PetitionName,
        until: Timestamp,
        closing: impl Future<Output = ()>,
    ) -> Result<Arc<Seen>, Error> {
        let gone = || Error::NoSuchPetition(name.clone());
        let mut closing = std::pin::pin!(closing);
        let mut watch = self.store.watch(name);
        loop {
            let seen = watch.look().await?.ok_or_else(gone)?;
            let now = self.now();
            let petition = seen.petition.clone().at(now);
            if petition.state != PetitionState::Open {
                return Ok(seen);
            }
            if now >= until {
                return watch.look_again().await?.ok_or_else(gone);
            }
            tokio::select! {
                () = watch.changed() => {}
                () = self.clock.sleep_until(petition.pending_until.min(until)) => {}
                () = &mut closing => return watch.look_again().await?.ok_or_else(gone),
            }
        }
    }

    /// The petition and its claims as they are now.
    pub async fn look(&self, name: &PetitionName) -> Result<(Petition, Vec<Claim>), Error> {
        let petition = self.store.petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
        let claims = self.store.claims(name).await?;
        Ok((petition, claims))
    }
}
