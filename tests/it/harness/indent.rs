//! A space elsewhere, as Indent's API has it: strict about what it is sent, and as slow, broken or forgetful as a test
//! wants it.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri},
};
use latchkey::{clock::ManualClock, domain::clock::Clock};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    databases::TestDb,
    events::Event,
    house::{House, Plan},
    office::morning,
    proxy::Proxy,
};

pub const TOKEN: &str = "eyJ.space-token.sig";
pub const SPACE: &str = "acme";

/// How the space takes a request.
#[derive(Clone, Debug)]
pub enum Mood {
    Fine,
    /// This status, header and body, and nothing is done.
    Answers(u16, Vec<(&'static str, String)>, String),
    /// Everything is done, and nobody hears of it.
    LosesAnswer,
    /// Everything is done, and the answer says that it failed.
    DoesAndFails,
    /// It is done when the test lets it go on.
    Held(Arc<Notify>),
    /// Whatever holds these words is refused, and nothing of it is done.
    Refuses(&'static str),
}

#[derive(Default)]
struct Books {
    petitions: Vec<Value>,
    /// Petition and claim, in order.
    claims: Vec<(String, Value)>,
    /// By id.
    resources: BTreeMap<String, Value>,
    /// What was sent that no client of Indent would send.
    faults: Vec<String>,
    /// `POST petitions`, `GET petitions`, …
    calls: Vec<String>,
    moods: VecDeque<Mood>,
    mood: Option<Mood>,
    clock: Option<ManualClock>,
}

/// The space; clones are the same one.
#[derive(Clone)]
pub struct Indent {
    books: Arc<Mutex<Books>>,
    wire: Arc<Proxy>,
}

impl Indent {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let books = Arc::new(Mutex::new(Books::default()));
        let router = Router::new().fallback(serve).with_state(books.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let wire = Proxy::before(&format!("http://{address}/v1")).await;
        Self { books, wire: Arc::new(wire) }
    }

    /// A house whose petitions this space decides.
    pub async fn house(&self, db: TestDb) -> House {
        self.build(House::plan(db)).await
    }

    pub async fn build(&self, plan: Plan) -> House {
        let plan = plan.env("INDENT_API_TOKEN", TOKEN).env("INDENT_API_URL", &self.wire.url);
        let house = plan.env("INDENT_SPACE", SPACE).build().await;
        self.books().clock = Some(house.clock.clone());
        house.settle().await;
        house
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Nobody answers any more.
    pub fn goes_down(&self) {
        self.wire.cut();
    }

    pub fn comes_back(&self) {
        self.wire.mend();
        self.books().mood = None;
    }

    /// From now on, for every request.
    pub fn is(&self, mood: Mood) {
        self.books().mood = Some(mood);
    }

    /// For the next requests, one each.
    pub fn next(&self, moods: impl IntoIterator<Item = Mood>) {
        self.books().moods.extend(moods);
    }

    pub fn petitions(&self) -> Vec<Value> {
        self.books().petitions.clone()
    }

    /// The name of the only petition.
    pub fn name(&self) -> String {
        let petitions = self.petitions();
        assert_eq!(petitions.len(), 1, "{petitions:#?}");
        petitions[0]["name"].as_str().unwrap().to_owned()
    }

    pub fn phase(&self) -> String {
        let name = self.name();
        let petitions = self.petitions();
        let petition = petitions.iter().find(|petition| petition["name"] == *name).unwrap();
        petition["state"]["status"]["phase"].as_str().unwrap().to_owned()
    }

    /// `approve by bo@acme.test`, in order.
    pub fn claims(&self) -> Vec<String> {
        let word = |(_, claim): &(String, Value)| {
            let event = claim["event"].as_str().unwrap().trim_start_matches("access/");
            format!("{event} by {}", claim["actor"]["email"].as_str().unwrap())
        };
        self.books().claims.iter().map(word).collect()
    }

    pub fn claim(&self, nth: usize) -> Value {
        self.books().claims[nth].1.clone()
    }

    pub fn resources(&self) -> BTreeMap<String, Value> {
        self.books().resources.clone()
    }

    /// The requests so far that begin so.
    pub fn calls(&self, like: &str) -> usize {
        self.books().calls.iter().filter(|call| call.starts_with(like)).count()
    }

    /// Somebody there does something that we have not asked for.
    pub fn acts(&self, event: &str, actor: &str, reason: &str) {
        let name = self.name();
        let claim = json!({ "event": event, "actor": { "kind": "user", "email": actor }, "reason": reason });
        self.books().claim(&name, claim).unwrap();
    }

    /// The event of the webhook about the only petition, as its history has it.
    pub fn event(&self, kind: &str) -> Event {
        let petition = self.petitions().remove(0);
        let history = petition["state"]["eventHistory"].as_array().unwrap();
        let mut event = history.iter().rev().find(|event| event["event"] == *kind).unwrap().clone();
        event["resources"] = json!([petition["petitioners"][0], petition["resources"][0]]);
        event["meta"]["labels"]["petition"] = petition["name"].clone();
        Event(event)
    }

    pub async fn finish(&self, house: House) {
        assert_eq!(self.books().faults, Vec::<String>::new(), "what Indent would refuse");
        house.finish().await;
    }
}

async fn serve(
    State(books): State<Arc<Mutex<Books>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mood = {
        let mut books = books.lock().unwrap();
        let path = uri.path().trim_start_matches(&format!("/v1/spaces/{SPACE}/")).to_owned();
        books.calls.push(format!("{method} {path}"));
        books.moods.pop_front().or_else(|| books.mood.clone()).unwrap_or(Mood::Fine)
    };
    match &mood {
        Mood::Answers(status, headers, text) => {
            let answer = headers
                .iter()
                .fold(Response::builder().status(*status), |answer, (name, value)| answer.header(*name, value));
            return answer.body(Body::from(text.clone())).unwrap();
        }
        Mood::Refuses(words) if String::from_utf8_lossy(&body).contains(words) => {
            let answer = Response::builder().status(400).header("content-type", "application/json");
            return answer.body(Body::from(r#"{"message":"no"}"#)).unwrap();
        }
        Mood::Held(go_on) => go_on.notified().await,
        Mood::Refuses(_) | Mood::Fine | Mood::LosesAnswer | Mood::DoesAndFails => {}
    }
    let (status, answer) = match books.lock().unwrap().take(&method, &uri, &headers, &body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err((status, said)) => (
            StatusCode::from_u16(status).unwrap(),
            json!({ "error": { "message": said, "code": "x" }, "code": 3, "message": said, "details": [] }),
        ),
    };
    let builder = Response::builder().header("content-type", "application/json");
    match mood {
        Mood::LosesAnswer => {
            let broken = futures_util::stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("lost"))]);
            builder.status(200).body(Body::from_stream(broken)).unwrap()
        }
        Mood::DoesAndFails => builder.status(500).body(Body::from("{}")).unwrap(),
        Mood::Fine | Mood::Held(_) | Mood::Refuses(_) | Mood::Answers(..) => {
            builder.status(status).body(Body::from(answer.to_string())).unwrap()
        }
    }
}

type Taken = Result<Value, (u16, String)>;

fn only(value: &Value, known: &[&str]) -> Result<(), (u16, String)> {
    let Some(object) = value.as_object() else { return Err((400, format!("not an object: {value}"))) };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err((400, format!("unknown field {key} in {value}"))),
        None => Ok(()),
    }
}

impl Books {
    fn now(&self) -> String {
        self.clock.as_ref().map_or_else(morning, Clock::now).to_string()
    }

    fn take(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Taken {
        let header =
            |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let mut faults = Vec::new();
        if header("authorization") != format!("Bearer {TOKEN}") {
            faults.push("the token is wrong".to_owned());
        }
        if header("indent-space") != SPACE || header("accept") != "application/json" {
            faults.push("a header is missing".to_owned());
        }
        if !body.is_empty() && header("content-type") != "application/json" {
            faults.push("the body is not said to be JSON".to_owned());
        }
        let json: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap_or_default() };
        let Some(path) = uri.path().strip_prefix(&format!("/v1/spaces/{SPACE}/")) else {
            self.faults.push(format!("no such path: {uri}"));
            return Err((404, "no such path".to_owned()));
        };
        let segments: Vec<&str> = path.split('/').collect();
        let taken = match (method.as_str(), segments.as_slice()) {
            ("GET", ["petitions"]) => self.list(uri.query().unwrap_or_default()),
            ("POST", ["petitions"]) => self.create(&json),
            ("GET", ["petitions", name]) => self.find(name).cloned().ok_or((404, "no such petition".to_owned())),
            ("POST", ["petitions", name, "claims"]) => {
                self.check_claim(&json).and_then(|()| self.claim(name, json["claim"].clone()))
            }
            ("PUT" | "POST", ["resources:bulkUpdate"]) => self.put(&json),
            ("POST", ["resources:bulkDelete"]) => self.delete(&json),
            _ => Err((404, format!("nobody serves {method} {path}"))),
        };
        self.faults.append(&mut faults);
        taken
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.petitions.iter().find(|petition| petition["name"] == *name)
    }

    fn fault(&mut self, fault: (u16, String)) -> (u16, String) {
        self.faults.push(fault.1.clone());
        fault
    }

    fn list(&self, query: &str) -> Taken {
        let selector = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "labelSelector");
        let fits = |petition: &&Value| match &selector {
            None => true,
            Some((_, selector)) => {
                let (key, value) = selector.split_once('=').unwrap();
                petition["meta"]["labels"][key] == *value
            }
        };
        Ok(json!({ "petitions": self.petitions.iter().filter(fits).collect::<Vec<_>>(), "nextPageToken": "" }))
    }

    fn create(&mut self, body: &Value) -> Taken {
        let petition = &body["petition"];
        let checked = only(body, &["petition"])
            .and_then(|()| only(petition, &["reason", "petitioners", "resources", "meta"]))
            .and_then(|()| only(&petition["petitioners"][0], &["kind", "email", "displayName"]))
            .and_then(|()| only(&petition["resources"][0], &["kind", "id", "displayName", "labels"]))
            .and_then(|()| {
                let labels = &petition["meta"]["labels"];
                let right = labels["indent.com/app/config/id"] == format!("space:{SPACE}")
                    && labels["latchkey/petition"].as_str().is_some_and(|name| name.len() == 16)
                    && labels["indent.com/petition/duration"].as_str().is_some_and(|length| length.ends_with('s'))
                    && petition["petitioners"][0]["kind"] == "user"
                    && petition["petitioners"][0]["email"].as_str().is_some_and(|email| email.contains('@'))
                    && petition["resources"][0]["kind"] == "customer"
                    && petition["reason"].as_str().is_some_and(|reason| reason.len() >= 5);
                if right { Ok(()) } else { Err((400, format!("not a petition: {petition}"))) }
            });
        checked.map_err(|fault| self.fault(fault))?;
        let now = self.now();
        let mut stored = petition.clone();
        stored["name"] = json!(format!("42010a1c01{:02x}", self.petitions.len()));
        stored["spaceName"] = json!(SPACE);
        let request = json!({ "event": "access/request", "actor": petition["petitioners"][0], "timestamp": now, "reason": petition["reason"] });
        stored["state"] = json!({ "status": { "phase": "open" }, "eventHistory": [request] });
        self.petitions.push(stored.clone());
        Ok(stored)
    }

    fn check_claim(&mut self, body: &Value) -> Result<(), (u16, String)> {
        let claim = &body["claim"];
        let checked = only(body, &["claim"])
            .and_then(|()| only(claim, &["event", "reason", "actor", "resources", "meta"]))
            .and_then(|()| only(&claim["actor"], &["kind", "email"]))
            .and_then(|()| {
                let approve = claim["event"] == "access/approve";
                let right = ["access/approve", "access/deny", "access/revoke"]
                    .iter()
                    .any(|event| claim["event"] == **event)
                    && claim["actor"]["kind"] == "user"
                    && claim["reason"].is_string()
                    && claim["resources"].as_array().is_some_and(|both| both.len() == 2 && both[0]["kind"] == "user")
                    && claim["meta"]["labels"]["indent.com/time/duration"].is_string() == approve;
                if right { Ok(()) } else { Err((400, format!("not a claim: {claim}"))) }
            });
        checked.map_err(|fault| self.fault(fault))
    }

    fn claim(&mut self, name: &str, mut claim: Value) -> Taken {
        let now = self.now();
        claim["timestamp"] = json!(now);
        let said = |known: &(String, Value)| {
            known.0 == name && known.1["event"] == claim["event"] && known.1["actor"] == claim["actor"]
        };
        if let Some((_, known)) = self.claims.iter().find(|known| said(known)) {
            return Ok(known.clone());
        }
        let petition = self.petitions.iter_mut().find(|petition| petition["name"] == *name);
        let Some(petition) = petition else { return Err((404, "no such petition".to_owned())) };
        let phase = petition["state"]["status"]["phase"].as_str().unwrap().to_owned();
        let next = match (phase.as_str(), claim["event"].as_str().unwrap()) {
            ("open", "access/approve") => "granted",
            ("open", "access/deny") | ("granted", "access/revoke") => "closed",
            _ => return Err((400, format!("the petition is {phase}"))),
        };
        petition["state"]["status"]["phase"] = json!(next);
        let length = &petition["meta"]["labels"]["indent.com/petition/duration"];
        let length = claim["meta"]["labels"].get("indent.com/time/duration").unwrap_or(length).clone();
        let mut events = vec![claim.clone()];
        if next == "granted" {
            let labels = json!({ "indent.com/time/duration": length });
            events.push(json!({ "event": "access/grant", "actor": claim["actor"], "timestamp": now, "meta": { "labels": labels } }));
        }
        petition["state"]["eventHistory"].as_array_mut().unwrap().extend(events);
        self.claims.push((name.to_owned(), claim.clone()));
        Ok(claim)
    }

    fn put(&mut self, body: &Value) -> Taken {
        let list = body["resources"].as_array().cloned().unwrap_or_default();
        if list.is_empty() || list.len() > 500 {
            return Err(self.fault((400, format!("{} resources", list.len()))));
        }
        let mut written = Vec::new();
        for mut resource in list {
            only(&resource, &["kind", "id", "displayName", "labels"]).map_err(|fault| self.fault(fault))?;
            let id = resource["id"].as_str().unwrap().to_owned();
            resource["labels"]["indent.com/block"] = json!(format!("block-{id}"));
            self.resources.insert(id, resource.clone());
            written.push(resource);
        }
        Ok(json!({ "resources": written }))
    }

    fn delete(&mut self, body: &Value) -> Taken {
        for name in body["resourceNames"].as_array().cloned().unwrap_or_default() {
            let id = name.as_str().unwrap().trim_start_matches("block-").to_owned();
            if self.resources.remove(&id).is_none() {
                return Err(self.fault((404, format!("no resource {name}"))));
            }
        }
        Ok(json!({}))
    }
}
