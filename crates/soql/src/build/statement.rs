//! The statement as a whole.

use super::{BuildError, Filter, Order, filter::read, proven};
use crate::ast::{
    Bound, Count, Expr, GroupBy, ObjectRef, Select, SelectExpr, SelectItem, Selection, Span, SubSelect, Using,
};

/// Selects fields and functions, each perhaps with an alias behind it: `select(["Id", "MAX(Amount) most"])`.
pub fn select<'a>(items: impl IntoIterator<Item = &'a str>) -> Draft {
    let item = |text: &'a str| {
        read(text, |parser| {
            let expr = SelectExpr::Expr(parser.expr("a field")?);
            let alias = if parser.is_name(0) { Some(parser.name("an alias")?) } else { None };
            Ok(SelectItem { expr, alias })
        })
    };
    Draft(items.into_iter().map(item).collect::<Result<_, _>>().map(Selection::Items))
}

/// `SELECT COUNT()`
pub fn count() -> Draft {
    Draft(Ok(Selection::Count(Span::default())))
}

/// What is selected, before it is said from what.
#[derive(Debug, Clone)]
pub struct Draft(Result<Selection, BuildError>);

impl Draft {
    /// Selects the children behind a relationship, too.
    #[must_use]
    pub fn children(self, children: Statement) -> Self {
        Self(self.0.and_then(|selection| {
            let Selection::Items(mut items) = selection else { return Err(BuildError::NothingSelected) };
            let expr = SelectExpr::Children(Box::new(children.checked()?));
            items.push(SelectItem { expr, alias: None });
            Ok(Selection::Items(items))
        }))
    }

    /// From this object; in a child query, from this relationship.
    pub fn from(self, object: &str) -> Statement {
        Statement(self.0.and_then(|selection| {
            let from = read(object, |parser| {
                let path = parser.path("an object")?;
                let alias = if parser.is_name(0) { Some(parser.name("an alias")?) } else { None };
                Ok(ObjectRef { path, alias })
            })?;
            Ok(Box::new(Select {
                selection,
                from,
                aliases: Vec::new(),
                using: None,
                condition: None,
                with: Vec::new(),
                group_by: None,
                having: None,
                order_by: Vec::new(),
                limit: None,
                offset: None,
                purposes: Vec::new(),
                update: Vec::new(),
                all_rows: false,
                span: Span::default(),
            }))
        }))
    }
}

/// A statement in the making. What goes wrong on the way is said at its end.
#[derive(Debug, Clone)]
pub struct Statement(Result<Box<Select>, BuildError>);

impl Statement {
    fn with(self, change: impl FnOnce(&mut Select) -> Result<(), BuildError>) -> Self {
        Self(self.0.and_then(|mut select| change(&mut select).map(|()| select)))
    }

    /// `WHERE`; with those given before, all of them.
    #[must_use]
    pub fn filter(self, filter: Filter) -> Self {
        self.with(|select| {
            let before = select.condition.take().map(Filter::of);
            select.condition = Some(Filter::all(before.into_iter().chain([filter])).condition?);
            Ok(())
        })
    }

    /// `USING SCOPE`
    #[must_use]
    pub fn scope(self, scope: &str) -> Self {
        self.with(|select| {
            select.using = Some(Using::Scope(read(scope, |parser| parser.name("a scope"))?));
            Ok(())
        })
    }

    /// `GROUP BY` fields and date functions.
    #[must_use]
    pub fn group_by<'a>(self, exprs: impl IntoIterator<Item = &'a str>) -> Self {
        self.grouped(exprs.into_iter().collect(), GroupBy::Plain)
    }

    /// `GROUP BY ROLLUP`
    #[must_use]
    pub fn rollup<'a>(self, exprs: impl IntoIterator<Item = &'a str>) -> Self {
        self.grouped(exprs.into_iter().collect(), GroupBy::Rollup)
    }

    /// `GROUP BY CUBE`
    #[must_use]
    pub fn cube<'a>(self, exprs: impl IntoIterator<Item = &'a str>) -> Self {
        self.grouped(exprs.into_iter().collect(), GroupBy::Cube)
    }

    fn grouped(self, exprs: Vec<&str>, group: fn(Vec<Expr>) -> GroupBy) -> Self {
        self.with(|select| {
            let read = |text: &&str| read(text, |parser| parser.expr("a field to group by"));
            let exprs: Vec<_> = exprs.iter().map(read).collect::<Result<_, _>>()?;
            select.group_by = if exprs.is_empty() { return Err(BuildError::EmptyList) } else { Some(group(exprs)) };
            Ok(())
        })
    }

    /// `HAVING`
    #[must_use]
    pub fn having(self, filter: Filter) -> Self {
        self.with(|select| {
            select.having = Some(filter.condition?);
            Ok(())
        })
    }

    /// `ORDER BY`; behind those given before.
    #[must_use]
    pub fn order_by(self, order: Order) -> Self {
        self.with(|select| {
            select.order_by.push(order.0?);
            Ok(())
        })
    }

    /// `LIMIT`
    #[must_use]
    pub fn limit(self, rows: u32) -> Self {
        self.with(|select| {
            select.limit = Some(bound(rows));
            Ok(())
        })
    }

    /// `OFFSET`
    #[must_use]
    pub fn offset(self, rows: u32) -> Self {
        self.with(|select| {
            select.offset = Some(bound(rows));
            Ok(())
        })
    }

    /// The statement, or the first thing that went wrong.
    pub fn build(self) -> Result<Select, BuildError> {
        proven(self.checked()?)
    }

    /// The tree, where it selects anything.
    fn checked(self) -> Result<Select, BuildError> {
        let select = self.0?;
        match &select.selection {
            Selection::Items(items) if items.is_empty() => Err(BuildError::NothingSelected),
            _ => Ok(*select),
        }
    }

    /// As the query of a semi-join, which takes FROM, USING and WHERE only.
    pub(super) fn sub_select(self) -> Result<SubSelect, BuildError> {
        // Proven alone, so that what a semi-join has no room for is not lost without a word.
        let select = self.build()?;
        let Selection::Items(items) = select.selection else { return Err(BuildError::NothingSelected) };
        let more = select.group_by.is_some()
            || !select.order_by.is_empty()
            || select.limit.is_some()
            || select.offset.is_some();
        let exprs = items.into_iter().map(|item| match item {
            SelectItem { expr: SelectExpr::Expr(expr), alias: None } => Some(expr),
            _ => None,
        });
        let Some(items) = exprs.collect::<Option<Vec<_>>>().filter(|_| !more) else {
            return Err(BuildError::Misbound {
                name: select.from.to_string(),
                expected: "fields and a condition only, where it is the query of a semi-join",
            });
        };
        Ok(SubSelect {
            items,
            from: select.from,
            aliases: select.aliases,
            using: select.using,
            condition: select.condition,
            with: select.with,
            span: Span::default(),
        })
    }
}

fn bound(rows: u32) -> Bound {
    Bound { count: Count::Number(rows.into()), span: Span::default() }
}
