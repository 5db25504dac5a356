//! Which types of fields go together, and when two of their values are the same: a table.

use tombolo_engine::sync::{Canon, Precision};

use crate::systems::system::{Field, FieldKind};

/// The canonical form of a pair of types that hold the same things; none if they do not.
pub(super) fn of(one: FieldKind, other: FieldKind) -> Option<Canon> {
    use FieldKind::{Boolean, Date, DateTime, Decimal, Id, Integer, MultiPicklist, Text, Time, Uuid};
    Some(match (one, other) {
        (Text(a), Text(b)) => Canon::Text(shorter(a, b)),
        (Boolean, Boolean | Integer) | (Integer, Boolean) => Canon::Boolean,
        (Integer, Integer) | (Integer, Decimal(Some(0))) | (Decimal(Some(0)), Integer) => Canon::Integer,
        // A whole number has no decimals to compare, a floating one as many as the other side keeps.
        (Integer, Decimal(_)) | (Decimal(_), Integer) => Canon::Integer,
        (Decimal(a), Decimal(b)) => Canon::Decimal(fewer(a, b).unwrap_or(FLOATING)),
        (Date, Date) => Canon::Date,
        (DateTime(a), DateTime(b)) => Canon::DateTime(precision(a.min(b))),
        (Time, Time) => Canon::Time,
        (MultiPicklist, MultiPicklist | Text(_)) | (Text(_), MultiPicklist) => Canon::MultiPicklist,
        (Id, Id | Text(_)) | (Text(_), Id) => Canon::Id,
        (Uuid, Uuid | Text(_)) | (Text(_), Uuid) => Canon::Key,
        _ => return None,
    })
}

/// The canonical form where values only go one way: more can be said in text than can be read from it.
pub(super) fn one_way(from: FieldKind, to: FieldKind) -> Option<Canon> {
    of(from, to).or(match (from, to) {
        (FieldKind::Integer | FieldKind::Decimal(Some(0)), FieldKind::Text(_)) => Some(Canon::Key),
        _ => None,
    })
}

/// Decimals of two floating numbers that count.
const FLOATING: u8 = 12;

fn shorter(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    a.into_iter().chain(b).min()
}

fn fewer(a: Option<u8>, b: Option<u8>) -> Option<u8> {
    a.into_iter().chain(b).min()
}

const fn precision(digits: u8) -> Precision {
    match digits {
        0 => Precision::Second,
        1..=3 => Precision::Millisecond,
        _ => Precision::Microsecond,
    }
}

/// What a value may lose on its way from one field to another, or why it may be refused there.
pub(super) fn losses(from: &Field, to: &Field) -> Vec<String> {
    let mut losses = Vec::new();
    match (from.kind, to.kind) {
        (FieldKind::Text(Some(long)) | FieldKind::Text(Some(long)), FieldKind::Text(Some(short))) if short < long => {
            losses.push(format!("takes {short} characters, and a value may have {long}: longer ones are refused"));
        }
        (FieldKind::Id, FieldKind::Text(Some(short))) if short < 18 => {
            losses.push(format!("takes {short} characters, and an Id has 18: all are refused"));
        }
        (FieldKind::Uuid, FieldKind::Text(Some(short))) if short < 36 => {
            losses.push(format!("takes {short} characters, and a UUID has 36: all are refused"));
        }
        (FieldKind::Decimal(scale), FieldKind::Integer) if scale != Some(0) => {
            losses.push("is a whole number: fractions are lost".to_owned());
        }
        (FieldKind::Decimal(scale), FieldKind::Decimal(Some(kept))) if scale.is_none_or(|scale| scale > kept) => {
            losses.push(format!("keeps {kept} decimals: the others are lost"));
        }
        _ => {}
    }
    losses.extend(unknown_values(from, to));
    losses
}

/// What a picklist that takes only its own values does not take.
fn unknown_values(from: &Field, to: &Field) -> Option<String> {
    let taken = to.picklist.as_ref()?;
    let Some(given) = &from.picklist else {
        return Some("takes only the values of its list: others are refused".to_owned());
    };
    let unknown: Vec<&str> = given.iter().filter(|value| !taken.contains(value)).map(String::as_str).collect();
    let shown: Vec<&str> = unknown.iter().take(5).copied().collect();
    let more = if unknown.len() > shown.len() { ", …" } else { "" };
    (!unknown.is_empty()).then(|| format!("does not take {}{more}", shown.join(", ")))
}

/// Whether one of two values can be greater.
pub(super) const fn has_order(canon: Canon) -> bool {
    matches!(canon, Canon::Decimal(_) | Canon::Integer | Canon::Date | Canon::DateTime(_) | Canon::Time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FieldKind::{Boolean, Date, DateTime, Decimal, Id, Integer, MultiPicklist, Other, Text, Time, Uuid};

    #[test]
    fn types_that_go_together() {
        for (one, other, expected) in [
            (Text(Some(80)), Text(Some(40)), Some(Canon::Text(Some(40)))),
            (Text(Some(80)), Text(None), Some(Canon::Text(Some(80)))),
            (Text(None), Text(None), Some(Canon::Text(None))),
            (Boolean, Boolean, Some(Canon::Boolean)),
            (Boolean, Integer, Some(Canon::Boolean)),
            (Integer, Integer, Some(Canon::Integer)),
            (Decimal(Some(0)), Integer, Some(Canon::Integer)),
            (Decimal(Some(2)), Integer, Some(Canon::Integer)),
            (Decimal(Some(2)), Decimal(Some(4)), Some(Canon::Decimal(2))),
            (Decimal(Some(2)), Decimal(None), Some(Canon::Decimal(2))),
            (Decimal(None), Decimal(None), Some(Canon::Decimal(12))),
            (Decimal(Some(0)), Decimal(Some(0)), Some(Canon::Decimal(0))),
            (Date, Date, Some(Canon::Date)),
            (DateTime(3), DateTime(6), Some(Canon::DateTime(Precision::Millisecond))),
            (DateTime(0), DateTime(6), Some(Canon::DateTime(Precision::Second))),
            (DateTime(6), DateTime(6), Some(Canon::DateTime(Precision::Microsecond))),
            (Time, Time, Some(Canon::Time)),
            (MultiPicklist, MultiPicklist, Some(Canon::MultiPicklist)),
            (MultiPicklist, Text(None), Some(Canon::MultiPicklist)),
            (Id, Text(Some(18)), Some(Canon::Id)),
            (Id, Id, Some(Canon::Id)),
            (Uuid, Text(Some(36)), Some(Canon::Key)),
            (Uuid, Uuid, Some(Canon::Key)),
            (Text(None), Integer, None),
            (Text(None), Boolean, None),
            (Text(None), Date, None),
            (Date, DateTime(3), None),
            (Time, DateTime(3), None),
            (Boolean, Decimal(Some(0)), None),
            (Id, Integer, None),
            (Id, Uuid, None),
            (Other, Other, None),
            (Other, Text(None), None),
        ] {
            assert_eq!(of(one, other), expected, "{one:?} {other:?}");
            assert_eq!(of(other, one), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn more_goes_one_way() {
        for (from, to, expected) in [
            (Integer, Text(None), Some(Canon::Key)),
            (Decimal(Some(0)), Text(None), Some(Canon::Key)),
            (Text(None), Integer, None),
            (Decimal(Some(2)), Text(None), None),
            (Date, Text(None), None),
            (Date, Date, Some(Canon::Date)),
        ] {
            assert_eq!(one_way(from, to), expected, "{from:?} {to:?}");
        }
    }
}
