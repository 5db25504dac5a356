//! The recycle bin, cascades, and what is told of deletes.

use std::time::Duration;

use jiff::ToSpan;

use super::*;

#[test]
fn a_deleted_record_comes_back() {
    let core = org(CdcSelection::None);
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    assert_eq!(delete(&core, &id).faults, []);
    assert_eq!(refused(&core, "Account", &id), "ENTITY_IS_DELETED: entity is deleted");
    let again = delete(&core, &id);
    assert_eq!(told(&again.faults), ["ENTITY_IS_DELETED: entity is deleted"]);
    assert_eq!(again.faults[0].fields, Some(vec![]));
    assert_eq!(undelete(&core, &id).faults, []);
    assert_eq!(field(&core, "Account", &id, "Name"), text("a"));
    assert_eq!(told(&undelete(&core, &id).faults), ["UNDELETE_FAILED: invalid record id; no recycle bin entry found"]);
}

#[test]
fn details_go_and_come_with_their_parent() {
    let core = org(CdcSelection::None);
    let account = add(&core, "Account", r#"{"Name": "a"}"#);
    let contact = add(&core, "Contact", &format!(r#"{{"LastName": "c", "AccountId": "{account}"}}"#));
    let task = add(&core, "Task", &format!(r#"{{"Subject": "t", "WhoId": "{contact}"}}"#));
    let other = add(&core, "Contact", &format!(r#"{{"LastName": "d", "AccountId": "{account}"}}"#));
    delete(&core, &other);
    assert_eq!(delete(&core, &account).faults, []);
    for (object, id) in [("Contact", &contact), ("Task", &task)] {
        assert_eq!(refused(&core, object, id), "ENTITY_IS_DELETED: entity is deleted");
    }
    assert_eq!(undelete(&core, &account).faults, []);
    assert_eq!(field(&core, "Contact", &contact, "LastName"), text("c"));
    assert_eq!(field(&core, "Task", &task, "Subject"), text("t"));
    assert_eq!(refused(&core, "Contact", &other), "ENTITY_IS_DELETED: entity is deleted", "deleted before on its own");
}

#[test]
fn lookups_are_cleared_and_put_back() {
    let core = org(CdcSelection::None);
    let parent = add(&core, "Account", r#"{"Name": "p"}"#);
    let [kept, moved] =
        ["a", "b"].map(|name| add(&core, "Account", &format!(r#"{{"Name": "{name}", "ParentId": "{parent}"}}"#)));
    let elsewhere = add(&core, "Account", r#"{"Name": "e"}"#);
    delete(&core, &parent);
    assert_eq!(field(&core, "Account", &kept, "ParentId"), Output::Null);
    update(&core, &moved, &format!(r#"{{"ParentId": "{elsewhere}"}}"#));
    undelete(&core, &parent);
    assert_eq!(field(&core, "Account", &kept, "ParentId"), text(&parent));
    assert_eq!(field(&core, "Account", &moved, "ParentId"), text(&elsewhere));
}

#[test]
fn cases_hold_their_account() {
    let core = org(CdcSelection::None);
    let account = add(&core, "Account", r#"{"Name": "Acme"}"#);
    add(&core, "Contact", &format!(r#"{{"LastName": "c", "AccountId": "{account}"}}"#));
    add(&core, "Case", &format!(r#"{{"AccountId": "{account}"}}"#));
    let expect = "DELETE_FAILED: Your attempt to delete Acme could not be completed because it is associated with the \
                  following cases.: 00001000\n";
    assert_eq!(told(&delete(&core, &account).faults), [expect]);
    assert_eq!(field(&core, "Account", &account, "Name"), text("Acme"));
}

#[test]
fn what_is_purged_is_still_told_of() {
    let core = org(CdcSelection::None);
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    let at = core.clock().now_in_seconds();
    delete(&core, &id);
    let purged = core.empty_recycle_bin(&caller(&core), vec![id.clone()]).unwrap();
    assert_eq!(purged[0].faults, []);
    assert_eq!(refused(&core, "Account", &id), "NOT_FOUND: The requested resource does not exist");
    assert_eq!(undelete(&core, &id).faults[0].code.as_str(), "UNDELETE_FAILED");
    let asked = |core: &Core| core.deleted(&caller(core), "Account", at, at + 2.minutes());
    let deleted = asked(&core).unwrap();
    assert_eq!(deleted.records.iter().map(|(id, at)| (id.as_str(), *at)).collect::<Vec<_>>(), [(id.as_str(), at)]);
    assert_eq!(deleted.latest_date_covered, at, "not later than now");

    core.advance_clock(Duration::from_secs(16 * 24 * 3600)).unwrap();
    assert!(matches!(asked(&core), Err(CoreError::Refused(f)) if f[0].code.as_str() == "INVALID_REPLICATION_DATE"));
}

#[test]
fn the_bin_empties_itself() {
    let core = org(CdcSelection::None);
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    delete(&core, &id);
    core.clock().advance(Duration::from_secs(16 * 24 * 3600));
    assert_eq!(undelete(&core, &id).faults[0].code.as_str(), "UNDELETE_FAILED");
}

#[test]
fn updated_records() {
    let core = org(CdcSelection::None);
    let early = add(&core, "Account", r#"{"Name": "a"}"#);
    core.clock().advance(Duration::from_secs(3600));
    let at = core.clock().now_in_seconds();
    let [late, gone] = ["b", "c"].map(|n| add(&core, "Account", &format!(r#"{{"Name": "{n}"}}"#)));
    delete(&core, &gone);
    let updated = core.updated(&caller(&core), "Account", at, at + 1.minute()).unwrap();
    assert_eq!(updated.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), [late.as_str()]);
    update(&core, &early, r#"{"Phone": "1"}"#);
    assert_eq!(core.updated(&caller(&core), "Account", at, at + 1.minute()).unwrap().ids.len(), 2);
    for (start, end) in [(at, at), (at, at + 59.seconds()), (at + 1.hour(), at), (at - 40.hours() * 24, at)] {
        let error = core.updated(&caller(&core), "Account", start, end).unwrap_err();
        assert!(matches!(error, CoreError::Refused(f) if f[0].code.as_str() == "INVALID_REPLICATION_DATE"));
    }
}

#[test]
fn users_cannot_be_deleted() {
    let core = org(CdcSelection::None);
    let faults = delete(&core, core.admin_user().id.as_str()).faults;
    assert_eq!(faults[0].code.as_str(), "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
}
