//! Reads the arguments and the environment, and hands both to [`latchkey::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS stack, chosen before anything could need it.
    rustls::crypto::ring::default_provider().install_default().ok();
    // Names and values that are not text belong to nobody here.
    let vars = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    latchkey::cli::main(std::env::args_os(), vars)
}
