//! SQL functions of our own, registered on every connection.

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::FromSqlError,
};

use super::like::Pattern;

type Outcome<T> = rusqlite::Result<T>;

pub(super) fn register(connection: &Connection) -> Outcome<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("sf_like", 2, flags, |context| like(context, Pattern::parse))?;
    connection.create_scalar_function("sf_like_exactly", 2, flags, |context| like(context, Pattern::exact))?;
    connection.create_scalar_function("sf_local", 2, flags, local)?;
    connection.create_scalar_function("sf_includes", 2, flags, includes)?;
    connection.create_scalar_function("sf_place", 2, flags, place)?;
    connection.create_scalar_function("sf_distance", 5, flags, distance)
}

/// `sf_like(text, pattern)`; null is like nothing.
fn like(context: &Context<'_>, parse: fn(&str) -> Pattern) -> Outcome<bool> {
    let Some(text) = context.get_raw(0).as_str_or_null()? else { return Ok(false) };
    let pattern = context.get_or_create_aux(1, |value| value.as_str().map(parse))?;
    Ok(pattern.matches(text))
}

/// `sf_local(milliseconds, zone)`: what the clocks there show, as if it were GMT.
fn local(context: &Context<'_>) -> Outcome<Option<i64>> {
    let Some(at) = context.get::<Option<i64>>(0)? else { return Ok(None) };
    let zone = context.get_or_create_aux(1, |value| {
        let name = value.as_str().map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        TimeZone::get(name).map_err(|error| rusqlite::Error::UserFunctionError(error.into()))
    })?;
    let offset = Timestamp::from_millisecond(at).map(|at| i64::from(zone.to_offset(at).seconds()));
    Ok(offset.ok().map(|offset| at + offset * 1000))
}

/// `sf_includes(values, wanted)`, both separated by semicolons: whether all the wanted ones are there.
fn includes(context: &Context<'_>) -> Outcome<bool> {
    let Some(values) = context.get_raw(0).as_str_or_null()? else { return Ok(false) };
    let wanted = context.get_raw(1).as_str()?;
    let parts = |text: &str| text.split(';').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>();
    let values = parts(values);
    Ok(parts(wanted).iter().all(|part| values.contains(part)))
}

/// `sf_place(value, values)`, these one a line: which of them it is; for others, how many there are.
fn place(context: &Context<'_>) -> Outcome<Option<i64>> {
    let Some(value) = context.get_raw(0).as_str_or_null()? else { return Ok(None) };
    let places = context.get_or_create_aux(1, |values| {
        let values = values.as_str()?.lines().zip(0..);
        Ok::<_, FromSqlError>(values.map(|(value, at)| (value.to_lowercase(), at)).collect::<HashMap<_, i64>>())
    })?;
    let others = i64::try_from(places.len()).unwrap_or(i64::MAX);
    Ok(Some(places.get(&value.to_lowercase()).copied().unwrap_or(others)))
}

/// `sf_distance(latitude, longitude, latitude, longitude, radius)` on a sphere.
fn distance(context: &Context<'_>) -> Outcome<Option<f64>> {
    let mut values = [0.0; 5];
    for (at, value) in values.iter_mut().enumerate() {
        let Some(number) = context.get::<Option<f64>>(at)? else { return Ok(None) };
        *value = number;
    }
    let [lat1, lon1, lat2, lon2] = [values[0], values[1], values[2], values[3]].map(f64::to_radians);
    let across = ((lat2 - lat1) / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * ((lon2 - lon1) / 2.0).sin().powi(2);
    Ok(Some(2.0 * values[4] * across.sqrt().min(1.0).asin()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expect: &str) {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let found: String = connection.query_row(&format!("SELECT COALESCE({sql}, 'null')"), [], |r| r.get(0)).unwrap();
        assert_eq!(found, expect, "{sql}");
    }

    #[test]
    fn functions_in_sql() {
        check("'' || sf_like('Acme Inc', 'acme%')", "1");
        check("'' || sf_like(NULL, '%')", "0");
        check("'' || sf_local(0, 'Asia/Tokyo')", "32400000");
        check("'' || sf_local(NULL, 'Asia/Tokyo')", "null");
        check("'' || sf_includes('red;Blue', 'blue;RED')", "1");
        check("'' || sf_includes('red;Blue', 'blue;green')", "0");
        check("sf_place('b', 'c' || char(10) || 'B') || sf_place('x', 'c') || sf_place('c', 'c')", "110");
        check("'' || sf_place(NULL, 'c')", "null");
        check("'' || sf_includes(NULL, 'blue')", "0");
        check("'' || CAST(round(sf_distance(37.77, -122.42, 40.71, -74.01, 6371.0)) AS INTEGER)", "4129");
        check("'' || sf_distance(NULL, 0, 0, 0, 1)", "null");
    }
}
