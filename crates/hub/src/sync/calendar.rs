//! What is done by the calendar: mappings that are written to by cron, and comparing beside the live stream.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tombolo_engine::sync::{Command, Input, MappingIndex};

use crate::config::Schedule;

/// Of no command that anybody asked for.
const UNASKED: u64 = 0;

/// The schedules of a file's mappings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calendar {
    /// Mappings that are written to by cron.
    pub(crate) schedules: Vec<(MappingIndex, Schedule)>,
    /// Mappings that are compared beside the live stream.
    pub(crate) compared: Vec<MappingIndex>,
    /// How often.
    pub(crate) compare_every: Duration,
}

/// A calendar, and what comes next in it.
#[derive(Debug)]
pub(super) struct Days {
    calendar: Calendar,
    beats: Vec<Option<Timestamp>>,
    comparison: Option<Timestamp>,
    /// When it was compared last.
    compared: Timestamp,
}

impl Days {
    /// From now on. Since when nobody compared is not known: the first time it reaches back twice as far.
    pub(super) fn from(now: Timestamp, calendar: Calendar) -> Self {
        let beats = calendar.schedules.iter().map(|(_, schedule)| schedule.next(now)).collect();
        let comparison = calendar.next_comparison(now);
        let compared = comparison.map_or(now, |next| back(next, calendar.compare_every * 2));
        Self { calendar, beats, comparison, compared }
    }

    /// What is to be done by now. Of what was missed only the last time counts.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Input> {
        let mut inputs = Vec::new();
        for ((mapping, schedule), next) in self.calendar.schedules.iter().zip(&mut self.beats) {
            if next.is_some_and(|next| next <= now) {
                inputs.push(Input::Beat(*mapping));
                *next = schedule.next(now);
            }
        }
        if self.comparison.is_some_and(|next| next <= now) {
            let since = Some(self.compared);
            let compare = |mapping: &MappingIndex| Input::Command {
                id: UNASKED,
                command: Command::Reconcile { mapping: Some(*mapping), since },
            };
            inputs.extend(self.calendar.compared.iter().map(compare));
            self.compared = now;
            self.comparison = self.calendar.next_comparison(now);
        }
        inputs
    }
}

impl Calendar {
    /// The next full multiple: the same whoever counts.
    fn next_comparison(&self, now: Timestamp) -> Option<Timestamp> {
        let every = i64::try_from(self.compare_every.as_millis()).ok().filter(|every| *every > 0)?;
        if self.compared.is_empty() {
            return None;
        }
        let next = now.as_millisecond().div_euclid(every).checked_add(1)?.checked_mul(every)?;
        Timestamp::from_millisecond(next).ok()
    }
}

fn back(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-27T{text}Z").parse().unwrap()
    }

    #[test]
    fn what_is_due_when() {
        let calendar = Calendar {
            schedules: vec![(0, "*/20 * * * *".parse().unwrap()), (3, "0 6 * * *".parse().unwrap())],
            compared: vec![1, 3],
            compare_every: Duration::from_secs(3600),
        };
        let mut days = Days::from(at("05:30:00"), calendar);
        let compare = |mapping, since| Input::Command {
            id: UNASKED,
            command: Command::Reconcile { mapping: Some(mapping), since: Some(since) },
        };
        assert_eq!(days.due(at("05:39:59")), []);
        assert_eq!(days.due(at("05:40:00")), [Input::Beat(0)]);
        assert_eq!(days.due(at("05:40:00")), []);
        let all = [Input::Beat(0), Input::Beat(3), compare(1, at("04:00:00")), compare(3, at("04:00:00"))];
        assert_eq!(days.due(at("06:00:07")), all);
        // A process that stood still.
        let later = [Input::Beat(0), compare(1, at("06:00:07")), compare(3, at("06:00:07"))];
        assert_eq!(days.due(at("09:59:00")), later);
        assert_eq!(days.due(at("09:59:30")), []);
        assert!(Days::from(at("05:30:00"), Calendar::default()).due(at("23:00:00")).is_empty());
    }
}
