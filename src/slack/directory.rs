//! Who is who: people and user groups of the workspace, with today's facts.
//!
//! Deciding asks Slack each time, so that who lost the right a minute ago has lost it. Asking may use an answer of the
//! last minute. Where Slack cannot be asked there is no answer, and so no decision.
//!
//! May import: `domain`, `policy`, `workflow::Actor`, `slack::client`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, join, join_all, join3};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::sync::OnceCell;

use super::client::{SlackClient, SlackError, SlackUser};
pub use crate::workflow::Freshness;
use crate::{
    domain::{
        clock::Clock,
        id::SlackUserId,
        person::{Email, Person},
    },
    policy::PersonFacts,
    workflow::{Actor, Error, People, SlackGroups},
};

const KEPT: SignedDuration = SignedDuration::from_mins(1);
/// Answers that are kept of each kind; a workspace with more people asks Slack more often.
const MOST_KEPT: usize = 5_000;

/// Why somebody cannot be told who they are, as a sentence for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    #[error("Slack could not be asked who is who, so nothing was stored or decided. Try again in a moment.")]
    SlackAway,
    #[error(
        "Latchkey knows people by their e-mail address, and your Slack profile, {name}, has none that is confirmed. Add \
         or confirm one there and try again; if it has one, tell whoever runs Latchkey: the app may lack the scope \
         users:read.email, and `latchkey doctor` says so."
    )]
    NoEmail { name: String },
    #[error(
        "Slack knows no such account in this workspace, so nothing was stored or decided. Ask a full member of the \
         workspace to do it, or an administrator of the workspace to make you one."
    )]
    Unknown,
}

/// Clones share what is kept.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    client: SlackClient,
    clock: Arc<dyn Clock>,
    /// The workspace that the token is for; it never changes.
    team: OnceCell<String>,
    people: Kept<SlackUserId, Option<SlackUser>>,
    by_email: Kept<Email, Option<SlackUser>>,
    groups: Kept<String, BTreeSet<SlackUserId>>,
}

impl Directory {
    pub fn new(client: SlackClient, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            client,
            clock,
            team: OnceCell::new(),
            people: Kept::default(),
            by_email: Kept::default(),
            groups: Kept::default(),
        }))
    }

    /// The signed user of a request, with those of `groups` that they are in. `payload_team` is the team that the
    /// request names beside them; it stands in where Slack does not say.
    ///
    /// # Errors
    ///
    /// [`Stranger`]. Somebody who may do nothing (a guest, a bot, somebody of another workspace) is no error but an
    /// actor who is not a full member.
    pub async fn actor(
        &self,
        user: &SlackUserId,
        payload_team: Option<&str>,
        groups: &BTreeSet<String>,
        fresh: Freshness,
    ) -> Result<Actor, Stranger> {
        let (actor, members) = self.identified(user, payload_team, groups, fresh).await?;
        let slack_groups = groups_of(user, &members)?;
        Ok(Actor { facts: PersonFacts { slack_groups, ..actor.facts }, ..actor })
    }

    /// The same for what somebody may be shown to ask for: a group that cannot be read is none of theirs.
    pub async fn asker(
        &self,
        user: &SlackUserId,
        payload_team: Option<&str>,
        groups: &BTreeSet<String>,
    ) -> Result<Actor, Stranger> {
        let (actor, members) = self.identified(user, payload_team, groups, Freshness::AMinuteAgo).await?;
        let theirs =
            members.into_iter().filter(|(_, members)| members.as_ref().is_some_and(|them| them.contains(user)));
        let slack_groups = theirs.map(|(id, _)| id).collect();
        Ok(Actor { facts: PersonFacts { slack_groups, ..actor.facts }, ..actor })
    }

    /// Who it is, without a group, and who is in each of the groups.
    async fn identified(
        &self,
        user: &SlackUserId,
        payload_team: Option<&str>,
        groups: &BTreeSet<String>,
        fresh: Freshness,
    ) -> Result<(Actor, SlackGroups), Stranger> {
        let (found, team, members) = join3(self.person(user, fresh), self.team(), self.groups(groups, fresh)).await;
        let found = found.map_err(|_| Stranger::SlackAway)?.ok_or(Stranger::Unknown)?;
        let team = team.map_err(|_| Stranger::SlackAway)?;
        let full_member = is_full_member(&found, team, payload_team);
        let Some(email) = found.email else { return Err(Stranger::NoEmail { name: found.name }) };
        let facts = PersonFacts { email, slack: Some(user.clone()), full_member, slack_groups: BTreeSet::new() };
        Ok((Actor { facts, name: found.name }, members))
    }

    /// Who is in a user group, as of the last minute.
    ///
    /// # Errors
    ///
    /// Slack's own, so that whoever sends something can tell a lasting one. A group that does not exist has nobody in it.
    pub async fn members(&self, id: &str) -> Result<BTreeSet<SlackUserId>, SlackError> {
        self.group(&id.to_owned(), Freshness::AMinuteAgo).await
    }

    /// Today's facts of people who made claims before, in their order, under the e-mails of then.
    ///
    /// A maker whom Slack knows no more, or by another e-mail, is not a full member. A maker without a Slack id was
    /// identified by a token and is looked up by e-mail; whom the workspace does not have is who the token says.
    ///
    /// # Errors
    ///
    /// [`Stranger::SlackAway`] only.
    pub async fn actors(
        &self,
        users: &[Person],
        groups: &BTreeSet<String>,
        fresh: Freshness,
    ) -> Result<Vec<PersonFacts>, Stranger> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let found = join_all(users.iter().map(|maker| async move {
            match &maker.slack {
                Some(id) => self.person(id, fresh).await,
                None => self.person_by_email(&maker.email, fresh).await,
            }
        }));
        let (found, team, members) = join3(found, self.team(), self.groups(groups, fresh)).await;
        let team = team.map_err(|_| Stranger::SlackAway)?;
        let mut facts = Vec::with_capacity(users.len());
        for (maker, found) in users.iter().zip(found) {
            let found = found.map_err(|_| Stranger::SlackAway)?;
            let same = found.as_ref().filter(|user| user.email.as_ref() == Some(&maker.email));
            let slack = maker.slack.clone().or_else(|| same.map(|user| user.id.clone()));
            let slack_groups = match &slack {
                Some(id) => groups_of(id, &members)?,
                None => BTreeSet::new(),
            };
            let by_token = maker.slack.is_none() && found.is_none();
            facts.push(PersonFacts {
                email: maker.email.clone(),
                // They were of our workspace when they made their claim; only Slack's own word changes that.
                full_member: by_token || same.is_some_and(|user| is_full_member(user, team, Some(team))),
                slack,
                slack_groups,
            });
        }
        Ok(facts)
    }

    /// Who is in which user group; `None` where Slack could not be asked. A group that does not exist has nobody in it.
    pub async fn groups(
        &self,
        ids: &BTreeSet<String>,
        fresh: Freshness,
    ) -> BTreeMap<String, Option<BTreeSet<SlackUserId>>> {
        let asked = ids.iter().map(|id| async move { (id.clone(), self.group(id, fresh).await.ok()) });
        join_all(asked).await.into_iter().collect()
    }

    /// The active full member with this address, for sending them something.
    pub async fn member_by_email(&self, email: &Email) -> Result<Option<SlackUserId>, SlackError> {
        let (found, team) = join(self.person_by_email(email, Freshness::AMinuteAgo), self.team()).await;
        let (found, team) = (found?, team?);
        // Our own token finds our own people; where Slack does not repeat whose they are, they are ours.
        Ok(found.filter(|user| is_full_member(user, team, Some(team))).map(|user| user.id))
    }

    /// What somebody is called, to show them; `None` also where Slack does not say.
    pub async fn name(&self, id: &SlackUserId) -> Option<String> {
        self.person(id, Freshness::AMinuteAgo).await.ok().flatten().map(|user| user.name)
    }

    /// What they do, as their profile says; `None` also where Slack does not say. Theirs to write, so only to show.
    pub async fn title(&self, id: &SlackUserId) -> Option<String> {
        self.person(id, Freshness::AMinuteAgo).await.ok().flatten().and_then(|user| user.title)
    }

    /// The clock that somebody lives by; UTC where Slack does not say.
    pub async fn zone(&self, id: &SlackUserId) -> Result<TimeZone, SlackError> {
        let user = self.person(id, Freshness::AMinuteAgo).await?;
        Ok(user.map_or(TimeZone::UTC, |user| user.zone()))
    }

    /// Asked once, and again only while Slack has not answered.
    async fn team(&self) -> Result<&str, SlackError> {
        let ask = || async { self.0.client.auth_test().await.map(|test| test.team_id) };
        self.0.team.get_or_try_init(ask).await.map(String::as_str)
    }

    /// `None`: Slack knows nobody by that id, or does not show them to us.
    async fn person(&self, id: &SlackUserId, fresh: Freshness) -> Result<Option<SlackUser>, SlackError> {
        let ask = || async {
            match self.0.client.user(id).await {
                Ok(user) => Ok(Some(user)),
                Err(error) if matches!(error.code(), Some("user_not_found" | "user_not_visible")) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.0.people.or_ask(id, fresh, self.0.clock.as_ref(), ask).await
    }

    async fn person_by_email(&self, email: &Email, fresh: Freshness) -> Result<Option<SlackUser>, SlackError> {
        let ask = || self.0.client.user_by_email(email);
        self.0.by_email.or_ask(email, fresh, self.0.clock.as_ref(), ask).await
    }

    async fn group(&self, id: &String, fresh: Freshness) -> Result<BTreeSet<SlackUserId>, SlackError> {
        let ask = || async {
            match self.0.client.group_members(id).await {
                Err(error) if error.code() == Some("no_such_subteam") => Ok(BTreeSet::new()),
                answer => answer,
            }
        };
        self.0.groups.or_ask(id, fresh, self.0.clock.as_ref(), ask).await
    }
}

impl People for Directory {
    fn facts<'a>(
        &'a self,
        people: &'a [Person],
        groups: &'a BTreeSet<String>,
        fresh: Freshness,
    ) -> BoxFuture<'a, Result<Vec<PersonFacts>, Error>> {
        let away = |stranger: Stranger| Error::Unavailable(stranger.to_string());
        Box::pin(async move { self.actors(people, groups, fresh).await.map_err(away) })
    }

    fn groups<'a>(&'a self, ids: &'a BTreeSet<String>) -> BoxFuture<'a, SlackGroups> {
        Box::pin(Directory::groups(self, ids, Freshness::AMinuteAgo))
    }
}

/// An active person of our workspace, no guest and no bot. Where nobody says which workspace it is, the answer is no.
fn is_full_member(user: &SlackUser, team: &str, payload_team: Option<&str>) -> bool {
    let ours = user.team_id.as_deref().or(payload_team) == Some(team);
    let less = user.deleted || user.is_bot || user.is_restricted || user.is_ultra_restricted || user.is_stranger;
    ours && !less
}

/// A group that could not be read may be the one that matters.
fn groups_of(
    user: &SlackUserId,
    groups: &BTreeMap<String, Option<BTreeSet<SlackUserId>>>,
) -> Result<BTreeSet<String>, Stranger> {
    let mut theirs = BTreeSet::new();
    for (id, members) in groups {
        if members.as_ref().ok_or(Stranger::SlackAway)?.contains(user) {
            theirs.insert(id.clone());
        }
    }
    Ok(theirs)
}

/// Slack's answers with the instant at which each was asked for.
struct Kept<K, V>(Mutex<HashMap<K, (Timestamp, V)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Kept<K, V> {
    async fn or_ask<F>(
        &self,
        key: &K,
        fresh: Freshness,
        clock: &dyn Clock,
        ask: impl FnOnce() -> F,
    ) -> Result<V, SlackError>
    where
        F: Future<Output = Result<V, SlackError>>,
    {
        let now = clock.now();
        if fresh == Freshness::AMinuteAgo
            && let Some((at, value)) = self.lock().get(key)
            && is_recent(*at, now)
        {
            return Ok(value.clone());
        }
        let value = ask().await?;
        let mut kept = self.lock();
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (at, _)| is_recent(*at, now));
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        // Of two that asked at once, the one that asked later may have been answered first.
        if kept.get(key).is_none_or(|(at, _)| *at <= now) {
            kept.insert(key.clone(), (now, value.clone()));
        }
        Ok(value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, (Timestamp, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Also no when the clock was set back.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..KEPT).contains(&now.duration_since(at))
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
