//! Records that only one side has are looked at, page by page: joined, or made on the other side.

use super::{Shard, jobs::PAGE};
use crate::sync::{LinkId, MappingIndex, Side};

impl Shard {
    /// Half links are looked at, page by page: joined, or made on the other side.
    pub(super) fn ask_halves(&mut self, name: &str, mapping: MappingIndex, side: Side, after: Option<&[u8]>) {
        if self.needs.halves.is_some() || self.needs.halves_of.is_some() {
            return;
        }
        let after = after.and_then(|after| std::str::from_utf8(after).ok()).and_then(|after| after.parse().ok());
        self.needs.halves = Some((mapping, side, after.unwrap_or(0), PAGE));
        self.needs.halves_of = self.jobs.get(name).map(|running| (name.to_owned(), running.number));
        self.wait(name);
    }

    pub(super) fn halves_loaded(&mut self, links: Vec<LinkId>, limit: usize) {
        let Some(job) = self.needs.halves_of.take() else { return };
        self.touched.extend(links.iter().copied().filter(|id| self.cache.get(*id).is_some()));
        let Some(running) = self.job(&job) else { return };
        running.waiting = false;
        running.finished = links.len() < limit;
        running.read = links.last().map(|last| last.to_string().into_bytes());
        running.turn_to(links.len(), links.len(), running.read.clone());
        running.halves = links;
        self.turn_pages(&job.0);
    }

    pub(super) fn look_at_joins(&mut self) {
        let joins = self.jobs.iter().filter(|(_, running)| !running.halves.is_empty());
        let names: Vec<String> = joins.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.look_at_join(&name);
        }
    }

    /// Halves of the last page may wait to be joined or not. When none does, the job stands behind them.
    fn look_at_join(&mut self, name: &str) {
        let Some(running) = self.jobs.get_mut(name) else { return };
        let mut halves = std::mem::take(&mut running.halves);
        halves.retain(|id| self.touched.contains(id) || self.wants_match(*id));
        let open = !halves.is_empty();
        if let Some(running) = self.jobs.get_mut(name) {
            running.halves = halves;
            if let Some(page) = running.pages.back_mut().filter(|_| !open) {
                page.undecided = 0;
            }
        }
        self.turn_pages(name);
    }
}
