//! Listening: the outbox is asked for what can be seen, quicker while there is something.
//!
//! No notification wakes it. `NOTIFY` in the triggers would make the application's commits wait for each other.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tombolo_engine::sync::{Delivery, MADE_ANEW, SourceId, SourceState};

use super::{
    Inner,
    dialect::{Dialect, Sql},
    fault::{Fault, FaultKind},
    outbox::{self, Claimed, Origin},
    read,
    session::Session,
};
use crate::{Result, systems::system::Told};

const SOONEST: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_millis(100);
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// How often the triggers are looked after.
const LOOK: Duration = Duration::from_secs(30);
/// How many changes may wait to be acknowledged.
const MOST_HANDED: usize = 20_000;

/// Where a reader stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    incarnation: String,
    newest: i64,
}

/// Listens from where the source stood.
pub(super) fn listen(inner: &Arc<Inner>, source: &SourceId, from: &SourceState) -> BoxStream<'static, Result<Told>> {
    inner.forget_handed();
    let listener = Listener {
        inner: Arc::clone(inner),
        source: source.clone(),
        position: from.position.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok()),
        heard_since: from.opened,
        session: None,
        origin: None,
        told: VecDeque::new(),
        pause: SOONEST,
        version: None,
        looked: Instant::now(),
        repaired: None,
        floor: 0,
    };
    stream::unfold(listener, |mut listener| async move {
        let told = listener.next().await;
        Some((told, listener))
    })
    .boxed()
}

struct Listener {
    inner: Arc<Inner>,
    source: SourceId,
    position: Option<Position>,
    /// It was heard since then, by the state store's word; a younger outbox is another one.
    heard_since: Option<Timestamp>,
    session: Option<Session>,
    /// The outbox that is read; none before it was opened.
    origin: Option<Origin>,
    told: VecDeque<Told>,
    pause: Duration,
    /// SQLite: the file has not changed while this has not.
    version: Option<i64>,
    looked: Instant,
    /// When the triggers were made anew because of gaps.
    repaired: Option<Instant>,
    /// The newest id when triggers were told last how old the oldest row is.
    floor: i64,
}

impl Listener {
    async fn next(&mut self) -> Result<Told> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            let step = match self.origin.clone() {
                None => self.open().await,
                Some(origin) => self.poll(&origin).await,
            };
            match step {
                Ok(true) => self.pause = SOONEST,
                Ok(false) => {
                    sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LATEST);
                }
                Err(fault) => self.trouble(fault).await?,
            }
        }
    }

    async fn session(&mut self) -> Result<&mut Session, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.inner.address).await?,
        };
        Ok(self.session.insert(session))
    }

    /// Finds out whether it is the same outbox, and says from when on it is heard.
    async fn open(&mut self) -> Result<bool, Fault> {
        self.inner.mapped()?;
        let position = self.position.clone();
        let session = self.session().await?;
        let mut origin = Origin::read(session).await?;
        let newest = outbox::newest(session).await?;
        let restarted = match &position {
            Some(at) => at.incarnation == origin.incarnation && newest.is_some_and(|newest| newest < at.newest),
            None => false,
        };
        if restarted {
            super::layout::draw_incarnation(session).await?;
            origin = Origin::read(session).await?;
        }
        let now = read::clock(session).await?;
        if let Some(reason) = self.lost(&origin, restarted) {
            self.told.push_back(Told::Lost(reason));
            self.inner.forget_handed();
        }
        self.position = Some(Position { incarnation: origin.incarnation.clone(), newest: newest.unwrap_or_default() });
        self.origin = Some(origin);
        self.version = None;
        if let Some(now) = now {
            self.heard_since = self.heard_since.or(Some(now));
            self.told.push_back(Told::Opened(now));
        }
        Ok(true)
    }

    fn lost(&self, origin: &Origin, restarted: bool) -> Option<String> {
        if restarted {
            return Some("the ids of the outbox began anew".to_owned());
        }
        let made = origin.incarnation.split('-').next().and_then(|micros| micros.parse().ok());
        let younger = match (&self.position, self.heard_since) {
            (Some(at), _) => at.incarnation != origin.incarnation,
            (None, Some(since)) => {
                made.and_then(|made| Timestamp::from_microsecond(made).ok()).is_some_and(|made| made > since)
            }
            (None, None) => false,
        };
        younger.then(|| "the outbox was made anew".to_owned())
    }

    /// Reads a page; says whether there was anything.
    async fn poll(&mut self, origin: &Origin) -> Result<bool, Fault> {
        self.look().await?;
        let mapped = self.inner.mapped()?;
        let handed = self.inner.handed();
        if handed.len() >= MOST_HANDED || mapped.captured().is_empty() {
            return Ok(false);
        }
        let before = self.version;
        let version = self.file_version().await?;
        if version.is_some() && version == before {
            return Ok(false);
        }
        let session = self.session().await?;
        let claimed = outbox::claim(session, &mapped, origin, &handed).await?;
        self.raise_floor(&claimed).await?;
        if claimed.incarnation != origin.incarnation || self.restarted(&claimed) {
            self.origin = None;
            return Ok(true);
        }
        // While there may be more, the file need not change for it to be read.
        self.version = version.filter(|_| claimed.news.is_empty());
        if claimed.gaps {
            self.repair().await;
        }
        if claimed.news.is_empty() {
            return Ok(false);
        }
        self.deliver(origin, claimed);
        Ok(true)
    }

    /// Now and then the triggers are told how old the oldest row is.
    async fn raise_floor(&mut self, claimed: &Claimed) -> Result<(), Fault> {
        let step = i64::try_from(self.inner.cap / 8).unwrap_or(i64::MAX);
        let newest = claimed.newest.unwrap_or_default();
        if self.inner.dialect() == Dialect::Postgres && newest.saturating_sub(self.floor) > step {
            self.floor = newest;
            outbox::raise_floor(self.session().await?).await?;
        }
        Ok(())
    }

    fn restarted(&self, claimed: &Claimed) -> bool {
        let known = self.position.as_ref().map_or(0, |position| position.newest);
        claimed.newest.is_some_and(|newest| newest < known)
    }

    fn deliver(&mut self, origin: &Origin, claimed: Claimed) {
        let last = claimed.ids.keys().next_back().copied().unwrap_or_default();
        let newest = self.position.as_ref().map_or(last, |position| position.newest.max(last));
        let position = Position { incarnation: origin.incarnation.clone(), newest };
        let committed = claimed.news.iter().filter_map(|news| news.at).max();
        self.inner.hand_out(claimed.ids);
        self.told.push_back(Told::Heard(Delivery {
            source: self.source.clone(),
            news: claimed.news,
            position: serde_json::to_vec(&position).ok(),
            committed,
        }));
        self.position = Some(position);
    }

    /// SQLite counts the commits of others; a look at the number costs nothing.
    async fn file_version(&mut self) -> Result<Option<i64>, Fault> {
        if self.inner.dialect() != Dialect::Sqlite {
            return Ok(None);
        }
        let session = self.session().await?;
        session.number(Sql::new(Dialect::Sqlite, "PRAGMA data_version")).await.map(Some)
    }

    /// A table that was made anew has lost its triggers, and nobody says so.
    async fn look(&mut self) -> Result<(), Fault> {
        let asked = self.inner.look.swap(false, Ordering::Relaxed) | self.inner.remade.load(Ordering::Relaxed);
        if self.looked.elapsed() < LOOK && !asked {
            return Ok(());
        }
        self.looked = Instant::now();
        let mapped = self.inner.mapped()?;
        let cap = self.inner.cap;
        let session = self.session().await?;
        let stand = super::capture::all_stand(session, &mapped, cap).await?;
        if stand && !self.inner.remade.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !stand && !self.inner.refresh().await {
            return Err(Fault::new(FaultKind::Passing, "TRIGGERS", "the triggers could not be made again"));
        }
        self.inner.remade.store(false, Ordering::Relaxed);
        self.told.push_back(Told::Lost(MADE_ANEW.to_owned()));
        self.origin = None;
        Ok(())
    }

    /// A trigger that names a column which is gone writes nothing but gaps.
    async fn repair(&mut self) {
        if self.repaired.is_none_or(|at| at.elapsed() >= LOOK) {
            self.repaired = Some(Instant::now());
            self.inner.refresh().await;
        }
    }

    /// What passes is waited for; what is ours is made again; the rest is told, and tried again.
    async fn trouble(&mut self, fault: Fault) -> Result<()> {
        self.session = None;
        match fault.kind {
            FaultKind::Missing => {
                self.origin = None;
                let made = self.inner.refresh().await;
                sleep(if made { SOONEST } else { AFTER_TROUBLE }).await;
                Ok(())
            }
            FaultKind::Lost | FaultKind::Passing => {
                tracing::debug!(
                    connection = self.source.connection,
                    code = fault.code,
                    "the outbox cannot be read now"
                );
                // It may be another server, or a restored one.
                self.origin = None;
                sleep(self.pause).await;
                self.pause = (self.pause * 2).min(AFTER_TROUBLE);
                Ok(())
            }
            _ => {
                self.pause = AFTER_TROUBLE;
                Err(fault.into())
            }
        }
    }
}
