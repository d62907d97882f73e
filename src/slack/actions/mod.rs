//! The buttons and forms. Most buttons, and most forms in their `private_metadata`, carry a petition's name and nothing
//! else; who may press or send is decided here and now, by who did.
//!
//! To add a button: a constant in [`super::views::action`], a file here, an arm in [`press_all`]. To add a form: a view
//! with a `callback_id`, a file here, an arm in [`whole`] and one in [`submit`].

mod approve_for;
pub(super) mod ask;
mod deny;
pub(super) mod extend;
mod own;
mod review;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use slack_morphism::prelude::SlackView;

use super::{
    Slack,
    client::allowed_response_url,
    inbound::Interaction,
    views::{Content, action, answer},
};
use crate::{
    domain::id::{PetitionName, SlackUserId},
    store::StoreError,
    workflow::Error,
};

/// One press of one button, or one form that was sent.
struct Press<'a> {
    user: SlackUserId,
    team: Option<&'a str>,
    /// What the button's value, or the form's metadata, names: it may be no petition at all.
    petition: PetitionName,
    trigger_id: Option<&'a str>,
    signature: &'a str,
}

/// Does what the pressed buttons say, and tells the person what they must know about it. It runs to its end by itself:
/// Slack is answered in time whether or not it has got there, and what was begun is not broken off half-way.
pub(super) async fn pressed(slack: Arc<Slack>, interaction: Interaction, signature: String) {
    let worker = slack.clone();
    let act = slack.afterwards.spawn(async move { press_all(&worker, &interaction, &signature).await });
    let _ = tokio::time::timeout(slack.limits.answer, act).await;
}

async fn press_all(slack: &Slack, interaction: &Interaction, signature: &str) {
    let Some(user) = interaction.user_id() else { return };
    for pressed in &interaction.actions {
        let Some(id) = pressed.action_id.as_deref() else { continue };
        let press = Press {
            user: SlackUserId::new(user),
            team: interaction.team_id(),
            petition: PetitionName::new(pressed.value.as_deref().unwrap_or_default()),
            trigger_id: interaction.trigger_id.as_deref(),
            signature,
        };
        let act = match id {
            action::APPROVE => review::approve(slack, &press).await,
            action::APPROVE_FOR => approve_for::open(slack, &press).await,
            action::REVOKE => review::revoke(slack, &press).await,
            action::DENY => deny::open(slack, &press).await,
            action::DONE => own::give_back(slack, &press).await,
            action::WITHDRAW => own::withdraw(slack, &press).await,
            action::EXTEND => extend::open(slack, &press).await,
            action::REQUEST => ask::request(slack, &press).await,
            action::ASK_AGAIN => ask::again(slack, &press).await,
            _ => {
                metrics::counter!("latchkey_slack_unknown_payloads_total").increment(1);
                Ok(None)
            }
        };
        let listed = interaction.container.as_ref().is_some_and(|container| container.is_ephemeral == Some(true));
        let said = match act {
            // Everywhere else what was pressed is redrawn.
            Ok(None) if listed => done(id),
            Ok(said) => said,
            Err(error) => refused(slack, &error, signature).await,
        };
        if let Some(content) = said {
            tell(slack, interaction.response_url.as_deref(), interaction.channel_id(), user, content);
        }
    }
}

/// What somebody is told who pressed on a list that goes on showing what was so before; nothing of what opens a form.
fn done(id: &str) -> Option<Content> {
    let what = match id {
        action::APPROVE => "Your approval counts.",
        action::REVOKE => "The access was revoked.",
        action::DONE => "You gave the access back.",
        action::WITHDRAW => "The request was cancelled.",
        _ => return None,
    };
    Some(answer::pressed_on_list(what))
}

/// Takes the global shortcut: its form opens, or the person is told how to ask without it.
pub(super) async fn shortcut(slack: Arc<Slack>, interaction: Interaction, signature: String) {
    let worker = slack.clone();
    let act = slack.afterwards.spawn(async move {
        let Some(user) = interaction.user_id() else { return };
        let press = Press {
            user: SlackUserId::new(user),
            team: interaction.team_id(),
            petition: PetitionName::new(""),
            trigger_id: interaction.trigger_id.as_deref(),
            signature: &signature,
        };
        if let Ok(Some(content)) = ask::request(&worker, &press).await {
            tell(&worker, interaction.response_url.as_deref(), interaction.channel_id(), user, content);
        }
    });
    let _ = tokio::time::timeout(slack.limits.answer, act).await;
}

/// What is wrong with a form that was sent, by the block it belongs to. With nothing wrong the form closes.
type Mistakes = Vec<(&'static str, String)>;

/// What becomes of a form that was sent.
enum Sent {
    Close,
    /// It stays open, and says what is wrong.
    Mistakes(Mistakes),
    /// It shows this instead.
    Show(Box<SlackView>),
}

impl From<Mistakes> for Sent {
    fn from(mistakes: Mistakes) -> Self {
        if mistakes.is_empty() { Self::Close } else { Self::Mistakes(mistakes) }
    }
}

impl Sent {
    /// As Slack is answered; `None`: nothing but the acknowledgement, which closes the form.
    fn answer(self) -> Option<Value> {
        match self {
            Self::Close => None,
            Self::Mistakes(mistakes) => {
                let by_block =
                    mistakes.into_iter().map(|(block, sentence)| (block.to_owned(), Value::String(sentence)));
                Some(json!({ "response_action": "errors", "errors": by_block.collect::<Map<_, _>>() }))
            }
            Self::Show(view) => Some(json!({ "response_action": "update", "view": view })),
        }
    }
}

/// The block under which a form says what is wrong with the whole of it: an input of its view. `None`: no form of ours.
fn whole(callback_id: &str) -> Option<&'static str> {
    match callback_id {
        approve_for::APPROVE_FOR_CALLBACK => Some(approve_for::LENGTH_BLOCK),
        ask::ASK_CALLBACK => Some(ask::CUSTOMERS),
        deny::DENY_CALLBACK => Some(deny::REASON_BLOCK),
        extend::EXTEND_CALLBACK => Some(extend::REASON_BLOCK),
        _ => None,
    }
}

/// What Slack is answered when a form was sent; `None`: the form closes.
pub(super) async fn submitted(slack: Arc<Slack>, interaction: Interaction, signature: String) -> Option<Value> {
    let callback = interaction.view.as_ref().and_then(|view| view.callback_id.as_deref()).unwrap_or_default();
    let Some(whole) = whole(callback) else {
        metrics::counter!("latchkey_slack_unknown_payloads_total").increment(1);
        return None;
    };
    let worker = slack.clone();
    let act = slack.afterwards.spawn(async move { submit(&worker, &interaction, &signature, whole).await });
    let sent = match tokio::time::timeout(slack.limits.answer, act).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(_)) => Sent::Mistakes(vec![(whole, answer::not_stored("Something went wrong here.").text)]),
        Err(_) => Sent::Mistakes(vec![(whole, answer::FORM_UNDER_WAY.to_owned())]),
    };
    sent.answer()
}

async fn submit(slack: &Slack, interaction: &Interaction, signature: &str, whole: &'static str) -> Sent {
    let (Some(user), Some(view)) = (interaction.user_id(), interaction.view.as_ref()) else { return Sent::Close };
    let press = Press {
        user: SlackUserId::new(user),
        team: interaction.team_id(),
        petition: PetitionName::new(view.private_metadata.as_deref().unwrap_or_default()),
        trigger_id: interaction.trigger_id.as_deref(),
        signature,
    };
    let act = match view.callback_id.as_deref() {
        Some(ask::ASK_CALLBACK) => ask::submit(slack, &press, view).await,
        Some(approve_for::APPROVE_FOR_CALLBACK) => approve_for::submit(slack, &press, view).await.map(Sent::from),
        Some(deny::DENY_CALLBACK) => deny::submit(slack, &press, view).await.map(Sent::from),
        Some(extend::EXTEND_CALLBACK) => extend::submit(slack, &press, view).await.map(Sent::from),
        _ => Ok(Sent::Close),
    };
    match act {
        Ok(sent) => sent,
        // Slack did not hear our first answer. What led to something closes the form; what was refused must not.
        Err(Error::Replayed) => match slack.workflow.store().answered(signature).await {
            Ok(Some(answered)) if answered.petition.is_some() => Sent::Close,
            Ok(_) | Err(_) => {
                let sentence = "This was not done when it came first, so nothing was stored. Send it again.";
                Sent::Mistakes(vec![(whole, sentence.to_owned())])
            }
        },
        Err(error) => {
            let said = refused(slack, &error, signature).await;
            Sent::from(said.map(|content| (whole, content.text)).into_iter().collect::<Mistakes>())
        }
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
        Error::Invalid(sentence) | Error::Forbidden(sentence) | Error::Conflict(sentence) => {
            Some(answer::click_refused(sentence))
        }
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
pub(super) fn tell(slack: &Slack, address: Option<&str>, channel: Option<&str>, user: &str, content: Content) {
    let address = address.and_then(|url| allowed_response_url(url, &slack.api_base));
    let channel = channel.map(str::to_owned);
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
        if let Err(error) = client.post(user.as_str(), None, &content, None).await {
            tracing::warn!(%error, "an explanation could not be sent");
        }
    });
}
