//! I'm done and Cancel request: the petitioner's own buttons.

use std::collections::BTreeSet;

use super::{Press, review::actor};
use crate::{
    audit::Via,
    slack::{Slack, views::Content},
    workflow::Error,
};

pub(super) async fn give_back(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let actor = actor(slack, press, &BTreeSet::new()).await?;
    slack.workflow.give_back(&press.petition, &actor, Some(press.signature), Via::Slack).await?;
    Ok(None)
}

pub(super) async fn withdraw(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let actor = actor(slack, press, &BTreeSet::new()).await?;
    slack.workflow.withdraw(&press.petition, &actor, Some(press.signature), Via::Slack).await?;
    Ok(None)
}
