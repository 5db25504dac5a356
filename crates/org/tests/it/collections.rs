//! Up to 200 records in one request.

use serde_json::{Value, json};

use crate::harness::{TestOrg, keys, shared};

fn accounts(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "attributes": { "type": "Account" }, "Name": name })).collect()
}

#[tokio::test]
async fn each_record_has_its_result() {
    let org = TestOrg::start().await;
    let body = json!({ "records": accounts(&["A", "", "C"]) });
    let answer = org.post("composite/sobjects", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let results = answer.json();
    assert_eq!(keys(&results[0]), ["id", "success", "errors"]);
    assert_eq!(keys(&results[1]), ["success", "errors"]);
    assert_eq!(keys(&results[1]["errors"][0]), ["statusCode", "message", "fields"]);
    assert_eq!(results[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    if let Some(recorded) = shared("fixtures/rest/doc_collections_create_partial.json") {
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        assert_eq!(keys(&recorded[0]), keys(&results[1]));
        assert_eq!(keys(&recorded[1]), keys(&results[0]));
    }
}

#[tokio::test]
async fn all_or_none() {
    let org = TestOrg::start().await;
    let body = json!({ "allOrNone": true, "records": accounts(&["A", ""]) });
    let results = org.post("composite/sobjects", &body).await.json();
    assert_eq!(results[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(results[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn update_retrieve_delete() {
    let org = TestOrg::start().await;
    let results = org.post("composite/sobjects", &json!({ "records": accounts(&["A", "B"]) })).await.json();
    let (a, b) = (results[0]["id"].as_str().unwrap(), results[1]["id"].as_str().unwrap());
    let changes = json!({ "records": [
        { "attributes": { "type": "Account" }, "id": a, "Name": "A2" },
        { "attributes": { "type": "Account" }, "Id": "001000000000000AAA", "Name": "X" },
        { "attributes": { "type": "Account" }, "Name": "no id" },
    ] });
    let results = org.patch("composite/sobjects", &changes).await.json();
    assert_eq!(results[0]["success"], true, "{results}");
    assert_eq!(results[1]["success"], false);
    assert_eq!(results[2]["success"], false);

    let wanted = json!({ "ids": [a, "001000000000000AAA", b], "fields": ["Name"] });
    let by_body = org.post("composite/sobjects/Account", &wanted).await;
    assert_eq!(by_body.status, 200, "{}", by_body.text);
    assert_eq!(by_body.json()[0]["Name"], "A2");
    assert_eq!(by_body.json()[1], Value::Null);
    assert_eq!(keys(&by_body.json()[0]), ["attributes", "Name", "Id"]);
    let by_url = org.get(&format!("composite/sobjects/Account?ids={a},001000000000000AAA,{b}&fields=Name")).await;
    assert_eq!(by_url.text, by_body.text);
    assert_eq!(org.get(&format!("composite/sobjects/Account?ids={a}&fields=Nope")).await.status, 400);

    let results = org.delete(&format!("composite/sobjects?ids={a},{b},001RM000003oLrB000")).await.json();
    assert_eq!(results[0], json!({ "id": a, "success": true, "errors": [] }));
    assert_eq!(results[2]["errors"][0]["message"], "malformed id 001RM000003oLrB000");
}

#[tokio::test]
async fn upsert_by_id_tells_what_it_made() {
    let org = TestOrg::start().await;
    let records = json!({ "records": [{ "attributes": { "type": "Account" }, "Id": null, "Name": "A" }] });
    let results = org.patch("composite/sobjects/Account/Id", &records).await.json();
    assert_eq!(keys(&results[0]), ["id", "success", "errors", "created"]);
    assert_eq!(results[0]["created"], true);
}

#[tokio::test]
async fn there_are_limits() {
    let org = TestOrg::start().await;
    let many: Vec<_> = (0..201).map(|i| format!("A{i}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let answer = org.post("composite/sobjects", &json!({ "records": accounts(&many) })).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.text,
        r#"[{"message":"record limit reached. cannot submit more than 200 records into this call","errorCode":"EXCEEDED_ID_LIMIT"}]"#
    );
    let mixed: Vec<_> = (0..22)
        .map(|i| json!({ "attributes": { "type": if i % 2 == 0 { "Account" } else { "Contact" } }, "Name": "x" }))
        .collect();
    assert_eq!(org.post("composite/sobjects", &json!({ "records": mixed })).await.status, 400);
    for body in [json!({}), json!([]), json!({ "records": 1 }), json!({ "records": [1] }), json!({ "record": [] })] {
        assert_eq!(org.post("composite/sobjects", &body).await.status, 400, "{body}");
    }
}
