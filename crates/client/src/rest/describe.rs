//! What objects and fields there are. Every key may be missing or null; the whole answer stays reachable.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use tombolo_schema::FieldType;

use crate::{Client, Error, ErrorKind, Result, client::decode, error::last_modified, request::describe};

/// Null and absent are the default: describe has null where a switch does not apply (metadata.md 1.2).
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

macro_rules! described {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $key:literal,)* } $($raw:ident)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default, Deserialize)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* #[serde(default, rename = $key, deserialize_with = "or_default")] pub $field: $type,)*
            $(/// The answer as it came.
            #[serde(skip)] pub $raw: Value,
            /// When it was last changed, for the next conditional request, where the answer says so.
            #[serde(skip)] pub last_modified: Option<Timestamp>,)?
        }
    };
}

described! {
    /// An object in the list of all objects.
    ObjectSummary {
        /// The API name.
        name: String = "name",
        /// The label.
        label: String = "label",
        /// The label of several.
        label_plural: String = "labelPlural",
        /// The first three characters of its Ids, if it has Ids of its own.
        key_prefix: Option<String> = "keyPrefix",
        /// Whether it is a custom object.
        custom: bool = "custom",
        /// Whether it is a custom setting.
        custom_setting: bool = "customSetting",
        /// Whether rows can be queried.
        queryable: bool = "queryable",
        /// Whether rows can be read by Id.
        retrieveable: bool = "retrieveable",
        /// Whether rows can be created.
        createable: bool = "createable",
        /// Whether rows can be changed.
        updateable: bool = "updateable",
        /// Whether rows can be deleted.
        deletable: bool = "deletable",
        /// Whether deleted rows can be restored.
        undeletable: bool = "undeletable",
        /// Whether deletes and updates can be asked for.
        replicateable: bool = "replicateable",
        /// Whether rows can be searched.
        searchable: bool = "searchable",
        /// Whether triggers, and so change events, exist.
        triggerable: bool = "triggerable",
        /// Whether it is kept for old clients only.
        deprecated_and_hidden: bool = "deprecatedAndHidden",
    }
}

described! {
    /// A value of a picklist.
    PicklistEntry {
        /// The value.
        value: String = "value",
        /// The label.
        label: Option<String> = "label",
        /// Whether it may be chosen.
        active: bool = "active",
        /// Whether it is chosen for new records.
        default_value: bool = "defaultValue",
        /// For a dependent picklist: base64 of the bits of the controlling values it goes with.
        valid_for: Option<String> = "validFor",
    }
}

described! {
    /// A field.
    FieldDescribe {
        /// The API name.
        name: String = "name",
        /// The label.
        label: String = "label",
        /// The type, as describe names it.
        type_name: String = "type",
        /// The XML type.
        soap_type: String = "soapType",
        /// The most characters.
        length: u32 = "length",
        /// The most bytes.
        byte_length: u32 = "byteLength",
        /// The digits of a whole number.
        digits: u32 = "digits",
        /// The digits of a number.
        precision: u32 = "precision",
        /// The digits after the point.
        scale: u32 = "scale",
        /// Whether it may be empty.
        nillable: bool = "nillable",
        /// Whether it can be given when creating.
        createable: bool = "createable",
        /// Whether it can be changed.
        updateable: bool = "updateable",
        /// Whether it gets a value when none is given.
        defaulted_on_create: bool = "defaultedOnCreate",
        /// The default, for what has a fixed one.
        default_value: Option<Value> = "defaultValue",
        /// The formula of the default.
        default_value_formula: Option<String> = "defaultValueFormula",
        /// Whether it is a formula or a roll-up.
        calculated: bool = "calculated",
        /// The formula.
        calculated_formula: Option<String> = "calculatedFormula",
        /// Whether it is numbered by itself.
        auto_number: bool = "autoNumber",
        /// Whether it is a custom field.
        custom: bool = "custom",
        /// Whether it is an external id.
        external_id: bool = "externalId",
        /// Whether values are unique.
        unique: bool = "unique",
        /// Whether unique values differ by case.
        case_sensitive: bool = "caseSensitive",
        /// Whether an upsert may match by it.
        id_lookup: bool = "idLookup",
        /// Whether it is the name of the record.
        name_field: bool = "nameField",
        /// The compound field that it is a part of.
        compound_field_name: Option<String> = "compoundFieldName",
        /// Whether it may stand in WHERE.
        filterable: bool = "filterable",
        /// Whether it may stand in ORDER BY.
        sortable: bool = "sortable",
        /// Whether it may stand in GROUP BY.
        groupable: bool = "groupable",
        /// Whether it is encrypted.
        encrypted: bool = "encrypted",
        /// The objects that it refers to.
        reference_to: Vec<String> = "referenceTo",
        /// The name of the path to the parent.
        relationship_name: Option<String> = "relationshipName",
        /// 0 or 1 for a master-detail field.
        relationship_order: Option<u32> = "relationshipOrder",
        /// Whether deleting the parent deletes the record.
        cascade_delete: bool = "cascadeDelete",
        /// Whether the parent cannot be deleted while the record exists.
        restricted_delete: bool = "restrictedDelete",
        /// The values of a picklist.
        picklist_values: Vec<PicklistEntry> = "picklistValues",
        /// Whether other values are refused.
        restricted_picklist: bool = "restrictedPicklist",
        /// Whether the values depend on another field.
        dependent_picklist: bool = "dependentPicklist",
        /// The field that they depend on.
        controller_name: Option<String> = "controllerName",
        /// Whether the text is HTML.
        html_formatted: bool = "htmlFormatted",
        /// What is special about the type: `plaintextarea`, `richtextarea`, `imageurl`…
        extra_type_info: Option<String> = "extraTypeInfo",
        /// Whether it is kept for old clients only.
        deprecated_and_hidden: bool = "deprecatedAndHidden",
    }
}

impl FieldDescribe {
    /// The type; `None` if it is one that did not exist when this was written.
    pub fn field_type(&self) -> Option<FieldType> {
        FieldType::from_name(&self.type_name)
    }
}

described! {
    /// An object that refers to this one.
    ChildRelationship {
        /// The object that refers.
        child_object: String = "childSObject",
        /// By which of its fields.
        field: String = "field",
        /// The name for a child set in a query; without one it cannot be queried.
        relationship_name: Option<String> = "relationshipName",
        /// Whether children go with their parent.
        cascade_delete: bool = "cascadeDelete",
        /// Whether children keep their parent from being deleted.
        restricted_delete: bool = "restrictedDelete",
        /// Whether it is kept for old clients only.
        deprecated_and_hidden: bool = "deprecatedAndHidden",
    }
}

described! {
    /// A record type.
    RecordTypeInfo {
        /// Its Id.
        record_type_id: String = "recordTypeId",
        /// The label.
        name: String = "name",
        /// The API name.
        developer_name: String = "developerName",
        /// Whether it is active.
        active: bool = "active",
        /// Whether the user may choose it.
        available: bool = "available",
        /// Whether it is the user's default.
        default_record_type_mapping: bool = "defaultRecordTypeMapping",
        /// Whether it stands for "no record type".
        master: bool = "master",
    }
}

described! {
    /// An object: itself, its fields, its children.
    ObjectDescribe {
        /// The API name.
        name: String = "name",
        /// The label.
        label: String = "label",
        /// The label of several.
        label_plural: String = "labelPlural",
        /// The first three characters of its Ids, if it has Ids of its own.
        key_prefix: Option<String> = "keyPrefix",
        /// Whether it is a custom object.
        custom: bool = "custom",
        /// Whether rows can be queried.
        queryable: bool = "queryable",
        /// Whether rows can be read by Id.
        retrieveable: bool = "retrieveable",
        /// Whether rows can be created.
        createable: bool = "createable",
        /// Whether rows can be changed.
        updateable: bool = "updateable",
        /// Whether rows can be deleted.
        deletable: bool = "deletable",
        /// Whether deleted rows can be restored.
        undeletable: bool = "undeletable",
        /// Whether deletes and updates can be asked for.
        replicateable: bool = "replicateable",
        /// Whether triggers, and so change events, exist.
        triggerable: bool = "triggerable",
        /// The fields, in order.
        fields: Vec<FieldDescribe> = "fields",
        /// The objects that refer to this one.
        child_relationships: Vec<ChildRelationship> = "childRelationships",
        /// The record types.
        record_type_infos: Vec<RecordTypeInfo> = "recordTypeInfos",
    } raw
}

impl ObjectDescribe {
    /// The field of this name, without regard to case.
    pub fn field(&self, name: &str) -> Option<&FieldDescribe> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

described! {
    /// All objects of the org.
    GlobalDescribe {
        /// The most records in one call.
        max_batch_size: u32 = "maxBatchSize",
        /// The objects.
        objects: Vec<ObjectSummary> = "sobjects",
    } raw
}

impl GlobalDescribe {
    /// The object of this name, without regard to case.
    pub fn object(&self, name: &str) -> Option<&ObjectSummary> {
        self.objects.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }
}

impl Client {
    /// An object with all its fields.
    pub async fn describe(&self, object: &str) -> Result<ObjectDescribe> {
        self.read_with(describe::object(self.api_version(), object)?, object_of).await
    }

    /// The same, or `None` if it was not changed after this moment: the
    /// [`last_modified`](ObjectDescribe::last_modified) of the last one.
    pub async fn describe_if_modified_since(&self, object: &str, since: Timestamp) -> Result<Option<ObjectDescribe>> {
        let request = describe::object_if_modified(self.api_version(), object, since)?;
        let read = |answer: &Response<Bytes>| match answer.status() {
            StatusCode::NOT_MODIFIED => Ok(None),
            _ => object_of(answer).map(Some),
        };
        self.read_with(request, read).await
    }

    /// All objects that the user may see.
    pub async fn describe_global(&self) -> Result<GlobalDescribe> {
        self.read_with(describe::global(self.api_version())?, global_of).await
    }
}

fn global_of(answer: &Response<Bytes>) -> Result<GlobalDescribe> {
    let raw: Value = decode(answer)?;
    Ok(GlobalDescribe { raw: raw.clone(), last_modified: last_modified(answer.headers()), ..read(raw)? })
}

fn object_of(answer: &Response<Bytes>) -> Result<ObjectDescribe> {
    let raw: Value = decode(answer)?;
    Ok(ObjectDescribe { raw: raw.clone(), last_modified: last_modified(answer.headers()), ..read(raw)? })
}

fn read<T: DeserializeOwned>(raw: Value) -> Result<T> {
    serde_json::from_value(raw).map_err(|e| Error::new(ErrorKind::Decode, "the answer is no describe").with_source(e))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_may_be_null_absent_or_unknown() {
        let object: ObjectDescribe = read(json!({
            "name": "Acme__c", "custom": true, "queryable": null, "keyPrefix": null, "actionOverrides": [{}],
            "fields": [
                {"name": "Kind__c", "type": "picklist", "nillable": true, "length": 255, "defaultValue": false,
                 "picklistValues": [{"active": true, "value": "A", "label": null, "validFor": null}]},
                {"name": "Parent__c", "type": "reference", "referenceTo": ["Account"], "picklistValues": null},
                {"name": "New__c", "type": "hologram"},
            ],
        }))
        .unwrap();
        assert!(object.custom && !object.queryable && object.key_prefix.is_none());
        let field = |name: &str| object.field(name).unwrap();
        assert_eq!(field("kind__c").field_type(), Some(FieldType::Picklist));
        assert_eq!(field("Kind__c").picklist_values[0].value, "A");
        assert_eq!(field("Kind__c").default_value, Some(json!(false)));
        assert_eq!(field("Parent__c").reference_to, ["Account"]);
        assert_eq!(field("New__c").field_type(), None);
        assert!(read::<ObjectDescribe>(json!([1])).is_err());
    }
}
