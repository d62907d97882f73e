//! Who somebody is today, for those who are known by their e-mail alone: the subjects of tokens, and whom they name.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;

use super::{Actor, Error, Review, Workflow};
use crate::{
    audit::Via,
    domain::{
        id::{PetitionName, SlackUserId},
        person::{Email, Person},
        petition::ClaimKind,
    },
    policy::{PersonFacts, Rule},
};

/// Members of each Slack user group that was asked for; `None` where Slack could not be asked.
pub type SlackGroups = BTreeMap<String, Option<BTreeSet<SlackUserId>>>;

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// For deciding.
    Now,
    /// For asking, for showing, and for whom to send a card.
    AMinuteAgo,
}

/// Where today's facts about people come from.
pub trait People: Send + Sync {
    /// The facts of each, in their order, with those of `groups` that they are in. Whoever has no Slack account was
    /// identified by a token, and counts as a full member. `Unavailable` where Slack could not be asked.
    fn facts<'a>(
        &'a self,
        people: &'a [Person],
        groups: &'a BTreeSet<String>,
        fresh: Freshness,
    ) -> BoxFuture<'a, Result<Vec<PersonFacts>, Error>>;

    fn groups<'a>(&'a self, ids: &'a BTreeSet<String>) -> BoxFuture<'a, SlackGroups>;
}

/// While Slack is off: people are who their tokens say, and its groups have nobody in them.
pub struct TokensOnly;

impl People for TokensOnly {
    fn facts<'a>(
        &'a self,
        people: &'a [Person],
        _: &'a BTreeSet<String>,
        _: Freshness,
    ) -> BoxFuture<'a, Result<Vec<PersonFacts>, Error>> {
        let facts = |person: &Person| PersonFacts {
            email: person.email.clone(),
            // An account of Slack that nobody can ask about may be anybody's by now.
            full_member: person.slack.is_none(),
            slack: person.slack.clone(),
            slack_groups: BTreeSet::new(),
        };
        let all = people.iter().map(facts).collect();
        Box::pin(async { Ok(all) })
    }

    fn groups<'a>(&'a self, ids: &'a BTreeSet<String>) -> BoxFuture<'a, SlackGroups> {
        Box::pin(async { ids.iter().map(|id| (id.clone(), Some(BTreeSet::new()))).collect() })
    }
}

impl Workflow {
    /// Somebody who is known by their e-mail; an empty name is the e-mail.
    pub async fn actor(
        &self,
        email: &Email,
        name: &str,
        groups: &BTreeSet<String>,
        fresh: Freshness,
    ) -> Result<Actor, Error> {
        let name = if name.is_empty() { email.to_string() } else { name.to_owned() };
        let person = Person { email: email.clone(), slack: None, name: name.clone() };
        let facts = self.people.facts(std::slice::from_ref(&person), groups, fresh).await?;
        let facts = facts.into_iter().next().ok_or(Error::FactsMissing)?;
        Ok(Actor { facts, name })
    }

    /// Who is in the Slack user groups that a rule names.
    pub async fn slack_groups(&self, rule: Option<&Rule>) -> SlackGroups {
        let ids = rule.map(Rule::slack_groups).unwrap_or_default();
        if ids.is_empty() { SlackGroups::new() } else { self.people.groups(&ids).await }
    }

    /// A claim in the making: its maker and everybody who approved before, with today's facts.
    pub(super) async fn gather(&self, name: &PetitionName, maker: &Email, via: Via) -> Result<Review, Error> {
        let (groups, known) = self.approvers(name).await?;
        Ok(Review {
            petition: name.clone(),
            maker: self.actor(maker, "", &groups, Freshness::Now).await?,
            delegate: None,
            note: String::new(),
            length: None,
            labels: Default::default(),
            known,
            signature: None,
            via,
        })
    }

    /// Everybody who has approved before, with today's facts, and the Slack user groups that the rule in force names.
    /// Bots are left out: what is known of them stands in latchkey.toml.
    pub(super) async fn approvers(&self, name: &PetitionName) -> Result<(BTreeSet<String>, Vec<PersonFacts>), Error> {
        let petition = self.store.petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
        let groups = self.rule_of(&petition).await?.map(Rule::slack_groups).unwrap_or_default();
        let approvals = self.store.claims(name).await?.into_iter().filter(|claim| claim.kind == ClaimKind::Approve);
        let before = approvals.map(|claim| claim.maker);
        let before: Vec<Person> = before.filter(|maker| !self.is_bot(&maker.email)).collect();
        let known =
            if before.is_empty() { Vec::new() } else { self.people.facts(&before, &groups, Freshness::Now).await? };
        Ok((groups, known))
    }
}
