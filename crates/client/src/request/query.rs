//! Requests for queries (rest.md 2.5).

use std::borrow::Cow;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use tombolo_schema::ApiVersion;
use tombolo_soql::{Options, rewrite_hours};

use super::{get, path::Path};
use crate::Result;

/// Whether a query sees what is deleted or archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Live,
    All,
}

pub(crate) fn query(version: ApiVersion, soql: &str, scope: Scope) -> Result<Request<Bytes>> {
    let resource = match scope {
        Scope::Live => "query",
        Scope::All => "queryAll",
    };
    get(Path::data(version, &[resource])?.with("q", &known_everywhere(soql, Timestamp::now())))
}

/// The query with the moments that `LAST_N_HOURS:n` stands for: no org knows it (soql.md 4).
/// What does not parse goes as it is: the org says what is wrong with it.
pub(crate) fn known_everywhere(soql: &str, now: Timestamp) -> Cow<'_, str> {
    const HOURS: &[u8] = b"LAST_N_HOURS";
    if !soql.as_bytes().windows(HOURS.len()).any(|word| word.eq_ignore_ascii_case(HOURS)) {
        return Cow::Borrowed(soql);
    }
    rewrite_hours(soql, Options::default(), now).unwrap_or(Cow::Borrowed(soql))
}

/// The page that `nextRecordsUrl` names. The stack refuses it unless it lies in the org.
pub(crate) fn next_page(url: &str) -> Result<Request<Bytes>> {
    get(Path::verbatim(url))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::show, *};

    #[test]
    fn the_two_resources() {
        let v = ApiVersion::new(60);
        let soql = "SELECT Id FROM Contact WHERE Name = 'O\\'Neill & Söhne'";
        let q = "SELECT%20Id%20FROM%20Contact%20WHERE%20Name%20%3D%20%27O%5C%27Neill%20%26%20S%C3%B6hne%27";
        let line = |request: Result<Request<Bytes>>| show(&request.unwrap()).0;
        assert_eq!(line(query(v, soql, Scope::Live)), format!("GET /services/data/v60.0/query?q={q}"));
        assert_eq!(line(query(v, soql, Scope::All)), format!("GET /services/data/v60.0/queryAll?q={q}"));
        assert_eq!(line(next_page("/services/data/v60.0/query/01g-2000")), "GET /services/data/v60.0/query/01g-2000");
        assert!(next_page("not a url").is_err());
    }

    #[test]
    fn hours_are_sent_as_moments() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        for (soql, expect) in [
            (
                "SELECT Id FROM Case WHERE CreatedDate > last_n_hours:3",
                "SELECT Id FROM Case WHERE CreatedDate > 2026-11-22T07:00:00Z",
            ),
            ("SELECT Id FROM Case WHERE Name = 'LAST_N_HOURS:3'", "SELECT Id FROM Case WHERE Name = 'LAST_N_HOURS:3'"),
            ("SELECT LAST_N_HOURS:3", "SELECT LAST_N_HOURS:3"),
            ("SELECT Id FROM Case", "SELECT Id FROM Case"),
        ] {
            assert_eq!(known_everywhere(soql, now), expect);
        }
    }
}
