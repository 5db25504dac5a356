//! Several requests in one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cometd::{Bayeux, header},
    harness::{TestOrg, keys, read, shared},
};

const ROLLED_BACK: &str = "The transaction was rolled back since another operation in the same transaction failed.";

pub(crate) fn part(method: &str, path: &str, id: &str, body: Value) -> Value {
    let mut part = json!({ "method": method, "url": format!("/services/data/v66.0/{path}"), "referenceId": id });
    if !body.is_null() {
        part["body"] = body;
    }
    part
}

fn request(parts: &[Value]) -> Value {
    json!({ "compositeRequest": parts })
}

fn all_or_none(parts: &[Value]) -> Value {
    json!({ "allOrNone": true, "compositeRequest": parts })
}

async fn composite(org: &TestOrg, body: &Value) -> Vec<Value> {
    let answer = org.post("composite", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.keys(), ["compositeResponse"]);
    answer.json()["compositeResponse"].as_array().unwrap().clone()
}

#[tokio::test]
async fn later_parts_take_from_earlier_ones() {
    let org = TestOrg::start().await;
    let parts = [
        part(
            "POST",
            "sobjects/Account",
            "acc",
            json!({ "Name": "Acme", "BillingCity": "Oslo", "NumberOfEmployees": 7 }),
        ),
        part("POST", "sobjects/Contact", "con", json!({ "LastName": "L of @{acc.id}", "AccountId": "@{acc.id}" })),
        part("GET", "sobjects/Account/@{acc.id}?fields=Name,NumberOfEmployees", "row", Value::Null),
        part(
            "GET",
            "query?q=SELECT Id,Name,Account.Name,Account.NumberOfEmployees FROM Contact WHERE AccountId='@{acc.id}'",
            "found",
            Value::Null,
        ),
        part("PATCH", "sobjects/Account/@{found.records[0].Account.attributes.url}", "odd", json!({ "Name": "x" })),
        part(
            "PATCH",
            "sobjects/Contact/@{found.records[0].Id}",
            "title",
            json!({ "Title": "@{found.records[0].Account.Name} @{found.records[0].Account.NumberOfEmployees}" }),
        ),
        part(
            "POST",
            "sobjects/Account",
            "twin",
            json!({ "Name": "T", "NumberOfEmployees": "@{row.NumberOfEmployees}" }),
        ),
    ];
    let answers = composite(&org, &request(&parts)).await;
    assert_eq!(keys(&answers[0]), ["body", "httpHeaders", "httpStatusCode", "referenceId"]);
    let id = answers[0]["body"]["id"].as_str().unwrap();
    assert_eq!(answers[0]["body"], json!({ "id": id, "success": true, "errors": [] }));
    assert_eq!(answers[0]["httpHeaders"]["Location"], format!("/services/data/v66.0/sobjects/Account/{id}"));
    assert_eq!((&answers[0]["httpStatusCode"], &answers[0]["referenceId"]), (&json!(201), &json!("acc")));
    assert_eq!(answers[2]["body"]["Name"], "Acme");
    assert_eq!(answers[3]["body"]["records"][0]["Name"], format!("L of {id}"));
    assert_eq!(answers[4]["httpStatusCode"], 404, "{}", answers[4]);
    assert_eq!(answers[5]["body"], Value::Null);
    assert_eq!(answers[5]["httpStatusCode"], 204);
    let contact = answers[1]["body"]["id"].as_str().unwrap();
    assert_eq!(org.get(&format!("sobjects/Contact/{contact}")).await.json()["Title"], "Acme 7");
    assert_eq!(answers[6]["httpStatusCode"], 201, "a number stays one: {}", answers[6]);
}

#[tokio::test]
async fn it_is_one_call() {
    let org = TestOrg::start().await;
    let usage = |answer: &crate::harness::Answer| {
        let (used, _) = answer.header("sforce-limit-info").strip_prefix("api-usage=").unwrap().split_once('/').unwrap();
        used.parse::<u64>().unwrap()
    };
    let before = usage(&org.get("sobjects/User").await);
    let parts: Vec<_> =
        (0..25).map(|i| part("POST", "sobjects/Account", &format!("r{i}"), json!({ "Name": "A" }))).collect();
    assert_eq!(usage(&org.post("composite", &request(&parts)).await), before + 1);
}

#[tokio::test]
async fn dependents_of_a_failed_part_are_halted() {
    let org = TestOrg::start().await;
    let parts = [
        part("POST", "sobjects/Contact", "badContact", json!({ "LastName": "L", "Email": "Not a real email address" })),
        part("POST", "sobjects/Task", "t", json!({ "Subject": "Call", "WhoId": "@{badContact.id}" })),
        part("POST", "sobjects/Event", "e", json!({ "Subject": "Meet", "WhatId": "@{t.id}" })),
        part("POST", "sobjects/Account", "fine", json!({ "Name": "A" })),
        part("GET", "sobjects/Account/@{fine.Id}", "wrongCase", Value::Null),
        part("GET", "sobjects/Account/@{later.id}", "early", Value::Null),
        part("GET", "sobjects/Nope__c/describe", "nope", Value::Null),
        part("GET", "limits", "limits", Value::Null),
    ];
    let answers = composite(&org, &request(&parts)).await;
    let told = |at: usize| answers[at]["body"][0]["message"].as_str().unwrap().to_owned();
    if let Some(recorded) = shared("fixtures/rest/doc_composite_subrequest_invalid_email.json") {
        assert_eq!(answers[0], serde_json::from_str::<Value>(&recorded).unwrap());
    }
    assert_eq!(keys(&answers[1]["body"][0]), ["errorCode", "message"]);
    assert_eq!(answers[1]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(told(1), "Execution halted as previous operation (badContact) was not successful.");
    assert_eq!(told(2), "Execution halted as previous operation (t) was not successful.");
    assert_eq!(answers[3]["httpStatusCode"], 201);
    assert_eq!(
        told(4),
        "Invalid reference specified. No value for fine.Id found in fine. Provided referenceId ('fine.Id') must start \
         with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
    );
    assert!(told(5).starts_with("Invalid reference specified. No value for later.id found in later."), "{}", told(5));
    if let Some(recorded) = shared("fixtures/rest/cci_composite_not_found_subrequest.json") {
        let mut recorded: Value = serde_json::from_str(&recorded).unwrap();
        let recorded = &mut recorded["compositeResponse"][0];
        recorded["referenceId"] = json!("nope");
        assert_eq!(answers[6].to_string(), recorded.to_string());
    }
    assert_eq!(answers[7]["httpStatusCode"], 404);
}

#[tokio::test]
async fn values_that_are_null_are_filled_in_from_version_52_on() {
    let org = TestOrg::start().await;
    let contact = org.create("Contact", json!({ "LastName": "Wong" })).await;
    let parts = |version: &str| {
        let base = format!("/services/data/{version}");
        json!({ "compositeRequest": [
            { "method": "GET", "url": format!("{base}/sobjects/Contact/{contact}?fields=FirstName,LastName"), "referenceId": "refContact" },
            { "method": "POST", "url": format!("{base}/sobjects/Contact"), "referenceId": "newContact",
              "body": { "FirstName": "@{refContact.FirstName}", "LastName": "@{refContact.LastName}" } },
        ] })
    };
    let new = org.post("/services/data/v52.0/composite", &parts("v52.0")).await.json();
    assert_eq!(new["compositeResponse"][1]["httpStatusCode"], 201, "{new}");
    let old = org.post("/services/data/v51.0/composite", &parts("v51.0")).await.json();
    if let Some(recorded) = shared("fixtures/rest/doc_composite_null_ref_v51.json") {
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        assert_eq!(old["compositeResponse"][1].to_string(), recorded["compositeResponse"][1].to_string());
    }
}

#[tokio::test]
async fn all_or_none_undoes_everything_and_keeps_the_cause() {
    let org = TestOrg::with_events(&["Account", "Contact"]).await;
    let account = org.create("Account", json!({ "Name": "A" })).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    let parts = [
        part("PATCH", &format!("sobjects/Account/{account}"), "one", json!({ "Name": "B" })),
        part("GET", &format!("query?q=SELECT+Name+FROM+Account+WHERE+Id='{account}'"), "two", Value::Null),
        part("POST", "sobjects/Contact", "three", json!({ "FirstName": "@{two.records[0].Name}" })),
        part("POST", "sobjects/Account", "four", json!({ "Name": "C" })),
    ];
    let answers = composite(&org, &all_or_none(&parts)).await;
    for at in [0, 1, 3] {
        let body = json!([{ "errorCode": "PROCESSING_HALTED", "message": ROLLED_BACK }]);
        assert_eq!(answers[at]["body"].to_string(), body.to_string());
        assert_eq!((&answers[at]["httpStatusCode"], &answers[at]["httpHeaders"]), (&json!(400), &json!({})));
    }
    assert_eq!(answers[2]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(org.get(&format!("sobjects/Account/{account}")).await.json()["Name"], "A");
    assert_eq!(client.look().await.len(), 1, "nothing happened, so nothing is told");

    let parts = [
        part("PATCH", &format!("sobjects/Account/{account}"), "one", json!({ "Name": "B" })),
        part("GET", &format!("query?q=SELECT+Name+FROM+Account+WHERE+Id='{account}'"), "two", Value::Null),
        part("POST", "sobjects/Contact", "three", json!({ "LastName": "@{two.records[0].Name}" })),
    ];
    let answers = composite(&org, &all_or_none(&parts)).await;
    assert_eq!(answers[1]["body"]["records"][0]["Name"], "B", "later parts see what earlier ones did");
    assert_eq!(answers[2]["httpStatusCode"], 201);
    let events = client.events(2).await;
    assert_eq!(header(&events[0])["transactionKey"], header(&events[1])["transactionKey"]);
    assert_eq!((&header(&events[0])["sequenceNumber"], &header(&events[1])["sequenceNumber"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_undoes_as_recorded() {
    let org = TestOrg::start().await;
    let parts = [
        part("GET", "query?q=SELECT+Id+FROM+Contact", "billingScheduleForOrderId", Value::Null),
        part(
            "POST",
            "sobjects/Contact",
            "billingMilestonePlan",
            json!({ "LastName": "@{billingScheduleForOrderId.records[0].Id}" }),
        ),
        part("POST", "sobjects/Account", "billingMilestonePlanItems", json!({ "Name": "@{billingMilestonePlan.id}" })),
    ];
    let answer = org.post("composite", &all_or_none(&parts)).await;
    if let Some(recorded) = shared("fixtures/rest/revoman_query_response_all_error.json") {
        assert_eq!(answer.text, serde_json::from_str::<Value>(&recorded).unwrap().to_string());
    }
}

#[tokio::test]
async fn each_part_has_its_own_origin_and_takes_nothing_but_who_asks_from_the_request() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    let mut parts: Vec<_> =
        (0..3).map(|i| part("POST", "sobjects/Account", &format!("r{i}"), json!({ "Name": format!("{i}") }))).collect();
    parts[0]["httpHeaders"] = json!({ "Sforce-Call-Options": "client=tombolo.1.2.3" });
    parts[1]["httpHeaders"] = json!({ "sforce-call-options": "client=other" });
    for body in [request(&parts), all_or_none(&parts)] {
        let outer = org.request(Method::POST, "composite").header("sforce-call-options", "client=outer");
        let answer = read(outer.header("content-type", "application/json").body(body.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let origins: Vec<_> = client
            .events(3)
            .await
            .iter()
            .map(|event| header(event)["changeOrigin"].as_str().unwrap().to_owned())
            .collect();
        let expected = [";client=tombolo.1.2.3", ";client=other", ""];
        assert_eq!(origins, expected.map(|client| format!("com/salesforce/api/rest/66.0{client}")));
    }
}

#[tokio::test]
async fn five_collections_of_two_hundred() {
    let org = TestOrg::start().await;
    let records = |from: usize| -> Value {
        (from..from + 200).map(|i| json!({ "attributes": { "type": "Account" }, "Name": format!("A{i}") })).collect()
    };
    let parts: Vec<_> = (0..5)
        .map(|i| part("POST", "composite/sobjects", &format!("c{i}"), json!({ "records": records(i * 200) })))
        .collect();
    let answers = composite(&org, &request(&parts)).await;
    for answer in &answers {
        assert_eq!(answer["body"].as_array().unwrap().len(), 200);
        assert_eq!(keys(&answer["body"][0]), ["id", "success", "errors"]);
    }
    let found = org.get("query?q=SELECT+COUNT()+FROM+Account").await.json();
    assert_eq!(found["totalSize"], 1000);
    let id = answers[4]["body"][199]["id"].as_str().unwrap();
    let refers = [
        parts[0].clone(),
        part("GET", "sobjects/Account/@{c0[1].id}?fields=Name", "row", Value::Null),
        part("DELETE", &format!("composite/sobjects?ids={id}"), "gone", Value::Null),
    ];
    let answers = composite(&org, &request(&refers)).await;
    assert_eq!(answers[1]["body"]["Name"], "A1");
    assert_eq!(answers[2]["body"], json!([{ "id": id, "success": true, "errors": [] }]));
}

#[tokio::test]
async fn a_failed_record_of_a_collection_undoes_all_or_only_itself() {
    let org = TestOrg::start().await;
    let records = json!({ "records": [
        { "attributes": { "type": "Account" }, "Name": "A" },
        { "attributes": { "type": "Account" } },
    ] });
    let parts = [
        part("POST", "composite/sobjects", "many", records),
        part("POST", "sobjects/Account", "one", json!({ "Name": "B" })),
    ];
    let answers = composite(&org, &all_or_none(&parts)).await;
    assert_eq!(answers[0]["body"][0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(answers[0]["body"][1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(answers[1]["body"][0]["message"], ROLLED_BACK);
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"], 0);
    let answers = composite(&org, &request(&parts)).await;
    assert_eq!(answers[0]["httpStatusCode"], 200);
    assert_eq!(answers[0]["body"][0]["success"], true);
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"], 2);
}

#[tokio::test]
async fn long_results_of_a_joint_transaction_can_be_read_on() {
    let org = TestOrg::start().await;
    for at in 0..2 {
        let records: Value =
            (0..200).map(|i| json!({ "attributes": { "type": "Account" }, "Name": format!("A{at}-{i}") })).collect();
        org.post("composite/sobjects", &json!({ "records": records })).await;
    }
    let mut query = part("GET", "query?q=SELECT+Id+FROM+Account", "found", Value::Null);
    query["httpHeaders"] = json!({ "Sforce-Query-Options": "batchSize=200" });
    let parts = [part("POST", "sobjects/Account", "new", json!({ "Name": "A" })), query];
    let answers = composite(&org, &all_or_none(&parts)).await;
    assert_eq!(answers[1]["body"]["totalSize"], 401);
    let mut next = answers[1]["body"]["nextRecordsUrl"].as_str().unwrap().to_owned();
    let mut seen = 200;
    loop {
        let page = org.get(&next).await.json();
        seen += page["records"].as_array().unwrap().len();
        match page["nextRecordsUrl"].as_str() {
            Some(url) => next = url.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 401);
}

#[tokio::test]
async fn answers_look_as_recorded() {
    let org = TestOrg::start().await;
    for i in 0..17 {
        org.create("Account", json!({ "Name": format!("A{i}") })).await;
    }
    let count = |object: &str| {
        part("GET", &format!("query?q=select count() from {object}"), &format!("ref{object}"), Value::Null)
    };
    let answer = org.post("composite", &request(&[count("Account"), count("Opportunity")])).await;
    if let Some(recorded) = shared("fixtures/rest/cci_composite_count_queries.json") {
        assert_eq!(answer.text, serde_json::from_str::<Value>(&recorded).unwrap().to_string());
    }
}

#[tokio::test]
async fn what_is_no_composite_request() {
    let org = TestOrg::start().await;
    let fine = part("GET", "sobjects", "a", Value::Null);
    let with = |key: &str, value: Value| {
        let mut part = fine.clone();
        part[key] = value;
        request(&[part])
    };
    for body in [
        json!([]),
        json!({}),
        json!({ "compositeRequest": 1 }),
        json!({ "compositeRequest": [1] }),
        json!({ "compositeRequest": [], "extra": 1 }),
        request(&[fine.clone(), fine.clone()]),
        with("method", json!("get")),
        with("method", json!("HEAD")),
        with("referenceID", json!("x")),
        with("referenceId", json!("_x")),
        with("referenceId", json!("")),
        with("url", Value::Null),
        with("httpHeaders", json!({ "Authorization": "Bearer x" })),
        with("httpHeaders", json!({ "accept": "*/*" })),
        with("httpHeaders", json!({ "Content-Type": "text/plain" })),
        with("httpHeaders", json!({ "a b": "c" })),
    ] {
        let answer = org.post("composite", &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()[0]["errorCode"]),
            (400, &json!("JSON_PARSER_ERROR")),
            "{body}"
        );
    }
    let refused = org.post("composite", &with("referenceId", json!("a-b"))).await;
    assert_eq!(
        refused.json()[0]["message"],
        "Provided referenceId ('a-b') must start with a letter or a number, and it can contain only letters, numbers \
         and underscores ('_')."
    );
    let old = org.post("/services/data/v51.0/composite", &with("referenceId", json!("a-b"))).await;
    assert_eq!(old.status, 200, "before version 52 only its dependents fail");

    let many = |count: usize, path: &str| {
        request(&(0..count).map(|i| part("GET", path, &format!("r{i}"), Value::Null)).collect::<Vec<_>>())
    };
    let answer = org.post("composite", &many(26, "sobjects")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.text,
        r#"{"compositeResponse":[{"body":[{"errorCode":"LIMIT_EXCEEDED","message":"The request can’t contain more than 25 operations."}],"httpHeaders":{},"httpStatusCode":400,"referenceId":null}]}"#
    );
    assert_eq!(org.post("composite", &many(6, "query?q=SELECT+Id+FROM+User")).await.status, 400);
    assert_eq!(org.post("composite", &many(5, "query?q=SELECT+Id+FROM+User")).await.status, 200);
}

#[tokio::test]
async fn a_batch_answers_each_part() {
    let org = TestOrg::start().await;
    let account = org.create("Account", json!({ "Name": "A" })).await;
    let requests = json!({ "batchRequests": [
        { "method": "PATCH", "url": format!("v60.0/sobjects/account/{account}"), "richInput": { "Name": "NewName", "BillingPostalCode": "94105" } },
        { "method": "GET", "url": format!("v60.0/sobjects/account/{account}?fields=Name,BillingPostalCode") },
    ] });
    let answer = org.post("composite/batch", &requests).await;
    if let Some(documented) = shared("fixtures/rest/doc_batch_ok.json") {
        let documented = documented.replace("001D000000K0fXOIAZ", &account);
        assert_eq!(answer.text, serde_json::from_str::<Value>(&documented).unwrap().to_string());
    }
    let bad = json!({ "method": "POST", "url": "v66.0/sobjects/Account", "richInput": {} });
    let good = json!({ "method": "POST", "url": "/v66.0/sobjects/Account", "richInput": { "Name": "B" } });
    for halts in [false, true] {
        let body = json!({ "haltOnError": halts, "batchRequests": [good, bad, good] });
        let answer = org.post("composite/batch", &body).await.json();
        assert_eq!((&answer["hasErrors"], &answer["results"][1]["statusCode"]), (&json!(true), &json!(400)));
        let last = if halts { 412 } else { 201 };
        assert_eq!(answer["results"][2]["statusCode"], last, "{answer}");
    }
    for part in [
        json!({ "method": "GET", "url": "v67.0/limits" }),
        json!({ "method": "GET", "url": "sobjects" }),
        json!({ "method": "get", "url": "v66.0/sobjects" }),
        json!({ "method": "GET", "url": "v66.0/sobjects", "body": {} }),
    ] {
        assert_eq!(org.post("composite/batch", &json!({ "batchRequests": [part] })).await.status, 400, "{part}");
    }
    let entries = org.admin(Method::GET, "/_tombolo/requests", None).await.json();
    let calls: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["path"].as_str().unwrap().ends_with("/batch"))
        .map(|e| &e["api_calls"])
        .collect();
    assert_eq!(calls[..3], [&json!(2), &json!(3), &json!(3)]);
}

#[tokio::test]
async fn trees_are_planted_whole_or_not_at_all() {
    let org = TestOrg::start().await;
    let tree = |last_name: Value| {
        let contact = |id: &str, name: &Value| json!({ "attributes": { "type": "Contact", "referenceId": id }, "LastName": name });
        json!({ "records": [
            { "attributes": { "type": "Account", "referenceId": "ref1" }, "Name": "One",
              "Contacts": { "records": [contact("ref2", &last_name), contact("ref3", &json!("Jones"))] } },
            { "attributes": { "type": "Account", "referenceId": "ref4" }, "Name": "Two" },
        ] })
    };
    let answer = org.post("composite/tree/Account", &tree(json!("Smith"))).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let results = answer.json();
    assert_eq!(
        (keys(&results), keys(&results["results"][0])),
        (vec!["hasErrors".to_owned(), "results".to_owned()], vec!["referenceId".to_owned(), "id".to_owned()])
    );
    let names: Vec<_> =
        results["results"].as_array().unwrap().iter().map(|r| r["referenceId"].as_str().unwrap()).collect();
    assert_eq!(names, ["ref1", "ref4", "ref2", "ref3"], "level by level");
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Contact+WHERE+Account.Name='One'").await.json()["totalSize"], 2);

    let refused = org.post("composite/tree/Account", &tree(Value::Null)).await;
    let error = json!({ "statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"] });
    let expected = json!({ "hasErrors": true, "results": [{ "referenceId": "ref2", "errors": [error] }] });
    assert_eq!((refused.status.as_u16(), refused.json()), (400, expected));
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"], 2, "nothing of it is left");
    for body in [
        json!({}),
        json!({ "records": [{ "Name": "A" }] }),
        json!({ "records": [{ "attributes": { "type": "Contact", "referenceId": "x" }, "LastName": "A" }] }),
        json!({ "records": [{ "attributes": { "type": "Account", "referenceId": "x" }, "Name": "A" }, { "attributes": { "type": "Account", "referenceId": "x" }, "Name": "B" }] }),
    ] {
        assert_eq!(org.post("composite/tree/Account", &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn each_graph_counts_as_a_whole() {
    let org = TestOrg::start().await;
    let graph = |id: &str, last_name: Value| {
        json!({ "graphId": id, "compositeRequest": [
            part("POST", "sobjects/Account", "account", json!({ "Name": id })),
            part("POST", "sobjects/Contact", "contact", json!({ "LastName": last_name, "AccountId": "@{account.id}" })),
        ] })
    };
    let body = json!({ "graphs": [graph("1", json!("A")), graph("2", Value::Null), graph("3", json!("C"))] });
    let answer = org.post("composite/graph", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    let whole: Vec<_> = (0..3).map(|i| answer["graphs"][i]["isSuccessful"].as_bool().unwrap()).collect();
    assert_eq!(whole, [true, false, true]);
    for (at, file) in [(0, "pm_composite_graph_ok.json"), (1, "revoman_graph_response_error.json")] {
        let Some(recorded) = shared(&format!("fixtures/rest/{file}")) else { continue };
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        assert_eq!(keys(&answer["graphs"][at]), keys(&recorded["graphs"][0]));
        let answers = &answer["graphs"][at]["graphResponse"];
        assert_eq!(keys(answers), keys(&recorded["graphs"][0]["graphResponse"]));
        assert_eq!(
            answers["compositeResponse"][0]["httpStatusCode"],
            recorded["graphs"][0]["graphResponse"]["compositeResponse"][0]["httpStatusCode"]
        );
    }
    assert_eq!(answer["graphs"][1]["graphResponse"]["compositeResponse"][0]["body"][0]["message"], ROLLED_BACK);
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"], 2);
    let query = json!({ "graphId": "1", "compositeRequest": [part("GET", "query?q=SELECT+Id+FROM+Account", "q", Value::Null)] });
    for body in
        [json!({}), json!({ "graphs": [query] }), json!({ "graphs": [graph("1", json!("A")), graph("1", json!("A"))] })]
    {
        assert_eq!(org.post("composite/graph", &body).await.status, 400, "{body}");
    }
}
