//! The outbox of what people are shown.

use std::collections::BTreeSet;

use jiff::Timestamp;
use latchkey::{
    domain::id::{MessageId, PetitionName},
    store::{Dest, Message, NewMessage, Origin, Purpose, Sent, Store, StoreError, Trace},
};

use super::{access, anas, commit, fresh, insert_lease, insert_petition, lease, petition};
use crate::harness::{
    databases::{TestDb, raw},
    office::{hours, minutes, morning},
};

async fn insert(store: &Store, petition: &PetitionName, purpose: Purpose, dest: Dest) -> bool {
    let mut tx = store.begin().await.unwrap();
    let id = MessageId::new(format!("msg_{}", fresh()));
    let inserted = tx.insert_message(&NewMessage { id, petition, purpose, dest }, morning()).await.unwrap();
    commit(tx).await;
    inserted
}

async fn claim(store: &Store, now: Timestamp, attempt: &str) -> Vec<Message> {
    store.claim_messages(now, attempt, now + minutes(1), 10).await.unwrap()
}

async fn touch(store: &Store, petition: &PetitionName, now: Timestamp) {
    let mut tx = store.begin().await.unwrap();
    tx.touch_messages(petition, now).await.unwrap();
    commit(tx).await;
}

fn channel() -> Dest {
    Dest::Channel("C0ACCESS".to_owned())
}

fn posted() -> Option<(String, String)> {
    Some(("C0ACCESS".to_owned(), "1700000000.000100".to_owned()))
}

both_databases! {
    async fn a_message_is_due_once_and_remembers_where_it_stands(db: TestDb) {
        let store = db.store().await;
        let name = petition("p1").name;
        insert_petition(&store, &petition("p1")).await;
        assert!(insert(&store, &name, Purpose::Card, channel()).await);
        assert!(!insert(&store, &name, Purpose::Card, channel()).await, "one message for each purpose and place");
        let claimed = claim(&store, morning(), "a1").await;
        assert_eq!(claimed.len(), 1);
        let message = &claimed[0];
        assert_eq!((message.purpose, &message.dest, &message.posted), (Purpose::Card, &channel(), &None));
        assert_eq!((message.wanted, message.attempts, &message.petition), (1, 1, &name));
        assert_eq!(store.posted_message(&name, Purpose::Card, &channel()).await.unwrap(), None);
        store.record_sent(message, "a1", morning(), &Sent::Shown { posted: posted() }).await.unwrap();
        assert_eq!(store.posted_message(&name, Purpose::Card, &channel()).await.unwrap(), posted());
        assert!(claim(&store, morning() + hours(1), "a2").await.is_empty());
        // A change is shown where the message stands.
        touch(&store, &name, morning() + hours(2)).await;
        let claimed = claim(&store, morning() + hours(2), "a3").await;
        assert_eq!((&claimed[0].posted, claimed[0].wanted, claimed[0].attempts), (&posted(), 2, 1));
        store.record_sent(&claimed[0], "a3", morning() + hours(2), &Sent::Shown { posted: None }).await.unwrap();
        assert_eq!(store.posted_message(&name, Purpose::Card, &channel()).await.unwrap(), posted());
    }

    async fn every_purpose_and_place_comes_back_as_it_was(db: TestDb) {
        let store = db.store().await;
        let name = petition("p1").name;
        insert_petition(&store, &petition("p1")).await;
        let dests = ["C1:x", "U1", "bo@acme.test", "S1"].map(str::to_owned);
        let [channel, user, mail, group] = dests;
        let wanted = [
            (Purpose::Card, Dest::Channel(channel)),
            (Purpose::Petitioner, Dest::User(user)),
            (Purpose::NewsDecided, Dest::Email(mail)),
            (Purpose::NewsWarning, Dest::Group(group.clone())),
            (Purpose::NewsEnded, Dest::Group(group)),
        ];
        for (purpose, dest) in &wanted {
            assert!(insert(&store, &name, *purpose, dest.clone()).await);
        }
        let claimed = claim(&store, morning(), "a1").await;
        for (purpose, dest) in wanted {
            assert!(claimed.iter().any(|message| message.purpose == purpose && message.dest == dest), "{dest}");
        }
    }

    async fn a_change_while_a_message_is_sent_is_shown_by_another(db: TestDb) {
        let store = db.store().await;
        let name = petition("p1").name;
        insert_petition(&store, &petition("p1")).await;
        insert(&store, &name, Purpose::Card, channel()).await;
        let claimed = claim(&store, morning(), "a1").await;
        touch(&store, &name, morning()).await;
        assert!(claim(&store, morning(), "a2").await.is_empty(), "one attempt at a time");
        store.record_sent(&claimed[0], "a1", morning(), &Sent::Shown { posted: posted() }).await.unwrap();
        let again = claim(&store, morning(), "a2").await;
        assert_eq!((again.len(), again[0].wanted), (1, 2));
    }

    async fn what_failed_is_tried_later_and_what_never_works_is_not(db: TestDb) {
        let store = db.store().await;
        let name = petition("p1").name;
        insert_petition(&store, &petition("p1")).await;
        insert(&store, &name, Purpose::Card, channel()).await;
        let claimed = claim(&store, morning(), "a1").await;
        let later = Sent::Later { at: morning() + minutes(5), error: "ratelimited".to_owned(), trace: Trace::Nothing };
        store.record_sent(&claimed[0], "a0", morning(), &later).await.unwrap();
        assert!(claim(&store, morning(), "a2").await.is_empty(), "an attempt that is not current says nothing");
        store.record_sent(&claimed[0], "a1", morning(), &later).await.unwrap();
        assert!(claim(&store, morning() + minutes(4), "a2").await.is_empty());
        let claimed = claim(&store, morning() + minutes(5), "a2").await;
        assert_eq!(claimed[0].attempts, 2);
        let never = Sent::Never { error: "channel_not_found".to_owned() };
        store.record_sent(&claimed[0], "a2", morning(), &never).await.unwrap();
        assert!(claim(&store, morning() + hours(9), "a3").await.is_empty());
        assert_eq!(store.backlog(morning()).await.unwrap().unsent_messages, 0);
        touch(&store, &name, morning()).await;
        assert_eq!(claim(&store, morning(), "a3").await.len(), 1, "a later change tries again");
    }

    async fn only_what_shows_the_state_follows_a_change(db: TestDb) {
        let store = db.store().await;
        let name = petition("p1").name;
        insert_petition(&store, &petition("p1")).await;
        let group = Dest::Group("S0LEADS".to_owned());
        let user = Dest::User("UANA".to_owned());
        for (purpose, dest) in [(Purpose::Card, group), (Purpose::NewsDecided, user.clone()), (Purpose::Petitioner, user)] {
            insert(&store, &name, purpose, dest).await;
        }
        for message in claim(&store, morning(), "a1").await {
            store.record_sent(&message, "a1", morning(), &Sent::Shown { posted: posted() }).await.unwrap();
        }
        touch(&store, &name, morning()).await;
        let purposes: Vec<Purpose> = claim(&store, morning(), "a2").await.into_iter().map(|message| message.purpose).collect();
        assert_eq!(purposes, [Purpose::Petitioner]);
    }

    async fn progress_of_an_access_is_shown_where_its_petitions_are(db: TestDb) {
        let store = db.store().await;
        let access = access(&store, &anas()).await;
        for (name, ended) in [("p1", None), ("p2", Some(1)), ("p3", Some(50))] {
            insert_petition(&store, &petition(name)).await;
            insert(&store, &PetitionName::new(name), Purpose::Card, channel()).await;
            let lease = lease(&access, &anas(), name, morning() + hours(4));
            insert_lease(&store, &lease, Origin::Space).await;
            if let Some(minute) = ended {
                raw(&store, &format!("UPDATE leases SET ended_us = {}, cause = 'done' WHERE id = '{}'",
                    (morning() + minutes(minute)).as_microsecond(), lease.id)).await;
            }
        }
        for message in claim(&store, morning(), "a1").await {
            store.record_sent(&message, "a1", morning(), &Sent::Shown { posted: posted() }).await.unwrap();
        }
        let mut tx = store.begin().await.unwrap();
        tx.touch_messages_of_access(&access, morning() + hours(1), morning() + minutes(30)).await.unwrap();
        commit(tx).await;
        let shown: BTreeSet<String> =
            claim(&store, morning() + hours(1), "a2").await.into_iter().map(|message| message.petition.into_string()).collect();
        assert_eq!(shown, ["p1", "p3"].map(str::to_owned).into(), "what ended long ago has had its last word");
    }

    async fn two_claimers_never_get_the_same_message(db: TestDb) {
        let store = db.store().await;
        for number in 0..40 {
            let petition = petition(&format!("p{number}"));
            insert_petition(&store, &petition).await;
            insert(&store, &petition.name, Purpose::Card, channel()).await;
        }
        let claiming: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { claim(&store, morning(), &format!("a{number}")).await })
            })
            .collect();
        let (mut all, mut seen) = (0, BTreeSet::new());
        for one in claiming {
            for message in one.await.unwrap() {
                all += 1;
                seen.insert(message.id);
            }
        }
        assert_eq!(seen.len(), all, "nobody got what another had");
        all += claim(&store, morning(), "rest").await.len();
        assert_eq!(all, 40, "and nothing was lost");
    }

    async fn a_message_that_the_code_never_writes_is_named(db: TestDb) {
        let store = db.store().await;
        insert_petition(&store, &petition("p1")).await;
        for damage in ["purpose = 'poem'", "dest = 'nowhere'"] {
            insert(&store, &petition("p1").name, Purpose::Card, channel()).await;
            raw(&store, &format!("UPDATE messages SET {damage}")).await;
            let result = store.claim_messages(morning(), "a1", morning(), 9).await;
            assert!(matches!(&result, Err(StoreError::Inconsistent { table: "messages", .. })), "{result:?}");
            raw(&store, "DELETE FROM messages").await;
        }
    }

    /// Whoever claims a message knows whether an earlier attempt may have posted it, until that is settled.
    async fn a_claim_knows_of_a_post_that_nobody_knows_of(db: TestDb) {
        let store = db.store().await;
        let name = petition("p1").name;
        insert_petition(&store, &petition("p1")).await;
        insert(&store, &name, Purpose::Card, channel()).await;
        let at = |n| morning() + minutes(n);
        let first = claim(&store, at(0), "a0").await;
        assert_eq!(first[0].tried, None);
        // Its holder died; then the answer was lost, and a change sets the attempts back.
        assert_eq!(claim(&store, at(5), "a1").await[0].tried, Some(at(0)));
        let later = |trace| Sent::Later { at: at(6), error: "no answer".to_owned(), trace };
        store.record_sent(&first[0], "a1", at(5), &later(Trace::MayStand)).await.unwrap();
        touch(&store, &name, at(5)).await;
        assert_eq!(claim(&store, at(6), "a2").await[0].tried, Some(at(0)));
        // Slack says that it is not there, and refuses it.
        store.record_sent(&first[0], "a2", at(6), &later(Trace::Nothing)).await.unwrap();
        assert_eq!(claim(&store, at(7), "a3").await[0].tried, None);
        store.record_sent(&first[0], "a3", at(7), &Sent::Shown { posted: posted() }).await.unwrap();
        touch(&store, &name, at(8)).await;
        claim(&store, at(8), "a4").await;
        assert_eq!(claim(&store, at(20), "a5").await[0].tried, None, "it stands, and that is known");
    }
}
