//! The token endpoint.

use reqwest::Method;
use tombolo_org::{OrgConfig, Ready};

use crate::harness::{Answer, TestOrg, keys, read, shared};

fn form(ready: &Ready, changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("grant_type", "password"),
        ("client_id", &ready.client_id),
        ("client_secret", &ready.client_secret),
        ("username", &ready.username),
        ("password", &ready.password),
    ];
    for (name, value) in changes {
        fields.retain(|(key, _)| key != name);
        fields.push((name, value));
    }
    fields.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&").replace('@', "%40")
}

async fn token(org: &TestOrg, form: String) -> Answer {
    let request = org.http.post(org.url("/services/oauth2/token"));
    read(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
}

#[tokio::test]
async fn a_password_opens_a_session() {
    let org = TestOrg::start().await;
    let answer = token(&org, form(org.ready(), &[])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json;charset=UTF-8");
    assert_eq!(answer.header("cache-control"), "no-cache,must-revalidate,max-age=0,no-store,private");
    let body = answer.json();
    assert_eq!(keys(&body), ["access_token", "instance_url", "id", "token_type", "issued_at", "signature"]);
    if let Some(recorded) = shared("fixtures/rest/openstax_oauth_password_token_200.json") {
        assert_eq!(keys(&body), keys(&serde_json::from_str(&recorded).unwrap()));
    }
    let ready = org.ready();
    assert_eq!(body["instance_url"], ready.instance_url.as_str());
    assert_eq!(body["id"], format!("{}/id/{}/{}", ready.instance_url, ready.org_id, ready.user_id));
    assert_eq!(body["signature"].as_str().unwrap().len(), 44);
    assert_eq!(body["issued_at"].as_str().unwrap().len(), 13, "milliseconds");
    let access = body["access_token"].as_str().unwrap();
    let limits = org.http.get(org.url("/services/data/v66.0/limits"));
    assert_eq!(read(limits.header("authorization", format!("OAuth {access}"))).await.status, 200);
}

#[tokio::test]
async fn parameters_come_in_a_form_a_query_or_parts() {
    let org = TestOrg::start().await;
    let in_query = form(org.ready(), &[]);
    assert_eq!(read(org.http.post(org.url(&format!("/services/oauth2/token?{in_query}")))).await.status, 200);
    let mut parts = String::new();
    for pair in form(org.ready(), &[]).replace("%40", "@").split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        parts.push_str(&format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    parts.push_str("--b--\r\n");
    let request = org.http.post(org.url("/services/oauth2/token"));
    let request = request.header("content-type", "multipart/form-data; boundary=b").body(parts);
    assert_eq!(read(request).await.status, 200);
}

#[tokio::test]
async fn what_is_refused() {
    let org = TestOrg::start().await;
    for (change, error, description) in [
        (("password", "wrong"), "invalid_grant", "authentication failure"),
        (("username", "nobody@example.com"), "invalid_grant", "authentication failure"),
        (("client_id", "other"), "invalid_client_id", "client identifier invalid"),
        (("client_secret", "other"), "invalid_client", "invalid client credentials"),
        (("grant_type", "magic"), "unsupported_grant_type", "grant type not supported"),
        (("grant_type", ""), "unsupported_grant_type", "grant type not supported"),
    ] {
        let answer = token(&org, form(org.ready(), &[change])).await;
        assert_eq!(answer.status, 400, "{change:?}");
        let expected = format!("{{\"error\":\"{error}\",\"error_description\":\"{description}\"}}");
        assert_eq!(answer.text, expected, "{change:?}");
    }
}

#[tokio::test]
async fn the_security_token_belongs_to_the_password() {
    let config = OrgConfig { security_token: "XYZ".to_owned(), ..OrgConfig::default() };
    let org = TestOrg::with(config).await;
    assert_eq!(org.ready().security_token, "XYZ");
    assert_eq!(token(&org, form(org.ready(), &[])).await.status, 400);
    assert_eq!(token(&org, form(org.ready(), &[("password", "tomboloXYZ")])).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_when_it_is_revoked() {
    let org = TestOrg::start().await;
    let access = org.ready().access_token.clone();
    let revoke = |token: &str| {
        let request = org.http.post(org.url("/services/oauth2/revoke"));
        read(request.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}")))
    };
    assert_eq!(org.get("limits").await.status, 200);
    let answer = revoke(&access).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    let answer = org.get("limits").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.text, r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#);
    let answer = revoke(&access).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.starts_with("error=invalid_token&error_description="), "{}", answer.text);
    let scripted = org.request(Method::GET, "/services/oauth2/revoke?token=x&callback=alert(1)//");
    assert_eq!(read(scripted).await.status, 400);
}

#[tokio::test]
async fn a_session_ends_by_disuse() {
    let org = TestOrg::start().await;
    assert_eq!(org.get("limits").await.status, 200);
    org.org.advance_clock(std::time::Duration::from_secs(2 * 3600 + 60));
    assert_eq!(org.get("limits").await.status, 401);
}
