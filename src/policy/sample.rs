//! Small builders for the tests of this room.

use super::*;

pub(super) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(super) fn emails(texts: &[&str]) -> BTreeSet<Email> {
    texts.iter().map(|text| email(text)).collect()
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn who(texts: &[&str]) -> Vec<Who> {
    texts
        .iter()
        .map(|text| match text.split_once(':') {
            Some(("group", name)) => Who::Group(name.to_owned()),
            Some(("slack", id)) => Who::SlackGroup(id.to_owned()),
            _ => Who::Email(email(text)),
        })
        .collect()
}

/// What a rule demands: reviewers and how many of them.
pub(super) type Lines<'a> = &'a [(&'a [&'a str], usize)];

pub(super) fn rule(name: &str, require: Lines<'_>) -> Rule {
    Rule {
        name: name.to_owned(),
        matches: None,
        petitioners: None,
        for_others: Vec::new(),
        max_duration: None,
        require: require
            .iter()
            .map(|(reviewers, count)| Requirement { reviewers: who(reviewers), count: *count })
            .collect(),
        notify: Vec::new(),
        dm: true,
        self_approval: None,
        extend_without_approval: None,
        escalate: None,
        sensitive: false,
    }
}

/// Group `leads` is Bo and Cy.
pub(super) fn policy(rules: Vec<Rule>) -> Policy {
    Policy {
        access: Access {
            default_duration: SignedDuration::from_hours(4),
            max_duration: SignedDuration::from_hours(24),
            pending_for: SignedDuration::from_hours(24),
            warn_before: SignedDuration::from_mins(10),
            min_reason: 5,
            self_approval: false,
            roles: Vec::new(),
            ticket: None,
            ticket_url: None,
        },
        groups: BTreeMap::from([("leads".to_owned(), emails(&["bo@acme.test", "cy@acme.test"]))]),
        rules,
    }
}

/// A full member, in these Slack groups, whose Slack id is the upper-cased part of the address before the `@`.
pub(super) fn person(address: &str, slack_groups: &[&str]) -> PersonFacts {
    let email = email(address);
    let slack = format!("U{}", email.as_str().split('@').next().unwrap().to_uppercase());
    PersonFacts {
        email,
        slack: Some(SlackUserId::new(slack)),
        full_member: true,
        slack_groups: slack_groups.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// A petition for the first by the second.
pub(super) fn facts<'a>(people: &'a (Email, Email), labels: Option<&'a Labels>, hours: i64) -> PetitionFacts<'a> {
    PetitionFacts {
        petitioner: &people.0,
        petitioner_slack: None,
        filed_by: &people.1,
        labels,
        length: SignedDuration::from_hours(hours),
        escalated: false,
    }
}
