use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Labels = BTreeMap<String, String>;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn selects(selector: &Selector, labels: &Labels) -> bool {
    selector.matches(|key| labels.get(key).map(String::as_str))
}

#[test]
fn every_form_selects_what_kubernetes_says() {
    let acme = labels(&[("plan", "enterprise"), ("region", "eu"), ("empty", "")]);
    for (text, selected) in [
        ("", true),
        ("  ", true),
        ("plan=enterprise", true),
        ("plan == enterprise", true),
        ("plan=free", false),
        ("tier=1", false),
        ("plan!=free", true),
        ("plan!=enterprise", false),
        ("tier!=1", true),
        ("plan in (free, enterprise)", true),
        ("plan in(free)", false),
        ("tier in (1,2)", false),
        ("plan notin (free,team)", true),
        ("plan notin (free,enterprise)", false),
        ("tier notin (1,2)", true),
        ("plan", true),
        ("tier", false),
        ("!tier", true),
        ("! plan", false),
        ("empty=", true),
        ("empty in (,x)", true),
        ("plan=,region=eu", false),
        ("plan=enterprise,region in (eu,us),!tier , empty", true),
        ("plan=enterprise,region=us", false),
        ("plan=enterprise,plan=free", false),
    ] {
        assert_eq!(selects(&Selector::parse(text).unwrap(), &acme), selected, "{text:?}");
    }
}

#[test]
fn values_that_kubernetes_refuses_are_read() {
    let selector = Selector::parse(
        "indent.com/resource/email=ana+dev@acme.test,indent.com/app/config/id==space:acme,url=https://a.test/?b=c!,\
         in in (Ünï, 🔑,a/b%20'\"),notin!=in",
    )
    .unwrap();
    assert_eq!(selector.equals("indent.com/resource/email"), Some("ana+dev@acme.test"));
    assert_eq!(selector.equals("indent.com/app/config/id"), Some("space:acme"));
    assert_eq!(selector.equals("url"), Some("https://a.test/?b=c!"));
    assert_eq!((selector.equals("in"), selector.equals("notin"), selector.equals("x")), (None, None, None));
    let all = "indent.com/resource/email=ana+dev@acme.test,indent.com/app/config/id=space:acme,\
               url=https://a.test/?b=c!,in in (a/b%20'\",Ünï,🔑),notin!=in";
    assert_eq!(selector.to_string(), all);
}

#[test]
fn one_value_in_parentheses_is_a_plain_comparison() {
    let selector = Selector::parse("a in (x,x),b notin (y)").unwrap();
    assert_eq!((selector.to_string().as_str(), selector.equals("a")), ("a=x,b!=y", Some("x")));
}

#[test]
fn a_mistake_is_named_with_its_place() {
    for (text, at, why) in [
        (",", 1, "“,” where the name of a label should be"),
        ("a,", 3, "it ends where the name of a label should be"),
        ("a,,b", 3, "“,” where the name of a label should be"),
        ("=b", 1, "“=” where the name of a label should be"),
        ("!", 2, "it ends where the name of a label should be"),
        ("!!a", 2, "“!” where the name of a label should be"),
        ("!a=b", 3, "“=” where a comma or the end should be"),
        ("a=!b", 3, "“!” where a value should be"),
        ("a===b", 4, "“=” where a value should be"),
        ("é=b c", 5, "“c” where a comma or the end should be"),
        ("a!b", 2, "“!” where =, !=, in, notin or a comma should be"),
        ("a is b", 3, "“is” where =, !=, in, notin or a comma should be"),
        ("a)", 2, "“)” where =, !=, in, notin or a comma should be"),
        ("a in x", 6, "in and notin need values in parentheses"),
        ("a in ()", 7, "no value in the parentheses"),
        ("a in (x", 8, "it ends before the closing “)”"),
        ("a in (x y)", 9, "“y” where a comma or “)” should be"),
        ("a in ((x))", 7, "“(” where a comma or “)” should be"),
        ("a>5", 2, "“>”: labels are not compared by size"),
        ("a=b)", 4, "“)” where a comma or the end should be"),
    ] {
        let fault = Selector::parse(text).unwrap_err();
        assert_eq!((fault.at, fault.why.as_str()), (at, why), "{text:?}");
    }
}

/// What a condition means, written down again without any of the code under test.
#[derive(Clone, Debug)]
enum Meaning {
    Has(String),
    Lacks(String),
    OneOf(String, Vec<String>),
    NoneOf(String, Vec<String>),
}

impl Meaning {
    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::Has(key) => labels.contains_key(key),
            Self::Lacks(key) => !labels.contains_key(key),
            Self::OneOf(key, values) => values.iter().any(|value| labels.get(key) == Some(value)),
            Self::NoneOf(key, values) => values.iter().all(|value| labels.get(key) != Some(value)),
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "in", "notin", "indent.com/x"]).prop_map(String::from),
        "[a-zé:/.@-]{1,3}"
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["", "x", "y", "in", "a@b.c", "🔑"]).prop_map(String::from),
        "[x-z<>@:%é][x-z=!<>]{0,2}"
    ]
}

/// A condition with its meaning, and with spaces wherever they may be.
fn condition() -> impl Strategy<Value = (String, Meaning)> {
    let gap = || prop::sample::select(vec!["", " ", "\t "]);
    prop_oneof![
        (key(), gap()).prop_map(|(key, gap)| (format!("{gap}{key}{gap}"), Meaning::Has(key))),
        (key(), gap()).prop_map(|(key, gap)| (format!("{gap}!{gap}{key}"), Meaning::Lacks(key))),
        (key(), value(), gap(), prop::sample::select(vec!["=", "==", "!="])).prop_map(|(key, value, gap, sign)| {
            let text = format!("{key}{gap}{sign}{gap}{value}{gap}");
            let values = vec![value];
            (text, if sign == "!=" { Meaning::NoneOf(key, values) } else { Meaning::OneOf(key, values) })
        }),
        (key(), prop::collection::vec(value(), 1..4), gap(), any::<bool>()).prop_map(|(key, mut values, gap, not)| {
            if values.len() == 1 && values[0].is_empty() {
                values.push("x".to_owned());
            }
            let word = if not { "notin" } else { "in" };
            let text = format!("{key} {gap}{word}{gap}({gap}{}{gap})", values.join(&format!("{gap},{gap}")));
            (text, if not { Meaning::NoneOf(key, values) } else { Meaning::OneOf(key, values) })
        }),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_reads_back(
        text in prop_oneof!["\\PC{0,20}", "[ab =!,()<>\tin]{0,20}"],
    ) {
        match Selector::parse(&text) {
            Ok(selector) => prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector)),
            Err(BadSelector { at, .. }) => prop_assert!((1..=text.chars().count() + 1).contains(&at)),
        }
    }

    #[test]
    fn a_selector_means_what_it_says(
        conditions in prop::collection::vec(condition(), 0..4),
        labels in prop::collection::btree_map(key(), value(), 0..5),
    ) {
        let (texts, meanings): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
        let selector = Selector::parse(&texts.join(",")).unwrap();
        let expected = meanings.iter().all(|meaning| meaning.holds(&labels));
        prop_assert_eq!(selects(&selector, &labels), expected, "{}", &selector);
        let again = Selector::parse(&selector.to_string()).unwrap();
        prop_assert_eq!(selects(&again, &labels), expected);
        if expected {
            for key in ["a", "b", "in"] {
                if let Some(value) = selector.equals(key) {
                    prop_assert_eq!(labels.get(key).map(String::as_str), Some(value));
                }
            }
        }
    }
}
