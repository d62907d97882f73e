//! Finds the customer that follows a word. What is not clear is answered with commands that are; nothing is guessed.

use super::{
    parser::one_word,
    who::{Reviewer, reviewer},
    word::Word,
    words::{fold, human, name_word, quoted},
};
use crate::{
    domain::customer::Customer,
    slack::{
        Slack,
        directory::Freshness,
        inbound::SlashCommand,
        views::{Content, word},
    },
    store::CustomerLookup,
    workflow::Error,
};

pub enum Named {
    One(Customer),
    /// Nobody, or several: what to say.
    Answer(Box<Content>),
}

/// The text of a name as somebody typed it after a word: with or without `customer`, in quotes or not.
pub fn name_in(rest: &str) -> String {
    let rest = human(rest);
    let bare = rest.split_once(' ').filter(|(first, _)| first.eq_ignore_ascii_case("customer")).map(|(_, name)| name);
    let bare = bare.unwrap_or(&rest);
    match quoted(bare) {
        Some((name, _)) => name,
        None => {
            let words: Vec<String> = bare.split(' ').filter(|word| !word.is_empty()).map(name_word).collect();
            fold(words.join(" ").trim_start_matches('#'))
        }
    }
}

/// The customer of that id or name, also one that has vanished meanwhile. Of what is not clear only those are named
/// about whom they may decide who typed it. `tail` is repeated in what is offered.
pub(super) async fn find(
    slack: &Slack,
    command: &SlashCommand,
    word: Word,
    name: &str,
    tail: &str,
) -> Result<Named, Error> {
    let store = slack.workflow.store();
    let commands = |customers: &[Customer]| -> Vec<String> {
        let ids = customers.iter().map(|customer| one_word(customer.id.as_str()));
        ids.map(|id| format!("/access {} {id}{tail}", word.typed())).collect()
    };
    let said = match store.look_up_customer(name).await? {
        CustomerLookup::One(customer) => return Ok(Named::One(customer)),
        CustomerLookup::Several(same) => {
            let same = reviewed(slack, command, same).await?;
            match same.is_empty() {
                true => word::no_customer(name, &[], &[]),
                false => word::several_customers(name, &same, &commands(&same)),
            }
        }
        CustomerLookup::Nobody(like) => match store.customer_ever(name).await? {
            Some(customer) => return Ok(Named::One(customer)),
            None => {
                let like = reviewed(slack, command, like).await?;
                word::no_customer(name, &like, &commands(&like))
            }
        },
    };
    Ok(Named::Answer(Box::new(said)))
}

/// Those about which whoever typed may decide.
async fn reviewed(slack: &Slack, command: &SlashCommand, customers: Vec<Customer>) -> Result<Vec<Customer>, Error> {
    let mut theirs = Vec::new();
    for customer in customers {
        if let Reviewer::Yes(_) = reviewer(slack, command, &customer, Freshness::AMinuteAgo).await? {
            theirs.push(customer);
        }
    }
    Ok(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_however_they_are_typed() {
        for (rest, name) in [
            ("123", "123"),
            ("customer 123", "123"),
            ("#123.", "123"),
            ("Acme\u{a0}Corp", "Acme Corp"),
            ("“Acme Corp”", "Acme Corp"),
            ("*Acme* Corp,", "Acme Corp"),
            ("customer", "customer"),
            ("", ""),
        ] {
            assert_eq!(name_in(rest), name, "{rest:?}");
        }
    }
}
