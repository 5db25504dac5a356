//! Events that come a second time, late: the same transaction under a new replay id.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;

use super::poll::duplicate_due;
use crate::{
    core::{Channel, StoredEvent},
    wire::App,
};

const AT_ONCE: usize = 2000;

/// What is to be sent again, and how far the log was looked through.
struct Plan {
    seen: u64,
    /// Events and when their duplicates are due.
    waiting: Vec<(Timestamp, StoredEvent)>,
    /// Duplicates are not duplicated again.
    own: HashSet<u64>,
}

/// Repeats events as long as the org runs and faults ask for it.
pub(crate) async fn repeat(app: Arc<App>) {
    let mut log = app.core.events().watch();
    let mut shutdown = app.shutdown.clone();
    let mut plan = Plan { seen: app.core.events().latest(), waiting: Vec::new(), own: HashSet::new() };
    while !*shutdown.borrow() {
        log.mark_unchanged();
        let working = Arc::clone(&app);
        let work = move || {
            let done = work_off(&working, &mut plan);
            (plan, done)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((kept, Ok(()))) => plan = kept,
            Ok((kept, Err(error))) => {
                tracing::error!(%error, "cannot repeat an event");
                plan = kept;
            }
            Err(error) => {
                tracing::error!(%error, "events are not repeated any more");
                return;
            }
        }
        let next = plan.waiting.iter().map(|(due, _)| *due).min().unwrap_or(Timestamp::MAX);
        tokio::select! {
            _ = log.changed() => {}
            _ = shutdown.changed() => {}
            () = app.core.clock().sleep_until(next) => {}
        }
    }
}

/// Looks through what is new in the log, and repeats what is due.
fn work_off(app: &App, plan: &mut Plan) -> crate::core::record::Result<()> {
    let log = app.core.events();
    // After a reset the log begins anew.
    plan.seen = plan.seen.min(log.latest());
    loop {
        let new = log.read_after(&Channel::All, plan.seen, AT_ONCE)?;
        let more = new.len() == AT_ONCE;
        for stored in new {
            plan.seen = stored.replay_id;
            if !plan.own.remove(&stored.replay_id)
                && let Some(due) = duplicate_due(app, &stored)
            {
                plan.waiting.push((due, stored));
            }
        }
        if !more {
            break;
        }
    }
    let now = app.core.clock().now();
    let (due, waiting) = std::mem::take(&mut plan.waiting).into_iter().partition(|(due, _)| *due <= now);
    plan.waiting = waiting;
    let due: Vec<(Timestamp, StoredEvent)> = due;
    for (_, stored) in due {
        plan.own.insert(log.repeat(&stored.event)?);
    }
    Ok(())
}
