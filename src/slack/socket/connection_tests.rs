//! One connection against a server that behaves in every way it should not.

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;
use crate::{
    clock::{ManualClock, SystemEntropy},
    policy::Policy,
    slack::{Limits, client::SlackClient, directory::Directory},
    store::Store,
    workflow::Workflow,
};

const HELLO: &str =
    r#"{"type":"hello","num_connections":3,"connection_info":{"app_id":"A1"},"debug_info":{"host":"h"}}"#;
/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(10);

fn timing() -> Timing {
    Timing { hello: LONG, ping: Duration::from_millis(10), silence: LONG, linger: LONG }
}

fn ticket(url: &str) -> Ticket {
    Ticket { url: url.into(), seems_off: false }
}

/// Where a server listens, and the first connection to it.
async fn listen() -> (Ticket, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (ticket(&format!("ws://{}/link?ticket=s3cret", listener.local_addr().unwrap())), listener)
}

async fn slack() -> (TempDir, Arc<Slack>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    std::fs::write(&path, "").unwrap();
    let store = Store::open(&format!("sqlite://{}", path.display()), 2).await.unwrap();
    store.migrate().await.unwrap();
    let clock = Arc::new(ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap()));
    let (policy, entropy) = (Arc::new(Policy::closed()), Arc::new(SystemEntropy));
    let workflow = Workflow::new(store, policy, clock.clone(), entropy, Vec::new());
    let nowhere = "http://127.0.0.1:1/api";
    let client = SlackClient::new(nowhere, "xoxb-1".into(), Duration::from_secs(1)).unwrap();
    let directory = Directory::new(client.clone(), clock);
    (folder, Arc::new(Slack::new(workflow, client, directory, Vec::new(), nowhere.to_owned(), Limits::default())))
}

/// A connection that is served, and the other end of it.
struct Served {
    far: WebSocketStream<TcpStream>,
    left: oneshot::Receiver<Leaving>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

async fn served(timing: Timing) -> Served {
    let (folder, slack) = slack().await;
    let (ticket, listener) = listen().await;
    let (near, far) = tokio::join!(Connection::open(&ticket, timing), async {
        let mut far = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        far.send(Message::text(HELLO)).await.unwrap();
        far
    });
    let near = near.unwrap();
    assert_eq!(near.connections, 3);
    let (leaving, left) = oneshot::channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn(near.serve(slack, leaving, stop.clone()));
    Served { far, left, stop, task, _folder: folder }
}

impl Served {
    async fn says(&mut self, text: &str) {
        self.far.send(Message::text(text)).await.unwrap();
    }

    /// The next text, or `None` when the connection is closed.
    async fn hears(&mut self) -> Option<String> {
        loop {
            match timeout(LONG, self.far.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

#[tokio::test]
async fn only_an_address_of_slacks_is_connected_to_and_none_is_told() {
    for url in ["", "https://slack.com/link?ticket=s3cret", "ws://slack.com/link?ticket=s3cret", "wss:"] {
        let error = Connection::open(&ticket(url), timing()).await.err().unwrap();
        assert_eq!(error, NotOpened::Wire(WireError::BadAddress), "{url}");
    }
    let refused = Connection::open(&ticket("ws://127.0.0.1:1/link?ticket=s3cret"), timing()).await.err().unwrap();
    assert_eq!(refused, NotOpened::Wire(WireError::Io(std::io::ErrorKind::ConnectionRefused)));
    let (ticket, listener) = listen().await;
    let (refused, ()) = tokio::join!(Connection::open(&ticket, timing()), async {
        let (mut far, _) = listener.accept().await.unwrap();
        assert!(far.read(&mut [0; 4096]).await.unwrap() > 0, "it asks for a WebSocket");
        far.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    });
    let refused = refused.err().unwrap();
    assert_eq!(refused, NotOpened::Wire(WireError::Refused(403)));
    assert!(!format!("{refused} {refused:?}").contains("s3cret"));
}

#[tokio::test]
async fn who_does_not_say_hello_is_given_up() {
    let (ticket, listener) = listen().await;
    let short = Timing { hello: Duration::from_millis(50), ..timing() };
    let accept = async {
        let mut far = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        far.next().await;
    };
    let error = tokio::select! {
        opened = Connection::open(&ticket, short) => opened.err().unwrap(),
        () = accept => panic!("nothing is sent before the hello"),
    };
    assert_eq!(error, NotOpened::Silent);
}

#[tokio::test]
async fn a_silent_connection_is_dead() {
    let served = served(Timing { silence: Duration::from_millis(50), ..timing() }).await;
    // Nobody reads there, so no ping is answered.
    assert_eq!(timeout(LONG, served.left).await.unwrap(), Ok(Leaving::Lost("nothing was heard")));
    timeout(LONG, served.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_slack_forgets_to_end_is_ended() {
    let mut served = served(Timing { linger: Duration::from_millis(30), ..timing() }).await;
    served.says(r#"{"type":"disconnect","reason":"warning"}"#).await;
    assert_eq!(timeout(LONG, &mut served.left).await.unwrap(), Ok(Leaving::Refreshed("warning".to_owned())));
    assert_eq!(served.hears().await, None);
}

#[tokio::test]
async fn nothing_that_is_said_breaks_it_and_every_envelope_is_acknowledged() {
    let mut served = served(timing()).await;
    let deep = "[".repeat(10_000);
    for text in ["", "{", "null", r#"{"type":"goodbye"}"#, r#"{"envelope_id":{}}"#, deep.as_str()] {
        served.says(text).await;
    }
    served.far.send(Message::binary(vec![0xff; 9])).await.unwrap();
    for (at, (kind, payload)) in [
        ("brand_new", "{}"),
        ("slash_commands", "null"),
        ("slash_commands", r#"{"user_id":7}"#),
        ("interactive", r#"{"type":"brand_new"}"#),
        ("interactive", r#"{"type":["x"],"user":"x"}"#),
        ("interactive", "17"),
        ("events_api", "null"),
        ("events_api", r#"{"type":"event_callback","event":{"type":"message","text":7}}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!(
            r#"{{"envelope_id":"e-{at}","type":"{kind}","accepts_response_payload":true,"payload":{payload}}}"#
        );
        served.says(&text).await;
        assert_eq!(served.hears().await, Some(format!(r#"{{"envelope_id":"e-{at}"}}"#)), "{kind} {payload}");
    }
    served.stop.cancel();
    assert_eq!(served.hears().await, None, "it closes when it is told to stop");
    timeout(LONG, served.task).await.unwrap().unwrap();
}
