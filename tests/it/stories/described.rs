//! `/openapi.json` and what is served are the same thing.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{databases::TestDb, house::House};

/// Every method that a path item may have, and that axum could route.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "options"];

async fn document(house: &House) -> Value {
    let answer = house.get("/openapi.json").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    answer.json().await.unwrap()
}

/// Path, method and description of every operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    all.collect()
}

/// `{space}` and `{name}` in a path.
fn variables(path: &str) -> BTreeSet<String> {
    path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
}

/// Every `$ref` in a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A description that is a reference, as what it refers to.
fn followed<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(to) => document.pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} is nowhere")),
        None => value,
    }
}

both_databases! {
    /// Nobody calls a route that is not there, and none is there that is not described.
    async fn routes_and_document_are_one(db: TestDb) {
        let house = House::new(db).await;
        let document = document(&house).await;
        let described: BTreeSet<(String, String)> =
            operations(&document).into_iter().map(|(path, method, _)| (path, method)).collect();
        for path in document["paths"].as_object().unwrap().keys() {
            let concrete = path.replace("{space}", "default").replace(['{', '}'], "");
            for method in METHODS {
                let verb: Method = method.to_uppercase().parse().unwrap();
                let answer = house.http.request(verb, format!("{}{concrete}", house.bot)).send().await.unwrap();
                let status = answer.status().as_u16();
                if described.contains(&(path.clone(), method.to_owned())) {
                    // Without a token or a signature: whatever it says, it says it as a route that is there.
                    assert!(matches!(status, 200 | 401), "{method} {path} is described, and answers {status}");
                } else {
                    assert_eq!(status, 405, "{method} {path} is not described, and answers");
                }
            }
        }
        for (path, method) in [("/v1/check", "get"), ("/slack/commands", "post"), ("/webhooks/indent", "post")] {
            assert!(described.contains(&(path.to_owned(), method.to_owned())), "{method} {path}");
        }
        house.finish().await;
    }

    /// Everything that OpenAPI 3.1 demands and that can be seen without its schema.
    async fn the_document_is_sound(db: TestDb) {
        let house = House::new(db).await;
        let document = document(&house).await;
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            followed(&document, &json!({ "$ref": reference }));
        }
        for (section, parts) in document["components"].as_object().unwrap() {
            for name in parts.as_object().unwrap().keys() {
                let legal = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
                assert!(legal, "{section}: {name}");
                let used = found.contains(&format!("#/components/{section}/{name}"));
                assert!(used || section == "securitySchemes", "{section}: {name} describes nothing");
            }
        }
        let schemes = &document["components"]["securitySchemes"];
        let tags: BTreeSet<&str> =
            document["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
        let mut ids = BTreeMap::new();
        for (path, method, operation) in operations(&document) {
            let at = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(!id.is_empty(), "{at} has no operationId");
            assert_eq!(ids.insert(id, at.clone()), None, "the operationId of {at}");
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty() && summary.lines().count() == 1 && summary.len() <= 80, "{at}: {summary:?}");
            for tag in operation["tags"].as_array().unwrap() {
                assert!(tags.contains(tag.as_str().unwrap()), "{at}: {tag}");
            }
            let parameters: Vec<&Value> =
                operation["parameters"].as_array().into_iter().flatten().map(|one| followed(&document, one)).collect();
            let in_path = parameters.iter().filter(|one| one["in"] == "path");
            let in_path: BTreeSet<String> = in_path.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
            assert_eq!(in_path, variables(&path), "{at}: what stands in the path");
            let mut seen = BTreeSet::new();
            for one in parameters {
                assert!(one["schema"].is_object() && one["description"].is_string(), "{at}: {one}");
                assert!(one["in"] != "path" || one["required"] == true, "{at}: {one}");
                assert!(seen.insert((one["in"].to_string(), one["name"].to_string())), "{at}: {one} twice");
            }
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("200"), "{at} never succeeds");
            for (status, response) in responses {
                let response = followed(&document, response);
                assert!(response["description"].is_string(), "{at}: {status}");
            }
            for need in operation["security"].as_array().into_iter().flatten() {
                for (scheme, scopes) in need.as_object().unwrap() {
                    assert!(schemes[scheme].is_object(), "{at}: {scheme}");
                    let scopes: Vec<&str> = scopes.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                    let known = ["petition", "admin", "delegate", "check"];
                    assert!(scopes.iter().all(|scope| known.contains(scope)), "{at}: {scopes:?}");
                    assert_eq!(scopes.is_empty(), scheme != "token", "{at}: which scopes");
                }
            }
            let by_token = operation["security"].to_string().contains("\"token\"");
            for status in ["401", "403", "500", "503"] {
                assert!(!by_token || responses.contains_key(status), "{at} may answer {status}");
            }
            let has_body = operation["requestBody"].is_object();
            assert!(!has_body || responses.contains_key("413"), "{at} may be sent too much");
        }
        house.finish().await;
    }

    /// The document shows errors as they are sent.
    async fn errors_look_as_described(db: TestDb) {
        let house = House::new(db).await;
        let document = document(&house).await;
        let described = &document["components"]["responses"]["unauthenticated"]["content"]["application/json"];
        let answer = house.get("/v1/check").await.unwrap();
        assert_eq!(answer.status().as_u16(), 401);
        assert_eq!(answer.json::<Value>().await.unwrap(), described["example"]);
        let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let schema = followed(&document, &described["schema"]);
        assert_eq!(fields(&described["example"]), fields(&schema["properties"]));
        house.finish().await;
    }
}
