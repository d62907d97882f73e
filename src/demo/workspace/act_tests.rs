//! What people do beyond commands and buttons: shortcuts, typeaheads, stacked modals, the Home tab, threads.

use std::time::Duration;

use serde_json::{Value, json};

use crate::demo::workspace::{
    Person,
    bench::{Bench, START, card, modal},
};

/// An app that declared everything there is.
fn manifest() -> Value {
    json!({
        "features": {
            "app_home": { "home_tab_enabled": true },
            "shortcuts": [
                { "name": "Request access", "type": "global", "callback_id": "ask", "description": "Opens the form" },
                { "name": "Of a message", "type": "message", "callback_id": "other", "description": "" },
            ],
        },
        "oauth_config": { "scopes": { "bot": ["chat:write", "channels:history", "groups:history", "im:history"] } },
        "settings": {
            "event_subscriptions": {
                "bot_events": ["app_home_opened", "message.channels", "message.groups", "message.im"],
            },
            "interactivity": { "message_menu_options_url": "https://bot.acme.test/slack/options" },
        },
    })
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.slack.install(&manifest());
    bench
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

fn option(text: &str, value: &str) -> Value {
    json!({ "text": plain(text), "value": value })
}

fn input(id: &str, element: Value) -> Value {
    let mut block =
        json!({ "type": "input", "block_id": id, "label": plain(id), "optional": true, "element": element });
    block["element"]["action_id"] = json!("it");
    block
}

fn form(blocks: &[Value]) -> Value {
    json!({ "type": "modal", "callback_id": "ask", "title": plain("Ask"), "submit": plain("Ask"), "blocks": blocks })
}

impl Bench {
    /// Opens a modal for Ana; its id.
    async fn opens(&self, view: Value) -> String {
        let trigger = self.slack.update(|state| self.slack.trigger(state, "U0ANA"));
        let opened = self.post("views.open", json!({ "trigger_id": trigger, "view": view })).await;
        opened["view"]["id"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned()
    }
}

#[tokio::test]
async fn a_shortcut_has_a_trigger_and_no_channel() {
    let bench = bench().await;
    let forms = bench.bot(|_, _| Value::Null).await;
    let unknown = bench.slack.shortcut("U0ANA", "other").await.problem.unwrap();
    assert!(unknown.contains("[\"ask\"]"), "only global ones are in the menu: {unknown}");
    assert!(bench.slack.shortcut("U0ANA", "ask").await.ok());
    let payload = forms.lock().unwrap()[0].payload();
    assert_eq!((&payload["type"], &payload["callback_id"]), (&json!("shortcut"), &json!("ask")));
    assert_eq!(payload["user"]["id"], "U0ANA");
    assert!(payload.get("channel").is_none() && payload.get("response_url").is_none());
    let opened = bench.post("views.open", json!({ "trigger_id": payload["trigger_id"], "view": modal() })).await;
    assert_eq!(opened["ok"], true);
}

#[tokio::test]
async fn a_typeahead_asks_the_bot_and_its_answer_is_judged() {
    let bench = bench().await;
    let forms = bench
        .bot(|path, form| match form.payload()["value"].as_str() {
            Some("acme" | "AcmeCorp") if path == "/slack/options" => {
                json!({ "option_groups": [{ "label": plain("Recent"), "options": [option("AcmeCorp", "123")] }] })
            }
            Some(_) => json!({ "options": [option(&"x".repeat(76), "1")] }),
            None => Value::Null,
        })
        .await;
    let one = input("customer", json!({ "type": "external_select", "min_query_length": 1 }));
    let id = bench.opens(form(&[one])).await;
    assert!(bench.slack.suggest("U0ANA", "it", "").await.unwrap_err().contains("from 1 characters"));
    assert!(bench.slack.suggest("U0BO", "it", "acme").await.is_err(), "Bo has no modal");
    let options = bench.slack.suggest("U0ANA", "it", "acme").await.unwrap();
    assert_eq!(options, [option("AcmeCorp", "123")]);
    let asked = forms.lock().unwrap()[0].payload();
    assert_eq!((&asked["type"], &asked["block_id"]), (&json!("block_suggestion"), &json!("customer")));
    assert_eq!(asked["container"], json!({ "type": "view", "view_id": id }));
    assert!(asked.get("trigger_id").is_none() && asked.get("response_url").is_none());
    assert!(bench.slack.violations().is_empty());
    bench.slack.suggest("U0ANA", "it", "long").await.unwrap();
    assert_eq!(bench.slack.violations().len(), 1);
    assert!(bench.slack.submit("U0ANA", &id, &[("customer", "AcmeCorp")]).await.ok());
    let state = forms.lock().unwrap().last().unwrap().payload()["view"]["state"]["values"].clone();
    assert_eq!(state["customer"]["it"]["selected_option"], option("AcmeCorp", "123"));
}

#[tokio::test]
async fn every_kind_of_input_is_sent_as_slack_sends_it() {
    let bench = bench().await;
    let forms = bench
        .bot(|path, _| match path {
            "/slack/options" => json!({ "options": [option("AcmeCorp", "123"), option("Globex", "200")] }),
            _ => Value::Null,
        })
        .await;
    let two = json!([option("One", "1"), option("Two", "2")]);
    let blocks = [
        input("text", json!({ "type": "plain_text_input" })),
        input("static", json!({ "type": "static_select", "options": two })),
        input("external", json!({ "type": "external_select" })),
        input("several", json!({ "type": "multi_external_select" })),
        input("user", json!({ "type": "users_select" })),
        input("boxes", json!({ "type": "checkboxes", "options": two })),
        input("radio", json!({ "type": "radio_buttons", "options": two })),
        input("date", json!({ "type": "datepicker" })),
        input("time", json!({ "type": "timepicker" })),
        input("moment", json!({ "type": "datetimepicker" })),
        input("number", json!({ "type": "number_input", "is_decimal_allowed": false })),
        input("left", json!({ "type": "plain_text_input" })),
    ];
    let mut blocks = blocks.to_vec();
    blocks[3]["element"]["action_id"] = json!("others");
    let id = bench.opens(form(&blocks)).await;
    let typed = [
        ("text", "why"),
        ("static", "Two"),
        ("external", "AcmeCorp"),
        ("several", "AcmeCorp\nGlobex"),
        ("user", "Bo"),
        ("boxes", "One\nTwo"),
        ("radio", "1"),
        ("date", "2026-11-24"),
        ("time", "17:00"),
        ("moment", "1700000000"),
        ("number", "4"),
    ];
    let answer = bench.slack.submit("U0ANA", &id, &typed).await;
    assert_eq!(answer.problem, None);
    let sent = forms.lock().unwrap().last().unwrap().payload();
    assert_eq!(
        sent["view"]["state"]["values"],
        json!({
            "text": { "it": { "type": "plain_text_input", "value": "why" } },
            "static": { "it": { "type": "static_select", "selected_option": option("Two", "2") } },
            "external": { "it": { "type": "external_select", "selected_option": option("AcmeCorp", "123") } },
            "several": { "others": { "type": "multi_external_select",
                "selected_options": [option("AcmeCorp", "123"), option("Globex", "200")] } },
            "user": { "it": { "type": "users_select", "selected_user": "U0BO" } },
            "boxes": { "it": { "type": "checkboxes", "selected_options": two } },
            "radio": { "it": { "type": "radio_buttons", "selected_option": option("One", "1") } },
            "date": { "it": { "type": "datepicker", "selected_date": "2026-11-24" } },
            "time": { "it": { "type": "timepicker", "selected_time": "17:00" } },
            "moment": { "it": { "type": "datetimepicker", "selected_date_time": 1_700_000_000 } },
            "number": { "it": { "type": "number_input", "value": "4" } },
            "left": { "it": { "type": "plain_text_input", "value": null } },
        })
    );
    assert!(bench.slack.violations().is_empty(), "{:?}", bench.slack.violations());
}

#[tokio::test]
async fn an_input_that_dispatches_tells_of_its_view_and_what_stands_in_it() {
    let bench = bench().await;
    let forms = bench.bot(|_, _| Value::Null).await;
    let select = json!({ "type": "static_select", "options": [option("4 hours", "4h"), option("Until …", "until")] });
    let mut loud = input("length", select);
    loud["dispatch_action"] = json!(true);
    let id = bench.opens(form(&[loud, input("why", json!({ "type": "plain_text_input" }))])).await;
    let quiet = bench.slack.press_view("U0ANA", &id, "why", Some("x")).await.problem.unwrap();
    assert!(quiet.contains("no button"), "{quiet}");
    assert!(bench.slack.press_view("U0ANA", &id, "it", Some("Until …")).await.ok());
    let payload = forms.lock().unwrap()[0].payload();
    assert_eq!(payload["actions"][0]["selected_option"], option("Until …", "until"));
    assert_eq!(payload["view"]["state"]["values"]["length"]["it"]["selected_option"]["value"], "until");
    for absent in ["channel", "message", "response_url"] {
        assert!(payload.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn modals_stack_three_high_and_close_one_by_one_or_all() {
    let bench = bench().await;
    let forms = bench
        .bot(|_, form| match form.payload()["type"].as_str() {
            Some("view_submission") => json!({ "response_action": "push", "view": modal() }),
            _ => Value::Null,
        })
        .await;
    let first = bench.opens(modal()).await;
    assert!(bench.slack.submit("U0ANA", &first, &[("Reason", "because")]).await.ok());
    let second = bench.slack.view("U0ANA").unwrap();
    assert_eq!(second.value["previous_view_id"], json!(first));
    assert_eq!(second.value["root_view_id"], json!(first));
    assert!(bench.slack.submit("U0ANA", &second.id, &[("Reason", "because")]).await.ok());
    let third = bench.slack.view("U0ANA").unwrap();
    assert!(!bench.slack.submit("U0ANA", &third.id, &[("Reason", "because")]).await.ok());
    assert_eq!(bench.slack.violations().len(), 1, "a fourth view");
    assert!(bench.slack.close("U0ANA", &third.id).await.unwrap().ok());
    assert_eq!(forms.lock().unwrap().last().unwrap().payload()["is_cleared"], false);
    assert_eq!(bench.slack.view("U0ANA").unwrap().id, second.id);
    assert!(bench.slack.dismiss("U0ANA", &second.id).await.unwrap().ok());
    let closed = forms.lock().unwrap().last().unwrap().payload();
    assert_eq!((&closed["type"], &closed["is_cleared"]), (&json!("view_closed"), &json!(true)));
    assert!(bench.slack.view("U0ANA").is_none());
}

#[tokio::test]
async fn the_home_tab_is_published_for_each_and_told_of_when_opened() {
    let bench = bench().await;
    let forms = bench.bot(|_, _| Value::Null).await;
    assert!(bench.slack.open_home("U0ANA").await.ok());
    let opened = forms.lock().unwrap()[0].json();
    assert_eq!(opened["type"], "event_callback");
    let event = &opened["event"];
    assert_eq!(
        (&event["type"], &event["tab"], &event["channel"]),
        (&json!("app_home_opened"), &json!("home"), &json!("D0ANA"))
    );
    assert!(event.get("view").is_none());
    let view = json!({ "type": "home", "blocks": [card()[1]] });
    let published = bench.post("views.publish", json!({ "user_id": "U0ANA", "view": view })).await;
    let stale = json!({ "user_id": "U0ANA", "view": view, "hash": "old" });
    assert_eq!(bench.post("views.publish", stale).await["error"], "hash_conflict");
    let fresh = json!({ "user_id": "U0ANA", "view": view, "hash": published["view"]["hash"] });
    assert_eq!(bench.post("views.publish", fresh).await["ok"], true);
    assert!(bench.slack.home("U0BO").is_none());
    bench.slack.open_home("U0ANA").await;
    assert_eq!(forms.lock().unwrap()[1].json()["event"]["view"]["id"], published["view"]["id"]);
    assert!(bench.slack.press_home("U0ANA", "Approve").await.ok());
    let pressed = forms.lock().unwrap()[2].payload();
    assert_eq!(pressed["container"], json!({ "type": "view", "view_id": published["view"]["id"] }));
    assert_eq!(pressed["view"]["type"], "home");
    for absent in ["channel", "message", "response_url"] {
        assert!(pressed.get(absent).is_none(), "{absent}");
    }
    assert!(bench.slack.open_messages("U0ANA").await.ok());
    assert_eq!(forms.lock().unwrap()[3].json()["event"]["tab"], "messages");
}

#[tokio::test]
async fn a_reply_stands_in_its_thread_and_reaches_the_bot() {
    let bench = bench().await;
    let forms = bench.bot(|_, _| Value::Null).await;
    // Before the app could hear of its own posts.
    bench.slack.install(&json!({ "oauth_config": { "scopes": { "bot": ["chat:write"] } } }));
    let parent = bench.say("C0ACCESS", "Ana asks").await["ts"].as_str().unwrap().to_owned();
    bench.slack.install(&manifest());
    assert!(bench.slack.reply("U0BO", "C0ACCESS", &parent, "Which <table>?").await.ok());
    let sent = forms.lock().unwrap()[0].json();
    assert!(sent["event_id"].as_str().unwrap().starts_with("Ev0"));
    let event = &sent["event"];
    let own = ["type", "user", "text", "thread_ts", "channel", "channel_type", "parent_user_id"];
    let told: Vec<&str> = own.iter().map(|name| event[name].as_str().unwrap()).collect();
    let bot = bench.slack.bot_user_id();
    assert_eq!(told, ["message", "U0BO", "Which &lt;table&gt;?", &parent, "C0ACCESS", "channel", &bot]);
    assert_eq!(event["client_msg_id"].as_str().unwrap().len(), 36);
    assert!(event.get("bot_id").is_none() && event.get("subtype").is_none());
    let replies = bench.slack.replies("C0ACCESS", &parent);
    assert_eq!(replies.iter().map(|reply| reply.text.as_str()).collect::<Vec<_>>(), ["Which &lt;table&gt;?"]);
    let reply = replies[0].ts.clone();
    assert!(bench.slack.reply("U0BO", "C0ACCESS", &reply, "x").await.problem.unwrap().contains("not the parent"));
    let own = json!({ "channel": "C0ACCESS", "thread_ts": parent, "text": "The invoices" });
    bench.post("chat.postMessage", own).await;
    assert_eq!(bench.slack.replies("C0ACCESS", &parent).len(), 2);
    assert!(bench.slack.violations().is_empty());
    let below = json!({ "channel": "C0ACCESS", "thread_ts": reply, "text": "x" });
    bench.post("chat.postMessage", below).await;
    assert_eq!(bench.slack.violations().len(), 1, "a thread begins with a parent");
}

#[tokio::test]
async fn the_bot_hears_of_its_own_posts_and_edits() {
    let bench = bench().await;
    bench.bot(|_, _| Value::Null).await;
    let sent = bench.say("U0ANA", "one").await;
    bench.post("chat.update", json!({ "channel": "D0ANA", "ts": sent["ts"], "text": "two" })).await;
    let both = |slack: &crate::demo::workspace::Workspace| Some(slack.events()).filter(|events| events.len() == 2);
    let events = bench.slack.wait_for("both echoes", Duration::from_secs(10), both).await.unwrap();
    let own: Vec<&Value> = events.iter().map(|(event, _)| &event["event"]).collect();
    assert_eq!((&own[0]["text"], &own[0]["channel_type"]), (&json!("one"), &json!("im")));
    assert!(own[0]["bot_id"].is_string() && own[0].get("client_msg_id").is_none());
    assert_eq!(own[1]["subtype"], "message_changed");
    assert_eq!((&own[1]["message"]["text"], &own[1]["previous_message"]["text"]), (&json!("two"), &json!("one")));
}

#[tokio::test]
async fn the_bot_hears_only_where_it_is_and_may() {
    let bench = bench().await;
    bench.bot(|_, _| Value::Null).await;
    let say = async |place: &str| bench.slack.say("U0ANA", place, "hello").await.problem.unwrap_or_default();
    assert_eq!(say("C0ACCESS").await, "");
    assert_eq!(say("U0ANA").await, "");
    assert_eq!(say("C0OTHER").await, "the bot is not in C0OTHER");
    bench.slack.make_private("C0ACCESS");
    bench.slack.set_scopes(&["channels:history", "im:history"]);
    assert!(say("C0ACCESS").await.contains("groups:history"));
    bench.slack.install(&json!({}));
    assert!(say("U0ANA").await.contains("does not subscribe to message.im"));
    assert_eq!(bench.slack.messages("C0ACCESS").len(), 2, "what was written stands all the same");
    assert_eq!(bench.slack.events().len(), 2);
}

#[tokio::test]
async fn what_the_manifest_does_not_declare_is_not_there() {
    let bench = Bench::new().await;
    bench.bot(|_, _| Value::Null).await;
    bench.slack.install(&json!({}));
    let problem = |answer: crate::demo::workspace::Answer| answer.problem.unwrap();
    assert!(problem(bench.slack.shortcut("U0ANA", "ask").await).contains("features.shortcuts"));
    assert!(problem(bench.slack.open_home("U0ANA").await).contains("home_tab_enabled"));
    assert!(problem(bench.slack.open_messages("U0ANA").await).contains("app_home_opened"));
    bench.slack.set_scopes(&["chat:write"]);
    let view = json!({ "type": "home", "blocks": [card()[0]] });
    let answer = bench.post("views.publish", json!({ "user_id": "U0ANA", "view": view })).await;
    assert_eq!(answer["error"], "not_enabled");
    assert_eq!(bench.slack.violations().len(), 1);
    bench.opens(form(&[input("customer", json!({ "type": "external_select", "min_query_length": 0 }))])).await;
    assert!(bench.slack.suggest("U0ANA", "it", "").await.unwrap_err().contains("message_menu_options_url"));
}

#[tokio::test]
async fn a_person_has_a_title_and_a_clock() {
    let bench = Bench::new().await;
    let ana = Person::new("U0ANA", "Ana", "ana@acme.test").titled("Support engineer").in_zone("Europe/Berlin");
    bench.slack.add_person(ana);
    for answer in
        [bench.get("users.info", "user=U0ANA").await, bench.get("users.lookupByEmail", "email=ana@acme.test").await]
    {
        let user = &answer["user"];
        assert_eq!(user["profile"]["title"], "Support engineer");
        let winter = (&json!("Europe/Berlin"), &json!("Central European Time"), &json!(3600));
        assert_eq!((&user["tz"], &user["tz_label"], &user["tz_offset"]), winter);
    }
    bench.now.store(START + 200 * 86_400, std::sync::atomic::Ordering::SeqCst);
    let user = bench.get("users.info", "user=U0ANA").await["user"].clone();
    assert_eq!((&user["tz_label"], &user["tz_offset"]), (&json!("Central European Summer Time"), &json!(7200)));
}
