//! The API of Indent: for now the webhook that Indent, or another Latchkey, calls.
//!
//! May import: `http`, `workflow`, `policy`, `store`, `audit`, `domain`. The served API gets a file for each resource.

mod webhook;
mod wire;

pub use self::webhook::{Receiver, routes};
