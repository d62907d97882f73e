//! The only place that picks concrete types and puts the rooms together: [`App::build`], then [`App::run`].

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use anyhow::Context;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, FileConfig, ProvisionerKind, Settings, WebhookConfig},
    domain::{
        clock::{Clock, Entropy},
        customer::Labels,
        id::{DecisionName, ProvisionerName},
        length,
    },
    health::Health,
    http::{self, Http, layers, token::TokenKey},
    indent::{
        self, Space, SpaceSettings,
        api::{Api, Declared, DeclaredPolicy, DeclaredWebhook, declared::Selector},
    },
    jobs::{CustomersSource, Jobs},
    policy::{Policy, Rule},
    provisioners::{Provisioner, Webhook, WebhookSettings},
    pulls::{Pull, Pulls},
    slack::{self, Slack, client::SlackClient, directory::Directory, socket::Socket},
    store::Store,
    webhooks::{Caller, DecisionHook, Endpoint},
    workflow::{Decider, Kinds, Target, Workflow},
};

/// Connections of the pool on PostgreSQL: requests, jobs and the listener share them.
pub const CONNECTIONS: u32 = 16;
/// The app's own token is asked for a connection; nobody waits for that.
const APP_PATIENCE: Duration = Duration::from_secs(10);
/// After a signal, what runs may take this long to finish.
const LAST_WORDS: Duration = Duration::from_secs(9);

/// Where time and randomness come from, and how patient those are who wait.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub slack: slack::Limits,
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
    /// `Some`: Slack is reached by Socket Mode.
    socket: Option<Socket>,
    workflow: Workflow,
    tokens: TokenKey,
    /// Cancelled when the process stops, for those who wait for decisions.
    closing: CancellationToken,
}

impl App {
    /// Puts the rooms together over an open, migrated store.
    pub async fn build(config: &Config, store: Store, world: World) -> anyhow::Result<Self> {
        http::metrics::install();
        let Config { settings, file } = config;
        let mut workflow = workflow(config, store.clone(), &world);
        let people = directory_of(settings, &world)?;
        if let Some((_, directory)) = &people {
            workflow = workflow.with_people(Arc::new(directory.clone()));
        }
        if settings.remote.is_some() {
            workflow = workflow.decided_by(&settings.space);
        }
        let health = Arc::new(Health::default());
        let tokens = TokenKey::new(secret(settings, &store, world.entropy.as_ref()).await?);
        let slack = people.and_then(|people| slack_of(settings, &workflow, people, world.slack));
        let socket = match &slack {
            Some(slack) => socket_of(settings, slack, &world)?,
            None => None,
        };
        let closing = CancellationToken::new();
        let state = Http {
            workflow: workflow.clone(),
            tokens: tokens.clone(),
            health: health.clone(),
            space: settings.space.clone(),
        };
        let (declared, pulls) = (declared(file, settings), Arc::new(pulls_of(file, settings)?));
        let api = Api::new(state.clone(), &settings.customer_kind, declared, pulls.clone(), closing.clone());
        let (own, own_described) = http::routes().split_for_parts();
        let (space, space_described) = indent::api::routes().split_for_parts();
        let (doors, doors_described) = slack::routes().split_for_parts();
        let (webhook, webhook_described) = indent::routes().split_for_parts();
        let described = vec![own_described, space_described, doors_described, webhook_described];
        let document = http::openapi::document(described, settings.public_url.as_str());
        let mut router = own.with_state(state).merge(http::openapi::routes(&document)?);
        if let Some(slack) = &slack {
            router = router.merge(doors.with_state(slack.clone()));
        }
        if !settings.webhook_secrets.is_empty() {
            router = router.merge(webhook.with_state(Arc::new(indent::Receiver {
                workflow: workflow.clone(),
                secrets: settings.webhook_secrets.clone(),
                customer_kind: settings.customer_kind.clone(),
            })));
        }
        let jobs = Arc::new(Jobs {
            workflow: workflow.clone(),
            clock: world.clock.clone(),
            provisioners: provisioners(file, settings)?,
            decisions: decisions(file, settings)?,
            slack: slack.clone(),
            customers: customers_of(settings),
            pulls,
            space: space_of(settings, &world)?,
            failed_uploads: AtomicI64::default(),
            health,
        });
        Ok(Self {
            router: layers::around(router, space.with_state(api)),
            jobs,
            slack,
            socket,
            workflow,
            tokens,
            closing,
        })
    }

    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// `None` while Slack is off.
    pub fn slack(&self) -> Option<&Arc<Slack>> {
        self.slack.as_ref()
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
            let (stopping, closing) = (stop.clone(), self.closing);
            let closing = async move {
                stopping.cancelled().await;
                closing.cancel();
            };
            let served = axum::serve(listener, self.router).with_graceful_shutdown(closing).await;
            // Nobody serves any more: a process that goes on working would look alive.
            stop.cancel();
            served.context("the server ended")
        };
        let work = async {
            if role != Role::Web {
                self.jobs.run(stop.clone()).await;
            }
        };
        let socket = async {
            if let Some(socket) = self.socket.as_ref().filter(|_| role != Role::Worker) {
                socket.run(&stop).await;
            }
        };
        let everything = async {
            let (served, (), ()) = tokio::join!(web, work, socket);
            if let Some(slack) = &self.slack {
                slack.afterwards.close();
                slack.afterwards.wait().await;
            }
            served
        };
        let relay = async {
            let store = self.workflow.store();
            store.relay(&stop).await;
            if role == Role::Web {
                store.follow_file(&stop).await;
            }
            std::future::pending::<()>().await
        };
        let in_time = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            served = everything => served,
            () = http::metrics::upkeep() => Ok(()),
            // Until everything else has ended, as it is told by the others what they commit.
            () = relay => Ok(()),
            () = in_time => {
                tracing::warn!("stopped with work under way; it is done again at the next start");
                Ok(())
            }
        }
    }
}

/// The use cases over a store, for commands that need no server.
pub fn workflow(config: &Config, store: Store, world: &World) -> Workflow {
    let Config { settings, file } = config;
    let targets = file.provisioners.iter().map(|one| Target {
        name: one.name.clone(),
        kinds: kinds(one.kinds.as_deref(), settings),
        matches: one.matches.clone().unwrap_or_default(),
    });
    let deciders = file.decisions.iter().map(|one| Decider {
        name: one.name.clone(),
        bot: one.bot.clone(),
        kinds: kinds(one.kinds.as_deref(), settings),
        matches: one.matches.clone().unwrap_or_default(),
    });
    let policy = Arc::new(file.policy.clone());
    Workflow::new(store, policy, world.clock.clone(), world.entropy.clone(), targets.collect())
        .with_deciders(deciders.collect())
}

/// Without a list: customers.
fn kinds(kinds: Option<&[String]>, settings: &Settings) -> Kinds {
    kinds.map_or_else(Kinds::customers, |kinds| Kinds::new(kinds.iter().map(String::as_str), &settings.customer_kind))
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

/// The client of the remote space, if there is one.
pub fn space_of(settings: &Settings, world: &World) -> anyhow::Result<Option<Arc<Space>>> {
    let Some(remote) = &settings.remote else { return Ok(None) };
    let space = SpaceSettings {
        url: remote.url.clone(),
        space: settings.space.clone(),
        token: remote.token.clone(),
        customer_kind: settings.customer_kind.clone(),
    };
    let space = Space::new(space, world.clock.clone()).context("the client of the remote space cannot be set up")?;
    Ok(Some(Arc::new(space)))
}

fn directory_of(settings: &Settings, world: &World) -> anyhow::Result<Option<(SlackClient, Directory)>> {
    let Some(slack) = &settings.slack else { return Ok(None) };
    let client = SlackClient::new(&slack.api_url, slack.bot_token.clone(), world.slack.call)
        .context("the Slack client cannot be set up")?;
    let directory = Directory::new(client.clone(), world.clock.clone());
    Ok(Some((client, directory)))
}

fn slack_of(
    settings: &Settings,
    workflow: &Workflow,
    people: (SlackClient, Directory),
    limits: slack::Limits,
) -> Option<Arc<Slack>> {
    let slack = settings.slack.as_ref()?;
    let (client, directory) = people;
    let secrets = slack.signing_secrets.clone();
    Some(Arc::new(Slack::new(workflow.clone(), client, directory, secrets, slack.api_url.clone(), limits)))
}

fn socket_of(settings: &Settings, slack: &Arc<Slack>, world: &World) -> anyhow::Result<Option<Socket>> {
    let Some((of, token)) = settings.slack.as_ref().and_then(|of| of.app_token.as_ref().map(|token| (of, token)))
    else {
        return Ok(None);
    };
    let app = SlackClient::new(&of.api_url, token.clone(), APP_PATIENCE)
        .context("the client of Slack's Socket Mode cannot be set up")?;
    Ok(Some(Socket::new(slack.clone(), app, world.clock.clone(), world.entropy.clone())))
}

/// What administrators may read of the file over the API.
fn declared(file: &FileConfig, settings: &Settings) -> Declared {
    let declare = |name: &str, does: &str, kinds: Option<&[String]>, webhook: &WebhookConfig| DeclaredWebhook {
        name: name.to_owned(),
        space_name: settings.space.clone(),
        display_name: name.to_owned(),
        labels: [
            (format!("indent.com/webhook/kind:{does}"), "true".to_owned()),
            (
                format!("indent.com/webhook/{does}:kind"),
                kinds.map_or_else(|| settings.customer_kind.clone(), |kinds| kinds.join(",")),
            ),
        ]
        .into(),
        url: webhook.url.to_string(),
        method: "POST",
        headers: webhook.headers.keys().map(|name| (name.clone(), Labels::new())).collect(),
        dry_run: webhook.dry_run,
    };
    let applies = file.provisioners.iter().map(|one| match &one.kind {
        ProvisionerKind::Webhook(webhook) => declare(one.name.as_str(), "applyUpdate", one.kinds.as_deref(), webhook),
    });
    let decides = file.decisions.iter();
    let decides = decides.map(|one| declare(one.name.as_str(), "decision", one.kinds.as_deref(), &one.webhook));
    let pulls = file.pulls.iter();
    let pulls = pulls.map(|one| declare(one.name.as_str(), "pullUpdate", one.kinds.as_deref(), &one.webhook));
    let policy = |rule: &Rule| DeclaredPolicy {
        name: rule.name.clone(),
        space_name: settings.space.clone(),
        display_name: rule.name.clone(),
        selector: Selector { match_labels: rule.matches.clone().unwrap_or_default() },
        require: rule.require.iter().map(ToString::to_string).collect(),
        max_duration: length::go(file.policy.max_duration(rule)),
    };
    Declared {
        webhooks: applies.chain(decides).chain(pulls).collect(),
        policies: file.policy.rules.iter().map(policy).collect(),
    }
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

fn decisions(file: &FileConfig, settings: &Settings) -> anyhow::Result<BTreeMap<DecisionName, DecisionHook>> {
    let mut decisions = BTreeMap::new();
    for one in &file.decisions {
        let endpoint = endpoint(&one.webhook)?;
        let hook = DecisionHook::new(endpoint, one.bot.clone(), one.webhook.dry_run, &settings.customer_kind)
            .with_context(|| format!("the decision `{}` cannot be set up", one.name))?;
        decisions.insert(one.name.clone(), hook);
    }
    Ok(decisions)
}

fn pulls_of(file: &FileConfig, settings: &Settings) -> anyhow::Result<Pulls> {
    let mut all = BTreeMap::new();
    for one in &file.pulls {
        let caller = Caller::new(endpoint(&one.webhook)?)
            .with_context(|| format!("the pull `{}` cannot be set up", one.name))?;
        let kinds = one.kinds.clone().unwrap_or_else(|| vec![settings.customer_kind.clone()]);
        let pull = Pull { caller, kinds: kinds.into_iter().collect(), flags: one.flags.clone(), every: one.every };
        all.insert(one.name.clone(), pull);
    }
    Ok(Pulls {
        all,
        customer_kind: settings.customer_kind.clone(),
        max_removals_percent: settings.max_removals_percent,
    })
}

fn webhook_settings(webhook: &WebhookConfig, settings: &Settings) -> anyhow::Result<WebhookSettings> {
    Ok(WebhookSettings {
        endpoint: endpoint(webhook)?,
        dry_run: webhook.dry_run,
        customer_kind: settings.customer_kind.clone(),
    })
}

/// Where a webhook of the file is called.
pub fn endpoint(webhook: &WebhookConfig) -> anyhow::Result<Endpoint> {
    let mut headers = HeaderMap::new();
    for (name, value) in &webhook.headers {
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(Endpoint {
        url: webhook.url.clone(),
        secrets: webhook.secrets.iter().map(|one| SecretString::from(one.expose_secret())).collect(),
        headers,
        timeout: webhook.timeout.unsigned_abs(),
    })
}
