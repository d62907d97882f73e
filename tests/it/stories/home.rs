//! The Home tab: what its reader has, what waits, what was; fresh on opening and after each change.

use latchkey::demo::workspace::{Fault, Message, Person};

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CY, FILE, House, PATIENCE},
    office::{hours, minutes},
};

async fn opens(house: &House, user: &str) {
    let answer = house.slack.open_home(user).await;
    assert_eq!(answer.problem, None, "{}", answer.text());
    house.settle().await;
}

fn sees(house: &House, user: &str) -> String {
    house.slack.home(user).map(|home| home.plain()).unwrap_or_default()
}

async fn presses(house: &House, user: &str, button: &str) {
    let answer = house.slack.press_home(user, button).await;
    assert_eq!(answer.problem, None, "{}", answer.text());
    house.settle().await;
}

both_databases! {
    async fn an_empty_home_teaches(db: TestDb) {
        let house = House::new(db).await;
        opens(&house, ANA).await;
        let home = sees(&house, ANA);
        assert!(home.contains("/access customer 123 for 4h to debug BUG-482") && home.contains("24h at most"), "{home}");
        assert_eq!(house.slack.home(ANA).unwrap().buttons(), ["Request access"]);
        house.finish().await;
    }

    /// Nobody presses anything in a message: all of it is done from Home.
    async fn it_follows_every_change_and_its_buttons_work(db: TestDb) {
        let house = House::new(db).await;
        opens(&house, ANA).await;
        opens(&house, BO).await;
        house.asked().await;
        let (ana, bo) = (sees(&house, ANA), sees(&house, BO));
        assert!(ana.contains("You wait for") && ana.contains("AcmeCorp (123) for 4h"), "{ana}");
        assert!(bo.contains("Waiting for you") && bo.contains("asks for access to AcmeCorp (123) for 4h"), "{bo}");
        presses(&house, ANA, "Cancel request").await;
        assert!(!sees(&house, BO).contains("Waiting for you"), "{}", sees(&house, BO));
        let ana = sees(&house, ANA);
        assert!(ana.contains("Recent") && ana.contains("You cancelled your petition"), "{ana}");
        house.types(ANA, "customer 123 for 2h to debug BUG-483").await;
        house.settle().await;
        presses(&house, BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        let ana = sees(&house, ANA);
        assert!(ana.contains("You have") && ana.contains("production: applied"), "{ana}");
        presses(&house, ANA, "Extend").await;
        let form = house.slack.view(ANA).expect("the form of Extend");
        assert_eq!(house.slack.submit(ANA, &form.id, &[("extend-usual", "1h")]).await.problem, None);
        house.settle().await;
        let (ana, bo) = (sees(&house, ANA), sees(&house, BO));
        assert!(ana.contains("You asked to extend") && !house.slack.home(ANA).unwrap().buttons().contains(&"Extend".to_owned()), "{ana}");
        assert!(bo.contains("asks to extend access to AcmeCorp (123) by 1h"), "{bo}");
        presses(&house, BO, "Deny").await;
        let form = house.slack.view(BO).expect("the form of Deny");
        assert_eq!(house.slack.submit(BO, &form.id, &[("reason", "two hours are enough")]).await.problem, None);
        house.settle().await;
        assert!(sees(&house, ANA).contains("bo denied your petition"), "{}", sees(&house, ANA));
        presses(&house, ANA, "I'm done").await;
        assert!(!house.allows("ana", "123").await);
        assert!(sees(&house, ANA).contains("You gave back your access"), "{}", sees(&house, ANA));
        for button in ["Request access", "Ask again"] {
            presses(&house, ANA, button).await;
            let shown = |slack: &latchkey::demo::workspace::Workspace| {
                let typed = slack.messages(ANA).into_iter().any(|one| one.plain().contains("/access customer 123 for"));
                (slack.view(ANA).is_some() || typed).then_some(())
            };
            assert!(house.slack.wait_for(button, PATIENCE, shown).await.is_ok(), "{}", house.reads(ANA));
        }
        house.finish().await;
    }

    /// What time does is a change like any other.
    async fn it_follows_the_clock(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        opens(&house, ANA).await;
        assert!(house.slack.home(ANA).unwrap().buttons().contains(&"I'm done".to_owned()));
        house.advance(hours(4)).await;
        let home = sees(&house, ANA);
        assert!(home.contains("is over: its time was up") && home.contains("No access now"), "{home}");
        house.finish().await;
    }

    async fn who_never_opened_it_costs_nothing(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        assert!(house.slack.calls().iter().all(|call| call.method != "views.publish"));
        assert!(house.slack.home(CY).is_none());
        opens(&house, CY).await;
        house.advance(hours(24 * 31)).await;
        let published = || house.slack.calls().iter().filter(|call| call.method == "views.publish").count();
        let before = published();
        house.types(ANA, "customer 123 for 1h to debug BUG-484").await;
        house.settle().await;
        assert_eq!(published(), before, "opened too long ago");
        opens(&house, CY).await;
        assert!(sees(&house, CY).contains("BUG-484"), "{}", sees(&house, CY));
        house.finish().await;
    }

    /// Reviewers who get no card by message see it here all the same.
    async fn a_rule_without_messages_shows_it_here(db: TestDb) {
        let file = FILE.replace("notify = [\"C0ACCESS\"]", "notify = [\"C0ACCESS\"]\ndm = false");
        let house = House::plan(db).file(&file).build().await;
        opens(&house, BO).await;
        house.asked().await;
        assert!(house.slack.messages(BO).is_empty());
        assert!(sees(&house, BO).contains("Waiting for you"), "{}", sees(&house, BO));
        presses(&house, BO, "Approve").await;
        assert!(!sees(&house, BO).contains("Waiting for you"), "{}", sees(&house, BO));
        house.finish().await;
    }

    /// A button that does not apply any more explains itself, in a message.
    async fn a_stale_home_explains(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        opens(&house, BO).await;
        house.slack.fault(Some("views.publish"), 99, Fault::Status(500));
        house.press(CY, "Approve").await;
        house.settle().await;
        let answer = house.slack.press_home(BO, "Approve").await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        let explained = |messages: Vec<Message>| messages.into_iter().find(|one| one.plain().contains("already approved by cy"));
        let told = house.slack.wait_for("the explanation", PATIENCE, |slack| explained(slack.messages(BO))).await;
        assert!(told.is_ok(), "{}", house.reads(BO));
        house.slack.clear_faults();
        house.advance(minutes(5)).await;
        assert!(!sees(&house, BO).contains("Waiting for you"), "{}", sees(&house, BO));
        house.finish().await;
    }

    async fn guests_and_strangers_read_what_to_do(db: TestDb) {
        let house = House::new(db).await;
        house.slack.add_person(Person { is_restricted: true, ..Person::new("U0GUEST", "Gus", "gus@acme.test") });
        opens(&house, "U0GUEST").await;
        let home = sees(&house, "U0GUEST");
        assert!(home.contains("ask an administrator"), "{home}");
        assert!(house.slack.home("U0GUEST").unwrap().buttons().is_empty());
        house.slack.add_person(Person { email: None, ..Person::new("U0EVE", "Eve", "eve@acme.test") });
        opens(&house, "U0EVE").await;
        assert!(sees(&house, "U0EVE").contains("e-mail"), "{}", sees(&house, "U0EVE"));
        house.finish().await;
    }

    /// Slack says to wait: the tab waits, and then shows what is so by then.
    async fn a_refused_publish_is_tried_again(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some("views.publish"), 1, Fault::Status(500));
        opens(&house, ANA).await;
        assert!(house.slack.home(ANA).is_none());
        house.asked().await;
        house.advance(minutes(3)).await;
        assert!(sees(&house, ANA).contains("You wait for"), "{}", sees(&house, ANA));
        house.finish().await;
    }

    /// Many petitions fit what Slack takes, and the rest is counted.
    async fn a_long_list_is_cut_and_counted(db: TestDb) {
        let house = House::new(db).await;
        opens(&house, BO).await;
        for number in 0..13 {
            house.types(ANA, &format!("customer 123 for 1h to debug BUG-{number}")).await;
        }
        house.settle().await;
        let home = sees(&house, BO);
        assert!(home.contains("And 3 more petitions"), "{home}");
        opens(&house, ANA).await;
        assert!(sees(&house, ANA).contains("And 3 more petitions"), "{}", sees(&house, ANA));
        house.finish().await;
    }
}
