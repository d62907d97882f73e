//! The buttons and forms. Each button carries a petition's name and nothing else; who may press it is decided here and
//! now, by who pressed it.
//!
//! To add a button: a constant in [`super::views::action`], a file here, an arm in [`pressed`].

mod deny;
mod own;
mod review;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    BUDGET, Slack,
    client::allowed_response_url,
    inbound::Interaction,
    views::{Content, action, answer, deny::DENY_CALLBACK},
};
use crate::{
    domain::id::{PetitionName, SlackUserId},
    store::StoreError,
    workflow::Error,
};

/// One press of one button.
struct Press<'a> {
    user: SlackUserId,
    team: Option<&'a str>,
    petition: PetitionName,
    trigger_id: Option<&'a str>,
    signature: &'a str,
}

/// Does what the pressed buttons say, and tells the person what they must know about it. It runs to its end by itself:
/// Slack is answered in time whether or not it has got there, and what was begun is not broken off half-way.
pub(super) async fn pressed(slack: Arc<Slack>, interaction: Interaction, signature: String) {
    let worker = slack.clone();
    let act = slack.afterwards.spawn(async move { press_all(&worker, &interaction, &signature).await });
    let _ = tokio::time::timeout(BUDGET, act).await;
}

async fn press_all(slack: &Slack, interaction: &Interaction, signature: &str) {
    let Some(user) = interaction.user_id() else { return };
    for pressed in interaction.actions.iter().flatten() {
        let (Some(id), Some(value)) = (pressed.action_id.as_deref(), pressed.value.as_deref()) else { continue };
        let press = Press {
            user: SlackUserId::new(user),
            team: interaction.team_id(),
            petition: PetitionName::new(value),
            trigger_id: interaction.trigger_id.as_deref(),
            signature,
        };
        let act = match id {
            action::APPROVE => review::approve(slack, &press).await,
            action::REVOKE => review::revoke(slack, &press).await,
            action::DENY => deny::open(slack, &press).await,
            action::DONE => own::give_back(slack, &press).await,
            action::WITHDRAW => own::withdraw(slack, &press).await,
            _ => {
                metrics::counter!("latchkey_slack_unknown_payloads_total").increment(1);
                Ok(None)
            }
        };
        let said = match act {
            Ok(said) => said,
            Err(error) => refused(slack, &error, signature).await,
        };
        if let Some(content) = said {
            tell(slack, interaction, user, content);
        }
    }
}

/// `Some`: what is wrong, by the block it belongs to; the form stays open.
pub(super) async fn submitted(
    slack: Arc<Slack>,
    interaction: Interaction,
    signature: String,
) -> Option<Map<String, Value>> {
    let worker = slack.clone();
    let act = slack.afterwards.spawn(async move { submit(&worker, &interaction, &signature).await });
    let content = match tokio::time::timeout(BUDGET, act).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) => Some(answer::not_stored("Something went wrong here.")),
        Err(_) => Some(answer::under_way()),
    };
    content.map(|content| {
        let sentence = Value::String(content.text);
        Map::from_iter([(super::views::deny::REASON_BLOCK.to_owned(), sentence)])
    })
}

async fn submit(slack: &Slack, interaction: &Interaction, signature: &str) -> Option<Content> {
    let (user, view) = (interaction.user_id()?, interaction.view.as_ref()?);
    if view.callback_id.as_deref() != Some(DENY_CALLBACK) {
        metrics::counter!("latchkey_slack_unknown_payloads_total").increment(1);
        return None;
    }
    let press = Press {
        user: SlackUserId::new(user),
        team: interaction.team_id(),
        petition: PetitionName::new(view.private_metadata.as_deref().unwrap_or_default()),
        trigger_id: None,
        signature,
    };
    match deny::submit(slack, &press, view).await {
        Ok(said) => said,
        Err(error) => refused(slack, &error, signature).await,
    }
}

/// What a person is told of an act that did not happen. It does not happen either when the same request comes again.
async fn refused(slack: &Slack, error: &Error, signature: &str) -> Option<Content> {
    let said = explain(slack, error).await;
    // Without its database there is nowhere to note it, and no time to wait for that.
    if !matches!(error, Error::Replayed | Error::Store(_))
        && let Err(error) = slack.workflow.note_refused(signature).await
    {
        tracing::warn!(%error, "a refused request could not be noted");
    }
    said
}

/// What a person is told when an act did not happen; `None` when there is nothing to say.
async fn explain(slack: &Slack, error: &Error) -> Option<Content> {
    match error {
        Error::Replayed => None,
        Error::Invalid(sentence) | Error::Forbidden(sentence) => Some(answer::click_refused(sentence)),
        Error::Unavailable(sentence) => Some(answer::not_stored(sentence)),
        Error::WrongState(petition) => {
            // For the names of those who decided; without them their e-mails will do.
            let claims = slack.workflow.store().claims(&petition.name).await.unwrap_or_default();
            Some(answer::already(petition, &claims))
        }
        Error::NoSuchPetition(_) => Some(answer::click_refused("There is no such petition here any more.")),
        Error::FactsMissing | Error::Store(StoreError::Unavailable(_) | StoreError::Conflict) => {
            tracing::warn!(%error, "a click could not be stored");
            Some(answer::not_stored("The database does not answer."))
        }
        Error::Store(StoreError::Inconsistent { .. } | StoreError::Other(_)) => {
            tracing::error!(%error, "a click failed");
            Some(answer::not_stored("Something went wrong here."))
        }
    }
}

/// Sends an explanation that only the person sees: through the payload's own address if it is one of Slack's, else
/// into the channel. It is lost if the process dies now; nothing was changed, and they can press again.
fn tell(slack: &Slack, interaction: &Interaction, user: &str, content: Content) {
    let address = interaction.response_url.as_deref().and_then(|url| allowed_response_url(url, &slack.api_base));
    let channel = interaction.channel_id().map(str::to_owned);
    let (client, user) = (slack.client.clone(), SlackUserId::new(user));
    slack.afterwards.spawn(async move {
        if let Some(address) = address
            && client.respond(&address, &content).await.is_ok()
        {
            return;
        }
        if let Some(channel) = &channel
            && client.post_ephemeral(channel, &user, &content).await.is_ok()
        {
            return;
        }
        if let Err(error) = client.post(user.as_str(), None, &content).await {
            tracing::warn!(%error, "an explanation could not be sent");
        }
    });
}
