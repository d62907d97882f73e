//! Slack's clients send again, people press Enter again, and somebody may hold a copy of a signed request.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{
    acts::{ONE_LEAD, Signed, TEAM, button, file, form, payload, press},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, DAN, House},
    office::{minutes, seconds},
};

/// The command of somebody, signed once; `trigger` makes it another.
fn command(house: &House, user: &str, text: &str, trigger: &str) -> Signed {
    let fields = [
        ("team_id", TEAM),
        ("channel_id", CHANNEL),
        ("user_id", user),
        ("command", "/access"),
        ("text", text),
        ("trigger_id", trigger),
    ];
    house.signed("/slack/commands", form(&fields))
}

both_databases! {
    /// The same words within a minute are one petition, however they are spaced and spelt.
    async fn the_same_twice_within_a_minute_is_one_petition(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.advance(seconds(59)).await;
        for text in [COMMAND, "customer  AcmeCorp for 240m to DEBUG bug-482"] {
            let said = house.types(ANA, text).await.text();
            assert!(said.contains("a moment ago") && said.contains("waits"), "{said}");
        }
        house.settle().await;
        assert_eq!(house.recorded("petition.opened").await, 1);
        assert_eq!(house.slack.messages(BO).len(), 1);
        // Somebody else, or for something else, is another petition.
        house.types(DAN, COMMAND).await;
        house.types(ANA, "customer 123 for 3h to debug BUG-482").await;
        assert_eq!(house.recorded("petition.opened").await, 3);
        house.finish().await;
    }

    async fn the_same_after_a_minute_is_another_petition(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.advance(seconds(61)).await;
        let said = house.types(ANA, COMMAND).await.text();
        assert!(said.contains("You asked for") && !said.contains("moment ago"), "{said}");
        assert_eq!(house.recorded("petition.opened").await, 2);
        house.finish().await;
    }

    /// What was cancelled is not in the way of asking for it again.
    async fn after_cancelling_the_same_can_be_asked_for_at_once(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.press(ANA, "Cancel request").await;
        house.types(ANA, COMMAND).await;
        assert_eq!(house.recorded("petition.opened").await, 2);
        house.finish().await;
    }

    async fn the_same_at_the_same_instant_is_one_petition(db: TestDb) {
        let house = House::new(db).await;
        let answers = join_all((0..6).map(|_| house.types(ANA, COMMAND))).await;
        for answer in &answers {
            assert!(answer.text().contains("AcmeCorp"), "{}", answer.text());
        }
        house.settle().await;
        assert_eq!(house.recorded("petition.opened").await, 1);
        assert_eq!(house.slack.messages(BO).len(), 1);
        assert_eq!(house.slack.messages(ANA).len(), 1);
        house.finish().await;
    }

    /// The very same signed request answers like the first, whatever became of the petition.
    async fn a_replayed_command_answers_like_the_first_and_changes_nothing(db: TestDb) {
        let house = House::new(db).await;
        let signed = command(&house, ANA, COMMAND, "1.1");
        let first = house.send(&signed).await;
        assert!(first.1.contains("You asked for"), "{}", first.1);
        house.settle().await;
        assert_eq!(house.send(&signed).await, first);
        house.advance(minutes(2)).await;
        assert_eq!(house.send(&signed).await, first);
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        assert_eq!(house.send(&signed).await, first);
        assert_eq!(join_all((0..4).map(|_| house.send(&signed))).await, vec![first; 4]);
        house.settle().await;
        house.expect_record(&["petition.opened", "claim.made", "petition.withdrawn"]).await;
        house.advance(minutes(4)).await;
        assert_eq!(house.send(&signed).await, (401, String::new()), "too old to be believed");
        house.finish().await;
    }

    /// All copies of one request at one instant: one petition, and everybody is answered as the one who was first.
    async fn a_request_that_arrives_several_times_at_once_is_one_petition(db: TestDb) {
        let house = House::new(db).await;
        let signed = command(&house, ANA, COMMAND, "1.1");
        for (status, body) in join_all((0..5).map(|_| house.send(&signed))).await {
            assert_eq!(status, 200);
            assert!(body.contains("asked for") && body.contains("AcmeCorp"), "{body}");
        }
        house.settle().await;
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    /// A request that was taken for a repeat stays one, also when the first is a minute ago by the time it is replayed.
    async fn a_replayed_repeat_opens_nothing(db: TestDb) {
        let house = House::new(db).await;
        house.send(&command(&house, ANA, COMMAND, "1.1")).await;
        house.advance(seconds(40)).await;
        let repeat = command(&house, ANA, COMMAND, "2.2");
        assert!(house.send(&repeat).await.1.contains("a moment ago"));
        house.advance(seconds(40)).await;
        house.send(&repeat).await;
        house.settle().await;
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    async fn a_replayed_refusal_is_recorded_once(db: TestDb) {
        let house = House::new(db).await;
        let signed = command(&house, ANA, "customer 123 for 9h to debug BUG-482", "1.1");
        let first = house.send(&signed).await;
        house.advance(minutes(2)).await;
        assert_eq!(house.send(&signed).await, first);
        house.expect_record(&["petition.refused"]).await;
        house.finish().await;
    }

    /// Approve, replayed after a revoke, opens nothing again; neither does a refused click once its maker may.
    async fn a_replayed_click_changes_nothing(db: TestDb) {
        let mut house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Approve").unwrap();
        let value = button(&card, "Approve")["value"].clone();
        let bo = house.signed("/slack/interactions", payload(&press(BO, "approve", &value)));
        let dan = house.signed("/slack/interactions", payload(&press(DAN, "approve", &value)));
        assert_eq!(house.send(&dan).await.0, 200);
        assert!(house.told(DAN).await.contains("not a reviewer"));
        house.restart_with(&file(&["bo", "cy", "dan"], "", ONE_LEAD)).await;
        assert_eq!(house.send(&dan).await.0, 200);
        house.settle().await;
        assert!(!house.allows("ana", "123").await, "what was refused stays refused when it is sent again");

        assert_eq!(house.send(&bo).await, (200, String::new()));
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.press(CY, "Revoke").await;
        assert_eq!(house.send(&bo).await, (200, String::new()));
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// A submitted form that arrives twice denies once, and the second copy closes the form like the first.
    async fn a_replayed_form_denies_once(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Deny").unwrap();
        let value = button(&card, "Deny")["value"].clone();
        let submission = json!({
            "type": "view_submission", "user": { "id": BO, "team_id": TEAM }, "team": { "id": TEAM },
            "view": {
                "id": "V1", "callback_id": "deny-petition", "private_metadata": value,
                "state": { "values": { "reason": { "reason": { "value": "use the log" } } } },
            },
        });
        let signed = house.signed("/slack/interactions", payload(&submission));
        assert_eq!(house.send(&signed).await, (200, String::new()));
        assert_eq!(house.send(&signed).await, (200, String::new()));
        house.settle().await;
        house.expect_record(&["petition.opened", "claim.made", "petition.denied"]).await;
        house.finish().await;
    }
}
