//! The rules of access: who may ask, for how long, and whose approval it takes.
//!
//! Pure functions over plain data, readable in one sitting: no database, no network, no clock. The caller brings
//! today's facts about people; the same facts always give the same answer. When something cannot be told, the answer
//! is no.
//!
//! May import: `crate::domain`, and nothing else of this crate.
//! To add a demand on those who ask: a check and a [`Refusal`] in `admit.rs`. On those who decide: `judge.rs`.
//!
//! - [`admit`]: may this petition be opened at all?
//! - [`may_review`]: may this person decide it?
//! - [`judge`]: do the claims on it suffice?
//! - [`why_asked`]: why was this person asked, of all people?

mod admit;
mod judge;
mod matching;
#[cfg(test)]
mod sample;
mod why;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use regex_lite::Regex;

pub use self::{
    admit::{Admission, Asked, Refusal, admit, is_pre_approved, shortfall},
    judge::{ClaimFacts, NotYours, PetitionFacts, Verdict, judge, may_review},
    why::{Why, why_asked},
};
use crate::domain::{
    customer::Labels,
    id::{Role, SlackUserId},
    person::Email,
};

/// The whole policy of `latchkey.toml`, checked: every group that a rule names exists, every rule demands somebody.
#[derive(Clone, Debug)]
pub struct Policy {
    pub access: Access,
    /// `[groups]`.
    pub groups: BTreeMap<String, BTreeSet<Email>>,
    /// In the order of the file: the first that matches decides.
    pub rules: Vec<Rule>,
}

/// What holds for every rule that does not say otherwise.
#[derive(Clone, Debug)]
pub struct Access {
    /// When none is asked for.
    pub default_duration: SignedDuration,
    /// No lease is longer, whatever its rule says.
    pub max_duration: SignedDuration,
    /// An undecided petition closes itself after this.
    pub pending_for: SignedDuration,
    /// How long before its end the holder of a lease is warned.
    pub warn_before: SignedDuration,
    /// Characters that a reason must have at least, white space at its ends not counted.
    pub min_reason: usize,
    pub self_approval: bool,
    /// Weakest first; empty: leases have no role.
    pub roles: Vec<Role>,
    /// The reason must hold a match.
    pub ticket: Option<Regex>,
    /// Holds `{ticket}`, where the match goes.
    pub ticket_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// Labels that a customer must have, all of them. `None` or empty: every customer.
    pub matches: Option<Labels>,
    /// Who may ask. `None`: every full member of the workspace.
    pub petitioners: Option<Vec<Who>>,
    /// Who may ask for somebody else, who must be one of the petitioners. Empty: nobody.
    pub for_others: Vec<Who>,
    /// `None`: that of [`Access`].
    pub max_duration: Option<SignedDuration>,
    /// Every line must be met, each by other people. Never empty.
    pub require: Vec<Requirement>,
    /// Ids of the channels that get the card.
    pub notify: Vec<String>,
    /// Whether reviewers get the card as a message.
    pub dm: bool,
    /// `None`: that of [`Access`].
    pub self_approval: Option<bool>,
    /// By how much ends may be moved without a reviewer, in sum since a reviewer was last asked. `None`: not at all.
    pub extend_without_approval: Option<SignedDuration>,
    /// What happens when nobody decides for a while; `None`: nothing.
    pub escalate: Option<Escalate>,
    /// Whoever approves is asked once more whether they mean it. It changes nothing about who may.
    pub sensitive: bool,
}

/// From an instant on, further people are asked, and decide like the reviewers of every line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalate {
    /// After the petition was opened; at least a second.
    pub after: SignedDuration,
    /// Never empty.
    pub to: Vec<Who>,
}

/// One line of `require`: that many different people of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub reviewers: Vec<Who>,
    /// At least 1.
    pub count: usize,
}

/// `2 of group:leads, dan@acme.test`.
impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.count, list(&self.reviewers))
    }
}

/// A person or several, as the file names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `bo@acme.test`
    Email(Email),
    /// `group:leads`, one of `[groups]`; kept without `group:`.
    Group(String),
    /// `slack:S0LEADS`, a user group of Slack; kept without `slack:`.
    SlackGroup(String),
}

/// As the file writes it.
impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email(email) => email.fmt(f),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::SlackGroup(id) => write!(f, "slack:{id}"),
        }
    }
}

/// A person with what is known of them today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonFacts {
    pub email: Email,
    pub slack: Option<SlackUserId>,
    /// An active full member of the workspace, or identified by a token.
    pub full_member: bool,
    /// Ids of the Slack user groups they are in.
    pub slack_groups: BTreeSet<String>,
}

/// What a line of `require` still lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub reviewers: Vec<Who>,
    /// At least 1.
    pub count_left: usize,
}

/// `2 of group:leads, dan@acme.test`.
impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.count_left, list(&self.reviewers))
    }
}

/// Who gets a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviewers {
    pub emails: BTreeSet<Email>,
    /// Ids of Slack user groups.
    pub slack_groups: BTreeSet<String>,
}

impl Policy {
    /// No rule at all: everything is refused.
    pub fn closed() -> Self {
        let hours = SignedDuration::from_hours;
        let access = Access {
            default_duration: hours(4),
            max_duration: hours(24),
            pending_for: hours(24),
            warn_before: SignedDuration::from_mins(10),
            min_reason: 5,
            self_approval: false,
            roles: Vec::new(),
            ticket: None,
            ticket_url: None,
        };
        Self { access, groups: BTreeMap::new(), rules: Vec::new() }
    }

    /// The longest lease under this rule.
    pub fn max_duration(&self, rule: &Rule) -> SignedDuration {
        rule.max_duration.map_or(self.access.max_duration, |max| max.min(self.access.max_duration))
    }

    /// Whether, under this rule, people may approve what they filed or what is for themselves.
    pub fn self_approval(&self, rule: &Rule) -> bool {
        rule.self_approval.unwrap_or(self.access.self_approval)
    }

    fn is_among(&self, person: &PersonFacts, them: &[Who]) -> bool {
        them.iter().any(|who| match who {
            Who::Email(email) => *email == person.email,
            Who::Group(name) => self.groups.get(name).is_some_and(|members| members.contains(&person.email)),
            Who::SlackGroup(id) => person.slack_groups.contains(id),
        })
    }
}

impl Rule {
    fn matches(&self, labels: Option<&Labels>) -> bool {
        match (&self.matches, labels) {
            (None, _) => true,
            (Some(wanted), None) => wanted.is_empty(),
            (Some(wanted), Some(labels)) => wanted.iter().all(|(key, value)| labels.get(key) == Some(value)),
        }
    }

    /// To whom it escalates.
    pub fn escalates_to(&self) -> &[Who] {
        self.escalate.as_ref().map_or(&[], |escalate| &escalate.to)
    }

    /// Those who decide besides the reviewers of each line.
    fn further_reviewers(&self, escalated: bool) -> &[Who] {
        if escalated { self.escalates_to() } else { &[] }
    }

    /// Every Slack user group that this rule names, for petitioners or reviewers: what to look up before [`admit`].
    pub fn slack_groups(&self) -> BTreeSet<String> {
        let reviewers = self.require.iter().flat_map(|line| &line.reviewers).chain(self.escalates_to());
        slack_groups_among(self.petitioners.iter().flatten().chain(reviewers))
    }

    /// The Slack user groups whose members may ask for somebody else.
    pub fn slack_groups_for_others(&self) -> BTreeSet<String> {
        slack_groups_among(&self.for_others)
    }
}

fn slack_groups_among<'a>(them: impl IntoIterator<Item = &'a Who>) -> BTreeSet<String> {
    them.into_iter()
        .filter_map(|who| match who {
            Who::SlackGroup(id) => Some(id.clone()),
            Who::Email(_) | Who::Group(_) => None,
        })
        .collect()
}

/// The first rule that matches. A resource that is no customer (`None`) falls under the first rule without `match`.
pub fn rule_for<'p>(policy: &'p Policy, labels: Option<&Labels>) -> Option<&'p Rule> {
    policy.rules.iter().find(|rule| rule.matches(labels))
}

/// Whether somebody may ask for a customer with these labels at all.
pub fn may_ask_for(policy: &Policy, person: &PersonFacts, labels: &Labels) -> bool {
    let rule = rule_for(policy, Some(labels));
    let among = |rule: &Rule| rule.petitioners.as_ref().is_none_or(|them| policy.is_among(person, them));
    person.full_member && rule.is_some_and(among)
}

/// Whether somebody may ask for a customer with these labels on behalf of somebody else.
pub fn may_ask_for_others_of(policy: &Policy, person: &PersonFacts, labels: &Labels) -> bool {
    let rule = rule_for(policy, Some(labels));
    person.full_member && rule.is_some_and(|rule| policy.is_among(person, &rule.for_others))
}

/// Whether any rule lets somebody ask for somebody else.
pub fn may_ask_for_others(policy: &Policy, person: &PersonFacts) -> bool {
    person.full_member && policy.rules.iter().any(|rule| policy.is_among(person, &rule.for_others))
}

/// Whether any rule names somebody as a reviewer.
pub fn is_a_reviewer(policy: &Policy, person: &PersonFacts) -> bool {
    let lines = policy.rules.iter().flat_map(|rule| &rule.require).map(|line| line.reviewers.as_slice());
    let further = policy.rules.iter().map(Rule::escalates_to);
    person.full_member && lines.chain(further).any(|them| policy.is_among(person, them))
}

/// Everybody whom the rule names as a reviewer of a petition that was escalated, or was not.
pub fn reviewers(policy: &Policy, rule: &Rule, escalated: bool) -> Reviewers {
    let lines = rule.require.iter().flat_map(|line| &line.reviewers);
    everybody(policy, lines.chain(rule.further_reviewers(escalated)))
}

/// These people and groups, by e-mail where that is known.
pub fn everybody<'a>(policy: &Policy, them: impl IntoIterator<Item = &'a Who>) -> Reviewers {
    let mut all = Reviewers::default();
    for who in them {
        match who {
            Who::Email(email) => {
                all.emails.insert(email.clone());
            }
            Who::Group(name) => all.emails.extend(policy.groups.get(name).into_iter().flatten().cloned()),
            Who::SlackGroup(id) => {
                all.slack_groups.insert(id.clone());
            }
        }
    }
    all
}

/// The same without those whose own petition it is, unless the rule lets them approve it.
///
/// The members of a Slack group are not known here: whoever sends to them leaves the petitioner and the filer out.
pub fn reviewers_of(policy: &Policy, rule: &Rule, petition: &PetitionFacts<'_>) -> Reviewers {
    without_own(policy, rule, petition, reviewers(policy, rule, petition.escalated))
}

/// Those who are asked when it escalates, without those whose own petition it is.
pub fn escalated_to(policy: &Policy, rule: &Rule, petition: &PetitionFacts<'_>) -> Reviewers {
    without_own(policy, rule, petition, everybody(policy, rule.escalates_to()))
}

fn without_own(policy: &Policy, rule: &Rule, petition: &PetitionFacts<'_>, mut all: Reviewers) -> Reviewers {
    if !policy.self_approval(rule) {
        all.emails.remove(petition.petitioner);
        all.emails.remove(petition.filed_by);
    }
    all
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{sample::*, *};

    #[test]
    fn the_first_rule_that_matches_decides() {
        let policy = policy(vec![
            Rule { matches: Some(labels(&[("plan", "enterprise"), ("region", "eu")])), ..rule("both", &[]) },
            Rule { matches: Some(labels(&[("plan", "enterprise")])), ..rule("enterprise", &[]) },
            Rule { matches: Some(Labels::new()), ..rule("rest", &[]) },
            rule("never reached", &[]),
        ]);
        let name = |labels: Option<&Labels>| rule_for(&policy, labels).map(|rule| rule.name.as_str());
        assert_eq!(name(Some(&labels(&[("plan", "enterprise"), ("region", "eu"), ("x", "y")]))), Some("both"));
        assert_eq!(name(Some(&labels(&[("plan", "enterprise"), ("region", "us")]))), Some("enterprise"));
        assert_eq!(name(Some(&labels(&[("plan", "Enterprise")]))), Some("rest"));
        assert_eq!(name(Some(&labels(&[]))), Some("rest"));
        assert_eq!(name(None), Some("rest"), "no customer: the first rule without match");
    }

    #[test]
    fn without_a_rule_for_it_there_is_none() {
        let policy = policy(vec![Rule { matches: Some(labels(&[("plan", "enterprise")])), ..rule("enterprise", &[]) }]);
        assert_eq!(rule_for(&policy, Some(&labels(&[("plan", "free")]))), None);
        assert_eq!(rule_for(&policy, None), None);
    }

    #[test]
    fn cards_go_to_everybody_but_those_whose_petition_it_is() {
        let mut policy = policy(vec![rule("r", &[(&["group:leads", "dan@acme.test"], 1), (&["slack:S0SEC"], 1)])]);
        let petition = (email("bo@acme.test"), email("dan@acme.test"));
        let facts = facts(&petition, None, 4);
        let all = reviewers(&policy, &policy.rules[0], false);
        assert_eq!(all.emails, emails(&["bo@acme.test", "cy@acme.test", "dan@acme.test"]));
        assert_eq!(all.slack_groups, BTreeSet::from(["S0SEC".to_owned()]));
        assert_eq!(reviewers_of(&policy, &policy.rules[0], &facts).emails, emails(&["cy@acme.test"]));
        policy.access.self_approval = true;
        assert_eq!(reviewers_of(&policy, &policy.rules[0], &facts), all);
    }

    #[test]
    fn every_slack_group_is_looked_up() {
        let rule = Rule { petitioners: Some(who(&["slack:S0ASK"])), ..rule("r", &[(&["slack:S0SEC"], 1)]) };
        assert_eq!(rule.slack_groups(), BTreeSet::from(["S0ASK".to_owned(), "S0SEC".to_owned()]));
    }
}
