//! What Slack brings, over HTTP or Socket Mode, once it is known to be Slack's: one function for each kind. Each takes
//! the payload and the key by which a replay of it is known, and returns the JSON that answers it within [`Limits::answer`](super::Limits::answer).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Slack, actions, commands, events,
    inbound::{Interaction, SlashCommand},
    manifest::SHORTCUT,
    typeahead,
    views::answer,
};

/// An event was not kept. It must not be acknowledged, so that Slack sends it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotStored;

/// What the person is shown who typed it, and nobody else. `None`: the form that opened says it all.
pub(super) async fn command(slack: Arc<Slack>, command: SlashCommand, key: String) -> Option<Value> {
    // By itself, so that what was begun is not broken off half-way when Slack must be answered first.
    let worker = slack.clone();
    let (user, address) = (command.user_id.clone(), command.response_url.clone());
    let mut act = slack.afterwards.spawn(async move { commands::run(&worker, &command, &key).await });
    let failed = || answer::not_stored("Something went wrong here.");
    let content = match tokio::time::timeout(slack.limits.answer, &mut act).await {
        Ok(Ok(content)) => content?,
        Ok(Err(_)) => failed(),
        Err(_) => {
            let worker = slack.clone();
            slack.afterwards.spawn(async move {
                if let Some(content) = act.await.unwrap_or_else(|_| Some(failed())) {
                    actions::tell(&worker, address.as_deref(), None, &user, content);
                }
            });
            answer::under_way()
        }
    };
    Some(json!({ "response_type": "ephemeral", "text": content.text, "blocks": content.blocks }))
}

/// Buttons, forms, typeaheads and shortcuts. `None`: nothing but the acknowledgement.
pub(super) async fn interaction(slack: Arc<Slack>, payload: Value, key: String) -> Option<Value> {
    let kind = payload["type"].as_str().unwrap_or_default().to_owned();
    let Ok(interaction) = serde_json::from_value::<Interaction>(payload) else {
        unknown(&kind);
        return None;
    };
    match kind.as_str() {
        "block_actions" => {
            actions::pressed(slack, interaction, key).await;
            None
        }
        "view_submission" => actions::submitted(slack, interaction, key).await,
        "block_suggestion" => Some(typeahead::suggest(&slack, &interaction).await),
        "shortcut" if interaction.callback_id.as_deref() == Some(SHORTCUT) => {
            actions::shortcut(slack, interaction, key).await;
            None
        }
        // Nothing was submitted, so there is nothing to do.
        "view_closed" => None,
        other => {
            unknown(other);
            None
        }
    }
}

pub(super) async fn event(slack: &Arc<Slack>, event: &Value) -> Result<Option<Value>, NotStored> {
    match event["type"].as_str() {
        Some("url_verification") => return Ok(Some(json!({ "challenge": event["challenge"] }))),
        Some("event_callback") => match tokio::time::timeout(slack.limits.answer, events::heard(slack, event)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "an event could not be stored");
                return Err(NotStored);
            }
            Err(_) => return Err(NotStored),
        },
        Some("app_rate_limited") => {}
        other => unknown(other.unwrap_or("event without a type")),
    }
    Ok(None)
}

/// Acknowledged and counted: Slack adds kinds without asking. The name is Slack's, so it is cut short.
pub(super) fn unknown(kind: &str) {
    let kind: String = kind.chars().take(40).collect();
    tracing::info!(kind, "a Slack payload of a kind we do not know");
    metrics::counter!("latchkey_slack_unknown_payloads_total").increment(1);
}
