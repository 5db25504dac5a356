//! What an org counts: calls are taken from the ledger that all shards of the org share, what was really made and
//! delivered is told to the engine, and what is known of it is kept for people.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::OnceCell, time::Instant};
use tombolo_engine::sync::{Input, Reservation, Reserved};

use super::{Happened, Setup, shard::Running};
use crate::{
    Result,
    state::{Lease, Standing, State, Told},
    systems::system::{Allocations, System},
};

/// How often an org is asked what is left: it is told in most answers, and asking is a call.
const ASKED: Duration = Duration::from_secs(15 * 60);
/// How often what is known is put away.
const KEPT: Duration = Duration::from_secs(15);
/// How long to wait before a state store that failed is asked again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The meters of the connections whose calls are counted.
pub(super) struct Meters {
    budget: (u32, u32),
    meters: BTreeMap<String, Meter>,
    next_asked: Instant,
    next_kept: Instant,
}

struct Meter {
    system: Arc<dyn System>,
    ledger: LedgerName,
    /// Questions and batches, each of which the engine counts as one call.
    performed: u64,
    /// The calls that were made.
    made: u64,
    /// Those of them that the engine was told of, beyond one each.
    told: u64,
    calls: Option<Told>,
    /// As the org told it, with what was heard since.
    events: Option<Told>,
    /// What the org tells by itself arrives here.
    asked: Arc<RwLock<Option<Allocations>>>,
    warned: bool,
    kept: Option<Standing>,
}

/// The name of an org's ledger, once the org has said who it is: connections and tenants of one org share it.
type LedgerName = Arc<OnceCell<String>>;

impl Meters {
    pub(super) fn of(setup: &Setup) -> Self {
        let budgeted = setup.plan.connections.iter().filter(|(_, limits)| limits.budgeted);
        let meters = budgeted.filter_map(|(name, _)| Some((name.clone(), Meter::of(setup.systems.get(name)?))));
        let now = Instant::now();
        Self { budget: setup.settings.budget, meters: meters.collect(), next_asked: now, next_kept: now + KEPT / 5 }
    }

    /// A question or a batch is on its way.
    pub(super) fn performs(&mut self, connection: &str) {
        if let Some(meter) = self.meters.get_mut(connection) {
            meter.performed += 1;
        }
    }
}

impl Meter {
    fn of(system: &Arc<dyn System>) -> Self {
        Self {
            system: Arc::clone(system),
            ledger: LedgerName::default(),
            performed: 0,
            made: 0,
            told: 0,
            calls: None,
            events: None,
            asked: Arc::default(),
            warned: false,
            kept: None,
        }
    }

    /// What the engine does not know yet.
    fn read(&mut self, connection: &str) -> Vec<Input> {
        let (connection, now) = (connection.to_owned(), Timestamp::now());
        let mut inputs = Vec::new();
        let metered = self.system.metered();
        self.made += metered.calls;
        let more = self.made.saturating_sub(self.performed + self.told);
        if more > 0 {
            self.told += more;
            inputs.push(Input::Spent { connection: connection.clone(), calls: more });
        }
        let asked = self.asked.write().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let usage = self.system.usage().or(asked.calls);
        if let Some((used, limit)) = usage
            && self.calls.is_none_or(|told| (told.used, told.limit) != (used, limit))
        {
            self.calls = Some(Told { used, limit, at: now });
            inputs.push(Input::Usage { connection: connection.clone(), used, limit });
        }
        let before = self.events;
        if let Some((used, limit)) = asked.events {
            self.events = Some(Told { used, limit, at: now });
        } else if let Some(events) = &mut self.events {
            events.used = events.used.saturating_add(metered.events);
        }
        if let Some(Told { used, limit, .. }) = self.events.filter(|_| self.events != before) {
            inputs.push(Input::Delivered { connection, used, limit });
        }
        inputs
    }

    /// Says once that events run out.
    fn warning(&mut self, connection: &str, runs_out: bool) -> Option<Happened> {
        let warned = std::mem::replace(&mut self.warned, runs_out);
        let Told { used, limit, .. } = self.events.filter(|_| runs_out && !warned)?;
        Some(Happened::Trouble(format!(
            "{connection}: {used} of the {limit} events that the org delivers in 24 hours are used up; when there are \
             none left, changes are noticed late. `capture: polling` does without them"
        )))
    }
}

impl Running<'_> {
    /// Takes calls from the ledger, again and again until it answers.
    pub(super) fn reserve(&mut self, mut ask: Reservation) {
        let Some(meter) = self.meters.meters.get(&ask.connection) else { return };
        let (system, ledger) = (Arc::clone(&meter.system), Arc::clone(&meter.ledger));
        let (state, tenure, reports) = (Arc::clone(&self.driver.state), self.tenure.clone(), self.reports_out.clone());
        self.tasks.spawn(async move {
            let mut wait = PAUSES.0;
            let reserved = loop {
                match reserve(&*state, &*system, &ledger, &ask).await {
                    Ok(reserved) => break reserved,
                    Err(error) => {
                        tracing::warn!(connection = ask.connection, %error, "no calls could be taken, trying again");
                        // It may have been done: what is given back twice would be there twice.
                        ask.back = None;
                    }
                }
                if tenure.borrow().is_over() {
                    return;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(PAUSES.1);
            };
            drop(reports.send(super::shard::told(Input::Reserved { connection: ask.connection, reserved })));
        });
    }

    /// Gives back what was taken and not spent. What cannot be given back counts as spent for a day.
    pub(super) async fn surrender(&mut self) {
        self.read_meters();
        for ask in self.shard.surrender() {
            let Some(meter) = self.meters.meters.get(&ask.connection) else { continue };
            if let Err(error) = reserve(&*self.driver.state, &*meter.system, &meter.ledger, &ask).await {
                tracing::warn!(connection = ask.connection, %error, "calls could not be given back");
            }
        }
    }

    /// Tells the engine what the orgs counted.
    pub(super) fn read_meters(&mut self) {
        for (connection, meter) in &mut self.meters.meters {
            for input in meter.read(connection) {
                self.shard.handle(Timestamp::now(), input);
            }
            if let Some(warning) = meter.warning(connection, self.shard.runs_out_of_events(connection)) {
                self.driver.tell(warning);
            }
        }
        let now = Instant::now();
        if now >= self.meters.next_asked {
            self.meters.next_asked = now + ASKED;
            self.ask_orgs();
        }
        if now >= self.meters.next_kept {
            self.meters.next_kept = now + KEPT;
            self.keep_standings();
        }
    }

    fn ask_orgs(&mut self) {
        for (connection, meter) in &self.meters.meters {
            let (connection, system, told) = (connection.clone(), Arc::clone(&meter.system), Arc::clone(&meter.asked));
            let ledger = Arc::clone(&meter.ledger);
            self.tasks.spawn(async move {
                if let Err(error) = name(&*system, &ledger).await {
                    tracing::debug!(connection, %error, "the org did not say who it is");
                }
                match system.allocations().await {
                    Ok(allocations) => *told.write().unwrap_or_else(PoisonError::into_inner) = Some(allocations),
                    Err(error) => tracing::debug!(connection, %error, "the org did not say what is left"),
                }
            });
        }
    }

    /// Puts away what is known, where it changed.
    fn keep_standings(&mut self) {
        for (connection, meter) in &mut self.meters.meters {
            let Some(ledger) = meter.ledger.get().cloned() else { continue };
            let (budget, calls, events) = (self.meters.budget, meter.calls, meter.events);
            let standing = Standing { connection: connection.clone(), ledger, budget, calls, events };
            if meter.kept.as_ref() == Some(&standing) {
                continue;
            }
            meter.kept = Some(standing.clone());
            let (state, Lease { shard, .. }) = (Arc::clone(&self.driver.state), self.lease.clone());
            self.tasks.spawn(async move {
                if let Err(error) = state.keep_standing(shard, &standing).await {
                    tracing::debug!(%error, "what an org told of its allocations could not be put away");
                }
            });
        }
    }
}

/// Who the org is.
async fn name<'a>(system: &dyn System, ledger: &'a OnceCell<String>) -> Result<&'a String> {
    ledger.get_or_try_init(|| async { Ok(format!("org {}", system.identity().await?)) }).await
}

async fn reserve(state: &dyn State, system: &dyn System, ledger: &LedgerName, ask: &Reservation) -> Result<Reserved> {
    state.reserve(name(system, ledger).await?, ask).await
}
