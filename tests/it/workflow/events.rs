//! Grants and revokes from outside: what follows depends on which were heard, not on their order, number or delay.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use latchkey::{
    domain::{
        event::Wanted,
        id::AccessId,
        petition::{CloseReason, PetitionState},
    },
    workflow::{Applied, IncomingEvent},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

use crate::harness::{
    databases::TestDb,
    office::{Office, email, holding, hours, minutes, morning, policy},
};

const PEOPLE: [&str; 2] = ["ana", "bo"];

/// How the sender tells its events apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Version,
    Petition,
    Time,
}

/// One event, before it is about a customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    rank: i64,
    revoke: bool,
    /// Hours from the beginning, some of them in the past; `None`: until revoked.
    end: Option<i64>,
    person: usize,
    petition: u8,
}

fn word(forever: bool) -> impl Strategy<Value = Word> {
    let hour = prop::sample::select(vec![-1, 1, 2, 3]);
    let end = if forever { prop::option::of(hour).boxed() } else { hour.prop_map(Some).boxed() };
    (0..5i64, prop::bool::weighted(0.35), end, 0..PEOPLE.len(), 0..3u8)
        .prop_map(|(rank, revoke, end, person, petition)| Word { rank, revoke, end, person, petition })
}

/// What happens: the words in their own order, and as they are delivered.
#[derive(Clone, Debug)]
struct Case {
    words: Vec<Word>,
    delivered: Vec<Word>,
    /// Seconds between two deliveries.
    delay: i64,
    /// All at the same time instead.
    at_once: bool,
}

fn case() -> impl Strategy<Value = Case> {
    // What is granted "until revoked" is bounded from when it is heard, so a delay shows, and may.
    let delays = prop_oneof![Just(0i64), 1..40i64];
    delays
        .prop_flat_map(|delay| (Just(delay), prop::collection::vec(word(delay == 0), 1..7)))
        .prop_flat_map(|(delay, words)| {
            let twice = words.iter().chain(words.iter().step_by(2)).cloned().collect::<Vec<_>>();
            (Just(words), Just(twice).prop_shuffle(), Just(delay), prop::bool::weighted(0.3))
        })
        .prop_map(|(mut words, delivered, delay, at_once)| {
            words.sort();
            Case { words, delivered, delay, at_once }
        })
}

fn event(mode: Mode, word: &Word, customer: &str, base: Timestamp) -> IncomingEvent {
    // One version of an access is one petition's.
    let petition = if mode == Mode::Version { word.rank } else { i64::from(word.petition) };
    IncomingEvent {
        wanted: if word.revoke { Wanted::Revoke } else { Wanted::Grant },
        holding: Some(holding(PEOPLE[word.person], customer, None)),
        at: base + minutes(word.rank),
        end: word.end.filter(|_| !word.revoke).map(|end| base + hours(end)),
        petition: (mode != Mode::Time).then(|| format!("{customer}/{petition}")),
        own_petition: None,
        version: (mode == Mode::Version).then_some(word.rank),
        actor: "dan@acme.test".to_owned(),
        reason: "debug BUG-482".to_owned(),
    }
}

/// What can be seen of a customer afterwards: each person's live leases, and the end of their access.
type Seen = Vec<(Vec<(String, Timestamp)>, Option<Timestamp>)>;

async fn seen(office: &Office, customer: &str) -> Result<Seen, TestCaseError> {
    let mut all = Vec::new();
    for person in PEOPLE {
        let held = office.store.held(&email(person), customer, office.now()).await.unwrap();
        let mut leases: Vec<(String, Timestamp)> =
            held.into_iter().map(|held| (held.petition.replace(customer, ""), held.expires_at)).collect();
        leases.sort();
        // Dropped, so that looking makes no access.
        let mut tx = office.store.begin().await.unwrap();
        let access = tx.lock_access(&holding(person, customer, None), &AccessId::new("acc_none")).await.unwrap();
        drop(tx);
        prop_assert_eq!(access.ends_at, leases.iter().map(|lease| lease.1).max(), "access is the union of live leases");
        let told = office.store.provisionings(&access.id).await.unwrap();
        match told.first() {
            Some(told) => {
                prop_assert_eq!(told.wanted_version, access.version, "production is owed the newest");
                prop_assert_eq!(told.wanted == Wanted::Grant, access.ends_at.is_some());
                prop_assert!(access.ends_at.is_none_or(|end| told.event.expires_at == end));
            }
            None => prop_assert_eq!(access.version, 0),
        }
        all.push((leases, access.ends_at));
    }
    Ok(all)
}

async fn try_case(office: &Office, mode: Mode, case: Case) -> Result<(), TestCaseError> {
    static CUSTOMER: AtomicU32 = AtomicU32::new(0);
    let number = CUSTOMER.fetch_add(1, Ordering::Relaxed);
    let (in_order, as_delivered) = (format!("c{number}-in-order"), format!("c{number}-delivered"));
    let base = office.now();
    for word in &case.words {
        office.workflow.apply_event(&event(mode, word, &in_order, base)).await.unwrap();
    }
    if case.at_once {
        let deliver = |word: &Word| {
            let (workflow, event) = (office.workflow.clone(), event(mode, word, &as_delivered, base));
            tokio::spawn(async move { workflow.apply_event(&event).await.unwrap() })
        };
        let delivering: Vec<_> = case.delivered.iter().map(deliver).collect();
        for one in delivering {
            one.await.unwrap();
        }
    } else {
        for word in &case.delivered {
            office.workflow.apply_event(&event(mode, word, &as_delivered, base)).await.unwrap();
            office.clock.advance(SignedDuration::from_secs(case.delay));
        }
    }
    prop_assert_eq!(seen(office, &in_order).await?, seen(office, &as_delivered).await?);
    // And once more, all of it: nothing is news.
    for word in &case.words {
        let again = office.workflow.apply_event(&event(mode, word, &as_delivered, base)).await.unwrap();
        prop_assert_eq!(again, Applied::Nothing);
    }
    office.expire().await;
    prop_assert_eq!(seen(office, &in_order).await?, seen(office, &as_delivered).await?);
    Ok(())
}

/// The same cases in every run; a failing one is shrunk.
async fn order_does_not_matter(db: TestDb, mode: Mode) {
    let mut policy = policy(1);
    policy.access.max_duration = hours(24);
    let office = Office::with(&db, policy).await;
    tokio::task::block_in_place(|| {
        let config = Config { cases: 40, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let runtime = tokio::runtime::Handle::current();
        runner.run(&case(), |case| runtime.block_on(try_case(&office, mode, case))).unwrap();
    });
}

/// A plain grant of Ana's access to 123, until an hour from the morning.
fn grant() -> IncomingEvent {
    let word = Word { rank: 0, revoke: false, end: Some(1), person: 0, petition: 0 };
    IncomingEvent { petition: None, ..event(Mode::Time, &word, "123", morning()) }
}

fn revoke() -> IncomingEvent {
    IncomingEvent { wanted: Wanted::Revoke, end: None, ..grant() }
}

both_databases! {
    async fn versions_may_come_in_any_order_and_number(db: TestDb) {
        order_does_not_matter(db, Mode::Version).await;
    }

    async fn events_of_petitions_may_come_in_any_order_and_number(db: TestDb) {
        order_does_not_matter(db, Mode::Petition).await;
    }

    async fn bare_events_may_come_in_any_order_and_number(db: TestDb) {
        order_does_not_matter(db, Mode::Time).await;
    }

    async fn a_grant_from_outside_always_ends(db: TestDb) {
        let office = Office::new(&db).await;
        for (customer, end) in [("1", None), ("2", Some(morning() + hours(900)))] {
            let event = IncomingEvent { holding: Some(holding("ana", customer, None)), end, ..grant() };
            assert_eq!(office.workflow.apply_event(&event).await.unwrap(), Applied::Changed);
            let held = office.store.held(&email("ana"), customer, morning()).await.unwrap();
            assert_eq!(held[0].expires_at, morning() + hours(24), "the maximum from now");
        }
        let over = IncomingEvent { holding: Some(holding("ana", "3", None)), end: Some(morning()), ..grant() };
        office.workflow.apply_event(&over).await.unwrap();
        assert!(!office.may("ana", "3").await);
    }

    async fn a_revoke_ends_its_petition_for_good_even_when_it_comes_first(db: TestDb) {
        let office = Office::new(&db).await;
        let of = |event: IncomingEvent, petition: &str| IncomingEvent { petition: Some(petition.to_owned()), ..event };
        assert_eq!(office.workflow.apply_event(&of(revoke(), "p1")).await.unwrap(), Applied::Changed);
        let mut later = of(grant(), "p1");
        later.at = morning() + hours(1);
        assert_eq!(office.workflow.apply_event(&later).await.unwrap(), Applied::Nothing);
        assert!(!office.may("ana", "123").await);
        office.workflow.apply_event(&of(grant(), "p2")).await.unwrap();
        office.workflow.apply_event(&of(grant(), "p3")).await.unwrap();
        office.workflow.apply_event(&of(revoke(), "p2")).await.unwrap();
        assert!(office.may("ana", "123").await, "the end of one never touches another");
        office.workflow.apply_event(&of(revoke(), "p3")).await.unwrap();
        assert!(!office.may("ana", "123").await);
    }

    async fn a_grant_that_is_over_when_it_comes_ends_what_it_would_have_moved(db: TestDb) {
        let office = Office::new(&db).await;
        let versioned = |version, end, petition: &str| IncomingEvent {
            version: Some(version),
            end: Some(end),
            petition: Some(petition.to_owned()),
            ..grant()
        };
        office.workflow.apply_event(&versioned(1, morning() + hours(4), "p1")).await.unwrap();
        let access = office.store.open_leases(morning(), "", "", "", 9).await.unwrap().remove(0).access;
        office.clock.advance(minutes(5));
        office.workflow.apply_event(&versioned(2, morning() + minutes(1), "p1")).await.unwrap();
        assert!(!office.may("ana", "123").await);
        let told = office.store.provisionings(&access).await.unwrap().remove(0);
        assert_eq!((told.wanted, told.event.petition.as_str()), (Wanted::Revoke, "p1"), "told at once, and for which");
        office.workflow.apply_event(&versioned(3, morning() + hours(4), "p2")).await.unwrap();
        assert!(office.may("ana", "123").await);
    }

    async fn our_own_petitions_are_never_granted_from_outside(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        let named = |event: IncomingEvent| IncomingEvent { petition: Some(petition.name.to_string()), ..event };
        for version in [None, Some(99)] {
            let event = IncomingEvent { version, ..named(grant()) };
            assert_eq!(office.workflow.apply_event(&event).await.unwrap(), Applied::OwnPetition);
        }
        assert!(!office.may("ana", "123").await);
        let state = office.store.petition(&petition.name).await.unwrap().unwrap().state;
        assert_eq!(state, PetitionState::Open);
    }

    async fn a_revoke_from_outside_ends_an_open_petition_for_good(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        let event = IncomingEvent { petition: Some(petition.name.to_string()), holding: None, ..revoke() };
        assert_eq!(office.workflow.apply_event(&event).await.unwrap(), Applied::Changed);
        assert_eq!(office.record_of(&petition.name).await, ["petition.opened", "event.received", "petition.closed"]);
        assert!(office.workflow.approve(&office.review(&petition.name, "bo")).await.is_err());
        assert!(!office.may("ana", "123").await);
        assert_eq!(office.workflow.apply_event(&event).await.unwrap(), Applied::Nothing);
    }

    async fn a_bare_revoke_takes_whatever_was_said_before_it_in_any_order(db: TestDb) {
        let bare = IncomingEvent { petition: None, version: None, at: morning() + minutes(1), ..revoke() };
        for late in [false, true] {
            let office = Office::new(&db).await;
            let customer = if late { "late" } else { "early" };
            let of = |event: IncomingEvent| IncomingEvent { holding: Some(holding("ana", customer, None)), ..event };
            let petition = IncomingEvent { petition: Some(format!("p-{customer}")), at: morning(), ..of(grant()) };
            let versioned = IncomingEvent { version: Some(1), at: morning(), ..of(grant()) };
            let mut events = vec![petition, versioned, of(bare.clone())];
            if late {
                events.reverse();
            }
            for event in &events {
                office.workflow.apply_event(event).await.unwrap();
            }
            assert!(!office.may("ana", customer).await, "late: {late}");
            let again = IncomingEvent { petition: Some(format!("q-{customer}")), at: morning() + minutes(2), ..of(grant()) };
            office.workflow.apply_event(&again).await.unwrap();
            assert!(office.may("ana", customer).await, "what is said after it counts");
        }
    }

    async fn our_own_petitions_may_be_revoked_from_outside(db: TestDb) {
        let office = Office::new(&db).await;
        let (petition, _) = office.grant("ana", "123", hours(4)).await;
        let event = IncomingEvent { petition: Some(petition.name.to_string()), ..revoke() };
        assert_eq!(office.workflow.apply_event(&event).await.unwrap(), Applied::Changed);
        assert!(!office.may("ana", "123").await);
        let state = office.store.petition(&petition.name).await.unwrap().unwrap().state;
        assert!(matches!(state, PetitionState::Closed { why: CloseReason::Revoked { .. }, .. }), "{state:?}");
        assert_eq!(office.workflow.apply_event(&event).await.unwrap(), Applied::Nothing);
    }

    async fn leases_from_outside_and_from_petitions_make_one_access(db: TestDb) {
        let office = Office::new(&db).await;
        let (petition, _) = office.grant("ana", "123", hours(4)).await;
        office.workflow.apply_event(&IncomingEvent { version: Some(1), ..grant() }).await.unwrap();
        let stop = IncomingEvent { version: Some(2), ..revoke() };
        office.workflow.apply_event(&stop).await.unwrap();
        assert!(office.may("ana", "123").await, "the petition's lease is untouched");
        let access = office.store.lease_of(&petition.name).await.unwrap().unwrap().access;
        let told = office.store.provisionings(&access).await.unwrap().remove(0);
        assert_eq!((told.wanted, told.wanted_version), (Wanted::Grant, 1), "its end never moved");
    }
}
