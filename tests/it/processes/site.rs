//! A machine with the real binary on it: a folder, an environment, a Slack workspace and a production service, all in
//! real time. Children end with the test, however it ends.

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use latchkey::{
    clock::SystemClock,
    demo::{
        production::{Delivery, Production},
        workspace::{Message, Person, Workspace, WorkspaceConfig},
    },
};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{
    databases::{TestDb, raw_at},
    house::{ANA, BO, CHANNEL, CUSTOMERS, CY, PRODUCTION_SECRET, Patience, SLACK_SECRET, WEBHOOK_SECRET, file_with},
    sent::Sent,
};

/// Looks again and again, for what happens in another process; not for ever.
macro_rules! until {
    ($what:literal, $look:expr) => {{
        let mut patience = $crate::harness::house::Patience::lasting($what, $crate::processes::site::LONG);
        while !$look {
            patience.tick().await;
        }
    }};
}
pub(super) use until;

/// Longer than any process may need for anything here.
pub const LONG: Duration = Duration::from_secs(40);
pub const BOT_TOKEN: &str = "xoxb-of-the-processes";

pub struct Site {
    pub folder: TempDir,
    pub db: TestDb,
    pub slack: Workspace,
    pub production: Production,
    pub customers: String,
    pub http: reqwest::Client,
    env: BTreeMap<String, String>,
    _sent: Sent,
}

impl Site {
    pub async fn new(db: TestDb) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let production = Production::start(PRODUCTION_SECRET, Arc::new(SystemClock)).await.unwrap();
        let slack = Workspace::start(WorkspaceConfig {
            team_id: "T0ACME".to_owned(),
            bot_token: BOT_TOKEN.to_owned(),
            signing_secret: SLACK_SECRET.to_owned(),
            bot_name: "Latchkey".to_owned(),
        })
        .await
        .unwrap();
        for (id, name) in [(ANA, "Ana"), (BO, "Bo"), (CY, "Cy")] {
            slack.add_person(Person::new(id, name, &format!("{}@acme.test", name.to_lowercase())));
        }
        slack.add_channel(CHANNEL, "access", &[ANA, BO, CY], true);
        let customers = db.another().await;
        raw_at(&customers, CUSTOMERS).await;
        let folder = tempfile::Builder::new().prefix("latchkey-site-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let sent = Sent(slack.clone());
        let mut site = Self { folder, db, slack, production, customers, http, env: BTreeMap::new(), _sent: sent };
        for (name, value) in [
            ("DATABASE_URL", site.db.url.clone()),
            ("LISTEN", "127.0.0.1:0".to_owned()),
            ("SLACK_BOT_TOKEN", BOT_TOKEN.to_owned()),
            ("SLACK_SIGNING_SECRET", SLACK_SECRET.to_owned()),
            ("SLACK_API_URL", site.slack.api_url()),
            ("CUSTOMERS_DATABASE_URL", site.customers.clone()),
            ("INDENT_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("PRODUCTION_URL", site.production.url().to_owned()),
            ("PRODUCTION_SECRET", PRODUCTION_SECRET.to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
            ("TMPDIR", site.folder.path().join("tmp").display().to_string()),
        ] {
            site.set(name, &value);
        }
        site.write(&provisioner("5s"));
        site
    }

    /// Empty means not set. What it was before.
    pub fn set(&mut self, name: &str, value: &str) -> Option<String> {
        self.env.insert(name.to_owned(), value.to_owned())
    }

    /// What `latchkey.toml` says of provisioners.
    pub fn write(&self, provisioners: &str) {
        self.write_file(&file_with(provisioners));
    }

    pub fn write_file(&self, text: &str) {
        std::fs::write(self.path("latchkey.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command.args(words).env_clear().envs(&self.env).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; what it printed and how it ended.
    pub async fn run(&self, words: &[&str]) -> Done {
        self.run_with(&[], words).await
    }

    /// The same with these variables besides.
    pub async fn run_with(&self, vars: &[(&str, &str)], words: &[&str]) -> Done {
        let log = self.folder.path().join(format!("run-{}", uuid()));
        let (out, err) = (log.with_extension("out"), log.with_extension("err"));
        let mut command = self.command(words);
        command.envs(vars.iter().copied());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut process = Process { child: command.spawn().unwrap(), log: err.clone() };
        let status = process.ended(LONG).await;
        let read = |path| std::fs::read_to_string(path).unwrap();
        Done { code: status.code(), out: read(out), err: read(err) }
    }

    /// Starts a command that stays.
    pub fn start(&self, words: &[&str]) -> Process {
        let log = self.folder.path().join(format!("log-{}", uuid()));
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Process { child: command.spawn().unwrap(), log }
    }

    /// Starts `serve`, waits until it is ready, and connects Slack to it.
    pub async fn serve(&self) -> (Process, String) {
        let server = self.start(&["serve"]);
        let url = server.url().await;
        self.ready(&url).await;
        self.slack.connect(&url);
        (server, url)
    }

    pub async fn ready(&self, url: &str) {
        let ask = || self.http.get(format!("{url}/readyz")).send();
        until!("a server is ready", ask().await.is_ok_and(|answer| answer.status().is_success()));
    }

    /// A token as an operator makes it.
    pub async fn token(&self, scope: &str) -> String {
        self.token_of("ops@acme.test", scope).await
    }

    pub async fn token_of(&self, email: &str, scope: &str) -> String {
        let made = self.run(&["token", "create", "--email", email, "--scope", scope]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        made.out.trim().to_owned()
    }

    pub async fn allows(&self, url: &str, token: &str) -> bool {
        let request = self.http.get(format!("{url}/v1/check?user=ana@acme.test&customer=123")).bearer_auth(token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        answer.json::<Value>().await.unwrap()["allowed"].as_bool().unwrap()
    }

    /// The value of a metric, by its name and labels as they stand.
    pub async fn metric(&self, url: &str, name: &str) -> Option<f64> {
        let text = self.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    pub fn with_button(&self, place: &str, button: &str) -> Option<Message> {
        self.slack.messages(place).into_iter().rev().find(|message| message.buttons().iter().any(|b| b == button))
    }

    /// Waits for a message with that button, and presses it.
    pub async fn press(&self, user: &str, button: &str) {
        let look = |_: &Workspace| self.with_button(user, button);
        let message = self.slack.wait_for(button, LONG, look).await.unwrap();
        let answer = self.slack.press(user, &message, button).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
    }

    pub async fn types(&self, text: &str) {
        let answer = self.slack.command(ANA, CHANNEL, "/access", text).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
    }

    /// Ana asks and Bo approves.
    pub async fn granted(&self, length: &str) {
        self.types(&format!("customer 123 for {length} to debug BUG-482")).await;
        self.press(BO, "Approve").await;
    }

    /// Waits until so many deliveries arrived, whatever became of them.
    pub async fn arrived(&self, count: usize) -> Vec<Delivery> {
        let look = |p: &Production| Some(p.deliveries()).filter(|all| all.len() >= count);
        self.production.wait_for("a delivery", LONG, look).await.unwrap()
    }

    /// Waits until so many deliveries were applied.
    pub async fn applied(&self, count: usize) -> Vec<Delivery> {
        let look = |p: &Production| Some(p.applied()).filter(|all| all.len() >= count);
        self.production.wait_for("a delivery that is applied", LONG, look).await.unwrap()
    }
}

/// The usual provisioner.
pub fn provisioner(timeout: &str) -> String {
    format!(
        "[[provisioner]]\nname = \"production\"\nkind = \"webhook\"\nurl = \"${{PRODUCTION_URL}}\"\n\
         secret = \"${{PRODUCTION_SECRET}}\"\ntimeout = \"{timeout}\"\n"
    )
}

fn uuid() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    hex::encode(bytes)
}

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Done {
    /// `None`: by a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A process that ends when it is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Where it says that it listens.
    pub async fn url(&self) -> String {
        let find = || {
            let log = self.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut runs = lines.filter(|line| line["fields"]["message"] == "latchkey runs");
            runs.next().map(|line| format!("http://{}", line["fields"]["listen"].as_str().unwrap()))
        };
        until!("it says that it runs", find().is_some());
        find().unwrap()
    }

    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// As if the machine had lost its power: nothing is finished, nothing is said.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, but not for ever.
    pub async fn ended(&mut self, longest: Duration) -> ExitStatus {
        let mut patience = Patience::lasting("a process ends", longest);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            patience.tick().await;
        }
    }

    /// Ends it in good order.
    pub async fn stop(mut self) {
        self.terminate();
        assert_eq!(self.ended(LONG).await.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
