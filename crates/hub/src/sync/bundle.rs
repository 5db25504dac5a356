//! Several transactions in one: what was asked for while the state store was busy is put away together.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use tombolo_engine::sync::Transaction;

/// Adds a later transaction to an earlier one, so that putting away the sum does what putting away both would.
pub(super) fn add(sum: &mut Transaction, mut later: Transaction) {
    sum.heard.append(&mut later.heard);
    sum.decided.append(&mut later.decided);
    let revived: HashSet<_> = later.dead_letters.iter().map(|letter| (letter.link, letter.side)).collect();
    sum.delivered.retain(|delivered| !revived.contains(delivered));
    let delivered: HashSet<_> = later.delivered.iter().copied().collect();
    sum.dead_letters.retain(|letter| !delivered.contains(&(letter.link, letter.side)));
    sum.delivered.append(&mut later.delivered);
    let forgotten: HashSet<_> = later.forgotten.iter().copied().collect();
    sum.links.retain(|row| !forgotten.contains(&row.link.id));
    sum.forgotten.append(&mut later.forgotten);
    sum.history.append(&mut later.history);
    sum.commands.append(&mut later.commands);
    sum.operations.append(&mut later.operations);
    put(&mut sum.links, later.links, |row| row.link.id);
    put(&mut sum.sources, later.sources, |(source, _)| source.clone());
    put(&mut sum.conflicts, later.conflicts, |conflict| conflict.id.clone());
    put(&mut sum.dead_letters, later.dead_letters, |letter| (letter.link, letter.side));
    put(&mut sum.gaps, later.gaps, |gap| gap.id);
    put(&mut sum.jobs, later.jobs, |(name, _)| name.clone());
    put(&mut sum.mappings, later.mappings, |(index, _)| *index);
}

/// Later rows replace earlier ones of the same key.
fn put<T, K: Hash + Eq>(rows: &mut Vec<T>, later: Vec<T>, key: impl Fn(&T) -> K) {
    if !later.is_empty() {
        rows.extend(later);
        last_of_each(rows, key);
    }
}

/// Keeps the last row of each key, in the order of the first ones.
fn last_of_each<T, K: Hash + Eq>(rows: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut places: HashMap<K, usize> = HashMap::with_capacity(rows.len());
    let mut kept: Vec<T> = Vec::with_capacity(rows.len());
    for row in rows.drain(..) {
        match places.entry(key(&row)) {
            std::collections::hash_map::Entry::Occupied(at) => kept[*at.get()] = row,
            std::collections::hash_map::Entry::Vacant(at) => {
                at.insert(kept.len());
                kept.push(row);
            }
        }
    }
    *rows = kept;
}

/// One transaction may itself name a key twice: the last one counts.
pub(super) fn tidy(transaction: &mut Transaction) {
    last_of_each(&mut transaction.links, |row| row.link.id);
    last_of_each(&mut transaction.sources, |(source, _)| source.clone());
    last_of_each(&mut transaction.conflicts, |conflict| conflict.id.clone());
    last_of_each(&mut transaction.dead_letters, |letter| (letter.link, letter.side));
    last_of_each(&mut transaction.gaps, |gap| gap.id);
    last_of_each(&mut transaction.jobs, |(name, _)| name.clone());
    last_of_each(&mut transaction.mappings, |(index, _)| *index);
    last_of_each(&mut transaction.delivered, |delivered| *delivered);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tombolo_engine::sync::{DeadLetter, Link, LinkRow, Refusal, Side};

    use super::*;

    fn link(id: u64, writes: u64) -> LinkRow {
        let mut link = Link::new(id, 0, 0);
        link.writes = writes;
        LinkRow { link, matches: [None, None], active: false }
    }

    fn letter(link: u64) -> DeadLetter {
        let cause = Refusal { code: String::new(), message: String::new(), fields: Vec::new(), passing: false };
        let at = Timestamp::UNIX_EPOCH;
        DeadLetter { link, side: Side::Left, mapping: 0, keys: [None, None], fields: Vec::new(), cause, at }
    }

    #[test]
    fn the_later_of_two_counts() {
        let mut sum = Transaction { links: vec![link(1, 1), link(2, 1)], ..Transaction::default() };
        add(&mut sum, Transaction { links: vec![link(1, 2)], forgotten: vec![2], ..Transaction::default() });
        assert_eq!(sum.links, [link(1, 2)]);
        assert_eq!(sum.forgotten, [2]);
    }

    #[test]
    fn a_dead_letter_that_was_delivered_is_none_and_one_that_came_back_is_one() {
        let mut sum = Transaction { dead_letters: vec![letter(1)], ..Transaction::default() };
        add(&mut sum, Transaction { delivered: vec![(1, Side::Left)], ..Transaction::default() });
        assert!(sum.dead_letters.is_empty());
        add(&mut sum, Transaction { dead_letters: vec![letter(1)], ..Transaction::default() });
        assert_eq!((sum.dead_letters.len(), sum.delivered.len()), (1, 0));
    }
}
