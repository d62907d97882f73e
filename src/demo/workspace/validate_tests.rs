//! One test for each class of limit: the most that is allowed passes, one more is found at the right place.

use serde_json::{Value, json};

use super::*;

fn plain(length: usize) -> Value {
    json!({ "type": "plain_text", "text": "x".repeat(length) })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

fn button(action: &str) -> Value {
    json!({ "type": "button", "action_id": action, "text": plain(7) })
}

fn actions(elements: Vec<Value>) -> Value {
    json!({ "type": "actions", "elements": elements })
}

fn option(text: usize, value: usize) -> Value {
    json!({ "text": plain(text), "value": "v".repeat(value) })
}

fn input(element: Value) -> Value {
    json!({ "type": "input", "label": plain(5), "element": element })
}

fn modal(blocks: Vec<Value>) -> Value {
    json!({ "type": "modal", "title": plain(24), "submit": plain(24), "close": plain(24), "blocks": blocks })
}

fn in_message(block: Value) -> Vec<String> {
    blocks(Surface::Message, &json!([block]))
}

#[track_caller]
fn fine(found: &[String]) {
    assert!(found.is_empty(), "{found:?}");
}

#[track_caller]
fn found_at(found: &[String], pointer: &str) {
    let pointer = format!("[json-pointer:{pointer}]");
    assert!(found.iter().any(|what| what.ends_with(&pointer)), "{pointer} is not in {found:?}");
}

#[test]
fn text_lengths() {
    fine(&in_message(section(&"x".repeat(3000))));
    found_at(&in_message(section(&"x".repeat(3001))), "/blocks/0/text/text");
    found_at(&in_message(section(&"😀".repeat(1501))), "/blocks/0/text/text");
    found_at(&in_message(section("")), "/blocks/0/text/text");
    let header = |length| json!({ "type": "header", "text": plain(length) });
    fine(&in_message(header(150)));
    found_at(&in_message(header(151)), "/blocks/0/text/text");
    let fields = |count, length| json!({ "type": "section", "fields": vec![plain(length); count] });
    fine(&in_message(fields(10, 2000)));
    found_at(&in_message(fields(10, 2001)), "/blocks/0/fields/0/text");
    found_at(&in_message(fields(11, 1)), "/blocks/0/fields");
}

#[test]
fn counts() {
    fine(&blocks(Surface::Message, &json!(vec![section("x"); 50])));
    found_at(&blocks(Surface::Message, &json!(vec![section("x"); 51])), "/blocks");
    fine(&blocks(Surface::Home, &json!(vec![section("x"); 100])));
    found_at(&blocks(Surface::Modal, &json!(vec![section("x"); 101])), "/blocks");
    let buttons = |count| actions((0..count).map(|n| button(&n.to_string())).collect());
    fine(&in_message(buttons(25)));
    found_at(&in_message(buttons(26)), "/blocks/0/elements");
    let context = |count| json!({ "type": "context", "elements": vec![mrkdwn("x"); count] });
    fine(&in_message(context(10)));
    found_at(&in_message(context(11)), "/blocks/0/elements");
}

#[test]
fn empty_arrays() {
    found_at(&blocks(Surface::Message, &json!([])), "/blocks");
    found_at(&in_message(actions(vec![])), "/blocks/0/elements");
    found_at(&in_message(json!({ "type": "context", "elements": [] })), "/blocks/0/elements");
    found_at(&in_message(json!({ "type": "section", "fields": [] })), "/blocks/0/fields");
}

#[test]
fn needed_and_unknown_fields() {
    found_at(&in_message(json!({ "type": "section" })), "/blocks/0");
    found_at(&in_message(json!({ "type": "header" })), "/blocks/0");
    found_at(&in_message(json!({ "type": "sektion" })), "/blocks/0");
    found_at(&in_message(json!({ "type": "divider", "text": "x" })), "/blocks/0");
    found_at(&in_message(actions(vec![json!({ "type": "knob" })])), "/blocks/0/elements/0");
    found_at(
        &in_message(actions(vec![json!({ "type": "plain_text_input", "action_id": "a" })])),
        "/blocks/0/elements/0",
    );
    found_at(&in_message(json!({ "type": "image", "image_url": "https://acme.test/i.png" })), "/blocks/0");
}

#[test]
fn plain_text_where_it_is_due() {
    found_at(&in_message(json!({ "type": "header", "text": mrkdwn("*x*") })), "/blocks/0/text");
    let mut bold = button("a");
    bold["text"] = mrkdwn("*x*");
    found_at(&in_message(actions(vec![bold])), "/blocks/0/elements/0/text");
    let mut title = modal(vec![section("x")]);
    title["title"] = mrkdwn("x");
    found_at(&view(&title), "/view/title");
}

#[test]
fn buttons() {
    let with = |name: &str, value: Value| {
        let mut button = button("a");
        button[name] = value;
        in_message(actions(vec![button]))
    };
    let at = |name: &str| format!("/blocks/0/elements/0/{name}");
    fine(&with("text", plain(75)));
    found_at(&with("text", plain(76)), &at("text/text"));
    fine(&with("value", json!("v".repeat(2000))));
    found_at(&with("value", json!("v".repeat(2001))), &at("value"));
    found_at(&with("url", json!("javascript:alert(1)")), &at("url"));
    found_at(&with("url", json!(format!("https://acme.test/{}", "x".repeat(3000)))), &at("url"));
    found_at(&with("style", json!("default")), &at("style"));
    found_at(&with("accessibility_label", json!("x".repeat(76))), &at("accessibility_label"));
    found_at(&with("action_id", json!("x".repeat(256))), &at("action_id"));
    let confirm = |title, text, yes, no| {
        with("confirm", json!({ "title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain(no) }))
    };
    fine(&confirm(100, 300, 30, 30));
    found_at(&confirm(101, 300, 30, 30), &at("confirm/title/text"));
    found_at(&confirm(100, 301, 30, 30), &at("confirm/text/text"));
    found_at(&confirm(100, 300, 31, 30), &at("confirm/confirm/text"));
    found_at(&confirm(100, 300, 30, 31), &at("confirm/deny/text"));
}

#[test]
fn ids_are_there_once() {
    found_at(&in_message(actions(vec![button("same"), button("same")])), "/blocks/0");
    let mut first = section("x");
    first["block_id"] = json!("same");
    let found = blocks(Surface::Message, &json!([first.clone(), first]));
    found_at(&found, "/blocks/1");
    fine(&blocks(Surface::Message, &json!([actions(vec![button("same")]), actions(vec![button("same")])])));
}

#[test]
fn options_and_selects() {
    let select = |options: Vec<Value>| {
        view(&modal(vec![input(json!({ "type": "static_select", "action_id": "a", "options": options }))]))
    };
    let numbered =
        |count: usize| (0..count).map(|n| json!({ "text": plain(3), "value": n.to_string() })).collect::<Vec<_>>();
    fine(&select(vec![option(75, 150)]));
    found_at(&select(vec![option(76, 1)]), "/view/blocks/0/element/options/0/text/text");
    found_at(&select(vec![option(1, 151)]), "/view/blocks/0/element/options/0/value");
    fine(&select(numbered(100)));
    found_at(&select(numbered(101)), "/view/blocks/0/element/options");
    found_at(&select(vec![option(1, 1), option(1, 1)]), "/view/blocks/0/element");
    let of = |element: Value| view(&modal(vec![input(element)]));
    let radio = |count| of(json!({ "type": "radio_buttons", "action_id": "a", "options": numbered(count) }));
    fine(&radio(10));
    found_at(&radio(11), "/view/blocks/0/element/options");
    found_at(&of(json!({ "type": "static_select", "action_id": "a" })), "/view/blocks/0/element");
    let stranger =
        json!({ "type": "static_select", "action_id": "a", "options": numbered(2), "initial_option": option(1, 1) });
    found_at(&of(stranger), "/view/blocks/0/element");
    let mut overflow = json!({ "type": "overflow", "action_id": "a", "options": numbered(5) });
    fine(&in_message(actions(vec![overflow.clone()])));
    overflow["options"] = json!(numbered(6));
    found_at(&in_message(actions(vec![overflow])), "/blocks/0/elements/0/options");
}

#[test]
fn inputs() {
    let text = |name: &str, value: Value| {
        let mut element = json!({ "type": "plain_text_input", "action_id": "a" });
        element[name] = value;
        view(&modal(vec![input(element)]))
    };
    fine(&text("max_length", json!(3000)));
    found_at(&text("max_length", json!(3001)), "/view/blocks/0/element/max_length");
    found_at(&text("max_length", json!(0)), "/view/blocks/0/element/max_length");
    found_at(&text("min_length", json!(3001)), "/view/blocks/0/element/min_length");
    fine(&text("placeholder", plain(150)));
    found_at(&text("placeholder", plain(151)), "/view/blocks/0/element/placeholder/text");
    let labelled = |name: &str, length| {
        let mut block = input(json!({ "type": "plain_text_input", "action_id": "a" }));
        block[name] = plain(length);
        view(&modal(vec![block]))
    };
    fine(&labelled("label", 2000));
    found_at(&labelled("label", 2001), "/view/blocks/0/label/text");
    found_at(&labelled("hint", 2001), "/view/blocks/0/hint/text");
}

#[test]
fn views() {
    let with = |name: &str, value: Value| {
        let mut modal = modal(vec![section("x")]);
        modal[name] = value;
        view(&modal)
    };
    fine(&with("private_metadata", json!("x".repeat(3000))));
    found_at(&with("private_metadata", json!("x".repeat(3001))), "/view/private_metadata");
    found_at(&with("callback_id", json!("x".repeat(256))), "/view/callback_id");
    found_at(&with("external_id", json!("x".repeat(256))), "/view/external_id");
    for name in ["title", "submit", "close"] {
        found_at(&with(name, plain(25)), &format!("/view/{name}/text"));
    }
    let mut no_submit = modal(vec![input(json!({ "type": "plain_text_input", "action_id": "a" }))]);
    fine(&view(&no_submit));
    no_submit.as_object_mut().unwrap().remove("submit");
    found_at(&view(&no_submit), "/view/submit");
    found_at(&view(&json!({ "type": "home", "blocks": [section("x")], "title": plain(3) })), "/view");
    fine(&view(&json!({ "type": "home", "blocks": [section("x")] })));
    let large = modal(vec![section(&"&amp;".repeat(600)); 90]);
    found_at(&view(&large), "/view");
    found_at(&view(&modal(vec![json!({ "type": "markdown", "text": "x" })])), "/view/blocks/0");
}

#[test]
fn markup_that_pings_or_was_not_escaped() {
    found_at(&in_message(section("<!channel> wake up")), "/blocks/0/text/text");
    found_at(&in_message(section("for R&D")), "/blocks/0/text/text");
    fine(&in_message(section("for R&amp;D")));
    let header = json!({ "type": "header", "text": { "type": "plain_text", "text": "<!here>" } });
    found_at(&in_message(header), "/blocks/0/text/text");
    let amp = json!({ "type": "header", "text": { "type": "plain_text", "text": "R&D" } });
    fine(&in_message(amp));
}

#[test]
fn message_texts() {
    fine(&text("Ana asks for AcmeCorp", true));
    fine(&text("", false));
    found_at(&text(" ", true), "/text");
    found_at(&text("<!everyone>", false), "/text");
    found_at(&text(&"x".repeat(4001), false), "/text");
}

#[test]
fn options_answers_and_metadata() {
    fine(&options_answer(&json!({ "options": [] })));
    fine(&options_answer(&json!({ "options": [option(75, 75)] })));
    found_at(&options_answer(&json!({})), "");
    found_at(&options_answer(&json!({ "options": [option(76, 1)] })), "/options/0/text/text");
    assert!(!options_answer(&json!({ "options": vec![option(1, 1); 101] })).is_empty());
    fine(&metadata(&json!({})));
    fine(&metadata(&json!({ "event_type": "access_petition", "event_payload": { "petition": "pet_1" } })));
    assert!(!metadata(&json!({ "event_type": "Access", "event_payload": {} })).is_empty());
    assert!(!metadata(&json!({ "event_type": "access" })).is_empty());
}

#[test]
fn days_hours_and_focus() {
    let of = |element: Value| view(&modal(vec![input(element)]));
    let day = |day: &str| of(json!({ "type": "datepicker", "action_id": "a", "initial_date": day }));
    fine(&day("2026-11-24"));
    for wrong in ["2026-13-01", "24.11.2026", "tomorrow", "20261124"] {
        found_at(&day(wrong), "/view/blocks/0/element/initial_date");
    }
    let hour = |hour: &str| of(json!({ "type": "timepicker", "action_id": "a", "initial_time": hour }));
    fine(&hour("23:59"));
    for wrong in ["24:00", "9:00", "5 pm", "12:60"] {
        found_at(&hour(wrong), "/view/blocks/0/element/initial_time");
    }
    let focus = || input(json!({ "type": "plain_text_input", "action_id": "a", "focus_on_load": true }));
    fine(&view(&modal(vec![focus()])));
    found_at(&view(&modal(vec![focus(), focus()])), "/view/blocks");
    let told = |on: Value| {
        let config = json!({ "trigger_actions_on": on });
        of(json!({ "type": "plain_text_input", "action_id": "a", "dispatch_action_config": config }))
    };
    fine(&told(json!(["on_enter_pressed", "on_character_entered"])));
    let at = "/view/blocks/0/element/dispatch_action_config/trigger_actions_on";
    found_at(&told(json!([])), at);
    found_at(&told(json!(["on_leave"])), &format!("{at}/0"));
}

#[test]
fn choices_that_are_made_already() {
    let of = |element: Value| view(&modal(vec![input(element)]));
    let one = json!({ "text": plain(3), "value": "1" });
    let two = json!({ "text": plain(3), "value": "2" });
    let boxes = |initial: Value| {
        of(json!({ "type": "checkboxes", "action_id": "a", "options": [one], "initial_options": initial }))
    };
    fine(&boxes(json!([one])));
    found_at(&boxes(json!([two])), "/view/blocks/0/element");
    let grouped = |initial: &Value, count: usize| {
        let groups = vec![json!({ "label": plain(75), "options": [one] }); count];
        of(json!({ "type": "static_select", "action_id": "a", "option_groups": groups, "initial_option": initial }))
    };
    fine(&grouped(&one, 1));
    found_at(&grouped(&two, 1), "/view/blocks/0/element");
    found_at(&grouped(&one, 101), "/view/blocks/0/element/option_groups");
    let several = |most: i64| {
        let element = json!({ "type": "multi_external_select", "action_id": "a", "initial_options": [one, two], "max_selected_items": most });
        of(element)
    };
    fine(&several(2));
    found_at(&several(1), "/view/blocks/0/element");
}

#[test]
fn one_primary_button_beside_others() {
    let styled = |action: &str, style: &str| {
        let mut button = button(action);
        button["style"] = json!(style);
        button
    };
    fine(&in_message(actions(vec![styled("a", "primary"), styled("b", "danger"), button("c")])));
    found_at(&in_message(actions(vec![styled("a", "primary"), styled("b", "primary")])), "/blocks/0");
}

#[test]
fn inputs_stand_where_slack_lets_them() {
    let typed = || json!({ "type": "plain_text_input", "action_id": "a" });
    fine(&view(&json!({ "type": "home", "blocks": [input(typed())] })));
    found_at(
        &in_message(actions(vec![json!({ "type": "multi_users_select", "action_id": "a" })])),
        "/blocks/0/elements/0",
    );
    found_at(
        &view(&modal(vec![input(json!({ "type": "button", "action_id": "a", "text": plain(3) }))])),
        "/view/blocks/0/element",
    );
    let many = |count| view(&json!({ "type": "home", "blocks": vec![section("x"); count] }));
    fine(&many(100));
    found_at(&many(101), "/view/blocks");
}
