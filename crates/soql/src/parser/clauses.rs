//! The clauses around the condition.

use super::{Parsed, Parser, condition::Clause};
use crate::{
    ast::{
        Bound, CategoryFilter, CategoryOperator, Condition, Count, Direction, Expr, GroupBy, Name, Nulls, OrderItem,
        Purpose, Using, Value, With,
    },
    token::TokenKind,
};

impl Parser<'_> {
    pub(crate) fn using(&mut self) -> Parsed<Option<Using>> {
        if !self.take_word("USING") {
            return Ok(None);
        }
        if self.take_word("SCOPE") {
            return Ok(Some(Using::Scope(self.plain_name("a scope")?)));
        }
        if !self.take_word("LOOKUP") {
            return Err(self.unexpected("SCOPE"));
        }
        let field = self.path("a lookup field")?;
        Ok(Some(Using::Lookup { field, bindings: Vec::new() }))
    }

    /// What a lookup filter is told: in a query it stands behind `OFFSET`, in a search behind the lookup.
    pub(crate) fn bindings(&mut self, using: &mut Option<Using>) -> Parsed<()> {
        if let Some(Using::Lookup { bindings, .. }) = using
            && self.take_word("BIND")
        {
            *bindings = self.list(|parser| parser.setting(Self::value))?;
        }
        Ok(())
    }

    fn setting(&mut self, value: impl Fn(&mut Self) -> Parsed<Value>) -> Parsed<(Name, Value)> {
        let name = self.name("a name")?;
        self.expect(TokenKind::Equals, "`=`")?;
        Ok((name, value(self)?))
    }

    /// The clauses with `WITH` take fewer kinds of literals than a condition does.
    fn plain_value(&mut self) -> Parsed<Value> {
        let is_plain = match self.kind() {
            TokenKind::String | TokenKind::Integer | TokenKind::Colon => true,
            _ => self.is_word(0, "TRUE") || self.is_word(0, "FALSE"),
        };
        if is_plain { self.value() } else { Err(self.unexpected("a string, a whole number, TRUE or FALSE")) }
    }

    fn text_value(&mut self) -> Parsed<Value> {
        let is_text = matches!(self.kind(), TokenKind::String | TokenKind::Colon);
        if is_text { self.value() } else { Err(self.unexpected("a string")) }
    }

    pub(crate) fn where_clause(&mut self) -> Parsed<Option<Condition>> {
        if self.take_word("WHERE") { self.condition(Clause::Where).map(Some) } else { Ok(None) }
    }

    pub(crate) fn with(&mut self) -> Parsed<Vec<With>> {
        let mut with = Vec::new();
        while self.take_word("WITH") {
            with.push(self.with_filter(with.is_empty())?);
        }
        Ok(with)
    }

    /// Categories and settings stand first or not at all.
    fn with_filter(&mut self, first: bool) -> Parsed<With> {
        if first && self.take_words(&["DATA", "CATEGORY"]) {
            return self.category_filters().map(With::DataCategory);
        }
        let name = self.name("SECURITY_ENFORCED, USER_MODE, SYSTEM_MODE or DATA CATEGORY")?;
        match self.kind() {
            TokenKind::LeftParen => {
                let settings = self.parenthesised(|parser| parser.setting(Self::plain_value))?;
                Ok(With::Context { name, settings })
            }
            TokenKind::Equals if first => {
                self.advance();
                Ok(With::Setting(name, self.text_value()?))
            }
            _ => Ok(With::Mode(name)),
        }
    }

    /// What stands behind `DATA CATEGORY`.
    pub(crate) fn category_filters(&mut self) -> Parsed<Vec<CategoryFilter>> {
        let mut filters = vec![self.category_filter()?];
        while self.take_word("AND") {
            filters.push(self.category_filter()?);
        }
        Ok(filters)
    }

    fn category_filter(&mut self) -> Parsed<CategoryFilter> {
        let group = self.name("a data category group")?;
        let Some(operator) = CategoryOperator::ALL.into_iter().find(|operator| self.take_word(operator.as_str()))
        else {
            return Err(self.unexpected("AT, ABOVE, BELOW or ABOVE_OR_BELOW"));
        };
        let category = |parser: &mut Self| parser.name("a data category");
        let categories =
            if self.kind() == TokenKind::LeftParen { self.parenthesised(category)? } else { vec![category(self)?] };
        Ok(CategoryFilter { group, operator, categories })
    }

    pub(crate) fn group_by(&mut self) -> Parsed<Option<GroupBy>> {
        if !self.take_words(&["GROUP", "BY"]) {
            return Ok(None);
        }
        let expr = |parser: &mut Self| -> Parsed<Expr> { parser.expr("a field to group by") };
        if self.take_word("ROLLUP") {
            return self.parenthesised(expr).map(|exprs| Some(GroupBy::Rollup(exprs)));
        }
        if self.take_word("CUBE") {
            return self.parenthesised(expr).map(|exprs| Some(GroupBy::Cube(exprs)));
        }
        self.list(expr).map(|exprs| Some(GroupBy::Plain(exprs)))
    }

    pub(crate) fn order_by(&mut self) -> Parsed<Vec<OrderItem>> {
        if self.take_words(&["ORDER", "BY"]) { self.list(Self::order_item) } else { Ok(Vec::new()) }
    }

    fn order_item(&mut self) -> Parsed<OrderItem> {
        let expr = self.expr_or_distance("a field to order by")?;
        let direction = if self.take_word("ASC") {
            Some(Direction::Ascending)
        } else if self.take_word("DESC") {
            Some(Direction::Descending)
        } else {
            None
        };
        let nulls = if self.take_word("NULLS") { Some(self.nulls()?) } else { None };
        Ok(OrderItem { expr, direction, nulls })
    }

    fn nulls(&mut self) -> Parsed<Nulls> {
        if self.take_word("FIRST") {
            Ok(Nulls::First)
        } else if self.take_word("LAST") {
            Ok(Nulls::Last)
        } else {
            Err(self.misplaced("FIRST or LAST"))
        }
    }

    pub(crate) fn bound(&mut self, clause: &str) -> Parsed<Option<Bound>> {
        if !self.take_word(clause) {
            return Ok(None);
        }
        let start = self.span().start;
        let count = if self.kind() == TokenKind::Colon {
            Count::Bind(self.bind()?)
        } else {
            Count::Number(self.whole_number(true)?)
        };
        Ok(Some(Bound { count, span: self.since(start) }))
    }

    pub(crate) fn purposes(&mut self) -> Parsed<Vec<Purpose>> {
        if !self.take_word("FOR") {
            return Ok(Vec::new());
        }
        if self.options.apex { self.list(Self::purpose) } else { Ok(vec![self.purpose()?]) }
    }

    fn purpose(&mut self) -> Parsed<Purpose> {
        let choices: &[Purpose] = if self.options.apex {
            &[Purpose::View, Purpose::Reference, Purpose::Update]
        } else {
            &[Purpose::View, Purpose::Reference]
        };
        let found = choices.iter().copied().find(|purpose| self.take_word(purpose.as_str()));
        found.ok_or_else(|| self.unexpected("VIEW or REFERENCE"))
    }

    pub(crate) fn update(&mut self) -> Parsed<Vec<Name>> {
        let name = |parser: &mut Self| parser.plain_name("TRACKING or VIEWSTAT");
        if self.take_word("UPDATE") { self.list(name) } else { Ok(Vec::new()) }
    }
}
