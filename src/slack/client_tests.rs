//! The client against a server over real HTTP that answers as it is told.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, sync::mpsc};

use super::*;
use crate::slack::views::answer;

struct Seen {
    verb: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

/// Serves one answer to everything, and tells what it was asked.
async fn serve(
    answer: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> (String, mpsc::UnboundedReceiver<Seen>) {
    let (tell, seen) = mpsc::unbounded_channel();
    let handler = move |verb: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        tell.send(Seen { verb, uri, headers, body }).ok();
        let answer = answer();
        async move { answer }
    };
    (listen(Router::new().fallback(handler)).await, seen)
}

async fn listen(router: Router) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

fn client(base: &str) -> SlackClient {
    SlackClient::new(base, "xoxb-secret".to_owned().into(), Duration::from_secs(5)).unwrap()
}

fn json_answer(body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn content() -> Content {
    answer::click_refused("Only Ana can do that.")
}

fn ana() -> SlackUserId {
    SlackUserId::new("U0ANA")
}

/// The error of a call that is answered so.
async fn error_of(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> SlackError {
    let (base, _seen) = serve(answer).await;
    client(&base).user(&ana()).await.unwrap_err()
}

#[tokio::test]
async fn every_kind_of_bad_answer_is_classified() {
    let method = "users.info";
    let bad = |status| SlackError::BadAnswer { method, status };
    let html = || ([(header::CONTENT_TYPE, "text/html")], "<html>Be right back</html>").into_response();
    assert_eq!(error_of(html).await, bad(200));
    assert_eq!(error_of(|| json_answer(r#"{"ok":true,"user":{"id""#)).await, bad(200));
    assert_eq!(error_of(|| json_answer("[]")).await, bad(200));
    assert_eq!(error_of(|| json_answer("")).await, bad(200));
    assert_eq!(error_of(|| json_answer(r#"{"ok":false}"#)).await, bad(200));
    assert_eq!(error_of(|| json_answer(r#"{"ok":"true","user":{"id":"U0ANA"}}"#)).await, bad(200));
    assert_eq!(error_of(|| json_answer(r#"{"ok":true,"user":null}"#)).await, bad(200));
    assert_eq!(error_of(|| (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response()).await, bad(500));
    assert_eq!(error_of(|| (StatusCode::BAD_GATEWAY, json_answer(r#"{"ok":true}"#)).into_response()).await, bad(502));
    let elsewhere = || (StatusCode::FOUND, [(header::LOCATION, "/api/elsewhere")]).into_response();
    assert_eq!(error_of(elsewhere).await, bad(302), "redirects are not followed: they would carry the token along");
    let huge = || json_answer(Box::leak(format!(r#"{{"ok":true,"x":"{}"}}"#, "x".repeat(LARGEST_ANSWER)).into()));
    assert_eq!(error_of(huge).await, bad(200));
    let refusal = error_of(|| {
        json_answer(
            r#"{"ok":false,"error":"missing_scope","needed":"users:read",
                "response_metadata":{"messages":["[ERROR] no\nscope",null]}}"#,
        )
    });
    let detail = "[ERROR] noscope; needed: users:read".to_owned();
    assert_eq!(refusal.await, SlackError::Api { method, code: "missing_scope".to_owned(), detail });
    let failed =
        || (StatusCode::INTERNAL_SERVER_ERROR, json_answer(r#"{"ok":false,"error":"fatal_error"}"#)).into_response();
    assert_eq!(error_of(failed).await.advice(), Advice::Retry);
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for() {
    let base = listen(Router::new().fallback(std::future::pending::<()>)).await;
    let client = SlackClient::new(&base, "xoxb-secret".to_owned().into(), Duration::from_millis(100)).unwrap();
    assert_eq!(client.user(&ana()).await, Err(SlackError::NoAnswer { method: "users.info" }));
    // A port that was free a moment ago.
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let error = self::client(&format!("http://{free}/api")).user(&ana()).await.unwrap_err();
    assert_eq!((error.clone(), error.advice()), (SlackError::NoAnswer { method: "users.info" }, Advice::Retry));
    assert!(self::client("not an address").user(&ana()).await.is_err());
}

#[tokio::test]
async fn a_pause_is_kept_and_only_where_it_was_asked_for() {
    let answer = || (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")], "slow down").into_response();
    let (base, mut seen) = serve(answer).await;
    let client = client(&base);
    let first = client.post("C0ACCESS", None, &content(), None).await.unwrap_err();
    assert_eq!(first.advice(), Advice::RetryAfter(Duration::from_secs(7)));
    let again = client.post("C0ACCESS", None, &content(), None).await.unwrap_err();
    let Advice::RetryAfter(left) = again.advice() else { panic!("{again}") };
    assert!(left <= Duration::from_secs(7));
    client.post("C0OTHER", None, &content(), None).await.unwrap_err();
    let asked: Vec<String> = std::iter::from_fn(|| seen.try_recv().ok()).map(|seen| seen.body).collect();
    assert_eq!(asked.len(), 2, "the second was not sent: {asked:?}");

    for (given, secs) in [("0", 1), ("soon", 30), ("999999999", 3600)] {
        let answer = move || (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, given)]).into_response();
        assert_eq!(error_of(answer).await.advice(), Advice::RetryAfter(Duration::from_secs(secs)), "{given}");
    }
    let in_words = error_of(|| json_answer(r#"{"ok":false,"error":"ratelimited"}"#)).await;
    assert_eq!(in_words.advice(), Advice::RetryAfter(RATE_PAUSE));
}

#[tokio::test]
async fn writes_are_json_and_reads_are_queries() {
    let answer =
        || json_answer(r#"{"ok":true,"channel":"D0ANA","ts":"1.000001","user":{"id":"U0ANA"},"users":["U0BO",null]}"#);
    let (base, mut seen) = serve(answer).await;
    let client = client(&format!("{base}/"));
    let posted = client.post("U0ANA", Some("1.0"), &content(), Some("msg_1")).await.unwrap();
    assert_eq!(posted, ("D0ANA".to_owned(), "1.000001".to_owned()), "where it stands is what Slack says");
    let call = seen.recv().await.unwrap();
    assert_eq!((call.verb, call.uri.path()), (Method::POST, "/api/chat.postMessage"));
    assert_eq!(call.headers[header::CONTENT_TYPE], "application/json; charset=utf-8");
    assert_eq!(call.headers[header::AUTHORIZATION], "Bearer xoxb-secret");
    let sent: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(
        (&sent["channel"], &sent["thread_ts"], &sent["unfurl_links"]),
        (&json!("U0ANA"), &json!("1.0"), &json!(false))
    );
    assert_eq!(sent["text"], "Only Ana can do that.");
    assert_eq!(sent["metadata"], json!({ "event_type": "latchkey_message", "event_payload": { "id": "msg_1" } }));
    assert_eq!(sent["blocks"][0]["type"], "section");

    let found = client.user_by_email(&Email::parse("ana@acme.test").unwrap()).await.unwrap();
    assert_eq!(found.unwrap().id, ana());
    let call = seen.recv().await.unwrap();
    assert_eq!(
        (call.verb, call.uri.to_string()),
        (Method::GET, "/api/users.lookupByEmail?email=ana%40acme.test".to_owned())
    );
    assert_eq!(call.body, "");
    assert_eq!(client.group_members("S0LEADS").await.unwrap(), BTreeSet::from([SlackUserId::new("U0BO")]));
    client.update("D0ANA", "1.000001", &content()).await.unwrap();
    client.post_ephemeral("C0ACCESS", &ana(), &content()).await.unwrap();
}

#[tokio::test]
async fn whose_token_it_is() {
    let answer = || {
        let scopes = [
            (HeaderName::from_static("x-oauth-scopes"), "commands, chat:write"),
            (header::DATE, "Tue, 14 Nov 2023 22:13:20 GMT"),
        ];
        (scopes, json_answer(r#"{"ok":true,"team_id":"T0ACME","user_id":"U0LATCHKEY","enterprise_id":null}"#))
            .into_response()
    };
    let (base, _seen) = serve(answer).await;
    let test = client(&base).auth_test().await.unwrap();
    assert_eq!((test.team_id.as_str(), test.bot_id), ("T0ACME", None));
    assert_eq!(test.scopes, Some(BTreeSet::from(["chat:write".to_owned(), "commands".to_owned()])));
    assert_eq!(test.at.map(|at| at.as_second()), Some(1_700_000_000));
}

#[tokio::test]
async fn a_channel_that_nobody_shows_us_is_no_error() {
    let (base, mut seen) = serve(|| json_answer(r#"{"ok":false,"error":"channel_not_found"}"#)).await;
    assert_eq!(client(&base).channel("C0ACCESS").await, Ok(None));
    assert_eq!(seen.recv().await.unwrap().uri.query(), Some("channel=C0ACCESS"));
    let found = r#"{"ok":true,"channel":{"id":"C0ACCESS","name":"access","is_member":false,"is_archived":true}}"#;
    let (base, _seen) = serve(move || json_answer(found)).await;
    let channel = client(&base).channel("C0ACCESS").await.unwrap().unwrap();
    assert_eq!((channel.archived, channel.is_member, channel.name.as_deref()), (true, false, Some("access")));
}

#[tokio::test]
async fn nobody_with_that_address_is_no_error() {
    let (base, _seen) = serve(|| json_answer(r#"{"ok":false,"error":"users_not_found"}"#)).await;
    assert_eq!(client(&base).user_by_email(&Email::parse("dan@acme.test").unwrap()).await, Ok(None));
}

#[tokio::test]
async fn an_answer_by_response_url_carries_no_token() {
    let (base, mut seen) = serve(|| "ok".into_response()).await;
    let url = Url::parse(&base.replace("/api", "/response/T1/secret")).unwrap();
    client(&base).respond(&url, &content()).await.unwrap();
    let call = seen.recv().await.unwrap();
    assert_eq!(call.headers.get(header::AUTHORIZATION), None);
    let sent: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!((&sent["response_type"], &sent["replace_original"]), (&json!("ephemeral"), &json!(false)));

    let fine = serve(|| json_answer(r#"{"ok":true}"#)).await.0;
    assert_eq!(client(&fine).respond(&Url::parse(&fine).unwrap(), &content()).await, Ok(()));
    let html = serve(|| "<html>ok</html>".into_response()).await.0;
    assert!(client(&html).respond(&Url::parse(&html).unwrap(), &content()).await.is_err());
    let used = serve(|| (StatusCode::NOT_FOUND, "used_url").into_response()).await.0;
    let error = client(&used).respond(&Url::parse(&used).unwrap(), &content()).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Never);
    let elsewhere = client(&base).respond(&Url::parse("http://127.0.0.1:1/x").unwrap(), &content()).await.unwrap_err();
    assert_eq!(elsewhere.code(), Some("url_not_allowed"));
}

#[test]
fn errors_are_worth_another_try_or_not() {
    let method = "chat.postMessage";
    let api = |code: &str| SlackError::Api { method, code: code.to_owned(), detail: String::new() }.advice();
    for code in ["service_unavailable", "team_added_to_org", "request_timeout", "internal_error", "fatal_error"] {
        assert_eq!(api(code), Advice::Retry, "{code}");
    }
    for code in ["invalid_auth", "token_expired", "missing_scope", "not_in_channel"] {
        assert_eq!(api(code), Advice::RetrySlowly, "{code}: somebody can mend it");
    }
    for code in ["invalid_blocks", "message_not_found", "brand_new_code"] {
        assert_eq!(api(code), Advice::Never, "{code}");
    }
    for (status, advice) in [(200, Advice::Retry), (503, Advice::Retry), (404, Advice::Never), (302, Advice::Never)] {
        assert_eq!(SlackError::BadAnswer { method, status }.advice(), advice, "{status}");
    }
}

#[test]
fn answers_go_to_slack_and_nowhere_else() {
    let slack = "https://slack.com/api";
    let own = "http://127.0.0.1:9999/api";
    for (url, base, allowed) in [
        ("https://hooks.slack.com/commands/T1/1/abc", slack, true),
        ("https://hooks.slack.com/actions/T1/1/abc", own, true),
        ("https://hooks.slack.com:443/x", slack, true),
        ("https://HOOKS.slack.com/x", slack, true),
        ("http://hooks.slack.com/x", slack, false),
        ("https://hooks.slack.com:8443/x", slack, false),
        ("https://hooks.slack.com.evil.test/x", slack, false),
        ("https://hooks.slack.com@evil.test/x", slack, false),
        ("https://me:pw@hooks.slack.com/x", slack, false),
        ("https://evil.test/hooks.slack.com", slack, false),
        ("https://api.hooks.slack.com/x", slack, false),
        ("http://127.0.0.1:9999/response/1", own, true),
        ("http://127.0.0.1:9998/response/1", own, false),
        ("https://127.0.0.1:9999/response/1", own, false),
        ("http://localhost:9999/response/1", own, false),
        ("http://127.0.0.1:9999/response/1", slack, false),
        ("file:///etc/passwd", "file:///etc", false),
        ("data:,x", "data:,x", false),
        ("", slack, false),
        ("/commands/T1", slack, false),
    ] {
        assert_eq!(allowed_response_url(url, base).is_some(), allowed, "{url} {base}");
    }
}
