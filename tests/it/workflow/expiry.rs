//! Time passes, or access is given back before its time.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use latchkey::{
    audit::Via,
    clock::ManualClock,
    domain::{
        clock::Clock,
        customer::Labels,
        event::Wanted,
        id::PetitionName,
        person::Person,
        petition::{ClaimKind, CloseReason, PetitionState},
    },
    policy::PersonFacts,
    store::Purpose,
    workflow::{Error, Freshness, IncomingEvent, NewClaim, People, SlackGroups, Workflow},
};
use tokio::sync::Notify;

use crate::harness::{
    databases::TestDb,
    office::{CountingEntropy, Office, email, holding, hours, minutes, morning, policy},
};

/// Tells when it has been asked for the time so many times.
struct Watched {
    clock: ManualClock,
    left: AtomicU32,
    asked: Arc<Notify>,
}

impl Clock for Watched {
    fn now(&self) -> Timestamp {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.asked.notify_one();
        }
        self.clock.now()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.clock.sleep_until(at)
    }
}

/// Slack does not answer.
struct Away;

impl People for Away {
    fn facts<'a>(
        &'a self,
        _: &'a [Person],
        _: &'a BTreeSet<String>,
        _: Freshness,
    ) -> BoxFuture<'a, Result<Vec<PersonFacts>, Error>> {
        Box::pin(async { Err(Error::Unavailable("Slack does not answer".to_owned())) })
    }

    fn groups<'a>(&'a self, _: &'a BTreeSet<String>) -> BoxFuture<'a, SlackGroups> {
        Box::pin(async { SlackGroups::new() })
    }
}

both_databases! {
    async fn many_leases_that_end_together_end_in_batches_each_once(db: TestDb) {
        let office = Office::new(&db).await;
        let mut petitions = Vec::new();
        for number in 0..120 {
            petitions.push(office.grant("ana", &number.to_string(), hours(4)).await.0);
        }
        office.clock.advance(hours(4) - minutes(1));
        office.workflow.expire_leases().await.unwrap();
        office.clock.advance(minutes(1));
        // Two workers at once.
        let other = tokio::spawn({
            let office = office.clone();
            async move { office.expire().await }
        });
        office.expire().await;
        other.await.unwrap();
        for petition in &petitions {
            let state = office.store.petition(&petition.name).await.unwrap().unwrap().state;
            assert!(matches!(state, PetitionState::Closed { why: CloseReason::Expired, .. }), "{state:?}");
        }
        let record = office.record().await;
        for word in ["lease.ended", "access.ended", "petition.closed"] {
            assert_eq!(record.iter().filter(|entry| entry.event == word).count(), 120, "{word}");
        }
        let backlog = office.store.backlog(office.now()).await.unwrap();
        assert_eq!((backlog.undelivered_revokes, backlog.undelivered_grants, backlog.live_leases), (120, 0, 0));
    }

    async fn a_lease_that_was_extended_in_the_meantime_does_not_end(db: TestDb) {
        let office = Office::new(&db).await;
        let event = IncomingEvent {
            wanted: Wanted::Grant,
            holding: Some(holding("ana", "123", None)),
            at: morning(),
            end: Some(morning() + hours(1)),
            petition: None,
            own_petition: None,
            version: Some(1),
            actor: "bo@acme.test".to_owned(),
            reason: String::new(),
        };
        office.workflow.apply_event(&event).await.unwrap();
        let lease = office.store.open_leases(morning(), "", "", "", 9).await.unwrap().remove(0);
        // Another process is extending it, and has not committed yet, when the worker finds its time to be up.
        let mut tx = office.store.begin().await.unwrap();
        tx.lock_access(&lease.holding, &lease.access).await.unwrap();
        tx.move_lease(&lease.id, morning() + hours(9), "", morning()).await.unwrap();
        tx.set_access(&lease.access, 2, Some(morning() + hours(9))).await.unwrap();
        office.clock.advance(hours(1));
        // Once to list what is due, and once more when it begins to end it.
        let asked = Arc::new(Notify::new());
        let clock = Watched { clock: office.clock.clone(), left: AtomicU32::new(2), asked: asked.clone() };
        let worker = Workflow::new(
            office.store.clone(),
            Arc::new(policy(1)),
            Arc::new(clock),
            Arc::new(CountingEntropy),
            Vec::new(),
        );
        let working = tokio::spawn(async move { worker.expire_leases().await.unwrap() });
        asked.notified().await;
        tx.commit(&[]).await.unwrap();
        working.await.unwrap();
        assert!(office.may("ana", "123").await, "its end has moved");
        office.workflow.expire_leases().await.unwrap();
    }

    async fn a_petition_whose_end_has_moved_in_the_meantime_stays_granted(db: TestDb) {
        let office = Office::new(&db).await;
        let (petition, until) = office.grant("ana", "123", hours(1)).await;
        let later = until + hours(8);
        // As above, for a petition of ours.
        let mut tx = office.store.begin().await.unwrap();
        let mut state = tx.lock_petition(&petition.name).await.unwrap().unwrap().state;
        let PetitionState::Granted { until: end, .. } = &mut state else { panic!("it was not granted") };
        *end = later;
        let lease = tx.lease_of(&petition.name).await.unwrap().unwrap();
        tx.lock_access(&lease.holding, &lease.access).await.unwrap();
        tx.move_lease(&lease.id, later, petition.name.as_str(), morning()).await.unwrap();
        tx.set_petition_state(&petition.name, &state).await.unwrap();
        tx.set_access(&lease.access, 2, Some(later)).await.unwrap();
        office.clock.advance(hours(1));
        let asked = Arc::new(Notify::new());
        let clock = Watched { clock: office.clock.clone(), left: AtomicU32::new(2), asked: asked.clone() };
        let worker = Workflow::new(
            office.store.clone(),
            Arc::new(policy(1)),
            Arc::new(clock),
            Arc::new(CountingEntropy),
            Vec::new(),
        );
        let working = tokio::spawn(async move { worker.expire_leases().await.unwrap() });
        asked.notified().await;
        tx.commit(&[]).await.unwrap();
        working.await.unwrap();
        assert!(office.may("ana", "123").await, "its end has moved");
        let now = office.store.petition(&petition.name).await.unwrap().unwrap().state;
        assert_eq!(now, state);
        office.clock.advance(hours(8));
        office.expire().await;
        let over = office.store.petition(&petition.name).await.unwrap().unwrap().state;
        assert!(matches!(over, PetitionState::Closed { why: CloseReason::Expired, .. }), "{over:?}");
    }

    async fn what_is_ones_own_is_taken_back_while_slack_is_away(db: TestDb) {
        let office = Office::new(&db).await;
        let open = office.open("ana", "123", hours(4)).await.name;
        let granted = office.grant("ana", "124", hours(4)).await.0.name;
        let workflow = office.workflow.clone().with_people(Arc::new(Away));
        let claim = async |petition: &PetitionName, kind: ClaimKind, who: &str| {
            let new = NewClaim {
                petition: petition.clone(),
                kind,
                maker: email(who),
                delegate: None,
                note: "not needed".to_owned(),
                length: None,
                labels: Labels::new(),
                via: Via::Api,
            };
            workflow.post_claim(&new).await
        };
        for (petition, kind, who) in [
            (&open, ClaimKind::Approve, "bo"),
            (&open, ClaimKind::Approve, "ana"),
            (&open, ClaimKind::Deny, "bo"),
            (&granted, ClaimKind::Revoke, "bo"),
        ] {
            let result = claim(petition, kind, who).await;
            assert!(matches!(result, Err(Error::Unavailable(_))), "{who} {kind:?}: {result:?}");
        }
        assert_eq!(claim(&open, ClaimKind::Deny, "ana").await.unwrap().note, "not needed");
        assert_eq!(claim(&granted, ClaimKind::Revoke, "ana").await.unwrap().maker.email, email("ana"));
        assert!(!office.may("ana", "124").await);
        for (petition, wanted) in [(&open, CloseReason::Withdrawn), (&granted, CloseReason::Done)] {
            let state = office.store.petition(petition).await.unwrap().unwrap().state;
            assert!(matches!(&state, PetitionState::Closed { why, .. } if *why == wanted), "{state:?}");
        }
    }

    async fn what_nobody_decides_closes_itself(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        office.clock.advance(hours(24) - minutes(1));
        office.workflow.close_undecided().await.unwrap();
        office.clock.advance(minutes(1));
        office.workflow.close_undecided().await.unwrap();
        office.workflow.close_undecided().await.unwrap();
        let state = office.store.petition(&petition.name).await.unwrap().unwrap().state;
        let closed = PetitionState::Closed { at: office.now(), why: CloseReason::Undecided, granted: None };
        assert_eq!(state, closed);
        let result = office.workflow.approve(&office.review(&petition.name, "bo")).await;
        assert!(matches!(result, Err(Error::WrongState(_))), "{result:?}");
        assert_eq!(office.record_of(&petition.name).await, ["petition.opened", "petition.undecided"]);
    }

    async fn a_holder_is_warned_once_and_in_time(db: TestDb) {
        let office = Office::new(&db).await;
        let (long, _) = office.grant("ana", "123", hours(4)).await;
        let (short, _) = office.grant("ana", "124", minutes(6)).await;
        let warned = async || {
            let now = office.now();
            let sent = office.store.claim_messages(now, "a", now, 99).await.unwrap();
            let mut names: Vec<_> = sent
                .into_iter()
                .filter(|message| message.purpose == Purpose::NewsWarning)
                .map(|message| message.petition)
                .collect();
            names.sort();
            names
        };
        office.clock.advance(minutes(2));
        assert!(!office.workflow.warn_holders().await.unwrap());
        office.clock.advance(minutes(1));
        assert!(office.workflow.warn_holders().await.unwrap());
        assert_eq!(warned().await, std::slice::from_ref(&short.name), "half of a short lease is left");
        assert!(!office.workflow.warn_holders().await.unwrap());
        office.clock.advance(hours(4) - minutes(13));
        let other = tokio::spawn({
            let office = office.clone();
            async move { office.workflow.warn_holders().await.unwrap() }
        });
        office.workflow.warn_holders().await.unwrap();
        other.await.unwrap();
        let mut both = [short.name, long.name];
        both.sort();
        assert_eq!(warned().await, both);
    }

    async fn nobody_is_warned_of_what_is_over(db: TestDb) {
        let office = Office::new(&db).await;
        let (petition, _) = office.grant("ana", "123", hours(1)).await;
        office.clock.advance(hours(2));
        office.workflow.warn_holders().await.unwrap();
        assert!(!office.workflow.warn_holders().await.unwrap());
        let sent = office.store.claim_messages(office.now(), "a", office.now(), 99).await.unwrap();
        assert!(sent.iter().all(|message| message.purpose != Purpose::NewsWarning));
        office.expire().await;
        assert!(office.store.held(&email("ana"), "123", morning()).await.unwrap().is_empty());
        assert!(office.store.lease_of(&petition.name).await.unwrap().unwrap().ended.is_some());
    }
}
