//! Slack is slow, broken, or lets the bot in nowhere: what was acknowledged still arrives, what was not is not there.

use std::time::{Duration, Instant};

use latchkey::demo::workspace::Fault;

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, House},
    office::{hours, minutes},
};

const POST: &str = "chat.postMessage";

/// Faults after which nothing was done.
fn outages() -> Vec<Fault> {
    vec![
        Fault::Status(500),
        Fault::Status(503),
        Fault::Html,
        Fault::Hang,
        Fault::Reset,
        Fault::ApiError("internal_error".to_owned()),
        Fault::ApiError("service_unavailable".to_owned()),
    ]
}

/// Every destination has its message, and just one.
async fn expect_everybody_told_once(house: &House) {
    let all = |house: &House| {
        [BO, CY, CHANNEL, ANA].iter().all(|place| !house.slack.messages(place).is_empty()).then_some(())
    };
    house.advance_until("everybody has their message", all).await;
    for place in [BO, CY, CHANNEL, ANA] {
        assert_eq!(house.slack.messages(place).len(), 1, "{place}: {}", house.reads(place));
    }
}

both_databases! {
    async fn a_card_arrives_in_the_end_and_once(db: TestDb) {
        let house = House::new(db).await;
        for (number, fault) in outages().into_iter().enumerate() {
            let times = if fault == Fault::Hang { 4 } else { 9 };
            house.slack.fault(Some(POST), times, fault.clone());
            let answer = house.types(ANA, &format!("customer 123 for 1h to debug BUG-{number}")).await;
            assert!(answer.text().contains("You asked for"), "{fault:?}: {}", answer.text());
            house.settle().await;
            let ticket = format!("BUG-{number}");
            let count = |house: &House, place: &str| {
                house.slack.messages(place).iter().filter(|message| message.plain().contains(&ticket)).count()
            };
            let told = |house: &House| [BO, CY, CHANNEL, ANA].iter().all(|place| count(house, place) > 0).then_some(());
            house.advance_until("everybody has their message", told).await;
            house.slack.clear_faults();
            for place in [BO, CY, CHANNEL, ANA] {
                assert_eq!(count(&house, place), 1, "{fault:?} {place}: {}", house.reads(place));
            }
        }
        house.finish().await;
    }

    async fn slacks_retry_after_is_kept_to(db: TestDb) {
        let house = House::new(db).await;
        let started = Instant::now();
        house.slack.fault(Some(POST), 4, Fault::RateLimited { retry_after: 1 });
        house.types(ANA, COMMAND).await;
        house.settle().await;
        assert_eq!(house.reads(CHANNEL), "");
        expect_everybody_told_once(&house).await;
        assert!(started.elapsed() >= Duration::from_secs(1), "sooner than Slack wanted");
        let posts = house.slack.calls().iter().filter(|call| call.method == POST).count();
        assert_eq!(posts, 8, "asked once each, told to wait, and asked once each again");
        house.finish().await;
    }

    /// An update that failed is made up for, and shows what is so by then.
    async fn a_card_that_could_not_be_updated_is_in_the_end(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.slack.fault(Some("chat.update"), 6, Fault::Status(502));
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await, "Slack's trouble does not keep a decision from counting");
        let updated = |house: &House| {
            [BO, CY, CHANNEL].iter().all(|place| house.with_button(place, "Approve").is_none()).then_some(())
        };
        house.advance_until("the cards show it", updated).await;
        house.advance_until("Ana can give it back", |house| house.with_button(ANA, "I'm done")).await;
        house.finish().await;
    }

    /// Nobody knows who typed it, so nothing is stored, and they hear so within Slack's three seconds.
    async fn a_command_of_nobody_knows_whom_stores_nothing(db: TestDb) {
        let house = House::plan(db).in_time().build().await;
        for fault in outages().into_iter().chain([Fault::RateLimited { retry_after: 1 }]) {
            house.slack.fault(Some("users.info"), 1, fault.clone());
            let answer = house.types(ANA, COMMAND).await;
            assert_eq!(answer.problem, None, "{fault:?}");
            assert!(answer.text().to_lowercase().contains("try again"), "{fault:?}: {}", answer.text());
        }
        house.settle().await;
        house.expect_record(&[]).await;
        assert_eq!(house.reads(CHANNEL), "");
        house.finish().await;
    }

    async fn a_click_of_nobody_knows_whom_decides_nothing(db: TestDb) {
        let house = House::plan(db).in_time().build().await;
        house.asked().await;
        for fault in outages() {
            house.slack.fault(Some("users.info"), 1, fault.clone());
            let told = house.hears(BO, BO, "Approve").await;
            assert!(told.to_lowercase().contains("try again"), "{fault:?}: {told}");
            assert!(!house.allows("ana", "123").await, "{fault:?}");
        }
        house.expect_record(&["petition.opened"]).await;
        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// The facts of an earlier approver cannot be had: the last claim decides nothing, and can be made again.
    async fn with_an_earlier_approver_unknown_nothing_is_decided(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.slack.fault(Some("users.info"), 2, Fault::Status(500));
        let told = house.hears(CY, CY, "Approve").await;
        assert!(told.to_lowercase().contains("try again"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.slack.clear_faults();
        house.press(CY, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn a_form_that_slack_does_not_open_is_said(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.slack.fault(Some("views.open"), 1, Fault::ApiError("expired_trigger_id".to_owned()));
        let told = house.hears(BO, BO, "Deny").await;
        assert!(told.to_lowercase().contains("again"), "{told}");
        house.denies(BO, "second try").await;
        house.finish().await;
    }

    /// During the submission of a form nobody can be looked up: the form stays with what was typed in it.
    async fn a_form_of_nobody_knows_whom_stays_open(db: TestDb) {
        let house = House::plan(db).in_time().build().await;
        house.asked().await;
        let view = house.opens_deny(BO).await;
        house.slack.fault(Some("users.info"), 1, Fault::Hang);
        let answer = house.slack.submit(BO, &view.id, &[("reason", "not today")]).await;
        assert_eq!(answer.problem, None);
        assert!(answer.text().to_lowercase().contains("try again"), "{}", answer.text());
        assert!(house.slack.view(BO).is_some());
        house.expect_record(&["petition.opened"]).await;
        let answer = house.slack.submit(BO, &view.id, &[("reason", "not today")]).await;
        assert_eq!(answer.problem, None);
        house.settle().await;
        house.expect_record(&["petition.opened", "claim.made", "petition.denied"]).await;
        house.finish().await;
    }

    /// The way back to whoever pressed may be closed; there are others.
    async fn an_explanation_takes_another_way(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.slack.fault(Some("response_url"), 1, Fault::Status(500));
        let told = house.hears("U0DAN", CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        house.finish().await;
    }

    async fn a_closed_channel_keeps_nobody_else_from_the_card(db: TestDb) {
        let rule = format!("{ONE_LEAD}\nnotify = [\"C0OLD\", \"C0SECRET\", \"C0NOSUCH\", \"C0ACCESS\"]");
        let house = House::plan(db).file(&file(&["bo", "cy", "nobody"], "", &rule)).build().await;
        house.slack.add_channel("C0OLD", "old", &[ANA], true);
        house.slack.archive_channel("C0OLD");
        house.slack.add_channel("C0SECRET", "secret", &[ANA], false);
        house.asked().await;
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_some(), "{place}");
        }
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.with_button(CHANNEL, "Approve").is_none());
        assert!(house.with_button(ANA, "I'm done").is_some());
        house.advance(minutes(5)).await;
        house.finish().await;
    }

    /// Over before the card could be posted: nobody is asked what is no question any more, but the petitioner hears.
    async fn a_card_that_comes_too_late_does_not_come(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some(POST), 1_000, Fault::Status(500));
        house.types(ANA, COMMAND).await;
        house.settle().await;
        house.advance(hours(24)).await;
        house.expect_record(&["petition.opened", "petition.undecided"]).await;
        house.slack.clear_faults();
        house.advance(minutes(10)).await;
        for place in [BO, CY, CHANNEL] {
            assert_eq!(house.reads(place), "", "{place}");
        }
        assert!(house.reads(ANA).contains("Nobody decided your petition"), "{}", house.reads(ANA));
        house.finish().await;
    }
}
