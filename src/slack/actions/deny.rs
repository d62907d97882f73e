//! Deny: a small form asks for the reason; submitting it denies.

use super::{Mistakes, Press, review::gather};
pub(super) use crate::slack::views::deny::{DENY_CALLBACK, REASON_BLOCK};
use crate::{
    domain::petition::{ClaimKind, PetitionState},
    policy,
    slack::{
        Slack,
        inbound::View,
        text,
        views::{
            Content, answer,
            deny::{REASON_INPUT, deny_modal},
        },
    },
    workflow::{Error, petition_facts},
};

/// Opens the form, for those who may deny. Slack's trigger lives three seconds, so it is opened from here.
pub(super) async fn open(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let review = gather(slack, press, String::new()).await?;
    let story = slack.workflow.story(&press.petition).await?;
    let petition = story.petition.clone().at(slack.workflow.now());
    if petition.state != PetitionState::Open {
        return Err(Error::WrongState(Box::new(petition)));
    }
    let customer = slack.workflow.store().customer_ever(story.petition.customer.as_str()).await?;
    let facts = petition_facts(&story.petition, customer.as_ref().map(|customer| &customer.labels));
    policy::may_review(slack.workflow.policy(), &facts, &review.maker.facts, ClaimKind::Deny)
        .map_err(|why| Error::Forbidden(why.to_string()))?;
    let trigger = press.trigger_id.unwrap_or_default();
    match slack.client.open_view(trigger, &deny_modal(&story)).await {
        Ok(()) => Ok(None),
        Err(error) => {
            tracing::warn!(%error, "a form could not be opened");
            Ok(Some(answer::not_stored("Slack did not open the form.")))
        }
    }
}

/// Denies with the reason that was typed.
pub(super) async fn submit(slack: &Slack, press: &Press<'_>, view: &View) -> Result<Mistakes, Error> {
    let note = view.typed(REASON_BLOCK, REASON_INPUT).trim().to_owned();
    // What nobody can see is no reason either.
    if text::plain(&note, usize::MAX).is_empty() {
        return Err(Error::Invalid("Say in a few words why, so that the petitioner knows what to change.".to_owned()));
    }
    let review = gather(slack, press, note).await?;
    slack.workflow.deny(&review).await.map(|_| Mistakes::new())
}
