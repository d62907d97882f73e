//! News for the petitioner: short replies under their message, because an edit notifies nobody.
//!
//! They are drawn when they are sent, so what was decided and undone meanwhile is told as it is by then.

use super::{
    Content,
    kit::{Line, Message},
    words,
};
use crate::{domain::petition::PetitionState, workflow::Story};

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
            let shortened = words::shortened(petition, *at, *until);
            Message::new(&if shortened.is_empty() { line } else { line.say(" ").then(&shortened) }).finish()
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
            Message::new(&line.say(". To go on without a gap, ask again now: ").then(&words::again(petition))).finish()
        }
        PetitionState::Closed { .. } => ended(story),
    }
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
