//! Conditions of `WHERE` and `HAVING`.

use super::{Expr, Name, ObjectRef, Span, Using, Value, With};

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All of them; at least two.
    And(Vec<Condition>),
    /// One of them; at least two.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// `Amount > 5`
    Compare(Comparison),
    /// `Name LIKE 'A%'`
    Like(Like),
    /// `Name IN ('a', 'b')`
    In(Membership),
    /// `Colors__c INCLUDES ('red;blue')`
    Includes(Includes),
}

/// A comparison with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The left side.
    pub left: Expr,
    /// How to compare.
    pub operator: Operator,
    /// The right side.
    pub value: Value,
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A comparison with a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    /// The left side.
    pub left: Expr,
    /// The pattern: a string becomes [`super::Literal::Pattern`]; the grammar takes other literals, too.
    pub pattern: Value,
}

/// `IN` and `NOT IN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The left side.
    pub left: Expr,
    /// Whether it is `NOT IN`.
    pub negated: bool,
    /// The right side.
    pub set: Set,
}

/// The right side of `IN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// A list of at least one.
    List(Vec<Value>),
    /// What another query finds.
    Select(Box<SubSelect>),
    /// A collection of Apex.
    Bind(Value),
}

/// The query of a semi-join or anti-join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubSelect {
    /// What it selects. The grammar takes several, a server only one.
    pub items: Vec<Expr>,
    /// From what.
    pub from: ObjectRef,
    /// Further aliases.
    pub aliases: Vec<ObjectRef>,
    /// `USING`
    pub using: Option<Using>,
    /// `WHERE`
    pub condition: Option<Condition>,
    /// `WITH`
    pub with: Vec<With>,
    /// Where it stands, without its parentheses.
    pub span: Span,
}

/// `INCLUDES` and `EXCLUDES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Includes {
    /// The left side.
    pub left: Expr,
    /// Whether it is `EXCLUDES`.
    pub negated: bool,
    /// The values; at least one.
    pub values: Vec<Value>,
}

impl Condition {
    /// The left side of a comparison of any kind.
    pub fn left(&self) -> Option<&Expr> {
        match self {
            Self::And(_) | Self::Or(_) | Self::Not(_) => None,
            Self::Compare(c) => Some(&c.left),
            Self::Like(c) => Some(&c.left),
            Self::In(c) => Some(&c.left),
            Self::Includes(c) => Some(&c.left),
        }
    }
}

impl Operator {
    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl SubSelect {
    /// The name of the object as it was written.
    pub fn object(&self) -> &Name {
        &self.from.path.name
    }
}
