//! How far the space that decides has heard of a petition. It may be slow or away, and people are told so.

use jiff::Timestamp;

use super::{
    kit::{Line, NAME, SENTENCE},
    words,
};
use crate::{
    domain::petition::{ClaimKind, PetitionState},
    store::{Call, RemoteCall},
    workflow::Story,
};

/// What the space has not been told yet, and since when it does not answer; empty where there is nothing to say.
pub fn truth(story: &Story, now: Timestamp) -> Line {
    let Some(remote) = &story.remote else { return Line::default() };
    let truth = &remote.truth;
    let open = story.petition.state == PetitionState::Open;
    let space = |line: Line| line.text(&remote.space, NAME);
    let line = match (&truth.owed, &truth.stream.failing) {
        (Some(call), Some((since, why))) => {
            let line = space(Line::new(":hourglass: The space “")).say("” has not answered for ");
            let line = line.say(&words::elapsed(*since, now)).say(" (").text(why, SENTENCE).say("). ");
            line.say(what(call)).say(" is sent as soon as it does.")
        }
        (Some(call), None) if call.call == Call::Create => {
            space(Line::new("It is on its way to the space “")).say("”.")
        }
        (Some(call), None) => {
            Line::new(what(call)).say(" is on its way to the space “").text(&remote.space, NAME).say("”.")
        }
        (None, Some((since, _))) if open => space(Line::new("The space “"))
            .say("” has not answered for ")
            .say(&words::elapsed(*since, now))
            .say("; what it decides may be seen late."),
        (None, _) => Line::default(),
    };
    match &truth.refused {
        Some(call) if open => {
            let line = if line.is_empty() { line } else { line.say(" ") };
            let line =
                line.then(&words::name(&call.actor, &story.petition, &story.claims)).say(" approved, but the space “");
            line.text(&remote.space, NAME)
                .say("” did not take it: ")
                .text(call.refused.as_deref().unwrap_or_default(), SENTENCE)
        }
        Some(_) | None => line,
    }
}

fn what(call: &RemoteCall) -> &'static str {
    match call.call {
        Call::Create => "The petition",
        Call::Claim(ClaimKind::Approve) => "The approval",
        Call::Claim(ClaimKind::Deny) => "The denial",
        Call::Claim(ClaimKind::Revoke) => "The revoke",
    }
}
