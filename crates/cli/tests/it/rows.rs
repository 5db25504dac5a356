//! Records from a terminal: made, read, changed, queried, deleted.

use crate::command::{Run, TestOrg, assert_transcript};

/// Makes an account and returns its Id.
fn account(org: &TestOrg, name: &str, more: &[&str]) -> String {
    let name = format!("Name={name}");
    let mut arguments = vec!["create", "Account", &name, "--json"];
    arguments.extend(more);
    org.tombolo(&arguments).json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_record_from_its_making_to_its_end() {
    let org = TestOrg::start();
    assert_transcript!(org.tombolo(&[
        "create",
        "Account",
        "Name=Shore & Sons",
        "NumberOfEmployees=12",
        "AnnualRevenue=1.5"
    ]));
    let id = account(&org, "Pier", &["BillingCity=Oslo"]);
    assert_transcript!(org.tombolo(&[
        "get",
        "Account",
        &id,
        "--fields",
        "Name,BillingCity,NumberOfEmployees",
        "--json"
    ]));
    assert_transcript!(org.tombolo(&["get", "Account", &id, "--fields", "Name,BillingCity"]));
    assert_transcript!(org.tombolo(&["update", "Account", &id, "BillingCity=", "Phone=1", "--json"]));
    assert_transcript!(org.tombolo(&["query", "SELECT Name, BillingCity, Phone FROM Account ORDER BY Name", "--json"]));
    assert_transcript!(org.tombolo(&["delete", "Account", &id]));
    assert_transcript!(org.tombolo(&["delete", "Account", &id]));
}

#[test]
fn the_four_formats_of_a_query() {
    let org = TestOrg::start();
    let id = account(&org, "Quay, \"Ltd\"", &[]);
    org.tombolo(&["create", "Contact", "LastName=Reed", &format!("AccountId={id}")]).output();
    org.tombolo(&["create", "Contact", "LastName=Solo"]).output();
    let soql = "SELECT LastName, Account.Name FROM Contact ORDER BY LastName";
    for format in ["table", "csv", "json", "jsonl"] {
        assert_transcript!(org.tombolo(&["query", soql, "--format", format]));
    }
    assert_transcript!(org.tombolo(&["query", "SELECT COUNT() FROM Contact", "--json"]));
    assert_transcript!(org.tombolo(&["query", "SELECT COUNT() FROM Contact"]));
    assert_transcript!(org.tombolo(&["query", "SELECT Id FROM Contact LIMIT 1", "--json", "--attributes"]));
}

#[test]
fn what_the_org_says_of_itself() {
    let org = TestOrg::start();
    let describe = org.tombolo(&["describe", "Account", "--json"]).json();
    assert_eq!(describe["name"], "Account");
    let list = org.tombolo(&["describe", "--json"]).json();
    assert!(list["sobjects"].as_array().unwrap().iter().any(|o| o["name"] == "Contact"));
    let limits = org.tombolo(&["limits", "--json"]).json();
    assert!(limits["DailyApiRequests"]["Max"].as_u64().unwrap() > 0);
    let api = org.tombolo(&["api", "GET", "sobjects/Account/describe"]).json();
    assert_eq!(api, describe);
    assert_transcript!(org.tombolo(&["api", "POST", "sobjects/Account", "--data", r#"{"Name":"By hand"}"#]));
}

#[test]
fn queries_are_checked_line_by_line() {
    let lines = "SELECT Id FROM Account\nSELECT FROM Account\n\"SELECT Id\\nFORM Account\"\n\"unclosed\n\n";
    assert_transcript!(Run::new(&["soql", "check"]).input(lines));
    assert_transcript!(Run::new(&["soql", "fmt"]).input("select  id,name from account where name='x' limit 5\n"));
}
