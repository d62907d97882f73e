//! Sentences and parts of them that several messages share.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::kit::{Line, NAME, SENTENCE};
use crate::{
    domain::{
        event::Wanted,
        length,
        person::{Email, Person},
        petition::{Claim, ClaimKind, CloseReason, Escalation, Petition, PetitionState},
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
    let id = petition.customer.bare();
    let what = match petition.customer.kind() {
        None => customer(&petition.customer_name, id),
        // `Docs (okta.v1.Group docs)`
        Some(kind) => customer(&petition.customer_name, &format!("{kind} {id}")),
    };
    let line = Line::new("access to ").then(&what);
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

/// `Bo`, or `Bo (for 2h)` where he approved less than was asked for.
fn approver(maker: &Email, story: &Story) -> Line {
    let line = name(maker, &story.petition, &story.claims);
    let own = |claim: &&Claim| claim.kind == ClaimKind::Approve && claim.maker.email == *maker;
    match story.claims.iter().find(own).and_then(|claim| claim.length) {
        Some(length) if length < story.petition.length => line.say(&format!(" (for {})", length::show(length))),
        Some(_) | None => line,
    }
}

/// For how long it would be granted: what was asked for, or the least that somebody approved.
pub fn shortest(story: &Story) -> SignedDuration {
    let approvals = story.claims.iter().filter(|claim| claim.kind == ClaimKind::Approve);
    approvals.filter_map(|claim| claim.length).fold(story.petition.length, SignedDuration::min)
}

/// `It takes 2 approvals`.
pub fn takes(needed: usize) -> String {
    if needed == 1 { "It takes 1 approval".to_owned() } else { format!("It takes {needed} approvals") }
}

/// What the last of those who approved wrote to it.
pub fn approving_note(claims: &[Claim]) -> &str {
    claims.iter().rfind(|claim| claim.kind == ClaimKind::Approve).map_or("", |claim| &claim.note)
}

/// How far an open petition is: `1 of 2 approvals so far, from Bo.`
pub fn progress(story: &Story) -> Line {
    let mut makers: Vec<&Person> = Vec::new();
    for claim in story.claims.iter().filter(|claim| claim.kind == ClaimKind::Approve) {
        if makers.iter().all(|maker| maker.email != claim.maker.email) {
            makers.push(&claim.maker);
        }
    }
    let approvers = list(&makers.iter().map(|maker| approver(&maker.email, story)).collect::<Vec<_>>());
    if let Some(remote) = &story.remote {
        let who =
            if makers.is_empty() { Line::default() } else { Line::new("Approved by ").then(&approvers).say("; ") };
        let the = if makers.is_empty() { "The space “" } else { "the space “" };
        return who.say(the).text(&remote.space, NAME).say("” decides.");
    }
    match (story.needed, makers.len()) {
        (0, _) => Line::new("No rule of the policy covers this customer any more, so nobody can approve it."),
        (needed, 0) => Line::new(&takes(needed)).say("."),
        (needed, got) if got < needed => {
            Line::new(&format!("{got} of {needed} approvals so far, from ")).then(&approvers).say(".")
        }
        // The last to approve did not suffice: somebody has lost the right since, or two stand for one line.
        (_, _) => Line::new("Approved by ").then(&approvers).say(", but the rule wants somebody else as well."),
    }
}

/// The end that this petition moved when it was granted, or would move if it were now; `None` where it is no extension,
/// or what it extends was over before.
pub fn moved_end(story: &Story, now: Timestamp) -> Option<Timestamp> {
    let old = story.extends.as_ref()?;
    match &old.state {
        PetitionState::Granted { until, .. } if *until > now => Some(*until),
        PetitionState::Closed { why: CloseReason::Replaced { by }, granted, .. } if *by == story.petition.name => {
            granted.as_ref().map(|grant| grant.until)
        }
        PetitionState::Open | PetitionState::Granted { .. } | PetitionState::Closed { .. } => None,
    }
}

/// What is asked for: `for access to AcmeCorp (123) for 4h`, `to extend access to AcmeCorp (123) by 2h, from 17:00 to
/// 19:00`.
pub fn asked(story: &Story, now: Timestamp) -> Line {
    let petition = &story.petition;
    let length = length::show(petition.length);
    let Some(end) = moved_end(story, now) else {
        let line = Line::new("for ").then(&access(petition));
        return match petition.asked_until() {
            Some(moment) => line.say(" until ").at(moment, DateStyle::Moment),
            None => line.say(&format!(" for {length}")),
        };
    };
    // A remote space counts lengths from its approval, so there the length is that of all that is left.
    let new_end = match &story.remote {
        None => end.saturating_add(petition.length),
        Some(_) => petition.opened_at.saturating_add(petition.length),
    };
    let new_end = new_end.unwrap_or(Timestamp::MAX);
    let more = length::show(SignedDuration::from_secs(new_end.duration_since(end).as_secs()));
    let line = Line::new("to extend ").then(&access(petition)).say(&format!(" by {more}, from "));
    line.at(end, DateStyle::Moment).say(" to ").at(new_end, DateStyle::Moment)
}

/// What an extension belongs to, and what an extended petition goes on as; nothing for others.
pub fn linked(story: &Story, now: Timestamp) -> Line {
    let mut line = Line::default();
    if let Some(old) = &story.extends {
        line = match (&story.petition.state, moved_end(story, now)) {
            (PetitionState::Open, Some(_)) => line.say("It extends petition ").code(old.name.as_str()).say("."),
            (PetitionState::Open, None) => {
                let line = line.say("Asked as an extension of petition ").code(old.name.as_str());
                line.say(", which is over by now: approved, the time counts from then.")
            }
            (_, Some(end)) => {
                let line = line.say("It extended petition ").code(old.name.as_str()).say(", which would have ended ");
                line.at(end, DateStyle::Moment).say(".")
            }
            (_, None) => line.say("Asked as an extension of petition ").code(old.name.as_str()).say("."),
        };
    }
    let Some(new) = &story.extension else { return line };
    let line = if line.is_empty() { line } else { line.say(" ") };
    match new.state.granted() {
        Some(_) if matches!(new.state, PetitionState::Closed { .. }) => {
            line.say("It went on as petition ").code(new.name.as_str()).say(".")
        }
        Some(grant) => {
            let line = line.say("It goes on as petition ").code(new.name.as_str()).say(", granted until ");
            line.at(grant.until, DateStyle::Moment).say(".")
        }
        None => {
            let line = line.say(&format!("An extension by {} waits for approval: petition ", length::show(new.length)));
            line.code(new.name.as_str()).say(".")
        }
    }
}

/// `Bo approved`; where a rule had it approved beforehand, `Rule “x” allows this without a reviewer`.
pub fn pre_approved(petition: &Petition) -> Option<Line> {
    petition.extends.as_ref()?.pre_approved?;
    let rule = petition.rule.as_deref().unwrap_or_default();
    Some(Line::new("pre-approved by rule “").text(rule, NAME).say("”"))
}

/// That further people are asked, or will be; nothing where the rule escalates nothing.
pub fn escalation(petition: &Petition) -> Line {
    match petition.escalation {
        Some(Escalation::Planned(at)) => {
            Line::new("If nobody decides, further reviewers are asked ").at(at, DateStyle::Moment).say(".")
        }
        Some(Escalation::Done(at)) => {
            let line = Line::default().strong("Escalated").say(", ").at(at, DateStyle::Moment);
            line.say(": further reviewers are asked as well.")
        }
        None => Line::default(),
    }
}

/// That nobody reads of it, and who can mend that; nothing where somebody does.
pub fn unreached(story: &Story) -> Line {
    if !story.unreached {
        return Line::default();
    }
    let line = Line::default().strong("Nobody could be asked:");
    line.say(" no reviewer can be reached in Slack as things are. Tell whoever runs Latchkey.")
}

/// `Asked for 4h, shortened to 2h by Bo.`; nothing where it was granted in full.
pub fn shortened(story: &Story, at: Timestamp, until: Timestamp) -> Line {
    let petition = &story.petition;
    // Asked for until a moment, the length is what was left.
    if petition.asked_until() == Some(until) {
        return Line::default();
    }
    let at = match (moved_end(story, at), &story.remote) {
        (Some(end), None) => end,
        (Some(_), Some(_)) => return Line::default(),
        (None, _) => at,
    };
    let granted = until.duration_since(at);
    let (asked, given) = (length::show(petition.length), length::show(granted));
    match granted.cmp(&petition.length) {
        Ordering::Less => {
            let line = Line::new(&format!("Asked for {asked}, shortened to {given}"));
            let so = |claim: &&Claim| claim.kind == ClaimKind::Approve && claim.length == Some(granted);
            let by: Vec<Line> =
                story.claims.iter().filter(so).map(|claim| name(&claim.maker.email, petition, &story.claims)).collect();
            // Else it was the rule, which allowed no more.
            if by.is_empty() { line.say(".") } else { line.say(" by ").then(&list(&by)).say(".") }
        }
        Ordering::Equal => Line::default(),
        Ordering::Greater => Line::new(&format!("Asked for {asked}, approved for {given}.")),
    }
}

/// One line for each provisioner: what is known to have reached it.
pub fn truths(story: &Story, now: Timestamp) -> Line {
    truths_of(&story.provisionings, now)
}

/// The same of one access.
pub fn truths_of(provisionings: &[Provisioning], now: Timestamp) -> Line {
    let mut line = Line::default();
    for (n, provisioning) in provisionings.iter().enumerate() {
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
        CloseReason::Dismissed { by: email, .. } => moment(by("Closed", email)).say(", as an administrator."),
        CloseReason::Undecided => {
            moment(Line::default().strong("Closed").say(" undecided, ")).say(": nobody decided in time.")
        }
        CloseReason::Revoked { by: Some(email), .. } => moment(by("Revoked", email)).say("."),
        CloseReason::Revoked { by: None, .. } => {
            moment(Line::default().strong("Revoked").say(" by the system that sent the event, ")).say(".")
        }
        CloseReason::Expired => moment(Line::default().strong("Ended").say(", ")).say(": the time was up."),
        CloseReason::Replaced { .. } => {
            moment(Line::default().strong("Extended").say(", ")).say(" by a newer petition.")
        }
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
        CloseReason::Dismissed { by, .. } => {
            moment(called(by).say(", an administrator, closed your petition for ").then(&what).say(", "))
        }
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
        CloseReason::Replaced { .. } => {
            moment(Line::new("Your ").then(&what).say(" goes on under a newer petition, since "))
        }
        CloseReason::Done => moment(Line::new("You gave back your ").then(&what).say(", ")),
    }
}

/// What a reviewer wrote when they closed it.
pub fn closing_note(why: &CloseReason) -> &str {
    match why {
        CloseReason::Denied { note, .. } | CloseReason::Dismissed { note, .. } | CloseReason::Revoked { note, .. } => {
            note
        }
        CloseReason::Refused { .. }
        | CloseReason::Withdrawn
        | CloseReason::Replaced { .. }
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

/// The command that lets it go on.
pub fn extend(petition: &Petition) -> Line {
    let role = petition.role.as_ref().map_or_else(String::new, |role| format!(" as {role}"));
    let customer = parser::one_word(petition.customer.bare());
    Line::default().code(&format!("/access extend {customer}{role} by 2h"))
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
pub fn elapsed(since: Timestamp, now: Timestamp) -> String {
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
