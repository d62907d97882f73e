//! Reviewers are reminded seldom, in one message, in their working hours, and of nothing that is decided.

use jiff::{SignedDuration, tz::TimeZone};
use latchkey::demo::workspace::{Message, Person};

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, House},
    office::{hours, minutes},
};

const UTC: TimeZone = TimeZone::UTC;

/// The reminders that somebody has, the newest last.
fn reminders(house: &House, user: &str) -> Vec<Message> {
    house.slack.messages(user).into_iter().filter(|message| message.text.starts_with("Reminder:")).collect()
}

fn reminder(house: &House, user: &str) -> String {
    reminders(house, user).pop().expect("a reminder").plain()
}

/// Until that hour of the day of the test clock, in UTC.
async fn until(house: &House, hour: i8) {
    let now = UTC.to_datetime(house.now());
    let mut then = UTC.to_timestamp(now.date().at(hour, 0, 0, 0)).unwrap();
    if then <= house.now() {
        then += hours(24);
    }
    house.advance(then.duration_since(house.now())).await;
}

/// A week day at ten in the morning, whenever the clock of the tests begins.
async fn build(db: TestDb, leads: &[&str], rule: &str) -> House {
    let house = House::plan(db).file(&file(leads, "pending_for = \"72h\"", rule)).build().await;
    until(&house, 10).await;
    while UTC.to_datetime(house.now()).date().weekday() != jiff::civil::Weekday::Tuesday {
        house.advance(hours(24)).await;
    }
    house
}

async fn asks(house: &House, ticket: &str) {
    house.types(ANA, &format!("customer 123 for 1h to debug {ticket}")).await;
    house.settle().await;
}

both_databases! {
    async fn what_waits_is_listed_in_one_message_that_follows_what_becomes_of_it(db: TestDb) {
        let house = build(db, &["bo", "cy"], TWO_LEADS).await;
        asks(&house, "BUG-1").await;
        house.advance(minutes(10)).await;
        asks(&house, "BUG-2").await;
        house.advance(minutes(49)).await;
        assert!(reminders(&house, BO).is_empty(), "not before an hour: {}", house.reads(BO));
        house.advance(minutes(2)).await;
        for reviewer in [BO, CY] {
            assert_eq!(reminders(&house, reviewer).len(), 1, "{}", house.reads(reviewer));
            let said = reminder(&house, reviewer);
            assert!(said.contains("2 petitions") && said.contains("BUG-1") && said.contains("BUG-2"), "{said}");
        }
        assert!(reminders(&house, ANA).is_empty() && reminders(&house, CHANNEL).is_empty());
        // The second one's hour is over too, and it is listed already.
        house.advance(minutes(30)).await;
        assert_eq!(reminders(&house, BO).len(), 1);

        // Bo approves the second: his reminder lists the first alone, Cy's both.
        house.press_in(BO, BO, "Approve").await;
        house.settle().await;
        assert_eq!(reminders(&house, BO).len(), 1);
        assert!(reminder(&house, BO).contains("1 petition"), "{}", reminder(&house, BO));
        assert!(reminder(&house, CY).contains("2 petitions"), "{}", reminder(&house, CY));

        // Four hours after the first reminder there is another, and the first says so.
        house.advance(hours(4)).await;
        let of_bo = reminders(&house, BO);
        assert_eq!(of_bo.len(), 2);
        assert!(of_bo[0].plain().contains("newer message") && of_bo[0].buttons().is_empty(), "{}", of_bo[0].plain());

        house.advance(hours(72)).await;
        for reviewer in [BO, CY] {
            assert!(reminder(&house, reviewer).contains("nothing of this waits"), "{}", reminder(&house, reviewer));
            assert!(reminders(&house, reviewer).iter().all(|message| message.buttons().is_empty()));
        }
        let count = reminders(&house, BO).len();
        house.advance(hours(24)).await;
        assert_eq!(reminders(&house, BO).len(), count, "nothing waits, nobody is reminded");
        house.finish().await;
    }

    async fn nobody_is_reminded_at_night_or_on_a_weekend(db: TestDb) {
        let house = build(db, &["bo", "cy"], ONE_LEAD).await;
        // Cy lives nine hours east: it is night there when it is day here.
        house.slack.add_person(Person { tz: "Asia/Tokyo".to_owned(), ..Person::new(CY, "Cy", "cy@acme.test") });
        house.advance(minutes(2)).await;
        asks(&house, "BUG-1").await;
        house.advance(hours(2)).await;
        assert_eq!((reminders(&house, BO).len(), reminders(&house, CY).len()), (1, 0));
        until(&house, 17).await;
        until(&house, 19).await;
        assert_eq!((reminders(&house, BO).len(), reminders(&house, CY).len()), (2, 0), "{}", house.reads(BO));
        house.advance(hours(5) - minutes(5)).await;
        assert_eq!((reminders(&house, BO).len(), reminders(&house, CY).len()), (2, 0), "it is 8:55 for Cy");
        house.advance(minutes(10)).await;
        assert_eq!((reminders(&house, BO).len(), reminders(&house, CY).len()), (2, 1), "{}", house.reads(CY));
        house.finish().await;
    }

    /// Whoever has decided, and whoever was never asked in person, is left in peace.
    async fn without_direct_cards_there_are_no_reminders(db: TestDb) {
        let rule = format!("dm = false\n{ONE_LEAD}");
        let house = build(db, &["bo", "cy"], &rule).await;
        asks(&house, "BUG-1").await;
        house.advance(hours(3)).await;
        assert!(house.slack.messages(BO).is_empty(), "{}", house.reads(BO));
        house.finish().await;
    }

    async fn a_reminder_survives_a_restart_and_is_sent_once(db: TestDb) {
        let mut house = build(db, &["bo"], ONE_LEAD).await;
        asks(&house, "BUG-1").await;
        house.stop().await;
        house.clock.advance(SignedDuration::from_hours(1));
        house.start().await;
        house.settle().await;
        house.advance(minutes(2)).await;
        assert_eq!(reminders(&house, BO).len(), 1);
        house.stop().await;
        house.start().await;
        house.advance(minutes(5)).await;
        assert_eq!(reminders(&house, BO).len(), 1);
        house.press_in(BO, BO, "Deny").await;
        house.finish().await;
    }
}
