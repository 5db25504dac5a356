//! What describe says of an object, as far as reading, writing and hearing it depend on it.

use std::collections::{HashMap, HashSet};

use tombolo_client::{FieldDescribe, ObjectDescribe};
use tombolo_schema::FieldType;

use crate::systems::system::{ChangeEvents, Entity, Field, FieldKind, Permissions};

/// Fields that say when a row last changed, the best first.
const STAMPS: [&str; 3] = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) name: String,
    /// Says when a row last changed.
    pub(super) stamp: String,
    /// Whether deletes can be listed.
    pub(super) lists_deletes: bool,
    /// By name in lower case.
    fields: HashMap<String, Known>,
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) name: String,
    /// None for a type that is younger than this program.
    pub(super) kind: Option<FieldType>,
    /// Whether somebody can write it, so that an event of a new record leaves it out only when it is empty.
    pub(super) writable: bool,
    /// Not written by anybody and kept up to date without a word: its value has to be read.
    pub(super) derived: bool,
    pub(super) relationship: Option<String>,
    pub(super) references: Vec<String>,
}

impl Object {
    /// None where rows cannot be told apart or do not say when they changed.
    pub(super) fn of(described: &ObjectDescribe) -> Option<Self> {
        let stamp = STAMPS.iter().find(|stamp| described.field(stamp).is_some())?;
        described.field("Id")?;
        Some(Self { stamp: (*stamp).to_owned(), ..Self::bare(described) })
    }

    /// The same of an object that is no record's.
    pub(super) fn bare(described: &ObjectDescribe) -> Self {
        let known = |field: &FieldDescribe| (field.name.to_ascii_lowercase(), Known::of(field));
        Self {
            name: described.name.clone(),
            stamp: STAMPS[0].to_owned(),
            lists_deletes: described.replicateable,
            fields: described.fields.iter().map(known).collect(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Known> {
        self.fields.get(&name.to_ascii_lowercase())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The field that `Account` in `Account.Name` follows.
    pub(super) fn via(&self, relationship: &str) -> Option<&Known> {
        let leads_there =
            |field: &&Known| field.relationship.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship));
        self.fields.values().find(leads_there)
    }

    /// The parent that it leads to.
    pub(super) fn parent(&self, relationship: &str) -> Option<&str> {
        self.via(relationship)?.references.first().map(String::as_str)
    }
}

impl Known {
    fn of(field: &FieldDescribe) -> Self {
        let writable = field.createable || field.updateable;
        Self {
            name: field.name.clone(),
            kind: field.field_type(),
            writable,
            // Of a person's name, the parts are told and the whole is not.
            derived: field.calculated || (field.name_field && !writable && !field.auto_number),
            relationship: field.relationship_name.clone(),
            references: field.reference_to.clone(),
        }
    }
}

/// `/data/AccountChangeEvent`, `/data/Invoice__ChangeEvent` (`streaming.md 1.7`).
pub(in crate::systems::salesforce) fn channel(object: &str) -> String {
    format!("/data/{}", change_event(object))
}

/// `AccountChangeEvent`, `Invoice__ChangeEvent`: under this name the entity is selected.
fn change_event(object: &str) -> String {
    match object.strip_suffix("__c") {
        Some(custom) => format!("{custom}__ChangeEvent"),
        None => format!("{object}ChangeEvent"),
    }
}

/// Which entities deliver change events, as far as the org tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selection {
    /// Those selected, on any channel; none if the user may not see that.
    pub(super) selected: Option<HashSet<String>>,
    /// All objects by name, the change events among them.
    pub(super) objects: HashSet<String>,
}

impl Selection {
    fn of(&self, described: &ObjectDescribe) -> ChangeEvents {
        let event = change_event(&described.name);
        match &self.selected {
            Some(selected) if selected.contains(&event) => ChangeEvents::Selected,
            Some(_) if self.objects.contains(&event) => ChangeEvents::Available,
            Some(_) => ChangeEvents::None,
            // Nobody tells: its channel is tried, and refuses if it has to.
            None if described.triggerable => ChangeEvents::Selected,
            None => ChangeEvents::None,
        }
    }
}

/// The object as mappings see it.
pub(super) fn entity(described: &ObjectDescribe, selection: &Selection) -> Entity {
    Entity {
        name: described.name.clone(),
        key: vec!["Id".to_owned()],
        fields: described.fields.iter().map(field).collect(),
        change_events: selection.of(described),
        objections: objections(described),
        may: Permissions { create: described.createable, update: described.updateable, delete: described.deletable },
    }
}

fn objections(described: &ObjectDescribe) -> Vec<String> {
    let name = &described.name;
    let mut objections = Vec::new();
    if !described.queryable {
        objections.push(format!("{name} cannot be queried"));
    }
    if Object::of(described).is_none() {
        objections.push(format!("{name} has no field that says when a row changed"));
    }
    objections
}

fn field(field: &FieldDescribe) -> Field {
    let restricted = field.restricted_picklist && !field.picklist_values.is_empty();
    let active =
        || field.picklist_values.iter().filter(|entry| entry.active).map(|entry| entry.value.clone()).collect();
    Field {
        name: field.name.clone(),
        kind: kind(field),
        type_name: type_name(field),
        nullable: field.nillable,
        defaulted: field.defaulted_on_create,
        createable: field.createable,
        updateable: field.updateable,
        unique: field.unique || field.name == "Id",
        external_id: field.external_id,
        references: field.reference_to.clone(),
        relationship: field.relationship_name.clone(),
        picklist: restricted.then(active),
        calculated: field.calculated,
    }
}

fn kind(field: &FieldDescribe) -> FieldKind {
    let Some(kind) = field.field_type() else { return FieldKind::Other };
    match kind {
        FieldType::Id | FieldType::Reference => FieldKind::Id,
        FieldType::Boolean => FieldKind::Boolean,
        FieldType::Int | FieldType::Long => FieldKind::Integer,
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            FieldKind::Decimal(u8::try_from(field.scale).ok())
        }
        FieldType::Date => FieldKind::Date,
        // What is kept has whole seconds.
        FieldType::DateTime => FieldKind::DateTime(0),
        FieldType::Time => FieldKind::Time,
        FieldType::MultiPicklist => FieldKind::MultiPicklist,
        kind if kind.is_text() => FieldKind::Text((field.length > 0).then_some(field.length)),
        _ => FieldKind::Other,
    }
}

fn type_name(field: &FieldDescribe) -> String {
    match field.field_type() {
        Some(kind) if kind.is_decimal() => format!("{}({},{})", field.type_name, field.precision, field.scale),
        Some(kind) if kind.is_text() && field.length > 0 => format!("{}({})", field.type_name, field.length),
        _ => field.type_name.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// The answer that was read.
    pub(in crate::systems::salesforce::system) fn described_again(described: &ObjectDescribe) -> serde_json::Value {
        let field = |field: &FieldDescribe| {
            json!({
                "name": field.name, "type": field.type_name, "createable": field.createable,
                "updateable": field.updateable, "nillable": field.nillable, "length": field.length,
                "referenceTo": field.reference_to, "relationshipName": field.relationship_name,
                "nameField": field.name_field, "calculated": field.calculated, "scale": field.scale,
            })
        };
        json!({
            "name": described.name, "queryable": true, "replicateable": true, "triggerable": true,
            "createable": true, "updateable": true, "deletable": true,
            "fields": described.fields.iter().map(field).collect::<Vec<_>>(),
        })
    }

    /// A contact with a few fields of every sort.
    pub(in crate::systems::salesforce::system) fn contact() -> ObjectDescribe {
        let field = |name: &str, kind: &str, more: serde_json::Value| {
            let mut field =
                json!({ "name": name, "type": kind, "createable": true, "updateable": true, "nillable": true });
            let (Some(all), Some(more)) = (field.as_object_mut(), more.as_object()) else { return field };
            all.extend(more.clone());
            field
        };
        let read_only = json!({ "createable": false, "updateable": false });
        let body = json!({
            "name": "Contact", "queryable": true, "replicateable": true, "createable": true, "updateable": true,
            "triggerable": true,
            "fields": [
                field("Id", "id", read_only.clone()),
                field("IsDeleted", "boolean", read_only.clone()),
                field("MasterRecordId", "reference", json!({ "createable": false, "updateable": false, "referenceTo": ["Contact"], "relationshipName": "MasterRecord" })),
                field("AccountId", "reference", json!({ "referenceTo": ["Account"], "relationshipName": "Account" })),
                field("Name", "string", json!({ "createable": false, "updateable": false, "nameField": true, "length": 121 })),
                field("FirstName", "string", json!({ "length": 40 })),
                field("LastName", "string", json!({ "length": 80, "nillable": false })),
                field("Email", "email", json!({ "length": 80 })),
                field("Description", "textarea", json!({ "length": 32000 })),
                field("Score__c", "double", json!({ "precision": 5, "scale": 2 })),
                field("Visits__c", "int", json!({})),
                field("Agreed__c", "boolean", json!({ "nillable": false, "defaultedOnCreate": true })),
                field("Birthdate", "date", json!({})),
                field("Seen__c", "datetime", json!({})),
                field("Level__c", "picklist", json!({ "length": 255, "restrictedPicklist": true, "picklistValues": [{ "value": "A", "active": true }, { "value": "B", "active": false }] })),
                field("Tags__c", "multipicklist", json!({ "length": 4099 })),
                field("Penguin_Id__c", "string", json!({ "length": 36, "unique": true, "externalId": true })),
                field("Grade__c", "string", json!({ "createable": false, "updateable": false, "calculated": true })),
                field("MailingAddress", "address", read_only.clone()),
                field("LastModifiedDate", "datetime", read_only.clone()),
                field("LastModifiedById", "reference", read_only.clone()),
                field("SystemModstamp", "datetime", read_only),
            ],
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn fields_say_what_they_hold() {
        let entity = entity(&contact(), &Selection::default());
        let of = |name: &str| entity.fields.iter().find(|field| field.name == name).unwrap();
        for (name, kind, type_name) in [
            ("Id", FieldKind::Id, "id"),
            ("AccountId", FieldKind::Id, "reference"),
            ("Email", FieldKind::Text(Some(80)), "email(80)"),
            ("Score__c", FieldKind::Decimal(Some(2)), "double(5,2)"),
            ("Visits__c", FieldKind::Integer, "int"),
            ("Agreed__c", FieldKind::Boolean, "boolean"),
            ("Birthdate", FieldKind::Date, "date"),
            ("Seen__c", FieldKind::DateTime(0), "datetime"),
            ("Tags__c", FieldKind::MultiPicklist, "multipicklist(4099)"),
            ("MailingAddress", FieldKind::Other, "address"),
        ] {
            assert_eq!((of(name).kind, &*of(name).type_name), (kind, type_name), "{name}");
        }
        assert_eq!(of("Level__c").picklist.as_deref(), Some(&["A".to_owned()][..]));
        assert!(of("Penguin_Id__c").external_id && of("Penguin_Id__c").unique && of("Id").unique);
        assert!(!of("LastName").nullable && of("Agreed__c").defaulted && of("Grade__c").calculated);
        assert_eq!(
            (of("AccountId").references.as_slice(), of("AccountId").relationship.as_deref()),
            (&["Account".to_owned()][..], Some("Account"))
        );
        assert_eq!((entity.may.create, entity.may.delete), (true, false));
        assert!(entity.objections.is_empty());
    }

    #[test]
    fn who_delivers_change_events() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
        let objects = names(&["Contact", "ContactChangeEvent"]);
        for (selected, objects, expected) in [
            (Some(names(&["ContactChangeEvent"])), objects.clone(), ChangeEvents::Selected),
            (Some(names(&["AccountChangeEvent"])), objects, ChangeEvents::Available),
            (Some(names(&[])), names(&["Contact"]), ChangeEvents::None),
            (None, names(&[]), ChangeEvents::Selected),
        ] {
            assert_eq!(entity(&contact(), &Selection { selected, objects }).change_events, expected);
        }
        assert_eq!(change_event("Invoice__c"), "Invoice__ChangeEvent");
        assert_eq!(channel("Contact"), "/data/ContactChangeEvent");
    }

    #[test]
    fn an_object_knows_its_parents() {
        let object = Object::of(&contact()).unwrap();
        assert_eq!((object.parent("account"), object.parent("Owner")), (Some("Account"), None));
        assert!(object.field("NAME").unwrap().derived && object.field("Grade__c").unwrap().derived);
        assert!(!object.field("Email").unwrap().derived);
        let odd: ObjectDescribe =
            serde_json::from_value(json!({ "name": "Odd", "fields": [{ "name": "Id" }] })).unwrap();
        assert_eq!(Object::of(&odd), None);
        assert_eq!(entity(&odd, &Selection::default()).objections.len(), 2);
    }
}
