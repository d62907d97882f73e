//! News for the petitioner: short replies under their message, because an edit notifies nobody.
//!
//! They are drawn when they are sent, so what was decided and undone meanwhile is told as it is by then.

use jiff::Timestamp;

use super::{
    Content,
    kit::{Line, Message},
    petitioner::own_buttons,
    words,
};
use crate::{
    domain::{length, petition::PetitionState},
    slack::text::DateStyle,
    workflow::Story,
};

/// Somebody decided, or nobody did in time.
pub fn decided(story: &Story) -> Content {
    let petition = &story.petition;
    match &petition.state {
        PetitionState::Open => waiting(story),
        PetitionState::Granted { at, by, until } => {
            let who = words::granters(by, story);
            let line = if who.is_empty() { Line::new("Approved: ") } else { who.say(" approved: ") };
            let line = line.say("you have ").then(&words::access(petition)).say(" until ");
            let line = words::end(line, *until, until.duration_since(*at)).say(".");
            let shortened = words::shortened(story, *at, *until);
            let message = Message::new(&if shortened.is_empty() { line } else { line.say(" ").then(&shortened) });
            message.quote("Note", words::approving_note(&story.claims)).finish()
        }
        PetitionState::Closed { .. } => ended(story),
    }
}

/// The end is near.
pub fn warning(story: &Story) -> Content {
    let petition = &story.petition;
    match &petition.state {
        PetitionState::Open => waiting(story),
        PetitionState::Granted { at, until, .. } => {
            let line = Line::new("Your ").then(&words::access(petition)).say(" ends ");
            let line = words::end(line, *until, until.duration_since(*at));
            if let Some(extension) = &story.extension {
                let line = line.say(". Your extension by ").say(&length::show(extension.length));
                return Message::new(&line.say(" waits for approval.")).buttons(own_buttons(story)).finish();
            }
            let line = line.say(". To go on without a gap, press Extend, or type ").then(&words::extend(petition));
            Message::new(&line.say(".")).buttons(own_buttons(story)).finish()
        }
        PetitionState::Closed { .. } => ended(story),
    }
}

/// The warning once it stands there: nothing can be pressed on it when it does not apply any more.
pub fn warned(story: &Story, now: Timestamp) -> Content {
    match story.petition.state.granted() {
        Some(grant) if !words::is_live(story, now) => {
            let line = Line::new("You were warned that your ").then(&words::access(&story.petition)).say(" would end ");
            Message::new(&words::end(line, grant.until, grant.until.duration_since(grant.at)).say(".")).finish()
        }
        Some(_) | None => warning(story),
    }
}

/// For a channel: a rule let somebody's access go on, and nobody was asked.
pub fn pre_approved(story: &Story) -> Content {
    let petition = &story.petition;
    // Not mentioned: they know what they did.
    let line = words::name(&petition.petitioner.email, petition, &story.claims);
    let line = line.say(" extended ").then(&words::access(petition));
    let line = line.say(&format!(" by {}", length::show(petition.length)));
    let line = match petition.state.granted() {
        Some(grant) => line.say(", until ").at(grant.until, DateStyle::Moment),
        None => line,
    };
    let line = match words::pre_approved(petition) {
        Some(rule) => line.say(": ").then(&rule),
        None => line,
    };
    Message::new(&line.say(".")).quote("Reason", &petition.reason).finish()
}

/// It is over, and why.
pub fn ended(story: &Story) -> Content {
    let petition = &story.petition;
    match &petition.state {
        PetitionState::Open => waiting(story),
        // Its time is up, or a change that was told is not seen here yet.
        PetitionState::Granted { at, until, .. } => {
            let line = Line::new("Your ").then(&words::access(petition)).say(" ends ");
            let line = words::end(line, *until, until.duration_since(*at));
            Message::new(&line.say(". Ask again if you need it longer.")).finish()
        }
        PetitionState::Closed { at, why, .. } => {
            Message::new(&words::closed_for_petitioner(petition, &story.claims, *at, why))
                .quote("Note", words::closing_note(why))
                .finish()
        }
    }
}

fn waiting(story: &Story) -> Content {
    let line = Line::new("Your petition for ").then(&words::access(&story.petition)).say(" is still open. ");
    Message::new(&line.then(&words::progress(story))).finish()
}
