//! What a changed file says otherwise than before.

use std::collections::BTreeMap;

use super::{Config, Mapping};

/// What is different, a few words each; nothing if both say the same. Where a thing stands in the file does not matter.
pub(crate) fn changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    if old.state != new.state || old.redis != new.redis {
        changes.push("`state`".to_owned());
    }
    if old.settings != new.settings {
        changes.push("the settings".to_owned());
    }
    named("connection", &old.connections, &new.connections, |_, _| String::new(), &mut changes);
    let by_name = |config: &Config| -> BTreeMap<String, Mapping> {
        config.mappings.iter().map(|mapping| (mapping.name.value.clone(), mapping.clone())).collect()
    };
    named("mapping", &by_name(old), &by_name(new), parts, &mut changes);
    if changes.is_empty() && old.mappings != new.mappings {
        changes.push("the order of the mappings".to_owned());
    }
    changes
}

/// What came, went and changed of things with names.
fn named<T: PartialEq>(
    what: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    parts: impl Fn(&T, &T) -> String,
    changes: &mut Vec<String>,
) {
    for (name, now) in new {
        match old.get(name) {
            None => changes.push(format!("the new {what} `{name}`")),
            Some(before) if before != now => changes.push(format!("the {what} `{name}`{}", parts(before, now))),
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    changes.extend(gone.map(|name| format!("the {what} `{name}` is gone")));
}

/// Which parts of a mapping are different.
fn parts(old: &Mapping, new: &Mapping) -> String {
    let lines = |mapping: &Mapping| -> Vec<_> { mapping.fields.iter().map(|field| field.line.clone()).collect() };
    let policies = |mapping: &Mapping| -> Vec<_> { mapping.fields.iter().map(|field| field.policy).collect() };
    let flows = |mapping: &Mapping| -> Vec<_> { mapping.fields.iter().map(|field| field.flow).collect() };
    let pairs = |mapping: &Mapping| -> Vec<_> {
        lines(mapping).into_iter().map(|line| (line.left.value, line.right.value)).collect()
    };
    let parts = [
        ("ends", old.ends != new.ends || old.key != new.key || old.external_id != new.external_id),
        ("match", old.match_on != new.match_on),
        ("filter", old.filters != new.filters),
        ("lines", pairs(old) != pairs(new)),
        ("directions", flows(old) != flows(new)),
        ("policies", policies(old) != policies(new)),
        ("deletes", old.deletes != new.deletes || old.delete_conflict != new.delete_conflict),
        ("options", old.options != new.options),
        ("capture", old.capture != new.capture),
    ];
    let different: Vec<&str> = parts.into_iter().filter(|(_, different)| *different).map(|(part, _)| part).collect();
    if different.is_empty() { String::new() } else { format!(" ({})", different.join(", ")) }
}
