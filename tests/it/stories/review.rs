//! Ana asks, reviewers decide, everybody is told.

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, DAN, House},
    office::{hours, minutes},
};

both_databases! {
    /// From the command to the end of access.
    async fn the_whole_story(db: TestDb) {
        let house = House::new(db).await;
        let said = house.types(ANA, COMMAND).await.text();
        assert!(said.contains("AcmeCorp") && said.contains("4h") && said.contains("bo@acme.test"), "{said}");
        house.settle().await;
        for place in [BO, CY, CHANNEL] {
            let card = house.with_button(place, "Approve").unwrap().plain();
            assert!(card.contains("AcmeCorp") && card.contains("BUG-482"), "{place}: {card}");
        }
        assert!(!house.allows("ana", "123").await);

        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.settle().await;
        let grants = house.production.applied();
        assert_eq!(grants.len(), 1);
        assert_eq!((grants[0].kind(), grants[0].person(), grants[0].customer()), ("access/grant", "ana@acme.test", "123"));
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_none(), "{place} still has buttons");
            let card = house.reads(place);
            assert!(card.contains("Approved") && card.to_lowercase().contains("bo"), "{place}: {card}");
        }
        assert!(house.with_button(ANA, "I'm done").is_some(), "{}", house.reads(ANA));

        house.advance(hours(4) - minutes(10)).await;
        assert!(house.allows("ana", "123").await);
        house.advance(minutes(10)).await;
        assert!(!house.allows("ana", "123").await);
        let applied = house.production.applied();
        assert_eq!(applied.iter().map(|one| one.kind()).collect::<Vec<_>>(), ["access/grant", "access/revoke"]);
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert!(house.with_button(ANA, "I'm done").is_none(), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// I7, and: who may not decide changes nothing and is told why.
    async fn only_reviewers_decide(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        for user in [ANA, DAN] {
            house.press_in(user, CHANNEL, "Approve").await;
            let told = house.told(user).await;
            assert!(!told.is_empty());
            house.settle().await;
            assert!(!house.allows("ana", "123").await, "{user} must not be able to approve: {told}");
            assert!(house.with_button(CHANNEL, "Approve").is_some());
        }
        house.finish().await;
    }
}
