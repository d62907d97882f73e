//! What provisioners are to be told: one stream for each access and provisioner, and the queue that calls for it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use latchkey::{
    domain::{
        event::Wanted,
        id::{AccessId, ProvisionerName},
    },
    store::{Backlog, Due, Lane, Origin, Outcome, Provisioning, Receipt, Schedule, Store, StoreError},
};

use super::{access, anas, commit, event, insert_lease, insert_petition, lease, petition};
use crate::harness::{
    databases::{TestDb, raw},
    office::{holding, hours, minutes, morning},
};

fn production() -> ProvisionerName {
    ProvisionerName::new("production")
}

async fn want(store: &Store, access: &AccessId, wanted: Wanted, version: i64, at: Timestamp) {
    let mut tx = store.begin().await.unwrap();
    let mut event = event(wanted, version);
    event.at = at;
    tx.want(access, &production(), &event).await.unwrap();
    commit(tx).await;
}

async fn claim(store: &Store, wanted: Wanted, now: Timestamp, attempt: &str) -> Vec<Provisioning> {
    store.claim_provisionings(&production(), wanted, now, attempt, now + minutes(1), 10).await.unwrap()
}

async fn record(
    store: &Store,
    told: &Provisioning,
    attempt: &str,
    now: Timestamp,
    outcome: Outcome,
) -> Option<Provisioning> {
    let mut tx = store.begin().await.unwrap();
    let receipt = Receipt {
        access: &told.access,
        provisioner: &told.provisioner,
        version: told.wanted_version,
        wanted: told.wanted,
        attempt,
    };
    let recorded = tx.record_outcome(&receipt, now, &outcome).await.unwrap();
    commit(tx).await;
    recorded
}

fn failed(next_at: Timestamp) -> Outcome {
    Outcome::Failed { error: "503 Service Unavailable".to_owned(), next_at }
}

async fn one(store: &Store, access: &AccessId) -> Provisioning {
    let all = store.provisionings(access).await.unwrap();
    <[Provisioning; 1]>::try_from(all).unwrap().into_iter().next().unwrap()
}

both_databases! {
    async fn what_is_wanted_is_due_until_it_was_applied(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        want(&store, &access, Wanted::Grant, 1, morning()).await;
        let waiting = one(&store, &access).await;
        assert_eq!(waiting.event, event(Wanted::Grant, 1));
        assert_eq!((waiting.word(), waiting.attempts, waiting.next_at), ("pending", 0, Some(morning())));
        assert!(claim(&store, Wanted::Revoke, morning(), "a1").await.is_empty(), "another lane");
        let early = morning() - minutes(1);
        assert!(claim(&store, Wanted::Grant, early, "a1").await.is_empty(), "not due");
        let claimed = claim(&store, Wanted::Grant, morning(), "a1").await;
        assert_eq!((claimed.len(), claimed[0].attempts, claimed[0].next_at), (1, 1, Some(morning() + minutes(1))));
        let applied = record(&store, &claimed[0], "a1", morning(), Outcome::Applied).await.unwrap();
        assert_eq!((applied.word(), applied.applied, applied.next_at), ("applied", Some((Wanted::Grant, 1)), None));
        assert!(claim(&store, Wanted::Grant, morning() + hours(9), "a2").await.is_empty(), "nothing is left to do");
    }

    async fn a_failure_is_remembered_and_tried_again(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        want(&store, &access, Wanted::Revoke, 1, morning()).await;
        let mut now = morning();
        for attempts in 1..=3 {
            let claimed = claim(&store, Wanted::Revoke, now, "try").await;
            assert_eq!(claimed[0].attempts, attempts);
            let after = record(&store, &claimed[0], "try", now, failed(now + minutes(2))).await.unwrap();
            let since = Some((morning(), "503 Service Unavailable".to_owned()));
            assert_eq!((after.word(), after.failing, after.next_at), ("failing", since, Some(now + minutes(2))));
            assert!(claim(&store, Wanted::Revoke, now + minutes(1), "try").await.is_empty(), "not before its time");
            now += minutes(2);
        }
        let claimed = claim(&store, Wanted::Revoke, now, "try").await;
        let after = record(&store, &claimed[0], "try", now, Outcome::Applied).await.unwrap();
        assert_eq!((after.word(), after.failing, after.attempts), ("revoked", None, 0));
    }

    async fn a_newer_state_waits_for_the_attempt_under_way(db: TestDb) {
        let store = db.store().await;
        for outcome in [Outcome::Applied, failed(morning() + hours(5))] {
            let holding = holding("ana", &format!("{outcome:?}").len().to_string(), None);
            let access = access(&store, &holding).await;
            want(&store, &access, Wanted::Grant, 1, morning()).await;
            let claimed = claim(&store, Wanted::Grant, morning(), "a1").await;
            let soon = morning() + jiff::SignedDuration::from_secs(5);
            want(&store, &access, Wanted::Revoke, 2, soon).await;
            let waiting = claim(&store, Wanted::Revoke, soon, "a2").await;
            assert!(waiting.is_empty(), "the revoke could be overtaken by the grant that is under way");
            let after = record(&store, &claimed[0], "a1", soon, outcome).await.unwrap();
            assert_eq!((after.wanted, after.wanted_version, after.next_at), (Wanted::Revoke, 2, Some(soon)));
            let then = claim(&store, Wanted::Revoke, soon, "a2").await;
            assert_eq!((then.len(), then[0].wanted_version), (1, 2), "due at once");
            record(&store, &then[0], "a2", soon, Outcome::Applied).await.unwrap();
            assert_eq!(one(&store, &access).await.word(), "revoked");
        }
    }

    async fn an_attempt_that_took_too_long_is_taken_over_and_its_outcome_ignored(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        want(&store, &access, Wanted::Grant, 1, morning()).await;
        let slow = claim(&store, Wanted::Grant, morning(), "slow").await;
        let later = morning() + minutes(1);
        let taken = claim(&store, Wanted::Grant, later, "next").await;
        assert_eq!((taken.len(), taken[0].attempts), (1, 2));
        for outcome in [Outcome::Applied, failed(later)] {
            assert!(record(&store, &slow[0], "slow", later, outcome).await.is_none());
        }
        assert_eq!(one(&store, &access).await.applied, None);
        assert!(record(&store, &taken[0], "next", later, Outcome::Applied).await.is_some());
        assert!(record(&store, &taken[0], "next", later, Outcome::Applied).await.is_none(), "one outcome an attempt");
    }

    async fn two_claimers_never_get_the_same_stream(db: TestDb) {
        let store = db.store().await;
        for number in 0..40 {
            let access = access(&store, &holding("ana", &number.to_string(), None)).await;
            want(&store, &access, Wanted::Revoke, 1, morning()).await;
        }
        let claiming: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { claim(&store, Wanted::Revoke, morning(), &format!("a{number}")).await })
            })
            .collect();
        let (mut all, mut seen) = (0, BTreeSet::new());
        for one in claiming {
            for claimed in one.await.unwrap() {
                all += 1;
                seen.insert(claimed.access);
            }
        }
        assert_eq!(seen.len(), all, "nobody got what another had");
        assert!(all <= 40);
        all += claim(&store, Wanted::Revoke, morning(), "rest").await.len();
        assert_eq!(all, 40, "and nothing was lost");
    }

    async fn whoever_was_told_of_the_beginning_is_known(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        let mut tx = store.begin().await.unwrap();
        for (provisioner, wanted) in [("warehouse", Wanted::Grant), ("okta", Wanted::Grant), ("old", Wanted::Revoke)] {
            tx.want(&access, &ProvisionerName::new(provisioner), &event(wanted, 1)).await.unwrap();
        }
        assert_eq!(tx.told(&access).await.unwrap(), ["okta", "warehouse"].map(ProvisionerName::new));
        commit(tx).await;
        let names: Vec<String> = store.provisionings(&access).await.unwrap().into_iter().map(|p| p.provisioner.into_string()).collect();
        assert_eq!(names, ["okta", "old", "warehouse"]);
    }

    async fn a_stream_that_the_code_never_writes_is_named(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        for damage in ["event = 'no json'", "applied = 'grant', applied_version = NULL", "wanted = 'maybe'"] {
            want(&store, &access, Wanted::Grant, 1, morning()).await;
            raw(&store, &format!("UPDATE provisionings SET {damage}")).await;
            let result = store.provisionings(&access).await;
            assert!(matches!(&result, Err(StoreError::Inconsistent { table: "provisionings", .. })), "{result:?}");
            raw(&store, "DELETE FROM provisionings").await;
        }
    }

    async fn what_is_due_next_is_known_for_every_lane(db: TestDb) {
        let store = db.store().await;
        assert!(store.next_due().await.unwrap().is_empty());
        assert_eq!(store.backlog(morning()).await.unwrap(), Backlog::default());
        let mut asked = petition("p1");
        asked.pending_until = morning() + hours(20);
        insert_petition(&store, &asked).await;
        let granted = access(&store, &anas()).await;
        let mut held = lease(&granted, &anas(), "p1", morning() + hours(4));
        held.warn_at = Some(morning() + hours(3));
        insert_lease(&store, &held, Origin::Space).await;
        want(&store, &granted, Wanted::Grant, 1, morning()).await;
        for (customer, minute) in [("1", 7), ("2", 5)] {
            let revoked = access(&store, &holding("bo", customer, None)).await;
            want(&store, &revoked, Wanted::Revoke, 1, morning() + minutes(minute)).await;
        }
        store.make_due(Schedule::Tidy, morning()).await.unwrap();
        store.make_due(Schedule::SyncCustomers, morning()).await.unwrap();
        store.win_tick(Schedule::SyncRunning, morning(), hours(1)).await.unwrap();
        let due = store.next_due().await.unwrap();
        for (lane, at) in [
            (Lane::Expire, morning() + hours(4)),
            (Lane::Expire, morning() + hours(20)),
            (Lane::Warn, morning() + hours(3)),
            (Lane::Grant(production()), morning()),
            (Lane::Revoke(production()), morning() + minutes(5)),
            (Lane::Tidy, morning()),
            (Lane::SyncCustomers, morning()),
        ] {
            assert!(due.contains(&Due { lane: lane.clone(), at }), "{lane}: {due:?}");
        }
        assert_eq!(due.len(), 7, "the hold of a running sync is no work: {due:?}");
        let wanted = Backlog {
            live_leases: 1,
            undelivered_grants: 1,
            undelivered_revokes: 2,
            oldest_revoke: Some(morning() + minutes(5)),
            untold: 0,
            oldest_untold: None,
            unsent_messages: 0,
        };
        assert_eq!(store.backlog(morning()).await.unwrap(), wanted);
        assert_eq!(store.backlog(morning() + hours(4)).await.unwrap().live_leases, 0);
    }

    async fn a_commit_wakes_whoever_waits_for_its_lane(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        let mut revokes = store.nudges().listen(&Lane::Revoke(production()));
        let mut grants = store.nudges().listen(&Lane::Grant(production()));
        want(&store, &access, Wanted::Revoke, 1, morning()).await;
        store.nudges().scan_wanted().await;
        assert!(revokes.try_recv().is_ok());
        assert!(grants.try_recv().is_err(), "nobody asked for that");
        let mut tx = store.begin().await.unwrap();
        tx.want(&access, &production(), &event(Wanted::Revoke, 2)).await.unwrap();
        drop(tx);
        assert!(revokes.try_recv().is_err(), "what was not committed wakes nobody");
    }

    async fn one_job_waits_for_a_lane_however_often_it_is_asked_for(db: TestDb) {
        let store = db.store().await;
        for _ in 0..3 {
            store.push_if_none_waits(&Lane::Expire, "scan").await.unwrap();
        }
        let jobs: i64 = match store.db() {
            latchkey::store::Db::Sqlite { read, .. } => sqlx::query_scalar("SELECT COUNT(*) FROM Jobs").fetch_one(read).await.unwrap(),
            latchkey::store::Db::Postgres(pool) => sqlx::query_scalar("SELECT COUNT(*) FROM apalis.jobs").fetch_one(pool).await.unwrap(),
        };
        assert_eq!(jobs, 1);
        store.tidy_queue(morning()).await.unwrap();
    }
}
