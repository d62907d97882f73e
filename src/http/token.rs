//! API tokens: JWTs signed with HS256, in the form that Indent's SDK can read.
//!
//! The SDK decodes the payload with the platform's `atob`, which knows neither `-` nor `_` (reference §1.1). So a
//! filler claim is varied until the payload's segment has neither.

use std::sync::Once;

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, new_error},
    signature,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{domain::id::TokenId, store::Token};

/// The secret that signs, ready for use.
#[derive(Clone)]
pub struct TokenKey(SecretString);

/// What a token says; times in whole seconds.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// First, because it shifts every byte behind it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pad: String,
    iss: String,
    sub: String,
    scope: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    jti: String,
}

/// Of three bytes only the third can become `-` or `_`, and only if it is `>`, `?` or `~`: three shifts are all.
const FILLERS: usize = 3;

impl TokenKey {
    pub fn new(secret: SecretString) -> Self {
        install_provider();
        Self(secret)
    }

    /// The token's text. `None` only for an e-mail that no filler can carry: one outside ASCII, or full of `~` and `?`.
    pub fn sign(&self, token: &Token) -> Option<String> {
        let key = EncodingKey::from_secret(self.0.expose_secret().as_bytes());
        (0..FILLERS).find_map(|n| {
            let claims = Claims {
                iss: "latchkey".to_owned(),
                sub: token.email.to_string(),
                scope: token.scopes.clone(),
                iat: token.created_at.as_second(),
                exp: token.expires_at.map(|at| at.as_second()),
                jti: token.id.to_string(),
                pad: "x".repeat(n),
            };
            let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).ok()?;
            let payload = text.split('.').nth(1)?;
            (!payload.contains(['-', '_'])).then_some(text)
        })
    }

    /// The id of a token that we signed with HS256 and that is not past its time. Whether it was revoked, and what it
    /// may do, is for the database to say.
    pub fn verify(&self, text: &str, now: Timestamp) -> Option<TokenId> {
        let key = DecodingKey::from_secret(self.0.expose_secret().as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.set_issuer(&["latchkey"]);
        // By our own clock, below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(text, &key, &validation).ok()?.claims;
        if claims.exp.is_some_and(|exp| exp <= now.as_second()) {
            return None;
        }
        Some(TokenId::new(claims.jti))
    }
}

/// The library wants a backend; ours is the HMAC that signs everything else, and knows HS256 alone.
fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| match algorithm {
            Algorithm::HS256 => Ok(Box::new(Hs256(key.as_bytes().to_vec())) as Box<dyn JwtSigner>),
            _ => Err(new_error(ErrorKind::InvalidAlgorithm)),
        },
        verifier_factory: |algorithm, key| match algorithm {
            Algorithm::HS256 => Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec())) as Box<dyn JwtVerifier>),
            _ => Err(new_error(ErrorKind::InvalidAlgorithm)),
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    // It can only be refused because another one is in place, and nobody else installs one.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

struct Hs256(Vec<u8>);

impl Hs256 {
    fn mac(&self, message: &[u8]) -> hmac::Hmac<sha2::Sha256> {
        use hmac::{KeyInit, Mac};
        // HMAC takes keys of any length, so this cannot fail.
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(message);
        mac
    }
}

impl signature::Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        use hmac::Mac;
        Ok(self.mac(message).finalize().into_bytes().to_vec())
    }
}

impl signature::Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        use hmac::Mac;
        self.mac(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;
    use crate::domain::person::Email;

    fn key(secret: &str) -> TokenKey {
        TokenKey::new(SecretString::from(secret.to_owned()))
    }

    fn token(n: usize) -> Token {
        Token {
            id: TokenId::new(format!("tok_{n}")),
            email: Email::parse(&format!("ana{n}~x@acme.test")).unwrap(),
            scopes: "check petition".to_owned(),
            label: String::new(),
            created_at: Timestamp::from_second(1_700_000_000 + n as i64).unwrap(),
            expires_at: Some(Timestamp::from_second(1_700_003_600).unwrap()),
            revoked_at: None,
        }
    }

    #[test]
    fn every_payload_survives_atob_and_names_its_subject() {
        for n in 0..300 {
            let text = key("s").sign(&token(n)).unwrap();
            let payload = text.split('.').nth(1).unwrap();
            let plain = base64::engine::general_purpose::STANDARD_NO_PAD.decode(payload).unwrap();
            let claims: serde_json::Value = serde_json::from_slice(&plain).unwrap();
            assert_eq!(claims["sub"], format!("ana{n}~x@acme.test"));
        }
    }

    #[test]
    fn only_our_own_fresh_tokens_are_believed() {
        let now = Timestamp::from_second(1_700_000_100).unwrap();
        let text = key("a secret").sign(&token(1)).unwrap();
        assert_eq!(key("a secret").verify(&text, now), Some(token(1).id));
        assert_eq!(key("another").verify(&text, now), None, "another secret");
        let end = Timestamp::from_second(1_700_003_600).unwrap();
        assert_eq!(key("a secret").verify(&text, end), None, "past its time");
        let parts: Vec<&str> = text.split('.').collect();
        let base64 = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let none = format!("{}.{}.", base64(r#"{"alg":"none","typ":"JWT"}"#), parts[1]);
        let hs512 = format!("{}.{}.{}", base64(r#"{"alg":"HS512","typ":"JWT"}"#), parts[1], parts[2]);
        let other = key("a secret").sign(&token(2)).unwrap();
        let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
        for forged in [none, hs512, swapped, String::new(), "a.b.c".to_owned(), "abc".to_owned()] {
            assert_eq!(key("a secret").verify(&forged, now), None, "{forged}");
        }
    }
}
