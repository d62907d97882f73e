//! The directory against a small workspace over real HTTP: what it makes of people, and when it asks.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, Query},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::clock::ManualClock;

/// Slack as far as the directory asks it; no team means that auth.test fails.
#[derive(Clone, Default)]
struct Workspace(Arc<Mutex<Model>>);

#[derive(Default)]
struct Model {
    team: Option<&'static str>,
    users: HashMap<String, Value>,
    groups: HashMap<String, Vec<&'static str>>,
    /// Methods that fail now.
    away: BTreeSet<&'static str>,
    calls: Vec<String>,
}

impl Workspace {
    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }

    fn answer(&self, method: &str, args: &HashMap<String, String>) -> Response {
        let mut model = self.model();
        model.calls.push(method.to_owned());
        if model.away.contains(method) {
            return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let refused = |code: &str| json!({ "ok": false, "error": code });
        let answer = match method {
            "auth.test" => model.team.map_or(refused("invalid_auth"), |team| json!({ "ok": true, "team_id": team })),
            "users.info" => match model.users.get(&args["user"]) {
                Some(user) => json!({ "ok": true, "user": user }),
                None => refused("user_not_found"),
            },
            "users.lookupByEmail" => {
                let found = model.users.values().find(|user| user["profile"]["email"] == args["email"].as_str());
                found.map_or(refused("users_not_found"), |user| json!({ "ok": true, "user": user }))
            }
            "usergroups.users.list" => match model.groups.get(&args["usergroup"]) {
                Some(users) => json!({ "ok": true, "users": users }),
                None => refused("no_such_subteam"),
            },
            other => panic!("{other}"),
        };
        Json(answer).into_response()
    }

    fn count(&self, method: &str) -> usize {
        self.model().calls.iter().filter(|call| *call == method).count()
    }

    /// With these changes to an ordinary person.
    fn user(&self, id: &str, changes: Value) {
        let mut user = json!({
            "id": id, "team_id": "T0ACME",
            "profile": { "display_name": "Ana", "email": format!("{}@acme.test", id.to_lowercase()) },
        });
        user.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.model().users.insert(id.to_owned(), user);
    }
}

async fn start() -> (Workspace, Directory, ManualClock) {
    let workspace = Workspace::default();
    workspace.model().team = Some("T0ACME");
    workspace.user("U1", json!({}));
    let slack = workspace.clone();
    let call = move |Path(method): Path<String>, Query(args): Query<HashMap<String, String>>| {
        let answer = slack.answer(&method, &args);
        async move { answer }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/api/{method}", any(call))).await.unwrap() });
    let client = SlackClient::new(&base, "xoxb-secret".to_owned().into(), Duration::from_secs(5)).unwrap();
    let clock = ManualClock::starting_at("2026-11-23T14:00:00Z".parse().unwrap());
    let directory = Directory::new(client, Arc::new(clock.clone()));
    (workspace, directory, clock)
}

fn id(text: &str) -> SlackUserId {
    SlackUserId::new(text)
}

fn ids(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn maker(user: Option<&str>, email: &str) -> Person {
    Person { email: Email::parse(email).unwrap(), slack: user.map(id), name: "Ana".to_owned() }
}

#[tokio::test]
async fn only_active_people_of_the_workspace_are_full_members() {
    let (workspace, directory, _) = start().await;
    // What Slack says, the team that the payload names, and whether that is a full member.
    for (changes, payload_team, full_member) in [
        (json!({}), None, true),
        (json!({}), Some("T0OTHER"), true),
        (json!({ "deleted": null, "is_bot": false, "new": {} }), None, true),
        (json!({ "deleted": true }), None, false),
        (json!({ "is_bot": true }), None, false),
        (json!({ "is_restricted": true }), None, false),
        (json!({ "is_ultra_restricted": true }), None, false),
        (json!({ "is_stranger": true }), None, false),
        (json!({ "team_id": "T0OTHER" }), Some("T0ACME"), false),
        (json!({ "team_id": null }), Some("T0ACME"), true),
        (json!({ "team_id": null }), Some("T0OTHER"), false),
        (json!({ "team_id": null }), None, false),
    ] {
        workspace.user("U1", changes.clone());
        let actor = directory.actor(&id("U1"), payload_team, &ids(&[]), Freshness::Now).await.unwrap();
        assert_eq!(actor.facts.full_member, full_member, "{changes} {payload_team:?}");
        assert_eq!((actor.facts.email.as_str(), actor.name.as_str()), ("u1@acme.test", "Ana"));
        assert_eq!(actor.facts.slack, Some(id("U1")));
    }
    assert_eq!(workspace.count("auth.test"), 1);
}

#[tokio::test]
async fn strangers_are_told_why() {
    let (workspace, directory, _) = start().await;
    let actor =
        async |user: &str, groups: &[&str]| directory.actor(&id(user), None, &ids(groups), Freshness::Now).await;
    assert_eq!(actor("U9", &[]).await.unwrap_err(), Stranger::Unknown);
    workspace.user("U2", json!({ "profile": { "display_name": "Bo" } }));
    assert_eq!(actor("U2", &[]).await.unwrap_err(), Stranger::NoEmail { name: "Bo".to_owned() });
    workspace.user("U2", json!({ "is_email_confirmed": false }));
    assert!(matches!(actor("U2", &[]).await.unwrap_err(), Stranger::NoEmail { .. }));
    for method in ["users.info", "usergroups.users.list"] {
        workspace.model().away = BTreeSet::from([method]);
        assert_eq!(actor("U1", &["S0LEADS"]).await.unwrap_err(), Stranger::SlackAway, "{method}");
    }
    workspace.model().away.clear();
    assert!(actor("U1", &["S0LEADS"]).await.is_ok());
}

#[tokio::test]
async fn the_workspace_is_asked_for_again_until_it_is_known() {
    let (workspace, directory, _) = start().await;
    workspace.model().team = None;
    let actor = async || directory.actor(&id("U1"), Some("T0ACME"), &ids(&[]), Freshness::Now).await;
    assert_eq!(actor().await.unwrap_err(), Stranger::SlackAway);
    workspace.model().team = Some("T0ACME");
    assert!(actor().await.unwrap().facts.full_member);
}

#[tokio::test]
async fn groups_are_those_of_the_rule_that_have_the_person() {
    let (workspace, directory, _) = start().await;
    workspace.model().groups = HashMap::from([("S0A".to_owned(), vec!["U1", "U2"]), ("S0B".to_owned(), vec!["U2"])]);
    let wanted = ids(&["S0A", "S0B", "S0GONE"]);
    let actor = directory.actor(&id("U1"), None, &wanted, Freshness::Now).await.unwrap();
    assert_eq!(actor.facts.slack_groups, ids(&["S0A"]));
    let groups = directory.groups(&wanted, Freshness::Now).await;
    assert_eq!(groups["S0GONE"], Some(BTreeSet::new()), "what does not exist has nobody in it");
    assert_eq!(groups["S0B"], Some(BTreeSet::from([id("U2")])));
    workspace.model().away = BTreeSet::from(["usergroups.users.list"]);
    assert_eq!(directory.groups(&wanted, Freshness::Now).await["S0B"], None);
}

#[tokio::test]
async fn only_asking_may_use_what_was_true_a_minute_ago() {
    let (workspace, directory, clock) = start().await;
    workspace.model().groups.insert("S0A".to_owned(), vec!["U1"]);
    let full = async |fresh| directory.actor(&id("U1"), None, &ids(&["S0A"]), fresh).await.unwrap().facts.full_member;
    assert!(full(Freshness::AMinuteAgo).await);
    workspace.user("U1", json!({ "deleted": true }));
    clock.advance(SignedDuration::from_secs(59));
    assert!(full(Freshness::AMinuteAgo).await);
    assert_eq!((workspace.count("users.info"), workspace.count("usergroups.users.list")), (1, 1));
    clock.advance(SignedDuration::from_secs(1));
    assert!(!full(Freshness::AMinuteAgo).await, "a minute is over");
    workspace.user("U1", json!({}));
    assert!(full(Freshness::Now).await);
    assert!(full(Freshness::AMinuteAgo).await, "what was asked for deciding is kept for asking");
    workspace.model().away = BTreeSet::from(["users.info"]);
    assert!(directory.actor(&id("U1"), None, &ids(&[]), Freshness::Now).await.is_err(), "deciding never uses it");
}

#[tokio::test]
async fn earlier_approvers_are_judged_by_what_they_are_today() {
    let (workspace, directory, _) = start().await;
    workspace.model().groups.insert("S0A".to_owned(), vec!["U1", "U2"]);
    workspace.user("U2", json!({ "deleted": true }));
    workspace.user("U3", json!({}));
    let makers = [
        maker(Some("U1"), "u1@acme.test"),
        maker(Some("U2"), "u2@acme.test"),
        maker(Some("U3"), "then@acme.test"),
        maker(Some("U9"), "u9@acme.test"),
        maker(None, "u1@acme.test"),
        maker(None, "nobody@acme.test"),
    ];
    let facts = directory.actors(&makers, &ids(&["S0A"]), Freshness::Now).await.unwrap();
    let full: Vec<bool> = facts.iter().map(|facts| facts.full_member).collect();
    assert_eq!(full, [true, false, false, false, true, true], "whom only a token knows is who the token says");
    assert_eq!(facts[2].email.as_str(), "then@acme.test", "the claim stays under the e-mail it was made with");
    assert_eq!(facts[4].slack, Some(id("U1")));
    assert_eq!((&facts[0].slack_groups, &facts[4].slack_groups), (&ids(&["S0A"]), &ids(&["S0A"])));
    workspace.model().away = BTreeSet::from(["users.info"]);
    assert_eq!(directory.actors(&makers, &ids(&[]), Freshness::Now).await, Err(Stranger::SlackAway));
    assert_eq!(directory.actors(&[], &ids(&["S0A"]), Freshness::Now).await, Ok(Vec::new()));
}

#[tokio::test]
async fn cards_go_to_full_members() {
    let (workspace, directory, clock) = start().await;
    let email = |text| Email::parse(text).unwrap();
    assert_eq!(directory.member_by_email(&email("u1@acme.test")).await, Ok(Some(id("U1"))));
    assert_eq!(directory.member_by_email(&email("u9@acme.test")).await, Ok(None));
    workspace.user("U1", json!({ "is_restricted": true }));
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(directory.member_by_email(&email("u1@acme.test")).await, Ok(None));
    workspace.model().away = BTreeSet::from(["users.lookupByEmail"]);
    assert!(directory.member_by_email(&email("u2@acme.test")).await.is_err());
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let kept = Kept::<usize, ()>::default();
    let clock = ManualClock::starting_at("2026-11-23T14:00:00Z".parse().unwrap());
    for key in 0..=MOST_KEPT {
        kept.or_ask(&key, Freshness::AMinuteAgo, &clock, || async { Ok(()) }).await.unwrap();
    }
    assert!(kept.lock().len() <= MOST_KEPT);
}
