//! What becomes of writes when an org answers oddly.

use serde_json::{Value as Json, json};

use super::{server::Server, *};
use crate::systems::salesforce::system::object::tests::{contact, described_again};

const A: &str = "0035500001H9kZuAAJ";
const B: &str = "0031i000013x2TEAAY";
const C: &str = "0012300000bVTq1AAG";

/// Answers what every test needs, and writes as the test says.
async fn org(
    writes: impl Fn(&str, &Json) -> Option<(u16, Json)> + Send + Sync + 'static,
) -> (Server, SalesforceSystem) {
    ruled_org(writes, HashMap::new()).await
}

/// With the rules of mappings.
async fn ruled_org(
    writes: impl Fn(&str, &Json) -> Option<(u16, Json)> + Send + Sync + 'static,
    rules: HashMap<String, WriteRules>,
) -> (Server, SalesforceSystem) {
    let server = Server::start(move |line, body| {
        if line.ends_with("/sobjects/Contact/describe") {
            return Some((200, described_again(&contact()).to_string()));
        }
        if line.starts_with("GET ") && line.ends_with("/sobjects") {
            return Some((200, json!({ "sobjects": [{ "name": "Contact", "queryable": true }] }).to_string()));
        }
        if line.ends_with("/userinfo") {
            let user = json!({ "organization_id": "00D000000000001EAA", "user_id": "005000000000001AAA", "preferred_username": "a@b" });
            return Some((200, user.to_string()));
        }
        if line.contains("/tooling/query") {
            return Some((404, json!([{ "errorCode": "NOT_FOUND", "message": "no" }]).to_string()));
        }
        let body = serde_json::from_str(body).unwrap_or(Json::Null);
        writes(line, &body).map(|(status, body)| (status, body.to_string()))
    })
    .await;
    let system = SalesforceSystem::new("crm", client(&server.origin, "00D!x"), rules);
    system.prepare(plan(Style::Tagged, &["Email", "LastName", "Score__c"])).await.unwrap();
    (server, system)
}

fn email(key: &str) -> Write {
    update(&key.to_owned(), &[("Email", "a@b".into())])
}

fn composite(parts: &[(u16, Json)]) -> (u16, Json) {
    let part = |(number, (status, body)): (usize, &(u16, Json))| json!({ "body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": format!("p{number}") });
    (200, json!({ "compositeResponse": parts.iter().enumerate().map(part).collect::<Vec<_>>() }))
}

fn failed(code: &str, message: &str) -> Json {
    json!({ "success": false, "errors": [{ "statusCode": code, "message": message, "fields": [] }] })
}

fn row_error(code: &str, message: &str) -> Json {
    json!([{ "errorCode": code, "message": message }])
}

fn done(key: &str) -> Outcome {
    Outcome::Done { key: key.to_owned(), row: None }
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused(refusal) => &refusal.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_error_of_a_record_means_something() {
    for (result, expected) in [
        (json!({ "id": A, "success": true, "errors": [] }), done(A)),
        (failed("ENTITY_IS_DELETED", "entity is deleted"), Outcome::Gone { certain: true }),
        (failed("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"), Outcome::Gone { certain: false }),
        (failed("NOT_FOUND", "no"), Outcome::Gone { certain: false }),
        (failed("ALL_OR_NONE_OPERATION_ROLLED_BACK", "no"), Outcome::NotDone(None)),
    ] {
        let (server, system) = org(move |_, _| Some(composite(&[(200, json!([result]))]))).await;
        assert_eq!(system.write(&batch(vec![email(A)]), fence()).await, [expected]);
        let (line, body) = &server.writes()[0];
        assert!(line.ends_with("/composite"), "{line}");
        let body: Json = serde_json::from_str(body).unwrap();
        let part = &body["compositeRequest"][0];
        assert_eq!(
            part["httpHeaders"],
            json!({ "Sforce-Call-Options": "client=tombolo.7.3.42", "Sforce-Auto-Assign": "FALSE" })
        );
        assert_eq!(part["body"]["records"], json!([{ "attributes": { "type": "Contact" }, "Email": "a@b", "Id": A }]));
    }
    for (wrong, passing, fields) in [
        (failed("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"), true, vec![]),
        (failed("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no"), false, vec![]),
        (
            json!({ "success": false, "errors": [{ "statusCode": "STRING_TOO_LONG", "message": "x", "fields": ["Email"] }] }),
            false,
            vec!["Email".to_owned()],
        ),
    ] {
        let (_server, system) = org(move |_, _| Some(composite(&[(200, json!([wrong]))]))).await;
        let outcomes = system.write(&batch(vec![email(A)]), fence()).await;
        let [Outcome::Refused(refusal)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!((refusal.passing, &refusal.fields), (passing, &fields));
    }
}

#[tokio::test]
async fn assignment_rules_and_duplicates_stand_in_the_headers_of_each_part() {
    for (rules, expected) in [
        (WriteRules { assignment_rules: true, ..WriteRules::default() }, json!({ "Sforce-Auto-Assign": "TRUE" })),
        (
            WriteRules { duplicates_allowed: true, ..WriteRules::default() },
            json!({ "Sforce-Auto-Assign": "FALSE", "Sforce-Duplicate-Rule-Header": "allowSave=true" }),
        ),
    ] {
        let answer = |_: &str, _: &Json| Some(composite(&[(200, json!([{ "id": A, "success": true, "errors": [] }]))]));
        let (server, system) = ruled_org(answer, HashMap::from([("contact".to_owned(), rules)])).await;
        assert_eq!(system.write(&batch(vec![email(A)]), fence()).await, [done(A)]);
        let body: Json = serde_json::from_str(&server.writes()[0].1).unwrap();
        let mut headers = body["compositeRequest"][0]["httpHeaders"].clone();
        assert_eq!(
            headers.as_object_mut().unwrap().remove("Sforce-Call-Options"),
            Some(json!("client=tombolo.7.3.42"))
        );
        assert_eq!(headers, expected);
    }
}

#[tokio::test]
async fn a_twin_is_named_and_another_unique_field_is_not_a_twin() {
    let taken = |field: &str| {
        failed("DUPLICATE_VALUE", &format!("duplicate value found: {field} duplicates value on record with id: {B}"))
    };
    let parts = vec![taken("Penguin_Id__c"), taken("Email"), taken("<unknown>")];
    let (_server, system) = org(move |_, _| Some(composite(&[(200, Json::Array(parts.clone()))]))).await;
    let writes = (0..3).map(|number| create(&number.to_string(), &[("LastName", "x".into())])).collect();
    let outcomes = system.write(&batch(writes), fence()).await;
    assert_eq!(outcomes[0], Outcome::Duplicate { key: Some(B.to_owned()) });
    assert_eq!(code(&outcomes[1]), "DUPLICATE_VALUE");
    assert_eq!(outcomes[2], Outcome::Duplicate { key: Some(B.to_owned()) });
}

#[tokio::test]
async fn what_is_lost_is_unknown_and_what_was_not_sent_is_not_done() {
    let (server, system) = org(|_, _| None).await;
    let writes = (0..1001).map(|_| email(A)).collect();
    let outcomes = system.write(&batch(writes), fence()).await;
    assert!(outcomes[..1000].iter().all(|outcome| *outcome == Outcome::Unknown));
    assert_eq!(outcomes[1000], Outcome::NotDone(None), "the second call was not made");
    assert_eq!(server.writes().len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn nothing_leaves_behind_the_end_of_the_lease() {
    let (server, system) = org(|_, _| None).await;
    let over = Fence { until: Instant::now(), ..fence() };
    assert_eq!(system.write(&batch(vec![email(A)]), over).await, [Outcome::NotDone(None)]);
    assert!(server.writes().is_empty());
}

#[tokio::test]
async fn a_limit_is_waited_for() {
    let (_server, system) =
        org(|_, _| Some((403, row_error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")))).await;
    let before = jiff::Timestamp::now();
    let outcomes = system.write(&batch(vec![email(A)]), fence()).await;
    let [Outcome::NotDone(Some(later))] = outcomes[..] else { panic!("{outcomes:?}") };
    assert!(later > before);
}

#[tokio::test]
async fn one_record_that_spoils_a_collection_is_found() {
    // A field that is gone spoils the whole collection: who sets it is told, the others are sent without it.
    let spoils = |body: &Json, field: &str| {
        let parts = body["compositeRequest"].as_array().cloned().unwrap_or_else(|| vec![json!({ "body": body })]);
        parts
            .iter()
            .flat_map(|part| part["body"]["records"].as_array().cloned().unwrap_or_default())
            .any(|record| record.get(field).is_some())
    };
    let results = |body: &Json| -> Vec<Json> {
        let records = body["records"].as_array().or_else(|| body["compositeRequest"][0]["body"]["records"].as_array());
        records.unwrap().iter().map(|record| json!({ "id": record["Id"], "success": true, "errors": [] })).collect()
    };
    for (code_of, message) in [
        ("INVALID_FIELD", "No such column 'Score__c' on sobject of type Contact"),
        ("JSON_PARSER_ERROR", "Cannot deserialize instance of double"),
    ] {
        let (server, system) = org(move |line, body| {
            Some(match (line.ends_with("/composite"), spoils(body, "Score__c")) {
                (true, true) => composite(&[(400, row_error(code_of, message))]),
                (true, false) => composite(&[(200, Json::Array(results(body)))]),
                (false, true) => (400, row_error(code_of, message)),
                (false, false) => (200, Json::Array(results(body))),
            })
        })
        .await;
        let writes = vec![email(A), update(&B.to_owned(), &[("Score__c", Stored::Int(5))]), email(C)];
        let outcomes = system.write(&batch(writes), fence()).await;
        assert_eq!((&outcomes[0], &outcomes[2]), (&done(A), &done(C)));
        assert_eq!(code(&outcomes[1]), code_of);
        assert!(server.writes().len() <= 5);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_as_a_whole_is_sent_in_parts() {
    let (_server, system) = org(|line, body| {
        if line.ends_with("/composite") {
            return Some((400, row_error("INVALID_INPUT", "this composite will not do")));
        }
        let records = body["records"].as_array().unwrap();
        Some((200, records.iter().map(|record| json!({ "id": record["Id"], "success": true, "errors": [] })).collect()))
    })
    .await;
    assert_eq!(system.write(&batch(vec![email(A), email(B)]), fence()).await, [done(A), done(B)]);
}

#[tokio::test]
async fn results_that_cannot_be_told_apart_are_unknown() {
    let (_server, system) =
        org(|_, _| Some(composite(&[(200, json!([{ "id": A, "success": true, "errors": [] }]))]))).await;
    assert_eq!(system.write(&batch(vec![email(A), email(B)]), fence()).await, [Outcome::Unknown, Outcome::Unknown]);
    let (_server, system) =
        org(|_, _| Some(composite(&[(500, row_error("UNKNOWN_EXCEPTION", "An unexpected error occurred"))]))).await;
    assert_eq!(system.write(&batch(vec![email(A)]), fence()).await, [Outcome::Unknown]);
    let (_server, system) =
        org(|_, _| Some(composite(&[(400, row_error("PROCESSING_HALTED", "The transaction was rolled back"))]))).await;
    assert_eq!(system.write(&batch(vec![email(A)]), fence()).await, [Outcome::NotDone(None)]);
}

#[tokio::test]
async fn what_a_field_cannot_hold_is_refused_before_it_spoils_others() {
    let (server, system) =
        org(|_, _| Some(composite(&[(200, json!([{ "id": A, "success": true, "errors": [] }]))]))).await;
    let writes = vec![
        email(A),
        update(&B.to_owned(), &[("Score__c", "many".into())]),
        update(&B.to_owned(), &[("Gone__c", "x".into())]),
        update(&"no id".to_owned(), &[("Email", "x".into())]),
        update(&B.to_owned(), &[]),
    ];
    let outcomes = system.write(&batch(writes), fence()).await;
    assert_eq!(outcomes[0], done(A));
    assert_eq!((code(&outcomes[1]), code(&outcomes[2])), ("INVALID_TYPE_ON_FIELD_IN_RECORD", "INVALID_FIELD"));
    assert_eq!((&outcomes[3], &outcomes[4]), (&Outcome::Gone { certain: false }, &done(B)));
    assert_eq!(server.writes().len(), 1);
}
