//! Who is nobody: guests, bots, leavers, strangers, and accounts without an address that Slack vouches for.

use latchkey::demo::workspace::Person;
use serde_json::json;

use crate::harness::{
    acts::{TEAM, TWO_LEADS, button, file, payload, press},
    databases::TestDb,
    house::{BO, CHANNEL, COMMAND, CY, DAN, House},
};

type Change = fn(&mut Person);

/// What makes somebody nobody, and a word of what they are told.
const NOBODIES: [(&str, Change, &str); 9] = [
    ("a guest", |one| one.is_restricted = true, "Guests"),
    ("a guest of one channel", |one| one.is_ultra_restricted = true, "Guests"),
    ("a bot", |one| one.is_bot = true, "Guests"),
    ("deactivated", |one| one.deleted = true, "deactivated"),
    ("a stranger", |one| one.is_stranger = true, "Guests"),
    ("of another workspace", |one| one.team_id = Some("T0OTHER".to_owned()), "Guests"),
    ("with an unconfirmed e-mail", |one| one.email_confirmed = false, "e-mail"),
    ("without an e-mail", |one| one.email = None, "e-mail"),
    ("with an empty e-mail", |one| one.email = Some(String::new()), "e-mail"),
];

both_databases! {
    async fn a_nobody_decides_nothing_and_is_told_why(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        for (who, change, word) in NOBODIES {
            house.slack.add_person(Person::new(BO, "Bo", "bo@acme.test"));
            house.slack.update_person(BO, change);
            let told = house.hears(BO, CHANNEL, "Approve").await;
            assert!(told.contains(word), "{who}: {told}");
            let told = house.hears(BO, CHANNEL, "Deny").await;
            assert!(told.contains(word), "{who}: {told}");
            assert!(house.slack.view(BO).is_none(), "{who}");
            assert!(!house.allows("ana", "123").await, "{who}");
        }
        house.expect_record(&["petition.opened"]).await;
        // Restored, Bo is Bo again.
        house.slack.add_person(Person::new(BO, "Bo", "bo@acme.test"));
        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// An approval is worth what its maker is when the last one is made.
    async fn who_became_nobody_after_approving_does_not_count(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy", "dan"], "", TWO_LEADS)).build().await;
        house.asked().await;
        house.press(BO, "Approve").await;
        for (who, change, _) in NOBODIES {
            house.slack.add_person(Person::new(BO, "Bo", "bo@acme.test"));
            house.slack.update_person(BO, change);
            house.press_in(CY, CHANNEL, "Approve").await;
            house.settle().await;
            assert!(!house.allows("ana", "123").await, "{who}");
        }
        house.press_in(DAN, CHANNEL, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn a_nobody_gets_nothing_and_is_told_why(db: TestDb) {
        let house = House::new(db).await;
        for (number, (who, change, word)) in NOBODIES.into_iter().enumerate() {
            let id = format!("U0NOBODY{number}");
            let mut nobody = Person::new(&id, "Nobody", &format!("nobody{number}@acme.test"));
            change(&mut nobody);
            house.slack.add_person(nobody);
            let answer = house.types(&id, COMMAND).await;
            assert_eq!(answer.problem, None, "{who}");
            assert!(answer.text().contains(word), "{who}: {}", answer.text());
            // Nor a form that they could fill in for nothing, nor anybody's name.
            for text in ["", "new 123", "Acm to debug BUG-482", "who Acm", "revoke Acm", "123"] {
                let answer = house.types(&id, text).await;
                assert_eq!(answer.problem, None, "{who}: {text}");
                assert!(house.slack.view(&id).is_none(), "{who}: {text}");
                assert!(!answer.text().is_empty() && !answer.text().contains("AcmeCorp"), "{who}: {text}: {}", answer.text());
            }
            assert!(house.types(&id, "").await.text().contains(word), "{who}");
        }
        house.settle().await;
        assert_eq!(house.recorded("petition.opened").await, 0);
        for place in [BO, CY, CHANNEL] {
            assert_eq!(house.reads(place), "", "nobody is bothered with it");
        }
        house.finish().await;
    }

    async fn a_nobody_gets_no_card(db: TestDb) {
        let house = House::new(db).await;
        house.slack.update_person(BO, |bo| bo.is_restricted = true);
        house.asked().await;
        assert_eq!(house.reads(BO), "");
        assert!(house.with_button(CY, "Approve").is_some() && house.with_button(CHANNEL, "Approve").is_some());
        house.finish().await;
    }

    async fn an_account_that_slack_does_not_know_is_nobody(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let value = button(&house.with_button(CHANNEL, "Approve").unwrap(), "Approve")["value"].clone();
        for user in ["U0NOSUCH", "bo@acme.test", "", "../U0BO"] {
            let signed = house.signed("/slack/interactions", payload(&press(user, "approve", &value)));
            assert_eq!(house.send(&signed).await, (200, String::new()), "{user}");
        }
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    /// Who clicked is the signed user id and nothing else that the payload says.
    async fn names_and_addresses_in_a_payload_prove_nothing(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Approve").unwrap();
        let mut payload_of_dan = press(DAN, "approve", &button(&card, "Approve")["value"]);
        payload_of_dan["user"] = json!({
            "id": DAN, "team_id": TEAM, "name": "bo", "username": "bo", "email": "bo@acme.test",
            "profile": { "email": "bo@acme.test" },
        });
        payload_of_dan["user_id"] = json!(BO);
        payload_of_dan["actions"][0]["user"] = json!({ "id": BO });
        payload_of_dan["message"] = json!({ "user": BO, "text": "Approved by Bo" });
        let signed = house.signed("/slack/interactions", payload(&payload_of_dan));
        assert_eq!(house.send(&signed).await.0, 200);
        assert!(house.hears_more(DAN, 0).await.contains("not a reviewer"));
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    /// A display name is theirs to choose.
    async fn who_is_called_bo_is_not_bo(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.slack.add_person(Person::new("U0FAKE", "Bo", "fake@acme.test"));
        let told = house.hears("U0FAKE", CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        house.slack.add_person(Person::new("U0FAKE2", "bo@acme.test", "fake2@acme.test"));
        let told = house.hears("U0FAKE2", CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// The petitioner's own buttons go by the person as well, not by the account that pressed.
    async fn the_petitioner_without_an_address_any_more_is_nobody(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.slack.update_person("U0ANA", |ana| ana.email = None);
        let told = house.hears("U0ANA", "U0ANA", "I'm done").await;
        assert!(told.contains("e-mail"), "{told}");
        assert!(house.allows("ana", "123").await, "nobody gave it back");
        house.finish().await;
    }
}
