//! The registry as an org starts with it: the standard objects, and what projects add to them.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_schema::{FieldType, Object, standard_objects};

use super::{
    ObjectDef, Registry,
    custom::{self, Additions},
    prefixes, relations,
    source::Source,
};
use crate::core::record::{CoreError, Result};

impl Registry {
    /// The standard objects and those of a source. `known` are the key prefixes given at earlier starts, and what is
    /// new is added to them.
    pub(crate) fn of(source: &Source, known: &mut BTreeMap<String, String>) -> Result<Self> {
        let mut objects = standard_objects().map_err(|e| CoreError::Internal(e.to_string()))?;
        objects.iter_mut().for_each(correct);
        let additions = custom::add(&mut objects, source)?;
        check_references(&objects)?;
        prefixes::assign(&mut objects, known);
        relations::reconcile(&mut objects, &additions.child_names);
        let objects = objects.into_iter().map(|facts| with_extras(ObjectDef::new(facts), &additions));
        Ok(Self::new(objects.collect()))
    }
}

/// Where the facts about standard objects are known to be wrong.
fn correct(object: &mut Object) {
    match object.name.as_str() {
        "Campaign" => offer_campaign(object),
        "ServiceContract" => number(object, "ContractNumber"),
        "WorkOrder" => number(object, "WorkOrderNumber"),
        "WorkOrderLineItem" | "ContractLineItem" => number(object, "LineItemNumber"),
        _ => {}
    }
}

/// The org gives these numbers, no client.
fn number(object: &mut Object, name: &str) {
    for field in object.fields.iter_mut().filter(|f| f.name == name) {
        (field.flags.createable, field.flags.updateable) = (false, false);
        (field.flags.auto_number, field.flags.defaulted_on_create) = (true, true);
    }
}

/// The facts about Campaign come from a user without the marketing right: to others its fields can be written.
fn offer_campaign(object: &mut Object) {
    const WRITEABLE: &[&str] = &[
        "Name",
        "ParentId",
        "Type",
        "Status",
        "StartDate",
        "EndDate",
        "ExpectedRevenue",
        "BudgetedCost",
        "ActualCost",
        "ExpectedResponse",
        "NumberSent",
        "IsActive",
        "Description",
        "OwnerId",
    ];
    for field in object.fields.iter_mut().filter(|f| WRITEABLE.contains(&f.name.as_str())) {
        (field.flags.createable, field.flags.updateable) = (true, true);
        field.flags.defaulted_on_create |= field.name == "OwnerId";
    }
}

fn with_extras(mut object: ObjectDef, additions: &Additions) -> ObjectDef {
    let name = object.name.to_string();
    let is_custom = object.is_custom();
    for field in object.fields_mut() {
        if is_custom {
            field.starting_number = 1;
        }
        if let Some(extra) = additions.extras.get(&(name.clone(), field.name.to_string())) {
            field.constant_default = extra.constant_default.clone();
            field.starting_number = extra.starting_number;
        }
    }
    object
}

/// A custom reference has to lead to an object of the org.
fn check_references(objects: &[Object]) -> Result<()> {
    let names: BTreeSet<&str> = objects.iter().map(|o| o.name.as_str()).collect();
    for object in objects {
        let custom = object.fields.iter().filter(|f| f.flags.custom && f.field_type == FieldType::Reference);
        for field in custom {
            if let Some(missing) = field.reference_to.iter().find(|to| !names.contains(to.as_str())) {
                let (object, field) = (&object.name, &field.name);
                return Err(CoreError::Setup(format!(
                    "{object}.{field} refers to {missing}, which the org does not have"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::of(&Source::default(), &mut BTreeMap::new()).unwrap()
    }

    #[test]
    fn names_are_found_in_any_case() {
        let registry = registry();
        let contact = registry.object("CONTACT").unwrap();
        assert_eq!(&*contact.name, "Contact");
        assert_eq!(&*contact.field("accountid").unwrap().name, "AccountId");
        assert_eq!(contact.parent("account").unwrap().reference_to, ["Account"]);
        let cases = contact.child_relationships.iter().find(|c| c.relationship_name.as_deref() == Some("Cases"));
        assert_eq!(cases.unwrap().child_object, "Case");
        assert!(contact.is_person() && !registry.object("Account").unwrap().is_person());
    }

    #[test]
    fn prefixes_are_unique() {
        let registry = registry();
        for object in registry.objects() {
            let Some(prefix) = &object.key_prefix else { continue };
            assert_eq!(registry.by_prefix(prefix).unwrap().name, object.name);
        }
        assert_eq!(&*registry.by_prefix("001").unwrap().name, "Account");
    }

    #[test]
    fn parents_and_children_agree() {
        let registry = registry();
        for parent in registry.objects() {
            for child in &parent.child_relationships {
                let object = registry.object(&child.child_object).expect(&child.child_object);
                let field = object.field(&child.field).expect(&child.field);
                assert!(field.reference_to.iter().any(|to| **to == *parent.name), "{child:?}");
            }
        }
        let user = registry.object("User").unwrap();
        assert!(user.child_relationships.iter().any(|c| c.child_object == "Account" && c.field == "OwnerId"));
    }

    #[test]
    fn addresses_know_their_parts() {
        let registry = registry();
        let account = registry.object("Account").unwrap();
        let billing = account.field("BillingAddress").unwrap();
        let keys: Vec<_> = billing.parts.iter().map(|p| &*p.key).collect();
        let expected = ["city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street"];
        assert_eq!(keys, expected);
        assert_eq!(billing.column, None);
        assert!(account.columns().all(|f| f.column.is_some()));
    }
}
