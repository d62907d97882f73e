//! Two people in the same moment: one outcome, told to both.

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::harness::{
    acts::{TEAM, TWO_LEADS, button, file, payload},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, House},
};

both_databases! {
    async fn two_who_approve_at_once_grant_once_and_one_is_told(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        join(house.press(BO, "Approve"), house.press(CY, "Approve")).await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant"]);
        for word in ["petition.granted", "lease.began", "claim.made"] {
            assert_eq!(house.recorded(word).await, 1, "{word}");
        }
        let loser = if house.reads(CHANNEL).contains("by bo") { CY } else { BO };
        assert!(house.hears_more(loser, 0).await.contains("already approved by"));
        house.finish().await;
    }

    async fn the_last_two_claims_at_once_grant_once(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        join(house.press(BO, "Approve"), house.press(CY, "Approve")).await;
        house.settle().await;
        assert!(house.allows("ana", "123").await, "both approved, so it is granted");
        assert_eq!(house.applied(), ["access/grant"]);
        assert_eq!(house.recorded("petition.granted").await, 1);
        assert_eq!(house.recorded("claim.made").await, 2);
        house.finish().await;
    }

    /// A double click is one claim; the copy is told the truth or nothing, never an error.
    async fn many_clicks_of_one_person_at_once_grant_once(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(BO, "Approve").unwrap();
        for answer in join_all((0..5).map(|_| house.slack.press(BO, &card, "Approve"))).await {
            assert_eq!(answer.problem, None);
        }
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.recorded("petition.granted").await, 1);
        assert_eq!(house.applied(), ["access/grant"]);
        assert!(house.hears_more(BO, 0).await.contains("already approved by bo"));
        house.finish().await;
    }

    async fn approval_and_denial_at_once_have_one_winner(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let view = house.opens_deny(CY).await;
        let values = [("reason", "not today")];
        let (_, denied) = join(house.press(BO, "Approve"), house.slack.submit(CY, &view.id, &values)).await;
        house.settle().await;
        let denials = house.recorded("petition.denied").await;
        assert_eq!(house.recorded("petition.granted").await + denials, 1);
        assert_eq!(house.allows("ana", "123").await, denials == 0);
        if denials == 0 {
            assert!(denied.text().contains("already approved by bo"), "{}", denied.text());
        } else {
            assert!(house.hears_more(BO, 0).await.contains("already denied by cy"));
            assert!(house.applied().is_empty());
        }
        house.finish().await;
    }

    async fn cancelling_and_approving_at_once_have_one_winner(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        join(house.press(ANA, "Cancel request"), house.press(BO, "Approve")).await;
        house.settle().await;
        let granted = house.recorded("petition.granted").await;
        assert_eq!(granted + house.recorded("petition.withdrawn").await, 1);
        assert_eq!(house.allows("ana", "123").await, granted == 1);
        let loser = if granted == 1 { ANA } else { BO };
        // The answer to the command was the first thing that only ana was shown.
        let before = usize::from(loser == ANA);
        assert!(house.hears_more(loser, before).await.contains("already"));
        house.finish().await;
    }

    async fn everybody_ends_it_at_once_and_it_ends_once(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        let lease_end = jiff::SignedDuration::from_hours(4);
        house.clock.advance(lease_end);
        let (revoke, done) = (house.with_button(BO, "Revoke").unwrap(), house.with_button(ANA, "I'm done").unwrap());
        join(house.slack.press(BO, &revoke, "Revoke"), house.slack.press(ANA, &done, "I'm done")).await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        assert_eq!(house.recorded("lease.ended").await, 1);
        assert_eq!(house.recorded("petition.closed").await, 1);
        house.finish().await;
    }

    /// One payload with several presses does each once, and a copy of it nothing.
    async fn one_payload_with_the_same_press_twice_is_one_claim(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        let value = button(&house.with_button(CHANNEL, "Approve").unwrap(), "Approve")["value"].clone();
        let action = json!({ "type": "button", "action_id": "approve", "value": value });
        let twice = json!({
            "type": "block_actions", "user": { "id": BO }, "team": { "id": TEAM }, "actions": [action, action],
        });
        let signed = house.signed("/slack/interactions", payload(&twice));
        house.send(&signed).await;
        house.send(&signed).await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened", "claim.made"]).await;
        house.finish().await;
    }
}
