//! What is refused, with Salesforce's codes and words.

use tombolo_schema::ApiVersion;

use super::world;
use crate::core::{record::Atomicity, tests::row};

#[test]
fn the_caret_points_at_the_place() {
    let world = world();
    assert_eq!(
        world.refusal("select count() from XYZZY"),
        "INVALID_TYPE: \nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is \
         not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity \
         name. Please reference your WSDL or the describe call for the appropriate names."
    );
    assert_eq!(
        world.refusal("SELECT Id, Nope FROM Account"),
        "INVALID_FIELD: \nSELECT Id, Nope FROM Account\n           ^\nERROR at Row:1:Column:12\nNo such column 'Nope' on \
         entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom \
         field name. Please reference your WSDL or the describe call for the appropriate names."
    );
    assert_eq!(world.refusal(" \n"), "MALFORMED_QUERY: SOQL statements cannot be empty or null");
}

#[test]
fn refusals() {
    let world = world();
    for (soql, code, text) in [
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE Id = :x", "MALFORMED_QUERY", "Bind variables only allowed in Apex code"),
        ("SELECT Id FROM Account.Contacts", "INVALID_TYPE", "sObject type 'Account.Contacts' is not supported."),
        (
            "SELECT Id FROM AggregateResult",
            "INVALID_TYPE_FOR_OPERATION",
            "entity type AggregateResult does not support query",
        ),
        ("SELECT Foo.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."),
        ("SELECT Parent.Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'."),
        ("SELECT Account FROM Contact", "INVALID_FIELD", "No such column 'Account' on entity 'Contact'."),
        (
            "SELECT (SELECT Id FROM Nopes) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'Nopes' in FROM part of query call.",
        ),
        (
            "SELECT (SELECT Nope FROM Contacts) FROM Account",
            "INVALID_FIELD",
            "No such column 'Nope' on entity 'Contact'.",
        ),
        ("SELECT Parent.Parent.Parent.Parent.Parent.Parent.Name FROM Account", "MALFORMED_QUERY", "at most 5 levels"),
        ("SELECT Id, Name, id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Parent.Name, Parent.Name FROM Account", "INVALID_FIELD", "duplicate field selected: Name"),
        ("SELECT Name n FROM Account", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
        (
            "SELECT (SELECT Id FROM Contacts), (SELECT Id FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "Cannot follow the same aggregate relationship twice",
        ),
        (
            "SELECT (SELECT COUNT() FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "only root queries support aggregate expressions",
        ),
        (
            "SELECT (SELECT MAX(Name) FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "only root queries support aggregate expressions",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'somethingwonky'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: somethingwonky",
        ),
        ("SELECT Id FROM Account WHERE ParentId IN ('x')", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        (
            "SELECT Id FROM Account WHERE Id LIKE '001%'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on id field",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted > false",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on boolean field",
        ),
        (
            "SELECT Id FROM Account WHERE Description = 'x'",
            "INVALID_FIELD",
            "field 'Description' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account ORDER BY Description",
            "INVALID_FIELD",
            "field 'Description' can not be sorted in a query call",
        ),
        (
            "SELECT Description FROM Account GROUP BY Description",
            "INVALID_FIELD",
            "field 'Description' can not be grouped in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2020-01-01'",
            "INVALID_FIELD",
            "value of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE CreatedDate > 2020-01-01", "INVALID_FIELD", "must be of type dateTime"),
        (
            "SELECT Id FROM Account WHERE NumberOfEmployees = '5'",
            "INVALID_FIELD",
            "must be of type int and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE Name = TODAY", "INVALID_FIELD", "must be of type string"),
        ("SELECT Id FROM Contact WHERE Birthdate = 2020-02-30", "MALFORMED_QUERY", "invalid date: 2020-02-30"),
        (
            "SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS",
            "MALFORMED_QUERY",
            "LAST_N_DAYS has to be followed by a number",
        ),
        ("SELECT Id FROM Account WHERE CreatedDate = LAST_N_YEARS:4000000000", "MALFORMED_QUERY", "invalid date"),
        ("SELECT Id FROM Account WHERE AnnualRevenue > USD5", "MALFORMED_QUERY", "multiple currencies"),
        ("SELECT Id FROM Account WHERE Name INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR", "multipicklist"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "Aggregate functions are not allowed here"),
        (
            "SELECT Id FROM Account WHERE FORMULA('a + b') > 1",
            "INVALID_FIELD",
            "No such column 'a' on entity 'Account'",
        ),
        ("SELECT Id FROM Account WHERE FORMULA('Name * 2') > 1", "MALFORMED_QUERY", "FORMULA takes two fields"),
        (
            "SELECT Id FROM Account WHERE FORMULA('Name + Site') = 'x'",
            "MALFORMED_QUERY",
            "FORMULA does not go with the types of these fields: Name + Site",
        ),
        (
            "SELECT Id FROM Account WHERE FORMULA('CreatedDate + SystemModstamp') > 1",
            "MALFORMED_QUERY",
            "FORMULA does not go",
        ),
        ("SELECT FORMULA('AnnualRevenue + NumberOfEmployees') FROM Account", "MALFORMED_QUERY", ""),
        (
            "SELECT Id FROM Account OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed for apiName Account is 2000",
        ),
        ("SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-'"),
        ("SELECT (SELECT Id FROM Contacts FOR VIEW) FROM Account", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Account UPDATE NONSENSE", "MALFORMED_QUERY", "unexpected token: 'NONSENSE'"),
        (
            "SELECT Id FROM Account USING SCOPE nonsense",
            "MALFORMED_QUERY",
            "USING SCOPE nonsense is not supported for Account",
        ),
        (
            "SELECT Id FROM Account WITH DATA CATEGORY A__c AT b__c",
            "MALFORMED_QUERY",
            "WITH DATA CATEGORY is not supported",
        ),
        (
            "SELECT FORMAT(AnnualRevenue), AnnualRevenue FROM Account",
            "INVALID_FIELD",
            "duplicate field selected: AnnualRevenue",
        ),
        ("SELECT FORMAT(BillingAddress) FROM Account", "MALFORMED_QUERY", "can not be formatted"),
        ("SELECT Id FROM Account WHERE FORMAT(Name) = 'x'", "MALFORMED_QUERY", "FORMAT is only allowed in SELECT"),
        ("SELECT convertCurrency(Name) FROM Account", "MALFORMED_QUERY", "convertCurrency takes a currency field"),
        (
            "SELECT Id FROM Account WHERE convertCurrency(AnnualRevenue) > 1",
            "MALFORMED_QUERY",
            "convertCurrency is not allowed in a condition",
        ),
        ("SELECT GROUPING(Name) FROM Account", "MALFORMED_QUERY", "GROUPING is only allowed where rows are grouped"),
        ("SELECT NOPE(Id) FROM Account", "MALFORMED_QUERY", "unknown function: NOPE"),
        (
            "SELECT FIELDS(ALL) FROM Account",
            "MALFORMED_QUERY",
            "The SOQL FIELDS function must have a LIMIT of at most 200",
        ),
        ("SELECT FIELDS(STANDARD), Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "MALFORMED_QUERY", "grouped"),
        (
            "SELECT COUNT() FROM Account ORDER BY Name",
            "MALFORMED_QUERY",
            "COUNT() and ORDER BY may not be used together",
        ),
        ("SELECT COUNT() FROM Account GROUP BY Name", "MALFORMED_QUERY", "COUNT() and GROUP BY"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        (
            "SELECT COUNT(Id) FROM Account LIMIT 1",
            "MALFORMED_QUERY",
            "Non-grouped query that uses overall aggregate functions cannot also use LIMIT",
        ),
        (
            "SELECT MAX(Name) FROM Account GROUP BY Name",
            "MALFORMED_QUERY",
            "Grouped field should not be aggregated: Name",
        ),
        ("SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", "does not support aggregate operator SUM"),
        (
            "SELECT COUNT(Id) FROM Account GROUP BY Name HAVING Industry = 'x'",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Industry",
        ),
        (
            "SELECT COUNT(Id) FROM Account GROUP BY ROLLUP(Name) HAVING GROUPING(Industry) = 1",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Industry",
        ),
        ("SELECT Name FROM Account GROUP BY Name, name", "MALFORMED_QUERY", "duplicate grouping expression"),
        ("SELECT COUNT(Id) x, MAX(Name) x FROM Account", "MALFORMED_QUERY", "duplicate alias: x"),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) OR Name = 'x'",
            "MALFORMED_QUERY",
            "Semi join sub-selects are not allowed with the 'OR' operator",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'x' AND (Name = 'y' AND Id IN (SELECT AccountId FROM Contact))",
            "MALFORMED_QUERY",
            "Semi join sub-selects are only allowed at the top level",
        ),
        ("SELECT Id FROM Account WHERE NOT Id IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY", "'NOT'"),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)",
            "MALFORMED_QUERY",
            "The inner and outer selects should not be on the same object type",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Contact)",
            "MALFORMED_QUERY",
            "should point to the same object type",
        ),
        ("SELECT Id FROM Account WHERE Id IN (SELECT LastName FROM Contact)", "INVALID_FIELD", "LastName"),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT WhatId FROM Task)",
            "MALFORMED_QUERY",
            "Entity 'Task' is not supported for semi join inner selects",
        ),
        (
            "SELECT TYPEOF Who WHEN Contact THEN Id WHEN Contact THEN Name END FROM Task",
            "MALFORMED_QUERY",
            "WHEN clause operand [Contact] is not unique",
        ),
    ] {
        let refusal = world.refusal(soql);
        assert!(refusal.starts_with(&format!("{code}: ")) && refusal.contains(text), "{soql}\n{refusal}");
        assert!(!refusal.contains("t1.") && !refusal.contains("sqlite"), "{refusal}");
    }
}

#[test]
fn what_is_too_much() {
    let world = world();
    let long = format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(100_000));
    let expect = "MALFORMED_QUERY: SOQL statements can not be longer than 100000 characters";
    assert_eq!(world.refusal(&long), expect);

    let (core, me) = (&world.core, crate::core::tests::caller(&world.core));
    let rows = (0..2001).map(|i| ("Lead".to_owned(), row(&format!(r#"{{"LastName": "l{i}", "Company": "c"}}"#))));
    core.insert(&me, rows.collect(), Atomicity::AllOrNone).unwrap();
    let groups = "SELECT LastName, COUNT(Id) FROM Lead WHERE Company = 'c' GROUP BY LastName";
    let expect = "EXCEEDED_ID_LIMIT: Aggregate query does not support queryMore(), use LIMIT to restrict the results to a \
                  single batch";
    assert_eq!(world.refusal(groups), expect);
    assert_eq!(world.page(&format!("{groups} LIMIT 2000")).records.len(), 2000);
}

#[test]
fn older_versions_know_less() {
    let world = world();
    let nested = "SELECT (SELECT Id, (SELECT Id FROM Cases) FROM Contacts) FROM Account";
    world.page(nested);
    assert!(world.refusal_at(nested, ApiVersion::new(57)).contains("sub-selects can only be two levels deep"));
    let fields = world.refusal_at("SELECT FIELDS(STANDARD) FROM Account", ApiVersion::new(50));
    assert!(fields.starts_with("UNSUPPORTED_API_VERSION: "), "{fields}");
}

/// Statements of the parser's tests and of the shared cases, on objects that are mostly not there: whatever comes of
/// them, it is an answer or a refusal.
#[test]
fn no_statement_breaks_the_engine() {
    let world = world();
    let own = include_str!("../../../../../soql/tests/data/accepted.soql");
    let own = own.lines().map(|line| line.split(" ==> ").next().unwrap_or_default().to_owned());
    let objects = ["Account", "Contact", "Task", "Opportunity"];
    for soql in own.chain(shared_statements()) {
        let on_others = objects.iter().map(|object| soql.replace("FROM A ", &format!("FROM {object} ")));
        for soql in std::iter::once(soql.clone()).chain(on_others) {
            let me = crate::core::tests::caller(&world.core);
            let Err(error) = world.core.query(&me, &soql, Default::default()) else { continue };
            assert!(matches!(error, crate::core::record::CoreError::Refused(_)), "{soql}\n{error:?}");
            if let Err(error) = world.core.query_columns(&me, &soql) {
                assert!(matches!(error, crate::core::record::CoreError::Refused(_)), "{soql}\n{error:?}");
            }
        }
    }
}

fn shared_statements() -> Vec<String> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var("TOMBOLO_SHARED").unwrap_or_else(|_| default.to_owned());
    let required = std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|part| part == "shared"));
    let mut statements = Vec::new();
    for file in ["soql_valid.json", "soql_disputed.json"] {
        match std::fs::read_to_string(format!("{folder}/cases/{file}")) {
            Ok(text) => {
                let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
                statements.extend(cases.iter().filter_map(|case| Some(case["query"].as_str()?.to_owned())));
            }
            Err(error) if required => panic!("{file}: {error}"),
            Err(_) => eprintln!("skipped: no shared folder, so no {file}"),
        }
    }
    statements
}
