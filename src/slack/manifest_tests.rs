use serde_json::{Map, Value, json};

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn manifest(public_url: &str) -> Value {
    serde_json::from_str(&super::json(&url(public_url))).unwrap()
}

/// As much of YAML as a manifest uses: block maps, block lists, one-line scalars, remarks.
fn parse(text: &str) -> Value {
    let lines: Vec<(usize, String)> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|line| {
            let line = line.split("  # ").next().unwrap().trim_end();
            (line.len() - line.trim_start().len(), line.trim_start().to_owned())
        })
        .collect();
    let mut at = 0;
    let value = block(&lines, &mut at);
    assert_eq!(at, lines.len(), "all of it is read");
    value
}

fn block(lines: &[(usize, String)], at: &mut usize) -> Value {
    let indent = lines[*at].0;
    let mut lines = lines.to_vec();
    let (mut list, mut map) = (Vec::new(), Map::new());
    while *at < lines.len() && lines[*at].0 == indent {
        let line = lines[*at].1.clone();
        if let Some(item) = line.strip_prefix("- ") {
            if !item.starts_with('"') && item.split_once(": ").is_some() {
                // A map whose first line stands beside the dash.
                lines[*at] = (indent + 2, item.to_owned());
                list.push(block(&lines, at));
            } else {
                list.push(scalar(item));
                *at += 1;
            }
            continue;
        }
        *at += 1;
        let (key, rest) = line.split_once(':').unwrap();
        let value = if rest.trim().is_empty() { block(&lines, at) } else { scalar(rest.trim()) };
        assert_eq!(map.insert(key.to_owned(), value), None, "{key} is there twice");
    }
    if map.is_empty() { Value::Array(list) } else { Value::Object(map) }
}

fn scalar(text: &str) -> Value {
    match text {
        "true" => json!(true),
        "false" => json!(false),
        quoted if quoted.starts_with('"') => serde_json::from_str(quoted).unwrap(),
        plain => json!(plain),
    }
}

#[test]
fn yaml_and_json_say_the_same() {
    for address in ["https://latchkey.example.com", "http://127.0.0.1:3000", "https://acme.test/tools/latchkey/"] {
        assert_eq!(parse(&yaml(&url(address))), manifest(address), "{address}");
    }
}

/// Both ways it is the same app; only how Slack reaches it differs.
#[test]
fn socket_mode_is_the_same_without_addresses() {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(entries) => {
                entries.retain(|_, value| value.as_str().is_none_or(|text| !text.starts_with("https://")));
                entries.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let socket: Value = serde_json::from_str(&socket_json()).unwrap();
    assert!(!socket.to_string().contains("http"), "{socket}");
    let mut expected = manifest("https://latchkey.example.com");
    strip(&mut expected);
    expected["settings"]["socket_mode_enabled"] = json!(true);
    assert_eq!(socket, expected);
    assert_eq!(parse(&socket_yaml()), socket);
    let command = &socket["features"]["slash_commands"][0];
    assert!(command.get("url").is_none() && command["command"] == "/access");
}

#[test]
fn every_scope_says_what_it_is_for() {
    let yaml = yaml(&url("https://latchkey.example.com"));
    for scope in SCOPES {
        let line = yaml.lines().find(|line| line.trim_start().starts_with(&format!("- {} ", scope.name)));
        assert!(line.is_some_and(|line| line.ends_with(scope.why)), "{}", scope.name);
    }
    let scopes: Vec<&str> = SCOPES.iter().map(|scope| scope.name).collect();
    assert_eq!(manifest("https://a.test")["oauth_config"]["scopes"]["bot"], json!(scopes));
}

/// Slack follows no redirect, so an address has exactly the slashes that the router knows.
#[test]
fn addresses_lead_straight_to_the_routes() {
    for (public_url, base) in [
        ("https://latchkey.example.com", "https://latchkey.example.com"),
        ("https://latchkey.example.com/", "https://latchkey.example.com"),
        ("https://acme.test/tools/latchkey/", "https://acme.test/tools/latchkey"),
        ("https://acme.test:8443/a%20b", "https://acme.test:8443/a%20b"),
    ] {
        let manifest = manifest(public_url);
        assert_eq!(manifest["features"]["slash_commands"][0]["url"], format!("{base}/slack/commands"));
        assert_eq!(manifest["settings"]["interactivity"]["request_url"], format!("{base}/slack/interactions"));
        assert_eq!(manifest["settings"]["event_subscriptions"]["request_url"], format!("{base}/slack/events"));
    }
}

/// The limits and names of Slack's documentation of manifests.
#[test]
fn it_keeps_slacks_limits() {
    fn at_most(value: &Value, most: usize) {
        let length = value.as_str().unwrap().chars().count();
        assert!((1..=most).contains(&length), "{value}");
    }
    let manifest = manifest("https://latchkey.example.com");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&manifest), ["display_information", "features", "oauth_config", "settings"]);
    at_most(&manifest["display_information"]["name"], 35);
    at_most(&manifest["display_information"]["description"], 140);
    let features = &manifest["features"];
    at_most(&features["bot_user"]["display_name"], 80);
    assert_eq!(features["app_home"]["messages_tab_enabled"], true, "else direct messages fail");
    for command in features["slash_commands"].as_array().unwrap() {
        let name = command["command"].as_str().unwrap();
        assert!(name.starts_with('/') && !name.contains(' '), "{name}");
        at_most(&command["command"], 32);
        at_most(&command["url"], 3000);
        at_most(&command["description"], 2000);
        at_most(&command["usage_hint"], 1000);
        assert_eq!(command["should_escape"], true, "else an @name cannot be told from another");
    }
    for shortcut in features["shortcuts"].as_array().unwrap() {
        at_most(&shortcut["name"], 24);
        at_most(&shortcut["description"], 150);
        at_most(&shortcut["callback_id"], 255);
        assert_eq!(shortcut["type"], "global");
    }
    let interactivity = &manifest["settings"]["interactivity"];
    at_most(&interactivity["request_url"], 3500);
    at_most(&interactivity["message_menu_options_url"], 3500);
    assert_eq!(
        (&interactivity["is_enabled"], &manifest["settings"]["socket_mode_enabled"]),
        (&json!(true), &json!(false))
    );
}

/// README shows it as it is printed.
#[test]
fn the_readme_shows_it_as_it_is() {
    let readme = include_str!("../../README.md");
    let begin = readme.find("```yaml\n   display_information:").expect("README shows the manifest") + "```yaml\n".len();
    let shown = &readme[begin..begin + readme[begin..].find("   ```").unwrap()];
    let shown: String = shown.lines().map(|line| format!("{}\n", line.strip_prefix("   ").unwrap())).collect();
    let printed = yaml(&url("https://latchkey.example.com"));
    assert!(shown == printed, "\nthe manifest in README.md is not this:\n\n{printed}\n");
}

#[test]
fn what_yaml_could_misread_is_quoted() {
    for (text, quoted) in [
        ("customer 123", false),
        ("chat:write", false),
        ("/access", false),
        ("https://a.test:8443/x", false),
        ("on", true),
        ("a: b", true),
        ("a #b", true),
        ("123", true),
        ("", true),
        ("“q”", true),
    ] {
        assert_eq!(super::scalar(&super::text(text)).starts_with('"'), quoted, "{text}");
    }
}
