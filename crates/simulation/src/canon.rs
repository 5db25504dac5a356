//! When two values are the same, as the oracle sees it: written apart from the engine's own forms on purpose.

use tombolo_engine::sync::{Canon, Stored};

/// The one form of all values that are the same.
pub fn canonical(canon: Canon, value: &Stored) -> Stored {
    match (canon, value) {
        (Canon::Boolean, Stored::Null) => Stored::Boolean(false),
        (Canon::Decimal(_) | Canon::Integer, Stored::Int(number)) => Stored::Double(*number as f64),
        (Canon::Decimal(places), Stored::Double(number)) => {
            let scale = 10_f64.powi(i32::from(places));
            Stored::Double((number * scale).round() / scale)
        }
        (_, Stored::Text(text)) if text.trim().is_empty() => Stored::Null,
        (_, Stored::Text(text)) => Stored::Text(text.trim().to_owned()),
        _ => value.clone(),
    }
}

/// Whether two values are the same.
pub fn same(canon: Canon, one: &Stored, other: &Stored) -> bool {
    one == other || canonical(canon, one) == canonical(canon, other)
}

/// Whether there is nothing in it.
pub fn blank(canon: Canon, value: &Stored) -> bool {
    canonical(canon, value).is_null()
}

/// Which of two values is the greater one, where that means something.
pub fn compare(canon: Canon, one: &Stored, other: &Stored) -> Option<std::cmp::Ordering> {
    match (canonical(canon, one), canonical(canon, other)) {
        (Stored::Double(one), Stored::Double(other)) => one.partial_cmp(&other),
        (Stored::Int(one), Stored::Int(other)) => Some(one.cmp(&other)),
        (Stored::Text(one), Stored::Text(other)) => Some(one.cmp(&other)),
        _ => None,
    }
}

/// For people.
pub fn shown(value: &Stored) -> String {
    match value {
        Stored::Null => "null".to_owned(),
        Stored::Boolean(yes) => yes.to_string(),
        Stored::Int(number) => number.to_string(),
        Stored::Double(number) => number.to_string(),
        Stored::Text(text) => format!("{text:?}"),
        Stored::Date(day) => day.to_string(),
        Stored::DateTime(moment) => moment.to_string(),
        Stored::Time(time) => time.to_string(),
    }
}
