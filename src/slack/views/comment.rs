//! What somebody wrote in one thread of a petition, passed on to another.

use super::{
    Content,
    kit::{Line, Message, NAME},
    words,
};
use crate::{domain::person::Person, slack::text, workflow::Story};

/// Of one comment, in UTF-16 units of what is shown.
const LONGEST: usize = 1_500;

/// What a reviewer wrote, under the petitioner's message.
pub fn for_petitioner(story: &Story, author: &Person, words: &str) -> Content {
    passed_on(story, author, words, &Line::new("Answer in this thread: it reaches them."))
}

/// What the petitioner wrote, under a card.
pub fn for_reviewers(story: &Story, author: &Person, words: &str) -> Content {
    let next = Line::new("Answer in this thread: it reaches ").text(&author.name, NAME).say(".");
    passed_on(story, author, words, &next)
}

fn passed_on(story: &Story, author: &Person, words: &str, next: &Line) -> Content {
    let called = if author.name.trim().is_empty() { author.email.as_str() } else { &author.name };
    let who = Line::default().text(called, NAME).say(", about ").then(&words::access(&story.petition));
    let cut = text::quote(words, LONGEST) != text::quote(words, usize::MAX);
    let rest = if cut { "This is the beginning; the rest is where it was written. " } else { "" };
    Message::default().said(&who, words, LONGEST).note(&Line::new(rest).then(next)).finish()
}
