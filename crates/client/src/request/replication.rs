//! Requests for what was deleted or changed in a window.

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use tombolo_schema::ApiVersion;

use super::{get, path::Path};
use crate::Result;

pub(crate) fn deleted(version: ApiVersion, object: &str, start: Timestamp, end: Timestamp) -> Result<Request<Bytes>> {
    window(version, object, "deleted", start, end)
}

pub(crate) fn updated(version: ApiVersion, object: &str, start: Timestamp, end: Timestamp) -> Result<Request<Bytes>> {
    window(version, object, "updated", start, end)
}

fn window(version: ApiVersion, object: &str, what: &str, start: Timestamp, end: Timestamp) -> Result<Request<Bytes>> {
    let text = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    get(Path::data(version, &["sobjects", object, what])?.with("start", &text(start)).with("end", &text(end)))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::show, *};

    #[test]
    fn windows() {
        let (start, end) = ("2026-11-20T10:00:00.7Z".parse().unwrap(), "2026-11-21T10:00:00Z".parse().unwrap());
        let base = "/services/data/v66.0/sobjects/Contact";
        let window = "start=2026-11-20T10%3A00%3A00Z&end=2026-11-21T10%3A00%3A00Z";
        for (request, what) in [
            (deleted(ApiVersion::new(66), "Contact", start, end), "deleted"),
            (updated(ApiVersion::new(66), "Contact", start, end), "updated"),
        ] {
            assert_eq!(show(&request.unwrap()).0, format!("GET {base}/{what}?{window}"));
        }
    }
}
