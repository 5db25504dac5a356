//! A transaction of the engine as rows, made before anything is locked.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_engine::sync::{LinkId, LinkRow, Side, Transaction};

use super::{
    bulk::{Bulk, Known},
    dialect::indexed,
    row::{fingerprint, half, json, micros, present, signed},
    side_index,
};
use crate::Result;

/// What is written, made before the lease is locked.
pub(super) struct Prepared {
    pub(super) greatest: [u64; 3],
    pub(super) heard: Heard,
    pub(super) journal: Vec<JournalRow>,
    pub(super) decided: Vec<i64>,
    pub(super) forgotten: Vec<i64>,
    pub(super) links: Bulk,
    pub(super) keys: Keys,
    /// Links with nothing under way, and those with something.
    pub(super) quiet: Vec<i64>,
    pub(super) active: Bulk,
    pub(super) delivered: [Vec<i64>; 2],
    pub(super) finished: Vec<String>,
    pub(super) commands: Vec<i64>,
    pub(super) others: Vec<Bulk>,
}

pub(super) struct JournalRow {
    pub(super) place: u64,
    pub(super) connection: String,
    pub(super) identity: String,
    pub(super) heard: i64,
    pub(super) body: String,
}

impl Prepared {
    pub(super) fn of(shard: u64, transaction: &Transaction) -> Result<Self> {
        let number = signed(shard)?;
        let forgotten: BTreeSet<LinkId> = transaction.forgotten.iter().copied().collect();
        let ids = |numbers: &[u64]| numbers.iter().map(|number| signed(*number)).collect::<Result<Vec<_>>>();
        let (heard, journal) = journal_rows(transaction)?;
        // Of two states of one link the later counts.
        let last: Last<'_> = transaction.links.iter().map(|row| (row.link.id, row)).collect();
        let (links, keys) = link_rows(number, &last, &forgotten)?;
        let quiet = last.iter().filter(|(_, row)| !row.active).map(|(id, _)| *id);
        let mut delivered = [Vec::new(), Vec::new()];
        for (link, side) in &transaction.delivered {
            delivered[*side].push(signed(*link)?);
        }
        let jobs: BTreeMap<_, _> = transaction.jobs.iter().map(|(name, job)| (name, job)).collect();
        let finished = jobs.iter().filter(|(_, job)| job.is_none());
        Ok(Self {
            greatest: [
                transaction.links.iter().map(|row| row.link.id).chain(forgotten.iter().copied()).max(),
                transaction.heard.iter().map(|entry| entry.place).max(),
                transaction.gaps.iter().map(|gap| gap.id).max(),
            ]
            .map(Option::unwrap_or_default),
            heard,
            journal,
            decided: ids(&transaction.decided)?,
            forgotten: ids(&transaction.forgotten)?,
            links,
            keys,
            quiet: quiet.chain(transaction.forgotten.iter().copied()).map(signed).collect::<Result<_>>()?,
            active: active(number, &last, &forgotten)?,
            delivered,
            finished: finished.map(|(name, _)| indexed(name).into_owned()).collect(),
            commands: ids(&transaction.commands)?,
            // `operations` are rows of the application's database: who holds its connection deletes them.
            others: vec![
                history(number, transaction, &forgotten)?,
                conflicts(number, transaction, &forgotten)?,
                dead_letters(number, transaction, &forgotten)?,
                gaps(number, transaction)?,
                jobs_under_way(number, transaction)?,
                sources(number, transaction)?,
                mappings(number, transaction)?,
            ],
        })
    }
}

/// By connection: identities as they are in the index, and their places.
pub(super) type Heard = BTreeMap<String, Vec<(String, u64)>>;

fn journal_rows(transaction: &Transaction) -> Result<(Heard, Vec<JournalRow>)> {
    let mut heard = Heard::new();
    let mut rows = Vec::with_capacity(transaction.heard.len());
    for entry in &transaction.heard {
        let connection = indexed(&entry.news.connection).into_owned();
        let identity = indexed(&entry.news.identity).into_owned();
        heard.entry(connection.clone()).or_default().push((identity.clone(), entry.place));
        let (heard, body) = (micros(entry.heard), json(entry)?);
        rows.push(JournalRow { place: entry.place, connection, identity, heard, body });
    }
    Ok((heard, rows))
}

/// The keys of each link as they are in the index.
pub(super) type Keys = BTreeMap<i64, [Option<String>; 2]>;

type Last<'a> = BTreeMap<LinkId, &'a LinkRow>;

fn active(shard: i64, last: &Last<'_>, forgotten: &BTreeSet<LinkId>) -> Result<Bulk> {
    let mut rows = Bulk::new("active", &["shard", "link"], Known::Kept);
    for id in last.iter().filter(|(id, row)| row.active && !forgotten.contains(id)).map(|(id, _)| *id) {
        rows.push([shard.into(), signed(id)?.into()]);
    }
    Ok(rows)
}

fn link_rows(shard: i64, last: &Last<'_>, forgotten: &BTreeSet<LinkId>) -> Result<(Bulk, Keys)> {
    let names = &[
        "shard",
        "id",
        "mapping",
        "left_key",
        "right_key",
        "left_present",
        "right_present",
        "left_match",
        "right_match",
        "half",
        "parked_mapping",
        "parked_side",
        "parked_key",
        "body",
    ];
    let mut links = Bulk::new("links", names, Known::Replaced(2));
    let mut keys = Keys::new();
    let short = |text: &Option<String>| text.as_deref().map(|text| indexed(text).into_owned());
    for (id, row) in last.iter().filter(|(id, _)| !forgotten.contains(id)) {
        let link = &row.link;
        let (id, both) = (signed(*id)?, [short(&link.keys[0]), short(&link.keys[1])]);
        let [left, right] = both.clone();
        keys.insert(id, both);
        let parent = link.parked.as_ref().map(|parked| &parked.parent);
        links.push([
            shard.into(),
            id.into(),
            (link.mapping as i64).into(),
            left.into(),
            right.into(),
            i64::from(present(link, Side::Left)).into(),
            i64::from(present(link, Side::Right)).into(),
            short(&row.matches[0]).into(),
            short(&row.matches[1]).into(),
            half(link).map(|side| i64::from(side_index(side))).into(),
            parent.map(|(mapping, _, _)| *mapping as i64).into(),
            parent.map(|(_, side, _)| i64::from(side_index(*side))).into(),
            parent.map(|(_, _, key)| indexed(key).into_owned()).into(),
            json(link)?.into(),
        ]);
    }
    Ok((links, keys))
}

/// A step is known by its link, its moment, its place in the transaction and what it says: repeated, it stays one.
fn history(shard: i64, transaction: &Transaction, forgotten: &BTreeSet<LinkId>) -> Result<Bulk> {
    let mut rows = Bulk::new("history", &["shard", "link", "at", "ordinal", "digest", "body"], Known::Kept);
    for (ordinal, step) in transaction.history.iter().enumerate() {
        if !forgotten.contains(&step.link) {
            let body = json(step)?;
            rows.push([
                shard.into(),
                signed(step.link)?.into(),
                micros(step.at).into(),
                (ordinal as i64).into(),
                fingerprint(&body).into(),
                body.into(),
            ]);
        }
    }
    Ok(rows)
}

fn conflicts(shard: i64, transaction: &Transaction, forgotten: &BTreeSet<LinkId>) -> Result<Bulk> {
    let names = &["shard", "id", "link", "mapping", "at", "undecided", "body"];
    let mut rows = Bulk::new("conflicts", names, Known::Replaced(2));
    let last: BTreeMap<_, _> = transaction.conflicts.iter().map(|conflict| (&conflict.id, conflict)).collect();
    for (id, conflict) in last.into_iter().filter(|(_, conflict)| !forgotten.contains(&conflict.link)) {
        rows.push([
            shard.into(),
            indexed(id).into_owned().into(),
            signed(conflict.link)?.into(),
            (conflict.mapping as i64).into(),
            micros(conflict.at).into(),
            i64::from(conflict.winner.is_none()).into(),
            json(conflict)?.into(),
        ]);
    }
    Ok(rows)
}

fn dead_letters(shard: i64, transaction: &Transaction, forgotten: &BTreeSet<LinkId>) -> Result<Bulk> {
    let names = &["shard", "link", "side", "mapping", "at", "body"];
    let mut rows = Bulk::new("dead_letters", names, Known::Replaced(3));
    let last: BTreeMap<_, _> =
        transaction.dead_letters.iter().map(|letter| ((letter.link, letter.side), letter)).collect();
    for ((link, side), letter) in last.into_iter().filter(|((link, _), _)| !forgotten.contains(link)) {
        rows.push([
            shard.into(),
            signed(link)?.into(),
            i64::from(side_index(side)).into(),
            (letter.mapping as i64).into(),
            micros(letter.at).into(),
            json(letter)?.into(),
        ]);
    }
    Ok(rows)
}

fn gaps(shard: i64, transaction: &Transaction) -> Result<Bulk> {
    let mut rows = Bulk::new("gaps", &["shard", "id", "noticed", "closed", "body"], Known::Replaced(2));
    let last: BTreeMap<_, _> = transaction.gaps.iter().map(|gap| (gap.id, gap)).collect();
    for (id, gap) in last {
        let (noticed, closed) = (micros(gap.noticed), gap.closed.map(micros));
        rows.push([shard.into(), signed(id)?.into(), noticed.into(), closed.into(), json(gap)?.into()]);
    }
    Ok(rows)
}

/// Names stand in the index as they are, or cut; the whole name stands in the body.
fn jobs_under_way(shard: i64, transaction: &Transaction) -> Result<Bulk> {
    let mut rows = Bulk::new("jobs", &["shard", "name", "body"], Known::Replaced(2));
    let last: BTreeMap<_, _> = transaction.jobs.iter().map(|(name, job)| (name, job)).collect();
    for (name, job) in last {
        if let Some(job) = job {
            rows.push([shard.into(), indexed(name).into_owned().into(), json(&(name, job))?.into()]);
        }
    }
    Ok(rows)
}

fn sources(shard: i64, transaction: &Transaction) -> Result<Bulk> {
    let mut rows = Bulk::new("sources", &["shard", "connection", "channel", "body"], Known::Replaced(3));
    let last: BTreeMap<_, _> = transaction.sources.iter().map(|(id, state)| (id, state)).collect();
    for (id, state) in last {
        let (connection, channel) = (indexed(&id.connection).into_owned(), indexed(&id.channel).into_owned());
        rows.push([shard.into(), connection.into(), channel.into(), json(&(id, state))?.into()]);
    }
    Ok(rows)
}

fn mappings(shard: i64, transaction: &Transaction) -> Result<Bulk> {
    let mut rows = Bulk::new("mappings", &["shard", "mapping", "body"], Known::Replaced(2));
    let last: BTreeMap<_, _> = transaction.mappings.iter().map(|(mapping, state)| (*mapping, state)).collect();
    for (mapping, state) in last {
        rows.push([shard.into(), (mapping as i64).into(), json(state)?.into()]);
    }
    Ok(rows)
}
