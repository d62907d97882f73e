//! Time passes.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use jiff::Timestamp;
use latchkey::{
    clock::ManualClock,
    domain::{
        clock::Clock,
        event::Wanted,
        petition::{CloseReason, PetitionState},
    },
    store::Purpose,
    workflow::{Error, IncomingEvent, Workflow},
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
