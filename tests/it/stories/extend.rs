//! Extend: by the button and by the word, through the rule, without a gap.

use latchkey::demo::workspace::Answer;

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CHANNEL, DAN, FILE, House},
    office::{hours, minutes, seconds},
};

/// One hour may be added without a reviewer.
fn generous() -> String {
    FILE.replace("max_duration = \"8h\"\n", "max_duration = \"8h\"\nextend_without_approval = \"1h\"\n")
}

/// Ana presses Extend wherever it stands, and sends the form.
async fn extends(house: &House, values: &[(&str, &str)]) -> Answer {
    house.press(ANA, "Extend").await;
    let form = house.slack.view(ANA).expect("a form is open");
    house.slack.submit(ANA, &form.id, values).await
}

async fn end(house: &House) -> String {
    house.check("ana", "123").await.1["expires_at"].as_str().expect("she has access").to_owned()
}

both_databases! {
    /// I4: one grant with the new end, and no revoke.
    async fn the_button_asks_and_the_reviewers_decide(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        let old_end = house.now() + hours(4);
        house.advance(hours(1)).await;
        let sent = extends(&house, &[("extend-usual", "2h"), ("extend-reason", "BUG-482 is harder than it looked")]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        house.settle().await;
        assert_eq!(end(&house).await, old_end.to_string(), "asking moves nothing");
        let card = house.reads(BO);
        assert!(card.contains("asks to extend access to AcmeCorp (123) by 2h, from"), "{card}");
        assert!(card.contains("BUG-482 is harder than it looked"), "{card}");
        assert!(house.reads(ANA).contains("An extension by 2h waits for approval"), "{}", house.reads(ANA));
        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(end(&house).await, (old_end + hours(2)).to_string());
        assert_eq!(house.applied(), ["access/grant", "access/grant"]);
        let (ana, channel) = (house.reads(ANA), house.reads(CHANNEL));
        assert!(ana.contains("It goes on as petition") && ana.contains("It extended petition"), "{ana}");
        assert!(channel.contains("by a newer petition"), "{channel}");
        house.advance(hours(3)).await;
        assert!(house.allows("ana", "123").await, "the old end has passed");
        house.advance(hours(2)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant", "access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// Where it matters most.
    async fn the_warning_has_the_button(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.advance(hours(4) - minutes(10)).await;
        let warning = house.with_button(ANA, "Extend").expect("the warning");
        assert!(warning.thread_ts.is_some() && warning.plain().contains("press Extend"), "{}", warning.plain());
        house.slack.press(ANA, &warning, "Extend").await;
        let form = house.slack.view(ANA).expect("a form is open");
        assert!(form.plain().contains("AcmeCorp (123)") && form.plain().contains("by 7h 50m at most"), "{}", form.plain());
        let sent = house.slack.submit(ANA, &form.id, &[("extend-other", "45m")]).await;
        assert_eq!(sent.problem, None, "the old reason is good enough: {}", sent.text());
        house.settle().await;
        assert!(house.reads(BO).contains("by 45m, from"), "{}", house.reads(BO));
        house.finish().await;
    }

    async fn what_is_wrong_in_the_form_is_said_there(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        for (typed, wrong) in [("soon", "not a length"), ("20h", "8h"), ("4h 1s", "by 4h or less")] {
            extends(&house, &[("extend-other", typed)]).await;
            let form = house.slack.view(ANA).expect("the form stays open");
            assert!(form.errors["extend-other"].contains(wrong), "{typed}: {:?}", form.errors);
            house.slack.close(ANA, &form.id).await;
        }
        // Somebody else who presses what they see is told so.
        house.settle().await;
        let message = house.with_button(ANA, "Extend").unwrap();
        house.slack.press(DAN, &message, "Extend").await;
        let told = house.told(DAN).await;
        assert!(told.contains("Only ana can extend"), "{told}");
        assert!(house.slack.view(DAN).is_none());
        house.finish().await;
    }

    async fn the_word_does_the_same(db: TestDb) {
        let house = House::new(db).await;
        let none = house.types(ANA, "extend 123 by 2h").await;
        assert!(none.text().contains("You have no access to “123” now"), "{}", none.text());
        house.granted().await;
        let old_end = house.now() + hours(4);
        let said = house.types(ANA, "extend").await;
        assert!(said.text().contains("/access extend 123 by 2h"), "{}", said.text());
        let said = house.types(ANA, "extend AcmeCorp").await;
        assert!(said.text().contains("Say how much longer"), "{}", said.text());
        let said = house.types(ANA, "extend 124 by 2h").await;
        assert!(said.text().contains("You have no access to “124” now"), "{}", said.text());
        let said = house.types(ANA, "extend 123 by 9h").await;
        assert!(said.text().contains("Extend it by 4h or less"), "{}", said.text());
        let said = house.types(ANA, "exted 123 by 2h").await;
        assert!(said.text().contains("/access extend 123 by 2h"), "{}", said.text());
        let said = house.types(ANA, "extend acmecorp for another 2h because BUG-482 is not done").await;
        assert!(said.text().contains("You asked to extend your access to AcmeCorp (123) by 2h"), "{}", said.text());
        house.settle().await;
        let again = house.types(ANA, "extend 123 3h").await;
        assert!(again.text().contains("You asked before"), "{}", again.text());
        assert!(house.reads(BO).contains("BUG-482 is not done"), "{}", house.reads(BO));
        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(end(&house).await, (old_end + hours(2)).to_string());
        let help = house.types(ANA, "help extend").await;
        assert!(help.text().contains("/access extend 123 by 2h"), "{}", help.text());
        house.finish().await;
    }

    /// Part 5 and 7: no reviewer is asked or pinged, and the channel gets one line.
    async fn what_the_rule_allows_beforehand_stands_at_once(db: TestDb) {
        let house = House::plan(db).file(&generous()).build().await;
        house.granted().await;
        let old_end = house.now() + hours(4);
        let posts = |place| house.slack.messages(place).iter().filter(|message| !message.is_reply()).count();
        let (bo, channel) = (posts(BO), posts(CHANNEL));
        let said = house.types(ANA, "extend 123 by 40m").await;
        assert!(said.text().contains("pre-approved by rule “enterprise”"), "{}", said.text());
        house.settle().await;
        assert_eq!(end(&house).await, (old_end + minutes(40)).to_string());
        assert_eq!(house.applied(), ["access/grant", "access/grant"]);
        assert_eq!(posts(BO), bo, "no reviewer hears of it: {}", house.reads(BO));
        assert_eq!(posts(CHANNEL), channel + 1, "{}", house.reads(CHANNEL));
        assert!(house.reads(CHANNEL).contains("extended access to AcmeCorp (123) by 40m"), "{}", house.reads(CHANNEL));
        assert!(house.reads(ANA).contains("pre-approved by rule “enterprise”"), "{}", house.reads(ANA));
        house.advance(seconds(90)).await;
        let said = house.types(ANA, "extend 123 by 21m").await;
        assert!(said.text().contains("Waiting for approval"), "the hour is used up: {}", said.text());
        house.settle().await;
        let record = house.record().await;
        assert_eq!(record.iter().filter(|word| *word == "petition.granted").count(), 2, "{record:?}");
        assert_eq!(record.iter().filter(|word| *word == "claim.made").count(), 1, "{record:?}");
        house.finish().await;
    }
}
