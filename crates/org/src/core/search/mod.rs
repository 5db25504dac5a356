//! Searches: a SOSL statement's term becomes a full-text query (`term`) of the index (`index`); what it finds is
//! narrowed, ordered and read like the rows of a SOQL query.

mod index;
mod request;
mod term;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tombolo_schema::ErrorCode;
use tombolo_soql::{
    Options, ParseError,
    ast::{Bound, Count, Expr, FieldPath, Name, ObjectRef, Select, SelectExpr, SelectItem, Selection, Span},
    excerpt,
    sosl::{self, FieldGroup, Returning, Search, SearchWith, Term, TermQuery},
};

pub(crate) use index::create;
pub(crate) use request::{ObjectWanted, SearchRequest};

use super::{
    Caller, Core, ObjectDef, Registry,
    record::{CoreError, Fault, Record, Result},
    schema::Kind,
};

/// No search finds more (soql.md 9).
const MOST: i64 = 2000;
const NO_TERM: &str = "No search term found. The search term must be enclosed in braces.";

impl Core {
    /// What a SOSL statement finds, object by object in the order of RETURNING.
    pub(crate) fn search(&self, caller: &Caller, sosl: &str) -> Result<Vec<Record>> {
        if sosl.trim().is_empty() {
            return Err(Fault::new(ErrorCode::MalformedSearch, NO_TERM).into());
        }
        let search = sosl::parse(sosl, Options::default()).map_err(|error| malformed(&error, sosl))?;
        check(&search).map_err(|(span, text)| refused(span, &text, sosl))?;
        let query = query(&search.term, sosl)?;
        let limit = limit(search.limit.as_ref(), sosl)?;
        let registry = self.schema();
        let mut wanted = Vec::new();
        for returning in &search.returning {
            let object = object(&registry, &returning.object, sosl)?;
            let found = self.plan_found(caller, &registry, &select_of(returning), sosl).map_err(as_search)?;
            wanted.push((object, found));
        }
        if search.returning.is_empty() {
            for object in registry.objects().iter().filter(|object| is_searchable(object)) {
                let found = self.plan_found(caller, &registry, &ids_of(object), sosl)?;
                wanted.push((Arc::clone(object), found));
            }
        }
        let Some(query) = query else { return Ok(Vec::new()) };
        index::refresh(self, wanted.iter().map(|(object, _)| &**object))?;
        self.snapshot(|connection| {
            let Some(text) = term::text(connection, &query, search.group.unwrap_or(FieldGroup::All))? else {
                return Ok(Vec::new());
            };
            let hit = index::objects_with(connection, &text)?;
            let mut records: Vec<Record> = Vec::new();
            for (object, found) in wanted.into_iter().filter(|(object, _)| hit.contains(&*object.name)) {
                let room = limit - records.len() as i64;
                records.extend(found.read(connection, index::hits, [&text, &object.name], room)?);
            }
            Ok(records)
        })
    }
}

/// Refuses what the org does not have, and what no org does.
fn check(search: &Search) -> Result<(), (Span, String)> {
    let missing = |span, what: &str| Err((span, format!("{what} is not supported by this local org")));
    if search.advanced {
        return missing(search.span, "USING ADVANCED SEARCH");
    }
    for with in &search.with {
        let what = match with {
            SearchWith::UserMode | SearchWith::SystemMode | SearchWith::SpellCorrection(_) => continue,
            SearchWith::DataCategory(_) => "WITH DATA CATEGORY",
            SearchWith::Division(_) => "WITH DIVISION",
            SearchWith::Highlight => "WITH HIGHLIGHT",
            SearchWith::Metadata(_) => "WITH METADATA",
            SearchWith::Network(_) | SearchWith::Networks(_) => "WITH NETWORK",
            SearchWith::Pricebook(_) => "WITH PricebookId",
            SearchWith::Snippet(_) => "WITH SNIPPET",
            _ => "this WITH",
        };
        return missing(search.span, what);
    }
    if let Some(name) = search.update.iter().find(|name| !name.is("TRACKING") && !name.is("VIEWSTAT")) {
        return Err((name.span, format!("unexpected token: '{}'", name.text)));
    }
    for returning in &search.returning {
        if returning.using.is_some() {
            return missing(returning.span, "USING in RETURNING");
        }
        if let Some(offset) = returning.offset.as_ref().filter(|_| search.returning.len() > 1) {
            let text = "OFFSET is only allowed in a search that returns a single object";
            return Err((offset.span, text.to_owned()));
        }
    }
    Ok(())
}

/// What the term asks for; nothing where it is too long.
fn query(term: &Term, sosl: &str) -> Result<Option<TermQuery>, Fault> {
    match term {
        Term::Braces { text, .. } if text.trim().is_empty() => Err(Fault::new(ErrorCode::MalformedSearch, NO_TERM)),
        Term::Braces { span, .. } => term.query().map_err(|error| {
            let text = error.kind.to_string();
            Fault::new(ErrorCode::MalformedSearch, excerpt(sosl, span.start + 1 + error.offset, &text))
        }),
        Term::Quoted { .. } | Term::Bind(_) => Err(Fault::new(ErrorCode::MalformedSearch, NO_TERM)),
    }
}

fn limit(limit: Option<&Bound>, sosl: &str) -> Result<i64, Fault> {
    match limit.map(|limit| (&limit.count, limit.span)) {
        None => Ok(MOST),
        Some((Count::Number(number), _)) if *number >= 0 => Ok((*number).min(MOST)),
        Some((_, span)) => Err(refused(span, "LIMIT takes a whole number", sosl)),
    }
}

/// The object that RETURNING names.
fn object(registry: &Registry, name: &Name, sosl: &str) -> Result<Arc<ObjectDef>, Fault> {
    match registry.object(&name.text) {
        None => Err(super::query::no_object(name, sosl)),
        Some(object) if is_searchable(object) => Ok(Arc::clone(object)),
        Some(object) => {
            let text = format!("entity type {} does not support search", object.name);
            Err(Fault::new("INVALID_TYPE_FOR_OPERATION".into(), excerpt(sosl, name.span.start, &text)))
        }
    }
}

fn is_searchable(object: &ObjectDef) -> bool {
    object.kind == Kind::Rows && object.flags.searchable && object.flags.queryable
}

/// What RETURNING asks for, as a query.
fn select_of(returning: &Returning) -> Select {
    let id = || vec![id_item(returning.object.span)];
    let items = if returning.items.is_empty() { id() } else { returning.items.clone() };
    Select {
        condition: returning.condition.clone(),
        order_by: returning.order_by.clone(),
        limit: returning.limit.clone(),
        offset: returning.offset.clone(),
        ..select(returning.object.clone(), items)
    }
}

fn ids_of(object: &ObjectDef) -> Select {
    let span = Span::default();
    select(Name { text: object.name.to_string(), span }, vec![id_item(span)])
}

fn id_item(span: Span) -> SelectItem {
    let path = FieldPath { parents: Vec::new(), name: Name { text: "Id".to_owned(), span } };
    SelectItem { expr: SelectExpr::Expr(Expr::Field(path)), alias: None }
}

fn select(object: Name, items: Vec<SelectItem>) -> Select {
    let span = object.span;
    Select {
        selection: Selection::Items(items),
        from: ObjectRef { path: FieldPath { parents: Vec::new(), name: object }, alias: None },
        aliases: Vec::new(),
        using: None,
        condition: None,
        with: Vec::new(),
        group_by: None,
        having: None,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        purposes: Vec::new(),
        update: Vec::new(),
        all_rows: false,
        span,
    }
}

fn malformed(error: &ParseError, sosl: &str) -> Fault {
    Fault::new(ErrorCode::MalformedSearch, error.salesforce_message(sosl))
}

fn refused(span: Span, text: &str, sosl: &str) -> Fault {
    Fault::new(ErrorCode::MalformedSearch, excerpt(sosl, span.start, text))
}

/// What is malformed is the search, not a query.
fn as_search(error: CoreError) -> CoreError {
    match error {
        CoreError::Refused(mut faults) => {
            for fault in faults.iter_mut().filter(|fault| fault.code == ErrorCode::MalformedQuery) {
                fault.code = ErrorCode::MalformedSearch;
            }
            CoreError::Refused(faults)
        }
        other => other,
    }
}
