//! Answers that only one person sees: to what they typed and to what they pressed.

use jiff::SignedDuration;

use super::{
    Content,
    kit::{Line, Message, NAME, SENTENCE},
    words,
};
use crate::{
    domain::{
        customer::Customer,
        length,
        person::Email,
        petition::{Claim, CloseReason, Petition, PetitionState},
    },
    slack::{
        commands::parser::{Misunderstood, corrected},
        text::DateStyle,
    },
};

/// Customers that are offered at most; who means another types more.
const OFFERED: usize = 10;

/// How to ask. The example is one that works here, where there is a customer to make it of.
pub(super) fn asking(
    example_customer: Option<&Customer>,
    default_len: SignedDuration,
    max_len: SignedDuration,
) -> Message {
    let (default_len, max_len) = (length::show(default_len), length::show(max_len));
    let id = example_customer.map_or("123", |customer| customer.id.as_str());
    let example = corrected(id, None, &default_len, "debug BUG-482");
    let quoted = example_customer.map_or("AcmeCorp", |customer| &customer.name);
    let by_name = format!("/access \"{}\" for {default_len} to debug BUG-482", quoted.replace('"', ""));
    Message::new(&Line::new("Ask for access to one customer, for a reason, for a while: ").code(&example))
        .say(&Line::new("A name in quotes will do as well: ").code(&by_name))
        .note(&Line::new(&format!(
            "Without a length you get {default_len}; the longest is {max_len}. A reviewer has to approve, you are told \
             here, and the access ends by itself."
        )))
}

/// It is asked. `reviewers` are as people read them; `space` is the remote space that decides, and for how long it has
/// not answered anybody.
pub fn opened(
    petition: &Petition,
    reviewers: Vec<String>,
    channels: usize,
    space: Option<(&str, Option<String>)>,
) -> Content {
    let line = Line::new("You asked for ").then(&words::access(petition));
    let line = line.say(&format!(" for {}. ", length::show(petition.length)));
    let names: Vec<Line> = reviewers.iter().map(|name| Line::default().text(name, NAME)).collect();
    let channels = match channels {
        0 => String::new(),
        1 => "1 channel".to_owned(),
        n => format!("{n} channels"),
    };
    let line = match (names.is_empty(), channels.is_empty()) {
        (true, true) => line.say("It waits for a reviewer."),
        (true, false) => line.say(&format!("The card is in {channels}.")),
        (false, true) => line.say("The card goes to ").then(&words::list(&names)).say("."),
        (false, false) => line.say("The card goes to ").then(&words::list(&names)).say(&format!(" and to {channels}.")),
    };
    let way = match space {
        None => Line::default(),
        Some((space, away)) => {
            let line = Line::new("It is on its way to the space “").text(space, NAME).say("”, which decides.");
            match away {
                None => line,
                Some(away) => line.say(&format!(
                    " That space has not answered for {away}; the petition is kept here and sent as soon as it does."
                )),
            }
        }
    };
    let next = Line::new("You get a message when it is decided; undecided, it closes itself ");
    Message::new(&line).say(&way).note(&next.at(petition.pending_until, DateStyle::Moment).say(".")).finish()
}

/// How to ask, for whoever pressed Request access.
pub fn how_to_ask(default_len: SignedDuration, max_len: SignedDuration) -> Content {
    asking(None, default_len, max_len).finish()
}

/// How to ask for the same once more.
pub fn again(petition: &Petition) -> Content {
    Message::new(&Line::new("To ask for the same again, type this: ").then(&words::again(petition))).finish()
}

/// The same was asked for a moment ago.
pub fn same(petition: &Petition) -> Content {
    let line = Line::new("You asked for ").then(&words::access(petition)).say(" a moment ago");
    let line = match &petition.state {
        PetitionState::Open => {
            line.say(", and it waits for approval. There is nothing more to do; you will be told here.")
        }
        PetitionState::Granted { at, until, .. } => {
            words::end(line.say(", and you have it until "), *until, until.duration_since(*at)).say(".")
        }
        PetitionState::Closed { at, why, .. } => {
            line.say(". ").then(&words::closed_for_petitioner(petition, &[], *at, why))
        }
    };
    Message::new(&line).finish()
}

/// The policy refused it; the sentence says why and what would do, `corrected` is a command that would.
pub fn refused(petition: &Petition, because: &str, corrected: Option<&str>) -> Content {
    let line = Line::new("Your petition for ").then(&words::access(petition)).say(" was refused. ");
    let message = Message::new(&line.text(because, SENTENCE));
    match corrected {
        Some(command) => message.say(&Line::new("Type it like this: ").code(command)).finish(),
        None => message.finish(),
    }
}

/// Nothing was stored, so nothing was asked for or decided. A sentence that says so itself is not made to say it twice.
pub fn not_stored(why: &str) -> Content {
    let lower = why.to_lowercase();
    let mut line = Line::new(if lower.contains("nothing was stored") { "" } else { "Nothing was stored. " });
    if !why.trim().is_empty() {
        line = line.text(why, SENTENCE).say(if lower.contains("try again") { "" } else { " " });
    }
    Message::new(&line.say(if lower.contains("try again") { "" } else { "Try again in a moment." })).finish()
}

/// Slack had to be answered before it was done.
pub fn under_way() -> Content {
    let line = "This takes longer than usual. You are told here what comes of it; if you read nothing soon, try again.";
    Message::new(&Line::new(line)).finish()
}

/// The same about a form, which stays open.
pub const FORM_UNDER_WAY: &str =
    "This takes longer than usual. Your messages show what comes of it; if they show nothing soon, send it again.";

/// It was done from a list that goes on showing what was so before.
pub fn pressed_on_list(what: &str) -> Content {
    Message::new(&Line::new(what).say(" The list above still shows how it was before.")).finish()
}

/// It is no command: what was wrong, what was understood all the same, and the command that would do.
pub fn misunderstood(what: &Misunderstood, corrected: &str) -> Content {
    let (line, rest) = match what {
        Misunderstood::NoCustomer { rest } => (Line::new("That names no customer."), rest),
        Misunderstood::BadLength { why, rest, .. } => {
            (Line::new("The length is not understood: ").text(&why.to_string(), SENTENCE).say("."), rest)
        }
        Misunderstood::RoleMissing { rest } => (Line::new("After “as” there must be a role."), rest),
    };
    // Of words that may be a name and the reason after it, the first is taken for the name.
    let (customer, reason) = rest.readings().pop().map_or((None, rest.reason.clone()), |(c, r)| (Some(c), r));
    let what = Understood {
        customer: customer.as_deref(),
        role: rest.role.as_deref(),
        length: rest.length_text.as_deref(),
        reason: &reason,
    };
    Message::new(&line.say(" Nothing was asked for."))
        .note(&understood(&what))
        .say(&Line::new("Type it like this: ").code(corrected))
        .finish()
}

/// No customer goes by what was typed; `corrected` are commands with those that are near.
pub fn unknown_customer(given: &str, suggestions: &[Customer], corrected: Vec<String>) -> Content {
    let line = Line::new("There is no customer “").text(given, NAME).say("”, so nothing was asked for.");
    if suggestions.is_empty() {
        return Message::new(&line.say(" Look up its id or its whole name and try again.")).finish();
    }
    let line = line.say(" Did you mean ").then(&either(suggestions)).say("?");
    commands(Message::new(&line), corrected)
}

/// Several customers go by what was typed.
pub fn ambiguous_customer(given: &str, customers: &[Customer], corrected: Vec<String>) -> Content {
    let line = Line::new("“").text(given, NAME).say("” may be ").then(&either(customers));
    commands(Message::new(&line.say(". Nothing was asked for yet.")), corrected)
}

/// What was typed, as far as it was understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Understood<'a> {
    /// Name and id, or what was typed.
    pub customer: Option<&'a str>,
    pub role: Option<&'a str>,
    pub length: Option<&'a str>,
    pub reason: &'a str,
}

/// The reason is missing or too short: `min` characters are wanted.
pub fn missing_reason(what: &Understood<'_>, corrected: &str, min: usize) -> Content {
    let line = if what.reason.trim().is_empty() {
        Line::new("The reason is missing, so nothing was asked for. Reviewers want to know what the access is for.")
    } else {
        Line::new(&format!("The reason is too short, so nothing was asked for. It takes at least {min} characters."))
    };
    Message::new(&line).note(&understood(what)).say(&Line::new("Type it like this: ").code(corrected)).finish()
}

/// What they pressed is not theirs, or cannot be done; the sentence says why and what to do.
pub fn click_refused(sentence: &str) -> Content {
    Message::new(&Line::default().text(sentence, SENTENCE)).finish()
}

/// Somebody was faster. Names come from the claims; without them, people are named by e-mail.
pub fn already(petition: &Petition, claims: &[Claim]) -> Content {
    let by = |emails: &[Email]| {
        words::list(&emails.iter().map(|email| words::name(email, petition, claims)).collect::<Vec<_>>())
    };
    let one = |email| words::name(email, petition, claims);
    let line = match &petition.state {
        PetitionState::Open => Line::new("This petition is still open; nothing was changed. Try again."),
        PetitionState::Granted { at, by: granters, until } => {
            let line = Line::new("This was already approved");
            let line = if granters.is_empty() { line } else { line.say(" by ").then(&by(granters)) };
            words::end(line.say("; the access lasts until "), *until, until.duration_since(*at)).say(".")
        }
        PetitionState::Closed { at, why, .. } => {
            let line = match why {
                CloseReason::Refused { .. } => Line::new("This was already refused by the policy"),
                CloseReason::Denied { by, .. } => Line::new("This was already denied by ").then(&one(by)),
                CloseReason::Withdrawn => {
                    Line::new("This was already cancelled by ").then(&one(&petition.petitioner.email))
                }
                CloseReason::Dismissed { by, .. } => Line::new("This was already closed by ").then(&one(by)),
                CloseReason::Undecided => Line::new("This is closed, because nobody decided it in time"),
                CloseReason::Revoked { by: Some(by), .. } => Line::new("This was already revoked by ").then(&one(by)),
                CloseReason::Revoked { by: None, .. } => Line::new("This was already revoked from outside"),
                CloseReason::Expired => Line::new("This access is already over: its time was up"),
                CloseReason::Replaced { .. } => Line::new("A newer petition has taken the place of this one"),
                CloseReason::Done => {
                    Line::new("This access was already given back by ").then(&one(&petition.petitioner.email))
                }
            };
            line.say(", ").at(*at, DateStyle::Moment).say(".")
        }
    };
    let line = match &petition.state {
        PetitionState::Open => line,
        PetitionState::Granted { .. } | PetitionState::Closed { .. } => line.say(" Your click changed nothing."),
    };
    Message::new(&line).finish()
}

/// Latchkey does not know them; the sentence says why and what to do.
pub fn stranger(sentence: &str) -> Content {
    click_refused(sentence)
}

fn understood(what: &Understood<'_>) -> Line {
    let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let parts = [
        ("customer", given(what.customer)),
        ("role", given(what.role)),
        ("length", given(what.length)),
        ("reason", given(Some(what.reason))),
    ];
    let mut line = Line::default();
    for (label, text) in parts {
        let Some(text) = text else { continue };
        let line_so_far = if line.is_empty() { Line::new("Understood: ") } else { line.say(", ") };
        line = line_so_far.say(label).say(" “").text(&text, 2 * NAME).say("”");
    }
    if line.is_empty() { line } else { line.say(".") }
}

/// `AcmeCorp (123), Acme (124) or Acme Labs (125)`; more of them are counted.
pub(super) fn either(customers: &[Customer]) -> Line {
    let more = customers.len().saturating_sub(OFFERED);
    let shown = &customers[..customers.len() - more];
    let mut line = Line::default();
    for (n, customer) in shown.iter().enumerate() {
        let last = n + 1 == shown.len() && more == 0;
        line = line.say(if n == 0 {
            ""
        } else if last {
            " or "
        } else {
            ", "
        });
        line = line.then(&words::customer(&customer.name, customer.id.as_str()));
    }
    if more > 0 { line.say(&format!(" or one of {more} more")) } else { line }
}

fn commands(message: Message, corrected: Vec<String>) -> Content {
    let message = match corrected.len() {
        0 => return message.finish(),
        1 => message.say(&Line::new("To ask for it, type:")),
        _ => message.say(&Line::new("To ask for it, type one of these:")),
    };
    corrected
        .iter()
        .take(OFFERED)
        .fold(message, |message, command| message.say(&Line::default().code(command)))
        .finish()
}
