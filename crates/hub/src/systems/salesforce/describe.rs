//! From describe to an entity: which fields are read, and into which columns.

use tombolo_client::{ErrorKind, ObjectDescribe};

use super::{Salesforce, errors::failed, system::channel};
use crate::{
    Error, Result,
    store::{Column, Table},
    systems::Entity,
};

/// Fields that say when a row last changed, the best first. Objects without the first two are never updated.
const STAMPS: [&str; 3] = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];

impl Salesforce {
    pub(super) async fn describe_entity(&self, object: &str) -> Result<Entity> {
        let described = self.client.describe(object).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::InvalidName | ErrorKind::InvalidRequest => {
                Error::usage(format!("the org has no object `{object}`"))
                    .with_hint("`tombolo describe` lists the objects; custom ones end in __c")
                    .with_source(error)
            }
            _ => failed(format!("cannot describe {object}"), error),
        })?;
        self.count(&described.name, 1);
        entity(&described)
    }
}

fn entity(described: &ObjectDescribe) -> Result<Entity> {
    let name = &described.name;
    if !described.queryable {
        return Err(Error::usage(format!("{name} cannot be queried, so it cannot be mirrored")));
    }
    let has = |field: &&str| described.fields.iter().any(|known| known.name == **field);
    let Some(stamp) = STAMPS.iter().find(|field| has(field)) else {
        let text = format!("{name} has no field that says when a row changed, so it cannot be mirrored");
        return Err(Error::usage(text));
    };
    let read = described.fields.iter().filter(|field| field.name != "Id" && field.name != "IsDeleted");
    let columns = read.filter_map(|field| Column::of(&field.name, field.field_type())).collect();
    Ok(Entity {
        table: Table::new(name, stamp, columns),
        stamp: (*stamp).to_owned(),
        has_bin: has(&"IsDeleted"),
        lists_deletes: described.replicateable,
        channel: channel(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn describe(fields: &[(&str, &str)]) -> ObjectDescribe {
        let fields: Vec<_> = fields.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
        let body = json!({ "name": "Thing__c", "queryable": true, "replicateable": true, "fields": fields });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn columns_are_fields_without_compound_and_base64_ones() {
        let entity = entity(&describe(&[
            ("Id", "id"),
            ("IsDeleted", "boolean"),
            ("Name", "string"),
            ("Price__c", "currency"),
            ("Where__c", "location"),
            ("Address__c", "address"),
            ("Body", "base64"),
            ("SystemModstamp", "datetime"),
            ("Odd__c", "of a later release"),
        ]))
        .unwrap();
        let columns: Vec<_> =
            entity.columns().iter().map(|column| (column.name.as_str(), column.kind.name())).collect();
        assert_eq!(
            columns,
            [("name", "text"), ("price__c", "decimal"), ("system_modstamp", "date-time"), ("odd__c", "text")]
        );
        assert_eq!((&*entity.table.name, &*entity.channel), ("thing__c", "/data/Thing__ChangeEvent"));
        assert_eq!((&*entity.stamp, &*entity.table.stamp, entity.has_bin), ("SystemModstamp", "system_modstamp", true));
    }

    #[test]
    fn an_object_without_stamps_is_refused() {
        assert!(entity(&describe(&[("Id", "id"), ("Name", "string")])).is_err());
        assert_eq!(entity(&describe(&[("Id", "id"), ("CreatedDate", "datetime")])).unwrap().stamp, "CreatedDate");
    }
}
