//! Tree to text. What it writes parses to the same tree.

use std::fmt::{Display, Formatter, Result};

use super::{Narrowing, Returning, Search, SearchWith, Term};
use crate::{
    printer::{categories, clause, clause_list, listed, settings},
    quote,
};

/// Characters that mean something in a term (soql.md 9).
const RESERVED: &str = "?&|!{}[]()^~*:\\\"'+-";

/// A text as a part of a search term, in which all of it stands for itself.
///
/// ```
/// use tombolo_soql::{Options, sosl};
///
/// let text = format!("FIND {{{}}}", sosl::quote_term("what? {this}"));
/// assert_eq!(text, r"FIND {what\? \{this\}}");
/// sosl::parse(&text, Options::default())?;
/// # Ok::<(), tombolo_soql::ParseError>(())
/// ```
pub fn quote_term(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        if RESERVED.contains(char) {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted
}

impl Display for Search {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "FIND {}", self.term)?;
        if let Some(group) = self.group {
            write!(f, " IN {} FIELDS", group.as_str())?;
        }
        if self.advanced {
            f.write_str(" USING ADVANCED SEARCH")?;
        }
        clause_list(f, "RETURNING", &self.returning)?;
        for with in &self.with {
            clause(f, "WITH", Some(with))?;
        }
        clause(f, "LIMIT", self.limit.as_ref())?;
        clause_list(f, "UPDATE", &self.update)
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Braces { text, .. } => write!(f, "{{{text}}}"),
            Self::Quoted { text, .. } => f.write_str(&quote(text)),
            Self::Bind(bind) => write!(f, ":{bind}"),
        }
    }
}

impl Display for Returning {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.object)?;
        if self.items.is_empty() {
            return Ok(());
        }
        f.write_str("(")?;
        listed(f, &self.items)?;
        clause(f, "USING", self.using.as_ref())?;
        clause(f, "WHERE", self.condition.as_ref())?;
        clause_list(f, "ORDER BY", &self.order_by)?;
        clause(f, "LIMIT", self.limit.as_ref())?;
        clause(f, "OFFSET", self.offset.as_ref())?;
        f.write_str(")")
    }
}

impl Display for Narrowing {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::ListView(view) => write!(f, "ListView = {view}"),
            Self::Lookup { field, bindings } => {
                write!(f, "LOOKUP {field}")?;
                if !bindings.is_empty() {
                    f.write_str(" BIND ")?;
                }
                settings(f, bindings)
            }
        }
    }
}

impl Display for SearchWith {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::DataCategory(filters) => categories(f, filters),
            Self::Division(value) => write!(f, "DIVISION = {value}"),
            Self::Highlight => f.write_str("HIGHLIGHT"),
            Self::Metadata(value) => write!(f, "METADATA = {value}"),
            Self::Network(value) => write!(f, "NETWORK = {value}"),
            Self::Networks(values) => {
                f.write_str("NETWORK IN (")?;
                listed(f, values)?;
                f.write_str(")")
            }
            Self::Pricebook(value) => write!(f, "PricebookId = {value}"),
            Self::Snippet(None) => f.write_str("SNIPPET"),
            Self::Snippet(Some(length)) => write!(f, "SNIPPET (target_length = {length})"),
            Self::SpellCorrection(value) => write!(f, "SPELL_CORRECTION = {value}"),
            Self::UserMode => f.write_str("USER_MODE"),
            Self::SystemMode => f.write_str("SYSTEM_MODE"),
        }
    }
}
