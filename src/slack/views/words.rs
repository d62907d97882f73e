//! Sentences and parts of them that several messages share.

use jiff::{SignedDuration, Timestamp};

use super::kit::{Line, NAME, SENTENCE};
use crate::{
    domain::{
        event::Wanted,
        length,
        person::{Email, Person},
        petition::{Claim, ClaimKind, CloseReason, Petition, PetitionState},
    },
    slack::{commands::parser, text::DateStyle},
    store::Provisioning,
    workflow::Story,
};

/// Below this, minutes do not tell when something ends.
const SHORT: SignedDuration = SignedDuration::from_mins(5);
/// Of a reason that is offered again.
const REASON_AGAIN: usize = 200;

/// `AcmeCorp (123)`.
pub fn customer(name: &str, id: &str) -> Line {
    let name = name.trim();
    if name.is_empty() || name == id {
        return Line::default().text(id, NAME);
    }
    Line::default().text(name, NAME).say(" (").text(id, NAME).say(")")
}

/// `access to AcmeCorp (123) as readonly`.
pub fn access(petition: &Petition) -> Line {
    let line = Line::new("access to ").then(&customer(&petition.customer_name, petition.customer.as_str()));
    match &petition.role {
        Some(role) => line.say(" as ").text(role.as_str(), NAME),
        None => line,
    }
}

/// The end of a lease, to the second where that matters.
pub fn end(line: Line, until: Timestamp, length: SignedDuration) -> Line {
    line.at(until, if length < SHORT { DateStyle::Second } else { DateStyle::Moment })
}

/// What people call whoever has this e-mail; the e-mail where nobody of the petition does.
pub fn name(email: &Email, petition: &Petition, claims: &[Claim]) -> Line {
    let people = claims.iter().map(|claim| &claim.maker).chain([&petition.petitioner]);
    let called = |person: &&Person| person.email == *email && !person.name.trim().is_empty();
    Line::default().text(people.into_iter().find(called).map_or(email.as_str(), |person| &person.name), NAME)
}

/// `Bo`, `Bo and Cy`, `Bo, Cy and 3 more`.
pub fn list(names: &[Line]) -> Line {
    const SHOWN: usize = 10;
    let more = names.len().saturating_sub(SHOWN);
    let shown = &names[..names.len() - more];
    let mut line = Line::default();
    for (n, name) in shown.iter().enumerate() {
        let last = n + 1 == shown.len() && more == 0;
        line = line
            .say(if n == 0 {
                ""
            } else if last {
                " and "
            } else {
                ", "
            })
            .then(name);
    }
    if more > 0 { line.say(&format!(" and {more} more")) } else { line }
}

/// Who approved, by name.
pub fn granters(by: &[Email], story: &Story) -> Line {
    list(&by.iter().map(|email| name(email, &story.petition, &story.claims)).collect::<Vec<_>>())
}

/// How far an open petition is: `1 of 2 approvals so far, from Bo.`
pub fn progress(story: &Story) -> Line {
    let mut makers: Vec<&Person> = Vec::new();
    for claim in story.claims.iter().filter(|claim| claim.kind == ClaimKind::Approve) {
        if makers.iter().all(|maker| maker.email != claim.maker.email) {
            makers.push(&claim.maker);
        }
    }
    let approvers =
        list(&makers.iter().map(|maker| name(&maker.email, &story.petition, &story.claims)).collect::<Vec<_>>());
    match (story.needed, makers.len()) {
        (0, _) => Line::new("No rule of the policy covers this customer any more, so nobody can approve it."),
        (1, 0) => Line::new("It takes 1 approval."),
        (needed, 0) => Line::new(&format!("It takes {needed} approvals.")),
        (needed, got) if got < needed => {
            Line::new(&format!("{got} of {needed} approvals so far, from ")).then(&approvers).say(".")
        }
        // The last to approve did not suffice: somebody has lost the right since, or two stand for one line.
        (_, _) => Line::new("Approved by ").then(&approvers).say(", but the rule wants somebody else as well."),
    }
}

/// `Asked for 4h, shortened to 2h.`; nothing where it was granted in full.
pub fn shortened(petition: &Petition, at: Timestamp, until: Timestamp) -> Line {
    let granted = until.duration_since(at);
    if granted >= petition.length {
        return Line::default();
    }
    Line::new(&format!("Asked for {}, shortened to {}.", length::show(petition.length), length::show(granted)))
}

/// One line for each provisioner: what is known to have reached it.
pub fn truths(story: &Story, now: Timestamp) -> Line {
    let mut line = Line::default();
    for (n, provisioning) in story.provisionings.iter().enumerate() {
        line = line.say(if n == 0 { "" } else { "; " }).text(provisioning.provisioner.as_str(), NAME).say(": ");
        line = line.say(&truth(provisioning, now));
    }
    if line.is_empty() { line } else { line.say(".") }
}

fn truth(provisioning: &Provisioning, now: Timestamp) -> String {
    let since = provisioning.failing.as_ref().map(|(since, _)| elapsed(*since, now));
    let retrying = if provisioning.next_at.is_some() { ", retrying" } else { "" };
    match (provisioning.wanted, is_done(provisioning), since) {
        (Wanted::Grant, true, _) => "applied".to_owned(),
        (Wanted::Revoke, true, _) => "revoked".to_owned(),
        (Wanted::Grant, false, Some(since)) => format!("failing for {since}{retrying}"),
        (Wanted::Revoke, false, Some(since)) => format!("revoke failing for {since}{retrying}, will not give up"),
        (Wanted::Grant, false, None) => "pending".to_owned(),
        (Wanted::Revoke, false, None) => "revoking".to_owned(),
    }
}

fn is_done(provisioning: &Provisioning) -> bool {
    provisioning.applied == Some((provisioning.wanted, provisioning.wanted_version))
}

/// Where the access may still be open although it is over; empty where nowhere.
pub fn still_open(story: &Story, now: Timestamp) -> Line {
    let late: Vec<&Provisioning> =
        story.provisionings.iter().filter(|p| p.wanted == Wanted::Revoke && !is_done(p)).collect();
    if late.is_empty() {
        return Line::default();
    }
    let names: Vec<Line> = late
        .iter()
        .map(|p| Line::default().text(p.provisioner.as_str(), NAME).say(&format!(" ({})", truth(p, now))))
        .collect();
    let line =
        Line::new(":rotating_light: ").strong("Not closed everywhere yet:").say(" ").then(&list(&names)).say(".");
    if late.iter().any(|p| p.failing.is_some()) {
        return line.say(" Latchkey itself denies it, but there it may still work. Tell whoever runs Latchkey.");
    }
    line.say(" Latchkey itself denies it, but there it may still work for a moment.")
}

/// The person's access goes on although this petition's part of it is over; empty where it does not.
pub fn goes_on(story: &Story, now: Timestamp) -> Line {
    let held = story.provisionings.iter().filter(|p| p.wanted == Wanted::Grant && p.event.expires_at > now);
    match held.map(|p| p.event.expires_at).max() {
        Some(until) => {
            Line::new("Another petition still gives the same access until ").at(until, DateStyle::Moment).say(".")
        }
        None => Line::default(),
    }
}

/// What closed it, about the petition: `Denied by Cy, today at 14:22.` Bold first.
pub fn closed(petition: &Petition, claims: &[Claim], at: Timestamp, why: &CloseReason) -> Line {
    let by = |word, email| Line::default().strong(word).say(" by ").then(&name(email, petition, claims)).say(", ");
    let moment = |line: Line| line.at(at, DateStyle::Moment);
    match why {
        CloseReason::Refused { because } => {
            moment(Line::default().strong("Refused").say(" by the policy, ")).say(": ").text(because, SENTENCE)
        }
        CloseReason::Denied { by: email, .. } => moment(by("Denied", email)).say("."),
        CloseReason::Withdrawn => moment(by("Cancelled", &petition.petitioner.email)).say("."),
        CloseReason::Undecided => {
            moment(Line::default().strong("Closed").say(" undecided, ")).say(": nobody decided in time.")
        }
        CloseReason::Revoked { by: Some(email), .. } => moment(by("Revoked", email)).say("."),
        CloseReason::Revoked { by: None, .. } => {
            moment(Line::default().strong("Revoked").say(" by the system that sent the event, ")).say(".")
        }
        CloseReason::Expired => moment(Line::default().strong("Ended").say(", ")).say(": the time was up."),
        CloseReason::Done => moment(by("Given back", &petition.petitioner.email)).say("."),
    }
}

/// What closed it, for the petitioner: a sentence that says of which petition, and what to do next.
pub fn closed_for_petitioner(petition: &Petition, claims: &[Claim], at: Timestamp, why: &CloseReason) -> Line {
    let what = access(petition);
    let moment = |line: Line| line.at(at, DateStyle::Moment).say(".");
    let called = |email| name(email, petition, claims);
    match why {
        CloseReason::Refused { because } => {
            Line::new("Your petition for ").then(&what).say(" was refused: ").text(because, SENTENCE)
        }
        CloseReason::Denied { by, .. } => moment(called(by).say(" denied your petition for ").then(&what).say(", "))
            .say(" Talk to ")
            .then(&called(by))
            .say(" before you ask again."),
        CloseReason::Withdrawn => moment(Line::new("You cancelled your petition for ").then(&what).say(", ")),
        CloseReason::Undecided => {
            moment(Line::new("Nobody decided your petition for ").then(&what).say(" in time, so it was closed, "))
        }
        CloseReason::Revoked { by: None, .. } => {
            moment(Line::new("A signed event from outside revoked your ").then(&what).say(", "))
        }
        CloseReason::Revoked { by: Some(by), .. } => moment(called(by).say(" revoked your ").then(&what).say(", "))
            .say(" Talk to ")
            .then(&called(by))
            .say(" before you ask again."),
        CloseReason::Expired => moment(Line::new("Your ").then(&what).say(" is over: its time was up, ")),
        CloseReason::Done => moment(Line::new("You gave back your ").then(&what).say(", ")),
    }
}

/// What a reviewer wrote when they closed it.
pub fn closing_note(why: &CloseReason) -> &str {
    match why {
        CloseReason::Denied { note, .. } | CloseReason::Revoked { note, .. } => note,
        CloseReason::Refused { .. }
        | CloseReason::Withdrawn
        | CloseReason::Undecided
        | CloseReason::Expired
        | CloseReason::Done => "",
    }
}

/// The command that asks for the same again.
pub fn again(petition: &Petition) -> Line {
    let role = petition.role.as_ref().map(|role| role.as_str());
    let reason = crate::slack::text::plain(&petition.reason, REASON_AGAIN);
    let command = parser::corrected(petition.customer.as_str(), role, &length::show(petition.length), &reason);
    Line::default().code(&command)
}

/// Whether a granted petition still gives something.
pub fn is_live(story: &Story, now: Timestamp) -> bool {
    match &story.petition.state {
        PetitionState::Granted { until, .. } => {
            now < *until && story.lease.as_ref().is_none_or(|lease| lease.ended.is_none())
        }
        PetitionState::Open | PetitionState::Closed { .. } => false,
    }
}

/// `40 s`, `3 min`, `2 h`, `5 days`; never less than nothing.
fn elapsed(since: Timestamp, now: Timestamp) -> String {
    let secs = now.duration_since(since).as_secs().max(0);
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_is_said_roughly() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        for (secs, said) in [(-5, "0 s"), (59, "59 s"), (200, "3 min"), (7_300, "2 h"), (172_800, "2 days")] {
            assert_eq!(elapsed(at(0), at(secs)), said);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names = |n: usize| (0..n).map(|n| Line::new(&format!("p{n}"))).collect::<Vec<_>>();
        assert_eq!(list(&names(0)), Line::default());
        assert_eq!(list(&names(2)), Line::new("p0 and p1"));
        assert_eq!(list(&names(3)), Line::new("p0, p1 and p2"));
        assert_eq!(list(&names(12)), Line::new("p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 and 2 more"));
    }
}
