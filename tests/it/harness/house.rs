//! The whole house: the real application on a free port, the strict Slack workspace, and production, on one clock that
//! the test sets. People act only through signed HTTP.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey::{
    app::{App, Role, World},
    clock::{ManualClock, SystemEntropy},
    config::{Config, Settings, file},
    demo::{
        production::Production,
        workspace::{Answer, Message, Person, Workspace, WorkspaceConfig},
    },
    domain::{clock::Clock, id::AccessId, person::Email},
    http::auth::Scope,
    slack::{self, manifest},
    store::{Db, Provisioning, Store},
    workflow::{NewToken, Workflow},
};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    databases::{TestDb, raw_at},
    office::morning,
    sent::Sent,
};

pub const CHANNEL: &str = "C0ACCESS";
pub const ANA: &str = "U0ANA";
pub const BO: &str = "U0BO";
pub const CY: &str = "U0CY";
pub const DAN: &str = "U0DAN";
pub const SLACK_SECRET: &str = "slack-signing-secret";
pub const WEBHOOK_SECRET: &str = "wks0INBOUNDSECRET";
pub const PRODUCTION_SECRET: &str = "wks0PRODUCTIONSECRET";
/// What everybody asks for unless a test says otherwise.
pub const COMMAND: &str = "customer 123 for 4h to debug BUG-482";
/// Anything that takes longer in real time hangs. A post to Slack is given up after less than half of it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Of Slack and of us, for all that is not about being in time.
const SLOW: slack::Limits = slack::Limits { call: Duration::from_secs(5), answer: Duration::from_secs(8) };

pub const FILE: &str = r#"
[access]
default_duration = "4h"
max_duration = "24h"

[groups]
leads = ["bo@acme.test", "cy@acme.test"]

[[rule]]
name = "enterprise"
match = { plan = "enterprise" }
max_duration = "8h"
require = [{ reviewers = ["group:leads"] }]
notify = ["C0ACCESS"]

[[rule]]
name = "everyone else"
require = [{ reviewers = ["group:leads"] }]
notify = ["C0ACCESS"]

[[provisioner]]
name = "production"
kind = "webhook"
url = "${PRODUCTION_URL}"
secret = "${PRODUCTION_SECRET}"
"#;

pub const CUSTOMERS: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, plan TEXT);
INSERT INTO customers (id, name, plan) VALUES (123, 'AcmeCorp', 'enterprise'), (124, 'Acme Corp Labs', 'free'),
    (125, 'Twin Ltd', 'free'), (126, 'Twin Ltd', 'team'), (200, 'Globex', 'team'), (201, 'Initech', NULL);
";

/// The usual rules, and these provisioners.
pub fn file_with(provisioners: &str) -> String {
    let rules = FILE.split("[[provisioner]]").next().unwrap();
    format!("{rules}{provisioners}")
}

/// How a house is to be built.
pub struct Plan {
    db: TestDb,
    file: String,
    env: Vec<(String, String)>,
    clock: ManualClock,
    port: u16,
    socket_mode: bool,
    slack: slack::Limits,
}

impl Plan {
    pub fn file(mut self, file: &str) -> Self {
        self.file = file.to_owned();
        self
    }
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
    /// On the clock of another house.
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = clock.clone();
        self
    }
    /// Listening there, at each start.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
    /// Slack is reached by Socket Mode, and cannot reach it.
    pub fn socket_mode(mut self) -> Self {
        self.socket_mode = true;
        self
    }
    /// Slack waits three seconds, and we for Slack, as long as they really do. Without it a machine that stands still for
    /// a second breaks no promise but this one.
    pub fn in_time(mut self) -> Self {
        self.slack = slack::Limits::default();
        self
    }
    /// Slack is answered before anything is done.
    pub fn hasty(mut self) -> Self {
        self.slack.answer = Duration::ZERO;
        self
    }
    /// The usual file with other provisioners.
    pub fn provisioners(self, provisioners: &str) -> Self {
        let file = file_with(provisioners);
        self.file(&file)
    }

    pub async fn build(self) -> House {
        rustls::crypto::ring::default_provider().install_default().ok();
        let clock = self.clock;
        let production = Production::start(PRODUCTION_SECRET, Arc::new(clock.clone())).await.unwrap();
        let slack = Workspace::start(WorkspaceConfig {
            team_id: "T0ACME".to_owned(),
            bot_token: "xoxb-test".to_owned(),
            signing_secret: SLACK_SECRET.to_owned(),
            bot_name: "Latchkey".to_owned(),
        })
        .await
        .unwrap();
        let seconds = clock.clone();
        slack.set_now(Arc::new(move || seconds.now().as_second()));
        if self.slack == SLOW {
            slack.set_patience(Duration::from_secs(9));
        }
        for (id, name) in [(ANA, "Ana"), (BO, "Bo"), (CY, "Cy"), (DAN, "Dan")] {
            slack.add_person(Person::new(id, name, &format!("{}@acme.test", name.to_lowercase())));
        }
        slack.add_channel(CHANNEL, "access", &[ANA, BO, CY, DAN], true);
        let sent = Sent(slack.clone());
        let customers = self.db.another().await;
        raw_at(&customers, CUSTOMERS).await;
        if self.socket_mode {
            slack.install(&serde_json::from_str(&manifest::socket_json()).unwrap());
        }
        let mut house = House {
            socket_mode: self.socket_mode,
            limits: self.slack,
            env: self.env,
            file: self.file,
            customers,
            db: self.db,
            clock,
            slack,
            production,
            http: reqwest::Client::builder().no_proxy().timeout(3 * PATIENCE).build().unwrap(),
            bot: String::new(),
            port: self.port,
            running: None,
            workflow: None,
            afterwards: TaskTracker::new(),
            check_token: String::new(),
            _sent: sent,
        };
        house.start().await;
        house
    }
}

pub struct House {
    env: Vec<(String, String)>,
    /// The `latchkey.toml` of the next start.
    pub file: String,
    /// URL of the company's customers database.
    pub customers: String,
    pub db: TestDb,
    pub clock: ManualClock,
    pub slack: Workspace,
    pub production: Production,
    pub http: reqwest::Client,
    /// Where the application listens.
    pub bot: String,
    port: u16,
    socket_mode: bool,
    limits: slack::Limits,
    running: Option<(CancellationToken, JoinHandle<anyhow::Result<()>>)>,
    /// What was begun for Slack and has not ended.
    afterwards: TaskTracker,
    workflow: Option<Workflow>,
    /// A token with the scope `check`.
    pub check_token: String,
    _sent: Sent,
}

impl House {
    pub fn plan(db: TestDb) -> Plan {
        let clock = ManualClock::starting_at(morning());
        Plan { db, file: FILE.to_owned(), env: Vec::new(), clock, port: 0, socket_mode: false, slack: SLOW }
    }

    pub async fn new(db: TestDb) -> Self {
        Self::plan(db).build().await
    }

    pub fn config(&self) -> Config {
        let url = self.production.url().to_owned();
        let mut env: Vec<(String, String)> = [
            ("DATABASE_URL", self.db.url.clone()),
            ("SLACK_BOT_TOKEN", "xoxb-test".to_owned()),
            ("SLACK_SIGNING_SECRET", SLACK_SECRET.to_owned()),
            ("SLACK_API_URL", self.slack.api_url()),
            ("CUSTOMERS_DATABASE_URL", self.customers.clone()),
            ("INDENT_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        if self.socket_mode {
            env.retain(|(name, _)| name != "SLACK_SIGNING_SECRET");
            env.push(("SLACK_APP_TOKEN".to_owned(), self.slack.app_token()));
        }
        for (name, value) in &self.env {
            env.retain(|(had, _)| had != name);
            env.push((name.clone(), value.clone()));
        }
        let settings = Settings::from_env(env.clone()).unwrap();
        let file = file::load(&self.file, "latchkey.toml", &|name| match name {
            "PRODUCTION_URL" => Some(url.clone()),
            "PRODUCTION_SECRET" => Some(PRODUCTION_SECRET.to_owned()),
            other => env.iter().find(|(name, _)| name == other).map(|(_, value)| value.clone()),
        })
        .unwrap();
        Config { settings, file }
    }

    /// The clock of this house, and real randomness.
    pub fn world(&self) -> World {
        World { clock: Arc::new(self.clock.clone()), entropy: Arc::new(SystemEntropy), slack: self.limits }
    }

    /// Starts the application, again after [`House::stop`], and waits until it says that it is ready.
    pub async fn start(&mut self) {
        let store = self.db.store().await;
        let app = App::build(&self.config(), store, self.world()).await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.bot = format!("http://{}", listener.local_addr().unwrap());
        if !self.socket_mode {
            self.slack.connect(&self.bot);
        }
        self.workflow = Some(app.workflow().clone());
        self.afterwards = app.slack().map_or_else(TaskTracker::new, |slack| slack.afterwards.clone());
        self.check_token = token(&app, Scope::Check).await;
        let stop = CancellationToken::new();
        self.running = Some((stop.clone(), tokio::spawn(app.run(Some(listener), Role::Both, stop))));
        let mut patience = Patience::new("the application is ready");
        while !self.get("/readyz").await.is_ok_and(|answer| answer.status().is_success()) {
            patience.tick().await;
        }
    }

    /// Stops the application in good order.
    pub async fn stop(&mut self) {
        if let Some((stop, running)) = self.running.take() {
            stop.cancel();
            running.await.unwrap().unwrap();
            self.workflow().store().close().await;
        }
    }

    /// What the file says from the next start on.
    pub fn rewrite(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    pub fn workflow(&self) -> &Workflow {
        self.workflow.as_ref().unwrap()
    }

    pub fn store(&self) -> &Store {
        self.workflow().store()
    }

    /// A token for another scope.
    pub async fn token(&self, scope: Scope) -> String {
        let store = self.db.store().await;
        token(&App::build(&self.config(), store, self.world()).await.unwrap(), scope).await
    }

    /// Somebody types after `/access` in the channel.
    pub async fn types(&self, user: &str, text: &str) -> Answer {
        self.slack.command(user, CHANNEL, "/access", text).await
    }

    /// Ana asks for the usual, and the card is everywhere.
    pub async fn asked(&self) -> Answer {
        let answer = self.types(ANA, COMMAND).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        self.settle().await;
        answer
    }

    /// Ana asked and Bo approved, and everybody knows.
    pub async fn granted(&self) {
        self.asked().await;
        self.press(BO, "Approve").await;
        self.settle().await;
        assert!(self.allows("ana", "123").await, "the approval did not open access");
    }

    /// The newest message of a place that has the button.
    pub fn with_button(&self, place: &str, button: &str) -> Option<Message> {
        self.slack.messages(place).into_iter().rev().find(|message| message.buttons().iter().any(|b| b == button))
    }

    /// Somebody presses a button in their own messages with the bot.
    pub async fn press(&self, user: &str, button: &str) -> Answer {
        self.press_in(user, user, button).await
    }

    /// Somebody presses a button that they see in a place.
    pub async fn press_in(&self, user: &str, place: &str, button: &str) -> Answer {
        let Some(message) = self.with_button(place, button) else {
            let seen: Vec<String> = self.slack.messages(place).iter().map(Message::plain).collect();
            panic!("{place} has no message with the button {button}: {seen:#?}");
        };
        let answer = self.slack.press(user, &message, button).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        answer
    }

    /// What somebody reads: all their messages with the bot, the newest last.
    pub fn reads(&self, place: &str) -> String {
        self.slack.messages(place).iter().map(Message::plain).collect::<Vec<_>>().join("\n---\n")
    }

    /// What only this person was shown, the newest last; waits for the first of it.
    pub async fn told(&self, user: &str) -> String {
        self.slack
            .wait_for("something that only they see", PATIENCE, |slack| slack.ephemerals(user).last().cloned())
            .await
            .unwrap()
            .plain()
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("{}{path}", self.bot)).send().await
    }

    /// What production is answered; status and body.
    pub async fn check(&self, name: &str, customer: &str) -> (u16, Value) {
        let query = [("user", format!("{name}@acme.test")), ("customer", customer.to_owned())];
        let request = self.http.get(format!("{}/v1/check", self.bot)).query(&query).bearer_auth(&self.check_token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Who holds what and how far each provisioner is, as `latchkey access list` reads it.
    pub async fn access_list(&self) -> Vec<Value> {
        let token = self.token(Scope::Admin).await;
        let url = format!("{}/v1/spaces/default/access", self.bot);
        let answer = self.http.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        answer.json::<Value>().await.unwrap()["leases"].as_array().unwrap().clone()
    }

    /// How far each provisioner is with everything that was ever told, by person and provisioner.
    pub async fn streams(&self) -> Vec<Provisioning> {
        const SQL: &str = "SELECT id FROM accesses ORDER BY person, customer, role";
        let ids: Vec<String> = match self.store().db() {
            Db::Sqlite { read, .. } => sqlx::query_scalar(SQL).fetch_all(read).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_scalar(SQL).fetch_all(pool).await.unwrap(),
        };
        let mut streams = Vec::new();
        for id in ids {
            streams.extend(self.store().provisionings(&AccessId::new(id)).await.unwrap());
        }
        streams
    }

    /// The state of the only stream there is.
    pub async fn stream(&self) -> Provisioning {
        let streams = self.streams().await;
        assert_eq!(streams.len(), 1, "{streams:#?}");
        streams.into_iter().next().unwrap()
    }

    pub async fn allows(&self, name: &str, customer: &str) -> bool {
        let (status, body) = self.check(name, customer).await;
        assert_eq!(status, 200, "{body}");
        body["allowed"].as_bool().unwrap()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Some time later: what was begun before has long been done by then.
    pub async fn advance(&self, by: SignedDuration) {
        self.settle().await;
        self.clock.advance(by);
        self.settle().await;
    }

    /// Signs and sends an event to the inbound webhook, as Indent would.
    pub async fn receive(&self, body: &str) -> (u16, Value) {
        let time = self.clock.now().to_string();
        let signature = latchkey::domain::signature::sign_v0(WEBHOOK_SECRET, &time, body.as_bytes());
        let request = self
            .http
            .post(format!("{}/webhooks/indent", self.bot))
            .header("x-indent-timestamp", time)
            .header("x-indent-signature", signature)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The words of the record, in order, its chain checked.
    pub async fn record(&self) -> Vec<String> {
        self.workflow().chain_record().await.unwrap();
        let (mut position, mut hash, mut words) = (0, String::new(), Vec::new());
        loop {
            let page = self.store().audit_page(position, &hash).await.unwrap().unwrap();
            let Some(last) = page.last() else { return words };
            (position, hash) = (last.position, last.hash.clone());
            words.extend(page.into_iter().map(|entry| entry.event));
        }
    }

    /// Until nothing is due at this instant of the clock and nothing is under way. A job that a stopping process left
    /// half-way is found after half a minute of real time.
    pub async fn settle(&self) {
        let mut patience = Patience::lasting("the work is done", 3 * PATIENCE);
        while !self.afterwards.is_empty() || self.open_work().await > 0 {
            patience.tick().await;
        }
    }

    async fn open_work(&self) -> i64 {
        /// A sync moves its schedule on before it begins, and so does an upload: while they run, only their job shows it.
        /// One statement, because what ends one kind of work begins another.
        fn sql(jobs: &str) -> String {
            format!(
                "SELECT
            (SELECT COUNT(*) FROM messages WHERE next_us <= $1 OR attempt IS NOT NULL)
            + (SELECT COUNT(*) FROM homes WHERE next_us <= $1 OR attempt IS NOT NULL)
            + (SELECT COUNT(*) FROM reminders WHERE next_us <= $1 OR attempt IS NOT NULL)
            + (SELECT COUNT(*) FROM replies WHERE attempt IS NOT NULL OR (next_us <= $1 AND NOT EXISTS (
                SELECT 1 FROM replies AS head WHERE head.message = replies.message AND head.seq < replies.seq
                    AND head.next_us IS NOT NULL)))
            + (SELECT COUNT(*) FROM provisionings WHERE next_us <= $1 OR attempt IS NOT NULL)
            + (SELECT COUNT(*) FROM decisions WHERE next_us <= $1 OR attempt IS NOT NULL)
            + (SELECT COUNT(*) FROM leases WHERE ended_us IS NULL AND (expires_us <= $1 OR warn_us <= $1))
            + (SELECT COUNT(*) FROM petitions WHERE state = 'open' AND pending_until_us <= $1)
            + (SELECT COUNT(*) FROM petitions WHERE escalate_us <= $1)
            + (SELECT COUNT(*) FROM remote_petitions WHERE next_us <= $1 OR attempt IS NOT NULL)
            + (SELECT COUNT(*) FROM schedules WHERE next_us <= $1
                AND name NOT IN ('sync-running', 'upload-running') AND name NOT LIKE 'pull-running:%')
            + (SELECT COUNT(*) FROM {jobs} WHERE status NOT IN ('Done', 'Killed')
                AND (job_type IN ('sync-customers', 'upload-customers') OR job_type LIKE 'pull:%'))"
            )
        }
        let now = self.now().as_microsecond();
        match self.store().db() {
            Db::Sqlite { read, .. } => {
                sqlx::query_scalar(AssertSqlSafe(sql("Jobs"))).bind(now).fetch_one(read).await.unwrap()
            }
            Db::Postgres(pool) => {
                sqlx::query_scalar(AssertSqlSafe(sql("apalis.jobs"))).bind(now).fetch_one(pool).await.unwrap()
            }
        }
    }

    /// The end of every story: nothing is left to do, Slack would have taken everything, the record is unbroken.
    pub async fn finish(mut self) {
        self.settle().await;
        self.record().await;
        assert_eq!(self.slack.violations(), Vec::<String>::new(), "what Slack would refuse");
        self.stop().await;
    }
}

/// Looks again and again, for what has no event to wait for; not for ever.
pub struct Patience {
    what: &'static str,
    looks: tokio::time::Interval,
    lasts: Duration,
    until: tokio::time::Instant,
}

impl Patience {
    pub fn new(what: &'static str) -> Self {
        Self::lasting(what, PATIENCE)
    }

    pub fn lasting(what: &'static str, lasts: Duration) -> Self {
        let looks = tokio::time::interval(Duration::from_millis(5));
        Self { what, looks, lasts, until: tokio::time::Instant::now() + lasts }
    }

    pub async fn tick(&mut self) {
        assert!(tokio::time::Instant::now() < self.until, "waited {:?} until {}", self.lasts, self.what);
        self.looks.tick().await;
    }
}

async fn token(app: &App, scope: Scope) -> String {
    let new = NewToken {
        email: Email::parse("production@acme.test").unwrap(),
        scopes: scope.word().to_owned(),
        label: String::new(),
        expires_in: None,
    };
    let token = app.workflow().create_token(new).await.unwrap();
    app.tokens().sign(&token).unwrap()
}
