//! Approve for…: the form in which a reviewer approves for less time than was asked for.

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::SlackView;

use super::{
    card::gets,
    kit::{Fields, Line},
    words,
};
use crate::{domain::length, workflow::Story};

pub const APPROVE_FOR_CALLBACK: &str = "approve-for";
/// Blocks, each with one input of the same name.
pub const USUAL: &str = "approve-usual";
pub const OTHER: &str = "approve-other";
pub const NOTE: &str = "approve-note";
/// Enough to explain, short enough for a message.
const NOTE_MAX: u64 = 1000;

/// What people choose most, in minutes.
const LENGTHS: [i64; 8] = [15, 30, 60, 120, 240, 480, 720, 1440];

/// Its `private_metadata` is the petition's name; who sends it is judged when it comes back. `most`: for how long it can
/// be approved now.
pub fn approve_for_modal(story: &Story, most: SignedDuration, now: Timestamp) -> SlackView {
    let petition = &story.petition;
    let extends = petition.extends.is_some();
    let intro = Line::default().person(&petition.petitioner).say(" asks ").then(&words::asked(story, now));
    let mut intro = intro.say(&format!(". You can approve it for {} at most.", length::show(most)));
    if story.needed > 1 {
        intro = intro.say(" It takes several approvals, of which the shortest time counts.");
    }
    if story.sensitive {
        intro = intro.say("\n:warning: ").strong("Sensitive:").say(" ").then(&gets(petition)).say(".");
    }
    let shorter = LENGTHS.into_iter().map(SignedDuration::from_mins).filter(|length| *length < most);
    let usual: Vec<(String, String)> = shorter.map(|length| (length::show(length), length::show(length))).collect();
    let last = usual.len().saturating_sub(1);
    let label = if extends { "How much longer?" } else { "For how long?" };
    Fields::new(&intro)
        .choose(USUAL, label, &usual, last)
        .text(
            OTHER,
            "Or exactly this long",
            "For example 45m or 1h 30m. It counts instead of the choice above.",
            "",
            false,
            40,
        )
        .text(NOTE, "Note", "The petitioner reads the note of whoever approves last.", "", false, NOTE_MAX)
        .view(APPROVE_FOR_CALLBACK, "Approve for…", "Approve", petition.name.as_str())
}
