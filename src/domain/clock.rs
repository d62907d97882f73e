//! Time and randomness as arguments.

use std::{future::Future, pin::Pin};

pub use jiff::Timestamp;

/// Where "now" comes from. Whole microseconds, which is what PostgreSQL and our columns keep.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Completes once `now()` is at or after `at`.
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Where unguessable bytes come from.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// Cuts an instant down to whole microseconds.
pub fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
