//! `WHERE`: fields, operators and values that go with each other (soql.md 3).

use super::{
    Checker, Code, FieldKind,
    expr::{Clause, Operand},
    grouping::Groups,
    scope::Scope,
};
use crate::ast::{Condition, Includes, Like, Operator, Set, Span};

/// What stands around a condition.
#[derive(Clone, Copy, Default)]
pub(super) struct Around {
    pub(super) either: bool,
    pub(super) negated: bool,
    pub(super) nested: bool,
    /// In how many semi-joins it stands.
    pub(super) joins: usize,
}

/// How many semi-joins a WHERE may have (soql.md 3).
const MAX_JOINS: usize = 2;

impl<'a> Checker<'a> {
    /// The WHERE of a query, or of the query of a semi-join that stands in others.
    pub(super) fn where_clause(&mut self, scope: &Scope<'a>, condition: &'a Condition, joins: usize) {
        let mut spans = Vec::new();
        joined_at(condition, &mut spans);
        if let Some(span) = spans.get(MAX_JOINS) {
            self.malformed(*span, format!("At most {MAX_JOINS} semi join sub-selects are allowed in one WHERE clause"));
        }
        self.condition(scope, condition, None, Around { joins, ..Around::default() });
    }

    pub(super) fn having(&mut self, scope: &Scope<'a>, condition: &'a Condition, groups: &Groups) {
        self.condition(scope, condition, Some(groups), Around::default());
    }

    fn condition(&mut self, scope: &Scope<'a>, condition: &'a Condition, groups: Option<&Groups>, around: Around) {
        let inside = |around: Around, inner: &Condition| Around {
            nested: around.nested || matches!(inner, Condition::And(_) | Condition::Or(_)),
            ..around
        };
        match condition {
            Condition::And(operands) => {
                operands.iter().for_each(|inner| self.condition(scope, inner, groups, inside(around, inner)));
            }
            Condition::Or(operands) => {
                let around = Around { either: true, ..around };
                operands.iter().for_each(|inner| self.condition(scope, inner, groups, inside(around, inner)));
            }
            Condition::Not(inner) => {
                self.condition(scope, inner, groups, inside(Around { negated: true, ..around }, inner));
            }
            Condition::Compare(_) | Condition::Like(_) | Condition::In(_) | Condition::Includes(_) => {
                self.comparison(scope, condition, groups, around);
            }
        }
    }

    fn comparison(&mut self, scope: &Scope<'a>, condition: &'a Condition, groups: Option<&Groups>, around: Around) {
        let Some(left) = condition.left() else { return };
        let clause = if groups.is_some() { Clause::Having } else { Clause::Where };
        let operand = self.operand(scope, left, clause);
        if let Some(groups) = groups {
            self.grouped(scope, left, groups, clause);
        }
        match condition {
            Condition::Compare(comparison) => {
                let ordered = !matches!(comparison.operator, Operator::Equal | Operator::NotEqual);
                if ordered && matches!(operand.kind, Some(FieldKind::Boolean | FieldKind::MultiPicklist)) {
                    self.invalid_operator(&operand);
                }
                self.value(&operand, &comparison.value);
            }
            Condition::Like(like) => self.like(&operand, like),
            Condition::In(membership) => match &membership.set {
                Set::List(values) => values.iter().for_each(|value| self.value(&operand, value)),
                Set::Bind(value) => self.bind(value.span),
                Set::Select(select) => self.semi_join(scope, &operand, select, around),
            },
            Condition::Includes(includes) => self.includes(&operand, includes),
            _ => {}
        }
    }

    fn like(&mut self, operand: &Operand<'_>, like: &Like) {
        match operand.kind {
            Some(FieldKind::MultiPicklist) => self.invalid_operator(operand),
            Some(kind) if !kind.is_text() && kind != FieldKind::Other => self.invalid_operator(operand),
            _ => self.value(operand, &like.pattern),
        }
    }

    fn includes(&mut self, operand: &Operand<'_>, includes: &Includes) {
        if operand.kind.is_some_and(|kind| kind != FieldKind::MultiPicklist) {
            let text =
                format!("includes and excludes operators may only be used on multipicklist fields: {}", operand.name);
            self.refuse(Code::InvalidQueryFilterOperator, operand.span, text);
        }
        includes.values.iter().for_each(|value| self.value(operand, value));
    }

    fn invalid_operator(&mut self, operand: &Operand<'_>) {
        let kind = match operand.kind {
            Some(FieldKind::Id | FieldKind::Reference) => "id",
            Some(FieldKind::MultiPicklist) => "multipicklist",
            Some(kind) => kind.described(),
            None => return,
        };
        self.refuse(Code::InvalidQueryFilterOperator, operand.span, format!("invalid operator on {kind} field"));
    }
}

/// Where the semi-joins of a condition stand, without those inside of others.
fn joined_at(condition: &Condition, spans: &mut Vec<Span>) {
    match condition {
        Condition::And(operands) | Condition::Or(operands) => {
            operands.iter().for_each(|operand| joined_at(operand, spans));
        }
        Condition::Not(inner) => joined_at(inner, spans),
        Condition::In(membership) => {
            if let Set::Select(_) = &membership.set {
                spans.push(membership.left.span());
            }
        }
        _ => {}
    }
}
