//! Change events over long polls.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, TestOrg, keys, read, shared, try_read};

/// A Bayeux client that does only what it is told.
pub(crate) struct Bayeux<'a> {
    pub(crate) org: &'a TestOrg,
    pub(crate) client_id: String,
}

impl<'a> Bayeux<'a> {
    pub(crate) async fn shake_hands(org: &'a TestOrg) -> Self {
        let handshake = json!([{ "channel": "/meta/handshake", "version": "1.0", "minimumVersion": "1.0",
            "supportedConnectionTypes": ["long-polling"], "id": "1", "ext": { "replay": true } }]);
        let answer = send(org, "/cometd/66.0", &handshake).await;
        let client_id = answer.json()[0]["clientId"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
        let client = Self { org, client_id };
        // The first poll after a handshake is answered at once.
        client.connect().await;
        client
    }

    pub(crate) async fn message(&self, message: Value) -> Vec<Value> {
        let mut message = message;
        message["clientId"] = json!(self.client_id);
        send(self.org, "/cometd/66.0", &json!([message])).await.json().as_array().unwrap().clone()
    }

    pub(crate) async fn connect(&self) -> Vec<Value> {
        self.message(json!({ "channel": "/meta/connect", "connectionType": "long-polling", "id": "2" })).await
    }

    pub(crate) async fn subscribe(&self, channel: &str, replay: Value) -> Value {
        let subscribe = json!({ "channel": "/meta/subscribe", "subscription": channel, "id": "3",
            "ext": { "replay": { channel: replay } } });
        self.message(subscribe).await.remove(0)
    }

    /// A poll that is not held.
    pub(crate) async fn look(&self) -> Vec<Value> {
        let poll = json!({ "channel": "/meta/connect", "connectionType": "long-polling", "id": "4",
            "advice": { "timeout": 0 } });
        self.message(poll).await
    }

    /// Polls until this many events have come.
    pub(crate) async fn events(&self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let mut answer = tokio::time::timeout(Duration::from_secs(60), self.connect()).await.expect("events come");
            let reply = answer.pop().unwrap();
            assert_eq!(reply["channel"], "/meta/connect", "the reply to the poll is last");
            assert_eq!(reply["successful"], true, "{reply}");
            events.extend(answer);
        }
        events
    }
}

pub(crate) fn replay_id(event: &Value) -> u64 {
    event["data"]["event"]["replayId"].as_u64().unwrap()
}

pub(crate) fn header(event: &Value) -> &Value {
    &event["data"]["payload"]["ChangeEventHeader"]
}

async fn send(org: &TestOrg, path: &str, body: &Value) -> Answer {
    org.post(path, body).await
}

#[tokio::test]
async fn a_handshake_has_exactly_its_keys() {
    let org = TestOrg::start().await;
    let handshake = json!({ "channel": "/meta/handshake", "version": "1.0", "id": "$id" });
    let token = org.ready().access_token.clone();
    for (path, authorization) in [
        ("/cometd/60.0", format!("OAuth {token}")),
        ("/cometd/66.0/handshake", format!("Bearer {token}")),
        ("/cometd/37.0/", token.clone()),
    ] {
        let request = org.http.post(org.url(path)).header("authorization", authorization);
        // A bare object is answered with an array.
        let answer = read(request.header("content-type", "application/json").body(handshake.to_string())).await;
        assert_eq!(answer.status, 200, "{path}");
        let reply = &answer.json()[0];
        if let Some(recorded) = shared("fixtures/streaming/cometd_handshake_success_java.json") {
            let mut recorded: Value = serde_json::from_str(&recorded).unwrap();
            recorded[0]["clientId"] = reply["clientId"].clone();
            assert_eq!(keys(reply), keys(&recorded[0]));
            assert_eq!(*reply, recorded[0]);
        }
        let cookies: Vec<_> =
            answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
        for name in ["BrowserId=", "t=", "BAYEUX_BROWSER=", "sfdc-stream="] {
            assert!(cookies.iter().any(|cookie| cookie.starts_with(name)), "{name}: {cookies:?}");
        }
    }
}

#[tokio::test]
async fn strangers_are_turned_away() {
    let org = TestOrg::start().await;
    for (authorization, cause) in [
        (None, "401::Request requires authentication"),
        (Some("Bearer 00D000000000001!x"), "401::Authentication invalid"),
    ] {
        let ask = |message: Value| {
            let mut request = org.http.post(org.url("/cometd/66.0")).header("content-type", "application/json");
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            read(request.body(json!([message]).to_string()))
        };
        let denied = ask(json!({ "channel": "/meta/handshake", "id": "1" })).await.json();
        assert_eq!(keys(&denied[0]), ["ext", "advice", "channel", "id", "error", "successful"]);
        assert_eq!(denied[0]["error"], "403::Handshake denied");
        assert_eq!(denied[0]["ext"]["sfdc"]["failureReason"], cause);
        assert_eq!(denied[0]["advice"], json!({ "reconnect": "none" }));
        let refused = ask(json!({ "channel": "/meta/connect", "clientId": "c", "id": "1j3" })).await.json();
        assert_eq!(refused[0], json!({ "channel": "/meta/disconnect" }));
        assert_eq!(keys(&refused[1]), ["clientId", "advice", "channel", "id", "error", "successful"]);
        assert_eq!(refused[1]["error"], cause);
    }
}

#[tokio::test]
async fn whole_requests_are_refused() {
    let org = TestOrg::start().await;
    for (path, error) in [
        ("/cometd", "400::API version in the URI is mandatory. URI format: '/cometd/68.0'"),
        (
            "/cometd/36.0",
            "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/68.0'",
        ),
        (
            "/cometd/99.0",
            "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/68.0'",
        ),
    ] {
        let answer = send(&org, path, &json!([{ "channel": "/meta/handshake" }])).await;
        assert_eq!((answer.status.as_u16(), &answer.json()[0]["error"]), (400, &json!(error)), "{path}");
    }
    for body in ["", "x", "{", "[1]", "\"a\""] {
        let request = org.request(reqwest::Method::POST, "/cometd/66.0").body(body);
        assert_eq!(read(request).await.status, 400, "{body}");
    }
    let large = json!([{ "channel": "/meta/handshake", "id": "x".repeat(40_000) }]);
    let answer = send(&org, "/cometd/66.0", &large).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()[0]["error"], "413::Maximum Request Size Exceeded");
}

#[tokio::test]
async fn polls_and_their_advice() {
    let org = TestOrg::start().await;
    let handshake = send(&org, "/cometd/66.0", &json!([{ "channel": "/meta/handshake" }])).await.json();
    let client = Bayeux { org: &org, client_id: handshake[0]["clientId"].as_str().unwrap().to_owned() };
    let first = client.connect().await.remove(0);
    assert_eq!(keys(&first), ["clientId", "advice", "channel", "id", "successful"]);
    assert_eq!(first["advice"], json!({ "interval": 0, "timeout": 110_000, "reconnect": "retry" }));
    let later = client.look().await.remove(0);
    assert_eq!(keys(&later), ["clientId", "channel", "id", "successful"]);
    // A poll with nothing to tell is held for 110 s of the org's time, and answered at once when the time has come.
    let (held, ()) = tokio::join!(client.connect(), async {
        org.poll_is_held().await;
        org.org.advance_clock(Duration::from_secs(111));
    });
    assert_eq!(held[0]["successful"], true);
    org.org.advance_clock(Duration::from_secs(41));
    let forgotten = client.connect().await;
    assert_eq!(forgotten.len(), 1);
    assert_eq!(keys(&forgotten[0]), ["advice", "channel", "id", "error", "successful"]);
    assert_eq!(forgotten[0]["error"], "403::Unknown client");
    assert_eq!(forgotten[0]["advice"], json!({ "interval": 0, "reconnect": "handshake" }));
}

#[tokio::test]
async fn events_come_while_a_poll_is_held() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    let subscribed = client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    assert_eq!(keys(&subscribed), ["clientId", "channel", "id", "subscription", "successful"]);
    assert_eq!(subscribed["subscription"], "/data/AccountChangeEvent");
    let (events, id) = tokio::join!(client.events(1), org.create("Account", json!({ "Name": "Acme" })));
    let event = &events[0];
    assert_eq!(keys(event), ["data", "channel"]);
    assert_eq!(event["channel"], "/data/AccountChangeEvent");
    assert_eq!(keys(&event["data"]), ["schema", "payload", "event"]);
    assert_eq!(event["data"]["schema"].as_str().unwrap().len(), 22);
    let head = header(event);
    assert_eq!(head["changeType"], "CREATE");
    assert_eq!(head["recordIds"], json!([id]));
    assert_eq!(head["changeOrigin"], "com/salesforce/api/rest/66.0");
    assert_eq!(event["data"]["payload"]["Name"], "Acme");
    if let Some(recorded) = shared("fixtures/streaming/event_cdc_update_cometd_2.json") {
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        assert_eq!(keys(head), keys(&recorded["payload"]["ChangeEventHeader"]));
        assert_eq!(keys(&event["data"]), keys(&recorded));
    }
    let path = format!("sobjects/Account/{id}");
    org.patch(&path, &json!({ "BillingCity": "Bonn" })).await;
    org.delete(&path).await;
    let events = client.events(2).await;
    assert_eq!(header(&events[0])["changeType"], "UPDATE");
    assert_eq!(event_fields(&events[0])["BillingAddress"], json!({ "City": "Bonn" }));
    assert!(event_fields(&events[0])["LastModifiedDate"].as_str().unwrap().ends_with(".000Z"));
    assert_eq!(header(&events[1])["changeType"], "DELETE");
    assert!(replay_id(&events[0]) < replay_id(&events[1]));
}

fn event_fields(event: &Value) -> &Value {
    &event["data"]["payload"]
}

#[tokio::test]
async fn positions() {
    let org = TestOrg::with_events(&["Account", "Contact"]).await;
    for name in ["A", "B", "C"] {
        org.create("Account", json!({ "Name": name })).await;
    }
    org.create("Contact", json!({ "LastName": "Lee" })).await;
    let names = |events: &[Value]| {
        events.iter().map(|e| event_fields(e)["Name"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    let client = Bayeux::shake_hands(&org).await;
    // Texts are accepted.
    client.subscribe("/data/AccountChangeEvent", json!("-2")).await;
    let all = client.events(3).await;
    assert_eq!(names(&all), ["A", "B", "C"]);
    let after_a = replay_id(&all[0]);
    client.subscribe("/data/AccountChangeEvent", json!(after_a)).await;
    assert_eq!(names(&client.events(2).await), ["B", "C"]);
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    assert_eq!(client.look().await.len(), 1, "nothing new");
    let both = Bayeux::shake_hands(&org).await;
    both.subscribe("/data/ChangeEvents", json!(-2)).await;
    assert_eq!(both.events(4).await.len(), 4);
    for bad in [json!(999_999), json!(-5), json!("soon")] {
        let refused = client.subscribe("/data/AccountChangeEvent", bad.clone()).await;
        let id = bad.as_str().map_or_else(|| bad.to_string(), str::to_owned);
        let error = format!(
            "400::The replayId {{{id}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
        );
        assert_eq!(refused["error"], error);
        assert_eq!(refused["successful"], false);
    }
    // Events are kept for 72 hours.
    org.org.advance_clock(Duration::from_secs(73 * 3600));
    let token = crate::harness::read(org.http.post(org.url("/services/oauth2/token")).header("content-type", "application/x-www-form-urlencoded").body("grant_type=password&client_id=tombolo-local&client_secret=tombolo-local-secret&username=admin%40tombolo.test&password=tombolo")).await;
    let token = token.json()["access_token"].as_str().unwrap().to_owned();
    let say = |message: Value| {
        let request =
            org.http.post(org.url("/cometd/66.0")).bearer_auth(&token).header("content-type", "application/json");
        read(request.body(json!([message]).to_string()))
    };
    let client_id = say(json!({ "channel": "/meta/handshake" })).await.json()[0]["clientId"].clone();
    let subscribe = json!({ "channel": "/meta/subscribe", "clientId": client_id, "subscription": "/data/AccountChangeEvent",
        "ext": { "replay": { "/data/AccountChangeEvent": after_a } } });
    let refused = say(subscribe).await.json();
    assert!(refused[0]["error"].as_str().unwrap().starts_with("400::The replayId {"), "{refused}");
}

#[tokio::test]
async fn channels_that_are_not_there() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    for (channel, error) in [
        (
            "/data/NonsenseChangeEvent",
            "400::The channel you requested to subscribe to doesn't exist {/data/NonsenseChangeEvent}",
        ),
        (
            "/data/accountChangeEvent",
            "400::The channel you requested to subscribe to doesn't exist {/data/accountChangeEvent}",
        ),
        ("/topic/X", "400::The channel you requested to subscribe to doesn't exist {/topic/X}"),
        ("data/AccountChangeEvent", "400::Channel subscriptions must start with a leading '/'"),
    ] {
        assert_eq!(client.subscribe(channel, json!(-1)).await["error"], error, "{channel}");
    }
    let nothing = client.message(json!({ "channel": "/meta/subscribe" })).await;
    assert_eq!(nothing[0]["error"], "400::Channel name not specified");
    let publish = client.message(json!({ "channel": "/data/AccountChangeEvent", "data": {} })).await;
    assert_eq!(publish[0]["error"], "403::Restricted channel");
    let unknown = send(
        &org,
        "/cometd/66.0",
        &json!([{ "channel": "/meta/subscribe", "clientId": "x", "subscription": "/data/ChangeEvents" }]),
    )
    .await
    .json();
    assert_eq!(unknown[0]["error"], "403::Unknown client");
}

#[tokio::test]
async fn a_disconnect_ends_the_held_poll_first() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    client.subscribe("/data/AccountChangeEvent", json!(-1)).await;
    let (held, goodbye) = tokio::join!(client.connect(), async {
        org.poll_is_held().await;
        client.message(json!({ "channel": "/meta/disconnect", "id": "9" })).await
    });
    assert_eq!(held.len(), 1, "no events");
    assert_eq!(keys(&goodbye[0]), ["clientId", "channel", "id", "successful"]);
    assert_eq!(client.look().await[0]["error"], "403::Unknown client");
}

#[tokio::test]
async fn messages_together() {
    let org = TestOrg::with_events(&["Account"]).await;
    org.create("Account", json!({ "Name": "Acme" })).await;
    let client = Bayeux::shake_hands(&org).await;
    let id = &client.client_id;
    let messages = json!([
        { "channel": "/meta/connect", "clientId": id, "connectionType": "long-polling", "id": "1", "advice": { "timeout": 0 } },
        { "channel": "/meta/subscribe", "clientId": id, "subscription": "/data/AccountChangeEvent", "id": "2",
          "ext": { "replay": { "/data/AccountChangeEvent": -2 } } },
    ]);
    let answer = send(&org, "/cometd/66.0/connect", &messages).await.json();
    let channels: Vec<_> = answer.as_array().unwrap().iter().map(|m| m["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["/meta/subscribe", "/data/AccountChangeEvent", "/meta/connect"]);
    let gone =
        client.message(json!({ "channel": "/meta/unsubscribe", "subscription": "/data/AccountChangeEvent" })).await;
    assert_eq!(gone[0]["successful"], true);
    org.create("Account", json!({ "Name": "Bcme" })).await;
    assert_eq!(client.look().await.len(), 1);
}

#[tokio::test]
async fn a_revoked_session_ends_its_poll() {
    let org = TestOrg::with_events(&["Account"]).await;
    let client = Bayeux::shake_hands(&org).await;
    let revoke = async {
        org.poll_is_held().await;
        let form = format!("token={}", org.ready().access_token);
        let request = org.http.post(org.url("/services/oauth2/revoke"));
        try_read(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await.unwrap()
    };
    let (held, _) = tokio::join!(client.connect(), revoke);
    assert_eq!(held[0], json!({ "channel": "/meta/disconnect" }));
    assert_eq!(held[1]["error"], "401::Authentication invalid");
}
