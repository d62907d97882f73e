//! I'm done and Cancel request: the petitioner's own buttons.

use std::collections::BTreeSet;

use super::{Press, review::actor};
use crate::{
    audit::Via,
    slack::{Slack, views::Content},
    workflow::{Error, Review},
};

pub(super) async fn give_back(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    slack.workflow.give_back(&own(slack, press).await?).await.map(|_| None)
}

pub(super) async fn withdraw(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    slack.workflow.withdraw(&own(slack, press).await?).await.map(|_| None)
}

/// What people do to their own petition takes nobody's facts but their own.
async fn own(slack: &Slack, press: &Press<'_>) -> Result<Review, Error> {
    Ok(Review {
        petition: press.petition.clone(),
        maker: actor(slack, press, &BTreeSet::new()).await?,
        delegate: None,
        note: String::new(),
        length: None,
        labels: Default::default(),
        known: Vec::new(),
        signature: Some(press.signature.to_owned()),
        via: Via::Slack,
    })
}
