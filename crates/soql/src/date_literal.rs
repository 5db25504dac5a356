//! Dates relative to today: the names of the literals, and the days they stand for (soql.md 4).

use jiff::{ToSpan, civil::Date};

macro_rules! date_literals {
    ($($variant:ident = $text:literal $takes_count:literal,)*) => {
        /// A date literal: `TODAY`, `LAST_N_DAYS:n` and the like.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DateLiteralKind {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl DateLiteralKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether `:n` belongs behind it.
            pub const fn takes_count(self) -> bool {
                match self { $(Self::$variant => $takes_count,)* }
            }
        }
    };
}

date_literals! {
    Today = "TODAY" false,
    Yesterday = "YESTERDAY" false,
    Tomorrow = "TOMORROW" false,
    LastWeek = "LAST_WEEK" false,
    ThisWeek = "THIS_WEEK" false,
    NextWeek = "NEXT_WEEK" false,
    LastMonth = "LAST_MONTH" false,
    ThisMonth = "THIS_MONTH" false,
    NextMonth = "NEXT_MONTH" false,
    LastQuarter = "LAST_QUARTER" false,
    ThisQuarter = "THIS_QUARTER" false,
    NextQuarter = "NEXT_QUARTER" false,
    LastYear = "LAST_YEAR" false,
    ThisYear = "THIS_YEAR" false,
    NextYear = "NEXT_YEAR" false,
    LastFiscalQuarter = "LAST_FISCAL_QUARTER" false,
    ThisFiscalQuarter = "THIS_FISCAL_QUARTER" false,
    NextFiscalQuarter = "NEXT_FISCAL_QUARTER" false,
    LastFiscalYear = "LAST_FISCAL_YEAR" false,
    ThisFiscalYear = "THIS_FISCAL_YEAR" false,
    NextFiscalYear = "NEXT_FISCAL_YEAR" false,
    Last90Days = "LAST_90_DAYS" false,
    Next90Days = "NEXT_90_DAYS" false,
    LastNDays = "LAST_N_DAYS" true,
    NextNDays = "NEXT_N_DAYS" true,
    LastNWeeks = "LAST_N_WEEKS" true,
    NextNWeeks = "NEXT_N_WEEKS" true,
    LastNMonths = "LAST_N_MONTHS" true,
    NextNMonths = "NEXT_N_MONTHS" true,
    LastNQuarters = "LAST_N_QUARTERS" true,
    NextNQuarters = "NEXT_N_QUARTERS" true,
    LastNYears = "LAST_N_YEARS" true,
    NextNYears = "NEXT_N_YEARS" true,
    LastNFiscalQuarters = "LAST_N_FISCAL_QUARTERS" true,
    NextNFiscalQuarters = "NEXT_N_FISCAL_QUARTERS" true,
    LastNFiscalYears = "LAST_N_FISCAL_YEARS" true,
    NextNFiscalYears = "NEXT_N_FISCAL_YEARS" true,
    NDaysAgo = "N_DAYS_AGO" true,
    NWeeksAgo = "N_WEEKS_AGO" true,
    NMonthsAgo = "N_MONTHS_AGO" true,
    NQuartersAgo = "N_QUARTERS_AGO" true,
    NYearsAgo = "N_YEARS_AGO" true,
    NFiscalQuartersAgo = "N_FISCAL_QUARTERS_AGO" true,
    NFiscalYearsAgo = "N_FISCAL_YEARS_AGO" true,
}

/// The days from `start` on, up to but without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRange {
    /// The first day.
    pub start: Date,
    /// The first day that no longer belongs to it.
    pub end: Date,
}

/// What the days of a literal depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Today, in the user's time zone.
    pub today: Date,
    /// The first day of a week, in the user's locale.
    pub first_weekday: jiff::civil::Weekday,
    /// The month in which the org's fiscal year starts, 1 to 12.
    pub fiscal_start_month: i8,
}

/// A stretch of the calendar that literals count in.
#[derive(Clone, Copy)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    FiscalQuarter,
    FiscalYear,
}

impl DateLiteralKind {
    /// The literal with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    /// The days that the literal stands for; none when they lie outside the years 0 to 9999.
    ///
    /// The count is looked at only where [`Self::takes_count`] says that one belongs there.
    pub fn days(self, count: u32, calendar: &Calendar) -> Option<DayRange> {
        let n = i64::from(count);
        let (unit, first, last) = self.units(n);
        let start = unit.start(calendar)?;
        Some(DayRange { start: unit.shift(start, first)?, end: unit.shift(start, last)? })
    }

    /// The unit, and the first and the first-no-longer of those that belong to it, counted from the current one.
    fn units(self, n: i64) -> (Unit, i64, i64) {
        use Unit::*;
        match self {
            Self::Today => (Day, 0, 1),
            Self::Yesterday => (Day, -1, 0),
            Self::Tomorrow => (Day, 1, 2),
            // The days before today include today, the days to come do not.
            Self::Last90Days => (Day, -90, 1),
            Self::Next90Days => (Day, 1, 91),
            Self::LastNDays => (Day, -n, 1),
            Self::NextNDays => (Day, 1, n + 1),
            Self::NDaysAgo => (Day, -n, 1 - n),
            Self::LastWeek => (Week, -1, 0),
            Self::ThisWeek => (Week, 0, 1),
            Self::NextWeek => (Week, 1, 2),
            Self::LastNWeeks => (Week, -n, 0),
            Self::NextNWeeks => (Week, 1, n + 1),
            Self::NWeeksAgo => (Week, -n, 1 - n),
            Self::LastMonth => (Month, -1, 0),
            Self::ThisMonth => (Month, 0, 1),
            Self::NextMonth => (Month, 1, 2),
            Self::LastNMonths => (Month, -n, 0),
            Self::NextNMonths => (Month, 1, n + 1),
            Self::NMonthsAgo => (Month, -n, 1 - n),
            Self::LastQuarter => (Quarter, -1, 0),
            Self::ThisQuarter => (Quarter, 0, 1),
            Self::NextQuarter => (Quarter, 1, 2),
            Self::LastNQuarters => (Quarter, -n, 0),
            Self::NextNQuarters => (Quarter, 1, n + 1),
            Self::NQuartersAgo => (Quarter, -n, 1 - n),
            Self::LastYear => (Year, -1, 0),
            Self::ThisYear => (Year, 0, 1),
            Self::NextYear => (Year, 1, 2),
            Self::LastNYears => (Year, -n, 0),
            Self::NextNYears => (Year, 1, n + 1),
            Self::NYearsAgo => (Year, -n, 1 - n),
            Self::LastFiscalQuarter => (FiscalQuarter, -1, 0),
            Self::ThisFiscalQuarter => (FiscalQuarter, 0, 1),
            Self::NextFiscalQuarter => (FiscalQuarter, 1, 2),
            Self::LastNFiscalQuarters => (FiscalQuarter, -n, 0),
            Self::NextNFiscalQuarters => (FiscalQuarter, 1, n + 1),
            Self::NFiscalQuartersAgo => (FiscalQuarter, -n, 1 - n),
            Self::LastFiscalYear => (FiscalYear, -1, 0),
            Self::ThisFiscalYear => (FiscalYear, 0, 1),
            Self::NextFiscalYear => (FiscalYear, 1, 2),
            Self::LastNFiscalYears => (FiscalYear, -n, 0),
            Self::NextNFiscalYears => (FiscalYear, 1, n + 1),
            Self::NFiscalYearsAgo => (FiscalYear, -n, 1 - n),
        }
    }
}

impl Unit {
    /// The first day of the unit that today is in.
    fn start(self, calendar: &Calendar) -> Option<Date> {
        let today = calendar.today;
        let month_start = today.first_of_month();
        let back = |months: i8| month_start.checked_sub(i64::from(months).months()).ok();
        let fiscal_month = (today.month() - calendar.fiscal_start_month).rem_euclid(12);
        match self {
            Self::Day => Some(today),
            Self::Week => {
                let since = today.weekday().since(calendar.first_weekday);
                today.checked_sub(i64::from(since).days()).ok()
            }
            Self::Month => Some(month_start),
            Self::Quarter => back((today.month() - 1) % 3),
            Self::Year => back(today.month() - 1),
            Self::FiscalQuarter => back(fiscal_month % 3),
            Self::FiscalYear => back(fiscal_month),
        }
    }

    fn shift(self, start: Date, count: i64) -> Option<Date> {
        let (days, months) = match self {
            Self::Day => (1, 0),
            Self::Week => (7, 0),
            Self::Month => (0, 1),
            Self::Quarter | Self::FiscalQuarter => (0, 3),
            Self::Year | Self::FiscalYear => (0, 12),
        };
        let span = jiff::Span::new().try_days(days * count).ok()?.try_months(months * count).ok()?;
        start.checked_add(span).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Weekday, date};

    /// A Sunday.
    const CALENDAR: Calendar =
        Calendar { today: date(2026, 11, 22), first_weekday: Weekday::Monday, fiscal_start_month: 4 };

    #[track_caller]
    fn check(literal: &str, start: &str, end: &str) {
        let (name, count) = literal.split_once(':').unwrap_or((literal, "0"));
        let kind = DateLiteralKind::from_name(name).unwrap();
        let range = kind.days(count.parse().unwrap(), &CALENDAR).unwrap();
        assert_eq!((range.start.to_string(), range.end.to_string()), (start.to_owned(), end.to_owned()), "{literal}");
    }

    #[test]
    fn the_days_of_literals() {
        check("today", "2026-11-22", "2026-11-23");
        check("YESTERDAY", "2026-11-21", "2026-11-22");
        check("TOMORROW", "2026-11-23", "2026-11-24");
        check("LAST_90_DAYS", "2026-08-24", "2026-11-23");
        check("NEXT_90_DAYS", "2026-11-23", "2027-02-21");
        check("LAST_N_DAYS:1", "2026-11-21", "2026-11-23");
        check("LAST_N_DAYS:0", "2026-11-22", "2026-11-23");
        check("NEXT_N_DAYS:1", "2026-11-23", "2026-11-24");
        check("N_DAYS_AGO:2", "2026-11-20", "2026-11-21");
        check("THIS_WEEK", "2026-11-16", "2026-11-23");
        check("LAST_WEEK", "2026-11-09", "2026-11-16");
        check("NEXT_N_WEEKS:2", "2026-11-23", "2026-12-07");
        check("LAST_N_WEEKS:2", "2026-11-02", "2026-11-16");
        check("N_WEEKS_AGO:2", "2026-11-02", "2026-11-09");
        check("THIS_MONTH", "2026-11-01", "2026-12-01");
        check("NEXT_N_MONTHS:2", "2026-12-01", "2027-02-01");
        check("LAST_N_MONTHS:12", "2025-11-01", "2026-11-01");
        check("N_MONTHS_AGO:1", "2026-10-01", "2026-11-01");
        check("THIS_QUARTER", "2026-10-01", "2027-01-01");
        check("LAST_N_QUARTERS:2", "2026-04-01", "2026-10-01");
        check("THIS_YEAR", "2026-01-01", "2027-01-01");
        check("LAST_N_YEARS:1", "2025-01-01", "2026-01-01");
        check("THIS_FISCAL_YEAR", "2026-04-01", "2027-04-01");
        check("THIS_FISCAL_QUARTER", "2026-10-01", "2027-01-01");
        check("NEXT_FISCAL_YEAR", "2027-04-01", "2028-04-01");
        check("N_FISCAL_QUARTERS_AGO:3", "2026-01-01", "2026-04-01");
    }

    #[test]
    fn weeks_follow_the_locale() {
        let calendar = Calendar { first_weekday: Weekday::Sunday, ..CALENDAR };
        let range = DateLiteralKind::ThisWeek.days(0, &calendar).unwrap();
        assert_eq!((range.start, range.end), (date(2026, 11, 22), date(2026, 11, 29)));
    }

    #[test]
    fn there_are_44_and_none_panics() {
        assert_eq!(DateLiteralKind::ALL.len(), 44);
        for kind in DateLiteralKind::ALL {
            for count in [0, 1, 10, u32::MAX] {
                if let Some(range) = kind.days(count, &CALENDAR) {
                    assert!(range.start <= range.end, "{kind:?} {count}");
                }
            }
        }
    }
}
