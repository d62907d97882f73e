//! Where the real time and the real randomness come in, and the clock that a test sets by hand.
//!
//! The only file that asks the operating system what time it is.

use std::{future::Future, pin::Pin, time::Duration};

use jiff::SignedDuration;
use tokio::sync::watch;

use crate::domain::clock::{Clock, Entropy, Timestamp, whole_micros};

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the real time comes in")]
    fn now(&self) -> Timestamp {
        whole_micros(Timestamp::now())
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let wait = at.duration_since(self.now());
            if let Ok(wait) = Duration::try_from(wait) {
                tokio::time::sleep(wait).await;
            }
        })
    }
}

/// A clock that moves only when it is told to. Clones share one instant; it never goes back.
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    pub fn starting_at(at: Timestamp) -> Self {
        Self(watch::Sender::new(whole_micros(at)))
    }

    pub fn advance(&self, by: SignedDuration) {
        self.0.send_modify(|now| *now = now.saturating_add(by.max(SignedDuration::ZERO)).unwrap_or(Timestamp::MAX));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            // The sender lives as long as `self`, so waiting can only end by the time having come.
            let _ = time.wait_for(|now| *now >= at).await;
        })
    }
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness there are no ids and no secrets; nothing sensible can be done but to stop.
        getrandom::fill(bytes).expect("the operating system gives random numbers");
    }
}
