//! Leases: one grant of one petition. Who, which customer, which role, from when, until when.

use super::{
    clock::Timestamp,
    id::{AccessId, CustomerId, LeaseId, Role},
    person::Email,
};

/// Who may see what: what a lease gives, and what an access is keyed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holding {
    pub person: Email,
    pub customer: CustomerId,
    pub role: Option<Role>,
}

/// `Active` may become `Ended`, which is final. An active lease gives nothing from `expires_at` on, whether or not
/// anybody has ended it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub id: LeaseId,
    pub access: AccessId,
    /// The petition that was granted; of our own space, or of the space whose event made the lease.
    pub petition: String,
    pub holding: Holding,
    pub starts_at: Timestamp,
    pub expires_at: Timestamp,
    /// When its holder is told that the end is near; `None` once told, or when there is nobody to tell.
    pub warn_at: Option<Timestamp>,
    pub ended: Option<(Timestamp, EndCause)>,
}

impl Lease {
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    Expired,
    Revoked,
    /// Its holder gave it back.
    Done,
    /// Another lease of the same holder took its place.
    Replaced,
}

impl EndCause {
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Done => "done",
            Self::Replaced => "replaced",
        }
    }
}
