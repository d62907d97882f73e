//! Approve and Revoke: gathers today's facts about who pressed and who approved before, then lets the policy judge.

use std::collections::BTreeSet;

use super::Press;
use crate::{
    audit::Via,
    domain::{
        person::Person,
        petition::{ClaimKind, Petition},
    },
    policy::{PersonFacts, Rule},
    slack::{
        Slack,
        directory::{Freshness, Stranger},
        views::Content,
    },
    workflow::{Actor, Error, Review, Reviewed},
};

/// Between gathering the facts and judging them another reviewer may have approved, whose facts are then missing.
const TRIES: u32 = 3;

pub(super) async fn approve(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let review = gather(slack, press, String::new()).await?;
    // The card and the petitioner's message tell; whoever pressed sees the card change.
    approve_as(slack, press, review).await.map(|()| None)
}

/// Approves with the note and the length of `review`.
pub(super) async fn approve_as(slack: &Slack, press: &Press<'_>, mut review: Review) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match slack.workflow.approve(&review).await {
            Err(Error::FactsMissing) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
            Ok(Reviewed::Counted(_) | Reviewed::Granted { .. } | Reviewed::Closed(_)) => return Ok(()),
        }
        let again = gather(slack, press, std::mem::take(&mut review.note)).await?;
        review = Review { length: review.length, ..again };
    }
}

pub(super) async fn revoke(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let review = gather(slack, press, String::new()).await?;
    slack.workflow.revoke(&review).await.map(|_| None)
}

/// Everything that is known today of the person and of those who approved before.
pub(super) async fn gather(slack: &Slack, press: &Press<'_>, note: String) -> Result<Review, Error> {
    let store = slack.workflow.store();
    let petition =
        store.petition(&press.petition).await?.ok_or_else(|| Error::NoSuchPetition(press.petition.clone()))?;
    let groups = groups_of(slack, &petition).await?;
    let before: Vec<Person> = store
        .claims(&press.petition)
        .await?
        .into_iter()
        // Slack knows no bots; what is known of them stands in latchkey.toml.
        .filter(|claim| claim.kind == ClaimKind::Approve && !slack.workflow.is_bot(&claim.maker.email))
        .map(|claim| claim.maker)
        .collect();
    let (maker, known) = tokio::join!(actor(slack, press, &groups), facts_of(slack, &before, &groups));
    Ok(Review {
        petition: press.petition.clone(),
        maker: maker?,
        delegate: None,
        note,
        length: None,
        labels: Default::default(),
        known: known?,
        signature: Some(press.signature.to_owned()),
        via: Via::Slack,
    })
}

/// The Slack user groups that the rule in force names.
async fn groups_of(slack: &Slack, petition: &Petition) -> Result<BTreeSet<String>, Error> {
    Ok(slack.workflow.rule_of(petition).await?.map(Rule::slack_groups).unwrap_or_default())
}

/// Who pressed, as Slack knows them now.
pub(super) async fn actor(slack: &Slack, press: &Press<'_>, groups: &BTreeSet<String>) -> Result<Actor, Error> {
    slack.directory.actor(&press.user, press.team, groups, Freshness::Now).await.map_err(unknown)
}

async fn facts_of(slack: &Slack, people: &[Person], groups: &BTreeSet<String>) -> Result<Vec<PersonFacts>, Error> {
    slack.directory.actors(people, groups, Freshness::Now).await.map_err(unknown)
}

/// When Slack cannot be asked nothing is decided; when it does not know them, it is not theirs to decide.
pub(super) fn unknown(stranger: Stranger) -> Error {
    match stranger {
        Stranger::SlackAway => Error::Unavailable(stranger.to_string()),
        Stranger::NoEmail { .. } | Stranger::Unknown => Error::Forbidden(stranger.to_string()),
    }
}
