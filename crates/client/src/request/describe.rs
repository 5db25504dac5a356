//! Requests for what the org is made of: describe, limits, versions, the user.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use jiff::Timestamp;
use tombolo_schema::ApiVersion;

use super::{get, path::Path, refused, rows::http_date};
use crate::Result;

pub(crate) fn object(version: ApiVersion, object: &str) -> Result<Request<Bytes>> {
    get(Path::data(version, &["sobjects", object, "describe"])?)
}

/// The describe of an object unless it is still as it was: then the status is 304.
pub(crate) fn object_if_modified(version: ApiVersion, name: &str, since: Timestamp) -> Result<Request<Bytes>> {
    let mut request = object(version, name)?;
    let value = HeaderValue::try_from(http_date(since)).map_err(|e| refused(e.into()))?;
    request.headers_mut().insert(header::IF_MODIFIED_SINCE, value);
    Ok(request)
}

pub(crate) fn global(version: ApiVersion) -> Result<Request<Bytes>> {
    get(Path::data(version, &["sobjects"])?)
}

pub(crate) fn limits(version: ApiVersion) -> Result<Request<Bytes>> {
    get(Path::data(version, &["limits"])?)
}

pub(crate) fn resources(version: ApiVersion) -> Result<Request<Bytes>> {
    get(Path::verbatim(&format!("/services/data/v{version}/")))
}

pub(crate) fn versions() -> Result<Request<Bytes>> {
    get(Path::verbatim("/services/data"))
}

/// On the org's own address, so that the session goes to no other host than the rest does.
pub(crate) fn userinfo() -> Result<Request<Bytes>> {
    get(Path::verbatim("/services/oauth2/userinfo"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::show, *};

    #[test]
    fn paths() {
        let v = ApiVersion::new(66);
        for (request, line) in [
            (object(v, "Account"), "GET /services/data/v66.0/sobjects/Account/describe"),
            (global(v), "GET /services/data/v66.0/sobjects"),
            (limits(v), "GET /services/data/v66.0/limits"),
            (resources(v), "GET /services/data/v66.0/"),
            (versions(), "GET /services/data"),
            (userinfo(), "GET /services/oauth2/userinfo"),
        ] {
            assert_eq!(show(&request.unwrap()).0, line);
        }
    }
    #[test]
    fn a_describe_on_condition() {
        let since = "2026-11-21T10:00:00.5Z".parse().unwrap();
        let request = object_if_modified(ApiVersion::new(66), "Account", since).unwrap();
        assert_eq!(request.headers()["if-modified-since"], "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(show(&request).0, "GET /services/data/v66.0/sobjects/Account/describe");
    }
}
