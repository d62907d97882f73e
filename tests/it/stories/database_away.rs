//! The database does not answer: nobody is told a lie, nothing is acknowledged in silence, and it heals by itself.

use std::time::Duration;

use latchkey::{
    app::{App, Role},
    demo::workspace::Answer,
};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{
    databases::{Kind, TestDb, raw_at, run},
    events::Event,
    house::{ANA, BO, CHANNEL, COMMAND, House, Patience},
    office::hours,
    proxy::Proxy,
};

/// A way to take the database away and to give it back: on SQLite another process that writes and does not end, on
/// PostgreSQL a wire that is cut.
pub(super) enum Away {
    Sqlite { url: String, holder: Option<SqliteConnection> },
    Postgres(Proxy),
}

impl Away {
    pub(super) async fn prepare(db: TestDb) -> (Self, TestDb) {
        match db.kind {
            Kind::Sqlite => (Self::Sqlite { url: db.url.clone(), holder: None }, db),
            Kind::Postgres => {
                let proxy = Proxy::before(&db.url).await;
                let through = db.at(proxy.url.clone());
                (Self::Postgres(proxy), through)
            }
        }
    }

    pub(super) async fn take(&mut self) {
        match self {
            Self::Sqlite { url, holder } => {
                let mut conn = SqliteConnection::connect(url).await.unwrap();
                conn.execute("PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE").await.unwrap();
                *holder = Some(conn);
            }
            Self::Postgres(proxy) => proxy.cut(),
        }
    }

    pub(super) async fn give_back(&mut self) {
        match self {
            Self::Sqlite { holder, .. } => {
                let mut conn = holder.take().unwrap();
                conn.execute("ROLLBACK").await.unwrap();
                conn.close().await.unwrap();
            }
            Self::Postgres(proxy) => proxy.mend(),
        }
    }

    /// On SQLite what was committed can still be read, and is the truth.
    fn is_readable(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }
}

async fn ready(house: &House) -> (u16, Value) {
    let answer = house.get("/readyz").await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn assert_not_stored(answer: &Answer) {
    assert_eq!(answer.problem, None, "Slack got its answer in time");
    let said = answer.text().to_lowercase();
    assert!(said.contains("nothing was stored") && said.contains("try again"), "{said}");
}

both_databases! {
    async fn people_are_told_that_nothing_was_stored(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::plan(db).in_time().build().await;
        house.asked().await;
        away.take().await;
        assert_not_stored(&house.types(ANA, "customer 200 for 1h to debug BUG-500").await);
        for (place, button) in [(BO, "Approve"), (ANA, "Cancel request")] {
            house.press(place, button).await;
            let told = house.told(place).await.to_lowercase();
            assert!(told.contains("nothing was stored") && told.contains("try again"), "{place}: {told}");
        }
        assert!(!house.production.allows("ana@acme.test", "123"));
        away.give_back().await;

        let mut patience = Patience::new("the database is back");
        while ready(&house).await.0 != 200 {
            patience.tick().await;
        }
        house.settle().await;
        assert!(!house.allows("ana", "123").await, "what was not stored did not happen");
        assert!(house.with_button(BO, "Approve").is_some() && house.with_button(ANA, "Cancel request").is_some());
        assert_eq!(house.types(ANA, "customer 200 for 1h to debug BUG-500").await.problem, None);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await || house.allows("ana", "200").await);
        let opened = house.record().await.iter().filter(|word| *word == "petition.opened").count();
        assert_eq!(opened, 2, "the command that was not stored left nothing");
        house.finish().await;
    }

    /// So are those who typed a word: nothing was ended, and nothing is shown that cannot be known.
    /// Each must know in time that nothing was stored, also who had to wait for another one's turn first.
    async fn nobody_waits_twice(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::plan(db).in_time().build().await;
        house.settle().await;
        away.take().await;
        let mut first = Box::pin(house.types(ANA, "customer 200 for 1h to debug BUG-1"));
        if away.is_readable() {
            // The other process may yet be done, so it waits; and the next one queues behind it.
            assert!(tokio::time::timeout(Duration::from_secs(1), &mut first).await.is_err());
        }
        let (first, second) = tokio::join!(first, house.types(BO, "customer 200 for 1h to debug BUG-2"));
        assert_not_stored(&first);
        assert_not_stored(&second);
        away.give_back().await;
        house.settle().await;
        assert!(house.record().await.iter().all(|word| *word != "petition.opened"), "what was not stored did not happen");
        house.finish().await;
    }

    async fn words_are_answered_honestly(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::plan(db).in_time().build().await;
        house.granted().await;
        away.take().await;
        for (user, text) in [(ANA, "done 123"), (BO, "revoke 123")] {
            assert_not_stored(&house.types(user, text).await);
        }
        if !away.is_readable() {
            for (user, text) in [(ANA, "list"), (BO, "pending"), (BO, "who 123"), (ANA, "lst")] {
                assert_not_stored(&house.types(user, text).await);
            }
        }
        away.give_back().await;
        let mut patience = Patience::new("the database is back");
        while ready(&house).await.0 != 200 {
            patience.tick().await;
        }
        assert!(house.allows("ana", "123").await, "what was not stored did not happen");
        let said = house.types(ANA, "done 123").await.text();
        assert!(said.contains("You gave back"), "{said}");
        house.finish().await;
    }

    /// I9: when Latchkey cannot tell, the answer is no.
    async fn the_check_never_guesses(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::new(db).await;
        house.granted().await;
        away.take().await;
        let check = async || house.check("ana", "123").await;
        if away.is_readable() {
            assert_eq!(check().await.1["allowed"], json!(true), "what is stored is so");
        } else {
            let (status, body) = check().await;
            assert_eq!((status, &body["code"], &body["error"]["code"]), (503, &json!(14), &json!("unavailable")), "{body}");
            assert_eq!(body.get("allowed"), None);
            let request = house.http.post(format!("{}/v1/check", house.bot)).bearer_auth(&house.check_token);
            let answer = request.body(r#"{"checks":[{"user":"ana@acme.test","customer":"123"}]}"#).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "1"));
        }
        // The time runs out while nobody can write it down.
        house.clock.advance(hours(4));
        assert_ne!(check().await.1["allowed"], json!(true));
        away.give_back().await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert_eq!(house.production.applied().len(), 2, "the revoke was sent when it could be");
        house.finish().await;
    }

    /// The sender is to repeat what was not stored.
    async fn a_webhook_is_not_acknowledged(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::new(db).await;
        house.settle().await;
        away.take().await;
        let grant = Event::grant().petition("p1").body();
        let (status, answer) = house.receive(&grant).await;
        assert_eq!((status, &answer["status"]["code"]), (503, &json!(14)), "{answer}");
        // What means nothing here needs no database.
        assert_eq!(house.receive(r#"{"events":[{"event":"access/request"}]}"#).await.0, 200);
        away.give_back().await;
        let mut patience = Patience::new("the event is taken");
        while house.receive(&grant).await.0 != 200 {
            patience.tick().await;
        }
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.production.applied().len(), 1);
        house.finish().await;
    }

    /// Whoever is sent to a server finds its first work planned, not to be planned soon.
    async fn a_server_is_ready_when_its_work_is_planned(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::new(db).await;
        house.settle().await;
        let second = App::build(&house.config(), house.db.store().await, house.world()).await.unwrap();
        let (store, stop) = (second.workflow().store().clone(), CancellationToken::new());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let there = format!("http://{}/readyz", listener.local_addr().unwrap());
        let look = async || {
            let answer = house.http.get(&there).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["workers"]["scan"].clone())
        };
        away.take().await;
        let running = tokio::spawn(second.run(Some(listener), Role::Both, stop.clone()));
        assert_eq!(look().await, (503, json!("starting")));
        away.give_back().await;
        let mut patience = Patience::new("it is ready");
        while look().await.0 != 200 {
            patience.tick().await;
        }
        assert_eq!(look().await.1, json!("running"));
        stop.cancel();
        running.await.unwrap().unwrap();
        store.close().await;
        house.finish().await;
    }

    /// Alive all the time; ready only while the database is; and every worker is up again without a restart.
    async fn readiness_follows_the_database(db: TestDb) {
        let (mut away, db) = Away::prepare(db).await;
        let house = House::new(db).await;
        let (status, body) = ready(&house).await;
        assert_eq!((status, &body["status"], &body["database"]), (200, &json!("ready"), &json!("ok")));
        let workers: Vec<&str> = body["workers"].as_object().unwrap().keys().map(String::as_str).collect();
        let lanes = ["escalate-petitions", "expire-leases", "grant:production", "notify", "publish-homes", "remind", "reply", "revoke:production", "scan", "sync-customers", "tidy", "warn-holders"];
        assert_eq!(workers, lanes);
        house.settle().await;
        away.take().await;
        if !away.is_readable() {
            let (status, body) = ready(&house).await;
            assert_eq!((status, &body["status"], &body["database"]), (503, &json!("not ready"), &json!("does not answer")));
        }
        let mut patience = Patience::new("a worker notices");
        while ready(&house).await.1["workers"].as_object().unwrap().values().all(|state| state == "running") {
            // Without work a worker looks every few seconds only.
            house.store().nudges().wake_queue("notify");
            patience.tick().await;
        }
        assert_eq!(house.get("/healthz").await.unwrap().status().as_u16(), 200);
        assert_eq!(house.get("/metrics").await.unwrap().status().as_u16(), 200);
        away.give_back().await;
        let mut patience = Patience::new("everything is up again");
        while ready(&house).await.0 != 200 {
            patience.tick().await;
        }
        assert!(ready(&house).await.1["workers"].as_object().unwrap().values().all(|state| state == "running"));
        assert_eq!(house.types(ANA, COMMAND).await.problem, None);
        house.settle().await;
        assert!(house.with_button(CHANNEL, "Approve").is_some());
        house.finish().await;
    }
}

/// What an administrator, or a failover, does to a database on PostgreSQL.
async fn decree(db: &TestDb, words: &str) {
    let mut url: url::Url = db.url.parse().unwrap();
    let name = url.path().trim_start_matches('/').to_owned();
    url.set_path("postgres");
    raw_at(url.as_str(), &format!("ALTER DATABASE {name} {words}")).await;
    let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    raw_at(url.as_str(), &sql).await;
}

/// Closed for maintenance, then a standby that takes no writes; neither is anybody's mistake.
#[test]
fn a_database_that_refuses_is_away() {
    run(Kind::Postgres, refused);
}

async fn refused(db: TestDb) {
    let house = House::new(db.clone()).await;
    house.granted().await;
    let grant = Event::grant().person("cy").petition("p1").body();
    let command = "customer 200 for 1h to debug BUG-500";

    decree(&db, "ALLOW_CONNECTIONS false").await;
    assert_eq!(house.check("ana", "123").await.0, 503);
    assert_eq!(house.receive(&grant).await.0, 503);
    assert_not_stored(&house.types(ANA, command).await);
    decree(&db, "ALLOW_CONNECTIONS true").await;
    assert!(house.allows("ana", "123").await);

    decree(&db, "SET default_transaction_read_only = on").await;
    assert!(house.allows("ana", "123").await, "what is stored is so");
    assert_eq!(house.receive(&grant).await.0, 503);
    assert_not_stored(&house.types(ANA, command).await);
    decree(&db, "RESET default_transaction_read_only").await;
    let mut patience = Patience::new("everything is up again");
    while ready(&house).await.0 != 200 {
        patience.tick().await;
    }
    assert_eq!(house.receive(&grant).await.0, 200);
    house.settle().await;
    assert_eq!(house.production.applied().len(), 2);
    house.finish().await;
}
