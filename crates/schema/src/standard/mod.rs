//! The standard objects, kept as text that `cargo xtask gen` writes.

pub mod compact;

use crate::Object;

const STANDARD: &str = include_str!("../../data/standard_objects.tsv");

/// Salesforce's standard objects as far as their facts are known (`docs/provenance.md` says from where).
///
/// Reading them takes some milliseconds: keep the result.
pub fn standard_objects() -> Result<Vec<Object>, compact::Malformed> {
    compact::read(STANDARD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FieldType;

    #[test]
    fn the_standard_objects_are_there() {
        let objects = standard_objects().unwrap();
        assert_eq!(objects.len(), 143);
        let account = objects.iter().find(|o| o.name == "Account").unwrap();
        assert_eq!(account.key_prefix.as_deref(), Some("001"));
        assert_eq!(account.name_field().unwrap().length, 255);
        assert_eq!(account.field("billingcity").unwrap().compound_field_name.as_deref(), Some("BillingAddress"));
        assert_eq!(account.field("Industry").unwrap().field_type, FieldType::Picklist);
        assert!(account.child_relationships.iter().any(|c| c.relationship_name.as_deref() == Some("Contacts")));
    }

    #[test]
    fn the_compact_form_loses_nothing() {
        let objects = standard_objects().unwrap();
        assert_eq!(compact::read(&compact::write(&objects)).unwrap(), objects);
    }

    #[test]
    fn a_malformed_line_is_named() {
        let error = compact::read("O\tA\t001\tA\tAs\tq\nF\tId\tnonsense").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the object facts: no such field type");
    }
}
