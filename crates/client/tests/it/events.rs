//! A subscriber against a CometD server that is cut off, forgets, refuses and comes back.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tombolo_client::{Client, ErrorKind, Replay, ReplayId, StreamItem, Subscribe, Subscription};

use crate::{
    client, fixtures, impatient, password,
    server::{Reply, Seen, Server},
};

const CHANNEL: &str = "/data/ChangeEvents";

/// What the server does with a held connect.
#[derive(Debug, Clone)]
enum Held {
    Quiet,
    Event(u64),
    Events(std::ops::Range<u64>),
    Say(Value),
    Do(Reply),
}

/// A CometD server. Handshakes, first connects and subscriptions are answered; held connects follow the script, and
/// the last one stays open. The position 82 has expired, the channel `/data/Nowhere` does not exist.
struct Org {
    script: Vec<Held>,
    clients: HashSet<String>,
    handshakes: u32,
    logins: u32,
}

impl Org {
    fn answer(&mut self, request: &Seen) -> Reply {
        if request.path == "/services/oauth2/token" {
            self.logins += 1;
            let origin = format!("http://{}", request.header("host"));
            let body = json!({"access_token": format!("00D!token-{}", self.logins), "instance_url": origin});
            return Reply::json(200, body.to_string());
        }
        assert_eq!(request.path, "/cometd/66.0");
        let sent: Value = serde_json::from_str(&request.body).unwrap();
        let channel = sent[0]["channel"].as_str().unwrap();
        let ok = json!({"channel": channel, "successful": true});
        let say = |message: &Value| Reply::json(200, json!([message]).to_string());
        match channel {
            "/meta/handshake" => {
                self.handshakes += 1;
                let number = self.handshakes;
                say(&json!({"channel": channel, "clientId": format!("client-{number}"), "successful": true}))
                    .with("Set-Cookie", format!("BAYEUX_BROWSER=b{number};Path=/cometd/;Secure"))
            }
            "/meta/subscribe" if sent[0]["subscription"] == "/data/Nowhere" => say(&json!({
                "channel": channel, "successful": false,
                "error": "400::The channel you requested to subscribe to doesn't exist {/data/Nowhere}",
            })),
            "/meta/subscribe" if sent[0]["ext"]["replay"][CHANNEL] == 82 => say(&json!({
                "channel": channel, "successful": false,
                "error": "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay \
                          all events, or -1 to replay only new events.",
            })),
            "/meta/subscribe" => say(&ok).with("Date", "Sun, 22 Nov 2026 10:00:00 GMT"),
            "/meta/connect" if self.clients.insert(sent[0]["clientId"].to_string()) => say(&json!({
                "channel": channel, "successful": true,
                "advice": {"interval": 0, "timeout": 110_000, "reconnect": "retry"},
            })),
            "/meta/connect" => self.held(&ok),
            _ => say(&ok),
        }
    }

    fn held(&mut self, ok: &Value) -> Reply {
        let next = if self.script.is_empty() { Held::Do(Reply::Hold) } else { self.script.remove(0) };
        let events = match next {
            Held::Quiet => 0..0,
            Held::Event(id) => id..id + 1,
            Held::Events(ids) => ids,
            Held::Say(messages) => return Reply::json(200, messages.to_string()),
            Held::Do(reply) => return reply,
        };
        let mut messages: Vec<Value> = events.map(event).collect();
        messages.push(ok.clone());
        Reply::json(200, Value::from(messages).to_string())
    }
}

fn event(id: u64) -> Value {
    json!({"channel": CHANNEL, "data": {"schema": "s", "event": {"replayId": id}, "payload": {
        "Name": "A", "ChangeEventHeader": {"entityName": "Account", "changeType": "UPDATE", "recordIds": ["001"]}}}})
}

fn refusal(error: &str, reconnect: &str) -> Held {
    Held::Say(json!([{"channel": "/meta/disconnect"}, {"channel": "/meta/connect", "successful": false,
        "error": error, "advice": {"reconnect": reconnect, "interval": 0}}]))
}

async fn org(script: Vec<Held>) -> (Server, Client) {
    let org = Mutex::new(Org { script, clients: HashSet::new(), handshakes: 0, logins: 0 });
    let server = Server::start(move |request| org.lock().unwrap().answer(request)).await;
    let client = Client::builder().credentials(password(&server.origin)).retry(impatient()).build().unwrap();
    (server, client)
}

fn from(position: Replay) -> Subscribe {
    Subscribe::new(CHANNEL).from(position)
}

fn after(id: &str) -> Replay {
    Replay::After(ReplayId::new(id))
}

/// One word an item, until the word that is waited for.
async fn until(stream: &mut Subscription, last: &str) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(item) = stream.next().await {
        words.push(match item {
            Ok(StreamItem::Opened { server_time }) => {
                assert_eq!(server_time.to_string(), "2026-11-22T10:00:00Z");
                "opened".into()
            }
            Ok(StreamItem::Event(event)) => event.replay.to_string(),
            Ok(StreamItem::PositionLost { .. }) => "lost".into(),
            Ok(StreamItem::Reconnected) => "reconnected".into(),
            Ok(other) => panic!("{other:?}"),
            Err(error) => format!("error {}", error.kind()),
        });
        if words.last().unwrap() == last {
            break;
        }
    }
    words
}

/// The positions that were subscribed to, in order.
fn subscriptions(server: &Server) -> Vec<Value> {
    let sent = server.seen().into_iter().filter_map(|request| serde_json::from_str::<Value>(&request.body).ok());
    sent.filter(|sent| sent[0]["channel"] == "/meta/subscribe")
        .map(|sent| sent[0]["ext"]["replay"][CHANNEL].clone())
        .collect()
}

#[tokio::test]
async fn every_way_to_lose_the_line_leads_back_to_it() {
    let busy_proxy = Held::Do(Reply::json(502, "<html>"));
    for cut in [
        Held::Do(Reply::Drop),
        Held::Do(Reply::Cut),
        busy_proxy,
        refusal("403::Unknown client", "handshake"),
        refusal("403::Unknown client", "none"),
        refusal("402::session_unknown", "handshake"),
        Held::Say(json!([{"channel": "/meta/disconnect"}])),
        Held::Say(json!("nonsense")),
    ] {
        let name = format!("{cut:?}");
        let (server, client) = org(vec![Held::Quiet, Held::Event(7), cut, Held::Event(8)]).await;
        let mut stream = client.subscribe(from(Replay::New));
        let words = until(&mut stream, "8").await;
        let trouble = &words[2];
        assert!(trouble == "error connect" || trouble == "error unavailable", "{name}: {words:?}");
        assert_eq!([&words[..2], &words[3..]].concat(), ["opened", "7", "reconnected", "8"], "{name}");
        assert_eq!(subscriptions(&server), [json!(-1), json!(7)], "{name}");
        assert_eq!(stream.position(), Some(&ReplayId::new("8")));
    }
}

#[tokio::test]
async fn each_session_has_cookies_of_its_own() {
    let (server, client) = org(vec![Held::Event(7), refusal("403::Unknown client", "none")]).await;
    let mut stream = client.subscribe(from(Replay::New));
    until(&mut stream, "reconnected").await;
    let cookies: Vec<_> = server.seen().iter().map(|request| request.header("cookie").to_owned()).collect();
    let (one, two) = ("BAYEUX_BROWSER=b1", "BAYEUX_BROWSER=b2");
    // login · handshake, connect, subscribe, two held · handshake, connect, subscribe
    assert_eq!(cookies[..9], ["", "", one, one, one, one, "", two, two]);
}

#[tokio::test]
async fn an_expired_session_is_renewed() {
    let (server, client) =
        org(vec![Held::Event(7), refusal("401::Authentication invalid", "none"), Held::Event(8)]).await;
    let mut stream = client.subscribe(from(Replay::New));
    assert_eq!(until(&mut stream, "8").await, ["opened", "7", "error connect", "reconnected", "8"]);
    let tokens: HashSet<_> = server.seen().iter().map(|request| request.header("authorization").to_owned()).collect();
    assert!(tokens.contains("Bearer 00D!token-1") && tokens.contains("Bearer 00D!token-2"), "{tokens:?}");
    assert_eq!(client.calls(), 0, "events are not API calls");
}

#[tokio::test]
async fn a_bare_token_ends_with_its_session() {
    let (server, _) = org(vec![Held::Event(7), refusal("401::Authentication invalid", "none")]).await;
    let mut stream = client(&server.origin).subscribe(from(Replay::New));
    assert_eq!(until(&mut stream, "").await, ["opened", "7", "error connect", "error session_expired"]);
}

#[tokio::test]
async fn an_expired_position_is_told_before_the_stream_goes_on() {
    let (server, client) = org(vec![Held::Event(99)]).await;
    let mut stream = client.subscribe(from(after("82")));
    assert_eq!(stream.position(), Some(&ReplayId::new("82")));
    assert_eq!(until(&mut stream, "lost").await, ["lost"]);
    assert_eq!(stream.position(), None);
    assert_eq!(until(&mut stream, "99").await, ["opened", "99"]);
    assert_eq!(subscriptions(&server), [json!(82), json!(-1)]);
}

#[tokio::test]
async fn a_quiet_stream_that_was_cut_says_what_it_cannot_know() {
    let (server, client) = org(vec![Held::Do(Reply::Drop), Held::Event(5)]).await;
    let mut stream = client.subscribe(from(Replay::New));
    assert_eq!(until(&mut stream, "5").await, ["opened", "error connect", "lost", "opened", "5"]);
    assert_eq!(subscriptions(&server), [json!(-1), json!(-1)]);
}

#[tokio::test]
async fn a_channel_that_does_not_exist_ends_the_stream() {
    let (server, client) = org(vec![]).await;
    let mut stream = client.subscribe(Subscribe::new("/data/Nowhere"));
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotFound, false));
    assert!(stream.next().await.is_none() && stream.next().await.is_none());
    server.wait_for(|request| request.body.contains("/meta/disconnect")).await;
}

#[tokio::test]
async fn whoever_stops_listening_takes_leave() {
    let (server, client) = org(vec![Held::Event(1)]).await;
    let mut stream = client.subscribe(from(Replay::New));
    until(&mut stream, "1").await;
    drop(stream);
    server.wait_for(|request| request.body.contains("/meta/disconnect")).await;
}

#[tokio::test]
async fn a_slow_reader_slows_the_server_down_and_misses_nothing() {
    let script = (0..40).map(|poll| Held::Events(poll * 20..poll * 20 + 20)).collect();
    let (server, client) = org(script).await;
    let mut stream = client.subscribe(from(Replay::All));
    until(&mut stream, "0").await;
    // 64 items wait at most: of the 40 answers not more than a few were fetched before anyone read on.
    server.wait_for(|request| request.body.contains(r#""id":"6""#)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(server.seen().len() < 12, "{}", server.seen().len());
    let words = until(&mut stream, "799").await;
    assert_eq!(words, (1..800).map(|id| id.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_handshake_is_refused_by_http_too() {
    let refuse = Arc::new(Mutex::new(true));
    let server = Server::start(move |request| {
        if std::mem::take(&mut *refuse.lock().unwrap()) {
            return Reply::json(503, "Server Unavailable");
        }
        let mut org = Org { script: vec![], clients: HashSet::new(), handshakes: 0, logins: 0 };
        org.answer(request)
    })
    .await;
    let mut stream = client(&server.origin).subscribe(from(Replay::New));
    assert_eq!(until(&mut stream, "opened").await, ["error unavailable", "opened"]);
}

#[tokio::test]
async fn recorded_refusals_and_events() {
    for name in
        ["connect_auth_invalid", "connect_auth_invalid_doc", "connect_unknown_client_none", "connect_user_mismatch"]
    {
        let Some(text) = fixtures::read(&format!("streaming/cometd_{name}.json")) else { return };
        let refusal = Held::Say(serde_json::from_str(&text).unwrap());
        let (_server, client) = org(vec![Held::Event(7), refusal, Held::Event(8)]).await;
        let words = until(&mut client.subscribe(from(Replay::New)), "8").await;
        assert_eq!(words, ["opened", "7", "error connect", "reconnected", "8"], "{name}");
    }
    let Some(text) = fixtures::read("streaming/event_cdc_update_cometd_2.json") else { return };
    let data: Value = serde_json::from_str(&text).unwrap();
    let delivery = json!([{"channel": CHANNEL, "data": data}, {"channel": "/meta/connect", "successful": true}]);
    let (_server, client) = org(vec![Held::Say(delivery)]).await;
    let mut stream = client.subscribe(from(Replay::New));
    until(&mut stream, "opened").await;
    let Some(Ok(StreamItem::Event(event))) = stream.next().await else { panic!("no event") };
    assert_eq!((event.replay.as_str(), event.channel.as_str()), ("15529464", CHANNEL));
    assert_eq!(event.payload.keys().collect::<Vec<_>>(), ["LastModifiedDate", "Name"]);
    let header = event.header;
    assert_eq!((header.entity_name.as_str(), header.change_type.as_str()), ("Distributor__c", "UPDATE"));
    assert_eq!((header.commit_number, header.commit_timestamp), (11_640_466_607_976, 1_708_850_804_000));
    assert_eq!((header.record_ids.as_slice(), header.sequence_number), (&["a02Hs0000179WZ2IAM".to_owned()][..], 1));
    assert_eq!(header.changed_fields, ["Name", "LastModifiedDate"]);
    assert_eq!(header.client_name(), Some("SfdcInternalAPI"));
}

#[tokio::test]
async fn compound_fields_come_as_rows_have_them() {
    let Some(text) = fixtures::read("streaming/event_cdc_compound_pubsub_header.json") else { return };
    let mut payload: Value = serde_json::from_str(&text).unwrap();
    payload["ChangeEventHeader"]["changedFields"] = json!(["BillingAddress.Street", "LastModifiedDate"]);
    payload["ChangeEventHeader"]["nulledFields"] = json!(["Fax"]);
    payload["Description"] = json!({"diff": "--- \n+++ 0"});
    let data = json!({"payload": payload, "event": {"replayId": 7}});
    let delivery = json!([{"channel": CHANNEL, "data": data}, {"channel": "/meta/connect", "successful": true}]);
    let (_server, client) = org(vec![Held::Say(delivery)]).await;
    let mut stream = client.subscribe(from(Replay::New));
    until(&mut stream, "opened").await;
    let Some(Ok(StreamItem::Event(event))) = stream.next().await else { panic!("no event") };
    let fields = event.fields();
    assert_eq!(fields["BillingStreet"], "415 Mission Street Suite B");
    assert_eq!(fields["BillingCity"], Value::Null);
    assert!(!fields.contains_key("BillingAddress") && !fields.contains_key("Description"));
    assert_eq!(event.diffed(), ["Description"]);
    assert_eq!(event.header.changed_components(), ["BillingStreet", "LastModifiedDate"]);
    assert_eq!(
        (event.header.nulled_fields.as_slice(), event.header.commit_user.as_str()),
        (&["Fax".to_owned()][..], "0055f000005mc66AAA")
    );
}
