//! Results that are longer than a page.

use super::{QueryOptions, world};
use crate::core::{
    Caller, Core,
    record::{Atomicity, CoreError, Locator, Output, Page},
    tests::{caller, delete, row, update},
};

fn add_accounts(core: &Core, count: usize) {
    let rows = (0..count).map(|i| ("Account".to_owned(), row(&format!(r#"{{"Name": "n{i:04}"}}"#)))).collect();
    let saved = core.insert(&caller(core), rows, Atomicity::AllOrNone).unwrap();
    assert!(saved.iter().all(|s| s.faults.is_empty()));
}

fn locator(page: &Page) -> String {
    page.next.as_ref().map(|Locator { cursor, offset }| format!("{cursor}-{offset}")).unwrap()
}

fn names(page: &Page) -> Vec<String> {
    let name = |value: &Output| if let Output::Text(text) = value { text.clone() } else { String::new() };
    page.records.iter().map(|record| name(&record.fields[0].1)).collect()
}

const SOQL: &str = "SELECT Name FROM Account WHERE Name LIKE 'n%' ORDER BY Name";
const SMALL: QueryOptions = QueryOptions { include_deleted: false, batch_size: Some(200) };

fn code(result: Result<Page, CoreError>) -> String {
    match result {
        Err(CoreError::Refused(faults)) => format!("{}: {}", faults[0].code, faults[0].message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pages_show_the_result_as_it_was() {
    let world = world();
    let (core, me) = (&world.core, caller(&world.core));
    add_accounts(core, 450);
    let first = core.query(&me, SOQL, SMALL).unwrap();
    assert_eq!((first.total_size, first.records.len()), (450, 200));
    let last = world.page("SELECT Id FROM Account WHERE Name = 'n0449'").records[0].id.unwrap();
    let other = world.page("SELECT Id FROM Account WHERE Name = 'n0300'").records[0].id.unwrap();
    assert_eq!(delete(core, last.as_str()).faults, []);
    assert_eq!(update(core, other.as_str(), r#"{"Name": "a"}"#).faults, []);
    add_accounts(core, 1);
    let second = core.query_more(&me, &locator(&first), Some(200)).unwrap();
    let third = core.query_more(&me, &locator(&second), Some(200)).unwrap();
    assert_eq!((second.total_size, third.records.len(), third.next.clone()), (450, 50, None));
    let all: Vec<_> = [&first, &second, &third].into_iter().flat_map(names).collect();
    assert_eq!(all, (0..450).map(|i| format!("n{i:04}")).collect::<Vec<_>>());
    // A page may be asked for again, and in another size.
    assert_eq!(core.query_more(&me, &locator(&first), None).unwrap().records.len(), 250);
    assert_eq!(core.query_more(&me, &locator(&second), Some(1)).unwrap(), third);
}

#[test]
fn locators_belong_to_a_session_and_do_not_last() {
    let world = world();
    let (core, me) = (&world.core, caller(&world.core));
    add_accounts(core, 201);
    let page = core.query(&me, SOQL, SMALL).unwrap();
    let stranger = Caller { session: "another".to_owned(), ..me.clone() };
    let invalid = "INVALID_QUERY_LOCATOR: invalid query locator";
    assert_eq!(code(core.query_more(&stranger, &locator(&page), None)), invalid);
    assert_eq!(code(core.query_more(&me, "01g000000000001AAA-200", None)), invalid);
    assert_eq!(code(core.query_more(&me, "nonsense", None)), invalid);
    assert!(core.query_more(&me, &locator(&page), None).is_ok());
    core.clock().advance(std::time::Duration::from_secs(49 * 3600));
    assert_eq!(code(core.query_more(&me, &locator(&page), None)), invalid);
}

#[test]
fn ten_results_are_held_and_the_oldest_goes() {
    let world = world();
    let (core, me) = (&world.core, caller(&world.core));
    add_accounts(core, 201);
    let pages: Vec<_> = (0..11).map(|_| core.query(&me, SOQL, SMALL).unwrap()).collect();
    assert!(core.query_more(&me, &locator(&pages[0]), None).is_err());
    assert!(core.query_more(&me, &locator(&pages[1]), None).is_ok());
    core.reset().unwrap();
    assert!(core.query_more(&me, &locator(&pages[10]), None).is_err());
}

#[test]
fn long_child_sets_have_pages_of_their_own() {
    let world = world();
    let (core, me) = (&world.core, caller(&world.core));
    let contact = |i: usize| row(&format!(r#"{{"LastName": "c{i:03}", "AccountId": "{}"}}"#, world.acme));
    let rows = (0..300).map(|i| ("Contact".to_owned(), contact(i))).collect();
    core.insert(&me, rows, Atomicity::AllOrNone).unwrap();
    let soql = "SELECT (SELECT LastName FROM Contacts WHERE LastName LIKE 'c%' ORDER BY LastName) FROM Account WHERE Site = 'a'";
    let page = core.query(&me, soql, SMALL).unwrap();
    assert_eq!(page.next, None);
    let Output::Children(children) = &page.records[0].fields[0].1 else { panic!("{page:?}") };
    assert_eq!((children.total_size, children.records.len()), (300, 199));
    let rest = core.query_more(&me, &locator(children), None).unwrap();
    assert_eq!((names(&rest).first().cloned(), rest.records.len(), rest.next), (Some("c199".to_owned()), 101, None));
}

/// Each account with its contacts, page by page: `a0:3` for all three of them, `a1:199+` for the first ones.
fn walk(core: &Core, soql: &str) -> Vec<String> {
    let me = caller(core);
    let mut page = core.query(&me, soql, SMALL).unwrap();
    let mut pages = Vec::new();
    loop {
        let records = page.records.iter().map(|record| {
            let [(_, Output::Text(name)), (_, contacts)] = record.fields.as_slice() else { panic!("{record:?}") };
            match contacts {
                Output::Children(set) if set.next.is_some() => format!("{name}:{}+", set.records.len()),
                Output::Children(set) => format!("{name}:{}", set.records.len()),
                _ => name.clone(),
            }
        });
        pages.push(records.collect::<Vec<_>>().join(" "));
        if page.next.is_none() {
            return pages;
        }
        page = core.query_more(&me, &locator(&page), Some(200)).unwrap();
    }
}

#[test]
fn children_count_towards_the_page() {
    let world = world();
    let (core, me) = (&world.core, caller(&world.core));
    for (name, contacts) in [("x0", 3), ("x1", 0), ("x2", 190), ("x3", 250), ("x4", 1), ("x5", 0)] {
        let account = crate::core::tests::add(core, "Account", &format!(r#"{{"Name": "{name}"}}"#));
        let contact = |i: usize| row(&format!(r#"{{"LastName": "{name} {i}", "AccountId": "{account}"}}"#));
        let rows = (0..contacts).map(|i| ("Contact".to_owned(), contact(i))).collect();
        core.insert(&me, rows, Atomicity::AllOrNone).unwrap();
    }
    let soql = "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name LIKE 'x%' ORDER BY Name";
    assert_eq!(walk(core, soql), ["x0:3 x1 x2:190", "x3:199+", "x4:1 x5"]);
    let few = soql.replace("Contacts", "Contacts LIMIT 5");
    assert_eq!(walk(core, &few), ["x0:3 x1 x2:5 x3:5 x4:1 x5"]);
    // Children of children count, too.
    let nested = "SELECT Name, (SELECT LastName, (SELECT LastName FROM Account.Contacts) FROM Contacts) FROM Account";
    assert!(core.query(&me, nested, SMALL).is_err());
    let deep = "SELECT Name, (SELECT Name, (SELECT LastName FROM Contacts) FROM ChildAccounts) FROM Account WHERE \
                Name = 'Acme'";
    for i in 0..30 {
        let json = format!(r#"{{"Name": "y{i:02}", "ParentId": "{}"}}"#, world.acme);
        let child = crate::core::tests::add(core, "Account", &json);
        let contact = |_| ("Contact".to_owned(), row(&format!(r#"{{"LastName": "z", "AccountId": "{child}"}}"#)));
        core.insert(&me, (0..9).map(contact).collect(), Atomicity::AllOrNone).unwrap();
    }
    let page = core.query(&me, deep, SMALL).unwrap();
    let Output::Children(set) = &page.records[0].fields[1].1 else { panic!("{page:?}") };
    // Acme, acme labs without contacts, and 19 that count ten each.
    assert_eq!((set.total_size, set.records.len(), page.next.clone()), (31, 20, None));
    let rest = core.query_more(&me, &locator(set), Some(200)).unwrap();
    assert_eq!((rest.records.len(), rest.next), (11, None));
}
