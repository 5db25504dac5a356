//! Statements with parameters: `:name` in the text, typed values in their place.

use std::collections::BTreeMap;

use super::{BuildError, Pattern, Value, proven, value::list};
use crate::{
    Options,
    ast::{self, Bound, Condition, Coordinate, Count, Expr, Literal, Place, Select, SelectExpr, Selection, Set},
    parse,
};

/// A statement with parameters. They stand where values do, behind `LIMIT` and `OFFSET`, behind the colon of a date
/// literal and in `GEOLOCATION`.
#[derive(Debug, Clone)]
pub struct Template {
    select: Select,
    values: BTreeMap<String, Parameter>,
}

#[derive(Debug, Clone)]
enum Parameter {
    One(Value),
    Many(Result<Vec<ast::Value>, BuildError>),
    Like(Pattern),
}

impl Template {
    /// Reads the statement, once for any number of uses.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let select = parse(text, Options { apex: true, comments: true }).map_err(BuildError::Statement)?;
        Ok(Self { select, values: BTreeMap::new() })
    }

    /// Gives a parameter its value. In `LIKE` text stands for itself; see [`Template::bind_pattern`].
    #[must_use]
    pub fn bind(self, name: &str, value: impl Into<Value>) -> Self {
        self.with(name, Parameter::One(value.into()))
    }

    /// Gives a parameter behind `IN`, `INCLUDES` or `EXCLUDES` its values.
    #[must_use]
    pub fn bind_list<V: Into<Value>>(self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.with(name, Parameter::Many(list(values)))
    }

    /// Gives a parameter behind `LIKE` its pattern.
    #[must_use]
    pub fn bind_pattern(self, name: &str, pattern: Pattern) -> Self {
        self.with(name, Parameter::Like(pattern))
    }

    fn with(mut self, name: &str, parameter: Parameter) -> Self {
        self.values.insert(name.to_owned(), parameter);
        self
    }

    /// The statement, where each parameter has a value and each value a parameter.
    pub fn finish(mut self) -> Result<Select, BuildError> {
        let mut binder = Binder { unused: self.values.keys().cloned().collect(), values: &self.values, failed: None };
        binder.select(&mut self.select);
        if let Some(error) = binder.failed {
            return Err(error);
        }
        if let Some(name) = binder.unused.into_iter().next() {
            return Err(BuildError::NoParameter(name));
        }
        proven(self.select)
    }
}

/// Puts values where their parameters stand.
struct Binder<'a> {
    values: &'a BTreeMap<String, Parameter>,
    unused: Vec<String>,
    failed: Option<BuildError>,
}

impl Binder<'_> {
    fn fail<T>(&mut self, error: BuildError) -> Option<T> {
        self.failed.get_or_insert(error);
        None
    }

    fn parameter(&mut self, name: &str) -> Option<Parameter> {
        self.unused.retain(|unused| unused != name);
        match self.values.get(name) {
            Some(parameter) => Some(parameter.clone()),
            None => self.fail(BuildError::Unbound(name.to_owned())),
        }
    }

    fn one(&mut self, name: &str) -> Option<Value> {
        match self.parameter(name)? {
            Parameter::One(value) => Some(value),
            _ => self.fail(BuildError::Misbound { name: name.to_owned(), expected: "one value" }),
        }
    }

    fn many(&mut self, name: &str) -> Option<Vec<ast::Value>> {
        match self.parameter(name)? {
            Parameter::Many(Ok(values)) => Some(values),
            Parameter::Many(Err(error)) => self.fail(error),
            _ => self.fail(BuildError::Misbound { name: name.to_owned(), expected: "a list of values" }),
        }
    }

    fn literal(&mut self, literal: &mut Literal) {
        match literal {
            Literal::Bind(name) => {
                let bound = self.one(name).map(Value::literal);
                match bound {
                    Some(Ok(bound)) => *literal = bound,
                    Some(Err(error)) => {
                        self.fail::<()>(error);
                    }
                    None => {}
                }
            }
            Literal::Relative(relative) => {
                if let Some(count) = &mut relative.count {
                    self.count(count);
                }
            }
            Literal::LastHours(count) => self.count(count),
            _ => {}
        }
    }

    fn count(&mut self, count: &mut Count) {
        let Count::Bind(name) = count else { return };
        let name = name.clone();
        match self.one(&name) {
            Some(Value::Integer(number)) if number >= 0 => *count = Count::Number(number),
            Some(_) => {
                self.fail::<()>(BuildError::Misbound { name, expected: "a whole number that is not negative" });
            }
            None => {}
        }
    }

    fn select(&mut self, select: &mut Select) {
        if let Selection::Items(items) = &mut select.selection {
            for item in items {
                match &mut item.expr {
                    SelectExpr::Expr(expr) => self.expr(expr),
                    SelectExpr::Children(children) => self.select(children),
                    _ => {}
                }
            }
        }
        for condition in [&mut select.condition, &mut select.having].into_iter().flatten() {
            condition.comparisons_mut(&mut |condition| self.comparison(condition));
        }
        select.order_by.iter_mut().for_each(|item| self.expr(&mut item.expr));
        for Bound { count, .. } in [&mut select.limit, &mut select.offset].into_iter().flatten() {
            self.count(count);
        }
    }

    fn comparison(&mut self, condition: &mut Condition) {
        match condition {
            Condition::Compare(comparison) => {
                self.expr(&mut comparison.left);
                self.literal(&mut comparison.value.literal);
            }
            Condition::Like(like) => self.pattern(&mut like.pattern.literal),
            Condition::In(membership) => match &mut membership.set {
                Set::List(values) => values.iter_mut().for_each(|value| self.literal(&mut value.literal)),
                Set::Bind(ast::Value { literal: Literal::Bind(name), .. }) => {
                    let name = name.clone();
                    if let Some(values) = self.many(&name) {
                        membership.set = Set::List(values);
                    }
                }
                Set::Bind(_) | Set::Select(_) => {}
            },
            Condition::Includes(includes) => {
                if let [ast::Value { literal: Literal::Bind(name), .. }] = includes.values.as_slice() {
                    let name = name.clone();
                    if let Some(values) = self.many(&name) {
                        includes.values = values;
                    }
                } else {
                    includes.values.iter_mut().for_each(|value| self.literal(&mut value.literal));
                }
            }
            Condition::And(_) | Condition::Or(_) | Condition::Not(_) => {}
        }
    }

    fn pattern(&mut self, literal: &mut Literal) {
        let Literal::Bind(name) = literal else { return };
        let name = name.clone();
        *literal = match self.parameter(&name) {
            Some(Parameter::Like(pattern)) => pattern.literal(),
            Some(Parameter::One(Value::Text(text))) => Pattern::exactly(&text).literal(),
            Some(_) => {
                self.fail::<()>(BuildError::Misbound { name, expected: "text or a pattern" });
                return;
            }
            None => return,
        };
    }

    fn expr(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Call(call) => self.expr(&mut call.argument),
            Expr::Distance(distance) => {
                if let Place::Point(latitude, longitude) = &mut distance.place {
                    self.coordinate(latitude);
                    self.coordinate(longitude);
                }
            }
            Expr::Field(_) | Expr::Formula { .. } => {}
        }
    }

    fn coordinate(&mut self, coordinate: &mut Coordinate) {
        let Coordinate::Bind(name) = coordinate else { return };
        let name = name.clone();
        match self.one(&name).map(Value::literal) {
            Some(Ok(Literal::Number(number))) => *coordinate = Coordinate::Number(number),
            Some(_) => {
                self.fail::<()>(BuildError::Misbound { name, expected: "a number" });
            }
            None => {}
        }
    }
}
