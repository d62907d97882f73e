//! The card of an open petition, with all that a reviewer weighs; and the form of Approve for….

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;

use super::{
    approve_for::approve_for_modal,
    card::{Beside, Reader, card},
    sample::*,
    status,
    tests::{assert_fits, buttons, hostile, json, objects, shown},
    *,
};
use crate::{
    domain::{
        customer::Customer,
        id::{CustomerId, Role},
        petition::{ClaimKind, PetitionState},
    },
    policy::{Missing, Who, Why},
    workflow::{Brief, Cut, Live, Story},
};

fn customer(id: &str, name: &str) -> Customer {
    Customer { id: CustomerId::new(id), name: name.to_owned(), labels: Default::default() }
}

fn live(id: &str, name: &str, role: Option<&str>) -> Live {
    let mut lease = lease(&story(PetitionState::Open).petition);
    lease.holding.customer = CustomerId::new(id);
    lease.holding.role = role.map(Role::new);
    Live { lease, petition: None, customer_name: name.to_owned(), provisionings: Vec::new() }
}

fn missing(count_left: usize, group: &str) -> Missing {
    Missing { reviewers: vec![Who::Group(group.to_owned())], count_left }
}

/// Ana, whom Bo knows little of, asks for a customer that is easily mistaken.
fn full() -> Beside {
    let labels = [("plan", "enterprise"), ("region", "eu"), ("owner", " ")];
    let brief = Brief {
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        alike: vec![customer("124", "Acme Corp Labs"), customer("125", "ACME Corp")],
        held: vec![live("123", "AcmeCorp", Some("admin")), live("200", "Globex", None)],
        held_in_all: 4,
        rule: Some("enterprise".to_owned()),
        missing: vec![missing(1, "leads"), missing(2, "security")],
    };
    let reader = Reader::One { why: Some(Why::Group("leads".to_owned())), approved: false };
    Beside { brief, title: Some("Support Engineer".to_owned()), reader }
}

fn open() -> Story {
    let mut story = story(PetitionState::Open);
    story.needed = 3;
    story.ticket = Some(("BUG-482".to_owned(), "https://jira.acme.test/browse/BUG-482".to_owned()));
    story
}

fn lines(story: &Story, beside: &Beside) -> Vec<String> {
    card(story, beside, now()).text.lines().map(str::to_owned).collect()
}

#[test]
fn a_reviewer_reads_all_that_matters_at_one_glance() {
    let content = card(&open(), &full(), now());
    assert_eq!(
        content.text.lines().collect::<Vec<_>>(),
        [
            "Ana, Support Engineer, asks for access to AcmeCorp (123) as readonly for 4h.",
            ":warning: Careful: there is also Acme Corp Labs (124) and ACME Corp (125).",
            "Reason: “debug BUG-482”",
            "Ticket BUG-482 · Customer: enterprise plan, region eu",
            "The time counts from approval: approved 2026-11-23 13:00 UTC, it ends 2026-11-23 17:00 UTC.",
            "Ana already has access to this customer as admin until 2026-11-23 17:30 UTC. Besides, Globex (200) until \
             2026-11-23 17:30 UTC and 2 more.",
            "Rule “enterprise”. It takes 3 approvals: 1 of group:leads; 2 of group:security. Approve or deny it; \
             undecided, it closes itself 2026-11-24 13:00 UTC.",
            "You are asked because you are in group:leads.",
        ]
    );
    assert!(content.blocks.len() <= 7, "a card is no wall: {}", content.blocks.len());
    assert!(shown(&content).contains("<https://jira.acme.test/browse/BUG-482|BUG-482>"));
    assert!(shown(&content).contains("<!date^1795453200^"), "in the reader's own time zone: {}", shown(&content));
    assert_eq!(buttons(&content), ["Approve", "Approve for…", "Deny"]);
}

#[test]
fn what_is_not_known_is_not_mentioned() {
    let text = card(&open(), &Beside::default(), now()).text;
    for nothing in
        ["Careful", "Customer:", "already has", "also has", "eeded:", "approvals: ", "You are asked", ", asks"]
    {
        assert!(!text.contains(nothing), "{nothing}: {text}");
    }
    assert!(text.starts_with("Ana asks for access"), "{text}");
    let beside = Beside { title: Some("  ".to_owned()), ..Beside::default() };
    assert!(card(&open(), &beside, now()).text.starts_with("Ana asks for access"));
}

#[test]
fn everybody_is_told_why_they_are_asked() {
    let asked = |reader| lines(&open(), &Beside { reader, ..full() }).pop().unwrap();
    let one = |why| asked(Reader::One { why, approved: false });
    assert_eq!(one(Some(Why::Named)), "You are asked because you are named in rule “enterprise”.");
    assert_eq!(
        one(Some(Why::SlackGroup("S0LEADS".to_owned()))),
        "You are asked because you are in the Slack group S0LEADS."
    );
    let after = SignedDuration::from_mins(30);
    assert_eq!(one(Some(Why::Escalated(after))), "You are asked because nobody decided for 30m.");
    for line in [one(None), asked(Reader::Everybody)] {
        assert!(line.starts_with("Rule “enterprise”.") && line.contains("Approve or deny it"), "{line}");
    }
    let mut begun = open();
    begun.claims.push(claim("Bo", ClaimKind::Approve));
    let reader = Reader::One { why: Some(Why::Named), approved: true };
    let mut said = lines(&begun, &Beside { reader, ..full() });
    assert_eq!(said.pop().unwrap(), "You approved it; it takes somebody else's word as well.");
    let rule = said.pop().unwrap();
    assert!(rule.contains("1 of 3 approvals so far, from Bo. Still needed: 1 of group:leads; 2 of"), "{rule}");
    assert!(!rule.contains("Approve or deny it"), "{rule}");
}

#[test]
fn other_access_is_said_briefly() {
    let held = |held: Vec<Live>, held_in_all| {
        let brief = Brief { held, held_in_all, ..Brief::default() };
        lines(&open(), &Beside { brief, ..Beside::default() }).into_iter().find(|line| line.contains(" has "))
    };
    assert_eq!(held(Vec::new(), 0), None);
    let one = held(vec![live("200", "Globex", Some("admin"))], 1).unwrap();
    assert_eq!(one, "Ana also has Globex (200) as admin until 2026-11-23 17:30 UTC.");
    let same = held(vec![live("123", "AcmeCorp", None)], 1).unwrap();
    assert_eq!(same, "Ana already has access to this customer until 2026-11-23 17:30 UTC.");
}

#[test]
fn a_shorter_approval_is_told_with_its_maker() {
    let hours = SignedDuration::from_hours;
    let mut begun = open();
    begun.claims.push(claim("Bo", ClaimKind::Approve));
    begun.claims[0].length = Some(hours(2));
    let text = card(&begun, &full(), now()).text;
    assert!(text.contains("1 of 3 approvals so far, from Bo (for 2h)."), "{text}");
    assert!(text.contains("approved 2026-11-23 13:00 UTC, it ends 2026-11-23 15:00 UTC."), "{text}");
    let at = at("2026-11-23T13:30:00Z");
    let granted = PetitionState::Granted { at, by: vec![email("bo")], until: at + hours(2) };
    let mut granted = story(granted);
    granted.claims[0].length = Some(hours(2));
    granted.claims[0].note = "enough for a first look".to_owned();
    for content in [card(&granted, &Beside::default(), now()), petitioner::petitioner_message(&granted, now())] {
        assert!(content.text.contains("Asked for 4h, shortened to 2h by Bo."), "{}", content.text);
    }
    let news = news::decided(&granted).text;
    assert!(news.contains("shortened to 2h by Bo.") && news.contains("Note: “enough for a first look”"), "{news}");
    // Not Bo but the rule allowed no more.
    granted.claims[0].length = None;
    let text = card(&granted, &Beside::default(), now()).text;
    assert!(text.contains("Asked for 4h, shortened to 2h."), "{text}");
}

/// The dialog on each Approve of something that shows it.
fn dialogs(blocks: &Value) -> Vec<Value> {
    let approve = |object: &&Value| object["action_id"] == action::APPROVE;
    objects(blocks).into_iter().filter(approve).map(|button| button["confirm"].clone()).collect()
}

#[test]
fn what_is_sensitive_is_asked_once_more_wherever_it_can_be_approved() {
    let mut story = open();
    let everywhere = |story: &Story| {
        let may = status::May { own: false, approve: true, deny: true, revoke: false };
        let waiting = Cut { first: vec![story.clone()], all: 1 };
        let contents =
            [card(story, &full(), now()), status::status(story, may, now()), status::pending(&waiting, now())];
        contents.iter().flat_map(|content| dialogs(&json(content))).collect::<Vec<_>>()
    };
    assert_eq!(everywhere(&story), [Value::Null, Value::Null, Value::Null]);
    let form = |story: &Story| serde_json::to_value(approve_for_modal(story, story.petition.length, now())).unwrap();
    assert!(!form(&story).to_string().contains("Sensitive"));
    story.sensitive = true;
    let dialogs = everywhere(&story);
    assert_eq!(dialogs.len(), 3);
    for dialog in dialogs {
        assert_eq!(
            dialog["text"]["text"],
            "Ana gets readonly access to AcmeCorp (123) for 4h. The rule marks this as sensitive."
        );
        assert_eq!((&dialog["confirm"]["text"], &dialog["deny"]["text"]), (&"Approve".into(), &"Not now".into()));
        assert_eq!(dialog["style"], "primary");
    }
    assert!(form(&story).to_string().contains("Sensitive"));
    // What somebody else approved for less time is granted for that.
    story.claims.push(claim("Bo", ClaimKind::Approve));
    story.claims[0].length = Some(SignedDuration::from_mins(90));
    let text = everywhere(&story)[0]["text"]["text"].to_string();
    assert!(text.contains("to AcmeCorp (123) for 1h 30m."), "{text}");
}

#[test]
fn the_form_offers_what_is_shorter() {
    let form = |minutes| {
        let most = SignedDuration::from_mins(minutes);
        serde_json::to_value(approve_for_modal(&open(), most, now())).unwrap()
    };
    let offered = |form: &Value| {
        let element = &form["blocks"][1]["element"];
        let options = element["options"].as_array().into_iter().flatten();
        options.map(|option| option["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let four = form(240);
    assert_eq!(offered(&four), ["15m", "30m", "1h", "2h"]);
    assert_eq!(four["blocks"][1]["element"]["initial_option"]["value"], "2h");
    assert!(four["blocks"][0]["text"]["text"].as_str().unwrap().contains("You can approve it for 4h at most."));
    assert_eq!((&four["private_metadata"], &four["callback_id"]), (&"0190a1b2c3d4e5f6".into(), &"approve-for".into()));
    assert!(four["title"]["text"].as_str().unwrap().encode_utf16().count() <= 24);
    // Nothing usual is shorter: only the field is left.
    assert_eq!(form(15)["blocks"].as_array().unwrap().len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_that_is_typed_breaks_a_card(a in hostile(), b in hostile()) {
        let mut story = open();
        story.sensitive = true;
        story.petition.reason.clone_from(&a);
        story.petition.petitioner.name.clone_from(&b);
        story.ticket = None;
        let mut beside = full();
        beside.title = Some(a.clone());
        beside.brief.labels = (0..20).map(|n| (format!("{n}{a}"), b.clone())).collect();
        beside.brief.labels.insert("plan".to_owned(), a.clone());
        beside.brief.alike = vec![customer(&a, &b), customer("9", &a)];
        beside.brief.held = (0..5).map(|n| live(&format!("{n}{b}"), &a, Some(&b))).collect();
        beside.brief.rule = Some(a.clone());
        beside.brief.missing = vec![missing(2, &b); 30];
        for why in [Why::Group(a.clone()), Why::SlackGroup(b.clone()), Why::Named] {
            beside.reader = Reader::One { why: Some(why), approved: false };
            assert_fits(&card(&story, &beside, now()));
        }
    }
}
