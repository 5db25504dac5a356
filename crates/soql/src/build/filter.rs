//! Conditions and sort orders.

use super::{BuildError, Pattern, Statement, Value, value::list};
use crate::{
    MAX_DEPTH, Options, ParseError,
    ast::{
        self, Comparison, Condition, Direction, Expr, Includes, Like, Membership, Nulls, Operator, OrderItem, Set, Span,
    },
    parser::{Parsed, Parser},
};

/// A field, perhaps of a parent, or a function of one: `field("Owner.Name")`, `field("CALENDAR_YEAR(CreatedDate)")`.
///
/// A name that is none becomes the error of the statement that it gets into.
pub fn field(name: &str) -> Field {
    Field(read(name, |parser| parser.expr("a field")))
}

/// Reads the whole of a text.
pub(super) fn read<'a, T>(text: &'a str, rule: impl Fn(&mut Parser<'a>) -> Parsed<T>) -> Result<T, BuildError> {
    let whole = || -> Result<T, ParseError> {
        let mut parser = Parser::new(text, Options::default())?;
        let read = rule(&mut parser)?;
        parser.end_of_text()?;
        Ok(read)
    };
    whole().map_err(|error| BuildError::Name { text: text.to_owned(), error })
}

/// Something to compare or to order by.
#[derive(Debug, Clone)]
pub struct Field(Result<Expr, BuildError>);

impl Field {
    fn compare(self, operator: Operator, value: Value) -> Filter {
        Filter::new(|| {
            let value = value.value()?;
            Ok(Condition::Compare(Comparison { left: self.0?, operator, value }))
        })
    }

    /// `=`
    pub fn eq(self, value: impl Into<Value>) -> Filter {
        self.compare(Operator::Equal, value.into())
    }

    /// `!=`, which holds for nulls, too (soql.md 3).
    pub fn ne(self, value: impl Into<Value>) -> Filter {
        self.compare(Operator::NotEqual, value.into())
    }

    /// `<`
    pub fn lt(self, value: impl Into<Value>) -> Filter {
        self.compare(Operator::Less, value.into())
    }

    /// `<=`
    pub fn le(self, value: impl Into<Value>) -> Filter {
        self.compare(Operator::LessOrEqual, value.into())
    }

    /// `>`
    pub fn gt(self, value: impl Into<Value>) -> Filter {
        self.compare(Operator::Greater, value.into())
    }

    /// `>=`
    pub fn ge(self, value: impl Into<Value>) -> Filter {
        self.compare(Operator::GreaterOrEqual, value.into())
    }

    /// `LIKE`
    pub fn like(self, pattern: Pattern) -> Filter {
        Filter::new(|| {
            let pattern = ast::Value { literal: pattern.literal(), span: Span::default() };
            Ok(Condition::Like(Like { left: self.0?, pattern }))
        })
    }

    /// `IN`
    pub fn is_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        Filter::new(|| Ok(Condition::In(Membership { left: self.0?, negated: false, set: Set::List(list(values)?) })))
    }

    /// `NOT IN`, which holds for nulls, too (soql.md 3).
    pub fn not_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        Filter::new(|| Ok(Condition::In(Membership { left: self.0?, negated: true, set: Set::List(list(values)?) })))
    }

    /// `IN (SELECT …)`
    pub fn in_rows(self, select: Statement) -> Filter {
        Filter::new(|| {
            let set = Set::Select(Box::new(select.sub_select()?));
            Ok(Condition::In(Membership { left: self.0?, negated: false, set }))
        })
    }

    /// `NOT IN (SELECT …)`
    pub fn not_in_rows(self, select: Statement) -> Filter {
        Filter::new(|| {
            let set = Set::Select(Box::new(select.sub_select()?));
            Ok(Condition::In(Membership { left: self.0?, negated: true, set }))
        })
    }

    /// `INCLUDES`; values that have to come together are joined by semicolons.
    pub fn includes<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        Filter::new(|| Ok(Condition::Includes(Includes { left: self.0?, negated: false, values: list(values)? })))
    }

    /// `EXCLUDES`
    pub fn excludes<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        Filter::new(|| Ok(Condition::Includes(Includes { left: self.0?, negated: true, values: list(values)? })))
    }

    /// `ASC`
    pub fn ascending(self) -> Order {
        self.order(Direction::Ascending)
    }

    /// `DESC`
    pub fn descending(self) -> Order {
        self.order(Direction::Descending)
    }

    fn order(self, direction: Direction) -> Order {
        Order(self.0.map(|expr| OrderItem { expr, direction: Some(direction), nulls: None }))
    }
}

/// Something to order by, and how.
#[derive(Debug, Clone)]
pub struct Order(pub(super) Result<OrderItem, BuildError>);

impl Order {
    /// `NULLS FIRST`, as it is when nothing is said, for both directions (soql.md 6).
    #[must_use]
    pub fn nulls_first(self) -> Self {
        Self(self.0.map(|item| OrderItem { nulls: Some(Nulls::First), ..item }))
    }

    /// `NULLS LAST`
    #[must_use]
    pub fn nulls_last(self) -> Self {
        Self(self.0.map(|item| OrderItem { nulls: Some(Nulls::Last), ..item }))
    }
}

#[derive(Clone, Copy)]
enum Join {
    All,
    Any,
}

/// A condition.
#[derive(Debug, Clone)]
pub struct Filter {
    pub(super) condition: Result<Condition, BuildError>,
    /// How many conditions are inside each other: dropping or printing a tree without end would overflow the stack.
    depth: usize,
}

impl Filter {
    fn new(condition: impl FnOnce() -> Result<Condition, BuildError>) -> Self {
        Self { condition: condition(), depth: 0 }
    }

    /// One that is in a statement already. Joining it to others makes it one deeper at most, however often: joins of
    /// one kind stay flat.
    pub(super) fn of(condition: Condition) -> Self {
        Self { condition: Ok(condition), depth: 0 }
    }

    /// This and the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::all([self, other])
    }

    /// This or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::any([self, other])
    }

    /// Not this.
    #[must_use]
    pub fn negated(self) -> Self {
        let depth = self.depth + 1;
        Self { condition: self.condition.map(|inner| Condition::Not(Box::new(inner))), depth }.limited()
    }

    /// All of these.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(filters, Join::All)
    }

    /// Any of these.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(filters, Join::Any)
    }

    /// Joins conditions; those that are of the same join already are taken apart, so that chains stay flat.
    fn joined(filters: impl IntoIterator<Item = Self>, join: Join) -> Self {
        let mut depth = 0;
        let mut operands = Vec::new();
        for filter in filters {
            match (filter.condition, join) {
                (Ok(Condition::And(inner)), Join::All) | (Ok(Condition::Or(inner)), Join::Any) => {
                    depth = depth.max(filter.depth);
                    operands.extend(inner);
                }
                (Ok(single), _) => {
                    depth = depth.max(filter.depth + 1);
                    operands.push(single);
                }
                (Err(error), _) => return Self { condition: Err(error), depth: 0 },
            }
        }
        let condition = match (operands.len(), join) {
            (0 | 1, _) => {
                depth = depth.saturating_sub(1);
                operands.pop().ok_or(BuildError::EmptyList)
            }
            (_, Join::All) => Ok(Condition::And(operands)),
            (_, Join::Any) => Ok(Condition::Or(operands)),
        };
        Self { condition, depth }.limited()
    }

    fn limited(self) -> Self {
        if self.depth < MAX_DEPTH { self } else { Self { condition: Err(BuildError::TooDeep), depth: 0 } }
    }
}
