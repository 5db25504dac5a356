//! Single records.

use reqwest::Method;
use serde_json::json;

use crate::harness::{TestOrg, read};

#[tokio::test]
async fn a_record_lives() {
    let org = TestOrg::start().await;
    let answer = org.post("sobjects/account/", &json!({ "name": "Acme", "AnnualRevenue": 300 })).await;
    assert_eq!(answer.status, 201);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.text, format!(r#"{{"id":"{id}","success":true,"errors":[]}}"#));
    assert_eq!(answer.header("location"), format!("/services/data/v66.0/sobjects/Account/{id}"));

    let answer = org.get(&format!("sobjects/Account/{id}?fields=Name,AnnualRevenue,Industry")).await;
    let url = format!("/services/data/v66.0/sobjects/Account/{id}");
    let expected = format!(
        r#"{{"attributes":{{"type":"Account","url":"{url}"}},"Name":"Acme","AnnualRevenue":300.0,"Industry":null,"Id":"{id}"}}"#
    );
    assert_eq!(answer.text, expected);
    let whole = org.get(&format!("sobjects/Account/{}", &id[..15])).await.json();
    assert_eq!(whole["IsDeleted"], false);
    assert!(whole["CreatedDate"].as_str().unwrap().ends_with(".000+0000"));
    assert_eq!(whole["BillingAddress"], json!(null));

    let answer =
        org.patch(&format!("sobjects/Account/{id}"), &json!({ "Industry": "Energy", "BillingCity": "Bonn" })).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    let whole = org.get(&format!("sobjects/Account/{id}")).await.json();
    assert_eq!(whole["BillingAddress"]["city"], "Bonn");

    assert_eq!(org.delete(&format!("sobjects/Account/{id}")).await.status, 204);
    let answer = org.delete(&format!("sobjects/Account/{id}")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.text, r#"[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED","fields":[]}]"#);
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.status, 404);
}

#[tokio::test]
async fn writes_are_refused_in_salesforces_words() {
    let org = TestOrg::start().await;
    let id = org.create("Account", json!({ "Name": "Acme" })).await;
    for (method, path, body, status, expected) in [
        (
            Method::POST,
            "sobjects/Account",
            json!({}),
            400,
            r#"[{"message":"Required fields are missing: [Name]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name"]}]"#,
        ),
        (
            Method::POST,
            "sobjects/Account",
            json!({ "Name": "x", "foo": 1 }),
            400,
            r#"[{"message":"No such column 'foo' on sobject of type Account","errorCode":"INVALID_FIELD"}]"#,
        ),
        (
            Method::POST,
            "sobjects/Nonsense",
            json!({}),
            404,
            r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#,
        ),
        (
            Method::PATCH,
            "sobjects/Account/ID",
            json!({ "Id": "ID", "Name": "x" }),
            400,
            r#"[{"message":"The Id field should not be specified in the sobject data.","errorCode":"INVALID_FIELD"}]"#,
        ),
        (
            Method::PATCH,
            "sobjects/Account/001000000000000AAA",
            json!({ "Name": "x" }),
            404,
            r#"[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]"#,
        ),
        (
            Method::GET,
            "sobjects/Account/23foo",
            json!(null),
            404,
            r#"[{"message":"Provided external ID field does not exist or is not accessible: 23foo","errorCode":"NOT_FOUND"}]"#,
        ),
        (
            Method::GET,
            "sobjects/Account/ID?fields=Nope",
            json!(null),
            400,
            r#"[{"message":"No such column 'Nope' on sobject of type Account","errorCode":"INVALID_FIELD"}]"#,
        ),
        (
            Method::PATCH,
            "sobjects/Account/Namez/x",
            json!({}),
            404,
            r#"[{"message":"Provided external ID field does not exist or is not accessible: Namez","errorCode":"NOT_FOUND"}]"#,
        ),
    ] {
        let path = path.replace("ID", &id);
        let body = serde_json::from_str(&body.to_string().replace("\"ID\"", &format!("\"{id}\""))).unwrap();
        let answer = org.send(method, &path, &body).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, expected), "{path}");
    }
}

#[tokio::test]
async fn malformed_json_is_told_with_its_place() {
    let org = TestOrg::start().await;
    for (body, expected) in [
        ("{\"Name\":}", "at [line:1, column:9]"),
        ("", "The HTTP entity body is required, but this request has no entity body."),
        ("[]", "at [line:1, column:"),
        ("{\"Name\":\"a\"} trailing", "at [line:1, column:14]"),
    ] {
        let request = org.request(Method::POST, "sobjects/Account").header("content-type", "application/json");
        let answer = read(request.body(body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()[0]["errorCode"], "JSON_PARSER_ERROR", "{body}");
        assert!(answer.json()[0]["message"].as_str().unwrap().contains(expected), "{body}: {}", answer.text);
    }
    let request = org.request(Method::POST, "sobjects/Account").header("content-type", "text/plain").body("{}");
    let answer = read(request).await;
    assert_eq!(answer.status, 415);
    assert_eq!(answer.json()[0]["errorCode"], "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn a_post_can_stand_for_a_patch() {
    let org = TestOrg::start().await;
    let id = org.create("Account", json!({ "Name": "Acme" })).await;
    let path = format!("sobjects/Account/{id}?_HttpMethod=PATCH");
    assert_eq!(org.post(&path, &json!({ "Name": "Bcme" })).await.status, 204);
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.json()["Name"], "Bcme");
}

#[tokio::test]
async fn a_parent_is_one_step_away() {
    let org = TestOrg::start().await;
    let account = org.create("Account", json!({ "Name": "Acme" })).await;
    let contact = org.create("Contact", json!({ "LastName": "Lee", "AccountId": account })).await;
    let parent = org.get(&format!("sobjects/Contact/{contact}/Account?fields=Name")).await.json();
    assert_eq!(parent["Name"], "Acme");
    assert_eq!(org.get(&format!("sobjects/Contact/{contact}/ReportsTo")).await.status, 404);
}

#[tokio::test]
async fn what_went_and_what_changed() {
    let org = TestOrg::start().await;
    let id = org.create("Account", json!({ "Name": "Acme" })).await;
    org.delete(&format!("sobjects/Account/{id}")).await;
    org.org.advance_clock(std::time::Duration::from_secs(120));
    let span = |from: i64| {
        let now = jiff::Timestamp::now();
        let at = |seconds| {
            now.saturating_add(jiff::SignedDuration::from_secs(seconds)).unwrap().strftime("%Y-%m-%dT%H:%M:%S+00:00")
        };
        format!("start={}&end={}", at(from), at(60))
    };
    let answer = org.get(&format!("sobjects/Account/deleted/?{}", span(-600))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.keys(), ["deletedRecords", "earliestDateAvailable", "latestDateCovered"]);
    assert_eq!(answer.json()["deletedRecords"][0]["id"], id.as_str());
    let answer = org.get(&format!("sobjects/Account/updated/?{}", span(-600))).await;
    assert_eq!(answer.keys(), ["ids", "latestDateCovered"]);
    for query in ["", "start=x&end=y", "start=2026-01-01T00:00:00Z"] {
        let answer = org.get(&format!("sobjects/Account/deleted?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()[0]["errorCode"], "INVALID_REPLICATION_DATE", "{query}");
    }
}
