//! Slack posts a message and its answer is lost: it is found again and followed, and nobody is told the same twice.

use jiff::{SignedDuration, tz::TimeZone};
use latchkey::demo::workspace::{Fault, Message};

use crate::harness::{
    acts::{TWO_LEADS, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, House},
    office::{hours, minutes, seconds},
};

const POST: &str = "chat.postMessage";
const HISTORY: &str = "conversations.history";
const PLACES: [&str; 4] = [BO, CY, CHANNEL, ANA];

fn posts(house: &House, place: &str) -> Vec<Message> {
    house.slack.messages(place).into_iter().filter(|message| !message.is_reply()).collect()
}

fn replies(house: &House, place: &str) -> Vec<Message> {
    house.slack.messages(place).into_iter().filter(Message::is_reply).collect()
}

fn expect_one_each(house: &House) {
    for place in PLACES {
        assert_eq!(posts(house, place).len(), 1, "{place}: {}", house.reads(place));
    }
}

/// Ana asks, and no answer to the first post of any of the four comes back.
async fn asked_in_vain(house: &House) {
    house.slack.fault(Some(POST), 4, Fault::Lost);
    house.types(ANA, COMMAND).await;
    house.settle().await;
    expect_one_each(house);
}

fn a_moment() -> SignedDuration {
    SignedDuration::from_millis(1)
}

both_databases! {
    async fn cards_and_the_petitioners_message_are_there_once_and_follow(db: TestDb) {
        let house = House::new(db).await;
        asked_in_vain(&house).await;
        house.advance(minutes(10)).await;
        expect_one_each(&house);
        house.press(BO, "Approve").await;
        house.settle().await;
        expect_one_each(&house);
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_none(), "{place}: {}", house.reads(place));
        }
        assert!(house.with_button(ANA, "I'm done").is_some(), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// Before it is known where the cards stand, somebody decides on one: they all show it.
    async fn what_is_decided_meanwhile_is_shown_where_nobody_knew_of_a_card(db: TestDb) {
        let house = House::new(db).await;
        asked_in_vain(&house).await;
        house.clock.advance(a_moment());
        house.press_in(BO, CHANNEL, "Approve").await;
        house.settle().await;
        house.advance(minutes(10)).await;
        expect_one_each(&house);
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_none(), "{place}: {}", house.reads(place));
            assert!(house.reads(place).contains("Approved"), "{place}: {}", house.reads(place));
        }
        assert!(house.with_button(ANA, "I'm done").is_some(), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// What is said in threads: the approval under the card, the decision under the petitioner's message.
    async fn a_reply_is_there_once(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        house.slack.fault(Some(POST), 1, Fault::Lost);
        house.press(BO, "Approve").await;
        house.settle().await;
        house.advance(minutes(5)).await;
        assert_eq!(replies(&house, CHANNEL).len(), 1, "{}", house.reads(CHANNEL));
        house.slack.fault(Some(POST), 2, Fault::Lost);
        house.press(CY, "Approve").await;
        house.settle().await;
        house.advance(minutes(5)).await;
        assert_eq!(replies(&house, CHANNEL).len(), 2, "{}", house.reads(CHANNEL));
        assert_eq!(replies(&house, ANA).len(), 1, "{}", house.reads(ANA));
        expect_one_each(&house);
        house.finish().await;
    }

    async fn a_reminder_is_there_once_and_follows(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo"], "pending_for = \"72h\"", r#"require = [{ reviewers = ["group:leads"] }]"#)).build().await;
        let here = |house: &House| TimeZone::UTC.to_datetime(house.now());
        while here(&house).hour() != 10 || here(&house).date().weekday() != jiff::civil::Weekday::Tuesday {
            house.clock.advance(hours(1));
        }
        house.settle().await;
        house.asked().await;
        let reminders = |house: &House| {
            posts(house, BO).into_iter().filter(|message| message.text.starts_with("Reminder:")).collect::<Vec<_>>()
        };
        house.slack.fault(Some(POST), 1, Fault::Lost);
        house.advance(minutes(62)).await;
        assert_eq!(reminders(&house).len(), 1, "{}", house.reads(BO));
        // Decided before it is known where the reminder stands.
        house.clock.advance(a_moment());
        house.press_in(BO, CHANNEL, "Approve").await;
        house.settle().await;
        house.advance(minutes(30)).await;
        let said = reminders(&house);
        assert_eq!(said.len(), 1, "{}", house.reads(BO));
        assert!(!said[0].plain().contains("BUG-482"), "{}", said[0].plain());
        house.finish().await;
    }

    /// Much was written there since; what is looked for is further back than one answer reaches.
    async fn it_is_found_behind_what_was_written_since(db: TestDb) {
        let house = House::new(db).await;
        asked_in_vain(&house).await;
        for number in 0..120 {
            house.slack.say(ANA, CHANNEL, &format!("word {number}")).await;
        }
        house.advance(minutes(10)).await;
        let ours = posts(&house, CHANNEL).into_iter().filter(|message| message.user == house.slack.bot_user_id());
        assert_eq!(ours.count(), 1);
        house.finish().await;
    }

    /// While Slack cannot tell, nothing is posted on the chance.
    async fn it_is_looked_for_until_slack_can_tell(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some(HISTORY), 12, Fault::Status(503));
        asked_in_vain(&house).await;
        house.advance(seconds(5)).await;
        expect_one_each(&house);
        for _ in 0..10 {
            house.advance(minutes(2)).await;
        }
        expect_one_each(&house);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.with_button(CHANNEL, "Approve").is_none());
        house.finish().await;
    }

    /// Where Slack will never tell, a copy is better than no card.
    async fn without_the_scope_it_is_posted_all_the_same(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some(HISTORY), 100, Fault::ApiError("missing_scope".to_owned()));
        asked_in_vain(&house).await;
        house.advance(minutes(10)).await;
        for place in PLACES {
            assert_eq!(posts(&house, place).len(), 2, "{place}: {}", house.reads(place));
        }
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert!(house.with_button(ANA, "I'm done").is_some(), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// Refused is not lost: nothing is looked for where nothing can be.
    async fn what_slack_refused_is_not_looked_for(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some(POST), 4, Fault::ApiError("restricted_action".to_owned()));
        house.types(ANA, COMMAND).await;
        house.settle().await;
        house.advance(minutes(10)).await;
        expect_one_each(&house);
        assert!(house.slack.calls().iter().all(|call| call.method != HISTORY));
        house.finish().await;
    }
}
