//! Recorded answers of Salesforce, read by the client. They lie in the shared folder and are not part of the project.

use std::{env, fs, path::PathBuf};

use futures_util::TryStreamExt as _;
use serde_json::Value;
use tombolo_client::{AllOrNone, Client, Error, ErrorKind, FieldDescribe, Record};

use crate::{
    client, password,
    server::{Reply, Server},
};

/// The shared folder, or one visible line and nothing.
pub(crate) fn shared() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = PathBuf::from(env::var("TOMBOLO_SHARED").unwrap_or_else(|_| default.into())).join("fixtures");
    if folder.is_dir() {
        return Some(folder);
    }
    let required = env::var("TOMBOLO_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|what| what == "shared"), "the shared folder is required, and not there");
    eprintln!("skipped: no shared folder (TOMBOLO_SHARED)");
    None
}

pub(crate) fn read(name: &str) -> Option<String> {
    let path = shared()?.join(name);
    Some(fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// A client of a server that gives one answer to everything.
async fn answering(status: u16, name: &str) -> Option<(Server, Client, Value)> {
    let body = read(name)?;
    let value = serde_json::from_str(&body).unwrap_or(Value::Null);
    let server = Server::start(move |_| Reply::json(status, body.clone())).await;
    let client = client(&server.origin);
    Some((server, client, value))
}

#[tokio::test]
async fn describes() {
    for name in ["Account", "Account.PersonAccount", "Case", "Contact", "Custom__c", "Event", "Lead", "Opportunity"] {
        let Some((_server, client, raw)) = answering(200, &format!("describe/{name}.json")).await else { return };
        let object = client.describe("X").await.unwrap();
        let names = |fields: &[FieldDescribe]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        let expect: Vec<String> =
            raw["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names(&object.fields), expect, "{name}");
        assert!(object.fields.iter().all(|field| field.field_type().is_some()), "{name}");
        assert_eq!(object.field("id").unwrap().byte_length, 18);
        assert_eq!(object.raw, raw);
    }
    let Some((_server, client, raw)) = answering(200, "describe/_global.json").await else { return };
    let all = client.describe_global().await.unwrap();
    assert_eq!(all.objects.len(), raw["sobjects"].as_array().unwrap().len());
    assert_eq!(all.object("contact").unwrap().key_prefix.as_deref(), Some("003"));
}

#[tokio::test]
async fn errors() {
    let cases = [
        ("err_request_limit_exceeded_403.json", 403, ErrorKind::LimitExceeded, "REQUEST_LIMIT_EXCEEDED"),
        ("err_unknown_exception_500.json", 500, ErrorKind::UnknownOutcome, "UNKNOWN_EXCEPTION"),
        ("err_query_timeout_400.json", 400, ErrorKind::Api, "QUERY_TIMEOUT"),
        ("err_json_parser_datetime_400.json", 400, ErrorKind::Api, "JSON_PARSER_ERROR"),
        ("openstax_query_invalid_id_field_400.json", 400, ErrorKind::InvalidQuery, "INVALID_QUERY_FILTER_OPERATOR"),
        ("jsforce_required_field_missing_400.json", 400, ErrorKind::Api, "REQUIRED_FIELD_MISSING"),
        ("jsforce_multiple_validation_errors_400.json", 400, ErrorKind::Api, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ("rudder_duplicates_detected_400.json", 400, ErrorKind::Api, "DUPLICATES_DETECTED"),
        ("doc_error_malformed_id.json", 400, ErrorKind::Api, "MALFORMED_ID"),
        ("doc_password_policy_error.json", 400, ErrorKind::Api, "INVALID_NEW_PASSWORD"),
        ("restforce_upsert_error_response.json", 404, ErrorKind::NotFound, "NOT_FOUND"),
        ("restforce_write_error_response.json", 400, ErrorKind::InvalidName, "INVALID_FIELD"),
        ("restforce_upsert_multiple_error_response.json", 300, ErrorKind::MultipleMatches, ""),
    ];
    for (name, status, kind, code) in cases {
        let Some((_server, client, raw)) = answering(status, &format!("rest/{name}")).await else { return };
        let error: Error = client.upsert("Account", "Key__c", "k", &Default::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{name}");
        assert_eq!(error.code().map_or("", |code| code.as_str()), code, "{name}");
        let entries = if status == 300 { 0 } else { raw.as_array().map_or(1, Vec::len) };
        assert_eq!(error.api_errors().len(), entries, "{name}");
    }
    for name in ["restforce_expired_session_response.json", "err_invalid_jwt_format_401.json"] {
        let Some((_server, client, _)) = answering(401, &format!("rest/{name}")).await else { return };
        assert_eq!(client.limits().await.unwrap_err().kind(), ErrorKind::SessionExpired, "{name}");
    }
    for name in ["client_identifier_invalid", "unsupported_grant", "audience_invalid"] {
        let file = format!("rest/oauth_err_{name}_400.json");
        let Some((server, _, _)) = answering(400, &file).await else { return };
        let client = Client::builder().credentials(password(&server.origin)).build().unwrap();
        assert_eq!(client.limits().await.unwrap_err().kind(), ErrorKind::Login, "{name}");
    }
}

#[tokio::test]
async fn results_of_writes() {
    for (name, ids, failures) in [
        ("cci_collections_insert_4.json", 2, 0),
        ("cci_collections_update.json", 6, 0),
        ("cci_collections_upsert_3.json", 4, 0),
        ("doc_collections_create_partial.json", 1, 1),
        ("doc_collections_create_rolledback.json", 0, 2),
        ("doc_collections_delete_partial.json", 1, 1),
    ] {
        let Some((_server, client, raw)) = answering(200, &format!("rest/{name}")).await else { return };
        let records = vec![Record::new("Account", Default::default()); raw.as_array().unwrap().len()];
        let results = client.collections().create(&records, AllOrNone::No).await.unwrap();
        assert_eq!(results.iter().filter(|result| result.id.is_some()).count(), ids, "{name}");
        assert_eq!(results.iter().filter(|result| !result.success).count(), failures, "{name}");
        assert!(results.iter().all(|result| result.success != result.errors.iter().any(|e| !e.message().is_empty())));
    }
    for (name, created) in [("doc_upsert_created_201.json", true), ("doc_upsert_updated_200.json", false)] {
        let Some((_server, client, _)) = answering(200, &format!("rest/{name}")).await else { return };
        let result = client.upsert("Account", "Key__c", "k", &Default::default()).await.unwrap();
        assert_eq!((result.success, result.created), (true, Some(created)), "{name}");
    }
    let Some((_server, client, _)) = answering(201, "rest/pm_platform_event_publish_201.json").await else { return };
    let published = client.create("News__e", &Default::default()).await.unwrap();
    assert!(published.success && !published.errors.is_empty());
}

#[tokio::test]
async fn rows_queries_and_windows() {
    let Some((_server, client, raw)) = answering(200, "rest/swiftly_MockAccount.json").await else { return };
    let account = client.retrieve("Account", "x", None).await.unwrap();
    assert_eq!((account.object(), account.id()), ("Account", Some("0011Y00003HVMu4QAH")));
    assert_eq!(serde_json::to_value(&account).unwrap(), raw);

    for (name, records) in [
        ("cci_query_child_subquery_null_and_nested.json", 17),
        ("cci_query_count_id_aggregate.json", 1),
        ("openstax_query_count_expr0.json", 1),
        ("restforce_query_success_response.json", 1),
    ] {
        let Some((_server, client, _)) = answering(200, &format!("rest/{name}")).await else { return };
        let all: Vec<Record> = client.query("SELECT").try_collect().await.unwrap();
        assert_eq!(all.len(), records, "{name}");
    }

    let Some((_server, client, raw)) = answering(200, "rest/doc_collections_retrieve_null.json").await else { return };
    let ids = vec!["001"; raw.as_array().unwrap().len()];
    let rows = client.collections().retrieve("Account", &ids, &["Id", "Name"]).await.unwrap();
    assert!(rows[0].is_some() && rows[1].is_none());

    let (start, end) = ("2026-11-01T00:00:00Z".parse().unwrap(), "2026-11-02T00:00:00Z".parse().unwrap());
    let Some((_server, client, raw)) = answering(200, "rest/restforce_get_deleted_success_response.json").await else {
        return;
    };
    let deleted = client.deleted("Account", start, end).await.unwrap();
    assert_eq!(deleted.records.len(), raw["deletedRecords"].as_array().unwrap().len());
    let Some((_server, client, raw)) = answering(200, "rest/restforce_get_updated_success_response.json").await else {
        return;
    };
    assert_eq!(client.updated("Account", start, end).await.unwrap().ids.len(), raw["ids"].as_array().unwrap().len());

    let Some((_server, client, raw)) = answering(200, "rest/swiftly_MockLimits.json").await else { return };
    let limits = client.limits().await.unwrap();
    assert_eq!(limits.get("DailyApiRequests").unwrap().remaining, 14953);
    assert_eq!(limits.iter().count(), raw.as_object().unwrap().len());
    let Some((_server, client, _)) = answering(200, "rest/swiftly_MockIdentity.json").await else { return };
    assert_eq!(client.identity().await.unwrap().username, "john@playground.com");
}
