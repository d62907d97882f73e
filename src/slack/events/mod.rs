//! What Slack tells by itself, one file per event. Both doors come here: `/slack/events`, and Socket Mode.
//!
//! Slack waits three seconds and sends again what was not acknowledged, so an event is stored, then acknowledged, then
//! worked on. It comes late, twice and in any order; what it says of people is looked up again before it is acted upon.
//!
//! May import: `workflow`, `store`, `domain`, `slack`. To add an event: a file, an arm in [`heard`], its name in
//! `manifest.rs`, its scope in `scopes.rs`.

mod app_home_opened;
mod message;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Slack, dispatch::unknown, inbound::lenient};
use crate::workflow;

/// The wrapper of an event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Callback {
    /// The same each time an event is sent.
    #[serde(deserialize_with = "lenient")]
    pub event_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub team_id: Option<String>,
    pub event: Value,
}

/// Takes the parsed body of an `event_callback`. An error: nothing was stored, and Slack shall send it again.
pub async fn heard(slack: &Arc<Slack>, body: &Value) -> Result<(), workflow::Error> {
    // What cannot be read as an event has nothing in it to act upon.
    let Ok(callback) = Callback::deserialize(body) else { return Ok(()) };
    match callback.event["type"].as_str() {
        Some("app_home_opened") => app_home_opened::heard(slack, &callback).await,
        Some("message") => message::heard(slack, &callback).await,
        // Not asked for in the manifest. What it could tell is read from Slack again before it is acted upon.
        other => {
            unknown(other.unwrap_or("event without a type"));
            Ok(())
        }
    }
}
