//! `/access revoke <customer> [@person]`: a reviewer takes somebody's access to a customer away, all of it. Nothing is
//! taken from anybody while it is not clear whose is meant.

use std::collections::BTreeSet;

use super::{
    ends::{self, End, Plan},
    named::{self, Named, name_in},
    parser::one_word,
    who::{Reviewer, reviewer},
    word::Word,
    words::{fold, human, key},
};
use crate::{
    domain::{customer::Customer, id::SlackUserId, person::Email, petition::PetitionState},
    slack::{
        Slack,
        directory::{Freshness, Stranger},
        inbound::SlashCommand,
        views::{
            Content, answer,
            word::{self, NothingToEnd, Usage},
        },
    },
    workflow::{Actor, Error, Live},
};

pub const USAGE: Usage = Usage {
    typed: "/access revoke <customer> [@person] [because …]",
    does: "takes somebody's access to a customer away, at once.",
    example: "/access revoke 123 ana@acme.test because the laptop is lost",
    more: "For those who may decide about that customer. A mention or an e-mail says whose; the person is told why.",
};

/// Whose access.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Slack(SlackUserId),
    Email(Email),
    /// `@bo` as plain text: anybody may be called that.
    Name(String),
}

/// What follows the word.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    customer: String,
    whom: Option<Whom>,
    /// The person as typed, with a space before it.
    tail: String,
    note: String,
}

pub(super) async fn run(slack: &Slack, command: &SlashCommand, rest: &str, signature: &str) -> Result<Content, Error> {
    let plan = plan(slack, command, parse(rest)).await?;
    ends::run(slack, signature, End::Revoke, plan).await
}

/// Whether what follows the word names a customer and says whose access it is or why it ends: then it is no request for
/// a customer that goes by the word.
pub(super) fn is_meant(rest: &str) -> bool {
    let Wanted { customer, whom, note, .. } = parse(rest);
    let first = key(rest.split_whitespace().next().unwrap_or_default());
    let clause = ["for", "as", "to", "because"].contains(&first.as_str());
    !customer.is_empty() && !clause && (whom.is_some() || !note.is_empty())
}

fn parse(rest: &str) -> Wanted {
    let (head, note) = split_note(rest);
    let (customer, whom, typed) = split_person(head);
    let tail = if typed.is_empty() { String::new() } else { format!(" {}", human(typed)) };
    Wanted { customer: name_in(customer), whom, tail, note: human(note) }
}

/// At the first `because` outside quotes.
fn split_note(rest: &str) -> (&str, &str) {
    let mut quotes = 0;
    let mut at = 0;
    for word in rest.split_inclusive(char::is_whitespace) {
        if quotes % 2 == 0 && at > 0 && key(word.trim()) == "because" {
            return (&rest[..at], &rest[at + word.len()..]);
        }
        quotes += word.chars().filter(|c| matches!(c, '"' | '“' | '”' | '«' | '»')).count();
        at += word.len();
    }
    (rest, "")
}

/// The person at the end or at the beginning; the customer is the rest.
fn split_person(head: &str) -> (&str, Option<Whom>, &str) {
    let head = head.trim();
    let start = if head.ends_with('>') { head.rfind('<') } else { Some(last_word(head)) };
    if let Some(start) = start
        && let Some(whom) = whom(&head[start..])
    {
        let before = head[..start].trim_end();
        let word = last_word(before);
        let joins = ["from", "of", "for"].contains(&key(&before[word..]).as_str());
        return (if joins { before[..word].trim_end() } else { before }, Some(whom), &head[start..]);
    }
    let end = match head.starts_with('<') {
        true => head.find('>').map(|end| end + 1),
        false => head.find(char::is_whitespace),
    };
    match end.and_then(|end| Some((end, whom(&head[..end])?))) {
        Some((end, whom)) => (head[end..].trim_start(), Some(whom), &head[..end]),
        None => (head, None, ""),
    }
}

fn last_word(text: &str) -> usize {
    text.rfind(char::is_whitespace).map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8))
}

fn whom(word: &str) -> Option<Whom> {
    if let Some(inner) = word.strip_prefix('<').and_then(|word| word.strip_suffix('>')) {
        let target = inner.split('|').next().unwrap_or_default();
        if let Some(id) = target.strip_prefix('@') {
            let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
            return plain.then(|| Whom::Slack(SlackUserId::new(id)));
        }
        return target.strip_prefix("mailto:").and_then(|email| Email::parse(email).ok()).map(Whom::Email);
    }
    let folded = fold(word);
    let word = folded.trim_matches(['*', '`', ',', ';', '.', ':']);
    if word.contains(['"', '\'']) {
        return None;
    }
    match word.strip_prefix('@') {
        Some(name) => (!name.is_empty()).then(|| Whom::Name(name.to_owned())),
        None => Email::parse(word).ok().map(Whom::Email),
    }
}

async fn plan(slack: &Slack, command: &SlashCommand, wanted: Wanted) -> Result<Plan, Error> {
    if wanted.customer.is_empty() {
        return Ok(Plan::Say(word::incomplete(&USAGE, &[])));
    }
    let customer = match named::find(slack, command, Word::Revoke, &wanted.customer, &wanted.tail).await? {
        Named::One(customer) => customer,
        Named::Answer(content) => return Ok(Plan::Say(*content)),
    };
    let of = &customer;
    let (maker, live) = match reviewer(slack, command, of, Freshness::Now).await? {
        Reviewer::Yes(actor) => (actor, slack.workflow.live_on(&of.id).await?),
        Reviewer::Stranger(sentence) => return Ok(Plan::Say(answer::stranger(&sentence))),
        Reviewer::No(actor, sentence) => {
            // What they approved themselves they may take back, whatever the rule says by now.
            let mut live = slack.workflow.live_on(&of.id).await?;
            live.retain(|held| actor.facts.full_member && approved(held, &actor));
            if live.is_empty() {
                return Ok(Plan::Say(answer::click_refused(&sentence)));
            }
            (actor, live)
        }
    };
    if live.is_empty() {
        return Ok(Plan::Say(word::nothing_to_end(&NothingToEnd::OnCustomer { of }, &[])));
    }
    let theirs = match &wanted.whom {
        None => live.clone(),
        Some(Whom::Email(email)) => of_email(&live, email),
        Some(Whom::Slack(id)) => match of_account(slack, &live, id).await {
            Ok(theirs) => theirs,
            Err(away) => return Ok(Plan::Say(answer::stranger(&away.to_string()))),
        },
        // Offered, never taken.
        Some(Whom::Name(name)) => {
            let theirs: Vec<Live> = live.iter().filter(|held| is_called(held, name)).cloned().collect();
            let theirs = if theirs.is_empty() { &live } else { &theirs };
            return Ok(Plan::Say(word::whose(of, theirs, &commands(of, theirs), slack.workflow.now())));
        }
    };
    let people: BTreeSet<&Email> = theirs.iter().map(|held| &held.lease.holding.person).collect();
    match people.len() {
        0 => {
            let person = wanted.tail.trim();
            let nobody = NothingToEnd::OfPerson { of, person };
            Ok(Plan::Say(word::nothing_to_end(&nobody, &commands(of, &live))))
        }
        1 => Ok(Plan::Act { maker: Box::new(maker), note: wanted.note, live: theirs }),
        _ => Ok(Plan::Say(word::whose(of, &theirs, &commands(of, &theirs), slack.workflow.now()))),
    }
}

fn approved(held: &Live, actor: &Actor) -> bool {
    let state = held.petition.as_ref().map(|petition| &petition.state);
    matches!(state, Some(PetitionState::Granted { by, .. }) if by.contains(&actor.facts.email))
}

fn of_email(live: &[Live], email: &Email) -> Vec<Live> {
    live.iter().filter(|held| held.lease.holding.person == *email).cloned().collect()
}

/// By the account that asked, and by the e-mail that the account has today.
async fn of_account(slack: &Slack, live: &[Live], id: &SlackUserId) -> Result<Vec<Live>, Stranger> {
    let asked = |held: &&Live| held.petition.as_ref().is_some_and(|p| p.petitioner.slack.as_ref() == Some(id));
    let email = match slack.directory.actor(id, None, &BTreeSet::new(), Freshness::Now).await {
        Ok(actor) => Some(actor.facts.email),
        Err(Stranger::SlackAway) => return Err(Stranger::SlackAway),
        Err(Stranger::NoEmail { .. } | Stranger::Unknown) => None,
    };
    let theirs = |held: &&Live| asked(held) || email.as_ref() == Some(&held.lease.holding.person);
    Ok(live.iter().filter(theirs).cloned().collect())
}

fn is_called(held: &Live, name: &str) -> bool {
    let name = name.to_lowercase();
    let local = held.lease.holding.person.as_str().split('@').next() == Some(name.as_str());
    local || held.petition.as_ref().is_some_and(|petition| petition.petitioner.name.to_lowercase() == name)
}

fn commands(of: &Customer, live: &[Live]) -> Vec<String> {
    let people: BTreeSet<&Email> = live.iter().map(|held| &held.lease.holding.person).collect();
    people.into_iter().map(|email| format!("/access revoke {} {email}", one_word(of.id.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(customer: &str, whom: Option<Whom>, note: &str) -> (String, Option<Whom>, String) {
        (customer.to_owned(), whom, note.to_owned())
    }

    #[test]
    fn people_are_told_from_customers() {
        let ana = || Some(Whom::Slack(SlackUserId::new("U0ANA")));
        let mail = || Some(Whom::Email(Email::parse("ana@acme.test").unwrap()));
        for (rest, (customer, whom, note)) in [
            ("123", wanted("123", None, "")),
            ("123 <@U0ANA>", wanted("123", ana(), "")),
            ("123 <@U0ANA|ana o'neil>", wanted("123", ana(), "")),
            ("<@U0ANA|ana> Acme Corp", wanted("Acme Corp", ana(), "")),
            ("\"Acme Corp\" from <@U0ANA|ana> because she left", wanted("Acme Corp", ana(), "she left")),
            ("Acme Corp ana@acme.test", wanted("Acme Corp", mail(), "")),
            ("123 <mailto:Ana@acme.test|Ana@acme.test>", wanted("123", mail(), "")),
            ("123 @ana", wanted("123", Some(Whom::Name("ana".to_owned())), "")),
            ("\"just because\"", wanted("just because", None, "")),
            ("\"ops@acme\"", wanted("ops@acme", None, "")),
            ("ana@acme.test", wanted("", mail(), "")),
            ("because why", wanted("because why", None, "")),
            ("<>", wanted("<>", None, "")),
            ("", wanted("", None, "")),
        ] {
            let read = parse(rest);
            assert_eq!((read.customer, read.whom, read.note), (customer, whom, note), "{rest:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(rest in "[<>@|“” a-zé\u{a0}\"']{0,30}|\\PC{0,30}") {
            parse(&rest);
        }
    }
}
