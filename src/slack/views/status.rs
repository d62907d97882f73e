//! Answers about petitions: what waits for a reviewer, and where one petition stands.

use jiff::Timestamp;

use super::{
    Content, action,
    card::{approve, revoke},
    kit::{Button, Line, Message, SENTENCE},
    petitioner::own_buttons,
    remote, words,
};
use crate::{
    domain::{
        length,
        petition::{Claim, ClaimKind, PetitionState},
    },
    slack::text::DateStyle,
    workflow::{Cut, Story},
};

/// Petitions that wait for one reviewer, two blocks each.
pub const WAITING: usize = 15;
/// Of a reason in a list.
const REASON: usize = 200;
/// Claims that a history shows.
const CLAIMS: usize = 20;

/// What its reader may do about a petition today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct May {
    /// It is theirs.
    pub own: bool,
    pub approve: bool,
    pub deny: bool,
    pub revoke: bool,
}

/// What waits for a reviewer, oldest first, each with its buttons.
pub fn pending(waiting: &Cut<Story>, now: Timestamp) -> Content {
    if waiting.all == 0 {
        let line = "Nothing waits for your approval now. When something does, you get a card here.";
        return Message::new(&Line::new(line)).finish();
    }
    let head = match waiting.all {
        1 => "1 petition waits for you:".to_owned(),
        n => format!("{n} petitions wait for you, the oldest first:"),
    };
    let mut message = Message::new(&Line::new(&head));
    message = waiting.first.iter().fold(message, |message, story| waits(message, story, now));
    let more = match waiting.all - waiting.first.len() {
        0 => String::new(),
        1 => "And 1 more petition, shown once one of these is decided.".to_owned(),
        n => format!("And {n} more petitions, shown once some of these are decided."),
    };
    message.note(&Line::new(&more)).finish()
}

/// One petition that its reader may decide, with its buttons.
pub(super) fn waits(message: Message, story: &Story, now: Timestamp) -> Message {
    let petition = &story.petition;
    let name = petition.name.as_str();
    let line = Line::default().person(&petition.petitioner).say(" asks ").then(&words::asked(story, now));
    let line = line.say(": “").text(&petition.reason, REASON);
    let line = line.say("”. ").then(&words::progress(story)).say(" Petition ").code(name).say(", closes itself ");
    message
        .say(&line.at(petition.pending_until, DateStyle::Moment).say("."))
        .buttons(vec![approve(story), Button::new(action::DENY, "Deny", name).danger()])
}

/// There is none of that name, or it is not for them to see: the two are not told apart.
pub fn unseen(given: &str) -> Content {
    let line = Line::new("There is no petition ").code(given).say(" that you may see. ");
    let line = line.say("You see those that you asked for or filed and those that you may decide; ");
    let line = line.code("/access list").say(" and ").code("/access pending").say(" name them.");
    Message::new(&line).finish()
}

/// Who asked for what and why, what happened since, and where it stands.
pub fn status(story: &Story, may: May, now: Timestamp) -> Content {
    let petition = &story.petition;
    let line = Line::new("Petition ").code(petition.name.as_str()).say(": ").person(&petition.petitioner);
    let mut line = line.say(" asked ").then(&words::asked(story, now)).say(".");
    if petition.filed_by != petition.petitioner.email {
        line = line.say(" Filed by ").then(&words::name(&petition.filed_by, petition, &story.claims)).say(".");
    }
    let ticket = story.ticket.as_ref().map(|(ticket, address)| Line::new("Ticket ").link(address, ticket));
    let message = Message::new(&line).quote("Reason", &petition.reason).note(&ticket.unwrap_or_default());
    let message = match &petition.state {
        PetitionState::Open => {
            let line = Line::default().strong("Open").say(". ").then(&words::progress(story));
            let line = line.say(" Undecided, it closes itself ").at(petition.pending_until, DateStyle::Moment);
            message.say(&line.say("."))
        }
        PetitionState::Granted { at, until, .. } => {
            let live = words::is_live(story, now);
            let line = Line::default().strong("Approved").say(if live { "; it ends " } else { "; it ended " });
            let line = words::end(line, *until, until.duration_since(*at));
            let left = format!(", {} left.", words::elapsed(now, *until));
            let line = line.say(if live { &left } else { ": the time is up." });
            message.say(&line).note(&words::shortened(story, *at, *until)).note(&words::truths(story, now))
        }
        PetitionState::Closed { at, why, granted } => {
            let message = message.say(&words::closed(petition, &story.claims, *at, why));
            let message = message.quote("Note", words::closing_note(why));
            match granted {
                Some(_) => message
                    .say(&words::still_open(story, now))
                    .note(&words::truths(story, now))
                    .note(&words::goes_on(story, now)),
                None => message,
            }
        }
    };
    let message = message.note(&words::linked(story, now));
    message.note(&remote::truth(story, now)).note(&history(story)).buttons(buttons(story, may, now)).finish()
}

/// What can still be done about it, by this reader.
fn buttons(story: &Story, may: May, now: Timestamp) -> Vec<Button> {
    let petition = &story.petition;
    let name = petition.name.as_str();
    let mut buttons = Vec::new();
    match &petition.state {
        PetitionState::Open => {
            if may.approve {
                buttons.push(approve(story).primary());
            }
            if may.deny {
                buttons.push(Button::new(action::DENY, "Deny", name).danger());
            }
            if may.own {
                buttons.push(Button::new(action::WITHDRAW, "Cancel request", name));
            }
        }
        PetitionState::Granted { .. } if words::is_live(story, now) => {
            if may.own {
                buttons.extend(own_buttons(story));
            }
            if may.revoke {
                buttons.push(revoke(petition));
            }
        }
        PetitionState::Granted { .. } | PetitionState::Closed { .. } => {}
    }
    buttons
}

/// One line for each thing that people did, oldest first.
fn history(story: &Story) -> Line {
    let petition = &story.petition;
    let line = Line::new("Asked ").at(petition.opened_at, DateStyle::Moment).say(".");
    let more = story.claims.len().saturating_sub(CLAIMS);
    let line = story.claims.iter().take(CLAIMS).fold(line, |line, claim| line.say("\n").then(&said(claim, story)));
    let line = if more > 0 { line.say(&format!("\nAnd {more} more.")) } else { line };
    let closed = story.claims.iter().any(|claim| claim.kind != ClaimKind::Approve);
    match &petition.state {
        PetitionState::Closed { at, why, .. } if !closed => {
            line.say(&format!("\nClosed ({}) ", why.word())).at(*at, DateStyle::Moment).say(".")
        }
        PetitionState::Open | PetitionState::Granted { .. } | PetitionState::Closed { .. } => line,
    }
}

fn said(claim: &Claim, story: &Story) -> Line {
    let petition = &story.petition;
    let own = claim.maker.email == petition.petitioner.email;
    let word = match (claim.kind, own) {
        (ClaimKind::Approve, _) => " approved",
        (ClaimKind::Deny, false) => " denied",
        (ClaimKind::Deny, true) => " cancelled",
        (ClaimKind::Revoke, false) => " revoked",
        (ClaimKind::Revoke, true) => " gave it back",
    };
    let line = words::name(&claim.maker.email, petition, &story.claims).say(word);
    let line = match claim.length {
        Some(approved) if claim.kind == ClaimKind::Approve => line.say(&format!(" for {}", length::show(approved))),
        Some(_) | None => line,
    };
    let line = line.say(", ").at(claim.at, DateStyle::Moment);
    match claim.note.trim() {
        "" => line.say("."),
        note => line.say(": “").text(note, SENTENCE / 10).say("”"),
    }
}
