//! Extend: the form in which a holder says how much longer, and the answers to the word.

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::SlackView;

use super::{
    Content, action,
    kit::{Button, Fields, Line, Message, NAME, SENTENCE},
    words,
};
use crate::{
    domain::{
        length,
        petition::{Petition, PetitionState},
    },
    slack::text::DateStyle,
};

pub const EXTEND_CALLBACK: &str = "extend-access";
/// Blocks, each with one input of the same name.
pub const USUAL: &str = "extend-usual";
pub const OTHER: &str = "extend-other";
pub const REASON: &str = "extend-reason";

/// Below this, seconds matter.
const SHORT: SignedDuration = SignedDuration::from_mins(5);
/// What people ask for most, in minutes.
const LENGTHS: [i64; 5] = [30, 60, 120, 240, 480];

/// Its `private_metadata` is the name of the petition that it extends. `most`: how much more the policy allows now.
pub fn extend_modal(petition: &Petition, until: Timestamp, most: SignedDuration) -> SlackView {
    let intro = Line::new("Your ").then(&words::access(petition)).say(" ends ").at(until, DateStyle::Moment);
    // Nobody counts the seconds of hours.
    let shown = SignedDuration::from_secs(if most < SHORT { most.as_secs() } else { most.as_secs() / 60 * 60 });
    let intro = intro.say(&format!(". It can be extended by {} at most now.", length::show(shown)));
    let usual = LENGTHS.into_iter().map(SignedDuration::from_mins).filter(|length| *length <= most);
    let usual: Vec<(String, String)> = usual.map(|by| (length::show(by), length::show(by))).collect();
    let first = usual.len().saturating_sub(1).min(1);
    Fields::new(&intro)
        .choose(USUAL, "How much longer?", &usual, first)
        .text(
            OTHER,
            "Or exactly this long",
            "For example 45m or 1h 30m. It counts instead of the choice above.",
            "",
            false,
            40,
        )
        .text(REASON, "Why?", "Your reviewers read this.", &petition.reason, true, 3000)
        .view(EXTEND_CALLBACK, "Extend access", "Extend", petition.name.as_str())
}

/// It waits for its reviewers.
pub fn asked(petition: &Petition, old_end: Option<Timestamp>) -> Content {
    let line = Line::new("You asked to extend your ").then(&words::access(petition));
    let line = line.say(&format!(" by {}", length::show(petition.length)));
    let line = match old_end {
        Some(end) => {
            let new = end.saturating_add(petition.length).unwrap_or(Timestamp::MAX);
            line.say(", from ").at(end, DateStyle::Moment).say(" to ").at(new, DateStyle::Moment)
        }
        None => line,
    };
    let next = "What you have lasts until then. You are told here when it is decided.";
    Message::new(&line.say(". ").strong("Waiting for approval.")).note(&Line::new(next)).finish()
}

/// It stands already, or waits already.
pub fn answered(petition: &Petition, again: bool) -> Content {
    let line = match &petition.state {
        PetitionState::Granted { until, .. } => {
            let line = Line::new("Extended: you have ").then(&words::access(petition)).say(" until ");
            let line = line.at(*until, DateStyle::Moment);
            match words::pre_approved(petition) {
                Some(rule) => line.say(", ").then(&rule),
                None => line,
            }
        }
        PetitionState::Open => {
            let line = Line::new("You asked before to extend your ").then(&words::access(petition));
            let line =
                line.say(&format!(" by {}, and it waits for approval: petition ", length::show(petition.length)));
            line.code(petition.name.as_str())
        }
        PetitionState::Closed { .. } => Line::new("That extension is closed by now"),
    };
    let line = line.say(".");
    let note = if again && petition.state == PetitionState::Open { "Cancel it first to ask for another." } else { "" };
    Message::new(&line).note(&Line::new(note)).finish()
}

/// Which access is meant is clear, and by how much is not: a button opens the form.
pub fn how_long(petition: &Petition, until: Timestamp) -> Content {
    let line = Line::new("Your ").then(&words::access(petition)).say(" ends ").at(until, DateStyle::Moment);
    let line = line.say(". Say how much longer you need it: press the button, or type ").then(&words::extend(petition));
    let button = Button::new(action::EXTEND, "Extend", petition.name.as_str());
    Message::new(&line.say(".")).buttons(vec![button]).finish()
}

/// What they have is not what they named, or not clear; `commands` would do.
pub fn which(given: &str, several: bool, commands: &[String]) -> Content {
    let line = if several {
        Line::new("You have access to “").text(given, NAME).say("” in several ways. Nothing was extended.")
    } else {
        Line::new("You have no access to “").text(given, NAME).say("” now, so there is nothing to extend.")
    };
    super::word::offer(Message::new(&line), commands)
}

/// A signed event from outside gave it.
pub fn foreign() -> Content {
    let line = "A signed event from outside gave this access, so only whoever sent it can extend it. Nothing was done. \
                You can ask for access of your own with /access.";
    Message::new(&Line::new(line)).finish()
}

/// What follows is no length.
pub fn bad_length(why: &str, example: &str) -> Content {
    let line = Line::new("The length is not understood: ").text(why, SENTENCE).say(". Nothing was extended.");
    Message::new(&line).say(&Line::new("Type it like this: ").code(example)).finish()
}
