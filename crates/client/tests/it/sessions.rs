//! Logging in, staying logged in, and where the session does not go.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::{StreamExt as _, TryStreamExt as _, future::join_all};
use http::Request;
use tombolo_client::{Client, ErrorKind};

use crate::{
    builder, client, impatient, password,
    server::{Reply, Seen, Server},
};

const EXPIRED: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
const EMPTY: &str = r#"{"totalSize":0,"done":true,"records":[]}"#;

fn granted(request: &Seen, number: u32) -> Reply {
    let origin = format!("http://{}", request.header("host"));
    Reply::json(
        200,
        format!(r#"{{"access_token":"00D!token-{number}","instance_url":"{origin}","token_type":"Bearer"}}"#),
    )
}

/// Gives `token-1`, `token-2`…; only tokens from `valid` on are accepted.
async fn org(valid: u32) -> (Server, Arc<AtomicU32>) {
    let logins = Arc::new(AtomicU32::new(0));
    let counter = logins.clone();
    let server = Server::start(move |request| {
        if request.path == "/services/oauth2/token" {
            return granted(request, counter.fetch_add(1, Ordering::SeqCst) + 1);
        }
        let token = request.header("authorization").rsplit('-').next().and_then(|number| number.parse().ok());
        if token.unwrap_or(0) >= valid { Reply::json(200, EMPTY) } else { Reply::json(401, EXPIRED) }
    })
    .await;
    (server, logins)
}

#[tokio::test]
async fn a_hundred_expired_calls_make_one_login() {
    let (server, logins) = org(2).await;
    let client = Client::builder().credentials(password(&server.origin)).retry(impatient()).build().unwrap();
    let answers = join_all((0..100).map(|_| client.query_page("SELECT Id FROM A"))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(logins.load(Ordering::SeqCst), 2);
    let login = server.seen().into_iter().find(|request| request.method == "POST").unwrap();
    assert!(login.body.contains("password=hunter2TOK"), "the security token follows the password");
    assert_eq!(client.instance_url().await.unwrap(), server.origin);
}

#[tokio::test]
async fn a_bare_token_cannot_be_renewed() {
    let (server, _) = org(1).await;
    let error = client(&server.origin).query_page("SELECT Id FROM A").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::SessionExpired, false));
    assert_eq!(server.seen().len(), 1);
    assert_eq!(client(&server.origin).login().await.unwrap_err().kind(), ErrorKind::SessionExpired);
}

#[tokio::test]
async fn a_refused_login_is_asked_once() {
    let server = Server::start(|_| {
        Reply::json(400, r#"{"error":"invalid_grant","error_description":"authentication failure"}"#)
    })
    .await;
    let client = Client::builder().credentials(password(&server.origin)).retry(impatient()).build().unwrap();
    let errors = join_all((0..20).map(|_| client.query_page("SELECT Id FROM A"))).await;
    for error in errors {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Login);
        assert_eq!(error.api_errors()[0].to_string(), "invalid_grant: authentication failure");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn nobody_there() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let client = client(&format!("http://127.0.0.1:{port}"));
    let error = client.create("Account", &Default::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 5), "a write that never left is tried again");
    assert_eq!(client.calls(), 0);
}

#[tokio::test]
async fn the_session_goes_nowhere_else() {
    let elsewhere = Server::start(|_| Reply::json(200, EMPTY)).await;
    let other = elsewhere.origin.clone();
    let server = Server::start(move |request| {
        if request.path.starts_with("/services/data/v66.0/query") {
            let next = format!(r#"{{"totalSize":2,"done":false,"records":[],"nextRecordsUrl":"{other}/services/x"}}"#);
            return Reply::json(200, next);
        }
        Reply::json(302, "").with("Location", other.clone())
    })
    .await;
    let client = client(&server.origin);
    let error = client.query("SELECT Id FROM A").next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let error = client.describe("Account").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Api, Some(302)));
    let absolute = Request::get(format!("{}/x", elsewhere.origin)).body(bytes::Bytes::new()).unwrap();
    assert_eq!(client.request(absolute).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn the_version_is_at_most_what_the_org_offers() {
    let server = Server::start(|request| match request.path.as_str() {
        "/services/data" => Reply::json(
            200,
            r#"[{"label":"Winter '24","url":"/services/data/v59.0","version":"59.0"},
                {"label":"Spring '24","url":"/services/data/v60.0","version":"60.0"}]"#,
        ),
        _ => Reply::json(200, EMPTY),
    })
    .await;
    let settled = client(&server.origin);
    settled.login().await.unwrap();
    assert_eq!(settled.api_version().to_string(), "60.0");
    assert_eq!(settled.calls(), 1, "trying out the token; the list of versions is not counted");
    let chosen = builder(&server.origin).api_version("62".parse().unwrap()).build().unwrap();
    chosen.login().await.unwrap();
    assert_eq!(chosen.api_version().to_string(), "62.0");
}

#[tokio::test]
async fn what_every_request_carries() {
    let server = Server::start(|_| Reply::json(200, EMPTY).with("Sforce-Limit-Info", "api-usage=18/5000")).await;
    let client = builder(&server.origin).client_name("payroll").build().unwrap();
    assert_eq!(client.api_usage(), None);
    client.query_page("SELECT Id FROM A").await.unwrap();
    client.with_call_tag("tombolo.1.2.3").unwrap().query_page("SELECT Id FROM A").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), "Bearer 00D000000000001!token-0");
    assert_eq!(seen[0].header("sforce-call-options"), "client=payroll");
    assert_eq!(seen[1].header("sforce-call-options"), "client=tombolo.1.2.3");
    assert_eq!(seen[0].header("accept-encoding"), "gzip");
    assert_eq!(seen[0].header("accept"), "application/json");
    let usage = client.api_usage().unwrap();
    assert_eq!((usage.used, usage.max, client.calls()), (18, 5000, 2));
}

#[tokio::test]
async fn compressed_answers_and_large_ones() {
    /// `{"totalSize":1,…}` as gzip wrote it.
    const GZIPPED: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 201, 47, 73, 204, 9, 206, 172, 74, 85, 178, 50, 212, 81, 74, 201,
        207, 3, 50, 74, 138, 74, 83, 117, 148, 138, 82, 147, 243, 139, 82, 138, 149, 172, 162, 171, 149, 18, 75, 74,
        138, 50, 147, 74, 75, 82, 129, 220, 106, 165, 146, 202, 2, 160, 42, 37, 71, 165, 90, 29, 37, 207, 20, 32, 203,
        192, 192, 80, 169, 54, 182, 22, 0, 223, 125, 106, 79, 78, 0, 0, 0,
    ];
    let server = Server::start(|_| Reply::Answer {
        status: 200,
        headers: vec![("Content-Encoding", "gzip".into())],
        body: GZIPPED.to_vec(),
    })
    .await;
    let all: Vec<_> = client(&server.origin).query("SELECT Id FROM A").try_collect().await.unwrap();
    assert_eq!(all[0].id(), Some("001"));
    let small = builder(&server.origin).max_body(77).build().unwrap();
    assert_eq!(small.query_page("SELECT Id FROM A").await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn an_answer_that_does_not_come() {
    let server = Server::start(|_| Reply::Hold).await;
    let hasty = |attempts| {
        let policy = impatient().max_attempts(attempts);
        builder(&server.origin).timeout(std::time::Duration::from_millis(50)).retry(policy).build().unwrap()
    };
    let error = hasty(2).query_page("SELECT Id FROM A").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 2));
    let error = hasty(2).create("Account", &Default::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::UnknownOutcome, 1));
}
