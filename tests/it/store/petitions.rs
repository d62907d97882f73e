//! Petitions and claims.

use latchkey::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        id::{ClaimId, CustomerId, PetitionName, Role, SlackUserId},
        petition::{Claim, ClaimKind, CloseReason, Grant, Petition, PetitionState},
        resource::Resource,
    },
    store::{Store, StoreError},
};

use super::{commit, insert_petition, person, petition};
use crate::harness::{
    databases::{TestDb, raw},
    office::{email, hours, minutes, morning},
};

async fn set_state(store: &Store, name: &PetitionName, state: &PetitionState) -> Petition {
    let mut tx = store.begin().await.unwrap();
    tx.lock_petition(name).await.unwrap().unwrap();
    tx.set_petition_state(name, state).await.unwrap();
    commit(tx).await;
    store.petition(name).await.unwrap().unwrap()
}

fn claim(id: &str, kind: ClaimKind, maker: &str) -> Claim {
    Claim {
        id: ClaimId::new(id),
        petition: PetitionName::new("p1"),
        kind,
        maker: person(maker),
        delegate: Some(email("dan")),
        note: "go ahead".to_owned(),
        length: Some(hours(2)),
        labels: [("indent.com/workflow/origin/id".to_owned(), "wf-1".to_owned())].into(),
        at: morning() + minutes(1),
    }
}

both_databases! {
    async fn a_petition_comes_back_as_it_was(db: TestDb) {
        let store = db.store().await;
        let mut odd = petition("p1");
        odd.role = Some(Role::new("readonly"));
        odd.rule = None;
        odd.petitioner.slack = None;
        odd.petitioner.name = "Ana “Ünï” 顧客 'quoted'".to_owned();
        odd.filed_by = email("dan");
        odd.labels = [("indent.com/app", "“x”"), ("a/b", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        odd.customer = CustomerId::of_kind("action", "approval+1/2 %");
        odd.resource = Some(Resource { kind: "action".to_owned(), id: "approval+1/2 %".to_owned(), ..Resource::default() });
        odd.reason = "line one\nline two; DROP TABLE petitions --".to_owned();
        for wanted in [odd, petition("p2")] {
            insert_petition(&store, &wanted).await;
            assert_eq!(store.petition(&wanted.name).await.unwrap().unwrap(), wanted);
            let mut tx = store.begin().await.unwrap();
            assert_eq!(tx.petition(&wanted.name).await.unwrap().unwrap(), wanted);
        }
        assert_eq!(store.petition(&PetitionName::new("p9")).await.unwrap(), None);
    }

    async fn a_refused_petition_comes_back_with_its_reason(db: TestDb) {
        let store = db.store().await;
        let mut refused = petition("p1");
        let why = CloseReason::Refused { because: "No rule of the policy covers this".to_owned() };
        refused.state = PetitionState::Closed { at: morning(), why, granted: None };
        insert_petition(&store, &refused).await;
        assert_eq!(store.petition(&refused.name).await.unwrap(), Some(refused));
    }

    async fn a_new_petition_cannot_be_granted_already(db: TestDb) {
        let store = db.store().await;
        let mut granted = petition("p1");
        granted.state = PetitionState::Granted { at: morning(), by: vec![email("bo")], until: morning() + hours(1) };
        let mut tx = store.begin().await.unwrap();
        let result = tx.insert_petition(&granted, "p1", None).await;
        assert!(matches!(result, Err(StoreError::Inconsistent { table: "petitions", .. })), "{result:?}");
    }

    async fn two_petitions_never_share_a_name(db: TestDb) {
        let store = db.store().await;
        insert_petition(&store, &petition("p1")).await;
        let mut tx = store.begin().await.unwrap();
        let result = tx.insert_petition(&petition("p1"), "p1", None).await;
        assert!(matches!(result, Err(StoreError::Conflict)), "{result:?}");
    }

    async fn every_state_comes_back_as_it_was(db: TestDb) {
        let store = db.store().await;
        let (at, until) = (morning(), morning() + hours(4));
        let by = || email("bo");
        let granted = PetitionState::Granted { at, by: vec![by(), email("cy")], until };
        let grant = || Some(Grant { at, by: vec![by(), email("cy")], until });
        let closed = |why, granted| PetitionState::Closed { at: until, why, granted };
        let note = || "wrong\ncustomer".to_owned();
        for (number, states) in [
            vec![granted.clone(), closed(CloseReason::Expired, grant())],
            vec![granted.clone(), closed(CloseReason::Done, grant())],
            vec![granted.clone(), closed(CloseReason::Replaced { by: PetitionName::new("p9") }, grant())],
            vec![granted, closed(CloseReason::Revoked { by: Some(by()), note: note() }, grant())],
            vec![closed(CloseReason::Denied { by: by(), note: note() }, None)],
            vec![closed(CloseReason::Withdrawn, None)],
            vec![closed(CloseReason::Undecided, None)],
            vec![closed(CloseReason::Dismissed { by: by(), note: note() }, None)],
        ]
        .into_iter()
        .enumerate()
        {
            let first = petition(&format!("p{number}"));
            insert_petition(&store, &first).await;
            for (changes, state) in (2..).zip(states) {
                let stored = set_state(&store, &first.name, &state).await;
                assert_eq!(stored, Petition { state, version: changes, ..first.clone() });
            }
        }
    }

    async fn one_change_of_a_petition_waits_for_another(db: TestDb) {
        let store = db.store().await;
        insert_petition(&store, &petition("p1")).await;
        let name = petition("p1").name;
        // Each reads a count from the state and writes the next; a change that saw an old state would lose one.
        let changes: Vec<_> = (0..8)
            .map(|_| {
                let (store, name) = (store.clone(), name.clone());
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    let held = tx.lock_petition(&name).await.unwrap().unwrap();
                    let mut by = match held.state {
                        PetitionState::Granted { by, .. } => by,
                        PetitionState::Open | PetitionState::Closed { .. } => Vec::new(),
                    };
                    by.push(email(&format!("lead{}", by.len())));
                    let state = PetitionState::Granted { at: morning(), by, until: morning() + hours(1) };
                    tx.set_petition_state(&name, &state).await.unwrap();
                    commit(tx).await;
                    held.version
                })
            })
            .collect();
        let mut versions = Vec::new();
        for change in changes {
            versions.push(change.await.unwrap());
        }
        versions.sort_unstable();
        assert_eq!(versions, (2..10).collect::<Vec<i64>>(), "each change has a version of its own");
        let state = store.petition(&name).await.unwrap().unwrap().state;
        assert!(matches!(&state, PetitionState::Granted { by, .. } if by.len() == 8), "{state:?}");
    }

    async fn the_same_words_are_found_while_they_are_fresh(db: TestDb) {
        let store = db.store().await;
        let mut tx = store.begin().await.unwrap();
        let before = morning() - minutes(1);
        assert_eq!(tx.same_petition("words", before).await.unwrap(), None);
        tx.insert_petition(&petition("p1"), "words", None).await.unwrap();
        assert_eq!(tx.same_petition("words", before).await.unwrap().unwrap().name, petition("p1").name);
        assert_eq!(tx.same_petition("other words", before).await.unwrap(), None);
        assert_eq!(tx.same_petition("words", morning()).await.unwrap(), None, "opened at that instant, not after it");
        commit(tx).await;
        let withdrawn = PetitionState::Closed { at: morning(), why: CloseReason::Withdrawn, granted: None };
        set_state(&store, &petition("p1").name, &withdrawn).await;
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.same_petition("words", before).await.unwrap(), None, "somebody closed it, so it may be asked again");
    }

    async fn the_same_words_twice_at_one_instant_are_one_petition(db: TestDb) {
        let store = db.store().await;
        let asking: Vec<_> = (0..6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    if tx.same_petition("words", morning() - minutes(1)).await.unwrap().is_some() {
                        return 0;
                    }
                    tx.insert_petition(&petition(&format!("p{number}")), "words", None).await.unwrap();
                    commit(tx).await;
                    1
                })
            })
            .collect();
        let mut opened = 0;
        for one in asking {
            opened += one.await.unwrap();
        }
        assert_eq!(opened, 1);
    }

    async fn undecided_petitions_are_listed_once_their_time_is_up(db: TestDb) {
        let store = db.store().await;
        let mut later = petition("p2");
        later.pending_until = morning() + hours(25);
        for petition in [petition("p1"), later, petition("p3")] {
            insert_petition(&store, &petition).await;
        }
        set_state(&store, &PetitionName::new("p3"), &PetitionState::Closed { at: morning(), why: CloseReason::Withdrawn, granted: None }).await;
        let names = |due: Vec<PetitionName>| due.into_iter().map(PetitionName::into_string).collect::<Vec<_>>();
        let day = morning() + hours(24);
        assert!(store.undecided_petitions(day - minutes(1), 9).await.unwrap().is_empty());
        assert_eq!(names(store.undecided_petitions(day, 9).await.unwrap()), ["p1"]);
        assert_eq!(names(store.undecided_petitions(day + hours(1), 9).await.unwrap()), ["p1", "p2"]);
        assert_eq!(names(store.undecided_petitions(day + hours(1), 1).await.unwrap()), ["p1"]);
    }

    async fn a_claim_is_kept_once_for_each_maker_and_kind(db: TestDb) {
        let store = db.store().await;
        insert_petition(&store, &petition("p1")).await;
        let mut tx = store.begin().await.unwrap();
        let mut no_account = claim("c2", ClaimKind::Approve, "cy");
        no_account.maker.slack = None;
        assert!(tx.insert_claim(&claim("c1", ClaimKind::Approve, "bo")).await.unwrap());
        assert!(tx.insert_claim(&no_account).await.unwrap());
        let mut again = claim("c3", ClaimKind::Approve, "bo");
        again.maker.slack = Some(SlackUserId::new("UOTHER"));
        assert!(!tx.insert_claim(&again).await.unwrap(), "a second account with the same e-mail is the same maker");
        assert!(tx.insert_claim(&claim("c4", ClaimKind::Revoke, "bo")).await.unwrap());
        let wanted = [claim("c1", ClaimKind::Approve, "bo"), no_account, claim("c4", ClaimKind::Revoke, "bo")];
        assert_eq!(tx.claims(&petition("p1").name).await.unwrap(), wanted);
        commit(tx).await;
        assert_eq!(store.claims(&petition("p1").name).await.unwrap(), wanted);
        assert!(store.claims(&PetitionName::new("p9")).await.unwrap().is_empty());
    }

    async fn a_row_that_the_code_never_writes_is_named_and_not_guessed_at(db: TestDb) {
        let store = db.store().await;
        for (name, damage) in [
            ("p1", "state = 'approved'"),
            ("p2", "state = 'granted'"),
            ("p3", "state = 'closed', closed_us = 1, close_reason = 'bored'"),
            ("p4", "state = 'closed', closed_us = 1, close_reason = 'denied', closed_by = NULL"),
            ("p5", "petitioner = 'nobody'"),
            ("p6", "granted_us = 5"),
        ] {
            insert_petition(&store, &petition(name)).await;
            raw(&store, &format!("UPDATE petitions SET {damage} WHERE name = '{name}'")).await;
            let result = store.petition(&PetitionName::new(name)).await;
            let named = matches!(&result, Err(StoreError::Inconsistent { table: "petitions", key }) if key == name);
            assert!(named, "{damage}: {result:?}");
        }
    }

    async fn a_change_and_its_entry_are_one(db: TestDb) {
        let store = db.store().await;
        let entry = AuditEntry::new(morning(), AuditEvent::PetitionOpened, "ana@acme.test", Via::Slack).petition("p1");
        let mut tx = store.begin().await.unwrap();
        tx.insert_petition(&petition("p1"), "p1", None).await.unwrap();
        let broken = AuditEntry { actor: "nul \0 in a text".to_owned(), ..entry.clone() };
        let result = tx.commit(&[entry.clone(), broken]).await;
        let there = store.petition(&petition("p1").name).await.unwrap().is_some();
        store.chain_audit().await.unwrap();
        let entries = store.audit_page(0, "").await.unwrap().unwrap().len();
        // SQLite keeps such a text, PostgreSQL refuses it; either way both happen, or neither.
        assert_eq!((result.is_ok(), there, entries), if result.is_ok() { (true, true, 2) } else { (false, false, 0) });
    }
}
