//! The petitioner's own message, one through all states.

use jiff::Timestamp;

use super::{
    Content, action,
    kit::{Button, Line, Message},
    remote, words,
};
use crate::{
    domain::petition::{CloseReason, PetitionState},
    slack::text::DateStyle,
    workflow::Story,
};

/// What the petitioner has asked for and has, at `now`.
pub fn petitioner_message(story: &Story, now: Timestamp) -> Content {
    let petition = &story.petition;
    let name = petition.name.as_str();
    match &petition.state {
        PetitionState::Open => {
            let line = asked_by(story).then(&words::asked(story, now)).say(". ").strong("Waiting for approval.");
            let next =
                words::progress(story).say(" You are told here when it is decided; undecided, it closes itself ");
            Message::new(&line)
                .say(&remote::truth(story, now))
                .quote("Reason", &petition.reason)
                .note(&words::linked(story, now))
                .note(&asked_whom(story))
                .note(&next.at(petition.pending_until, DateStyle::Moment).say("."))
                .note(&words::escalation(petition))
                .say(&words::unreached(story))
                .buttons(vec![Button::new(action::WITHDRAW, "Cancel request", name)])
                .finish()
        }
        PetitionState::Granted { at, by, until } => {
            let live = words::is_live(story, now);
            let line =
                Line::new(if live { "You have " } else { "You had " }).then(&words::access(petition)).say(" until ");
            let line = words::end(line, *until, until.duration_since(*at));
            let who = words::granters(by, story);
            let line = match words::pre_approved(petition) {
                Some(rule) => line.say(", ").then(&rule).say("."),
                None if who.is_empty() => line.say("."),
                None => line.say(", approved by ").then(&who).say("."),
            };
            let message = Message::new(&line)
                .say(&words::shortened(story, *at, *until))
                .note(&words::linked(story, now))
                .quote("Reason", &petition.reason)
                .note(&words::truths(story, now))
                .note(&remote::truth(story, now));
            if live {
                message
                    .note(&Line::new("Press I'm done as soon as you do not need it any more."))
                    .buttons(own_buttons(story))
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
                .quote("Reason", &petition.reason)
                .note(&words::linked(story, now))
                .note(&remote::truth(story, now));
            let message = if granted.is_some() {
                message.note(&words::truths(story, now)).note(&words::goes_on(story, now))
            } else {
                message
            };
            match why {
                // The sentence says what would be allowed; the same once more would not be.
                CloseReason::Refused { .. } | CloseReason::Replaced { .. } => message.finish(),
                CloseReason::Denied { .. }
                | CloseReason::Withdrawn
                | CloseReason::Dismissed { .. }
                | CloseReason::Undecided
                | CloseReason::Revoked { .. }
                | CloseReason::Expired
                | CloseReason::Done => {
                    // The form is of customers.
                    let again = petition.resource.is_none().then(|| Button::new(action::ASK_AGAIN, "Ask again", name));
                    message.buttons(again.into_iter().collect()).finish()
                }
            }
        }
    }
}

/// `You asked `, or who did it for its reader.
fn asked_by(story: &Story) -> Line {
    let petition = &story.petition;
    if petition.filed_by == petition.petitioner.email {
        return Line::new("You asked ");
    }
    words::name(&petition.filed_by, petition, &story.claims).say(" asked, on your behalf, ")
}

/// Who has been asked; nothing where a remote space asks them.
fn asked_whom(story: &Story) -> Line {
    let Some(asked) = story.asked.as_ref().filter(|_| !story.unreached) else { return Line::default() };
    let people = asked.emails.iter().map(|email| words::name(email, &story.petition, &story.claims));
    let groups = asked.slack_groups.iter().map(|_| Line::new("a Slack group of reviewers"));
    let asked: Vec<Line> = people.chain(groups).collect();
    if asked.is_empty() { Line::default() } else { Line::new("Asked: ").then(&words::list(&asked)).say(".") }
}

/// What the holder of a live access can do with it; while an extension waits, it cannot be extended once more.
pub(super) fn own_buttons(story: &Story) -> Vec<Button> {
    let name = story.petition.name.as_str();
    let mut buttons = vec![Button::new(action::DONE, "I'm done", name)];
    if story.extension.is_none() {
        buttons.push(Button::new(action::EXTEND, "Extend", name));
    }
    buttons
}
