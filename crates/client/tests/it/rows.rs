//! Rows, collections and queries, with answers that get lost on the way.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use tombolo_client::{AllOrNone, ErrorKind, Record};

use crate::{
    client, fields,
    server::{Reply, Seen, Server, scripted},
};

const CREATED: &str = r#"{"id":"001000000000001AAA","success":true,"errors":[]}"#;
const ROW: &str = r#"{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/001"},"Name":"A"}"#;
const LOCKED: &str =
    r#"[{"message":"unable to obtain exclusive access to this record","errorCode":"UNABLE_TO_LOCK_ROW","fields":[]}]"#;
const DELETED: &str = r#"[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED","fields":[]}]"#;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Call {
    Create,
    Retrieve,
    Update,
    Upsert,
    Delete,
}

#[tokio::test]
async fn lost_answers() {
    let gateway = || Reply::json(504, "<html>timeout</html>");
    let busy = || Reply::json(503, r#"{"errorCode":"SERVER_UNAVAILABLE","message":"Server Unavailable"}"#);
    let cases: Vec<(Call, Vec<Reply>, Result<(), ErrorKind>)> = vec![
        (Call::Create, vec![Reply::json(201, CREATED)], Ok(())),
        (Call::Create, vec![Reply::Drop], Err(ErrorKind::UnknownOutcome)),
        (Call::Create, vec![Reply::Cut], Err(ErrorKind::UnknownOutcome)),
        (Call::Create, vec![gateway()], Err(ErrorKind::UnknownOutcome)),
        (Call::Create, vec![Reply::json(400, LOCKED), Reply::json(201, CREATED)], Ok(())),
        (Call::Update, vec![Reply::Drop], Err(ErrorKind::UnknownOutcome)),
        (Call::Update, vec![busy()], Err(ErrorKind::UnknownOutcome)),
        (Call::Update, vec![Reply::json(204, "")], Ok(())),
        (Call::Upsert, vec![Reply::Drop], Err(ErrorKind::UnknownOutcome)),
        (Call::Upsert, vec![Reply::json(204, "")], Ok(())),
        (Call::Upsert, vec![Reply::json(300, r#"["/a","/b"]"#)], Err(ErrorKind::MultipleMatches)),
        (Call::Retrieve, vec![Reply::Drop, Reply::Cut, busy(), Reply::json(200, ROW)], Ok(())),
        (Call::Retrieve, (0..5).map(|_| Reply::Drop).collect(), Err(ErrorKind::Connect)),
        (Call::Retrieve, vec![Reply::json(404, DELETED)], Err(ErrorKind::NotFound)),
        (Call::Retrieve, vec![Reply::json(200, "<html>")], Err(ErrorKind::Decode)),
        (Call::Delete, vec![Reply::Drop, Reply::json(404, DELETED)], Ok(())),
        (Call::Delete, vec![Reply::json(404, DELETED)], Err(ErrorKind::NotFound)),
    ];
    for (call, script, expect) in cases {
        let (name, requests) = (format!("{call:?} {script:?}"), script.len());
        let server = scripted(script).await;
        let (client, row) = (client(&server.origin), fields(json!({"Name": "A"})));
        let result = match call {
            Call::Create => client.create("Account", &row).await.map(drop),
            Call::Retrieve => client.retrieve("Account", "001", None).await.map(drop),
            Call::Update => client.update("Account", "001", &row).await,
            Call::Upsert => client.upsert("Account", "Key__c", "k", &row).await.map(drop),
            Call::Delete => client.delete("Account", "001").await,
        };
        assert_eq!(result.map_err(|error| error.kind()), expect, "{name}");
        assert_eq!(server.seen().len(), requests, "{name}");
    }
}

/// Five records in pages of two.
fn page(request: &Seen) -> Reply {
    let from: usize = request.path.rsplit("01g-").next().and_then(|at| at.parse().ok()).unwrap_or(0);
    let records: Vec<Value> =
        (from..5.min(from + 2)).map(|n| json!({"attributes": {"type": "A"}, "Number": n})).collect();
    let mut page = json!({"totalSize": 5, "done": from + 2 >= 5, "records": records});
    if from + 2 < 5 {
        page["nextRecordsUrl"] = json!(format!("/services/data/v66.0/query/01g-{}", from + 2));
    }
    Reply::json(200, page.to_string())
}

#[tokio::test]
async fn pages_become_one_stream_through_lost_answers() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Reply::Drop,
        _ => page(request),
    })
    .await;
    let mut records = client(&server.origin).query_all("SELECT Number FROM A");
    assert_eq!(records.total_size(), None);
    let mut numbers = Vec::new();
    while let Some(record) = records.try_next().await.unwrap() {
        numbers.push(record.get("Number").and_then(Value::as_u64).unwrap());
    }
    assert_eq!((numbers, records.total_size()), (vec![0, 1, 2, 3, 4], Some(5)));
    assert!(server.lines()[0].starts_with("GET /services/data/v66.0/queryAll?q=SELECT%20Number"));
    assert_eq!(client(&server.origin).count("SELECT COUNT() FROM A").await.unwrap(), 5);
}

fn rows(count: usize) -> Vec<Record> {
    (0..count).map(|n| Record::new("Contact", fields(json!({"LastName": n.to_string()})))).collect()
}

/// Creates each record under an Id made of its name; those in `locked` meet a lock the first time.
async fn writer(locked: &'static [&'static str]) -> (Server, Arc<Mutex<Vec<usize>>>) {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let (noted, first) = (sizes.clone(), Mutex::new(locked.to_vec()));
    let server = Server::start(move |request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let records = body["records"].as_array().unwrap();
        noted.lock().unwrap().push(records.len());
        let mut locked = first.lock().unwrap();
        let results: Vec<Value> = records
            .iter()
            .map(|record| {
                let name = record["LastName"].as_str().unwrap();
                match locked.iter().position(|locked| *locked == name) {
                    Some(at) => {
                        locked.remove(at);
                        json!({"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "m", "fields": []}]})
                    }
                    None => json!({"id": format!("003-{name}"), "success": true, "errors": []}),
                }
            })
            .collect();
        Reply::json(200, Value::from(results).to_string())
    })
    .await;
    (server, sizes)
}

#[tokio::test]
async fn long_lists_are_split_and_locked_records_sent_again() {
    let (server, sizes) = writer(&["7", "201"]).await;
    let client = client(&server.origin);
    let results = client.collections().create(&rows(450), AllOrNone::No).await.unwrap();
    let ids: Vec<_> = results.iter().map(|result| result.id.clone().unwrap()).collect();
    assert_eq!(ids, (0..450).map(|n| format!("003-{n}")).collect::<Vec<_>>());
    assert_eq!(*sizes.lock().unwrap(), [200, 1, 200, 1, 50]);
    assert_eq!(client.calls(), 5);
}

#[tokio::test]
async fn all_or_none_is_sent_again_as_a_whole_and_never_split() {
    let (server, sizes) = writer(&["1"]).await;
    let client = client(&server.origin);
    let results = client.collections().create(&rows(3), AllOrNone::Yes).await.unwrap();
    assert!(results.iter().all(|result| result.success));
    assert_eq!(*sizes.lock().unwrap(), [3, 3]);
    let error = client.collections().create(&rows(201), AllOrNone::Yes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn collections_that_get_lost() {
    let server = scripted(vec![Reply::Drop, Reply::Drop, Reply::json(200, "[]")]).await;
    let client = client(&server.origin);
    let collections = client.collections();
    let lost = collections.update(&rows(1), AllOrNone::No).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::UnknownOutcome);
    let lost = collections.delete(&["001"], AllOrNone::No).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::UnknownOutcome);
    let short = collections.delete(&["001"], AllOrNone::No).await.unwrap_err();
    assert_eq!(short.kind(), ErrorKind::UnknownOutcome, "an answer that cannot be read is as good as lost");
    assert!(collections.create(&[], AllOrNone::Yes).await.unwrap().is_empty());
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn many_are_read_in_the_order_of_their_ids() {
    let server = Server::start(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let records = body["ids"].as_array().unwrap().iter().map(|id| match id.as_str().unwrap() {
            "3" | "2400" => Value::Null,
            id => json!({"attributes": {"type": "Contact"}, "Id": id}),
        });
        Reply::json(200, Value::from_iter(records).to_string())
    })
    .await;
    let ids: Vec<String> = (0..2500).map(|n| n.to_string()).collect();
    let client = client(&server.origin);
    let records = client.collections().retrieve("Contact", &ids, &["Id"]).await.unwrap();
    for (id, record) in ids.iter().zip(&records) {
        let expect = (id != "3" && id != "2400").then_some(id.as_str());
        assert_eq!(record.as_ref().and_then(Record::id), expect);
    }
    assert_eq!(server.lines(), ["POST /services/data/v66.0/composite/sobjects/Contact"; 2]);
}
