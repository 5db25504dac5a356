//! Semi-joins and anti-joins (soql.md 3).

use super::{
    Checker, Code, FieldKind,
    condition::Around,
    expr::{Clause, Operand},
    scope::Scope,
};
use crate::ast::{Expr, Span, SubSelect};

/// Objects that no semi-join may select from.
const NEVER_INNER: [&str; 7] = ["ActivityHistory", "Attachment", "Event", "Note", "OpenActivity", "Tag", "Task"];

/// In how many others a semi-join may stand.
const MAX_NESTING: usize = 1;

impl<'a> Checker<'a> {
    pub(super) fn semi_join(&mut self, scope: &Scope<'a>, left: &Operand<'a>, select: &'a SubSelect, around: Around) {
        self.standing(left.span, around);
        if left.hops != Some(0) || left.kind.is_some_and(|kind| !kind.is_id()) {
            self.no_key(left);
        }
        let name = select.object();
        let object = self.schema.and_then(|schema| schema.object(&name.text));
        if let (None, Some(_)) = (object, self.schema) {
            self.no_object(name);
        }
        if NEVER_INNER.iter().any(|never| name.is(never)) {
            let text = format!("Entity '{}' is not supported for semi join inner selects", name.text);
            self.malformed(name.span, text);
        }
        if scope.is_object(name) {
            let text = "The inner and outer selects should not be on the same object type";
            self.malformed(left.span, text);
        }
        let mut inner = Scope::new(object, &select.from);
        self.aliases(&mut inner, &select.aliases);
        self.inner_field(scope, left, &inner, select);
        if let Some(condition) = &select.condition {
            self.where_clause(&inner, condition, around.joins + 1);
        }
    }

    /// Where a semi-join may stand.
    fn standing(&mut self, span: Span, around: Around) {
        let text = if around.joins > MAX_NESTING {
            "Implementation restriction: sub-selects can only be two levels deep"
        } else if around.negated {
            "Semi join sub-selects are not allowed with the 'NOT' operator. Use NOT IN instead"
        } else if around.nested {
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE \
             expressions."
        } else if around.either {
            "Semi join sub-selects are not allowed with the 'OR' operator"
        } else {
            return;
        };
        self.malformed(span, text);
    }

    fn no_key(&mut self, operand: &Operand<'_>) {
        let text =
            format!("Only an Id or reference field of the object itself can be used in a semi join: {}", operand.name);
        self.refuse(Code::InvalidField, operand.span, text);
    }

    fn inner_field(&mut self, outer: &Scope<'a>, left: &Operand<'a>, scope: &Scope<'a>, select: &'a SubSelect) {
        let [item] = select.items.as_slice() else {
            return self.malformed(select.span, "Only one field may be selected in a semi join sub-select");
        };
        let operand = self.operand(scope, item, Clause::Select);
        let is_plain = matches!(item, Expr::Field(_)) && operand.hops == Some(0);
        if !is_plain || operand.kind.is_some_and(|kind| !kind.is_id()) {
            return self.no_key(&operand);
        }
        let targets = |operand: &Operand<'a>, scope: &Scope<'a>| -> Option<Vec<&'a str>> {
            let field = operand.field?;
            match field.kind {
                FieldKind::Id => Some(vec![scope.object_name()?]),
                _ => Some(field.targets.iter().map(String::as_str).collect()),
            }
        };
        let (outer, inner) = (targets(left, outer), targets(&operand, scope));
        let (Some(outer), Some(inner)) = (outer, inner) else { return };
        if !outer.is_empty() && !inner.is_empty() && !outer.iter().any(|target| inner.contains(target)) {
            let text =
                format!("The fields of a semi join have to refer to the same object: {}, {}", left.name, operand.name);
            self.malformed(operand.span, text);
        }
    }
}
