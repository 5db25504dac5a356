//! Inserts, updates, upserts, and what they are refused with.

use super::*;

#[test]
fn an_insert_fills_what_the_client_left_out() {
    let core = org(CdcSelection::None);
    let id = add(&core, "contact", r#"{"lastname": "  Meyer ", "FirstName": "Ä", "Email": "", "MailingCity": "Bonn"}"#);
    let record = read(&core, "Contact", &id[..15]);
    let get = |name: &str| record.fields.iter().find(|(n, _)| **n == *name).unwrap().1.clone();
    assert_eq!(record.id.unwrap().as_str(), id);
    assert_eq!(get("LastName"), text("Meyer"));
    assert_eq!(get("Name"), text("Ä Meyer"));
    assert_eq!(get("Email"), Output::Null);
    assert_eq!(get("IsDeleted"), Output::Boolean(false));
    assert_eq!(get("OwnerId"), text(core.admin_user().id.as_str()));
    assert_eq!(get("CreatedDate"), Output::DateTime(core.clock().now_in_seconds()));
    let Output::Compound(address) = get("MailingAddress") else { panic!() };
    assert_eq!(address[0], ("city".into(), text("Bonn")));
    assert_eq!(get("OtherAddress"), Output::Null);
}

#[test]
fn inserts_that_are_refused() {
    let core = org(CdcSelection::None);
    let account = add(&core, "Account", r#"{"Name": "A"}"#);
    let gone = add(&core, "Account", r#"{"Name": "Gone"}"#);
    delete(&core, &gone);
    let missing = account.replace(&account[14..], "zAAA").chars().take(15).collect::<String>();
    let long = "x".repeat(256);
    for (object, json, expect) in [
        ("Account", "{}".to_owned(), "REQUIRED_FIELD_MISSING: Required fields are missing: [Name]"),
        (
            "Contact",
            r#"{"LastName": "  "}"#.to_owned(),
            "REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]",
        ),
        (
            "Opportunity",
            r#"{"Name": "x"}"#.to_owned(),
            "REQUIRED_FIELD_MISSING: Required fields are missing: [StageName, CloseDate]",
        ),
        (
            "Account",
            r#"{"Name": "x", "foo": 1}"#.to_owned(),
            "INVALID_FIELD: No such column 'foo' on sobject of type Account",
        ),
        (
            "Account",
            r#"{"Name": "x", "Foo__r": {"Id": 1}}"#.to_owned(),
            "INVALID_FIELD: No such column 'Foo__r' on sobject of type Account",
        ),
        (
            "Account",
            r#"{"Name": "x", "isdeleted": true, "CreatedDate": "2020-01-01"}"#.to_owned(),
            "INVALID_FIELD_FOR_INSERT_UPDATE: Unable to create/update fields: IsDeleted, CreatedDate. Please check the \
             security settings of this field and verify that it is read/write for your profile or permission set.",
        ),
        (
            "Account",
            r#"{"Name": "x", "BillingAddress": {"city": "y"}}"#.to_owned(),
            "INVALID_FIELD_FOR_INSERT_UPDATE: Unable to create/update fields: BillingAddress. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
        ),
        (
            "Account",
            r#"{"Name": "x", "Id": "001000000000001"}"#.to_owned(),
            "INVALID_FIELD_FOR_INSERT_UPDATE: cannot specify Id in an insert call",
        ),
        (
            "Contact",
            r#"{"LastName": "x", "Email": "123"}"#.to_owned(),
            "INVALID_EMAIL_ADDRESS: Email: invalid email address: 123",
        ),
        (
            "Contact",
            r#"{"LastName": "x", "Birthdate": "tomorrow"}"#.to_owned(),
            "JSON_PARSER_ERROR: Cannot deserialize instance of date from VALUE_STRING value tomorrow",
        ),
        (
            "Contact",
            r#"{"LastName": "x", "AccountId": "nonsense"}"#.to_owned(),
            "MALFORMED_ID: Account ID: id value of incorrect type: nonsense",
        ),
        (
            "Contact",
            format!(r#"{{"LastName": "x", "AccountId": "{}"}}"#, core.admin_user().id),
            &format!("MALFORMED_ID: Account ID: id value of incorrect type: {}", core.admin_user().id),
        ),
        (
            "Contact",
            format!(r#"{{"LastName": "x", "AccountId": "{missing}"}}"#),
            "INVALID_CROSS_REFERENCE_KEY: invalid cross reference id",
        ),
        ("Contact", format!(r#"{{"LastName": "x", "AccountId": "{gone}"}}"#), "ENTITY_IS_DELETED: entity is deleted"),
        (
            "Account",
            format!(r#"{{"Name": "{long}"}}"#),
            &format!("STRING_TOO_LONG: Account Name: data value too large: {} (max length=255)", &long[1..]),
        ),
        (
            "Account",
            r#"{"Name": "x", "CleanStatus": "Nonsense"}"#.to_owned(),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Clean Status: bad value for restricted picklist field: Nonsense",
        ),
        (
            "Account",
            r#"{"Name": "x", "AnnualRevenue": 1e19}"#.to_owned(),
            "NUMBER_OUTSIDE_VALID_RANGE: Annual Revenue: value outside of valid range on numeric field: 1e+19",
        ),
        ("Nonsense__c", "{}".to_owned(), "INVALID_TYPE: sObject type 'Nonsense__c' is not supported."),
        (
            "Profile",
            r#"{"LastReferencedDate": 1}"#.to_owned(),
            "INVALID_FIELD_FOR_INSERT_UPDATE: Unable to create/update fields: LastReferencedDate. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
        ),
        (
            "AggregateResult",
            "{}".to_owned(),
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: entity type AggregateResult does not support create",
        ),
    ] {
        let saved = insert(&core, object, &json);
        assert_eq!(told(&saved.faults).join(" | "), expect, "{object} {json}");
        assert_eq!(saved.id, None);
    }
}

#[test]
fn a_record_is_told_all_that_is_wrong_with_it() {
    let core = org(CdcSelection::None);
    let saved = insert(&core, "Contact", r#"{"Email": "123", "Name": "x", "AccountId": "y"}"#);
    let codes: Vec<_> = saved.faults.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_EMAIL_ADDRESS", "MALFORMED_ID"]);
    assert_eq!(saved.faults[1].fields.as_deref().unwrap(), ["Email"]);
}

#[test]
fn all_or_none() {
    let core = org(CdcSelection::All);
    let rows = || ["{}", r#"{"Name": "b"}"#].map(|json| ("Account".to_owned(), row(json))).to_vec();
    let saved = core.insert(&caller(&core), rows(), Atomicity::AllOrNone).unwrap();
    assert_eq!(saved[0].faults[0].code.as_str(), "REQUIRED_FIELD_MISSING");
    assert_eq!(saved[1].faults[0].code.as_str(), "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!((saved[1].id, saved[1].created), (None, false));
    assert_eq!(events(&core), []);

    let saved = core.insert(&caller(&core), rows(), Atomicity::EachRecord).unwrap();
    assert_eq!(saved[0].id, None);
    assert!(saved[1].created && saved[1].id.is_some());
    assert_eq!(events(&core).len(), 1);

    let id = saved[1].id.unwrap();
    let target = |id: &str| Target::new(Some("Account".to_owned()), id.to_owned());
    let rows = vec![(target(id.as_str()), row(r#"{"Name": "c"}"#)), (target("nonsense"), row("{}"))];
    let saved = core.update(&caller(&core), rows, Atomicity::AllOrNone).unwrap();
    assert_eq!(saved[0].id, Some(id), "a rolled-back update keeps its Id");
    assert_eq!(field(&core, "Account", id.as_str(), "Name"), text("b"));
}

#[test]
fn updates() {
    let core = org(CdcSelection::None);
    let id = add(&core, "Account", r#"{"Name": "a", "Phone": "1"}"#);
    let created = core.clock().now_in_seconds();
    core.clock().advance(std::time::Duration::from_secs(5));
    assert_eq!(update(&core, &id[..15], r#"{"PHONE": null}"#).faults, []);
    assert_eq!(field(&core, "Account", &id, "Phone"), Output::Null);
    assert_eq!(field(&core, "Account", &id, "CreatedDate"), Output::DateTime(created));
    let now = core.clock().now_in_seconds();
    for stamp in ["LastModifiedDate", "SystemModstamp"] {
        assert_eq!(field(&core, "Account", &id, stamp), Output::DateTime(now));
    }
    core.clock().advance(std::time::Duration::from_secs(5));
    update(&core, &id, "{}");
    let now = core.clock().now_in_seconds();
    assert_eq!(field(&core, "Account", &id, "LastModifiedDate"), Output::DateTime(now), "also of nothing");

    let unknown = format!("{}zzzz", &id[..11]);
    for (id, json, expect) in [
        (id.as_str(), r#"{"Name": null}"#, "REQUIRED_FIELD_MISSING: Required fields are missing: [Name]"),
        (
            &id,
            r#"{"Id": "001000000000001"}"#,
            "INVALID_FIELD: The Id field should not be specified in the sobject data.",
        ),
        (&unknown, "{}", "NOT_FOUND: The requested resource does not exist"),
        ("nonsense", "{}", "MALFORMED_ID: malformed id nonsense"),
    ] {
        assert_eq!(told(&update(&core, id, json).faults), [expect]);
    }
    delete(&core, &id);
    assert_eq!(told(&update(&core, &id, "{}").faults), ["ENTITY_IS_DELETED: entity is deleted"]);
}

#[test]
fn an_id_of_another_object_is_refused() {
    let core = org(CdcSelection::None);
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    let target = Target::new(Some("Contact".to_owned()), id.clone());
    let saved = core.update(&caller(&core), vec![(target, row("{}"))], Atomicity::EachRecord).unwrap();
    assert_eq!(told(&saved[0].faults), [format!("MALFORMED_ID: Contact ID: id value of incorrect type: {id}")]);
}

#[test]
fn opportunities_follow_their_stage() {
    let core = org(CdcSelection::None);
    let id = add(
        &core,
        "Opportunity",
        r#"{"Name": "o", "StageName": "Prospecting", "CloseDate": "2026-05-01", "Amount": 1000}"#,
    );
    let get = |name: &str| field(&core, "Opportunity", &id, name);
    assert_eq!((get("Probability"), get("ExpectedRevenue")), (Output::Double(10.0), Output::Double(100.0)));
    assert_eq!((get("Fiscal"), get("IsClosed")), (text("2026 2"), Output::Boolean(false)));
    update(&core, &id, r#"{"StageName": "Closed Won"}"#);
    assert_eq!((get("Probability"), get("IsWon")), (Output::Double(100.0), Output::Boolean(true)));
    assert_eq!(get("ForecastCategory"), text("Closed"));
}

#[test]
fn numbers_are_given() {
    let core = org(CdcSelection::None);
    let first = add(&core, "Case", "{}");
    let second = add(&core, "Case", r#"{"Status": "Closed"}"#);
    assert_eq!(field(&core, "Case", &first, "CaseNumber"), text("00001000"));
    assert_eq!(field(&core, "Case", &second, "CaseNumber"), text("00001001"));
    assert_eq!(field(&core, "Case", &first, "Status"), text("New"));
    assert_eq!(field(&core, "Case", &second, "IsClosed"), Output::Boolean(true));
}

#[test]
fn every_kind_of_record_can_be_made() {
    let core = org(CdcSelection::None);
    let account = add(&core, "Account", r#"{"Name": "a"}"#);
    let contact = add(&core, "Contact", r#"{"LastName": "c"}"#);
    let opportunity =
        add(&core, "Opportunity", r#"{"Name": "o", "StageName": "Prospecting", "CloseDate": "2026-05-01"}"#);
    let product = add(&core, "Product2", r#"{"Name": "p"}"#);
    let book = add(&core, "Pricebook2", r#"{"Name": "b"}"#);
    for (object, json) in [
        ("Campaign", r#"{"Name": "c", "IsActive": true}"#.to_owned()),
        ("Lead", r#"{"LastName": "l", "Company": "c"}"#.to_owned()),
        ("Event", r#"{"Subject": "e", "DurationInMinutes": 5, "ActivityDateTime": "2026-01-01T00:00:00Z"}"#.to_owned()),
        ("OpportunityContactRole", format!(r#"{{"OpportunityId": "{opportunity}", "ContactId": "{contact}"}}"#)),
        ("Contract", format!(r#"{{"AccountId": "{account}"}}"#)),
        ("Order", format!(r#"{{"AccountId": "{account}", "EffectiveDate": "2026-01-01", "Status": "Draft"}}"#)),
        ("PricebookEntry", format!(r#"{{"Pricebook2Id": "{book}", "Product2Id": "{product}", "UnitPrice": 5}}"#)),
        ("WorkOrder", "{}".to_owned()),
        ("Note", format!(r#"{{"ParentId": "{account}", "Title": "n"}}"#)),
        ("Attachment", format!(r#"{{"ParentId": "{account}", "Name": "n", "Body": "aGk="}}"#)),
    ] {
        let id = add(&core, object, &json);
        assert_eq!(update(&core, &id, "{}").faults, [], "{object}");
        assert_eq!(delete(&core, &id).faults, [], "{object}");
    }
}

#[test]
fn the_first_rows_are_there() {
    let core = org(CdcSelection::None);
    let admin = core.admin_user();
    assert_eq!(field(&core, "User", admin.id.as_str(), "Name"), text(&admin.name));
    assert_eq!(field(&core, "Profile", admin.profile_id.as_str(), "Name"), text("System Administrator"));
    assert_eq!(field(&core, "Organization", core.org_id().as_str(), "TimeZoneSidKey"), text("GMT"));
}

#[test]
fn the_same_seed_gives_the_same_org() {
    let ids = || {
        let core = org(CdcSelection::All);
        let ids = [add(&core, "Account", r#"{"Name": "a"}"#), add(&core, "Account", r#"{"Name": "b"}"#)];
        (core.org_id(), ids, events(&core))
    };
    assert_eq!(ids(), ids());
}

#[test]
fn reading_named_fields() {
    let core = org(CdcSelection::None);
    let id = add(&core, "Account", r#"{"Name": "a"}"#);
    let names = |names: &[&str]| Selection::Named(names.iter().map(|n| (*n).to_owned()).collect());
    let record = core.read(&caller(&core), "account", &id, names(&["id", "name", "NAME", "Phone"])).unwrap();
    assert_eq!(record.fields, [("Name".into(), text("a")), ("Phone".into(), Output::Null), ("Id".into(), text(&id))]);
    assert!(core.read(&caller(&core), "Account", &id, names(&["nonsense"])).is_err());
    let ids = [id, "nonsense".to_owned(), core.org_id().as_str().to_owned()];
    let rows = core.retrieve(&caller(&core), "Account", &ids, names(&["Name"])).unwrap();
    assert_eq!(rows.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(
        refused(&core, "Account", "23foo"),
        "NOT_FOUND: Provided external ID field does not exist or is not accessible: 23foo"
    );
}

#[test]
fn many_inserts_are_quick() {
    let core = org(CdcSelection::None);
    let begun = std::time::Instant::now();
    for batch in 0..25 {
        let rows =
            (0..200).map(|i| ("Account".to_owned(), row(&format!(r#"{{"Name": "a{batch}-{i}", "Phone": "1"}}"#))));
        let saved = core.insert(&caller(&core), rows.collect(), Atomicity::AllOrNone).unwrap();
        assert!(saved.iter().all(|s| s.created));
    }
    // 5,000 rows; the bound only catches a blunder.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
