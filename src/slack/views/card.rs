//! The card of a reviewer: who asks for what and why, then what became of it. One message through all states.

use jiff::Timestamp;

use super::{
    Content, action,
    kit::{Button, Line, Message, NAME},
    words,
};
use crate::{
    domain::{
        length,
        petition::{Petition, PetitionState},
    },
    slack::text::DateStyle,
    workflow::Story,
};

/// The card as things stand at `now`. Buttons are only on what can still be decided or revoked.
pub fn card(story: &Story, now: Timestamp) -> Content {
    let petition = &story.petition;
    match &petition.state {
        PetitionState::Open => open(story),
        PetitionState::Granted { at, by, until } => {
            let length = until.duration_since(*at);
            let who = words::granters(by, story);
            let live = words::is_live(story, now);
            let line = if who.is_empty() {
                Line::default().strong("Approved").say(", ")
            } else {
                Line::default().strong("Approved").say(" by ").then(&who).say(", ")
            };
            let line = line.at(*at, DateStyle::Moment).say(": ").person(&petition.petitioner);
            let line = line.say(if live { " has " } else { " had " }).then(&words::access(petition)).say(" until ");
            let line = words::end(line, *until, length).say(if live { "." } else { "; the time is up." });
            let message = Message::new(&line)
                .quote("Reason", &petition.reason)
                .note(&words::shortened(petition, *at, *until))
                .note(&words::truths(story, now))
                .note(&rule(petition, Line::new(if live { "Revoke it if it should end sooner." } else { "" })));
            if live { message.buttons(vec![revoke(petition)]).finish() } else { message.finish() }
        }
        PetitionState::Closed { at, why, granted } => {
            let asked = Line::default().person(&petition.petitioner).say(" asked for ").then(&words::access(petition));
            let asked = asked.say(&format!(" for {}.", length::show(petition.length)));
            let message = Message::new(&words::closed(petition, &story.claims, *at, why).say(" ").then(&asked));
            let message = if granted.is_some() {
                message
                    .say(&words::still_open(story, now))
                    .quote("Note", words::closing_note(why))
                    .quote("Reason", &petition.reason)
                    .note(&words::truths(story, now))
                    .note(&words::goes_on(story, now))
            } else {
                message.quote("Note", words::closing_note(why)).quote("Reason", &petition.reason)
            };
            message.note(&rule(petition, Line::new("Nothing is left to decide."))).finish()
        }
    }
}

fn open(story: &Story) -> Content {
    let petition = &story.petition;
    let name = petition.name.as_str();
    let ticket = story.ticket.as_ref().map(|(ticket, address)| Line::new("Ticket ").link(address, ticket));
    let line = Line::default().person(&petition.petitioner).say(" asks for ").then(&words::access(petition));
    let mut line = line.say(&format!(" for {}.", length::show(petition.length)));
    if petition.filed_by != petition.petitioner.email {
        line = line.say(" Filed by ").then(&words::name(&petition.filed_by, petition, &story.claims)).say(".");
    }
    // Without a rule neither button would be taken.
    let next = words::progress(story).say(if story.needed == 0 { " It" } else { " Approve or deny it; undecided, it" });
    let next = next.say(" closes itself ");
    let next = next.at(petition.pending_until, DateStyle::Moment).say(".");
    Message::new(&line)
        .quote("Reason", &petition.reason)
        .note(&ticket.unwrap_or_default())
        .note(&rule(petition, next))
        .buttons(vec![
            Button::new(action::APPROVE, "Approve", name).primary(),
            Button::new(action::DENY, "Deny", name).danger(),
        ])
        .finish()
}

fn revoke(petition: &Petition) -> Button {
    let what =
        Line::default().person(&petition.petitioner).say(" loses ").then(&words::access(petition)).say(" at once.");
    Button::new(action::REVOKE, "Revoke", petition.name.as_str()).danger().confirm(
        "Revoke this access?",
        &what,
        "Revoke",
        "Keep it",
    )
}

/// `Rule “enterprise”.` and what to do next.
fn rule(petition: &Petition, next: Line) -> Line {
    let line = match &petition.rule {
        Some(rule) => Line::new("Rule “").text(rule, NAME).say("”."),
        None => Line::default(),
    };
    match (line.is_empty(), next.is_empty()) {
        (_, true) => line,
        (true, false) => next,
        (false, false) => line.say(" ").then(&next),
    }
}
