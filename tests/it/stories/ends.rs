//! Access ends by itself, in time, once, and not a moment before another lease says so.

use jiff::{SignedDuration, Timestamp};
use latchkey::{demo::workspace::Fault, domain::clock::Clock};

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, House},
    office::{hours, minutes, seconds},
};

/// Asks and is approved by Bo; the words make it a petition of its own.
async fn gets(house: &House, length: &str, ticket: &str) {
    let answer = house.types(ANA, &format!("customer 123 for {length} to debug {ticket}")).await;
    assert!(answer.text().contains("You asked for"), "{}", answer.text());
    house.settle().await;
    house.press(BO, "Approve").await;
    house.settle().await;
}

/// The replies under Ana's messages that hold a text.
fn replies(house: &House, text: &str) -> usize {
    let messages = house.slack.messages(ANA);
    messages.iter().filter(|message| message.thread_ts.is_some() && message.plain().contains(text)).count()
}

async fn end(house: &House) -> Timestamp {
    let (_, body) = house.check("ana", "123").await;
    body["expires_at"].as_str().unwrap_or_else(|| panic!("{body}")).parse().unwrap()
}

const WARNING: &str = "press Extend";

both_databases! {
    async fn the_holder_is_warned_once_and_told_of_the_end_once(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "4h", "BUG-482").await;
        house.advance(hours(4) - minutes(10) - seconds(1)).await;
        assert_eq!(replies(&house, WARNING), 0);
        house.advance(seconds(1)).await;
        assert_eq!(replies(&house, WARNING), 1, "{}", house.reads(ANA));
        for _ in 0..9 {
            house.advance(minutes(1)).await;
        }
        assert_eq!(replies(&house, WARNING), 1);
        assert!(house.allows("ana", "123").await);
        house.advance(minutes(1)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(replies(&house, "is over"), 1, "{}", house.reads(ANA));
        house.advance(hours(2)).await;
        assert_eq!((replies(&house, WARNING), replies(&house, "You were warned"), replies(&house, "is over")), (0, 1, 1));
        assert!(house.reads(CHANNEL).contains("the time was up"), "{}", house.reads(CHANNEL));
        house.finish().await;
    }

    async fn a_short_lease_warns_at_its_half(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "8m", "BUG-482").await;
        house.advance(minutes(4) - seconds(1)).await;
        assert_eq!(replies(&house, WARNING), 0);
        house.advance(seconds(1)).await;
        assert_eq!(replies(&house, WARNING), 1);
        house.advance(minutes(4)).await;
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn a_lease_of_seconds_begins_and_ends(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "3s", "BUG-482").await;
        assert!(house.allows("ana", "123").await);
        house.clock.advance(SignedDuration::from_millis(2_999));
        assert!(house.allows("ana", "123").await);
        house.clock.advance(SignedDuration::from_millis(1));
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        assert_eq!(replies(&house, "is over"), 1);
        house.finish().await;
    }

    /// Nobody is warned of the end of what is over already.
    async fn what_was_given_back_warns_nobody(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "1h", "BUG-482").await;
        house.press(ANA, "I'm done").await;
        house.settle().await;
        house.advance(hours(2)).await;
        assert_eq!(replies(&house, WARNING), 0);
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// I4: the shorter of two leases ends without a sign to production, the longer ends access.
    async fn the_end_of_the_shorter_lease_touches_nothing(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "2h", "BUG-1").await;
        let first = end(&house).await;
        house.advance(minutes(30)).await;
        gets(&house, "4h", "BUG-2").await;
        let second = end(&house).await;
        assert_eq!(second.duration_since(first), minutes(150));
        assert_eq!(house.applied(), ["access/grant", "access/grant"], "the end moved");
        let versions: Vec<i64> =
            house.production.applied().iter().map(|one| one.label("latchkey/version").parse().unwrap()).collect();
        assert!(versions[0] < versions[1], "{versions:?}");
        house.advance(minutes(90)).await;
        assert_eq!(house.clock.now(), first);
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.applied().len(), 2, "production was told something: {:?}", house.applied());
        let over = house.reads(ANA);
        assert!(over.contains("Another petition still gives the same access"), "{over}");
        house.advance(minutes(150)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant", "access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// I4 the other way round: the longer one is given back, and the end moves to that of the shorter.
    async fn giving_one_back_leaves_the_other(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "2h", "BUG-1").await;
        let first = end(&house).await;
        gets(&house, "4h", "BUG-2").await;
        let longer = house.slack.messages(ANA).into_iter()
            .find(|message| message.thread_ts.is_none() && message.plain().contains("BUG-2")).unwrap();
        house.slack.press(ANA, &longer, "I'm done").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(end(&house).await, first);
        assert!(house.production.allows("ana@acme.test", "123"), "production was told to take away what is left");
        assert_eq!(house.applied(), ["access/grant", "access/grant", "access/grant"]);
        let told = house.production.applied().pop().unwrap();
        assert_eq!(told.label("indent.com/time/expires").parse::<Timestamp>().unwrap(), first);
        house.press(ANA, "I'm done").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await && !house.production.allows("ana@acme.test", "123"));
        house.finish().await;
    }

    /// A second lease that ends no later is no news to production, neither when it begins nor when it ends.
    async fn a_lease_within_another_is_no_news(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "4h", "BUG-1").await;
        gets(&house, "1h", "BUG-2").await;
        assert_eq!(house.applied(), ["access/grant"]);
        house.press(CY, "Revoke").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await, "the longer lease was not revoked");
        assert_eq!(house.applied(), ["access/grant"]);
        house.advance(hours(4)).await;
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// Access to one customer is no access to another, nor anybody else's.
    async fn leases_of_others_are_others(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "4h", "BUG-1").await;
        let others = [("ana", "124"), ("ana", "200"), ("bo", "123"), ("dan", "123"), ("ana", "1230"), ("ana", "")];
        for (name, customer) in others {
            let (status, body) = house.check(name, customer).await;
            assert_ne!(body["allowed"], true, "{name} {customer} {status}");
        }
        house.finish().await;
    }

    /// The clock jumps over warning and end at once: the end is told, a warning would be a lie.
    async fn after_a_long_sleep_only_the_end_is_told(db: TestDb) {
        let mut house = House::new(db).await;
        gets(&house, "4h", "BUG-482").await;
        house.stop().await;
        house.clock.advance(hours(48));
        house.start().await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(replies(&house, "is over"), 1, "{}", house.reads(ANA));
        assert_eq!(replies(&house, WARNING), 0, "{}", house.reads(ANA));
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        house.finish().await;
    }

    async fn an_undecided_petition_closes_and_says_so_once(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        house.advance(hours(24)).await;
        assert_eq!(replies(&house, "Nobody decided your petition"), 1, "{}", house.reads(ANA));
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_none());
            assert!(house.reads(place).contains("nobody decided in time"), "{}", house.reads(place));
        }
        house.advance(hours(24)).await;
        assert_eq!(replies(&house, "Nobody decided your petition"), 1);
        house.expect_record(&["petition.opened", "petition.undecided"]).await;
        house.finish().await;
    }

    /// What could not be said while it was so is not said afterwards, beside what is so by then.
    async fn after_an_outage_the_end_is_told_once(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, "1h", "BUG-482").await;
        let before = house.slack.messages(ANA).len();
        house.slack.fault(Some("chat.postMessage"), 1_000, Fault::Status(503));
        house.advance(minutes(55)).await;
        house.advance(minutes(6)).await;
        house.slack.clear_faults();
        house.advance_until("Ana is told", |house| (house.slack.messages(ANA).len() > before).then_some(())).await;
        house.advance(minutes(10)).await;
        assert_eq!(house.slack.messages(ANA).len(), before + 1, "{}", house.reads(ANA));
        assert_eq!(replies(&house, "is over"), 1, "{}", house.reads(ANA));
        house.finish().await;
    }
}
