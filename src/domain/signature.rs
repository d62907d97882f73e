//! The two signatures that guard the doors: Slack's and Indent's, and the Standard Webhooks one we add.
//!
//! All are HMAC-SHA256 over the raw bytes. They are checked in constant time, against every configured secret, with
//! our clock, before anything is parsed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::clock::Timestamp;

/// How far a sender's clock may be off, either way. Slack's and Standard Webhooks' figure.
pub const TOLERANCE_SECS: i64 = 300;

/// Why a signed request is not believed. Says nothing about the right signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    #[error("the signature or its time is missing")]
    Missing,
    #[error("the time of the signature is not a time")]
    BadTime,
    #[error("the time of the signature is more than 300 s away")]
    Stale,
    #[error("the signature does not fit")]
    Mismatch,
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so this cannot fail.
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Slack and Indent sign the same text, `v0:{time}:{body}`; `hex` is without Slack's `v0=`.
pub fn sign_v0(secret: &str, time: &str, body: &[u8]) -> String {
    hex::encode(mac(secret.as_bytes(), &[b"v0:", time.as_bytes(), b":", body]).finalize().into_bytes())
}

/// The value of Slack's `X-Slack-Signature`.
pub fn sign_slack(secret: &str, time: &str, body: &[u8]) -> String {
    format!("v0={}", sign_v0(secret, time, body))
}

/// One entry of Standard Webhooks' `webhook-signature`: `v1,` and base64 over `{id}.{seconds}.{body}`.
///
/// A `whsec_…` secret is base64 for this signature; any other is its own bytes.
pub fn sign_standard(secret: &str, id: &str, seconds: i64, body: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let key = secret
        .strip_prefix("whsec_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec());
    let seconds = seconds.to_string();
    let mac = mac(&key, &[id.as_bytes(), b".", seconds.as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Checks `X-Slack-Signature`: the time is whole seconds, the signature `v0=` and 64 lower-case hex digits.
pub fn verify_slack(
    secrets: &[&str],
    now: Timestamp,
    time: &str,
    signature: &str,
    body: &[u8],
) -> Result<(), BadSignature> {
    if time.is_empty() || !time.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadSignature::BadTime);
    }
    let at: i64 = time.parse().map_err(|_| BadSignature::BadTime)?;
    fresh(now, at)?;
    let hex = signature.strip_prefix("v0=").ok_or(BadSignature::Mismatch)?;
    verify_v0(secrets, time, hex, body)
}

/// Checks `X-Indent-Signature`. The time is RFC 3339, or whole seconds as some senders write it; it is signed as it
/// stands, so it is never reformatted.
pub fn verify_indent(
    secrets: &[&str],
    now: Timestamp,
    time: &str,
    signature: &str,
    body: &[u8],
) -> Result<(), BadSignature> {
    let at = match time.parse::<Timestamp>() {
        Ok(at) => at.as_second(),
        Err(_) if !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()) => {
            time.parse().map_err(|_| BadSignature::BadTime)?
        }
        Err(_) => return Err(BadSignature::BadTime),
    };
    fresh(now, at)?;
    verify_v0(secrets, time, signature, body)
}

fn fresh(now: Timestamp, at: i64) -> Result<(), BadSignature> {
    if now.as_second().abs_diff(at) > TOLERANCE_SECS as u64 {
        return Err(BadSignature::Stale);
    }
    Ok(())
}

fn verify_v0(secrets: &[&str], time: &str, hex: &str, body: &[u8]) -> Result<(), BadSignature> {
    if hex.len() != 64 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(BadSignature::Mismatch);
    }
    let given = hex::decode(hex).map_err(|_| BadSignature::Mismatch)?;
    let mut fits = false;
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        // Every secret is tried, so that the time taken does not tell which one fitted.
        fits |= mac(secret.as_bytes(), &[b"v0:", time.as_bytes(), b":", body]).verify_slice(&given).is_ok();
    }
    if fits { Ok(()) } else { Err(BadSignature::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    const BODY_V3: &str = "command=%2Faccess&text=customer+123+for+4h+to+debug+BUG-482&user_id=U123&team_id=T123&channel_id=C123&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT123%2F1%2Fabc&trigger_id=1.2.abc";

    #[test]
    fn slack_vectors_hold() {
        let s = "test-signing-secret";
        let vectors: &[(&str, &str, &[u8], &str)] = &[
            (s, "1700000000", b"", "v0=81dd05befe5cbb6bb432e20e4430415f22beb4c0a80cbd8d9cf6e9a7716caeb7"),
            (
                s,
                "1700000000",
                BODY_V3.as_bytes(),
                "v0=6c684fb111787fefe4a720bb000ec48ece47af241e1524004c8cb117fae1d751",
            ),
            (s, "1700000000", b"{\"a\":1}\n", "v0=679edc15c09f35249c412a3666f5a668f2e4aee90d3c87b1302e23c5624d247e"),
            (s, "1700000000", b"x=\xff", "v0=aa2d78e2b54069fc059372a40d4323ad17c4a9a2116899747e6a3bcba174e1a5"),
            (s, "01700000000", b"x=1", "v0=75cdfec43a9d68e00042c2956a2ad00b7b903cd87ce333e8cfee32a6098566ff"),
        ];
        for (secret, time, body, signature) in vectors {
            assert_eq!(&sign_slack(secret, time, body), signature);
            assert_eq!(verify_slack(&["other", secret], at(1_700_000_000), time, signature, body), Ok(()));
        }
    }

    #[test]
    fn indent_vectors_hold() {
        let vectors: &[(&str, &str, &str, &str)] = &[
            (
                "secret_123",
                "2020-05-01T07:00:00Z",
                r#"{"events":[{"event":"access/grant","timestamp":"2020-05-01T07:00:00Z"}]}"#,
                "c27f187960625ebccc33336030b071dac1d54b1e98d9e27fe5452ee00c935fb0",
            ),
            (
                "wks0TESTSECRET",
                "2024-02-01T09:30:00Z",
                r#"{"info":true}"#,
                "1809567e8ca4efce9dae9bc36e7496cc6f25256e8935ea056b4dc7a77d348164",
            ),
            (
                "ключ-é",
                "2024-02-29T23:59:59.999Z",
                r#"{"events":[{"event":"access/request","reason":"naïve café — 顧客 #42"}]}"#,
                "fa2e071ac1fa0b8a7beae2134a398f8d9fba50453a5c63941ea5be7ee2f87a11",
            ),
            (
                "k",
                "1706779800",
                "{ \"events\" : [ ] }\n",
                "b48f0f8db412d065b3c52830a58f233f57ff79790aad2213f3aa41623f036d34",
            ),
        ];
        for (secret, time, body, signature) in vectors {
            assert_eq!(&sign_v0(secret, time, body.as_bytes()), signature);
            let now = time.parse().unwrap_or_else(|_| at(1_706_779_800));
            assert_eq!(verify_indent(&[secret], now, time, signature, body.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn three_hundred_seconds_either_way_and_not_one_more() {
        let (secret, time) = ("s", "1700000000");
        let signature = sign_slack(secret, time, b"x");
        for (now, fresh) in
            [(1_699_999_700, true), (1_700_000_300, true), (1_699_999_699, false), (1_700_000_301, false)]
        {
            assert_eq!(verify_slack(&[secret], at(now), time, &signature, b"x").is_ok(), fresh, "{now}");
        }
    }

    #[test]
    fn forgeries_are_refused() {
        let (secret, time, now) = ("s", "1700000000", at(1_700_000_000));
        let good = sign_slack(secret, time, b"x=a+b");
        let upper = good.to_uppercase().replace("V0=", "v0=");
        for signature in ["", "v0=", &good[3..], &good.replace("v0=", "v1="), &upper, &good[..good.len() - 2]] {
            assert!(verify_slack(&[secret], now, time, signature, b"x=a+b").is_err(), "{signature}");
        }
        assert!(verify_slack(&[secret], now, time, &good, b"x=a%20b").is_err(), "a re-encoded body");
        assert!(verify_slack(&[""], now, time, &sign_slack("", time, b"x"), b"x").is_err(), "an empty secret");
        for time in ["", "abc", "-1700000000", "99999999999999999999", "1700000000 "] {
            assert!(verify_slack(&[secret], now, time, &sign_slack(secret, time, b"x"), b"x").is_err(), "{time:?}");
        }
    }

    #[test]
    fn a_whsec_secret_is_base64_for_standard_webhooks() {
        // The example of the Standard Webhooks specification.
        let signature = sign_standard(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
