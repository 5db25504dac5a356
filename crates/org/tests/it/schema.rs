//! A schema that changes while the org runs.

use reqwest::Method;
use serde_json::{Value, json};
use tombolo_org::{CdcSelection, OrgConfig, SchemaEdit, Storage};

use crate::{
    cometd::{Bayeux, header},
    harness::{TestOrg, read},
};

async fn edit(org: &TestOrg, body: Value) {
    let answer = org.admin(Method::POST, "/_tombolo/schema", Some(body)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

fn region(length: u32) -> Value {
    json!({ "object": "account", "field": { "fullName": "Region__c", "label": "Region", "type": "Text", "length": length } })
}

#[tokio::test]
async fn a_field_comes_changes_and_goes() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    let account = org.create("Account", json!({ "Name": "A" })).await;
    let before = org.get("sobjects/Account/describe").await.header("last-modified").to_owned();
    edit(&org, json!({ "add": [region(5)] })).await;

    let since = org.request(Method::GET, "sobjects/Account/describe").header("if-modified-since", &before);
    let described = read(since).await.json();
    let field = described["fields"].as_array().unwrap().iter().find(|f| f["name"] == "Region__c").unwrap();
    assert_eq!((&field["type"], &field["length"], &field["custom"]), (&json!("string"), &json!(5), &json!(true)));
    let path = format!("sobjects/Account/{account}");
    assert_eq!(org.get(&path).await.json()["Region__c"], Value::Null);
    assert_eq!(org.patch(&path, &json!({ "Region__c": "north" })).await.status, 204);
    let events = client.events(2).await;
    assert_eq!(header(&events[1])["changedFields"], json!(["LastModifiedDate", "Region__c"]));
    assert_eq!(org.get("query?q=SELECT+Id+FROM+Account+WHERE+Region__c='NORTH'").await.json()["totalSize"], 1);

    assert_eq!(org.patch(&path, &json!({ "Region__c": "southeast" })).await.json()[0]["errorCode"], "STRING_TOO_LONG");
    edit(&org, json!({ "change": [region(20)] })).await;
    assert_eq!(org.patch(&path, &json!({ "Region__c": "southeast" })).await.status, 204);
    edit(&org, json!({ "change": [{ "object": "Account", "field": { "fullName": "region__c", "length": 4 } }] })).await;
    assert_eq!(org.get(&path).await.json()["Region__c"], "sout", "what is too long is cut");

    edit(&org, json!({ "remove": [{ "object": "Account", "field": "Region__c" }] })).await;
    let expected =
        json!([{ "message": "No such column 'Region__c' on sobject of type Account", "errorCode": "INVALID_FIELD" }]);
    let refused = org.patch(&path, &json!({ "Region__c": "x" })).await;
    assert_eq!((refused.status.as_u16(), refused.json()), (400, expected));
    let refused = org.get("query?q=SELECT+Region__c+FROM+Account").await.json();
    assert_eq!(refused[0]["errorCode"], "INVALID_FIELD", "{refused}");
    assert!(refused[0]["message"].as_str().unwrap().contains("No such column 'Region__c' on entity 'Account'"));
    assert!(org.get(&path).await.json().get("Region__c").is_none());

    let number = json!({ "object": "Account", "field": { "fullName": "Region__c", "type": "Number", "precision": 5, "scale": 0 } });
    edit(&org, json!({ "add": [number] })).await;
    assert_eq!(org.get(&path).await.json()["Region__c"], Value::Null, "a new field begins empty");
    assert_eq!(org.patch(&path, &json!({ "Region__c": 7 })).await.status, 204);
    assert_eq!(org.get(&path).await.json()["Region__c"], 7.0);
}

#[tokio::test]
async fn edits_that_cannot_be_made_change_nothing() {
    let org = TestOrg::start().await;
    for (body, code) in [
        (json!({ "add": [region(5), region(5)] }), "DUPLICATE_DEVELOPER_NAME"),
        (json!({ "add": [{ "object": "Nope", "field": { "fullName": "X__c", "type": "Text" } }] }), "INVALID_TYPE"),
        (json!({ "add": [{ "object": "Account", "field": { "fullName": "X", "type": "Text" } }] }), "INVALID_FIELD"),
        (
            json!({ "add": [{ "object": "Account", "field": { "fullName": "X y__c", "type": "Text" } }] }),
            "INVALID_FIELD",
        ),
        (json!({ "add": [{ "object": "Account", "field": { "fullName": "X__c", "type": "Nope" } }] }), "INVALID_FIELD"),
        (
            json!({ "add": [{ "object": "Account", "field": { "fullName": "X__c", "type": "Lookup", "referenceTo": "Nope__c" } }] }),
            "INVALID_FIELD",
        ),
        (json!({ "add": [{ "object": "Account", "field": { "type": "Text" } }] }), "INVALID_ARGUMENT"),
        (json!({ "remove": [{ "object": "Account", "field": "Region__c" }] }), "NOT_FOUND"),
        (json!({ "remove": [{ "object": "Account", "field": "Name" }] }), "INVALID_FIELD"),
        (json!({ "change": [region(5)] }), "NOT_FOUND"),
        (json!({ "drop": [] }), "JSON_PARSER_ERROR"),
    ] {
        let answer = org.admin(Method::POST, "/_tombolo/schema", Some(body.clone())).await;
        assert_eq!(answer.json()[0]["errorCode"], code, "{body}: {}", answer.text);
    }
    assert_eq!(org.get("query?q=SELECT+Region__c+FROM+Account").await.status, 400, "all or none");
}

#[tokio::test]
async fn lookups_can_be_added() {
    let org = TestOrg::start().await;
    let lookup = json!({ "object": "Contact", "field": { "fullName": "Second__c", "type": "Lookup", "referenceTo": "Account", "relationshipName": "Seconds" } });
    edit(&org, json!({ "add": [lookup] })).await;
    let account = org.create("Account", json!({ "Name": "A" })).await;
    org.create("Contact", json!({ "LastName": "L", "Second__c": account })).await;
    let found = org.get("query?q=SELECT+Second__r.Name+FROM+Contact").await.json();
    assert_eq!(found["records"][0]["Second__r"]["Name"], "A");
    let found = org.get("query?q=SELECT+(SELECT+LastName+FROM+Seconds__r)+FROM+Account").await.json();
    assert_eq!(found["records"][0]["Seconds__r"]["totalSize"], 1);
    edit(&org, json!({ "remove": [{ "object": "Contact", "field": "Second__c" }] })).await;
    assert_eq!(org.delete(&format!("sobjects/Account/{account}")).await.status, 204, "nobody refers to it any more");
}

#[tokio::test]
async fn edits_outlive_a_run_and_not_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let config = || OrgConfig {
        storage: Storage::Directory(folder.path().to_owned()),
        cdc: CdcSelection::None,
        ..OrgConfig::default()
    };
    let org = TestOrg::with(config()).await;
    let definition = json!({ "type": "Checkbox", "defaultValue": "true" });
    let (object, field) = ("Account".to_owned(), "Vip__c".to_owned());
    org.org.edit_schema(vec![SchemaEdit::Add { object, field, definition }]).await.unwrap();
    let account = org.create("Account", json!({ "Name": "A" })).await;
    assert_eq!(org.get(&format!("sobjects/Account/{account}")).await.json()["Vip__c"], true);
    org.org.stop().await;
    let org = TestOrg::with(config()).await;
    assert_eq!(org.get(&format!("sobjects/Account/{account}")).await.json()["Vip__c"], true);
    org.org.reset().await.unwrap();
    assert_eq!(org.get("query?q=SELECT+Vip__c+FROM+Account").await.status, 400);
}

#[tokio::test]
async fn the_tooling_api_makes_custom_fields() {
    let org = TestOrg::start().await;
    let path = "tooling/sobjects/CustomField";
    let body = json!({ "FullName": "Account.Tier__c", "Metadata": { "label": "Tier", "type": "Picklist",
        "valueSet": { "restricted": true, "valueSetDefinition": { "sorted": false, "value": [
            { "fullName": "Gold", "default": false, "label": "Gold" }, { "fullName": "Lead", "label": "Lead" } ] } } } });
    let made = org.post(path, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.keys(), ["id", "success", "errors", "warnings", "infos"]);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("00N"), "{id}");
    assert_eq!(org.post(path, &body).await.json()[0]["errorCode"], "DUPLICATE_DEVELOPER_NAME");
    org.create("Account", json!({ "Name": "A", "Tier__c": "Gold" })).await;
    let refused = org.post("sobjects/Account", &json!({ "Name": "A", "Tier__c": "Tin" })).await.json();
    assert_eq!(refused[0]["errorCode"], "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    assert_eq!(org.patch(&format!("{path}/{id}"), &json!({ "Metadata": { "label": "Rank" } })).await.status, 204);
    assert_eq!(org.delete(&format!("{path}/{id}")).await.status, 204);
    assert_eq!(org.delete(&format!("{path}/{id}")).await.status, 404);
    assert_eq!(org.get("query?q=SELECT+Tier__c+FROM+Account").await.status, 400);
}
