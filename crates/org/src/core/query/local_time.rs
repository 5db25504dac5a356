//! The time where the user is: which day it is, when days begin, what the clock says (soql.md 4, 5).

use jiff::{
    civil::{Date, Weekday},
    tz::TimeZone,
};
use rusqlite::OptionalExtension;
use tombolo_schema::{ErrorCode, Id};
use tombolo_soql::Calendar;

use super::refusal::{Asked, Refusal};
use crate::core::{Core, record::Result};

/// Time as the user sees it. The locale is en_US, whose weeks begin on Sunday; the fiscal year is the calendar year.
#[derive(Debug)]
pub(super) struct LocalTime {
    pub(super) calendar: Calendar,
    zone: TimeZone,
    /// As the user's record says; none for GMT.
    name: Option<String>,
}

impl LocalTime {
    pub(super) fn of(core: &Core, user: Id) -> Asked<Self> {
        let name = zone_name(core, user).map_err(|error| unknown(&error.to_string()))?;
        let name = name.filter(|name| !matches!(name.as_str(), "" | "GMT" | "UTC"));
        let zone = match &name {
            Some(name) => TimeZone::get(name).map_err(|error| unknown(&error.to_string()))?,
            None => TimeZone::UTC,
        };
        let today = core.clock().now().to_zoned(zone.clone()).date();
        let calendar = Calendar { today, first_weekday: Weekday::Sunday, fiscal_start_month: 1 };
        Ok(Self { calendar, zone, name })
    }

    /// When a day begins, in milliseconds since 1970.
    pub(super) fn midnight(&self, day: Date) -> Option<i64> {
        Some(day.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    pub(super) fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The name of the zone, unless it is GMT.
    pub(super) fn zone(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

fn zone_name(core: &Core, user: Id) -> Result<Option<String>> {
    core.snapshot(|connection| {
        let sql = "SELECT \"TimeZoneSidKey\" FROM \"User\" WHERE \"Id\" = ?1";
        let name: Option<Option<String>> =
            connection.prepare_cached(sql)?.query_row([user.as_str()], |row| row.get(0)).optional()?;
        Ok(name.flatten())
    })
}

fn unknown(why: &str) -> Refusal {
    Refusal::of_query(ErrorCode::UnknownException, format!("the user's time zone is not known: {why}"))
}
