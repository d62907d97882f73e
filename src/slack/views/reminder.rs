//! The one message that reminds a reviewer of all that waits for them, through its states.

use jiff::Timestamp;

use super::{
    Content,
    kit::{Line, Message},
    status::{WAITING, waits},
};
use crate::workflow::Story;

/// What still waits, oldest first, each with its buttons; or that nothing does any more.
pub fn waiting(stories: &[&Story], now: Timestamp) -> Content {
    let head = match stories.len() {
        0 => return Message::new(&Line::new("Reminder: nothing of this waits for you any more. Thank you.")).finish(),
        1 => "Reminder: 1 petition still waits for you.".to_owned(),
        n => format!("Reminder: {n} petitions still wait for you, the oldest first."),
    };
    let first = stories.iter().take(WAITING);
    let message = first.fold(Message::new(&Line::new(&head)), |message, story| waits(message, story, now));
    let more = match stories.len().saturating_sub(WAITING) {
        0 => Line::default(),
        n => Line::new(&format!("And {n} more: ")).code("/access pending").say(" lists them."),
    };
    message.note(&more).finish()
}

/// A newer reminder lists what was listed here.
pub fn overtaken() -> Content {
    Message::new(&Line::new("Reminder: what still waits for you is listed in a newer message.")).finish()
}
