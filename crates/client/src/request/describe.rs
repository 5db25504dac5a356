//! Requests for what the org is made of: describe, limits, versions, the user.

use bytes::Bytes;
use http::Request;
use tombolo_schema::ApiVersion;

use super::{get, path::Path};
use crate::Result;

pub(crate) fn object(version: ApiVersion, object: &str) -> Result<Request<Bytes>> {
    get(Path::data(version, &["sobjects", object, "describe"])?)
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
}
