//! Slack: what it sends us, what we show there.
//!
//! A request is read raw, verified, parsed, turned into one workflow call, and answered within three seconds; what is
//! to be shown is drawn by the jobs. Who clicked is taken from the signed payload and looked up at Slack. By Socket Mode the
//! same payloads come over connections that [`socket`] opens; behind `dispatch` nothing knows the difference.
//!
//! May import: `http`, `workflow`, `policy`, `store`, `audit`, `domain`. To add a word of the command: a file in
//! [`commands`]; a button: a file in [`actions`]; an
//! event: a file in [`events`]; a message: a file in [`views`].

mod actions;
mod channel;
pub mod client;
pub mod commands;
pub mod directory;
mod dispatch;
pub mod events;
pub mod home;
mod inbound;
mod lookup;
pub mod manifest;
mod markup;
pub mod outbox;
pub mod reminders;
pub mod replies;
mod routes;
pub mod scopes;
pub mod socket;
pub mod text;
mod typeahead;
mod user;
pub mod views;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_util::task::TaskTracker;

pub use self::routes::routes;
use self::{client::SlackClient, directory::Directory};
use crate::workflow::Workflow;

/// How long Slack and we wait for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One call of Slack's Web API while a person waits; two of them in a row must fit into `answer`.
    pub call: Duration,
    /// In which what Slack sent is answered, whatever has come of it by then. Slack waits three seconds; the rest is for
    /// the way.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call: Duration::from_millis(1_100), answer: Duration::from_millis(2_400) }
    }
}

/// Our side of one Slack workspace.
pub struct Slack {
    pub workflow: Workflow,
    pub client: SlackClient,
    pub directory: Directory,
    signing_secrets: Vec<SecretString>,
    /// Base of the Web API, whose origin may be answered to besides hooks.slack.com.
    api_base: String,
    limits: Limits,
    /// What people asked for, and what they are told about it; a stopping process waits for it.
    pub afterwards: TaskTracker,
}

impl Slack {
    pub fn new(
        workflow: Workflow,
        client: SlackClient,
        directory: Directory,
        signing_secrets: Vec<SecretString>,
        api_base: String,
        limits: Limits,
    ) -> Self {
        Self { workflow, client, directory, signing_secrets, api_base, limits, afterwards: TaskTracker::new() }
    }

    fn secrets(&self) -> Vec<&str> {
        self.signing_secrets.iter().map(ExposeSecret::expose_secret).collect()
    }
}
