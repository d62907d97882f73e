//! Accesses, leases and standings.

use jiff::Timestamp;
use latchkey::{
    domain::{
        id::{AccessId, LeaseId, PetitionName, Role},
        lease::{EndCause, Lease},
        standing::Standing,
    },
    store::{Held, Origin, Store, StoreError},
};

use super::{access, anas, commit, fresh, insert_lease, lease};
use crate::harness::{
    databases::{TestDb, raw},
    office::{email, holding, hours, minutes, morning},
};

async fn end(store: &Store, lease: &LeaseId, at: Timestamp, cause: EndCause) -> bool {
    let mut tx = store.begin().await.unwrap();
    let ended = tx.end_lease(lease, at, cause).await.unwrap();
    commit(tx).await;
    ended
}

fn ids(leases: Vec<Lease>) -> Vec<LeaseId> {
    let mut ids: Vec<LeaseId> = leases.into_iter().map(|lease| lease.id).collect();
    ids.sort();
    ids
}

both_databases! {
    async fn an_access_is_made_once_and_found_again(db: TestDb) {
        let store = db.store().await;
        let mut tx = store.begin().await.unwrap();
        let made = tx.lock_access(&anas(), &AccessId::new("acc_1")).await.unwrap();
        assert_eq!((made.id.as_str(), made.version, made.ends_at, &made.holding), ("acc_1", 0, None, &anas()));
        tx.set_access(&made.id, 7, Some(morning())).await.unwrap();
        commit(tx).await;
        let mut tx = store.begin().await.unwrap();
        let found = tx.lock_access(&anas(), &AccessId::new("acc_2")).await.unwrap();
        assert_eq!((found.id.as_str(), found.version, found.ends_at), ("acc_1", 7, Some(morning())));
        tx.set_access(&made.id, 8, None).await.unwrap();
        assert_eq!(tx.lock_access(&anas(), &AccessId::new("acc_2")).await.unwrap().ends_at, None);
        let with_role = holding("ana", "123", Some("admin"));
        let other = tx.lock_access(&with_role, &AccessId::new("acc_3")).await.unwrap();
        assert_eq!((other.id.as_str(), other.holding), ("acc_3", with_role));
    }

    async fn one_change_of_an_access_waits_for_another(db: TestDb) {
        let store = db.store().await;
        let changes: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    let held = tx.lock_access(&anas(), &AccessId::new(format!("acc_{}", fresh()))).await.unwrap();
                    tx.set_access(&held.id, held.version + 1, Some(morning())).await.unwrap();
                    commit(tx).await;
                    held.id
                })
            })
            .collect();
        let mut made = Vec::new();
        for change in changes {
            made.push(change.await.unwrap());
        }
        made.dedup();
        assert_eq!(made.len(), 1, "all of them held the same row");
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lock_access(&anas(), &AccessId::new("acc_x")).await.unwrap().version, 8, "no change was lost");
    }

    async fn a_lease_comes_back_as_it_was(db: TestDb) {
        let store = db.store().await;
        let holding = holding("ana", "12'3", Some("readonly"));
        let access = access(&store, &holding).await;
        let mut lease = lease(&access, &holding, "p1", morning() + hours(4));
        lease.warn_at = Some(morning() + hours(3));
        insert_lease(&store, &lease, Origin::Space).await;
        assert_eq!(store.lease_of(&PetitionName::new("p1")).await.unwrap().as_ref(), Some(&lease));
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lease(&lease.id).await.unwrap().as_ref(), Some(&lease));
        assert_eq!(tx.lease_of(&PetitionName::new("p1")).await.unwrap().as_ref(), Some(&lease));
        assert_eq!(tx.active_leases(&access).await.unwrap(), [lease.clone()]);
        assert_eq!(tx.last_ended_lease(&access).await.unwrap(), None);
        assert!(tx.end_lease(&lease.id, morning() + hours(1), EndCause::Done).await.unwrap());
        assert!(!tx.end_lease(&lease.id, morning() + hours(2), EndCause::Revoked).await.unwrap(), "an end is final");
        lease.ended = Some((morning() + hours(1), EndCause::Done));
        lease.warn_at = None;
        assert_eq!(tx.lease(&lease.id).await.unwrap().as_ref(), Some(&lease));
        assert!(tx.active_leases(&access).await.unwrap().is_empty());
        assert_eq!(tx.last_ended_lease(&access).await.unwrap(), Some(lease));
        assert_eq!(tx.lease(&LeaseId::new("lse_none")).await.unwrap(), None);
        commit(tx).await;
        assert_eq!(store.lease_of(&PetitionName::new("p9")).await.unwrap(), None);
    }

    async fn a_petition_is_granted_once(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        insert_lease(&store, &lease(&access, &anas(), "p1", morning() + hours(4)), Origin::Space).await;
        let mut tx = store.begin().await.unwrap();
        let again = lease(&access, &anas(), "p1", morning() + hours(4));
        let result = tx.insert_lease(&again, Origin::Space).await;
        assert!(matches!(result, Err(StoreError::Conflict)), "{result:?}");
        drop(tx);
        // Other spaces' petitions are known by the words of their events, and may have several.
        for _ in 0..2 {
            insert_lease(&store, &lease(&access, &anas(), "p2", morning() + hours(4)), Origin::Event { said_at: morning() }).await;
        }
        assert_eq!(store.lease_of(&PetitionName::new("p2")).await.unwrap(), None, "not of our own space");
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.foreign_leases("p2").await.unwrap().len(), 2);
        assert!(tx.foreign_leases("p1").await.unwrap().is_empty());
    }

    async fn granting_one_petition_at_once_from_many_sides_grants_it_once(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        let granting: Vec<_> = (0..6)
            .map(|_| {
                let (store, access) = (store.clone(), access.clone());
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    match tx.insert_lease(&lease(&access, &anas(), "p1", morning() + hours(4)), Origin::Space).await {
                        Ok(()) => {
                            commit(tx).await;
                            1
                        }
                        Err(StoreError::Conflict) => 0,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        let mut granted = 0;
        for one in granting {
            granted += one.await.unwrap();
        }
        assert_eq!(granted, 1);
    }

    async fn nothing_is_held_from_the_end_on(db: TestDb) {
        let store = db.store().await;
        let with_role = holding("ana", "123", Some("admin"));
        let (plain, strong) = (access(&store, &anas()).await, access(&store, &with_role).await);
        let ends = morning() + hours(1);
        insert_lease(&store, &lease(&plain, &anas(), "p1", ends), Origin::Space).await;
        let longer = lease(&strong, &with_role, "p2", ends + hours(1));
        insert_lease(&store, &longer, Origin::Event { said_at: morning() }).await;
        let micro = jiff::SignedDuration::from_micros(1);
        let held = async |at| {
            let mut held = store.held(&email("ana"), "123", at).await.unwrap();
            held.sort_by_key(|held| held.expires_at);
            held
        };
        let first = Held { petition: "p1".to_owned(), role: None, expires_at: ends };
        let second = Held { petition: "p2".to_owned(), role: Some(Role::new("admin")), expires_at: ends + hours(1) };
        assert_eq!(held(ends - micro).await, [first, second.clone()]);
        assert_eq!(held(ends).await, [second]);
        assert!(held(ends + hours(1)).await.is_empty());
        assert!(end(&store, &longer.id, morning(), EndCause::Revoked).await);
        assert!(held(ends).await.is_empty(), "a lease that was ended gives nothing, whatever its time");
        assert!(store.held(&email("bo"), "123", morning()).await.unwrap().is_empty());
        assert!(store.held(&email("ana"), "124", morning()).await.unwrap().is_empty());
    }

    async fn the_lease_that_ended_last_is_found(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        let leases = [1, 2, 3].map(|n| lease(&access, &anas(), &format!("p{n}"), morning() + hours(n)));
        for lease in &leases {
            insert_lease(&store, lease, Origin::Space).await;
        }
        for (lease, minute) in leases.iter().zip([5, 9, 9]) {
            assert!(end(&store, &lease.id, morning() + minutes(minute), EndCause::Done).await);
        }
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.last_ended_lease(&access).await.unwrap().unwrap().id, leases[2].id, "of two at once, the longer");
    }

    async fn a_moved_lease_has_its_new_end_and_petition(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        let mut lease = lease(&access, &anas(), "p1", morning() + hours(1));
        insert_lease(&store, &lease, Origin::Event { said_at: morning() }).await;
        let mut tx = store.begin().await.unwrap();
        tx.move_lease(&lease.id, morning() + hours(9), "p2", morning()).await.unwrap();
        commit(tx).await;
        lease.expires_at = morning() + hours(9);
        lease.petition = "p2".to_owned();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lease(&lease.id).await.unwrap(), Some(lease.clone()));
        tx.end_lease(&lease.id, morning(), EndCause::Revoked).await.unwrap();
        tx.move_lease(&lease.id, morning() + hours(20), "p3", morning()).await.unwrap();
        let ended = tx.lease(&lease.id).await.unwrap().unwrap();
        assert_eq!((ended.expires_at, ended.petition.as_str()), (morning() + hours(9), "p2"), "an end is final");
    }

    async fn leases_come_due_for_their_end_and_their_warning(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        let mut leases = [1, 2, 3].map(|n| lease(&access, &anas(), &format!("p{n}"), morning() + hours(n)));
        for lease in &mut leases {
            lease.warn_at = Some(lease.expires_at - minutes(10));
            insert_lease(&store, lease, Origin::Space).await;
        }
        let expired = async |at, limit| store.expired_leases(at, None, limit).await.unwrap();
        assert!(expired(morning() + minutes(59), 9).await.is_empty());
        assert_eq!(expired(morning() + hours(2), 9).await, leases[..2]);
        assert_eq!(expired(morning() + hours(3), 1).await, leases[..1], "the oldest first");
        let warnable = async |at, limit| store.warnable_leases(at, limit).await.unwrap();
        assert!(warnable(morning() + minutes(49), 9).await.is_empty());
        assert_eq!(warnable(morning() + minutes(50), 9).await, leases[..1]);
        assert_eq!(warnable(morning() + hours(3), 2).await, leases[..2]);
        let mut tx = store.begin().await.unwrap();
        assert!(tx.mark_warned(&leases[0].id).await.unwrap());
        assert!(!tx.mark_warned(&leases[0].id).await.unwrap(), "warned once");
        tx.end_lease(&leases[1].id, morning(), EndCause::Done).await.unwrap();
        assert!(!tx.mark_warned(&leases[1].id).await.unwrap(), "nobody is warned of what is over");
        commit(tx).await;
        assert_eq!(warnable(morning() + hours(3), 9).await, leases[2..]);
        assert_eq!(ids(expired(morning() + hours(3), 9).await), [leases[0].id.clone(), leases[2].id.clone()]);
    }

    async fn live_leases_are_listed_page_by_page(db: TestDb) {
        let store = db.store().await;
        let mut all = Vec::new();
        for (number, (who, customer)) in [("ana", "1"), ("ana", "2"), ("bo", "1"), ("bo", "2")].into_iter().enumerate() {
            let holding = holding(who, customer, None);
            let access = access(&store, &holding).await;
            let lease = Lease { id: LeaseId::new(format!("lse_{number}")), ..lease(&access, &holding, &format!("p{number}"), morning() + hours(1)) };
            insert_lease(&store, &lease, Origin::Space).await;
            all.push(lease);
        }
        let page = async |person: &str, customer: &str, after: &str, limit| {
            store.open_leases(morning(), person, customer, after, limit).await.unwrap()
        };
        assert_eq!(page("", "", "", 3).await, all[..3]);
        assert_eq!(page("", "", "lse_2", 3).await, all[3..]);
        assert_eq!(page("ana@acme.test", "", "", 9).await, all[..2]);
        assert_eq!(page("", "2", "", 9).await, [all[1].clone(), all[3].clone()]);
        assert_eq!(page("bo@acme.test", "1", "", 9).await, all[2..3]);
        assert!(store.open_leases(morning() + hours(1), "", "", "", 9).await.unwrap().is_empty());
    }

    async fn the_strongest_word_is_kept_with_its_lease(db: TestDb) {
        let store = db.store().await;
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lock_standing("subject").await.unwrap(), (None, None));
        assert_eq!(tx.lock_standing("subject").await.unwrap(), (None, None), "asking says nothing");
        let granted = Standing { rank: -5, revoked: false, end: Some(morning()) };
        tx.set_standing("subject", &granted, Some(&LeaseId::new("lse_1"))).await.unwrap();
        commit(tx).await;
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lock_standing("subject").await.unwrap(), (Some(granted), Some(LeaseId::new("lse_1"))));
        let revoked = Standing { rank: i64::MAX, revoked: true, end: None };
        tx.set_standing("subject", &revoked, None).await.unwrap();
        assert_eq!(tx.lock_standing("subject").await.unwrap(), (Some(revoked), None));
    }

    async fn a_lease_or_access_that_the_code_never_writes_is_named(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        for (number, damage) in
            ["cause = 'bored', ended_us = 5", "cause = 'done'", "ended_us = 5", "person = 'nobody'"].iter().enumerate()
        {
            let petition = format!("p{number}");
            let lease = lease(&access, &anas(), &petition, morning() + hours(1));
            insert_lease(&store, &lease, Origin::Space).await;
            raw(&store, &format!("UPDATE leases SET {damage} WHERE id = '{}'", lease.id)).await;
            let result = store.lease_of(&PetitionName::new(petition)).await;
            let named = matches!(&result, Err(StoreError::Inconsistent { table: "leases", key }) if *key == lease.id.as_str());
            assert!(named, "{damage}: {result:?}");
        }
        raw(&store, "UPDATE accesses SET ends_us = 9223372036854775807").await;
        let mut tx = store.begin().await.unwrap();
        let result = tx.lock_access(&anas(), &AccessId::new("acc_x")).await;
        assert!(matches!(result, Err(StoreError::Inconsistent { table: "accesses", .. })), "{result:?}");
    }
}
