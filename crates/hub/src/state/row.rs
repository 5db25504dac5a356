//! What of a record stands in columns of its own: what it is found by.

use jiff::Timestamp;
use serde::Serialize;
use tombolo_engine::sync::{Link, Presence, Side};
use tombolo_schema::Id;

use crate::{Error, Result};

/// The side that a link shows while the other has never had the record.
pub(super) fn half(link: &Link) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| {
        let other = side.other();
        link.presence[*side] == Presence::Present
            && link.presence[other] == Presence::Absent
            && link.keys[other].is_none()
    })
}

/// Whether a side's record is there.
pub(super) fn present(link: &Link, side: Side) -> bool {
    link.presence[side] == Presence::Present
}

/// The forms in which a key that a person gives may be kept: as it is, and a Salesforce Id with 18 characters.
pub(super) fn forms(key: &str) -> Vec<String> {
    let mut forms = vec![key.to_owned()];
    if let Ok(id) = Id::parse(key).map(|id| id.to_string())
        && id != key
    {
        forms.push(id);
    }
    forms
}

/// A number as databases keep it.
pub(super) fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::failed(format!("{number} is too great for the state")))
}

/// A moment as databases keep it.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A record as text.
pub(super) fn json<T: Serialize>(record: &T) -> Result<String> {
    serde_json::to_string(record).map_err(|error| Error::failed("a record cannot be stored").with_source(error))
}

/// A number for a text, the same in every process (FNV-1a). It tells apart what happened at one moment.
pub(super) fn fingerprint(text: &str) -> i64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash.cast_signed()
}
