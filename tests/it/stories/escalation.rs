//! Nobody decides: whoever the rule says is asked too, and may decide from then on.

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, DAN, House},
    office::{minutes, seconds},
};

const TO_DAN: &str = r#"escalate = { after = "30m", to = ["dan@acme.test", "ana@acme.test"] }"#;

async fn house(db: TestDb, demand: &str) -> House {
    House::plan(db).file(&file(&["bo", "cy"], "", &format!("{demand}\n{TO_DAN}"))).build().await
}

both_databases! {
    async fn after_a_while_others_are_asked_and_decide(db: TestDb) {
        let house = house(db, ONE_LEAD).await;
        house.asked().await;
        assert!(house.reads(ANA).contains("If nobody decides, further reviewers are asked"), "{}", house.reads(ANA));
        house.advance(minutes(30) - seconds(1)).await;
        assert!(house.with_button(DAN, "Approve").is_none(), "it is not his yet");
        let told = house.hears(DAN, CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        house.advance(seconds(1)).await;
        for place in [ANA, CHANNEL, BO, DAN] {
            assert!(house.reads(place).contains("Escalated"), "{place}: {}", house.reads(place));
        }
        assert!(house.with_button(ANA, "Approve").is_none(), "it is her own");
        house.press(DAN, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.recorded("petition.escalated").await, 1);
        house.finish().await;
    }

    /// The file's own reviewers go on deciding, and each of those asked later counts once.
    async fn those_asked_later_count_for_any_line_but_once(db: TestDb) {
        let house = house(db, TWO_LEADS).await;
        house.asked().await;
        house.advance(minutes(30)).await;
        house.press(DAN, "Approve").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await, "one of two");
        house.press(CY, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn what_is_decided_is_not_escalated(db: TestDb) {
        let house = house(db, ONE_LEAD).await;
        house.asked().await;
        house.advance(minutes(20)).await;
        house.denies(BO, "use the replica").await;
        house.advance(minutes(20)).await;
        assert!(house.reads(DAN).is_empty(), "{}", house.reads(DAN));
        assert_eq!(house.recorded("petition.escalated").await, 0);
        house.finish().await;
    }

    /// Due while nothing runs: it is done at the next start, once, by the file of then.
    async fn a_restart_loses_no_escalation(db: TestDb) {
        let mut house = house(db, ONE_LEAD).await;
        house.asked().await;
        house.stop().await;
        house.clock.advance(minutes(45));
        house.start().await;
        house.settle().await;
        assert!(house.with_button(DAN, "Approve").is_some(), "{}", house.reads(DAN));
        house.advance(minutes(45)).await;
        assert_eq!(house.recorded("petition.escalated").await, 1);
        // Without the line, Dan has lost the right.
        house.restart_with(&file(&["bo", "cy"], "", ONE_LEAD)).await;
        let told = house.hears(DAN, DAN, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        house.finish().await;
    }
}
