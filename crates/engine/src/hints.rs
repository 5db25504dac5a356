//! Records known to have changed and not read since, and the position that this allows to be stored.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use tombolo_schema::Id;

use crate::{ChangeKind, Position, Row};

/// The records that have to be read again.
///
/// A change event is a hint: many of them on one record cost one read. A read settles a record only if no hint on it
/// came after the read was asked for, and a position may be stored only when every hint up to it is settled.
#[derive(Debug)]
pub(crate) struct Hints {
    records: BTreeMap<Id, Hint>,
    positions: VecDeque<(u64, Position)>,
    sequence: u64,
    retry: SignedDuration,
}

#[derive(Debug, Clone)]
struct Hint {
    first: u64,
    last: u64,
    cause: Cause,
    since: Timestamp,
    not_before: Timestamp,
    attempts: u8,
}

/// Why a record is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The source said that it changed, then.
    Told(ChangeKind, Timestamp),
    /// A list of the source and the mirror differ in it.
    Suspected,
}

/// What a read settled.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Records that are no more: neither live nor in the recycle bin.
    pub(crate) gone: Vec<Id>,
}

/// Rows that come late, or come older than their change, are asked for again this often.
const ATTEMPTS: u8 = 3;

impl Hints {
    /// No hints; a read that did not settle its record is repeated after `retry`.
    pub(crate) fn new(retry: SignedDuration) -> Self {
        Self { records: BTreeMap::new(), positions: VecDeque::new(), sequence: 0, retry }
    }

    /// Starts the next message of the source: what is added from here on belongs to this position.
    pub(crate) fn message(&mut self, position: Option<Position>) {
        self.sequence += 1;
        if let Some(position) = position {
            self.positions.push_back((self.sequence, position));
        }
    }

    /// Notes that a record has to be read.
    pub(crate) fn add(&mut self, now: Timestamp, id: Id, cause: Cause) {
        let sequence = self.sequence;
        let hint = self.records.entry(id).or_insert_with(|| Hint {
            first: sequence,
            last: sequence,
            cause,
            since: now,
            not_before: now,
            attempts: 0,
        });
        hint.last = sequence;
        hint.not_before = now;
        if let Cause::Told(..) = cause {
            hint.cause = cause;
            hint.attempts = 0;
        }
    }

    /// Whether nothing has to be read.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether this record has to be read.
    pub(crate) fn contains(&self, id: &Id) -> bool {
        self.records.contains_key(id)
    }

    /// What a read asked for now has seen: hand it back to [`Hints::settle`].
    pub(crate) const fn mark(&self) -> u64 {
        self.sequence
    }

    /// Whether all that was noted up to the mark is settled.
    pub(crate) fn settled_up_to(&self, mark: u64) -> bool {
        self.records.values().all(|hint| hint.first > mark)
    }

    /// When a batch is due: once its oldest hint has waited for `window`, at once when a batch is full.
    pub(crate) fn due(&self, window: SignedDuration, full: usize) -> Option<Timestamp> {
        if self.records.len() >= full {
            return self.records.values().map(|hint| hint.not_before).min();
        }
        self.records.values().map(|hint| hint.not_before.max(hint.since + window)).min()
    }

    /// The records to read now, those that wait longest first.
    pub(crate) fn batch(&self, now: Timestamp, most: usize) -> Vec<Id> {
        let mut ready: Vec<(u64, Id)> = self
            .records
            .iter()
            .filter(|(_, hint)| hint.not_before <= now)
            .map(|(id, hint)| (hint.first, *id))
            .collect();
        ready.sort_unstable();
        ready.truncate(most);
        ready.into_iter().map(|(_, id)| id).collect()
    }

    /// When the change that asks for this record was committed, where the source said so.
    pub(crate) fn committed(&self, id: &Id) -> Option<Timestamp> {
        match self.records.get(id)?.cause {
            Cause::Told(_, committed) => Some(committed),
            Cause::Suspected => None,
        }
    }

    /// Takes the answer to a read of `asked` that left when [`Hints::mark`] was `mark`.
    pub(crate) fn settle(&mut self, now: Timestamp, mark: u64, asked: &[Id], rows: &[Row]) -> Settled {
        let found: BTreeMap<Id, &Row> = rows.iter().map(|row| (row.id, row)).collect();
        let mut settled = Settled::default();
        for id in asked {
            let Some(hint) = self.records.get_mut(id) else { continue };
            let row = found.get(id).copied();
            let again = hint.attempts + 1 < ATTEMPTS && hint.is_early(row);
            if again {
                hint.attempts += 1;
                hint.not_before = now + self.retry;
            } else if hint.last <= mark {
                self.records.remove(id);
            } else {
                // All that is known is that a hint came after the request; the first of them may be the next message.
                hint.first = mark + 1;
                hint.since = now;
            }
            if row.is_none() && !again {
                settled.gone.push(*id);
            }
        }
        settled
    }

    /// Asks once more for a record whose row was older than what is stored.
    pub(crate) fn again(&mut self, now: Timestamp, id: Id) {
        let wait = self.retry;
        self.add(now, id, Cause::Suspected);
        if let Some(hint) = self.records.get_mut(&id) {
            hint.attempts += 1;
            hint.not_before = now + wait;
        }
    }

    /// The newest position behind which nothing waits any more. It is taken out: store it.
    pub(crate) fn position(&mut self) -> Option<Position> {
        let waiting = self.records.values().map(|hint| hint.first).min().unwrap_or(u64::MAX);
        let mut newest = None;
        while self.positions.front().is_some_and(|(sequence, _)| *sequence < waiting) {
            newest = self.positions.pop_front().map(|(_, position)| position);
        }
        newest
    }

    /// Forgets the positions: they belong to a stream that is lost. The records stay.
    pub(crate) fn forget_positions(&mut self) {
        self.positions.clear();
    }
}

impl Hint {
    /// Whether the source may not show the change yet: the row is missing though it was not deleted, or older than
    /// the change. A stamp may be older for good, because it is taken before the commit, so this is asked a few times
    /// and then believed.
    fn is_early(&self, row: Option<&Row>) -> bool {
        match (self.cause, row) {
            (Cause::Told(ChangeKind::Delete, _), None) | (Cause::Suspected, _) => false,
            (Cause::Told(..), None) => true,
            (Cause::Told(_, committed), Some(row)) => {
                self.attempts == 0 && row.stamp.as_second() < committed.as_second()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn id(number: u64) -> Id {
        Id::from_number(*b"001", number)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn position(number: u8) -> Option<Position> {
        Some(Position {
            source: "org".to_owned(),
            channel: "c".to_owned(),
            transport: Transport::CometD,
            bytes: vec![number],
            committed: at(0),
        })
    }

    fn row(number: u64, second: i64) -> Row {
        Row { id: id(number), stamp: at(second), deleted: false, values: Vec::new() }
    }

    fn told(second: i64) -> Cause {
        Cause::Told(ChangeKind::Update, at(second))
    }

    fn stored(hints: &mut Hints) -> Option<u8> {
        hints.position().map(|position| position.bytes[0])
    }

    #[test]
    fn a_position_waits_for_every_hint_up_to_it() {
        let mut hints = Hints::new(SignedDuration::from_secs(1));
        hints.message(position(1));
        hints.add(at(1), id(1), told(1));
        hints.message(position(2));
        hints.add(at(1), id(2), told(1));
        assert_eq!(stored(&mut hints), None);
        let mark = hints.mark();
        hints.settle(at(2), mark, &[id(2)], &[row(2, 1)]);
        assert_eq!(stored(&mut hints), None, "the first message waits still");
        hints.settle(at(2), mark, &[id(1)], &[row(1, 1)]);
        assert_eq!(stored(&mut hints), Some(2));
        hints.message(position(3));
        assert_eq!(stored(&mut hints), Some(3), "a message without records holds nothing up");
    }

    #[test]
    fn a_hint_after_the_request_is_read_again() {
        let mut hints = Hints::new(SignedDuration::from_secs(1));
        hints.message(position(1));
        hints.add(at(1), id(1), told(1));
        let mark = hints.mark();
        hints.message(position(2));
        hints.add(at(1), id(1), told(1));
        hints.settle(at(2), mark, &[id(1)], &[row(1, 1)]);
        assert_eq!(stored(&mut hints), Some(1));
        assert_eq!(hints.batch(at(2), 10), [id(1)]);
        hints.settle(at(3), hints.mark(), &[id(1)], &[row(1, 1)]);
        assert_eq!(stored(&mut hints), Some(2));
        assert!(hints.is_empty());
    }

    #[test]
    fn a_row_that_is_missing_or_too_old_is_asked_for_again() {
        for (cause, answer, reads, gone) in [
            (told(5), Some(5), 1, false),
            (told(5), Some(4), 2, false),
            (told(5), None, 3, true),
            (Cause::Told(ChangeKind::Delete, at(5)), None, 1, true),
            (Cause::Suspected, None, 1, true),
            (Cause::Suspected, Some(1), 1, false),
        ] {
            let mut hints = Hints::new(SignedDuration::from_secs(1));
            hints.message(None);
            hints.add(at(5), id(1), cause);
            let (mut asked, mut was_gone, mut now) = (0, false, at(5));
            while !hints.is_empty() {
                assert_eq!(hints.batch(now, 10), [id(1)]);
                let rows: Vec<Row> = answer.map(|second| row(1, second)).into_iter().collect();
                was_gone = !hints.settle(now, hints.mark(), &[id(1)], &rows).gone.is_empty();
                asked += 1;
                now += SignedDuration::from_secs(1);
            }
            assert_eq!((asked, was_gone), (reads, gone), "{cause:?} {answer:?}");
        }
    }

    #[test]
    fn hints_wait_for_company_but_not_for_long() {
        let window = SignedDuration::from_millis(300);
        let mut hints = Hints::new(SignedDuration::from_secs(1));
        assert_eq!(hints.due(window, 2), None);
        hints.message(None);
        hints.add(at(1), id(1), told(1));
        assert_eq!(hints.due(window, 2), Some(at(1) + window));
        hints.add(at(1), id(2), told(1));
        assert_eq!(hints.due(window, 2), Some(at(1)), "a full batch does not wait");
    }
}
