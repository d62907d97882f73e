//! Indent's API, in both directions: the HTTP API that its SDKs call, and the webhook that another space calls.
//!
//! May import: `http`, `workflow`, `policy`, `store`, `audit`, `domain`. To add a route of the API: see [`api`].

pub mod api;
mod client;
mod pull_update;
mod webhook;
mod wire;

/// The most bytes of an id and of a petition's name, from whichever side: no index of a database takes much more.
const LONGEST_ID: usize = 1024;

pub use self::{
    client::{OUR_NAME, Space, SpaceSettings, TIMEOUT, Trouble},
    webhook::{Receiver, routes},
};
