//! Writes that carry a tag, a condition or a deadline, and what is known of them when their answer is lost.

use std::time::Duration;

use serde_json::{Value, json};
use tombolo_client::{AllOrNone, ErrorKind, Record};

use crate::{
    builder, client, fields, fixtures, impatient, password,
    server::{Reply, Server, scripted},
};

const ID: &str = "003000000000001AAA";
const CREATED: &str = r#"{"id":"003000000000001AAA","success":true,"errors":[]}"#;
const LOCKED: &str =
    r#"[{"message":"unable to obtain exclusive access to this record","errorCode":"UNABLE_TO_LOCK_ROW","fields":[]}]"#;
const DELETED: &str = r#"[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED","fields":[]}]"#;

fn restored(session: &str, tag: &str) -> String {
    format!(
        "<sessionId>{session}</sessionId></SessionHeader><CallOptions><client>{tag}</client></CallOptions>\
         </soapenv:Header><soapenv:Body><undelete><ids>{ID}</ids></undelete></soapenv:Body></soapenv:Envelope>"
    )
}

fn soap(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>{body}</soapenv:Body>\
         </soapenv:Envelope>"
    )
}

fn fault(code: &str) -> String {
    soap(&format!(
        "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: so it is</faultstring></soapenv:Fault>"
    ))
}

fn undeleted() -> String {
    soap(&format!("<undeleteResponse><result><id>{ID}</id><success>true</success></result></undeleteResponse>"))
}

#[tokio::test]
async fn every_write_carries_what_is_set() {
    let server = Server::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", path) if path.starts_with("/services/Soap/") => Reply::json(200, undeleted()),
        ("POST", _) if request.body.contains("records") => Reply::json(200, format!("[{CREATED}]")),
        ("PATCH", _) if request.body.contains("records") => Reply::json(200, format!("[{CREATED}]")),
        ("DELETE", path) if path.contains("ids=") => Reply::json(200, format!("[{CREATED}]")),
        ("POST", _) => Reply::json(201, CREATED),
        ("GET", _) => Reply::json(200, r#"{"totalSize":0,"done":true,"records":[]}"#),
        _ => Reply::json(204, ""),
    })
    .await;
    let client = client(&server.origin).with_call_tag("tombolo.7.3.1042").unwrap();
    let client = client.with_duplicates_allowed(true).with_assignment_rules(false);
    let (row, rows) = (fields(json!({"LastName": "A"})), [Record::new("Contact", fields(json!({"LastName": "A"})))]);
    client.create("Contact", &row).await.unwrap();
    client.update("Contact", ID, &row).await.unwrap();
    client.upsert("Contact", "Key__c", "k", &row).await.unwrap();
    client.delete("Contact", ID).await.unwrap();
    let many = client.collections();
    many.create(&rows, AllOrNone::No).await.unwrap();
    many.update(&rows, AllOrNone::No).await.unwrap();
    many.upsert("Contact", "Key__c", &rows, AllOrNone::No).await.unwrap();
    many.delete(&[ID], AllOrNone::No).await.unwrap();
    client.undelete(&[ID]).await.unwrap();
    for seen in server.seen() {
        let headers =
            ["sforce-call-options", "sforce-duplicate-rule-header", "sforce-auto-assign"].map(|name| seen.header(name));
        assert_eq!(headers, ["client=tombolo.7.3.1042", "allowSave=true", "FALSE"], "{}", seen.line());
    }
    assert_eq!(server.lines()[6], "PATCH /services/data/v66.0/composite/sobjects/Contact/Key__c");
    client.query_page("SELECT Id FROM Contact").await.unwrap();
    let read = server.seen().pop().unwrap();
    assert_eq!(read.header("sforce-call-options"), "client=tombolo.7.3.1042");
    assert_eq!((read.header("sforce-duplicate-rule-header"), read.header("sforce-auto-assign")), ("", ""));
}

#[tokio::test]
async fn an_update_on_condition() {
    let stamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let row = fields(json!({"LastName": "A"}));
    for (status, body, expect) in [
        (204, "", Ok(())),
        (412, "", Err(ErrorKind::PreconditionFailed)),
        (412, r#"[{"errorCode":"PRECONDITION_FAILED","message":"m"}]"#, Err(ErrorKind::PreconditionFailed)),
        (404, DELETED, Err(ErrorKind::NotFound)),
    ] {
        let server = scripted(vec![Reply::json(status, body)]).await;
        let client = client(&server.origin);
        let outcome = client.update_if_unmodified_since("Contact", ID, &row, stamp).await;
        assert_eq!(outcome.map_err(|error| error.kind()), expect, "{status}");
        assert_eq!(server.seen()[0].header("if-unmodified-since"), "Sun, 22 Nov 2026 09:00:00 GMT");
    }
}

#[tokio::test]
async fn a_describe_that_may_be_unchanged() {
    let describe = Reply::json(200, r#"{"name":"Account","fields":[]}"#);
    let server = scripted(vec![
        describe.with("Last-Modified", "Fri, 14 Aug 2020 20:53:02 GMT"),
        Reply::Answer { status: 304, headers: Vec::new(), body: Vec::new() },
        Reply::json(200, r#"{"name":"Account","label":"New"}"#),
    ])
    .await;
    let client = client(&server.origin);
    let stamp = client.describe("Account").await.unwrap().last_modified.unwrap();
    assert_eq!(client.describe_if_modified_since("Account", stamp).await.unwrap(), None);
    let changed = client.describe_if_modified_since("Account", stamp).await.unwrap().unwrap();
    assert_eq!((changed.label.as_str(), changed.last_modified), ("New", None));
    assert_eq!(server.seen()[1].header("if-modified-since"), "Fri, 14 Aug 2020 20:53:02 GMT");
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Create,
    Update,
    Upsert,
    Delete,
    Collection,
    Undelete,
}

/// With `send_once` nothing is sent again that may have been carried out, and what was not is.
#[tokio::test]
async fn writes_that_leave_once() {
    let unknown = Err(ErrorKind::UnknownOutcome);
    let locked_record = r#"[{"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW","message":"m"}]}]"#;
    let soap_500 = |code: &str| Reply::json(500, fault(code));
    let cases: Vec<(Call, Vec<Reply>, Result<(), ErrorKind>)> = vec![
        (Call::Create, vec![Reply::Drop], unknown),
        (Call::Create, vec![Reply::json(200, "<html>")], unknown),
        (Call::Create, vec![Reply::json(503, "").with("Retry-After", "1")], unknown),
        (Call::Create, vec![Reply::json(429, ""), Reply::json(400, LOCKED), Reply::json(201, CREATED)], Ok(())),
        (Call::Update, vec![Reply::Cut], unknown),
        (Call::Update, vec![Reply::json(500, r#"[{"errorCode":"UNKNOWN_EXCEPTION","message":"m"}]"#)], unknown),
        (Call::Upsert, vec![Reply::Drop], unknown),
        (Call::Upsert, vec![Reply::json(300, r#"["/a","/b"]"#)], Err(ErrorKind::MultipleMatches)),
        (Call::Delete, vec![Reply::Drop], unknown),
        (Call::Delete, vec![Reply::json(400, LOCKED), Reply::json(404, DELETED)], Err(ErrorKind::NotFound)),
        (Call::Collection, vec![Reply::Cut], unknown),
        (Call::Collection, vec![Reply::json(200, "[]")], unknown),
        (Call::Collection, vec![Reply::json(200, locked_record)], Ok(())),
        (Call::Undelete, vec![Reply::Drop], unknown),
        (Call::Undelete, vec![Reply::json(200, "<html/>")], unknown),
        (Call::Undelete, vec![soap_500("UNKNOWN_EXCEPTION")], unknown),
        (Call::Undelete, vec![soap_500("MALFORMED_ID")], Err(ErrorKind::Api)),
        (Call::Undelete, vec![soap_500("UNABLE_TO_LOCK_ROW"), Reply::json(200, undeleted())], Ok(())),
    ];
    for (call, script, expect) in cases {
        let (name, requests) = (format!("{call:?} {script:?}"), script.len());
        let server = scripted(script).await;
        let repeating = builder(&server.origin).retry(impatient().repeat_upserts(true)).build().unwrap();
        let (client, row) = (repeating.with_send_once(true), fields(json!({"LastName": "A"})));
        let outcome = match call {
            Call::Create => client.create("Contact", &row).await.map(drop),
            Call::Update => client.update("Contact", ID, &row).await,
            Call::Upsert => client.upsert("Contact", "Key__c", "k", &row).await.map(drop),
            Call::Delete => client.delete("Contact", ID).await,
            Call::Collection => {
                client.collections().create(&[Record::new("Contact", row)], AllOrNone::No).await.map(drop)
            }
            Call::Undelete => client.undelete(&[ID]).await.map(drop),
        };
        assert_eq!(outcome.map_err(|error| error.kind()), expect, "{name}");
        assert_eq!(server.seen().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn a_deadline_bounds_everything() {
    let server = Server::start(|_| Reply::Hold).await;
    let client = client(&server.origin);
    let soon = client.with_deadline(Duration::from_millis(1500));
    let row = fields(json!({"LastName": "A"}));
    let part = tombolo_client::Subrequest::delete("a", "Contact", ID);
    let (written, read, composed) = tokio::join!(
        soon.create("Contact", &row),
        soon.query_page("SELECT Id FROM Contact"),
        soon.composite().add(part).send(),
    );
    assert_eq!(written.unwrap_err().kind(), ErrorKind::UnknownOutcome);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Timeout);
    let lost = composed.unwrap_err();
    assert_eq!((lost.kind(), lost.attempts()), (ErrorKind::UnknownOutcome, 1));
    let sent = server.seen().len();
    let late = client.with_deadline(Duration::ZERO).create("Contact", &row).await.unwrap_err();
    assert_eq!((late.kind(), late.is_retryable()), (ErrorKind::Timeout, true), "it never left");
    assert_eq!(server.seen().len(), sent);
}

#[tokio::test]
async fn no_retry_begins_after_the_deadline() {
    let locked = format!("[{}]", json!({"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW"}]}));
    let server = Server::start(move |request| match request.body.contains("records") {
        true => Reply::json(200, locked.clone()),
        false => Reply::json(429, "").with("Retry-After", "3600"),
    })
    .await;
    let patient = tombolo_client::RetryPolicy::default().delays(Duration::from_secs(600), Duration::from_secs(600));
    let client = builder(&server.origin).retry(patient).build().unwrap().with_deadline(Duration::from_secs(300));
    let row = fields(json!({"LastName": "A"}));
    let busy = client.create("Contact", &row).await.unwrap_err();
    assert_eq!((busy.kind(), busy.attempts()), (ErrorKind::LimitExceeded, 1));
    let results = client.collections().create(&[Record::new("Contact", row)], AllOrNone::No).await.unwrap();
    assert!(!results[0].success);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn undelete_renews_its_session() {
    let server = Server::start(|request| {
        if request.path == "/services/oauth2/token" {
            let origin = format!("http://{}", request.header("host"));
            let token = json!({"access_token": "00D!t&1", "instance_url": origin});
            return Reply::json(200, token.to_string());
        }
        Reply::json(500, fault("INVALID_SESSION_ID"))
    })
    .await;
    let client = tombolo_client::Client::builder().credentials(password(&server.origin)).retry(impatient());
    let client = client.client_name("payroll").build().unwrap();
    let error = client.undelete(&[ID]).await.unwrap_err();
    assert_eq!((error.kind(), error.code().unwrap().as_str()), (ErrorKind::SessionExpired, "INVALID_SESSION_ID"));
    let token = "POST /services/oauth2/token";
    let soap = "POST /services/Soap/u/64.0";
    assert_eq!(server.lines(), [token, soap, token, soap]);
    assert!(server.seen()[1].body.ends_with(&restored("00D!t&amp;1", "payroll")), "{}", server.seen()[1].body);
    assert_eq!(client.undelete(&[ID; 201]).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(client.undelete::<&str>(&[]).await.unwrap().is_empty());
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn the_org_s_clock_and_usage_are_those_of_the_last_answer() {
    let answer = |time: &str, used: u32| {
        Reply::json(200, r#"{"totalSize":0,"done":true,"records":[]}"#)
            .with("Date", format!("Sun, 22 Nov 2026 {time} GMT"))
            .with("Sforce-Limit-Info", format!("api-usage={used}/5000"))
    };
    let refused = Reply::json(400, LOCKED).with("Sforce-Limit-Info", "api-usage=20/5000");
    let server = scripted(vec![answer("10:00:00", 18), answer("10:00:05", 19), refused, answer("10:00:09", 21)]).await;
    let client = client(&server.origin);
    assert_eq!(client.server_clock(), None);
    let page = client.query_page("SELECT Id FROM Contact").await.unwrap();
    assert_eq!(page.server_time.unwrap().to_string(), "2026-11-22T10:00:00Z");
    assert_eq!(client.server_clock().unwrap().server_time, page.server_time.unwrap());
    client.with_call_tag("x").unwrap().query_page("SELECT Id FROM Contact").await.unwrap();
    let clock = client.server_clock().unwrap();
    assert_eq!(
        (clock.server_time.to_string().as_str(), client.api_usage().unwrap().used),
        ("2026-11-22T10:00:05Z", 19)
    );
    assert!(clock.asked <= clock.answered && clock.uncertainty() >= Duration::from_millis(500));
    client.query_page("SELECT Id FROM Contact").await.unwrap();
    assert_eq!((client.api_usage().unwrap().used, client.calls()), (21, 4));
}

#[tokio::test]
async fn recorded_duplicates_and_upserts() {
    for name in ["rudder_duplicates_detected_400", "aiosalesforce_duplicates_detected_400"] {
        let Some(body) = fixtures::read(&format!("rest/{name}.json")) else { return };
        let server = scripted(vec![Reply::json(400, body)]).await;
        let error = client(&server.origin).create("Contact", &fields(json!({}))).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.as_str()), Some("DUPLICATES_DETECTED"), "{error:?}");
        assert_eq!(error.api_errors()[0].duplicates().len(), 1, "{name}");
    }
    let body = fixtures::read("rest/restforce_write_error_response.json").unwrap();
    let server = scripted(vec![Reply::json(400, body)]).await;
    let error = client(&server.origin).update("Bar", ID, &fields(json!({}))).await.unwrap_err();
    assert_eq!((error.kind(), error.api_errors()[0].unknown_field()), (ErrorKind::InvalidName, Some("foo")));

    for (name, created) in
        [("cci_collections_upsert_3", &[false, false, false, true][..]), ("cci_collections_upsert_by_Id_null", &[true])]
    {
        let body = fixtures::read(&format!("rest/{name}.json")).unwrap();
        let server = scripted(vec![Reply::json(200, body)]).await;
        let rows = vec![Record::new("Contact", fields(json!({"Key__c": "k"}))); created.len()];
        let results = client(&server.origin).collections().upsert("Contact", "Key__c", &rows, AllOrNone::No).await;
        let seen: Vec<bool> = results.unwrap().iter().map(|result| result.created.unwrap()).collect();
        assert_eq!(seen, created, "{name}");
    }
    let graph: Value =
        serde_json::from_str(&fixtures::read("rest/revoman_graph_response_error.json").unwrap()).unwrap();
    let parts = graph["graphs"][0]["graphResponse"]["compositeResponse"].as_array().unwrap();
    let twin = &parts.iter().find(|part| part["referenceId"] == "attributeDefinition").unwrap()["body"];
    let server = scripted(vec![Reply::json(400, twin.to_string())]).await;
    let error = client(&server.origin).create("X", &fields(json!({}))).await.unwrap_err();
    assert_eq!(error.code().map(|code| code.as_str()), Some("DUPLICATE_VALUE"), "{error:?}");
    let twin_of = error.api_errors()[0].duplicate_of().map(|id| id.to_string());
    assert_eq!(twin_of.as_deref(), Some("0tjxx00000001H3AAI"));
    assert_eq!(error.api_errors()[0].named_fields(), ["Name"]);
}
