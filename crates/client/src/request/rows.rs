//! Requests for single rows (rest.md 2.4).

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use jiff::Timestamp;
use tombolo_schema::ApiVersion;

use super::{Repeat, bare, get, json, path::Path, refused, writing};
use crate::{Fields, Result};

pub(crate) fn create(version: ApiVersion, object: &str, fields: &Fields) -> Result<Request<Bytes>> {
    writing(json(Method::POST, Path::data(version, &["sobjects", object])?, fields, Repeat::Never))
}

pub(crate) fn retrieve(version: ApiVersion, object: &str, id: &str, fields: Option<&[&str]>) -> Result<Request<Bytes>> {
    let path = Path::data(version, &["sobjects", object, id])?;
    get(match fields {
        Some(fields) => path.with("fields", &fields.join(",")),
        None => path,
    })
}

pub(crate) fn update(version: ApiVersion, object: &str, id: &str, fields: &Fields) -> Result<Request<Bytes>> {
    writing(json(Method::PATCH, Path::data(version, &["sobjects", object, id])?, fields, Repeat::Never))
}

/// An update of a row as it was at a moment. Whoever changed it since is not overwritten: status 412 (rest.md 2.8).
pub(crate) fn update_if_unmodified(
    version: ApiVersion,
    object: &str,
    id: &str,
    fields: &Fields,
    since: Timestamp,
) -> Result<Request<Bytes>> {
    let mut request = update(version, object, id, fields)?;
    let value = HeaderValue::try_from(http_date(since)).map_err(|e| refused(e.into()))?;
    request.headers_mut().insert(header::IF_UNMODIFIED_SINCE, value);
    Ok(request)
}

/// A moment as HTTP writes it: in whole seconds, what lies behind them is dropped.
pub(crate) fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn upsert(
    version: ApiVersion,
    object: &str,
    field: &str,
    value: &str,
    fields: &Fields,
) -> Result<Request<Bytes>> {
    writing(json(Method::PATCH, Path::data(version, &["sobjects", object, field, value])?, fields, Repeat::Upsert))
}

pub(crate) fn delete(version: ApiVersion, object: &str, id: &str) -> Result<Request<Bytes>> {
    writing(bare(Method::DELETE, Path::data(version, &["sobjects", object, id])?, Repeat::Safe))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{Writes, tests::show},
        *,
    };

    const V: ApiVersion = ApiVersion::new(66);

    #[test]
    fn each_verb() {
        let fields = json!({"Name": "Acme", "Phone": null}).as_object().cloned().unwrap();
        let body = r#"{"Name":"Acme","Phone":null}"#;
        let base = "/services/data/v66.0/sobjects/Account";
        for (request, line, expect, repeat) in [
            (create(V, "Account", &fields), format!("POST {base}"), body, Repeat::Never),
            (retrieve(V, "Account", "001x", None), format!("GET {base}/001x"), "", Repeat::Safe),
            (
                retrieve(V, "Account", "001x", Some(&["Id", "Name"])),
                format!("GET {base}/001x?fields=Id%2CName"),
                "",
                Repeat::Safe,
            ),
            (update(V, "Account", "001x", &fields), format!("PATCH {base}/001x"), body, Repeat::Never),
            (
                upsert(V, "Account", "Key__c", "a/b", &fields),
                format!("PATCH {base}/Key__c/a%2Fb"),
                body,
                Repeat::Upsert,
            ),
            (delete(V, "Account", "001x"), format!("DELETE {base}/001x"), "", Repeat::Safe),
        ] {
            let request = request.unwrap();
            assert_eq!(show(&request), (line, expect.to_owned()));
            assert_eq!(request.extensions().get::<Repeat>(), Some(&repeat));
            assert_eq!(request.headers().contains_key("content-type"), !expect.is_empty());
            assert_eq!(request.extensions().get::<Writes>().is_some(), request.method() != Method::GET);
        }
    }

    #[test]
    fn a_condition_has_whole_seconds() {
        let since = "2026-11-05T09:08:07.999Z".parse().unwrap();
        let request = update_if_unmodified(V, "Account", "001x", &Fields::new(), since).unwrap();
        assert_eq!(show(&request).0, "PATCH /services/data/v66.0/sobjects/Account/001x");
        assert_eq!(request.headers()["if-unmodified-since"], "Thu, 05 Nov 2026 09:08:07 GMT");
    }
}
