//! The syntax tree of a statement.
//!
//! Two trees are equal when they say the same: spans do not count. Parentheses that change nothing are not kept.

mod condition;
mod select;
mod value;
mod walk;

pub use condition::{Comparison, Condition, Includes, Like, Membership, Operator, Set, SubSelect};
pub use select::{
    Bound, Call, CategoryFilter, CategoryOperator, Coordinate, Count, Direction, Distance, Expr, GroupBy, Nulls,
    ObjectRef, OrderItem, Place, Purpose, Select, SelectExpr, SelectItem, Selection, TypeOf, TypeOfBranch, Using, With,
};
pub use value::{DateLiteral, LikePart, Literal, Value};

/// Where in the text something stands, in bytes. All spans are equal: a place is not part of what is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The first byte that no longer belongs to it.
    pub end: usize,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

impl Span {
    /// From the start of one to the end of the other.
    pub fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }
}

/// A name, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Name {
    /// Whether it is this word, in any case.
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// Names joined by dots: `Account.Owner.Name`. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// All but the last.
    pub parents: Vec<Name>,
    /// The last.
    pub name: Name,
}

impl FieldPath {
    /// Where it stands.
    pub fn span(&self) -> Span {
        self.parents.first().map_or(self.name.span, |first| first.span.to(self.name.span))
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.parents.iter().chain(std::iter::once(&self.name))
    }
}
