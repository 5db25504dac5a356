//! Nothing is written for nothing: a full overwrite would make both sides equal, too.

use std::collections::{BTreeMap, BTreeSet};

use tombolo_engine::sync::{LinkId, Operation, Outcome, Side, Write};

use super::{Court, Violation};
use crate::{
    Engine,
    ledger::{Author, Commit},
    moment::{Micros, shown, span},
    org,
    plan::{self, DELETED_AT},
    world::Request,
};

pub(super) fn judge<E: Engine>(court: &Court<'_, E>) -> Vec<Violation> {
    let mut wrong = court.unmoved();
    if court.world.history.faults.is_empty() {
        wrong.extend(court.too_many());
    }
    wrong
}

/// When a write was sent, and when it landed.
type Span = (Micros, Option<Micros>);

/// Whether a commit may change what contacts show of their account, on whichever side it was made.
fn of_accounts(commit: &Commit) -> bool {
    Side::BOTH.into_iter().any(|side| commit.entity == plan::entity(plan::ACCOUNT, side))
}

impl<E: Engine> Court<'_, E> {
    /// The writes that were performed.
    fn done(&self) -> impl Iterator<Item = (&Request, &Write)> {
        self.world.requests.iter().flat_map(|request| {
            let done = request.batch.writes.iter().zip(&request.outcomes);
            done.filter(|(_, outcome)| matches!(outcome, Outcome::Done { .. })).map(move |(write, _)| (request, write))
        })
    }

    /// Updates of fields that nobody moved on the other side.
    fn unmoved(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for (request, write) in self.done() {
            let Operation::Update(key) = &write.operation else { continue };
            for (field, value) in &write.values {
                let Some((_, pair)) = self.pair(write.mapping, write.side, field) else { continue };
                let links = self.links(write.mapping, write.side, key);
                let rewritten = self.world.history.habits.org_rewrites || self.world.history.habits.database_rewrites;
                if pair.path.is_some() || field == DELETED_AT || rewritten || self.disturbed(write.mapping, pair) {
                    continue;
                }
                let moved = self.moves(write.mapping, write.side.other(), &links, &pair.names[write.side.other()]);
                let conflict = self.conflicts(&links, pair).next().is_some();
                // A reference that went with a record, which came back.
                let drawn = self.commits_of(write.mapping, write.side, &links).any(|commit| {
                    let mut changes = commit.changes.iter();
                    commit.author == Author::Cascade && changes.any(|c| c.field == *field && c.before == *value)
                });
                if !moved && !drawn && !conflict && !self.was_merged(&links) && !self.was_dead(&links, pair) {
                    let text = format!("{:?} {key}.{field} at {}", write.side, shown(request.sent).trim());
                    wrong.push(Violation { kind: "a field is written that nobody moved", text });
                }
            }
        }
        wrong
    }

    /// Whether a link went on with another record, which gets what it lacks from the other side.
    fn was_merged(&self, links: &BTreeSet<LinkId>) -> bool {
        let keys = links.iter().filter_map(|link| self.keys.get(link)).flatten().map(|(_, key)| key);
        let records = keys.filter_map(|key| self.world.org.records.get(key));
        records.into_iter().any(|record| matches!(record.state, org::State::Bin(Some(_))))
    }

    /// Whether somebody other than the engine changed a field on a side, or the value it refers to.
    fn moves(&self, mapping: usize, side: Side, links: &BTreeSet<LinkId>, field: &str) -> bool {
        self.commits_of(mapping, side, links).any(|commit| {
            !matches!(commit.author, Author::Engine(..)) && commit.changes.iter().any(|change| change.field == field)
        })
    }

    fn commits_of<'b>(
        &'b self,
        mapping: usize,
        side: Side,
        links: &'b BTreeSet<LinkId>,
    ) -> impl Iterator<Item = &'b Commit> + 'b {
        let keys = links.iter().filter_map(|link| self.keys.get(link)).flatten().filter(move |(of, _)| *of == side);
        let ids = keys.flat_map(move |(_, key)| self.world.ledger.of(side, plan::entity(mapping, side), key));
        ids.map(|id| &self.world.ledger.commits[*id])
    }

    /// Without faults: one write in a batching window, and one for each reason.
    fn too_many(&self) -> Vec<Violation> {
        let mut sent: BTreeMap<(LinkId, Side, usize), Vec<Span>> = BTreeMap::new();
        for (request, write) in self.done() {
            sent.entry((write.link, write.side, write.mapping)).or_default().push((request.sent, request.landed));
        }
        let mut wrong = Vec::new();
        for ((link, side, mapping), flights) in sent {
            let times: Vec<Micros> = flights.iter().map(|(sent, _)| *sent).collect();
            let links = BTreeSet::from([link]);
            let outside = |commit: &&Commit| !matches!(commit.author, Author::Engine(..));
            let moved = self.commits_of(mapping, side.other(), &links).filter(outside).count();
            // An edit between the sending of a write and its landing is overwritten unseen, and written again.
            let unseen = |commit: &&Commit| {
                flights.iter().any(|(sent, landed)| *sent <= commit.at && landed.is_some_and(|at| commit.at <= at))
            };
            let unseen = self.commits_of(mapping, side, &links).filter(outside).filter(unseen).count();
            let conflicts = self.world.store.conflicts.values().filter(|conflict| conflict.link == link).count();
            let parents = self.world.ledger.commits.iter().filter(outside).filter(|c| of_accounts(c)).count();
            let parents = if mapping == plan::CONTACT && side == Side::Right { parents } else { 0 };
            let references = self.world.plan.mappings[mapping].fields.iter().filter(|p| p.reference.is_some()).count();
            let habits = &self.world.history.habits;
            let rewriting = habits.org_rewrites || habits.database_rewrites;
            let rewritten = if rewriting { self.world.plan.mappings[mapping].fields.len() } else { 0 };
            let allowed = moved + unseen + conflicts + parents + references + rewritten;
            let connection = &self.world.plan.mappings[mapping].ends[side].connection;
            let window = span(self.world.settings.window_of(&self.world.plan.connections[connection]));
            let close = times.windows(2).filter(|pair| pair[1] - pair[0] < window).count();
            if times.len() > allowed || close > conflicts + unseen + references {
                let times: Vec<String> = times.iter().map(|at| shown(*at).trim().to_owned()).collect();
                let text = format!("link {link} {side:?}: {times:?}; {moved} changes, {conflicts} conflicts");
                wrong.push(Violation { kind: "more writes than reasons", text });
            }
        }
        wrong
    }
}
