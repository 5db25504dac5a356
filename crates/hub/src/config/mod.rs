//! The file `tombolo.yaml`: read whole, every fault with its line, column and what was probably meant.
//!
//! Reading it asks no system anything. Whether the objects and fields are there, and go together, is found out when
//! it is resolved against what both ends say of themselves (`tombolo check`).

mod amount;
mod canon;
mod change;
mod connection;
mod finding;
mod line;
pub(crate) mod mapping;
mod place;
mod policy;
pub(crate) mod resolve;
mod schedule;
mod secret;
mod section;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    path::{Path, PathBuf},
};

pub(crate) use change::changes;
pub(crate) use connection::{Access, Connection, Database, Login, Org};
pub(crate) use finding::nearest;
pub use finding::{Finding, Findings, Severity};
pub(crate) use line::Line;
pub(crate) use mapping::{Capture, EndName, FieldLine, Mapping, MappingOptions};
pub(crate) use place::At;
pub use place::Place;
pub(crate) use schedule::Schedule;
pub(crate) use secret::{Secret, Surroundings};
pub(crate) use settings::Settings;

use tombolo_engine::sync::Rhythm;

use crate::{Error, Result, sync::Calendar};
use mapping::Frequency;
use section::Section;
pub(crate) use state::Redis;
use state::State;

/// A file that was read and understood.
#[derive(Clone)]
pub struct Config {
    /// The file, as it was named.
    pub(crate) file: String,
    path: PathBuf,
    /// Where the hub keeps what it knows.
    pub(crate) state: Database,
    /// The Redis through which its processes wake each other, if there is one.
    pub(crate) redis: Option<Redis>,
    /// The systems, by name.
    pub(crate) connections: BTreeMap<String, Connection>,
    /// What is kept equal, in the order of the file.
    pub(crate) mappings: Vec<Mapping>,
    /// The numbers.
    pub(crate) settings: Settings,
    warnings: Findings,
}

const KEYS: [&str; 8] = ["state", "listen", "connections", "mappings", "rules", "imports", "budget", "settings"];

impl Config {
    /// Reads a file; secrets come from the environment and from files beside it.
    ///
    /// What is wrong with the file is the error's source, a [`Findings`].
    pub fn read(path: &Path) -> Result<Self> {
        let config = Self::read_at(path)?;
        Ok(Self { path: path.to_owned(), ..config })
    }

    /// Reads the same file again.
    pub(crate) fn read_again(&self) -> Result<Self> {
        Self::read(&self.path)
    }

    fn read_at(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("cannot read {}", path.display()))
                .with_hint("-c FILE names another")
                .with_source(error)
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let variable = |name: &str| env::var(name).ok();
        Ok(Self::parse(&path.display().to_string(), &text, &Surroundings { folder, variable: &variable })?)
    }

    /// Reads the text of a file.
    pub(crate) fn parse(file: &str, text: &str, around: &Surroundings<'_>) -> Result<Self, Findings> {
        let mut findings = Findings::new(file);
        let config = parse(file, text, around, &mut findings);
        match config {
            Some(config) if !findings.has_errors() => Ok(Self { warnings: findings, ..config }),
            _ => Err(findings),
        }
    }

    /// The names of the mappings, in the order of the file.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.mappings.iter().map(|mapping| mapping.name.value.as_str())
    }

    /// The mappings that are written to on a rhythm, by their places.
    pub(crate) fn rhythms(&self) -> impl Iterator<Item = (usize, Rhythm)> {
        self.mappings.iter().enumerate().filter_map(|(place, mapping)| match mapping.options.frequency {
            Frequency::RealTime => None,
            Frequency::Every(every) => Some((place, Rhythm::Every(every))),
            Frequency::Cron(_) => Some((place, Rhythm::Told)),
        })
    }

    /// What is done by the calendar.
    pub(crate) fn calendar(&self) -> Calendar {
        let all = || self.mappings.iter().map(|mapping| &mapping.options).enumerate();
        let schedules = all().filter_map(|(place, options)| match &options.frequency {
            Frequency::Cron(schedule) => Some((place, Schedule::clone(schedule))),
            Frequency::RealTime | Frequency::Every(_) => None,
        });
        Calendar {
            schedules: schedules.collect(),
            compared: all().filter(|(_, options)| options.hourly_reconcile).map(|(place, _)| place).collect(),
            compare_every: self.settings.reconcile_every,
        }
    }

    /// What is worth knowing about the file though it can be used.
    pub fn warnings(&self) -> &Findings {
        &self.warnings
    }
}

/// Without secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mappings: Vec<&str> = self.mappings().collect();
        f.debug_struct("Config").field("file", &self.file).field("mappings", &mappings).finish_non_exhaustive()
    }
}

fn parse(file: &str, text: &str, around: &Surroundings<'_>, findings: &mut Findings) -> Option<Config> {
    let node = tree::read(text, findings)?;
    let section = Section::read(&node, "the file", &KEYS, findings)?;
    section.not_yet("rules", "automation comes later", findings);
    section.not_yet("imports", "files in another vocabulary come later", findings);
    if let Some(text) = section.text("listen", findings) {
        settings::listen(&text, findings);
    }
    let state = section.required("state", findings).and_then(|node| state::read(node, around, findings));
    let connections = section.required("connections", findings);
    let connections = connections.map(|node| connection::read(node, around, findings)).unwrap_or_default();
    let mappings = section.required("mappings", findings);
    let mappings = mappings.map(|node| mapping::read(node, &connections, findings)).unwrap_or_default();
    let mut settings = section.value("settings").map(|node| settings::read(node, findings)).unwrap_or_default();
    if let Some(node) = section.value("budget") {
        settings::budget(node, &mut settings, findings);
    }
    let State { database, redis } = state?;
    Some(Config {
        file: file.to_owned(),
        path: PathBuf::new(),
        state: database,
        redis,
        connections: connections.into_iter().filter_map(|(name, one)| Some((name, one.connection?))).collect(),
        mappings,
        settings,
        warnings: Findings::new(file),
    })
}
