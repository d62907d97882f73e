//! Settings, schedules, tokens, and requests that were answered before.

use latchkey::{
    domain::id::{PetitionName, TokenId},
    store::{Answered, Schedule, StoreError, Token},
};

use super::commit;
use crate::harness::{
    databases::{TestDb, raw},
    office::{email, hours, minutes, morning},
};

both_databases! {
    async fn the_first_value_of_a_setting_is_kept(db: TestDb) {
        let store = db.store().await;
        assert_eq!(store.setting("secret").await.unwrap(), None);
        let keeping: Vec<_> = (0..6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { store.setting_or_keep("secret", &format!("value {number}")).await.unwrap() })
            })
            .collect();
        let mut kept = Vec::new();
        for one in keeping {
            kept.push(one.await.unwrap());
        }
        kept.dedup();
        assert_eq!(kept.len(), 1, "everybody was told the same value");
        assert_eq!(store.setting("secret").await.unwrap().as_deref(), Some(kept[0].as_str()));
    }

    async fn one_of_many_wins_a_tick(db: TestDb) {
        let store = db.store().await;
        assert_eq!(store.schedule_due(Schedule::Tidy).await.unwrap(), None);
        for round in 0..3 {
            let now = morning() + minutes(15 * round);
            let trying: Vec<_> = (0..8)
                .map(|_| {
                    let store = store.clone();
                    tokio::spawn(async move { store.win_tick(Schedule::Tidy, now, minutes(15)).await.unwrap() })
                })
                .collect();
            let mut winners = 0;
            for one in trying {
                winners += u32::from(one.await.unwrap());
            }
            assert_eq!(winners, 1, "round {round}");
            assert_eq!(store.schedule_due(Schedule::Tidy).await.unwrap(), Some(now + minutes(15)));
        }
        assert!(!store.win_tick(Schedule::Tidy, morning() + minutes(44), minutes(15)).await.unwrap(), "not due");
    }

    async fn a_schedule_is_made_due_but_never_put_off(db: TestDb) {
        let store = db.store().await;
        store.win_tick(Schedule::SyncCustomers, morning(), hours(1)).await.unwrap();
        store.make_due(Schedule::SyncCustomers, morning() + minutes(1)).await.unwrap();
        assert_eq!(store.schedule_due(Schedule::SyncCustomers).await.unwrap(), Some(morning() + minutes(1)));
        store.make_due(Schedule::SyncCustomers, morning() + minutes(9)).await.unwrap();
        assert_eq!(store.schedule_due(Schedule::SyncCustomers).await.unwrap(), Some(morning() + minutes(1)));
        let (from, to) = (morning() + minutes(1), morning() + hours(2));
        assert!(!store.move_schedule(Schedule::SyncCustomers, morning(), to).await.unwrap(), "it was not there");
        assert!(store.move_schedule(Schedule::SyncCustomers, from, to).await.unwrap());
        assert_eq!(store.schedule_due(Schedule::SyncCustomers).await.unwrap(), Some(to));
    }

    async fn a_signed_request_is_noted_once(db: TestDb) {
        let store = db.store().await;
        assert_eq!(store.answered("sig").await.unwrap(), None);
        let noting: Vec<_> = (0..6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    let name = PetitionName::new(format!("p{number}"));
                    let noted = tx.note_answered("sig", morning(), Some(&name)).await.unwrap();
                    commit(tx).await;
                    noted.then_some(name)
                })
            })
            .collect();
        let mut noted = Vec::new();
        for one in noting {
            noted.extend(one.await.unwrap());
        }
        assert_eq!(noted.len(), 1, "one of them made the change");
        assert_eq!(store.answered("sig").await.unwrap(), Some(Answered { petition: noted.pop() }));
        let mut tx = store.begin().await.unwrap();
        assert!(tx.note_answered("dropped", morning(), None).await.unwrap());
        drop(tx);
        assert_eq!(store.answered("dropped").await.unwrap(), None, "its change did not happen, so it may come again");
    }

    async fn answered_requests_are_forgotten_when_they_are_stale(db: TestDb) {
        let store = db.store().await;
        let mut tx = store.begin().await.unwrap();
        for (signature, minute) in [("old", 0), ("new", 10)] {
            assert!(tx.note_answered(signature, morning() + minutes(minute), None).await.unwrap());
        }
        commit(tx).await;
        store.forget_answered(morning() + minutes(10)).await.unwrap();
        assert_eq!(store.answered("old").await.unwrap(), None);
        assert_eq!(store.answered("new").await.unwrap(), Some(Answered { petition: None }));
    }

    async fn a_token_is_kept_listed_and_revoked_once(db: TestDb) {
        let store = db.store().await;
        let token = |id: &str, minute| Token {
            id: TokenId::new(id),
            email: email("ana"),
            scopes: "petition check".to_owned(),
            label: "the “admin” panel".to_owned(),
            created_at: morning() + minutes(minute),
            expires_at: (minute == 0).then(|| morning() + hours(24)),
            revoked_at: None,
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert_token(&token("tok_b", 0)).await.unwrap();
        tx.insert_token(&token("tok_a", 1)).await.unwrap();
        commit(tx).await;
        assert_eq!(store.tokens().await.unwrap(), [token("tok_b", 0), token("tok_a", 1)], "the oldest first");
        assert_eq!(store.token(&TokenId::new("tok_a")).await.unwrap(), Some(token("tok_a", 1)));
        assert_eq!(store.token(&TokenId::new("tok_c")).await.unwrap(), None);
        let revoked = Token { revoked_at: Some(morning() + hours(1)), ..token("tok_a", 1) };
        let mut tx = store.begin().await.unwrap();
        let id = TokenId::new("tok_a");
        assert_eq!(tx.revoke_token(&id, morning() + hours(1)).await.unwrap().as_ref(), Some(&revoked));
        assert_eq!(tx.revoke_token(&id, morning() + hours(2)).await.unwrap(), None);
        assert_eq!(tx.revoke_token(&TokenId::new("tok_c"), morning()).await.unwrap(), None);
        commit(tx).await;
        assert_eq!(store.token(&id).await.unwrap(), Some(revoked));
        raw(&store, "UPDATE tokens SET email = 'nobody'").await;
        assert!(matches!(store.token(&id).await, Err(StoreError::Inconsistent { table: "tokens", .. })));
    }
}
