//! `/access extend <customer> [as ROLE] [by] 2h [reason]`: lets one's own access go on.

use std::collections::BTreeSet;

use super::{
    lengths::{Found, length_after},
    parser::one_word,
    words::{fold, human, key, name_word, quoted, split},
};
use crate::{
    domain::{
        customer::name_key,
        id::{Role, SlackUserId},
        petition::{Petition, PetitionState},
    },
    slack::{
        Slack,
        actions::extend::{Who, ask},
        directory::Freshness,
        inbound::SlashCommand,
        views::{
            Content, answer, extend,
            word::{self, Usage},
        },
    },
    workflow::{Error, Extended, Live, Repeat},
};

pub const USAGE: Usage = Usage {
    typed: "/access extend <customer> by <length>",
    does: "lets your access to a customer go on for that much longer.",
    example: "/access extend 123 by 2h",
    more: "Reviewers are asked as for any access, unless the rule allows it beforehand; what you have lasts meanwhile. \
           A reason may follow the length, and “as ROLE” the customer.",
};

pub(super) async fn run(slack: &Slack, command: &SlashCommand, rest: &str, signature: &str) -> Result<Content, Error> {
    // The very same request again answers like the first.
    if let Some(answered) = slack.workflow.store().answered(signature).await? {
        let Some(name) = answered.petition else { return Ok(word::nothing_changed()) };
        if let Some(petition) = slack.workflow.store().petition(&name).await? {
            return said(slack, &petition).await;
        }
    }
    let user = SlackUserId::new(&command.user_id);
    let team = command.team_id.as_deref();
    let maker = match slack.directory.actor(&user, team, &BTreeSet::new(), Freshness::Now).await {
        Ok(actor) => actor,
        Err(stranger) => return Ok(answer::stranger(&stranger.to_string())),
    };
    let live = slack.workflow.live_of(&maker.facts.email, 0).await?;
    let rest = human(rest);
    let (name, tail) = named(&live, &rest);
    if name.is_empty() {
        return Ok(word::incomplete(&USAGE, &commands(live.iter())));
    }
    let tail = match Tail::read(&tail) {
        Ok(tail) => tail,
        Err(why) => return Ok(extend::bad_length(&why, USAGE.example)),
    };
    let same_role = |held: &&Live| match &tail.role {
        None => true,
        Some(role) => held.lease.holding.role.as_ref().is_some_and(|has| has.as_str().eq_ignore_ascii_case(role)),
    };
    let all = meant(&live, &name);
    let meant: Vec<&Live> = all.into_iter().filter(same_role).collect();
    if meant.is_empty() {
        return Ok(extend::which(&name, false, &commands(live.iter())));
    }
    let holdings: BTreeSet<_> = meant.iter().map(|held| &held.lease.holding).collect();
    if holdings.len() > 1 {
        return Ok(extend::which(&name, true, &commands(meant.into_iter())));
    }
    // Of several leases of one access, the one that ends last is its end.
    let last = meant.into_iter().filter(|held| held.petition.is_some()).max_by_key(|held| held.lease.expires_at);
    let Some((held, petition)) = last.and_then(|held| Some((held, held.petition.as_ref()?))) else {
        return Ok(extend::foreign());
    };
    let Some(by) = tail.length else { return Ok(extend::how_long(petition, held.lease.expires_at)) };
    let reason = if tail.reason.is_empty() { &petition.reason } else { &tail.reason };
    let who = Who { user: &user, team, signature };
    match ask(slack, &who, petition, by, reason, Repeat::SameWords).await {
        Ok(Extended::Open(new)) => Ok(extend::asked(&new, Some(held.lease.expires_at))),
        Ok(Extended::Granted(new)) => Ok(extend::answered(&new, false)),
        Ok(Extended::Same(new)) => Ok(extend::answered(&new, true)),
        Ok(Extended::Refused(new, because)) => Ok(answer::refused(&new, &because, None)),
        Err(error) => Err(error),
    }
}

/// What became of the petition that this request has led to before.
async fn said(slack: &Slack, petition: &Petition) -> Result<Content, Error> {
    if let PetitionState::Closed { why: crate::domain::petition::CloseReason::Refused { because }, .. } =
        &petition.state
    {
        return Ok(answer::refused(petition, because, None));
    }
    if petition.state == PetitionState::Open {
        let end = slack.workflow.story(&petition.name).await?.extends.and_then(|old| old.state.granted());
        return Ok(extend::asked(petition, end.map(|grant| grant.until)));
    }
    Ok(extend::answered(petition, false))
}

/// The customer, and what follows it: the longest run of words that names something they hold, else what stands before
/// the first keyword or length.
fn named(live: &[Live], rest: &str) -> (String, String) {
    let bare = rest.split_once(' ').filter(|(first, _)| first.eq_ignore_ascii_case("customer")).map(|(_, name)| name);
    let bare = bare.unwrap_or(rest);
    if let Some((name, after)) = quoted(bare) {
        return (name, after.to_owned());
    }
    let words: Vec<&str> = bare.split(' ').filter(|word| !word.is_empty()).collect();
    let name = |n: usize| {
        fold(words[..n].iter().map(|word| name_word(word)).collect::<Vec<_>>().join(" ").trim_start_matches('#'))
    };
    let held = (1..=words.len()).rev().find(|n| !meant(live, &name(*n)).is_empty());
    let keyword = |at: &usize| {
        let text = words[*at..].join(" ");
        ["by", "for", "as", "to", "because"].contains(&key(words[*at]).as_str())
            || matches!(length_after(&text, false), Found::Length(..))
    };
    let n = held.unwrap_or_else(|| (0..words.len()).find(|at| *at > 0 && keyword(at)).unwrap_or(words.len()));
    if held.is_none() && words.first().is_some_and(|_| n == 0 || ["by", "for", "as"].contains(&key(words[0]).as_str()))
    {
        return (String::new(), String::new());
    }
    (name(n), words[n..].join(" "))
}

fn meant<'a>(live: &'a [Live], name: &str) -> Vec<&'a Live> {
    let by_id: Vec<&Live> = live.iter().filter(|held| held.lease.holding.customer.bare() == name).collect();
    let name = name_key(name);
    if !by_id.is_empty() || name.is_empty() {
        return by_id;
    }
    live.iter().filter(|held| name_key(&held.customer_name) == name).collect()
}

fn commands<'a>(live: impl Iterator<Item = &'a Live>) -> Vec<String> {
    let mut commands = Vec::new();
    for held in live.filter(|held| held.petition.is_some()) {
        let holding = &held.lease.holding;
        let role = holding.role.as_ref().map_or_else(String::new, |role: &Role| format!(" as {role}"));
        let command = format!("/access extend {}{role} by 2h", one_word(holding.customer.bare()));
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

/// What follows the customer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tail {
    role: Option<String>,
    length: Option<jiff::SignedDuration>,
    reason: String,
}

impl Tail {
    /// `Err`: what is wrong with the length.
    fn read(text: &str) -> Result<Self, String> {
        let mut tail = Self::default();
        let mut text = text.trim();
        while let Some((first, after)) = split(text) {
            match key(first).as_str() {
                "as" if tail.role.is_none() && !after.is_empty() => {
                    let (role, after) = split(after).unwrap_or_default();
                    (tail.role, text) = (Some(name_word(role)), after);
                    continue;
                }
                "by" | "for" if tail.length.is_none() => match length_after(after, true) {
                    Found::Length(length, _, after) => {
                        (tail.length, text) = (Some(length), after);
                        continue;
                    }
                    Found::Bad(_, why, _) => return Err(why.to_string()),
                    Found::Prose => {}
                },
                _ if tail.length.is_none() => {
                    if let Found::Length(length, _, after) = length_after(text, false) {
                        (tail.length, text) = (Some(length), after);
                        continue;
                    }
                }
                _ => {}
            }
            break;
        }
        let lead = split(text).filter(|(first, _)| ["to", "because", "more", "longer"].contains(&key(first).as_str()));
        let text = lead.map_or(text, |(_, after)| after);
        let lead = split(text).filter(|(first, _)| ["to", "because"].contains(&key(first).as_str()));
        tail.reason = lead.map_or(text, |(_, after)| after).trim().to_owned();
        Ok(tail)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn what_follows_the_customer_is_read_in_any_order() {
        let hours = |n| Some(SignedDuration::from_hours(n));
        for (text, role, length, reason) in [
            ("2h", None, hours(2), ""),
            ("by 2h", None, hours(2), ""),
            ("for 2 hours", None, hours(2), ""),
            ("for another 2h", None, hours(2), ""),
            ("by 2h more because BUG-482 is not done", None, hours(2), "BUG-482 is not done"),
            ("as readonly by 1h to finish", Some("readonly"), hours(1), "finish"),
            ("1h as admin", Some("admin"), hours(1), ""),
            ("to finish BUG-482", None, None, "finish BUG-482"),
            ("", None, None, ""),
        ] {
            let wanted = Tail { role: role.map(str::to_owned), length, reason: reason.to_owned() };
            assert_eq!(Tail::read(text), Ok(wanted), "{text:?}");
        }
        assert!(Tail::read("by 2 fortnights").is_err());
        assert!(Tail::read("for 0s").is_err());
    }
}
