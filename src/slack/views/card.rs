//! The card of a reviewer: who asks for what and why, then what became of it. One message through all states.
//!
//! While it is open it also says what a reviewer weighs: the customer and others like it, what its petitioner holds,
//! what the rule still wants, and why its reader is asked. Every word of it stays true while nobody draws it again.

use jiff::{SignedDuration, Timestamp};

use super::{
    Content, action,
    kit::{Button, Line, Message, NAME},
    remote, word, words,
};
use crate::{
    domain::{
        customer::{Customer, Labels},
        length,
        petition::{ClaimKind, Escalation, Petition, PetitionState},
    },
    policy::{Missing, Why},
    slack::text::DateStyle,
    workflow::{Brief, Story},
};

/// What the card of an open petition shows beside the story.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub brief: Brief,
    /// What the petitioner does, as their profile in Slack says.
    pub title: Option<String>,
    pub reader: Reader,
}

/// Who reads this copy of the card.
#[derive(Clone, Debug, Default)]
pub enum Reader {
    /// A channel: whoever may decide.
    #[default]
    Everybody,
    /// One reviewer.
    One {
        /// `None`: today's rule does not ask them, or it cannot be told now.
        why: Option<Why>,
        approved: bool,
    },
}

/// Of a title, and of one label; whoever wrote it may have written more.
const TITLE: usize = 80;
const LABEL: usize = 40;
/// Labels beside the plan.
const LABELS: usize = 4;
/// Of the names in a dialog, which holds less than a message.
const BRIEF_NAME: usize = 50;
/// Of what a line of the rule lacks.
const LACK: usize = 200;

/// The card as things stand at `now`. Buttons are only on what can still be decided or revoked; `beside` matters only
/// while it is open.
pub fn card(story: &Story, beside: &Beside, now: Timestamp) -> Content {
    let petition = &story.petition;
    match &petition.state {
        PetitionState::Open => open(story, beside, now),
        PetitionState::Granted { at, by, until } => {
            let length = until.duration_since(*at);
            let who = words::granters(by, story);
            let live = words::is_live(story, now);
            let line = if let Some(rule) = words::pre_approved(petition) {
                Line::default().strong("Extended").say(", ").then(&rule).say(", ")
            } else if who.is_empty() {
                Line::default().strong("Approved").say(", ")
            } else {
                Line::default().strong("Approved").say(" by ").then(&who).say(", ")
            };
            let line = line.at(*at, DateStyle::Moment).say(": ").person(&petition.petitioner);
            let line = line.say(if live { " has " } else { " had " }).then(&words::access(petition)).say(" until ");
            let line = words::end(line, *until, length).say(if live { "." } else { "; the time is up." });
            let message = Message::new(&line)
                .quote("Reason", &petition.reason)
                .note(&words::shortened(story, *at, *until))
                .note(&words::linked(story, now))
                .note(&words::truths(story, now))
                .note(&remote::truth(story, now))
                .note(&rule(petition, Line::new(if live { "Revoke it if it should end sooner." } else { "" })));
            if live { message.buttons(vec![revoke(petition)]).finish() } else { message.finish() }
        }
        PetitionState::Closed { at, why, granted } => {
            let asked =
                Line::default().person(&petition.petitioner).say(" asked ").then(&words::asked(story, *at)).say(".");
            let message = Message::new(&words::closed(petition, &story.claims, *at, why).say(" ").then(&asked));
            let message = if granted.is_some() {
                message
                    .say(&words::still_open(story, now))
                    .quote("Note", words::closing_note(why))
                    .quote("Reason", &petition.reason)
                    .note(&words::truths(story, now))
                    .note(&words::goes_on(story, now))
            } else {
                message.quote("Note", words::closing_note(why)).quote("Reason", &petition.reason)
            };
            let message = message.note(&words::linked(story, now)).note(&remote::truth(story, now));
            message.note(&rule(petition, Line::new("Nothing is left to decide."))).finish()
        }
    }
}

fn open(story: &Story, beside: &Beside, now: Timestamp) -> Content {
    let petition = &story.petition;
    let name = petition.name.as_str();
    let line = Line::default().person(&petition.petitioner);
    let line = match beside.title.as_deref().map(str::trim) {
        Some(title) if !title.is_empty() => line.say(", ").text(title, TITLE).say(","),
        Some(_) | None => line,
    };
    let mut line = line.say(" asks ").then(&words::asked(story, now)).say(".");
    if petition.filed_by != petition.petitioner.email {
        line = line.say(" Filed by ").then(&words::name(&petition.filed_by, petition, &story.claims)).say(".");
    }
    let ticket = story.ticket.as_ref().map(|(ticket, address)| Line::new("Ticket ").link(address, ticket));
    let facts = joined(" · ", [ticket.unwrap_or_default(), about(&beside.brief.labels)]);
    Message::new(&line)
        .say(&careful(&beside.brief.alike))
        .say(&remote::truth(story, now))
        .quote("Reason", &petition.reason)
        .note(&joined("\n", [facts, time(story), words::linked(story, now)]))
        .note(&held(petition, &beside.brief))
        .note(&joined("\n", [standing(story, beside), why(petition, beside), words::escalation(petition)]))
        .buttons(vec![
            approve(story).primary(),
            Button::new(action::APPROVE_FOR, "Approve for…", name),
            Button::new(action::DENY, "Deny", name).danger(),
        ])
        .finish()
}

/// Those that say something, with `between` between them.
fn joined<const N: usize>(between: &str, lines: [Line; N]) -> Line {
    let said = lines.into_iter().filter(|line| !line.is_empty());
    said.fold(Line::default(), |all, line| if all.is_empty() { line } else { all.say(between).then(&line) })
}

/// `Customer: enterprise plan, region eu`.
fn about(labels: &Labels) -> Line {
    let filled = |(_, value): &(&String, &String)| !value.trim().is_empty();
    let (plan, others): (Vec<_>, Vec<_>) = labels.iter().filter(filled).partition(|(key, _)| *key == "plan");
    let plan = plan.into_iter().map(|(_, plan)| Line::default().text(plan, LABEL).say(" plan"));
    let others = others.into_iter().take(LABELS);
    let others = others.map(|(key, value)| Line::default().text(key, LABEL).say(" ").text(value, LABEL));
    let said = plan.chain(others).fold(Line::default(), |all, label| joined(", ", [all, label]));
    if said.is_empty() { said } else { Line::new("Customer: ").then(&said) }
}

/// Somebody may have mistaken one for the other.
fn careful(alike: &[Customer]) -> Line {
    let names: Vec<Line> = alike.iter().map(|other| words::customer(&other.name, other.id.as_str())).collect();
    if names.is_empty() {
        return Line::default();
    }
    Line::new(":warning: ").strong("Careful:").say(" there is also ").then(&words::list(&names)).say(".")
}

/// Until when it would last, said of one instant, so that it is true whenever it is read. What extends says so itself.
fn time(story: &Story) -> Line {
    let petition = &story.petition;
    // An extension says from when to when, and so does who asks until a moment.
    if petition.extends.is_some() || petition.asked_until().is_some() {
        return Line::default();
    }
    let (asked, length) = (petition.opened_at, words::shortest(story));
    let Ok(end) = asked.checked_add(length) else { return Line::default() };
    let line = words::end(Line::new("The time counts from approval: approved "), asked, length);
    words::end(line.say(", it ends "), end, length).say(".")
}

/// What its petitioner has already.
fn held(petition: &Petition, brief: &Brief) -> Line {
    let (same, others): (Vec<_>, Vec<_>) =
        brief.held.iter().partition(|held| held.lease.holding.customer == petition.customer);
    let until = |line: Line, held: &crate::workflow::Live| {
        let lease = &held.lease;
        words::end(line.say(" until "), lease.expires_at, lease.expires_at.duration_since(lease.starts_at))
    };
    let named = || words::name(&petition.petitioner.email, petition, &[]);
    let same: Vec<Line> = same
        .into_iter()
        .map(|held| {
            let role = held.lease.holding.role.as_ref();
            let line = Line::new("this customer");
            until(role.map_or(line.clone(), |role| line.say(" as ").text(role.as_str(), NAME)), held)
        })
        .collect();
    let mut others: Vec<Line> = others.into_iter().map(|held| until(word::customer(held), held)).collect();
    match (brief.held_in_all.saturating_sub(brief.held.len()), others.is_empty()) {
        (0, _) => {}
        (1, true) => others.push(Line::new("access to 1 other customer")),
        (more, true) => others.push(Line::new(&format!("access to {more} other customers"))),
        (more, false) => others.push(Line::new(&format!("{more} more"))),
    }
    let line = if same.is_empty() {
        Line::default()
    } else {
        named().say(" already has ").strong("access to ").then(&words::list(&same)).say(".")
    };
    match (others.is_empty(), line.is_empty()) {
        (true, _) => line,
        (false, true) => named().say(" also has ").then(&words::list(&others)).say("."),
        (false, false) => line.say(" Besides, ").then(&words::list(&others)).say("."),
    }
}

/// The rule, who approved, who is wanted still, and until when.
fn standing(story: &Story, beside: &Beside) -> Line {
    let petition = &story.petition;
    let line = match beside.brief.rule.as_ref().or(petition.rule.as_ref()) {
        Some(rule) => Line::new("Rule “").text(rule, NAME).say("”. "),
        None => Line::default(),
    };
    let lack = |line: &Missing| Line::default().text(&line.to_string(), LACK);
    let lacks = beside.brief.missing.iter().fold(Line::default(), |all, line| joined("; ", [all, lack(line)]));
    let begun = story.claims.iter().any(|claim| claim.kind == ClaimKind::Approve);
    let line = match (lacks.is_empty(), begun) {
        (true, _) => line.then(&words::progress(story)),
        (false, true) => line.then(&words::progress(story)).say(" Still needed: ").then(&lacks).say("."),
        (false, false) => line.say(&words::takes(story.needed)).say(": ").then(&lacks).say("."),
    };
    // Without a rule neither button would be taken.
    let nobody = story.needed == 0 && story.remote.is_none();
    let approved = matches!(beside.reader, Reader::One { approved: true, .. });
    let line = line.say(if nobody {
        " It"
    } else if approved {
        " Undecided, it"
    } else {
        " Approve or deny it; undecided, it"
    });
    line.say(" closes itself ").at(petition.pending_until, DateStyle::Moment).say(".")
}

/// Why its reader has it.
fn why(petition: &Petition, beside: &Beside) -> Line {
    let because = |line: Line| Line::new("You are asked because ").then(&line).say(".");
    match &beside.reader {
        Reader::Everybody | Reader::One { why: None, approved: false } => Line::default(),
        Reader::One { approved: true, .. } => {
            Line::default().strong("You approved it").say("; it takes somebody else's word as well.")
        }
        Reader::One { why: Some(Why::Named), .. } => match beside.brief.rule.as_ref().or(petition.rule.as_ref()) {
            Some(rule) => because(Line::new("you are named in rule “").text(rule, NAME).say("”")),
            None => Line::default(),
        },
        Reader::One { why: Some(Why::Group(name)), .. } => because(Line::new("you are in group:").text(name, NAME)),
        Reader::One { why: Some(Why::SlackGroup(id)), .. } => {
            because(Line::new("you are in the Slack group ").text(id, NAME))
        }
        // Sooner than the rule says only where those whom it names could not be reached.
        Reader::One { why: Some(Why::Escalated(after)), .. } if escalated_early(petition, *after) => {
            because(Line::new("no reviewer of the rule could be reached"))
        }
        Reader::One { why: Some(Why::Escalated(after)), .. } => {
            because(Line::new(&format!("nobody decided for {}", length::show(*after))))
        }
    }
}

fn escalated_early(petition: &Petition, after: SignedDuration) -> bool {
    let due = petition.opened_at.saturating_add(after).unwrap_or(Timestamp::MAX);
    matches!(petition.escalation, Some(Escalation::Done(at)) if at < due)
}

/// Asks once more where the rule marks it sensitive.
pub(super) fn approve(story: &Story) -> Button {
    let petition = &story.petition;
    let button = Button::new(action::APPROVE, "Approve", petition.name.as_str());
    if !story.sensitive {
        return button;
    }
    let what = match petition.asked_until() {
        Some(moment) => gets(petition).say(" until ").at(moment, DateStyle::Moment),
        None => gets(petition).say(&format!(" for {}", length::show(words::shortest(story)))),
    };
    let what = what.say(if petition.extends.is_some() { " more." } else { "." });
    button.confirm("Approve this access?", &what.say(" The rule marks this as sensitive."), "Approve", "Not now")
}

/// `Ana gets admin access to AcmeCorp (123)`.
pub(super) fn gets(petition: &Petition) -> Line {
    let (name, email) = (petition.petitioner.name.trim(), petition.petitioner.email.as_str());
    let called = Line::default().text(if name.is_empty() { email } else { name }, BRIEF_NAME);
    let access = match &petition.role {
        Some(role) => Line::default().text(role.as_str(), BRIEF_NAME).say(" access to "),
        None => Line::new("access to "),
    };
    let (name, id) = (petition.customer_name.trim(), petition.customer.as_str());
    let customer = if name.is_empty() || name == id {
        Line::default().text(id, BRIEF_NAME)
    } else {
        Line::default().text(name, BRIEF_NAME).say(" (").text(id, BRIEF_NAME).say(")")
    };
    called.say(if petition.extends.is_some() { " keeps " } else { " gets " }).then(&access).then(&customer)
}

pub(super) fn revoke(petition: &Petition) -> Button {
    let what =
        Line::default().person(&petition.petitioner).say(" loses ").then(&words::access(petition)).say(" at once.");
    Button::new(action::REVOKE, "Revoke", petition.name.as_str()).danger().confirm(
        "Revoke this access?",
        &what,
        "Revoke",
        "Keep it",
    )
}

/// `Rule “enterprise”.` and what to do next.
fn rule(petition: &Petition, next: Line) -> Line {
    let line = match &petition.rule {
        Some(rule) => Line::new("Rule “").text(rule, NAME).say("”."),
        None => Line::default(),
    };
    match (line.is_empty(), next.is_empty()) {
        (_, true) => line,
        (true, false) => next,
        (false, false) => line.say(" ").then(&next),
    }
}
