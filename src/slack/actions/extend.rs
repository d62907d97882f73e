//! Extend: a small form asks how much longer; sending it asks for the extension. The word `/access extend` ends here too.

use std::collections::BTreeSet;

use super::{Mistakes, Press, review::actor};
pub(super) use crate::slack::views::extend::{EXTEND_CALLBACK, REASON as REASON_BLOCK};
use crate::{
    audit::Via,
    domain::{
        id::SlackUserId,
        length,
        petition::{Petition, PetitionState},
    },
    policy::Rule,
    slack::{
        Slack,
        directory::Freshness,
        inbound::View,
        text,
        views::{
            Content, answer,
            extend::{OTHER, REASON, USUAL, extend_modal},
        },
    },
    workflow::{Error, Extend, Extended, Repeat},
};

/// Opens the form, for whoever holds the access.
pub(super) async fn open(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let maker = actor(slack, press, &BTreeSet::new()).await?;
    let workflow = &slack.workflow;
    let story = workflow.story(&press.petition).await?;
    let petition = &story.petition;
    if petition.petitioner.email != maker.facts.email {
        return Err(Error::Forbidden(format!("Only {} can extend this access.", petition.petitioner.name)));
    }
    let until = match &petition.state {
        PetitionState::Granted { until, .. } if *until > workflow.now() => *until,
        PetitionState::Granted { .. } => return Err(over()),
        PetitionState::Open | PetitionState::Closed { .. } => {
            return Err(Error::WrongState(Box::new(petition.clone())));
        }
    };
    if let Some(open) = &story.extension {
        return Ok(Some(crate::slack::views::extend::answered(open, true)));
    }
    let most = workflow.most_longer(petition).await?.unwrap_or_default();
    if most < jiff::SignedDuration::from_secs(1) {
        let sentence = "This access lasts as long as the policy allows already. Extend it later, or ask for it again \
                        when it is over.";
        return Err(Error::Conflict(sentence.to_owned()));
    }
    let trigger = press.trigger_id.unwrap_or_default();
    match slack.client.open_view(trigger, &extend_modal(petition, until, most)).await {
        Ok(()) => Ok(None),
        Err(error) => {
            tracing::warn!(%error, "a form could not be opened");
            Ok(Some(answer::not_stored("Slack did not open the form.")))
        }
    }
}

fn over() -> Error {
    let sentence = "The time of this access is up, so there is nothing to extend. Ask for it again.";
    Error::Conflict(sentence.to_owned())
}

/// Asks for what the form says.
pub(super) async fn submit(slack: &Slack, press: &Press<'_>, view: &View) -> Result<Mistakes, Error> {
    let other = view.typed(OTHER, OTHER).trim();
    let given = if other.is_empty() { view.chosen(USUAL, USUAL) } else { other };
    let by = match length::parse(given) {
        Ok(by) => by,
        Err(_) if given.is_empty() => return Ok(vec![(OTHER, "Say how much longer, like 2h or 45m.".to_owned())]),
        Err(why) => return Ok(vec![(OTHER, why.to_string())]),
    };
    let reason = view.typed(REASON, REASON).trim();
    if text::plain(reason, usize::MAX).is_empty() {
        return Ok(vec![(REASON, "Say in a few words why you need it longer.".to_owned())]);
    }
    let petition = slack.workflow.store().petition(&press.petition).await?;
    let petition = petition.ok_or_else(|| Error::NoSuchPetition(press.petition.clone()))?;
    let who = Who { user: &press.user, team: press.team, signature: press.signature };
    match ask(slack, &who, &petition, by, reason, Repeat::Never).await? {
        // The messages say the rest.
        Extended::Open(_) | Extended::Granted(_) | Extended::Same(_) => Ok(Mistakes::new()),
        Extended::Refused(_, because) => Ok(vec![(OTHER, because)]),
    }
}

/// Who asks, from the signed request.
pub(in crate::slack) struct Who<'a> {
    pub user: &'a SlackUserId,
    pub team: Option<&'a str>,
    pub signature: &'a str,
}

/// Asks for an extension with what is known today: a rule may let it stand at once.
pub(in crate::slack) async fn ask(
    slack: &Slack,
    who: &Who<'_>,
    petition: &Petition,
    by: jiff::SignedDuration,
    reason: &str,
    repeat: Repeat,
) -> Result<Extended, Error> {
    let workflow = &slack.workflow;
    let subject = workflow.subject_of(petition).await?;
    let groups = workflow.rule_of(petition).await?.map(Rule::slack_groups).unwrap_or_default();
    let none = BTreeSet::new();
    let (petitioner, slack_groups) = tokio::join!(
        slack.directory.actor(who.user, who.team, &none, Freshness::Now),
        slack.directory.groups(&groups, Freshness::Now),
    );
    let extend = Extend {
        of: petition.name.clone(),
        petitioner: petitioner.map_err(super::review::unknown)?,
        subject,
        by,
        reason: reason.to_owned(),
        repeat,
        slack_groups,
        signature: Some(who.signature.to_owned()),
        via: Via::Slack,
    };
    workflow.extend_access(&extend).await
}
