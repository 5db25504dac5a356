//! What is written, converted, computed and noted down.

use super::{World, world};
use crate::core::tests::{add, events};

#[test]
fn values_are_written_for_their_reader() {
    let world = world();
    add(
        &world.core,
        "Opportunity",
        r#"{"Name": "Big", "StageName": "New", "CloseDate": "2026-04-10", "Amount": 44000.5, "Probability": 12}"#,
    );
    for (soql, expect) in [
        (
            "SELECT FORMAT(Amount), FORMAT(CloseDate), FORMAT(Probability), FORMAT(Name) FROM Opportunity",
            "$44,000.50, 4/10/2026, 12%, Big",
        ),
        (
            "SELECT Amount, FORMAT(Amount) a, convertCurrency(Amount) b, FORMAT(convertCurrency(Amount)) c FROM Opportunity",
            "44000.5, $44,000.50, 44000.5, $44,000.50",
        ),
        ("SELECT convertCurrency(Amount) FROM Opportunity ORDER BY convertCurrency(Amount)", "44000.5"),
        ("SELECT Id, FORMAT(Account.Name) FROM Contact WHERE LastName = 'none'", ""),
        ("SELECT FORMAT(Account.NumberOfEmployees) FROM Contact WHERE LastName = 'Zuse'", "Account{100}"),
        ("SELECT FORMAT(MIN(CloseDate)) Amt FROM Opportunity", "4/10/2026"),
    ] {
        assert_eq!(world.rows(soql), expect, "{soql}");
    }
    let page = world.page("SELECT FORMAT(Amount), FORMAT(CreatedDate) made FROM Opportunity");
    let names: Vec<_> = page.records[0].fields.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["Amount", "made"]);
}

#[test]
fn formulas_compare_two_fields() {
    let world = world();
    for (formula, expect) in [
        ("FORMULA('AnnualRevenue + NumberOfEmployees') = 102", "Acme"),
        ("FORMULA('AnnualRevenue-NumberOfEmployees') < 0", "Acme"),
        ("NOT FORMULA('AnnualRevenue - NumberOfEmployees') < 0", "acme labs | ärger 50% AG"),
        ("FORMULA('CreatedDate - SystemModstamp') = 0", "Acme | acme labs | ärger 50% AG"),
        ("FORMULA('CreatedDate + NumberOfEmployees') > TODAY", "Acme | ärger 50% AG"),
        ("FORMULA('CreatedDate - NumberOfEmployees') < LAST_N_DAYS:50", "Acme"),
    ] {
        assert_eq!(world.rows(&format!("SELECT Name FROM Account WHERE {formula} ORDER BY Name")), expect, "{formula}");
    }
    let date = r#"{"Name": "Big", "StageName": "New", "CloseDate": "2026-04-10", "TotalOpportunityQuantity": 3}"#;
    add(&world.core, "Opportunity", date);
    let days = "SELECT Name FROM Opportunity WHERE FORMULA('CloseDate + TotalOpportunityQuantity') = 2026-04-13";
    assert_eq!(world.rows(days), "Big");
}

#[test]
fn hours_are_moments() {
    let world = world();
    let count = |world: &World, condition: &str| {
        world.page(&format!("SELECT COUNT() FROM Account WHERE CreatedDate {condition}")).total_size
    };
    world.core.clock().advance(std::time::Duration::from_secs(3 * 3600));
    assert_eq!(count(&world, "= LAST_N_HOURS:2"), 0);
    assert_eq!(count(&world, "> LAST_N_HOURS:4"), 3);
    assert!(world.refusal("SELECT Id FROM Account WHERE CreatedDate > LAST_N_HOURS:99999999999").contains("hours ago"));
}

#[test]
fn looking_is_no_change() {
    let world = world();
    let before = events(&world.core).len();
    let stamp = "SELECT SystemModstamp FROM Account WHERE Name = 'Acme'";
    let changed = world.rows(stamp);
    world.core.clock().advance(std::time::Duration::from_secs(60));
    assert_eq!(world.rows("SELECT Name, LastViewedDate FROM Account WHERE Name = 'Acme' FOR VIEW"), "Acme, -");
    let seen = "SELECT Name FROM Account WHERE LastViewedDate != null";
    assert_eq!(world.rows(seen), "Acme");
    assert_eq!(world.rows("SELECT Name FROM Account WHERE LastReferencedDate != null"), "");
    world.rows("SELECT Name FROM Account WHERE Name LIKE 'acme%' FOR REFERENCE UPDATE TRACKING, VIEWSTAT");
    assert_eq!(world.rows("SELECT COUNT(Id) FROM Account WHERE LastReferencedDate > LAST_N_HOURS:1"), "2");
    assert_eq!(world.rows(stamp), changed);
    assert_eq!(events(&world.core).len(), before);
    // What has no such field is only read.
    assert_eq!(world.rows("SELECT Subject FROM Task WHERE Subject = 'Ring' FOR VIEW"), "Ring");
}

#[test]
fn scopes_leave_what_is_ones_own() {
    let world = world();
    for (object, scope, expect) in
        [("Account", "everything", 3), ("Account", "mine", 3), ("Account", "team", 3), ("Task", "delegated", 0)]
    {
        let offered = world.core.schema().object(object).unwrap().supported_scopes.iter().any(|s| s.name == scope);
        if !offered && scope != "everything" && scope != "mine" {
            assert!(world.refusal(&format!("SELECT Id FROM {object} USING SCOPE {scope}")).contains("USING SCOPE"));
            continue;
        }
        let page = world.page(&format!("SELECT Id FROM {object} USING SCOPE {scope}"));
        assert_eq!(page.total_size, expect, "{object} {scope}");
    }
}

#[test]
fn paths_inside_typeof() {
    let world = world();
    for (soql, expect) in [
        (
            "SELECT TYPEOF Who WHEN Contact THEN LastName, Account.Name, Account.Parent.Name WHEN Lead THEN Company, Owner.Name END FROM Task WHERE Subject = 'Ring'",
            "Contact{Byron, Account{Acme, -}}",
        ),
        (
            "SELECT TYPEOF Who WHEN Contact THEN Account.Name ELSE Name END FROM Task ORDER BY Subject",
            "Contact{Account{Acme}} | Lead{Lovelace}",
        ),
        (
            "SELECT Account.Name, TYPEOF Account.Owner WHEN User THEN Username END FROM Contact WHERE LastName = 'Zuse'",
            "Account{Acme, User{admin@tombolo.test}}",
        ),
    ] {
        assert_eq!(world.rows(soql), expect, "{soql}");
    }
}

#[test]
fn picklists_come_in_the_order_of_their_values() {
    let world = world();
    for stage in ["Closed Won", "Prospecting", "Proposal/Price Quote", "Aardvark"] {
        let json = format!(r#"{{"Name": "{stage}", "StageName": "{stage}", "CloseDate": "2026-04-10"}}"#);
        add(&world.core, "Opportunity", &json);
    }
    let up = "Prospecting | Proposal/Price Quote | Closed Won | Aardvark";
    let down = "Aardvark | Closed Won | Proposal/Price Quote | Prospecting";
    for (soql, expect) in [
        ("SELECT Name FROM Opportunity ORDER BY StageName", up),
        ("SELECT Name FROM Opportunity ORDER BY StageName DESC", down),
        ("SELECT StageName FROM Opportunity GROUP BY StageName ORDER BY StageName", up),
        (
            "SELECT StageName FROM Opportunity GROUP BY ROLLUP(StageName) ORDER BY StageName DESC NULLS LAST",
            &format!("{down} | -"),
        ),
        ("SELECT Name FROM Account ORDER BY Industry NULLS LAST", "Acme | ärger 50% AG | acme labs"),
    ] {
        assert_eq!(world.rows(soql), expect, "{soql}");
    }
}
