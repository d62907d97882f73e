//! The systems that are told who may see what.
//!
//! Each is idempotent, takes "already so" as success, and knows nothing of queues and retries: one call, one result.
//! Dispatch is a `match`, so that a new kind cannot be forgotten anywhere.
//!
//! May import: `domain`, `webhooks`. To add one: a file here, a variant of [`Provisioner`], its arms.

mod webhook;

pub use self::webhook::{Webhook, WebhookSettings};
use crate::{
    domain::{clock::Clock, event::AccessEvent},
    webhooks::Failure,
};

pub enum Provisioner {
    Webhook(Webhook),
}

impl Provisioner {
    /// Tells one state of one access. `id` stays the same when the same state is told again.
    pub async fn apply(&self, id: &str, event: &AccessEvent, clock: &dyn Clock) -> Result<(), Failure> {
        match self {
            Self::Webhook(webhook) => webhook.apply(id, event, clock).await,
        }
    }

    /// The longest that one call may take.
    pub fn timeout(&self) -> std::time::Duration {
        match self {
            Self::Webhook(webhook) => webhook.timeout(),
        }
    }
}
