//! May this petition be opened at all?

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::{Missing, PersonFacts, Policy, Rule, Who, list, matching, rule_for};
use crate::domain::{
    customer::Labels,
    id::{Role, SlackUserId},
    length,
    person::Email,
};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub petitioner: &'a PersonFacts,
    /// The petitioner, unless somebody asks on behalf of another.
    pub filed_by: &'a Email,
    /// The filer's own facts, where the rule says whether they may ask for another; `None`: it is for themselves, or they
    /// are a program that may ask for anybody.
    pub for_other: Option<&'a PersonFacts>,
    /// `None`: the resource is not a customer.
    pub labels: Option<&'a Labels>,
    /// `None`: the weakest there is.
    pub role: Option<&'a Role>,
    /// At least a second; `None`: the default. Of an extension, by how much the end moves.
    pub length: Option<SignedDuration>,
    /// Of an extension: how long what it extends still lasts. Nothing otherwise.
    pub left: SignedDuration,
    pub reason: &'a str,
    /// Who is in which Slack user group today ([`Rule::slack_groups`] says which are wanted). `None`: Slack could not
    /// be asked; such a group, or one not in the map, counts as able to supply any number of reviewers.
    pub slack_groups: &'a BTreeMap<String, Option<BTreeSet<SlackUserId>>>,
}

/// The petition may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission<'p> {
    pub rule: &'p Rule,
    /// What was asked for, or the default, cut to what the rule allows.
    pub length: SignedDuration,
    /// What was asked for, as the policy spells it, or the weakest; `None` where there are no roles.
    pub role: Option<Role>,
}

/// Why a petition is not opened, as a sentence for who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "No rule of the policy covers this, so nobody could approve it. Ask whoever keeps latchkey.toml to add a rule."
    )]
    NoRule,
    #[error(
        "Rule “{rule}” does not list you among those who may ask. Ask somebody who may, or whoever keeps latchkey.toml."
    )]
    NotAPetitioner { rule: String },
    #[error(
        "Rule “{rule}” does not let you ask for somebody else. Let them ask themselves, or ask whoever keeps latchkey.toml."
    )]
    NotForOthers { rule: String },
    #[error("Guests and deactivated accounts cannot have access, so it cannot be asked for them.")]
    OtherNotAFullMember,
    /// Not a refusal to record: nothing was decided, and asking again may well succeed.
    #[error("Slack could not tell whether rule “{rule}” lets you ask, so nothing was stored. Try again in a minute.")]
    SlackAway { rule: String },
    #[error("{} is longer than the {} that you can have here. Ask again for {} or less.",
        length::show(*.asked), length::show(*.max), length::show(*.max))]
    TooLong { asked: SignedDuration, max: SignedDuration },
    #[error("{}", too_long_to_extend(*.asked, *.most, *.max))]
    TooLongToExtend { asked: SignedDuration, most: SignedDuration, max: SignedDuration },
    #[error("{}", unknown_role(.asked, .known))]
    UnknownRole { asked: Role, known: Vec<Role> },
    #[error(
        "The reason is too short: reviewers want at least {min} characters. Ask again and say what the access is for."
    )]
    ReasonTooShort { min: usize },
    #[error("The reason names no ticket. Ask again with one in it, of the form {pattern}.")]
    TicketMissing { pattern: String },
    #[error(
        "Rule “{rule}” cannot be met: it lacks {}, not counting those who ask. Ask whoever keeps latchkey.toml to add \
         reviewers.", list(.missing)
    )]
    NobodyCanApprove { rule: String, missing: Vec<Missing> },
    #[error("Guests and deactivated accounts cannot have access. Ask a full member of the workspace to look instead.")]
    NotAFullMember,
}

fn too_long_to_extend(asked: SignedDuration, most: SignedDuration, max: SignedDuration) -> String {
    let (asked, max) = (length::show(asked), length::show(max));
    if most.is_zero() {
        return format!("Access lasts at most {max} here, and yours lasts that long still. Extend it later.");
    }
    let most = length::show(most);
    format!("{asked} more is too long: access lasts at most {max} here, from now on. Extend it by {most} or less.")
}

fn unknown_role(asked: &Role, known: &[Role]) -> String {
    let asked: String = asked.as_str().chars().take(60).collect();
    if known.is_empty() {
        return format!("There is no role “{asked}”: access has no roles here. Ask again without one.");
    }
    format!("There is no role “{asked}”. Ask again with one of: {}.", list(known))
}

/// Judges a petition before it is opened. The first thing that stands in its way is the answer.
pub fn admit<'p>(policy: &'p Policy, asked: &Asked<'_>) -> Result<Admission<'p>, Refusal> {
    if asked.for_other.unwrap_or(asked.petitioner).full_member && !asked.petitioner.full_member {
        return Err(Refusal::OtherNotAFullMember);
    }
    if !asked.petitioner.full_member {
        return Err(Refusal::NotAFullMember);
    }
    let rule = rule_for(policy, asked.labels).ok_or(Refusal::NoRule)?;
    if asked.for_other.is_some_and(|filer| !filer.full_member || !policy.is_among(filer, &rule.for_others)) {
        return Err(Refusal::NotForOthers { rule: rule.name.clone() });
    }
    may_ask(policy, rule, asked)?;
    let role = role(&policy.access.roles, asked.role)?;
    let min = policy.access.min_reason;
    if asked.reason.trim().chars().count() < min {
        return Err(Refusal::ReasonTooShort { min });
    }
    if let Some(ticket) = &policy.access.ticket
        && !ticket.is_match(asked.reason)
    {
        return Err(Refusal::TicketMissing { pattern: ticket.as_str().to_owned() });
    }
    let (max, left) = (policy.max_duration(rule), asked.left);
    let length = match asked.length {
        Some(asked) if asked.saturating_add(left) > max && !left.is_zero() => {
            let most = SignedDuration::from_secs(max.saturating_sub(left).as_secs().max(0));
            return Err(Refusal::TooLongToExtend { asked, most, max });
        }
        Some(length) if length > max => return Err(Refusal::TooLong { asked: length, max }),
        Some(length) => length,
        // Nobody asked for the default, so it is cut rather than refused.
        None => policy.access.default_duration.min(max),
    };
    let missing = lacking(policy, rule, Some(asked));
    if !missing.is_empty() || rule.require.is_empty() {
        return Err(Refusal::NobodyCanApprove { rule: rule.name.clone(), missing });
    }
    Ok(Admission { rule, length, role })
}

/// Whether a rule lets an extension that it admits stand without a reviewer. `before`: by how much ends have been moved
/// so already since a reviewer was last asked.
pub fn is_pre_approved(rule: &Rule, length: SignedDuration, before: SignedDuration) -> bool {
    rule.extend_without_approval.is_some_and(|allowance| before.saturating_add(length) <= allowance)
}

fn may_ask(policy: &Policy, rule: &Rule, asked: &Asked<'_>) -> Result<(), Refusal> {
    let Some(petitioners) = &rule.petitioners else { return Ok(()) };
    if policy.is_among(asked.petitioner, petitioners) {
        return Ok(());
    }
    let mut away = false;
    for who in petitioners {
        let Who::SlackGroup(id) = who else { continue };
        match (asked.slack_groups.get(id), &asked.petitioner.slack) {
            (Some(Some(members)), Some(slack)) if members.contains(slack) => return Ok(()),
            (Some(None), _) => away = true,
            (Some(Some(_)) | None, _) => {}
        }
    }
    let rule = rule.name.clone();
    Err(if away { Refusal::SlackAway { rule } } else { Refusal::NotAPetitioner { rule } })
}

fn role(known: &[Role], asked: Option<&Role>) -> Result<Option<Role>, Refusal> {
    let Some(asked) = asked else { return Ok(known.first().cloned()) };
    // The file has no two roles that differ only in case.
    match known.iter().find(|role| role.as_str().eq_ignore_ascii_case(asked.as_str())) {
        Some(role) => Ok(Some(role.clone())),
        None => Err(Refusal::UnknownRole { asked: asked.clone(), known: known.to_vec() }),
    }
}

/// What a rule lacks even if all its reviewers approved. Slack user groups count as large enough.
pub fn shortfall(policy: &Policy, rule: &Rule) -> Vec<Missing> {
    lacking(policy, rule, None)
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reviewer<'a> {
    ByEmail(&'a Email),
    /// A member of a Slack group. Their e-mail is not known here, so somebody listed both ways counts as two; when
    /// claims are judged, they count once.
    BySlack(&'a SlackUserId),
}

fn lacking(policy: &Policy, rule: &Rule, asked: Option<&Asked<'_>>) -> Vec<Missing> {
    let mut lines_of: BTreeMap<Reviewer<'_>, Vec<usize>> = BTreeMap::new();
    let mut wanted: Vec<usize> = rule.require.iter().map(|line| line.count.max(1)).collect();
    // Those to whom it escalates may decide it in time. The file must do without: there, `asked` is nothing.
    let further = if asked.is_some() { rule.escalates_to() } else { &[] };
    for (at, line) in rule.require.iter().enumerate() {
        for who in line.reviewers.iter().chain(further) {
            match who {
                Who::Email(email) => lines_of.entry(Reviewer::ByEmail(email)).or_default().push(at),
                Who::Group(name) => {
                    for email in policy.groups.get(name).into_iter().flatten() {
                        lines_of.entry(Reviewer::ByEmail(email)).or_default().push(at);
                    }
                }
                Who::SlackGroup(id) => match asked.and_then(|asked| asked.slack_groups.get(id)) {
                    Some(Some(members)) => {
                        for slack in members {
                            lines_of.entry(one_person(slack, asked)).or_default().push(at);
                        }
                    }
                    // A group that could not be read just now may have them: the claims are judged later, strictly.
                    Some(None) | None => wanted[at] = 0,
                },
            }
        }
    }
    if let Some(asked) = asked
        && !policy.self_approval(rule)
    {
        lines_of.remove(&Reviewer::ByEmail(&asked.petitioner.email));
        lines_of.remove(&Reviewer::ByEmail(asked.filed_by));
    }
    let fits: Vec<Vec<usize>> = lines_of.into_values().collect();
    let empty = matching::empty_seats(&wanted, &fits);
    let lines = rule.require.iter().zip(empty).filter(|(_, count_left)| *count_left > 0);
    lines.map(|(line, count_left)| Missing { reviewers: line.reviewers.clone(), count_left }).collect()
}

/// The petitioner's Slack account and their e-mail are one person.
fn one_person<'a>(slack: &'a SlackUserId, asked: Option<&Asked<'a>>) -> Reviewer<'a> {
    match asked {
        Some(asked) if asked.petitioner.slack.as_ref() == Some(slack) => Reviewer::ByEmail(&asked.petitioner.email),
        Some(_) | None => Reviewer::BySlack(slack),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::{
        super::{judge::tests::world, sample::*},
        *,
    };

    type Groups = BTreeMap<String, Option<BTreeSet<SlackUserId>>>;

    fn group(id: &str, members: Option<&[&str]>) -> Groups {
        let members = members.map(|ids| ids.iter().map(|id| SlackUserId::new(*id)).collect());
        BTreeMap::from([(id.to_owned(), members)])
    }

    static ANA: LazyLock<PersonFacts> = LazyLock::new(|| person("ana@acme.test", &[]));

    static NOBODY: Groups = Groups::new();

    /// Ana asks for herself, for nothing in particular; `change` makes it a case.
    fn asking<'p, 'a>(
        policy: &'p Policy,
        slack_groups: &'a Groups,
        change: impl FnOnce(&mut Asked<'a>),
    ) -> Result<Admission<'p>, Refusal> {
        let mut asked = Asked {
            petitioner: &ANA,
            filed_by: &ANA.email,
            for_other: None,
            labels: None,
            role: None,
            length: None,
            left: SignedDuration::ZERO,
            reason: "debug BUG-482",
            slack_groups,
        };
        change(&mut asked);
        admit(policy, &asked)
    }

    fn hours(n: i64) -> SignedDuration {
        SignedDuration::from_hours(n)
    }

    #[test]
    fn a_plain_petition_is_admitted_with_the_default() {
        let policy = policy(vec![rule("all", &[(&["group:leads"], 2)])]);
        let admission = asking(&policy, &NOBODY, |_| {}).unwrap();
        assert_eq!((admission.rule.name.as_str(), admission.length, admission.role), ("all", hours(4), None));
    }

    #[test]
    fn lengths_stay_below_the_maximum_of_the_rule() {
        let short = Rule { max_duration: Some(hours(2)), ..rule("short", &[(&["group:leads"], 1)]) };
        for (rules, asked, wanted) in [
            (vec![short.clone()], None, Ok(hours(2))),
            (vec![short.clone()], Some(hours(2)), Ok(hours(2))),
            (vec![short], Some(hours(3)), Err(Refusal::TooLong { asked: hours(3), max: hours(2) })),
            (vec![rule("all", &[(&["group:leads"], 1)])], Some(hours(24)), Ok(hours(24))),
            (
                vec![rule("all", &[(&["group:leads"], 1)])],
                Some(hours(25)),
                Err(Refusal::TooLong { asked: hours(25), max: hours(24) }),
            ),
        ] {
            let policy = policy(rules);
            let answer = asking(&policy, &NOBODY, |a| a.length = asked);
            assert_eq!(answer.map(|admission| admission.length), wanted);
        }
    }

    #[test]
    fn only_petitioners_may_ask() {
        let only = |them: &[&str]| {
            policy(vec![Rule { petitioners: Some(who(them)), ..rule("some", &[(&["group:leads"], 1)]) }])
        };
        let refused = Err(Refusal::NotAPetitioner { rule: "some".into() });
        let bo = person("bo@acme.test", &[]);
        let in_support = person("ana@acme.test", &["S0SUP"]);
        assert!(asking(&only(&["ANA@acme.test"]), &NOBODY, |_| {}).is_ok());
        assert_eq!(asking(&only(&["group:leads"]), &NOBODY, |_| {}), refused);
        assert!(asking(&only(&["group:leads"]), &NOBODY, |a| a.petitioner = &bo).is_ok());
        assert!(asking(&only(&["slack:S0SUP"]), &NOBODY, |a| a.petitioner = &in_support).is_ok());
        assert!(asking(&only(&["slack:S0SUP"]), &group("S0SUP", Some(&["UANA"])), |_| {}).is_ok());
        assert_eq!(asking(&only(&["slack:S0SUP"]), &group("S0SUP", Some(&["UBO"])), |_| {}), refused);
        assert_eq!(asking(&only(&["slack:S0SUP"]), &NOBODY, |_| {}), refused);
        let away = Err(Refusal::SlackAway { rule: "some".into() });
        assert_eq!(asking(&only(&["slack:S0SUP"]), &group("S0SUP", None), |_| {}), away);
        assert!(asking(&only(&["slack:S0SUP", "ana@acme.test"]), &group("S0SUP", None), |_| {}).is_ok());
    }

    #[test]
    fn guests_are_refused_whatever_the_rule_says() {
        let policy =
            policy(vec![Rule { petitioners: Some(who(&["ana@acme.test"])), ..rule("all", &[(&["group:leads"], 1)]) }]);
        let guest = PersonFacts { full_member: false, ..person("ana@acme.test", &[]) };
        assert_eq!(asking(&policy, &NOBODY, |a| a.petitioner = &guest), Err(Refusal::NotAFullMember));
    }

    #[test]
    fn roles_are_those_of_the_file() {
        let mut policy = policy(vec![rule("all", &[(&["group:leads"], 1)])]);
        let role = |policy: &Policy, asked: Option<&str>| {
            let asked = asked.map(Role::new);
            asking(policy, &NOBODY, |a| a.role = asked.as_ref()).map(|admission| admission.role)
        };
        let none = Refusal::UnknownRole { asked: Role::new("admin"), known: vec![] };
        assert_eq!(role(&policy, Some("admin")), Err(none));
        let roles = vec![Role::new("readonly"), Role::new("admin")];
        policy.access.roles = roles.clone();
        assert_eq!(role(&policy, None), Ok(Some(Role::new("readonly"))));
        assert_eq!(role(&policy, Some("Admin")), Ok(Some(Role::new("admin"))));
        let unknown = Refusal::UnknownRole { asked: Role::new("root"), known: roles };
        assert_eq!(role(&policy, Some("root")), Err(unknown));
    }

    #[test]
    fn the_reason_must_say_something() {
        let mut policy = policy(vec![rule("all", &[(&["group:leads"], 1)])]);
        let reason = |policy: &Policy, reason: &'static str| asking(policy, &NOBODY, |a| a.reason = reason).map(|_| ());
        assert_eq!(reason(&policy, "  abcd  "), Err(Refusal::ReasonTooShort { min: 5 }));
        assert_eq!(reason(&policy, "顧客の件で"), Ok(()), "characters, not bytes");
        policy.access.ticket = Some(Regex::new("[A-Z]+-[0-9]+").unwrap());
        assert_eq!(reason(&policy, "see BUG-482"), Ok(()));
        let missing = Refusal::TicketMissing { pattern: "[A-Z]+-[0-9]+".into() };
        assert_eq!(reason(&policy, "see the bug"), Err(missing));
    }

    #[test]
    fn what_nobody_could_approve_is_refused_at_once() {
        let cases: &[(Lines<'_>, &str, Groups, bool)] = &[
            (&[(&["group:leads"], 2)], "ana@acme.test", Groups::new(), true),
            (&[(&["group:leads"], 2)], "bo@acme.test", Groups::new(), false),
            (&[(&["group:leads"], 1)], "bo@acme.test", Groups::new(), true),
            (&[(&["group:leads"], 1), (&["bo@acme.test"], 1)], "ana@acme.test", Groups::new(), true),
            (&[(&["group:leads"], 2), (&["bo@acme.test"], 1)], "ana@acme.test", Groups::new(), false),
            (&[(&["ana@acme.test"], 1)], "ana@acme.test", Groups::new(), false),
            (&[(&["group:none"], 1)], "ana@acme.test", Groups::new(), false),
            (&[(&["slack:S0"], 1)], "ana@acme.test", group("S0", Some(&["UANA"])), false),
            (&[(&["slack:S0"], 1)], "ana@acme.test", group("S0", Some(&["UANA", "UBO"])), true),
            (&[(&["slack:S0"], 1)], "ana@acme.test", group("S0", Some(&[])), false),
            (&[(&["slack:S0"], 9)], "ana@acme.test", group("S0", None), true),
            (&[(&["slack:S0"], 9)], "ana@acme.test", Groups::new(), true),
            (&[(&["slack:S0"], 1), (&["ana@acme.test"], 1)], "ana@acme.test", group("S0", None), false),
            (&[], "ana@acme.test", Groups::new(), false),
        ];
        for (require, address, groups, admitted) in cases {
            let policy = policy(vec![rule("all", require)]);
            let petitioner = person(address, &[]);
            let answer = asking(&policy, groups, |a| {
                a.petitioner = &petitioner;
                a.filed_by = &petitioner.email;
            });
            match answer {
                Ok(_) => assert!(*admitted, "{require:?} {address}"),
                Err(Refusal::NobodyCanApprove { .. }) => assert!(!*admitted, "{require:?} {address}"),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn who_files_for_another_counts_for_nothing_either() {
        let mut policy = policy(vec![rule("all", &[(&["bo@acme.test"], 1)])]);
        let bo = email("bo@acme.test");
        let refused = asking(&policy, &NOBODY, |a| a.filed_by = &bo);
        assert!(matches!(refused, Err(Refusal::NobodyCanApprove { .. })));
        policy.rules[0].self_approval = Some(true);
        assert!(asking(&policy, &NOBODY, |a| a.filed_by = &bo).is_ok());
    }

    #[test]
    fn refusals_say_what_to_do_next() {
        let refusals = [
            Refusal::NoRule,
            Refusal::NotAPetitioner { rule: "r".into() },
            Refusal::SlackAway { rule: "r".into() },
            Refusal::TooLong { asked: hours(9), max: hours(8) },
            Refusal::UnknownRole { asked: Role::new("x"), known: vec![] },
            Refusal::UnknownRole { asked: Role::new("x"), known: vec![Role::new("readonly")] },
            Refusal::ReasonTooShort { min: 5 },
            Refusal::TicketMissing { pattern: "A".into() },
            Refusal::NobodyCanApprove {
                rule: "r".into(),
                missing: vec![Missing { reviewers: who(&["group:leads"]), count_left: 2 }],
            },
            Refusal::NotAFullMember,
        ];
        for refusal in refusals {
            let text = refusal.to_string();
            assert!(text.ends_with('.') && (text.contains("Ask ") || text.contains("Try again")), "{text}");
        }
        let text = Refusal::TooLong { asked: hours(9), max: hours(8) }.to_string();
        assert_eq!(text, "9h is longer than the 8h that you can have here. Ask again for 8h or less.");
    }

    proptest! {
        /// Whatever the reviewers' claims are, a petition that is granted could have been admitted.
        #[test]
        fn what_can_be_granted_is_admitted(world in world()) {
            let granted = matches!(world.judged(), super::super::Verdict::Grant { .. });
            let petitioner = person(world.people.0.as_str(), &[]);
            let missing = lacking(&world.policy, &world.policy.rules[0], Some(&Asked {
                petitioner: &petitioner,
                filed_by: &world.people.1,
                for_other: None,
                labels: None,
                role: None,
                length: None,
            left: SignedDuration::ZERO,
                reason: "",
                slack_groups: &Groups::new(),
            }));
            prop_assert!(!granted || missing.is_empty());
        }
    }
}
