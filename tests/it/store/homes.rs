//! The outbox of Home tabs: nothing is missed, nothing stale is the last word.

use latchkey::{
    domain::id::SlackUserId,
    store::{Home, Published, Store},
};

use super::{insert_petition, petition};
use crate::harness::{
    databases::TestDb,
    office::{email, hours, minutes, morning},
};

async fn opened(store: &Store, user: &str, name: &str) {
    let user = SlackUserId::new(user);
    let mut tx = store.begin().await.unwrap();
    tx.home_opened(&user, morning()).await.unwrap();
    tx.commit(&[]).await.unwrap();
    store.home_is_of(&user, Some(&email(name))).await.unwrap();
}

async fn claim(store: &Store, attempt: &str) -> Vec<Home> {
    let now = morning() + minutes(1);
    let mut due = store.claim_homes(now, attempt, now + minutes(1), 9).await.unwrap();
    due.sort_by(|a, b| a.user_id.0.cmp(&b.user_id.0));
    due
}

async fn touch(store: &Store, name: &str) {
    let mut tx = store.begin().await.unwrap();
    tx.touch_messages(&petition(name).name, morning() + minutes(1)).await.unwrap();
    tx.commit(&[]).await.unwrap();
}

both_databases! {
    async fn a_change_during_an_attempt_is_followed_by_another(db: TestDb) {
        let store = db.store().await;
        opened(&store, "UANA", "ana").await;
        let [first] = &claim(&store, "a").await[..] else { panic!("not due") };
        assert!(claim(&store, "b").await.is_empty(), "one attempt at a time");
        insert_petition(&store, &petition("p1")).await;
        touch(&store, "p1").await;
        let now = morning() + minutes(1);
        store.record_home(first, "a", now, &Published::Shown).await.unwrap();
        let [second] = &claim(&store, "b").await[..] else { panic!("the change was missed") };
        assert!(second.wanted > first.wanted);
        // The first comes back late, as if it had hung: it is not current any more.
        store.record_home(first, "a", now, &Published::Shown).await.unwrap();
        store.record_home(second, "b", now, &Published::Shown).await.unwrap();
        assert!(claim(&store, "c").await.is_empty());
    }

    async fn what_was_not_shown_is_tried_again(db: TestDb) {
        let store = db.store().await;
        opened(&store, "UANA", "ana").await;
        let [home] = &claim(&store, "a").await[..] else { panic!("not due") };
        let later = Published::Later { at: morning() + minutes(1), error: "429".to_owned() };
        store.record_home(home, "a", morning(), &later).await.unwrap();
        assert_eq!(store.home_faults(morning()).await.unwrap(), [("429".to_owned(), 1)]);
        let [home] = &claim(&store, "b").await[..] else { panic!("not due again") };
        assert_eq!(home.attempts, 2);
        let never = Published::Never { error: "not_enabled".to_owned() };
        store.record_home(home, "b", morning(), &never).await.unwrap();
        assert!(claim(&store, "c").await.is_empty());
        assert_eq!(store.home_faults(morning()).await.unwrap(), [("not_enabled".to_owned(), 1)]);
        assert_eq!(store.home_faults(morning() + hours(24 * 31)).await.unwrap(), []);
    }

    async fn only_those_whom_it_concerns_and_who_have_looked_lately(db: TestDb) {
        let store = db.store().await;
        for (user, name) in [("UANA", "ana"), ("UBO", "bo")] {
            opened(&store, user, name).await;
        }
        for home in claim(&store, "a").await {
            store.record_home(&home, "a", morning(), &Published::Shown).await.unwrap();
        }
        insert_petition(&store, &petition("p1")).await;
        let due: Vec<String> = claim(&store, "b").await.iter().map(|home| home.user_id.0.to_string()).collect();
        assert_eq!(due, ["UANA"], "it is hers, and nobody asked Bo");
        let mut tx = store.begin().await.unwrap();
        tx.touch_homes_of([&email("ana"), &email("bo")], morning() + hours(24 * 31));
        tx.commit(&[]).await.unwrap();
        assert!(claim(&store, "c").await.is_empty());
    }
}
