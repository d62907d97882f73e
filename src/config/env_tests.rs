use proptest::prelude::*;

use super::*;

const SECRET: &str = "hunter2hunter2hunter2";

fn read(vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_env(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn nothing_set_means_the_defaults() {
    for vars in [&[][..], &[("DATABASE_URL", ""), ("LISTEN", "  "), ("LATCHKEY_NONSENSE", ""), ("OKTA_TOKEN", "")]] {
        let settings = read(vars).unwrap();
        assert_eq!(settings.database_url.to_string(), "sqlite://latchkey.db");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:3000");
        assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:3000/");
        assert_eq!(settings.config_path.to_str(), Some("latchkey.toml"));
        assert!(settings.secret.is_none() && settings.slack.is_none() && settings.customers.is_none());
        assert_eq!((settings.space.as_str(), settings.customer_kind.as_str()), ("default", "customer"));
        assert!(settings.webhook_secrets.is_empty() && settings.remote.is_none());
        assert_eq!(settings.sync_every, SignedDuration::from_mins(15));
        assert!((settings.max_removals_percent - 20.0).abs() < f64::EPSILON);
        assert_eq!(settings.log_format, LogFormat::Text);
    }
}

#[test]
fn everything_can_be_set() {
    let settings = read(&[
        ("DATABASE_URL", "postgres://latchkey:hunter2@db:5433/latchkey?password=hunter2"),
        ("LISTEN", "[::]:80"),
        ("PUBLIC_URL", "https://latchkey.acme.test"),
        ("LATCHKEY_CONFIG", "/etc/latchkey.toml"),
        ("LATCHKEY_SECRET", "0123456789abcdef0123456789abcdef"),
        ("LATCHKEY_URL", "anything"),
        ("LATCHKEY_TOKEN", "anything"),
        ("SLACK_BOT_TOKEN", "xoxb-1"),
        ("SLACK_SIGNING_SECRET", "new, old,"),
        ("SLACK_API_URL", "http://127.0.0.1:4000/api/"),
        ("INDENT_SPACE", "acme-1"),
        ("INDENT_WEBHOOK_SECRET", "one,two"),
        ("INDENT_API_TOKEN", "hunter2.token"),
        ("INDENT_API_URL", "http://127.0.0.1:4001/v1/"),
        ("CUSTOMERS_DATABASE_URL", "sqlite:crm.db?mode=ro"),
        ("CUSTOMERS_QUERY", "select id, name from crm"),
        ("CUSTOMERS_SYNC_EVERY", "90s"),
        ("CUSTOMERS_MAX_REMOVALS", "2.5%"),
        ("CUSTOMER_KIND", "acme.v1.tenant"),
        ("LOG_FORMAT", "json"),
        ("PATH", "/bin"),
        ("OKTA_SOMEBODY_ELSES", "x"),
    ])
    .unwrap();
    assert_eq!(settings.database_url.to_string(), "postgres://db:5433/latchkey");
    assert!(settings.database_url.expose().contains("hunter2"));
    assert!(!format!("{settings:?}").contains("hunter2"), "Debug hides passwords");
    assert_eq!(settings.listen.port(), 80);
    assert_eq!(settings.public_url.as_str(), "https://latchkey.acme.test/");
    assert_eq!(settings.secret.unwrap().expose_secret().len(), 32);
    let slack = settings.slack.unwrap();
    let secrets: Vec<&str> = slack.signing_secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!((slack.api_url.as_str(), secrets), ("http://127.0.0.1:4000/api", vec!["new", "old"]));
    assert_eq!(settings.webhook_secrets.len(), 2);
    let remote = settings.remote.unwrap();
    assert_eq!((remote.url.as_str(), remote.token.expose_secret()), ("http://127.0.0.1:4001/v1", "hunter2.token"));
    let customers = settings.customers.unwrap();
    assert_eq!(
        (customers.url.expose(), customers.query.as_str()),
        ("sqlite:crm.db?mode=ro", "select id, name from crm")
    );
    assert_eq!(settings.sync_every, SignedDuration::from_secs(90));
    assert!((settings.max_removals_percent - 2.5).abs() < f64::EPSILON);
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn public_url_follows_listen() {
    assert_eq!(read(&[("LISTEN", "[::1]:8080")]).unwrap().public_url.as_str(), "http://[::1]:8080/");
}

/// A zone has no place in a URL, so the default of PUBLIC_URL cannot be made of such an address.
#[test]
fn an_address_with_a_zone_needs_a_public_url() {
    let error = read(&[("LISTEN", "[fe80::1%2]:3000")]).unwrap_err();
    assert!(error.to_string().starts_with("PUBLIC_URL: "), "{error}");
    assert!(read(&[("LISTEN", "[fe80::1%2]:3000"), ("PUBLIC_URL", "https://acme.test")]).is_ok());
}

#[test]
fn each_mistake_names_its_variable_and_the_remedy() {
    for (name, value, remedy) in [
        ("DATABASE_URL", "latchkey.db", "sqlite://PATH"),
        ("DATABASE_URL", "mysql://root:hunter2hunter2hunter2@db/x", "postgres://USER"),
        ("DATABASE_URL", "postgres://latchkey:hunter2hunter2hunter2/x@db:port/x", "%2F"),
        ("DATABASE_URL", "postgres:latchkey", "postgres://USER"),
        ("DATABASE_URL", "sqlite://", "sqlite://latchkey.db"),
        ("DATABASE_URL", "sqlite::memory:", "forgets"),
        ("LISTEN", "3000", "127.0.0.1:3000"),
        ("LISTEN", "localhost:3000", "127.0.0.1:3000"),
        ("LISTEN", "127.0.0.1:99999", "127.0.0.1:3000"),
        ("PUBLIC_URL", "latchkey.acme.test", "https://latchkey.example.com"),
        ("PUBLIC_URL", "ftp://acme.test", "http or https"),
        ("PUBLIC_URL", "https://ana:hunter2hunter2hunter2@acme.test", "password"),
        ("PUBLIC_URL", "https://acme.test/?x=1", "`?`"),
        ("LATCHKEY_SECRET", SECRET, "at least 32"),
        ("LATCHKEY_SECRET", "hunter2", "has 7 characters"),
        ("LATCHKEY_CONFG", "x", "LATCHKEY_CONFIG"),
        ("LATCHKEY_ZZZZZZZZZZZZ", SECRET, "unset it"),
        ("SLACK_BOT_TOKEN", "xoxb-hunter2hunter2hunter2", "SLACK_SIGNING_SECRET"),
        ("SLACK_SIGNING_SECRET", SECRET, "SLACK_BOT_TOKEN"),
        ("SLACK_SIGNING_SECRET", " , ,", "commas"),
        ("SLACK_API_URL", "slack.com/api", "https://slack.com/api"),
        ("SLACK_APP_TOKEN", "xapp-hunter2hunter2hunter2", "SLACK_BOT_TOKEN"),
        ("OKTA_TOKEN", SECRET, "cannot do that yet; unset it"),
        ("INDENT_API_TOKEN", SECRET, "INDENT_WEBHOOK_SECRET"),
        ("INDENT_API_URL", "https://latchkey.acme.test/v1", "INDENT_API_TOKEN"),
        ("OKTA_PRIVATE_KEY", SECRET, "cannot do that yet"),
        ("PAGERDUTY_TOKEN", SECRET, "cannot do that yet"),
        ("INDENT_SPACE", "a/b", "letters, digits"),
        ("INDENT_SPACE", "..", "letters, digits"),
        ("INDENT_WEBHOOK_SECRET", ",", "commas"),
        ("CUSTOMERS_DATABASE_URL", "oracle://x:hunter2hunter2hunter2@y", "sqlite://PATH"),
        ("CUSTOMERS_QUERY", "select 1", "CUSTOMERS_DATABASE_URL"),
        ("CUSTOMERS_SYNC_EVERY", "often", "4h, 90m"),
        ("CUSTOMERS_SYNC_EVERY", "0s", "one second"),
        ("CUSTOMERS_SYNC_EVERY", "-5m", "default is 15m"),
        ("CUSTOMERS_MAX_REMOVALS", "0.2", "20%"),
        ("CUSTOMERS_MAX_REMOVALS", "101%", "20%"),
        ("CUSTOMERS_MAX_REMOVALS", "NaN%", "20%"),
        ("CUSTOMERS_MAX_REMOVALS", "-1%", "20%"),
        ("CUSTOMER_KIND", "my customer", "letters, digits"),
        ("LOG_FORMAT", "xml", "text or json"),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.mistakes.len(), 1, "{text}");
        assert!(text.starts_with(&format!("{name}: ")) && text.contains(remedy), "{name}={value}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_remote_space_is_indents_unless_it_is_said_where() {
    let with = |token: &str, url: &str| {
        read(&[("INDENT_API_TOKEN", token), ("INDENT_API_URL", url), ("INDENT_WEBHOOK_SECRET", "wks0")])
    };
    assert_eq!(with("t", "").unwrap().remote.unwrap().url.as_str(), "https://platform.indentapis.com/v1");
    for (token, url, name, remedy) in [
        ("two tokens", "", "INDENT_API_TOKEN", "without quotes"),
        ("tök", "", "INDENT_API_TOKEN", "copy it again"),
        ("t", "latchkey.acme.test/v1", "INDENT_API_URL", "https://"),
        ("t", "https://u:hunter2@acme.test/v1", "INDENT_API_URL", "password"),
        ("t", "https://acme.test/v1?x", "INDENT_API_URL", "`?`"),
    ] {
        let text = with(token, url).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{name}: ")) && text.contains(remedy) && text.lines().count() == 1, "{text}");
        assert!(!text.contains("hunter2") && !text.contains(token) || token == "t", "{text}");
    }
}

#[test]
fn a_token_of_another_kind_is_noticed() {
    let error = read(&[("SLACK_BOT_TOKEN", "xapp-1"), ("SLACK_SIGNING_SECRET", "s")]).unwrap_err();
    assert!(error.to_string().contains("xoxb-"), "{error}");
    for token in ["xoxb-hunter2hunter2hunter2", "hunter2hunter2hunter2", "xapp-hunter2 hunter2"] {
        let error = read(&[("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_APP_TOKEN", token)]).unwrap_err().to_string();
        assert!(error.starts_with("SLACK_APP_TOKEN: ") && error.contains("connections:write"), "{error}");
        assert!(!error.contains("hunter2") && error.lines().count() == 1, "{error}");
    }
}

/// Either proves that what comes is Slack's; both together do no harm.
#[test]
fn slack_needs_a_signing_secret_or_an_app_token() {
    for (secret, app, wanted) in [("s", "", (1, false)), ("", "xapp-1", (0, true)), ("s", "xapp-1", (1, true))] {
        let vars = [("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_SIGNING_SECRET", secret), ("SLACK_APP_TOKEN", app)];
        let slack = read(&vars).unwrap().slack.unwrap();
        assert_eq!((slack.signing_secrets.len(), slack.app_token.is_some()), wanted);
    }
}

#[test]
fn mistakes_are_reported_together() {
    let error = read(&[("LISTEN", "x"), ("LOG_FORMAT", "x"), ("LATCHKEY_X", "x"), ("OKTA_TOKEN", "x")]).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 4, "{error}");
}

#[test]
fn variables_are_listed_once() {
    let mut names: Vec<&str> = VARIABLES.iter().map(|(name, ..)| *name).chain(NOT_YET.iter().copied()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

proptest! {
    #[test]
    fn no_value_panics(
        vars in prop::collection::vec((prop::sample::select(VARIABLES).prop_map(|(name, ..)| name.to_owned()), ".*"), 0..8),
    ) {
        let _ = Settings::from_env(vars).map_err(|error| error.to_string());
    }

    #[test]
    fn no_address_panics(text in "(sqlite|postgres|postgresql|http)?:?/{0,3}[a-z:@/?#%\\[\\]]*") {
        let _ = DatabaseUrl::parse(&text).map(|url| url.to_string());
        let _ = http_url(&text);
    }
}
