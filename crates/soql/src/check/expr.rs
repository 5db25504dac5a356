//! Fields and functions: whether they are there, and go with each other.

use super::{Checker, Code, FieldFacts, FieldKind, function::Function, scope::Scope};
use crate::ast::{Call, Coordinate, Distance, Expr, FieldPath, Place, Span};

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Select,
    Where,
    Having,
    GroupBy,
    OrderBy,
}

/// What an expression is.
pub(super) struct Operand<'a> {
    /// How messages call it.
    pub(super) name: String,
    /// Its type; none where it is not known.
    pub(super) kind: Option<FieldKind>,
    /// The field, where it is one.
    pub(super) field: Option<FieldFacts<'a>>,
    /// How many relationships its path follows; none where it is no plain field.
    pub(super) hops: Option<usize>,
    pub(super) span: Span,
}

impl<'a> Checker<'a> {
    pub(super) fn operand(&mut self, scope: &Scope<'a>, expr: &'a Expr, clause: Clause) -> Operand<'a> {
        match expr {
            Expr::Field(path) => self.field(scope, path, clause),
            Expr::Call(call) => self.call(scope, call, clause),
            Expr::Distance(distance) => {
                self.distance(scope, distance);
                computed(expr, Some(FieldKind::Double))
            }
            Expr::Formula { text, span } => {
                let kind = self.formula(scope, text, *span);
                computed(expr, kind)
            }
        }
    }

    fn field(&mut self, scope: &Scope<'a>, path: &'a FieldPath, clause: Clause) -> Operand<'a> {
        let target = self.resolve(scope, path);
        let name = target.field.map_or(path.name.text.as_str(), |field| field.name).to_owned();
        let refused = target.field.and_then(|field| match clause {
            Clause::Where if !field.filterable => Some((Code::InvalidField, "filtered")),
            Clause::GroupBy if !field.groupable => Some((Code::MalformedQuery, "grouped")),
            Clause::OrderBy if !field.sortable => Some((Code::MalformedQuery, "sorted")),
            _ => None,
        });
        if let Some((code, done)) = refused {
            self.refuse(code, path.span(), format!("field '{name}' can not be {done} in a query call"));
        }
        let kind = target.field.map(|field| field.kind);
        Operand { name, kind, field: target.field, hops: Some(target.hops), span: path.span() }
    }

    fn call(&mut self, scope: &Scope<'a>, call: &'a Call, clause: Clause) -> Operand<'a> {
        let name = &call.function.text;
        let Some(function) = Function::from_name(name) else {
            self.malformed(call.span, format!("unknown function: {name}"));
            return Operand { name: name.clone(), kind: None, field: None, hops: None, span: call.span };
        };
        if function.is_aggregate() && matches!(clause, Clause::Where | Clause::GroupBy) {
            self.malformed(call.span, "Aggregate functions are not allowed here");
        }
        // What matters to the clause is the function, but for filters the field as well.
        let inner = if clause == Clause::Where { Clause::Where } else { Clause::Select };
        if !self.nests(function, call) {
            let kind = function.result(name, None);
            return Operand { name: name.clone(), kind, field: None, hops: None, span: call.span };
        }
        let argument = match (&*call.argument, function.is_date()) {
            // `CALENDAR_YEAR(convertTimezone(CreatedDate))`
            (Expr::Call(zone), true) => self.operand(scope, &zone.argument, inner),
            (argument, _) => self.operand(scope, argument, inner),
        };
        self.applies(function, call, &argument);
        let kind = function.result(name, argument.kind);
        Operand { name: argument.name, kind, field: None, hops: None, span: call.span }
    }

    /// Whether the function may be applied to what it is applied to (soql.md 2, 8).
    fn nests(&mut self, function: Function, call: &Call) -> bool {
        let inner = match &*call.argument {
            Expr::Field(_) => None,
            Expr::Call(inner) => Some(Function::from_name(&inner.function.text)),
            Expr::Distance(_) | Expr::Formula { .. } => Some(None),
        };
        let fits = match (function, inner) {
            (Function::ConvertTimezone, _) => {
                self.malformed(call.span, "convertTimezone() may only be used inside a date function");
                return false;
            }
            (_, None) => true,
            (function, Some(Some(Function::ConvertTimezone))) => {
                function.is_date()
                    && matches!(&*call.argument, Expr::Call(zone) if matches!(*zone.argument, Expr::Field(_)))
            }
            (Function::Format, Some(Some(inner))) => inner.is_aggregate() || inner == Function::ConvertCurrency,
            (function, Some(Some(Function::ConvertCurrency))) => function.is_aggregate(),
            (Function::ConvertCurrency, Some(Some(inner))) => inner.is_aggregate(),
            (Function::Grouping, Some(Some(inner))) => inner.is_date(),
            _ => false,
        };
        if !fits {
            let text = format!(
                "nested functional syntax can only be used in the following manner: \
                 date_function(convertTimezone(columnName)): {}",
                call.function.text.to_ascii_uppercase()
            );
            self.malformed(call.span, text);
        }
        fits
    }

    fn applies(&mut self, function: Function, call: &Call, argument: &Operand<'_>) {
        let Some(kind) = argument.kind else { return };
        let aggregatable = argument.field.is_none_or(|field| field.aggregatable || !function.is_aggregate());
        if function.takes(kind) && aggregatable {
            return;
        }
        let name = call.function.text.to_ascii_uppercase();
        let text = if function.is_aggregate() {
            format!("field {} does not support aggregate operator {name}", argument.name)
        } else {
            format!("The function {} does not apply to field '{}'", call.function.text, argument.name)
        };
        self.malformed(call.span, text);
    }

    fn distance(&mut self, scope: &Scope<'a>, distance: &'a Distance) {
        self.location(scope, &distance.field);
        match &distance.place {
            Place::Field(path) => self.location(scope, path),
            Place::Bind(_) => self.bind(distance.span),
            Place::Point(latitude, longitude) => {
                self.coordinate(latitude, 90.0, distance.span);
                self.coordinate(longitude, 180.0, distance.span);
            }
        }
        if !["mi", "km"].iter().any(|unit| distance.unit.eq_ignore_ascii_case(unit)) {
            self.malformed(distance.span, "DISTANCE unit must be 'mi' or 'km'");
        }
    }

    fn location(&mut self, scope: &Scope<'a>, path: &'a FieldPath) {
        let target = self.resolve(scope, path);
        if let Some(field) = target.field
            && !matches!(field.kind, FieldKind::Location | FieldKind::Address)
        {
            self.refuse(Code::InvalidField, path.span(), format!("field '{}' is not a location", field.name));
        }
    }

    fn coordinate(&mut self, coordinate: &Coordinate, most: f64, span: Span) {
        match coordinate {
            Coordinate::Bind(_) => self.bind(span),
            Coordinate::Number(text) => {
                if text.parse::<f64>().is_ok_and(|degrees| degrees.abs() > most) {
                    self.malformed(span, format!("GEOLOCATION takes no {text} degrees"));
                }
            }
        }
    }

    /// `a - b` of fields that are numbers, or dates, or dates with a time (soql.md 3). Answers with its type.
    fn formula(&mut self, scope: &Scope<'a>, text: &'a str, span: Span) -> Option<FieldKind> {
        let sides = text.split_once(['+', '-']).map(|(left, right)| (left.trim(), right.trim()));
        let Some((left, right)) = sides.filter(|(left, right)| is_name(left) && is_name(right)) else {
            self.malformed(span, "FORMULA takes two fields with + or - between them");
            return None;
        };
        let (schema, object) = self.schema.zip(scope.object_name())?;
        let mut kinds = [left, right].map(|name| schema.field(object, name).map(|field| field.kind)).into_iter();
        let (Some(left), Some(right)) = (kinds.next().flatten(), kinds.next().flatten()) else {
            self.refuse(Code::InvalidField, span, format!("FORMULA has to be about fields of {object}: {text}"));
            return None;
        };
        let fits = match (left, right) {
            (left, right) if right.is_day() => left == right && text.contains('-'),
            (left, right) => right.is_number() && (left.is_number() || left.is_day()),
        };
        if !fits {
            self.malformed(span, format!("FORMULA does not go with the types of these fields: {text}"));
            return None;
        }
        Some(if left.is_day() && !right.is_day() { left } else { FieldKind::Double })
    }
}

fn computed<'a>(expr: &Expr, kind: Option<FieldKind>) -> Operand<'a> {
    Operand { name: expr.to_string(), kind, field: None, hops: None, span: expr.span() }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
