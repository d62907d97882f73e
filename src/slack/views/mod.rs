//! What people see in Slack: pure functions from what is so to messages and forms.
//!
//! Nothing here asks, stores or sends. Text from outside goes through [`super::text`], lengths and counts are kept in
//! `kit.rs`, sentences that several messages share stand in `words.rs`. Every message says what happened and what to
//! do next, and its `text` says the same without the blocks, for notifications and screen readers.
//!
//! May import: `domain`, `store::Provisioning`, `workflow::Story`, `slack::text`, `slack::commands::parser`.
//! To add a message: a function that puts `Line`s into a `Message`, in the file of its reader, and a case in `tests.rs`.

pub mod answer;
pub mod card;
pub mod deny;
mod kit;
pub mod news;
pub mod petitioner;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod words;

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
    pub const DENY: &str = "deny";
    pub const REVOKE: &str = "revoke";
    pub const DONE: &str = "done";
    pub const WITHDRAW: &str = "withdraw";
}
