//! SOSL, Salesforce's search language (soql.md 9): the statement as a tree, and the term that it looks for.
//!
//! Conditions, sort orders and values are those of SOQL, and so are the guarantees: linear time, no panic, and a
//! printed statement parses to the same tree.
//!
//! ```
//! use tombolo_soql::{Options, sosl};
//!
//! let text = "find {map*} in name fields returning Account(Name where Name != null), Contact limit 5";
//! let search = sosl::parse(text, Options::default())?;
//! assert_eq!(search.returning.len(), 2);
//! assert_eq!(
//!     search.to_string(),
//!     "FIND {map*} IN NAME FIELDS RETURNING Account(Name WHERE Name != NULL), Contact LIMIT 5"
//! );
//! # Ok::<(), tombolo_soql::ParseError>(())
//! ```

mod parser;
mod pretty;
mod printer;
mod term;

pub use parser::parse;
pub use pretty::pretty;
pub use printer::quote_term;
pub use term::{MAX_LOGICAL_TERM, MAX_TERM, TermQuery};

use crate::ast::{Bound, CategoryFilter, Condition, FieldPath, Name, OrderItem, SelectItem, Span, Value};

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// `FIND`
    pub term: Term,
    /// `IN`: all fields where nothing is said.
    pub group: Option<FieldGroup>,
    /// `USING ADVANCED SEARCH`
    pub advanced: bool,
    /// `RETURNING`: without any, Ids of whatever is found.
    pub returning: Vec<Returning>,
    /// `WITH`, which may be there more than once.
    pub with: Vec<SearchWith>,
    /// `LIMIT`
    pub limit: Option<Bound>,
    /// `UPDATE`: `TRACKING`, `VIEWSTAT`. The grammar takes any name.
    pub update: Vec<Name>,
    /// Where it stands.
    pub span: Span,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// `{map AND (store OR shop*)}`: the text between the braces, its escapes unresolved.
    Braces {
        /// The text.
        text: String,
        /// Where it stands, with its braces.
        span: Span,
    },
    /// `'map'`, in Apex: the text of the string, in which the escapes of SOSL are unresolved.
    Quoted {
        /// The text.
        text: String,
        /// Where it stands, with its quotes.
        span: Span,
    },
    /// A variable of Apex.
    Bind(String),
}

/// Which fields are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldGroup {
    /// `ALL FIELDS`
    All,
    /// `NAME FIELDS`
    Name,
    /// `EMAIL FIELDS`
    Email,
    /// `PHONE FIELDS`
    Phone,
    /// `SIDEBAR FIELDS`
    Sidebar,
}

impl FieldGroup {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::All, Self::Name, Self::Email, Self::Phone, Self::Sidebar];

    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Name => "NAME",
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Sidebar => "SIDEBAR",
        }
    }
}

/// What is wanted of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returning {
    /// The object.
    pub object: Name,
    /// What is selected; nothing stands for the Id, and then there are no further clauses.
    pub items: Vec<SelectItem>,
    /// `USING`
    pub using: Option<Narrowing>,
    /// `WHERE`
    pub condition: Option<Condition>,
    /// `ORDER BY`
    pub order_by: Vec<OrderItem>,
    /// `LIMIT`
    pub limit: Option<Bound>,
    /// `OFFSET`
    pub offset: Option<Bound>,
    /// Where it stands.
    pub span: Span,
}

/// `USING` for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Narrowing {
    /// `USING ListView = Recent`
    ListView(Name),
    /// `USING LOOKUP Object.Field BIND Other = 'value'`
    Lookup {
        /// The field whose lookup filter applies.
        field: FieldPath,
        /// Values of the record that looks.
        bindings: Vec<(Name, Value)>,
    },
}

/// `WITH`
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchWith {
    /// `DATA CATEGORY …`; at least one.
    DataCategory(Vec<CategoryFilter>),
    /// `DIVISION = 'Global'`
    Division(Value),
    /// `HIGHLIGHT`
    Highlight,
    /// `METADATA = 'LABELS'`
    Metadata(Value),
    /// `NETWORK = '0DB…'`
    Network(Value),
    /// `NETWORK IN ('0DB…', '0DB…')`; at least one.
    Networks(Vec<Value>),
    /// `PricebookId = '01s…'`
    Pricebook(Value),
    /// `SNIPPET`, `SNIPPET (target_length = 120)`
    Snippet(Option<i64>),
    /// `SPELL_CORRECTION = FALSE`
    SpellCorrection(Value),
    /// `USER_MODE`
    UserMode,
    /// `SYSTEM_MODE`
    SystemMode,
}
