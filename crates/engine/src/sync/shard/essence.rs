//! What a shard's future hangs on, for the simulation: it tries every order, and goes on only once from shards whose
//! future is the same.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use super::{LinkId, Shard, Timer, Transaction, running::Running};
use crate::sync::Link;

impl Shard {
    /// Writes down all that decides what comes next. Left out are:
    /// - the plan and the settings: they are always the same;
    /// - the numbers given last to tickets and batches: the next one is greater than any, and no more is asked of it;
    /// - what the cache finds links by: it follows from the links, but for keys that two links hold;
    /// - when links were used last: it matters only when there are too many of them;
    /// - counts, and what the brake and the budget count: the walks stay far below their limits, and a walk that
    ///   writes for ever is told by the writes that were done;
    /// - when the mark of a done write is cleared away: nothing asks for it again;
    /// - the place of a source: it is where the source was heard last, which whoever drives the shard knows.
    pub fn essence(&self, out: &mut impl Write) -> fmt::Result {
        self.write_cache(out)?;
        write!(out, "{:?}{:?}", self.queue, self.deferred)?;
        write!(out, "{}{:?}{:?}", self.backlog.is_some(), self.touched, self.dirty)?;
        if self.transaction != Transaction::default() || !self.after.is_empty() {
            write!(out, "{:?}{:?}{:?}", self.transaction, self.notes, self.after)?;
        }
        for (ticket, pending) in &self.commits {
            write!(out, "{:?}{pending:?}", Numbered { ticket: *ticket })?;
        }
        for (ticket, asked) in &self.reads {
            write!(out, "{:?}{asked:?}", Numbered { ticket: *ticket })?;
        }
        let tries: BTreeMap<_, _> = self.needs.tries.iter().collect();
        let mut needs = self.needs.clone();
        needs.tries.clear();
        let batches: BTreeMap<_, _> = self.batches.iter().collect();
        let timers = self.timers.iter().filter(|(_, timer)| !matches!(timer, Timer::Operation(..)));
        let timers: Vec<_> = timers.collect();
        let clocks: BTreeMap<_, _> = self.clocks.iter().collect();
        write!(out, "{tries:?}{needs:?}{:?}{batches:?}{:?}{timers:?}", self.rereads, self.lanes)?;
        write!(out, "{:?}{:?}{:?}{clocks:?}{:?}", self.gaps, self.sources, self.mappings, self.effects)?;
        for (name, running) in &self.jobs {
            let keys: Option<std::collections::BTreeSet<u64>> =
                running.keys.as_ref().map(|keys| keys.iter().copied().collect());
            let bare = Running { keys: None, ..running.clone() };
            write!(out, "{name}{bare:?}{keys:?}")?;
        }
        write!(out, "{} {}", self.last_link, self.last_gap)
    }

    /// What is known of a record that is in memory.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.cache.get(id)
    }

    /// When something of a link was written or read matters only to rows that were asked for and are not decided.
    fn write_cache(&self, out: &mut impl Write) -> fmt::Result {
        let asked = self.reads.values().map(super::Asked::clock);
        let told = self.queue.iter().chain(&self.deferred).filter_map(super::Item::clock);
        let kept = self.jobs.values().flat_map(|running| running.unreleased.iter().map(|read| read.clock));
        let told = told.chain(kept);
        let mut waiting: Vec<u64> = asked.chain(told).collect();
        waiting.sort_unstable();
        waiting.dedup();
        self.cache.essence(&waiting, out)
    }
}

/// A number with its name, so that whoever reads it can give it another one.
#[derive(Debug)]
#[expect(dead_code, reason = "it is for the text")]
struct Numbered {
    ticket: u64,
}
