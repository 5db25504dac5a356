//! A composite request: up to 25 parts in one call (rest.md 3.1), checked before it leaves.

use std::collections::HashSet;

use bytes::Bytes;
use http::{Method, Request};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use tombolo_schema::ApiVersion;

use super::{
    Repeat, json,
    path::Path,
    subrequest::{Kind, Subrequest},
    writing,
};
use crate::{Error, ErrorKind, Result, options::Header};

/// The most parts.
const MAX_PARTS: usize = 25;
/// The most queries and collections among them.
const MAX_HEAVY: usize = 5;

/// A composite as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) all_or_none: bool,
    /// The server's default (by version) if nothing is said.
    pub(crate) collate: Option<bool>,
    pub(crate) parts: &'a [Subrequest],
    /// What each writing part carries unless it says otherwise.
    pub(crate) write_headers: &'a [Header],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    all_or_none: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    collate_subrequests: Option<bool>,
    composite_request: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    method: &'a str,
    url: String,
    reference_id: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    http_headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

pub(crate) fn composite(version: ApiVersion, whole: &Whole<'_>) -> Result<Request<Bytes>> {
    check(whole.parts)?;
    let part = |part: &'_ Subrequest| -> Result<(String, Map<String, Value>)> {
        Ok((part.path(version)?.as_str().to_owned(), headers(part, whole.write_headers)))
    };
    let made: Vec<_> = whole.parts.iter().map(part).collect::<Result<_>>()?;
    let parts = whole.parts.iter().zip(made).map(|(part, (url, http_headers))| Part {
        method: part.method().as_str(),
        url,
        reference_id: part.reference_id(),
        http_headers,
        body: part.body(),
    });
    let sent =
        Sent { all_or_none: whole.all_or_none, collate_subrequests: whole.collate, composite_request: parts.collect() };
    let writes = whole.parts.iter().any(Subrequest::writes);
    let path = Path::data(version, &["composite"])?;
    match writes {
        true => writing(json(Method::POST, path, &sent, Repeat::Never)),
        false => json(Method::POST, path, &sent, Repeat::Safe),
    }
}

fn headers(part: &Subrequest, of_writes: &[Header]) -> Map<String, Value> {
    let defaults = if part.writes() { of_writes } else { &[] };
    let mut headers = Map::new();
    for (name, value) in part.headers().iter().chain(defaults) {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers.entry(*name).or_insert_with(|| Value::from(value));
    }
    headers
}

/// Salesforce refuses these as a whole, and says so less clearly.
fn check(parts: &[Subrequest]) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
    if parts.is_empty() || parts.len() > MAX_PARTS {
        return refused(format!("a composite has 1 to {MAX_PARTS} subrequests, not {}", parts.len()));
    }
    let heavy = parts.iter().filter(|part| part.kind() != Kind::Row).count();
    if heavy > MAX_HEAVY {
        return refused(format!("a composite has at most {MAX_HEAVY} queries and collections, not {heavy}"));
    }
    let mut earlier = HashSet::new();
    for part in parts {
        let name = part.reference_id();
        if let Some(problem) = part.problem() {
            return Err(problem.clone());
        }
        if !is_reference_id(name) {
            return refused(format!("`{name}` cannot be a reference id: a letter or digit, then those and `_`"));
        }
        for reference in part.texts().flat_map(references) {
            if !earlier.contains(reference) {
                return refused(format!("`{name}` refers to `{reference}`, which is no earlier subrequest"));
            }
        }
        if !earlier.insert(name) {
            return refused(format!("two subrequests have the reference id `{name}`"));
        }
    }
    Ok(())
}

fn is_reference_id(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The names in `@{NAME.path}` and `@{NAME[0].path}`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("@{").skip(1).map(|rest| {
        let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::tests::show, *};
    use crate::{
        AllOrNone, Fields, Record,
        options::{CALL_OPTIONS, Options},
    };

    const V: ApiVersion = ApiVersion::new(66);

    fn fields(value: Value) -> Fields {
        value.as_object().cloned().unwrap()
    }

    fn records(count: usize) -> Vec<Record> {
        (0..count).map(|n| Record::new("Contact", fields(json!({"LastName": n.to_string()})))).collect()
    }

    fn made(parts: &[Subrequest]) -> Result<Request<Bytes>> {
        composite(V, &Whole { all_or_none: false, collate: None, parts, write_headers: &[] })
    }

    #[test]
    fn every_kind_of_part() {
        let base = "/services/data/v66.0";
        let row = fields(json!({"Name": "A"}));
        let two = [Record::new("A", fields(json!({"Id": "1"}))), Record::new("B", Fields::new())];
        let list = json!([{"attributes": {"type": "A"}, "Id": "1"}, {"attributes": {"type": "B"}}]);
        let body = json!({"allOrNone": true, "records": list});
        let yes = AllOrNone::Yes;
        for (part, method, url, body, writes) in [
            (Subrequest::create("a", "Account", &row), "POST", "/sobjects/Account", json!({"Name": "A"}), true),
            (
                Subrequest::update("a", "Account", "1/2", &row),
                "PATCH",
                "/sobjects/Account/1%2F2",
                json!({"Name": "A"}),
                true,
            ),
            (
                Subrequest::upsert("a", "Account", "Key__c", "k k", &row),
                "PATCH",
                "/sobjects/Account/Key__c/k%20k",
                json!({"Name": "A"}),
                true,
            ),
            (Subrequest::delete("a", "Account", "1"), "DELETE", "/sobjects/Account/1", Value::Null, true),
            (
                Subrequest::retrieve("a", "Account", "1", Some(&["Id", "Name"])),
                "GET",
                "/sobjects/Account/1?fields=Id%2CName",
                Value::Null,
                false,
            ),
            (Subrequest::query("a", "SELECT Id"), "GET", "/query?q=SELECT%20Id", Value::Null, false),
            (Subrequest::query_all("a", "SELECT Id"), "GET", "/queryAll?q=SELECT%20Id", Value::Null, false),
            (Subrequest::create_many("a", &two, yes), "POST", "/composite/sobjects", body.clone(), true),
            (Subrequest::update_many("a", &two, yes), "PATCH", "/composite/sobjects", body.clone(), true),
            (Subrequest::upsert_many("a", "A", "K__c", &two, yes), "PATCH", "/composite/sobjects/A/K__c", body, true),
            (
                Subrequest::delete_many("a", &["1", "2"], yes),
                "DELETE",
                "/composite/sobjects?ids=1%2C2&allOrNone=true",
                Value::Null,
                true,
            ),
            (
                Subrequest::retrieve_many("a", "A", &["1"], &["Id"]),
                "POST",
                "/composite/sobjects/A",
                json!({"ids": ["1"], "fields": ["Id"]}),
                false,
            ),
        ] {
            let tag = Options::new(Some("t.1")).unwrap().write_headers();
            let parts = [part];
            let whole = Whole { all_or_none: true, collate: Some(false), parts: &parts, write_headers: &tag };
            let request = composite(V, &whole).unwrap();
            let (line, sent) = show(&request);
            assert_eq!(line, format!("POST {base}/composite"));
            let mut part = json!({"method": method, "url": format!("{base}{url}"), "referenceId": "a"});
            if writes {
                part["httpHeaders"] = json!({CALL_OPTIONS: "client=t.1"});
            }
            if !body.is_null() {
                part["body"] = body;
            }
            let expect = json!({"allOrNone": true, "collateSubrequests": false, "compositeRequest": [part]});
            assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), expect);
            let repeat = if writes { Repeat::Never } else { Repeat::Safe };
            assert_eq!(request.extensions().get(), Some(&repeat), "{url}");
        }
    }

    #[test]
    fn headers_of_a_part_go_before_those_of_the_client() {
        let since = "2026-11-05T09:08:07Z".parse().unwrap();
        let own = Subrequest::update("a", "A", "1", &Fields::new()).if_unmodified_since(since).call_tag("mine");
        let tag = Options::new(Some("t.1")).unwrap().write_headers();
        let seen = headers(&own, &tag);
        assert_eq!(
            Value::Object(seen),
            json!({"If-Unmodified-Since": "Thu, 05 Nov 2026 09:08:07 GMT", "Sforce-Call-Options": "client=mine"})
        );
    }

    #[test]
    fn references_are_left_as_they_are() {
        let parts = [
            Subrequest::create("acme", "Account", &Fields::new()),
            Subrequest::query("q", "SELECT Id FROM Contact WHERE AccountId = '@{acme.id}'"),
            Subrequest::update("c", "Contact", "@{q.records[0].Id}", &fields(json!({"AccountId": "@{acme.id}"}))),
            Subrequest::create_many("many", &records(2), AllOrNone::No),
            Subrequest::delete_many("gone", &["@{many[0].id}", "003"], AllOrNone::No),
        ];
        assert_eq!(parts.each_ref().map(Subrequest::refers), [false, true, true, false, true]);
        let sent: Value = serde_json::from_str(&show(&made(&parts).unwrap()).1).unwrap();
        let urls: Vec<&str> =
            sent["compositeRequest"].as_array().unwrap().iter().map(|part| part["url"].as_str().unwrap()).collect();
        assert!(urls[1].ends_with("%27@{acme.id}%27"), "{urls:?}");
        assert!(urls[2].ends_with("/sobjects/Contact/@{q.records[0].Id}"), "{urls:?}");
        assert!(urls[4].ends_with("?ids=@{many[0].id}%2C003&allOrNone=false"), "{urls:?}");
        assert_eq!(sent["compositeRequest"][2]["body"]["AccountId"], "@{acme.id}");
    }

    #[test]
    fn what_is_refused_before_it_leaves() {
        let row = |name: &str| Subrequest::create(name, "A", &Fields::new());
        let query = |name: &str| Subrequest::query(name, "SELECT Id FROM A");
        let many = |name: &str, count| Subrequest::create_many(name, &records(count), AllOrNone::No);
        let rows = |count| (0..count).map(|n| row(&n.to_string())).collect::<Vec<_>>();
        let mixed: Vec<Record> = (0..11).map(|n| Record::new(format!("A{n}"), Fields::new())).collect();
        let refers = |to: &str| Subrequest::update("x", "A", "1", &fields(json!({"F": [{"G": to}]})));
        let since = "2026-11-05T09:08:07Z".parse().unwrap();
        let heavy = |count| (0..count).map(|n| query(&n.to_string())).collect::<Vec<_>>();
        let cases: Vec<(Vec<Subrequest>, Option<&str>)> = vec![
            (rows(25), None),
            (rows(26), Some("1 to 25 subrequests, not 26")),
            (rows(0), Some("1 to 25 subrequests, not 0")),
            (heavy(5), None),
            (heavy(6), Some("at most 5 queries and collections, not 6")),
            ([heavy(3), vec![many("m", 1), many("n", 1), many("o", 1)]].concat(), Some("at most 5 queries and")),
            (vec![many("m", 200)], None),
            (vec![many("m", 201)], Some("`m`: a collection writes at most 200 records, not 201")),
            (vec![many("m", 0)], Some("`m`: a collection has at least one record")),
            (vec![Subrequest::create_many("m", &mixed, AllOrNone::No)], Some("at most 10 runs of one object, not 11")),
            (vec![Subrequest::create_many("m", &mixed[1..], AllOrNone::No)], None),
            (vec![Subrequest::delete_many("m", &["1"; 201], AllOrNone::No)], Some("at most 200 records")),
            (vec![Subrequest::retrieve_many("m", "A", &["1"; 2000], &["Id"])], None),
            (vec![Subrequest::retrieve_many("m", "A", &["1"; 2001], &["Id"])], Some("at most 2000 records")),
            (vec![row("a"), row("b"), row("a")], Some("two subrequests have the reference id `a`")),
            (vec![row("")], Some("`` cannot be a reference id")),
            (vec![row("_a")], Some("`_a` cannot be a reference id")),
            (vec![row("a-b")], Some("`a-b` cannot be a reference id")),
            (vec![row("A_1"), row("a_1"), row("7")], None),
            (vec![row("a"), refers("@{a.id}")], None),
            (vec![row("a"), refers("see @{a.id} and @{b.id}")], Some("`x` refers to `b`, which is no earlier")),
            (vec![refers("@{a.id}"), row("a")], Some("`x` refers to `a`, which is no earlier")),
            (vec![refers("@{x.id}")], Some("`x` refers to `x`")),
            (vec![row("a"), refers("@{A.id}")], Some("`x` refers to `A`")),
            (vec![refers("mail me @{")], Some("`x` refers to ``")),
            (vec![refers("{a@b}")], None),
            (vec![Subrequest::delete("d", "A", " ")], Some("cannot be part of a path")),
            (
                vec![Subrequest::delete("d", "A", "1").if_unmodified_since(since)],
                Some("`d`: only a row that is changed"),
            ),
            (vec![many("m", 1).if_unmodified_since(since)], Some("`m`: only a row that is changed")),
            (vec![row("a").call_tag("x;y")], Some("`x;y` cannot be a client's name")),
        ];
        for (parts, expect) in cases {
            let seen = made(&parts).err().map(|error| error.to_string());
            match (expect, seen) {
                (None, seen) => assert_eq!(seen, None),
                (Some(part), Some(seen)) => assert!(seen.contains(part), "{seen}"),
                (Some(part), None) => panic!("not refused: {part}"),
            }
        }
    }
}
