//! Who may decide a petition, and whether the claims on it suffice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::{Missing, PersonFacts, Policy, Rule, matching, rule_for};
use crate::domain::{customer::Labels, id::SlackUserId, person::Email, petition::ClaimKind};

/// A claim with what is known of its maker today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimFacts {
    pub maker: PersonFacts,
    pub kind: ClaimKind,
}

/// The petition that is decided.
#[derive(Clone, Copy, Debug)]
pub struct PetitionFacts<'a> {
    pub petitioner: &'a Email,
    /// The account that asked: changing its e-mail does not make it somebody else.
    pub petitioner_slack: Option<&'a SlackUserId>,
    /// The petitioner, unless somebody asked on behalf of another.
    pub filed_by: &'a Email,
    /// The customer's labels today; `None`: the resource is not a customer.
    pub labels: Option<&'a Labels>,
    /// What it was asked for, or the shorter time that a reviewer chose.
    pub length: SignedDuration,
    /// It has waited so long that those to whom its rule escalates decide as well.
    pub escalated: bool,
}

/// Why somebody may not decide, as a sentence for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotYours {
    #[error(
        "You cannot approve a petition that is for you or that you filed. Another reviewer has to; they have the card."
    )]
    OwnPetition,
    #[error(
        "You are not a reviewer under rule “{rule}”. Leave it to those who are, or ask whoever keeps latchkey.toml to \
         add you."
    )]
    NotAReviewer { rule: String },
    #[error(
        "No rule of the policy covers this any more, so nobody can decide it. Ask whoever keeps latchkey.toml to add a \
         rule."
    )]
    NoRule,
    #[error("Guests and deactivated accounts cannot decide. Ask a full member of the workspace who is a reviewer.")]
    NotAFullMember,
}

/// What the claims amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Grant {
        length: SignedDuration,
        /// What was asked for, where the rule allows less by now.
        shortened_from: Option<SignedDuration>,
        rule: String,
    },
    /// Further approvals are wanted.
    Wait { missing: Vec<Missing> },
    /// The rule that admitted it is gone, and no other covers it.
    NoRule,
}

/// May this person make this claim today?
///
/// A denial or a revoke takes a reviewer too, and may be made on one's own petition. What petitioners do to their own
/// petition without being reviewers (withdraw it, give the access back) is not asked here.
pub fn may_review(
    policy: &Policy,
    petition: &PetitionFacts<'_>,
    person: &PersonFacts,
    kind: ClaimKind,
) -> Result<(), NotYours> {
    let rule = rule_for(policy, petition.labels).ok_or(NotYours::NoRule)?;
    if !person.full_member {
        return Err(NotYours::NotAFullMember);
    }
    match kind {
        ClaimKind::Approve if is_own(policy, rule, petition, person) => return Err(NotYours::OwnPetition),
        ClaimKind::Approve | ClaimKind::Deny | ClaimKind::Revoke => {}
    }
    let further = policy.is_among(person, rule.further_reviewers(petition.escalated));
    if !further && !rule.require.iter().any(|line| policy.is_among(person, &line.reviewers)) {
        return Err(NotYours::NotAReviewer { rule: rule.name.clone() });
    }
    Ok(())
}

/// Judges all claims on a petition with today's rule and today's facts about their makers.
///
/// An approval counts only if its maker may approve now; two accounts with one e-mail are one person; nobody counts
/// for two lines. The order of claims and their repetition do not matter. Denials and revokes do not weigh against
/// approvals here: either closes the petition when it is made.
pub fn judge(policy: &Policy, petition: &PetitionFacts<'_>, claims: &[ClaimFacts]) -> Verdict {
    let Some(rule) = rule_for(policy, petition.labels) else { return Verdict::NoRule };
    let mut lines_of: BTreeMap<&Email, BTreeSet<usize>> = BTreeMap::new();
    // An account whose e-mail changed between two claims is one person still: its first e-mail stands for it.
    let mut accounts: BTreeMap<&SlackUserId, &Email> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.kind == ClaimKind::Approve) {
        let maker = &claim.maker;
        if !maker.full_member || is_own(policy, rule, petition, maker) {
            continue;
        }
        let further = policy.is_among(maker, rule.further_reviewers(petition.escalated));
        let lines = rule.require.iter().enumerate();
        let lines = lines.filter(|(_, line)| further || policy.is_among(maker, &line.reviewers));
        let person = match &maker.slack {
            Some(account) => *accounts.entry(account).or_insert(&maker.email),
            None => &maker.email,
        };
        lines_of.entry(person).or_default().extend(lines.map(|(at, _)| at));
    }
    let wanted: Vec<usize> = rule.require.iter().map(|line| line.count.max(1)).collect();
    let fits: Vec<Vec<usize>> = lines_of.into_values().map(|lines| lines.into_iter().collect()).collect();
    let empty = matching::empty_seats(&wanted, &fits);
    // A rule that demands nobody would grant by itself; the file cannot hold one, but if it did, the answer is no.
    if rule.require.is_empty() || empty.iter().any(|&count_left| count_left > 0) {
        let lines = rule.require.iter().zip(empty).filter(|(_, count_left)| *count_left > 0);
        let missing = lines.map(|(line, count_left)| {
            let further = rule.further_reviewers(petition.escalated);
            Missing { reviewers: line.reviewers.iter().chain(further).cloned().collect(), count_left }
        });
        return Verdict::Wait { missing: missing.collect() };
    }
    let length = petition.length.min(policy.max_duration(rule));
    let shortened_from = (length < petition.length).then_some(petition.length);
    Verdict::Grant { length, shortened_from, rule: rule.name.clone() }
}

/// By either e-mail or by the account: a second account with the same e-mail is the same person, and so is the same
/// account with another e-mail.
fn is_own(policy: &Policy, rule: &Rule, petition: &PetitionFacts<'_>, person: &PersonFacts) -> bool {
    let same_email = person.email == *petition.petitioner || person.email == *petition.filed_by;
    let same_account = person.slack.is_some() && person.slack.as_ref() == petition.petitioner_slack;
    !policy.self_approval(rule) && (same_email || same_account)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Requirement, Who, sample::*},
        *,
    };

    fn approve(maker: PersonFacts) -> ClaimFacts {
        ClaimFacts { maker, kind: ClaimKind::Approve }
    }

    fn own_by(address: &str) -> (Email, Email) {
        (email(address), email(address))
    }

    #[test]
    fn claims_are_judged() {
        let bo = || approve(person("bo@acme.test", &[]));
        let cy = || approve(person("CY@acme.test", &[]));
        let dan = || approve(person("dan@acme.test", &["S0SEC"]));
        let second_account = || {
            let mut claim = bo();
            claim.maker.slack = Some(crate::domain::id::SlackUserId::new("U0OTHER"));
            claim
        };
        let guest = || approve(PersonFacts { full_member: false, ..person("bo@acme.test", &[]) });
        let deny = || ClaimFacts { kind: ClaimKind::Deny, ..bo() };
        // The demand, the claims, how many approvals are left for each line that lacks some.
        let cases: &[(&str, Lines<'_>, Vec<ClaimFacts>, &[usize])] = &[
            ("one of the group", &[(&["group:leads"], 1)], vec![bo()], &[]),
            ("nobody yet", &[(&["group:leads"], 1)], vec![], &[1]),
            ("one of two", &[(&["group:leads"], 2)], vec![bo()], &[1]),
            ("two of two", &[(&["group:leads"], 2)], vec![bo(), cy()], &[]),
            ("one person twice", &[(&["group:leads"], 2)], vec![bo(), bo()], &[1]),
            ("two accounts, one e-mail", &[(&["group:leads"], 2)], vec![bo(), second_account()], &[1]),
            ("not a reviewer", &[(&["group:leads"], 1)], vec![dan()], &[1]),
            ("of the Slack group", &[(&["slack:S0SEC"], 1)], vec![dan()], &[]),
            ("not of the Slack group", &[(&["slack:S0SEC"], 1)], vec![bo()], &[1]),
            ("a guest", &[(&["group:leads"], 1)], vec![guest()], &[1]),
            ("a denial is no approval", &[(&["group:leads"], 1)], vec![deny()], &[1]),
            ("two lines, one person", &[(&["group:leads"], 1), (&["bo@acme.test"], 1)], vec![bo()], &[1]),
            ("two lines, two people", &[(&["group:leads"], 1), (&["bo@acme.test"], 1)], vec![bo(), cy()], &[]),
            ("two lines, second first", &[(&["bo@acme.test"], 1), (&["group:leads"], 1)], vec![cy(), bo()], &[]),
            ("three people", &[(&["group:leads"], 2), (&["slack:S0SEC"], 1)], vec![dan(), cy(), bo()], &[]),
            ("no demand at all", &[], vec![bo()], &[]),
        ];
        let people = own_by("ana@acme.test");
        for (what, require, claims, left) in cases {
            let policy = policy(vec![rule("r", require)]);
            match judge(&policy, &facts(&people, None, 4), claims) {
                Verdict::Grant { length, shortened_from, rule } => {
                    assert!(left.is_empty() && !require.is_empty(), "{what}");
                    assert_eq!((length.as_hours(), shortened_from, rule.as_str()), (4, None, "r"));
                }
                Verdict::Wait { missing } => {
                    assert_eq!(missing.iter().map(|line| line.count_left).collect::<Vec<_>>(), *left, "{what}");
                    assert!(!left.is_empty() || require.is_empty(), "{what}");
                }
                Verdict::NoRule => panic!("{what}"),
            }
        }
    }

    #[test]
    fn nobody_approves_their_own() {
        let mut policy = policy(vec![rule("r", &[(&["group:leads"], 1)])]);
        let bo = person("bo@acme.test", &[]);
        for people in [
            own_by("bo@acme.test"),
            (email("ana@acme.test"), email("Bo@acme.test")),
            (email("BO@acme.test"), email("ana@acme.test")),
        ] {
            let petition = facts(&people, None, 4);
            assert_eq!(may_review(&policy, &petition, &bo, ClaimKind::Approve), Err(NotYours::OwnPetition));
            assert_eq!(may_review(&policy, &petition, &bo, ClaimKind::Deny), Ok(()));
            let waits = judge(&policy, &petition, &[approve(bo.clone())]);
            assert!(matches!(waits, Verdict::Wait { .. }));
        }
        let people = own_by("bo@acme.test");
        policy.access.self_approval = true;
        assert_eq!(may_review(&policy, &facts(&people, None, 4), &bo, ClaimKind::Approve), Ok(()));
        assert!(matches!(judge(&policy, &facts(&people, None, 4), &[approve(bo.clone())]), Verdict::Grant { .. }));
        policy.rules[0].self_approval = Some(false);
        assert!(may_review(&policy, &facts(&people, None, 4), &bo, ClaimKind::Approve).is_err(), "the rule says no");
    }

    #[test]
    fn only_reviewers_decide() {
        let policy = policy(vec![Rule {
            matches: Some(labels(&[("plan", "enterprise")])),
            ..rule("enterprise", &[(&["group:leads"], 1), (&["slack:S0SEC"], 1)])
        }]);
        let people = own_by("ana@acme.test");
        let enterprise = labels(&[("plan", "enterprise")]);
        let petition = facts(&people, Some(&enterprise), 4);
        let not = Err(NotYours::NotAReviewer { rule: "enterprise".into() });
        for kind in [ClaimKind::Approve, ClaimKind::Deny, ClaimKind::Revoke] {
            assert_eq!(may_review(&policy, &petition, &person("bo@acme.test", &[]), kind), Ok(()));
            assert_eq!(may_review(&policy, &petition, &person("eve@acme.test", &["S0SEC"]), kind), Ok(()));
            assert_eq!(may_review(&policy, &petition, &person("eve@acme.test", &["S0NO"]), kind), not);
            let guest = PersonFacts { full_member: false, ..person("bo@acme.test", &[]) };
            assert_eq!(may_review(&policy, &petition, &guest, kind), Err(NotYours::NotAFullMember));
            let gone = facts(&people, None, 4);
            assert_eq!(may_review(&policy, &gone, &person("bo@acme.test", &[]), kind), Err(NotYours::NoRule));
        }
        assert_eq!(judge(&policy, &facts(&people, None, 4), &[]), Verdict::NoRule);
    }

    #[test]
    fn what_is_too_long_by_now_is_shortened_and_said_so() {
        let max = Some(SignedDuration::from_hours(8));
        let policy = policy(vec![Rule { max_duration: max, ..rule("r", &[(&["group:leads"], 1)]) }]);
        let people = own_by("ana@acme.test");
        let claims = [approve(person("bo@acme.test", &[]))];
        for (asked, length, shortened_from) in [(4, 4, None), (8, 8, None), (9, 8, Some(SignedDuration::from_hours(9)))]
        {
            let length = SignedDuration::from_hours(length);
            let wanted = Verdict::Grant { length, shortened_from, rule: "r".into() };
            assert_eq!(judge(&policy, &facts(&people, None, asked), &claims), wanted);
        }
    }

    /// A rule, a petition and claims on it, among six people, one group and two Slack groups.
    #[derive(Clone, Debug)]
    pub(in super::super) struct World {
        pub policy: Policy,
        pub people: (Email, Email),
        pub claims: Vec<ClaimFacts>,
    }

    impl World {
        pub fn judged(&self) -> Verdict {
            judge(&self.policy, &facts(&self.people, None, 4), &self.claims)
        }

        fn eligible(&self) -> BTreeSet<&Email> {
            let petition = facts(&self.people, None, 4);
            let claims = self.claims.iter().filter(|claim| {
                claim.kind == ClaimKind::Approve
                    && may_review(&self.policy, &petition, &claim.maker, claim.kind).is_ok()
            });
            claims.map(|claim| &claim.maker.email).collect()
        }

        fn demanded(&self) -> usize {
            self.policy.rules[0].require.iter().map(|line| line.count).sum()
        }
    }

    fn somebody() -> impl Strategy<Value = PersonFacts> {
        let groups = prop::collection::btree_set(prop::sample::select(vec!["S0".to_owned(), "S1".to_owned()]), 0..3);
        (0..6u8, groups, prop::bool::weighted(0.9)).prop_map(|(n, slack_groups, full_member)| PersonFacts {
            slack_groups,
            full_member,
            ..person(&format!("p{n}@acme.test"), &[])
        })
    }

    pub(in super::super) fn world() -> impl Strategy<Value = World> {
        let whoever = prop_oneof![
            (0..6u8).prop_map(|n| Who::Email(email(&format!("p{n}@acme.test")))),
            Just(Who::Group("leads".into())),
            (0..2u8).prop_map(|n| Who::SlackGroup(format!("S{n}"))),
        ];
        let line = (prop::collection::vec(whoever, 1..4), prop_oneof![4 => Just(1), 1 => 2..4usize])
            .prop_map(|(reviewers, count)| Requirement { reviewers, count });
        let kind = prop_oneof![8 => Just(ClaimKind::Approve), 1 => Just(ClaimKind::Deny), 1 => Just(ClaimKind::Revoke)];
        let claim = (somebody(), kind).prop_map(|(maker, kind)| ClaimFacts { maker, kind });
        (
            prop::collection::vec(line, 1..4),
            prop::collection::btree_set(0..6u8, 0..4),
            (0..6u8, 0..6u8),
            prop::collection::vec(claim, 0..16),
            prop::bool::weighted(0.2),
        )
            .prop_map(|(require, leads, (petitioner, filed_by), claims, self_approval)| {
                let address = |n: u8| email(&format!("p{n}@acme.test"));
                let mut policy = policy(vec![Rule { require, ..rule("r", &[]) }]);
                policy.access.self_approval = self_approval;
                policy.groups.insert("leads".into(), leads.into_iter().map(address).collect());
                World { policy, people: (address(petitioner), address(filed_by)), claims }
            })
    }

    proptest! {
        #[test]
        fn never_with_fewer_people_than_demanded(world in world()) {
            if world.eligible().len() < world.demanded() {
                let verdict = world.judged();
                prop_assert!(matches!(verdict, Verdict::Wait { .. }), "{verdict:?}");
            }
        }

        #[test]
        fn never_by_those_whose_petition_it_is(mut world in world()) {
            world.policy.access.self_approval = false;
            let before = world.judged();
            let (petitioner, filed_by) = world.people.clone();
            world.claims.retain(|claim| claim.maker.email != petitioner && claim.maker.email != filed_by);
            prop_assert_eq!(before, world.judged());
        }

        #[test]
        fn order_and_repetition_do_not_matter(
            (world, shuffled) in world().prop_flat_map(|world| {
                let twice: Vec<_> = world.claims.iter().chain(&world.claims).cloned().collect();
                (Just(world), Just(twice).prop_shuffle())
            }),
        ) {
            prop_assert_eq!(world.judged(), World { claims: shuffled, ..world }.judged());
        }

        #[test]
        fn one_more_approval_never_turns_a_grant_into_waiting(mut world in world(), maker in somebody()) {
            let before = world.judged();
            world.claims.push(approve(maker));
            let after = world.judged();
            if matches!(before, Verdict::Grant { .. }) {
                prop_assert_eq!(before, after);
            }
        }

        #[test]
        fn a_denial_never_helps(mut world in world(), maker in somebody()) {
            let before = world.judged();
            world.claims.push(ClaimFacts { maker, kind: ClaimKind::Deny });
            prop_assert_eq!(before, world.judged());
        }

        #[test]
        fn what_is_missing_is_what_is_demanded_less_who_counts(world in world()) {
            if let Verdict::Wait { missing } = world.judged() {
                let left: usize = missing.iter().map(|line| line.count_left).sum();
                prop_assert!(left >= 1 && left <= world.demanded());
                prop_assert!(missing.iter().all(|line| line.count_left > 0));
                prop_assert!(left >= world.demanded().saturating_sub(world.eligible().len()));
            }
        }
    }
}
