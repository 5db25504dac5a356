//! What is selected: fields once each, aliases, `FIELDS()`, child queries (soql.md 2).

use std::collections::HashSet;

use super::{
    Checker, Code, FIELDS_FUNCTION, MAX_CHILD_SETS, NESTED_CHILDREN, Place,
    expr::Clause,
    finding::REFERENCE,
    function::Function,
    grouping::{Groups, is_aggregate},
    scope::Scope,
};
use crate::ast::{
    Comparison, Condition, Count, Expr, FieldPath, Membership, Operator, Select, SelectExpr, SelectItem, Selection,
    Set, Span,
};

/// How many rows a query with `FIELDS(ALL)` may ask for.
const MAX_FIELDS_ROWS: usize = 200;

/// What has been selected so far, in lower case.
#[derive(Default)]
struct Seen {
    fields: HashSet<String>,
    children: HashSet<String>,
    /// The keys of the rows of a query that groups.
    columns: HashSet<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn selection(&mut self, scope: &Scope<'a>, select: &'a Select, groups: Option<&Groups>, place: Place) {
        let items = match &select.selection {
            Selection::Count(span) => return self.count(select, *span, place),
            Selection::Items(items) => items,
        };
        if place.level > 1 && groups.is_some() {
            return self.malformed(select.span, "only root queries support aggregate expressions");
        }
        let mut seen = Seen::default();
        for item in items {
            self.alias(item, groups);
            self.column(item, groups, &mut seen);
            match &item.expr {
                SelectExpr::Expr(expr) => self.selected(scope, item, expr, groups, &mut seen),
                SelectExpr::Fields { group, span } => self.fields(scope, select, group, *span, groups, &mut seen),
                SelectExpr::TypeOf(typeof_) => {
                    self.only_plain(typeof_.span, groups);
                    self.type_of(scope, typeof_);
                }
                SelectExpr::Children(children) => {
                    self.only_plain(children.span, groups);
                    self.children(scope, select, children, &mut seen, place);
                }
            }
        }
    }

    fn count(&mut self, select: &Select, span: Span, place: Place) {
        if place.level > 1 {
            self.malformed(span, "only root queries support aggregate expressions");
        }
        if select.group_by.is_some() {
            self.malformed(span, "COUNT() and GROUP BY may not be used together");
        }
        if !select.order_by.is_empty() {
            self.malformed(span, "COUNT() and ORDER BY may not be used together");
        }
    }

    fn alias(&mut self, item: &SelectItem, groups: Option<&Groups>) {
        let Some(alias) = &item.alias else { return };
        let allowed = match &item.expr {
            SelectExpr::Expr(Expr::Field(_)) => groups.is_some(),
            SelectExpr::Expr(_) => true,
            _ => false,
        };
        if !allowed {
            self.malformed(alias.span, "only aggregate expressions use field aliasing");
        }
    }

    /// Two columns of a row may not have the same name.
    fn column(&mut self, item: &SelectItem, groups: Option<&Groups>, seen: &mut Seen) {
        let (name, span) = match (&item.alias, &item.expr) {
            (Some(alias), _) => (alias, alias.span),
            (None, SelectExpr::Expr(Expr::Field(path))) if groups.is_some() => (&path.name, path.span()),
            _ => return,
        };
        if !seen.columns.insert(name.text.to_ascii_lowercase()) {
            self.malformed(span, format!("duplicate alias: {}", name.text));
        }
    }

    fn selected(
        &mut self,
        scope: &Scope<'a>,
        item: &SelectItem,
        expr: &'a Expr,
        groups: Option<&Groups>,
        seen: &mut Seen,
    ) {
        let operand = self.operand(scope, expr, Clause::Select);
        if let Some(groups) = groups {
            return self.grouped(scope, expr, groups, Clause::Select);
        }
        match shown_as(expr) {
            Some(_) if item.alias.is_some() => {}
            Some(path) => {
                let key = self.path_key(scope, path);
                self.once(key, &operand.name, expr.span(), seen);
            }
            None if matches!(expr, Expr::Call(call) if Function::from_name(&call.function.text).is_some_and(Function::is_date)) =>
            {
                self.malformed(expr.span(), format!("{expr} may only be selected when it is grouped by"));
            }
            None if matches!(expr, Expr::Call(call) if call.function.is("GROUPING")) => {
                self.malformed(expr.span(), "GROUPING() takes a field of ROLLUP or CUBE");
            }
            None => {}
        }
    }

    fn once(&mut self, key: String, name: &str, span: Span, seen: &mut Seen) {
        if !seen.fields.insert(key) {
            self.refuse(Code::InvalidField, span, format!("duplicate field selected: {name}"));
        }
    }

    fn only_plain(&mut self, span: Span, groups: Option<&Groups>) {
        if groups.is_some() {
            let text = "Only fields and functions may be selected in a query that groups or aggregates";
            self.malformed(span, text);
        }
    }

    fn fields(
        &mut self,
        scope: &Scope<'a>,
        select: &'a Select,
        group: &FieldPath,
        span: Span,
        groups: Option<&Groups>,
        seen: &mut Seen,
    ) {
        if self.rules.api_version < FIELDS_FUNCTION {
            let text = "The SOQL FIELDS function is not supported in this version of the API";
            self.refuse(Code::UnsupportedApiVersion, span, text);
        }
        if groups.is_some() {
            self.malformed(span, format!("Field must be grouped or aggregated: FIELDS({group})"));
        }
        let is = |word: &str| group.parents.is_empty() && group.name.is(word);
        if !is("STANDARD") && !is("ALL") && !is("CUSTOM") {
            return self.malformed(span, "The SOQL FIELDS function takes ALL, CUSTOM or STANDARD");
        }
        if !is("STANDARD") && self.rules.apex {
            let text = "The SOQL FIELDS function is not supported with an unbounded set of fields in this API";
            self.malformed(span, text);
        } else if !is("STANDARD") && !is_bounded(select) {
            self.malformed(span, "The SOQL FIELDS function must have a LIMIT of at most 200");
        }
        let Some((schema, object)) = self.schema.zip(scope.object_name()) else { return };
        for field in schema.fields(object) {
            if is("ALL") || field.custom == is("CUSTOM") {
                self.once(field.name.to_ascii_lowercase(), field.name, span, seen);
            }
        }
    }

    fn children(&mut self, scope: &Scope<'a>, around: &'a Select, select: &'a Select, seen: &mut Seen, place: Place) {
        self.child_sets += 1;
        if self.child_sets == MAX_CHILD_SETS + 1 {
            self.malformed(select.span, format!("A query may have at most {MAX_CHILD_SETS} child sub-selects"));
        }
        let (most, words) = if self.rules.api_version < NESTED_CHILDREN { (2, "two") } else { (5, "five") };
        if place.level == most {
            let text = format!("Implementation restriction: sub-selects can only be {words} levels deep");
            self.malformed(select.span, text);
        }
        let name = &select.from.path.name;
        if !seen.children.insert(name.text.to_ascii_lowercase()) {
            self.malformed(name.span, "Cannot follow the same aggregate relationship twice");
        }
        let prefix = &select.from.path.parents;
        let belongs = prefix.is_empty() || matches!(prefix.as_slice(), [outer] if scope.is_called(outer));
        let known = self.schema.zip(scope.object_name());
        let child = known.filter(|_| belongs).and_then(|(schema, parent)| schema.child(parent, &name.text));
        let object = self.schema.zip(child).and_then(|(schema, child)| schema.object(child));
        if !belongs || (known.is_some() && child.is_none()) {
            let text = format!(
                "Didn't understand relationship '{}' in FROM part of query call. If you are attempting to use a custom \
                 relationship, be sure to append the '__r' after the custom relationship name. {REFERENCE}",
                name.text
            );
            self.refuse(Code::InvalidType, select.from.path.span(), text);
        }
        let single_parent = matches!(&around.limit, Some(limit) if limit.count == Count::Number(1));
        self.select(select, Scope::new(object, &select.from), Place { level: place.level + 1, single_parent });
    }
}

/// The field under whose name a selected expression appears, where it has no alias.
fn shown_as(expr: &Expr) -> Option<&FieldPath> {
    match expr {
        Expr::Field(path) => Some(path),
        Expr::Call(call) if is_aggregate(expr) || call.function.is("GROUPING") => None,
        Expr::Call(call) => match Function::from_name(&call.function.text)? {
            Function::ToLabel | Function::Format | Function::ConvertCurrency => shown_as(&call.argument),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a query asks for so few rows that it may ask for all of their fields.
fn is_bounded(select: &Select) -> bool {
    let limited = match &select.limit {
        Some(limit) => match limit.count {
            Count::Number(number) => usize::try_from(number).is_ok_and(|number| number <= MAX_FIELDS_ROWS),
            Count::Bind(_) => true,
        },
        None => false,
    };
    limited || select.condition.as_ref().is_some_and(names_rows)
}

/// Whether a condition names the Ids of at most two hundred rows.
fn names_rows(condition: &Condition) -> bool {
    let is_id = |expr: &Expr| matches!(expr, Expr::Field(path) if path.parents.is_empty() && path.name.is("Id"));
    match condition {
        Condition::And(operands) => operands.iter().any(names_rows),
        Condition::Compare(Comparison { left, operator: Operator::Equal, .. }) => is_id(left),
        Condition::In(Membership { left, negated: false, set: Set::List(values) }) => {
            is_id(left) && values.len() <= MAX_FIELDS_ROWS
        }
        _ => false,
    }
}
