//! The same message twice: it answers like the first, and changes nothing.

use latchkey::{
    store::Answered,
    workflow::{Error, Opened, Reviewed},
};

use crate::harness::{
    databases::TestDb,
    office::{Office, hours, minutes},
};

both_databases! {
    async fn a_replayed_command_opens_nothing(db: TestDb) {
        let office = Office::new(&db).await;
        let mut ask = office.ask("ana", "123", hours(4));
        ask.signature = Some("sig-1".to_owned());
        let Opened::Open(petition) = office.workflow.open_petition(&ask).await.unwrap() else { panic!("not opened") };
        let known = Answered { petition: Some(petition.name.clone()) };
        assert_eq!(office.store.answered("sig-1").await.unwrap(), Some(known));
        let same = office.workflow.open_petition(&ask).await.unwrap();
        assert!(matches!(&same, Opened::Same(same) if same.name == petition.name), "{same:?}");
        office.clock.advance(minutes(2));
        let result = office.workflow.open_petition(&ask).await;
        assert!(matches!(result, Err(Error::Replayed)), "the minute is over, the signature is not: {result:?}");
        assert_eq!(office.record().await.len(), 1);
    }

    async fn the_same_words_within_a_minute_are_one_petition(db: TestDb) {
        let office = Office::new(&db).await;
        let mut ask = office.ask("ana", "123", hours(4));
        let Opened::Open(first) = office.workflow.open_petition(&ask).await.unwrap() else { panic!("not opened") };
        ask.reason = format!("  {} ", ask.reason.to_uppercase());
        let same = office.workflow.open_petition(&ask).await.unwrap();
        assert!(matches!(&same, Opened::Same(same) if same.name == first.name), "{same:?}");
        office.clock.advance(minutes(1));
        let later = office.workflow.open_petition(&ask).await.unwrap();
        assert!(matches!(later, Opened::Open(_)), "{later:?}");
    }

    async fn a_repeat_that_was_taken_for_the_first_stays_so_when_it_is_replayed(db: TestDb) {
        let office = Office::new(&db).await;
        let mut ask = office.ask("ana", "123", hours(4));
        ask.signature = Some("sig-1".to_owned());
        let Opened::Open(first) = office.workflow.open_petition(&ask).await.unwrap() else { panic!("not opened") };
        ask.signature = Some("sig-2".to_owned());
        assert!(matches!(office.workflow.open_petition(&ask).await.unwrap(), Opened::Same(_)));
        let known = Answered { petition: Some(first.name) };
        assert_eq!(office.store.answered("sig-2").await.unwrap(), Some(known), "it is remembered with its answer");
        office.clock.advance(minutes(2));
        let result = office.workflow.open_petition(&ask).await;
        assert!(matches!(result, Err(Error::Replayed)), "{result:?}");
    }

    async fn a_replayed_click_changes_nothing(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        let mut review = office.review(&petition.name, "bo");
        review.signature = Some("sig-2".to_owned());
        assert!(matches!(office.workflow.approve(&review).await.unwrap(), Reviewed::Granted { .. }));
        let before = office.record().await.len();
        for result in [
            office.workflow.approve(&review).await,
            office.workflow.deny(&review).await,
            office.workflow.revoke(&review).await,
        ] {
            assert!(matches!(result, Err(Error::Replayed)), "{result:?}");
        }
        assert!(office.may("ana", "123").await);
        assert_eq!(office.record().await.len(), before);
    }

    async fn a_click_that_failed_may_come_again(db: TestDb) {
        let office = Office::new(&db).await;
        let petition = office.open("ana", "123", hours(4)).await;
        let mut review = office.review(&petition.name, "ana");
        review.signature = Some("sig-3".to_owned());
        for _ in 0..2 {
            let result = office.workflow.approve(&review).await;
            assert!(matches!(result, Err(Error::Forbidden(_))), "answered like the first: {result:?}");
        }
    }
}
