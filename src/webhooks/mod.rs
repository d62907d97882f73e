//! Signed calls to endpoints of the company's own: Indent's bodies and headers, and the Standard Webhooks headers.
//!
//! [`Caller`] is the one that signs and sends; what is said and what the answer means stand beside it. Nothing here knows of queues and retries: one call, one result.
//!
//! May import: `domain`. To add a call: a file here with its body and how its answer is read.

mod body;
mod caller;
mod decision;

pub use self::{
    body::{Body, Event, Meta, Resource, labels_kept, person},
    caller::{Answer, Caller, Endpoint, judge},
    decision::{DecisionHook, Opinion, Word},
};

/// Why a call was not taken, for operators; it holds no secret and no body.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);
