//! What holds for whatever people type.

use proptest::prelude::*;

use super::tests::{H, ask, reading};
use super::*;
use crate::domain::length;
use crate::slack::text::escape;

/// Words with everything in them that means something here.
fn nasty() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "for", "as", "to", "because", "of", "customer", "reason:", "4h", "4", "hours", "and", "half", "an", "\"",
            "“Acme", "Corp”", "'", "-", "—", "*", "`", "_x_", "<@U1|bo>", "&amp;", "&lt;", "<", ">", "|", "help", "?",
            "#", "A\u{ad}1", "\u{200b}", "\u{fe0f}", "¨", "\u{301}", "\u{fdfa}", "\n", "\u{a0}", "0h", "1 month",
        ])
        .prop_map(String::from),
        "\\PC{0,6}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec((word, prop::sample::select(vec![" ", " ", ""])), 0..16)
        .prop_map(|words| words.into_iter().map(|(word, gap)| word + gap).collect())
}

/// The same, but something is left of it.
fn name() -> impl Strategy<Value = String> {
    nasty().prop_map(|text| if fold(&text).is_empty() { "x".to_owned() } else { text })
}

proptest! {
    #[test]
    fn any_text_is_read(text in nasty()) {
        for read in [parse(&text), parse_without_roles(&text)] {
            let ask = match read {
                Ok(Command::Ask(ask)) => ask,
                Ok(Command::Help | Command::Empty) => continue,
                Err(Misunderstood::NoCustomer { rest }) => {
                    prop_assert!(rest.readings().is_empty());
                    *rest
                }
                Err(Misunderstood::BadLength { rest, .. } | Misunderstood::RoleMissing { rest }) => *rest,
            };
            prop_assert_eq!(ask.length.is_some(), ask.length_text.is_some());
            for (customer, reason) in ask.readings() {
                prop_assert!(!customer.is_empty());
                prop_assert_eq!(words::tidy(&reason), reason.clone());
            }
        }
    }

    /// Whether Slack escapes what is typed is not documented: what holds no markup reads back either way.
    #[test]
    fn corrections_read_back(
        customer in name(),
        role in prop::option::of(name()),
        length in prop::sample::select(vec!["4h", "90m", "1h 30m", "2 days", "30s"]),
        reason in nasty(),
    ) {
        let command = corrected(&customer, role.as_deref(), length, &reason);
        let bare = Some(command.clone()).filter(|command| !command.contains(['&', '<']));
        for text in bare.into_iter().chain([escape(&command)]) {
            let ask = ask(&text);
            prop_assert_eq!(ask.readings(), [(fold(&customer), words::tidy(&reason))]);
            prop_assert_eq!(&ask.role, &role.as_deref().map(fold));
            prop_assert_eq!(ask.length_text.as_deref(), Some(length));
            prop_assert_eq!(ask.length, length::parse(length).ok());
        }
    }

    #[test]
    fn every_length_goes_with_every_customer(
        prefix in prop::sample::select(vec!["", "customer ", "Customer "]),
        customer in prop::sample::select(vec![
            ("123", "123"), ("cus_9", "cus_9"), ("Acme Corp", "Acme Corp"), ("\"Acme Corp\"", "Acme Corp"),
            ("“Acme Corp”", "Acme Corp"), ("‘Acme Corp’", "Acme Corp"), ("« Acme Corp »", "Acme Corp"),
        ]),
        (n, unit, secs) in (1..60_i64, prop::sample::select(vec![
            ("s", 1), (" seconds", 1), ("m", 60), (" min", 60), (" minutes", 60), ("h", H), (" hours", H),
            (" days", 24 * H), ("d", 24 * H), (" week", 168 * H), ("h 1m", H), ("h1m", H),
        ])).prop_map(|(n, (unit, secs))| (n, unit, n * secs + if unit.ends_with("1m") { 60 } else { 0 })),
        lead in prop::sample::select(vec!["to ", "because ", "because of ", ""]),
        at_end in any::<bool>(),
    ) {
        let (typed, name) = customer;
        let text = match at_end {
            true => format!("{prefix}{typed} {lead}debug BUG-482 for {n}{unit}"),
            false => format!("{prefix}{typed} for {n}{unit} {lead}debug BUG-482"),
        };
        let expected = (name.to_owned(), None, Some(secs), "debug BUG-482".to_owned());
        prop_assert_eq!(reading(&text, name.split(' ').count()), expected);
    }

    #[test]
    fn what_clients_insert_changes_nothing(
        noise in prop::collection::vec((0..80_usize, prop::sample::select(vec![
            '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{202e}', '\u{2066}', '\u{200e}',
        ])), 0..12),
        space in prop::sample::select(vec![" ", "\u{a0}", "\u{202f}", "\n", "  ", "\u{3000}", "\t"]),
        quotes in prop::sample::select(vec![("“", "”"), ("«", "»"), ("”", "”"), ("\u{201e}", "“"), ("‘", "’")]),
        dash in prop::sample::select(vec!["-", "–", "—", "\u{2011}", "\u{2212}", "\u{ad}"]),
    ) {
        let text = "customer \"Acme Corp\" as readonly for 1h 30m to debug BUG-482 for <@U1|bo> &amp; co";
        let wanted = ask(text);
        let noisy = text.replacen('"', quotes.0, 1).replacen('"', quotes.1, 1).replace('-', dash).replace(' ', space);
        let mut noisy: Vec<char> = noisy.chars().collect();
        for (at, c) in noise {
            noisy.insert(at.min(noisy.len()), c);
        }
        prop_assert_eq!(ask(&noisy.into_iter().collect::<String>()), wanted);
    }
}
