//! `cron "0 6 * * MON-FRI"`: when a mapping is written to, by the calendar.

use std::{fmt, str::FromStr};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

/// A pattern of cron, of five fields, and the zone that it is meant in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron \"{}\" {}", self.cron.as_str(), self.zone.iana_name().unwrap_or("UTC"))
    }
}

impl Schedule {
    /// The first moment behind this one; none if the pattern names no day that ever comes.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
    }
}

impl FromStr for Schedule {
    /// What is wrong, in words.
    type Err = String;

    /// `"0 6 * * MON-FRI"`, in UTC, or with the name of a zone behind it: `"0 6 * * *" Europe/Berlin`.
    fn from_str(text: &str) -> Result<Self, String> {
        let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (pattern, zone) = match quote {
            Some(quote) => text[1..].split_once(quote).ok_or("its quotation mark is not closed")?,
            None => (text, ""),
        };
        let zone = match zone.trim() {
            "" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?,
        };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|error| lowered(&error.to_string()))?;
        let schedule = Self { cron, zone };
        schedule.next(Timestamp::now()).ok_or("that day never comes")?;
        Ok(schedule)
    }
}

fn lowered(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    first + chars.as_str().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_of_a_pattern() {
        for (text, after, next) in [
            (r#""0 6 * * MON-FRI""#, "2026-11-27T06:00:00Z", "2026-11-30T06:00:00Z"),
            ("*/15 * * * *", "2026-11-27T06:00:00.5Z", "2026-11-27T06:15:00Z"),
            ("'0 6 * * *' Europe/Berlin", "2026-11-27T06:00:00Z", "2026-11-28T05:00:00Z"),
            // The hour that the clocks leave out.
            ("'30 2 * * *' Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("0 0 29 2 *", "2026-11-27T06:00:00Z", "2028-02-29T00:00:00Z"),
        ] {
            let schedule: Schedule = text.parse().unwrap();
            let after: Timestamp = after.parse().unwrap();
            assert_eq!(schedule.next(after).unwrap().to_string(), next, "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for (text, said) in [
            ("\"0 6 * * *", "its quotation mark is not closed"),
            ("'0 6 * * *' Europe/Atlantis", "there is no time zone `Europe/Atlantis`"),
            ("0 0 30 2 *", "that day never comes"),
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap_err(), said, "{text}");
        }
        for text in ["", "61 * * * *", "* * *", "0 0 6 * * *", "every day"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
