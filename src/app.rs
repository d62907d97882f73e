//! The only place that picks concrete types and puts the rooms together: [`App::build`], then [`App::run`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, FileConfig, ProvisionerKind, Settings, WebhookConfig},
    domain::{
        clock::{Clock, Entropy},
        id::ProvisionerName,
    },
    health::Health,
    http::{self, Http, layers, token::TokenKey},
    indent,
    jobs::{CustomersSource, Jobs},
    policy::Policy,
    provisioners::{Provisioner, Webhook, WebhookSettings},
    slack::{self, Slack, client::SlackClient, directory::Directory},
    store::Store,
    workflow::{Target, Workflow},
};

/// Connections of the pool on PostgreSQL: requests, jobs and the listener share them.
pub const CONNECTIONS: u32 = 16;
/// One call of Slack's Web API; two of them in a row must fit into Slack's three seconds.
const SLACK_PATIENCE: Duration = Duration::from_millis(1_100);
/// After a signal, what runs may take this long to finish.
const LAST_WORDS: Duration = Duration::from_secs(9);

/// Where time and randomness come from.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Web,
    Worker,
    Both,
}

/// A whole Latchkey, built and not yet running.
pub struct App {
    router: axum::Router,
    jobs: Arc<Jobs>,
    slack: Option<Arc<Slack>>,
    workflow: Workflow,
    tokens: TokenKey,
}

impl App {
    /// Puts the rooms together over an open, migrated store.
    pub async fn build(config: &Config, store: Store, world: World) -> anyhow::Result<Self> {
        http::metrics::install();
        let Config { settings, file } = config;
        let workflow = workflow(file, store.clone(), &world);
        let health = Arc::new(Health::default());
        let tokens = TokenKey::new(secret(settings, &store, world.entropy.as_ref()).await?);
        let slack = slack_of(settings, &workflow, &world)?;
        let state = Http {
            workflow: workflow.clone(),
            tokens: tokens.clone(),
            health: health.clone(),
            space: settings.space.clone(),
        };
        let mut router = http::routes(state);
        if let Some(slack) = &slack {
            router = router.merge(slack::routes(slack.clone()));
        }
        if !settings.webhook_secrets.is_empty() {
            router = router.merge(indent::routes(indent::Receiver {
                workflow: workflow.clone(),
                secrets: settings.webhook_secrets.clone(),
                customer_kind: settings.customer_kind.clone(),
            }));
        }
        let jobs = Arc::new(Jobs {
            workflow: workflow.clone(),
            clock: world.clock.clone(),
            provisioners: provisioners(file, settings)?,
            slack: slack.clone(),
            customers: customers_of(settings),
            health,
        });
        Ok(Self { router: layers::around(router), jobs, slack, workflow, tokens })
    }

    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    pub fn tokens(&self) -> &TokenKey {
        &self.tokens
    }

    /// Serves and works until `stop`, then lets what runs finish, within ten seconds. `listener` is `None` for a
    /// process that only works.
    pub async fn run(self, listener: Option<TcpListener>, role: Role, stop: CancellationToken) -> anyhow::Result<()> {
        // With nobody to ask for, a server that can still learn of somebody is not ready.
        let will_sync = role != Role::Web && self.jobs.customers.is_some();
        let nobody_yet = self.workflow.store().customer_count().await.is_ok_and(|count| count == 0);
        self.jobs.health.set_first_sync_pending(will_sync && nobody_yet);
        let web = async {
            let Some(listener) = listener.filter(|_| role != Role::Worker) else { return Ok(()) };
            let served =
                axum::serve(listener, self.router).with_graceful_shutdown(stop.clone().cancelled_owned()).await;
            // Nobody serves any more: a process that goes on working would look alive.
            stop.cancel();
            served.context("the server ended")
        };
        let work = async {
            if role != Role::Web {
                self.jobs.run(stop.clone()).await;
            }
        };
        let everything = async {
            let (served, ()) = tokio::join!(web, work);
            if let Some(slack) = &self.slack {
                slack.afterwards.close();
                slack.afterwards.wait().await;
            }
            served
        };
        let in_time = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            served = everything => served,
            () = http::metrics::upkeep() => Ok(()),
            () = in_time => {
                tracing::warn!("stopped with work under way; it is done again at the next start");
                Ok(())
            }
        }
    }
}

/// The use cases over a store, for commands that need no server.
pub fn workflow(file: &FileConfig, store: Store, world: &World) -> Workflow {
    let targets = file
        .provisioners
        .iter()
        .map(|one| Target { name: one.name.clone(), matches: one.matches.clone().unwrap_or_default() })
        .collect();
    Workflow::new(store, Arc::new(file.policy.clone()), world.clock.clone(), world.entropy.clone(), targets)
}

/// For commands on the database alone, which decide nothing: a policy under which nobody can ask for anything.
pub fn bare_workflow(store: Store, world: &World) -> Workflow {
    Workflow::new(store, Arc::new(Policy::closed()), world.clock.clone(), world.entropy.clone(), Vec::new())
}

/// `LATCHKEY_SECRET`, or the one that was made at the first start and that the database keeps.
pub async fn secret(settings: &Settings, store: &Store, entropy: &dyn Entropy) -> anyhow::Result<SecretString> {
    if let Some(secret) = &settings.secret {
        return Ok(secret.clone());
    }
    let mut bytes = [0u8; 32];
    entropy.fill(&mut bytes);
    let kept = store.setting_or_keep("token_secret", &hex::encode(bytes)).await?;
    Ok(SecretString::from(kept))
}

pub fn customers_of(settings: &Settings) -> Option<CustomersSource> {
    settings.customers.as_ref().map(|customers| CustomersSource {
        url: customers.url.expose().to_owned(),
        query: customers.query.clone(),
        every: settings.sync_every,
        max_removals_percent: settings.max_removals_percent,
    })
}

fn slack_of(settings: &Settings, workflow: &Workflow, world: &World) -> anyhow::Result<Option<Arc<Slack>>> {
    let Some(slack) = &settings.slack else { return Ok(None) };
    let client = SlackClient::new(&slack.api_url, slack.bot_token.clone(), SLACK_PATIENCE)
        .context("the Slack client cannot be set up")?;
    let directory = Directory::new(client.clone(), world.clock.clone());
    Ok(Some(Arc::new(Slack::new(
        workflow.clone(),
        client,
        directory,
        slack.signing_secrets.clone(),
        slack.api_url.clone(),
    ))))
}

fn provisioners(file: &FileConfig, settings: &Settings) -> anyhow::Result<BTreeMap<ProvisionerName, Provisioner>> {
    let mut provisioners = BTreeMap::new();
    for one in &file.provisioners {
        let provisioner = match &one.kind {
            ProvisionerKind::Webhook(webhook) => Provisioner::Webhook(
                Webhook::new(webhook_settings(webhook, settings)?)
                    .with_context(|| format!("the provisioner `{}` cannot be set up", one.name))?,
            ),
        };
        provisioners.insert(one.name.clone(), provisioner);
    }
    Ok(provisioners)
}

fn webhook_settings(webhook: &WebhookConfig, settings: &Settings) -> anyhow::Result<WebhookSettings> {
    let mut headers = HeaderMap::new();
    for (name, value) in &webhook.headers {
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(WebhookSettings {
        url: webhook.url.clone(),
        secrets: webhook.secrets.iter().map(|one| SecretString::from(one.expose_secret())).collect(),
        headers,
        timeout: webhook.timeout.unsigned_abs(),
        dry_run: webhook.dry_run,
        customer_kind: settings.customer_kind.clone(),
    })
}
