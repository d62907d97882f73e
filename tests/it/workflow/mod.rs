//! What the use cases promise, over a real store and a clock that the test sets.

mod events;
mod expiry;
mod extend;
mod petitions;
mod replays;
mod sync;
