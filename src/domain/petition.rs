//! Petitions: somebody asks for access to one customer, for a reason, for a while.

use jiff::SignedDuration;

use super::{
    clock::Timestamp,
    customer::Labels,
    id::{ClaimId, CustomerId, PetitionName, Role},
    person::{Email, Person},
    resource::Resource,
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
    /// How long it was asked for; its reviewers may choose another length.
    pub length: SignedDuration,
    /// The rule that admitted it, for people to read; the rule in force is looked up again at each claim.
    pub rule: Option<String>,
    /// What the asker's program wrote on it; it means nothing to the policy.
    pub labels: Labels,
    /// The resource as it was given, where it is no customer.
    pub resource: Option<Resource>,
    /// It moves the end of another; its length is by how much.
    pub extends: Option<Extension>,
    pub opened_at: Timestamp,
    /// An undecided petition closes itself then.
    pub pending_until: Timestamp,
    /// `None`: its rule escalates nothing, or it was decided in time.
    pub escalation: Option<Escalation>,
    pub state: PetitionState,
    /// Grows whenever somebody holds it for a change.
    pub version: i64,
}

/// On a petition that was asked for until a moment (RFC 3339): its access ends no later, whenever it is approved.
pub const UNTIL_LABEL: &str = "latchkey/until";

/// Further people are asked when nobody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalation {
    /// At that time, should it still be open.
    Planned(Timestamp),
    /// They were asked then.
    Done(Timestamp),
}

impl Petition {
    /// Whether those to whom its rule escalates decide as well.
    pub fn is_escalated(&self) -> bool {
        matches!(self.escalation, Some(Escalation::Done(_)))
    }

    /// Whether it is for this person or was filed by them.
    pub fn is_of(&self, person: &Email) -> bool {
        self.petitioner.email == *person || self.filed_by == *person
    }

    /// The moment until which it was asked for, where it was asked for so.
    pub fn asked_until(&self) -> Option<Timestamp> {
        self.labels.get(UNTIL_LABEL)?.parse().ok()
    }

    /// As it stands at an instant: one that nobody decided in time is closed from then on, whether or not the worker
    /// has written it down yet.
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.state == PetitionState::Open && self.pending_until <= now {
            self.state = PetitionState::Closed { at: self.pending_until, why: CloseReason::Undecided, granted: None };
        }
        self
    }
}

/// What a petition extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The petition whose lease it lets go on.
    pub of: PetitionName,
    /// The rule let it stand without a reviewer: by how much ends have been moved so since one was last asked, with
    /// this one.
    pub pre_approved: Option<SignedDuration>,
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
        /// What was granted before, if anything was.
        granted: Option<Grant>,
    },
}

/// One grant of one petition: since when, on whose word, and the end it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub at: Timestamp,
    pub by: Vec<Email>,
    pub until: Timestamp,
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
    /// By an administrator, before it was decided.
    Dismissed {
        by: Email,
        note: String,
    },
    /// By a reviewer or an administrator, after it was granted.
    Revoked {
        by: Option<Email>,
        note: String,
    },
    Expired,
    /// Another petition of the same holder was granted in its place.
    Replaced {
        by: PetitionName,
    },
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
            Self::Dismissed { .. } => "dismissed",
            Self::Undecided => "undecided",
            Self::Revoked { .. } => "revoked",
            Self::Expired => "expired",
            Self::Replaced { .. } => "replaced",
            Self::Done => "done",
        }
    }
}

/// A change was asked for that the petition's state does not allow any more. Carries the state that was found, so
/// that the second of two people who click learns who was first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the petition is {}", .found.word())]
pub struct WrongState {
    pub found: Box<PetitionState>,
}

impl PetitionState {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Granted { .. } => "granted",
            Self::Closed { .. } => "closed",
        }
    }

    /// The grant that is, or was.
    pub fn granted(&self) -> Option<Grant> {
        match self {
            Self::Open => None,
            Self::Granted { at, by, until } => Some(Grant { at: *at, by: by.clone(), until: *until }),
            Self::Closed { granted, .. } => granted.clone(),
        }
    }

    pub fn grant(self, by: Vec<Email>, at: Timestamp, until: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Open => Ok(Self::Granted { at, by, until }),
            found @ (Self::Granted { .. } | Self::Closed { .. }) => Err(WrongState { found: Box::new(found) }),
        }
    }

    /// A decision against it, or none in time: only while open.
    pub fn close_undecided(self, at: Timestamp, why: CloseReason) -> Result<Self, WrongState> {
        match self {
            Self::Open => Ok(Self::Closed { at, why, granted: None }),
            found @ (Self::Granted { .. } | Self::Closed { .. }) => Err(WrongState { found: Box::new(found) }),
        }
    }

    /// Its lease is over: only while granted.
    pub fn close_granted(self, at: Timestamp, why: CloseReason) -> Result<Self, WrongState> {
        match self {
            Self::Granted { at: since, by, until } => {
                Ok(Self::Closed { at, why, granted: Some(Grant { at: since, by, until }) })
            }
            found @ (Self::Open | Self::Closed { .. }) => Err(WrongState { found: Box::new(found) }),
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
    /// The trusted bot that brought it in its maker's name.
    pub delegate: Option<Email>,
    pub note: String,
    /// The length that the maker approves; `None`: what was asked for.
    pub length: Option<SignedDuration>,
    /// What the maker's program wrote on it; it means nothing to the policy.
    pub labels: Labels,
    pub at: Timestamp,
}

impl Claim {
    /// The moment after which nothing that it approves may go on, where its maker named one.
    pub fn ends_by(&self) -> Option<Timestamp> {
        self.labels.get("indent.com/time/expires")?.parse().ok()
    }
}
