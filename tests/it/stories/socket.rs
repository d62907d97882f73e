//! Socket Mode: the same stories without any request to us, and what connections do that end, break and repeat.

use latchkey::demo::workspace::{Answer, Fault, LinkFault, Workspace};
use serde_json::{Value, json};

use super::database_away::Away;
use crate::harness::{
    acts::{FORM, ONE_LEAD, TEAM, file, form},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, House, PATIENCE, Patience},
    office::seconds,
};

const OPEN: &str = "apps.connections.open";

async fn house(db: TestDb) -> House {
    let house = House::plan(db).file(&file(&["bo", "cy"], "", ONE_LEAD)).socket_mode().build().await;
    connections(&house, 1).await;
    house
}

/// Until there are so many.
async fn connections(house: &House, count: usize) {
    let there = |slack: &Workspace| (slack.links() == count).then_some(());
    house.slack.wait_for("so many connections", PATIENCE, there).await.unwrap();
}

/// The connection has lived long enough that the next one is opened at once.
async fn grown(house: &House) {
    house.advance(seconds(61)).await;
}

/// How often a connection was asked for.
fn asked_for(house: &House) -> usize {
    house.slack.calls().iter().filter(|call| call.method == OPEN).count()
}

/// The newest envelope of a kind with a word in it; none that tells the bot of its own doing.
fn envelope(house: &House, kind: &str, word: &str) -> Value {
    let own = |envelope: &Value| envelope["payload"]["event"]["bot_id"].is_string();
    let fits = |envelope: &Value| envelope["type"] == kind && !own(envelope) && envelope.to_string().contains(word);
    house.slack.envelopes().into_iter().rev().find(fits).unwrap_or_else(|| panic!("no {kind} has {word}"))
}

/// The same in a new envelope, as a retry comes.
fn retried(envelope: &Value) -> Value {
    let mut envelope = envelope.clone();
    envelope["envelope_id"] = json!(format!("{}-again", envelope["envelope_id"].as_str().unwrap()));
    envelope["retry_attempt"] = json!(1);
    envelope["retry_reason"] = json!("timeout");
    envelope
}

fn fine(answer: &Answer) {
    assert_eq!(answer.problem, None, "{}", answer.text());
}

both_databases! {
    async fn the_whole_story_needs_no_request_to_us(db: TestDb) {
        let house = house(db).await;
        // Typed, asked, approved.
        let said = house.types(ANA, "help").await;
        assert!(said.text().contains("/access"), "{}", said.text());
        house.granted().await;

        // A form with a mistake in it is answered in the acknowledgement, and stays open.
        fine(&house.types(CY, "customer 200 for 1h to debug BUG-500").await);
        house.settle().await;
        let form_ = house.opens_deny(BO).await;
        let answer = house.slack.submit(BO, &form_.id, &[("reason", " ")]).await;
        fine(&answer);
        assert!(house.slack.view(BO).expect("the form stays open").errors["reason"].contains("why"));
        let answer = house.slack.submit(BO, &form_.id, &[("reason", "not today")]).await;
        fine(&answer);
        assert!(house.slack.view(BO).is_none());
        house.settle().await;
        assert!(house.reads(CY).contains("not today"), "{}", house.reads(CY));

        // Events.
        fine(&house.slack.open_home(ANA).await);
        house.settle().await;
        assert!(house.slack.home(ANA).unwrap().plain().contains("AcmeCorp (123)"));
        let card = house.slack.messages(CHANNEL).into_iter().find(|message| !message.is_reply()).unwrap();
        fine(&house.slack.reply(BO, CHANNEL, &card.ts, "which host is it?").await);
        house.settle().await;
        assert!(house.reads(ANA).contains("which host is it?"), "{}", house.reads(ANA));

        // Typeahead.
        let typing = json!({
            "envelope_id": "typing-1", "type": "interactive", "accepts_response_payload": true,
            "payload": { "type": "block_suggestion", "user": { "id": ANA }, "team": { "id": TEAM }, "action_id": "customer", "value": "acm" },
        });
        let answer = house.slack.redeliver(&typing).await;
        assert!(answer.json.as_ref().unwrap()["options"].is_array(), "{answer:?}");

        // There is no secret, so nothing over HTTP can be proved to be Slack's.
        for path in ["/slack/commands", "/slack/interactions", "/slack/options", "/slack/events"] {
            let command = form(&[("user_id", ANA), ("text", COMMAND), ("team_id", TEAM)]);
            assert_eq!(house.send(&house.signed(path, command.clone())).await.0, 401, "{path}");
            assert_eq!(house.send_with(path, &[("content-type", FORM)], command).await.0, 401, "{path}");
        }
        assert_eq!(house.slack.links(), 1, "one connection did all of it");
        let metrics = house.get("/metrics").await.unwrap().text().await.unwrap();
        assert!(metrics.contains("latchkey_slack_socket_connections"), "{metrics}");
        let mut patience = Patience::new("a ping is answered");
        while house.slack.pongs() == 0 {
            patience.tick().await;
        }
        house.finish().await;
    }

    /// Slack says ten seconds before: both connections are read until the old one is closed.
    async fn a_refresh_that_is_announced_loses_nothing(db: TestDb) {
        let house = house(db).await;
        house.slack.disconnect("warning");
        fine(&house.types(ANA, COMMAND).await);
        connections(&house, 2).await;
        house.settle().await;
        // Both connections take their turns.
        house.press(BO, "Approve").await;
        house.settle().await;
        fine(&house.slack.open_home(ANA).await);
        fine(&house.types(CY, "customer 200 for 1h to debug BUG-500").await);
        house.slack.close_links(1);
        fine(&house.types(CY, "customer 201 for 1h to debug BUG-501").await);
        connections(&house, 1).await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!([house.recorded("petition.opened").await, house.recorded("access.began").await], [3, 1]);
        assert_eq!(asked_for(&house), 2);
        house.finish().await;
    }

    /// Slack ends the connection at once, with envelopes on their way.
    async fn a_refresh_at_once_loses_nothing(db: TestDb) {
        let house = house(db).await;
        for (turn, customer) in ["123", "200", "201"].into_iter().enumerate() {
            grown(&house).await;
            let slack = house.slack.clone();
            let typed = async { slack.command(ANA, CHANNEL, "/access", &format!("customer {customer} for 1h to debug BUG-1")).await };
            let refresh = async { house.slack.disconnect("refresh_requested") };
            let (answer, ()) = tokio::join!(typed, refresh);
            fine(&answer);
            let mut patience = Patience::new("another connection");
            while asked_for(&house) < turn + 2 {
                patience.tick().await;
            }
            connections(&house, 1).await;
        }
        house.settle().await;
        assert_eq!(house.recorded("petition.opened").await, 3);
        house.finish().await;
    }

    async fn what_comes_twice_happens_once(db: TestDb) {
        let house = house(db).await;
        house.slack.disconnect("warning");
        connections(&house, 2).await;

        // Over two connections at the same time.
        house.slack.link_fault(LinkFault::Everywhere);
        fine(&house.types(ANA, COMMAND).await);
        let command = envelope(&house, "slash_commands", "/access");
        let acknowledged = |slack: &Workspace| {
            let of_it = |ack: &&Value| ack["envelope_id"] == command["envelope_id"];
            (slack.acks().iter().filter(of_it).count() == 2).then_some(())
        };
        house.slack.wait_for("both acknowledgements", PATIENCE, acknowledged).await.unwrap();
        house.settle().await;
        assert_eq!(house.recorded("petition.opened").await, 1);
        // Again, in the same envelope and in a new one; the answer is the same.
        let first = house.slack.redeliver(&command).await;
        let second = house.slack.redeliver(&retried(&command)).await;
        assert_eq!(first.json, second.json);
        house.settle().await;
        assert_eq!(house.recorded("petition.opened").await, 1);

        // Deny opens its form once, and nobody is told of trouble that there is not.
        let form = house.opens_deny(CY).await;
        fine(&house.slack.redeliver(&retried(&envelope(&house, "interactive", "Deny"))).await);
        house.settle().await;
        assert_eq!(house.slack.view(CY).unwrap().id, form.id);
        assert_eq!(house.slack.ephemerals(CY).len(), 0, "{:?}", house.slack.ephemerals(CY));

        house.slack.link_fault(LinkFault::Everywhere);
        house.press(BO, "Approve").await;
        house.settle().await;
        let approve = envelope(&house, "interactive", "Approve");
        fine(&house.slack.redeliver(&retried(&approve)).await);
        house.press(BO, "Revoke").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        // An approval from before the revoke opens nothing again.
        fine(&house.slack.redeliver(&approve).await);
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!([house.recorded("access.began").await, house.recorded("access.ended").await], [1, 1]);

        let card = house.slack.messages(CHANNEL).into_iter().find(|message| !message.is_reply()).unwrap();
        house.slack.link_fault(LinkFault::Everywhere);
        fine(&house.slack.reply(BO, CHANNEL, &card.ts, "which host is it?").await);
        fine(&house.slack.redeliver(&retried(&envelope(&house, "events_api", "which host is it?"))).await);
        house.settle().await;
        assert_eq!(house.recorded("comment.made").await, 1);
        house.finish().await;
    }

    /// The connection breaks: before the envelope came, or after it was done and before Slack heard of it.
    async fn what_a_broken_connection_carried_comes_again(db: TestDb) {
        let house = house(db).await;
        house.slack.link_fault(LinkFault::Lost);
        fine(&house.types(ANA, COMMAND).await);
        house.settle().await;
        grown(&house).await;
        house.slack.link_fault(LinkFault::AckLost);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        grown(&house).await;
        house.slack.link_fault(LinkFault::AckLost);
        fine(&house.types(ANA, "customer 200 for 1h to debug BUG-500").await);
        house.settle().await;
        grown(&house).await;
        house.slack.reset_links();
        let mut patience = Patience::new("another connection");
        while asked_for(&house) < 5 {
            patience.tick().await;
        }
        connections(&house, 1).await;
        fine(&house.types(ANA, "list").await);
        assert_eq!([house.recorded("petition.opened").await, house.recorded("access.began").await], [2, 1]);
        house.finish().await;
    }

    /// Somebody turned Socket Mode off: the rest goes on, Slack is left alone, and all is well when it is on again.
    async fn turned_off_and_on_again(db: TestDb) {
        let house = house(db).await;
        house.granted().await;
        house.slack.disconnect("link_disabled");
        connections(&house, 0).await;
        let nobody = house.types(ANA, "list").await;
        assert!(nobody.problem.is_some_and(|problem| problem.contains("dispatch_failed")));
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.get("/readyz").await.unwrap().status().as_u16(), 200);
        house.advance(seconds(30)).await;
        assert_eq!(asked_for(&house), 1, "not before a minute is over");
        house.slack.enable_socket_mode();
        house.advance(seconds(31)).await;
        connections(&house, 1).await;
        fine(&house.types(ANA, "list").await);
        house.finish().await;
    }

    async fn slack_that_refuses_a_connection_is_left_in_peace_for_as_long_as_it_says(db: TestDb) {
        let house = house(db).await;
        grown(&house).await;
        house.slack.fault(Some(OPEN), 1, Fault::Status(503));
        house.slack.fault(Some(OPEN), 1, Fault::RateLimited { retry_after: 1 });
        house.slack.fault(Some(OPEN), 1, Fault::Html);
        house.slack.reset_links();
        let mended = |house: &House| (asked_for(house) == 5 && house.slack.links() == 1).then_some(());
        house.advance_until("a connection after three refusals", mended).await;
        house.finish().await;
    }

    /// The process stays, and finds out by itself when it is mended.
    async fn a_token_that_is_refused_stops_nothing(db: TestDb) {
        let house = House::plan(db).socket_mode().env("SLACK_APP_TOKEN", "xapp-of-somebody-else").build().await;
        let mut patience = Patience::new("a connection is asked for");
        while asked_for(&house) == 0 {
            patience.tick().await;
        }
        assert_eq!(house.slack.calls().iter().find(|call| call.method == OPEN).unwrap().answered["error"], "invalid_auth");
        assert!(!house.allows("ana", "123").await);
        let mut patience = Patience::new("it is asked for again");
        while asked_for(&house) < 3 {
            house.advance(seconds(61)).await;
            patience.tick().await;
        }
        house.finish().await;
    }

    async fn without_the_database_people_are_told_and_events_come_again(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = house(db).await;
        house.asked().await;
        away.take().await;
        let said = house.types(ANA, "customer 200 for 1h to debug BUG-500").await;
        fine(&said);
        assert!(said.text().to_lowercase().contains("nothing was stored"), "{}", said.text());
        house.press(BO, "Approve").await;
        assert!(house.told(BO).await.to_lowercase().contains("nothing was stored"));
        let opened = house.slack.open_home(BO).await;
        assert!(opened.problem.is_some_and(|problem| problem.contains("not acknowledged")), "{:?}", opened.status);
        away.give_back().await;
        let mut patience = Patience::new("the database is back");
        while house.get("/readyz").await.unwrap().status().as_u16() != 200 {
            patience.tick().await;
        }
        fine(&house.slack.redeliver(&retried(&envelope(&house, "events_api", "app_home_opened"))).await);
        house.settle().await;
        assert!(house.slack.home(BO).unwrap().plain().contains("AcmeCorp (123)"));
        assert_eq!(house.recorded("petition.opened").await, 1);
        house.finish().await;
    }

    /// What was begun is acknowledged before the process ends.
    async fn stopping_finishes_what_is_under_way(db: TestDb) {
        let mut house = house(db).await;
        house.slack.fault(Some("users.info"), 1, Fault::Hang);
        let slack = house.slack.clone();
        let typed = async { slack.command(ANA, CHANNEL, "/access", COMMAND).await };
        let stopped = async {
            let begun = |slack: &Workspace| slack.calls().iter().any(|call| call.method == "users.info").then_some(());
            house.slack.wait_for("it is under way", PATIENCE, begun).await.unwrap();
            house.stop().await;
        };
        let (answer, ()) = tokio::join!(typed, stopped);
        fine(&answer);
        assert!(!answer.text().is_empty());
        connections(&house, 0).await;
        house.start().await;
        connections(&house, 1).await;
        house.asked().await;
        house.finish().await;
    }
}
