//! Misbehaviour on demand.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tombolo_org::{Fault, FaultKind};

use crate::{
    cometd::{Bayeux, header, replay_id},
    harness::{TestOrg, try_read},
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
