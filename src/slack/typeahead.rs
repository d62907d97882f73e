//! What a typeahead of a form is answered while somebody types.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Slack,
    inbound::Interaction,
    views::ask::{CUSTOMERS, OFFERED, suggestions},
};
use crate::{
    domain::id::SlackUserId,
    policy::Rule,
    workflow::{Error, Suggested},
};

/// The customers that fit, as far as their reader may ask for them. Nothing where somebody may ask for none, or where it
/// cannot be told in time: Slack asks again with the next letter.
pub(super) async fn suggest(slack: &Slack, interaction: &Interaction) -> Value {
    let found = match tokio::time::timeout(slack.limits.answer, find(slack, interaction)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a typeahead could not be answered");
            Suggested::default()
        }
        Err(_) => {
            tracing::warn!("a typeahead took too long");
            Suggested::default()
        }
    };
    suggestions(&found)
}

/// Every Slack user group on which it depends what somebody may ask for, for themselves or for others.
pub(super) fn groups_of(rules: &[Rule]) -> BTreeSet<String> {
    rules.iter().flat_map(|rule| rule.slack_groups().into_iter().chain(rule.slack_groups_for_others())).collect()
}

async fn find(slack: &Slack, interaction: &Interaction) -> Result<Suggested, Error> {
    let Some(user) = interaction.user_id().filter(|_| interaction.action_id.as_deref() == Some(CUSTOMERS)) else {
        return Ok(Suggested::default());
    };
    let workflow = &slack.workflow;
    let groups = groups_of(&workflow.policy().rules);
    let user = SlackUserId::new(user);
    let actor = slack.directory.asker(&user, interaction.team_id(), &groups).await;
    let Ok(actor) = actor else { return Ok(Suggested::default()) };
    let typed = interaction.value.as_deref().unwrap_or_default();
    // Before anything is typed here, what was typed after the command and is no customer's name.
    let before = interaction.view.as_ref().and_then(|view| view.private_metadata.as_deref()).unwrap_or_default();
    let mut found = workflow.suggest_customers(&actor.facts, typed, OFFERED).await?;
    if typed.trim().is_empty() && !before.is_empty() {
        let near = workflow.near(&actor.facts, before).await?;
        found.others.retain(|customer| near.iter().all(|known| known.id != customer.id));
        found.others.splice(0..0, near);
    }
    Ok(found)
}
