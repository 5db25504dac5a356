//! Who a session belongs to.

use crate::harness::{TestOrg, keys, read, shared};

#[tokio::test]
async fn the_identity_url_tells_who() {
    let org = TestOrg::start().await;
    let path = format!("/id/{}/{}", org.ready().org_id, org.ready().user_id);
    let answer = org.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["username"], "admin@tombolo.test");
    assert_eq!(body["organization_id"], org.ready().org_id.as_str());
    assert!(body["urls"]["rest"].as_str().unwrap().ends_with("/services/data/v{version}/"));
    if let Some(recorded) = shared("fixtures/rest/swiftly_MockIdentity.json") {
        let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
        assert_eq!(keys(&body), keys(&recorded));
        assert_eq!(keys(&body["urls"]), keys(&recorded["urls"]));
    }
    // As jsforce asks: the token in the query.
    let token = &org.ready().access_token;
    let in_query = org.http.get(org.url(&format!("{path}?format=json&oauth_token={token}")));
    assert_eq!(read(in_query).await.status, 200);
}

#[tokio::test]
async fn identity_is_refused_in_plain_text() {
    let org = TestOrg::start().await;
    let (own, user) = (org.ready().org_id.clone(), org.ready().user_id.clone());
    for (path, status, text) in [
        (format!("/id/00D000000000000/{user}"), 403, "Wrong_Org"),
        (format!("/id/{own}/005000000000000AAA"), 404, "Bad_Id"),
        (format!("/id/{own}/me"), 404, "Bad_Id"),
    ] {
        let answer = org.get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, text), "{path}");
    }
    let path = format!("/id/{own}/{user}");
    for (token, text) in [(None, "Missing_OAuth_Token"), (Some("00Dx!nonsense"), "Bad_OAuth_Token")] {
        let mut request = org.http.get(org.url(&path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = read(request).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (403, text));
    }
}

#[tokio::test]
async fn userinfo_tells_who() {
    let org = TestOrg::start().await;
    let body = org.get("/services/oauth2/userinfo").await.json();
    assert_eq!(body["preferred_username"], "admin@tombolo.test");
    assert_eq!(body["user_id"], org.ready().user_id.as_str());
    assert_eq!(body["organization_id"], org.ready().org_id.as_str());
    // What the sf CLI asks next, with the version it has built in (rest.md 1.13).
    let user = org.get(&format!("/services/data/v51.0/sobjects/User/{}", org.ready().user_id)).await.json();
    assert_eq!(user["Username"], "admin@tombolo.test");
}
