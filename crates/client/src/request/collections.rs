//! Requests for many records (rest.md 3.5).

use bytes::Bytes;
use http::{Method, Request};
use serde::Serialize;
use tombolo_schema::ApiVersion;

use super::{Repeat, bare, json, path::Path, writing};
use crate::{AllOrNone, Record, Result};

/// The most records that one call writes.
pub(crate) const MAX_WRITTEN: usize = 200;
/// The most records that one call reads by POST.
pub(crate) const MAX_READ: usize = 2000;

/// Where collections of several objects go.
const RESOURCE: &[&str] = &["composite", "sobjects"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written<'a> {
    pub(crate) all_or_none: bool,
    pub(crate) records: &'a [&'a Record],
}

#[derive(Serialize)]
pub(crate) struct Wanted<'a> {
    pub(crate) ids: &'a [&'a str],
    pub(crate) fields: &'a [&'a str],
}

pub(crate) fn create(version: ApiVersion, records: &[&Record], all_or_none: AllOrNone) -> Result<Request<Bytes>> {
    write(Method::POST, Path::data(version, RESOURCE)?, records, all_or_none, Repeat::Never)
}

pub(crate) fn update(version: ApiVersion, records: &[&Record], all_or_none: AllOrNone) -> Result<Request<Bytes>> {
    write(Method::PATCH, Path::data(version, RESOURCE)?, records, all_or_none, Repeat::Never)
}

pub(crate) fn upsert(
    version: ApiVersion,
    object: &str,
    field: &str,
    records: &[&Record],
    all_or_none: AllOrNone,
) -> Result<Request<Bytes>> {
    let path = Path::data(version, &["composite", "sobjects", object, field])?;
    write(Method::PATCH, path, records, all_or_none, Repeat::Upsert)
}

fn write(method: Method, path: Path, records: &[&Record], all: AllOrNone, repeat: Repeat) -> Result<Request<Bytes>> {
    writing(json(method, path, &Written { all_or_none: all == AllOrNone::Yes, records }, repeat))
}

/// Repeating it would report the records that it had deleted as missing, so it is not repeated.
pub(crate) fn delete(version: ApiVersion, ids: &[&str], all_or_none: AllOrNone) -> Result<Request<Bytes>> {
    let all = if all_or_none == AllOrNone::Yes { "true" } else { "false" };
    let path = Path::data(version, RESOURCE)?.with("ids", &ids.join(",")).with("allOrNone", all);
    writing(bare(Method::DELETE, path, Repeat::Never))
}

pub(crate) fn retrieve(version: ApiVersion, object: &str, ids: &[&str], fields: &[&str]) -> Result<Request<Bytes>> {
    let path = Path::data(version, &["composite", "sobjects", object])?;
    json(Method::POST, path, &Wanted { ids, fields }, Repeat::Safe)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::tests::show, *};

    #[test]
    fn bodies_and_paths() {
        let v = ApiVersion::new(66);
        let row = |fields: serde_json::Value| Record::new("Contact", fields.as_object().cloned().unwrap());
        let (new, old) = (row(json!({"LastName": "A"})), row(json!({"Id": "003x", "LastName": "B"})));
        let base = "/services/data/v66.0/composite/sobjects";
        for (request, line, body, repeat) in [
            (
                create(v, &[&new], AllOrNone::Yes),
                format!("POST {base}"),
                r#"{"allOrNone":true,"records":[{"attributes":{"type":"Contact"},"LastName":"A"}]}"#,
                Repeat::Never,
            ),
            (
                update(v, &[&old], AllOrNone::No),
                format!("PATCH {base}"),
                r#"{"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"Id":"003x","LastName":"B"}]}"#,
                Repeat::Never,
            ),
            (
                upsert(v, "Contact", "Key__c", &[&new], AllOrNone::No),
                format!("PATCH {base}/Contact/Key__c"),
                r#"{"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"LastName":"A"}]}"#,
                Repeat::Upsert,
            ),
            (
                delete(v, &["1", "2"], AllOrNone::No),
                format!("DELETE {base}?ids=1%2C2&allOrNone=false"),
                "",
                Repeat::Never,
            ),
            (
                retrieve(v, "Contact", &["1", "2"], &["Id"]),
                format!("POST {base}/Contact"),
                r#"{"ids":["1","2"],"fields":["Id"]}"#,
                Repeat::Safe,
            ),
        ] {
            let request = request.unwrap();
            assert_eq!(show(&request), (line, body.to_owned()));
            assert_eq!(request.extensions().get::<Repeat>(), Some(&repeat));
        }
    }
}
