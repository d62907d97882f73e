//! The history of a petition stands in the thread of its card: each event once, in order, and never as a new post.

use latchkey::demo::workspace::Fault;

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, House},
    office::{hours, minutes, seconds},
};

/// The replies under the card in a place, in order; everything else there is a card.
fn thread(house: &House, place: &str) -> Vec<String> {
    let messages = house.slack.messages(place);
    let cards: Vec<&str> = messages.iter().filter(|m| m.thread_ts.is_none()).map(|m| m.ts.as_str()).collect();
    let replies = messages.iter().filter_map(|message| Some((message.thread_ts.as_deref()?, message)));
    replies
        .map(|(above, message)| {
            assert!(cards.contains(&above), "a reply under nothing: {}", message.plain());
            message.text.clone()
        })
        .collect()
}

fn expect(house: &House, place: &str, words: &[&str]) {
    let thread = thread(house, place);
    assert_eq!(thread.len(), words.len(), "{thread:#?}");
    for (told, word) in thread.iter().zip(words) {
        assert!(told.contains(word), "“{word}” is not in “{told}”");
    }
}

fn posts(house: &House, place: &str) -> usize {
    house.slack.messages(place).iter().filter(|message| message.thread_ts.is_none()).count()
}

both_databases! {
    async fn every_event_is_one_reply_under_the_card(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        expect(&house, CHANNEL, &[]);
        house.press(BO, "Approve").await;
        house.settle().await;
        expect(&house, CHANNEL, &["bo approved access to AcmeCorp (123)"]);
        assert!(thread(&house, CHANNEL)[0].contains("1 of 2 approvals"));
        house.clock.advance(seconds(1));
        house.press(CY, "Approve").await;
        house.settle().await;
        house.advance(hours(4)).await;
        house.advance(hours(4)).await;
        let story = ["bo approved", "Approved by bo and cy", "Ended"];
        expect(&house, CHANNEL, &story);
        assert_eq!(posts(&house, CHANNEL), 1, "{}", house.reads(CHANNEL));
        for reviewer in [BO, CY] {
            assert_eq!(house.slack.messages(reviewer).len(), 1, "a reply pings: {}", house.reads(reviewer));
        }
        house.finish().await;
    }

    async fn each_end_is_told_as_what_it_was(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", ONE_LEAD)).build().await;
        house.asked().await;
        house.denies(BO, "ask the other team").await;
        expect(&house, CHANNEL, &["Denied by bo"]);
        assert!(thread(&house, CHANNEL)[0].contains("ask the other team"));

        house.types(ANA, "customer 123 for 1h to debug BUG-483").await;
        house.settle().await;
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        house.types(ANA, "customer 123 for 1h to debug BUG-484").await;
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.press(BO, "Revoke").await;
        house.settle().await;
        house.types(ANA, "customer 123 for 1h to debug BUG-485").await;
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.press(ANA, "I'm done").await;
        house.settle().await;
        house.types(ANA, "customer 123 for 1h to debug BUG-486").await;
        house.settle().await;
        house.advance(hours(24)).await;
        let story = [
            "Denied by bo", "Cancelled by ana", "Approved by bo", "Revoked by bo", "Approved by bo", "Given back by ana",
            "undecided",
        ];
        expect(&house, CHANNEL, &story);
        assert_eq!(posts(&house, CHANNEL), 5);
        house.finish().await;
    }

    /// A reply about one event keeps saying it, and they come in their order, when Slack was away for all of them.
    async fn what_was_owed_while_slack_was_away_is_said_once_and_in_order(db: TestDb) {
        let mut house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        house.slack.fault(Some("chat.postMessage"), 60, Fault::Status(503));
        house.press(BO, "Approve").await;
        house.settle().await;
        house.clock.advance(seconds(1));
        house.press(CY, "Approve").await;
        house.settle().await;
        house.press(ANA, "I'm done").await;
        house.settle().await;
        expect(&house, CHANNEL, &[]);
        house.stop().await;
        house.slack.clear_faults();
        house.start().await;
        house.advance_until("the last of them is said", |house| (thread(house, CHANNEL).len() >= 3).then_some(())).await;
        house.advance(minutes(10)).await;
        expect(&house, CHANNEL, &["1 of 2 approvals", "Approved by bo and cy", "Given back by ana"]);
        house.finish().await;
    }

    /// Without a card there is no thread, and nothing is posted instead.
    async fn no_card_no_replies(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", ONE_LEAD)).build().await;
        house.slack.fault(Some("chat.postMessage"), 60, Fault::Status(503));
        house.types(ANA, "customer 123 for 1h to debug BUG-482").await;
        house.settle().await;
        house.advance(hours(24)).await;
        house.slack.clear_faults();
        house.advance(hours(1)).await;
        assert_eq!(house.slack.messages(CHANNEL).len(), 0, "{}", house.reads(CHANNEL));
        house.finish().await;
    }

    /// The petitioner is told of what others did, and of nothing that they did themselves.
    async fn nobody_hears_of_their_own_act(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "ana"], "self_approval = true", ONE_LEAD)).build().await;
        let news = |house: &House| house.slack.messages(ANA).iter().filter(|m| m.thread_ts.is_some()).count();
        house.asked().await;
        house.press_in(ANA, CHANNEL, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(news(&house), 0, "her own approval: {}", house.reads(ANA));
        house.press_in(ANA, CHANNEL, "Revoke").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(news(&house), 0, "her own revoke: {}", house.reads(ANA));
        house.types(ANA, "customer 123 for 1h to debug BUG-483").await;
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(news(&house), 1, "Bo's approval: {}", house.reads(ANA));
        house.press(ANA, "I'm done").await;
        house.settle().await;
        assert_eq!(news(&house), 1, "her own end: {}", house.reads(ANA));
        assert_eq!(house.slack.messages(BO).len(), 2, "one card for each petition: {}", house.reads(BO));
        house.finish().await;
    }

    /// They have a message of their own; a mention would only tell them of what they did themselves.
    async fn the_petitioner_is_not_mentioned_in_a_thread(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.press(ANA, "I'm done").await;
        house.settle().await;
        assert_eq!(thread(&house, CHANNEL).len(), 2);
        let replies = house.slack.messages(CHANNEL).into_iter().filter(|message| message.thread_ts.is_some());
        for reply in replies {
            assert!(!format!("{:?}", reply.blocks).contains("U0ANA"), "{:?}", reply.blocks);
        }
        house.finish().await;
    }
}
