//! Keeps the systems of a plan in step: drives the engine's shards, one holder each.

mod bundle;
mod calendar;
mod hub;
mod keeper;
mod reload;
pub(crate) mod shape;
mod shard;
mod spending;
mod tenure;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tombolo_engine::sync::{Counts, Plan, Settings};

pub(crate) use calendar::Calendar;
pub use hub::Hub;
pub(crate) use shard::Systems;

use crate::{Result, config::Config, state::State};
use shard::{Driver, Ended};

/// News from a running hub.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// Another process works; this one waits to take over.
    Waiting,
    /// Every source is heard: changes are followed from here on.
    Ready,
    /// Another process took over.
    TakenOver,
    /// A changed file was taken over.
    Reloaded {
        /// The mappings that are kept in step from here on.
        mappings: Vec<String>,
        /// What is otherwise than before.
        changes: Vec<String>,
    },
    /// Something is worth knowing.
    Note(String),
    /// Something does not work for now, and is tried again.
    Trouble(String),
}

/// What a hub did while it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Changes decided.
    pub changes: u64,
    /// Records written.
    pub writes: u64,
    /// Conflicts found.
    pub conflicts: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// Everything that keeping in step takes.
pub(crate) struct Engine {
    pub(crate) state: Arc<dyn State>,
    pub(crate) setup: Setup,
    /// The file that it comes from, and is read again from.
    pub(crate) file: Option<Config>,
    /// What tells this process from others.
    pub(crate) holder: String,
}

/// What a file comes to, and what a changed one replaces.
pub(crate) struct Setup {
    pub(crate) systems: Systems,
    pub(crate) plan: Arc<Plan>,
    pub(crate) settings: Settings,
    pub(crate) calendar: Calendar,
    pub(crate) lease: Duration,
    /// How long journal, history and what is closed are kept.
    pub(crate) retention: Duration,
}

impl Engine {
    /// Works until the shutdown resolves. Whenever the shard is lost to another process, waits to take it again.
    pub(crate) async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        events: mpsc::Sender<Happened>,
    ) -> Result<Report> {
        let shard = self.state.shard(&self.setup.plan.tenant).await?;
        let (stop_out, stop) = watch::channel(false);
        let Self { state, setup, file, holder } = self;
        let mut driver = Driver { state, setup, file, events };
        let mut work = std::pin::pin!(work(&mut driver, shard, &holder, stop));
        tokio::select! {
            result = &mut work => result,
            () = shutdown => {
                stop_out.send_replace(true);
                work.await
            }
        }
    }
}

async fn work(driver: &mut Driver, shard: u64, holder: &str, stop: watch::Receiver<bool>) -> Result<Report> {
    let mut report = Report::default();
    loop {
        let waits = || driver.tell(Happened::Waiting);
        let acquired = tenure::acquire(&driver.state, shard, holder, driver.setup.lease, waits);
        let Some((lease, tenure)) = until_stopped(stop.clone(), acquired).await.transpose()? else {
            return Ok(report);
        };
        // Whoever waited may have missed that the file was to be taken over.
        let Some(taken) = until_stopped(stop.clone(), driver.catch_up()).await.transpose()? else { return Ok(report) };
        if taken {
            continue;
        }
        let mut counts = Counts::default();
        let ended = driver.run(lease, tenure, stop.clone(), &mut counts).await;
        report.add(counts);
        match ended {
            Ok(Ended::Stopped) => return Ok(report),
            Ok(Ended::Lost) => driver.tell(Happened::TakenOver),
            Ok(Ended::Changed(fresh)) => {
                until_stopped(stop.clone(), driver.take(*fresh)).await.transpose()?;
            }
            Err(error) if error.is_retryable() || error.is_fenced() => {
                driver.tell(Happened::Trouble(error.to_string()));
                tokio::time::sleep(driver.setup.lease / 6).await;
            }
            Err(error) => return Err(error),
        }
        if *stop.borrow() {
            return Ok(report);
        }
    }
}

/// The answer, or nothing when it is time to stop first.
async fn until_stopped<T>(mut stop: watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        answer = work => Some(answer),
        _ = stop.wait_for(|stop| *stop) => None,
    }
}

impl Report {
    fn add(&mut self, counts: Counts) {
        self.changes += counts.changes;
        self.writes += counts.writes;
        self.conflicts += counts.conflicts;
        self.dead_letters += counts.dead_letters;
    }
}
