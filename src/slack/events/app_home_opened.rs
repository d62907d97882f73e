//! `app_home_opened`: somebody looks at the app's Home tab, which is drawn anew for them.

use std::sync::Arc;

use super::{Callback, Slack};
use crate::{domain::id::SlackUserId, workflow};

pub(super) async fn heard(slack: &Arc<Slack>, callback: &Callback) -> Result<(), workflow::Error> {
    let event = &callback.event;
    // The other tab, with the messages, is Slack's own.
    let home = event["tab"].as_str().is_none_or(|tab| tab == "home");
    match event["user"].as_str().filter(|user| home && !user.is_empty()) {
        Some(user) => slack.workflow.home_opened(&SlackUserId::new(user)).await,
        None => Ok(()),
    }
}
