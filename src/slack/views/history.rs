//! What happened to a petition, one short reply in the thread of its card for each event.
//!
//! Drawn when it is sent, but about its own event: what came later is told by the replies after it.

use super::{
    Content,
    kit::{Line, Message},
    words,
};
use crate::{
    domain::{
        length,
        petition::{Claim, ClaimKind, Grant, PetitionState},
    },
    slack::text::DateStyle,
    store::Told,
    workflow::Story,
};

/// `None`: it is not so, or it is a comment, which is drawn elsewhere.
pub fn told(story: &Story, told: &Told) -> Option<Content> {
    let petition = &story.petition;
    match told {
        Told::Approved(by) => {
            let mut makers: Vec<&Claim> = Vec::new();
            for claim in story.claims.iter().filter(|claim| claim.kind == ClaimKind::Approve) {
                makers.push(claim);
                if claim.maker.email == *by {
                    break;
                }
            }
            let claim = makers.last().filter(|claim| claim.maker.email == *by)?;
            let line = words::name(by, petition, &story.claims).say(" approved ").then(&words::access(petition));
            let line = match claim.length {
                Some(approved) => line.say(&format!(" for {}", length::show(approved))),
                None => line,
            };
            let (got, needed) = (makers.len(), story.needed);
            let line = line.say(", ").at(claim.at, DateStyle::Moment);
            let line = match needed {
                _ if story.remote.is_some() => line.say("."),
                needed if got < needed => line.say(&format!(": {got} of {needed} approvals.")),
                _ => line.say(". The rule wants somebody else as well."),
            };
            Some(Message::new(&line).quote("Note", &claim.note).finish())
        }
        Told::Granted => {
            let (at, by, until) = match &petition.state {
                PetitionState::Granted { at, by, until } => (at, by, until),
                PetitionState::Closed { granted: Some(Grant { at, by, until }), .. } => (at, by, until),
                PetitionState::Open | PetitionState::Closed { granted: None, .. } => return None,
            };
            let who = words::granters(by, story);
            let line = Line::default().strong("Approved");
            let line = if who.is_empty() { line } else { line.say(" by ").then(&who) };
            let line = line.say(", ").at(*at, DateStyle::Moment).say(": ");
            // By name alone: they have a message of their own, and a mention would tell them of their own acts.
            let line = line.then(&words::name(&petition.petitioner.email, petition, &story.claims)).say(" gets ");
            let line =
                words::end(line.then(&words::access(petition)).say(" until "), *until, until.duration_since(*at));
            let message = Message::new(&line.say("."));
            let message = message.quote("Note", words::approving_note(&story.claims));
            Some(message.note(&words::shortened(story, *at, *until)).finish())
        }
        Told::Moved(until) => {
            let line = Line::new("The end moved: ").then(&words::access(petition)).say(" now ends ");
            Some(Message::new(&line.at(*until, DateStyle::Moment).say(".")).finish())
        }
        Told::Closed => match &petition.state {
            PetitionState::Closed { at, why, .. } => {
                let line = words::closed(petition, &story.claims, *at, why).say(" It was about ");
                let line = line.then(&words::access(petition)).say(" for ");
                let line = line.then(&words::name(&petition.petitioner.email, petition, &story.claims)).say(".");
                Some(Message::new(&line).quote("Note", words::closing_note(why)).finish())
            }
            PetitionState::Open | PetitionState::Granted { .. } => None,
        },
        Told::Comment { .. } => None,
    }
}
