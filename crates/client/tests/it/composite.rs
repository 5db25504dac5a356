//! Composite requests against a server that answers, refuses, loses and mixes up.

use serde_json::{Value, json};
use tombolo_client::{AllOrNone, Composite, CompositeResponse, ErrorKind, Record, Subrequest};

use crate::{
    client, fields, fixtures,
    server::{Reply, Seen, Server, scripted},
};

const ACME: &str = "001000000000001AAA";

/// Answers each part by its method.
fn answer(request: &Seen) -> Reply {
    let sent: Value = serde_json::from_str(&request.body).unwrap();
    let parts = sent["compositeRequest"].as_array().unwrap().iter().map(|part| {
        let (status, body) = match (part["method"].as_str().unwrap(), part["url"].as_str().unwrap()) {
            ("POST", url) if url.ends_with("/composite/sobjects") => (
                200,
                json!([{"id": ACME, "success": true, "errors": []},
                    {"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "m", "fields": []}]}]),
            ),
            ("POST", url) if url.contains("/composite/sobjects/") => {
                (200, json!([{"attributes": {"type": "Account"}, "Id": ACME}, null]))
            }
            ("POST", _) => (201, json!({"id": ACME, "success": true, "errors": []})),
            ("PATCH", _) if part["httpHeaders"]["If-Unmodified-Since"].is_string() => (412, json!([])),
            ("PATCH" | "DELETE", _) => (204, Value::Null),
            (_, url) if url.contains("/query") => (200, json!({"totalSize": 0, "done": true, "records": []})),
            _ => (200, json!({"attributes": {"type": "Account"}, "Id": ACME})),
        };
        json!({"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": part["referenceId"]})
    });
    // The order of collated parts is not promised.
    let parts: Vec<Value> = parts.rev().collect();
    let date = ("Date", "Sun, 22 Nov 2026 10:00:00 GMT");
    Reply::json(200, json!({"compositeResponse": parts}).to_string()).with(date.0, date.1)
}

#[tokio::test]
async fn each_part_has_its_answer_in_one_call() {
    let server = Server::start(answer).await;
    let client = client(&server.origin);
    let (row, records) = (fields(json!({"Name": "A"})), [Record::new("Account", fields(json!({"Name": "A"})))]);
    let stamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let answer = client
        .composite()
        .all_or_none(AllOrNone::No)
        .collate_subrequests(true)
        .add(Subrequest::create("new", "Account", &row))
        .add(Subrequest::update("old", "Account", "@{new.id}", &row))
        .add(Subrequest::update("stale", "Account", ACME, &row).if_unmodified_since(stamp))
        .add(Subrequest::delete("gone", "Account", ACME))
        .add(Subrequest::retrieve("read", "Account", ACME, None))
        .add(Subrequest::query("found", "SELECT Id FROM Account"))
        .add(Subrequest::create_many("many", &[records[0].clone(), records[0].clone()], AllOrNone::No))
        .add(Subrequest::retrieve_many("rows", "Account", &[ACME, ACME], &["Id"]))
        .send()
        .await
        .unwrap();
    let names: Vec<&str> = answer.responses.iter().map(|response| response.reference_id.as_str()).collect();
    assert_eq!(names, ["new", "old", "stale", "gone", "read", "found", "many", "rows"]);
    assert_eq!(answer.server_time.unwrap().to_string(), "2026-11-22T10:00:00Z");
    let get = |name: &str| answer.get(name).unwrap();
    assert_eq!(get("new").save_result().unwrap().id.as_deref(), Some(ACME));
    assert!(get("old").save_result().unwrap().success && get("gone").save_result().unwrap().success);
    assert_eq!(get("stale").save_result().unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert_eq!(get("read").record().unwrap().id(), Some(ACME));
    assert_eq!(get("found").page().unwrap().total_size, 0);
    let saved = get("many").save_results().unwrap();
    assert!(saved[0].success && saved[1].errors[0].code().as_str() == "UNABLE_TO_LOCK_ROW");
    assert!(matches!(get("rows").records().unwrap().as_slice(), [Some(_), None]));
    assert!(!answer.is_success() && answer.get("other").is_err());
    assert_eq!(answer.cause().unwrap().reference_id, "stale");
    assert_eq!((client.calls(), server.seen().len()), (1, 1));
}

#[tokio::test]
async fn writing_parts_carry_what_is_set_about_writes() {
    let server = Server::start(answer).await;
    let client = client(&server.origin).with_call_tag("tombolo.7.3.1042").unwrap();
    let row = fields(json!({"Name": "A"}));
    let composite = client.with_duplicates_allowed(true).with_assignment_rules(false).composite();
    let parts = composite
        .add(Subrequest::create("a", "Account", &row))
        .add(Subrequest::update("b", "Account", ACME, &row).call_tag("tombolo.7.3.1043"))
        .add(Subrequest::query("c", "SELECT Id FROM Account"));
    parts.send().await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("sforce-call-options"), "client=tombolo.7.3.1042");
    let sent: Value = serde_json::from_str(&seen.body).unwrap();
    let headers = |at: usize| sent["compositeRequest"][at]["httpHeaders"].clone();
    let expect = |tag: &str| {
        json!({"Sforce-Call-Options": format!("client={tag}"), "Sforce-Duplicate-Rule-Header": "allowSave=true",
            "Sforce-Auto-Assign": "FALSE"})
    };
    assert_eq!(
        (headers(0), headers(1), headers(2)),
        (expect("tombolo.7.3.1042"), expect("tombolo.7.3.1043"), Value::Null)
    );
}

#[tokio::test]
async fn a_lost_composite_is_sent_again_only_if_nothing_in_it_writes() {
    let fine = |name: &str, body: Value| {
        let part = json!({"body": body, "httpHeaders": {}, "httpStatusCode": 200, "referenceId": name});
        Reply::json(200, json!({"compositeResponse": [part]}).to_string())
    };
    let write = || Subrequest::create("a", "Account", &fields(json!({})));
    let read = || Subrequest::query("a", "SELECT Id FROM Account");
    let page = || json!({"totalSize": 0, "done": true, "records": []});
    let locked = || Reply::json(400, r#"[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"m"}]"#);
    let cases: Vec<(Subrequest, Vec<Reply>, Result<(), ErrorKind>)> = vec![
        (write(), vec![Reply::Drop], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![Reply::Cut], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![Reply::json(503, "")], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![Reply::json(500, r#"[{"errorCode":"UNKNOWN_EXCEPTION"}]"#)], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![Reply::json(200, "<html>")], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![fine("b", json!({}))], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![Reply::json(200, r#"{"compositeResponse":[]}"#)], Err(ErrorKind::UnknownOutcome)),
        (write(), vec![Reply::json(400, r#"[{"errorCode":"JSON_PARSER_ERROR"}]"#)], Err(ErrorKind::Api)),
        (write(), vec![Reply::json(429, ""), locked(), fine("a", json!({"success": true}))], Ok(())),
        (read(), vec![Reply::Drop, Reply::json(503, ""), fine("a", page())], Ok(())),
        (read(), vec![Reply::json(200, "<html>")], Err(ErrorKind::Decode)),
    ];
    for (part, script, expect) in cases {
        let (name, requests) = (format!("{part:?} {script:?}"), script.len());
        let server = scripted(script).await;
        let result = client(&server.origin).composite().add(part).send().await;
        assert_eq!(result.map(drop).map_err(|error| error.kind()), expect, "{name}");
        assert_eq!(server.seen().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn what_salesforce_would_refuse_as_a_whole_is_not_sent() {
    let server = scripted(vec![]).await;
    let client = client(&server.origin);
    let twice = client.composite().add(Subrequest::query("a", "SELECT")).add(Subrequest::query("a", "SELECT"));
    assert_eq!(twice.parts().len(), 2);
    assert_eq!(twice.send().await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(server.seen().is_empty());
}

/// Sends parts of these names to a server that gives a recorded answer.
async fn recorded(name: &str) -> Option<CompositeResponse> {
    let body = fixtures::read(&format!("rest/{name}.json"))?;
    let raw: Value = serde_json::from_str(&body).unwrap();
    let names: Vec<String> = raw["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["referenceId"].as_str().unwrap().to_owned())
        .collect();
    let server = Server::start(move |_| Reply::json(200, body.clone())).await;
    let empty = client(&server.origin).composite();
    let add = |composite: Composite, name| composite.add(Subrequest::retrieve(name, "Account", "001", None));
    let answer = names.into_iter().fold(empty, add).send().await.unwrap();
    assert_eq!(answer.responses.len(), raw["compositeResponse"].as_array().unwrap().len());
    Some(answer)
}

#[tokio::test]
async fn recorded_answers() {
    let Some(unchanged) = recorded("cci_composite_304_if_modified_since").await else { return };
    assert!(unchanged.is_success() && unchanged.cause().is_none());
    let first = &unchanged.responses[0];
    assert_eq!((first.status, first.header("last-modified")), (304, Some("Fri, 14 Aug 2020 20:53:02 GMT")));
    assert_eq!((first.header("etag"), first.body.is_null()), (Some("\"baf7f695\""), true));

    for (name, sizes) in [
        ("cci_composite_count_queries", &[17, 0][..]),
        ("cci_composite_four_queries", &[1, 1, 1, 1]),
        ("revoman_query_response_all_success", &[1, 10]),
    ] {
        let answer = recorded(name).await.unwrap();
        let seen: Vec<u64> = answer.responses.iter().take(2).map(|part| part.page().unwrap().total_size).collect();
        assert_eq!(seen[0], sizes[0], "{name}");
    }

    let created = recorded("camel_composite_success_warnings").await.unwrap();
    let created = created.get("NewPayment1").unwrap();
    assert_eq!((created.status, created.save_result().unwrap().success), (201, true));
    assert!(created.header("Location").unwrap().ends_with("/a1V3E000000EXomUAM"));

    let missing = recorded("cci_composite_not_found_subrequest").await.unwrap();
    let missing = missing.get("CCI__RefId__0__").unwrap();
    let error = missing.record().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)));
    assert_eq!(error.to_string(), "GET /services/data/v66.0/sobjects/Account/001: answered 404");
    assert_eq!(missing.errors()[0].code().as_str(), "NOT_FOUND");
}

#[tokio::test]
async fn who_is_to_blame_when_all_were_halted() {
    for (name, cause, halted) in [
        ("revoman_query_response_all_error", "billingMilestonePlan", 2),
        ("revoman_query_response_partial_success", "billingMilestonePlan", 1),
        ("doc_composite_null_ref_v51", "newContact", 0),
    ] {
        let Some(answer) = recorded(name).await else { return };
        assert!(!answer.is_success());
        assert_eq!(answer.cause().unwrap().reference_id, cause, "{name}");
        assert_eq!(answer.responses.iter().filter(|part| part.is_halted()).count(), halted, "{name}");
        let halts = answer.responses.iter().filter_map(|part| part.error()).filter(|e| e.kind() == ErrorKind::Halted);
        assert_eq!(halts.count(), halted);
    }
}
