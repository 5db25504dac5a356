//! Fields that a side does not have any more: removed, or hidden from the user that writes. What is not written for that is
//! told with the mapping, and written when they are there again.

use super::Shard;
use crate::sync::{JobKind, LinkId, MappingIndex, Outcome, Side, Values};

/// Refusals that say that there is no such field: Salesforce, databases, PostgreSQL, MySQL.
const NO_FIELD: [&str; 4] = ["INVALID_FIELD", "UNDEFINED_COLUMN", "42703", "1054"];

impl Shard {
    /// Notes the fields that a side refuses because it has none of that name.
    pub(super) fn lose(&mut self, mapping: MappingIndex, side: Side, outcome: &Outcome) {
        let Outcome::Refused(refusal) = outcome else { return };
        if !NO_FIELD.contains(&refusal.code.as_str()) {
            return;
        }
        let named = |name: &&str| refusal.fields.iter().any(|field| field.eq_ignore_ascii_case(name));
        let names = self.mapping(mapping).fields.iter().map(|pair| pair.names[side].as_str());
        let names: Vec<String> = names.filter(named).map(str::to_owned).collect();
        let lost = &mut self.mappings[mapping].lost_fields[side];
        let before = lost.len();
        for name in names {
            if !lost.contains(&name) {
                lost.push(name);
            }
        }
        if lost.len() > before {
            self.transaction.mappings.push((mapping, self.mappings[mapping].clone()));
        }
    }

    /// Somebody says that the fields are back: what was not written for want of them is merged anew, and what happened
    /// to them meanwhile is read.
    pub(super) fn regain(&mut self, mapping: MappingIndex) {
        for side in Side::BOTH {
            if std::mem::take(&mut self.mappings[mapping].lost_fields[side]).is_empty() {
                continue;
            }
            self.transaction.mappings.push((mapping, self.mappings[mapping].clone()));
            let stuck = self.cache.links().filter(|link| link.mapping == mapping && link.is_stuck());
            let stuck: Vec<LinkId> = stuck.map(|link| link.id).collect();
            for (id, code) in stuck.into_iter().flat_map(|id| NO_FIELD.map(|code| (id, code))) {
                self.retry_link(id, Some(code));
            }
            self.start(mapping, side, JobKind::Reconcile, None, None);
        }
    }

    /// A side shows a field that it was said to have lost.
    pub(super) fn shows_again(&mut self, mapping: MappingIndex, side: Side, values: &Values) {
        let lost = &self.mappings[mapping].lost_fields[side];
        let shown = |name: &String| values.iter().any(|(shown, _)| shown.eq_ignore_ascii_case(name));
        if lost.iter().any(shown) {
            self.regain(mapping);
        }
    }
}
