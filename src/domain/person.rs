//! People, known by their e-mail address.

use serde::{Deserialize, Serialize};

use super::id::SlackUserId;

/// An e-mail address, lower-cased: e-mails compare without case everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("“{0}” is not an e-mail address")]
pub struct NotAnEmail(pub String);

impl Email {
    /// One `@` with text on both sides, no white space or control characters, at most 254 bytes (RFC 5321).
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let fault = || NotAnEmail(text.chars().take(80).collect());
        let (local, domain) = text.split_once('@').ok_or_else(fault)?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>@,;|".contains(c);
        // Lower-casing may lengthen a text, and what was accepted once must be accepted again.
        let folded = text.to_lowercase();
        if local.is_empty() || domain.is_empty() || folded.len() > 254 {
            return Err(fault());
        }
        if !local.chars().all(plain) || !domain.chars().all(plain) {
            return Err(fault());
        }
        Ok(Self(folded))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;
    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        Self::parse(&text)
    }
}
impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}
impl std::fmt::Display for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person whom an outside system identified: Slack's signed user, or the subject of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub email: Email,
    pub slack: Option<SlackUserId>,
    /// What people call them; display only, never used to decide.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_compare_without_case() {
        assert_eq!(Email::parse(" Ana@Acme.Test ").unwrap(), Email::parse("ana@acme.test").unwrap());
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for bad in ["", "ana", "@acme.test", "ana@", "a b@acme.test", "a@b@c", "<a@acme.test>", "a\n@acme.test"] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }
}
