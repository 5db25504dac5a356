//! Lengths of time and shares, as people write them.

use std::time::Duration;

/// `300ms`, `60s`, `10m`, `24h`, `7d`, `1h 30m`; a bare `0` is none at all.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text.trim() == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let milliseconds = match &rest[..letters] {
            "ms" | "milliseconds" | "millisecond" => 1,
            "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(milliseconds)?))?;
        rest = rest[letters..].trim_start();
    }
    (!text.trim().is_empty()).then_some(total)
}

/// `50%` or `50`.
pub(super) fn percent(text: &str) -> Option<u32> {
    let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
    number.parse().ok().filter(|share| *share <= 100)
}

/// As short as it can be said: `300ms`, `90s`, `10m`.
pub(crate) fn spoken(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, milliseconds) in [
            ("300ms", Some(300)),
            ("300 ms", Some(300)),
            ("60s", Some(60_000)),
            ("10m", Some(600_000)),
            ("1h 30m", Some(5_400_000)),
            ("1h30m", Some(5_400_000)),
            ("7 days", Some(604_800_000)),
            ("0", Some(0)),
            ("10", None),
            ("m", None),
            ("", None),
            ("-5s", None),
            ("5 fortnights", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_millis()), milliseconds, "{text}");
        }
    }

    #[test]
    fn shares_and_what_is_said() {
        for (text, share) in [("50%", Some(50)), ("50", Some(50)), ("100 %", Some(100)), ("101%", None), ("half", None)]
        {
            assert_eq!(percent(text), share, "{text}");
        }
        for text in ["300ms", "90s", "10m", "1h", "7d", "0ms"] {
            assert_eq!(spoken(duration(text).unwrap()), text);
        }
    }
}
