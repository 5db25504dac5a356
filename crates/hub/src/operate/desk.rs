//! The desk of a hub: what is known is read, what is wanted is asked.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tombolo_engine::sync::{Command, Link, MappingIndex, Side};

use super::{
    TENANT,
    history::{RecordHistory, keys_of},
    ledger::{ConflictView, DeadLetters},
    record::Names,
    status::HubStatus,
};
use crate::{
    Error, Result,
    config::{Config, nearest},
    state::{self, State},
};

/// The state of a file's hub, for whoever looks on and asks.
pub struct Desk {
    config: Config,
    state: Arc<dyn State>,
    shard: u64,
}

/// What was asked of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The numbers under which it waits.
    pub asked: Vec<u64>,
    /// Whether a process is there to do it.
    pub running: bool,
}

/// Which dead letters are merged anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// Those of a record, by any of its keys.
    Record(String),
    /// Those with this code.
    Code(String),
    /// All.
    All,
}

/// How many conflicts are looked through for one by its name.
const SOUGHT: usize = 100_000;

impl Desk {
    /// Opens the state of a file. Nothing is made: a hub that never ran has none.
    pub async fn open(config: Config) -> Result<Self> {
        let state = open_state(&config).await?;
        Self::over(config, state).await
    }

    pub(crate) async fn over(config: Config, state: Arc<dyn State>) -> Result<Self> {
        let shard = state.shard(TENANT).await?;
        Ok(Self { config, state, shard })
    }

    const fn names(&self) -> Names<'_> {
        Names(&self.config)
    }

    /// How the hub stands.
    pub async fn status(&self) -> Result<HubStatus> {
        let status = self.state.status(self.shard).await?;
        let gaps = self.state.gaps(self.shard, 100).await?;
        Ok(HubStatus::new(self.names(), status, gaps, Timestamp::now()))
    }

    /// Conflicts, newest first: those that a person has to decide, or all.
    pub async fn conflicts(&self, open_only: bool, limit: usize) -> Result<Vec<ConflictView>> {
        let conflicts = self.state.conflicts(self.shard, open_only, limit).await?;
        Ok(conflicts.into_iter().map(|conflict| ConflictView::new(self.names(), conflict)).collect())
    }

    /// Dead letters, newest first, and their causes.
    pub async fn dead_letters(&self, limit: usize) -> Result<DeadLetters> {
        Ok(DeadLetters::new(self.names(), self.state.dead_letters(self.shard, limit).await?))
    }

    /// The life of a record, by any of its keys; in every mapping that knows it.
    pub async fn history(&self, record: &str) -> Result<Vec<RecordHistory>> {
        let mut all = Vec::new();
        for link in self.links(record).await? {
            let steps = self.state.history(self.shard, link.id).await?;
            all.push(RecordHistory::new(self.names(), &link, steps));
        }
        Ok(all)
    }

    /// Writes nothing for this mapping, or for all, until it is resumed; changes are heard on.
    pub async fn pause(&self, mapping: Option<&str>) -> Result<Asked> {
        let mapping = self.mapping(mapping)?;
        self.ask([Command::Pause(mapping)]).await
    }

    /// Goes on; a brake is released, too.
    pub async fn resume(&self, mapping: Option<&str>) -> Result<Asked> {
        let mapping = self.mapping(mapping)?;
        self.ask([Command::Resume(mapping)]).await
    }

    /// Compares everything that changed since, at both ends.
    pub async fn reconcile(&self, mapping: Option<&str>, since: Option<Timestamp>) -> Result<Asked> {
        let mapping = self.mapping(mapping)?;
        self.ask([Command::Reconcile { mapping, since }]).await
    }

    /// Compares keys and values of everything, at both ends.
    pub async fn scrub(&self, mapping: Option<&str>) -> Result<Asked> {
        let mapping = self.mapping(mapping)?;
        self.ask([Command::Scrub(mapping)]).await
    }

    /// Merges dead letters anew.
    pub async fn retry(&self, what: &Retry) -> Result<Asked> {
        let commands = match what {
            Retry::All => vec![Command::Retry { link: None, code: None }],
            Retry::Code(code) => vec![Command::Retry { link: None, code: Some(code.clone()) }],
            Retry::Record(record) => {
                let links = self.links(record).await?;
                links.iter().map(|link| Command::Retry { link: Some(link.id), code: None }).collect()
            }
        };
        self.ask(commands).await
    }

    /// Decides a conflict: takes what this end shows. An end is `left`, `right`, or the name of its connection.
    pub async fn decide(&self, conflict: &str, take: &str) -> Result<Asked> {
        let open = self.state.conflicts(self.shard, true, SOUGHT).await?;
        let Some(found) = open.iter().find(|one| one.id == conflict) else {
            return Err(Error::usage(format!("no conflict `{conflict}` waits for a decision"))
                .with_hint("`tombolo conflicts --open` lists them"));
        };
        let names = self.names();
        let side = match take {
            "left" => Some(Side::Left),
            "right" => Some(Side::Right),
            name => Side::BOTH.into_iter().find(|side| names.connection(found.mapping, *side) == name),
        };
        let Some(side) = side else {
            let ends = Side::BOTH.map(|side| names.connection(found.mapping, side));
            return Err(Error::usage(format!(
                "`{take}` is neither end of the mapping `{}`",
                names.mapping(found.mapping)
            ))
            .with_hint(format!("its ends are {} (left) and {} (right)", ends[0], ends[1])));
        };
        self.ask([Command::Decide { conflict: found.id.clone(), link: found.link, side }]).await
    }

    /// Takes over a file that was changed.
    pub(super) async fn reload(&self) -> Result<Asked> {
        self.ask([Command::Reload]).await
    }

    async fn ask(&self, commands: impl IntoIterator<Item = Command>) -> Result<Asked> {
        let mut asked = Vec::new();
        for command in commands {
            asked.push(self.state.ask(self.shard, &command).await?);
        }
        Ok(Asked { asked, running: self.is_running().await? })
    }

    /// Whether a process works on it.
    pub(super) async fn is_running(&self) -> Result<bool> {
        let holder = self.state.status(self.shard).await?.holder;
        Ok(holder.is_some_and(|(_, until)| until > Timestamp::now()))
    }

    pub(super) fn state(&self) -> &dyn State {
        &*self.state
    }

    /// The links of a record, by any of its keys.
    async fn links(&self, record: &str) -> Result<Vec<Link>> {
        let mut links: Vec<Link> = Vec::new();
        for key in keys_of(record) {
            for link in self.state.find(self.shard, &key).await? {
                if !links.iter().any(|known| known.id == link.id) {
                    links.push(link);
                }
            }
        }
        if links.is_empty() {
            return Err(Error::usage(format!("no record with the key `{record}` is known"))
                .with_hint("it is found by its Id in Salesforce, and by its key in a database"));
        }
        Ok(links)
    }

    /// The place of a mapping in the file.
    fn mapping(&self, name: Option<&str>) -> Result<Option<MappingIndex>> {
        let Some(name) = name else { return Ok(None) };
        if let Some(index) = self.config.mappings().position(|known| known == name) {
            return Ok(Some(index));
        }
        let error = Error::usage(format!("{} has no mapping `{name}`", self.config.file));
        Err(match nearest(name, self.config.mappings()) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => {
                error.with_hint(format!("its mappings are {}", self.config.mappings().collect::<Vec<_>>().join(", ")))
            }
        })
    }
}

/// Opens the state for whoever looks on.
pub(super) async fn open_state(config: &Config) -> Result<Arc<dyn State>> {
    let url = config.state.url.expose();
    state::waking(state::open_beside(url).await?, url, config.redis.as_ref())
}
