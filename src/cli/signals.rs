//! Ctrl-C and SIGTERM.

use tokio_util::sync::CancellationToken;

/// Cancelled at the first signal; the second ends the process at once.
pub fn stop_token() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let token = stop.clone();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                tracing::warn!("a second signal: ending at once");
                std::process::exit(1);
            }
            tracing::info!("stopping: no new work, what runs is finished");
            token.cancel();
        }
    });
    Ok(stop)
}
