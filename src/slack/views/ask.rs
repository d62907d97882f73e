//! The form of `/access`: which customers, in which role, for how long, why, for whom; what its typeahead offers; and what
//! came of it where it asked for several.

use jiff::SignedDuration;
use serde_json::Value;
use slack_morphism::prelude::SlackView;

use super::{
    kit::{self, Choice, Fields, Line, Message, NAME, SENTENCE},
    words,
};
use crate::{
    domain::{
        customer::{Customer, Labels},
        length,
        petition::{Petition, PetitionState},
    },
    policy::Access,
    workflow::Suggested,
};

pub const ASK_CALLBACK: &str = "ask-access";
/// Blocks, each with one input of the same name.
pub const CUSTOMERS: &str = "ask-customers";
pub const ROLE: &str = "ask-role";
pub const LENGTH: &str = "ask-length";
pub const UNTIL: &str = "ask-until";
pub const REASON: &str = "ask-reason";
pub const PERSON: &str = "ask-person";

/// How many customers one form may name; each becomes a petition.
pub const MOST: u64 = 10;
/// What Slack takes of a typeahead at once.
pub const OFFERED: usize = 100;

/// What people ask for most, in minutes.
const LENGTHS: [i64; 8] = [15, 30, 60, 120, 240, 480, 24 * 60, 7 * 24 * 60];
const TITLE: &str = "Request access";

/// What a form is filled in with when it opens: all that is known already.
#[derive(Clone, Debug, Default)]
pub struct Prefill {
    /// The text of a message that says what was not understood; its first line stands above the form.
    pub said: String,
    pub customers: Vec<Customer>,
    /// What was typed for a customer and is none: the typeahead begins with what is near.
    pub typed: String,
    pub role: Option<String>,
    pub length: Option<SignedDuration>,
    pub reason: String,
}

/// `for_others`: whether its reader may ask for somebody else.
pub fn ask_modal(prefill: &Prefill, access: &Access, for_others: bool) -> SlackView {
    let intro = match prefill.said.lines().next() {
        // Escaped already.
        Some(said) => Line::new(said),
        None => Line::new(
            "Access to one customer, or to several, for a while and for a reason. Reviewers are asked, and it ends by \
             itself.",
        ),
    };
    let customers = prefill.customers.iter().filter_map(choice_of).collect();
    let fields = Fields::new(&intro).look_up(CUSTOMERS, "Customers", "Name or id", customers, MOST);
    let roles: Vec<(String, String)> = access.roles.iter().map(|role| (role.to_string(), role.to_string())).collect();
    let typed_role =
        |(role, _): &(String, String)| prefill.role.as_ref().is_some_and(|typed| typed.eq_ignore_ascii_case(role));
    let fields = fields.choose(ROLE, "Role", &roles, roles.iter().position(typed_role).unwrap_or_default());
    let wanted = prefill.length.unwrap_or(access.default_duration);
    let mut lengths: Vec<SignedDuration> = LENGTHS.into_iter().map(SignedDuration::from_mins).collect();
    lengths.retain(|length| *length <= access.max_duration);
    lengths.extend([access.default_duration, wanted]);
    lengths.sort();
    lengths.dedup();
    let first = lengths.iter().position(|length| *length == wanted).unwrap_or_default();
    let lengths: Vec<(String, String)> =
        lengths.into_iter().map(|length| (length::show(length), length::show(length))).collect();
    let fields = fields.choose(LENGTH, "For how long, from the approval on?", &lengths, first).moment(
        UNTIL,
        "Or until",
        "It then ends at that moment, whenever it is approved. It counts instead of the length.",
    );
    let hint = match &access.ticket {
        Some(ticket) => format!("Reviewers read this. It must name a ticket, of the form {}.", ticket.as_str()),
        None => "Reviewers read this.".to_owned(),
    };
    let fields = fields.text(REASON, "Why?", &hint, &prefill.reason, true, 3000);
    let fields = if for_others {
        fields.person(
            PERSON,
            "For somebody else",
            "They get the access, and the messages about it. Empty: it is for you.",
        )
    } else {
        fields
    };
    fields.view(ASK_CALLBACK, TITLE, "Request", &crate::slack::text::plain(&prefill.typed, NAME))
}

/// What the typeahead of customers is answered. Look-alikes are told apart by id and labels.
pub fn suggestions(found: &Suggested) -> Value {
    let choices = |customers: &[Customer]| customers.iter().filter_map(choice_of).collect::<Vec<Choice>>();
    let others = if found.cut { "Customers; more of them fit, so type more" } else { "Customers" };
    kit::choices(vec![("Recent", choices(&found.recent)), (others, choices(&found.others))])
}

fn choice_of(customer: &Customer) -> Option<Choice> {
    let (name, id) = (customer.name.trim(), customer.id.as_str());
    let label = if name.is_empty() || name == id {
        id.to_owned()
    } else {
        // The id tells those apart whose names are alike, so the name is what is cut.
        let room = 70usize.saturating_sub(id.encode_utf16().count());
        format!("{} ({id})", crate::slack::text::plain(name, room.max(10)))
    };
    kit::choice(&label, id, &labels(&customer.labels))
}

/// `enterprise plan, region eu`: the plan first.
fn labels(labels: &Labels) -> String {
    let plan = labels.get("plan").map(|plan| format!("{plan} plan"));
    let others = labels.iter().filter(|(key, _)| *key != "plan").map(|(key, value)| format!("{key} {value}"));
    plan.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

/// What became of one customer of a form.
#[derive(Clone, Debug)]
pub enum Became {
    Asked(Box<Petition>),
    /// The policy refused it; the sentence says why.
    Refused(String),
    /// Nothing was stored; the sentence says why.
    Failed(String),
}

/// One summary of all that a form asked for. `person`: the name of whom it is for, where that is somebody else.
pub fn summary(rows: &[(Customer, Became)], person: Option<&str>) -> SlackView {
    let asked = rows.iter().filter(|(_, became)| matches!(became, Became::Asked(_))).count();
    let what = if asked == 1 { "access to 1 customer" } else { &format!("access to {asked} customers") };
    let line = Line::new("You asked for ").strong(what);
    let line = match person {
        Some(name) => line.say(", for ").text(name, NAME).say(". They are told when it is decided."),
        None => line.say(". You are told when it is decided, in a message for each."),
    };
    let mut message = Message::new(&line);
    for (customer, became) in rows {
        let name = words::customer(&customer.name, customer.id.as_str());
        let line = match became {
            Became::Asked(petition) => {
                let state = match &petition.state {
                    PetitionState::Open => "waits for approval",
                    PetitionState::Granted { .. } => "granted already",
                    PetitionState::Closed { .. } => "closed by now",
                };
                name.say(&format!(": {state}, petition ")).code(petition.name.as_str()).say(".")
            }
            Became::Refused(because) => name.say(": ").strong("refused").say(". ").text(because, SENTENCE),
            Became::Failed(why) => name.say(": ").strong("not stored").say(". ").text(why, SENTENCE),
        };
        message = message.say(&line);
    }
    message.modal(TITLE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{domain::id::CustomerId, policy::Policy};

    fn customer(id: &str, name: &str, plan: &str) -> Customer {
        let labels = Labels::from([("region".to_owned(), "eu".to_owned()), ("plan".to_owned(), plan.to_owned())]);
        Customer { id: CustomerId::new(id), name: name.to_owned(), labels }
    }

    fn length(text: &Value) -> usize {
        text.as_str().unwrap().encode_utf16().count()
    }

    fn assert_choices(choices: &Value) {
        for choice in choices.as_array().unwrap() {
            assert!((1..=75).contains(&length(&choice["text"]["text"])), "{choice}");
            assert!((1..=150).contains(&length(&choice["value"])), "{choice}");
            if let Some(description) = choice.get("description") {
                assert!((1..=75).contains(&length(&description["text"])), "{choice}");
            }
        }
    }

    #[test]
    fn look_alikes_are_told_apart() {
        let long = "Acme Corporation of the Northern and the Southern Hemisphere, Limited, and Sons";
        let found = Suggested {
            recent: vec![customer("125", "Twin Ltd", "free"), customer("126", "Twin Ltd", "team")],
            others: vec![
                customer("1234567", long, "team"),
                customer("7", "7", "free"),
                customer(&"9".repeat(151), "x", "y"),
            ],
            cut: true,
        };
        let answer = suggestions(&found);
        let groups = answer["option_groups"].as_array().unwrap();
        let texts = |group: &Value| -> Vec<(String, String)> {
            let options = group["options"].as_array().unwrap().iter();
            let text = |text: &Value| text["text"].as_str().unwrap().to_owned();
            options.map(|option| (text(&option["text"]), text(&option["description"]))).collect()
        };
        let free = "free plan, region eu".to_owned();
        let team = "team plan, region eu".to_owned();
        assert_eq!(
            texts(&groups[0]),
            [("Twin Ltd (125)".to_owned(), free.clone()), ("Twin Ltd (126)".to_owned(), team.clone())]
        );
        let others = texts(&groups[1]);
        assert!(others[0].0.ends_with("… (1234567)"), "the id is what is kept: {others:?}");
        assert_eq!(others[1], ("7".to_owned(), free));
        assert_eq!(others.len(), 2, "an id that Slack would not send back is not offered");
        assert!(groups[1]["label"]["text"].as_str().unwrap().contains("type more"));
        assert_eq!(suggestions(&Suggested::default()), serde_json::json!({ "options": [] }));
    }

    #[test]
    fn lengths_are_those_that_the_policy_allows_and_what_was_typed() {
        let mut access = Policy::closed().access;
        access.max_duration = SignedDuration::from_hours(8);
        let prefill = Prefill { length: Some(SignedDuration::from_mins(90)), ..Prefill::default() };
        let form = serde_json::to_value(ask_modal(&prefill, &access, false)).unwrap();
        let block = form["blocks"].as_array().unwrap().iter().find(|block| block["block_id"] == LENGTH).unwrap();
        let values = block["element"]["options"].as_array().unwrap().iter().map(|one| one["value"].as_str().unwrap());
        assert_eq!(values.collect::<Vec<_>>(), ["15m", "30m", "1h", "1h 30m", "2h", "4h", "8h"]);
        assert_eq!(block["element"]["initial_option"]["value"], "1h 30m");
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_breaks_the_form(id in ".{0,200}", name in ".{0,200}", plan in ".{0,100}", said in ".{0,100}") {
            let customers: Vec<Customer> = (0..3).map(|n| customer(&format!("{id}{n}"), &name, &plan)).collect();
            let found = Suggested { recent: customers[..1].to_vec(), others: customers[1..].to_vec(), cut: false };
            let answer = suggestions(&found);
            for group in answer["option_groups"].as_array().into_iter().flatten() {
                assert_choices(&group["options"]);
            }
            let prefill = Prefill { customers, typed: said.clone(), reason: name.clone(), role: Some(plan), ..Prefill::default() };
            let form = serde_json::to_value(ask_modal(&prefill, &Policy::closed().access, true)).unwrap();
            prop_assert!(form.get("private_metadata").is_none_or(|text| (1..=3000).contains(&length(text))));
            for block in form["blocks"].as_array().unwrap() {
                if let Some(chosen) = block["element"].get("initial_options") {
                    assert_choices(chosen);
                }
            }
            let rows = vec![(customer(&id, &name, "team"), Became::Refused(said.clone())), (customer(&id, &name, "team"), Became::Failed(said))];
            let shown = serde_json::to_value(summary(&rows, Some(&name))).unwrap();
            prop_assert!(length(&shown["title"]["text"]) <= 24 && shown.get("submit").is_none());
        }
    }
}
