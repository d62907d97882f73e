//! Answers to the words of `/access`: what they do, what they found, what they ended.

use jiff::{SignedDuration, Timestamp};

use super::{
    Content, answer,
    kit::{Line, Message, NAME},
    words,
};
use crate::{
    domain::{
        customer::Customer,
        id::{CustomerId, Role},
        person::Person,
        petition::Petition,
    },
    slack::{commands::parser, text::DateStyle},
    workflow::{Cut, Live, Story},
};

/// What help says of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// With what follows it: `/access who <customer>`.
    pub typed: &'static str,
    /// One sentence.
    pub does: &'static str,
    pub example: &'static str,
    /// What else there is to know; may be empty.
    pub more: &'static str,
}

/// Rows of a list: one block each, so that two lists fit a message.
pub const ROWS: usize = 20;
/// Commands that are offered at most.
const OFFERED: usize = 10;

/// How to ask, and every word with what it does.
pub fn help(words: &[&Usage], default_len: SignedDuration, max_len: SignedDuration) -> Content {
    let mut all = Line::default();
    for (n, usage) in words.iter().enumerate() {
        all = all.say(if n == 0 { "• " } else { "\n• " }).code(usage.typed).say(" ").say(usage.does);
    }
    answer::asking(None, default_len, max_len).say(&all).finish()
}

/// What one word does, with an example.
pub fn usage(usage: &Usage) -> Content {
    let message = Message::new(&Line::default().code(usage.typed).say(" ").say(usage.does));
    message.say(&Line::new("For example: ").code(usage.example)).note(&Line::new(usage.more)).finish()
}

/// Something must follow the word; `commands` are some that would do.
pub fn incomplete(word: &Usage, commands: &[String]) -> Content {
    let line = Line::new("Something is missing, so nothing was done. Type ").code(word.typed).say(".");
    if commands.is_empty() {
        return Message::new(&line).say(&Line::new("For example: ").code(word.example)).finish();
    }
    offer(Message::new(&line), commands)
}

/// Nearly a word, and no customer goes by it: nothing was done.
pub fn misspelled(typed: &str, usage: &Usage, corrected: &str) -> Content {
    let exact = usage.typed.split(' ').nth(1) == Some(typed);
    let line = if exact {
        Line::new("Nothing follows “").text(typed, NAME).say("”, and no customer is called that, so nothing was done.")
    } else {
        Line::new("There is no word “").text(typed, NAME).say("” and no customer of that name, so nothing was done.")
    };
    let line = line.say(" You probably meant this: ").code(corrected);
    Message::new(&line).note(&Line::new("It ").say(usage.does).say(" To ask for access: ").code(ASK)).finish()
}

const ASK: &str = "/access customer 123 for 4h to debug BUG-482";

/// No customer goes by what was typed; `commands` are the same with those that are near.
pub fn no_customer(given: &str, like: &[Customer], commands: &[String]) -> Content {
    let line = Line::new("There is no customer “").text(given, NAME).say("”, so nothing was done.");
    if like.is_empty() {
        return Message::new(&line.say(" Look up its id or its whole name and try again.")).finish();
    }
    offer(Message::new(&line.say(" Did you mean ").then(&answer::either(like)).say("?")), commands)
}

/// Several customers go by what was typed.
pub fn several_customers(given: &str, customers: &[Customer], commands: &[String]) -> Content {
    let line = Line::new("“").text(given, NAME).say("” may be ").then(&answer::either(customers));
    offer(Message::new(&line.say(". Nothing was done yet.")), commands)
}

/// What somebody has and what they wait for.
pub fn list(live: &[Live], waiting: &Cut<Story>, now: Timestamp) -> Content {
    if live.is_empty() && waiting.all == 0 {
        let line = Line::new("You have no access now, and nothing that you asked for waits. To ask for access: ");
        return Message::new(&line.code(ASK)).finish();
    }
    let mut message = Message::default();
    message = if live.is_empty() {
        message.say(&Line::new("You have no access now."))
    } else {
        message.say(&Line::default().strong("You have").say(":"))
    };
    for held in live.iter().take(ROWS) {
        let line = customer(held).say(" until ");
        let line = until(line, held, now).say(". ").then(&origin(held));
        let truths = words::truths_of(&held.provisionings, now);
        message = message.say(&if truths.is_empty() { line } else { line.say("\n").then(&truths) });
    }
    message = message.note(&more(live.len().saturating_sub(ROWS), "access", "accesses"));
    if waiting.all > 0 {
        message = message.say(&Line::default().strong("You wait for").say(":"));
    }
    for story in &waiting.first {
        message = message.say(&asked(story, now).say(" ").then(&words::progress(story)).then(&closes(story)));
    }
    message = message.note(&more(waiting.all - waiting.first.len(), "petition", "petitions"));
    match live.first() {
        Some(held) => {
            let command = format!("/access done {}", parser::one_word(held.lease.holding.customer.bare()));
            let line = Line::new("Give access back as soon as you do not need it: ").code(&command);
            let command = format!("/access extend {} by 2h", parser::one_word(held.lease.holding.customer.bare()));
            message.note(&line.say(". To have it longer: ").code(&command)).finish()
        }
        None => message.finish(),
    }
}

pub(super) fn asked(story: &Story, now: Timestamp) -> Line {
    let petition = &story.petition;
    let line = match words::moved_end(story, now) {
        None => words::access(petition).say(&format!(" for {}", crate::domain::length::show(petition.length))),
        Some(_) => Line::new("You asked ").then(&words::asked(story, now)),
    };
    line.say(", asked ")
        .at(petition.opened_at, DateStyle::Moment)
        .say(", petition ")
        .code(petition.name.as_str())
        .say(".")
}

fn closes(story: &Story) -> Line {
    Line::new(" Undecided, it closes itself ").at(story.petition.pending_until, DateStyle::Moment).say(".")
}

/// Who has access to a customer, for its reviewers.
pub fn who(of: &Customer, live: &[Live], now: Timestamp) -> Content {
    let name = words::customer(&of.name, of.id.as_str());
    if live.is_empty() {
        return Message::new(&Line::new("Nobody has access to ").then(&name).say(" now.")).finish();
    }
    let mut message = Message::new(&Line::new("Now these have access to ").then(&name).say(":"));
    for held in live.iter().take(ROWS) {
        let line = holder(held).then(&role(held.lease.holding.role.as_ref())).say(" until ");
        message = message.say(&until(line, held, now).say(". ").then(&origin(held)));
    }
    message = message.note(&more(live.len().saturating_sub(ROWS), "access", "accesses"));
    let command = revoke_command(&of.id, live.first());
    message.note(&Line::new("To take access away: ").code(&command)).finish()
}

fn revoke_command(customer: &CustomerId, held: Option<&Live>) -> String {
    let person = held.map_or(String::new(), |held| format!(" {}", held.lease.holding.person));
    format!("/access revoke {}{person}", parser::one_word(customer.bare()))
}

/// `AcmeCorp (123) as readonly`.
pub(super) fn customer(held: &Live) -> Line {
    let holding = &held.lease.holding;
    let id = holding.customer.bare();
    words::customer(&held.customer_name, id).then(&role(holding.role.as_ref()))
}

fn role(role: Option<&Role>) -> Line {
    role.map_or_else(Line::default, |role| Line::new(" as ").text(role.as_str(), NAME))
}

fn holder(held: &Live) -> Line {
    match &held.petition {
        Some(petition) => Line::default().person(&petition.petitioner),
        None => Line::default().text(held.lease.holding.person.as_str(), NAME),
    }
}

pub(super) fn until(line: Line, held: &Live, now: Timestamp) -> Line {
    let lease = &held.lease;
    let line = words::end(line, lease.expires_at, lease.expires_at.duration_since(lease.starts_at));
    line.say(&format!(", {} left", words::elapsed(now, lease.expires_at)))
}

fn origin(held: &Live) -> Line {
    match &held.petition {
        Some(petition) => Line::new("Petition ").code(petition.name.as_str()).say("."),
        None => Line::new("A signed event from outside gave it."),
    }
}

pub(super) fn more(n: usize, one: &str, many: &str) -> Line {
    match n {
        0 => Line::default(),
        1 => Line::new(&format!("And 1 more {one}, not shown here.")),
        n => Line::new(&format!("And {n} more {many}, not shown here.")),
    }
}

/// Nobody's access was ended, because none was found; `commands` are those that would end one.
pub fn nothing_to_end(line: &NothingToEnd<'_>, commands: &[String]) -> Content {
    let line = match line {
        NothingToEnd::OfMine { given } => {
            Line::new("You have no access to “").text(given, NAME).say("” now, so nothing was done.")
        }
        NothingToEnd::OnCustomer { of } => {
            let name = words::customer(&of.name, of.id.as_str());
            Line::new("Nobody has access to ").then(&name).say(" now, so there is nothing to revoke.")
        }
        NothingToEnd::OfPerson { of, person } => {
            let name = words::customer(&of.name, of.id.as_str());
            let line = Line::default().text(person, NAME).say(" has no access to ").then(&name);
            line.say(" now, so nothing was done.")
        }
    };
    offer(Message::new(&line), commands)
}

/// Whose or what was not found.
#[derive(Clone, Copy, Debug)]
pub enum NothingToEnd<'a> {
    OfMine { given: &'a str },
    OnCustomer { of: &'a Customer },
    OfPerson { of: &'a Customer, person: &'a str },
}

/// It is not clear which access is meant.
pub fn which_of_mine(given: &str, commands: &[String]) -> Content {
    let line = Line::new("You have access to several customers called “").text(given, NAME).say("”. Nothing was done.");
    offer(Message::new(&line), commands)
}

/// Several people have access, and it was not said whose shall end.
pub fn whose(of: &Customer, live: &[Live], commands: &[String], now: Timestamp) -> Content {
    let name = words::customer(&of.name, of.id.as_str());
    let line = Line::new("Say whose access to ").then(&name).say(" shall end; nothing was revoked yet. ");
    let rows: Vec<Line> = live
        .iter()
        .map(|held| {
            let line = holder(held).then(&role(held.lease.holding.role.as_ref())).say(" (until ");
            until(line, held, now).say(")")
        })
        .collect();
    offer(Message::new(&line.say("There are ").then(&words::list(&rows)).say(".")), commands)
}

/// Commands to copy; those that are left out are counted.
pub(super) fn offer(message: Message, commands: &[String]) -> Content {
    let message = match commands.len() {
        0 => return message.finish(),
        1 => message.say(&Line::new("Type it like this:")),
        _ => message.say(&Line::new("Type one of these:")),
    };
    let shown = commands.iter().take(OFFERED);
    let message = shown.fold(message, |message, command| message.say(&Line::default().code(command)));
    message.note(&more(commands.len().saturating_sub(OFFERED), "command", "commands")).finish()
}

/// Somebody gave their own access back.
pub fn gave_back(petitions: &[Petition], rest: Rest) -> Content {
    let Some(first) = petitions.first() else { return nothing_changed() };
    let name = words::customer(&first.customer_name, first.customer.bare());
    let line = Line::new("You gave back your access to ").then(&name).then(&roles(petitions)).say(".");
    let next = "The check says no from now on, and every provisioner is told. Should you need it again, ask again.";
    Message::new(&line).note(&Line::new(next)).note(&left(rest, "Yours")).finish()
}

/// A reviewer took somebody's access away.
pub fn revoked(petitions: &[Petition], rest: Rest) -> Content {
    let Some(first) = petitions.first() else { return nothing_changed() };
    let name = words::customer(&first.customer_name, first.customer.bare());
    let person: &Person = &first.petitioner;
    let line = Line::new("You revoked the access of ").person(person).say(" to ").then(&name);
    let line = line.then(&roles(petitions)).say(".");
    let next = "The check says no from now on, every provisioner is told, and so is the person.";
    Message::new(&line).note(&Line::new(next)).note(&left(rest, "Theirs")).finish()
}

/// What is left of the same access, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Leases that a signed event from outside made; only its sender can end them.
    pub foreign: usize,
    /// Leases that could not be ended just now.
    pub failed: usize,
}

/// Nobody here can end what an event from outside gave.
pub fn only_foreign() -> Content {
    let line = "A signed event from outside gave this access, so nothing was done here: whoever sent the event has to \
                revoke it. It ends by itself at its time.";
    Message::new(&Line::new(line)).finish()
}

/// Somebody was faster, or the time was up.
pub fn over_already() -> Content {
    let line = "This access is over already: somebody ended it a moment ago, or its time was up. Nothing was changed.";
    Message::new(&Line::new(line)).finish()
}

/// The same request was answered before, and was not an act.
pub fn nothing_changed() -> Content {
    let line = "This very request was answered before, so nothing was changed. Type it again if you still want it.";
    Message::new(&Line::new(line)).finish()
}

/// ` as readonly and as admin (3 petitions)`; nothing where one petition without a role was all.
fn roles(petitions: &[Petition]) -> Line {
    let mut roles: Vec<&Role> = Vec::new();
    for role in petitions.iter().filter_map(|petition| petition.role.as_ref()) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    let names: Vec<Line> = roles.iter().map(|role| Line::new("as ").text(role.as_str(), NAME)).collect();
    let line = if names.is_empty() { Line::default() } else { Line::new(" ").then(&words::list(&names)) };
    match petitions.len() {
        0 | 1 => line,
        n => line.say(&format!(", all of it: {n} petitions")),
    }
}

fn left(rest: Rest, whose: &str) -> Line {
    let line = match rest.foreign {
        0 => Line::default(),
        _ => Line::new(whose).say(
            " by a signed event from outside goes on: whoever sent the event has to revoke it, or it ends at its time.",
        ),
    };
    match rest.failed {
        0 => line,
        _ => line.say(" Not all of it could be ended just now. Type the same again."),
    }
}
