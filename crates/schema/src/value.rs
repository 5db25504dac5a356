//! Field values, and the texts in which Salesforce writes dates and times.

use jiff::{
    Timestamp,
    civil::{Date, Time},
};

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value. Salesforce stores empty text as this, too.
    #[default]
    Null,
    /// A checkbox.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// Text, a picklist value, an Id.
    Text(String),
    /// A day.
    Date(Date),
    /// A moment.
    DateTime(Timestamp),
    /// A time of day.
    Time(Time),
}

impl Value {
    /// Whether there is no value.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// The text is not a value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {wanted}")]
pub struct InvalidValue {
    /// What was given, shortened.
    pub text: String,
    /// What was wanted: `date`, `datetime` or `time`.
    pub wanted: &'static str,
}

fn invalid(text: &str, wanted: &'static str) -> InvalidValue {
    InvalidValue { text: text.chars().take(40).collect(), wanted }
}

/// Reads `2026-11-22`, and nothing shorter or longer.
pub fn parse_date(text: &str) -> Result<Date, InvalidValue> {
    let exact = text.len() == 10 && text.is_ascii();
    exact.then(|| text.parse().ok()).flatten().ok_or_else(|| invalid(text, "date"))
}

/// Reads a date-time with its zone: `Z`, `+0000` or `+00:00`, milliseconds optional, a blank for the `T` refused.
pub fn parse_datetime(text: &str) -> Result<Timestamp, InvalidValue> {
    let wrong = || invalid(text, "datetime");
    if !text.is_ascii() || text.len() < 20 || !matches!(text.as_bytes()[10], b'T' | b't') {
        return Err(wrong());
    }
    let (clock, zone) = match text.as_bytes()[text.len() - 1] {
        b'Z' | b'z' => (&text[..text.len() - 1], "+00:00".to_owned()),
        _ => {
            let sign = text.rfind(['+', '-']).filter(|at| *at > 10).ok_or_else(wrong)?;
            let digits = text[sign + 1..].replace(':', "");
            if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong());
            }
            (&text[..sign], format!("{}{}:{}", &text[sign..=sign], &digits[..2], &digits[2..]))
        }
    };
    if clock.len() < 19 {
        return Err(wrong());
    }
    format!("{clock}{zone}").parse().map_err(|_| wrong())
}

/// Reads a time of day: `13:05:00`, `13:05:00.000Z`.
pub fn parse_time(text: &str) -> Result<Time, InvalidValue> {
    let clock = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let exact = clock.len() >= 8 && clock.is_ascii() && clock.as_bytes()[2] == b':';
    exact.then(|| clock.parse().ok()).flatten().ok_or_else(|| invalid(text, "time"))
}

/// Writes a moment as REST does: `2021-04-08T18:39:16.000+0000`.
pub fn format_datetime(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// Writes a time of day as REST does: `13:05:00.000Z`.
pub fn format_time(time: Time) -> String {
    time.strftime("%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn datetimes_in_every_spelling() {
        for text in [
            "2021-04-08T18:39:16Z",
            "2021-04-08T18:39:16.000Z",
            "2021-04-08T18:39:16.000+0000",
            "2021-04-08T18:39:16+00:00",
            "2021-04-08T20:39:16+0200",
            "2021-04-08T13:09:16.000-05:30",
            "2021-04-08t18:39:16z",
        ] {
            let moment = parse_datetime(text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(format_datetime(moment), "2021-04-08T18:39:16.000+0000", "{text}");
        }
        for text in [
            "2021-04-08",
            "2021-04-08T18:39:16",
            "2021-04-08 18:39:16Z",
            "2021-04-08T18:39Z",
            "2021-13-08T18:39:16Z",
            "é",
        ] {
            assert!(parse_datetime(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_and_times() {
        assert!(parse_date("2020-02-29").is_ok());
        for text in ["2020-1-1", "2021-02-29", "20200101", "2020-01-01T00:00:00Z"] {
            assert!(parse_date(text).is_err(), "{text}");
        }
        assert_eq!(format_time(parse_time("13:05:00").unwrap()), "13:05:00.000Z");
        assert_eq!(format_time(parse_time("13:05:00.250Z").unwrap()), "13:05:00.250Z");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,32}") {
            let _ = (parse_date(&text), parse_datetime(&text), parse_time(&text));
        }
    }
}
