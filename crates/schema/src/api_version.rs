//! API versions: a number of the form `66.0` and the season it came with.

use std::{fmt, str::FromStr};

/// An API version. Only whole versions exist, so the number before the point is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(u16);

/// The text is not an API version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an API version; one looks like 66.0")]
pub struct InvalidApiVersion(String);

impl ApiVersion {
    /// The version that the client asks for unless told otherwise.
    pub const DEFAULT: Self = Self(66);

    /// The version with this number.
    pub const fn new(major: u16) -> Self {
        Self(major)
    }

    /// The number before the point.
    pub const fn major(self) -> u16 {
        self.0
    }

    /// The season it was released in, as the versions resource labels it: `Spring '26` for 66.0.
    ///
    /// Three seasons a year, counted from Winter '11 (20.0) on; what is older is labelled the same way.
    pub fn label(self) -> String {
        let since = i32::from(self.0) - 20;
        let season = ["Winter", "Spring", "Summer"][since.rem_euclid(3) as usize];
        format!("{season} '{:02}", 11 + since.div_euclid(3))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

impl FromStr for ApiVersion {
    type Err = InvalidApiVersion;

    /// Reads `66.0`, `66` and `v66.0`.
    fn from_str(text: &str) -> Result<Self, InvalidApiVersion> {
        let invalid = || InvalidApiVersion(text.chars().take(20).collect());
        let number = text.strip_prefix('v').unwrap_or(text);
        let major = number.strip_suffix(".0").unwrap_or(number);
        if major.is_empty() || !major.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        major.parse().map(Self).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_seasons() {
        for (major, label) in
            [(20, "Winter '11"), (31, "Summer '14"), (52, "Summer '21"), (66, "Spring '26"), (68, "Winter '27")]
        {
            assert_eq!(ApiVersion::new(major).label(), label);
        }
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!("v66.0".parse(), Ok(ApiVersion::new(66)));
        assert_eq!("66".parse(), Ok(ApiVersion::new(66)));
        for text in ["", "v", "66.1", "-3", "sixty", "999999.0"] {
            assert!(text.parse::<ApiVersion>().is_err(), "{text}");
        }
    }
}
