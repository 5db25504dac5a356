//! When two values of a pair of fields are the same, and how a value of one side is said on the other.
//!
//! No form cuts anything: a text that is too long for a side is refused there, and seen.

mod number;

use std::borrow::Cow;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use tombolo_schema::{Id, parse_date, parse_datetime, parse_time};

pub(super) use self::number::parse as parse_number;
use super::{Side, Stored};

/// The canonical form of a pair of field types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Canon {
    /// Text: trimmed, line ends as `\n`, and blank is null. Not longer than this, if a length is known.
    Text(Option<u32>),
    /// A number with so many decimals, a five rounded away from zero (as PostgreSQL and MySQL round what they store,
    /// and Salesforce what is typed in; by its API Salesforce keeps more), and of 15 digits, which is what a double
    /// keeps.
    Decimal(u8),
    /// A whole number; beyond 2^53, of 15 digits.
    Integer,
    /// Yes or no; null is no.
    Boolean,
    /// A day.
    Date,
    /// A moment, to the second or the millisecond.
    DateTime(Precision),
    /// A time of day, to the millisecond.
    Time,
    /// A set of picklist values.
    MultiPicklist,
    /// A Salesforce Id of 15 or 18 characters.
    Id,
    /// A key of the peer, or a reference: compared as text, a UUID in any case.
    Key,
}

/// How exact moments are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Whole seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
}

impl Canon {
    /// The one form that stands for all values that are the same. What is no value of this type stays what it is.
    pub fn of(&self, value: &Stored) -> Stored {
        self.form(value).into_owned()
    }

    /// Whether two values are the same.
    pub fn same(&self, one: &Stored, other: &Stored) -> bool {
        one == other || self.form(one) == self.form(other)
    }

    /// How a value is said on a side; the same for references, which are translated apart.
    ///
    /// Nothing is lost that the pair's types hold: texts keep their blanks, numbers their digits.
    pub fn say(&self, value: &Stored, _on: Side) -> Stored {
        match (self, value) {
            (Self::Text(_), Stored::Text(text)) if !text.trim().is_empty() => value.clone(),
            (Self::Decimal(_) | Self::Integer, Stored::Int(_)) => value.clone(),
            (Self::Decimal(scale), Stored::Double(_) | Stored::Text(_)) => number::rounded(value, *scale),
            (Self::Integer, Stored::Text(text)) => match parse_number(text) {
                Some(whole @ Stored::Int(_)) => whole,
                _ => self.of(value),
            },
            (Self::MultiPicklist, Stored::Text(text)) => said_picklist(text),
            _ => self.of(value),
        }
    }

    /// Whether a value is not longer than the pair's texts may be.
    pub fn fits(&self, value: &Stored) -> bool {
        let Self::Text(Some(length)) = self else { return true };
        match text_of(value) {
            Some(text) => text.len() <= *length as usize || text.chars().count() <= *length as usize,
            None => true,
        }
    }

    /// The canonical form, borrowed where the value has it already.
    fn form<'a>(&self, value: &'a Stored) -> Cow<'a, Stored> {
        let changed = match self {
            Self::Text(_) => text(value),
            Self::Decimal(scale) => number::decimal(value, *scale),
            Self::Integer => number::integer(value),
            Self::Boolean => boolean(value),
            Self::Date => date(value),
            Self::DateTime(precision) => moment(value, *precision),
            Self::Time => time(value),
            Self::MultiPicklist => picklist(value),
            Self::Id => id(value),
            Self::Key => key(value),
        };
        match changed {
            Some(form) => Cow::Owned(form),
            None if is_odd(value) => Cow::Owned(plain(value)),
            None => Cow::Borrowed(value),
        }
    }
}

/// Whether a value is not equal to itself, or a blank text.
fn is_odd(value: &Stored) -> bool {
    match value {
        Stored::Double(number) => number.is_nan(),
        Stored::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// What an odd value stands for, whatever its type should be.
fn plain(value: &Stored) -> Stored {
    if matches!(value, Stored::Double(_)) { Stored::Text("NaN".to_owned()) } else { Stored::Null }
}

/// A value as text; none for null.
fn text_of(value: &Stored) -> Option<Cow<'_, str>> {
    Some(match value {
        Stored::Null => return None,
        Stored::Text(text) => Cow::Borrowed(text),
        Stored::Boolean(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
        Stored::Int(number) => Cow::Owned(number.to_string()),
        Stored::Double(number) if *number == 0.0 => Cow::Borrowed("0"),
        Stored::Double(number) => Cow::Owned(number.to_string()),
        Stored::Date(day) => Cow::Owned(day.to_string()),
        Stored::DateTime(moment) => Cow::Owned(moment.to_string()),
        Stored::Time(time) => Cow::Owned(time.to_string()),
    })
}

// Each of these answers none where the value is its own canonical form, or is no value of the type.

fn text(value: &Stored) -> Option<Stored> {
    if let Stored::Text(text) = value {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Some(Stored::Null);
        }
        if trimmed.contains('\r') {
            return Some(Stored::Text(trimmed.replace("\r\n", "\n").replace('\r', "\n")));
        }
        return (trimmed.len() < text.len()).then(|| trimmed.into());
    }
    text_of(value).map(|text| Stored::Text(text.into_owned()))
}

fn boolean(value: &Stored) -> Option<Stored> {
    let yes = match value {
        Stored::Null => false,
        Stored::Int(number) => *number != 0,
        Stored::Double(number) if !number.is_nan() => *number != 0.0,
        Stored::Text(text) => match text.trim() {
            "" | "0" | "f" | "F" => false,
            "1" | "t" | "T" => true,
            word if word.eq_ignore_ascii_case("true") => true,
            word if word.eq_ignore_ascii_case("false") => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Stored::Boolean(yes))
}

fn date(value: &Stored) -> Option<Stored> {
    let day = match value {
        Stored::DateTime(moment) => TimeZone::UTC.to_datetime(*moment).date(),
        Stored::Text(text) => read_date(text)?,
        _ => return None,
    };
    Some(Stored::Date(day))
}

fn moment(value: &Stored, precision: Precision) -> Option<Stored> {
    let moment = match value {
        Stored::DateTime(moment) => *moment,
        Stored::Date(day) => day.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).ok()?.timestamp(),
        Stored::Text(text) => read_moment(text)?,
        _ => return None,
    };
    let step = match precision {
        Precision::Second => 1_000_000_000,
        Precision::Millisecond => 1_000_000,
        Precision::Microsecond => 1_000,
    };
    let nanoseconds = moment.as_nanosecond();
    let form = Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(step)).unwrap_or(moment);
    (*value != Stored::DateTime(form)).then_some(Stored::DateTime(form))
}

fn time(value: &Stored) -> Option<Stored> {
    let time = match value {
        Stored::Time(time) => *time,
        Stored::Text(text) => read_time(text)?,
        _ => return None,
    };
    let below = time.subsec_nanosecond() % 1_000_000;
    let form = time.with().subsec_nanosecond(time.subsec_nanosecond() - below).build().unwrap_or(time);
    (*value != Stored::Time(form)).then_some(Stored::Time(form))
}

fn picklist(value: &Stored) -> Option<Stored> {
    let Stored::Text(text) = value else { return None };
    let mut entries = entries(text);
    entries.sort_unstable();
    entries.dedup();
    joined(text, &entries)
}

fn said_picklist(text: &str) -> Stored {
    let mut said: Vec<&str> = Vec::new();
    for entry in entries(text) {
        if !said.contains(&entry) {
            said.push(entry);
        }
    }
    joined(text, &said).unwrap_or_else(|| text.into())
}

fn entries(text: &str) -> Vec<&str> {
    text.split(';').map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

fn joined(text: &str, entries: &[&str]) -> Option<Stored> {
    if entries.is_empty() {
        return Some(Stored::Null);
    }
    let form = entries.join(";");
    (form != text).then_some(Stored::Text(form))
}

fn id(value: &Stored) -> Option<Stored> {
    let Stored::Text(text) = value else { return None };
    let trimmed = text.trim();
    let form = Id::parse(trimmed).ok();
    let form = form.as_ref().map_or(trimmed, Id::as_str);
    if form.is_empty() {
        return Some(Stored::Null);
    }
    (form != text).then(|| form.into())
}

fn key(value: &Stored) -> Option<Stored> {
    if let Stored::Text(text) = value {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Some(Stored::Null);
        }
        if is_uuid(trimmed) && trimmed.bytes().any(|letter| letter.is_ascii_uppercase()) {
            return Some(Stored::Text(trimmed.to_ascii_lowercase()));
        }
        return (trimmed.len() < text.len()).then(|| trimmed.into());
    }
    text_of(value).map(|text| Stored::Text(text.into_owned()))
}

fn is_uuid(text: &str) -> bool {
    let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| if hyphen(at) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// A day, of a moment the day in UTC.
pub(super) fn read_date(text: &str) -> Option<Date> {
    let text = text.trim();
    parse_date(text).ok().or_else(|| read_moment(text).map(|moment| TimeZone::UTC.to_datetime(moment).date()))
}

/// A moment as Salesforce or a database spells it; without a zone it is UTC.
pub(super) fn read_moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // The shortest is a day; anything that does not begin like a year is none.
    if text.len() < 10 || !text.as_bytes()[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    parse_datetime(text)
        .ok()
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| civil().map(|moment| moment.timestamp()))
}

/// A time of day as Salesforce or a database spells it.
pub(super) fn read_time(text: &str) -> Option<Time> {
    parse_time(text.trim()).ok()
}

#[cfg(test)]
mod tests;
