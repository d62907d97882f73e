//! Petitions: somebody asks for access to one customer, for a reason, for a while.

use jiff::SignedDuration;

use super::{
    clock::Timestamp,
    id::{ClaimId, CustomerId, PetitionName, Role},
    person::{Email, Person},
};

/// One petition as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Petition {
    pub name: PetitionName,
    /// Who it is for.
    pub petitioner: Person,
    /// Who filed it; the petitioner, unless somebody asked on behalf of another.
    pub filed_by: Email,
    pub customer: CustomerId,
    /// The customer's name when it was asked for; display only.
    pub customer_name: String,
    pub role: Option<Role>,
    pub reason: String,
    /// How long it was asked for; the lease may be shorter, never longer.
    pub length: SignedDuration,
    /// The rule that admitted it, for people to read; the rule in force is looked up again at each claim.
    pub rule: Option<String>,
    pub opened_at: Timestamp,
    /// An undecided petition closes itself then.
    pub pending_until: Timestamp,
    pub state: PetitionState,
    /// Grows whenever somebody holds it for a change.
    pub version: i64,
}

impl Petition {
    /// As it stands at an instant: one that nobody decided in time is closed from then on, whether or not the worker
    /// has written it down yet.
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.state == PetitionState::Open && self.pending_until <= now {
            self.state = PetitionState::Closed { at: self.pending_until, why: CloseReason::Undecided, granted: None };
        }
        self
    }
}

/// `Open` may become `Granted` or `Closed`, `Granted` may become `Closed`, `Closed` is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PetitionState {
    Open,
    /// There is a lease; `until` is its end.
    Granted {
        at: Timestamp,
        by: Vec<Email>,
        until: Timestamp,
    },
    Closed {
        at: Timestamp,
        why: CloseReason,
        /// Who was granted what before, if anything was.
        granted: Option<Timestamp>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The policy refused it when it was asked for.
    Refused {
        because: String,
    },
    Denied {
        by: Email,
        note: String,
    },
    /// By its petitioner, before it was decided.
    Withdrawn,
    /// Nobody decided it in time.
    Undecided,
    /// By a reviewer, after it was granted.
    Revoked {
        by: Option<Email>,
        note: String,
    },
    Expired,
    /// Its holder gave the access back.
    Done,
}

impl CloseReason {
    /// The word kept in the database and in the record.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Denied { .. } => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Undecided => "undecided",
            Self::Revoked { .. } => "revoked",
            Self::Expired => "expired",
            Self::Done => "done",
        }
    }
}

/// A change was asked for that the petition's state does not allow any more. Carries the state that was found, so
/// that the second of two people who click learns who was first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the petition is {}", .found.word())]
pub struct WrongState {
    pub found: PetitionState,
}

impl PetitionState {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Granted { .. } => "granted",
            Self::Closed { .. } => "closed",
        }
    }

    pub fn grant(self, by: Vec<Email>, at: Timestamp, until: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Open => Ok(Self::Granted { at, by, until }),
            found @ (Self::Granted { .. } | Self::Closed { .. }) => Err(WrongState { found }),
        }
    }

    /// A decision against it, or none in time: only while open.
    pub fn close_undecided(self, at: Timestamp, why: CloseReason) -> Result<Self, WrongState> {
        match self {
            Self::Open => Ok(Self::Closed { at, why, granted: None }),
            found @ (Self::Granted { .. } | Self::Closed { .. }) => Err(WrongState { found }),
        }
    }

    /// Its lease is over: only while granted.
    pub fn close_granted(self, at: Timestamp, why: CloseReason) -> Result<Self, WrongState> {
        match self {
            Self::Granted { at: granted, .. } => Ok(Self::Closed { at, why, granted: Some(granted) }),
            found @ (Self::Open | Self::Closed { .. }) => Err(WrongState { found }),
        }
    }
}

/// What a person says on a petition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimKind {
    Approve,
    Deny,
    Revoke,
}

impl ClaimKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Revoke => "revoke",
        }
    }
}

/// One claim, kept for ever. Repeating it changes nothing: one per petition, kind and maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub id: ClaimId,
    pub petition: PetitionName,
    pub kind: ClaimKind,
    pub maker: Person,
    pub note: String,
    pub at: Timestamp,
}
