//! Lists: what the query says, and pages that stay in step while the list changes.
//!
//! A page token names the last item that was seen, in an order that never changes; what is there throughout is listed
//! exactly once, whatever comes and goes meanwhile.

use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;

use super::Api;
use crate::{
    domain::{length, selector::Selector},
    http::error::ApiError,
};

/// The most items of one page; also what whoever names no size gets, because Indent's SDK never asks for a second page.
const LONGEST: usize = 1000;
/// The longest that a request may wait for a decision.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// The parameters of a query, in either spelling of proto3 JSON; unknown ones are ignored.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl FromRequestParts<Api> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (camel(name.trim_end_matches("[]")), value.into_owned()))
            .collect();
        if pairs.iter().any(|(_, value)| value.contains('\0')) {
            return Err(ApiError::Invalid("a parameter holds a NUL".to_owned()));
        }
        Ok(Self(pairs))
    }
}

/// `page_size` is `pageSize`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str()).collect()
    }

    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ApiError::Invalid(format!("`{name}` is `true` or `false`"))),
        }
    }

    /// 1 to 1000; more is cut, nothing or zero is 1000.
    pub fn page_size(&self) -> Result<usize, ApiError> {
        let Some(text) = self.get("pageSize") else { return Ok(LONGEST) };
        match text.parse::<i64>() {
            Ok(0) => Ok(LONGEST),
            Ok(size) if size > 0 => Ok(usize::try_from(size).unwrap_or(LONGEST).min(LONGEST)),
            Ok(_) | Err(_) => Err(ApiError::Invalid("`pageSize` is a number from 1 to 1000".to_owned())),
        }
    }

    /// Where the page begins: after what the token names.
    pub fn page_token(&self) -> Result<Option<String>, ApiError> {
        let Some(token) = self.get("pageToken") else { return Ok(None) };
        let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.filter(|text| !text.contains('\0')) {
            Some(text) => Ok(Some(text)),
            None => Err(ApiError::Invalid("`pageToken` is not one that we gave".to_owned())),
        }
    }

    pub fn selector(&self) -> Result<Selector, ApiError> {
        let text = self.get("labelSelector").unwrap_or_default();
        let selector = Selector::parse(text).map_err(|bad| ApiError::Invalid(format!("`labelSelector`: {bad}")))?;
        // E-mails compare without case.
        Ok(selector.fold("indent.com/resource/email"))
    }

    /// `30s`, `30`, `500ms`: how long to wait for a decision, at most a minute.
    pub fn wait(&self) -> Result<SignedDuration, ApiError> {
        let Some(text) = self.get("wait") else { return Ok(SignedDuration::ZERO) };
        let wait = match text.parse::<u32>() {
            Ok(seconds) => Some(SignedDuration::from_secs(i64::from(seconds))),
            Err(_) => length::from_go(text).filter(|wait| !wait.is_negative()),
        };
        let usage = "`wait` is a length of time up to a minute, like `30s`";
        Ok(wait.ok_or_else(|| ApiError::Invalid(usage.to_owned()))?.min(LONGEST_WAIT))
    }
}

pub fn page_token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(name, value)| (camel(name), (*value).to_owned())).collect())
    }

    #[test]
    fn both_spellings_of_a_parameter_are_one() {
        assert_eq!(camel("page_token"), "pageToken");
        assert_eq!(camel("labelSelector"), "labelSelector");
        assert_eq!(params(&[("page_size", "7")]).page_size().unwrap(), 7);
    }

    #[test]
    fn sizes_and_waits_are_bounded() {
        let size = |text| params(&[("pageSize", text)]).page_size();
        assert_eq!((size("1").unwrap(), size("0").unwrap(), size("99999999999").unwrap()), (1, 1000, 1000));
        assert!(size("-1").is_err() && size("many").is_err());
        let wait = |text| params(&[("wait", text)]).wait();
        let seconds = SignedDuration::from_secs;
        for (text, wanted) in [("30s", 30), ("30", 30), ("1h", 60), ("4294967295", 60), ("0s", 0)] {
            assert_eq!(wait(text).unwrap(), seconds(wanted), "{text}");
        }
        for text in ["soon", "-1s", "-1"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_token_leads_back_to_what_it_names() {
        for name in ["0190", "c:naïve/“x” %", "r:a\u{1f}b"] {
            assert_eq!(params(&[("pageToken", &page_token(name))]).page_token().unwrap().as_deref(), Some(name));
        }
        for bad in ["!", "%%%", "AA=", "gICA"] {
            assert!(params(&[("pageToken", bad)]).page_token().is_err(), "{bad}");
        }
    }
}
