//! The whole story on this machine, with nothing configured: a small Slack workspace, a production service, and the
//! real bot between them, over real signed HTTP on loopback.
//!
//! None of this is reachable from `serve`. The tests use the same workspace and the same production service.
//!
//! May import: everything but `cli`.

pub mod production;
mod stage;
mod story;
pub mod workspace;

pub use self::story::run;
