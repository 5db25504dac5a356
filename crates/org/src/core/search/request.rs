//! A search that is asked for without SOSL: its parts are put together into a statement (rest.md 2.6).

use super::NO_TERM;
use crate::core::{
    Caller, Core,
    record::{Fault, Record, Result},
};

/// What is looked for, and where.
#[derive(Debug, Clone, Default)]
pub(crate) struct SearchRequest {
    pub(crate) term: String,
    /// `ALL`, `NAME`, …
    pub(crate) group: Option<String>,
    /// Of every object that does not say itself.
    pub(crate) fields: Vec<String>,
    pub(crate) objects: Vec<ObjectWanted>,
    /// For every object that does not say itself.
    pub(crate) default_limit: Option<i64>,
    pub(crate) limit: Option<i64>,
}

/// What is wanted of an object.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectWanted {
    pub(crate) name: String,
    pub(crate) fields: Vec<String>,
    pub(crate) condition: Option<String>,
    pub(crate) order: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) offset: Option<i64>,
}

impl Core {
    pub(crate) fn search_request(&self, caller: &Caller, request: &SearchRequest) -> Result<Vec<Record>> {
        if request.term.trim().is_empty() {
            return Err(Fault::new(tombolo_schema::ErrorCode::MalformedSearch, NO_TERM).into());
        }
        self.search(caller, &request.statement())
    }
}

impl SearchRequest {
    fn statement(&self) -> String {
        let mut text = format!("FIND {{{}}}", in_braces(&self.term));
        if let Some(group) = &self.group {
            text.push_str(&format!(" IN {group} FIELDS"));
        }
        let objects: Vec<_> = self.objects.iter().map(|object| self.returning(object)).collect();
        if !objects.is_empty() {
            text.push_str(&format!(" RETURNING {}", objects.join(", ")));
        }
        add(&mut text, "LIMIT", self.limit);
        text
    }

    fn returning(&self, object: &ObjectWanted) -> String {
        let fields = if object.fields.is_empty() { &self.fields } else { &object.fields };
        let mut inside = if fields.is_empty() { "Id".to_owned() } else { fields.join(", ") };
        add(&mut inside, "WHERE", object.condition.as_ref());
        add(&mut inside, "ORDER BY", object.order.as_ref());
        add(&mut inside, "LIMIT", object.limit.or(self.default_limit));
        add(&mut inside, "OFFSET", object.offset);
        format!("{}({inside})", object.name)
    }
}

fn add(text: &mut String, word: &str, what: Option<impl std::fmt::Display>) {
    if let Some(what) = what {
        text.push_str(&format!(" {word} {what}"));
    }
}

/// The term with a backslash before each brace that has none.
fn in_braces(term: &str) -> String {
    let mut text = String::with_capacity(term.len());
    let mut chars = term.chars();
    while let Some(char) = chars.next() {
        match char {
            '{' | '}' => text.extend(['\\', char]),
            '\\' => text.extend(['\\', chars.next().unwrap_or('\\')]),
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use tombolo_soql::{Options, sosl};

    use super::*;

    #[test]
    fn requests_become_statements() {
        let object = ObjectWanted {
            name: "Account".to_owned(),
            fields: vec!["Id".to_owned(), "Name".to_owned()],
            condition: Some("Name != null".to_owned()),
            order: Some("Name DESC".to_owned()),
            limit: Some(3),
            offset: Some(1),
        };
        let request = SearchRequest {
            term: r"a} \{b\".to_owned(),
            group: Some("NAME".to_owned()),
            objects: vec![object],
            limit: Some(9),
            ..SearchRequest::default()
        };
        let text = request.statement();
        assert_eq!(
            text,
            r"FIND {a\} \{b\\} IN NAME FIELDS RETURNING Account(Id, Name WHERE Name != null ORDER BY Name DESC LIMIT 3 OFFSET 1) LIMIT 9"
        );
        assert!(sosl::parse(&text, Options::default()).is_ok());
        let plain = SearchRequest { term: "x".to_owned(), ..SearchRequest::default() };
        assert_eq!(plain.statement(), "FIND {x}");
    }
}
