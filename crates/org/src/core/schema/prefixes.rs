//! Key prefixes: one for each object that has rows, no two alike.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_schema::Object;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Gives each object without a prefix, or with one that another has already, a prefix of its own.
/// What `known` holds from earlier starts stays as it was; what is new is written into it.
pub(super) fn assign(objects: &mut [Object], known: &mut BTreeMap<String, String>) {
    let mut taken: BTreeSet<String> = known.values().cloned().collect();
    for object in objects.iter_mut().filter(|o| !known.contains_key(&o.name)) {
        object.key_prefix = object.key_prefix.take().filter(|prefix| taken.insert(prefix.clone()));
    }
    for object in objects {
        let prefix = match (known.get(&object.name), object.key_prefix.take()) {
            (Some(known), _) => known.clone(),
            (None, Some(own)) => own,
            (None, None) if has_no_ids(object) => continue,
            (None, None) => next(&mut taken, first_letter(&object.name)),
        };
        known.insert(object.name.clone(), prefix.clone());
        object.key_prefix = Some(prefix);
    }
}

fn has_no_ids(object: &Object) -> bool {
    let is_event = object.name.ends_with("__e");
    (object.field("Id").is_none() && !is_event) || object.name == "AggregateResult"
}

/// Custom objects begin at a00, platform events at e00, custom metadata at m00 (rest.md 5); `Z` is the org's own range.
fn first_letter(name: &str) -> u8 {
    match name.rsplit_once("__") {
        Some((_, "e")) => b'e',
        Some((_, "mdt")) => b'm',
        Some((_, "x")) => b'x',
        Some(_) => b'a',
        None => b'Z',
    }
}

fn next(taken: &mut BTreeSet<String>, first: u8) -> String {
    let all = BASE62.iter().flat_map(|&a| BASE62.iter().map(move |&b| [first, a, b].map(char::from)));
    let free = all.map(String::from_iter).find(|prefix| !taken.contains(prefix)).unwrap_or_default();
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use tombolo_schema::{Field, FieldType};

    use super::*;

    fn object(name: &str, prefix: Option<&str>) -> Object {
        let mut object = Object::new(name);
        object.key_prefix = prefix.map(str::to_owned);
        object.fields.push(Field::new("Id", FieldType::Id));
        object
    }

    #[test]
    fn every_object_has_its_own_and_keeps_it() {
        let mut known = BTreeMap::new();
        let mut first = [
            object("Account", Some("001")),
            object("CaseStatus", Some("01J")),
            object("LeadStatus", Some("01J")),
            object("B__c", None),
            object("C__c", None),
            object("D__e", None),
        ];
        assign(&mut first, &mut known);
        let prefixes: Vec<_> = first.iter().filter_map(|o| o.key_prefix.as_deref()).collect();
        assert_eq!(prefixes, ["001", "01J", "Z00", "a00", "a01", "e00"]);

        let mut later = [object("A__c", None), object("B__c", None)];
        assign(&mut later, &mut known);
        assert_eq!(later[1].key_prefix.as_deref(), Some("a00"));
        assert_eq!(later[0].key_prefix.as_deref(), Some("a02"));
    }
}
