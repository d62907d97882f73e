//! Whom and what the file names at Slack: channels, people, user groups; and rules that they could never meet.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, future::join, stream};

use super::{Check, Group, fail, ok, slack::trouble, warn};
use crate::{
    config::FileConfig,
    domain::{id::SlackUserId, person::Email},
    policy::{Policy, Requirement, Rule, Who, shortfall},
    slack::client::{AuthTest, SlackClient, SlackError, SlackUser},
};

/// Questions to Slack at a time.
const AT_ONCE: usize = 8;
/// Members of a user group who are looked at one by one. A larger group is believed to be large enough.
const MOST_MEMBERS: usize = 50;

pub(super) async fn look(client: &SlackClient, file: &FileConfig, test: &AuthTest) -> Vec<Check> {
    let bot = test.user.as_deref().unwrap_or("latchkey");
    let (channels, people) = join(channels(client, &file.policy, bot), people(client, file)).await;
    channels.into_iter().chain(people).collect()
}

async fn channels(client: &SlackClient, policy: &Policy, bot: &str) -> Vec<Check> {
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for rule in &policy.rules {
        for id in &rule.notify {
            named.entry(id).or_insert(&rule.name);
        }
    }
    stream::iter(named).map(|(id, rule)| channel(client, id, rule, bot)).buffered(AT_ONCE).collect().await
}

async fn channel(client: &SlackClient, id: &str, rule: &str, bot: &str) -> Check {
    const GROUP: Group = Group::Channels;
    let named = format!("{id}, in notify of the rule “{rule}”,");
    if id.starts_with(['U', 'W']) {
        return match client.user(&SlackUserId::new(id)).await {
            Ok(user) if user.deleted => fail(GROUP, format!("{named} is deactivated"), "name somebody else"),
            Ok(user) => ok(GROUP, format!("{named} is {}", user.name)),
            Err(error) if error.code() == Some("user_not_found") => {
                fail(GROUP, format!("{named} is nobody in this workspace"), "correct the id")
            }
            Err(error) => trouble(GROUP, &format!("{named} could not be looked up"), &error),
        };
    }
    match client.channel(id).await {
        Ok(None) => {
            let remedy = format!(
                "correct the id (at the end of the channel's details); if it is private, type `/invite @{bot}` in it"
            );
            fail(GROUP, format!("{named} is no channel that the bot can see"), remedy)
        }
        Ok(Some(channel)) => {
            let name = channel.name.map_or_else(|| id.to_owned(), |name| format!("#{name}"));
            if channel.archived {
                let what = format!("{name} ({id}), in notify of the rule “{rule}”, is archived");
                fail(GROUP, what, "unarchive it, or name another channel")
            } else if !channel.is_member {
                let what = format!("the bot is not in {name} ({id})");
                fail(GROUP, what, format!("type `/invite @{bot}` in {name}"))
            } else {
                ok(GROUP, format!("the bot is in {name} ({id})"))
            }
        }
        Err(error) => trouble(GROUP, &format!("{named} could not be looked up"), &error),
    }
}

/// What Slack says of everybody whom the file names.
#[derive(Default)]
struct Answers {
    people: BTreeMap<Email, Result<Option<SlackUser>, SlackError>>,
    /// `None` in a group: it has more members than are looked at.
    groups: BTreeMap<String, Result<Option<Vec<SlackUser>>, SlackError>>,
}

async fn people(client: &SlackClient, file: &FileConfig) -> Vec<Check> {
    let policy = &file.policy;
    // A bot that decides by webhook needs no account in Slack.
    let bots: BTreeSet<&Email> = file.decisions.iter().map(|one| &one.bot).collect();
    let mut people: BTreeMap<&Email, String> = BTreeMap::new();
    let mut groups: BTreeMap<&str, String> = BTreeMap::new();
    for rule in &policy.rules {
        let reviewers = rule.require.iter().flat_map(|line| &line.reviewers).map(|who| ("a reviewer", who));
        let petitioners = rule.petitioners.iter().flatten().map(|who| ("a petitioner", who));
        let further = rule.escalates_to().iter().map(|who| ("a further reviewer", who));
        let for_others = rule.for_others.iter().map(|who| ("one who asks for others", who));
        for (part, who) in reviewers.chain(petitioners).chain(further).chain(for_others) {
            let place = || format!("{part} of the rule “{}”", rule.name);
            match who {
                Who::Email(email) => {
                    people.entry(email).or_insert_with(place);
                }
                Who::Group(name) => {
                    for email in policy.groups.get(name).into_iter().flatten() {
                        people.entry(email).or_insert_with(|| format!("{}, in group:{name}", place()));
                    }
                }
                Who::SlackGroup(id) => {
                    groups.entry(id).or_insert_with(place);
                }
            }
        }
    }
    people.retain(|email, _| !bots.contains(email));
    let asked =
        stream::iter(people.keys()).map(|email| async { ((*email).clone(), client.user_by_email(email).await) });
    let asked_groups = stream::iter(groups.keys()).map(|id| async { ((*id).to_owned(), members(client, id).await) });
    let (found, found_groups) =
        join(asked.buffered(AT_ONCE).collect::<BTreeMap<_, _>>(), asked_groups.buffered(2).collect()).await;
    let answers = Answers { people: found, groups: found_groups };

    let mut checks: Vec<Check> =
        people.iter().filter_map(|(email, part)| person(email, part, answers.people[*email].as_ref().ok()?)).collect();
    checks.extend(unasked(answers.people.values().filter_map(|found| found.as_ref().err())));
    if checks.is_empty() && !people.is_empty() {
        checks.push(ok(Group::People, format!("{} people of latchkey.toml are full members in Slack", people.len())));
    }
    checks.extend(groups.iter().map(|(id, part)| group(id, part, &answers.groups[*id])));
    let rules: Vec<Check> = policy.rules.iter().flat_map(|rule| rule_can_be_met(policy, rule, &answers)).collect();
    if rules.is_empty() {
        let all = answers.people.values().all(Result::is_ok) && answers.groups.values().all(Result::is_ok);
        let far = if all { "" } else { ", as far as could be looked up" };
        checks.push(ok(Group::People, format!("every rule can be met{far}")));
    }
    checks.extend(rules);
    checks
}

/// `Ok(None)`: too many to look at. Errors of single members count as nobody known.
async fn members(client: &SlackClient, id: &str) -> Result<Option<Vec<SlackUser>>, SlackError> {
    let members = client.group_members(id).await?;
    if members.len() > MOST_MEMBERS {
        return Ok(None);
    }
    let found: Vec<Result<SlackUser, SlackError>> =
        stream::iter(&members).map(|member| client.user(member)).buffered(AT_ONCE).collect().await;
    let mut users = Vec::new();
    for found in found {
        match found {
            Ok(user) => users.push(user),
            Err(error) if error.code().is_some_and(|code| code.starts_with("user_not_")) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(users))
}

/// Why they can neither ask nor decide.
fn flaw(user: &SlackUser) -> Option<(&'static str, &'static str)> {
    if user.deleted {
        Some(("is deactivated in Slack", "take them out of latchkey.toml, or have them reactivated"))
    } else if user.is_bot {
        Some(("is a bot in Slack, which can neither ask nor decide", "name a person, or a [[decision]]"))
    } else if user.is_restricted || user.is_ultra_restricted {
        Some(("is a guest in Slack, who can neither ask nor decide", "name a full member, or have them made one"))
    } else if user.is_stranger {
        Some(("is of another organisation in Slack", "name a full member of your workspace"))
    } else if user.email.is_none() {
        Some(("has not confirmed that e-mail in Slack", "have them confirm it in their Slack profile"))
    } else {
        None
    }
}

fn person(email: &Email, part: &str, found: &Option<SlackUser>) -> Option<Check> {
    const GROUP: Group = Group::People;
    match found {
        Some(user) => flaw(user).map(|(what, remedy)| fail(GROUP, format!("{email}, {part}, {what}"), remedy)),
        None => {
            let remedy = "correct the e-mail, take them out of latchkey.toml, or have them join the workspace";
            Some(fail(GROUP, format!("{email}, {part}, is nobody active in Slack"), remedy))
        }
    }
}

/// What keeps one person from being looked up mostly keeps all of them: one line for each reason.
fn unasked<'a>(errors: impl Iterator<Item = &'a SlackError>) -> Vec<Check> {
    let mut reasons: BTreeMap<String, (usize, &SlackError)> = BTreeMap::new();
    for error in errors {
        // How long Slack wants to be left alone grows less with each call.
        let reason = match error {
            SlackError::RateLimited { .. } => "rate limited".to_owned(),
            SlackError::Api { .. } | SlackError::NoAnswer { .. } | SlackError::BadAnswer { .. } => error.to_string(),
        };
        reasons.entry(reason).or_insert((0, error)).0 += 1;
    }
    let said = |(count, error)| {
        trouble(Group::People, &format!("{count} of the people of latchkey.toml could not be looked up"), error)
    };
    reasons.into_values().map(said).collect()
}

fn group(id: &str, part: &str, found: &Result<Option<Vec<SlackUser>>, SlackError>) -> Check {
    const GROUP: Group = Group::People;
    let named = format!("slack:{id}, {part},");
    match found {
        Ok(None) => ok(GROUP, format!("{named} has more than {MOST_MEMBERS} members")),
        Ok(Some(members)) if members.is_empty() => {
            fail(GROUP, format!("{named} has no members"), "add people to that user group in Slack, or name another")
        }
        Ok(Some(members)) => match members.iter().filter(|member| flaw(member).is_none()).count() {
            0 => {
                let remedy = "add active full members to that user group in Slack, or name another";
                fail(GROUP, format!("nobody in {named} is an active full member"), remedy)
            }
            count => ok(GROUP, format!("{named} has {count} members who can act")),
        },
        Err(error) if error.code() == Some("no_such_subteam") => {
            let remedy = "correct the id: in Slack, open the user group, and choose Copy group ID";
            fail(GROUP, format!("{named} does not exist in Slack"), remedy)
        }
        Err(error) => trouble(GROUP, &format!("{named} could not be read"), error),
    }
}

/// With the people whom Slack has today. Who could not be looked up counts as fine.
fn rule_can_be_met(policy: &Policy, rule: &Rule, answers: &Answers) -> Vec<Check> {
    const GROUP: Group = Group::People;
    let today = |them: &[Who]| them.iter().flat_map(|who| able(policy, who, answers)).collect::<Vec<Who>>();
    let mut checks = Vec::new();
    let lines = rule.require.iter();
    let lines = lines.map(|line| Requirement { reviewers: today(&line.reviewers), count: line.count });
    let missing = shortfall(policy, &Rule { require: lines.collect(), ..rule.clone() });
    if !missing.is_empty() {
        let wanted: Vec<String> = rule.require.iter().map(ToString::to_string).collect();
        let lacks: usize = missing.iter().map(|missing| missing.count_left).sum();
        let what = format!(
            "nobody can get access by the rule “{}”: of those who must approve ({}), {lacks} too few can",
            rule.name,
            wanted.join("; ")
        );
        checks.push(fail(GROUP, what, "add reviewers who are full members in Slack, or lower “count”"));
    }
    if rule.petitioners.as_ref().is_some_and(|them| today(them).is_empty()) {
        let what = format!("none of the petitioners of the rule “{}” can ask", rule.name);
        checks.push(warn(GROUP, what, "name full members of the workspace"));
    }
    checks
}

/// Those behind a name who can act, by e-mail. A Slack group that cannot be told stays as it is.
fn able(policy: &Policy, who: &Who, answers: &Answers) -> Vec<Who> {
    let fine = |email: &&Email| match answers.people.get(*email) {
        Some(Ok(Some(user))) => flaw(user).is_none(),
        Some(Ok(None)) => false,
        // The bot of a decision, or somebody whom Slack would not tell us about.
        Some(Err(_)) | None => true,
    };
    match who {
        Who::Email(email) => Some(email).filter(fine).cloned().map(Who::Email).into_iter().collect(),
        Who::Group(name) => {
            policy.groups.get(name).into_iter().flatten().filter(fine).cloned().map(Who::Email).collect()
        }
        Who::SlackGroup(id) => match answers.groups.get(id) {
            Some(Ok(Some(members))) => {
                let able = members.iter().filter(|member| flaw(member).is_none());
                able.filter_map(|member| member.email.clone()).map(Who::Email).collect()
            }
            Some(Err(error)) if error.code() == Some("no_such_subteam") => Vec::new(),
            Some(Ok(None) | Err(_)) | None => vec![who.clone()],
        },
    }
}
