//! Tables of what people type, and what is understood.

use super::*;

pub(super) fn ask(text: &str) -> Ask {
    match parse(text) {
        Ok(Command::Ask(ask)) => ask,
        other => panic!("{text:?}: {other:?}"),
    }
}

/// Of a text in which the customer is `words` long: customer, role, seconds, reason.
pub(super) fn reading(text: &str, words: usize) -> (String, Option<String>, Option<i64>, String) {
    let ask = ask(text);
    let readings = ask.readings();
    let found = readings.iter().find(|(customer, _)| customer.split(' ').count() == words);
    let (customer, reason) = found.unwrap_or_else(|| panic!("{text:?}: {readings:?}")).clone();
    (customer, ask.role, ask.length.map(|l| l.as_secs()), reason)
}

type Row = (&'static str, &'static str, Option<&'static str>, Option<i64>, &'static str);

fn check(table: &[Row]) {
    for (text, customer, role, secs, reason) in table {
        let expected = ((*customer).to_owned(), role.map(String::from), *secs, (*reason).to_owned());
        assert_eq!(reading(text, customer.split(' ').count()), expected, "{text:?}");
    }
}

pub(super) const H: i64 = 3_600;

#[test]
fn what_the_contract_shows() {
    check(&[
        ("customer 123 for 4h to debug BUG-482", "123", None, Some(4 * H), "debug BUG-482"),
        ("123 for 4h to debug BUG-482", "123", None, Some(4 * H), "debug BUG-482"),
        ("AcmeCorp for 90m because x", "AcmeCorp", None, Some(5_400), "x"),
        ("\"Acme Corp\" for 1h30m to look", "Acme Corp", None, Some(5_400), "look"),
        ("“Acme Corp” for 2 days debug BUG‑482", "Acme Corp", None, Some(48 * H), "debug BUG-482"),
        ("Acme Corp for 4 hours to debug", "Acme Corp", None, Some(4 * H), "debug"),
        ("123 debug BUG-482", "123", None, None, "debug BUG-482"),
        ("123 to debug BUG-482 for 4h", "123", None, Some(4 * H), "debug BUG-482"),
        ("123 as readonly for 4h to debug", "123", Some("readonly"), Some(4 * H), "debug"),
        ("123 for 4h as readonly to debug", "123", Some("readonly"), Some(4 * H), "debug"),
        ("/access customer 123 for 4h to debug BUG-482", "123", None, Some(4 * H), "debug BUG-482"),
        ("123", "123", None, None, ""),
    ]);
}

#[test]
fn people_are_sloppy() {
    check(&[
        ("Customer 123 FOR 4H TO debug", "123", None, Some(4 * H), "debug"),
        ("customer #123: debug", "123", None, None, "debug"),
        ("to customer 123 for 4h, because of BUG-1", "123", None, Some(4 * H), "BUG-1"),
        ("*Acme Corp*, as `admin`, for *4h*: debug", "Acme Corp", Some("admin"), Some(4 * H), "debug"),
        ("\"Acme Corp\"for 4h - debug", "Acme Corp", None, Some(4 * H), "debug"),
        ("“Acme Corp for 4h to debug", "Acme Corp", None, Some(4 * H), "debug"),
        ("Acme – debug it", "Acme", None, None, "debug it"),
        ("Acme as an admin for the next 2 hours to look", "Acme", Some("admin"), Some(2 * H), "look"),
        ("Acme as \"on call\" to look", "Acme", Some("on call"), None, "look"),
        ("Acme reason: debug", "Acme", None, None, "debug"),
        ("for Acme for 4h to debug", "Acme", None, Some(4 * H), "debug"),
        ("Acme to: debug", "Acme", None, None, "debug"),
        ("<http://acme.test|acme.test> for 1h with <@U1|bo> &amp; co", "acme.test", None, Some(H), "with @bo & co"),
        ("１２３ for ４ｈ to debug ＢＵＧ－４８２", "123", None, Some(4 * H), "debug BUG-482"),
        ("cus–123 for 4h to check 10–20", "cus-123", None, Some(4 * H), "check 10–20"),
        ("12\u{200b}3\u{a0}for\u{202f}4h\nto\u{2003}debug\r\nit", "123", None, Some(4 * H), "debug it"),
        ("R&amp;D for 4h to fix a &lt; b", "R&D", None, Some(4 * H), "fix a < b"),
        ("O’Brien for 4h to ask O’Brien", "O'Brien", None, Some(4 * H), "ask O’Brien"),
    ]);
}

#[test]
fn lengths_are_found_where_people_put_them() {
    for (length, secs) in [
        ("an hour", H),
        ("half an hour", 1_800),
        ("a day", 24 * H),
        ("an hour and a half", 5_400),
        ("two days", 48 * H),
        ("4 hours and 30 minutes", 16_200),
        ("1h 30m", 5_400),
        ("30s", 30),
        ("1.5h", 5_400),
        ("up to 45 min", 2_700),
    ] {
        for text in [format!("Acme for {length} to debug"), format!("Acme to debug for {length}.")] {
            assert_eq!(reading(&text, 1), ("Acme".into(), None, Some(secs), "debug".into()), "{text:?}");
        }
    }
    assert_eq!(ask("Acme for 4 Hours, to debug").length_text.as_deref(), Some("4 Hours"));
    assert_eq!(ask("Acme to debug for 4 Hours.").length_text.as_deref(), Some("4 Hours"));
}

#[test]
fn reasons_survive_the_keywords() {
    check(&[
        ("123 for 4h to log in as admin for Bo", "123", None, Some(4 * H), "log in as admin for Bo"),
        ("123 for 4h to it was down for 2h", "123", None, Some(4 * H), "it was down for 2h"),
        ("123 for 4h for 2h of logs", "123", None, Some(4 * H), "for 2h of logs"),
        ("123 for debugging to see if for real", "123", None, None, "for debugging to see if for real"),
        ("123 debug BUG-1 because it is due", "123", None, None, "debug BUG-1 because it is due"),
        ("123 debug for 4h because it is due", "123", None, Some(4 * H), "debug because it is due"),
        ("123 debug for 3 hosts for 4h", "123", None, Some(4 * H), "debug for 3 hosts"),
        ("123 to plan for 2024", "123", None, None, "plan for 2024"),
        ("123 to wait for a while as agreed to", "123", None, None, "wait for a while as agreed to"),
        ("Doctors for Hope for 4h to debug", "Doctors for Hope", None, Some(4 * H), "debug"),
        ("\"to\" for 4h for \"Bo’s\" test", "to", None, Some(4 * H), "for \"Bo’s\" test"),
    ]);
    assert_eq!(ask("123 debug as discussed").role.as_deref(), Some("discussed"));
    let Ok(Command::Ask(plain)) = parse_without_roles("123 debug as discussed for 4h") else { panic!() };
    assert_eq!(plain.readings().last(), Some(&("123".into(), "debug as discussed".into())));
}

#[test]
fn readings_begin_with_the_longest_customer() {
    let customers: Vec<_> = ask("a b c d e f g h").readings().into_iter().collect();
    assert_eq!(customers.len(), 6);
    assert_eq!(customers[0], ("a b c d e f".into(), "g h".into()));
    assert_eq!(customers[5], ("a".into(), "b c d e f g h".into()));
    assert_eq!(ask("\"a b\" c d").readings(), [("a b".to_owned(), "c d".to_owned())]);
}

#[test]
fn help_and_nothing() {
    for text in ["help", "HELP", "?", "-h", "--help", "—help", "help for", "*help*", "/access help", "？"] {
        assert_eq!(parse(text), Ok(Command::Help), "{text:?}");
    }
    for text in ["", "  \n", "\u{200b}\u{a0}", "new", "/access"] {
        assert_eq!(parse(text), Ok(Command::Empty), "{text:?}");
    }
    assert_eq!(ask("Help Scout for 4h to debug").readings()[0].0, "Help Scout");
    assert_eq!(ask("customer new").readings()[0].0, "new");
}

#[test]
fn mistakes_say_what_was_understood() {
    for text in ["for 4h as admin to debug", "customer for 4h as admin to debug", "\"\" for 4h as admin to debug"] {
        let Err(Misunderstood::NoCustomer { rest }) = parse(text) else { panic!("{text:?}: {:?}", parse(text)) };
        assert_eq!((rest.readings().len(), rest.role.as_deref(), rest.reason.as_str()), (0, Some("admin"), "debug"));
        assert_eq!(rest.length, Some(SignedDuration::from_hours(4)));
    }
    for (text, words, given) in [
        ("123 for 4 bananas to debug", 1, "4 bananas"),
        ("Acme Corp for 4x to debug", 2, "4x"),
        ("Acme Corp for 4 to debug", 2, "4"),
        ("Acme Corp for a month to debug", 2, "a month"),
        ("Acme Corp for 2 months, to debug", 2, "2 months"),
        ("\"Acme Corp\" for 3 hosts to debug", 2, "3 hosts"),
        ("123 for 0h to debug", 1, "0h"),
        ("123 for 99999999999999h to debug", 1, "99999999999999h"),
        ("123 to debug for 0 hours", 1, "0 hours"),
    ] {
        let Err(Misunderstood::BadLength { given: found, why, rest }) = parse(text) else { panic!("{text:?}") };
        assert_eq!(found, given, "{text:?} {why}");
        assert_eq!(rest.readings()[0].0.split(' ').count(), words, "{text:?}");
        assert_eq!((rest.reason.as_str(), rest.length), ("debug", None), "{text:?}");
    }
    for text in ["123 as for 4h to debug", "123 for 4h as to debug", "123 as \"\" for 4h to debug"] {
        let Err(Misunderstood::RoleMissing { rest }) = parse(text) else { panic!("{text:?}") };
        assert_eq!((rest.readings()[0].0.as_str(), rest.reason.as_str()), ("123", "debug"), "{text:?}");
        assert_eq!(rest.length, Some(SignedDuration::from_hours(4)), "{text:?}");
    }
}

#[test]
fn corrections_are_ready_to_type() {
    for (customer, role, length, reason, command) in [
        ("123", None, "4h", "debug BUG-482", "/access customer 123 for 4h to debug BUG-482"),
        ("Acme Corp", Some("admin"), "2 days", "x", "/access customer \"Acme Corp\" as admin for 2 days to x"),
        ("For", Some("an"), "4h", "", "/access customer \"For\" as \"an\" for 4h"),
        ("The “Big” One", None, "4h", "a\nb", "/access customer \"The \"\"Big\"\" One\" for 4h to a b"),
    ] {
        assert_eq!(corrected(customer, role, length, reason), command);
    }
}

#[test]
fn long_texts_take_linear_time() {
    for piece in ["for ", "<@", "\"", "'a ", "as ", "for 4 ", "*_", "&", "A\u{ad}-", "e\u{301}", "<a>", "a"] {
        let _ = parse(&piece.repeat(200_000 / piece.len()));
    }
}
