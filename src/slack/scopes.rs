//! The scopes of the bot's token, and what each is for: the manifest asks for them, `latchkey doctor` looks for them.

/// One bot scope.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub name: &'static str,
    /// What would not work without it.
    pub why: &'static str,
    /// Without it people cannot work; else only `latchkey doctor` sees less.
    pub vital: bool,
}

const fn vital(name: &'static str, why: &'static str) -> Scope {
    Scope { name, why, vital: true }
}

const fn to_look(name: &'static str, why: &'static str) -> Scope {
    Scope { name, why, vital: false }
}

/// Every scope that a call of `client.rs` or an event of `events` needs, and no other.
pub const SCOPES: &[Scope] = &[
    vital("commands", "/access"),
    vital("chat:write", "cards and messages"),
    vital("im:write", "to reviewers and petitioners directly"),
    vital("users:read", "who is a full member, who a guest"),
    vital("users:read.email", "people are known by their e-mail"),
    vital("usergroups:read", "reviewers like slack:S0LEADS"),
    vital("channels:history", "replies in threads; no message twice"),
    vital("groups:history", "the same in private channels"),
    vital("im:history", "the same in direct messages"),
    to_look("channels:read", "latchkey doctor: is the bot in the channels of notify"),
    to_look("groups:read", "latchkey doctor: the same for private channels"),
];
