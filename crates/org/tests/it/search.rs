//! SOSL and searches without it over REST; how a query would be run.

use serde_json::json;

use crate::harness::TestOrg;

async fn org() -> (TestOrg, String) {
    let org = TestOrg::start().await;
    let acme = org.create("Account", json!({ "Name": "Acme Sea", "Phone": "555 01" })).await;
    org.create("Account", json!({ "Name": "Other" })).await;
    org.create("Contact", json!({ "LastName": "Sea", "Email": "sea@example.com" })).await;
    (org, acme)
}

#[tokio::test]
async fn sosl() {
    let (org, acme) = org().await;
    let path = "search/?q=FIND+%7Bsea%7D+RETURNING+Account(Name),Contact(LastName)+LIMIT+5";
    let answer = org.get(path).await;
    assert_eq!(answer.keys(), ["searchRecords"]);
    let account = json!({
        "attributes": { "type": "Account", "url": format!("/services/data/v66.0/sobjects/Account/{acme}") },
        "Name": "Acme Sea",
    });
    assert_eq!(answer.json()["searchRecords"][0], account);
    assert_eq!(answer.json()["searchRecords"].as_array().unwrap().len(), 2);
    let old = org.get("/services/data/v36.0/search?q=FIND+%7Bacme%7D").await.json();
    let url = format!("/services/data/v36.0/sobjects/Account/{acme}");
    assert_eq!(old, json!([{ "attributes": { "type": "Account", "url": url }, "Id": acme }]));
    for path in ["search?q=FIND+acme", "search"] {
        let refused = org.get(path).await;
        assert_eq!(refused.status, 400);
        let text = "No search term found. The search term must be enclosed in braces.";
        assert_eq!(refused.json(), json!([{ "message": text, "errorCode": "MALFORMED_SEARCH" }]));
    }
}

#[tokio::test]
async fn searches_without_sosl() {
    let (org, acme) = org().await;
    let path = "parameterizedSearch?q=sea&sobject=Account&sobject=Contact&Account.fields=Id,Name&Account.limit=1";
    let found = org.get(path).await.json();
    let records = found["searchRecords"].as_array().unwrap();
    assert_eq!((records.len(), &records[0]["Id"], &records[0]["Name"]), (2, &json!(acme), &json!("Acme Sea")));
    assert_eq!(records[1].as_object().unwrap().keys().collect::<Vec<_>>(), ["attributes", "Id"]);
    let body = json!({
        "q": "sea",
        "in": "EMAIL",
        "fields": ["LastName"],
        "sobjects": [{ "name": "Contact", "where": "LastName != null", "orderBy": "LastName", "limit": 3 }],
        "overallLimit": 10,
        "defaultLimit": 10,
    });
    let found = org.post("parameterizedSearch", &body).await.json();
    assert_eq!(found["searchRecords"][0]["LastName"], "Sea");
    let none = org.get("parameterizedSearch?q=").await;
    assert_eq!((none.status.as_u16(), &none.json()[0]["errorCode"]), (400, &json!("MALFORMED_SEARCH")));
}

#[tokio::test]
async fn how_a_query_would_be_run() {
    let (org, _) = org().await;
    let plans = org.get("query?explain=SELECT+Id+FROM+Account+WHERE+Name='Acme+Sea'+AND+Site=null").await.json();
    let index = &plans["plans"][0];
    assert_eq!((&index["leadingOperationType"], &index["fields"]), (&json!("Index"), &json!(["Name"])));
    assert_eq!(
        (&index["cardinality"], &index["sobjectCardinality"], &index["relativeCost"]),
        (&json!(1), &json!(2), &json!(0.5))
    );
    assert_eq!(index["notes"][1]["fields"], json!(["Site"]));
    assert_eq!(plans["plans"][1]["leadingOperationType"], "TableScan");
    let all = org.get("query?explain=SELECT+COUNT(Id)+FROM+Account+GROUP+BY+Site").await.json();
    assert_eq!((all["plans"].as_array().unwrap().len(), &all["plans"][0]["cardinality"]), (1, &json!(2)));
    let wrong = org.get("query?explain=SELECT+Nope").await.json();
    assert_eq!(wrong[0]["errorCode"], "MALFORMED_QUERY");
    let report = org.get("query?explain=00O000000000001AAA").await.json();
    assert_eq!(report[0]["errorCode"], "INVALID_ID");
}
