//! The workspace over real HTTP: what the bot calls, and what people do with a bot that answers by the book.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};

use crate::demo::workspace::{
    Fault,
    bench::{Bench, card, modal},
};

#[tokio::test]
async fn who_may_call() {
    let bench = Bench::new().await;
    let url = format!("{}/auth.test", bench.slack.api_url());
    let answer: Value = bench.client.post(&url).bearer_auth("wrong").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], "invalid_auth");
    assert!(bench.slack.violations().is_empty());
    let answer: Value = bench.client.post(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], "not_authed");
    assert_eq!(bench.slack.violations().len(), 1);
    let right = bench.client.post(&url).bearer_auth("xoxb-1").send().await.unwrap();
    assert!(right.headers()["x-oauth-scopes"].to_str().unwrap().contains("chat:write"));
    let answer: Value = right.json().await.unwrap();
    assert_eq!((&answer["ok"], &answer["team_id"]), (&json!(true), &json!("T0ACME")));
    assert_eq!(bench.post("chat.shout", json!({})).await["error"], "unknown_method");
    assert_eq!(bench.get("users.info", "user=U0ANA&usr=1").await["user"]["profile"]["email"], "ana@acme.test");
    assert_eq!(bench.slack.violations().len(), 3, "{:?}", bench.slack.violations());
}

#[tokio::test]
async fn people_are_found_until_they_leave() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("users.lookupByEmail", "email=BO%40acme.test").await["user"]["id"], "U0BO");
    bench.slack.update_person("U0BO", |bo| bo.deleted = true);
    assert_eq!(bench.get("users.lookupByEmail", "email=bo%40acme.test").await["error"], "users_not_found");
    assert_eq!(bench.get("users.info", "user=U0BO").await["user"]["deleted"], true);
    assert_eq!(bench.get("users.info", "user=U0NOBODY").await["error"], "user_not_found");
    bench.slack.set_usergroup("S0LEADS", "leads", &["U0BO"]);
    assert_eq!(bench.get("usergroups.users.list", "usergroup=S0LEADS").await["users"], json!(["U0BO"]));
    assert_eq!(bench.get("usergroups.users.list", "usergroup=S0").await["error"], "no_such_subteam");
    assert!(bench.slack.violations().is_empty());
}

#[tokio::test]
async fn a_persons_id_leads_to_one_stable_direct_message() {
    let bench = Bench::new().await;
    let first = bench.say("U0ANA", "one").await;
    let second = bench.say("U0ANA", "two").await;
    assert_eq!(first["channel"], "D0ANA");
    assert_eq!(first["channel"], second["channel"]);
    assert_ne!(first["ts"], second["ts"]);
    assert_eq!(first["message"]["ts"], first["ts"]);
    let opened = bench.post("conversations.open", json!({ "users": "U0ANA" })).await;
    assert_eq!(opened["channel"]["id"], "D0ANA");
    for place in ["U0ANA", "D0ANA"] {
        let texts: Vec<String> = bench.slack.messages(place).into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["one", "two"]);
    }
    assert_eq!(bench.say("C0OTHER", "x").await["error"], "not_in_channel");
    assert_eq!(bench.say("C0NONE", "x").await["error"], "channel_not_found");
    bench.slack.archive_channel("C0ACCESS");
    assert_eq!(bench.say("C0ACCESS", "x").await["error"], "is_archived");
    assert_eq!(bench.post("chat.postMessage", json!({ "channel": "U0ANA" })).await["error"], "no_text");
}

#[tokio::test]
async fn an_update_replaces_and_drops_what_it_omits() {
    let bench = Bench::new().await;
    let card = json!({ "channel": "C0ACCESS", "text": "Ana asks", "blocks": card().to_string() });
    let sent = bench.post("chat.postMessage", card).await;
    let message = bench.slack.messages("C0ACCESS").remove(0);
    assert_eq!(message.buttons(), ["Approve"]);
    assert!(message.plain().contains("R&D"));
    let updated =
        bench.post("chat.update", json!({ "channel": "C0ACCESS", "ts": sent["ts"], "text": "Approved" })).await;
    assert_eq!(updated["ok"], true);
    let message = bench.slack.messages("C0ACCESS").remove(0);
    assert_eq!((message.text.as_str(), message.blocks.len(), message.edited), ("Approved", 0, 1));
    let lost = bench.post("chat.update", json!({ "channel": "C0ACCESS", "ts": "1.2", "text": "x" })).await;
    assert_eq!(lost["error"], "message_not_found");
    let as_person = bench.post("chat.update", json!({ "channel": "U0ANA", "ts": sent["ts"], "text": "x" })).await;
    assert_eq!(as_person["error"], "channel_not_found");
    assert!(bench.slack.violations().is_empty());
}

#[tokio::test]
async fn a_block_over_its_limit_is_refused_and_on_record() {
    let bench = Bench::new().await;
    let header = json!([{ "type": "header", "text": { "type": "plain_text", "text": "x".repeat(151) } }]);
    let answer = bench.post("chat.postMessage", json!({ "channel": "U0ANA", "text": "x", "blocks": header })).await;
    assert_eq!(answer["error"], "invalid_blocks");
    let message = answer["response_metadata"]["messages"][0].as_str().unwrap();
    assert!(message.ends_with("[json-pointer:/blocks/0/text/text]"), "{message}");
    assert_eq!(bench.slack.violations().len(), 1);
    assert!(bench.slack.messages("U0ANA").is_empty());
    bench.post("chat.postMessage", json!({ "channel": "U0ANA", "blocks": card() })).await;
    assert_eq!(bench.slack.violations().len(), 2, "blocks without a text");
}

#[tokio::test]
async fn a_command_is_signed_and_its_answer_is_shown_to_one() {
    let bench = Bench::new().await;
    let forms = bench.bot(|_, _| json!({ "response_type": "ephemeral", "text": "Asked Bo &amp; Cy." })).await;
    let answer = bench.slack.command("U0ANA", "C0ACCESS", "/access", "customer 123 for 4h to debug BUG-482").await;
    assert_eq!((answer.problem.clone(), answer.text().as_str()), (None, "Asked Bo & Cy."));
    assert_eq!(bench.slack.ephemerals("U0ANA").len(), 1);
    assert!(bench.slack.messages("C0ACCESS").is_empty() && bench.slack.ephemerals("U0BO").is_empty());
    let forms = forms.lock().unwrap();
    let form = &forms[0];
    assert_eq!(form.get("text"), "customer 123 for 4h to debug BUG-482");
    assert_eq!((form.get("channel_name"), form.get("is_enterprise_install")), ("access", "false"));
    assert!(form.fields.iter().all(|(name, _)| name != "enterprise_id"));
}

#[tokio::test]
async fn a_trigger_opens_one_modal_within_three_seconds() {
    let bench = Bench::new().await;
    let forms = bench.bot(|_, _| Value::Null).await;
    for _ in 0..2 {
        bench.slack.command("U0BO", "U0BO", "/access", "").await;
    }
    let triggers: Vec<String> = forms.lock().unwrap().iter().map(|form| form.get("trigger_id").to_owned()).collect();
    let open = async |trigger: &str| bench.post("views.open", json!({ "trigger_id": trigger, "view": modal() })).await;
    bench.now.fetch_add(3, Ordering::SeqCst);
    let opened = open(&triggers[0]).await;
    assert_eq!(opened["view"]["callback_id"], "deny");
    assert_eq!(bench.slack.view("U0BO").unwrap().id, opened["view"]["id"].as_str().unwrap());
    assert_eq!(open(&triggers[0]).await["error"], "exchanged_trigger_id");
    bench.now.fetch_add(1, Ordering::SeqCst);
    assert_eq!(open(&triggers[1]).await["error"], "expired_trigger_id");
    assert_eq!(open("1.2.3").await["error"], "invalid_trigger_id");
    let update = json!({ "view_id": opened["view"]["id"], "hash": "old", "view": modal() });
    assert_eq!(bench.post("views.update", update).await["error"], "hash_conflict");
    assert!(bench.slack.violations().is_empty());
}

#[tokio::test]
async fn a_button_opens_a_modal_whose_errors_and_answer_are_applied() {
    let bench = Bench::new().await;
    let forms = bench
        .bot(|_, form| match form.payload() {
            payload if payload["type"] != "view_submission" => Value::Null,
            payload if payload["view"]["state"]["values"]["reason"]["text"]["value"] == "not today" => Value::Null,
            _ => json!({ "response_action": "errors", "errors": { "reason": "Say why." } }),
        })
        .await;
    bench.post("chat.postMessage", json!({ "channel": "U0BO", "text": "Ana asks", "blocks": card() })).await;
    let message = bench.slack.messages("U0BO").remove(0);
    let missing = bench.slack.press("U0BO", &message, "Deny").await.problem.unwrap();
    assert!(missing.contains("Approve"), "{missing}");
    assert!(bench.slack.press("U0BO", &message, "Approve").await.ok());
    let payload = forms.lock().unwrap()[0].payload();
    assert_eq!(payload["actions"][0]["value"], "pet_1");
    assert_eq!(payload["actions"][0]["block_id"], "decide");
    assert_eq!(
        payload["container"],
        json!({ "type": "message", "message_ts": message.ts, "channel_id": "D0BO", "is_ephemeral": false })
    );
    assert_eq!(payload["message"]["blocks"], json!(message.blocks));
    let opened = bench.post("views.open", json!({ "trigger_id": payload["trigger_id"], "view": modal() })).await;
    let id = opened["view"]["id"].as_str().unwrap();
    assert_eq!(bench.slack.submit("U0BO", id, &[]).await.status, 0, "a required field is not sent empty");
    assert!(!bench.slack.view("U0BO").unwrap().errors.is_empty());
    assert_eq!(bench.slack.submit("U0BO", id, &[("Reason", "because")]).await.text(), "Say why.");
    assert_eq!(bench.slack.view("U0BO").unwrap().errors["reason"], "Say why.");
    let nowhere = bench.slack.submit("U0BO", id, &[("Grund", "x")]).await.problem.unwrap();
    assert!(nowhere.contains("Reason (reason)"), "{nowhere}");
    assert!(bench.slack.submit("U0BO", id, &[("reason", "not today")]).await.ok());
    assert!(bench.slack.view("U0BO").is_none());
    assert!(bench.slack.violations().is_empty(), "{:?}", bench.slack.violations());
}

#[tokio::test]
async fn a_response_url_takes_five_posts_in_thirty_minutes() {
    let bench = Bench::new().await;
    let forms = bench.bot(|_, _| Value::Null).await;
    bench.post("chat.postMessage", json!({ "channel": "C0ACCESS", "text": "Ana asks", "blocks": card() })).await;
    let message = bench.slack.messages("C0ACCESS").remove(0);
    for _ in 0..2 {
        bench.slack.press("U0BO", &message, "Approve").await;
    }
    let url = |n: usize| forms.lock().unwrap()[n].payload()["response_url"].as_str().unwrap().to_owned();
    let respond = async |url: &str, body: Value| {
        let response = bench.client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let first = url(0);
    assert_eq!(respond(&first, json!({ "replace_original": true, "text": "Approved" })).await, (200, "ok".to_owned()));
    assert_eq!(bench.slack.messages("C0ACCESS").remove(0).text, "Approved");
    for _ in 0..4 {
        assert_eq!(respond(&first, json!({ "text": "only you" })).await.0, 200);
    }
    assert_eq!(bench.slack.ephemerals("U0BO").len(), 4);
    assert_eq!(respond(&first, json!({ "text": "once more" })).await.0, 404);
    bench.now.fetch_add(30 * 60 + 1, Ordering::SeqCst);
    assert_eq!(respond(&url(1), json!({ "text": "late" })).await.0, 404);
    assert!(bench.slack.violations().is_empty());
}

#[tokio::test]
async fn faults_come_as_often_as_asked() {
    let bench = Bench::new().await;
    let call = async || {
        let url = format!("{}/chat.postMessage", bench.slack.api_url());
        bench.client.post(url).bearer_auth("xoxb-1").json(&json!({ "channel": "U0BO", "text": "x" })).send().await
    };
    bench.slack.fault(Some("chat.postMessage"), 1, Fault::RateLimited { retry_after: 7 });
    bench.slack.fault(None, 1, Fault::Status(503));
    let limited = call().await.unwrap();
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(call().await.unwrap().status().as_u16(), 503);
    assert!(bench.slack.messages("U0BO").is_empty());
    bench.slack.fault(None, 1, Fault::Reset);
    assert!(call().await.and_then(|r| r.error_for_status()).is_err(), "the connection ends");
    assert!(bench.slack.messages("U0BO").is_empty());
    bench.slack.fault(None, 1, Fault::Lost);
    assert!(call().await.is_err());
    assert_eq!(bench.slack.messages("U0BO").len(), 1, "done, though nobody was told");
    bench.slack.fault(None, 1, Fault::Hang);
    assert!(tokio::time::timeout(Duration::from_millis(50), call()).await.is_err());
    assert_eq!(call().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn whoever_waits_is_woken_by_the_change() {
    let bench = Bench::new().await;
    let slack = bench.slack.clone();
    let waiter = tokio::spawn(async move {
        slack.wait_for("a message for Bo", Duration::from_secs(10), |slack| slack.messages("U0BO").pop()).await
    });
    bench.say("U0BO", "there").await;
    assert_eq!(waiter.await.unwrap().unwrap().text, "there");
    let vain = bench.slack.wait_for("nothing", Duration::from_millis(1), |_| None::<()>).await.unwrap_err();
    assert!(vain.contains("nothing") && vain.contains("chat.postMessage"), "{vain}");
}

#[tokio::test]
async fn the_server_ends_with_the_last_handle() {
    let bench = Bench::new().await;
    let (url, client) = (bench.slack.page_url(), bench.client.clone());
    assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), 200);
    let held = bench.slack.0.stop.clone();
    drop(bench);
    assert!(held.is_cancelled());
}

/// Slack names the scope that a method lacks, and says with each answer which there are and what time it is.
#[tokio::test]
async fn a_token_without_the_scope_is_told_which() {
    let bench = Bench::new().await;
    bench.slack.set_scopes(&["chat:write"]);
    let answer = bench.get("conversations.info", "channel=C0ACCESS").await;
    assert_eq!((&answer["error"], &answer["needed"]), (&json!("missing_scope"), &json!("channels:read")));
    assert_eq!(answer["provided"], "chat:write");
    assert_eq!(bench.say("C0ACCESS", "hello").await["ok"], true);
    let request = bench.client.post(format!("{}/auth.test", bench.slack.api_url())).bearer_auth("xoxb-1");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-oauth-scopes"], "chat:write");
    assert_eq!(answer.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    assert!(bench.slack.violations().is_empty());
}
