//! Rows: fields, parents, children, conditions, order.

use super::{QueryOptions, short, world};
use crate::core::tests::caller;

#[test]
fn conditions_find_what_they_say() {
    let world = world();
    let name = "SELECT Name FROM Account WHERE";
    for (condition, expect) in [
        ("Name = 'ACME'", "Acme"),
        ("Name != 'acme'", "acme labs | ärger 50% AG"),
        ("Industry != 'Banking'", "acme labs | ärger 50% AG"),
        ("Industry NOT IN ('Banking', 'Energy')", "acme labs"),
        ("Industry NOT IN ('Banking', null)", "ärger 50% AG"),
        ("Industry IN ('banking', '')", "Acme | acme labs"),
        ("Industry = null", "acme labs"),
        ("Industry = ''", "acme labs"),
        ("Industry != ''", "Acme | ärger 50% AG"),
        ("NOT Industry = 'Banking'", "acme labs | ärger 50% AG"),
        ("NOT Industry LIKE 'b%'", "acme labs | ärger 50% AG"),
        ("NOT (Industry = 'Banking' OR Industry = 'Energy')", "acme labs"),
        ("NOT (Industry = 'Banking' AND NumberOfEmployees > 1)", "acme labs | ärger 50% AG"),
        ("NOT (NOT Name = 'Acme')", "Acme"),
        ("Name LIKE 'ACME%'", "Acme | acme labs"),
        ("Name LIKE 'ÄRGER%'", "ärger 50% AG"),
        (r"Name LIKE '%50\%%'", "ärger 50% AG"),
        (r"Name LIKE '%0\_%'", ""),
        ("Name LIKE '_cme'", "Acme"),
        ("Name LIKE '%'", "Acme | acme labs | ärger 50% AG"),
        ("Industry LIKE '%'", "Acme | ärger 50% AG"),
        ("Name > 'acme' AND Name < 'b'", "acme labs"),
        ("NumberOfEmployees >= 7", "Acme | ärger 50% AG"),
        ("NumberOfEmployees < 7.5", "ärger 50% AG"),
        ("NumberOfEmployees IN (7, 8)", "ärger 50% AG"),
        ("AnnualRevenue = 2.0", "Acme"),
        ("AnnualRevenue = 10", "acme labs"),
        ("AnnualRevenue > -1 AND AnnualRevenue <= +2.5", "Acme"),
        ("IsDeleted = false", "Acme | acme labs | ärger 50% AG"),
        ("IsDeleted = null", "Acme | acme labs | ärger 50% AG"),
        ("IsDeleted != null", ""),
        ("CreatedDate = TODAY", "Acme | acme labs | ärger 50% AG"),
        ("CreatedDate < TODAY OR CreatedDate > TODAY", ""),
        ("CreatedDate != TODAY", ""),
        ("CreatedDate <= LAST_N_DAYS:0", "Acme | acme labs | ärger 50% AG"),
        ("CreatedDate >= 2026-01-01T01:00:00+01:00 AND Name = 'Acme'", "Acme"),
        ("CALENDAR_YEAR(CreatedDate) = 2026 AND DAY_ONLY(CreatedDate) = TODAY AND Site != null", "Acme"),
        ("LastActivityDate = null AND Site != null", "Acme"),
        ("Parent.Name = 'acme'", "acme labs"),
        ("Parent.Name = null", "Acme | ärger 50% AG"),
        ("Parent.Name != 'x' AND ParentId != null", "acme labs"),
        ("Parent.IsDeleted = false", "Acme | acme labs | ärger 50% AG"),
        ("Owner.Name LIKE '%' AND Owner.Profile.Name != null AND Site = 'A'", "Acme"),
        ("Id IN (SELECT AccountId FROM Contact WHERE LastName = 'Zuse')", "Acme"),
        ("Id NOT IN (SELECT AccountId FROM Contact)", "acme labs | ärger 50% AG"),
        ("ParentId IN (SELECT AccountId FROM Contact)", "acme labs"),
        ("DISTANCE(BillingAddress, GEOLOCATION(47.4, 8.5), 'km') < 5", ""),
    ] {
        assert_eq!(world.rows(&format!("{name} {condition} ORDER BY Name")), expect, "{condition}");
    }
}

#[test]
fn ids_in_both_forms() {
    let world = world();
    for id in [world.acme.as_str(), &world.acme[..15]] {
        assert_eq!(world.rows(&format!("SELECT Name FROM Account WHERE Id = '{id}'")), "Acme");
        assert_eq!(
            world.rows(&format!("SELECT LastName FROM Contact WHERE AccountId IN ('{id}') ORDER BY LastName")),
            "Byron | Zuse"
        );
    }
}

#[test]
fn lists_of_any_length() {
    let world = world();
    let names: Vec<_> = (0..3000).map(|i| format!("'x{i}'")).collect();
    let list = names.join(",");
    assert_eq!(world.rows(&format!("SELECT Name FROM Account WHERE Name IN ({list}, 'ACME')")), "Acme");
    assert_eq!(
        world.rows(&format!("SELECT Name FROM Account WHERE Name NOT IN ({list}, 'ACME') AND ParentId != null")),
        "acme labs"
    );
    let either: Vec<_> = (0..3000).map(|i| format!("Name='x{i}'")).collect();
    assert_eq!(world.rows(&format!("SELECT Name FROM Account WHERE {} OR Name='acme'", either.join(" OR "))), "Acme");
}

#[test]
fn records_have_the_shape_that_was_asked_for() {
    let world = world();
    for (soql, expect) in [
        (
            "select name, account.name, ACCOUNT.industry from contact where lastname = 'byron'",
            "Ada Byron, Account{Acme, Banking}",
        ),
        ("SELECT LastName, Account.Name FROM Contact WHERE AccountId = null", "Loner, -"),
        ("SELECT Account.Parent.Name, Account.Owner.Id FROM Contact WHERE LastName = 'Loner'", "-"),
        ("SELECT Parent.Parent.Name, Parent.Name FROM Account WHERE ParentId != null", "Account{-, Acme}"),
        ("SELECT BillingAddress FROM Account WHERE Name = 'Acme'", "city=Zürich country=CH"),
        ("SELECT BillingAddress, BillingCity FROM Account WHERE ParentId != null", "-, -"),
        ("SELECT Birthdate, IsDeleted FROM Contact WHERE LastName = 'Byron'", "1815-12-10, false"),
        ("SELECT NumberOfEmployees, AnnualRevenue FROM Account WHERE Name = 'Acme'", "100, 2.0"),
        (
            "SELECT c.LastName, a.Name FROM Contact c, c.Account a WHERE a.Name = 'Acme' AND c.LastName LIKE 'B%'",
            "Byron, Account{Acme}",
        ),
        ("SELECT Contact.Account.Name FROM Contact WHERE Contact.LastName = 'Zuse'", "Account{Acme}"),
        ("SELECT Account.Name FROM Account WHERE Site = 'a'", "Acme"),
        (
            "SELECT Who.Name, Who.Type, What.Name FROM Task ORDER BY Subject",
            "Contact{Ada Byron, Contact}, Account{Acme} | Lead{Lovelace, Lead}, -",
        ),
        ("SELECT Subject FROM Task WHERE Who.Type = 'Lead' AND What.Name = null", "Scribble"),
        ("SELECT Subject FROM Task WHERE Who.LastName = 'byron'", "Ring"),
        (
            "SELECT TYPEOF Who WHEN Contact THEN FirstName, LastName WHEN Lead THEN Company END FROM Task ORDER BY Subject",
            "Contact{Ada, Byron} | Lead{Engines}",
        ),
        (
            "SELECT TYPEOF Who WHEN Contact THEN FirstName ELSE Name, Type END FROM Task ORDER BY Subject",
            "Contact{Ada} | Lead{Lovelace, Lead}",
        ),
        (
            "SELECT toLabel(Industry) i, toLabel(Site) FROM Account WHERE Site = 'a' AND toLabel(Industry) = 'banking'",
            "Banking, a",
        ),
        ("SELECT DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'mi') d FROM Account WHERE Site = 'a'", "-"),
    ] {
        assert_eq!(world.rows(soql), expect, "{soql}");
    }
    let record = &world.page("SELECT id, ACCOUNT.NAME FROM contact WHERE LASTNAME = 'Zuse'").records[0];
    assert_eq!(record.fields.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["Id", "Account"]);
    assert!(record.id.is_some());
    let _ = (&world.ada, &world.lead);
}

#[test]
fn children_come_with_their_parents() {
    let world = world();
    for (soql, expect) in [
        (
            "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName DESC) FROM Account ORDER BY Name",
            "Acme, 2[Zuse; Byron] | acme labs, - | ärger 50% AG, -",
        ),
        (
            "SELECT (SELECT LastName, Account.Name FROM Account.Contacts WHERE Email != null) FROM Account WHERE Site = 'a'",
            "1[Zuse, Account{Acme}]",
        ),
        ("SELECT (SELECT LastName FROM Contacts ORDER BY LastName LIMIT 1) FROM Account WHERE Site = 'a'", "1[Byron]"),
        (
            "SELECT (SELECT LastName FROM Contacts ORDER BY LastName LIMIT 5 OFFSET 1) FROM Account WHERE Site = 'a' LIMIT 1",
            "1[Zuse]",
        ),
        (
            "SELECT (SELECT Name, (SELECT LastName FROM Contacts) FROM ChildAccounts), (SELECT Subject FROM Tasks) FROM Account WHERE Site = 'a'",
            "1[acme labs, -], 1[Ring]",
        ),
    ] {
        assert_eq!(world.rows(soql), expect, "{soql}");
    }
}

#[test]
fn order_puts_nulls_first_and_ignores_case() {
    let world = world();
    for (order, expect) in [
        ("Name", "Acme | acme labs | ärger 50% AG"),
        ("Name DESC", "ärger 50% AG | acme labs | Acme"),
        ("Industry, Name", "acme labs | Acme | ärger 50% AG"),
        ("Industry DESC", "acme labs | ärger 50% AG | Acme"),
        ("Industry DESC NULLS LAST", "ärger 50% AG | Acme | acme labs"),
        ("Parent.Name DESC, NumberOfEmployees NULLS FIRST", "ärger 50% AG | Acme | acme labs"),
        ("Name LIMIT 1", "Acme"),
        ("Name LIMIT 1 OFFSET 1", "acme labs"),
        ("Name OFFSET 2", "ärger 50% AG"),
        ("Name LIMIT 0", ""),
    ] {
        assert_eq!(world.rows(&format!("SELECT Name FROM Account ORDER BY {order}")), expect, "{order}");
    }
}

#[test]
fn deleted_rows_show_only_when_asked_for() {
    let world = world();
    let options = QueryOptions { include_deleted: true, batch_size: None };
    let page =
        world.core.query(&caller(&world.core), "SELECT Name, IsDeleted FROM Account WHERE IsDeleted = true", options);
    assert_eq!(page.unwrap().records.iter().map(short).collect::<Vec<_>>(), ["Gone, true"]);
    assert_eq!(world.rows("SELECT Name FROM Account WHERE IsDeleted = true"), "");
}

#[test]
fn whole_groups_of_fields() {
    let world = world();
    let fields = |soql: &str| world.page(soql).records[0].fields.len();
    let account = world.core.schema().object("Account").unwrap().fields().len();
    assert_eq!(fields("SELECT FIELDS(ALL) FROM Account LIMIT 200"), account);
    assert_eq!(fields("SELECT FIELDS(STANDARD), Parent.Name FROM Account"), account + 1);
    assert_eq!(fields("SELECT Id, (SELECT FIELDS(ALL) FROM Contacts LIMIT 2) FROM Account WHERE Site = 'a'"), 2);
}

#[test]
fn filters_on_keys_use_indexes() {
    let world = world();
    let registry = world.core.schema();
    for (condition, index) in [
        ("Id = '001000000000001AAA'", "sqlite_autoindex_Account"),
        ("Id IN ('001000000000001AAA', '001000000000002AAA')", "sqlite_autoindex_Account"),
        ("ParentId = '001000000000001AAA'", "Account.ParentId"),
        ("OwnerId = '005000000000001AAA' AND Industry = 'x'", "Account.OwnerId"),
        ("Name = 'x'", "Account.Name"),
        ("Name LIKE 'x%'", "Account.Name"),
        ("Name > 'x'", "Account.Name"),
        ("SystemModstamp > 2026-01-01T00:00:00Z", "Account.SystemModstamp"),
        ("LastModifiedDate = TODAY", "Account.LastModifiedDate"),
        ("CreatedDate >= YESTERDAY", "Account.CreatedDate"),
        ("Id IN (SELECT AccountId FROM Contact WHERE LastModifiedDate = TODAY)", "Contact.LastModifiedDate"),
    ] {
        let soql = format!("SELECT Name FROM Account WHERE {condition}");
        let plan = super::super::steps(&world.core, &registry, &caller(&world.core), &soql);
        assert!(plan.contains(index), "{condition}\n{plan}");
    }
}

#[test]
fn columns_are_told_without_rows() {
    let world = world();
    let columns = |soql: &str| {
        let told = world.core.query_columns(&caller(&world.core), soql).unwrap();
        let names = told.columns.iter().map(in_short).collect::<Vec<_>>().join(" ");
        format!("{} {} {} {names}", told.entity, told.group_by, told.id_selected)
    };
    for (soql, expect) in [
        (
            "select id, name, Parent.Owner.name, parent.site FROM account",
            "Account false true Id Name Parent[Owner[Name] Site]",
        ),
        (
            "SELECT Name, (SELECT LastName, Account.Name FROM Contacts) FROM Account",
            "Account false false Name Contacts![LastName Account[Name]]",
        ),
        (
            "SELECT Industry, COUNT(Id), MAX(Name) m FROM Account GROUP BY Industry",
            "Account true false Industry expr0=COUNT(Id)! m=MAX(Name)!",
        ),
        ("SELECT COUNT() FROM Account", "Account false false "),
    ] {
        assert_eq!(columns(soql), expect, "{soql}");
    }
    assert!(world.core.query_columns(&caller(&world.core), "SELECT Nope FROM Account").is_err());
}

fn in_short(column: &crate::core::Column) -> String {
    let display = if column.display_name == *column.name { String::new() } else { format!("={}", column.display_name) };
    let mark = if column.aggregate { "!" } else { "" };
    let joined: Vec<_> = column.joined.iter().map(in_short).collect();
    let joined = if joined.is_empty() { String::new() } else { format!("[{}]", joined.join(" ")) };
    format!("{}{display}{mark}{joined}", column.name)
}

#[test]
fn objects_of_every_kind_can_be_asked() {
    let world = world();
    let schema = world.core.schema();
    let queryable = schema.objects().iter().filter(|o| o.kind == crate::core::schema::Kind::Rows && o.flags.queryable);
    for object in queryable {
        world.page(&format!("SELECT FIELDS(ALL) FROM {} LIMIT 200", object.name));
        for field in object.fields().iter().filter(|f| f.flags.sortable && f.flags.filterable) {
            world.page(&format!(
                "SELECT Id FROM {} WHERE {f} != null ORDER BY {f} LIMIT 1",
                object.name,
                f = field.name
            ));
        }
    }
    let user = "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization";
    assert_eq!(world.page(user).records.len(), 1);
}
