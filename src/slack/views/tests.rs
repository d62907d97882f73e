//! What all messages have in common, and what each state shows.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use super::{sample::*, *};
use crate::{
    domain::{
        customer::Customer,
        event::Wanted,
        id::{CustomerId, Role},
        petition::{ClaimKind, CloseReason, Petition, PetitionState},
    },
    slack::commands::parser,
    workflow::{Cut, Live, Story},
};

/// The card as a channel sees it, with nothing to know beside the story.
fn card_of(story: &Story, now: Timestamp) -> Content {
    card::card(story, &card::Beside::default(), now)
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

pub(super) fn json(content: &Content) -> Value {
    serde_json::to_value(&content.blocks).unwrap()
}

/// Every object in it, itself included.
pub(super) fn objects(value: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        Value::Object(fields) => fields.values().flat_map(objects).collect(),
        _ => Vec::new(),
    };
    if value.is_object() { [value].into_iter().chain(inner).collect() } else { inner }
}

pub(super) fn buttons(content: &Content) -> Vec<String> {
    let blocks = json(content);
    let buttons = objects(&blocks).into_iter().filter(|object| object["type"] == "button");
    buttons.map(|button| button["text"]["text"].as_str().unwrap().to_owned()).collect()
}

/// All that is shown, one text a line.
pub(super) fn shown(content: &Content) -> String {
    let blocks = json(content);
    let texts = objects(&blocks).into_iter().filter_map(|object| object["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// What text from outside can never make: a bare `&`, a mention that is not of our people, a ping.
fn assert_markup(text: &str) {
    let mut rest = text;
    let mut line_start = true;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '&' => assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity)), "{rest}"),
            '<' => {
                let ours = ["<@U0ANA>", "<@U0BO>", "<!date^"].iter().any(|token| rest.starts_with(token));
                assert!(ours, "{rest}");
                length = rest.find('>').unwrap() + 1;
            }
            '>' => assert!(line_start, "{rest}"),
            _ => {}
        }
        line_start = c == '\n';
        rest = &rest[length..];
    }
}

/// Every limit of Block Kit that these messages could reach.
pub(super) fn assert_fits(content: &Content) {
    assert!(!content.text.trim().is_empty());
    assert!(length(&content.text) <= 3000, "{}", length(&content.text));
    assert!(!content.text.contains("<!"), "{}", content.text);
    assert_markup(&content.text);
    assert!((1..=50).contains(&content.blocks.len()));
    assert_blocks(&json(content));
}

pub(super) fn assert_blocks(blocks: &Value) {
    for object in objects(blocks) {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        match text("type") {
            "mrkdwn" => {
                assert!((1..=3000).contains(&length(text("text"))), "{object}");
                assert_eq!(object["verbatim"], true);
                assert_markup(text("text"));
            }
            "plain_text" => {
                assert!(!text("text").is_empty());
                assert_eq!(object["emoji"], false);
            }
            "button" => {
                assert!(length(object["text"]["text"].as_str().unwrap()) <= 75);
                assert!(length(text("value")) <= 2000);
                if object["confirm"].is_object() {
                    let limits = [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)];
                    for (name, most) in limits {
                        assert!(length(object["confirm"][name]["text"].as_str().unwrap()) <= most, "{object}");
                    }
                }
            }
            "actions" => {
                let elements = object["elements"].as_array().unwrap();
                assert!((1..=25).contains(&elements.len()));
                let ids: std::collections::BTreeSet<_> =
                    elements.iter().map(|element| element["action_id"].as_str().unwrap()).collect();
                assert_eq!(ids.len(), elements.len());
            }
            "context" => assert!((1..=10).contains(&object["elements"].as_array().unwrap().len())),
            "section" | "input" | "plain_text_input" | "static_select" => {}
            other => assert_eq!(other, "", "{object}"),
        }
    }
}

/// Every message about a petition.
fn messages(story: &Story) -> Vec<Content> {
    let mut messages = one_by_one(story);
    messages.extend(listed(story));
    messages
}

/// The petition in lists that are longer than any message.
fn listed(story: &Story) -> Vec<Content> {
    let petition = &story.petition;
    let now = now();
    let many = |shown: usize| Cut { first: vec![story.clone(); shown], all: 500 };
    let held = |petition: Option<&Petition>| Live {
        lease: lease(petition.unwrap_or(&story.petition)),
        petition: petition.cloned(),
        customer_name: story.petition.customer_name.clone(),
        provisionings: story.provisionings.clone(),
    };
    let live: Vec<Live> = (0..60).map(|n| held(Some(petition).filter(|_| n % 3 > 0))).collect();
    let everything = status::May { own: true, approve: true, deny: true, revoke: true };
    let customer =
        Customer { id: petition.customer.clone(), name: petition.customer_name.clone(), labels: Default::default() };
    let commands = vec![petition.reason.clone(); 30];
    let rest = word::Rest { foreign: 2, failed: 1 };
    let person = &petition.petitioner.name;
    vec![
        word::list(&live, &many(word::ROWS), now),
        word::list(&[], &many(1), now),
        word::who(&customer, &live, now),
        word::who(&customer, &[], now),
        word::whose(&customer, &live, &commands, now),
        word::which_of_mine(person, &commands),
        word::nothing_to_end(&word::NothingToEnd::OfMine { given: person }, &commands),
        word::nothing_to_end(&word::NothingToEnd::OnCustomer { of: &customer }, &[]),
        word::nothing_to_end(&word::NothingToEnd::OfPerson { of: &customer, person }, &commands),
        word::gave_back(&vec![petition.clone(); 30], rest),
        word::revoked(&vec![petition.clone(); 30], rest),
        status::pending(&many(status::WAITING), now),
        status::status(story, everything, now),
        status::status(story, status::May::default(), now),
        status::unseen(&petition.reason),
    ]
}

fn one_by_one(story: &Story) -> Vec<Content> {
    let petition = &story.petition;
    let now = now();
    vec![
        card_of(story, now),
        petitioner::petitioner_message(story, now),
        news::decided(story),
        news::warning(story),
        news::ended(story),
        answer::opened(petition, vec![petition.petitioner.name.clone(); 30], 2, None),
        answer::same(petition),
        answer::refused(petition, &petition.reason, Some(&petition.reason)),
        answer::already(petition, &story.claims),
        answer::already(petition, &[]),
    ]
}

/// Text that is rich in what could go wrong.
pub(super) fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<!channel>".to_owned()),
        Just("<@U1>".to_owned()),
        Just("<https://evil.test|Acme>".to_owned()),
        Just("&".to_owned()),
        Just("&".repeat(10_000)),
        Just("a".repeat(10_000)),
        Just("👍🏽".repeat(3_000)),
        Just("\u{202e}\u{2067}".to_owned()),
        Just("\n> ".to_owned()),
        Just("`*_~".to_owned()),
        Just(" \u{200b}\u{3164}".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

const USAGE: word::Usage =
    word::Usage { typed: "/access word <customer>", does: "does it.", example: "/access word 123", more: "" };

fn customers(name: &str) -> Vec<Customer> {
    let customer =
        |n| Customer { id: CustomerId::new(format!("{name}{n}")), name: name.to_owned(), labels: Default::default() };
    (0..25).map(customer).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_that_is_typed_breaks_a_message(a in hostile(), b in hostile(), state in 0..9_usize) {
        let mut story = story(states(&b).swap_remove(state));
        story.claims.push(claim("Dan", ClaimKind::Approve));
        story.claims[0].maker.name.clone_from(&a);
        let petition = &mut story.petition;
        petition.reason.clone_from(&a);
        petition.customer_name.clone_from(&b);
        petition.customer = CustomerId::new(format!("1{a}"));
        petition.petitioner.name.clone_from(&b);
        petition.role = Some(Role::new(a.clone()));
        petition.rule = Some(b.clone());
        for (n, wanted) in [Wanted::Grant, Wanted::Revoke].into_iter().cycle().take(30).enumerate() {
            let name = if n < 4 { &a } else { "production" };
            story.provisionings.push(provisioning(name, wanted, n % 3 == 0, n % 4 == 0));
        }
        for message in messages(&story) {
            assert_fits(&message);
        }
        let form = serde_json::to_value(deny::deny_modal(&story)).unwrap();
        assert_blocks(&form["blocks"]);
        story.sensitive = true;
        let form = approve_for::approve_for_modal(&story, story.petition.length, now());
        assert_blocks(&serde_json::to_value(form).unwrap()["blocks"]);
    }

    #[test]
    fn nothing_that_is_typed_breaks_an_answer(a in hostile(), b in hostile()) {
        let customers = customers(&a);
        let hour = SignedDuration::from_hours(1);
        let commands = vec![a.clone(); 30];
        let understood = answer::Understood { customer: Some(&a), role: Some(&b), length: Some(&a), reason: &b };
        let mut answers = vec![
            answer::asking(customers.first(), hour, hour).finish(),
            answer::asking(None, hour, hour).finish(),
            answer::not_stored(&a),
            answer::unknown_customer(&b, &customers, commands.clone()),
            answer::unknown_customer(&b, &[], Vec::new()),
            answer::ambiguous_customer(&b, &customers, commands.clone()),
            answer::missing_reason(&understood, &b, 5),
            answer::click_refused(&format!("No. {a}")),
            word::misspelled(&a, &USAGE, &b),
            word::no_customer(&a, &customers, &commands),
            word::no_customer(&a, &[], &[]),
            word::several_customers(&b, &customers, &commands),
            word::incomplete(&USAGE, &commands),
            word::usage(&USAGE),
            word::help(&[&USAGE; 20], hour, hour),
            answer::stranger(&format!("No. {b}")),
        ];
        for text in [format!("123 for 4 {a}"), format!("for 4h to {b}"), format!("123 as for 4h {a}"), a.clone()] {
            if let Err(what) = parser::parse(&text) {
                answers.push(answer::misunderstood(&what, &b));
            }
        }
        answers.iter().for_each(assert_fits);
    }
}

#[test]
fn buttons_stand_only_where_they_do_something() {
    for state in states("no") {
        let open = state == PetitionState::Open;
        let granted = matches!(state, PetitionState::Granted { .. });
        let again = !matches!(
            state,
            PetitionState::Closed { why: CloseReason::Refused { .. } | CloseReason::Replaced { .. }, .. }
        );
        let again: &[&str] = if again { &["Ask again"] } else { &[] };
        let mut story = story(state);
        let card = buttons(&card_of(&story, now()));
        let own = buttons(&petitioner::petitioner_message(&story, now()));
        let wanted: (&[&str], &[&str]) = match (open, granted) {
            (true, _) => (&["Approve", "Approve for…", "Deny"], &["Cancel request"]),
            (_, true) => (&["Revoke"], &["I'm done", "Extend"]),
            _ => (&[], again),
        };
        assert_eq!(
            (card, own),
            (wanted.0.iter().map(|t| (*t).to_owned()).collect(), wanted.1.iter().map(|t| (*t).to_owned()).collect())
        );
        for (n, content) in one_by_one(&story).iter().enumerate().skip(2) {
            // The warning is where they matter most.
            let warning = n == 3 && granted;
            assert_eq!(buttons(content).len(), if warning { 2 } else { 0 });
        }
        // A status has the buttons of both, for those who may press them; the form only where the card says it all.
        let everything = status::May { own: true, approve: true, deny: true, revoke: true };
        let both = buttons(&status::status(&story, everything, now())).len();
        let both_wanted = wanted.0.len() + wanted.1.len() - usize::from(open);
        assert_eq!(both, if open || granted { both_wanted } else { 0 });
        assert!(buttons(&status::status(&story, status::May::default(), now())).is_empty());
        // Over, though nobody has closed it yet.
        let late = at("2026-11-23T17:30:00Z");
        if !open {
            assert_eq!(buttons(&card_of(&story, late)), Vec::<String>::new());
            let own = if granted { &[] } else { wanted.1 };
            assert_eq!(buttons(&petitioner::petitioner_message(&story, late)), own);
        }
        story.lease = None;
        assert_eq!(buttons(&card_of(&story, now())).len(), wanted.0.len());
    }
}

#[test]
fn buttons_carry_the_petition_and_their_act() {
    let blocks = json(&card_of(&story(PetitionState::Open), now()));
    let approve = &blocks.as_array().unwrap().last().unwrap()["elements"][0];
    assert_eq!((approve["action_id"].as_str(), approve["value"].as_str()), (Some("approve"), Some("0190a1b2c3d4e5f6")));
    assert_eq!(approve["style"], "primary");
    let blocks = json(&card_of(&story(granted()), now()));
    let revoke = &blocks.as_array().unwrap().last().unwrap()["elements"][0];
    assert_eq!((revoke["action_id"].as_str(), revoke["style"].as_str()), (Some("revoke"), Some("danger")));
    assert_eq!(revoke["confirm"]["text"]["text"], "Ana loses access to AcmeCorp (123) as readonly at once.");
}

#[test]
fn a_card_says_who_asks_for_what_and_why() {
    let mut story = story(PetitionState::Open);
    assert_eq!(
        card_of(&story, now()).text,
        "Ana asks for access to AcmeCorp (123) as readonly for 4h.\nReason: “debug BUG-482”\nThe time counts from \
         approval: approved 2026-11-23 13:00 UTC, it ends 2026-11-23 17:00 UTC.\nRule “enterprise”. It takes 1 \
         approval. Approve or deny it; undecided, it closes itself 2026-11-24 13:00 UTC."
    );
    assert!(shown(&card_of(&story, now())).contains("<@U0ANA> (Ana) asks for access to AcmeCorp (123)"));
    story.needed = 2;
    story.claims.push(claim("Bo", ClaimKind::Approve));
    story.petition.filed_by = email("dan");
    let text = card_of(&story, now()).text;
    assert!(text.contains("1 of 2 approvals so far, from Bo."), "{text}");
    assert!(text.contains("Filed by dan@acme.test."), "{text}");
    story.needed = 1;
    assert!(card_of(&story, now()).text.contains("Approved by Bo, but the rule wants somebody else as well."));
    story.needed = 0;
    assert!(card_of(&story, now()).text.contains("nobody can approve it"));
}

#[test]
fn people_are_shown_how_far_it_is() {
    let mut story = story(granted());
    story.provisionings.push(provisioning("production", Wanted::Grant, true, false));
    story.provisionings.push(provisioning("Okta", Wanted::Grant, false, true));
    for content in [card_of(&story, now()), petitioner::petitioner_message(&story, now())] {
        let text = shown(&content);
        assert!(text.contains("production: applied; Okta: failing for 3 min, retrying."), "{text}");
        assert!(!text.contains("10.0.0.7"), "{text}");
        assert!(text.contains("<!date^1795455000^"), "{text}");
    }
}

#[test]
fn a_revoke_that_has_not_arrived_is_loud() {
    let mut story = story(closed(revoked("not needed"), true));
    story.provisionings.push(provisioning("production", Wanted::Revoke, false, true));
    story.provisionings.push(provisioning("Okta", Wanted::Revoke, true, false));
    let content = card_of(&story, now());
    let loud = "Not closed everywhere yet: production (revoke failing for 3 min, retrying, will not give up).";
    assert!(content.text.contains(loud), "{}", content.text);
    assert!(content.text.contains("Okta: revoked."), "{}", content.text);
    assert!(content.text.starts_with("Revoked by Cy, 2026-11-23 13:57 UTC. Ana asked for"), "{}", content.text);
    assert!(content.text.contains("Note: “not needed”"), "{}", content.text);
    story.provisionings.remove(0);
    assert!(!card_of(&story, now()).text.contains("Not closed"));
}

#[test]
fn access_that_another_petition_gives_is_said_to_go_on() {
    let mut story = story(closed(CloseReason::Done, true));
    story.provisionings.push(provisioning("production", Wanted::Grant, true, false));
    let text = card_of(&story, now()).text;
    assert!(text.contains("Another petition still gives the same access until 2026-11-23 17:30 UTC."), "{text}");
    assert!(!card_of(&story, at("2026-11-23T17:30:00Z")).text.contains("Another petition"));
}

#[test]
fn petitioners_are_told_what_to_do_next() {
    let text = |state| petitioner::petitioner_message(&story(state), now()).text;
    let own = |state| buttons(&petitioner::petitioner_message(&story(state), now()));
    assert_eq!(own(closed(CloseReason::Expired, true)), ["Ask again"]);
    let denied_text = text(closed(denied("ask Dan first"), false));
    assert!(denied_text.starts_with("Cy denied your petition for access to AcmeCorp (123)"), "{denied_text}");
    assert!(denied_text.contains("Note: “ask Dan first”"), "{denied_text}");
    let refused = text(closed(CloseReason::Refused { because: "Ask for 8h or less.".to_owned() }, false));
    assert!(refused.contains("Ask for 8h or less."), "{refused}");
    assert!(
        own(closed(CloseReason::Refused { because: String::new() }, false)).is_empty(),
        "it would be refused again"
    );
    let mut shortened = story(granted());
    shortened.petition.length = SignedDuration::from_hours(8);
    let text = petitioner::petitioner_message(&shortened, now()).text;
    assert!(text.contains("Asked for 8h, shortened to 4h."), "{text}");
}

#[test]
fn news_are_short_and_true_when_they_are_sent() {
    let of = |state| story(state);
    assert_eq!(
        news::decided(&of(granted())).text,
        "Bo approved: you have access to AcmeCorp (123) as readonly until 2026-11-23 17:30 UTC."
    );
    assert!(news::decided(&of(closed(CloseReason::Undecided, false))).text.starts_with("Nobody decided"));
    assert!(news::decided(&of(closed(CloseReason::Done, true))).text.starts_with("You gave back"));
    assert!(news::warning(&of(granted())).text.starts_with("Your access to AcmeCorp (123) as readonly ends 2026"));
    assert!(news::warning(&of(closed(CloseReason::Expired, true))).text.contains("its time was up"));
    assert!(news::ended(&of(closed(revoked("done?"), true))).text.starts_with("Cy revoked your access"));
}

#[test]
fn seconds_are_shown_where_they_matter() {
    let (at, until) = (at("2026-11-23T14:00:00Z"), at("2026-11-23T14:00:20Z"));
    let story = story(PetitionState::Granted { at, by: vec![email("bo")], until });
    assert!(news::decided(&story).text.contains("2026-11-23 14:00:20 UTC"));
    assert!(shown(&news::decided(&story)).contains("{time_secs}"));
}

#[test]
fn a_stale_click_learns_who_was_first() {
    let already = |state| {
        let story = story(state);
        answer::already(&story.petition, &story.claims).text
    };
    assert_eq!(
        already(granted()),
        "This was already approved by Bo; the access lasts until 2026-11-23 17:30 UTC. Your click changed nothing."
    );
    assert!(already(closed(denied(""), false)).starts_with("This was already denied by Cy, 2026-11-23 13:57 UTC."));
    assert!(answer::already(&story(granted()).petition, &[]).text.contains("approved by bo@acme.test"));
}

#[test]
fn what_was_typed_is_corrected() {
    let what = parser::parse("Acme for 4 bananas to debug BUG-482").unwrap_err();
    let text = answer::misunderstood(&what, "/access customer Acme for 4h to debug BUG-482").text;
    assert!(text.contains("Understood: customer “Acme”, reason “debug BUG-482”."), "{text}");
    assert!(text.ends_with("Type it like this: /access customer Acme for 4h to debug BUG-482"), "{text}");
    let acme = Customer { id: CustomerId::new("123"), name: "AcmeCorp".to_owned(), labels: Default::default() };
    let content =
        answer::unknown_customer("Acne", std::slice::from_ref(&acme), vec!["/access customer 123".to_owned()]);
    assert!(content.text.contains("Did you mean AcmeCorp (123)?"), "{}", content.text);
    assert!(shown(&content).contains("`/access customer 123`"));
    let help = answer::asking(Some(&acme), SignedDuration::from_hours(4), SignedDuration::from_hours(24)).finish();
    assert!(help.text.contains("/access customer 123 for 4h to debug BUG-482"), "{}", help.text);
}

#[test]
fn what_was_not_stored_is_said_once() {
    assert_eq!(answer::not_stored("").text, "Nothing was stored. Try again in a moment.");
    let away = "The database does not answer.";
    assert_eq!(answer::not_stored(away).text, format!("Nothing was stored. {away} Try again in a moment."));
    let whole = "Slack could not be asked, so nothing was stored. Try again in a minute.";
    assert_eq!(answer::not_stored(whole).text, whole);
}

#[test]
fn the_form_to_deny_has_one_field() {
    let form = serde_json::to_value(deny::deny_modal(&story(PetitionState::Open))).unwrap();
    assert_eq!(
        (&form["callback_id"], &form["private_metadata"]),
        (&"deny-petition".into(), &"0190a1b2c3d4e5f6".into())
    );
    let title = form["title"]["text"].as_str().unwrap();
    assert!(length(title) <= 24);
    assert_eq!((title, form["submit"]["text"].as_str()), ("Deny request", Some("Deny")));
    let input = &form["blocks"][1];
    assert_eq!((&input["block_id"], &input["element"]["action_id"]), (&"reason".into(), &"reason".into()));
    assert_eq!((&input["element"]["multiline"], &input["element"]["max_length"]), (&true.into(), &1000.into()));
}
