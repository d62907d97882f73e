//! Text and payloads made to break something.

use serde_json::{Value, json};

use crate::harness::{
    acts::{FORM, TEAM, button, form, payload, press},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, House},
};

/// Asks with a reason, is granted, and has it taken away again: every message shows the reason at some time.
async fn lives_with(house: &House, reason: &str) {
    let answer = house.types(ANA, &format!("customer 123 for 1h to {reason}")).await;
    assert!(answer.text().contains("You asked for"), "{}", answer.text());
    house.settle().await;
    house.press(BO, "Approve").await;
    house.settle().await;
    assert!(house.allows("ana", "123").await);
    house.press(CY, "Revoke").await;
    house.settle().await;
    assert_eq!(house.slack.violations(), Vec::<String>::new(), "{reason:.60}");
}

/// What is sent to Slack, as it is sent.
fn sent(house: &House, place: &str) -> String {
    let messages = house.slack.messages(place);
    messages.iter().map(|message| format!("{}{}", message.text, Value::from(message.blocks.clone()))).collect()
}

both_databases! {
    async fn a_reason_cannot_call_or_imitate_anybody(db: TestDb) {
        let house = House::new(db).await;
        // As Slack delivers it with the characters escaped, and as it might without.
        let escaped = "&lt;!channel&gt; &lt;@U0BO&gt; *Approved* by _Bo_";
        for reason in [escaped, "<!channel <@U0BO <http://evil.test|AcmeCorp"] {
            lives_with(&house, reason).await;
        }
        for place in [BO, CHANNEL, ANA] {
            let sent = sent(&house, place);
            assert!(!sent.contains("<!channel") && !sent.contains("<!here") && !sent.contains("<http"), "{sent}");
            assert!(sent.contains("∗Approved∗ by ˍBoˍ") && !sent.contains("<@U0BO>"), "{sent}");
        }
        assert!(house.reads(CHANNEL).contains("<!channel> <@U0BO>"), "{}", house.reads(CHANNEL));
        house.finish().await;
    }

    async fn an_ampersand_survives_the_way(db: TestDb) {
        let house = House::new(db).await;
        lives_with(&house, "fix R&amp;D &amp; Q&amp;A; a &lt; b, 5 > 4 and &amp;amp;").await;
        let (want, shown) = ("fix R&D & Q&A; a < b, 5 > 4 and &amp;", house.reads(CHANNEL));
        assert!(shown.contains(want), "{shown}");
        let told = house.production.applied()[0].event["reason"].clone();
        assert_eq!(told, want, "production gets it as it was typed");
        house.finish().await;
    }

    async fn a_reason_may_be_long_but_not_endless(db: TestDb) {
        let house = House::new(db).await;
        for filler in ["x", "&amp;", "é", "😀"] {
            let reason = filler.repeat(10_000);
            lives_with(&house, &reason).await;
            let told = house.production.applied();
            let told = told.iter().rfind(|delivery| delivery.kind() == "access/grant").unwrap();
            let typed = reason.replace("&amp;", "&");
            assert_eq!(told.event["reason"].as_str().unwrap(), typed, "the record and production get all of it");
        }
        let said = house.types(ANA, &format!("customer 123 for 1h to {}", "x".repeat(10_001))).await.text();
        assert!(said.contains("10000 characters"), "{said}");
        assert_eq!(house.recorded("petition.opened").await, 4);
        house.finish().await;
    }

    async fn what_cannot_be_seen_hides_nothing(db: TestDb) {
        let house = House::new(db).await;
        let reason = "debug\u{202e} 284-GUB\u{202c} \u{200f}now\u{0}\u{7}\nApproved by Bo\r\n> quoted 👩‍🚒🏽 e\u{301} ok";
        lives_with(&house, reason).await;
        for place in [BO, CHANNEL, ANA] {
            let sent = sent(&house, place);
            for hidden in ['\u{202e}', '\u{202c}', '\u{200f}', '\u{0}', '\u{7}'] {
                assert!(!sent.contains(hidden), "{place} has {hidden:?}");
            }
        }
        let shown = house.reads(CHANNEL);
        assert!(shown.contains("debug 284-GUB now Approved by Bo > quoted"), "{shown}");
        house.finish().await;
    }

    /// A name from the company's database is text from outside as well.
    async fn a_customers_name_cannot_break_a_card(db: TestDb) {
        let house = House::new(db).await;
        let name = "<!here> *Bob`s* & ''Sons'' \u{202e}<https://evil.test|x> ".repeat(40);
        let sql = format!("UPDATE customers SET name = '{name}' WHERE id = 123");
        crate::harness::databases::raw_at(&house.customers, &sql).await;
        house.synced().await;
        lives_with(&house, "debug BUG-482").await;
        let said = house.types(ANA, "customer 123 for 1h").await;
        assert_eq!(said.problem, None);
        for place in [BO, CHANNEL, ANA] {
            let sent = sent(&house, place);
            assert!(!sent.contains("<!here") && !sent.contains("<https"), "{sent}");
        }
        house.finish().await;
    }

    /// What people typed is shown back to them as text.
    async fn a_command_that_is_not_understood_is_echoed_safely(db: TestDb) {
        let house = House::new(db).await;
        let long = "&lt;!channel&gt;&amp;".repeat(2_000);
        for text in [
            "customer <!channel> for 4h to debug BUG-482",
            "customer `*_~` for 4x to <@U0BO>",
            "as \u{202e} for",
            "\"\"\"\"",
            "customer \" for 4h",
            "for for for to to to as as",
            "123 for 4h to",
            &long,
            &format!("customer {long} for 4h to debug BUG-482"),
            &format!("customer 123 for {long} to debug BUG-482"),
        ] {
            let answer = house.types(ANA, text).await;
            assert_eq!(answer.problem, None, "{text:.60}");
            assert!(!answer.body.contains("<!channel>") && !answer.body.contains("<@U0BO>"), "{}", answer.body);
            assert_eq!(house.slack.violations(), Vec::<String>::new(), "{text:.60}");
        }
        house.finish().await;
    }

    async fn a_denials_reason_is_text_too(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let reason = format!("<!channel> & <@U0CY> {}", "😀".repeat(450));
        house.denies(BO, &reason).await;
        for place in [BO, CHANNEL, ANA] {
            assert!(!sent(&house, place).contains("<!channel"));
            assert!(house.reads(place).contains("<!channel> & <@U0CY>"), "{}", house.reads(place));
        }
        house.finish().await;
    }

    /// Slack adds kinds and fields without asking: acknowledged, and nothing happens.
    async fn unknown_and_broken_payloads_change_nothing(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Approve").unwrap();
        let name = button(&card, "Approve")["value"].clone();
        let submission = |callback: &str, metadata: Value| {
            json!({ "type": "view_submission", "user": { "id": BO }, "team": null,
                "view": { "callback_id": callback, "private_metadata": metadata, "state": { "values": {} } } })
        };
        let payloads = [
            json!(null),
            json!([]),
            json!("text"),
            json!({}),
            json!({ "type": null }),
            json!({ "type": "block_actions" }),
            json!({ "type": "block_actions", "user": null, "actions": null }),
            json!({ "type": "block_actions", "user": { "id": null }, "actions": [{}] }),
            json!({ "type": "block_actions", "user": { "id": BO }, "actions": [] }),
            json!({ "type": "block_actions", "user": { "id": BO }, "actions": "approve" }),
            json!({ "type": "block_actions", "user": { "id": BO }, "actions": [null, 7] }),
            json!({ "type": "block_actions", "user": BO, "actions": [{ "action_id": "approve", "value": name }] }),
            press(BO, "no_such_action", &name),
            press(BO, "Approve", &name),
            press(BO, "approve", &json!(null)),
            press(BO, "approve", &json!({ "name": name })),
            press(BO, "approve", &json!("pet_nosuch")),
            press(BO, "approve", &json!("' OR 1=1 --")),
            press(BO, "approve", &json!("x".repeat(10_000))),
            press(BO, "deny", &json!("pet_nosuch")),
            json!({ "type": "block_suggestion", "user": { "id": BO }, "action_id": "customer", "value": "acme" }),
            json!({ "type": "view_closed", "user": { "id": BO },
                "view": { "callback_id": "deny-petition", "private_metadata": name } }),
            json!({ "type": "shortcut", "user": { "id": BO }, "callback_id": "approve" }),
            json!({ "type": "message_action", "user": { "id": BO }, "callback_id": "approve", "message": {} }),
            json!({ "type": "workflow_step_edit", "user": { "id": BO } }),
            submission("no-such-form", name.clone()),
            submission("deny-petition", json!(null)),
        ];
        for payload_of in &payloads {
            let (status, body) = house.send(&house.signed("/slack/interactions", payload(payload_of))).await;
            assert_eq!(status, 200, "{payload_of}");
            assert!(body.is_empty() || body.starts_with('{'), "{payload_of}: {body}");
        }
        let json = "{\"type\":\"block_actions\"}";
        for body in ["", "payload=", "payload={", "payload=%FF%FE", "payload", "other=1", json] {
            let answer = house.slack.send_raw("/slack/interactions", FORM, body.as_bytes().to_vec()).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{body}");
        }
        for body in ["", "text=help", "user_id=", "user_id=U0BO", "\u{0}", "{}", "team_id=T0ACME&text=customer+123"] {
            let answer = house.slack.send_raw("/slack/commands", FORM, body.as_bytes().to_vec()).await;
            assert_eq!(answer.status, 200, "{body}");
        }
        let nothing = "{\"type\":\"event_callback\",\"event\":null}";
        for body in ["", "{", "[]", "null", "{\"type\":7}", "{\"type\":\"event_callback\"}", nothing] {
            let answer = house.slack.send_raw("/slack/events", "application/json", body.as_bytes().to_vec()).await;
            assert_eq!(answer.status, 200, "{body}");
        }
        house.settle().await;
        assert!(house.with_button(CHANNEL, "Approve").is_some());
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    /// An organisation-wide install sends no team, an ephemeral message no message, and tomorrow's Slack more fields.
    async fn a_press_is_understood_with_little_and_with_more(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Approve").unwrap();
        let strange = json!({
            "type": "block_actions", "user": { "id": BO, "unknown": {} }, "team": null, "enterprise": { "id": "E1" },
            "is_enterprise_install": true, "channel": null, "message": null, "container": null, "response_url": null,
            "brand_new": [1, { "two": 3 }],
            "actions": [{ "type": "new_kind", "action_id": "approve", "value": button(&card, "Approve")["value"],
                "selected_option": null, "brand_new": true }],
        });
        let (status, _) = house.send(&house.signed("/slack/interactions", payload(&strange))).await;
        assert_eq!(status, 200);
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// With nowhere to answer to, whoever pressed is told in their own messages.
    async fn an_explanation_finds_its_reader(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(CHANNEL, "Approve").unwrap();
        let mut bare = press("U0DAN", "approve", &button(&card, "Approve")["value"]);
        bare["channel"] = json!(null);
        bare["response_url"] = json!("https://evil.test/steal");
        house.send(&house.signed("/slack/interactions", payload(&bare))).await;
        let seen = |slack: &latchkey::demo::workspace::Workspace| slack.messages("U0DAN").pop();
        let told = house.slack.wait_for("a message to Dan", crate::harness::house::PATIENCE, seen).await.unwrap();
        assert!(told.plain().contains("not a reviewer"), "{}", told.plain());
        house.finish().await;
    }

    /// What production was told, sent back to us with a good signature, brings nothing of ours back to life.
    async fn our_own_grant_sent_back_grants_nothing(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.press(CY, "Revoke").await;
        house.settle().await;
        let grant = house.production.applied()[0].body.clone();
        let (status, body) = house.receive(&grant).await;
        assert_eq!((status, &body["status"]["code"]), (200, &json!(7)), "{body}");
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// A field that comes twice, and fields that are not Slack's.
    async fn a_strange_form_asks_for_nothing_strange(db: TestDb) {
        let house = House::new(db).await;
        let body = form(&[
            ("user_id", ANA), ("team_id", TEAM), ("channel_id", CHANNEL), ("command", "/access"),
            ("text", "customer 123 for 1h to debug BUG-482"), ("user_name", "bo"), ("approve", "true"), ("admin", "1"),
        ]);
        let answer = house.slack.send_raw("/slack/commands", FORM, body).await;
        assert!(answer.text().contains("You asked for"), "{}", answer.text());
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }
}
