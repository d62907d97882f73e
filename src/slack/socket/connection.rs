//! One connection, from its hello to its end.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    Timing, answer,
    envelope::{Frame, Reason},
    open::Ticket,
    wire::{Wire, WireError, connect},
};
use crate::slack::{Slack, dispatch::unknown};

/// Envelopes of one connection that are worked on at once; the next is read when one of them is done.
const MOST: usize = 64;
/// An acknowledgement that cannot be written within this goes nowhere.
const WRITE: Duration = Duration::from_secs(5);
/// The other side may take this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why another connection is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// This one will end, or has ended, in the ordinary course.
    Refreshed(String),
    /// Socket Mode was turned off.
    Disabled,
    /// It broke.
    Lost(&'static str),
    /// We stop.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("Slack did not say hello in time")]
    Silent,
}

/// A connection that said hello.
pub(super) struct Connection {
    wire: Wire,
    timing: Timing,
    /// How many the app has, this one included.
    pub connections: u64,
    _counted: Counted,
}

impl Connection {
    /// Connects and waits for the hello.
    pub async fn open(ticket: &Ticket, timing: Timing) -> Result<Self, NotOpened> {
        timeout(timing.hello, Self::greeted(ticket, timing)).await.map_err(|_| NotOpened::Silent)?
    }

    async fn greeted(ticket: &Ticket, timing: Timing) -> Result<Self, NotOpened> {
        let mut wire = connect(&ticket.url).await?;
        loop {
            let frame = wire.next().await.ok_or(WireError::Protocol)?.map_err(WireError::from)?;
            if let Message::Text(text) = frame
                && let Frame::Hello { connections } = Frame::read(&text)
            {
                return Ok(Self { wire, timing, connections, _counted: Counted::new() });
            }
        }
    }

    /// Works until the connection ends. `leaving` is told as soon as another one is needed, while this one may still
    /// bring envelopes. After `stop` no new envelope is taken; those under way are acknowledged first.
    pub async fn serve(mut self, slack: Arc<Slack>, leaving: oneshot::Sender<Leaving>, stop: CancellationToken) {
        let mut leaving = Some(leaving);
        let mut leave = |why: Leaving| {
            if let Some(leaving) = leaving.take() {
                leaving.send(why).ok();
            }
        };
        let mut acts = JoinSet::new();
        let mut looks = interval(self.timing.ping);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        // When a connection that Slack said it would end is ended by us.
        let mut ends: Option<Instant> = None;
        let mut stopping = false;
        let end = loop {
            if stopping && acts.is_empty() {
                break Leaving::Stopped;
            }
            tokio::select! {
                frame = self.wire.next(), if acts.len() < MOST => {
                    heard = Instant::now();
                    let text = match frame {
                        Some(Ok(Message::Text(text))) => text,
                        // The library answers pings.
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => continue,
                        Some(Ok(Message::Close(_))) | None => break Leaving::Refreshed("closed".to_owned()),
                        Some(Err(_)) => break Leaving::Lost("the connection broke"),
                    };
                    match Frame::read(&text) {
                        Frame::Envelope(_) if stopping => {} // Without an acknowledgement Slack sends it again.
                        Frame::Envelope(envelope) => {
                            acts.spawn(answer(slack.clone(), envelope));
                        }
                        Frame::Disconnect(Reason::Refresh(word)) => {
                            ends.get_or_insert(Instant::now() + self.timing.linger);
                            leave(Leaving::Refreshed(word));
                        }
                        Frame::Disconnect(Reason::Disabled) => {
                            ends.get_or_insert(Instant::now() + self.timing.linger);
                            leave(Leaving::Disabled);
                        }
                        Frame::Hello { .. } => {}
                        Frame::Unknown(kind) => unknown(&kind),
                    }
                }
                Some(done) = acts.join_next() => {
                    // An act that panicked is not acknowledged either.
                    if let Ok(Some(text)) = done && !self.send(Message::text(text)).await {
                        break Leaving::Lost("an acknowledgement could not be sent");
                    }
                }
                _ = looks.tick() => {
                    if heard.elapsed() > self.timing.silence {
                        break Leaving::Lost("nothing was heard");
                    }
                    if ends.is_some_and(|at| at <= Instant::now()) && acts.is_empty() {
                        break Leaving::Refreshed("outlived its end".to_owned());
                    }
                    if heard.elapsed() >= self.timing.ping && !self.send(Message::Ping(Vec::new().into())).await {
                        break Leaving::Lost("a ping could not be sent");
                    }
                }
                () = stop.cancelled(), if !stopping => stopping = true,
            }
        };
        // What is under way goes on by itself; Slack, which hears nothing of it, sends it again, and it is known then.
        acts.detach_all();
        leave(end);
        timeout(GOODBYE, self.goodbye()).await.ok();
    }

    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(WRITE, self.wire.send(message)).await, Ok(Ok(())))
    }

    /// Closes in good order: says so, and reads until the other side has heard it.
    async fn goodbye(mut self) {
        if self.wire.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.wire.next().await {}
        }
    }
}

/// One more in the gauge, while it is there.
struct Counted;

const GAUGE: &str = "latchkey_slack_socket_connections";

impl Counted {
    fn new() -> Self {
        metrics::gauge!(GAUGE).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(GAUGE).decrement(1.0);
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
