//! Statements made by programs: a builder, templates with parameters, and long lists split into several statements.
//!
//! Values never become text that is read again: they are put into the tree, and only the printer writes them. So no
//! value, whatever it holds, can change what a statement is.
//!
//! ```
//! use tombolo_soql::build::{Template, field, select};
//!
//! let query = select(["Id", "Owner.Name"])
//!     .from("Account")
//!     .filter(field("Name").eq("O'Brien").and(field("NumberOfEmployees").gt(5)))
//!     .order_by(field("Name").descending())
//!     .limit(10)
//!     .build()?;
//! assert_eq!(
//!     query.to_string(),
//!     r"SELECT Id, Owner.Name FROM Account WHERE Name = 'O\'Brien' AND NumberOfEmployees > 5 ORDER BY Name DESC LIMIT 10"
//! );
//!
//! let template = Template::parse("SELECT Id FROM Contact WHERE LastName = :name AND AccountId IN :accounts")?;
//! let query = template.bind("name", "O'Brien").bind_list("accounts", ["001000000000001"]).finish()?;
//! assert_eq!(
//!     query.to_string(),
//!     r"SELECT Id FROM Contact WHERE LastName = 'O\'Brien' AND AccountId IN ('001000000000001')"
//! );
//! # Ok::<(), tombolo_soql::build::BuildError>(())
//! ```

mod error;
mod filter;
mod split;
mod statement;
mod template;
mod value;

pub use error::{BuildError, SplitError};
pub use filter::{Field, Filter, Order, field};
pub use split::{Measure, split_in_list};
pub use statement::{Draft, Statement, count, select};
pub use template::Template;
pub use value::{Pattern, Value};

use crate::{Options, ast, parse};

/// The statement, if what it prints is read as the same.
fn proven(select: ast::Select) -> Result<ast::Select, BuildError> {
    let read = parse(&select.to_string(), Options::default()).map_err(BuildError::Statement)?;
    // Two that differ would be a mistake of ours; to send neither is the safe answer.
    if read == select { Ok(select) } else { Err(BuildError::Unprintable) }
}
