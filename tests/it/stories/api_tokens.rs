//! Which tokens are believed, and what each may do.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use latchkey::http::{auth::Scope, token::TokenKey};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    api::{name, petition},
    databases::TestDb,
    house::House,
    office::{email, hours},
};

both_databases! {
    async fn only_our_own_live_tokens_are_believed(db: TestDb) {
        let house = House::new(db).await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let asked = ana.asks().await;
        let parts: Vec<&str> = ana.token.split('.').collect();
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(payload["sub"], "ana@acme.test", "what the SDK's atob reads");
        payload["sub"] = json!("bo@acme.test");
        payload["scope"] = json!("admin");
        let changed = format!("{}.{}.{}", parts[0], encode(payload), parts[2]);
        let none = format!("{}.{}.", encode(json!({ "alg": "none", "typ": "JWT" })), parts[1]);
        let stored = house.store().tokens().await.unwrap().into_iter().find(|token| token.email == email("ana")).unwrap();
        let other = TokenKey::new("another secret of thirty-two characters".to_owned().into()).sign(&stored).unwrap();
        let short = house.token_of("ana", &[Scope::Petition], Some(hours(1))).await;
        assert_eq!(ana.with_token(&short).get("/petitions").await.status, 200);
        house.advance(hours(1)).await;
        for token in [changed.as_str(), &none, &other, &short, "", "a.b.c"] {
            let forged = ana.with_token(token);
            for (method, path) in [
                (Method::GET, "/petitions".to_owned()), (Method::POST, "/petitions".to_owned()), (Method::GET, "/resources".to_owned()),
                (Method::POST, format!("/petitions/{}/claims", name(&asked))), (Method::GET, format!("/petitions/{}?wait=30s", name(&asked))),
            ] {
                forged.call(method, &path, Some(petition("123"))).await.refused(401, 16, "unauthenticated");
            }
        }
        assert!(house.workflow().revoke_token(&stored.id).await.unwrap());
        ana.get("/petitions").await.refused(401, 16, "unauthenticated");
        house.finish().await;
    }

    /// Another space is not there, whoever asks; nor is a route that nobody has.
    async fn another_space_is_not_there(db: TestDb) {
        let house = House::new(db).await;
        let root = house.program("root", &[Scope::Admin, Scope::Petition]).await;
        for path in ["petitions", "resources", "webhooks", "resourcePolicies", "petitions/x", "resources:bulkUpdate", "nothing"] {
            for space in ["other", "Default", "default%2F", "%F0%9F%94%91"] {
                let url = format!("{}/v1/spaces/{space}/{path}", house.bot);
                let method = if path.contains(':') { Method::POST } else { Method::GET };
                let answer = house.http.request(method, url).bearer_auth(&root.token).body("{}").send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 404, "{space}/{path}");
            }
        }
        root.call(Method::PATCH, "/petitions", None).await.refused(405, 12, "unimplemented");
        house.finish().await;
    }

    /// Each scope opens its own doors and no others.
    async fn scopes_open_their_own_doors(db: TestDb) {
        let house = House::new(db).await;
        for (scope, list, ask) in [
            (Scope::Petition, 200, 200), (Scope::Admin, 200, 200), (Scope::Delegate, 403, 403), (Scope::Check, 403, 403),
        ] {
            let program = house.program("ana", &[scope]).await;
            for path in ["/petitions", "/resources"] {
                assert_eq!(program.get(path).await.status, list, "{scope:?} {path}");
            }
            assert_eq!(program.post("/petitions", petition("123")).await.status, ask, "{scope:?}");
        }
        house.finish().await;
    }

    async fn bodies_are_bounded_and_named_in_the_answer(db: TestDb) {
        let house = House::new(db).await;
        let root = house.program("root", &[Scope::Admin, Scope::Petition]).await;
        let mut large = petition("123");
        large["petition"]["reason"] = json!("x".repeat(1024 * 1024));
        assert!(root.post("/petitions", large).await.refused(413, 3, "too_large").contains("1 MiB"));
        let big = json!({ "resources": [{ "kind": "customer", "id": "1", "displayName": "x".repeat(9_000) }], "pad": "y".repeat(2 * 1024 * 1024) });
        root.post("/resources:bulkUpdate", big).await.ok();
        let huge = json!({ "resources": [], "pad": "y".repeat(16 * 1024 * 1024) });
        assert!(root.post("/resources:bulkUpdate", huge).await.refused(413, 3, "too_large").contains("16 MiB"));
        house.finish().await;
    }
}
