//! Approve for…: a reviewer gives less time than was asked for.

use latchkey::demo::workspace::{Answer, View};
use serde_json::{Value, json};

use crate::harness::{
    acts::{TEAM, TWO_LEADS, button, file, payload},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, DAN, House},
    office::{hours, minutes},
};

/// Somebody presses the button on their card; the form that opens.
async fn opens(house: &House, user: &str) -> View {
    house.press(user, "Approve for…").await;
    house.slack.view(user).expect("a form is open")
}

async fn sends(house: &House, user: &str, values: &[(&str, &str)]) -> Answer {
    let form = opens(house, user).await;
    let answer = house.slack.submit(user, &form.id, values).await;
    assert_eq!(answer.problem, None, "{}", answer.text());
    house.settle().await;
    answer
}

async fn end(house: &House) -> String {
    house.check("ana", "123").await.1["expires_at"].as_str().expect("she has access").to_owned()
}

/// The name of the petition that a card is about.
fn petition(house: &House) -> Value {
    button(&house.with_button(CHANNEL, "Approve").expect("the card"), "Approve")["value"].clone()
}

/// The form as Slack sends it, whoever was shown it.
fn sent(user: &str, petition: &Value, length: &str) -> Vec<u8> {
    let typed = json!({ "approve-other": { "approve-other": { "type": "plain_text_input", "value": length } } });
    payload(&json!({
        "type": "view_submission", "user": { "id": user, "team_id": TEAM }, "team": { "id": TEAM },
        "view": { "callback_id": "approve-for", "private_metadata": petition, "state": { "values": typed } },
    }))
}

both_databases! {
    async fn the_lease_is_as_long_as_the_reviewer_says(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let form = opens(&house, BO).await;
        assert!(form.plain().contains("asks for access to AcmeCorp (123) for 4h. You can approve it for 4h at most."), "{}", form.plain());
        let values = [("approve-usual", "2h"), ("approve-note", "enough for a first look")];
        let answer = house.slack.submit(BO, &form.id, &values).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        assert!(house.slack.view(BO).is_none(), "the form is closed");
        assert_eq!(end(&house).await, (house.now() + hours(2)).to_string(), "from the same commit on");
        house.settle().await;
        for place in [BO, CY, CHANNEL, ANA] {
            let reads = house.reads(place);
            assert!(reads.contains("Asked for 4h, shortened to 2h by bo."), "{reads}");
        }
        for place in [ANA, CHANNEL] {
            let reads = house.reads(place);
            assert!(reads.contains("enough for a first look"), "{reads}");
        }
        house.advance(hours(2)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        house.finish().await;
    }

    async fn what_is_wrong_in_the_form_is_said_there(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        for (typed, wrong) in [("soon", "not a length"), ("4h 1m", "for 4h at most"), ("0s", "one second")] {
            let form = opens(&house, BO).await;
            house.slack.submit(BO, &form.id, &[("approve-other", typed)]).await;
            let form = house.slack.view(BO).expect("the form stays open");
            assert!(form.errors["approve-other"].contains(wrong), "{typed}: {:?}", form.errors);
            house.slack.close(BO, &form.id).await;
        }
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.recorded("claim.made").await, 0);
        // All that was asked for is a plain approval.
        sends(&house, BO, &[("approve-other", "4 hours")]).await;
        assert_eq!(end(&house).await, (house.now() + hours(4)).to_string());
        assert!(!house.reads(ANA).contains("shortened"), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// I7, I9: neither the button nor a form that somebody made themselves.
    async fn it_is_for_those_who_may_approve(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        for (user, why) in [(ANA, "for you or that you filed"), (DAN, "not a reviewer")] {
            let told = house.hears(user, CHANNEL, "Approve for…").await;
            assert!(told.contains(why), "{told}");
            assert!(house.slack.view(user).is_none());
            let (status, answer) = house.send(&house.signed("/slack/interactions", sent(user, &petition(&house), "1h"))).await;
            assert!(status == 200 && answer.contains(why), "{status} {answer}");
        }
        let (status, answer) = house.send(&house.signed("/slack/interactions", sent(BO, &json!("0000"), "1h"))).await;
        assert!(status == 200 && answer.contains("no such petition"), "{status} {answer}");
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.recorded("claim.made").await, 0);
        house.finish().await;
    }

    async fn who_is_late_learns_what_was_decided(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(BO, "Approve for…").unwrap();
        let form = opens(&house, BO).await;
        house.press(CY, "Approve").await;
        house.settle().await;
        house.slack.submit(BO, &form.id, &[("approve-usual", "1h")]).await;
        let form = house.slack.view(BO).expect("the form stays open");
        assert!(form.errors["approve-other"].contains("already approved by cy"), "{:?}", form.errors);
        let told = house.hears_on(BO, &card, "Approve for…").await;
        assert!(told.contains("already approved by cy"), "{told}");
        assert_eq!(end(&house).await, (house.now() + hours(4)).to_string());
        house.finish().await;
    }

    async fn of_two_approvals_the_shortest_counts(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        assert!(opens(&house, CY).await.plain().contains("the shortest time counts"));
        sends(&house, BO, &[("approve-other", "90m")]).await;
        for place in [BO, CY, CHANNEL, ANA] {
            let reads = house.reads(place);
            assert!(reads.contains("1 of 2 approvals so far, from bo (for 1h 30m)."), "{reads}");
        }
        // Once said, it stands: with the button, and with a form that was open already.
        let told = house.hears(BO, BO, "Approve for…").await;
        assert!(told.contains("You have approved this before"), "{told}");
        let (_, answer) = house.send(&house.signed("/slack/interactions", sent(BO, &petition(&house), "1h"))).await;
        assert!(answer.contains("You have approved this for 1h 30m before"), "{answer}");
        house.advance(minutes(1)).await;
        house.press(CY, "Approve").await;
        house.settle().await;
        assert_eq!(end(&house).await, (house.now() + minutes(90)).to_string());
        let reads = house.reads(CHANNEL);
        assert!(reads.contains("Approved by bo and cy") && reads.contains("shortened to 1h 30m by bo."), "{reads}");
        house.finish().await;
    }

    /// I5: whoever sends a copy of the signed form.
    async fn a_form_that_comes_again_acts_once(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        let petition = petition(&house);
        let signed = house.signed("/slack/interactions", sent(BO, &petition, "2h"));
        for _ in 0..3 {
            assert_eq!(house.send(&signed).await, (200, String::new()));
        }
        assert_eq!(house.recorded("claim.made").await, 1);
        house.press(CY, "Approve").await;
        house.settle().await;
        let granted = end(&house).await;
        house.send(&signed).await;
        house.settle().await;
        assert_eq!(end(&house).await, granted);
        assert_eq!((house.recorded("claim.made").await, house.recorded("petition.granted").await), (2, 1));
        house.finish().await;
    }

    /// Its time counts from the end that it moves.
    async fn an_extension_can_be_shortened_too(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        let old_end = house.now() + hours(4);
        house.advance(hours(1)).await;
        house.types(ANA, "extend 123 by 3h").await;
        house.settle().await;
        assert!(opens(&house, BO).await.plain().contains("How much longer?"));
        sends(&house, BO, &[("approve-usual", "1h")]).await;
        assert_eq!(end(&house).await, (old_end + hours(1)).to_string());
        assert!(house.reads(ANA).contains("Asked for 3h, shortened to 1h by bo."), "{}", house.reads(ANA));
        house.finish().await;
    }
}
