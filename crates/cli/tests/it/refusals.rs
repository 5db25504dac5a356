//! Bad input: each has a clear message, its exit code, and leaves nothing half-done.

use crate::command::{Run, TestOrg, assert_transcript};

#[test]
fn what_does_not_exist_or_does_not_parse_is_usage() {
    let org = TestOrg::start();
    for arguments in [
        &["query", "SELECT Id FORM Account"][..],
        &["query", "SELECT Id FORM Account", "--json"],
        &["query", "SELECT Nmae FROM Account"],
        &["query", "SELECT Id FROM Acount"],
        &["query", "SELECT Id, (SELECT Id FROM Contacts) FROM Account"],
        &["describe", "Acount"],
        &["create", "Account", "Nmae=x"],
        &["create", "Account", "NumberOfEmployees=many"],
        &["create", "Account", "--data", "[1]"],
        &["frobnicate"],
        &["query", "SELECT Id FROM Account", "--format", "xml"],
    ] {
        assert_transcript!(org.tombolo(arguments));
    }
}

#[test]
fn what_the_org_refuses_is_a_failure() {
    let org = TestOrg::start();
    for arguments in [
        &["get", "Account", "001000000000000AAA"][..],
        &["create", "Account", "NumberOfEmployees=1"],
        &["create", "Contact", "LastName=x", "Email=nonsense", "--json"],
        &["api", "GET", "nothing/here"],
    ] {
        assert_transcript!(org.tombolo(arguments));
    }
}

#[test]
fn who_cannot_come_in_is_told_so() {
    let org = TestOrg::start();
    assert_transcript!(org.tombolo(&["limits"]).env("SF_ACCESS_TOKEN", "00D000000000001!nonsense"));
    assert_transcript!(Run::new(&["limits"]));
    // Nobody listens on port 1.
    let nobody = Run::new(&["limits"]).env("SF_INSTANCE_URL", "http://127.0.0.1:1").env("SF_ACCESS_TOKEN", "x");
    let output = nobody.output();
    assert_eq!(output.status.code(), Some(3));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("SF_ACCESS_TOKEN=x"));
    let wrong = org
        .tombolo(&["limits", "--json"])
        .env("SF_INSTANCE_URL", "")
        .env("SF_USERNAME", "admin@tombolo.test")
        .env("SF_PASSWORD", "a-wrong-password")
        .env("SF_CLIENT_ID", "tombolo-local")
        .env("SF_CLIENT_SECRET", "tombolo-local-secret");
    let url = org.block_on(org.client().instance_url()).unwrap();
    let output = wrong.env("SF_LOGIN_URL", &url).output();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(r#""kind":"connection""#) && !text.contains("a-wrong-password"), "{text}");
}
