//! The clauses behind the condition: `ORDER BY`, `LIMIT`, `OFFSET`, `USING`, `WITH`, `FOR`, `UPDATE` (soql.md 5, 6).

use super::{
    Checker, Code, Place,
    expr::Clause,
    grouping::{Groups, is_aggregate},
    scope::Scope,
};
use crate::ast::{Purpose, Select, SelectExpr, Selection, Span, Using, With};

/// How far OFFSET reaches.
const MAX_OFFSET: i64 = 2_000;
/// How many fields a query may be ordered by.
const MAX_ORDER: usize = 32;

const SCOPES: [&str; 8] = [
    "everything",
    "mine",
    "team",
    "delegated",
    "mine_and_my_groups",
    "my_territory",
    "my_team_territory",
    "scopingRule",
];

impl<'a> Checker<'a> {
    pub(super) fn order_by(&mut self, scope: &Scope<'a>, select: &'a Select, groups: Option<&Groups>) {
        if let Some(item) = select.order_by.get(MAX_ORDER) {
            self.malformed(item.expr.span(), format!("A query may be ordered by at most {MAX_ORDER} fields"));
        }
        for item in &select.order_by {
            self.operand(scope, &item.expr, Clause::OrderBy);
            match groups {
                Some(groups) => self.grouped(scope, &item.expr, groups, Clause::OrderBy),
                None if is_aggregate(&item.expr) => {
                    self.malformed(item.expr.span(), "Aggregate functions are not allowed here");
                }
                None => {}
            }
        }
    }

    pub(super) fn bounds(&mut self, select: &'a Select, place: Place) {
        let overall = select.group_by.is_none() && self.aggregates(select);
        for (bound, clause) in [(&select.limit, "LIMIT"), (&select.offset, "OFFSET")] {
            let Some(bound) = bound else { continue };
            if overall {
                let text = format!("Non-grouped query that uses overall aggregate functions cannot also use {clause}");
                self.malformed(bound.span, text);
            }
            match self.number(bound) {
                Some(number) if number < 0 => self.malformed(bound.span, "unexpected token: '-'"),
                Some(number) if clause == "OFFSET" && number > MAX_OFFSET => {
                    let text = format!(
                        "Maximum SOQL offset allowed for apiName {} is {MAX_OFFSET}",
                        select.from.path.name.text
                    );
                    self.refuse(Code::NumberOutsideValidRange, bound.span, text);
                }
                _ => {}
            }
        }
        if let (Some(offset), true, false) = (&select.offset, place.level > 1, place.single_parent) {
            let text = "OFFSET in a child query may be refused unless the query around it has LIMIT 1";
            self.warn(Code::MalformedQuery, offset.span, text);
        }
    }

    fn aggregates(&self, select: &Select) -> bool {
        match &select.selection {
            Selection::Count(_) => false,
            Selection::Items(items) => {
                items.iter().any(|item| matches!(&item.expr, SelectExpr::Expr(expr) if is_aggregate(expr)))
            }
        }
    }

    pub(super) fn other_clauses(&mut self, select: &'a Select) {
        if let Some(Using::Scope(name)) = &select.using
            && !SCOPES.iter().any(|scope| name.is(scope))
        {
            let text = format!("USING SCOPE {} is none of: {}", name.text, SCOPES.join(", "));
            self.warn(Code::InvalidQueryScope, name.span, text);
        }
        for with in &select.with {
            self.with(select, with);
        }
        // The tree does not say where these stand; they are the last words of the statement.
        let end = Span { start: select.span.end, end: select.span.end };
        if select.purposes.contains(&Purpose::Update) && (!self.rules.apex || !select.order_by.is_empty()) {
            self.malformed(end, "FOR UPDATE not allowed in this context");
        }
        if select.all_rows && !self.rules.apex {
            self.malformed(end, "ALL ROWS not allowed in this context");
        }
        for name in select.update.iter().filter(|name| !name.is("TRACKING") && !name.is("VIEWSTAT")) {
            self.malformed(name.span, format!("unexpected token: '{}'", name.text));
        }
    }

    fn with(&mut self, select: &'a Select, with: &'a With) {
        let With::Mode(name) = with else { return };
        if !["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"].iter().any(|mode| name.is(mode)) {
            return self.malformed(name.span, format!("unexpected token: '{}'", name.text));
        }
        if !self.rules.apex {
            let text = format!("WITH {} means something in Apex only", name.text);
            self.warn(Code::MalformedQuery, name.span, text);
        }
        let has_else = |select: &Select| match &select.selection {
            Selection::Items(items) => items
                .iter()
                .any(|item| matches!(&item.expr, SelectExpr::TypeOf(typeof_) if !typeof_.otherwise.is_empty())),
            Selection::Count(_) => false,
        };
        if name.is("SECURITY_ENFORCED") && has_else(select) {
            self.malformed(name.span, "TYPEOF with ELSE can not be used WITH SECURITY_ENFORCED");
        }
    }
}
