//! The WebSocket itself: over TLS with the system's root certificates, or in the clear to this machine.

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};
use url::Url;

use crate::slack::client::is_loopback;

pub(super) type Wire = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Slack's largest payload, one with a view in it, is a fraction of this.
const LARGEST: usize = 4 << 20;

/// Why there is no connection, without its address, which is a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("the address that Slack gave is not one of a WebSocket over TLS")]
    BadAddress,
    #[error("no connection: {0}")]
    Io(std::io::ErrorKind),
    #[error("no TLS: {0}")]
    Tls(String),
    #[error("status {0} instead of a WebSocket")]
    Refused(u16),
    #[error("what answered does not speak WebSocket as it should")]
    Protocol,
}

/// Connects to the address of a ticket. Takes as long as it takes: whoever calls gives it up.
pub(super) async fn connect(url: &SecretString) -> Result<Wire, WireError> {
    let url = Url::parse(url.expose_secret()).map_err(|_| WireError::BadAddress)?;
    match url.scheme() {
        "wss" => {}
        "ws" if is_loopback(&url) => {}
        _ => return Err(WireError::BadAddress),
    }
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let (wire, _) = connect_async_with_config(url.as_str(), Some(config), true).await?;
    Ok(wire)
}

impl From<tungstenite::Error> for WireError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Io(error) => Self::Io(error.kind()),
            tungstenite::Error::Tls(error) => Self::Tls(error.to_string()),
            tungstenite::Error::Http(answer) => Self::Refused(answer.status().as_u16()),
            // Among them are some that repeat the address.
            _ => Self::Protocol,
        }
    }
}
