//! Misbehaviour on demand.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tombolo_org::{Fault, FaultKind};

use crate::{
    cometd::{Bayeux, header, replay_id},
    harness::{TestOrg, read, try_read},
};

#[tokio::test]
async fn answers_of_503() {
    let org = TestOrg::start().await;
    let fault = json!({ "kind": "status_503", "count": 2, "match": { "path": "/limits" } });
    assert_eq!(org.admin(Method::POST, "/_tombolo/faults", Some(fault)).await.json(), json!({ "id": "1" }));
    assert_eq!(org.get("sobjects/User").await.status, 200);
    for _ in 0..2 {
        let answer = org.get("limits").await;
        assert_eq!((answer.status.as_u16(), &answer.json()[0]["errorCode"]), (503, &json!("SERVER_UNAVAILABLE")));
    }
    assert_eq!(org.get("limits").await.status, 200);
}

#[tokio::test]
async fn an_answer_is_lost_after_the_commit() {
    let org = TestOrg::start().await;
    org.org.inject(Fault::new(FaultKind::LostAnswer));
    assert_eq!(org.get("limits").await.status, 200, "reads are not touched");
    let account = json!({ "Name": "Acme" }).to_string();
    let request =
        org.request(Method::POST, "sobjects/Account").header("content-type", "application/json").body(account);
    try_read(request).await.expect_err("no answer comes");
    let id = last_account(&org).await;
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.json()["Name"], "Acme", "it was done");
    org.org.inject(Fault::new(FaultKind::LostAnswer).status(502));
    assert_eq!(org.patch(&format!("sobjects/Account/{id}"), &json!({ "Name": "B" })).await.status, 502);
    assert_eq!(org.get(&format!("sobjects/Account/{id}")).await.json()["Name"], "B");
}

async fn last_account(org: &TestOrg) -> String {
    let now = jiff::Timestamp::now();
    let at =
        |seconds| now.saturating_add(jiff::SignedDuration::from_secs(seconds)).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ");
    org.org.advance_clock(Duration::from_secs(60));
    let answer = org.get(&format!("sobjects/Account/updated?start={}&end={}", at(-60), at(120))).await;
    answer.json()["ids"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn answers_break_off() {
    let org = TestOrg::start().await;
    org.org.inject(Fault::new(FaultKind::DropConnections).count(1));
    try_read(org.request(Method::GET, "sobjects/Account/describe")).await.expect_err("half an answer");
    assert_eq!(org.get("sobjects/Account/describe").await.status, 200);
}

#[tokio::test]
async fn held_polls_are_cut() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    let poll = json!([{ "channel": "/meta/connect", "clientId": client.client_id, "connectionType": "long-polling" }]);
    let held = org.request(Method::POST, "/cometd/66.0").body(poll.to_string());
    let (held, _) = tokio::join!(try_read(held), async {
        org.poll_is_held().await;
        org.org.inject(Fault::new(FaultKind::DropConnections).count(1).path("/cometd/66.0"))
    });
    held.expect_err("it is cut");
    org.create("Account", json!({ "Name": "Acme" })).await;
    assert_eq!(client.events(1).await.len(), 1, "the client is still known");
}

#[tokio::test]
async fn events_are_late() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    org.org.inject(Fault::new(FaultKind::DelayEvents).count(1).delay(Duration::from_secs(600)));
    org.create("Account", json!({ "Name": "A" })).await;
    org.create("Account", json!({ "Name": "B" })).await;
    assert_eq!(client.look().await.len(), 1, "the order is kept: the second waits for the first");
    org.org.advance_clock(Duration::from_secs(30));
    assert_eq!(client.look().await.len(), 1);
    let (events, ()) = tokio::join!(client.events(2), async {
        org.poll_is_held().await;
        org.org.advance_clock(Duration::from_secs(600));
    });
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn events_come_twice() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    org.org.inject(Fault::new(FaultKind::DuplicateEvents).delay(Duration::from_millis(50)));
    org.create("Account", json!({ "Name": "A" })).await;
    let events = client.events(2).await;
    assert_eq!(header(&events[0])["transactionKey"], header(&events[1])["transactionKey"]);
    assert_eq!(header(&events[0])["sequenceNumber"], header(&events[1])["sequenceNumber"]);
    assert!(replay_id(&events[0]) < replay_id(&events[1]));
    org.org.clear_faults();
    org.create("Account", json!({ "Name": "B" })).await;
    let next = client.events(1).await;
    assert_eq!(next[0]["data"]["payload"]["Name"], "B", "a duplicate has no duplicate");
}

#[tokio::test]
async fn positions_expire() {
    let org = TestOrg::with_events(&["Account"]).await;
    org.create("Account", json!({ "Name": "A" })).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-2)).await;
    let position = replay_id(&client.events(1).await[0]);
    let (held, _) = tokio::join!(client.connect(), async {
        org.poll_is_held().await;
        org.org.inject(Fault::new(FaultKind::ExpireReplay))
    });
    assert_eq!(held[0]["error"], "403::Unknown client", "open streams have to begin again");
    let client = Bayeux::shake_hands(&org).await;
    let refused = client.subscribe("/data/AccountChangeEvent", json!(position)).await;
    assert!(refused["error"].as_str().unwrap().starts_with("400::The replayId {"), "{refused}");
    assert_eq!(client.subscribe("/data/AccountChangeEvent", json!(position)).await["successful"], true, "once");
}

#[tokio::test]
async fn a_client_is_forgotten() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    let (held, _) = tokio::join!(client.connect(), async {
        org.poll_is_held().await;
        org.org.inject(Fault::new(FaultKind::UnknownClient))
    });
    assert_eq!(held[0], json!({ "channel": "/meta/disconnect" }));
    assert_eq!(held[1]["error"], "403::Unknown client");
    assert_eq!(held[1]["advice"], json!({ "reconnect": "none", "interval": 0 }));
}

async fn fault(org: &TestOrg, body: serde_json::Value) -> String {
    let answer = org.admin(Method::POST, "/_tombolo/faults", Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn limits_are_exceeded() {
    let org = TestOrg::start().await;
    fault(&org, json!({ "kind": "limit_exceeded", "count": 1 })).await;
    let answer = org.post("sobjects/Account", &json!({ "Name": "A" })).await;
    let expected = json!([{ "message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED" }]);
    assert_eq!((answer.status.as_u16(), answer.json()), (403, expected));
    assert_eq!(org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"], 0, "nothing was done");
    fault(&org, json!({ "kind": "limit_exceeded", "count": 1 })).await;
    let soap = read(org.request(Method::POST, "/services/Soap/u/64.0").body("<x/>")).await;
    assert!(soap.text.contains("<faultcode>sf:REQUEST_LIMIT_EXCEEDED</faultcode>"), "{}", soap.text);
}

#[tokio::test]
async fn sessions_expire_for_those_who_were_there_before() {
    let org = TestOrg::start().await;
    fault(&org, json!({ "kind": "expired_session", "for": "1h" })).await;
    for _ in 0..2 {
        let answer = org.get("limits").await;
        assert_eq!((answer.status.as_u16(), &answer.json()[0]["errorCode"]), (401, &json!("INVALID_SESSION_ID")));
    }
    let ready = org.ready();
    let form = [
        ("grant_type", "password"),
        ("client_id", &ready.client_id),
        ("client_secret", &ready.client_secret),
        ("username", &ready.username),
        ("password", &ready.password),
    ];
    let form: Vec<_> = form.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let login =
        org.http.post(org.url("/services/oauth2/token")).header("content-type", "application/x-www-form-urlencoded");
    let token = read(login.body(form.join("&"))).await.json()["access_token"].as_str().unwrap().to_owned();
    let limits = org.http.get(org.url("/services/data/v66.0/limits")).bearer_auth(token);
    assert_eq!(read(limits).await.status, 200, "a new session is valid");
}

#[tokio::test]
async fn answers_are_slow() {
    let org = TestOrg::start().await;
    fault(&org, json!({ "kind": "slow_answers", "count": 1, "delay": "10m", "match": { "path": "/sobjects" } })).await;
    let slow = async { org.create("Account", json!({ "Name": "A" })).await };
    let (_, ()) = tokio::join!(slow, async {
        while org.get("query?q=SELECT+COUNT()+FROM+Account").await.json()["totalSize"] != 1 {}
        org.org.advance_clock(Duration::from_secs(600));
    });
}

#[tokio::test]
async fn some_records_fail() {
    let org = TestOrg::start().await;
    let records: serde_json::Value =
        (0..6).map(|i| json!({ "attributes": { "type": "Account" }, "Name": format!("A{i}") })).collect();
    fault(
        &org,
        json!({ "kind": "partial_failure", "every": 3, "count": 2, "code": "DUPLICATE_VALUE", "message": "no", "match": { "object": "Account" } }),
    )
    .await;
    let results = org.post("composite/sobjects", &json!({ "records": records })).await.json();
    let failed: Vec<_> = (0..6).filter(|i| results[i]["success"] == false).collect();
    assert_eq!(failed, [2, 5]);
    let error = json!({ "statusCode": "DUPLICATE_VALUE", "message": "no", "fields": [] });
    assert_eq!(results[2], json!({ "success": false, "errors": [error] }));
    let account = results[0]["id"].as_str().unwrap();
    fault(&org, json!({ "kind": "row_lock", "count": 1 })).await;
    let locked = org.patch(&format!("sobjects/Account/{account}"), &json!({ "Name": "B" })).await;
    let message = format!("unable to obtain exclusive access to this record or 1 records: {account}");
    let expected = json!([{ "message": message, "errorCode": "UNABLE_TO_LOCK_ROW", "fields": [] }]);
    assert_eq!((locked.status.as_u16(), locked.json()), (400, expected));
    fault(&org, json!({ "kind": "row_lock", "count": 1, "match": { "object": "Account" } })).await;
    assert_eq!(org.delete(&format!("sobjects/Account/{account}")).await.status, 400);
    assert_eq!(org.delete(&format!("sobjects/Account/{account}")).await.status, 204);
}

#[tokio::test]
async fn rows_are_seen_late() {
    let org = TestOrg::start().await;
    let known = org.create("Contact", json!({ "LastName": "old", "Email": "a@example.com" })).await;
    let gone = org.create("Contact", json!({ "LastName": "gone" })).await;
    fault(&org, json!({ "kind": "late_rows", "count": 3, "delay": "1m", "match": { "object": "Contact" } })).await;
    org.patch(&format!("sobjects/Contact/{known}"), &json!({ "LastName": "new" })).await;
    let made = org.create("Contact", json!({ "LastName": "made" })).await;
    org.delete(&format!("sobjects/Contact/{gone}")).await;
    let other = org.create("Contact", json!({ "LastName": "other" })).await;
    let names = async || {
        let found = org.get("query?q=SELECT+LastName+FROM+Contact+ORDER+BY+LastName").await.json();
        let names: Vec<_> = found["records"].as_array().unwrap().iter().map(|r| r["LastName"].to_string()).collect();
        names.join(",")
    };
    assert_eq!(names().await, r#""gone","old","other""#, "the later row is seen before the earlier ones");
    let filtered =
        org.get("query?q=SELECT+Id,Account.Name+FROM+Contact+WHERE+Email='A@example.com'+AND+LastName='OLD'").await;
    assert_eq!(filtered.json()["totalSize"], 1, "{}", filtered.text);
    assert_eq!(org.get(&format!("sobjects/Contact/{known}")).await.json()["LastName"], "new", "by its Id it is there");
    assert_eq!(org.get(&format!("sobjects/Contact/{made}")).await.status, 200);
    org.org.advance_clock(Duration::from_secs(61));
    assert_eq!(names().await, r#""made","new","other""#);
    org.delete(&format!("sobjects/Contact/{other}")).await;
}

#[tokio::test]
async fn commits_come_long_after_their_stamps() {
    let org = TestOrg::start().await;
    let stamp = async |id: &str| {
        let row = org.get(&format!("sobjects/Account/{id}?fields=SystemModstamp,LastModifiedDate")).await.json();
        assert_eq!(row["SystemModstamp"], row["LastModifiedDate"]);
        row["SystemModstamp"].as_str().unwrap().to_owned()
    };
    let first = org.create("Account", json!({ "Name": "A" })).await;
    org.org.advance_clock(Duration::from_secs(100));
    fault(&org, json!({ "kind": "late_commit", "count": 1, "delay": "60s" })).await;
    let late = org.create("Account", json!({ "Name": "B" })).await;
    let after = org.create("Account", json!({ "Name": "C" })).await;
    assert!(stamp(&first).await < stamp(&late).await && stamp(&late).await < stamp(&after).await);
    fault(&org, json!({ "kind": "late_commit", "count": 1, "delay": "1h" })).await;
    let before = stamp(&after).await;
    org.patch(&format!("sobjects/Account/{after}"), &json!({ "Name": "D" })).await;
    assert_eq!(stamp(&after).await, before, "a stamp does not go back");
}

#[tokio::test]
async fn an_automation_rewrites_what_is_written() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    for body in [
        json!({ "kind": "rewrite_field", "object": "Account", "field": "Name", "how": "upper" }),
        json!({ "kind": "rewrite_field", "object": "Account", "field": "Name", "how": "suffix  LTD" }),
        json!({ "kind": "rewrite_field", "object": "Account", "field": "NumberOfEmployees", "how": "set 7" }),
    ] {
        fault(&org, body).await;
    }
    let account = org.create("Account", json!({ "Name": "Acme", "NumberOfEmployees": 3 })).await;
    let row = org.get(&format!("sobjects/Account/{account}")).await.json();
    assert_eq!((&row["Name"], &row["NumberOfEmployees"]), (&json!("ACME LTD"), &json!(7)));
    let event = &client.events(1).await[0];
    assert_eq!(event["data"]["payload"]["Name"], "ACME LTD", "it is one change");
    org.patch(&format!("sobjects/Account/{account}"), &json!({ "Name": "acme ltd", "Phone": "1" })).await;
    let event = &client.events(1).await[0];
    assert_eq!(header(event)["changedFields"], json!(["Phone", "LastModifiedDate"]), "the name is as it was");
}

#[tokio::test]
async fn events_have_gaps_and_overflow() {
    let org = TestOrg::with_events(&["Account", "Contact"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/ChangeEvents", json!(-1)).await;
    fault(&org, json!({ "kind": "gap_events", "count": 2, "match": { "channel": "/data/AccountChangeEvent" } })).await;
    let account = org.create("Account", json!({ "Name": "A" })).await;
    org.patch(&format!("sobjects/Account/{account}"), &json!({ "Name": "B" })).await;
    org.patch(&format!("sobjects/Account/{account}"), &json!({ "Name": "C" })).await;
    let events = client.events(3).await;
    let types: Vec<_> = events.iter().map(|event| header(event)["changeType"].as_str().unwrap()).collect();
    assert_eq!(types, ["GAP_CREATE", "GAP_UPDATE", "UPDATE"]);
    assert_eq!(header(&events[1])["recordIds"], json!([account]));
    assert_eq!((&header(&events[1])["changeOrigin"], &header(&events[1])["changedFields"]), (&json!(""), &json!([])));
    assert_eq!(events[1]["data"]["payload"].as_object().unwrap().len(), 1, "nothing but the header");

    fault(&org, json!({ "kind": "overflow_events", "count": 1, "match": { "object": "Contact" } })).await;
    let records: serde_json::Value =
        (0..3).map(|i| json!({ "attributes": { "type": "Contact" }, "LastName": format!("C{i}") })).collect();
    org.post("composite/sobjects", &json!({ "records": records })).await;
    org.create("Contact", json!({ "LastName": "D" })).await;
    let events = client.events(2).await;
    assert_eq!(header(&events[0])["changeType"], "GAP_OVERFLOW");
    assert_eq!(header(&events[0])["recordIds"], json!(["000000000000000AAA"]));
    assert_eq!(header(&events[1])["changeType"], "CREATE");
}

#[tokio::test]
async fn channels_are_mixed_and_each_keeps_its_order() {
    let org = TestOrg::with_events(&["Account", "Contact"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    client.subscribe("/data/ContactChangeEvent", json!(-1)).await;
    let order = async || {
        for name in ["A", "B"] {
            org.create("Account", json!({ "Name": name })).await;
            org.create("Contact", json!({ "LastName": name })).await;
        }
        let events = client.events(4).await;
        let told = events.iter().map(|event| {
            let payload = &event["data"]["payload"];
            let name = payload["Name"]["LastName"].as_str().or(payload["Name"].as_str()).unwrap();
            format!("{}{name}", &header(event)["entityName"].as_str().unwrap()[..1])
        });
        let told: Vec<_> = told.collect();
        told.join(" ")
    };
    assert_eq!(order().await, "AA CA AB CB");
    fault(&org, json!({ "kind": "mix_channels" })).await;
    assert_eq!(order().await, "CA CB AA AB");
}

#[tokio::test]
async fn a_field_is_gone_and_comes_back() {
    let org = TestOrg::start().await;
    let account = org.create("Account", json!({ "Name": "A", "Site": "north" })).await;
    let before = org.get("sobjects/Account/describe").await.header("last-modified").to_owned();
    let id = fault(&org, json!({ "kind": "hide_field", "object": "Account", "field": "Site" })).await;
    let refused = org.patch(&format!("sobjects/Account/{account}"), &json!({ "Site": "south" })).await;
    let expected =
        json!([{ "message": "No such column 'Site' on sobject of type Account", "errorCode": "INVALID_FIELD" }]);
    assert_eq!((refused.status.as_u16(), refused.json()), (400, expected));
    assert_eq!(org.get("query?q=SELECT+Site+FROM+Account").await.json()[0]["errorCode"], "INVALID_FIELD");
    let since = org.request(Method::GET, "sobjects/Account/describe").header("if-modified-since", before);
    let described = read(since).await;
    assert_eq!(described.status, 200, "the describe is another one");
    assert!(described.json()["fields"].as_array().unwrap().iter().all(|field| field["name"] != "Site"));
    assert_eq!(org.patch(&format!("sobjects/Account/{account}"), &json!({ "Name": "B" })).await.status, 204);
    org.admin(Method::DELETE, &format!("/_tombolo/faults/{id}"), None).await;
    let row = org.get(&format!("sobjects/Account/{account}")).await.json();
    assert_eq!((&row["Name"], &row["Site"]), (&json!("B"), &json!("north")));
}
