//! A small, stateful and strict Slack workspace on loopback: the real Web API shapes, signed requests to the bot, and
//! a page on which a person can be one of its people.
//!
//! The demo plays its story here, the integration tests act here. It is strict so that a card Slack would refuse fails
//! at home: see [`Workspace::violations`]. Nothing polls or sleeps; whoever waits is woken by a change.
//!
//! May import: `domain::signature`, `clock`, `slack::manifest` (what is installed), and the web libraries. To add a Web API
//! method: its row in `methods.rs`.
//!
//! Reading order: `model` (what there is), `app` (what the bot declared), `api`, `methods` and `views` (what it may ask),
//! `validate`, `kit` and `markup` (what it may send), `deliver`, `socket`, `act`, `talk` and `modal` (what people do), `form` (how a modal
//! is filled in), `page`.

mod act;
mod api;
mod app;
#[cfg(test)]
mod bench;
mod deliver;
mod form;
mod history;
mod kit;
mod markup;
mod methods;
mod modal;
mod model;
mod page;
mod respond;
mod shapes;
mod socket;
mod talk;
pub mod validate;
mod views;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{clock::SystemClock, domain::clock::Clock, slack::manifest};
use app::Installed;
pub use app::Shortcut;
pub use model::{Answer, Call, Fault, Message, Person, View, dm_of};
use model::{Channel, Group, PendingFault, State};
pub use socket::LinkFault;

/// Seconds since 1970.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;
/// Reads what the side panel of the page shows: `{title, rows: [[…]]}`, or a list of such.
pub type Panel = Arc<dyn Fn() -> BoxFuture<'static, Value> + Send + Sync>;

/// Who the workspace is and what it shares with the bot.
#[derive(Clone)]
pub struct WorkspaceConfig {
    pub team_id: String,
    pub bot_token: String,
    pub signing_secret: String,
    pub bot_name: String,
}

/// A handle on the workspace. Its server ends with the last handle, or at [`Workspace::stop`].
#[derive(Clone)]
pub struct Workspace(Arc<Inner>);

struct Inner {
    config: WorkspaceConfig,
    origin: String,
    client: reqwest::Client,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    now: RwLock<Now>,
    panel: Mutex<Option<Panel>>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// What the server holds: never a handle, or the last one could not be dropped.
#[derive(Clone)]
struct Server {
    inner: Weak<Inner>,
    stop: CancellationToken,
}

impl Server {
    fn workspace(&self) -> Option<Workspace> {
        self.inner.upgrade().map(Workspace)
    }
}

impl Workspace {
    /// Binds a free port of 127.0.0.1 and serves until the last handle is gone.
    pub async fn start(config: WorkspaceConfig) -> std::io::Result<Workspace> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Slackbot 1.0 (+https://api.slack.com/robots)")
            .timeout(deliver::GIVE_UP)
            .build()
            .map_err(std::io::Error::other)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let declared = url::Url::parse(&origin).map(|url| manifest::json(&url)).unwrap_or_default();
        let app = Installed::from_manifest(&serde_json::from_str(&declared)?);
        let bot = Person {
            email: None,
            is_bot: true,
            email_confirmed: false,
            ..Person::new(&shapes::bot_user_id(&config), &config.bot_name, "")
        };
        let inner = Arc::new(Inner {
            config,
            origin,
            client,
            state: Mutex::new(State { people: vec![bot], app, ..State::default() }),
            changes: watch::Sender::new(0),
            now: RwLock::new(Arc::new(|| SystemClock.now().as_second())),
            panel: Mutex::new(None),
            stop: stop.clone(),
            _stop_on_drop: stop.clone().drop_guard(),
        });
        let server = Server { inner: Arc::downgrade(&inner), stop: stop.clone() };
        let routes =
            api::routes().merge(respond::routes()).merge(page::routes()).merge(socket::routes()).with_state(server);
        tokio::spawn(async move {
            axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await.ok();
        });
        Ok(Workspace(inner))
    }

    /// Stops serving; whoever still waits for an answer gets none.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        self.0.origin.clone()
    }

    /// What `SLACK_API_URL` is set to.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.0.origin)
    }

    /// Where a person opens a browser.
    pub fn page_url(&self) -> String {
        format!("{}/", self.0.origin)
    }

    pub fn team_id(&self) -> &str {
        &self.0.config.team_id
    }

    pub fn app_id(&self) -> String {
        shapes::app_id(&self.0.config)
    }

    pub fn bot_user_id(&self) -> String {
        shapes::bot_user_id(&self.0.config)
    }

    /// Where signed requests go: `/slack/commands`, `/slack/interactions`, `/slack/options`, `/slack/events` below it.
    pub fn connect(&self, bot_base_url: &str) {
        let url = bot_base_url.trim_end_matches('/').to_owned();
        self.update(|state| state.bot_url = Some(url));
    }

    /// The clock that signs, and by which triggers and response_urls die. The system's by default.
    pub fn set_now(&self, now: Now) {
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn now(&self) -> i64 {
        let now = self.0.now.read().unwrap_or_else(PoisonError::into_inner).clone();
        now()
    }

    /// Adds a person, or replaces the one with that id.
    pub fn add_person(&self, person: Person) {
        self.update(|state| match state.people.iter_mut().find(|known| known.id == person.id) {
            Some(known) => *known = person,
            None => state.people.push(person),
        });
    }

    /// Changes a person; nobody of that id, nothing happens. Tells the bot nothing: see [`Workspace::announce_person`].
    pub fn update_person(&self, id: &str, change: impl FnOnce(&mut Person)) {
        self.update(|state| {
            if let Some(person) = state.people.iter_mut().find(|person| person.id == id) {
                change(person);
            }
        });
    }

    /// Everybody but the bot, in the order they came.
    pub fn people(&self) -> Vec<Person> {
        self.read(|state| state.people.iter().filter(|person| !person.is_bot).cloned().collect())
    }

    /// Installs the app anew from another manifest. Until then it is the one that `latchkey slack manifest` prints.
    pub fn install(&self, manifest: &Value) {
        let app = Installed::from_manifest(manifest);
        self.update(|state| state.app = app);
    }

    /// The global shortcuts that the app declares, as its menu shows them.
    pub fn shortcuts(&self) -> Vec<Shortcut> {
        self.read(|state| state.app.shortcuts.clone())
    }

    /// Adds a public channel, or replaces the one with that id.
    pub fn add_channel(&self, id: &str, name: &str, members: &[&str], bot_is_member: bool) {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        let channel = Channel {
            id: id.to_owned(),
            name: name.to_owned(),
            members,
            bot_is_member,
            archived: false,
            private: false,
        };
        self.update(|state| match state.channels.iter_mut().find(|known| known.id == channel.id) {
            Some(known) => *known = channel,
            None => state.channels.push(channel),
        });
    }

    /// From now on nobody finds the channel who is not in it.
    pub fn make_private(&self, id: &str) {
        self.update(|state| {
            if let Some(channel) = state.channels.iter_mut().find(|channel| channel.id == id) {
                channel.private = true;
            }
        });
    }

    pub fn archive_channel(&self, id: &str) {
        self.update(|state| {
            if let Some(channel) = state.channels.iter_mut().find(|channel| channel.id == id) {
                channel.archived = true;
            }
        });
    }

    /// Makes a user group, or sets its handle and members.
    pub fn set_usergroup(&self, id: &str, handle: &str, members: &[&str]) {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        let group = Group { id: id.to_owned(), handle: handle.to_owned(), members };
        self.update(|state| match state.groups.iter_mut().find(|known| known.id == group.id) {
            Some(known) => *known = group,
            None => state.groups.push(group),
        });
    }

    /// What the bot's token may do; what the app declares, if nobody says otherwise.
    pub fn set_scopes(&self, scopes: &[&str]) {
        self.update(|state| state.scopes = Some(scopes.iter().map(|&scope| scope.to_owned()).collect()));
    }

    fn scopes(&self) -> Vec<String> {
        self.read(|state| state.scopes.clone().unwrap_or_else(|| state.app.scopes.clone()))
    }

    /// The messages of a channel or of a direct message (by its D id or the person's), threads included, in order of
    /// arrival. Without ephemeral ones.
    pub fn messages(&self, channel: &str) -> Vec<Message> {
        self.read(|state| {
            let place = state.place(channel).unwrap_or_else(|| channel.to_owned());
            let of_place = |message: &&Message| message.channel == place && !message.ephemeral;
            state.messages.iter().filter(of_place).cloned().collect()
        })
    }

    /// What only this person was shown: chat.postEphemeral, slash answers, posts to response_urls.
    pub fn ephemerals(&self, user: &str) -> Vec<Message> {
        self.read(|state| {
            state.messages.iter().filter(|message| message.to.as_deref() == Some(user)).cloned().collect()
        })
    }

    /// The topmost open modal of this person.
    pub fn view(&self, user: &str) -> Option<View> {
        self.read(|state| state.modals.get(user).and_then(|stack| stack.last()).cloned())
    }

    /// The Home tab as last published for this person.
    pub fn home(&self, user: &str) -> Option<View> {
        self.read(|state| state.homes.get(user).cloned())
    }

    /// Every Web API call so far, and every post to a response_url.
    pub fn calls(&self) -> Vec<Call> {
        self.read(|state| state.calls.clone())
    }

    /// The JSON that the bot answered so far to commands, clicks, forms and searches, by the path that it was asked at.
    pub fn answers(&self) -> Vec<(String, Value)> {
        self.read(|state| state.answers.clone())
    }

    /// The events that the bot was sent so far, whole, with the status of its answer (0: none came). Those of its own posts
    /// follow the post by a moment.
    pub fn events(&self) -> Vec<(Value, u16)> {
        self.read(|state| state.events.clone())
    }

    /// Everything Slack would refuse or a reviewer of ours would, in order. Empty is good.
    pub fn violations(&self) -> Vec<String> {
        self.read(|state| state.violations.clone())
    }

    /// Waits until `f` finds something, looking again at each change of the workspace.
    ///
    /// # Errors
    /// After `timeout`: what was awaited, and what the workspace saw last.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        timeout: Duration,
        f: impl Fn(&Workspace) -> Option<T>,
    ) -> Result<T, String> {
        let mut changes = self.0.changes.subscribe();
        let found = tokio::time::timeout(timeout, async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = f(self) {
                    return Some(found);
                }
                // The sender lives as long as `self`, so this ends only with a change.
                changes.changed().await.ok()?;
            }
        });
        if let Ok(Some(found)) = found.await {
            return Ok(found);
        }
        let (last, violations) = self.read(|state| {
            let short = |call: &Call| {
                let answered = call.answered.to_string();
                format!("{} → {}", call.method, answered.chars().take(200).collect::<String>())
            };
            let last = state.calls.iter().rev().take(5).map(short);
            (last.collect::<Vec<_>>(), state.violations.clone())
        });
        Err(format!(
            "waited {timeout:?} in vain for {what}; last calls, newest first: [{}]; violations: {violations:?}",
            last.join(" | ")
        ))
    }

    /// Gives the next `times` calls of `method` (`None`: any) this fault. `response_url` is a method here too.
    pub fn fault(&self, method: Option<&str>, times: usize, fault: Fault) {
        let fault = PendingFault { method: method.map(str::to_owned), times, fault };
        self.update(|state| state.faults.push(fault));
    }

    pub fn clear_faults(&self) {
        self.update(|state| state.faults.clear());
    }

    /// A line of the story, shown at the top of the page.
    pub fn note(&self, line: String) {
        self.update(|state| state.notes.push(line));
    }

    /// What the page draws in its side panel, read anew each time it looks.
    pub fn set_panel(&self, panel: Panel) {
        *self.0.panel.lock().unwrap_or_else(PoisonError::into_inner) = Some(panel);
        self.update(|_| ());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody leaves the state half changed on purpose; a panic elsewhere should not hide what happened here.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.lock())
    }

    /// Changes the state and wakes whoever waits.
    fn update<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let result = f(&mut self.lock());
        self.0.changes.send_modify(|version| *version += 1);
        result
    }

    /// Takes the next fault waiting for this method.
    fn take_fault(&self, method: &str) -> Option<Fault> {
        let mut state = self.lock();
        let fits = |fault: &PendingFault| fault.times > 0 && fault.method.as_deref().is_none_or(|name| name == method);
        let pending = state.faults.iter_mut().find(|fault| fits(fault))?;
        pending.times -= 1;
        let fault = pending.fault.clone();
        state.faults.retain(|fault| fault.times > 0);
        Some(fault)
    }
}
