//! The form in which a reviewer says why they deny.

use slack_morphism::prelude::SlackView;

use super::{
    kit::{Form, Line},
    words,
};
use crate::workflow::Story;

pub const DENY_CALLBACK: &str = "deny-petition";
/// The block of the reason, for showing what is wrong with it.
pub const REASON_BLOCK: &str = "reason";
pub const REASON_INPUT: &str = "reason";
/// Enough to explain, short enough for a message.
pub const REASON_MAX: u64 = 1000;

/// Its `private_metadata` is the petition's name; who sends it is judged when it comes back.
pub fn deny_modal(story: &Story) -> SlackView {
    let petition = &story.petition;
    let intro = Line::default().person(&petition.petitioner).say(" asks ");
    Form {
        callback_id: DENY_CALLBACK,
        title: "Deny request",
        submit: "Deny",
        close: "Cancel",
        metadata: petition.name.as_str(),
        intro: intro.then(&words::asked(story, petition.opened_at)).say("."),
        block_id: REASON_BLOCK,
        action_id: REASON_INPUT,
        label: "Why do you deny it?",
        hint: "The petitioner and the other reviewers read this.",
        max_length: REASON_MAX,
    }
    .view()
}
