//! The four doors: whatever is not signed by Slack, now, is refused before it is read.

use latchkey::{
    domain::{clock::Clock, signature::sign_slack},
    http::auth::Scope,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    acts::{TEAM, form},
    databases::TestDb,
    house::{ANA, CHANNEL, COMMAND, House, SLACK_SECRET},
};

const DOORS: [&str; 4] = ["/slack/commands", "/slack/interactions", "/slack/options", "/slack/events"];
const REFUSED: (u16, &str) = (401, "");

/// A command as it would be typed.
fn usual() -> Vec<u8> {
    form(&[("team_id", TEAM), ("channel_id", CHANNEL), ("user_id", ANA), ("command", "/access"), ("text", COMMAND)])
}

/// Sends the usual command with these two headers; each given as often as it stands there.
async fn knock(house: &House, door: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
    house.send_with(door, headers, body).await
}

async fn signed_by(house: &House, door: &str, secret: &str, late: i64) -> (u16, String) {
    let time = (house.clock.now().as_second() - late).to_string();
    let signature = sign_slack(secret, &time, &usual());
    let headers = [("x-slack-request-timestamp", &*time), ("x-slack-signature", &*signature)];
    knock(house, door, &headers, usual()).await
}

/// One request written by hand, and what comes back of it.
async fn by_hand(house: &House, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.bot.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that has seen enough may have hung up.
    stream.write_all(body).await.ok();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

both_databases! {
    async fn unsigned_forged_and_stale_requests_are_refused_in_silence(db: TestDb) {
        let house = House::new(db).await;
        let now = house.clock.now().as_second();
        let time = now.to_string();
        let good = sign_slack(SLACK_SECRET, &time, &usual());
        let (stamp, mark) = ("x-slack-request-timestamp", "x-slack-signature");
        let upper = good.replace("v0=", "").to_uppercase();
        let forged: Vec<Vec<(&str, String)>> = vec![
            vec![],
            vec![(stamp, time.clone())],
            vec![(mark, good.clone())],
            vec![(stamp, time.clone()), (mark, String::new())],
            vec![(stamp, time.clone()), (mark, "v0=".to_owned())],
            vec![(stamp, time.clone()), (mark, good.replace("v0=", "v1="))],
            vec![(stamp, time.clone()), (mark, good.replace("v0=", ""))],
            vec![(stamp, time.clone()), (mark, format!("v0={upper}"))],
            vec![(stamp, time.clone()), (mark, good[..good.len() - 2].to_owned())],
            vec![(stamp, time.clone()), (mark, format!("{good}00"))],
            vec![(stamp, time.clone()), (mark, format!("v0={}", "0".repeat(64)))],
            vec![(stamp, time.clone()), (mark, sign_slack("", &time, &usual()))],
            vec![(stamp, (now + 1).to_string()), (mark, good.clone())],
            vec![(stamp, String::new()), (mark, sign_slack(SLACK_SECRET, "", &usual()))],
            vec![(stamp, "abc".to_owned()), (mark, sign_slack(SLACK_SECRET, "abc", &usual()))],
            vec![(stamp, format!("-{now}")), (mark, sign_slack(SLACK_SECRET, &format!("-{now}"), &usual()))],
            vec![(stamp, format!("{now}.5")), (mark, sign_slack(SLACK_SECRET, &format!("{now}.5"), &usual()))],
            vec![(stamp, "9".repeat(40)), (mark, sign_slack(SLACK_SECRET, &"9".repeat(40), &usual()))],
            vec![(stamp, time.clone()), (stamp, (now + 1).to_string()), (mark, good.clone())],
            vec![(stamp, time.clone()), (mark, good.clone()), (mark, format!("v0={}", "0".repeat(64)))],
            vec![(stamp, time.clone()), (mark, format!("v0={}", "0".repeat(64))), (mark, good.clone())],
        ];
        for door in DOORS {
            for headers in &forged {
                let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let (status, text) = knock(&house, door, &headers, usual()).await;
                assert_eq!((status, text.as_str()), REFUSED, "{door} {headers:?}");
            }
            let wrong = [("another-secret", 0), (SLACK_SECRET, 301), (SLACK_SECRET, -301), (SLACK_SECRET, 86_400)];
            for (secret, late) in wrong {
                let (status, text) = signed_by(&house, door, secret, late).await;
                assert_eq!((status, text.as_str()), REFUSED, "{door} {secret} {late}");
            }
        }
        house.expect_record(&[]).await;
        house.finish().await;
    }

    /// The same bytes or nothing: an equal meaning does not do.
    async fn a_changed_body_is_refused(db: TestDb) {
        let house = House::new(db).await;
        let time = house.clock.now().as_second().to_string();
        let good = sign_slack(SLACK_SECRET, &time, &usual());
        let headers = [("x-slack-request-timestamp", &*time), ("x-slack-signature", &*good)];
        let text = String::from_utf8(usual()).unwrap();
        let (first, rest) = text.split_once('&').unwrap();
        let changed = [
            text.replace('+', "%20"),
            format!("{rest}&{first}"),
            format!("{text}\n"),
            format!("{text}&user_id=U0BO"),
            text[..text.len() - 1].to_owned(),
            text[1..].to_owned(),
            text.replace("482", "483"),
            String::new(),
        ];
        for door in DOORS {
            for body in &changed {
                let (status, text) = knock(&house, door, &headers, body.clone().into_bytes()).await;
                assert_eq!((status, text.as_str()), REFUSED, "{door} {body}");
            }
        }
        house.expect_record(&[]).await;
        let (status, _) = knock(&house, "/slack/commands", &headers, usual()).await;
        assert_eq!(status, 200, "the original");
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    async fn five_minutes_either_way_are_believed(db: TestDb) {
        let house = House::new(db).await;
        for door in DOORS {
            for late in [-300, 0, 300] {
                assert_eq!(signed_by(&house, door, SLACK_SECRET, late).await.0, 200, "{door} {late}");
            }
        }
        house.finish().await;
    }

    /// While the secret is being changed both are good; after that the old one is not.
    async fn both_secrets_of_a_rotation_work(db: TestDb) {
        let rotating = format!("the-new-secret, {SLACK_SECRET}");
        let house = House::plan(db).env("SLACK_SIGNING_SECRET", &rotating).build().await;
        for door in DOORS {
            for secret in ["the-new-secret", SLACK_SECRET] {
                assert_eq!(signed_by(&house, door, secret, 0).await.0, 200, "{door} {secret}");
            }
            for secret in [&*rotating, "", "the-new-secret,", " slack-signing-secret"] {
                assert_eq!(signed_by(&house, door, secret, 0).await.0, 401, "{door} {secret}");
            }
        }
        house.finish().await;
    }

    async fn more_than_a_mebibyte_is_too_much(db: TestDb) {
        let house = House::new(db).await;
        for door in DOORS {
            let host = "host: localhost\r\ncontent-type: application/x-www-form-urlencoded";
            let announced = format!("POST {door} HTTP/1.1\r\n{host}\r\ncontent-length: {}\r\n\r\n", (1 << 20) + 1);
            let answer = by_hand(&house, &announced, b"").await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{door}, announced: {answer}");
            let head = format!("POST {door} HTTP/1.1\r\n{host}\r\ntransfer-encoding: chunked\r\n\r\n");
            let mut chunked = format!("{:x}\r\n", (1 << 20) + 1).into_bytes();
            chunked.extend(vec![b'x'; (1 << 20) + 1]);
            chunked.extend(b"\r\n");
            let answer = by_hand(&house, &head, &chunked).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{door}, in chunks: {answer}");
            // One that is as large as may be is read, and refused for its signature.
            let (status, text) = knock(&house, door, &[], vec![b'x'; 1 << 20]).await;
            assert_eq!((status, text.as_str()), REFUSED);
        }
        house.finish().await;
    }

    /// Slack's check of the certificate gets its 200, signed or not, and nothing that rides along is obeyed.
    async fn an_ssl_check_is_answered_and_nothing_else(db: TestDb) {
        let house = House::new(db).await;
        let smuggled = form(&[("ssl_check", "1"), ("user_id", ANA), ("team_id", TEAM), ("text", COMMAND)]);
        for body in [b"ssl_check=1&token=x".to_vec(), smuggled] {
            assert_eq!(knock(&house, "/slack/commands", &[], body.clone()).await, (200, String::new()));
            let signed = house.signed("/slack/commands", body.clone());
            assert_eq!(house.send(&signed).await, (200, String::new()));
            let wrong = [("x-slack-request-timestamp", "1"), ("x-slack-signature", "v0=00")];
            assert_eq!(knock(&house, "/slack/commands", &wrong, body).await, (200, String::new()));
        }
        assert_eq!(knock(&house, "/slack/commands", &[], b"ssl_check=0".to_vec()).await.0, 401);
        assert_eq!(knock(&house, "/slack/interactions", &[], b"ssl_check=1".to_vec()).await.0, 401);
        house.settle().await;
        house.expect_record(&[]).await;
        house.finish().await;
    }

    async fn a_url_verification_gets_its_challenge(db: TestDb) {
        let house = House::new(db).await;
        let body = br#"{"token":"x","challenge":"3eZbrw1aBm2rZgRN<>&","type":"url_verification"}"#.to_vec();
        let (status, text) = house.send(&house.signed("/slack/events", body.clone())).await;
        assert_eq!(status, 200);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["challenge"], "3eZbrw1aBm2rZgRN<>&");
        assert_eq!(knock(&house, "/slack/events", &[], body).await.0, 401, "only Slack gets one");
        house.finish().await;
    }

    /// Slack sends an event again when it missed our answer.
    async fn a_retried_event_is_acknowledged_again(db: TestDb) {
        let house = House::new(db).await;
        let event = json!({
            "type": "event_callback", "event_id": "Ev1", "team_id": TEAM,
            "event": { "type": "team_join", "user": null },
        });
        for retry in 0..3 {
            let signed = house.signed("/slack/events", event.to_string().into_bytes());
            let retry = retry.to_string();
            let headers = [
                ("x-slack-request-timestamp", &*signed.time), ("x-slack-signature", &*signed.signature),
                ("x-slack-retry-num", &*retry), ("x-slack-retry-reason", "http_timeout"),
            ];
            assert_eq!(house.send_with("/slack/events", &headers, signed.body.clone()).await.0, 200);
        }
        house.expect_record(&[]).await;
        house.finish().await;
    }

    async fn other_verbs_and_other_paths_are_not_there(db: TestDb) {
        let house = House::new(db).await;
        for door in DOORS {
            assert_eq!(house.get(door).await.unwrap().status().as_u16(), 405, "{door}");
            assert_eq!(knock(&house, &format!("{door}/"), &[], usual()).await.0, 404, "{door}");
        }
        house.finish().await;
    }

    /// Production's door: a token for something else says nothing about anybody.
    async fn the_check_wants_a_token_of_its_scope(db: TestDb) {
        let house = House::new(db).await;
        let path = format!("{}/v1/check?user=ana@acme.test&customer=123", house.bot);
        let tokens = [(house.token(Scope::Admin).await, 403), (String::new(), 401), ("x.y.z".to_owned(), 401)];
        for (token, wanted) in tokens {
            let answer = house.http.get(&path).bearer_auth(&token).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), wanted, "{token}");
            assert!(!answer.text().await.unwrap().contains("allowed"));
        }
        house.finish().await;
    }

    async fn without_a_token_slack_is_off(db: TestDb) {
        let off = House::plan(db).env("SLACK_BOT_TOKEN", "").env("SLACK_SIGNING_SECRET", "");
        let house = off.env("SLACK_API_URL", "").build().await;
        for door in DOORS {
            assert_eq!(signed_by(&house, door, SLACK_SECRET, 0).await.0, 404, "{door}");
        }
        assert!(!house.allows("ana", "123").await, "the rest is there");
        house.finish().await;
    }
}
