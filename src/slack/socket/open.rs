//! `apps.connections.open`, with the app's own token.

use secrecy::SecretString;
use serde_json::json;

use crate::slack::{
    client::{SlackClient, SlackError},
    user::filled,
};

/// Where a connection can be made, once.
pub struct Ticket {
    /// A secret: whoever has it gets what is meant for us.
    pub url: SecretString,
    /// Slack says that Socket Mode is turned off in the app's settings. It may be behind, so it is no refusal.
    pub seems_off: bool,
}

impl SlackClient {
    /// Asks for a connection of Socket Mode; this client's token is the app's (`xapp-…`). Takes nothing from anybody:
    /// only who connects is sent something.
    pub async fn open_connection(&self) -> Result<Ticket, SlackError> {
        let method = "apps.connections.open";
        let (answer, _) = self.write(method, "", json!({})).await?;
        let mut remarks = answer["response_metadata"]["messages"].as_array().into_iter().flatten().filter_map(filled);
        Ok(Ticket {
            seems_off: remarks.any(|remark| remark.contains("Socket Mode is not turned on")),
            url: filled(&answer["url"]).ok_or(SlackError::BadAnswer { method, status: 200 })?.into(),
        })
    }
}

/// What an operator can do about a refusal of the app's token; `None`: nothing but wait.
pub fn remedy(error: &SlackError) -> Option<&'static str> {
    match error.code()? {
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" | "missing_args" => {
            Some(
                "make a new app-level token (Basic Information, App-Level Tokens) with the scope connections:write and set \
             SLACK_APP_TOKEN to it",
            )
        }
        "not_allowed_token_type" => Some(
            "set SLACK_APP_TOKEN to an app-level token (xapp-…): Basic Information, App-Level Tokens in your Slack app",
        ),
        "missing_scope" | "no_permission" => Some(
            "give the app-level token the scope connections:write: Basic Information, App-Level Tokens; a new token if \
             its scopes cannot be changed",
        ),
        _ => None,
    }
}
