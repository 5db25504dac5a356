//! Requests that depend on what a record is by now.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    composite::part,
    harness::{Answer, TestOrg, keys, read, shared},
};

async fn with(org: &TestOrg, method: Method, path: &str, header: (&str, &str), body: Option<Value>) -> Answer {
    let mut request = org.request(method, path).header(header.0, header.1);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    read(request).await
}

#[tokio::test]
async fn rows_say_when_they_changed_and_are_written_only_if_they_did_not() {
    let org = TestOrg::start().await;
    let contact = org.create("Contact", json!({ "LastName": "A" })).await;
    let path = format!("sobjects/Contact/{contact}");
    let first = org.get(&path).await;
    let before = first.header("last-modified").to_owned();
    assert!(before.ends_with(" GMT") && first.header("etag").is_empty(), "{before}");
    org.org.advance_clock(Duration::from_secs(10));
    let patch = |since: String, name: &'static str| {
        let (org, path) = (&org, &path);
        async move {
            with(org, Method::PATCH, path, ("if-unmodified-since", &since), Some(json!({ "LastName": name }))).await
        }
    };
    assert_eq!(patch(before.clone(), "B").await.status, 204);
    let refused = patch(before.clone(), "C").await;
    assert_eq!((refused.status.as_u16(), refused.text.as_str()), (412, ""));
    let now = org.get(&path).await;
    assert_eq!(now.json()["LastName"], "B");
    let after = now.header("last-modified").to_owned();
    assert_ne!(before, after);

    for (header, since, status) in [
        ("if-modified-since", &before, 200),
        ("if-modified-since", &after, 304),
        ("if-unmodified-since", &before, 412),
        ("if-unmodified-since", &after, 200),
        ("if-modified-since", &"nonsense".to_owned(), 200),
    ] {
        let answer = with(&org, Method::GET, &path, (header, since), None).await;
        assert_eq!(answer.status, status, "{header} {since}");
        assert_eq!(answer.header("last-modified"), after);
        assert_eq!(answer.text.is_empty(), status != 200);
    }
    assert_eq!(patch("nonsense".to_owned(), "D").await.status, 400, "a write is not done on a guess");
    let by_key = format!("sobjects/Contact/Id/{contact}");
    let upsert =
        with(&org, Method::PATCH, &by_key, ("if-unmodified-since", &before), Some(json!({ "LastName": "E" }))).await;
    assert_eq!(upsert.status, 412);
}

#[tokio::test]
async fn accounts_have_tags() {
    let org = TestOrg::start().await;
    let account = org.create("Account", json!({ "Name": "A" })).await;
    let path = format!("sobjects/Account/{account}");
    let tag = org.get(&path).await.header("etag").to_owned();
    assert_eq!(tag.len(), 30, "{tag}");
    assert_eq!(with(&org, Method::GET, &path, ("if-none-match", &tag), None).await.status, 304);
    let compressed = format!("\"x\", {}--gzip\"", tag.trim_end_matches('"'));
    let patch = |tag: String| {
        let (org, path) = (&org, &path);
        async move { with(org, Method::PATCH, path, ("if-match", &tag), Some(json!({ "Name": "B" }))).await.status }
    };
    assert_eq!(patch(compressed.clone()).await, 204);
    assert_eq!(patch(compressed).await, 412);
    assert_eq!(patch("*".to_owned()).await, 204);
}

#[tokio::test]
async fn twenty_five_conditional_updates_in_one_call() {
    let org = TestOrg::start().await;
    let mut ids = Vec::new();
    for i in 0..25 {
        ids.push(org.create("Contact", json!({ "LastName": format!("{i}") })).await);
    }
    let since = org.get(&format!("sobjects/Contact/{}", ids[0])).await.header("last-modified").to_owned();
    let since = org.get(&format!("sobjects/Contact/{}", ids[24])).await.header("last-modified").max(&since).to_owned();
    org.org.advance_clock(Duration::from_secs(5));
    org.patch(&format!("sobjects/Contact/{}", ids[7]), &json!({ "LastName": "edited" })).await;
    let parts: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| {
            let mut part = part("PATCH", &format!("sobjects/Contact/{id}"), &format!("r{i}"), json!({ "Title": "T" }));
            part["httpHeaders"] = json!({ "If-Unmodified-Since": since });
            part
        })
        .collect();
    let answer = org.post("composite", &json!({ "compositeRequest": parts })).await.json();
    for (i, answer) in answer["compositeResponse"].as_array().unwrap().iter().enumerate() {
        let expected = if i == 7 { 412 } else { 204 };
        assert_eq!((&answer["httpStatusCode"], &answer["body"]), (&json!(expected), &Value::Null), "{answer}");
    }
    let free = part("PATCH", &format!("sobjects/Contact/{}", ids[8]), "free", json!({ "Title": "U" }));
    let all_or_none = json!({ "allOrNone": true, "compositeRequest": [free, parts[7]] });
    let answer = org.post("composite", &all_or_none).await.json();
    assert_eq!(answer["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED", "{answer}");
    assert_eq!(answer["compositeResponse"][1]["httpStatusCode"], 412);
}

#[tokio::test]
async fn describes_are_not_sent_twice() {
    let org = TestOrg::start().await;
    let describe = org.get("sobjects/Account/describe").await;
    let since = describe.header("last-modified").to_owned();
    assert_eq!(describe.header("etag").len(), 10);
    for path in ["sobjects", "sobjects/Account/describe"] {
        assert_eq!(with(&org, Method::GET, path, ("if-modified-since", &since), None).await.status, 304, "{path}");
    }
    let mut part = part("GET", "sobjects/Account/describe", "CCI__RefId__0__", Value::Null);
    part["httpHeaders"] = json!({ "If-Modified-Since": since });
    let answer = org.post("composite", &json!({ "compositeRequest": [part] })).await.json();
    let answer = &answer["compositeResponse"][0];
    if let Some(recorded) = shared("fixtures/rest/cci_composite_304_if_modified_since.json") {
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        let recorded = &recorded["compositeResponse"][0];
        assert_eq!(keys(answer), keys(recorded));
        assert_eq!(keys(&answer["httpHeaders"]), keys(&recorded["httpHeaders"]));
        for key in ["body", "httpStatusCode", "referenceId"] {
            assert_eq!(answer[key], recorded[key]);
        }
    }
}

#[tokio::test]
async fn who_is_not_there_and_who_is_there_already() {
    let org = TestOrg::start().await;
    let gone = org.create("Account", json!({ "Name": "A" })).await;
    org.delete(&format!("sobjects/Account/{gone}")).await;
    let named = |id: &str| json!({ "attributes": { "type": "Account" }, "id": id, "Name": "B" });
    let body = json!({ "records": [named(&gone), named("001000000000000AAA")] });
    let results = org.patch("composite/sobjects", &body).await.json();
    let error = |at: usize| results[at]["errors"][0].clone();
    assert_eq!(error(0), json!({ "statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": [] }));
    assert_eq!(
        error(1),
        json!({ "statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid cross reference id", "fields": [] })
    );
    assert_eq!(org.patch(&format!("sobjects/Account/{gone}"), &json!({ "Name": "B" })).await.status, 404);
    let lost = org.patch("sobjects/Account/001000000000000AAA", &json!({ "Name": "B" })).await;
    assert_eq!((lost.status.as_u16(), &lost.json()[0]["errorCode"]), (404, &json!("NOT_FOUND")));
}
