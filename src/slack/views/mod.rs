//! What people see in Slack: pure functions from what is so to messages and forms.
//!
//! Nothing here asks, stores or sends. Text from outside goes through [`super::text`], lengths and counts are kept in
//! `kit.rs`, sentences that several messages share stand in `words.rs`. Every message says what happened and what to
//! do next, and its `text` says the same without the blocks, for notifications and screen readers.
//!
//! May import: `domain`, `policy::{Access, Missing, Why}`, `store::{Provisioning, Told}`, `workflow::{Brief, Cut, Live, Story, Suggested}`,
//! `slack::text`, `slack::commands::parser`.
//! To add a message: a function that puts `Line`s into a `Message`, in the file of its reader, and a case in `tests.rs`.

pub mod answer;
pub mod approve_for;
pub mod ask;
pub mod card;
#[cfg(test)]
mod card_tests;
pub mod comment;
pub mod deny;
pub mod extend;
pub mod history;
pub mod home;
mod kit;
pub mod news;
pub mod petitioner;
pub mod reminder;
mod remote;
#[cfg(test)]
mod sample;
pub mod status;
#[cfg(test)]
mod tests;
pub mod word;
pub mod words;

use slack_morphism::prelude::SlackBlock;

/// A message, wherever it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Stands alone: notifications show it, and screen readers read it instead of the blocks.
    pub text: String,
    pub blocks: Vec<SlackBlock>,
}

/// The `action_id` of each button; its `value` is the petition's name.
pub mod action {
    pub const APPROVE: &str = "approve";
    pub const APPROVE_FOR: &str = "approve-for";
    pub const DENY: &str = "deny";
    pub const REVOKE: &str = "revoke";
    pub const DONE: &str = "done";
    pub const WITHDRAW: &str = "withdraw";
    pub const EXTEND: &str = "extend";
    pub const REQUEST: &str = "request";
    pub const ASK_AGAIN: &str = "ask-again";
}
