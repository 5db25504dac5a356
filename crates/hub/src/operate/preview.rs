//! What would be written now, and is not.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use tombolo_engine::sync::{Operation, Plan, Write};

use super::{
    check::{Survey, survey},
    desk::open_state,
    ledger::ConflictView,
    record::{Names, plain},
    rehearsal::Rehearsal,
};
use crate::{ErrorKind, Result, config::Config, state::State, systems::system::System};

/// What would be written now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// Whether no state was found, so that everything is planned as if for the first time.
    pub first_time: bool,
    /// The writes, by mapping, end and kind.
    pub writes: Vec<PlannedKind>,
    /// How many conflicts there would be.
    pub conflicts: usize,
    /// The first of them.
    pub shown_conflicts: Vec<ConflictView>,
}

/// Writes of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedKind {
    /// The mapping.
    pub mapping: String,
    /// The connection that would be written to.
    pub connection: String,
    /// The object or table there.
    pub entity: String,
    /// `create`, `update`, `delete`, `undelete`.
    pub operation: &'static str,
    /// How many.
    pub count: usize,
    /// The first of them.
    pub shown: Vec<Planned>,
}

/// A write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Planned {
    /// The record's key; none for one that is to be made.
    pub key: Option<String>,
    /// The key of the record at the other end, of one that is to be made.
    pub other: Option<String>,
    /// The fields and values.
    pub values: Map<String, Json>,
}

/// Says what would be written now: the engine works on both ends as they are, and every write is kept back. At most so
/// many of each kind are shown.
pub async fn plan(config: &Config, show: usize) -> Result<Preview> {
    let Survey { systems, resolved, findings } = survey(config).await?;
    let Some(resolved) = resolved else { return Err(findings.into()) };
    let plan = Arc::new(resolved.plan);
    for system in systems.values() {
        system.learn(Arc::clone(&plan)).await?;
    }
    let known = match open_state(config).await {
        Ok(state) => Some(state),
        // A hub that never ran has left nothing to go on from.
        Err(error) if error.kind() == ErrorKind::Usage => None,
        Err(error) => return Err(error),
    };
    preview(config, &plan, &systems, known.as_deref(), show).await
}

pub(super) async fn preview(
    config: &Config,
    plan: &Plan,
    systems: &BTreeMap<String, Arc<dyn System>>,
    known: Option<&dyn State>,
    show: usize,
) -> Result<Preview> {
    let mut rehearsal = Rehearsal::new(plan, systems, known).await?;
    rehearsal.run(&config.settings.engine).await?;
    let names = Names(config);
    let mut kinds: BTreeMap<(usize, usize, &'static str), PlannedKind> = BTreeMap::new();
    for write in &rehearsal.writes {
        let (operation, planned) = planned(write);
        let kind = kinds.entry((write.mapping, write.side as usize, operation)).or_insert_with(|| PlannedKind {
            mapping: names.mapping(write.mapping),
            connection: names.connection(write.mapping, write.side),
            entity: names.entity(write.mapping, write.side),
            operation,
            count: 0,
            shown: Vec::new(),
        });
        kind.count += 1;
        if kind.shown.len() < show {
            kind.shown.push(planned);
        }
    }
    let conflicts = rehearsal.conflicts.len();
    let shown = rehearsal.conflicts.into_iter().take(show).map(|conflict| ConflictView::new(names, conflict));
    Ok(Preview {
        first_time: known.is_none(),
        writes: kinds.into_values().collect(),
        conflicts,
        shown_conflicts: shown.collect(),
    })
}

fn planned(write: &Write) -> (&'static str, Planned) {
    let (operation, key, other) = match &write.operation {
        Operation::Create { key, other } => ("create", key.clone(), Some(other.clone())),
        Operation::Update(key) => ("update", Some(key.clone()), None),
        Operation::Delete(key) => ("delete", Some(key.clone()), None),
        Operation::Undelete(key) => ("undelete", Some(key.clone()), None),
    };
    let values = write.values.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    (operation, Planned { key, other, values })
}

impl Preview {
    /// How much of everything, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .writes
            .iter()
            .map(|kind| {
                let PlannedKind { mapping, connection, entity, operation, count, .. } = kind;
                let s = if *count == 1 { "" } else { "s" };
                format!("{mapping}: {count} {operation}{s} in {connection}.{entity}")
            })
            .collect();
        if self.writes.is_empty() {
            lines.push("nothing would be written".to_owned());
        }
        if self.conflicts > 0 {
            let (verb, s) = if self.conflicts == 1 { ("is", "") } else { ("are", "s") };
            lines.push(format!("there {verb} {} conflict{s}; --json shows what each end has", self.conflicts));
        }
        if self.first_time {
            lines.push("there is no state yet: this is what the first run would do".to_owned());
        }
        lines
    }
}
