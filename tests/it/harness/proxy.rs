//! A wire between the application and PostgreSQL that a test can cut and mend.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use url::Url;

/// It ends with the test's runtime.
pub struct Proxy {
    /// The database's URL, by way of here.
    pub url: String,
    whole: watch::Sender<bool>,
}

impl Proxy {
    pub async fn before(database: &str) -> Self {
        let mut url: Url = database.parse().unwrap();
        let server: Vec<SocketAddr> = url.socket_addrs(|| Some(5432)).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let whole = watch::Sender::new(true);
        tokio::spawn(serve(listener, server, whole.subscribe()));
        Self { url: url.into(), whole }
    }

    /// Every connection breaks, and no new one comes about.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn serve(listener: TcpListener, server: Vec<SocketAddr>, whole: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let (server, mut whole) = (server.clone(), whole.clone());
        tokio::spawn(async move {
            if !*whole.borrow_and_update() {
                return;
            }
            let Ok(mut far) = TcpStream::connect(server.as_slice()).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = whole.wait_for(|whole| !whole) => {}
            }
        });
    }
}
