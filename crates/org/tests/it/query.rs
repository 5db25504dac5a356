//! SOQL over REST.

use std::fmt::Write;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{TestOrg, keys, read, shared};

/// A query as it stands in a URL.
fn encoded(soql: &str) -> String {
    soql.bytes().fold(String::new(), |mut url, byte| {
        match byte {
            b' ' => url.push('+'),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            byte => write!(url, "%{byte:02X}").unwrap(),
        }
        url
    })
}

async fn query(org: &TestOrg, soql: &str) -> crate::harness::Answer {
    org.get(&format!("query/?q={}", encoded(soql))).await
}

async fn accounts(org: &TestOrg, count: usize) {
    for start in (0..count).step_by(200) {
        let records: Vec<_> = (start..count.min(start + 200))
            .map(|i| json!({ "attributes": { "type": "Account" }, "Name": format!("A{i:05}") }))
            .collect();
        org.post("composite/sobjects", &json!({ "records": records })).await;
    }
}

#[tokio::test]
async fn records_and_their_parents() {
    let org = TestOrg::start().await;
    let account = org.create("Account", json!({ "Name": "Acme", "AnnualRevenue": 3 })).await;
    let contact = org.create("Contact", json!({ "LastName": "Lee", "AccountId": account })).await;
    let answer = query(&org, "SELECT Id, LastName, Account.Name, Account.AnnualRevenue FROM Contact").await;
    let expected = format!(
        r#"{{"totalSize":1,"done":true,"records":[{{"attributes":{{"type":"Contact","url":"/services/data/v66.0/sobjects/Contact/{contact}"}},"Id":"{contact}","LastName":"Lee","Account":{{"attributes":{{"type":"Account","url":"/services/data/v66.0/sobjects/Account/{account}"}},"Name":"Acme","AnnualRevenue":3.0}}}}]}}"#
    );
    assert_eq!(answer.text, expected);
    let count = query(&org, "SELECT COUNT() FROM Contact").await;
    assert_eq!(count.text, r#"{"totalSize":1,"done":true,"records":[]}"#);
    if let Some(recorded) = shared("fixtures/rest/cci_organization_row.json") {
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        let row = org.get(&format!("sobjects/Organization/{}", org.ready().org_id)).await;
        assert_eq!(keys(&row.json()["Address"]), keys(&recorded["Address"]));
    }
}

#[tokio::test]
async fn a_long_result_has_pages() {
    let org = TestOrg::start().await;
    accounts(&org, 450).await;
    let request = org.request(Method::GET, "query?q=SELECT+Name+FROM+Account+ORDER+BY+Name");
    let first = read(request.header("sforce-query-options", "batchSize=200")).await;
    assert_eq!(first.keys(), ["totalSize", "done", "nextRecordsUrl", "records"]);
    let mut page = first.json();
    let mut names: Vec<Value> = Vec::new();
    loop {
        assert_eq!(page["totalSize"], 450);
        names.extend(page["records"].as_array().unwrap().iter().map(|record| record["Name"].clone()));
        let Some(next) = page.get("nextRecordsUrl") else { break };
        let next = next.as_str().unwrap();
        assert!(next.starts_with("/services/data/v66.0/query/01g") && next.contains('-'), "{next}");
        let request = org.request(Method::GET, next).header("sforce-query-options", "batchSize=200");
        page = read(request).await.json();
    }
    assert_eq!(names.len(), 450);
    assert!(names.is_sorted_by_key(|name| name.as_str().unwrap().to_owned()));
    let lost = org.get("query/01g000000000099AAA-2000").await;
    assert_eq!(lost.status, 400);
    assert_eq!(lost.json()[0]["errorCode"], "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn deleted_records_are_found_on_request() {
    let org = TestOrg::start().await;
    let id = org.create("Account", json!({ "Name": "Acme" })).await;
    org.delete(&format!("sobjects/Account/{id}")).await;
    assert_eq!(query(&org, "SELECT Id FROM Account").await.json()["totalSize"], 0);
    let all = org.get("queryAll?q=SELECT+Id,IsDeleted+FROM+Account").await.json();
    assert_eq!(all["records"][0]["IsDeleted"], true);
}

#[tokio::test]
async fn queries_are_refused_in_salesforces_words() {
    let org = TestOrg::start().await;
    for (soql, code, part) in [
        ("SELECT Id FROM Nonsense", "INVALID_TYPE", "sObject type 'Nonsense' is not supported."),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'."),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account WHERE Id = 'wonky'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: wonky"),
        (" ", "MALFORMED_QUERY", "SOQL statements cannot be empty or null"),
    ] {
        let answer = query(&org, soql).await;
        assert_eq!(answer.status, 400, "{soql}");
        assert_eq!(answer.json()[0]["errorCode"], code, "{soql}: {}", answer.text);
        assert!(answer.json()[0]["message"].as_str().unwrap().contains(part), "{soql}: {}", answer.text);
        assert!(answer.json()[0].get("fields").is_none(), "{soql}");
    }
    let none = org.get("query").await;
    assert_eq!(none.text, r#"[{"message":"A query string has to be specified","errorCode":"MALFORMED_QUERY"}]"#);
}

#[tokio::test]
async fn rows_are_counted() {
    let org = TestOrg::start().await;
    accounts(&org, 3).await;
    let counts = org.get("limits/recordCount?sObjects=Account,Contact,Nonsense").await;
    assert_eq!(counts.text, r#"{"sObjects":[{"count":3,"name":"Account"}]}"#);
    let all = org.get("limits/recordCount").await.json();
    assert!(all["sObjects"].as_array().unwrap().iter().any(|count| count["name"] == "User"), "{all}");
}
