//! A hub made from a file.

use std::{fmt, future::Future, process};

use tokio::sync::mpsc;

use super::{Engine, Happened, Report, Setup, reload::insist, shape};
use crate::{
    Result,
    config::{Config, Findings},
    state,
};

/// A hub that is ready to run.
pub struct Hub {
    engine: Engine,
    findings: Findings,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("holder", &self.engine.holder).finish_non_exhaustive()
    }
}

impl Hub {
    /// Opens the hub of a file, as soon as everything that it names can be reached: what cannot be is told, and tried
    /// again. What waiting does not mend is an error at once.
    pub async fn open_when_there(config: &Config, tell: impl Fn(Happened)) -> Result<Self> {
        insist(|| Self::open(config.clone()), tell).await
    }

    /// Looks at both ends of every mapping and makes ready: state, outboxes, triggers. What is wrong with the file is
    /// the error's source, a [`Findings`].
    pub async fn open(config: Config) -> Result<Self> {
        let (setup, findings) = Setup::of(&config).await?;
        let url = config.state.url.expose();
        let state = state::open(url).await?;
        state.prepare().await?;
        shape::check(&*state, &setup.plan).await?;
        setup.prepare().await?;
        let state = state::woken(state, url, config.redis.as_ref())?;
        let engine = Engine { state, setup, file: Some(config), holder: holder() };
        Ok(Self { engine, findings })
    }

    /// What is worth knowing about the file.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Runs until the shutdown resolves.
    pub async fn run(self, shutdown: impl Future<Output = ()>, events: mpsc::Sender<Happened>) -> Result<Report> {
        self.engine.run(shutdown, events).await
    }
}

/// What tells this process from others: its id, its host, and a number, so that no two starts are the same.
fn holder() -> String {
    format!("{}@{}-{:08x}", process::id(), host(), fastrand::u32(..))
}

/// The name of this machine, as far as it can be found out without asking anybody.
fn host() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let read = files.iter().find_map(|file| std::fs::read_to_string(file).ok());
    let named = read.or_else(|| ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok()));
    let name = named.unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}
