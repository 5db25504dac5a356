//! The admin's door.

use reqwest::Method;
use serde_json::json;

use crate::harness::{TestOrg, read};

#[tokio::test]
async fn it_wants_the_admin_token() {
    let org = TestOrg::start().await;
    for request in [
        org.request(Method::GET, "/_tombolo/requests"),
        org.request(Method::GET, "/_tombolo/requests").header("x-tombolo-admin", "wrong"),
    ] {
        assert_eq!(read(request).await.status, 401);
    }
    assert_eq!(org.admin(Method::GET, "/_tombolo/requests", None).await.status, 200);
    assert_eq!(org.admin(Method::GET, "/_tombolo/nonsense", None).await.status, 404);
}

#[tokio::test]
async fn it_knows_what_was_asked() {
    let org = TestOrg::start().await;
    org.get("limits").await;
    org.get("/services/data").await;
    let requests = org.admin(Method::GET, "/_tombolo/requests", None).await.json();
    let expected = json!([
        { "method": "GET", "path": "/services/data/v66.0/limits", "status": 200, "api_calls": 1 },
        { "method": "GET", "path": "/services/data", "status": 200, "api_calls": 0 },
    ]);
    assert_eq!(requests, expected);
}

#[tokio::test]
async fn the_clock_goes_forward() {
    let org = TestOrg::start().await;
    let before = org.create("Account", json!({ "Name": "A" })).await;
    let answer = org.admin(Method::POST, "/_tombolo/clock", Some(json!({ "advance": "1h" }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let after = org.create("Account", json!({ "Name": "B" })).await;
    let mut hours = Vec::new();
    for id in [before, after] {
        let created =
            org.get(&format!("sobjects/Account/{id}")).await.json()["CreatedDate"].as_str().unwrap().to_owned();
        hours.push(created.replace("+0000", "Z").parse::<jiff::Timestamp>().unwrap());
    }
    assert!(hours[1].duration_since(hours[0]) >= jiff::SignedDuration::from_hours(1));
    for body in [json!({ "advance": "soon" }), json!({}), json!({ "retreat": "1h" }), json!(3)] {
        assert_eq!(org.admin(Method::POST, "/_tombolo/clock", Some(body)).await.status, 400);
    }
}

#[tokio::test]
async fn it_begins_anew() {
    let org = TestOrg::start().await;
    let id = org.create("Account", json!({ "Name": "A" })).await;
    assert_eq!(org.admin(Method::POST, "/_tombolo/reset", None).await.status, 204);
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.status, 404, "the session of the ready line lives on");
    let user = &org.ready().user_id;
    assert_eq!(org.get(&format!("sobjects/User/{user}")).await.status, 200);
}

#[tokio::test]
async fn events_are_selected() {
    let org = TestOrg::start().await;
    let select =
        |select: serde_json::Value| org.admin(Method::POST, "/_tombolo/cdc", Some(json!({ "select": select })));
    assert_eq!(select(json!(["contact", "Account"])).await.json(), json!({ "selected": ["Account", "Contact"] }));
    assert_eq!(select(json!("none")).await.json(), json!({ "selected": [] }));
    assert_eq!(select(json!([])).await.json(), json!({ "selected": [] }));
    assert!(select(json!("all")).await.json()["selected"].as_array().unwrap().len() > 5);
    for refused in [json!(["Nonsense"]), json!(["Account", "Contact", "Lead", "Case", "Task", "Event"]), json!(7)] {
        let answer = select(refused.clone()).await;
        assert_eq!(answer.status, 400, "{refused}: {}", answer.text);
    }
}

#[tokio::test]
async fn faults_are_refused_and_taken_back() {
    let org = TestOrg::start().await;
    let inject = |body: serde_json::Value| org.admin(Method::POST, "/_tombolo/faults", Some(body));
    let answer = inject(json!({ "kind": "nonsense", "count": 1 })).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("delay_events"), "it says what there is: {}", answer.text);
    let id = inject(json!({ "kind": "status_503", "for": "1h" })).await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(org.get("limits").await.status, 503);
    assert_eq!(org.admin(Method::DELETE, &format!("/_tombolo/faults/{id}"), None).await.status, 204);
    assert_eq!(org.get("limits").await.status, 200);
    assert_eq!(org.admin(Method::DELETE, &format!("/_tombolo/faults/{id}"), None).await.status, 404);
    inject(json!({ "kind": "status_503" })).await;
    assert_eq!(org.admin(Method::DELETE, "/_tombolo/faults", None).await.status, 204);
    assert_eq!(org.get("limits").await.status, 200);
}
