//! The form of `/access`: opened by the command, the shortcut and the buttons, filled in from what was typed, with
//! typeahead, several customers, a moment as the end, and on behalf of somebody else.

use latchkey::demo::workspace::{Answer, Fault, View};
use serde_json::{Value, json};

use crate::harness::{
    acts::{payload, press},
    databases::{TestDb, raw_at},
    house::{ANA, BO, CHANNEL, CY, DAN, FILE, House},
    office::{hours, minutes, seconds},
};

/// The first rule with one more line.
fn rule_with(line: &str) -> String {
    FILE.replace("max_duration = \"8h\"\n", &format!("max_duration = \"8h\"\n{line}\n"))
}

/// The form that a command opens; what else it shows.
async fn opens(house: &House, user: &str, text: &str) -> (View, Answer) {
    let answer = house.types(user, text).await;
    assert_eq!(answer.problem, None, "{}", answer.text());
    let form = house.slack.view(user).unwrap_or_else(|| panic!("no form opened; it said: {}", answer.text()));
    (form, answer)
}

async fn sends(house: &House, user: &str, values: &[(&str, &str)]) -> Answer {
    let form = house.slack.view(user).expect("a form is open");
    let answer = house.slack.submit(user, &form.id, values).await;
    house.settle().await;
    answer
}

/// What stands in a form before anybody typed.
fn state(form: &View) -> Value {
    let values = &form.value["state"]["values"];
    let chosen = values["ask-customers"]["ask-customers"]["selected_options"].as_array().unwrap();
    let customers: Vec<&Value> = chosen.iter().map(|option| &option["value"]).collect();
    json!({
        "customers": customers,
        "length": values["ask-length"]["ask-length"]["selected_option"]["value"],
        "reason": values["ask-reason"]["ask-reason"]["value"],
    })
}

/// What is offered, by value.
async fn offered(house: &House, user: &str, typed: &str) -> Vec<String> {
    let options = house.slack.suggest(user, "ask-customers", typed).await.unwrap();
    options.iter().map(|option| option["value"].as_str().unwrap().to_owned()).collect()
}

fn wrong(house: &House, user: &str, block: &str) -> String {
    let form = house.slack.view(user).expect("the form stays open");
    form.errors.get(block).unwrap_or_else(|| panic!("nothing is wrong with {block}: {:?}", form.errors)).clone()
}

/// As Slack posts a form that was filled in.
fn submission(user: &str, values: &Value) -> Vec<u8> {
    let mut one = press(user, "", &json!(""));
    one["type"] = json!("view_submission");
    one["view"] =
        json!({ "id": "V1", "callback_id": "ask-access", "private_metadata": "", "state": { "values": values } });
    payload(&one)
}

fn filled(customer: &str, reason: &str) -> Value {
    json!({
        "ask-customers": { "ask-customers": { "type": "multi_external_select", "selected_options": [{ "value": customer }] } },
        "ask-length": { "ask-length": { "type": "static_select", "selected_option": { "value": "2h" } } },
        "ask-reason": { "ask-reason": { "type": "plain_text_input", "value": reason } },
    })
}

both_databases! {
    async fn the_command_alone_opens_the_form_and_sending_it_asks(db: TestDb) {
        let house = House::new(db).await;
        let (form, said) = opens(&house, ANA, "").await;
        assert_eq!(said.body, "", "the form says it all");
        assert_eq!(state(&form), json!({ "customers": [], "length": "4h", "reason": null }));
        let sent = sends(&house, ANA, &[("ask-customers", "acme"), ("ask-reason", "debug BUG-482")]).await;
        assert!(sent.problem.is_some(), "acme is no option: {}", sent.text());
        let sent = sends(&house, ANA, &[("ask-customers", "123"), ("ask-length", "2h"), ("ask-reason", "debug BUG-482")]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        assert!(house.slack.view(ANA).is_none(), "it closes");
        assert!(house.reads(ANA).contains("You asked for access to AcmeCorp (123) for 2h"), "{}", house.reads(ANA));
        assert!(house.reads(BO).contains("debug BUG-482"), "{}", house.reads(BO));
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.advance(hours(2)).await;
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// What was not understood opens the form with what was; the words stay, to be corrected by hand.
    async fn what_was_typed_stands_in_the_form(db: TestDb) {
        let house = House::new(db).await;
        for (typed, understood, above) in [
            ("123 for 2h", json!({ "customers": ["123"], "length": "2h", "reason": null }), "The reason is missing"),
            ("Acmee for 90m to debug BUG-482", json!({ "customers": [], "length": "1h 30m", "reason": "debug BUG-482" }), "There is no customer “Acmee”"),
            ("Twin Ltd for 2h to debug BUG-482", json!({ "customers": [], "length": "2h", "reason": "debug BUG-482" }), "may be Twin Ltd (125) or Twin Ltd (126)"),
            ("123 for 5 fortnights to debug BUG-482", json!({ "customers": ["123"], "length": "4h", "reason": "debug BUG-482" }), "The length is not understood"),
            ("for 2h because BUG-482", json!({ "customers": [], "length": "2h", "reason": "BUG-482" }), "That names no customer"),
        ] {
            let (form, said) = opens(&house, ANA, typed).await;
            assert_eq!(state(&form), understood, "{typed}");
            assert!(form.plain().contains(above) && said.text().contains(above), "{typed}: {}", form.plain());
            house.slack.close(ANA, &form.id).await;
        }
        // Before anything is typed, what is near comes first.
        opens(&house, ANA, "Twin Ltd for 2h to debug BUG-482").await;
        assert_eq!(offered(&house, ANA, "").await[..2], ["125", "126"]);
        house.expect_record(&[]).await;
        let (form, said) = opens(&house, ANA, "new Globex for 1h to look at BUG-7").await;
        assert_eq!(state(&form), json!({ "customers": ["200"], "length": "1h", "reason": "look at BUG-7" }));
        assert_eq!(said.body, "");
        let sent = sends(&house, ANA, &[]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        assert!(house.reads(BO).contains("access to Globex (200) for 1h"), "{}", house.reads(BO));
        house.finish().await;
    }

    async fn customers_are_found_by_id_name_and_part(db: TestDb) {
        let house = House::new(db).await;
        opens(&house, ANA, "").await;
        for (typed, found) in [
            ("123", vec!["123"]),
            ("12", vec!["123", "124", "125", "126"]),
            ("acme", vec!["123", "124"]),
            ("ACME-Corp", vec!["123", "124"]),
            ("corp", vec!["124", "123"]),
            ("labs", vec!["124"]),
            ("lob", vec!["200"]),
            ("zz", vec![]),
            ("zzzz", vec![]),
            ("\"* OR", vec![]),
            ("%", vec![]),
        ] {
            assert_eq!(offered(&house, ANA, typed).await, found, "{typed}");
        }
        assert_eq!(offered(&house, ANA, "").await.len(), 6, "before anything is typed, the first by name");
        // Look-alikes are told apart by id and plan.
        let twins = house.slack.suggest(ANA, "ask-customers", "twin").await.unwrap();
        let seen: Vec<_> = twins.iter().map(|one| (one["text"]["text"].as_str().unwrap(), one["description"]["text"].as_str().unwrap())).collect();
        assert_eq!(seen, [("Twin Ltd (125)", "free plan"), ("Twin Ltd (126)", "team plan")]);
        // A new name is found, the old one is not.
        raw_at(&house.customers, "UPDATE customers SET name = 'Umbrella' WHERE id = 200").await;
        house.synced().await;
        assert_eq!(offered(&house, ANA, "brell").await, ["200"]);
        assert!(offered(&house, ANA, "lobe").await.is_empty());
        raw_at(&house.customers, "DELETE FROM customers WHERE id = 200").await;
        house.synced().await;
        assert!(offered(&house, ANA, "brell").await.is_empty(), "it vanished");
        house.finish().await;
    }

    async fn what_somebody_asked_for_lately_comes_first(db: TestDb) {
        let house = House::new(db).await;
        for customer in ["200", "124"] {
            house.types(ANA, &format!("{customer} for 1h to debug BUG-1")).await;
            house.advance(minutes(1)).await;
        }
        opens(&house, ANA, "").await;
        assert_eq!(offered(&house, ANA, "").await[..2], ["124", "200"]);
        assert_eq!(offered(&house, ANA, "acme").await, ["124", "123"]);
        opens(&house, BO, "").await;
        assert_eq!(offered(&house, BO, "acme").await, ["123", "124"], "they were Ana's");
        house.finish().await;
    }

    /// Names are customer data too.
    async fn only_what_somebody_may_ask_for_is_offered(db: TestDb) {
        // Bo may ask for Cy, though not for himself.
        let rule = "petitioners = [\"cy@acme.test\"]\nfor_others = [\"bo@acme.test\"]";
        let house = House::plan(db).file(&rule_with(rule)).build().await;
        for (user, found) in [(CY, vec!["123", "124"]), (BO, vec!["123", "124"]), (ANA, vec!["124"])] {
            opens(&house, user, "").await;
            assert_eq!(offered(&house, user, "acme").await, found, "{user}");
        }
        // Nor does the form come filled in with it.
        let (form, _) = opens(&house, ANA, "new 123 for 2h to debug BUG-482").await;
        assert_eq!(state(&form)["customers"], json!([]));
        house.slack.close(ANA, &form.id).await;
        // Whoever sends an id that was not offered is refused like anybody who types it.
        let signed = house.signed("/slack/interactions", submission(ANA, &filled("123", "debug BUG-482")));
        let (status, body) = house.send(&signed).await;
        assert!(status == 200 && body.contains("does not list you"), "{body}");
        house.finish().await;
    }

    /// What was refused is not taken for done when Slack delivers it again.
    async fn a_form_that_was_not_stored_stays_so(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some("users.info"), 1, Fault::Status(500));
        let signed = house.signed("/slack/interactions", submission(ANA, &filled("123", "debug BUG-482")));
        for _ in 0..2 {
            let (status, body) = house.send(&signed).await;
            assert!(status == 200 && body.contains("errors") && body.contains("othing was stored"), "{body}");
        }
        house.expect_record(&[]).await;
        house.finish().await;
    }

    /// One petition each, one summary.
    async fn several_customers_are_several_petitions(db: TestDb) {
        let house = House::plan(db).file(&rule_with("petitioners = [\"cy@acme.test\"]")).build().await;
        opens(&house, ANA, "new 200 for 2h to compare BUG-482").await;
        offered(&house, ANA, "init").await;
        let sent = sends(&house, ANA, &[("ask-customers", "200\n201")]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        let summary = house.slack.view(ANA).expect("the summary").plain();
        for part in ["access to 2 customers", "Globex (200): waits for approval", "Initech (201): waits for approval"] {
            assert!(summary.contains(part), "{part}: {summary}");
        }
        let posts = |place| house.slack.messages(place).iter().filter(|message| !message.is_reply()).count();
        assert_eq!((posts(ANA), posts(CHANNEL)), (2, 2), "a message for each");
        assert_eq!(house.recorded("petition.opened").await, 2);
        house.finish().await;
    }

    async fn one_that_is_refused_holds_up_no_other(db: TestDb) {
        let house = House::plan(db).file(&rule_with("petitioners = [\"cy@acme.test\"]")).build().await;
        let mut values = filled("200", "compare BUG-482");
        values["ask-customers"]["ask-customers"]["selected_options"] = json!([{ "value": "123" }, { "value": "200" }, { "value": "200" }]);
        let signed = house.signed("/slack/interactions", submission(ANA, &values));
        let (_, body) = house.send(&signed).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["response_action"], "update", "{body}");
        for part in ["access to 1 customer", "AcmeCorp (123)", "does not list you", "waits for approval"] {
            assert!(body.contains(part), "{part}: {body}");
        }
        house.settle().await;
        assert_eq!((house.recorded("petition.opened").await, house.recorded("petition.refused").await), (1, 1));
        // I5: the same request again answers the same and opens nothing.
        assert_eq!(house.send(&signed).await, (200, body));
        assert_eq!((house.recorded("petition.opened").await, house.recorded("petition.refused").await), (1, 1));
        // Sent again by somebody who saw no answer: the same words within a minute.
        let again = house.signed("/slack/interactions", submission(ANA, &values));
        house.clock.advance(minutes(0) + jiff::SignedDuration::from_secs(5));
        let (status, _) = house.send(&house.signed("/slack/interactions", again.body)).await;
        assert_eq!((status, house.recorded("petition.opened").await), (200, 1));
        house.finish().await;
    }

    async fn what_is_wrong_is_said_under_its_field(db: TestDb) {
        let file = rule_with("").replace("max_duration = \"24h\"\n", "max_duration = \"24h\"\nticket = '[A-Z]+-[0-9]+'\nroles = [\"readonly\", \"admin\"]\n");
        let house = House::plan(db).file(&file).build().await;
        let (form, _) = opens(&house, ANA, "new 123 as admin for 2h to look around").await;
        assert_eq!(form.value["state"]["values"]["ask-role"]["ask-role"]["selected_option"]["value"], "admin");
        assert!(form.plain().contains("It must name a ticket"), "{}", form.plain());
        assert!(sends(&house, ANA, &[]).await.problem.is_none());
        assert!(wrong(&house, ANA, "ask-reason").contains("names no ticket"));
        house.expect_record(&[]).await;
        sends(&house, ANA, &[("ask-reason", "   ")]).await;
        assert!(wrong(&house, ANA, "ask-reason").contains("what the access is for"));
        sends(&house, ANA, &[("ask-reason", "look at BUG-482"), ("ask-length", "24h")]).await;
        assert!(wrong(&house, ANA, "ask-length").contains("Ask again for 8h or less"), "the rule's maximum is named");
        assert_eq!(house.recorded("petition.refused").await, 1, "what the policy refuses is on record");
        let past = house.now().as_second() - 60;
        sends(&house, ANA, &[("ask-until", &past.to_string())]).await;
        assert!(wrong(&house, ANA, "ask-until").contains("That moment is over"));
        sends(&house, ANA, &[("ask-until", ""), ("ask-length", "8h"), ("ask-customers", "200")]).await;
        assert!(house.slack.view(ANA).is_none(), "it closes");
        assert!(house.reads(BO).contains("access to Globex (200) as admin for 8h"), "{}", house.reads(BO));
        house.finish().await;
    }

    /// The end that was asked for holds, however late it is approved.
    async fn until_a_moment_is_that_moment(db: TestDb) {
        let house = House::new(db).await;
        let moment = house.now() + hours(3);
        opens(&house, ANA, "new 123 to debug BUG-482").await;
        let sent = sends(&house, ANA, &[("ask-until", &moment.as_second().to_string())]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        assert!(house.reads(BO).contains("for access to AcmeCorp (123) until"), "{}", house.reads(BO));
        house.advance(hours(2)).await;
        house.press(BO, "Approve").await;
        house.settle().await;
        let (_, check) = house.check("ana", "123").await;
        assert_eq!(check["expires_at"], moment.to_string(), "not three hours from now");
        assert!(!house.reads(ANA).contains("shortened"), "{}", house.reads(ANA));
        house.advance(hours(1)).await;
        assert!(!house.allows("ana", "123").await);
        // Nobody decided before the moment: there is nothing left to approve.
        let moment = house.now() + hours(1);
        opens(&house, ANA, "new 200 to debug BUG-483").await;
        let until = [("ask-until", moment.as_second().to_string())];
        let until = until.each_ref().map(|(block, text)| (*block, text.as_str()));
        sends(&house, ANA, &until).await;
        // The same again, as whoever saw no answer sends it: the same petition, though less time is left.
        house.advance(seconds(5)).await;
        opens(&house, ANA, "new 200 to debug BUG-483").await;
        sends(&house, ANA, &until).await;
        assert_eq!(house.recorded("petition.opened").await, 2);
        house.advance(hours(1)).await;
        assert!(house.with_button(BO, "Approve").is_none(), "{}", house.reads(BO));
        assert!(!house.allows("ana", "200").await);
        house.finish().await;
    }

    /// I7: neither who filed it nor who it is for may approve it.
    async fn a_colleague_may_be_asked_for_where_the_rule_allows_it(db: TestDb) {
        let file = rule_with("for_others = [\"group:leads\"]").replace("reviewers = [\"group:leads\"]", "reviewers = [\"group:leads\", \"dan@acme.test\", \"ana@acme.test\"]");
        let house = House::plan(db).file(&file).build().await;
        let (form, _) = opens(&house, DAN, "new 123 to debug BUG-482").await;
        assert!(!form.plain().contains("For somebody else"), "Dan may not: {}", form.plain());
        house.slack.close(DAN, &form.id).await;
        // A client can send what it was not shown.
        let mut values = filled("123", "debug BUG-482");
        values["ask-person"] = json!({ "ask-person": { "type": "users_select", "selected_user": ANA } });
        let (_, body) = house.send(&house.signed("/slack/interactions", submission(DAN, &values))).await;
        assert!(body.contains("does not let you ask for somebody else"), "{body}");
        assert_eq!(house.recorded("petition.refused").await, 1);

        let (form, _) = opens(&house, BO, "new 123 for 2h to debug BUG-482").await;
        assert!(form.plain().contains("For somebody else"), "{}", form.plain());
        let sent = sends(&house, BO, &[("ask-person", ANA)]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        let summary = house.slack.view(BO).expect("the summary").plain();
        assert!(summary.contains("for ana. They are told"), "{summary}");
        assert!(house.reads(ANA).contains("bo@acme.test asked, on your behalf, for access to AcmeCorp (123) for 2h"), "{}", house.reads(ANA));
        assert!(house.reads(CHANNEL).contains("Filed by"), "{}", house.reads(CHANNEL));
        for own in [ANA, BO] {
            let told = house.hears(own, CHANNEL, "Approve").await;
            assert!(!house.allows("ana", "123").await, "{own}: {told}");
        }
        house.press(DAN, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await && !house.allows("bo", "123").await);
        house.finish().await;
    }

    async fn the_shortcut_and_the_home_tab_open_it(db: TestDb) {
        let house = House::new(db).await;
        assert_eq!(house.slack.shortcut(ANA, "request-access").await.problem, None);
        let form = house.slack.view(ANA).expect("the form");
        assert_eq!(form.callback_id, "ask-access");
        house.slack.close(ANA, &form.id).await;
        house.slack.open_home(ANA).await;
        house.settle().await;
        house.slack.press_home(ANA, "Request access").await;
        assert_eq!(house.slack.view(ANA).expect("the form").callback_id, "ask-access");
        house.finish().await;
    }

    /// It stands in the petitioner's message once it is closed.
    async fn ask_again_is_filled_in_with_the_same(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        assert!(house.with_button(ANA, "Ask again").is_none());
        house.denies(BO, "not today").await;
        let message = house.with_button(ANA, "Ask again").expect("the button");
        house.slack.press(ANA, &message, "Ask again").await;
        let form = house.slack.view(ANA).expect("the form");
        assert_eq!(state(&form), json!({ "customers": ["123"], "length": "4h", "reason": "debug BUG-482" }));
        house.advance(minutes(2)).await;
        let sent = sends(&house, ANA, &[]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        assert_eq!(house.recorded("petition.opened").await, 2);
        // It is nobody else's.
        house.slack.press(DAN, &message, "Ask again").await;
        assert!(house.told(DAN).await.contains("no such petition"));
        assert!(house.slack.view(DAN).is_none());
        house.finish().await;
    }

    /// A form that does not open loses nothing.
    async fn without_the_form_the_words_say_how(db: TestDb) {
        let house = House::new(db).await;
        house.slack.fault(Some("views.open"), 2, Fault::ApiError("internal_error".to_owned()));
        let said = house.types(ANA, "").await;
        assert!(said.text().contains("/access"), "{}", said.text());
        let said = house.types(ANA, "123 for 2h").await;
        assert!(said.text().contains("The reason is missing") && said.text().contains("/access customer 123 for 2h to debug BUG-482"), "{}", said.text());
        assert!(house.slack.view(ANA).is_none());
        house.finish().await;
    }
}
