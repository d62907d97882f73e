//! The Home tab: what its reader has, what waits for them, what they wait for, and what was.

use jiff::Timestamp;
use slack_morphism::prelude::SlackView;

use super::{
    action,
    kit::{Button, Line, Message, SENTENCE},
    status,
    word::{asked, customer, more, until},
    words,
};
use crate::{
    domain::{
        length,
        petition::{Claim, CloseReason, Petition, PetitionState},
    },
    policy::Access,
    workflow::{HomeFacts, Live},
};

/// Of each list: at most two blocks a row, four lists, so that all of it fits a Home tab.
pub const SHOWN: usize = 10;

const ASK: &str = "/access customer 123 for 4h to debug BUG-482";

/// For a full member of the workspace.
pub fn home(facts: &HomeFacts, access: &Access, now: Timestamp) -> SlackView {
    let request = Button::new(action::REQUEST, "Request access", "home").primary();
    let mut message = Message::default().buttons(vec![request]);
    let nothing = facts.live.is_empty() && facts.waiting.all == 0 && facts.asked.all == 0 && facts.recent.is_empty();
    if nothing {
        return empty(message, access).home();
    }
    if facts.asked.all > 0 {
        message = message.header("Waiting for you");
        message = facts.asked.first.iter().fold(message, |message, story| status::waits(message, story, now));
        message = message.note(&more(facts.asked.all - facts.asked.first.len(), "petition", "petitions"));
    }
    message = message.header("You have");
    if facts.live.is_empty() {
        message = message
            .say(&Line::new("No access now. To ask for some, press Request access, or type ").code(ASK).say("."));
    }
    let extended = |held: &Live| {
        let name = held.petition.as_ref().map(|petition| &petition.name);
        let mut waiting = facts.waiting.first.iter().filter_map(|story| story.petition.extends.as_ref());
        waiting.any(|extends| Some(&extends.of) == name)
    };
    for held in facts.live.iter().take(SHOWN) {
        let line = until(customer(held).say(" until "), held, now).say(".");
        let truths = words::truths_of(&held.provisionings, now);
        let line = if truths.is_empty() { line } else { line.say("\n").then(&truths) };
        message = match &held.petition {
            None => message.say(&line.say(" A signed event from outside gave it.")),
            Some(petition) => {
                let name = petition.name.as_str();
                let mut buttons = vec![Button::new(action::DONE, "I'm done", name)];
                if !extended(held) {
                    buttons.push(Button::new(action::EXTEND, "Extend", name));
                }
                message.say(&line).buttons(buttons)
            }
        };
    }
    message = message.note(&more(facts.live.len().saturating_sub(SHOWN), "access", "accesses"));
    if facts.waiting.all > 0 {
        message = message.header("You wait for");
        for story in &facts.waiting.first {
            let line = asked(story, now).say(" ").then(&words::progress(story));
            let cancel = Button::new(action::WITHDRAW, "Cancel request", story.petition.name.as_str());
            message = message.say(&line).buttons(vec![cancel]);
        }
        message = message.note(&more(facts.waiting.all - facts.waiting.first.len(), "petition", "petitions"));
    }
    if !facts.recent.is_empty() {
        message = message.header("Recent");
        message = facts.recent.iter().fold(message, recent);
    }
    message.home()
}

/// Nothing is there yet: how it is done.
fn empty(message: Message, access: &Access) -> Message {
    let line = Line::new(
        "You have no access now, and nothing waits. When you need to look into a customer's data, press \
                          the button, or type this in any channel:",
    );
    let (default, max) = (length::show(access.default_duration), length::show(access.max_duration));
    let line2 = format!(
        "Say which customer, for how long ({default} if you do not say, {max} at most) and why. Reviewers are asked at \
         once; when they approve you have access, and it ends by itself. Here you see what you have, can extend it, or \
         give it back."
    );
    let message = message.say(&line).say(&Line::default().code(ASK)).say(&Line::new(&line2));
    message.note(&Line::new("More words: ").code("/access help").say("."))
}

fn recent(message: Message, (petition, claims): &(Petition, Vec<Claim>)) -> Message {
    let PetitionState::Closed { at, why, .. } = &petition.state else { return message };
    let message = message.say(&words::closed_for_petitioner(petition, claims, *at, why));
    match why {
        CloseReason::Refused { .. } | CloseReason::Replaced { .. } => message,
        // The form is for customers.
        _ if petition.resource.is_some() => message,
        CloseReason::Denied { .. }
        | CloseReason::Withdrawn
        | CloseReason::Dismissed { .. }
        | CloseReason::Undecided
        | CloseReason::Revoked { .. }
        | CloseReason::Expired
        | CloseReason::Done => {
            message.buttons(vec![Button::new(action::ASK_AGAIN, "Ask again", petition.name.as_str())])
        }
    }
}

/// Guests can have nothing here.
pub fn guest() -> SlackView {
    stranger(
        "Guests, and people of other workspaces, cannot ask for access or approve it. Ask a full member of the workspace \
         to look instead, or ask an administrator of the workspace to make you a full member.",
    )
}

/// Latchkey does not know them; the sentence says why, and what an administrator must do.
pub fn stranger(sentence: &str) -> SlackView {
    Message::new(&Line::default().text(sentence, SENTENCE)).home()
}
