//! What reviewers write in the thread of the card reaches the petitioner, and the other way round.

use latchkey::demo::workspace::{Fault, Message, Person};
use serde_json::{Value, json};

use crate::harness::{
    acts::{ONE_LEAD, TEAM, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, DAN, House},
};

/// The message that begins the newest thread of a place.
fn root(house: &House, place: &str) -> Message {
    house.slack.messages(place).into_iter().rev().find(|message| message.thread_ts.is_none()).unwrap()
}

/// What the bot said in the threads of a place.
fn passed_on(house: &House, place: &str) -> Vec<String> {
    let messages = house.slack.messages(place).into_iter();
    messages.filter(|message| message.thread_ts.is_some()).map(|message| message.plain()).collect()
}

/// A reply under the newest message of a place, as Slack tells of it.
fn written(house: &House, user: &str, place: &str, ts: &str, text: &str) -> Value {
    let above = root(house, place);
    let kind = if above.channel.starts_with('D') { "im" } else { "channel" };
    json!({
        "type": "event_callback", "event_id": format!("Ev{ts}"), "team_id": TEAM, "event_time": 1,
        "event": {
            "type": "message", "channel": above.channel, "channel_type": kind, "user": user, "user_team": TEAM,
            "text": text, "ts": ts, "thread_ts": above.ts, "event_ts": ts,
        },
    })
}

/// Slack tells of it; the status of the answer.
async fn tell(house: &House, event: &Value) -> u16 {
    house.send(&house.signed("/slack/events", event.to_string().into_bytes())).await.0
}

async fn heard(house: &House, event: &Value) {
    assert_eq!(tell(house, event).await, 200);
    house.settle().await;
}

async fn house(db: TestDb) -> House {
    let house = House::plan(db).file(&file(&["bo", "cy"], "", ONE_LEAD)).build().await;
    house.asked().await;
    house
}

both_databases! {
    async fn a_reviewer_asks_and_the_petitioner_answers(db: TestDb) {
        let house = house(db).await;
        heard(&house, &written(&house, BO, CHANNEL, "1000.000001", "Which *host* is it? <@U0CY> knows 1 &lt; 2")).await;
        let told = passed_on(&house, ANA);
        assert_eq!(told.len(), 1, "{told:#?}");
        for words in ["bo, about access to AcmeCorp (123):", "Which ∗host∗ is it? @cy knows 1 < 2"] {
            assert!(told[0].contains(words), "“{words}” is not in {}", told[0]);
        }
        assert!(passed_on(&house, CHANNEL).is_empty(), "those who read the channel have read it");
        assert!(passed_on(&house, CY).is_empty(), "between Bo and Ana");

        heard(&house, &written(&house, ANA, ANA, "1000.000002", "web-7")).await;
        for place in [CHANNEL, BO, CY] {
            let told = passed_on(&house, place);
            assert_eq!(told.len(), 1, "{place}: {told:#?}");
            assert!(told[0].contains("ana, about") && told[0].contains("web-7"), "{told:#?}");
        }
        assert_eq!(passed_on(&house, ANA).len(), 1, "no echo");
        assert_eq!(house.recorded("comment.made").await, 2);
        house.finish().await;
    }

    async fn a_direct_card_has_a_thread_too(db: TestDb) {
        let house = house(db).await;
        heard(&house, &written(&house, BO, BO, "1000.000001", "why now?")).await;
        assert!(passed_on(&house, ANA)[0].contains("why now?"));
        assert!(passed_on(&house, CHANNEL).is_empty(), "what is written in private stays between two");
        // The petitioner may answer where everybody reads it.
        heard(&house, &written(&house, ANA, CHANNEL, "1000.000002", "the customer waits")).await;
        assert!(passed_on(&house, BO)[0].contains("the customer waits"));
        assert!(passed_on(&house, CHANNEL).is_empty(), "no echo");
        house.finish().await;
    }

    /// Slack sends again what it believes to be lost, and processes stop and start.
    async fn a_comment_is_passed_on_once(db: TestDb) {
        let mut house = house(db).await;
        let event = written(&house, BO, CHANNEL, "1000.000001", "which host?");
        house.slack.fault(Some("chat.postMessage"), 60, Fault::Status(503));
        heard(&house, &event).await;
        heard(&house, &event).await;
        house.stop().await;
        house.slack.clear_faults();
        house.start().await;
        house.advance_until("it is passed on", |house| passed_on(house, ANA).pop()).await;
        heard(&house, &event).await;
        assert_eq!(passed_on(&house, ANA).len(), 1);
        assert_eq!(house.recorded("comment.made").await, 1);
        house.finish().await;
    }

    async fn only_replies_of_people_to_our_messages_are_comments(db: TestDb) {
        let house = house(db).await;
        let guest = Person { is_restricted: true, ..Person::new("U0GUEST", "Guest", "guest@acme.test") };
        house.slack.add_person(guest);
        let foreign = Person { is_stranger: true, ..Person::new("U0OTHER", "Other", "other@else.test") };
        house.slack.add_person(foreign);
        let event = |change: &dyn Fn(&mut Value)| {
            let mut event = written(&house, BO, CHANNEL, "1000.000001", "hello");
            change(&mut event["event"]);
            event
        };
        let calls = house.slack.messages(ANA).len();
        for ignored in [
            event(&|e| e["subtype"] = json!("message_changed")),
            event(&|e| e["subtype"] = json!("message_deleted")),
            event(&|e| e["subtype"] = json!("channel_join")),
            event(&|e| e["subtype"] = json!("bot_message")),
            event(&|e| e["bot_id"] = json!("B0LATCHKEY")),
            event(&|e| e["thread_ts"] = Value::Null),
            event(&|e| e["thread_ts"] = json!("999.000001")),
            event(&|e| e["ts"] = e["thread_ts"].clone()),
            event(&|e| e["text"] = json!("  ")),
            event(&|e| e["user"] = Value::Null),
            event(&|e| e["user"] = json!("U0GUEST")),
            event(&|e| e["user"] = json!("U0OTHER")),
            event(&|e| e["user"] = json!("U0NOBODY")),
            event(&|e| e["channel"] = json!(["C0ACCESS"])),
            event(&|e| e["type"] = json!("reaction_added")),
        ] {
            heard(&house, &ignored).await;
        }
        // Somebody who claims to have written in Ana's own messages.
        heard(&house, &written(&house, DAN, ANA, "1000.000002", "psst")).await;
        assert_eq!(house.slack.messages(ANA).len(), calls, "{}", house.reads(ANA));
        assert!(passed_on(&house, CHANNEL).is_empty());
        assert_eq!(house.recorded("comment.made").await, 0);
        heard(&house, &event(&|e| e["subtype"] = json!("thread_broadcast"))).await;
        assert_eq!(passed_on(&house, ANA).len(), 1, "a reply that was also sent to the channel is a reply");
        house.finish().await;
    }

    async fn a_comment_can_neither_ping_nor_flood(db: TestDb) {
        let house = house(db).await;
        let text = format!("<!channel> <!here> <@U0CY> <https://evil.test|Approve> {}", "x".repeat(9_000));
        heard(&house, &written(&house, ANA, ANA, "1000.000001", &text)).await;
        let reply = house.slack.messages(CHANNEL).pop().unwrap();
        let sent = format!("{}{}", reply.text, Value::Array(reply.blocks.clone()));
        for ping in ["<!channel", "<!here", "<@U0CY", "<https://evil"] {
            assert!(!sent.contains(ping), "{ping}: {sent}");
        }
        assert!(reply.plain().contains("@channel @here @cy Approve (https://evil.test)"), "{}", reply.plain());
        assert!(reply.plain().contains("This is the beginning"), "{}", reply.plain());
        house.finish().await;
    }

    /// Nothing is acknowledged that is not stored.
    async fn what_cannot_be_stored_is_sent_again(db: TestDb) {
        let house = house(db).await;
        let event = written(&house, BO, CHANNEL, "1000.000001", "which host?");
        house.slack.fault(Some("users.info"), 1, Fault::Status(503));
        assert_eq!(tell(&house, &event).await, 503, "nobody can say who Bo is");
        heard(&house, &event).await;
        assert_eq!(passed_on(&house, ANA).len(), 1);
        house.finish().await;
    }
}
