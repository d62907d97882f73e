//! The record: who did what, when, through which door, and why.
//!
//! An entry is committed together with the change it tells of ([`crate::store::Tx::commit`] takes them), and chained a
//! moment later: each entry's hash covers the hash before it, so that nothing can be altered, removed or slipped in
//! without breaking every hash after it.
//!
//! May import: `domain`. To add an event: a variant of [`AuditEvent`] and its word.

mod chain;
mod export;

use jiff::Timestamp;
use serde_json::Value;

pub use self::{chain::link, export::StoredEntry};
use crate::domain::{id::CustomerId, person::Email};

/// Everything that can change. The words are part of the export and stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    PetitionOpened,
    PetitionRefused,
    PetitionDenied,
    PetitionWithdrawn,
    PetitionDismissed,
    PetitionRelabelled,
    PetitionEscalated,
    PetitionUndecided,
    PetitionGranted,
    PetitionClosed,
    ClaimMade,
    CommentMade,
    LeaseBegan,
    LeaseMoved,
    LeaseEnded,
    AccessBegan,
    AccessMoved,
    AccessEnded,
    EventReceived,
    ProvisionerApplied,
    ProvisionerFailing,
    CustomersSynced,
    ResourcesPut,
    ResourcesRemoved,
    SpaceTold,
    SpaceRefused,
    SpaceFailing,
    TokenCreated,
    TokenRevoked,
}

impl AuditEvent {
    pub fn word(self) -> &'static str {
        match self {
            Self::PetitionOpened => "petition.opened",
            Self::PetitionRefused => "petition.refused",
            Self::PetitionDenied => "petition.denied",
            Self::PetitionWithdrawn => "petition.withdrawn",
            Self::PetitionDismissed => "petition.dismissed",
            Self::PetitionRelabelled => "petition.relabelled",
            Self::PetitionEscalated => "petition.escalated",
            Self::PetitionUndecided => "petition.undecided",
            Self::PetitionGranted => "petition.granted",
            Self::PetitionClosed => "petition.closed",
            Self::ClaimMade => "claim.made",
            Self::CommentMade => "comment.made",
            Self::LeaseBegan => "lease.began",
            Self::LeaseMoved => "lease.moved",
            Self::LeaseEnded => "lease.ended",
            Self::AccessBegan => "access.began",
            Self::AccessMoved => "access.moved",
            Self::AccessEnded => "access.ended",
            Self::EventReceived => "event.received",
            Self::ProvisionerApplied => "provisioner.applied",
            Self::ProvisionerFailing => "provisioner.failing",
            Self::CustomersSynced => "customers.synced",
            Self::ResourcesPut => "resources.put",
            Self::ResourcesRemoved => "resources.removed",
            Self::SpaceTold => "space.told",
            Self::SpaceRefused => "space.refused",
            Self::SpaceFailing => "space.failing",
            Self::TokenCreated => "token.created",
            Self::TokenRevoked => "token.revoked",
        }
    }
}

/// The door through which a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Slack,
    Api,
    Webhook,
    Worker,
    CommandLine,
}

impl Via {
    pub fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Worker => "worker",
            Self::CommandLine => "command-line",
        }
    }
}

/// Who acted when nobody did: time passed, or a job ran.
pub const SYSTEM: &str = "system";

/// One line of the record. `details` is a flat object; it never holds a secret, a token or a signature.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub event: AuditEvent,
    pub actor: String,
    pub via: Via,
    pub petition: Option<String>,
    pub person: Option<Email>,
    pub customer: Option<CustomerId>,
    pub details: Value,
}

impl AuditEntry {
    pub fn new(at: Timestamp, event: AuditEvent, actor: impl Into<String>, via: Via) -> Self {
        Self {
            at,
            event,
            actor: actor.into(),
            via,
            petition: None,
            person: None,
            customer: None,
            details: Value::Object(serde_json::Map::new()),
        }
    }
    pub fn petition(mut self, petition: impl Into<String>) -> Self {
        self.petition = Some(petition.into());
        self
    }
    pub fn about(mut self, person: &Email, customer: &CustomerId) -> Self {
        self.person = Some(person.clone());
        self.customer = Some(customer.clone());
        self
    }
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}
