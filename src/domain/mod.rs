//! The words of the product and the rules that need nothing but themselves.
//!
//! Everything here is plain data and pure functions: no database, no network, no clock of its own.
//! Times and randomness are arguments, so that a test can stand at any instant.
//!
//! May import: `std`, `jiff`, `serde`, `thiserror`, `uuid`, `hmac`, `sha2`, `hex`, `base64`. Nothing of this crate.
//! To add a word: one file, one line below, and the states it may follow in its doc comment.

pub mod access;
pub mod backoff;
pub mod clock;
pub mod customer;
pub mod event;
pub mod id;
pub mod lease;
pub mod length;
pub mod person;
pub mod petition;
pub mod reminder;
pub mod resource;
pub mod selector;
pub mod signature;
pub mod standing;
