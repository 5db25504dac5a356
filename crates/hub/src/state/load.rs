//! What the engine asks back: every question a statement for each mapping and side, all of them at one moment.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_engine::sync::{Entry, Key, Link, LinkId, Load, Loaded, MappingIndex, Side};

use super::{
    Access, SqlState,
    bulk::lists,
    connection::{Connection, Statement, Values},
    dialect::{indexed, is_cut},
    lookup::Lookup,
    row::signed,
    side_index,
};
use crate::Result;

/// How many links a match is answered with: more than one are ambiguous already.
pub(super) const MOST_MATCHES: usize = 3;

/// Questions about one mapping and side: texts as they are in the index.
type Asked = BTreeMap<(MappingIndex, Side), BTreeSet<String>>;
/// Links by what they were found by.
type Found = BTreeMap<(MappingIndex, Side, String), BTreeSet<LinkId>>;

impl SqlState {
    pub(super) async fn load_all(&self, shard: u64, load: &Load) -> Result<Loaded> {
        self.pool
            .transaction(Access::Read, async |connection| {
                Reading { state: self, connection, shard: signed(shard)?, links: BTreeMap::new() }.answer(load).await
            })
            .await
    }
}

/// One load under way.
pub(super) struct Reading<'a> {
    pub(super) state: &'a SqlState,
    pub(super) connection: &'a mut Connection,
    pub(super) shard: i64,
    pub(super) links: BTreeMap<LinkId, Link>,
}

impl Reading<'_> {
    async fn answer(mut self, load: &Load) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        for ((mapping, side), keys) in asked(&load.by_key) {
            let [column, ..] = columns(side);
            self.read(&format!(" AND mapping = {mapping}"), column, lists(keys, Values::Text)).await?;
        }
        let matches = self.matches(&load.by_match).await?;
        let parked = self.parked(&load.parked_on).await?;
        loaded.by_match = answers(&load.by_match, &matches);
        loaded.parked_on = answers(&load.parked_on, &parked);
        if let Some((behind, limit)) = load.journal {
            loaded.journal = self.journal(behind, limit).await?;
        }
        if let Some((mapping, side, behind, limit)) = &load.keys {
            loaded.keys = self.keys(*mapping, *side, behind.as_deref(), *limit).await?;
        }
        if let Some((mapping, side, behind, limit)) = load.halves {
            loaded.halves = self.halves(mapping, side, behind, limit).await?;
        }
        let found = loaded.by_match.iter().chain(&loaded.parked_on).flatten().chain(&loaded.halves);
        self.by_id(found.chain(&load.by_id).copied().collect()).await?;
        loaded.links = self.links.into_values().collect();
        Ok(loaded)
    }

    fn select(&self, what: &str, table: &str, rest: &str) -> Statement {
        let sql = format!("SELECT {what} FROM {} WHERE shard = ? AND {rest}", self.state.table(table));
        Statement::new(sql).int(self.shard)
    }

    fn lookup<'b>(&self, rest: &str, column: &'b str) -> Lookup<'b> {
        Lookup { table: "links", condition: Statement::new(format!("shard = ?{rest}")).int(self.shard), column }
    }

    /// Reads links whose column holds one of the values.
    pub(super) async fn read(&mut self, rest: &str, column: &str, lists: Vec<Values>) -> Result<()> {
        for list in lists {
            let rows = self.lookup(rest, column).select(&self.state.pool.dialect, "id, body", list);
            for row in self.connection.fetch(rows).await? {
                self.links.insert(row.number(0)?, row.body(1)?);
            }
        }
        Ok(())
    }

    async fn by_id(&mut self, ids: BTreeSet<LinkId>) -> Result<()> {
        let missing = ids.into_iter().filter(|id| !self.links.contains_key(id)).map(signed);
        let missing: Vec<i64> = missing.collect::<Result<_>>()?;
        self.read("", "id", lists(missing, Values::Int)).await
    }

    async fn matches(&mut self, questions: &[(MappingIndex, Side, String)]) -> Result<Found> {
        let mut found = Found::new();
        for ((mapping, side), texts) in asked(questions) {
            let [_, _, column] = columns(side);
            for list in lists(texts, Values::Text) {
                let lookup = self.lookup(&format!(" AND mapping = {mapping}"), column);
                let rows = lookup.first(&self.state.pool.dialect, MOST_MATCHES, list);
                self.find(&mut found, (mapping, side), rows).await?;
            }
        }
        Ok(found)
    }

    async fn parked(&mut self, questions: &[(MappingIndex, Side, Key)]) -> Result<Found> {
        let mut found = Found::new();
        for ((mapping, side), keys) in asked(questions) {
            // What is said of the key lets the database take the index that holds no other rows.
            let index = side_index(side);
            let parent =
                format!(" AND parked_mapping = {mapping} AND parked_side = {index} AND parked_key IS NOT NULL");
            for list in lists(keys, Values::Text) {
                let lookup = self.lookup(&parent, "parked_key");
                let rows = lookup.select(&self.state.pool.dialect, "parked_key, id", list);
                self.find(&mut found, (mapping, side), rows).await?;
            }
        }
        Ok(found)
    }

    /// Reads texts and the numbers of the links that have them.
    async fn find(&mut self, found: &mut Found, (mapping, side): (MappingIndex, Side), rows: Statement) -> Result<()> {
        for row in self.connection.fetch(rows).await? {
            found.entry((mapping, side, row.required(0)?)).or_default().insert(row.number(1)?);
        }
        Ok(())
    }

    async fn journal(&mut self, behind: u64, limit: usize) -> Result<Vec<Entry>> {
        let rows =
            self.select("body", "journal", "place > ? ORDER BY place LIMIT ?").int(signed(behind)?).int(limit as i64);
        self.connection.fetch(rows).await?.iter().map(|row| row.body(0)).collect()
    }

    async fn keys(
        &mut self,
        mapping: MappingIndex,
        side: Side,
        behind: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        let [key, present, _] = columns(side);
        let rest = format!("mapping = {mapping} AND {present} = 1 AND {key} > ? ORDER BY {key} LIMIT ?");
        let rows = self.select(&format!("{key}, id"), "links", &rest);
        // No key is empty.
        let rows = rows.text(indexed(behind.unwrap_or_default())).int(limit as i64);
        let mut keys = Vec::new();
        let mut cut = Vec::new();
        for row in self.connection.fetch(rows).await? {
            let key = row.required(0)?;
            if is_cut(&key) {
                cut.push((keys.len(), row.number(1)?));
            }
            keys.push(key);
        }
        if !cut.is_empty() {
            // Their whole keys stand in the links, which nobody asked for.
            let kept = std::mem::take(&mut self.links);
            self.by_id(cut.iter().map(|(_, id)| *id).collect()).await?;
            for (at, id) in cut {
                if let Some(whole) = self.links.get(&id).and_then(|link| link.keys[side].clone()) {
                    keys[at] = whole;
                }
            }
            self.links = kept;
        }
        Ok(keys)
    }

    async fn halves(&mut self, mapping: MappingIndex, side: Side, behind: LinkId, limit: usize) -> Result<Vec<LinkId>> {
        let rest = format!(
            "mapping = {mapping} AND half IS NOT NULL AND half = {} AND id > ? ORDER BY id LIMIT ?",
            side_index(side)
        );
        let rows = self.select("id", "links", &rest).int(signed(behind)?).int(limit as i64);
        self.connection.fetch(rows).await?.iter().map(|row| row.number(0)).collect()
    }
}

/// The columns of a side: its key, whether it is there, and what its match compares.
pub(super) const fn columns(side: Side) -> [&'static str; 3] {
    match side {
        Side::Left => ["left_key", "left_present", "left_match"],
        Side::Right => ["right_key", "right_present", "right_match"],
    }
}

fn asked(questions: &[(MappingIndex, Side, String)]) -> Asked {
    let mut asked = Asked::new();
    for (mapping, side, text) in questions {
        asked.entry((*mapping, *side)).or_default().insert(indexed(text).into_owned());
    }
    asked
}

fn answers(questions: &[(MappingIndex, Side, String)], found: &Found) -> Vec<Vec<LinkId>> {
    let answer = |(mapping, side, text): &(MappingIndex, Side, String)| {
        found.get(&(*mapping, *side, indexed(text).into_owned())).into_iter().flatten().copied().collect()
    };
    questions.iter().map(answer).collect()
}
