//! Socket Mode: what Slack has for us comes over WebSockets that we open, and no public address is needed.
//!
//! One connection is kept open. Slack ends each every few hours and says so: another is opened at once, while the old one
//! is read until it closes, so that nothing falls between them. Each envelope goes, by itself, through
//! `slack::dispatch` like a request over HTTP, and is acknowledged with what that answers; an event that was
//! not stored is not acknowledged, and comes again. What is delivered twice, to this process or to another one, is known
//! by `Envelope::key` as a replayed request is by its signature.
//!
//! When Slack cannot be reached it is tried again, after a second, doubled, at most a minute. With the token refused, or
//! Socket Mode turned off in the app's settings, once a minute: somebody may mend it, and no restart is needed then. The
//! rest of the process goes on.
//!
//! May import: `domain`, `slack`.

mod connection;
mod envelope;
mod open;
mod wire;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::open::{Ticket, remedy};
use self::{
    connection::{Connection, Leaving, NotOpened},
    envelope::Envelope,
};
use super::{
    Slack,
    client::{Advice, SlackClient, SlackError},
    dispatch::{self, NotStored, unknown},
    inbound::SlashCommand,
};
use crate::domain::{
    backoff,
    clock::{Clock, Entropy, Timestamp},
};

/// The longest pause between two attempts, and the pause after what only a person can mend.
const CAP: SignedDuration = SignedDuration::from_mins(1);
/// An attempt number whose pause is [`CAP`].
const SELDOM: i64 = 100;
/// A connection that lived this long was a good one: the next is opened without a pause.
const GOOD: SignedDuration = SignedDuration::from_mins(1);

/// How long is waited for the network, in real time.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// From the first packet to the hello.
    hello: Duration,
    /// Without a sound for this long, the other side is asked for one. Slack itself pings more often.
    ping: Duration,
    /// Without a sound for this long, a connection is dead.
    silence: Duration,
    /// After Slack said that it will end a connection; about ten seconds are usual.
    linger: Duration,
}

const TIMING: Timing = Timing {
    hello: Duration::from_secs(10),
    ping: Duration::from_secs(20),
    silence: Duration::from_secs(60),
    linger: Duration::from_secs(120),
};

/// Socket Mode of one process.
pub struct Socket {
    slack: Arc<Slack>,
    /// With the app's token.
    app: SlackClient,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Socket {
    pub fn new(slack: Arc<Slack>, app: SlackClient, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { slack, app, clock, entropy }
    }

    /// Keeps a connection until `stop`, then acknowledges what is under way and closes.
    pub async fn run(&self, stop: &CancellationToken) {
        let connections = TaskTracker::new();
        let work = async {
            let mut failures = 0;
            loop {
                let wait = match self.open().await {
                    Ok(connection) => {
                        tracing::info!(connections = connection.connections, "connected to Slack by Socket Mode");
                        let opened = self.clock.now();
                        let (leaving, left) = oneshot::channel();
                        connections.spawn(connection.serve(self.slack.clone(), leaving, stop.clone()));
                        let why = left.await.unwrap_or(Leaving::Lost("its task ended"));
                        let good = self.clock.now().duration_since(opened) >= GOOD;
                        failures = if good { 0 } else { failures + 1 };
                        self.after(&why, failures)
                    }
                    Err(why) => {
                        failures += 1;
                        Some(self.after_failure(&why, failures))
                    }
                };
                if let Some(at) = wait {
                    self.clock.sleep_until(at).await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
        connections.close();
        connections.wait().await;
    }

    async fn open(&self) -> Result<Connection, Failed> {
        let ticket = self.app.open_connection().await?;
        if ticket.seems_off {
            tracing::warn!(
                "Slack says that Socket Mode is not turned on, and will then send nothing: turn it on in your Slack app \
                 (Settings, Socket Mode)"
            );
        }
        Ok(Connection::open(&ticket, TIMING).await?)
    }

    /// When to open another connection in the place of one that works no more; `None`: now.
    fn after(&self, why: &Leaving, short_lived: i64) -> Option<Timestamp> {
        match why {
            Leaving::Disabled => {
                tracing::error!(
                    "Socket Mode was turned off in the settings of the Slack app: nothing comes from Slack any more. Turn it \
                     on again (Settings, Socket Mode), or unset SLACK_APP_TOKEN; it is tried again every minute"
                );
                return Some(self.next(SELDOM));
            }
            Leaving::Refreshed(reason) => tracing::info!(reason, "Slack ends a connection; another one is opened"),
            Leaving::Lost(reason) => tracing::warn!(reason, "a connection to Slack was lost; another one is opened"),
            Leaving::Stopped => {}
        }
        (short_lived > 1).then(|| self.next(short_lived - 1))
    }

    fn after_failure(&self, why: &Failed, failures: i64) -> Timestamp {
        let error = match why {
            Failed::NotOpened(error) => {
                tracing::warn!(%error, failures, "no connection to Slack by Socket Mode");
                return self.next(failures);
            }
            Failed::Slack(error) => error,
        };
        match error.advice() {
            Advice::RetryAfter(pause) => {
                tracing::warn!(%error, failures, "no connection to Slack by Socket Mode");
                let pause = SignedDuration::try_from(pause).unwrap_or(CAP);
                self.next(failures).max(self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX))
            }
            Advice::Retry => {
                tracing::warn!(%error, failures, "no connection to Slack by Socket Mode");
                self.next(failures)
            }
            Advice::RetrySlowly | Advice::Never => {
                let remedy = remedy(error).unwrap_or("look at the app's settings; `latchkey doctor` looks too");
                tracing::error!(
                    %error, "nothing comes from Slack, which refuses SLACK_APP_TOKEN: {remedy}; it is tried again every minute"
                );
                self.next(SELDOM)
            }
        }
    }

    fn next(&self, failures: i64) -> Timestamp {
        backoff::next_at(self.clock.now(), failures, CAP, self.entropy.as_ref())
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Slack(#[from] SlackError),
    #[error("{0}")]
    NotOpened(#[from] NotOpened),
}

/// Does what an envelope brings: its acknowledgement; `None`: it must not be acknowledged, so that Slack sends it again.
async fn answer(slack: Arc<Slack>, envelope: Envelope) -> Option<String> {
    let key = envelope.key();
    if envelope.retries > 0 {
        tracing::info!(kind = envelope.kind, retries = envelope.retries, "Slack delivers something again");
    }
    let said = match envelope.kind.as_str() {
        "slash_commands" => match SlashCommand::from_json(&envelope.payload) {
            Some(command) => dispatch::command(slack, command, key).await,
            None => {
                unknown("command without a user");
                None
            }
        },
        "interactive" => dispatch::interaction(slack, envelope.payload.clone(), key).await,
        "events_api" => match dispatch::event(&slack, &envelope.payload).await {
            Ok(said) => said,
            Err(NotStored) => return None,
        },
        other => {
            unknown(other);
            None
        }
    };
    Some(envelope.acknowledged(said))
}
