//! The PostgreSQL server that the tests make their databases on: the one that is named, the one that is there, or one
//! that is started for this run from the programs that are installed.

use std::{
    fmt::Write as _,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use latchkey::store::Store;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator};
use url::Url;

/// Names the server to use; its user must be allowed to create databases.
const VARIABLE: &str = "LATCHKEY_TEST_POSTGRES";
/// Without TLS, whose handshake in a debug build takes longer than a test.
const USUAL: &str = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable";
/// Any number, the same in every process: whoever holds it makes the template.
const TEMPLATE_LOCK: i64 = 7_233_111;

static OURS: Migrator = sqlx::migrate!("migrations/postgres");

#[derive(Debug)]
pub struct Server {
    url: Url,
    /// Migrated, and never connected to again, so that it can be copied.
    pub template: String,
    /// A cluster of our own lives as long as this process holds its watch's input.
    _watch: Option<Child>,
}

/// The server, found once per process. `None`: there is none, and nobody insists on it.
pub fn find() -> Option<&'static Server> {
    static FOUND: OnceLock<Option<Server>> = OnceLock::new();
    // A failure here fails every test that needs it, each with the reason.
    FOUND.get_or_init(|| on_a_runtime(look_for_one())).as_ref()
}

/// Tests are plain functions, so there is no runtime around this one yet.
fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[expect(clippy::disallowed_methods, reason = "which server to test on is nobody's setting but the tester's")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn look_for_one() -> Option<Server> {
    if let Some(url) = variable(VARIABLE) {
        let url: Url = url.parse().unwrap_or_else(|_| panic!("{VARIABLE} is not a URL"));
        assert!(reachable(&url).await, "the PostgreSQL server that {VARIABLE} names does not answer");
        return Some(Server::with_template(url, None).await);
    }
    let usual: Url = USUAL.parse().unwrap();
    if reachable(&usual).await {
        return Some(Server::with_template(usual, None).await);
    }
    if let Some((url, watch)) = start_a_cluster() {
        return Some(Server::with_template(url, Some(watch)).await);
    }
    assert!(variable("CI").is_none(), "no PostgreSQL for the tests; set {VARIABLE}");
    // Not by `eprintln!`, which is not shown for tests that pass.
    let _ = writeln!(
        std::io::stderr(),
        "\n*** HALF OF THE TESTS WERE SKIPPED: there is no PostgreSQL. Set {VARIABLE}, or install its server. ***\n"
    );
    None
}

async fn reachable(url: &Url) -> bool {
    let connecting = tokio::time::timeout(Duration::from_secs(5), PgConnection::connect(url.as_str()));
    matches!(connecting.await, Ok(Ok(_)))
}

impl Server {
    /// Several processes may come here at once; one of them makes the template, and later runs find it there.
    async fn with_template(url: Url, watch: Option<Child>) -> Self {
        let server = Self { url, template: format!("latchkey_template_{}", schema_mark()), _watch: watch };
        let mut conn = PgConnection::connect(server.url.as_str()).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut conn).await.unwrap();
        let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(&server.template)
            .fetch_optional(&mut conn)
            .await
            .unwrap();
        if there.is_none() {
            // Under another name until it is done: a run that is killed must not leave half a template.
            let draft = server.create(None).await;
            let store = Store::open(&server.url_of(&draft), 2).await.unwrap();
            store.migrate().await.unwrap();
            store.close().await;
            let rename = format!("ALTER DATABASE {draft} RENAME TO {}", server.template);
            conn.execute(AssertSqlSafe(rename)).await.unwrap();
        }
        // Closing gives the lock back.
        conn.close().await.unwrap();
        server
    }

    pub fn url_of(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    pub async fn create(&self, template: Option<&str>) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("latchkey_test_{}_{}_{number}", std::process::id(), salt());
        let template = template.unwrap_or("template1");
        let mut conn = PgConnection::connect(self.url.as_str()).await.unwrap();
        conn.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"))).await.unwrap();
        // Nobody cuts the server's power here, and a busy disk would make every time limit a gamble.
        conn.execute(AssertSqlSafe(format!("ALTER DATABASE {name} SET synchronous_commit = off"))).await.unwrap();
        conn.close().await.unwrap();
        name
    }

    /// Whoever is still connected is thrown out.
    pub async fn drop(&self, database: &str) {
        self.execute(format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await;
    }

    async fn execute(&self, sql: String) {
        let mut conn = PgConnection::connect(self.url.as_str()).await.unwrap();
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
        conn.close().await.unwrap();
    }
}

/// Tells apart processes that have the same id at different times or on different machines.
fn salt() -> &'static str {
    static SALT: OnceLock<String> = OnceLock::new();
    SALT.get_or_init(|| {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).unwrap();
        hex::encode(bytes)
    })
}

/// Changes with every migration, ours or the job queue's.
fn schema_mark() -> String {
    use sha2::{Digest, Sha256};
    let jobs = apalis_postgres::PostgresStorage::<()>::migrations();
    let mut hash = Sha256::new();
    for migration in OURS.iter().chain(jobs.iter()) {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    hex::encode(hash.finalize())[..12].to_owned()
}

/// Starts a cluster in a scratch folder, on loopback. It ends, and its folder goes, when this process does.
fn start_a_cluster() -> Option<(Url, Child)> {
    let programs = programs()?;
    let folder = tempfile::Builder::new().prefix("latchkey-pg-").tempdir().unwrap().keep();
    let place = folder.to_str().unwrap();
    // PostgreSQL refuses to run as root.
    let (uid, user) = (output(Command::new("id").arg("-u")), "postgres");
    let as_other = (uid == "0").then(|| {
        assert!(run(Command::new("chown").arg(user).arg(&folder)), "to run PostgreSQL as root, there must be a {user}");
        as_user(user)
    });
    let command = |program: &str| {
        let mut words = as_other.clone().unwrap_or_default();
        words.push(programs.join(program).to_str().unwrap().to_owned());
        words
    };
    let initdb = command("initdb");
    let made = Command::new(&initdb[0])
        .args(&initdb[1..])
        .current_dir("/")
        .args(["-D", &format!("{place}/data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "initdb failed");
    // Free a moment ago; should somebody be quicker, the start fails and says so.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pg_ctl = command("pg_ctl");
    let options = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place} -c fsync=off \
         -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
    );
    let data = format!("{place}/data");
    let log = format!("{place}/log");
    let start = Command::new(&pg_ctl[0])
        .args(&pg_ctl[1..])
        .args(["start", "-w", "-D", &data, "-l", &log, "-o", &options])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(start.is_ok_and(|status| status.success()), "PostgreSQL did not start; see {log}");
    // Its input ends when this process does, however it ends; Ctrl-C reaches the whole group and must not end it first.
    let mut script = String::from("trap '' INT TERM HUP; cat >/dev/null; ");
    for word in &pg_ctl {
        let _ = write!(script, "'{word}' ");
    }
    let _ = write!(script, "stop -m immediate -D '{data}'; rm -rf '{place}'");
    let watch = Command::new("sh")
        .args(["-c", &script])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Some((format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable").parse().unwrap(), watch))
}

/// The folder with PostgreSQL's server programs: on the path, or the newest where Debian keeps them.
fn programs() -> Option<PathBuf> {
    let on_path = variable("PATH").unwrap_or_default();
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    packaged.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
        std::cmp::Reverse(version.unwrap_or(0))
    });
    std::env::split_paths(&on_path)
        .chain(packaged)
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

/// Whichever of the usual programs is there.
fn as_user(user: &str) -> Vec<String> {
    let words: [&[&str]; 2] =
        [&["setpriv", "--reuid", user, "--regid", user, "--clear-groups"], &["runuser", "-u", user, "--"]];
    let fits = |words: &&&[&str]| run(Command::new(words[0]).args(&words[1..]).arg("true"));
    let words = words.iter().find(fits).expect("to run PostgreSQL as root, there must be setpriv or runuser");
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn output(command: &mut Command) -> String {
    command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
