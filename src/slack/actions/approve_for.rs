//! Approve for…: a small form asks for how long; sending it approves for that time.

use jiff::SignedDuration;

use super::{
    Mistakes, Press,
    review::{approve_as, gather},
};
pub(super) use crate::slack::views::approve_for::{APPROVE_FOR_CALLBACK, OTHER as LENGTH_BLOCK};
use crate::{
    domain::{
        length,
        petition::{ClaimKind, PetitionState},
    },
    policy,
    slack::{
        Slack,
        inbound::View,
        views::{
            Content, answer,
            approve_for::{NOTE, OTHER, USUAL, approve_for_modal},
        },
    },
    workflow::{Error, Review, Story, petition_facts},
};

/// Opens the form, for those who may approve and have not yet.
pub(super) async fn open(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let review = gather(slack, press, String::new()).await?;
    let (story, most) = may_approve(slack, &review).await?;
    let maker = &review.maker.facts.email;
    if story.claims.iter().any(|claim| claim.kind == ClaimKind::Approve && claim.maker.email == *maker) {
        let sentence = "You have approved this before, and that stands. Deny it if it should be for less time.";
        return Err(Error::Conflict(sentence.to_owned()));
    }
    let trigger = press.trigger_id.unwrap_or_default();
    match slack.client.open_view(trigger, &approve_for_modal(&story, most, slack.workflow.now())).await {
        Ok(()) => Ok(None),
        Err(error) => {
            tracing::warn!(%error, "a form could not be opened");
            Ok(Some(answer::not_stored("Slack did not open the form.")))
        }
    }
}

/// Approves for what the form says.
pub(super) async fn submit(slack: &Slack, press: &Press<'_>, view: &View) -> Result<Mistakes, Error> {
    let other = view.typed(OTHER, OTHER).trim();
    let given = if other.is_empty() { view.chosen(USUAL, USUAL) } else { other };
    let chosen = match length::parse(given) {
        Ok(chosen) => chosen,
        Err(_) if given.is_empty() => return Ok(vec![(OTHER, "Say for how long, like 2h or 45m.".to_owned())]),
        Err(why) => return Ok(vec![(OTHER, why.to_string())]),
    };
    let mut review = gather(slack, press, view.typed(NOTE, NOTE).trim().to_owned()).await?;
    match may_approve(slack, &review).await {
        Ok((_, most)) if chosen > most => {
            let (chosen, most) = (length::show(chosen), length::show(most));
            return Err(Error::Invalid(format!("{chosen} is too long: you can approve this for {most} at most.")));
        }
        Ok((story, _)) => review.length = Some(chosen).filter(|chosen| *chosen != story.petition.length),
        // Decided by now, or this very form has decided it: approving says which.
        Err(Error::WrongState(_)) => review.length = Some(chosen),
        Err(error) => return Err(error),
    }
    approve_as(slack, press, review).await.map(|()| Mistakes::new())
}

/// The petition, and for how long it can be approved at most, where this person may approve it now.
async fn may_approve(slack: &Slack, review: &Review) -> Result<(Story, SignedDuration), Error> {
    let workflow = &slack.workflow;
    let mut story = workflow.story(&review.petition).await?;
    story.petition = story.petition.at(workflow.now());
    if story.petition.state != PetitionState::Open {
        return Err(Error::WrongState(Box::new(story.petition)));
    }
    let labels = workflow.customer_labels(&story.petition).await?;
    let facts = petition_facts(&story.petition, labels.as_ref());
    policy::may_review(workflow.policy(), &facts, &review.maker.facts, ClaimKind::Approve)
        .map_err(|why| Error::Forbidden(why.to_string()))?;
    let most = workflow.most_to_approve(&story).await?.unwrap_or_default();
    if most < SignedDuration::from_secs(1) {
        let sentence = "The policy allows no more time than this access has still, so there is nothing to approve. \
                        Deny it, or approve it later.";
        return Err(Error::Conflict(sentence.to_owned()));
    }
    Ok((story, most))
}
