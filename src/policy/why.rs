//! Why somebody is asked to decide a petition, for them to read.

use jiff::SignedDuration;

use super::{PersonFacts, PetitionFacts, Policy, Who, rule_for};

/// What makes somebody a reviewer of a petition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The rule names them by their e-mail.
    Named,
    /// They are in this one of `[groups]`, which the rule names.
    Group(String),
    /// They are in this user group of Slack, which the rule names.
    SlackGroup(String),
    /// Nobody decided for so long, and the rule has them asked then.
    Escalated(SignedDuration),
}

/// Why this person is asked, as the file and the facts are today; the plainest of several reasons.
///
/// `None`: today's rule does not make them a reviewer. It does not say whether they may decide: [`super::may_review`]
/// does, and knows of petitions that are their own.
pub fn why_asked(policy: &Policy, petition: &PetitionFacts<'_>, person: &PersonFacts) -> Option<Why> {
    let rule = rule_for(policy, petition.labels)?;
    let reason = |them: &[Who]| {
        let is = |who: &Who| policy.is_among(person, std::slice::from_ref(who));
        let of = |who: &Who| match who {
            Who::Email(_) => Why::Named,
            Who::Group(name) => Why::Group(name.clone()),
            Who::SlackGroup(id) => Why::SlackGroup(id.clone()),
        };
        them.iter().filter(|who| is(who)).min().map(of)
    };
    let among: Vec<Who> = rule.require.iter().flat_map(|line| line.reviewers.iter().cloned()).collect();
    let escalated = || {
        let escalate = rule.escalate.as_ref().filter(|_| petition.escalated)?;
        reason(&escalate.to).map(|_| Why::Escalated(escalate.after))
    };
    reason(&among).or_else(escalated)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Escalate, Rule, sample::*},
        *,
    };

    #[test]
    fn everybody_is_told_what_makes_them_a_reviewer() {
        let after = SignedDuration::from_mins(30);
        let escalate = Some(Escalate { after, to: who(&["eve@acme.test", "group:leads"]) });
        let lines: Lines<'_> = &[(&["slack:S0SEC", "group:leads"], 1), (&["dan@acme.test", "bo@acme.test"], 1)];
        let policy = policy(vec![Rule { escalate, ..rule("r", lines) }]);
        let people = (email("ana@acme.test"), email("ana@acme.test"));
        let open = facts(&people, None, 4);
        let escalated = PetitionFacts { escalated: true, ..open };
        let why = |petition, address, groups: &[&str]| why_asked(&policy, petition, &person(address, groups));
        assert_eq!(why(&open, "dan@acme.test", &[]), Some(Why::Named));
        assert_eq!(why(&open, "cy@acme.test", &[]), Some(Why::Group("leads".to_owned())));
        assert_eq!(why(&open, "bo@acme.test", &[]), Some(Why::Named), "by name before by group");
        assert_eq!(why(&open, "fay@acme.test", &["S0SEC"]), Some(Why::SlackGroup("S0SEC".to_owned())));
        assert_eq!(why(&open, "fay@acme.test", &["S0NO"]), None);
        assert_eq!(why(&open, "eve@acme.test", &[]), None, "it was not escalated");
        assert_eq!(why(&escalated, "eve@acme.test", &[]), Some(Why::Escalated(after)));
        assert_eq!(why(&escalated, "cy@acme.test", &[]), Some(Why::Group("leads".to_owned())), "asked from the start");
        let gone = Policy { rules: Vec::new(), ..policy.clone() };
        assert_eq!(why_asked(&gone, &escalated, &person("dan@acme.test", &[])), None);
    }
}
