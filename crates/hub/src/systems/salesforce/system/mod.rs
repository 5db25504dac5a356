//! Salesforce as a system that is kept in step both ways.

mod channels;
mod compose;
mod external;
mod listen;
mod news;
mod object;
mod outcome;
mod read;
mod rows;
mod value;
mod write;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use tokio::{
    sync::{Mutex, OnceCell},
    time::{Duration, Instant},
};
use tombolo_client::{Client, ErrorKind as ClientKind, Limit, ObjectDescribe};
use tombolo_engine::sync::{Answer, Batch, Outcome, Plan, Read, SourceId, SourceState};

use self::{
    external::Lookups,
    object::{Object, Selection},
};
use super::errors::failed;
use crate::{
    Error, Result,
    systems::system::{Allocations, ClockReading, Entity, Fence, Metered, System, Told},
};

pub(super) use object::channel;

/// How long what describe said holds before a field that it did not name is looked for again.
const HOLDS: Duration = Duration::from_secs(60);

/// The allocation of API calls, and those of events delivered: of a day, or with the add-on of a month (rest.md 6.1).
const CALLS: &str = "DailyApiRequests";
const EVENTS: [&str; 3] =
    ["DailyDeliveredPlatformEvents", "MonthlyPlatformEventsUsageEntitlement", "MonthlyPlatformEvents"];

/// What a mapping's writes may do on the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct WriteRules {
    /// Whether assignment rules run.
    pub(crate) assignment_rules: bool,
    /// Whether records are saved although a duplicate rule warns.
    pub(crate) duplicates_allowed: bool,
    /// Whether a person decides about what a duplicate rule refuses.
    pub(crate) duplicates_asked: bool,
}

/// An org that is kept in step.
///
/// A clone of its client is used; the deadline of a write, its tag and its rules are set for each batch. It keeps
/// nothing that a restart would miss.
pub(crate) struct SalesforceSystem {
    shared: Arc<Shared>,
}

/// What calls and streams share.
struct Shared {
    connection: String,
    client: Client,
    /// By the mapping's name; the default for the others.
    rules: HashMap<String, WriteRules>,
    learned: RwLock<Learned>,
    selection: Mutex<Option<(Instant, Arc<Selection>)>>,
    user: OnceCell<String>,
    /// Events that were delivered and not looked at.
    delivered: AtomicU64,
    /// The calls that were looked at.
    counted: AtomicU64,
    lookups: Lookups,
}

/// What was learned of the plan and the org.
#[derive(Default)]
struct Learned {
    plan: Option<Arc<Plan>>,
    /// Objects by name in lower case, and when they were described.
    objects: HashMap<String, (Arc<Object>, Instant)>,
    /// The objects whose changes are listened to, by the org's own names.
    listened: BTreeSet<String>,
}

type Asked<T> = tombolo_client::Result<T>;

impl SalesforceSystem {
    /// An org under the name of its connection, with the rules of mappings by name.
    pub(crate) fn new(connection: impl Into<String>, client: Client, rules: HashMap<String, WriteRules>) -> Self {
        Self {
            shared: Arc::new(Shared {
                connection: connection.into(),
                client,
                rules,
                learned: RwLock::default(),
                selection: Mutex::default(),
                user: OnceCell::new(),
                delivered: AtomicU64::new(0),
                counted: AtomicU64::new(0),
                lookups: Lookups::default(),
            }),
        }
    }
}

impl Shared {
    fn learned<T>(&self, look: impl FnOnce(&Learned) -> T) -> T {
        look(&self.learned.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, change: impl FnOnce(&mut Learned)) {
        change(&mut self.learned.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn plan(&self) -> Option<Arc<Plan>> {
        self.learned(|learned| learned.plan.clone())
    }

    /// What is known of an object, which is described where that is older than this.
    async fn object(&self, name: &str, younger_than: Option<Duration>) -> Asked<Arc<Object>> {
        let place = name.to_ascii_lowercase();
        let known = self.learned(|learned| learned.objects.get(&place).cloned());
        if let Some((object, at)) = known
            && younger_than.is_none_or(|age| at.elapsed() < age)
        {
            return Ok(object);
        }
        Ok(self.keep(&self.client.describe(name).await?))
    }

    /// Keeps what describe said. Of an object that cannot be followed only its name is known.
    fn keep(&self, described: &ObjectDescribe) -> Arc<Object> {
        let object = Arc::new(Object::of(described).unwrap_or_else(|| Object::bare(described)));
        let entry = (object.clone(), Instant::now());
        self.learn(|learned| {
            learned.objects.insert(described.name.to_ascii_lowercase(), entry);
        });
        object
    }

    /// The Id of the user that we are.
    async fn user(&self) -> Asked<&str> {
        let ask = async || Ok(self.client.identity().await?.user_id);
        Ok(self.user.get_or_try_init(ask).await?)
    }

    async fn describe(&self, name: &str) -> Result<Option<Entity>> {
        let described = match self.client.describe(name).await {
            Ok(described) => described,
            Err(error)
                if matches!(
                    error.kind(),
                    ClientKind::NotFound | ClientKind::InvalidName | ClientKind::InvalidRequest
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(format!("cannot describe {name}"), error)),
        };
        self.keep(&described);
        Ok(Some(object::entity(&described, &*self.selection().await?)))
    }

    async fn identity(&self) -> Result<String> {
        let identity = self.client.identity().await.map_err(|error| failed("cannot reach the org", error))?;
        Ok(identity.organization_id)
    }

    async fn allocations(&self) -> Result<Allocations> {
        let limits = self.client.limits().await.map_err(|error| failed("cannot ask what the org allows", error))?;
        let used = |limit: Limit| {
            let max = u64::try_from(limit.max).unwrap_or(0);
            (u64::try_from(limit.max.saturating_sub(limit.remaining)).unwrap_or(0), max)
        };
        let events = EVENTS.iter().filter_map(|name| limits.get(name)).find(|limit| limit.max > 0);
        Ok(Allocations { calls: limits.get(CALLS).map(used), events: events.map(used) })
    }

    async fn clock(&self) -> Result<ClockReading> {
        super::date(&self.client).await?;
        let clock = self.client.server_clock().ok_or_else(|| Error::failed("the org does not tell its time"))?;
        let uncertain = i64::try_from(clock.uncertainty().as_millis()).unwrap_or(i64::MAX);
        Ok(ClockReading {
            ahead_ms: i64::try_from(clock.offset().as_millis()).unwrap_or(i64::MAX),
            uncertain_ms: uncertain.unsigned_abs(),
        })
    }
}

impl System for SalesforceSystem {
    fn identity(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(self.shared.identity())
    }

    fn describe<'a>(&'a self, entity: &'a str) -> BoxFuture<'a, Result<Option<Entity>>> {
        Box::pin(self.shared.describe(entity))
    }

    fn entities(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async {
            let all = self.shared.client.describe_global().await;
            let all = all.map_err(|error| failed("cannot list the org's objects", error))?;
            Ok(all.objects.into_iter().filter(|object| object.queryable).map(|object| object.name).collect())
        })
    }

    fn prepare(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.shared.prepare(plan))
    }

    /// Nothing of ours is made in an org.
    fn learn(&self, plan: Arc<Plan>) -> BoxFuture<'_, Result<()>> {
        self.prepare(plan)
    }

    fn sources(&self) -> Vec<SourceId> {
        let source = |entity: &String| SourceId { connection: self.shared.connection.clone(), channel: entity.clone() };
        self.shared.learned(|learned| learned.listened.iter().map(source).collect())
    }

    fn listen(&self, source: &SourceId, from: SourceState) -> BoxStream<'static, Result<Told>> {
        listen::listen(self.shared.clone(), source.clone(), &from)
    }

    /// Salesforce forgets its events by itself.
    fn acknowledge<'a>(&'a self, _: &'a SourceId, _: &'a [String], _: Fence) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Salesforce knows no epochs: a late write is recognised by its tag.
    fn fence(&self, _: Fence) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn write<'a>(&'a self, batch: &'a Batch, fence: Fence) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(self.shared.write(batch, fence))
    }

    fn read<'a>(&'a self, read: &'a Read) -> BoxFuture<'a, Answer> {
        Box::pin(self.shared.read(read))
    }

    /// Nothing was kept.
    fn settle<'a>(&'a self, _: &'a [String], _: Fence) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clock(&self) -> BoxFuture<'_, Result<ClockReading>> {
        Box::pin(self.shared.clock())
    }

    fn usage(&self) -> Option<(u64, u64)> {
        self.shared.client.api_usage().map(|usage| (usage.used, usage.max))
    }

    fn metered(&self) -> Metered {
        let calls = self.shared.client.calls();
        let before = self.shared.counted.swap(calls, Ordering::Relaxed);
        Metered { calls: calls.saturating_sub(before), events: self.shared.delivered.swap(0, Ordering::Relaxed) }
    }

    fn allocations(&self) -> BoxFuture<'_, Result<Allocations>> {
        Box::pin(self.shared.allocations())
    }

    /// Nothing was made in the org.
    fn uninstall(&self, _: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
