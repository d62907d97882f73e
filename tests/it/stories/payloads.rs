//! Whatever Slack sends is taken: every payload of `tests/fixtures/slack`, whole and with each field spoiled in turn, is
//! acknowledged in a form that Slack understands, and does no more than it says.

use std::collections::HashSet;

use latchkey::demo::workspace::{Person, Workspace};
use serde_json::{Value, json};

use crate::harness::{
    acts::{form, payload},
    databases::TestDb,
    fixtures::{Door, Fixture, folder, places, spoiled},
    house::{BO, CHANNEL, House, PATIENCE},
};

/// One more than the usual people: somebody of an Enterprise Grid, who may be seen by any id.
async fn house(db: TestDb) -> House {
    let house = House::new(db).await;
    house.slack.add_person(Person::new("W0DAN", "Dan", "dan.grid@acme.test"));
    house
        .slack
        .add_person(Person { is_stranger: true, ..Person::new("U0STRANGER", "Stranger", "stranger@other.test") });
    house.slack.add_channel(CHANNEL, "access", &["U0ANA", "U0BO", "U0CY", "U0DAN", "W0DAN", "U0STRANGER"], true);
    house
}

/// Signs and sends it, and checks that Slack would be content with the answer.
async fn taken(house: &House, path: &'static str, body: Vec<u8>, what: &str) -> Value {
    let (status, said) = house.send(&house.signed(path, body)).await;
    assert_eq!(status, 200, "{what}: {said}");
    if said.is_empty() {
        return Value::Null;
    }
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{what}: {error}: {said}"));
    assert!(said.is_object(), "{what}: {said}");
    said
}

/// Nothing has died and nothing is stuck: what people usually do still works.
async fn still_works(house: &House) {
    assert_eq!(house.get("/healthz").await.unwrap().status().as_u16(), 200);
    house.settle().await;
    house.types("U0ANA", "customer 200 for 1h to see that all is well").await;
    house.settle().await;
    house.press(BO, "Approve").await;
    assert!(house.allows("ana", "200").await);
}

/// How a place is spoiled: what [`spoiled`] gives, in its order.
const WAYS: [&str; 3] = ["missing", "null", "of another type"];

/// Every place of every fixture spoiled in one way; the same place once, in events once for each kind. How many that were.
async fn all_spoiled(house: &House, door: Door, way: usize) -> usize {
    let (mut seen, mut sent) = (HashSet::new(), 0);
    for Fixture { name, value } in door.fixtures(&house.slack) {
        let event = &value["event"]["type"];
        for place in places(&value).into_iter().filter(|place| seen.insert((event.to_string(), place.clone()))) {
            let spoiled = &spoiled(&value, &place, sent)[way];
            let what = format!("{door:?} {name} with {place} {}: {spoiled}", WAYS[way]);
            taken(house, door.path(), door.body(spoiled), &what).await;
            sent += 1;
        }
    }
    sent
}

/// Interactions are the most; one way takes long enough for a test.
async fn interactions_spoiled(db: TestDb, way: usize) {
    let house = house(db).await;
    assert!(all_spoiled(&house, Door::Interactions, way).await > 300);
    house.settle().await;
    house.expect_record(&[]).await;
    still_works(&house).await;
    house.finish().await;
}

/// Whether a place is what a payload cannot do without: one of these, or what holds or is held by one.
fn essential(place: &str, essentials: &[&str]) -> bool {
    essentials.iter().any(|known| known.starts_with(place) || place.starts_with(known))
}

fn ephemerals(slack: &Workspace, user: &str) -> usize {
    slack.ephemerals(user).len()
}

fn fixture(house: &House, door: Door, name: &str) -> Value {
    door.fixtures(&house.slack).into_iter().find(|fixture| fixture.name == name).unwrap().value
}

both_databases! {
    async fn every_payload_of_slack_is_taken(db: TestDb) {
        let house = house(db).await;
        for door in Door::ALL {
            let fixtures = door.fixtures(&house.slack);
            assert!(fixtures.len() > 5, "{door:?}");
            for Fixture { name, value } in fixtures {
                let said = taken(&house, door.path(), door.body(&value), &format!("{door:?} {name}")).await;
                match door {
                    Door::Commands if name == "ssl_check" || name == "no_user" => assert_eq!(said, Value::Null),
                    Door::Commands => assert!(said["text"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {said}"),
                    Door::Options => assert!(said["options"].is_array() || said["option_groups"].is_array(), "{name}: {said}"),
                    Door::Events if name == "url_verification" => assert_eq!(said, json!({ "challenge": "made-up-challenge" })),
                    Door::Events => assert_eq!(said, Value::Null, "{name}"),
                    Door::Interactions => assert!(said.is_null() || said["response_action"].is_string(), "{name}: {said}"),
                }
            }
        }
        // Of them all only two asked for something that there is, and one of them may not.
        house.settle().await;
        house.expect_record(&["petition.opened", "petition.refused"]).await;
        still_works(&house).await;
        house.finish().await;
    }

    /// The envelopes of Socket Mode carry what HTTP brings.
    async fn what_socket_mode_carries_is_taken(db: TestDb) {
        let house = house(db).await;
        let mut carried = 0;
        for Fixture { name, value } in folder("socket", &house.slack) {
            let door = match (value["type"].as_str().unwrap(), value["payload"]["type"].as_str()) {
                ("hello" | "disconnect", _) => continue,
                ("slash_commands", _) => Door::Commands,
                ("interactive", Some("block_suggestion")) => Door::Options,
                ("interactive", _) => Door::Interactions,
                ("events_api", _) => Door::Events,
                other => panic!("{name}: {other:?}"),
            };
            taken(&house, door.path(), door.body(&value["payload"]), &name).await;
            carried += 1;
        }
        assert!(carried > 5);
        house.expect_record(&[]).await;
        still_works(&house).await;
        house.finish().await;
    }

    async fn a_spoiled_command_is_answered(db: TestDb) {
        let house = house(db).await;
        for way in 0..WAYS.len() {
            assert!(all_spoiled(&house, Door::Commands, way).await > 10);
        }
        for body in [&b""[..], b"%", b"&&=&", b"text=%ff%fe&user_id=U0ANA", b"user_id=U0ANA&user_id=U0BO&text=list"] {
            taken(&house, "/slack/commands", body.to_vec(), "an odd form").await;
        }
        still_works(&house).await;
        house.finish().await;
    }

    async fn an_interaction_without_a_field_is_acknowledged(db: TestDb) {
        interactions_spoiled(db, 0).await;
    }

    async fn an_interaction_with_a_null_is_acknowledged(db: TestDb) {
        interactions_spoiled(db, 1).await;
    }

    async fn an_interaction_of_other_types_is_acknowledged(db: TestDb) {
        interactions_spoiled(db, 2).await;
    }

    async fn an_odd_form_is_acknowledged(db: TestDb) {
        let house = house(db).await;
        for body in [Vec::new(), form(&[("payload", "")]), form(&[("payload", "{")]), payload(&json!("x")), payload(&json!(7))] {
            taken(&house, "/slack/interactions", body, "an odd form").await;
        }
        still_works(&house).await;
        house.finish().await;
    }

    async fn a_spoiled_search_is_answered(db: TestDb) {
        let house = house(db).await;
        for way in 0..WAYS.len() {
            assert!(all_spoiled(&house, Door::Options, way).await > 30);
        }
        house.expect_record(&[]).await;
        still_works(&house).await;
        house.finish().await;
    }

    async fn a_spoiled_event_is_acknowledged(db: TestDb) {
        let house = house(db).await;
        for way in 0..WAYS.len() {
            assert!(all_spoiled(&house, Door::Events, way).await > 300);
        }
        for body in ["", "{", "null", "7", "\"x\"", "[null]"] {
            taken(&house, "/slack/events", body.into(), body).await;
        }
        house.settle().await;
        house.expect_record(&[]).await;
        still_works(&house).await;
        house.finish().await;
    }

    /// A click is who pressed what. Whatever else is odd about its payload, it is heard.
    async fn a_click_is_not_lost_by_what_else_is_odd(db: TestDb) {
        let house = house(db).await;
        let essentials = ["/type", "/user/id", "/actions/0/action_id"];
        let mut pressed = 0;
        for name in ["button_in_channel", "button_in_thread", "org_install"] {
            let click = fixture(&house, Door::Interactions, name);
            for place in places(&click).iter().filter(|place| !essential(place, &essentials)) {
                for spoiled in spoiled(&click, place, pressed / 3) {
                    let before = ephemerals(&house.slack, BO);
                    taken(&house, "/slack/interactions", payload(&spoiled), place).await;
                    pressed += 1;
                    let told = |slack: &Workspace| (ephemerals(slack, BO) > before).then_some(());
                    let what = format!("an answer to {name} with {place} spoiled: {spoiled}");
                    house.slack.wait_for(&what, PATIENCE, told).await.unwrap();
                }
            }
        }
        assert!(pressed > 150, "{pressed}");
        house.finish().await;
    }

    /// Nor is one of several by what is odd about another.
    async fn a_click_is_not_lost_by_another(db: TestDb) {
        let house = house(db).await;
        let click = fixture(&house, Door::Interactions, "several_actions");
        assert_eq!(click["actions"][0]["action_id"], "approve");
        let others: Vec<String> = places(&click).into_iter().filter(|place| place.starts_with("/actions/1")).collect();
        // Of the others, one more is of ours and is answered too.
        let before = ephemerals(&house.slack, "U0ANA");
        let mut pressed = 0;
        for spoiled in others.iter().enumerate().flat_map(|(turn, place)| spoiled(&click, place, turn)) {
            taken(&house, "/slack/interactions", payload(&spoiled), "several").await;
            pressed += 2;
        }
        let told = |slack: &Workspace| (ephemerals(slack, "U0ANA") - before >= pressed).then_some(());
        house.slack.wait_for("answers to all", PATIENCE, told).await.unwrap();
        house.finish().await;
    }

    async fn a_form_is_not_lost_by_what_else_is_odd(db: TestDb) {
        let house = house(db).await;
        let essentials = ["/type", "/user/id", "/view/callback_id", "/view/state/values/reason/reason/value"];
        for name in ["submit_deny", "submit_every_kind_of_input"] {
            let sent = fixture(&house, Door::Interactions, name);
            for (turn, place) in places(&sent).iter().filter(|place| !essential(place, &essentials)).enumerate() {
                for spoiled in spoiled(&sent, place, turn) {
                    let said = taken(&house, "/slack/interactions", payload(&spoiled), place).await;
                    let reason = said["errors"]["reason"].as_str().unwrap_or_default();
                    assert!(reason.contains("no such petition"), "{name} with {place} spoiled: {said}");
                }
            }
        }
        house.finish().await;
    }

    /// An installation on a whole organisation names no workspace, a person of a Grid comes from the organisation.
    async fn a_click_counts_in_an_organisation(db: TestDb) {
        let house = house(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Approve").unwrap();
        let mut click = fixture(&house, Door::Interactions, "org_install");
        click["actions"][0]["value"] = crate::harness::acts::button(&card, "Approve")["value"].clone();
        taken(&house, "/slack/interactions", payload(&click), "org_install").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }
}
