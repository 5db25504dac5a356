//! Orgs that start with a project, a plan, a data folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::core::Storage;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn field_file(xml: &str) -> String {
    format!("<?xml version=\"1.0\"?><CustomField xmlns=\"http://soap.sforce.com/2006/04/metadata\">{xml}</CustomField>")
}

fn object_file(xml: &str) -> String {
    format!("<CustomObject xmlns=\"http://soap.sforce.com/2006/04/metadata\">{xml}</CustomObject>")
}

/// A project with a master, its details, a lookup, an event, and a custom field on Account.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "sfdx-project.json", r#"{"packageDirectories": [{"path": "src"}]}"#);
    let objects = "src/main/default/objects";
    let ship = format!("{objects}/Ship__c");
    write(
        path,
        &format!("{ship}/Ship__c.object-meta.xml"),
        &object_file(
            "<label>Ship</label><pluralLabel>Ships</pluralLabel><enableActivities>true</enableActivities><nameField><label>Ship Name</label><type>Text</type></nameField>",
        ),
    );
    for (name, xml) in [
        ("Code__c", "<type>Text</type><length>10</length><externalId>true</externalId><unique>true</unique>"),
        ("Tons__c", "<type>Number</type><precision>5</precision><scale>1</scale><defaultValue>1</defaultValue>"),
        (
            "Home__c",
            "<type>Lookup</type><referenceTo>Account</referenceTo><relationshipName>Ships</relationshipName><deleteConstraint>SetNull</deleteConstraint>",
        ),
        ("Place__c", "<type>Location</type><scale>4</scale>"),
        ("Built__c", "<type>Date</type><defaultValue>TODAY()</defaultValue>"),
        ("Old__c", "<type>Checkbox</type><defaultValue>true</defaultValue>"),
        ("Label__c", "<type>Text</type><formula>Name &amp; Code__c</formula>"),
        ("Kind__c", "<type>Picklist</type><valueSet><valueSetName>Kinds</valueSetName></valueSet>"),
    ] {
        write(
            path,
            &format!("{ship}/fields/{name}.field-meta.xml"),
            &field_file(&format!("<fullName>{name}</fullName><label>{name}</label>{xml}")),
        );
    }
    write(
        path,
        "src/main/default/globalValueSets/Kinds.globalValueSet-meta.xml",
        "<GlobalValueSet><customValue><fullName>Brig</fullName><default>true</default></customValue><customValue><fullName>Sloop</fullName></customValue></GlobalValueSet>",
    );
    let crew = format!("{objects}/Crew__c");
    write(
        path,
        &format!("{crew}/Crew__c.object-meta.xml"),
        &object_file(
            "<label>Crew</label><nameField><type>AutoNumber</type><displayFormat>C-{000}</displayFormat></nameField>",
        ),
    );
    write(
        path,
        &format!("{crew}/fields/Ship__c.field-meta.xml"),
        &field_file(
            "<fullName>Ship__c</fullName><type>MasterDetail</type><referenceTo>Ship__c</referenceTo><relationshipName>Crew</relationshipName>",
        ),
    );
    write(
        path,
        &format!("{objects}/Sailed__e/Sailed__e.object-meta.xml"),
        &object_file("<label>Sailed</label><eventType>HighVolume</eventType>"),
    );
    write(
        path,
        &format!("{objects}/Account/fields/Rank__c.field-meta.xml"),
        &field_file("<fullName>Rank__c</fullName><type>Number</type><precision>3</precision><scale>0</scale>"),
    );
    folder
}

fn config(project: &Path) -> CoreConfig {
    CoreConfig {
        projects: vec![project.to_owned()],
        clock: ClockMode::Manual,
        seed: Some(1),
        cdc: CdcSelection::All,
        ..CoreConfig::default()
    }
}

#[test]
fn custom_objects_are_like_others() {
    let project = project();
    let core = Core::open(config(project.path())).unwrap();
    let schema = core.schema();
    let ship = schema.object("ship__c").unwrap();
    let prefixes = ["Crew__c", "Ship__c", "Sailed__e"].map(|n| schema.object(n).unwrap().key_prefix.clone().unwrap());
    assert_eq!(prefixes, ["a00", "a01", "e00"]);
    let children = |parent: &str, name: &str| {
        let child = schema.object(parent).unwrap().children(name).unwrap();
        (child.child_object.clone(), child.field.clone(), child.cascade_delete)
    };
    assert_eq!(children("Ship__c", "crew__R"), ("Crew__c".into(), "Ship__c".into(), true));
    assert_eq!(children("Account", "Ships__r"), ("Ship__c".into(), "Home__c".into(), false));
    assert_eq!(children("Ship__c", "Tasks"), ("Task".into(), "WhatId".into(), true));
    assert_eq!(ship.parent("Home__r").unwrap().reference_to, ["Account"]);
    assert!(schema.object("Crew__c").unwrap().field("OwnerId").is_none(), "a detail is owned by its master's owner");
    assert!(schema.object("Task").unwrap().field("WhatId").unwrap().reference_to.contains(&"Ship__c".to_owned()));

    let account = add(&core, "Account", r#"{"Name": "Port", "Rank__c": 3}"#);
    let id = add(
        &core,
        "Ship__c",
        &format!(
            r#"{{"Code__c": "x1", "Home__c": "{account}", "Place__Latitude__s": 1.00005, "Place__Longitude__s": 2}}"#
        ),
    );
    let get = |name: &str| field(&core, "Ship__c", &id, name);
    assert_eq!(get("Name"), text(&id[..15]), "named by its Id");
    assert_eq!(
        (get("Tons__c"), get("Old__c"), get("Kind__c")),
        (Output::Double(1.0), Output::Boolean(true), text("Brig"))
    );
    assert_eq!((get("Built__c"), get("Label__c")), (Output::Null, Output::Null), "formulas are not computed");
    let place = vec![("latitude".into(), Output::Double(1.0001)), ("longitude".into(), Output::Double(2.0))];
    assert_eq!(get("Place__c"), Output::Compound(place));
    let event = &events(&core)[1];
    let place = vec![("Latitude".into(), Output::Double(1.0001)), ("Longitude".into(), Output::Double(2.0))];
    assert!(event.fields.contains(&("Place__c".into(), Output::Compound(place))), "{event:?}");
    for (json, expect) in [
        (r#"{"Kind__c": "Raft"}"#, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        (r#"{"Tons__c": 99999}"#, "NUMBER_OUTSIDE_VALID_RANGE"),
        (r#"{"Label__c": "x"}"#, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (r#"{"Code__c": "X1"}"#, "DUPLICATE_VALUE"),
        (r#"{"Place__Latitude__s": 91}"#, "NUMBER_OUTSIDE_VALID_RANGE"),
    ] {
        assert_eq!(insert(&core, "Ship__c", json).faults[0].code.as_str(), expect, "{json}");
    }
    let duplicate = insert(&core, "Ship__c", r#"{"Code__c": "X1"}"#);
    assert_eq!(
        duplicate.faults[0].message,
        format!("duplicate value found: Code__c duplicates value on record with id: {id}")
    );
}

#[test]
fn details_live_and_die_with_their_master() {
    let project = project();
    let core = Core::open(config(project.path())).unwrap();
    let missing = insert(&core, "Crew__c", "{}");
    assert_eq!(told(&missing.faults), ["REQUIRED_FIELD_MISSING: Required fields are missing: [Ship__c]"]);
    let ship = add(&core, "Ship__c", r#"{"Name": "Vega", "Code__c": "v"}"#);
    let crew = add(&core, "Crew__c", r#"{"Ship__r": {"Code__c": "V"}}"#);
    assert_eq!(field(&core, "Crew__c", &crew, "Name"), text("C-001"));
    assert_eq!(field(&core, "Crew__c", &crew, "Ship__c"), text(&ship));
    let locked = update(&core, &crew, &format!(r#"{{"Ship__c": "{ship}"}}"#));
    assert_eq!(locked.faults[0].code.as_str(), "INVALID_FIELD_FOR_INSERT_UPDATE", "no other master");
    let nobody = insert(&core, "Crew__c", r#"{"Ship__r": {"Code__c": "w"}}"#);
    let expect = "INVALID_FIELD: Foreign key external ID: w not found for field Code__c in entity Ship__c";
    assert_eq!(told(&nobody.faults), [expect]);

    delete(&core, &crew);
    delete(&core, &ship);
    assert_eq!(undelete(&core, &crew).faults[0].code.as_str(), "UNDELETE_FAILED", "its master is gone");
    undelete(&core, &ship);
    assert_eq!(undelete(&core, &crew).faults, []);
}

#[test]
fn upserts_find_or_make() {
    let project = project();
    let core = Core::open(config(project.path())).unwrap();
    let upsert = |field: &str, key: Input, json: &str| {
        let by = crate::core::Key { object: "Ship__c", field, condition: Default::default() };
        core.upsert(&caller(&core), &by, vec![(key, row(json))], Atomicity::EachRecord)
    };
    let one = |field: &str, key: Input, json: &str| upsert(field, key, json).unwrap().remove(0);
    let key = || Input::Text("a1".to_owned());
    let made = one("Code__c", key(), r#"{"Name": "A"}"#);
    let found = one("code__c", key(), r#"{"Name": "B"}"#);
    assert_eq!((made.created, found.created), (true, false));
    assert_eq!(made.id, found.id);
    let id = made.id.unwrap();
    assert_eq!(field(&core, "Ship__c", id.as_str(), "Code__c"), text("a1"));
    assert!(one("Id", Input::Null, r#"{"Name": "C"}"#).created);
    assert!(!one("Id", Input::Text(id.as_str().to_owned()), r#"{"Name": "D"}"#).created);
    assert_eq!(told(&one("Code__c", Input::Null, "{}").faults), ["MISSING_ARGUMENT: Code__c not specified"]);
    assert_eq!(one("Code__c", key(), r#"{"Code__c": "b"}"#).faults[0].code.as_str(), "INVALID_FIELD");
    assert!(matches!(upsert("Tons__c", key(), "{}"), Err(CoreError::Refused(f)) if f[0].code.as_str() == "NOT_FOUND"));

    use crate::core::Found;
    let find = |value: &str| core.find_by_external_id(&caller(&core), "Ship__c", "Code__c", value).unwrap();
    assert_eq!((find("A1"), find("zz")), (Found::One(id), Found::None));
}

#[test]
fn data_is_found_again_and_may_grow() {
    let (project, data) = (project(), tempfile::tempdir().unwrap());
    let config = || CoreConfig { storage: Storage::Directory(data.path().join("org")), ..config(project.path()) };
    let (org, ship, latest) = {
        let core = Core::open(config()).unwrap();
        assert!(Core::open(config()).is_err(), "the folder is in use");
        (core.org_id(), add(&core, "Ship__c", r#"{"Name": "Vega"}"#), core.events().latest())
    };
    let objects = project.path().join("src/main/default/objects");
    write(
        &objects,
        "Ship__c/fields/New__c.field-meta.xml",
        &field_file("<fullName>New__c</fullName><type>Checkbox</type>"),
    );
    write(&objects, "Anchor__c/Anchor__c.object-meta.xml", &object_file("<label>Anchor</label>"));
    let core = Core::open(config()).unwrap();
    assert_eq!((core.org_id(), core.events().latest()), (org, latest));
    assert_eq!(field(&core, "Ship__c", &ship, "New__c"), Output::Boolean(false));
    assert_eq!(core.schema().object("Anchor__c").unwrap().key_prefix.as_deref(), Some("a02"), "prefixes stay");
    assert_ne!(add(&core, "Ship__c", "{}"), ship);
    drop(core);

    write(
        &objects,
        "Ship__c/fields/New__c.field-meta.xml",
        &field_file("<fullName>New__c</fullName><type>Date</type>"),
    );
    let error = Core::open(config()).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the data holds Ship__c.New__c as INTEGER_BOOLEAN, the schema wants TEXT_DATE");
}

#[test]
fn plans_are_loaded_once() {
    let (project, data) = (project(), tempfile::tempdir().unwrap());
    write(
        project.path(),
        "data/plan.json",
        r#"[{"sobject": "Ship__c", "saveRefs": true, "files": ["ships.json"]}, {"sobject": "Crew__c", "resolveRefs": true, "files": ["crew.json"]}]"#,
    );
    write(
        project.path(),
        "data/ships.json",
        r#"{"records": [{"attributes": {"type": "Ship__c", "referenceId": "vega"}, "Name": "Vega", "Tons__c": 12.5}]}"#,
    );
    write(
        project.path(),
        "data/crew.json",
        r#"{"records": [{"attributes": {"type": "Crew__c", "referenceId": "c"}, "Ship__c": "@vega"}]}"#,
    );
    let config = || CoreConfig {
        storage: Storage::Directory(data.path().join("org")),
        imports: vec![project.path().join("data/plan.json")],
        ..config(project.path())
    };
    let count = |core: &Core| {
        core.snapshot(|c| {
            Ok(c.query_row(r#"SELECT count(*) FROM "Crew__c" WHERE "Ship__c" IS NOT NULL"#, [], |r| {
                r.get::<_, i64>(0)
            })?)
        })
        .unwrap()
    };
    let core = Core::open(config()).unwrap();
    assert_eq!((count(&core), events(&core).len()), (1, 2));
    assert_eq!(events(&core)[0].origin, "");
    drop(core);
    let core = Core::open(config()).unwrap();
    assert_eq!(count(&core), 1);

    let before = add(&core, "Ship__c", r#"{"Name": "x"}"#);
    core.reset().unwrap();
    assert_eq!((count(&core), events(&core).len()), (1, 2));
    assert_eq!(add(&core, "Ship__c", r#"{"Name": "x"}"#), before, "as it was after the start");
    assert_eq!(field(&core, "User", core.admin_user().id.as_str(), "Username"), text("admin@tombolo.test"));
}

#[test]
fn what_is_wrong_is_named() {
    let project = project();
    let path = project.path();
    let opened = |config: CoreConfig| Core::open(config).map(drop).unwrap_err().to_string();
    let plan = |text: &str| {
        write(path, "data/plan.json", r#"[{"sobject": "Ship__c", "resolveRefs": true, "files": ["ships.json"]}]"#);
        write(path, "data/ships.json", text);
        opened(CoreConfig { imports: vec![path.join("data/plan.json")], ..config(path) })
    };
    let file = fs::canonicalize(path).unwrap().join("data/ships.json");
    let file = file.display();
    let bad =
        r#"{"records": [{"Name": "a"}, {"attributes": {"type": "Ship__c", "referenceId": "r"}, "Tons__c": "many"}]}"#;
    assert_eq!(
        plan(bad),
        format!(
            "{file}: record 2 (r): JSON_PARSER_ERROR: Cannot deserialize instance of double from VALUE_STRING value many"
        )
    );
    assert_eq!(
        plan(r#"{"records": [{"Home__c": "@nobody"}]}"#),
        format!("{file}: record 1: no record before it is called `nobody`")
    );
    assert!(plan("{").starts_with(&format!("{file}: EOF while parsing")));

    let nowhere = path.join("nowhere");
    assert!(opened(config(&nowhere)).contains("a project is the folder that holds this file"));
    write(path, "src/main/default/objects/Ship__c/fields/Tons__c.field-meta.xml", "<CustomField><type>");
    assert!(opened(config(path)).contains("Tons__c.field-meta.xml: "));
    write(
        path,
        "src/main/default/objects/Ship__c/fields/Tons__c.field-meta.xml",
        &field_file("<type>Lookup</type><referenceTo>Dock__c</referenceTo>"),
    );
    assert_eq!(opened(config(path)), "Ship__c.Tons__c refers to Dock__c, which the org does not have");
}

/// The folder of shared cases, or none and a line that says so.
fn shared() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = env::var_os("TOMBOLO_SHARED").map_or_else(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    let required = env::var("TOMBOLO_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|r| r == "shared"), "{} is not there", folder.display());
    eprintln!("skipped: {} is not there", folder.display());
    None
}

#[test]
fn the_sample_projects_load() {
    let Some(shared) = shared() else { return };
    for (name, counts) in [
        ("dreamhouse-lwc", [("Broker__c", 8), ("Property__c", 12), ("Contact", 5)]),
        ("ebikes-lwc", [("Account", 3), ("Product_Family__c", 4), ("Product__c", 16)]),
    ] {
        let folder = shared.join("data/sample_orgs").join(name);
        let imports = vec![folder.join("data/sample-data-plan.json")];
        let core = Core::open(CoreConfig { imports, ..config(&folder) }).unwrap();
        for (object, count) in counts {
            let sql = format!("SELECT count(*) FROM \"{object}\"");
            let found = core.snapshot(|c| Ok(c.query_row(&sql, [], |r| r.get::<_, i64>(0))?)).unwrap();
            assert_eq!(found, count, "{object}");
        }
    }
}
