//! What is clear of a write before anything is written: what cannot be, what is gone, what shows something else.

use std::collections::BTreeMap;

use tombolo_engine::sync::{Key, Mapping, Operation, Outcome, Row, Write};

use super::{
    fault::{Fault, FaultKind},
    mapped::{Mapped, MappedEnd, undefined},
    record, value,
    write::{EndKey, key_of},
};

/// The outcome of a write that is not to be done; none of one that is.
pub(super) fn judged(
    mapped: &Mapped,
    write: &Write,
    shown: &BTreeMap<(EndKey, Key), Row>,
) -> Result<Option<Outcome>, Fault> {
    let end = mapped.end(write.mapping, write.side)?;
    if let Some(fault) = misfit(end, write) {
        return Ok(Some(fault.outcome()));
    }
    let Some(key) = key_of(&write.operation) else { return Ok(None) };
    let Some(row) = shown.get(&((write.mapping, write.side), key.clone())) else {
        return Ok(Some(Outcome::Gone { certain: true }));
    };
    let moved = moved(&mapped.plan.mappings[write.mapping], end, write, row);
    Ok(moved.then(|| Outcome::Moved { pending: Vec::new(), row: Some(row.clone()) }))
}

/// What the database would refuse, or store as something else; found before anything is written.
fn misfit(end: &MappedEnd, write: &Write) -> Option<Fault> {
    if matches!(write.operation, Operation::Undelete(_)) {
        return Some(Fault::new(FaultKind::Data, "NOT_SUPPORTED", "a database has no recycle bin"));
    }
    write.values.iter().find_map(|(name, value)| match end.table.column(name) {
        None => Some(undefined(&end.table, name)),
        Some(column) => value::write(end.dialect(), column, value).err().map(|fault| record::named(end, fault)),
    })
}

/// Whether a record shows something else than expected.
fn moved(mapping: &Mapping, end: &MappedEnd, write: &Write, row: &Row) -> bool {
    write.expect.iter().any(|(name, expected)| {
        let shown = row.values.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let (Some(shown), Some(column)) = (shown, end.heard_column(name)) else { return false };
        let pair = mapping.fields.iter().find(|pair| pair.names[write.side] == *name);
        let canon = pair.map_or_else(|| value::natural(column.field.kind), |pair| pair.canon);
        !canon.same(expected, shown)
    })
}
