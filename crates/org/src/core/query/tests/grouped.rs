//! Aggregates and groups.

use super::world;

#[test]
fn counts() {
    let world = world();
    for (soql, expect) in [
        ("SELECT COUNT() FROM Account", 3),
        ("SELECT COUNT() FROM Account WHERE Name LIKE 'acme%'", 2),
        ("SELECT COUNT() FROM Account LIMIT 2", 2),
        ("SELECT COUNT() FROM Contact WHERE Account.Name = 'Acme'", 2),
    ] {
        let page = world.page(soql);
        assert_eq!((page.total_size, page.records.len()), (expect, 0), "{soql}");
    }
}

#[test]
fn groups() {
    let world = world();
    for (soql, expect) in [
        ("SELECT COUNT(Id), COUNT(Industry), MAX(Name), SUM(AnnualRevenue) FROM Account", "3, 2, ärger 50% AG, 12.0"),
        ("SELECT SUM(AnnualRevenue), COUNT(Id) FROM Account WHERE Name = 'none'", "-, 0"),
        ("SELECT AVG(NumberOfEmployees), MIN(NumberOfEmployees) FROM Account", "53.5, 7"),
        ("SELECT COUNT_DISTINCT(AccountId) FROM Contact", "1"),
        (
            "SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry ORDER BY Industry",
            "-, 1 | Banking, 1 | Energy, 1",
        ),
        ("SELECT Industry FROM Account GROUP BY Industry ORDER BY Industry DESC NULLS LAST LIMIT 1", "Energy"),
        (
            "SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name ORDER BY COUNT(Id) DESC",
            "Acme, 2 | -, 1",
        ),
        (
            "SELECT AccountId a, COUNT(Id) FROM Contact GROUP BY AccountId HAVING COUNT(Id) > 1 AND AccountId != null",
            &format!("{}, 2", world.acme),
        ),
        ("SELECT CALENDAR_YEAR(CreatedDate), COUNT(Id) FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)", "2026, 3"),
        (
            "SELECT Industry, COUNT(Id) FROM Account GROUP BY ROLLUP(Industry) ORDER BY GROUPING(Industry), Industry",
            "-, 1 | Banking, 1 | Energy, 1 | -, 3",
        ),
        (
            "SELECT Industry, Site, GROUPING(Site) g, COUNT(Id) FROM Account WHERE Site = 'a' GROUP BY CUBE(Industry, Site) ORDER BY GROUPING(Industry), GROUPING(Site)",
            "Banking, a, 0, 1 | Banking, -, 1, 1 | -, a, 0, 1 | -, -, 1, 1",
        ),
        (
            "SELECT Industry, COUNT(Id) FROM Account GROUP BY ROLLUP(Industry) HAVING GROUPING(Industry) = 1 OR Industry != null ORDER BY GROUPING(Industry), Industry",
            "Banking, 1 | Energy, 1 | -, 3",
        ),
        (
            "SELECT COUNT(Id) n FROM Account GROUP BY CUBE(Industry, Site) HAVING Industry = null AND Site = null AND COUNT(Id) > 1 ORDER BY COUNT(Id)",
            "2 | 3",
        ),
        (
            "SELECT COUNT(Id) FROM Account GROUP BY ROLLUP(Industry) HAVING Industry LIKE 'b%' OR Industry NOT IN ('Banking', null)",
            "1 | 1",
        ),
        (
            "SELECT FORMAT(SUM(AnnualRevenue)), FORMAT(COUNT(Id)) n, SUM(convertCurrency(AnnualRevenue)), convertCurrency(MAX(AnnualRevenue)) FROM Account",
            "$12, 3, 12.0, 10.0",
        ),
        ("SELECT FORMAT(Industry), COUNT(Id) FROM Account WHERE Site = 'a' GROUP BY Industry", "Banking, 1"),
    ] {
        assert_eq!(world.rows(soql), expect, "{soql}");
    }
    let record = &world
        .page("SELECT Industry, COUNT(Id), MAX(Name) m, SUM(AnnualRevenue) FROM Account GROUP BY Industry")
        .records[0];
    assert_eq!(&*record.object, "AggregateResult");
    assert_eq!(record.id, None);
    assert_eq!(record.fields.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["Industry", "expr0", "m", "expr1"]);
}
