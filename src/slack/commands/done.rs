//! `/access done <customer>`: gives one's own access to a customer back, all of it.

use std::collections::BTreeSet;

use super::{
    ends::{self, End, Plan},
    named::name_in,
    parser::one_word,
};
use crate::{
    domain::{
        customer::name_key,
        id::{CustomerId, SlackUserId},
    },
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{
            Content, answer,
            word::{self, NothingToEnd, Usage},
        },
    },
    workflow::{Error, Live},
};

pub const USAGE: Usage = Usage {
    typed: "/access done <customer>",
    does: "gives your access to a customer back.",
    example: "/access done 123",
    more: "Where you have it in several roles or by several petitions, all of it.",
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand, rest: &str, signature: &str) -> Result<Content, Error> {
    let plan = plan(slack, command, rest).await?;
    ends::run(slack, signature, End::Done, plan).await
}

async fn plan(slack: &Slack, command: &SlashCommand, rest: &str) -> Result<Plan, Error> {
    let user = SlackUserId::new(&command.user_id);
    let team = command.team_id.as_deref();
    let maker = match slack.directory.actor(&user, team, &BTreeSet::new(), Freshness::Now).await {
        Ok(actor) => actor,
        Err(stranger) => return Ok(Plan::Say(answer::stranger(&stranger.to_string()))),
    };
    let live = slack.workflow.live_of(&maker.facts.email, 0).await?;
    let name = name_in(rest);
    if name.is_empty() {
        return Ok(Plan::Say(word::incomplete(&USAGE, &commands(&live))));
    }
    let meant = meant(&live, &name);
    if meant.is_empty() {
        return Ok(Plan::Say(word::nothing_to_end(&NothingToEnd::OfMine { given: &name }, &commands(&live))));
    }
    let customers: BTreeSet<&CustomerId> = meant.iter().map(|held| &held.lease.holding.customer).collect();
    if customers.len() > 1 {
        return Ok(Plan::Say(word::which_of_mine(&name, &commands(&meant))));
    }
    Ok(Plan::Act { maker: Box::new(maker), note: String::new(), live: meant })
}

/// What goes by this text: an id before a name. It is looked for among what they hold, so a customer that has vanished
/// meanwhile is found too.
fn meant(live: &[Live], name: &str) -> Vec<Live> {
    let id = |held: &&Live| held.lease.holding.customer.bare() == name;
    let by_id: Vec<Live> = live.iter().filter(id).cloned().collect();
    let key = name_key(name);
    if !by_id.is_empty() || key.is_empty() {
        return by_id;
    }
    live.iter().filter(|held| name_key(&held.customer_name) == key).cloned().collect()
}

fn commands(live: &[Live]) -> Vec<String> {
    let mut commands = Vec::new();
    for held in live {
        let command = format!("/access done {}", one_word(held.lease.holding.customer.bare()));
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}
