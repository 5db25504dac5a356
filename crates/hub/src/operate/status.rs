//! How a hub stands.

use jiff::Timestamp;
use serde::Serialize;
use tombolo_engine::sync::{Gap, Job, Ledger, MappingIndex, MappingState, Side, SourceId, SourceState};

use super::record::Names;
use crate::state::{Counts, Standing, Status, Told};

/// How a hub stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HubStatus {
    /// Whether a process works on it.
    pub running: bool,
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Until when it may, unless it says that it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// How often the work changed hands.
    pub epoch: u64,
    /// Changes that were heard and not decided yet.
    pub waiting: u64,
    /// When the oldest of them was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Records with something under way: a value to deliver, a write whose echo or answer is awaited, a missing parent.
    pub under_way: u64,
    /// The mappings, in the order of the file.
    pub mappings: Vec<MappingStatus>,
    /// What is listened to.
    pub sources: Vec<SourceView>,
    /// Work that takes many steps.
    pub jobs: Vec<JobView>,
    /// Stretches of changes that were missed and are not made good yet.
    pub gaps: Vec<GapView>,
    /// What the orgs allow in 24 hours, and what of it is used.
    pub budgets: Vec<BudgetView>,
}

/// What an org allows in 24 hours, and what of it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetView {
    /// The connection.
    pub connection: String,
    /// API calls of ours, of all hubs that share this state: those that were made, and blocks that were taken for the
    /// next ones.
    pub calls: u64,
    /// How many of them may be ours; none as long as the org has not told its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_allowed: Option<u64>,
    /// Those of the last hour.
    pub calls_last_hour: u64,
    /// When they run out, if it goes on like that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Timestamp>,
    /// The calls that the org counts for everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_calls: Option<Usage>,
    /// The events that it delivered to everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Usage>,
}

/// How much of an allocation is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Used.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
    /// When the org told it.
    pub told: Timestamp,
}

/// How a mapping stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MappingStatus {
    /// Its name.
    pub mapping: String,
    /// `not started`, `loading`, `live`, `paused` or `stopped`.
    pub state: String,
    /// Records that both ends have.
    pub linked: u64,
    /// Conflicts that a person has to decide.
    pub conflicts: u64,
    /// Its ends.
    pub sides: [SideStatus; 2],
}

/// How an end of a mapping stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideStatus {
    /// The connection.
    pub connection: String,
    /// The object or table.
    pub entity: String,
    /// Whether everything that was there before was read.
    pub loaded: bool,
    /// Records that only this end has.
    pub only_here: u64,
    /// Writes that this end refuses.
    pub dead_letters: u64,
    /// Why nothing is written to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Fields that it has no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_fields: Vec<String>,
}

/// What is listened to, and how far it was heard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceView {
    /// The connection.
    pub connection: String,
    /// The entity; `*` for all of the connection.
    pub channel: String,
    /// Since when it was heard without a hole.
    pub opened: Option<Timestamp>,
    /// When the newest change that was heard was committed there.
    pub committed: Option<Timestamp>,
}

/// Work that takes many steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobView {
    /// `load`, `reconcile`, `scrub`, `poll`, …
    pub kind: String,
    /// The mapping.
    pub mapping: String,
    /// The connection that is read.
    pub connection: String,
    /// How far it came: `rows`, `deletes`, `keys`.
    pub stage: String,
    /// Rows read.
    pub rows: u64,
    /// Of them those that told something new.
    pub found: u64,
    /// When it began.
    pub began: Timestamp,
}

/// A stretch of changes that was missed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapView {
    /// The connection.
    pub connection: String,
    /// The entity; empty for all of the connection.
    pub entity: String,
    /// From when on.
    pub from: Option<Timestamp>,
    /// When it was noticed.
    pub noticed: Timestamp,
    /// Why.
    pub reason: String,
    /// What was done about it.
    pub done: String,
}

impl HubStatus {
    pub(super) fn new(names: Names<'_>, status: Status, gaps: Vec<Gap>, now: Timestamp) -> Self {
        let holder = status.holder.filter(|(_, until)| *until > now);
        let mappings = (0..names.0.mappings.len()).map(|index| {
            let found = status.mappings.iter().find(|(known, _, _)| *known == index);
            let (state, counts) = found.map(|(_, state, counts)| (state.clone(), *counts)).unwrap_or_default();
            MappingStatus::new(names, index, &state, counts, found.is_some())
        });
        Self {
            running: holder.is_some(),
            held_until: holder.as_ref().map(|(_, until)| *until),
            holder: holder.map(|(name, _)| name),
            epoch: status.epoch,
            waiting: status.waiting,
            waiting_since: status.oldest,
            under_way: status.active,
            mappings: mappings.collect(),
            sources: status.sources.into_iter().map(SourceView::from).collect(),
            jobs: status.jobs.iter().map(|(_, job)| JobView::new(names, job)).collect(),
            gaps: gaps.into_iter().filter(|gap| gap.closed.is_none()).map(GapView::from).collect(),
            budgets: status.budgets.iter().map(|(standing, ledger)| BudgetView::new(standing, ledger, now)).collect(),
        }
    }
}

impl MappingStatus {
    fn new(names: Names<'_>, index: MappingIndex, state: &MappingState, counts: Counts, known: bool) -> Self {
        let word = if state.halted.iter().any(Option::is_some) {
            "stopped"
        } else if state.paused {
            "paused"
        } else if !known {
            "not started"
        } else if state.loaded == [true, true] {
            "live"
        } else {
            "loading"
        };
        Self {
            mapping: names.mapping(index),
            state: word.to_owned(),
            linked: counts.linked,
            conflicts: counts.conflicts,
            sides: Side::BOTH.map(|side| SideStatus {
                connection: names.connection(index, side),
                entity: names.entity(index, side),
                loaded: state.loaded[side],
                only_here: counts.half[side],
                dead_letters: counts.dead_letters[side],
                stopped: state.halted[side].clone(),
                lost_fields: state.lost_fields[side].clone(),
            }),
        }
    }
}

impl From<(SourceId, SourceState)> for SourceView {
    fn from((id, state): (SourceId, SourceState)) -> Self {
        let SourceId { connection, channel } = id;
        Self { connection, channel, opened: state.opened, committed: state.committed }
    }
}

impl JobView {
    fn new(names: Names<'_>, job: &Job) -> Self {
        Self {
            kind: spelled(&job.kind),
            mapping: names.mapping(job.mapping),
            connection: names.connection(job.mapping, job.side),
            stage: spelled(&job.stage),
            rows: job.rows,
            found: job.found,
            began: job.began,
        }
    }
}

impl BudgetView {
    fn new(standing: &Standing, ledger: &Ledger, now: Timestamp) -> Self {
        let forecast = ledger.forecast(now, standing.budget);
        let usage = |told: Told| Usage { used: told.used, limit: told.limit, told: told.at };
        Self {
            connection: standing.connection.clone(),
            calls: forecast.used,
            calls_allowed: forecast.allowed,
            calls_last_hour: forecast.hourly,
            exhausted: forecast.exhausted,
            org_calls: standing.calls.map(usage),
            events: standing.events.map(usage),
        }
    }
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        let Gap { connection, entity, from, noticed, reason, done, .. } = gap;
        Self { connection, entity, from, noticed, reason, done }
    }
}

/// The word by which a kind is put away.
pub(super) fn spelled(kind: &impl Serialize) -> String {
    let json = serde_json::to_value(kind).unwrap_or_default();
    json.as_str().map(str::to_owned).unwrap_or_default()
}
