//! Plans from files and hand-made facts.

use std::path::Path;

use tombolo_engine::sync::{Canon, Deletes, Flow, ParentPath, Policy, Precision, Reference, Side, Style};

use super::*;
use crate::{
    config::{Severity, Surroundings, tests::compare},
    systems::system::{ChangeEvents, FieldKind, Permissions},
};

const FILE: &str = "\
state: sqlite:hub.db
connections:
  crm: { system: salesforce, auth: { flow: token, instance_url: https://crm.example.com, access_token: x } }
  app: { system: postgres, url: postgres://app@db/shop }
mappings:
  account:
    between: [crm.Account, app.accounts]
    external_id: App_Id__c
    fields:
      - Name = name
      - Phone = phone
  contact:
    between: [crm.Contact, app.contacts]
    external_id: App_Id__c
    match: [Email = email]
    filter: { crm: \"Email != null\", app: \"deleted_at IS NULL\" }
    deletes: { from_salesforce: soft(deleted_at), to_salesforce: hard }
    fields:
      - Email = email
      - LastName = name
      - Score__c = score [max]
      - AccountId = account_id
      - Account.Name -> company
      - Birthdate = birthday
      - Id -> crm_id
";

fn text(length: u32) -> FieldKind {
    FieldKind::Text(Some(length))
}

fn field(name: &str, kind: FieldKind, flags: &str) -> Field {
    let has = |flag: &str| flags.split(' ').any(|one| one == flag);
    let after = |word: &str| flags.split(' ').find_map(|flag| flag.strip_prefix(word)).map(str::to_owned);
    let read_only = has("read-only") || has("calculated");
    Field {
        name: name.to_owned(),
        kind,
        type_name: format!("{kind:?}").to_lowercase(),
        nullable: !has("required") && !has("key"),
        defaulted: has("defaulted"),
        createable: !read_only,
        updateable: !read_only && !has("create-only"),
        unique: has("unique") || has("key"),
        external_id: has("external"),
        references: after("to:").map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        relationship: after("as:"),
        picklist: after("list:").map(|values| values.split(',').map(str::to_owned).collect()),
        calculated: has("calculated"),
    }
}

fn entity(name: &str, fields: Vec<Field>) -> Entity {
    let key = fields.iter().filter(|field| field.unique && !field.nullable).map(|field| field.name.clone());
    Entity {
        name: name.to_owned(),
        key: key.take(1).collect(),
        fields,
        change_events: ChangeEvents::Selected,
        objections: Vec::new(),
        may: Permissions { create: true, update: true, delete: true },
    }
}

fn account() -> Entity {
    entity(
        "Account",
        vec![
            field("Id", FieldKind::Id, "key read-only"),
            field("Name", text(255), "required"),
            field("Phone", text(40), ""),
            field("App_Id__c", text(40), "unique external"),
            field("ParentId", FieldKind::Id, "to:Account as:Parent"),
        ],
    )
}

fn contact() -> Entity {
    entity(
        "Contact",
        vec![
            field("Id", FieldKind::Id, "key read-only"),
            field("LastName", text(80), "required"),
            field("Email", text(80), ""),
            field("Score__c", FieldKind::Decimal(Some(2)), ""),
            field("AccountId", FieldKind::Id, "to:Account as:Account"),
            field("OwnerId", FieldKind::Id, "to:User as:Owner required defaulted"),
            field("WhoId", FieldKind::Id, "to:Contact,Lead as:Who"),
            field("Birthdate", FieldKind::Date, ""),
            field("Level__c", text(20), "list:Gold,Silver"),
            field("MailingStateCode", text(10), ""),
            field("Age__c", FieldKind::Decimal(Some(0)), "calculated"),
            field("Origin__c", text(20), "create-only"),
            field("Shared__c", FieldKind::Boolean, "required defaulted"),
            field("Tags__c", FieldKind::MultiPicklist, ""),
            field("Photo__c", FieldKind::Other, ""),
            field("App_Id__c", text(40), "unique external"),
            field("Weak_Id__c", text(40), "external"),
        ],
    )
}

fn accounts() -> Entity {
    entity(
        "accounts",
        vec![
            field("id", FieldKind::Uuid, "key defaulted"),
            field("name", text(255), "required"),
            field("phone", FieldKind::Text(None), ""),
            field("short", text(10), ""),
        ],
    )
}

fn contacts() -> Entity {
    entity(
        "contacts",
        vec![
            field("id", FieldKind::Uuid, "key defaulted"),
            field("email", text(80), ""),
            field("name", text(80), "required"),
            field("score", FieldKind::Decimal(Some(2)), ""),
            field("exact", FieldKind::Decimal(Some(6)), ""),
            field("any", FieldKind::Decimal(None), ""),
            field("yes", FieldKind::Boolean, ""),
            field("account_id", FieldKind::Uuid, "to:accounts"),
            field("owner_id", FieldKind::Text(None), ""),
            field("company", text(255), ""),
            field("birthday", FieldKind::Date, ""),
            field("crm_id", text(18), ""),
            field("level", text(20), ""),
            field("tier", text(20), "list:Gold,Bronze"),
            field("state", text(10), ""),
            field("age", FieldKind::Integer, ""),
            field("deleted_at", FieldKind::DateTime(6), ""),
            field("born_at", FieldKind::DateTime(6), "required defaulted"),
            field("code", text(8), "unique"),
            field("number", FieldKind::Integer, "unique required defaulted"),
            field("total", FieldKind::Decimal(Some(2)), "calculated"),
        ],
    )
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.learn("crm", "Account", account());
    facts.learn("crm", "Contact", contact());
    facts.learn("app", "accounts", accounts());
    facts.learn("app", "contacts", contacts());
    facts.learn_names("crm", ["Account", "Contact", "Lead"].map(str::to_owned).to_vec());
    facts.learn_names("app", ["accounts", "contacts"].map(str::to_owned).to_vec());
    facts
}

fn config(text: &str) -> Config {
    let around = Surroundings { folder: Path::new("/etc"), variable: &|_| None };
    Config::parse("f", text, &around).unwrap_or_else(|findings| panic!("{}", findings.lines().join("\n")))
}

#[test]
fn a_file_becomes_a_plan() {
    let (resolved, findings) = resolve(&config(FILE), &facts(), "default");
    let Resolved { plan, options } = resolved.unwrap_or_else(|| panic!("{}", findings.lines().join("\n")));
    assert!(findings.is_empty(), "{}", findings.lines().join("\n"));
    assert_eq!(plan.mappings.iter().map(|mapping| mapping.name.as_str()).collect::<Vec<_>>(), ["account", "contact"]);
    assert!(plan.connections["crm"].budgeted && !plan.connections["app"].budgeted);

    let contact = &plan.mappings[1];
    let pairs: Vec<_> = contact.fields.iter().map(|p| (p.names[0].as_str(), p.flow, p.policy, p.canon)).collect();
    let crm = Policy::Wins(Side::Left);
    assert_eq!(
        pairs,
        [
            ("Email", Flow::Both, crm, Canon::Text(Some(80))),
            ("LastName", Flow::Both, crm, Canon::Text(Some(80))),
            ("Score__c", Flow::Both, Policy::Max, Canon::Decimal(2)),
            ("AccountId", Flow::Both, crm, Canon::Key),
            ("Account.Name", Flow::To(Side::Right), crm, Canon::Text(Some(255))),
            ("Birthdate", Flow::Both, crm, Canon::Date),
            ("Id", Flow::To(Side::Right), crm, Canon::Id),
        ]
    );
    assert_eq!(contact.fields[3].reference, Some(Reference { mapping: 0, required: [false, false] }));
    let path = ParentPath { via: "AccountId".into(), parent: "Account".into(), field: "Name".into() };
    assert_eq!(contact.fields[4].path, Some(path));
    assert_eq!(contact.match_on, [0]);
    assert_eq!(contact.deletes, [Deletes::Soft("deleted_at".to_owned()), Deletes::Hard]);
    assert_eq!(contact.ends.each_ref().map(|end| end.style), [Style::Tagged, Style::Compared]);
    assert_eq!(contact.ends.each_ref().map(|end| end.creates), [true, true]);
    assert_eq!(contact.ends[0].external_id.as_deref(), Some("App_Id__c"));
    assert_eq!(contact.ends[1].filter.as_ref().map(|filter| filter.text.as_str()), Some("deleted_at IS NULL"));
    assert_eq!(contact.ends.each_ref().map(|end| end.watch.clone()), [vec![], vec!["deleted_at".to_owned()]]);
    assert!(contact.ends.iter().all(|end| end.key.is_none()), "both keys are primary");
    assert_eq!(options.len(), 2);
}

#[test]
fn precision_is_that_of_the_coarser_side() {
    let text = FILE.replace("Birthdate = birthday", "Seen__c = deleted_at");
    let mut facts = facts();
    let mut contact = contact();
    contact.fields.push(field("Seen__c", FieldKind::DateTime(3), ""));
    facts.learn("crm", "Contact", contact);
    let (resolved, _) = resolve(&config(&text.replace("soft(deleted_at)", "hard")), &facts, "default");
    assert_eq!(resolved.unwrap().plan.mappings[1].fields[5].canon, Canon::DateTime(Precision::Millisecond));
}

/// What is said when this is replaced in the file.
fn said(from: &str, to: &str) -> Vec<String> {
    assert_eq!(FILE.matches(from).count(), 1, "`{from}` has to stand once in the file");
    let (resolved, findings) = resolve(&config(&FILE.replace(from, to)), &facts(), "default");
    assert_eq!(resolved.is_none(), findings.has_errors());
    findings.lines()
}

#[test]
fn what_the_systems_say_against_a_file() {
    let cases = compare("resolve/tests/against.txt", include_str!("tests/against.txt"), said);
    assert!(cases >= 40, "{cases} cases");
}

#[test]
fn what_speaks_against_an_end() {
    let mut facts = facts();
    let mut contact = contact();
    contact.change_events = ChangeEvents::Available;
    contact.may = Permissions { create: false, update: false, delete: false };
    facts.learn("crm", "Contact", contact);
    let mut contacts = contacts();
    contacts.objections.push("a foreign key deletes rows of it with those of `accounts`".to_owned());
    contacts.key.clear();
    facts.learn("app", "contacts", contacts);
    let (_, findings) = resolve(&config(FILE), &facts, "default");
    let said: Vec<_> = findings.sorted().iter().map(|f| (f.severity, f.message.clone())).collect();
    let error = |text: &str| (Severity::Error, text.to_owned());
    let warning = |text: &str| (Severity::Warning, text.to_owned());
    assert_eq!(
        said,
        [
            error("records of `crm.Contact` may not be changed by this user"),
            warning("no change events come of `Contact`: it is polled"),
            warning("no records are made in `crm.Contact`: this user may not"),
            error("`app.contacts` has no primary key"),
            error("`app.contacts`: a foreign key deletes rows of it with those of `accounts`"),
            error("records of `crm.Contact` may not be deleted by this user"),
        ]
    );
    let hint = findings.sorted()[1].hint.clone().unwrap();
    assert_eq!(hint, "select Contact under Setup, Change Data Capture; of a local org with `tombolo org cdc Contact`");
}

#[test]
fn what_is_not_selected_is_polled() {
    let mut facts = facts();
    facts.learn("crm", "Account", Entity { change_events: ChangeEvents::None, ..account() });
    let (resolved, findings) = resolve(&config(FILE), &facts, "default");
    assert_eq!(findings.lines(), ["f:7:19: warning: there are no change events of `Account`: it is polled"]);
    assert_eq!(resolved.unwrap().plan.mappings[0].ends[0].style, Style::Conditional);
}

#[test]
fn another_column_may_be_the_key() {
    let (resolved, _) =
        resolve(&config(&FILE.replace("    match:", "    key: number\n    match:")), &facts(), "default");
    assert_eq!(
        resolved.unwrap().plan.mappings[1].ends.each_ref().map(|end| end.key.clone()),
        [None, Some("number".to_owned())]
    );
}
