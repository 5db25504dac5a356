//! A job and how far it is: the pages that were read and are not decided, where a restart goes on.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;

use super::items::ReadRow;
use crate::sync::{Job, JobKind, LinkId};

/// A job and what it waits for.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) job: Job,
    /// Which of all that were begun: what was asked for one that was begun anew does not count.
    pub(super) number: u64,
    /// A question is open, or a timer.
    pub(super) waiting: bool,
    /// It waits for its next time.
    pub(super) resting: bool,
    /// Pages that were read and are not decided, in order.
    pub(super) pages: VecDeque<Page>,
    /// Where the last page that was read ended.
    pub(super) read: Option<Vec<u8>>,
    /// How many were read.
    pub(super) read_pages: u64,
    /// The halves of the last page that may not be decided.
    pub(super) halves: Vec<LinkId>,
    /// Rows that were read and wait until there is room to write what comes of them.
    pub(super) unreleased: VecDeque<ReadRow>,
    /// How many of those that were released are not decided.
    pub(super) released: usize,
    /// The newest stamp that was read.
    pub(super) newest: Option<Timestamp>,
    /// The system's time when it answered first: what changes after that is read by polling.
    pub(super) first: Option<Timestamp>,
    /// The keys that the system has, while keys are compared.
    pub(super) keys: Option<HashSet<u64>>,
    /// When the first of them were asked for, by the shard's count of writes.
    pub(super) clock: u64,
    /// What they lack was written to since: they have to be listed anew.
    pub(super) outdated: bool,
    /// The rows are read; the keys that the system has are all known, and the state's are asked for.
    pub(super) listed: bool,
    /// Nothing of the current stage is left to be read.
    pub(super) finished: bool,
}

/// A page of rows. Only when all of them are decided a restart goes on behind it.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) number: u64,
    pub(super) undecided: usize,
    rows: u64,
    end: Option<Vec<u8>>,
}

impl Running {
    pub(super) fn new(job: Job, number: u64) -> Self {
        Self {
            job,
            number,
            waiting: false,
            resting: false,
            pages: VecDeque::new(),
            read: None,
            read_pages: 0,
            halves: Vec::new(),
            unreleased: VecDeque::new(),
            released: 0,
            newest: None,
            first: None,
            keys: None,
            clock: u64::MAX,
            outdated: false,
            listed: false,
            finished: false,
        }
    }

    /// Whether the next step can be taken. A page of the first loading is read while the one before is decided.
    pub(super) fn is_ready(&self) -> bool {
        let ahead = self.job.kind == JobKind::Load && !self.finished && self.pages.len() < PAGES;
        !self.waiting && !self.resting && (ahead || self.pages.is_empty())
    }

    /// Where the next page begins.
    pub(super) fn behind(&self) -> Option<Vec<u8>> {
        self.read.clone().or_else(|| self.job.after.clone())
    }

    /// Begins to compare keys once more.
    pub(super) fn list_anew(&mut self) {
        (self.keys, self.clock, self.outdated) = (None, u64::MAX, false);
        (self.listed, self.finished, self.job.after) = (false, false, None);
    }

    /// Takes in a page of so many rows; its number.
    pub(super) fn turn_to(&mut self, undecided: usize, rows: usize, end: Option<Vec<u8>>) -> u64 {
        self.read_pages += 1;
        let number = self.read_pages;
        self.pages.push_back(Page { number, undecided, rows: rows as u64, end });
        number
    }

    /// Goes on behind the pages that are decided. Whether there were any.
    pub(super) fn turn_pages(&mut self) -> bool {
        let mut turned = false;
        while let Some(page) = self.pages.pop_front_if(|page| page.undecided == 0) {
            self.job.rows += page.rows;
            self.job.after = page.end.or(self.job.after.take());
            turned = true;
        }
        turned
    }

    /// Whether it does nothing but wait for its time.
    pub(super) fn is_idle(&self) -> bool {
        self.resting
    }
}

/// The name of a job, and which of those that were begun under it.
pub(super) type JobId = (String, u64);

/// So many pages are read and not decided.
const PAGES: usize = 2;
