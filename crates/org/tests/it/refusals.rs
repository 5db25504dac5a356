//! Requests that are refused before anything is done.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{TestOrg, read};

#[tokio::test]
async fn versions() {
    let org = TestOrg::start().await;
    let answer = read(org.http.get(org.url("/services/data"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("sforce-limit-info"), "");
    let versions = answer.json();
    assert_eq!(versions[0], json!({ "label": "Summer '14", "url": "/services/data/v31.0", "version": "31.0" }));
    assert_eq!(versions.as_array().unwrap().last().unwrap()["version"], "68.0");
    for (path, status, code) in [
        ("/services/data/v30.0/limits", 410, "UNSUPPORTED_API_VERSION"),
        ("/services/data/v20.0/sobjects/Account", 410, "UNSUPPORTED_API_VERSION"),
        ("/services/data/v69.0/limits", 404, "NOT_FOUND"),
        ("/services/data/v66/limits", 404, "NOT_FOUND"),
        ("/services/data/latest/limits", 404, "NOT_FOUND"),
        ("/services/data/v31.0/limits", 200, ""),
        ("/services/data/v68.0/limits", 200, ""),
    ] {
        let answer = org.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        if !code.is_empty() {
            assert_eq!(answer.json()[0]["errorCode"], code, "{path}");
        }
    }
}

#[tokio::test]
async fn sessions() {
    let org = TestOrg::start().await;
    let invalid = "INVALID_AUTH_HEADER";
    for (header, message, code) in [
        (None, "INVALID_AUTH_HEADER", invalid),
        (Some("".to_owned()), "INVALID_AUTH_HEADER", invalid),
        (Some("Bearer".to_owned()), "INVALID_AUTH_HEADER", invalid),
        (Some("Basic dTpw".to_owned()), "INVALID_HEADER_TYPE", invalid),
        (Some("Bearer eyJhbGciOiJub25lIn0.e30.".to_owned()), "INVALID_JWT_FORMAT", invalid),
        (Some("Bearer 00D000000000001!nonsense".to_owned()), "Session expired or invalid", "INVALID_SESSION_ID"),
    ] {
        let mut request = org.http.get(org.url("/services/data/v66.0/sobjects"));
        if let Some(header) = &header {
            request = request.header("authorization", header);
        }
        let answer = read(request).await;
        assert_eq!(answer.status, 401, "{header:?}");
        assert_eq!(answer.text, format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#), "{header:?}");
        if code == invalid {
            assert_eq!(answer.header("www-authenticate"), "Token");
        }
    }
}

#[tokio::test]
async fn paths_and_methods() {
    let org = TestOrg::start().await;
    let answer = org.get("nonsense").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.text, r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#);
    assert_eq!(read(org.http.get(org.url("/services/data/v66.0/nonsense"))).await.status, 401);
    assert_eq!(read(org.http.get(org.url("/"))).await.status, 404);
    let answer = read(org.request(Method::PUT, "sobjects/Account/001000000000000AAA")).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), "HEAD,GET,POST,PATCH,DELETE");
    let answer = read(org.request(Method::DELETE, "sobjects/Account")).await;
    assert_eq!(
        answer.text,
        r#"[{"message":"HTTP Method 'DELETE' not allowed. Allowed are HEAD,GET,POST","errorCode":"METHOD_NOT_ALLOWED"}]"#
    );
    assert_eq!(read(org.http.get(org.url("/services/oauth2/token"))).await.status, 405);
    let head = read(org.request(Method::HEAD, "limits")).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    for path in ["//services/data//v66.0/limits", "/services/data/v66.0/limits/"] {
        assert_eq!(org.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn calls_are_counted() {
    let org = TestOrg::start().await;
    assert_eq!(org.get("limits").await.header("sforce-limit-info"), "api-usage=1/15000");
    assert_eq!(org.get("sobjects/Nonsense").await.header("sforce-limit-info"), "api-usage=2/15000");
    let stranger = read(org.http.get(org.url("/services/data/v66.0/limits"))).await;
    assert_eq!((stranger.status.as_u16(), stranger.header("sforce-limit-info")), (401, ""));
    assert_eq!(org.get("limits").await.header("sforce-limit-info"), "api-usage=3/15000");
    assert_eq!(org.get("limits").await.json()["DailyApiRequests"]["Remaining"], 14_997);
}

#[tokio::test]
async fn pretty_printing_is_on_request() {
    let org = TestOrg::start().await;
    let plain = org.get("limits").await;
    assert!(!plain.text.contains('\n'));
    let pretty = read(org.request(Method::GET, "limits").header("x-prettyprint", "1")).await;
    assert!(pretty.text.contains("\n  \"DailyApiRequests\""), "{}", pretty.text);
}
