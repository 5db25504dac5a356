//! What faults do to a record on its way into the store: automation that rewrites it, and failures.

use super::{faults, value, work::Work};
use crate::{
    core::{
        ObjectDef,
        faults::{FaultKind, Rewrite},
        record::{Fault, Input, Result},
    },
    store::Cell,
};
use tombolo_schema::{ErrorCode, Id};

/// Lets automation change what the write changed, as before-save automation does: the result is what is validated,
/// saved and told.
pub(super) fn rewrite(work: &Work<'_>, object: &ObjectDef, row: &mut [Cell], changed: &[usize]) -> Result<()> {
    for fault in work.rewrites(object) {
        let (Some(field), Some(how)) = (fault.field.as_deref().and_then(|name| object.field(name)), &fault.rewrite)
        else {
            continue;
        };
        let Some(column) = field.column.filter(|column| changed.contains(column)) else { continue };
        let written = match (&row[column], how) {
            (_, Rewrite::Set(value)) => value.clone(),
            (Cell::Text(text), how) => how.of(text),
            _ => continue,
        };
        row[column] = value::read(field, &Input::Untyped(written))?;
    }
    Ok(())
}

/// A duplicate rule warns of a record that a fault has chosen.
pub(super) fn warn_of_duplicates(work: &Work<'_>, object: &ObjectDef) -> Result<()> {
    if work.caller.duplicates_allowed {
        return Ok(());
    }
    match work.befallen(FaultKind::DuplicatesDetected, object) {
        Some(fault) => Err(faults::duplicates_detected(fault.message).into()),
        None => Ok(()),
    }
}

/// Refuses a record that a fault has chosen.
pub(super) fn fail(work: &Work<'_>, object: &ObjectDef, id: Option<Id>) -> Result<()> {
    if work.befallen(FaultKind::RowLock, object).is_some() {
        return Err(faults::row_locked(id).into());
    }
    let Some(fault) = work.befallen(FaultKind::PartialFailure, object) else { return Ok(()) };
    let code = fault.code.map_or(ErrorCode::FieldCustomValidationException, |code| ErrorCode::from(code.as_str()));
    let message = fault.message.unwrap_or_else(|| "The record is not saved: a fault was asked for".to_owned());
    Err(Fault::of_fields(code, message, &[]).into())
}
