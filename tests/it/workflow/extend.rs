//! A holder asks for more time: no gap, one grant, no revoke, and never further than the policy allows.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use latchkey::{
    audit::Via,
    domain::{
        event::Wanted,
        lease::EndCause,
        petition::{CloseReason, Petition, PetitionState},
    },
    policy::Policy,
    store::{Provisioning, Purpose},
    workflow::{Error, Extend, Extended, Repeat, Review, Reviewed, Subject, Workflow},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

use crate::harness::{
    databases::TestDb,
    office::{CountingEntropy, Office, actor, customer, email, hours, minutes, morning, policy},
};

/// Bo, Cy or Dan approves; access lasts at most eight hours, of which one may be added without asking them.
fn generous() -> Policy {
    let mut policy = policy(1);
    policy.rules[0].max_duration = Some(hours(8));
    policy.rules[0].extend_without_approval = Some(hours(1));
    policy
}

fn more(of: &Petition, by: SignedDuration) -> Extend {
    Extend {
        of: of.name.clone(),
        petitioner: actor("ana"),
        subject: Subject::Customer(customer(of.customer.as_str())),
        by,
        reason: of.reason.clone(),
        repeat: Repeat::Never,
        slack_groups: BTreeMap::new(),
        signature: None,
        via: Via::Slack,
    }
}

async fn asks(office: &Office, of: &Petition, by: SignedDuration) -> Petition {
    match office.workflow.extend_access(&more(of, by)).await.unwrap() {
        Extended::Open(petition) => petition,
        other => panic!("not open: {other:?}"),
    }
}

async fn granted(office: &Office, of: &Petition, by: SignedDuration) -> Petition {
    match office.workflow.extend_access(&more(of, by)).await.unwrap() {
        Extended::Granted(petition) => petition,
        other => panic!("not granted: {other:?}"),
    }
}

async fn now_is(office: &Office, petition: &Petition) -> Petition {
    office.store.petition(&petition.name).await.unwrap().unwrap()
}

async fn told(office: &Office, petition: &Petition) -> Provisioning {
    let lease = office.store.lease_of(&petition.name).await.unwrap().unwrap();
    office.store.provisionings(&lease.access).await.unwrap().remove(0)
}

fn until(petition: &Petition) -> Timestamp {
    petition.state.granted().unwrap().until
}

/// The messages that are due, by what they are for and where they go.
async fn due(office: &Office, petition: &Petition) -> Vec<(Purpose, String)> {
    let now = office.now();
    let all = office.store.claim_messages(now, "test", now + hours(1), 99).await.unwrap();
    let mut mine: Vec<(Purpose, String)> = all
        .into_iter()
        .filter(|message| message.petition == petition.name)
        .map(|message| (message.purpose, message.dest.to_string()))
        .collect();
    mine.sort_by(|a, b| a.1.cmp(&b.1));
    mine
}

both_databases! {
    /// I4, I5: one grant with the new end, no revoke, no gap.
    async fn an_extension_moves_the_end_and_nothing_else(db: TestDb) {
        let office = Office::new(&db).await;
        let (old, end) = office.grant("ana", "123", hours(4)).await;
        office.clock.advance(hours(3));
        let extension = asks(&office, &old, hours(2)).await;
        assert_eq!(extension.extends.as_ref().unwrap().of, old.name);
        assert_eq!((extension.length, extension.labels["PetitionReplaces"].as_str()), (hours(2), old.name.as_str()));
        assert_eq!(until(&now_is(&office, &old).await), end, "asking moves nothing");
        office.clock.advance(minutes(30));
        let reviewed = office.workflow.approve(&office.review(&extension.name, "bo")).await.unwrap();
        let new_end = end + hours(2);
        assert!(matches!(reviewed, Reviewed::Granted { until, shortened: false, .. } if until == new_end), "{reviewed:?}");
        let closed = now_is(&office, &old).await;
        let replaced = CloseReason::Replaced { by: extension.name.clone() };
        assert!(matches!(&closed.state, PetitionState::Closed { why, .. } if *why == replaced), "{closed:?}");
        let lease = office.store.lease_of(&old.name).await.unwrap().unwrap();
        assert_eq!(lease.ended, Some((office.now(), EndCause::Replaced)));
        let news = told(&office, &extension).await;
        assert_eq!((news.wanted, news.wanted_version, news.event.expires_at), (Wanted::Grant, 2, new_end));
        for _ in 0..9 {
            assert!(office.may("ana", "123").await);
            office.clock.advance(minutes(15));
            office.expire().await;
        }
        assert_eq!(told(&office, &extension).await.wanted_version, 2, "nobody heard of the old end");
        office.clock.advance(new_end.duration_since(office.now()));
        assert!(!office.may("ana", "123").await);
        office.expire().await;
        assert_eq!(told(&office, &extension).await.wanted, Wanted::Revoke);
    }

    async fn a_second_question_is_answered_with_the_first(db: TestDb) {
        let office = Office::new(&db).await;
        let (old, _) = office.grant("ana", "123", hours(4)).await;
        let first = asks(&office, &old, hours(2)).await;
        let second = office.workflow.extend_access(&more(&old, hours(3))).await.unwrap();
        assert!(matches!(&second, Extended::Same(same) if same.name == first.name), "{second:?}");
        let mut review = office.review(&first.name, "bo");
        review.note = "no".to_owned();
        office.workflow.deny(&review).await.unwrap();
        let third = asks(&office, &old, hours(3)).await;
        assert_ne!(third.name, first.name, "a denied one stands in nobody's way");
        assert!(office.may("ana", "123").await, "a denial takes nothing away");
    }

    async fn two_at_the_same_instant_are_one(db: TestDb) {
        let office = Office::with(&db, generous()).await;
        let (old, end) = office.grant("ana", "123", hours(4)).await;
        for by in [hours(2), minutes(30)] {
            let asking: Vec<_> = (0..4).map(|_| {
                let (office, extend) = (office.clone(), more(&old, by));
                tokio::spawn(async move { office.workflow.extend_access(&extend).await.unwrap() })
            }).collect();
            let mut names = Vec::new();
            for one in asking {
                match one.await.unwrap() {
                    Extended::Open(petition) | Extended::Granted(petition) | Extended::Same(petition) => names.push(petition.name),
                    Extended::Refused(_, because) => panic!("{because}"),
                }
            }
            names.dedup();
            assert_eq!(names.len(), 1, "{names:?}");
            let review = office.review(&names[0], "ana");
            office.workflow.withdraw(&review).await.ok();
        }
        let held = office.store.held(&email("ana"), "123", office.now()).await.unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].expires_at, end + minutes(30));
    }

    async fn what_cannot_fit_is_refused_with_what_would(db: TestDb) {
        let office = Office::with(&db, generous()).await;
        let (old, end) = office.grant("ana", "123", hours(5)).await;
        office.clock.advance(hours(1));
        let result = office.workflow.extend_access(&more(&old, hours(4) + minutes(1))).await.unwrap();
        let Extended::Refused(refused, because) = result else { panic!("{result:?}") };
        assert!(because.contains("8h") && because.contains("by 4h or less"), "{because}");
        assert_eq!(office.workflow.most_longer(&old).await.unwrap(), Some(hours(4)));
        assert_eq!(office.record_of(&refused.name).await, ["petition.refused"]);
        let extension = asks(&office, &old, hours(4)).await;
        office.workflow.approve(&office.review(&extension.name, "bo")).await.unwrap();
        assert_eq!(until(&now_is(&office, &extension).await), end + hours(4));
    }

    /// The rule has grown stricter since it was asked for.
    async fn what_does_not_fit_any_more_is_shortened_and_said_so(db: TestDb) {
        let office = Office::with(&db, generous()).await;
        let (old, end) = office.grant("ana", "123", hours(4)).await;
        let extension = asks(&office, &old, hours(4)).await;
        let stricter = |max: SignedDuration| {
            let mut today = generous();
            today.rules[0].max_duration = Some(max);
            let clock = Arc::new(office.clock.clone());
            Workflow::new(office.store.clone(), Arc::new(today), clock, Arc::new(CountingEntropy), Vec::new())
        };
        let review = office.review(&extension.name, "bo");
        let result = stricter(hours(4)).approve(&review).await;
        assert!(matches!(&result, Err(Error::Conflict(why)) if why.contains("4h")), "it would extend nothing: {result:?}");
        assert_eq!(until(&now_is(&office, &old).await), end, "an approval shortens nobody's access");
        let reviewed = stricter(hours(6)).approve(&review).await.unwrap();
        let until = morning() + hours(6);
        assert!(matches!(reviewed, Reviewed::Granted { until: end, shortened: true, .. } if end == until), "{reviewed:?}");
    }

    async fn a_reviewer_may_extend_it_by_less(db: TestDb) {
        let office = Office::new(&db).await;
        let (old, end) = office.grant("ana", "123", hours(4)).await;
        let extension = asks(&office, &old, hours(3)).await;
        let review = Review { length: Some(hours(1)), ..office.review(&extension.name, "bo") };
        office.workflow.approve(&review).await.unwrap();
        assert_eq!(until(&now_is(&office, &extension).await), end + hours(1));
    }

    async fn an_undecided_extension_outlives_the_lease(db: TestDb) {
        let office = Office::new(&db).await;
        let (old, _) = office.grant("ana", "123", hours(1)).await;
        let extension = asks(&office, &old, hours(2)).await;
        office.clock.advance(hours(1));
        assert!(!office.may("ana", "123").await, "asking keeps nothing open");
        // Whether or not the worker has ended the old lease by then.
        office.clock.advance(minutes(1));
        let at = office.now();
        office.workflow.approve(&office.review(&extension.name, "bo")).await.unwrap();
        assert_eq!(until(&now_is(&office, &extension).await), at + hours(2), "the length counts from the approval");
        office.expire().await;
        assert!(office.may("ana", "123").await);
        let closed = now_is(&office, &old).await;
        assert!(!matches!(closed.state, PetitionState::Granted { .. }), "{closed:?}");
        office.clock.advance(hours(2));
        assert!(!office.may("ana", "123").await);
    }

    async fn only_its_holder_extends_what_is_live(db: TestDb) {
        let office = Office::new(&db).await;
        let (old, _) = office.grant("ana", "123", hours(1)).await;
        let other = Extend { petitioner: actor("bo"), ..more(&old, hours(1)) };
        let result = office.workflow.extend_access(&other).await;
        assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
        let elsewhere = Extend { subject: Subject::Customer(customer("124")), ..more(&old, hours(1)) };
        let result = office.workflow.extend_access(&elsewhere).await;
        assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
        let open = office.open("ana", "124", hours(1)).await;
        let result = office.workflow.extend_access(&more(&open, hours(1))).await;
        assert!(matches!(result, Err(Error::WrongState(_))), "{result:?}");
        office.clock.advance(hours(1));
        let result = office.workflow.extend_access(&more(&old, hours(1))).await;
        assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}");
        office.expire().await;
        let result = office.workflow.extend_access(&more(&old, hours(1))).await;
        assert!(matches!(result, Err(Error::WrongState(_))), "{result:?}");
    }

    /// I7: extending is asking, and nobody approves their own.
    async fn nobody_approves_their_own_extension(db: TestDb) {
        let mut policy = policy(1);
        policy.groups.get_mut("leads").unwrap().insert(email("ana"));
        let office = Office::with(&db, policy).await;
        let (old, end) = office.grant("ana", "123", hours(1)).await;
        let extension = asks(&office, &old, hours(1)).await;
        let result = office.workflow.approve(&office.review(&extension.name, "ana")).await;
        assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
        assert_eq!(until(&now_is(&office, &old).await), end);
    }

    async fn who_is_done_wants_no_extension(db: TestDb) {
        let office = Office::new(&db).await;
        let (old, _) = office.grant("ana", "123", hours(4)).await;
        let extension = asks(&office, &old, hours(1)).await;
        office.workflow.give_back(&office.review(&old.name, "ana")).await.unwrap();
        let closed = now_is(&office, &extension).await.state;
        assert!(matches!(closed, PetitionState::Closed { why: CloseReason::Withdrawn, .. }), "{closed:?}");
        let (old, _) = office.grant("ana", "124", hours(4)).await;
        let extension = asks(&office, &old, hours(1)).await;
        office.workflow.revoke(&office.review(&old.name, "cy")).await.unwrap();
        assert_eq!(now_is(&office, &extension).await.state, PetitionState::Open, "its reviewers decide that");
    }

    /// The allowance counts in sum, and a reviewer's claim begins it anew.
    async fn the_rule_lets_some_of_it_stand_without_a_reviewer(db: TestDb) {
        let office = Office::with(&db, generous()).await;
        let (first, end) = office.grant("ana", "123", hours(2)).await;
        let second = granted(&office, &first, minutes(40)).await;
        assert_eq!(until(&second), end + minutes(40));
        let news = told(&office, &second).await;
        assert_eq!((news.wanted, news.wanted_version, news.event.expires_at), (Wanted::Grant, 2, end + minutes(40)));
        let record = office.record().await;
        let entry = record.iter().rev().find(|entry| entry.event == "petition.granted").unwrap();
        assert!(entry.details.contains("\"pre_approved_by_rule\":\"everyone\""), "{entry:?}");
        assert!(office.store.claims(&second.name).await.unwrap().is_empty(), "nobody said anything");
        // The petitioner and the channel are told, and no reviewer.
        let told = due(&office, &second).await;
        assert_eq!(told, [(Purpose::PreApproved, "channel:C0ACCESS".to_owned()), (Purpose::Petitioner, "user:UANA".to_owned())]);
        let asked = asks(&office, &second, minutes(21)).await;
        assert_eq!(until(&now_is(&office, &second).await), end + minutes(40), "40 and 21 minutes are more than an hour");
        office.workflow.withdraw(&office.review(&asked.name, "ana")).await.unwrap();
        let third = granted(&office, &second, minutes(20)).await;
        let asked = asks(&office, &third, minutes(1)).await;
        office.workflow.approve(&office.review(&asked.name, "bo")).await.unwrap();
        let fourth = granted(&office, &now_is(&office, &asked).await, hours(1)).await;
        assert_eq!(until(&fourth), end + hours(2) + minutes(1));
        assert!(matches!(office.workflow.extend_access(&more(&fourth, minutes(1))).await.unwrap(), Extended::Open(_)));
    }

    async fn what_is_pre_approved_must_be_admitted_all_the_same(db: TestDb) {
        let mut stricter = generous();
        let office = Office::with(&db, generous()).await;
        let (old, end) = office.grant("ana", "123", hours(2)).await;
        stricter.rules[0].petitioners = Some(vec![latchkey::policy::Who::Group("leads".to_owned())]);
        let clock = Arc::new(office.clock.clone());
        let today = Workflow::new(office.store.clone(), Arc::new(stricter), clock, Arc::new(CountingEntropy), Vec::new());
        let result = today.extend_access(&more(&old, minutes(10))).await.unwrap();
        assert!(matches!(&result, Extended::Refused(_, why) if why.contains("does not list you")), "{result:?}");
        let mut guest = more(&old, minutes(10));
        guest.petitioner.facts.full_member = false;
        assert!(matches!(office.workflow.extend_access(&guest).await.unwrap(), Extended::Refused(..)));
        assert_eq!(until(&now_is(&office, &old).await), end);
    }

    /// Typed words come twice; what was granted at once is not granted twice for them.
    async fn the_same_words_within_a_minute_extend_once(db: TestDb) {
        let office = Office::with(&db, generous()).await;
        let (old, _) = office.grant("ana", "123", hours(2)).await;
        let first = granted(&office, &old, minutes(10)).await;
        let again = Extend { repeat: Repeat::SameWords, ..more(&first, minutes(10)) };
        let same = office.workflow.extend_access(&again).await.unwrap();
        assert!(matches!(&same, Extended::Same(same) if same.name == first.name), "{same:?}");
        let form = office.workflow.extend_access(&more(&old, minutes(10))).await.unwrap();
        assert!(matches!(&form, Extended::Same(same) if same.name == first.name), "{form:?}");
        office.clock.advance(minutes(1));
        assert!(matches!(office.workflow.extend_access(&again).await.unwrap(), Extended::Granted(_)));
    }

    async fn whatever_is_asked_and_decided_there_is_no_gap(db: TestDb) {
        let office = Office::with(&db, generous()).await;
        tokio::task::block_in_place(|| {
            let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
            let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
            let runtime = tokio::runtime::Handle::current();
            runner.run(&prop::collection::vec(step(), 1..14), |steps| runtime.block_on(follow(&office, steps))).unwrap();
        });
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Extend { mins: i64 },
    Approve { mins: Option<i64> },
    Deny,
    Pass { mins: i64 },
    Work,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (5..240i64).prop_map(|mins| Step::Extend { mins }),
        3 => prop::option::of(5..120i64).prop_map(|mins| Step::Approve { mins }),
        1 => Just(Step::Deny),
        3 => (1..90i64).prop_map(|mins| Step::Pass { mins }),
        1 => Just(Step::Work),
    ]
}

/// Follows what must be so beside what is: the end, and how often production may have been told of it.
async fn follow(office: &Office, steps: Vec<Step>) -> Result<(), TestCaseError> {
    static CUSTOMERS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1_000);
    let id = CUSTOMERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
    let (mut holds, mut end) = office.grant("ana", &id, hours(2)).await;
    let (mut open, mut version): (Option<Petition>, i64) = (None, 1);
    for step in steps {
        let now = office.now();
        let live = now < end;
        match step {
            Step::Pass { mins } => office.clock.advance(minutes(mins)),
            Step::Work => office.expire().await,
            Step::Extend { mins } => match office.workflow.extend_access(&more(&holds, minutes(mins))).await {
                Ok(Extended::Same(same)) => prop_assert_eq!(Some(&same.name), open.as_ref().map(|open| &open.name)),
                Ok(Extended::Open(petition)) => open = Some(petition),
                Ok(Extended::Granted(petition)) => {
                    prop_assert!(live && minutes(mins) <= hours(1));
                    (end, holds, version) = (end + minutes(mins), petition, version + 1);
                }
                Ok(Extended::Refused(..)) => {
                    prop_assert!(live && end.duration_since(now) + minutes(mins) > hours(8));
                }
                Err(error) => prop_assert!(!live, "{error}"),
            },
            Step::Approve { mins } => {
                let Some(petition) = open.take() else { continue };
                let review = Review { length: mins.map(minutes), ..office.review(&petition.name, "bo") };
                let by = mins.map_or(petition.length, minutes);
                let from = if live { end } else { now };
                let wanted = (from + by).min(now + hours(8));
                let reviewed = office.workflow.approve(&review).await;
                prop_assert!(
                    matches!(reviewed, Ok(Reviewed::Granted { until, .. }) if until == wanted),
                    "{reviewed:?}"
                );
                (end, holds, version) = (wanted, petition, version + 1);
                if !live {
                    // The end of the old one was told, or is overtaken by this.
                    version = told(office, &holds).await.wanted_version;
                }
            }
            Step::Deny => {
                let Some(petition) = open.take() else { continue };
                office.workflow.deny(&office.review(&petition.name, "cy")).await.unwrap();
            }
        }
        let now = office.now();
        prop_assert_eq!(office.may("ana", &id).await, now < end);
        if now < end {
            let news = told(office, &holds).await;
            prop_assert_eq!((news.wanted, news.wanted_version, news.event.expires_at), (Wanted::Grant, version, end));
        }
    }
    Ok(())
}
