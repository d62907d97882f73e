//! The card: what a reviewer weighs, and that every copy of it says the same as things go on.

use latchkey::demo::workspace::{Fault, Person};

use crate::harness::{
    acts::{ONE_LEAD, button, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, DAN, FILE, House},
    office::{hours, minutes, seconds},
};

const EVE: &str = "U0EVE";

/// The card that still has its buttons, in somebody's messages or in a channel.
fn card(house: &House, place: &str) -> String {
    house.with_button(place, "Approve").unwrap_or_else(|| panic!("no card: {}", house.reads(place))).plain()
}

fn entitle(house: &House) {
    house.slack.update_person(ANA, |ana| ana.title = "Support <!channel> Engineer".to_owned());
}

both_databases! {
    async fn it_says_who_asks_for_which_customer_and_what_else_they_hold(db: TestDb) {
        let house = House::new(db).await;
        entitle(&house);
        house.types(ANA, "customer Globex for 6h to debug BUG-1").await;
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.advance(minutes(30)).await;
        house.asked().await;
        for place in [BO, CY, CHANNEL] {
            let card = card(&house, place);
            assert!(card.contains(", Support <!channel> Engineer, asks for access to AcmeCorp (123) for 4h."), "{card}");
            assert!(card.contains("Customer: enterprise plan"), "{card}");
            assert!(card.contains("there is also Acme Corp Labs (124)."), "{card}");
            assert!(card.contains("ana also has Globex (200) until"), "{card}");
            assert!(card.contains("Rule “enterprise”. It takes 1 approval: 1 of group:leads."), "{card}");
            let end = (house.now() + hours(4)).as_second();
            assert!(card.contains(&format!("it ends <!date^{end}^")), "{card}");
        }
        // The other customer is warned of as well, and what they hold of the same one is said first.
        house.press(BO, "Approve").await;
        house.settle().await;
        house.types(ANA, "customer 124 for 1h to compare BUG-482").await;
        house.settle().await;
        assert!(card(&house, BO).contains("there is also AcmeCorp (123)."), "{}", card(&house, BO));
        house.types(ANA, "customer 123 for 5h to compare BUG-484").await;
        house.settle().await;
        let card = card(&house, CY);
        assert!(card.contains("ana already has access to this customer until") && card.contains("Besides, Globex (200)"), "{card}");
        house.finish().await;
    }

    /// Who decides about some customers learns nothing of who has access to others.
    async fn what_is_not_for_its_readers_is_only_counted(db: TestDb) {
        let apart = "require = [{ reviewers = [\"dan@acme.test\"] }]\nnotify = []";
        let leads = "require = [{ reviewers = [\"group:leads\"] }]\nnotify = [\"C0ACCESS\"]";
        let house = House::plan(db).file(&FILE.replacen(leads, apart, 1)).build().await;
        house.asked().await;
        house.press(DAN, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.types(ANA, "customer Globex for 6h to debug BUG-1").await;
        house.settle().await;
        for place in [BO, CHANNEL] {
            let card = card(&house, place);
            assert!(card.contains("ana also has access to 1 other customer.") && !card.contains("AcmeCorp"), "{card}");
        }
        house.finish().await;
    }

    /// Without an answer to a side question the card goes out all the same.
    async fn what_slack_does_not_say_is_left_out(db: TestDb) {
        let rule = format!("{ONE_LEAD}\nescalate = {{ after = \"30m\", to = [\"dan@acme.test\"] }}");
        let house = House::plan(db).file(&file(&["bo", "cy"], "", &rule)).build().await;
        entitle(&house);
        house.asked().await;
        assert!(card(&house, CHANNEL).contains("Engineer, asks"), "{}", card(&house, CHANNEL));
        house.slack.fault(Some("users.info"), 500, Fault::Status(500));
        house.advance(minutes(30)).await;
        for place in [CHANNEL, BO, DAN] {
            let card = card(&house, place);
            assert!(card.contains("Escalated") && card.contains("asks for access") && !card.contains("Engineer"), "{card}");
        }
        house.slack.clear_faults();
        house.press(DAN, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn every_reviewer_is_told_why_they_are_asked(db: TestDb) {
        let rule = r#"require = [{ reviewers = ["bo@acme.test", "group:leads", "slack:S0SEC"] }]
            escalate = { after = "30m", to = ["eve@acme.test"] }"#;
        let house = House::plan(db).file(&file(&["cy"], "", rule)).build().await;
        house.slack.add_person(Person::new(EVE, "Eve", "eve@acme.test"));
        house.slack.set_usergroup("S0SEC", "security", &[DAN]);
        house.asked().await;
        house.advance(minutes(30)).await;
        for (user, because) in [
            (BO, "you are named in rule “everyone”"),
            (CY, "you are in group:leads"),
            (DAN, "you are in the Slack group S0SEC"),
            (EVE, "nobody decided for 30m"),
        ] {
            let card = card(&house, user);
            assert!(card.contains(&format!("You are asked because {because}.")), "{card}");
        }
        let channel = card(&house, CHANNEL);
        assert!(!channel.contains("You are asked") && channel.contains("It takes 1 approval: 1 of bo@acme.test"), "{channel}");
        house.finish().await;
    }

    /// Two lines, each by somebody else; every copy, and the Home tab, follows each step.
    async fn who_approved_and_who_is_wanted_still_is_on_every_copy(db: TestDb) {
        let rule = r#"require = [{ reviewers = ["group:leads"] }, { reviewers = ["slack:S0SEC"] }]"#;
        let house = House::plan(db).file(&file(&["bo", "cy"], "", rule)).build().await;
        house.slack.set_usergroup("S0SEC", "security", &[DAN]);
        for user in [BO, DAN] {
            house.slack.open_home(user).await;
        }
        house.asked().await;
        let home = |user| house.slack.home(user).unwrap().plain();
        assert!(home(BO).contains("Waiting for you") && home(DAN).contains("Waiting for you"), "{}", home(DAN));
        for place in [BO, CY, DAN, CHANNEL] {
            let card = card(&house, place);
            assert!(card.contains("It takes 2 approvals: 1 of group:leads; 1 of slack:S0SEC."), "{card}");
        }
        house.press_in(BO, CHANNEL, "Approve").await;
        house.settle().await;
        for place in [BO, CY, DAN, CHANNEL] {
            let card = card(&house, place);
            assert!(card.contains("1 of 2 approvals so far, from bo. Still needed: 1 of slack:S0SEC."), "{card}");
            assert_eq!(card.contains("You approved it"), place == BO, "{card}");
        }
        assert!(!home(BO).contains("Waiting for you"), "{}", home(BO));
        assert!(home(DAN).contains("1 of 2 approvals so far, from bo."), "{}", home(DAN));
        let posts = |place| house.slack.messages(place).iter().filter(|message| !message.is_reply()).count();
        let before = [BO, CY, DAN, CHANNEL].map(posts);
        house.advance(seconds(1)).await;
        house.press(DAN, "Approve").await;
        house.settle().await;
        for place in [BO, CY, DAN, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_none(), "{}", house.reads(place));
            assert!(house.reads(place).contains("Approved by bo and dan"), "{}", house.reads(place));
        }
        assert!(!home(DAN).contains("Waiting for you"), "{}", home(DAN));
        assert_eq!([BO, CY, DAN, CHANNEL].map(posts), before, "an outcome is no new post");
        house.finish().await;
    }

    async fn what_a_rule_marks_sensitive_is_asked_once_more(db: TestDb) {
        let rule = format!("{ONE_LEAD}\nsensitive = true");
        let house = House::plan(db).file(&file(&["bo"], "roles = [\"admin\"]", &rule)).build().await;
        house.slack.open_home(BO).await;
        house.asked().await;
        for place in [BO, CHANNEL] {
            let approve = button(&house.with_button(place, "Approve").unwrap(), "Approve");
            let asks = approve["confirm"]["text"]["text"].as_str().unwrap_or_default();
            assert_eq!(asks, "ana gets admin access to AcmeCorp (123) for 4h. The rule marks this as sensitive.");
        }
        let home = house.slack.home(BO).unwrap().value.to_string();
        assert!(home.contains("The rule marks this as sensitive."), "{home}");
        house.press(BO, "Approve for…").await;
        let form = house.slack.view(BO).expect("the form").plain();
        assert!(form.contains("Sensitive:") && form.contains("admin access to AcmeCorp (123)"), "{form}");
        house.finish().await;
    }

    async fn what_is_not_sensitive_is_approved_at_once(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let approve = button(&house.with_button(BO, "Approve").unwrap(), "Approve");
        assert_eq!(approve["confirm"], serde_json::Value::Null);
        house.finish().await;
    }
}
