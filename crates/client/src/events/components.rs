//! Compound fields, which change events nest: from `BillingAddress: {City}` to the `BillingCity` of a row.

use serde_json::Value;

use crate::Fields;

/// The compound addresses of standard objects. Other fields end in `Address`, too, and are plain texts.
const ADDRESSES: [&str; 9] = [
    "Address",
    "BillingAddress",
    "MailingAddress",
    "OtherAddress",
    "PersonMailingAddress",
    "PersonOtherAddress",
    "QuoteToAddress",
    "ShippingAddress",
    "AdditionalAddress",
];
const ADDRESS_PARTS: [&str; 8] =
    ["Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy"];

/// The fields of a payload by the names that rows have.
pub(super) fn fields(payload: &Fields) -> Fields {
    let mut flat = Fields::new();
    for (name, value) in payload.iter().filter(|(_, value)| !is_difference(value)) {
        match value {
            Value::Object(parts) if is_compound(name) => {
                flat.extend(parts.iter().map(|(part, value)| (component(name, part), value.clone())));
            }
            // All of its parts were emptied at once.
            Value::Null if ADDRESSES.contains(&name.as_str()) => {
                flat.extend(ADDRESS_PARTS.iter().map(|part| (component(name, part), Value::Null)));
            }
            value => {
                flat.insert(name.clone(), value.clone());
            }
        }
    }
    flat
}

/// The names that rows have for one of `changedFields`.
pub(super) fn names(changed: &str) -> Vec<String> {
    match changed.split_once('.') {
        Some((compound, part)) => vec![component(compound, part)],
        None if ADDRESSES.contains(&changed) => ADDRESS_PARTS.iter().map(|part| component(changed, part)).collect(),
        None => vec![changed.to_owned()],
    }
}

/// `{"diff": "--- …"}`, in place of a long text (streaming.md 2.4).
pub(super) fn is_difference(value: &Value) -> bool {
    value.as_object().is_some_and(|parts| parts.len() == 1 && parts.contains_key("diff"))
}

/// An object that is the value of anything else is left as it is.
fn is_compound(name: &str) -> bool {
    name == "Name" || name.ends_with("__c") || name.ends_with("Address")
}

fn component(compound: &str, part: &str) -> String {
    if let Some(custom) = compound.strip_suffix("__c") {
        return format!("{custom}__{part}__s");
    }
    match compound.strip_suffix("Address") {
        Some(kind) => format!("{kind}{part}"),
        None => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn payloads_as_rows() {
        for (payload, expect) in [
            (json!({"Phone": "1", "Description": null}), json!({"Phone": "1", "Description": null})),
            (json!({"Name": "Acme"}), json!({"Name": "Acme"})),
            (
                json!({"Name": {"Salutation": null, "FirstName": "Ann", "LastName": "Li"}}),
                json!({"Salutation": null, "FirstName": "Ann", "LastName": "Li"}),
            ),
            (
                json!({"BillingAddress": {"Street": "1", "City": null}, "Address": {"City": "X"}}),
                json!({"BillingStreet": "1", "BillingCity": null, "City": "X"}),
            ),
            (
                json!({"OtherAddress": null}),
                json!({"OtherStreet": null, "OtherCity": null, "OtherState": null, "OtherPostalCode": null,
                       "OtherCountry": null, "OtherLatitude": null, "OtherLongitude": null,
                       "OtherGeocodeAccuracy": null}),
            ),
            (
                json!({"Place__c": {"Latitude": 1.5, "Longitude": 2}, "FromAddress": null}),
                json!({"Place__Latitude__s": 1.5, "Place__Longitude__s": 2, "FromAddress": null}),
            ),
            (json!({"Notes__c": {"diff": "--- \n+++ x"}, "A": 1}), json!({"A": 1})),
            (json!({"Odd": {"a": 1}}), json!({"Odd": {"a": 1}})),
        ] {
            let flat = fields(payload.as_object().unwrap());
            assert_eq!(Value::Object(flat), expect, "{payload}");
        }
    }

    #[test]
    fn changed_fields_as_rows_name_them() {
        for (changed, expect) in [
            ("Phone", &["Phone"][..]),
            ("Name.FirstName", &["FirstName"]),
            ("Name", &["Name"]),
            ("BillingAddress.City", &["BillingCity"]),
            ("Place__c.Latitude", &["Place__Latitude__s"]),
            ("FromAddress", &["FromAddress"]),
        ] {
            assert_eq!(names(changed), expect, "{changed}");
        }
        assert_eq!(names("MailingAddress").len(), 8);
    }
}
