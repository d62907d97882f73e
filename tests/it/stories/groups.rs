//! Reviewers who are a Slack user group: whoever is in it when it counts.

use latchkey::demo::workspace::{Fault, Person};

use crate::harness::{
    acts::file,
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, DAN, House},
    office::{minutes, seconds},
};

const GROUP: &str = "S0LEADS";

async fn house(db: TestDb, count: usize, members: &[&str]) -> House {
    let rule = format!("require = [{{ reviewers = [\"slack:{GROUP}\"], count = {count} }}]");
    let house = House::plan(db).file(&file(&[], "", &rule)).build().await;
    house.slack.set_usergroup(GROUP, "leads", members);
    house
}

/// Everything that asks for the members of the group fails.
fn fail(house: &House, fault: Fault) {
    house.slack.fault(Some("usergroups.users.list"), 50, fault);
}

both_databases! {
    async fn members_get_the_card_and_decide(db: TestDb) {
        let house = house(db, 1, &[BO, CY, ANA, "U0GUEST"]).await;
        let guest = Person { is_restricted: true, ..Person::new("U0GUEST", "Guest", "guest@acme.test") };
        house.slack.add_person(guest);
        house.asked().await;
        for user in [BO, CY] {
            assert!(house.with_button(user, "Approve").is_some(), "{user} has no card");
        }
        for user in [ANA, DAN, "U0GUEST"] {
            assert!(house.with_button(user, "Approve").is_none(), "a card for {user}: {}", house.reads(user));
        }
        let told = house.hears(DAN, CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        house.press(CY, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert!(house.with_button(BO, "Revoke").is_some(), "Bo's card shows what became of it");
        house.finish().await;
    }

    async fn who_was_removed_a_moment_ago_has_lost_the_right(db: TestDb) {
        let house = house(db, 1, &[BO, CY]).await;
        house.asked().await;
        house.slack.set_usergroup(GROUP, "leads", &[CY]);
        let told = house.hears(BO, BO, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// And who was added has it, card or no card.
    async fn who_was_added_a_moment_ago_decides(db: TestDb) {
        let house = house(db, 1, &[BO]).await;
        house.asked().await;
        house.slack.set_usergroup(GROUP, "leads", &[DAN]);
        house.press_in(DAN, CHANNEL, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn an_approval_lapses_with_its_makers_membership(db: TestDb) {
        let house = house(db, 2, &[BO, CY, DAN]).await;
        house.asked().await;
        house.press(BO, "Approve").await;
        house.advance(seconds(1)).await;
        house.slack.set_usergroup(GROUP, "leads", &[CY, DAN]);
        house.press(CY, "Approve").await;
        house.advance(seconds(1)).await;
        assert!(!house.allows("ana", "123").await, "Bo's approval counts no more");
        house.press(DAN, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert!(house.reads(CHANNEL).contains("by cy and dan"), "{}", house.reads(CHANNEL));
        house.finish().await;
    }

    /// I9: with the group unknown nothing is decided, and whoever clicked is told to try again.
    async fn a_group_that_cannot_be_read_decides_nothing(db: TestDb) {
        let house = house(db, 1, &[BO]).await;
        house.asked().await;
        let broken = Fault::ApiError("fatal_error".to_owned());
        let faults = [Fault::Status(500), Fault::Html, Fault::Hang, Fault::Reset, broken];
        for fault in faults {
            house.slack.fault(Some("usergroups.users.list"), 1, fault.clone());
            let told = house.hears(BO, BO, "Approve").await;
            assert!(told.to_lowercase().contains("try again"), "{fault:?}: {told}");
            assert!(!house.allows("ana", "123").await, "{fault:?}");
        }
        house.expect_record(&["petition.opened"]).await;
        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Slack's outage keeps nobody from asking: the card follows when the group can be read again.
    async fn a_group_that_cannot_be_read_stops_nobody_from_asking(db: TestDb) {
        let house = house(db, 1, &[BO]).await;
        fail(&house, Fault::Status(503));
        let said = house.types(ANA, COMMAND).await.text();
        assert!(said.contains("You asked for"), "{said}");
        house.settle().await;
        assert!(house.with_button(CHANNEL, "Approve").is_some(), "the channel has the card all the same");
        assert!(house.with_button(BO, "Approve").is_none());
        house.slack.clear_faults();
        house.advance_until("Bo has the card", |house| house.with_button(BO, "Approve")).await;
        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// A member who is listed by e-mail too gets one card.
    async fn nobody_gets_two_cards(db: TestDb) {
        let rule = format!("require = [{{ reviewers = [\"slack:{GROUP}\", \"bo@acme.test\"] }}]");
        let house = House::plan(db).file(&file(&[], "", &rule)).build().await;
        house.slack.set_usergroup(GROUP, "leads", &[BO, CY]);
        house.asked().await;
        house.advance(minutes(5)).await;
        for user in [BO, CY] {
            assert_eq!(house.slack.messages(user).len(), 1, "{user}: {}", house.reads(user));
        }
        house.finish().await;
    }

    /// A group that somebody deleted has nobody in it.
    async fn a_group_that_is_gone_lets_nobody_decide(db: TestDb) {
        let house = house(db, 1, &[BO]).await;
        house.asked().await;
        house.slack.fault(Some("usergroups.users.list"), 1, Fault::ApiError("no_such_subteam".into()));
        let told = house.hears(BO, BO, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Of a group that cannot be read nobody knows who may decide, but everybody knows who asks.
    async fn a_group_that_cannot_be_read_keeps_nobody_from_the_form(db: TestDb) {
        let house = house(db, 1, &[BO]).await;
        fail(&house, Fault::Status(503));
        assert_eq!(house.types(ANA, "new 123 for 2h to debug BUG-482").await.problem, None);
        let form = house.slack.view(ANA).unwrap();
        assert!(form.value["state"].to_string().contains("AcmeCorp"), "{}", form.value["state"]);
        let offered = house.slack.suggest(ANA, "ask-customers", "acme").await.unwrap();
        assert_eq!(offered.len(), 2, "{offered:?}");
        house.slack.clear_faults();
        house.finish().await;
    }

    /// Who was not asked by a card of their own is, when it is escalated to a group that they are in.
    async fn who_was_asked_in_the_channel_alone_is_escalated_to(db: TestDb) {
        let rule = format!(
            "require = [{{ reviewers = [\"bo@acme.test\"] }}]\ndm = false\n\
             escalate = {{ after = \"30m\", to = [\"slack:{GROUP}\"] }}"
        );
        let house = House::plan(db).file(&file(&[], "", &rule)).build().await;
        house.slack.set_usergroup(GROUP, "leads", &[BO, CY]);
        house.asked().await;
        assert_eq!(house.reads(BO), "");
        house.advance(minutes(31)).await;
        for user in [BO, CY] {
            assert!(house.with_button(user, "Approve").is_some(), "{user}: {}", house.reads(user));
        }
        house.finish().await;
    }

    /// A group is asked for its members once a minute, however many petitions it is to decide.
    async fn a_group_is_not_read_for_each_petition(db: TestDb) {
        let house = house(db, 1, &[BO]).await;
        for number in 1..=5 {
            assert_eq!(house.types(ANA, &format!("customer 123 for {number}h to debug BUG-{number}")).await.problem, None);
        }
        house.settle().await;
        assert_eq!(house.slack.messages(BO).len(), 5);
        let reads = house.slack.calls().iter().filter(|call| call.method == "usergroups.users.list").count();
        // Two may ask at once for the first time.
        assert!(reads <= 3, "{reads}");
        house.finish().await;
    }
}
