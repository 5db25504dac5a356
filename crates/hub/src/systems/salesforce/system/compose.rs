//! How a batch becomes requests: as few as will do, each record in one of them.

use serde_json::Value as Json;
use tombolo_client::{ApiError, ErrorKind, Fields};
use tombolo_engine::sync::{Key, Operation};

use super::WriteRules;

/// Records in a collection, and in an undelete (rest.md 3.5).
const RECORDS: usize = 200;
/// Runs of records of one object in a collection (rest.md 3.5).
const RUNS: usize = 10;
/// Collections in a composite, and rows (rest.md 3.1).
const COLLECTIONS: usize = 5;
const ROWS: usize = 25;

/// A write as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// Its place in the batch.
    pub(super) place: usize,
    pub(super) operation: Operation,
    pub(super) object: String,
    /// Of a record that is there.
    pub(super) id: Option<Key>,
    pub(super) fields: Fields,
    /// Nothing is written if the record changed after this.
    pub(super) since: Option<jiff::Timestamp>,
    /// Locks the same parent as others of its group.
    pub(super) group: Option<Key>,
    pub(super) rules: WriteRules,
    /// The field that carries the other side's key.
    pub(super) external_id: Option<String>,
    /// Whether a field that refers to another record is set.
    pub(super) has_references: bool,
}

impl Prepared {
    /// Whether a text has the form of a reference to another part of a composite, which would be filled in.
    fn refers(&self) -> bool {
        self.fields.values().any(|value| matches!(value, Json::String(text) if text.contains("@{")))
    }

    /// Whether a create was refused because the other side's key is taken: another unique field is another matter.
    pub(super) fn is_twin(&self, error: &ApiError) -> bool {
        let Some(external_id) = &self.external_id else { return false };
        let named = error.named_fields();
        matches!(self.operation, Operation::Create { .. })
            && (named.is_empty() || named.iter().any(|name| name.eq_ignore_ascii_case(external_id)))
    }

    /// Whether an error of a whole collection is about this record: it names a field that does not exist.
    pub(super) fn sets(&self, field: &str) -> bool {
        self.fields.keys().any(|name| name.eq_ignore_ascii_case(field))
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) rules: WriteRules,
    pub(super) kind: CallKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallKind {
    Undelete(Vec<usize>),
    Composite(Vec<Part>),
    /// One that cannot be, or could not be, part of a composite.
    Alone(Part),
}

/// A part of a request, by the places of its writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Create(Vec<usize>),
    Update(Vec<usize>),
    Delete(Vec<usize>),
    Conditional(usize),
}

impl Part {
    pub(super) fn places(&self) -> &[usize] {
        match self {
            Self::Create(places) | Self::Update(places) | Self::Delete(places) => places,
            Self::Conditional(place) => std::slice::from_ref(place),
        }
    }

    /// The same of these places only; none of none.
    pub(super) fn only(&self, keep: impl Fn(usize) -> bool) -> Option<Self> {
        let kept: Vec<usize> = self.places().iter().copied().filter(|place| keep(*place)).collect();
        if kept.is_empty() {
            return None;
        }
        Some(match self {
            Self::Create(_) => Self::Create(kept),
            Self::Update(_) => Self::Update(kept),
            Self::Delete(_) => Self::Delete(kept),
            Self::Conditional(place) => Self::Conditional(*place),
        })
    }

    /// Both halves, so that one record that spoils the request is found.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let (left, right) = self.places().split_at(self.places().len() / 2);
        let (left, right) = (left.to_vec(), right.to_vec());
        if left.is_empty() {
            return None;
        }
        Some(match self {
            Self::Create(_) => [Self::Create(left), Self::Create(right)],
            Self::Update(_) => [Self::Update(left), Self::Update(right)],
            Self::Delete(_) => [Self::Delete(left), Self::Delete(right)],
            Self::Conditional(_) => return None,
        })
    }
}

/// The requests for these writes, in the order in which they are made: what comes back comes first, parents come
/// before their children, and deletes last, children before their parents.
pub(super) fn calls(writes: &[Prepared]) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut rules: Vec<WriteRules> = Vec::new();
    for write in writes {
        if !rules.contains(&write.rules) {
            rules.push(write.rules);
        }
    }
    for rules in rules {
        let writes: Vec<&Prepared> = sorted(writes.iter().filter(|write| write.rules == rules).collect());
        calls.extend(kinds(&writes).into_iter().map(|kind| Call { rules, kind }));
    }
    calls
}

fn kinds(writes: &[&Prepared]) -> Vec<CallKind> {
    let of = |wanted: fn(&Prepared) -> bool| writes.iter().copied().filter(move |write| wanted(write));
    let undeletes: Vec<usize> =
        of(|write| matches!(write.operation, Operation::Undelete(_))).map(|write| write.place).collect();
    let mut kinds: Vec<CallKind> =
        undeletes.chunks(RECORDS).map(|places| CallKind::Undelete(places.to_vec())).collect();

    let (mut heavy, mut rows, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let creates: Vec<&Prepared> = of(|write| matches!(write.operation, Operation::Create { .. })).collect();
    let updates: Vec<&Prepared> = of(updates).collect();
    let mut deletes: Vec<&Prepared> = of(|write| matches!(write.operation, Operation::Delete(_))).collect();
    deletes.reverse();
    for (list, part) in
        [(creates, Part::Create as fn(Vec<usize>) -> Part), (updates, Part::Update), (deletes, Part::Delete)]
    {
        let (referring, plain): (Vec<&Prepared>, Vec<&Prepared>) = list.into_iter().partition(|write| write.refers());
        heavy.extend(collections(&plain).into_iter().map(part));
        alone.extend(collections(&referring).into_iter().map(part));
    }
    for write in of(is_conditional) {
        let part = Part::Conditional(write.place);
        if write.refers() { alone.push(part) } else { rows.push(part) }
    }
    kinds.extend(heavy.chunks(COLLECTIONS).map(|parts| CallKind::Composite(parts.to_vec())));
    kinds.extend(rows.chunks(ROWS).map(|parts| CallKind::Composite(parts.to_vec())));
    kinds.extend(alone.into_iter().map(CallKind::Alone));
    kinds
}

fn is_conditional(write: &Prepared) -> bool {
    matches!(write.operation, Operation::Update(_)) && write.since.is_some()
}

/// A record that comes back gets its fields afterwards.
fn updates(write: &Prepared) -> bool {
    match write.operation {
        Operation::Update(_) => !is_conditional(write),
        Operation::Undelete(_) => !write.fields.is_empty(),
        Operation::Create { .. } | Operation::Delete(_) => false,
    }
}

/// By object and by group, each in the order of its first write.
fn sorted(mut writes: Vec<&Prepared>) -> Vec<&Prepared> {
    let mut objects: Vec<&str> = Vec::new();
    let mut groups: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    let mut ranks = Vec::with_capacity(writes.len());
    for (at, write) in writes.iter().enumerate() {
        let object = objects.iter().position(|known| *known == write.object).unwrap_or_else(|| {
            objects.push(&write.object);
            objects.len() - 1
        });
        let group = write.group.as_deref().map_or(at, |group| *groups.entry(group).or_insert(at));
        ranks.push((object, group, at));
    }
    let mut order: Vec<usize> = (0..writes.len()).collect();
    order.sort_by_key(|at| ranks[*at]);
    writes = order.into_iter().map(|at| writes[at]).collect();
    writes
}

/// Cuts into collections of at most 200 records and ten runs of an object.
fn collections(writes: &[&Prepared]) -> Vec<Vec<usize>> {
    let mut collections: Vec<Vec<usize>> = Vec::new();
    let (mut runs, mut last) = (0, "");
    for write in writes {
        let next = usize::from(write.object != last);
        let full = collections.last().is_none_or(|places| places.len() == RECORDS || runs + next > RUNS);
        if full {
            collections.push(Vec::new());
            runs = 0;
        }
        runs += if full { 1 } else { next };
        last = &write.object;
        if let Some(places) = collections.last_mut() {
            places.push(write.place);
        }
    }
    collections
}

/// Whether an error of a whole part is about what one of its records says, so that the others may be sent without it.
pub(super) fn is_about_records(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::UnknownOutcome | ErrorKind::Halted | ErrorKind::Locked | ErrorKind::PreconditionFailed)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    pub(in crate::systems::salesforce::system) fn write(place: usize, operation: Operation) -> Prepared {
        let id = match &operation {
            Operation::Create { .. } => None,
            Operation::Update(key) | Operation::Delete(key) | Operation::Undelete(key) => Some(key.clone()),
        };
        Prepared {
            place,
            operation,
            object: "Contact".to_owned(),
            id,
            fields: json!({ "LastName": "x" }).as_object().cloned().unwrap(),
            since: None,
            group: None,
            rules: WriteRules::default(),
            external_id: Some("Penguin_Id__c".to_owned()),
            has_references: false,
        }
    }

    pub(in crate::systems::salesforce::system) fn update(place: usize) -> Prepared {
        write(place, Operation::Update(format!("003{place}")))
    }

    pub(in crate::systems::salesforce::system) fn create(place: usize) -> Prepared {
        write(place, Operation::Create { key: None, other: place.to_string() })
    }

    fn delete(place: usize) -> Prepared {
        write(place, Operation::Delete(format!("003{place}")))
    }

    fn undelete(place: usize) -> Prepared {
        write(place, Operation::Undelete(format!("003{place}")))
    }

    fn kinds_of(writes: &[Prepared]) -> Vec<CallKind> {
        calls(writes).into_iter().map(|call| call.kind).collect()
    }

    #[test]
    fn a_thousand_records_are_one_call() {
        let writes: Vec<Prepared> = (0..1000).map(update).collect();
        let calls = kinds_of(&writes);
        let [CallKind::Composite(parts)] = &calls[..] else { panic!("{calls:?}") };
        assert_eq!(parts.iter().map(|part| part.places().len()).collect::<Vec<_>>(), [200; 5]);
        assert_eq!(kinds_of(&(0..1001).map(update).collect::<Vec<_>>()).len(), 2);
    }

    #[test]
    fn each_operation_has_its_own_part() {
        let writes = [delete(0), update(1), create(2), undelete(3), update(4)];
        assert_eq!(
            kinds_of(&writes),
            [
                CallKind::Undelete(vec![3]),
                CallKind::Composite(vec![Part::Create(vec![2]), Part::Update(vec![1, 3, 4]), Part::Delete(vec![0])])
            ]
        );
        let bare = Prepared { fields: Fields::new(), ..undelete(0) };
        assert_eq!(kinds_of(&[bare]), [CallKind::Undelete(vec![0])]);
    }

    #[test]
    fn parents_come_first_and_children_go_first() {
        let account = |write: Prepared| Prepared { object: "Account".to_owned(), ..write };
        let writes = [account(create(0)), create(1), account(create(2)), account(delete(3)), delete(4)];
        assert_eq!(
            kinds_of(&writes),
            [CallKind::Composite(vec![Part::Create(vec![0, 2, 1]), Part::Delete(vec![4, 3])])]
        );
    }

    #[test]
    fn what_locks_the_same_parent_goes_together() {
        let grouped = |place, group: &str| Prepared { group: Some(group.to_owned()), ..update(place) };
        let writes: Vec<Prepared> = (0..400).map(|place| grouped(place, ["a", "b"][place % 2])).collect();
        let calls = kinds_of(&writes);
        let [CallKind::Composite(parts)] = &calls[..] else { panic!("{calls:?}") };
        for (part, remainder) in parts.iter().zip([0, 1]) {
            assert!(part.places().iter().all(|place| place % 2 == remainder));
        }
    }

    #[test]
    fn conditional_updates_are_rows_of_their_own() {
        let conditional = |place| Prepared { since: Some(jiff::Timestamp::UNIX_EPOCH), ..update(place) };
        let writes: Vec<Prepared> = (0..30).map(conditional).chain([update(30)]).collect();
        let calls = kinds_of(&writes);
        let sizes: Vec<usize> = calls
            .iter()
            .map(|call| match call {
                CallKind::Composite(parts) => parts.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [1, 25, 5]);
    }

    #[test]
    fn what_looks_like_a_reference_is_sent_by_itself() {
        let odd = |write: Prepared| Prepared {
            fields: json!({ "LastName": "@{p0.id}" }).as_object().cloned().unwrap(),
            ..write
        };
        assert_eq!(
            kinds_of(&[update(0), odd(update(1)), odd(create(2))]),
            [
                CallKind::Composite(vec![Part::Update(vec![0])]),
                CallKind::Alone(Part::Create(vec![2])),
                CallKind::Alone(Part::Update(vec![1]))
            ]
        );
    }

    #[test]
    fn rules_are_of_a_whole_call() {
        let ruled =
            |place| Prepared { rules: WriteRules { assignment_rules: true, ..WriteRules::default() }, ..update(place) };
        let calls = calls(&[update(0), ruled(1), update(2)]);
        assert_eq!(calls.iter().map(|call| call.rules.assignment_rules).collect::<Vec<_>>(), [false, true]);
    }

    proptest! {
        /// Every write is made once, and no request is larger than Salesforce takes.
        #[test]
        fn every_write_is_in_one_part(kinds in prop::collection::vec((0u8..5, 0u8..14, 0u8..4), 0..700)) {
            let writes: Vec<Prepared> = kinds.iter().enumerate().map(|(place, (kind, object, group))| {
                let write = match kind {
                    0 => create(place),
                    1 | 2 => update(place),
                    3 => delete(place),
                    _ => undelete(place),
                };
                let since = (*kind == 2).then_some(jiff::Timestamp::UNIX_EPOCH);
                let group = (*group > 0).then(|| group.to_string());
                Prepared { object: format!("Object{object}"), since, group, ..write }
            }).collect();
            let mut seen = vec![0; writes.len()];
            for call in calls(&writes) {
                let parts = match call.kind {
                    CallKind::Undelete(places) => { prop_assert!(places.len() <= 200); continue },
                    CallKind::Composite(parts) => parts,
                    CallKind::Alone(part) => vec![part],
                };
                let heavy = parts.iter().filter(|part| !matches!(part, Part::Conditional(_))).count();
                prop_assert!(heavy <= 5 && parts.len() <= 25);
                for part in parts {
                    prop_assert!(part.places().len() <= 200);
                    let runs = part.places().chunk_by(|a, b| writes[*a].object == writes[*b].object).count();
                    prop_assert!(runs <= 10, "{runs}");
                    for place in part.places() { seen[*place] += 1; }
                }
            }
            prop_assert!(seen.iter().all(|count| *count == 1));
        }
    }
}
