//! What production asks: may this person see this customer, now? And what operators ask: who holds what?

use jiff::SignedDuration;
use latchkey::{
    app::secret,
    http::{auth::Scope, token::TokenKey},
    store::Token,
    workflow::NewToken,
};
use serde_json::{Value, json};

use crate::harness::{
    databases::TestDb,
    events::Event,
    house::{FILE, House},
    office::{email, hours},
};

/// The answer to a request with this token.
async fn ask(house: &House, path: &str, token: Option<&str>) -> (u16, Value) {
    let mut request = house.http.get(format!("{}{path}", house.bot));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn many(house: &House, body: String) -> (u16, Value) {
    let request = house.http.post(format!("{}/v1/check", house.bot)).bearer_auth(&house.check_token).body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// The hybrid that every generation of clients reads.
fn assert_error(answer: &(u16, Value), status: u16, code: i64, word: &str) {
    let (got, body) = answer;
    assert_eq!(
        (*got, body["code"].as_i64(), body["error"]["code"].as_str()),
        (status, Some(code), Some(word)),
        "{body}"
    );
    let message = body["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty() && body["error"]["message"] == *message && body["details"] == json!([]), "{body}");
}

const QUESTION: &str = "/v1/check?user=ana@acme.test&customer=123";

both_databases! {
    async fn one_question_and_many_have_the_same_answers(db: TestDb) {
        let house = House::new(db).await;
        let until = house.now() + hours(2);
        house.receive(&Event::grant().petition("p1").until(until).body()).await;
        let yes = json!({ "allowed": true, "expires_at": "2026-03-02T11:00:00Z", "petition": "p1" });
        let no = json!({ "allowed": false });
        let token = Some(house.check_token.as_str());
        assert_eq!(ask(&house, QUESTION, token).await, (200, yes.clone()));
        for (path, answer) in [
            ("/v1/check?user=Ana%40ACME.test&customer=123", &yes),
            ("/v1/check?user=ana@acme.test&customer=123&role=", &yes),
            ("/v1/check?user=ana@acme.test&customer=123&role=admin", &no),
            ("/v1/check?user=ana@acme.test&customer=200", &no),
            ("/v1/check?user=ana@acme.test&customer=12", &no),
            ("/v1/check?user=ana@acme.test&customer=no%20such", &no),
            ("/v1/check?user=bo@acme.test&customer=123", &no),
            ("/v1/check?user=nobody@elsewhere.test&customer=123", &no),
        ] {
            assert_eq!(ask(&house, path, token).await, (200, answer.clone()), "{path}");
        }
        let checks: Vec<Value> = (0..1000)
            .map(|n| json!({ "user": "ANA@acme.test", "customer": if n % 3 == 0 { "123" } else { "200" } }))
            .collect();
        let (status, body) = many(&house, json!({ "checks": checks }).to_string()).await;
        assert_eq!(status, 200);
        let results = body["results"].as_array().unwrap();
        assert_eq!(results.len(), 1000);
        for (n, result) in results.iter().enumerate() {
            assert_eq!(result, if n % 3 == 0 { &yes } else { &no }, "{n}");
        }
        assert_eq!(many(&house, json!({ "checks": [] }).to_string()).await, (200, json!({ "results": [] })));
        let checks = vec![json!({ "user": "ana@acme.test", "customer": "123" }); 1001];
        assert_error(&many(&house, json!({ "checks": checks }).to_string()).await, 400, 3, "invalid_argument");
        house.finish().await;
    }

    async fn a_question_that_is_none_is_refused(db: TestDb) {
        let house = House::new(db).await;
        let token = Some(house.check_token.as_str());
        for query in [
            "", "?", "?user=ana@acme.test", "?customer=123", "?user=&customer=123", "?user=ana@acme.test&customer=",
            "?user=ana&customer=123", "?user=a%20b@c&customer=1", "?user=ana@acme.test&user=bo@acme.test&customer=123",
        ] {
            assert_error(&ask(&house, &format!("/v1/check{query}"), token).await, 400, 3, "invalid_argument");
        }
        for body in [
            "", "{", "[]", "{}", r#"{"checks":1}"#, r#"{"checks":[1]}"#, r#"{"checks":[{}]}"#,
            r#"{"checks":[{"user":"ana@acme.test","customer":"123"},{"user":"ana@acme.test"}]}"#,
            r#"{"checks":[{"user":"ana","customer":"123"}]}"#,
        ] {
            assert_error(&many(&house, body.to_owned()).await, 400, 3, "invalid_argument");
        }
        let large = format!(r#"{{"checks":[],"x":"{}"}}"#, " ".repeat(1024 * 1024));
        assert_eq!(many(&house, large).await.0, 413);
        house.finish().await;
    }

    /// Asked with a role, a stronger lease counts; a role that nobody knows is held by nobody.
    async fn roles_count_by_their_strength(db: TestDb) {
        let roles = FILE.replace("[access]", "[access]\nroles = [\"readonly\", \"support\", \"admin\"]");
        let house = House::plan(db).file(&roles).build().await;
        let start = house.now();
        for (role, length) in [("readonly", 4), ("support", 2)] {
            let event = Event::grant().petition(role).label("latchkey/role", role).until(start + hours(length));
            house.receive(&event.body()).await;
        }
        let token = Some(house.check_token.as_str());
        for (role, answer) in [
            ("", Some(("readonly", 4))), ("readonly", Some(("readonly", 4))), ("support", Some(("support", 2))),
            ("admin", None), ("emperor", None), ("Readonly", None),
        ] {
            let (_, body) = ask(&house, &format!("{QUESTION}&role={role}"), token).await;
            let expected = match answer {
                None => json!({ "allowed": false }),
                Some((role, length)) => json!({
                    "allowed": true, "role": role, "petition": role, "expires_at": (start + hours(length)).to_string(),
                }),
            };
            assert_eq!(body, expected, "{role}");
        }
        house.finish().await;
    }

    /// I2: from that instant on, before anything else has noticed.
    async fn the_end_is_an_instant(db: TestDb) {
        let house = House::new(db).await;
        house.receive(&Event::grant().until("2026-03-02T10:00:00.5Z").body()).await;
        house.settle().await;
        house.clock.advance(SignedDuration::from_millis(3_600_499));
        assert!(house.allows("ana", "123").await);
        house.clock.advance(SignedDuration::from_micros(999));
        assert!(house.allows("ana", "123").await);
        house.clock.advance(SignedDuration::from_micros(1));
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn only_our_own_live_tokens_are_believed(db: TestDb) {
        let house = House::new(db).await;
        let refused = async |token: Option<&str>| {
            assert_error(&ask(&house, QUESTION, token).await, 401, 16, "unauthenticated");
            let post = house.http.post(format!("{}/v1/check", house.bot)).body(r#"{"checks":[]}"#);
            let post = if let Some(token) = token { post.bearer_auth(token) } else { post };
            assert_eq!(post.send().await.unwrap().status().as_u16(), 401);
        };
        let good = house.check_token.as_str();
        let parts: Vec<&str> = good.split('.').collect();
        // {"alg":"none","typ":"JWT"}
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
        let cut = &good[..good.len() - 4];
        for token in [None, Some(""), Some("a.b.c"), Some("xoxb-test"), Some(none.as_str()), Some(cut)] {
            refused(token).await;
        }
        let new = || NewToken {
            email: email("production"), scopes: "check".to_owned(), label: String::new(), expires_in: Some(hours(1)),
        };
        let known: Token = house.workflow().create_token(new()).await.unwrap();
        let other = TokenKey::new("another secret of thirty-two characters".to_owned().into());
        refused(Some(&other.sign(&known).unwrap())).await;
        let settings = latchkey::config::Settings::from_env([]).unwrap();
        let entropy = latchkey::clock::SystemEntropy;
        let ours = TokenKey::new(secret(&settings, house.store(), &entropy).await.unwrap());
        // Signed by us, and never made.
        let unknown = Token { id: latchkey::domain::id::TokenId::new("tok_0"), ..known.clone() };
        refused(Some(&ours.sign(&unknown).unwrap())).await;
        let short = ours.sign(&known).unwrap();
        assert_eq!(ask(&house, QUESTION, Some(&short)).await.0, 200);
        house.advance(hours(1)).await;
        refused(Some(&short)).await;
        let token = house.workflow().create_token(new()).await.unwrap();
        let text = ours.sign(&token).unwrap();
        assert_eq!(ask(&house, QUESTION, Some(&text)).await.0, 200);
        assert!(house.workflow().revoke_token(&token.id).await.unwrap());
        refused(Some(&text)).await;
        assert_eq!(ask(&house, QUESTION, Some(good)).await.0, 200);
        let lower = house.http.get(format!("{}{QUESTION}", house.bot)).header("authorization", format!("bearer {good}"));
        assert_eq!(lower.send().await.unwrap().status().as_u16(), 200);
        house.finish().await;
    }

    async fn each_token_does_what_its_scopes_say(db: TestDb) {
        let house = House::new(db).await;
        for scope in [Scope::Petition, Scope::Admin, Scope::Delegate] {
            let token = house.token(scope).await;
            assert_error(&ask(&house, QUESTION, Some(&token)).await, 403, 7, "permission_denied");
        }
        let list = "/v1/spaces/default/access";
        for scope in [Scope::Petition, Scope::Delegate, Scope::Check] {
            let token = house.token(scope).await;
            assert_error(&ask(&house, list, Some(&token)).await, 403, 7, "permission_denied");
        }
        let admin = house.token(Scope::Admin).await;
        assert_eq!(ask(&house, list, Some(&admin)).await, (200, json!({ "leases": [] })));
        assert_error(&ask(&house, "/v1/spaces/other/access", Some(&admin)).await, 404, 5, "not_found");
        assert_error(&ask(&house, "/v1/spaces/other/access", None).await, 401, 16, "unauthenticated");
        for path in ["/", "/v1", "/v1/checks", "/nothing", "/v1/spaces/default"] {
            assert_error(&ask(&house, path, Some(&admin)).await, 404, 5, "not_found");
        }
        assert_error(&ask(&house, &format!("{list}?pageSize=many"), Some(&admin)).await, 400, 3, "invalid_argument");
        let answer = house.http.delete(format!("{}/v1/check", house.bot)).send().await.unwrap();
        let answer = (answer.status().as_u16(), answer.json().await.unwrap_or_default());
        assert_error(&answer, 405, 12, "unimplemented");
        house.finish().await;
    }

    async fn the_list_of_accesses_comes_in_pages(db: TestDb) {
        let house = House::new(db).await;
        let until = house.now() + hours(2);
        for n in 0..5 {
            for name in ["ana", "bo"] {
                let petition = format!("{name}{n}");
                let event = Event::grant().person(name).customer(&n.to_string()).petition(&petition).until(until);
                house.receive(&event.body()).await;
                house.clock.advance(SignedDuration::from_secs(1));
            }
        }
        house.settle().await;
        let token = house.token(Scope::Admin).await;
        let all = async |query: &str| -> Vec<Value> {
            let (mut found, mut page) = (Vec::new(), String::new());
            loop {
                let path = format!("/v1/spaces/default/access?pageToken={page}&{query}");
                let (status, body) = ask(&house, &path, Some(&token)).await;
                assert_eq!(status, 200);
                found.extend(body["leases"].as_array().unwrap().clone());
                match body["nextPageToken"].as_str() {
                    Some(next) => next.clone_into(&mut page),
                    None => return found,
                }
            }
        };
        let everything = all("").await;
        let petitions = |of: &[Value]| of.iter().map(|one| one["petition"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let in_order: Vec<String> = (0..5).flat_map(|n| ["ana", "bo"].map(|name| format!("{name}{n}"))).collect();
        assert_eq!(petitions(&everything), in_order);
        for size in [1, 3, 10, 1000, 0, -1] {
            assert_eq!(all(&format!("pageSize={size}")).await, everything, "{size}");
        }
        assert_eq!(petitions(&all("user=ANA@acme.test&pageSize=2").await), ["ana0", "ana1", "ana2", "ana3", "ana4"]);
        assert_eq!(petitions(&all("customer=3").await), ["ana3", "bo3"]);
        assert_eq!(petitions(&all("customer=3&user=bo@acme.test").await), ["bo3"]);
        let one = &everything[0];
        assert_eq!(one["provisioners"], json!([{ "name": "production", "state": "applied" }]));
        assert_eq!((&one["user"], &one["customer"]), (&json!("ana@acme.test"), &json!("0")));
        assert_eq!((&one["starts_at"], &one["expires_at"]), (&json!("2026-03-02T09:00:00Z"), &json!("2026-03-02T11:00:00Z")));
        house.advance(hours(2)).await;
        assert!(all("").await.is_empty());
        house.finish().await;
    }
}
