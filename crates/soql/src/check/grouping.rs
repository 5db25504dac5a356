//! Aggregates, `GROUP BY` and `HAVING` (soql.md 5).

use std::collections::HashSet;

use super::{Checker, expr::Clause, function::Function, scope::Scope};
use crate::ast::{Expr, GroupBy, Select, SelectExpr, Selection};

/// How many fields ROLLUP and CUBE take.
const MAX_SUBTOTALS: usize = 3;

/// What a query that groups or aggregates is grouped by.
pub(super) struct Groups {
    keys: HashSet<String>,
    /// Whether there are subtotals: `ROLLUP` or `CUBE`.
    subtotals: bool,
}

pub(crate) fn is_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => {
            Function::from_name(&call.function.text).is_some_and(Function::is_aggregate) || is_aggregate(&call.argument)
        }
        _ => false,
    }
}

impl<'a> Checker<'a> {
    /// What the query is grouped by; none where it neither groups nor aggregates.
    pub(super) fn groups(&self, scope: &Scope<'a>, select: &'a Select) -> Option<Groups> {
        let Some(group_by) = &select.group_by else {
            let Selection::Items(items) = &select.selection else { return None };
            let aggregates =
                items.iter().any(|item| matches!(&item.expr, SelectExpr::Expr(expr) if is_aggregate(expr)));
            return aggregates.then_some(Groups { keys: HashSet::new(), subtotals: false });
        };
        let keys = group_by.exprs().iter().map(|expr| self.key(scope, expr)).collect();
        Some(Groups { keys, subtotals: !matches!(group_by, GroupBy::Plain(_)) })
    }

    /// The same for expressions that mean the same.
    pub(super) fn key(&self, scope: &Scope<'a>, expr: &'a Expr) -> String {
        match expr {
            Expr::Field(path) => self.path_key(scope, path),
            Expr::Call(call) => {
                format!("{}({})", call.function.text.to_ascii_lowercase(), self.key(scope, &call.argument))
            }
            other => other.to_string().to_ascii_lowercase(),
        }
    }

    pub(super) fn group_by(&mut self, scope: &Scope<'a>, group_by: &'a GroupBy) {
        let exprs = group_by.exprs();
        if let (GroupBy::Rollup(_) | GroupBy::Cube(_), Some(expr)) = (group_by, exprs.get(MAX_SUBTOTALS)) {
            self.malformed(expr.span(), format!("GROUP BY ROLLUP and CUBE take at most {MAX_SUBTOTALS} fields"));
        }
        let mut seen = HashSet::new();
        for expr in exprs {
            let is_date = match expr {
                Expr::Field(_) => true,
                Expr::Call(call) => Function::from_name(&call.function.text).is_some_and(Function::is_date),
                _ => false,
            };
            if is_date {
                self.operand(scope, expr, Clause::GroupBy);
            } else {
                let text = format!("Only date aggregate functions are allowed as grouping expressions: {expr}");
                self.malformed(expr.span(), text);
            }
            let key = self.key(scope, expr);
            if !seen.insert(key) {
                self.malformed(expr.span(), format!("duplicate grouping expression: {expr}"));
            }
        }
    }

    /// Something that is selected, compared or ordered by in a query that groups or aggregates.
    pub(super) fn grouped(&mut self, scope: &Scope<'a>, expr: &'a Expr, groups: &Groups, clause: Clause) {
        if groups.keys.contains(&self.key(scope, expr)) {
            return;
        }
        let Expr::Call(call) = expr else { return self.ungrouped(expr) };
        let argument = self.key(scope, &call.argument);
        let wrong = match Function::from_name(&call.function.text) {
            Some(function) if function.is_aggregate() => (clause == Clause::Select && groups.keys.contains(&argument))
                .then(|| format!("Grouped field should not be aggregated: {}", last_name(&call.argument))),
            Some(Function::Grouping) => (!groups.subtotals || !groups.keys.contains(&argument))
                .then(|| "GROUPING() takes a field of ROLLUP or CUBE".to_owned()),
            Some(Function::Format | Function::ConvertCurrency | Function::ToLabel) => {
                return self.grouped(scope, &call.argument, groups, clause);
            }
            // That it is not known has been said.
            None => None,
            Some(_) => return self.ungrouped(expr),
        };
        if let Some(text) = wrong {
            self.malformed(call.span, text);
        }
    }

    fn ungrouped(&mut self, expr: &Expr) {
        self.malformed(expr.span(), format!("Field must be grouped or aggregated: {}", last_name(expr)));
    }
}

/// How messages call a field: without the relationships that lead to it.
fn last_name(expr: &Expr) -> String {
    match expr {
        Expr::Field(path) => path.name.text.clone(),
        other => other.to_string(),
    }
}
