//! One part of a composite request: a value that knows what it asks for, and what in it refers to other parts.

use http::{HeaderValue, Method};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tombolo_schema::ApiVersion;

use super::{
    collections::{MAX_READ, MAX_WRITTEN, Wanted, Written},
    path::Path,
    query::known_everywhere,
    rows::http_date,
};
use crate::{
    AllOrNone, Error, ErrorKind, Fields, Record, Result,
    options::{Header, Tag},
};

/// A part of a [`Composite`](crate::Composite): what it does, under which name others refer to it.
///
/// Texts in its Ids, queries and fields may refer to earlier parts: `@{NAME.id}` is the Id of a created row,
/// `@{NAME.records[0].Id}` one of a query, `@{NAME[0].id}` one of a collection (the case matters). A value that
/// merely looks like that would be taken for a reference as well; [`refers`](Self::refers) tells, and
/// [`Composite::send`](crate::Composite::send) refuses what refers to nothing.
#[derive(Debug, Clone)]
pub struct Subrequest {
    reference_id: String,
    method: Method,
    kind: Kind,
    writes: bool,
    segments: Vec<String>,
    parameters: Vec<(&'static str, String)>,
    body: Option<Box<RawValue>>,
    headers: Vec<Header>,
    /// What is wrong with it; told when it is sent.
    problem: Option<Error>,
}

/// What counts towards which limit (rest.md 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Row,
    Query,
    Collection,
}

/// The most runs of records of the same object in one collection (rest.md 3.5).
const MAX_RUNS: usize = 10;

impl Subrequest {
    fn new(reference_id: impl Into<String>, method: Method, segments: &[&str]) -> Self {
        Self {
            reference_id: reference_id.into(),
            writes: method != Method::GET,
            method,
            kind: Kind::Row,
            segments: segments.iter().map(|segment| (*segment).to_owned()).collect(),
            parameters: Vec::new(),
            body: None,
            headers: Vec::new(),
            problem: None,
        }
    }

    /// Creates a row.
    pub fn create(reference_id: impl Into<String>, object: &str, fields: &Fields) -> Self {
        Self::new(reference_id, Method::POST, &["sobjects", object]).with_body(fields)
    }

    /// Changes fields of a row.
    pub fn update(reference_id: impl Into<String>, object: &str, id: impl AsRef<str>, fields: &Fields) -> Self {
        Self::new(reference_id, Method::PATCH, &["sobjects", object, id.as_ref()]).with_body(fields)
    }

    /// Creates a row, or changes the one with this value in an external id field.
    pub fn upsert(reference_id: impl Into<String>, object: &str, field: &str, value: &str, fields: &Fields) -> Self {
        Self::new(reference_id, Method::PATCH, &["sobjects", object, field, value]).with_body(fields)
    }

    /// Moves a row to the recycle bin.
    pub fn delete(reference_id: impl Into<String>, object: &str, id: impl AsRef<str>) -> Self {
        Self::new(reference_id, Method::DELETE, &["sobjects", object, id.as_ref()])
    }

    /// Reads a row: the named fields, or all that the user may see.
    pub fn retrieve(
        reference_id: impl Into<String>,
        object: &str,
        id: impl AsRef<str>,
        fields: Option<&[&str]>,
    ) -> Self {
        let mut part = Self::new(reference_id, Method::GET, &["sobjects", object, id.as_ref()]);
        part.parameters.extend(fields.map(|fields| ("fields", fields.join(","))));
        part
    }

    /// Runs a query; its first page is the answer. At most five queries and collections go into a composite.
    pub fn query(reference_id: impl Into<String>, soql: &str) -> Self {
        Self::new(reference_id, Method::GET, &["query"]).asking(soql)
    }

    /// Like [`query`](Self::query), deleted and archived records included.
    pub fn query_all(reference_id: impl Into<String>, soql: &str) -> Self {
        Self::new(reference_id, Method::GET, &["queryAll"]).asking(soql)
    }

    /// Creates up to 200 records.
    pub fn create_many(reference_id: impl Into<String>, records: &[Record], all_or_none: AllOrNone) -> Self {
        Self::new(reference_id, Method::POST, &["composite", "sobjects"]).with_records(records, all_or_none)
    }

    /// Changes up to 200 records; each holds its `Id` among its fields.
    pub fn update_many(reference_id: impl Into<String>, records: &[Record], all_or_none: AllOrNone) -> Self {
        Self::new(reference_id, Method::PATCH, &["composite", "sobjects"]).with_records(records, all_or_none)
    }

    /// Creates or changes up to 200 records of an object by an external id that is among their fields.
    pub fn upsert_many(
        reference_id: impl Into<String>,
        object: &str,
        field: &str,
        records: &[Record],
        all_or_none: AllOrNone,
    ) -> Self {
        let part = Self::new(reference_id, Method::PATCH, &["composite", "sobjects", object, field]);
        part.with_records(records, all_or_none)
    }

    /// Moves up to 200 records to the recycle bin.
    pub fn delete_many<I: AsRef<str>>(reference_id: impl Into<String>, ids: &[I], all_or_none: AllOrNone) -> Self {
        let mut part = Self::new(reference_id, Method::DELETE, &["composite", "sobjects"]).counting(ids.len());
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let all = if all_or_none == AllOrNone::Yes { "true" } else { "false" };
        part.parameters = vec![("ids", ids.join(",")), ("allOrNone", all.to_owned())];
        part
    }

    /// Reads up to 2,000 records of an object.
    pub fn retrieve_many<I: AsRef<str>>(
        reference_id: impl Into<String>,
        object: &str,
        ids: &[I],
        fields: &[&str],
    ) -> Self {
        let mut part = Self::new(reference_id, Method::POST, &["composite", "sobjects", object]);
        (part.kind, part.writes) = (Kind::Collection, false);
        if ids.len() > MAX_READ {
            part = part.refused(format!("a collection reads at most {MAX_READ} records, not {}", ids.len()));
        }
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        part.with_body(&Wanted { ids: &ids, fields })
    }

    /// Changes the row only if nobody has changed it after this moment (whole seconds; the row's
    /// `LastModifiedDate`). Otherwise the answer is
    /// [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed), status 412.
    pub fn if_unmodified_since(self, since: Timestamp) -> Self {
        if self.kind != Kind::Row || self.method != Method::PATCH {
            return self.refused("only a row that is changed can be so on condition");
        }
        self.with_header("If-Unmodified-Since", HeaderValue::try_from(http_date(since)))
    }

    /// Its own `Sforce-Call-Options: client=TAG`, instead of the client's.
    pub fn call_tag(mut self, tag: &str) -> Self {
        match Tag::new(tag) {
            Ok(tag) => self.headers.push(tag.header()),
            Err(error) => {
                self.problem.get_or_insert(error);
            }
        }
        self
    }

    /// The name under which other parts refer to it, and under which its answer is found.
    pub fn reference_id(&self) -> &str {
        &self.reference_id
    }

    /// Whether it writes.
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// Whether anything in it has the form of a reference to another part.
    pub fn refers(&self) -> bool {
        self.texts().any(|text| text.contains("@{"))
    }

    fn asking(mut self, soql: &str) -> Self {
        self.kind = Kind::Query;
        self.parameters.push(("q", known_everywhere(soql, Timestamp::now()).into_owned()));
        self
    }

    fn with_records(self, records: &[Record], all_or_none: AllOrNone) -> Self {
        let records: Vec<&Record> = records.iter().collect();
        let runs = records.chunk_by(|a, b| a.object().eq_ignore_ascii_case(b.object())).count();
        let part = self.counting(records.len());
        let part = match runs {
            0..=MAX_RUNS => part,
            _ => part.refused(format!("a collection has at most {MAX_RUNS} runs of one object, not {runs}")),
        };
        part.with_body(&Written { all_or_none: all_or_none == AllOrNone::Yes, records: &records })
    }

    fn counting(mut self, records: usize) -> Self {
        self.kind = Kind::Collection;
        match records {
            0 => self.refused("a collection has at least one record"),
            1..=MAX_WRITTEN => self,
            _ => self.refused(format!("a collection writes at most {MAX_WRITTEN} records, not {records}")),
        }
    }

    fn with_body(mut self, body: &impl Serialize) -> Self {
        match to_raw_value(body) {
            Ok(body) => self.body = Some(body),
            Err(error) => {
                let refused = Error::new(ErrorKind::InvalidRequest, "the values cannot be written as JSON");
                self.problem.get_or_insert(refused.with_source(error));
            }
        }
        self
    }

    fn with_header<E>(mut self, name: &'static str, value: Result<HeaderValue, E>) -> Self {
        match value {
            Ok(value) => self.headers.push((name, value)),
            Err(_) => return self.refused(format!("the value of `{name}` is no header's")),
        }
        self
    }

    fn refused(mut self, why: impl AsRef<str>) -> Self {
        let message = format!("`{}`: {}", self.reference_id, why.as_ref());
        self.problem.get_or_insert(Error::new(ErrorKind::InvalidRequest, message));
        self
    }

    /// Every text in which a reference may stand.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let parameters = self.parameters.iter().map(|(_, value)| value.as_str());
        let segments = self.segments.iter().map(String::as_str);
        // Neither `@` nor `{` is ever escaped, so the JSON can be searched as it is.
        segments.chain(parameters).chain(self.body.iter().map(|body| body.get()))
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn body(&self) -> Option<&RawValue> {
        self.body.as_deref()
    }

    pub(crate) fn headers(&self) -> &[Header] {
        &self.headers
    }

    pub(crate) fn problem(&self) -> Option<&Error> {
        self.problem.as_ref()
    }

    pub(crate) fn path(&self, version: ApiVersion) -> Result<Path> {
        let segments: Vec<&str> = self.segments.iter().map(String::as_str).collect();
        let path = Path::template(version, &segments)?;
        Ok(self.parameters.iter().fold(path, |path, (name, value)| path.with_template(name, value)))
    }
}
