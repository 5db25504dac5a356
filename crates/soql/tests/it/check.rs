//! What the check says of statements: `tests/data/check.tsv`, where each line cites its section of soql.md.

use proptest::prelude::*;
use tombolo_soql::{
    Options,
    check::{Code, FieldKind::*, MemorySchema, Rules, check, lint},
    parse,
};

use crate::table::lines;

fn schema() -> MemorySchema {
    let account = [
        ("Id", Id),
        ("Name", Text),
        ("Industry", Picklist),
        ("AnnualRevenue", Currency),
        ("NumberOfEmployees", Integer),
        ("Description", LongText),
        ("CreatedDate", DateTime),
        ("Active__c", Boolean),
        ("Founded__c", Date),
        ("Opens__c", Time),
        ("Colors__c", MultiPicklist),
        ("Loc__c", Location),
        ("Secret__c", Encrypted),
    ];
    MemorySchema::new()
        .object("Name", &[("Id", Id), ("Name", Text), ("Type", Text)])
        .object("User", &[("Id", Id), ("Name", Text), ("Email", Text)])
        .reference("ManagerId", "Manager", &["User"], None)
        .object("Account", &account)
        .reference("ParentId", "Parent", &["Account"], Some("ChildAccounts"))
        .reference("OwnerId", "Owner", &["User"], None)
        .object("Contact", &[("Id", Id), ("LastName", Text), ("Email", Text)])
        .reference("AccountId", "Account", &["Account"], Some("Contacts"))
        .reference("ReportsToId", "ReportsTo", &["Contact"], None)
        .object("Opportunity", &[("Id", Id), ("Name", Text), ("Amount", Currency)])
        .reference("AccountId", "Account", &["Account"], Some("Opportunities"))
        .object("Case", &[("Id", Id), ("Subject", Text)])
        .reference("ContactId", "Contact", &["Contact"], Some("Cases"))
        .object("Event", &[("Id", Id), ("Subject", Text)])
        .reference("WhatId", "What", &["Account", "Opportunity"], None)
        .object("Account__kav", &[("Id", Id), ("Title", Text)])
        .object("Cipher", &[("Id", Id)])
        .not_queryable()
}

const ENDS: [(&str, &str); 3] = [
    (
        "{c}",
        "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. {p}",
    ),
    (
        "{r}",
        "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. {p}",
    ),
    ("{t}", "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. {p}"),
];

fn whole(text: &str) -> String {
    let text = ENDS.iter().fold(text.to_owned(), |text, (short, long)| text.replace(short, long));
    text.replace("{p}", "Please reference your WSDL or the describe call for the appropriate names.")
}

fn rules(options: &str) -> Rules {
    let mut rules = Rules::default();
    for option in options.split_whitespace() {
        match option {
            "apex" => rules.apex = true,
            "currencies" => rules.multi_currency = true,
            version => rules.api_version = version.trim_start_matches('v').parse().unwrap(),
        }
    }
    rules
}

#[test]
fn the_check_says_what_the_table_says() {
    let schema = schema();
    let mut wrong = Vec::new();
    for line in lines(include_str!("../data/check.tsv")) {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap_or_default();
        let (section, options, marked, code, text) = (column(), column(), column(), column(), column());
        assert!(section.starts_with('§'), "{line}");
        let query = marked.replacen('^', "", 1);
        let rules = rules(options);
        let select = parse(&query, Options { apex: rules.apex, comments: false })
            .unwrap_or_else(|error| panic!("{query}\n{error}"));
        let found: Vec<_> = check(&select, &schema, rules).errors;
        let shown: Vec<_> = found.iter().map(|f| (f.code.as_str(), f.offset, f.text.clone())).collect();
        let expected: Vec<_> = marked.find('^').map(|offset| (code, offset, whole(text))).into_iter().collect();
        if shown != expected {
            wrong.push(format!("{query}\n    {shown:?}\n    {expected:?}"));
        }
        for finding in found.iter().take(expected.len()) {
            assert!(finding.message(&query).ends_with(&format!("\n{}", whole(text))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_schema_only_shape_is_checked() {
    let lint_of = |query: &str| lint(&parse(query, Options::default()).unwrap(), Rules::default());
    assert!(
        lint_of("SELECT Anything, Any.Thing, (SELECT X FROM Ys) FROM Z WHERE A > 'x' AND B = 5 ORDER BY C").is_ok()
    );
    assert_eq!(lint_of("SELECT A, a FROM B OFFSET 3000").errors.len(), 2);
    assert_eq!(lint_of("SELECT A, MAX(B) FROM C").errors[0].text, "Field must be grouped or aggregated: A");
    let warned = lint_of("SELECT A FROM B USING SCOPE foo WITH SECURITY_ENFORCED");
    assert!(warned.is_ok());
    let codes: Vec<_> = warned.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [Code::InvalidQueryScope, Code::MalformedQuery]);
    let select = parse("SELECT A FROM B WHERE C = :d LIMIT :e", Options { apex: true, comments: false }).unwrap();
    let binds = lint(&select, Rules::default()).errors;
    assert!(binds.iter().all(|error| error.text == "Bind variables only allowed in Apex code"));
    assert_eq!(binds.len(), 2);
}

#[test]
fn counts_have_limits() {
    let findings = |query: &str| check(&parse(query, Options::default()).unwrap(), &schema(), Rules::default());
    let repeated = |n: usize, piece: &dyn Fn(usize) -> String| (0..n).map(piece).collect::<Vec<_>>().join(", ");
    let children = |n| format!("SELECT {} FROM A", repeated(n, &|at| format!("(SELECT Id FROM C{at})")));
    let lint_of = |query: &str| lint(&parse(query, Options::default()).unwrap(), Rules::default());
    assert!(lint_of(&children(20)).is_ok());
    assert_eq!(lint_of(&children(21)).errors[0].text, "A query may have at most 20 child sub-selects");
    let parents = |n| format!("SELECT {} FROM A", repeated(n, &|at| format!("P{at}.Id, P{at}.Name")));
    assert!(lint_of(&parents(55)).is_ok());
    assert_eq!(lint_of(&parents(56)).errors[0].code, Code::QueryTooComplicated);
    let order = |n| format!("SELECT Id FROM A ORDER BY {}", repeated(n, &|at| format!("F{at}")));
    assert!(lint_of(&order(32)).is_ok());
    assert_eq!(lint_of(&order(33)).errors.len(), 1);
    let string = |n| format!("SELECT Id FROM Account WHERE Name = '{}'", "é".repeat(n));
    assert!(findings(&string(4_000)).is_ok());
    assert_eq!(findings(&string(4_001)).errors.len(), 1);
    let ids = format!("'{}'", ["001000000000001"; 201].join("', '"));
    assert_eq!(findings(&format!("SELECT FIELDS(ALL) FROM Case WHERE Id IN ({ids})")).errors.len(), 1);
}

#[test]
fn long_statements_are_checked_in_time() {
    let fields = (0..12_000).map(|at| format!("F{at}")).collect::<Vec<_>>().join(", ");
    let aliases = (0..7_000).map(|at| format!("a{at}.b a{}", at + 1)).collect::<Vec<_>>().join(", ");
    for query in [
        format!("SELECT {fields} FROM A"),
        format!("SELECT F0 FROM A GROUP BY {fields}"),
        format!(
            "SELECT Id FROM A a0, {}",
            &aliases[..aliases.len().min(90_000)].trim_end_matches(|c| c != ',').trim_end_matches(',')
        ),
    ] {
        let select = parse(&query, Options::default()).unwrap_or_else(|error| panic!("{error}"));
        lint(&select, Rules::default());
        check(&select, &schema(), Rules::default());
    }
}

/// Statements over the names of the schema, most of them wrong in some way.
fn statements() -> impl Strategy<Value = String> {
    let item = prop::sample::select(vec![
        "Id",
        "Name",
        "Owner.Name",
        "What.Name",
        "COUNT(Id)",
        "MAX(CreatedDate) m",
        "CALENDAR_YEAR(CreatedDate)",
        "FIELDS(ALL)",
        "(SELECT Id FROM Contacts)",
        "TYPEOF What WHEN Account THEN Id END",
        "FORMAT(MIN(Amount))",
        "DISTANCE(Loc__c, Loc__c, 'mi')",
        "GROUPING(Name)",
        "a.Id",
        "Nope",
        "No.pe",
    ]);
    let from = prop::sample::select(vec!["Account", "Account a", "Event", "Nope", "Contact c, c.Account a, a.Owner o"]);
    let condition = prop::sample::select(vec![
        "",
        " WHERE Name = 5",
        " WHERE Id IN (SELECT AccountId FROM Contact)",
        " WHERE NOT (Id = '5' OR Owner.Name LIKE 'x')",
        " WHERE FORMULA('a - b') > 5",
        " WHERE MAX(Id) = NULL",
    ]);
    let rest = prop::sample::select(vec![
        "",
        " GROUP BY Name",
        " GROUP BY ROLLUP(Name, Owner.Name) HAVING COUNT(Id) > 1",
        " ORDER BY Description, COUNT(Id)",
        " LIMIT -1 OFFSET 9999",
        " WITH FOO UPDATE BAR",
    ]);
    (prop::collection::vec(item, 1..5), from, condition, rest)
        .prop_map(|(items, from, condition, rest)| format!("SELECT {} FROM {from}{condition}{rest}", items.join(", ")))
}

proptest! {
    #[test]
    fn no_statement_panics(query in statements(), api_version in 40_u16..70) {
        let select = parse(&query, Options::default()).unwrap();
        let rules = Rules { api_version, ..Rules::default() };
        for findings in [check(&select, &schema(), rules), lint(&select, rules)] {
            for finding in findings.errors.iter().chain(&findings.warnings) {
                prop_assert!(finding.offset <= query.len());
                let _ = finding.message(&query);
            }
        }
    }
}
