use jiff::SignedDuration;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::policy::Who;

const SECRET: &str = "hunter2";

fn env(name: &str) -> Option<String> {
    match name {
        "PROD_WEBHOOK_SECRET" => Some(SECRET.to_owned()),
        "EMPTY" => Some(String::new()),
        "LEAD" => Some("bo@acme.test".to_owned()),
        "URL" => Some("https://acme.test/hook".to_owned()),
        "CHANNEL" => Some("C0ACCESS".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<FileConfig, FileError> {
    load(text, "latchkey.toml", &env)
}

/// Two people, one rule: what a case does not care about.
const REST: &str = "\n[groups]\nleads = [\"bo@acme.test\", \"cy@acme.test\"]\n\
                    [[rule]]\nname = \"all\"\nrequire = [{ reviewers = [\"group:leads\"] }]\n";

const CONTRACT: &str = r#"
[access]
default_duration = "4h"
max_duration = "24h"
pending_for = "24h"        # an undecided petition closes itself
warn_before = "10m"
min_reason = 5
self_approval = false
roles = ["readonly", "admin"]
ticket = '[A-Z]+-[0-9]+'
ticket_url = "https://jira.example.com/browse/{ticket}"

[groups]
leads = ["bo@acme.test", "CY@acme.test"]
support = ["ana@acme.test"]

[[rule]]
name = "enterprise"
match = { plan = "enterprise" }
petitioners = ["group:support"]
max_duration = "8h"
require = [ { reviewers = ["group:leads", "slack:S0LEADS"], count = 2 } ]
notify = ["C0ACCESS"]
dm = false
self_approval = true

[[rule]]
name = "everyone else"
require = [ { reviewers = ["group:leads"] } ]
notify = ["C0ACCESS"]

[[provisioner]]
name = "production"
kind = "webhook"
url = "https://access.acme.test/webhooks/indent"
secret = "${PROD_WEBHOOK_SECRET}"
match = { region = "eu" }
headers = { X-Team = "support" }
timeout = "5s"
kinds = ["customer", "acme.v1.Vault"]
dry_run = true

[[provisioner]]
name = "staging"
kind = "webhook"
url = "http://localhost:4000"
secret = ["new", "${PROD_WEBHOOK_SECRET}"]
"#;

#[test]
fn the_whole_file_is_understood() {
    let FileConfig { policy, provisioners, .. } = read(CONTRACT).unwrap();
    assert_eq!(policy.access.default_duration, SignedDuration::from_hours(4));
    assert_eq!(policy.access.warn_before, SignedDuration::from_mins(10));
    assert_eq!(policy.access.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(), ["readonly", "admin"]);
    assert!(policy.access.ticket.unwrap().is_match("see BUG-1"));
    assert_eq!(
        policy.groups["leads"].iter().map(|email| email.as_str()).collect::<Vec<_>>(),
        ["bo@acme.test", "cy@acme.test"]
    );
    let [enterprise, rest] = &policy.rules[..] else { panic!("{:?}", policy.rules) };
    assert_eq!(enterprise.name, "enterprise");
    assert_eq!(enterprise.matches.as_ref().unwrap()["plan"], "enterprise");
    assert_eq!(enterprise.petitioners, Some(vec![Who::Group("support".into())]));
    assert_eq!(enterprise.max_duration, Some(SignedDuration::from_hours(8)));
    assert_eq!(enterprise.require[0].count, 2);
    assert_eq!(enterprise.require[0].reviewers, [Who::Group("leads".into()), Who::SlackGroup("S0LEADS".into())]);
    assert_eq!((enterprise.dm, enterprise.self_approval), (false, Some(true)));
    assert_eq!((rest.matches.clone(), rest.petitioners.clone(), rest.max_duration), (None, None, None));
    assert_eq!((rest.require[0].count, rest.dm, rest.self_approval), (1, true, None));
    assert_eq!(rest.notify, ["C0ACCESS"]);
    let [production, staging] = &provisioners[..] else { panic!("{provisioners:?}") };
    let ProvisionerKind::Webhook(webhook) = &production.kind;
    assert_eq!(
        (production.name.as_str(), webhook.url.as_str()),
        ("production", "https://access.acme.test/webhooks/indent")
    );
    assert_eq!(webhook.secrets[0].expose_secret(), SECRET);
    assert_eq!((webhook.headers["x-team"].as_str(), webhook.timeout.as_secs(), webhook.dry_run), ("support", 5, true));
    assert_eq!(production.matches.as_ref().unwrap()["region"], "eu");
    assert_eq!(
        (production.kinds.as_deref(), &staging.kinds),
        (Some(&["customer".to_owned(), "acme.v1.Vault".into()][..]), &None)
    );
    let ProvisionerKind::Webhook(webhook) = &staging.kind;
    assert_eq!((webhook.secrets.len(), webhook.timeout.as_secs(), webhook.dry_run), (2, 10, false));
    assert!(!format!("{provisioners:?}").contains(SECRET));
}

#[test]
fn little_is_needed() {
    let text = "[[rule]]\nname='r'\nmatch={}\nrequire=[{reviewers=['bo@acme.test']}]";
    let FileConfig { policy, provisioners, .. } = read(text).unwrap();
    assert_eq!((policy.access.min_reason, policy.access.self_approval), (5, false));
    assert_eq!((policy.rules[0].matches.clone(), provisioners.len()), (None, 0));
    assert!(!policy.rules[0].sensitive);
    assert!(read(&format!("{text}\nsensitive = true")).unwrap().policy.rules[0].sensitive);
    let text = format!("[access]\nmax_duration = '1h'{REST}");
    assert_eq!(read(&text).unwrap().policy.access.default_duration, SignedDuration::from_hours(1));
}

#[test]
fn any_string_may_come_from_the_environment() {
    let text = "[groups]\nleads = [\"${LEAD}\"]\n[[rule]]\nname = 'r'\nnotify = ['${CHANNEL}']\n\
                require = [{ reviewers = [\"${LEAD}\"] }]\n\
                [[provisioner]]\nname='p'\nkind='webhook'\nurl='${URL}'\nsecret='${PROD_WEBHOOK_SECRET}'\n\
                headers = { authorization = '${PROD_WEBHOOK_SECRET}' }";
    let config = read(text).unwrap();
    assert_eq!(config.policy.rules[0].notify, ["C0ACCESS"]);
    let ProvisionerKind::Webhook(webhook) = &config.provisioners[0].kind;
    assert_eq!((webhook.url.path(), webhook.headers["authorization"].as_str()), ("/hook", SECRET));
    assert!(!format!("{config:?}").contains(SECRET));
}

/// Each text has one mistake, at this place, and the message says what would be right.
fn mistakes(cases: &[(&str, &str, &str)]) {
    for (text, place, remedy) in cases {
        let error = read(text).expect_err(text).to_string();
        assert_eq!(error.lines().count(), 1, "{text}\n{error}");
        assert!(error.starts_with(&format!("latchkey.toml:{place}: ")), "{text}\n{error}");
        assert!(error.contains(remedy), "{text}\n{error}");
        assert!(!error.contains(SECRET), "{text}\n{error}");
    }
}

#[test]
fn mistakes_in_access() {
    let cases = [
        ("reason_min = 5", "2:1", "unknown key “reason_min” in [access]; known are"),
        ("reason_prefx = 5\n", "2:1", "unknown key"),
        ("  max_duraton = '4h'", "2:3", "did you mean “max_duration”?"),
        ("default_duration = '25h'", "2:20", "lower it to 24h"),
        ("max_duration = '1h'\ndefault_duration = '2h'", "3:20", "lower it to 1h"),
        ("max_duration = '0h'", "2:16", "one second"),
        ("pending_for = '-4h'", "2:15", "“-4h” is not a length of time; write it like"),
        ("warn_before = 10", "2:15", "needs its unit"),
        ("warn_before = true", "2:15", "write a string in quotes"),
        ("pending_for = '99999999h'", "2:15", "longer than anybody"),
        ("pending_for = '${PROD_WEBHOOK_SECRET}'", "2:15", "the value of ${PROD_WEBHOOK_SECRET} is not a length"),
        ("min_reason = 1001", "2:14", "from 0 to 1000"),
        ("min_reason = -1", "2:14", "from 0 to 1000"),
        ("min_reason = '5'", "2:14", "from 0 to 1000"),
        ("self_approval = 'no'", "2:17", "true or false, without quotes"),
        ("roles = ['a', 'b', 'A']", "2:20", "listed twice"),
        ("roles = ['read only']", "2:10", "letters, digits"),
        ("roles = 'admin'", "2:9", "a list of strings"),
        ("roles = ['admin', 5]", "2:19", "a string in quotes"),
        ("ticket = '[A-Z+'", "2:10", "not a regular expression"),
        ("ticket_url = 'https://x.test/{ticket}'", "2:14", "add ticket = "),
        ("ticket = 'X'\nticket_url = 'https://x.test/'", "3:14", "{ticket}"),
        ("ticket = 'X'\nticket_url = 'x.test/{ticket}'", "3:14", "http or https"),
        ("ticket = 'X${PROD_WEBHOOK_SECRET}'", "2:10", "the whole string"),
        ("ticket = '${NOT_SET}'", "2:10", "variable NOT_SET is not set; set it"),
        ("ticket = '${EMPTY}'", "2:10", "variable EMPTY is not set"),
    ];
    for (lines, place, remedy) in cases {
        mistakes(&[(&format!("[access]\n{lines}\n{REST}"), place, remedy)]);
    }
}

#[test]
fn mistakes_in_the_file_as_a_whole() {
    mistakes(&[
        ("", "1:1", "add [[rule]]"),
        ("[groups]\n", "1:1", "add [[rule]]"),
        (&format!("acess = 1{REST}"), "1:1", "did you mean “access”?"),
        (&format!("access = 1{REST}"), "1:10", "the table [access]"),
        ("[rule]\nname = 'x'", "1:1", "[[rule]]"),
        ("[access]\nmin_reason = hunter2", "2:14", "this is not TOML"),
        ("[access]\nmin_reason = 5\nmin_reason = 6", "3:1", "duplicate key"),
        (&format!("[groups]\nx = ['bo']{}", REST.replace("[groups]", "")), "2:6", "write it like \"bo@acme.test\""),
        (&format!("[groups]\nx = ['group:leads']{}", REST.replace("[groups]", "")), "2:6", "holds e-mails alone"),
        (&format!("[groups]\nx = 'bo@acme.test'{}", REST.replace("[groups]", "")), "2:5", "a list of strings"),
        (&format!("[groups]\n'' = []{}", REST.replace("[groups]", "")), "2:1", "needs a name"),
        (&format!("[groups]\nx = ['${{PROD_WEBHOOK_SECRET}}']{}", REST.replace("[groups]", "")), "2:6", "the value of"),
    ]);
}

#[test]
fn mistakes_in_rules() {
    let one = "require = [{ reviewers = ['bo@acme.test'] }]";
    let cases = [
        ("", "4:1", "add require"),
        ("require = []", "6:11", "demands nobody's approval"),
        ("require = {}", "6:11", "list of tables"),
        ("require = ['group:leads']", "6:12", "the table { reviewers"),
        ("require = [{}]", "6:12", "add reviewers"),
        ("require = [{ reviewers = [] }]", "6:26", "list who may approve"),
        ("require = [{ reviewers = ['group:nope'] }]", "6:27", "there is no group “group:nope”; add it to [groups]"),
        ("require = [{ reviewers = ['group:laeds'] }]", "6:27", "did you mean “group:leads”?"),
        ("require = [{ reviewers = ['leads'] }]", "6:27", "“group:” before it"),
        ("require = [{ reviewers = ['S0LEADS'] }]", "6:27", "“slack:” before it"),
        ("require = [{ reviewers = ['slack:leads'] }]", "6:27", "slack:S0LEADS"),
        ("require = [{ reviewers = ['@bo'] }]", "6:27", "write \"bo@acme.test\""),
        ("require = [{ reviewers = ['pagerduty:PABC'] }]", "6:27", "not in this version"),
        ("require = [{ reviewers = ['${PROD_WEBHOOK_SECRET}'] }]", "6:27", "the value of ${PROD_WEBHOOK_SECRET}"),
        ("require = [{ reviewers = ['group:leads'], count = 3 }]", "6:51", "only 2 people; add reviewers, or lower"),
        ("require = [{ reviewers = ['bo@acme.test', 'BO@acme.test'], count = 2 }]", "6:68", "only 1 person"),
        ("require = [{ reviewers = ['group:empty'] }]", "6:12", "the reviewers are nobody; add reviewers"),
        ("require = [{ reviewers = ['group:leads'], count = 0 }]", "6:51", "from 1 to 1000"),
        ("require = [{ reviewers = ['group:leads'], cuont = 1 }]", "6:43", "did you mean “count”?"),
        (
            "require = [{ reviewers = ['group:leads'], count = 2 }, { reviewers = ['bo@acme.test'] }]",
            "6:11",
            "nobody counts for two lines",
        ),
        (&format!("{one}\nmax_duration = '25h'"), "7:16", "lower this or raise that"),
        (&format!("{one}\nmax_duration = '0s'"), "7:16", "one second"),
        (&format!("{one}\nextend_without_approval = '25h'"), "7:27", "lasts at most 24h"),
        (&format!("{one}\nmax_duration = '2h'\nextend_without_approval = '3h'"), "8:27", "write \"2h\" or less"),
        (&format!("{one}\nextend_without_approval = 3600"), "7:27", "needs its unit"),
        (&format!("{one}\nextend_without_aproval = '1h'"), "7:1", "did you mean “extend_without_approval”?"),
        (&format!("{one}\npetitioners = []"), "7:15", "remove “petitioners”"),
        (&format!("{one}\npetitioners = 'group:leads'"), "7:15", "a list of strings"),
        (&format!("{one}\npetitioners = ['group:nope']"), "7:16", "there is no group"),
        (&format!("{one}\nnotify = ['#access']"), "7:11", "C0ACCESS"),
        (&format!("{one}\nnotify = ['C0ACCESS', 'B01']"), "7:23", "C0ACCESS"),
        (&format!("{one}\nmatch = {{ tier = 1 }}"), "7:18", "a string in quotes"),
        (&format!("{one}\nmatch = 'x'"), "7:9", "match = {"),
        (&format!("{one}\ndm = 0"), "7:6", "true or false"),
        (&format!("{one}\nself_approval = 1"), "7:17", "true or false"),
        (&format!("{one}\nsensitive = 'yes'"), "7:13", "true or false"),
        (&format!("{one}\nescalate = {{ after = '30m' }}"), "7:12", "“escalate” lacks “to”"),
        (&format!("{one}\nescalate = {{ after = '24h', to = ['dan@acme.test'] }}"), "7:22", "would never be escalated"),
        (&format!("{one}\nescalate = {{ after = '30m', to = [] }}"), "7:34", "list whom to ask then"),
        (&format!("{one}\nescalate = {{ after = '30m', to = ['group:nope'] }}"), "7:35", "there is no group"),
        (&format!("{one}\nauto_approve = {{}}"), "7:1", "not in this version"),
        (&format!("{one}\nbreak_glass = {{}}"), "7:1", "not in this version"),
        (&format!("{one}\nreviewers = []"), "7:1", "unknown key “reviewers” in [[rule]]"),
        (&format!("{one}\n[[rule]]\n{one}"), "7:1", "has no name"),
        (&format!("{one}\n[[rule]]\nname = 'r'\n{one}"), "8:8", "another [[rule]] named “r”; rename one"),
        (&format!("{one}\n[[rule]]\nname = ' '\n{one}"), "8:8", "is empty"),
    ];
    for (lines, place, remedy) in cases {
        let text =
            format!("[groups]\nleads = ['bo@acme.test', 'cy@acme.test']\nempty = []\n[[rule]]\nname = 'r'\n{lines}\n");
        mistakes(&[(&text, place, remedy)]);
    }
}

#[test]
fn mistakes_in_provisioners() {
    let hook = "kind = 'webhook'\nurl = 'https://x.test'";
    let whole = format!("{hook}\nsecret = 's'");
    let cases = [
        ("", "7:1", "add kind = \"webhook\""),
        ("kind = 'okta_group'", "9:8", "not in this version of Latchkey yet"),
        ("kind = 'okta_attribute'\nattribute = 'x'", "9:8", "remove this provisioner"),
        ("kind = 'postgres'\nurl = '${WAREHOUSE_URL}'", "9:8", "not in this version"),
        ("kind = 'web'", "9:8", "there is no kind “web”; write kind = \"webhook\""),
        (hook, "7:1", "set that variable"),
        ("kind = 'webhook'\nsecret = 's'", "7:1", "add url"),
        ("kind = 'webhook'\nsecret = 's'\nurl = 'x.test/hunter2'", "11:7", "http or https"),
        ("kind = 'webhook'\nsecret = 's'\nurl = 'ftp://x.test'", "11:7", "http or https"),
        ("kind = 'webhook'\nsecret = 's'\nurl = 'https://a:hunter2@x.test'", "11:7", "no place in a URL"),
        ("kind = 'webhook'\nsecret = 's'\nurl = 'https://x.test/#hunter2'", "11:7", "never sent"),
        (&format!("{hook}\nsecret = ''"), "11:10", "this secret is empty"),
        (&format!("{hook}\nsecret = []"), "11:10", "no secret in this list"),
        (&format!("{hook}\nsecret = ['hunter2', ' ']"), "11:22", "this secret is empty"),
        (&format!("{hook}\nsecret = ['hunter2', 1]"), "11:22", "a string in quotes"),
        (&format!("{hook}\nsecret = {{ hunter2 = 'hunter2' }}"), "11:10", "a string in quotes"),
        (&format!("{hook}\nsecret = '${{NOT_SET}}'"), "11:10", "NOT_SET is not set"),
        (&format!("{hook}\nsecret = 'x${{PROD_WEBHOOK_SECRET}}'"), "11:10", "the whole string"),
        (&format!("{hook}\nsecret = 'whsec_hunter2'"), "11:10", "is base64"),
        (&format!("{whole}\nread_back = 'https://x.test'"), "12:1", "“read_back” is not in this version"),
        (&format!("{whole}\ntimeuot = '1s'"), "12:1", "did you mean “timeout”?"),
        (&format!("{whole}\ntimeout = '61s'"), "12:11", "from 1s to 60s"),
        (&format!("{whole}\ntimeout = '0s'"), "12:11", "one second"),
        (&format!("{whole}\ndry_run = 'yes'"), "12:11", "true or false"),
        (&format!("{whole}\nheaders = 'x'"), "12:11", "headers = {"),
        (&format!("{whole}\nheaders = {{ 'x y' = 'hunter2' }}"), "12:13", "cannot be the name of a header"),
        (
            &format!("{whole}\nheaders = {{ X-Indent-Signature = 'x' }}"),
            "12:13",
            "sets the header “x-indent-signature” itself",
        ),
        (&format!("{whole}\nheaders = {{ content-type = 'x' }}"), "12:13", "remove it"),
        (&format!("{whole}\nheaders = {{ x = \"hunter2\\r\\ny: z\" }}"), "12:17", "one line of ASCII"),
        (&format!("{whole}\nheaders = {{ X = 'a', x = 'b' }}"), "12:22", "is here twice"),
        (&format!("{whole}\n[[provisioner]]\nname = 'p'\n{whole}"), "13:8", "another [[provisioner]] named “p”"),
        (&format!("{whole}\n[[provisioner]]\nname = 'a b'\n{whole}"), "13:8", "cannot be a name"),
        (&format!("{whole}\n[[provisioner]]\n{whole}"), "12:1", "has no name"),
    ];
    for (lines, place, remedy) in cases {
        // REST has six lines after its first break.
        let text = format!("#{REST}[[provisioner]]\nname = 'p'\n{lines}\n");
        mistakes(&[(&text, place, remedy)]);
    }
}

/// With two bots among the reviewers.
fn rest() -> String {
    REST.replace("\"group:leads\"", "\"group:leads\", \"on@acme.test\", \"call@acme.test\"")
}

#[test]
fn decisions_and_pulls_are_understood() {
    let rest = rest();
    let text = format!(
        "#{rest}[[decision]]\nname = 'on-call'\nbot = 'ON@acme.test'\nurl = '${{URL}}'\nsecret = ['a', '${{PROD_WEBHOOK_SECRET}}']\n\
         match = {{ region = 'eu' }}\nkinds = ['acme.v1.Vault']\nheaders = {{ x-team = 'hunter2' }}\ndry_run = true\n\
         [[decision]]\nname = 'second'\nbot = 'call@acme.test'\nurl = '${{URL}}'\nsecret = 's'\n\
         [[pull]]\nname = 'crm'\nurl = '${{URL}}'\nsecret = '${{PROD_WEBHOOK_SECRET}}'\nkinds = ['customer', 'acme.v1.Vault']\n\
         every = '1h'\ntimeout = '2m'\nflags = {{ full = 'true' }}\n\
         [[pull]]\nname = 'on-call'\nurl = '${{URL}}'\nsecret = 's'\n"
    );
    let config = read(&text).unwrap();
    let [bot, second] = &config.decisions[..] else { panic!("{config:?}") };
    assert_eq!((bot.name.as_str(), bot.bot.as_str()), ("on-call", "on@acme.test"));
    assert_eq!((bot.webhook.secrets.len(), bot.webhook.timeout.as_secs(), bot.webhook.dry_run), (2, 10, true));
    assert_eq!(bot.matches.as_ref().unwrap()["region"], "eu");
    assert_eq!((bot.kinds.as_deref(), &second.kinds), (Some(&["acme.v1.Vault".to_owned()][..]), &None));
    let [crm, other] = &config.pulls[..] else { panic!("{config:?}") };
    assert_eq!((crm.name.as_str(), crm.every.as_hours(), crm.webhook.timeout.as_mins()), ("crm", 1, 2));
    assert_eq!((crm.kinds.as_ref().unwrap().len(), crm.flags["full"].as_str()), (2, "true"));
    assert_eq!((other.every.as_mins(), other.webhook.timeout.as_secs(), &other.kinds), (15, 30, &None));
    assert!(!format!("{config:?}").contains(SECRET));
}

#[test]
fn mistakes_in_decisions_and_pulls() {
    let hook = "url = 'https://x.test'\nsecret = 's'\n";
    let cases: [(&str, &str, &str); 19] = [
        (&format!("[[decision]]\nname = 'p'\nbot = 'bo@acme.test'\n{hook}"), "9:7", "is in a group or may ask"),
        (&format!("[[decision]]\nname = 'p'\n{hook}"), "7:1", "has no bot"),
        (&format!("[[decision]]\nbot = 'on@acme.test'\n{hook}"), "7:1", "has no name"),
        (&format!("[[decision]]\nname = 'p'\nbot = 'bo'\n{hook}"), "9:7", "not an e-mail"),
        (
            &format!("[[decision]]\nname = 'p'\nbot = 'eve@acme.test'\n{hook}"),
            "9:7",
            "no rule names “eve@acme.test” as a reviewer",
        ),
        (
            &format!("[[decision]]\nname = 'p'\nbot = 'on@acme.test'\nevery = '1h'\n{hook}"),
            "10:1",
            "unknown key “every”",
        ),
        ("[[decision]]\nname = 'p'\nbot = 'on@acme.test'\nsecret = 's'\n", "7:1", "add url"),
        (
            &format!("[[decision]]\nname = 'p'\nbot = 'on@acme.test'\nkinds = []\n{hook}"),
            "10:9",
            "no kind in this list",
        ),
        (&format!("[[pull]]\n{hook}"), "7:1", "has no name"),
        (&format!("[[pull]]\nname = 'a b'\n{hook}"), "8:8", "cannot be a name"),
        ("[[pull]]\nname = 'p'\nurl = 'https://x.test'\n", "7:1", "no secret"),
        (&format!("[[pull]]\nname = 'p'\ndry_run = true\n{hook}"), "9:1", "unknown key “dry_run”"),
        (&format!("[[pull]]\nname = 'p'\nkinds = ['a b']\n{hook}"), "9:10", "cannot be the kind"),
        (&format!("[[pull]]\nname = 'p'\nkinds = ['a', 'a']\n{hook}"), "9:15", "listed twice"),
        (&format!("[[pull]]\nname = 'p'\nevery = '0s'\n{hook}"), "9:9", "one second"),
        (&format!("[[pull]]\nname = 'p'\ntimeout = '11m'\n{hook}"), "9:11", "from 1s to 10m"),
        (&format!("[[pull]]\nname = 'p'\nflags = ['x']\n{hook}"), "9:9", "flags = {"),
        (&format!("[[pull]]\nname = 'p'\nflags = {{ x = true }}\n{hook}"), "9:15", "a string in quotes"),
        (&format!("[[pull]]\nname = 'p'\n{hook}[[pull]]\nname = 'p'\n{hook}"), "12:8", "another [[pull]] named “p”"),
    ];
    for (lines, place, remedy) in cases {
        let text = format!("#{}{lines}", rest());
        mistakes(&[(&text, place, remedy)]);
    }
}

#[test]
fn mistakes_come_together_in_the_order_of_the_file() {
    let text = "[[rule]]\nname = 'r'\nrequire = [{ reviewers = ['bo', 'group:x'], count = 'x' }]\n\
                notify = ['x']\n[access]\nmin_reason = 'x'\nroles = ['a b']\n";
    let error = read(text).unwrap_err();
    let places: Vec<(usize, usize)> = error.mistakes.iter().map(|mistake| (mistake.line, mistake.column)).collect();
    assert_eq!(places, [(3, 27), (3, 33), (3, 53), (4, 11), (6, 14), (7, 10)]);
    assert_eq!(error.to_string().lines().count(), 6);
}

#[test]
fn columns_count_characters_and_lines_may_end_in_either_way() {
    let text = format!("# é\r\nx = 'ééé', y = 1{REST}");
    let error = read(&text).unwrap_err();
    assert_eq!((error.mistakes[0].line, error.mistakes[0].column), (2, 10), "{error}");
    let error = read(&format!("\u{feff}x = 1{REST}")).unwrap_err();
    assert_eq!(error.mistakes[0].line, 1);
}

#[test]
fn broken_lines_with_secrets_are_not_shown() {
    for text in ["[[provisioner]]\nsecret = \"hunter2\n", "secret = hunter2", "secret = 'hunter2' 'hunter2'", "hunter2"]
    {
        let error = read(text).unwrap_err().to_string();
        assert!(!error.contains(SECRET), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = read(&text).map_err(|error| error.to_string());
    }

    /// The file with pieces of it repeated, lost or moved reaches further than noise does.
    #[test]
    fn no_damage_panics(
        cuts in prop::collection::vec((0..CONTRACT.len(), 0..CONTRACT.len()), 1..4),
        noise in "[\\[\\]{}'\"=.,#$0-9a-z\n ]{0,6}",
    ) {
        let mut text = String::new();
        for (from, to) in cuts {
            let (from, to) = (from.min(to), from.max(to));
            text.push_str(CONTRACT.get(from..to).unwrap_or_default());
            text.push_str(&noise);
        }
        if let Err(error) = read(&text) {
            prop_assert!(!error.mistakes.is_empty());
            prop_assert!(!error.to_string().contains(SECRET));
        }
    }
}
