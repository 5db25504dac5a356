//! Events that faults turn into gap and overflow events (streaming.md 2.5).

use tombolo_schema::Id;

use super::{ChangeEvent, ChangeType, Channel};
use crate::core::{Core, faults::FaultKind};

/// The record that an overflow event names.
pub(super) const OVERFLOW_ID: &str = "000000000000000AAA";

impl Core {
    /// A transaction's events as they are told.
    pub(crate) fn misreported(&self, events: Vec<ChangeEvent>) -> Vec<ChangeEvent> {
        let faults = self.faults();
        if !faults.may_be(FaultKind::GapEvents) && !faults.may_be(FaultKind::OverflowEvents) {
            return events;
        }
        let now = self.clock().now();
        let mut told: Vec<ChangeEvent> = Vec::with_capacity(events.len());
        let mut overflown: Vec<(String, bool)> = Vec::new();
        for event in events {
            let channel = Channel::Entity(event.entity.clone()).name();
            let all = Channel::All.name();
            let take = |kind| faults.take_at_commit(kind, &event.entity, &[&channel, &all], now).is_some();
            let known = overflown.iter().find(|(entity, _)| *entity == event.entity).map(|(_, overflows)| *overflows);
            let overflows = known.unwrap_or_else(|| take(FaultKind::OverflowEvents));
            match (known, overflows) {
                (Some(_), true) => continue,
                (None, true) => told.push(overflow(&event)),
                (_, false) if take(FaultKind::GapEvents) => told.push(gap(&event)),
                (_, false) => told.push(event.clone()),
            }
            if known.is_none() {
                overflown.push((event.entity, overflows));
            }
        }
        told
    }
}

/// An event that tells nothing but whom something happened to. Nobody is its origin.
fn gap(event: &ChangeEvent) -> ChangeEvent {
    let change_type = match event.change_type {
        ChangeType::Create => ChangeType::GapCreate,
        ChangeType::Update => ChangeType::GapUpdate,
        ChangeType::Delete => ChangeType::GapDelete,
        ChangeType::Undelete => ChangeType::GapUndelete,
        gap => gap,
    };
    let (changed_fields, fields, origin) = (Vec::new(), Vec::new(), String::new());
    ChangeEvent { change_type, changed_fields, fields, origin, ..event.clone() }
}

fn overflow(event: &ChangeEvent) -> ChangeEvent {
    let record_ids = Id::parse(OVERFLOW_ID).into_iter().collect();
    ChangeEvent { change_type: ChangeType::GapOverflow, record_ids, ..gap(event) }
}
