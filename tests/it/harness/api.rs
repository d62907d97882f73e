//! Programs that call a house's API with a token.

use jiff::SignedDuration;
use latchkey::{
    app::secret,
    clock::SystemEntropy,
    config::Settings,
    http::{auth::Scope, token::TokenKey},
    workflow::NewToken,
};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use super::{house::House, office::email};

/// A program with one token.
#[derive(Clone)]
pub struct Program {
    pub http: reqwest::Client,
    pub bot: String,
    pub token: String,
}

/// What it was answered.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answered {
    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The sentence of an error, which has the hybrid body that every generation of clients reads.
    #[track_caller]
    pub fn refused(&self, status: u16, code: i64, word: &str) -> String {
        let body = &self.body;
        let got = (self.status, body["code"].as_i64(), body["error"]["code"].as_str());
        assert_eq!(got, (status, Some(code), Some(word)), "{body}");
        assert_eq!(body["message"], body["error"]["message"], "{body}");
        assert!(body["details"].is_array(), "{body}");
        body["message"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl House {
    /// A program whose token is of somebody at acme.test.
    pub async fn program(&self, name: &str, scopes: &[Scope]) -> Program {
        let token = self.token_of(name, scopes, None).await;
        Program { http: self.http.clone(), bot: self.bot.clone(), token }
    }

    pub async fn token_of(&self, name: &str, scopes: &[Scope], expires_in: Option<SignedDuration>) -> String {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.word()).collect();
        let new = NewToken { email: email(name), scopes: scopes.join(" "), label: String::new(), expires_in };
        let token = self.workflow().create_token(new).await.unwrap();
        self.token_key().await.sign(&token).unwrap()
    }

    pub async fn token_key(&self) -> TokenKey {
        let settings = Settings::from_env([]).unwrap();
        TokenKey::new(secret(&settings, self.store(), &SystemEntropy).await.unwrap())
    }
}

impl Program {
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answered {
        let url = format!("{}/v1/spaces/default{path}", self.bot);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            // As Indent's SDK writes it.
            request = request.body(serde_json::to_string_pretty(&body).unwrap());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answered { status, headers, body: answer.json().await.unwrap_or_default() }
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.call(Method::GET, path, None).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Answered {
        self.call(Method::POST, path, Some(body)).await
    }
    pub async fn put(&self, path: &str, body: Value) -> Answered {
        self.call(Method::PUT, path, Some(body)).await
    }
    pub async fn delete(&self, path: &str) -> Answered {
        self.call(Method::DELETE, path, None).await
    }

    /// Asks for customer 123; the petition.
    pub async fn asks(&self) -> Value {
        self.post("/petitions", petition("123")).await.ok()
    }

    pub async fn claims(&self, petition: &Value, event: &str) -> Answered {
        self.post(&claims_of(petition), claim(event)).await
    }

    pub async fn shows(&self, petition: &Value) -> Value {
        self.get(&format!("/petitions/{}", name(petition))).await.ok()
    }

    /// Every page of a list, and how many there were.
    pub async fn all(&self, path: &str, field: &str) -> (Vec<Value>, usize) {
        let (mut found, mut pages, mut token) = (Vec::new(), 0, String::new());
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{join}pageToken={token}")).await.ok();
            found.extend(page[field].as_array().unwrap().clone());
            pages += 1;
            match page["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => return (found, pages),
            }
        }
    }
}

pub fn petition(customer: &str) -> Value {
    json!({ "petition": { "reason": "debug BUG-482", "resources": [{ "kind": "customer", "id": customer }] } })
}

/// As `petition.review` of Indent's SDK sends it.
pub fn claim(event: &str) -> Value {
    json!({ "claim": { "event": event, "reason": "", "resources": [{ "kind": "user" }], "meta": { "labels": {} } } })
}

/// An approval for that long.
pub fn approval(duration: &str) -> Value {
    json!({ "claim": { "event": "access/approve", "meta": { "labels": { "indent.com/time/duration": duration } } } })
}

pub fn name(petition: &Value) -> &str {
    petition["name"].as_str().unwrap()
}

pub fn claims_of(petition: &Value) -> String {
    format!("/petitions/{}/claims", name(petition))
}

pub fn phase(petition: &Value) -> &str {
    petition["state"]["status"]["phase"].as_str().unwrap()
}

/// The events of a petition's history.
pub fn history(petition: &Value) -> Vec<&str> {
    petition["state"]["eventHistory"].as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap()).collect()
}
