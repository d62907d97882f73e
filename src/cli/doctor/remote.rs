//! The space elsewhere that decides: it answers, and takes the token.

use super::{Check, Group, PATIENCE, fail, ok};
use crate::{
    app::{self, World},
    config::Settings,
};

const GROUP: Group = Group::RemoteSpace;

pub(super) async fn look(settings: &Settings, world: &World) -> Vec<Check> {
    let Some(remote) = &settings.remote else { return Vec::new() };
    let name = format!("the space “{}” at {}", settings.space, remote.url);
    let space = match app::space_of(settings, world) {
        Ok(Some(space)) => space,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![fail(GROUP, format!("{error:#}"), "install the system's root certificates")],
    };
    let remedy = "check INDENT_API_URL and INDENT_SPACE, that INDENT_API_TOKEN is a token of that space and not \
                  expired, and that it can be reached from here";
    match tokio::time::timeout(PATIENCE, space.look()).await {
        Ok(Ok(())) => vec![ok(GROUP, format!("{name} answers and takes INDENT_API_TOKEN"))],
        Ok(Err(trouble)) => vec![fail(GROUP, format!("{name}: {trouble}"), remedy)],
        Err(_) => vec![fail(GROUP, format!("{name}: no answer within {} s", PATIENCE.as_secs()), remedy)],
    }
}
