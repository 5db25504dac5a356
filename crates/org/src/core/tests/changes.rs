//! Change events.

use std::time::Duration;

use super::*;
use crate::core::{LimitProfile, StoredEvent, events::ChangeType};

fn named(names: &[&str]) -> CdcSelection {
    CdcSelection::Named(names.iter().map(|n| (*n).to_owned()).collect())
}

fn body(event: &ChangeEvent) -> Vec<(&str, Output)> {
    let stamps = ["CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "OwnerId"];
    let fields = event.fields.iter().filter(|(name, _)| !stamps.contains(&&**name));
    fields.map(|(name, value)| (&**name, value.clone())).collect()
}

fn part(name: &str, value: Output) -> (std::sync::Arc<str>, Output) {
    (name.into(), value)
}

#[test]
fn the_life_of_a_contact() {
    let core = org(named(&["contact"]));
    let id = add(&core, "Contact", r#"{"LastName": "Meyer", "FirstName": "Eva", "MailingCity": "Bonn"}"#);
    core.clock().advance(Duration::from_secs(1));
    update(&core, &id, r#"{"MailingCity": "Köln", "FirstName": null, "LastName": "Meyer"}"#);
    delete(&core, &id);
    undelete(&core, &id);
    core.empty_recycle_bin(&caller(&core), vec![id.clone()]).unwrap();
    let events = events(&core);
    let types: Vec<_> = events.iter().map(|e| e.change_type).collect();
    assert_eq!(types, [ChangeType::Create, ChangeType::Update, ChangeType::Delete, ChangeType::Undelete]);

    let create = &events[0];
    assert_eq!((create.entity.as_str(), create.record_ids[0].as_str()), ("Contact", id.as_str()));
    assert_eq!(create.origin, "com/salesforce/api/rest/66.0;client=test");
    assert_eq!(create.changed_fields, [""; 0]);
    let name = Output::Compound(vec![part("LastName", text("Meyer")), part("FirstName", text("Eva"))]);
    let created = body(create);
    assert!(created.contains(&("Name", name)), "{created:?}");
    assert!(created.contains(&("MailingAddress", Output::Compound(vec![part("City", text("Bonn"))]))));
    assert!(create.fields.iter().any(|(name, _)| &**name == "CreatedDate"));
    for never in ["Id", "IsDeleted", "SystemModstamp", "FirstName", "MailingCity", "Phone"] {
        assert!(!create.fields.iter().any(|(name, _)| &**name == never), "{never}");
    }

    let change = &events[1];
    assert_eq!(change.changed_fields, ["Name.FirstName", "MailingAddress.City", "LastModifiedDate"]);
    assert_eq!(
        body(change),
        [
            ("Name", Output::Compound(vec![part("FirstName", Output::Null)])),
            ("MailingAddress", Output::Compound(vec![part("City", text("Köln"))])),
        ]
    );
    assert_eq!(change.fields.len(), 3, "LastModifiedById did not change");
    assert_eq!(events[2].fields, []);
    assert!(change.commit_number > create.commit_number && create.commit_number > 1 << 53);
    assert_ne!(change.transaction_key, create.transaction_key);
    assert_eq!(create.commit_timestamp % 1000, 0);
}

#[test]
fn equal_changes_of_a_request_are_one_event() {
    let core = org(named(&["Account"]));
    let ids = ["a", "b", "c"].map(|name| add(&core, "Account", &format!(r#"{{"Name": "{name}"}}"#)));
    let before = events(&core).len();
    let phones = ["1", "2", "1"];
    let rows = ids
        .iter()
        .zip(phones)
        .map(|(id, phone)| (Target::new(None, id.clone()), row(&format!(r#"{{"Phone": "{phone}"}}"#))));
    core.update(&caller(&core), rows.collect(), Atomicity::EachRecord).unwrap();
    let events = &events(&core)[before..];
    let told: Vec<Vec<_>> = events.iter().map(|e| e.record_ids.iter().map(|id| id.as_str()).collect()).collect();
    assert_eq!(told, [vec![ids[0].as_str(), ids[2].as_str()], vec![ids[1].as_str()]]);
    assert_eq!(events.iter().map(|e| e.sequence_number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(events[0].transaction_key, events[1].transaction_key);
}

#[test]
fn a_record_changed_twice_in_a_request_is_told_once() {
    let core = org(named(&["Account"]));
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    let before = events(&core).len();
    let rows = ["1", "2"].map(|phone| (Target::new(None, id.clone()), row(&format!(r#"{{"Phone": "{phone}"}}"#))));
    core.update(&caller(&core), rows.to_vec(), Atomicity::EachRecord).unwrap();
    let events = &events(&core)[before..];
    assert_eq!(events.len(), 1);
    assert!(events[0].fields.contains(&("Phone".into(), text("2"))));
}

#[test]
fn an_update_of_nothing_is_told_with_its_stamp() {
    let core = org(named(&["Account"]));
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    update(&core, &id, r#"{"Name": "a"}"#);
    let events = events(&core);
    assert_eq!(events[1].changed_fields, ["LastModifiedDate"]);
}

#[test]
fn a_cascade_is_told_of_each_record() {
    let core = org(named(&["Account", "Contact"]));
    let account = add(&core, "Account", r#"{"Name": "a"}"#);
    let [a, b] =
        ["a", "b"].map(|n| add(&core, "Contact", &format!(r#"{{"LastName": "{n}", "AccountId": "{account}"}}"#)));
    let before = events(&core).len();
    delete(&core, &account);
    let events = &events(&core)[before..];
    assert_eq!(events.iter().map(|e| e.entity.as_str()).collect::<Vec<_>>(), ["Account", "Contact"]);
    let mut ids: Vec<_> = events[1].record_ids.iter().map(|id| id.as_str().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, [a, b]);
}

#[test]
fn the_log_is_read_by_channel_and_keeps_72_hours() {
    let core = org(named(&["Account", "Contact"]));
    let mut watch = core.events().watch();
    add(&core, "Account", r#"{"Name": "a"}"#);
    add(&core, "Contact", r#"{"LastName": "a"}"#);
    add(&core, "Lead", r#"{"LastName": "a", "Company": "b"}"#);
    let log = core.events();
    let read = |channel: &str, after, max| log.read_after(&Channel::parse(channel).unwrap(), after, max).unwrap();
    let all = read("/data/ChangeEvents", 0, 10);
    assert_eq!(all.len(), 2, "Lead is not selected");
    assert_eq!(read("/data/ContactChangeEvent", 0, 10), all[1..]);
    assert_eq!(read("/data/ChangeEvents", all[0].replay_id, 10), all[1..]);
    assert_eq!(read("/data/ChangeEvents", 0, 1), all[..1]);
    assert_eq!((log.latest(), *watch.borrow_and_update()), (all[1].replay_id, all[1].replay_id));
    assert_eq!(log.dropped_up_to().unwrap(), 0);

    core.clock().advance(Duration::from_secs(72 * 3600 + 1));
    assert_eq!(read("/data/ChangeEvents", 0, 10), Vec::<StoredEvent>::new());
    assert_eq!(log.dropped_up_to().unwrap(), all[1].replay_id);
    add(&core, "Account", r#"{"Name": "b"}"#);
    let later = read("/data/ChangeEvents", 0, 10);
    assert!(later[0].replay_id > all[1].replay_id);
    assert_eq!(log.dropped_up_to().unwrap(), all[1].replay_id);
}

#[test]
fn five_objects_without_the_add_on() {
    let core = org(CdcSelection::None);
    let six = named(&["Account", "Contact", "Lead", "Case", "Task", "Opportunity"]);
    assert!(core.select_cdc(six.clone()).is_err());
    assert!(core.select_cdc(named(&["Nonsense"])).is_err());
    assert!(core.select_cdc(named(&["AccountHistory"])).is_err());
    core.select_cdc(named(&["lead"])).unwrap();
    assert_eq!(core.cdc_selected(), ["Lead"]);
    core.select_cdc(CdcSelection::All).unwrap();
    assert!(core.cdc_selected().len() > 20);
    let unlimited = CoreConfig { cdc: six, limits: LimitProfile::Unlimited, ..CoreConfig::default() };
    assert_eq!(Core::open(unlimited).unwrap().cdc_selected().len(), 6);
}
