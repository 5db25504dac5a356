//! SOQL and SOSL, Salesforce's query and search languages. Pure: no IO.
//!
//! - [`parse`] reads a statement into a tree with places ([`ast`]); its `Display` writes it back, [`pretty`] lays it out;
//! - [`sosl`] does the same for searches;
//! - [`check`] says what a server would refuse although it parses, against any [`check::Schema`] or by shape alone;
//! - [`build`] makes statements from typed values, fills templates, and splits lists that are too long;
//! - [`rewrite_hours`] turns `LAST_N_HOURS:n`, which no server knows, into the moment it stands for.
//!
//! It is not a query engine: it knows no rows. A text of 100,000 characters is read in linear time, and none panics or
//! overflows the stack.
//!
//! ```
//! use tombolo_soql::{Options, parse, quote};
//!
//! let text = format!("select Id from Account where Name = {} limit 5", quote("O'Brien"));
//! let select = parse(&text, Options::default())?;
//! assert_eq!(select.to_string(), r"SELECT Id FROM Account WHERE Name = 'O\'Brien' LIMIT 5");
//!
//! let error = parse("SELECT Id WHERE Name = 'x'", Options::default()).unwrap_err();
//! assert_eq!(error.to_string(), "line 1, column 11: expected FROM, found `WHERE`");
//! # Ok::<(), tombolo_soql::ParseError>(())
//! ```
#![deny(missing_docs)]

pub mod ast;
pub mod build;
pub mod check;
mod date_literal;
mod diagnostic;
mod error;
mod hours;
mod lexer;
mod parser;
mod pretty;
mod printer;
pub mod sosl;
mod token;

pub use date_literal::{Calendar, DateLiteralKind, DayRange};
pub use diagnostic::{Position, excerpt};
pub use error::{ErrorKind, ParseError};
pub use hours::{HoursOutOfRange, resolve_hours, rewrite_hours};
pub use parser::{MAX_DEPTH, MAX_LENGTH, Options, parse};
pub use pretty::pretty;
pub use printer::{quote, quote_like};
