//! Looking for the records that writes of unknown outcome were to make, by the other side's key that they carry. Where a
//! hub dies in the middle of thousands of creates there are as many questions: what waits together is one query.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value as Json;
use tokio::sync::oneshot;
use tombolo_client::Record;
use tombolo_engine::sync::{Answer, Key, Mapping, MappingIndex, Row, Side};
use tombolo_soql::quote;

use super::{
    Asked, Shared,
    object::Known,
    outcome,
    read::{Scope, refused},
    value,
};

/// So many keys are looked for in one query.
const AT_ONCE: usize = 200;

type Waiting = Vec<(Key, oneshot::Sender<Answer>)>;

/// What is looked for, until somebody's turn comes: he asks for all of it.
#[derive(Default)]
pub(super) struct Lookups {
    waiting: Mutex<HashMap<(MappingIndex, Side), Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

impl Lookups {
    fn push(&self, end: (MappingIndex, Side), key: &Key) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(end).or_default().push((key.clone(), sender));
        receiver
    }

    /// Those that still wait, the own one among them: as many as one query takes.
    fn take(&self, end: (MappingIndex, Side)) -> Waiting {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = waiting.get_mut(&end) else { return Waiting::new() };
        all.retain(|(_, sender)| !sender.is_closed());
        all.drain(..all.len().min(AT_ONCE)).collect()
    }
}

impl Shared {
    /// The records that carry this key of the other side.
    pub(super) async fn external(
        &self,
        index: MappingIndex,
        mapping: &Mapping,
        side: Side,
        other: &Key,
    ) -> Asked<Answer> {
        let mut answer = self.lookups.push((index, side), other);
        let _turn = self.lookups.turn.lock().await;
        if let Ok(answer) = answer.try_recv() {
            return Ok(answer);
        }
        let waiting = self.lookups.take((index, side));
        let mut keys: Vec<Key> = waiting.iter().map(|(key, _)| key.clone()).collect();
        if !keys.contains(other) {
            // There were more than one query takes, or somebody took it along and gave up.
            keys.push(other.clone());
        }
        keys.sort_unstable();
        keys.dedup();
        match self.carriers(mapping, side, &keys).await {
            Ok(mut found) => {
                for (key, sender) in waiting {
                    drop(sender.send(found.get(&key).cloned().unwrap_or_else(|| nobody(None))));
                }
                Ok(found.remove(other).unwrap_or_else(|| nobody(None)))
            }
            Err(error) => {
                for (_, sender) in waiting {
                    drop(sender.send(outcome::unread(&error)));
                }
                Err(error)
            }
        }
    }

    /// The records that carry these keys, by key.
    async fn carriers(&self, mapping: &Mapping, side: Side, keys: &[Key]) -> Asked<HashMap<Key, Answer>> {
        let all = |answer: Answer| keys.iter().map(|key| (key.clone(), answer.clone())).collect();
        let columns = self.columns(mapping, side, None).await?;
        let field = mapping.ends[side].external_id.as_deref().and_then(|name| columns.object.field(name));
        let Some(field) = field else {
            return Ok(all(refused("INVALID_FIELD", "no field carries the other side's key")));
        };
        // What the field cannot hold nobody has in it.
        let held = keys.iter().filter_map(|key| Some((key, carried(key, field)?)));
        let held: Vec<(&Key, Json)> = held.collect();
        if held.is_empty() {
            return Ok(all(nobody(None)));
        }
        let literals: Vec<String> = held.iter().map(|(_, value)| literal(value)).collect();
        let condition = match literals.as_slice() {
            [one] => format!("{} = {one} LIMIT 2", field.name),
            many => format!("{} IN ({})", field.name, many.join(",")),
        };
        let soql = format!("{} WHERE {condition}", columns.select_with(&field.name));
        let found = self.asked(&soql, Scope::Live).await?;
        let ours = self.user().await?;
        let carries = |record: &Record, value: &Json| {
            held.len() == 1 || record.get(&field.name).is_some_and(|shown| same(shown, value))
        };
        let answers = held.iter().map(|(key, value)| {
            let of_key = found.records.iter().filter(|record| carries(record, value));
            let rows: Vec<Row> = of_key.filter_map(|record| columns.row(record, ours)).collect();
            ((*key).clone(), Answer::Rows { rows, next: None, server: found.server })
        });
        Ok(answers.collect())
    }
}

fn nobody(server: Option<jiff::Timestamp>) -> Answer {
    Answer::Rows { rows: Vec::new(), next: None, server }
}

/// The key as the field holds it.
fn carried(key: &Key, field: &Known) -> Option<Json> {
    value::write(&key.as_str().into(), field).ok()
}

fn literal(value: &Json) -> String {
    match value {
        Json::String(text) => quote(text),
        number => number.to_string(),
    }
}

/// Whether a field shows a key, as a query compares it: without regard to case.
fn same(shown: &Json, key: &Json) -> bool {
    match (shown, key) {
        (Json::String(shown), Json::String(key)) => shown.to_lowercase() == key.to_lowercase(),
        (Json::Number(shown), Json::Number(key)) => shown.as_f64() == key.as_f64(),
        _ => false,
    }
}
