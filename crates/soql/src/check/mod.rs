//! What a server refuses although it parses: against a schema, and by the rules that need none (soql.md 1–6).
//!
//! Codes and texts are Salesforce's where they are known (soql.md 8). What depends on rows, permissions or the
//! settings of an org is not looked at.
//!
//! ```
//! use tombolo_soql::{Options, check::{FieldKind, MemorySchema, Rules, check}, parse};
//!
//! let schema = MemorySchema::new().object("Account", &[("Id", FieldKind::Id), ("Name", FieldKind::Text)]);
//! let query = "SELECT Id, Nme FROM Account";
//! let findings = check(&parse(query, Options::default())?, &schema, Rules::default());
//! let error = &findings.errors[0];
//! assert_eq!((error.code.as_str(), error.offset), ("INVALID_FIELD", 11));
//! assert!(error.message(query).contains("ERROR at Row:1:Column:12\nNo such column 'Nme' on entity 'Account'."));
//! # Ok::<(), tombolo_soql::ParseError>(())
//! ```

mod clauses;
mod condition;
mod expr;
mod finding;
mod function;
mod grouping;
mod join;
mod memory;
mod schema;
mod scope;
mod selection;
mod type_of;
mod value;

pub use finding::{Code, Finding, Findings};
pub(crate) use grouping::is_aggregate;
pub use memory::MemorySchema;
pub use schema::{FieldFacts, FieldKind, ObjectFacts, Schema};

use std::collections::HashSet;

use crate::ast::{Bound, Count, Name, Select, Span};
use scope::Scope;

/// What the server is like that the statement is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The version of the API, without its `.0`.
    pub api_version: u16,
    /// Whether it is a query of Apex, which may have bind variables, `FOR UPDATE` and `ALL ROWS`.
    pub apex: bool,
    /// Whether the org has several currencies.
    pub multi_currency: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { api_version: 67, apex: false, multi_currency: false }
    }
}

/// Checks a statement against a schema.
pub fn check(select: &Select, schema: &dyn Schema, rules: Rules) -> Findings {
    run(select, Some(schema), rules)
}

/// Checks what can be checked without a schema: shape, limits, which clauses go with each other.
pub fn lint(select: &Select, rules: Rules) -> Findings {
    run(select, None, rules)
}

fn run<'a>(select: &'a Select, schema: Option<&'a dyn Schema>, rules: Rules) -> Findings {
    let mut checker = Checker { schema, rules, findings: Findings::default(), parents: HashSet::new(), child_sets: 0 };
    let scope = checker.root(select);
    checker.select(select, scope, Place { level: 1, single_parent: false });
    checker.findings.errors.sort_by_key(|finding| finding.offset);
    checker.findings.warnings.sort_by_key(|finding| finding.offset);
    checker.findings
}

/// How many relationships a path may follow (soql.md 2).
const MAX_HOPS: usize = 5;
/// How many relationships to parents a query may follow in all (soql.md 2).
const MAX_PARENTS: usize = 55;
/// How many child queries a query may have (soql.md 2).
const MAX_CHILD_SETS: usize = 20;
/// From this version on child queries may have child queries (soql.md 2).
const NESTED_CHILDREN: u16 = 58;
/// The first version with `FIELDS()` (soql.md 2).
const FIELDS_FUNCTION: u16 = 51;

struct Checker<'a> {
    schema: Option<&'a dyn Schema>,
    rules: Rules,
    findings: Findings,
    /// The relationships to parents that have been followed, each once.
    parents: HashSet<String>,
    child_sets: usize,
}

/// Where a query stands among those around it.
#[derive(Clone, Copy)]
struct Place {
    /// The outermost query is on the first level.
    level: usize,
    /// Whether the query around it has `LIMIT 1`.
    single_parent: bool,
}

impl<'a> Checker<'a> {
    fn refuse(&mut self, code: Code, span: Span, text: impl Into<String>) {
        self.findings.errors.push(Finding { code, text: text.into(), offset: span.start });
    }

    fn malformed(&mut self, span: Span, text: impl Into<String>) {
        self.refuse(Code::MalformedQuery, span, text);
    }

    fn warn(&mut self, code: Code, span: Span, text: impl Into<String>) {
        self.findings.warnings.push(Finding { code, text: text.into(), offset: span.start });
    }

    fn bind(&mut self, span: Span) {
        if !self.rules.apex {
            self.malformed(span, "Bind variables only allowed in Apex code");
        }
    }

    fn no_object(&mut self, name: &Name) {
        let text = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the \
             '__c' after the entity name. {}",
            name.text,
            finding::REFERENCE
        );
        self.refuse(Code::InvalidType, name.span, text);
    }

    /// The fields of the outermost FROM.
    fn root(&mut self, select: &'a Select) -> Scope<'a> {
        let name = &select.from.path.name;
        let object = self.schema.and_then(|schema| schema.object(&name.text));
        match (object, self.schema) {
            (None, Some(_)) => {
                self.no_object(name);
            }
            (Some(object), _) if !object.queryable => {
                let text = format!("entity type {} does not support query", object.name);
                self.refuse(Code::InvalidTypeForOperation, name.span, text);
            }
            _ => {}
        }
        Scope::new(object, &select.from)
    }

    fn select(&mut self, select: &'a Select, mut scope: Scope<'a>, place: Place) {
        self.aliases(&mut scope, &select.aliases);
        let groups = self.groups(&scope, select);
        self.selection(&scope, select, groups.as_ref(), place);
        if let Some(condition) = &select.condition {
            self.where_clause(&scope, condition, 0);
        }
        if let Some(group_by) = &select.group_by {
            self.group_by(&scope, group_by);
        }
        if let (Some(having), Some(groups)) = (&select.having, &groups) {
            self.having(&scope, having, groups);
        }
        self.order_by(&scope, select, groups.as_ref());
        self.bounds(select, place);
        self.other_clauses(select);
    }

    fn number(&mut self, bound: &Bound) -> Option<i64> {
        match &bound.count {
            Count::Number(number) => Some(*number),
            Count::Bind(_) => {
                self.bind(bound.span);
                None
            }
        }
    }
}
