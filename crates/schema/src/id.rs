//! Record Ids: 15 case-sensitive base-62 characters, and the 18-character form that survives case folding.

use std::{fmt, str::FromStr};

/// A record Id. Holds the 18-character form; the 15-character one compares equal once parsed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 18]);

/// The text is not a record Id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Salesforce Id")]
pub struct InvalidId(String);

const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Id {
    /// Reads the 15- or 18-character form. A wrong checksum is refused; the checksum itself may be of either case.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId(text.chars().take(40).collect());
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(invalid());
        }
        let short: [u8; 15] = bytes[..15].try_into().map_err(|_| invalid())?;
        let id = Self::with_checksum(short);
        if bytes.len() == 18 && !id.0[15..].eq_ignore_ascii_case(&bytes[15..]) {
            return Err(invalid());
        }
        Ok(id)
    }

    /// The Id of a row: a three-character key prefix and a number, written in base 62.
    ///
    /// ```
    /// # use tombolo_schema::Id;
    /// assert_eq!(Id::from_number(*b"001", 62).as_str(), "001000000000010AAA");
    /// ```
    pub fn from_number(key_prefix: [u8; 3], mut number: u64) -> Self {
        let mut short = [b'0'; 15];
        short[..3].copy_from_slice(&key_prefix);
        for slot in short[3..].iter_mut().rev() {
            *slot = BASE62[(number % 62) as usize];
            number /= 62;
        }
        Self::with_checksum(short)
    }

    fn with_checksum(short: [u8; 15]) -> Self {
        let mut all = [0; 18];
        all[..15].copy_from_slice(&short);
        for (group, chars) in short.chunks_exact(5).enumerate() {
            let bits =
                chars.iter().enumerate().fold(0usize, |bits, (i, c)| bits | (usize::from(c.is_ascii_uppercase()) << i));
            all[15 + group] = SUFFIX[bits];
        }
        Self(all)
    }

    /// The 18-character form.
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The 15-character form.
    pub fn short(&self) -> &str {
        &self.as_str()[..15]
    }

    /// The first three characters, which name the object.
    pub fn key_prefix(&self) -> &str {
        &self.as_str()[..3]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Id {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn checksums_of_recorded_ids() {
        for recorded in [
            "00Q4C00000B5BugUAF",
            "001Pc00000LuBMUIA3",
            "0012300000bVTq1AAG",
            "0035500001H9kZuAAJ",
            "0057e00000RmwSWAAZ",
            "0016f00002iPs9mAAC",
            "0031i000013x2TEAAY",
            "0015500001QdQWaAAN",
        ] {
            assert_eq!(Id::parse(&recorded[..15]).unwrap().as_str(), recorded);
            assert_eq!(Id::parse(recorded).unwrap().short(), &recorded[..15]);
        }
    }

    #[test]
    fn what_is_no_id() {
        for text in ["", "001", "001900K0001pPuOAAU", "0015500001QdQW!", "0015500001QdQWaAA", "é15500001QdQWa"] {
            assert!(Id::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,24}") {
            let _ = Id::parse(&text);
        }

        #[test]
        fn both_forms_are_one_id(number: u64) {
            let id = Id::from_number(*b"a00", number);
            prop_assert_eq!(Id::parse(id.short()).unwrap(), id);
            prop_assert_eq!(Id::parse(id.as_str()).unwrap(), id);
        }
    }
}
