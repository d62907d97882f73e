//! Questions to bots: each is under way once, and only the attempt that is current may say what came of it.

use latchkey::{
    domain::id::{DecisionName, PetitionName},
    store::{Due, Lane, PendingDecision, Schedule, Store},
};

use super::{commit, insert_petition, petition};
use crate::harness::{
    databases::TestDb,
    office::{minutes, morning},
};

async fn close(store: &Store, decision: &PendingDecision, attempt: &str) {
    let mut tx = store.begin().await.unwrap();
    tx.close_decision(decision, attempt).await.unwrap();
    tx.commit(&[]).await.unwrap();
}

both_databases! {
    async fn a_question_is_put_once_at_a_time_until_it_is_closed(db: TestDb) {
        let store = db.store().await;
        let (bot, now) = (DecisionName::new("on-call bot"), morning());
        for name in ["p1", "p2"] {
            insert_petition(&store, &petition(name)).await;
            let mut tx = store.begin().await.unwrap();
            tx.want_decision(&PetitionName::new(name), &bot, now).await.unwrap();
            tx.want_decision(&PetitionName::new(name), &bot, now + minutes(9)).await.unwrap();
            commit(tx).await;
        }
        let due = |lane: Lane| Due { lane, at: now };
        assert!(store.next_due().await.unwrap().contains(&due(Lane::Decide(bot.clone()))));
        let many: Vec<_> = (0..8)
            .map(|n| {
                let (store, bot) = (store.clone(), bot.clone());
                let (attempt, until) = (format!("try{n}"), now + minutes(1));
                tokio::spawn(async move { store.claim_decisions(&bot, now, &attempt, until, 1).await.unwrap() })
            })
            .collect();
        let mut claimed = Vec::new();
        for one in many {
            claimed.extend(one.await.unwrap().into_iter().map(|one| one.petition));
        }
        claimed.sort();
        assert_eq!(claimed, [PetitionName::new("p1"), PetitionName::new("p2")]);

        // Their holders are dead: somebody else takes them, and what the dead say later changes nothing.
        let later = now + minutes(1);
        assert!(store.claim_decisions(&bot, later - minutes(1), "early", later, 9).await.unwrap().is_empty());
        let taken = store.claim_decisions(&bot, later, "second", later + minutes(1), 9).await.unwrap();
        assert_eq!(taken.iter().map(|one| one.attempts).collect::<Vec<_>>(), [2, 2]);
        for one in &taken {
            close(&store, one, "try0").await;
            store.retry_decision(one, "try1", later, later, "no").await.unwrap();
        }
        assert!(store.claim_decisions(&bot, later, "third", later, 9).await.unwrap().is_empty(), "still under way");
        close(&store, &taken[0], "second").await;
        store.retry_decision(&taken[1], "second", later, later + minutes(5), "it answered 500").await.unwrap();
        assert!(store.claim_decisions(&bot, later + minutes(4), "third", later, 9).await.unwrap().is_empty());
        let again = store.claim_decisions(&bot, later + minutes(5), "third", later + minutes(6), 9).await.unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].failing, Some((later, "it answered 500".to_owned())));
        close(&store, &again[0], "third").await;
        assert!(store.next_due().await.unwrap().iter().all(|due| due.lane != Lane::Decide(bot.clone())));
    }

    /// A pull has a schedule of its own; that it is running is no work that is due.
    async fn each_pull_has_its_schedule(db: TestDb) {
        let store = db.store().await;
        let [crm, erp] = ["crm", "erp"].map(latchkey::domain::id::PullName::new);
        store.make_due(Schedule::Pull(crm.clone()), morning()).await.unwrap();
        store.make_due(Schedule::Pull(erp.clone()), morning()).await.unwrap();
        assert!(store.win_tick(Schedule::PullRunning(crm.clone()), morning(), minutes(2)).await.unwrap());
        assert!(store.win_tick(Schedule::Pull(crm.clone()), morning(), minutes(15)).await.unwrap());
        assert!(!store.win_tick(Schedule::Pull(crm.clone()), morning(), minutes(15)).await.unwrap(), "one wins");
        let mut due = store.next_due().await.unwrap();
        due.sort_by_key(|due| due.at);
        let at = |lane, at| Due { lane, at };
        assert_eq!(due, [at(Lane::Pull(erp), morning()), at(Lane::Pull(crm), morning() + minutes(15))]);
    }
}
