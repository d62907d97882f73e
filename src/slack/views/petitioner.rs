//! The petitioner's own message, one through all states.

use jiff::Timestamp;

use super::{
    Content, action,
    kit::{Button, Line, Message},
    words,
};
use crate::{
    domain::{
        length,
        petition::{CloseReason, PetitionState},
    },
    slack::text::DateStyle,
    workflow::Story,
};

/// What the petitioner has asked for and has, at `now`.
pub fn petitioner_message(story: &Story, now: Timestamp) -> Content {
    let petition = &story.petition;
    let name = petition.name.as_str();
    match &petition.state {
        PetitionState::Open => {
            let line = Line::new("You asked for ").then(&words::access(petition));
            let line = line.say(&format!(" for {}. ", length::show(petition.length))).strong("Waiting for approval.");
            let next =
                words::progress(story).say(" You are told here when it is decided; undecided, it closes itself ");
            Message::new(&line)
                .quote("Reason", &petition.reason)
                .note(&next.at(petition.pending_until, DateStyle::Moment).say("."))
                .buttons(vec![Button::new(action::WITHDRAW, "Cancel request", name)])
                .finish()
        }
        PetitionState::Granted { at, by, until } => {
            let live = words::is_live(story, now);
            let line =
                Line::new(if live { "You have " } else { "You had " }).then(&words::access(petition)).say(" until ");
            let line = words::end(line, *until, until.duration_since(*at));
            let who = words::granters(by, story);
            let line = if who.is_empty() { line.say(".") } else { line.say(", approved by ").then(&who).say(".") };
            let message = Message::new(&line)
                .say(&words::shortened(petition, *at, *until))
                .quote("Reason", &petition.reason)
                .note(&words::truths(story, now));
            if live {
                message
                    .note(&Line::new("Press I'm done as soon as you do not need it any more."))
                    .buttons(vec![Button::new(action::DONE, "I'm done", name)])
                    .finish()
            } else {
                let next =
                    Line::new("The time is up. Should you still need it, ask again: ").then(&words::again(petition));
                message.note(&next).finish()
            }
        }
        PetitionState::Closed { at, why, granted } => {
            let message = Message::new(&words::closed_for_petitioner(petition, &story.claims, *at, why))
                .quote("Note", words::closing_note(why))
                .quote("Reason", &petition.reason);
            let message = if granted.is_some() {
                message.note(&words::truths(story, now)).note(&words::goes_on(story, now))
            } else {
                message
            };
            match why {
                // The sentence says what would be allowed; the same once more would not be.
                CloseReason::Refused { .. } => message.finish(),
                CloseReason::Denied { .. }
                | CloseReason::Withdrawn
                | CloseReason::Undecided
                | CloseReason::Revoked { .. }
                | CloseReason::Expired
                | CloseReason::Done => {
                    message.note(&Line::new("To ask again: ").then(&words::again(petition))).finish()
                }
            }
        }
    }
}
