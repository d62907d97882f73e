//! Sets the stage: a scratch folder, a customers database, the workspace with its people, production, and the bot.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    production::Production,
    workspace::{Person, Workspace, WorkspaceConfig},
};
use crate::{
    app::{App, Role, World},
    clock::{SystemClock, SystemEntropy},
    config::{Config, Settings, file},
    domain::{clock::Entropy, person::Email},
    http::auth::Scope,
    slack,
    store::Store,
    workflow::{NewToken, Workflow},
};

pub const CHANNEL: &str = "C0ACCESS";
pub const ANA: &str = "U0ANA";
pub const BO: &str = "U0BO";
pub const CY: &str = "U0CY";

/// Everything that runs while the demo does.
pub struct Stage {
    pub workspace: Workspace,
    pub production: Production,
    pub workflow: Workflow,
    /// Where the bot listens.
    pub bot: String,
    /// A token with the scope `check`, as production would hold one.
    pub check_token: String,
    pub folder: PathBuf,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// The file that a company would write; here with one leads group and one production service.
const FILE: &str = r#"
[access]
default_duration = "4h"
max_duration = "24h"
ticket = '[A-Z]+-[0-9]+'
ticket_url = "https://jira.acme.test/browse/{ticket}"

[groups]
leads = ["bo@acme.test", "cy@acme.test"]

[[rule]]
name = "enterprise"
match = { plan = "enterprise" }
max_duration = "8h"
require = [{ reviewers = ["group:leads"] }]
notify = ["C0ACCESS"]

[[rule]]
name = "regulated"
match = { plan = "regulated" }
sensitive = true
require = [{ reviewers = ["group:leads"], count = 2 }]
notify = ["C0ACCESS"]

[[rule]]
name = "everyone else"
require = [{ reviewers = ["group:leads"] }]
notify = ["C0ACCESS"]
extend_without_approval = "1h"

[[provisioner]]
name = "production"
kind = "webhook"
url = "${PRODUCTION_URL}"
secret = "${PRODUCTION_SECRET}"
"#;

const CUSTOMERS: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, plan TEXT NOT NULL);
INSERT INTO customers (id, name, plan) VALUES
    (123, 'AcmeCorp', 'enterprise'), (124, 'Acme Corp Labs', 'free'), (200, 'Globex', 'team'),
    (201, 'Initech', 'team'), (202, 'Umbrella Health', 'regulated'), (303, 'Stark Logistics', 'free'),
    (404, 'Northwind', 'team'), (505, 'Hooli', 'enterprise');
";

fn random_hex() -> String {
    let mut bytes = [0u8; 16];
    SystemEntropy.fill(&mut bytes);
    hex::encode(bytes)
}

impl Stage {
    pub async fn set() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("latchkey-demo-{}", random_hex()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let customers = folder.join("customers.db");
        let options = SqliteConnectOptions::new().filename(&customers).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql(CUSTOMERS).execute(&mut connection).await?;
        connection.close().await?;

        let clock: Arc<SystemClock> = Arc::new(SystemClock);
        let secret = random_hex();
        let production = Production::start(&secret, clock.clone()).await?;
        let signing_secret = random_hex();
        let bot_token = format!("xoxb-{}", random_hex());
        let workspace = Workspace::start(WorkspaceConfig {
            team_id: "T0DEMO".to_owned(),
            bot_token: bot_token.clone(),
            signing_secret: signing_secret.clone(),
            bot_name: "Latchkey".to_owned(),
        })
        .await?;
        for (id, name, email, title, zone) in [
            (ANA, "Ana", "ana@acme.test", "Support engineer", "Europe/Berlin"),
            (BO, "Bo", "bo@acme.test", "Support lead", "Europe/Berlin"),
            (CY, "Cy", "cy@acme.test", "Security lead", "America/New_York"),
        ] {
            workspace.add_person(Person::new(id, name, email).titled(title).in_zone(zone));
        }
        workspace.add_channel(CHANNEL, "access", &[ANA, BO, CY], true);

        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let bot = format!("http://{}", listener.local_addr()?);
        let settings = [
            ("DATABASE_URL", format!("sqlite://{}", folder.join("latchkey.db").display())),
            ("PUBLIC_URL", bot.clone()),
            ("SLACK_BOT_TOKEN", bot_token),
            ("SLACK_SIGNING_SECRET", signing_secret),
            ("SLACK_API_URL", workspace.api_url()),
            ("CUSTOMERS_DATABASE_URL", format!("sqlite://{}", customers.display())),
        ];
        let settings = Settings::from_env(settings.map(|(name, value)| (name.to_owned(), value)))?;
        let url = production.url().to_owned();
        let file = file::load(FILE, "latchkey.toml", &|name| match name {
            "PRODUCTION_URL" => Some(url.clone()),
            "PRODUCTION_SECRET" => Some(secret.clone()),
            _ => None,
        })?;
        let store = Store::open(settings.database_url.expose(), 1).await?;
        store.migrate().await?;
        let world = World { clock, entropy: Arc::new(SystemEntropy), slack: slack::Limits::default() };
        let app = App::build(&Config { settings, file }, store, world).await?;
        let workflow = app.workflow().clone();
        let token = NewToken {
            email: Email::parse("production@acme.test")?,
            scopes: Scope::Check.word().to_owned(),
            label: "the demo's production service".to_owned(),
            expires_in: None,
        };
        let token = workflow.create_token(token).await?;
        let check_token = app.tokens().sign(&token).context("the token cannot be signed")?;
        workspace.connect(&bot);
        let stop = CancellationToken::new();
        let running = tokio::spawn(app.run(Some(listener), Role::Both, stop.clone()));
        Ok(Self { workspace, production, workflow, bot, check_token, folder, stop, running })
    }

    /// Ends the bot in good order, and removes what it left.
    pub async fn strike(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.running.await??;
        self.workflow.store().close().await;
        self.workspace.stop();
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove the folder {}", self.folder.display()))
    }
}
