//! The statement as a whole, and what it selects.

use super::{Parsed, Parser, QUERY_LEVELS};
use crate::{
    ast::{
        Call, Coordinate, Distance, Expr, FieldPath, Name, ObjectRef, Place, Select, SelectExpr, SelectItem, Selection,
        SubSelect, TypeOf, TypeOfBranch,
    },
    error::ErrorKind,
    token::TokenKind,
};

impl Parser<'_> {
    pub(crate) fn select(&mut self) -> Parsed<Select> {
        self.deeper(QUERY_LEVELS, |parser| {
            let start = parser.span().start;
            parser.expect_word("SELECT")?;
            let selection = parser.selection()?;
            parser.expect_word("FROM")?;
            let mut select = Select {
                selection,
                from: parser.object()?,
                aliases: parser.further_aliases()?,
                using: parser.using()?,
                condition: parser.where_clause()?,
                with: parser.with()?,
                group_by: parser.group_by()?,
                having: None,
                order_by: Vec::new(),
                limit: None,
                offset: None,
                purposes: Vec::new(),
                update: Vec::new(),
                all_rows: false,
                span: Default::default(),
            };
            if select.group_by.is_some() && parser.take_word("HAVING") {
                select.having = Some(parser.condition(super::condition::Clause::Having)?);
            }
            select.order_by = parser.order_by()?;
            select.limit = parser.bound("LIMIT")?;
            select.offset = parser.bound("OFFSET")?;
            parser.bindings(&mut select.using)?;
            select.purposes = parser.purposes()?;
            select.update = parser.update()?;
            select.all_rows = parser.options.apex && parser.take_words(&["ALL", "ROWS"]);
            select.span = parser.since(start);
            Ok(select)
        })
    }

    /// The query of a semi-join.
    pub(crate) fn sub_select(&mut self) -> Parsed<SubSelect> {
        self.deeper(QUERY_LEVELS, |parser| {
            let start = parser.span().start;
            parser.expect_word("SELECT")?;
            let items = parser.list(|parser| parser.expr("a field"))?;
            parser.expect_word("FROM")?;
            let mut select = SubSelect {
                items,
                from: parser.object()?,
                aliases: parser.further_aliases()?,
                using: parser.using()?,
                condition: parser.where_clause()?,
                with: parser.with()?,
                span: Default::default(),
            };
            select.span = parser.since(start);
            if ["GROUP", "ORDER", "LIMIT", "OFFSET", "HAVING"].iter().any(|word| parser.is_word(0, word)) {
                return Err(parser.misplaced("`)` (the query of a semi-join takes only FROM and WHERE)"));
            }
            Ok(select)
        })
    }

    fn selection(&mut self) -> Parsed<Selection> {
        if self.is_count() {
            let start = self.span().start;
            self.at += 3;
            return Ok(Selection::Count(self.since(start)));
        }
        self.list(Self::item).map(Selection::Items)
    }

    fn is_count(&self) -> bool {
        self.is_word(0, "COUNT")
            && self.peek(1).kind == TokenKind::LeftParen
            && self.peek(2).kind == TokenKind::RightParen
    }

    fn item(&mut self) -> Parsed<SelectItem> {
        let expr = self.select_expr()?;
        let alias = if self.is_name(0) { Some(self.name("an alias")?) } else { None };
        Ok(SelectItem { expr, alias })
    }

    pub(crate) fn select_expr(&mut self) -> Parsed<SelectExpr> {
        if self.is_count() {
            return Err(self.unexpected("a field (COUNT() stands alone)"));
        }
        if self.take(TokenKind::LeftParen) {
            let select = self.select()?;
            self.expect(TokenKind::RightParen, "`)`")?;
            return Ok(SelectExpr::Children(Box::new(select)));
        }
        if self.is_word(0, "TYPEOF") && self.is_name(1) {
            return self.type_of().map(SelectExpr::TypeOf);
        }
        if self.is_word(0, "FIELDS") && self.peek(1).kind == TokenKind::LeftParen {
            let start = self.span().start;
            self.at += 2;
            let group = self.path("ALL, CUSTOM or STANDARD")?;
            self.expect(TokenKind::RightParen, "`)`")?;
            return Ok(SelectExpr::Fields { group, span: self.since(start) });
        }
        self.expr_or_distance("a field").map(SelectExpr::Expr)
    }

    fn type_of(&mut self) -> Parsed<TypeOf> {
        let start = self.span().start;
        self.expect_word("TYPEOF")?;
        let relationship = self.path("a relationship")?;
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let object = self.name("an object")?;
            self.expect_word("THEN")?;
            branches.push(TypeOfBranch { object, fields: self.typeof_fields()? });
        }
        if branches.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise = if self.take_word("ELSE") { self.typeof_fields()? } else { Vec::new() };
        if !self.take_word("END") {
            return Err(self.error(self.span().start, ErrorKind::MissingEnd { found: self.found() }));
        }
        Ok(TypeOf { relationship, branches, otherwise, span: self.since(start) })
    }

    fn typeof_fields(&mut self) -> Parsed<Vec<FieldPath>> {
        self.list(|parser| parser.path("a field"))
    }

    /// With one field in the parentheses it is a function like any other.
    pub(crate) fn is_distance(&self) -> bool {
        if !self.is_word(0, "DISTANCE") || self.peek(1).kind != TokenKind::LeftParen {
            return false;
        }
        let is_path = |ahead: &usize| matches!(self.peek(*ahead).kind, TokenKind::Ident | TokenKind::Dot);
        let end = (2..).find(|ahead| !is_path(ahead));
        end.is_some_and(|end| self.peek(end).kind == TokenKind::Comma)
    }

    /// A distance stands where nothing is around it: not in functions, groups and semi-joins.
    pub(crate) fn expr_or_distance(&mut self, expected: &'static str) -> Parsed<Expr> {
        if self.is_distance() { self.distance() } else { self.expr(expected) }
    }

    /// A field or a function.
    pub(crate) fn expr(&mut self, expected: &'static str) -> Parsed<Expr> {
        if self.peek(1).kind != TokenKind::LeftParen {
            return self.path(expected).map(Expr::Field);
        }
        let function = self.name(expected)?;
        self.call(function)
    }

    fn call(&mut self, function: Name) -> Parsed<Expr> {
        let start = function.span.start;
        self.expect(TokenKind::LeftParen, "`(`")?;
        let argument = self.deeper(1, |parser| parser.expr("a field"))?;
        self.expect(TokenKind::RightParen, "`)`")?;
        Ok(Expr::Call(Call { function, argument: Box::new(argument), span: self.since(start) }))
    }

    fn distance(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        self.at += 2;
        let field = self.path("a location field")?;
        self.expect(TokenKind::Comma, "`,`")?;
        let place = self.place()?;
        self.expect(TokenKind::Comma, "`,`")?;
        let unit = self.unit()?;
        self.expect(TokenKind::RightParen, "`)`")?;
        Ok(Expr::Distance(Box::new(Distance { field, place, unit, span: self.since(start) })))
    }

    /// Its escapes are not looked at: no unit has any.
    fn unit(&mut self) -> Parsed<String> {
        let text = self.text(self.peek(0));
        let at = self.at;
        self.plain_string("'mi' or 'km'").or_else(|error| match error.kind {
            ErrorKind::InvalidEscape { .. } => {
                self.at = at + 1;
                Ok(text[1..text.len() - 1].to_owned())
            }
            _ => Err(error),
        })
    }

    fn place(&mut self) -> Parsed<Place> {
        if self.kind() == TokenKind::Colon {
            return self.bind().map(Place::Bind);
        }
        if !(self.is_word(0, "GEOLOCATION") && self.peek(1).kind == TokenKind::LeftParen) {
            return self.path("GEOLOCATION(latitude, longitude) or a location field").map(Place::Field);
        }
        self.at += 2;
        let latitude = self.coordinate()?;
        self.expect(TokenKind::Comma, "`,`")?;
        let longitude = self.coordinate()?;
        self.expect(TokenKind::RightParen, "`)`")?;
        Ok(Place::Point(latitude, longitude))
    }

    fn coordinate(&mut self) -> Parsed<Coordinate> {
        if self.kind() == TokenKind::Colon {
            return self.bind().map(Coordinate::Bind);
        }
        self.number().map(Coordinate::Number)
    }

    fn object(&mut self) -> Parsed<ObjectRef> {
        let path = self.path("an object")?;
        if self.take_word("AS") {
            return Ok(ObjectRef { path, alias: Some(self.name("an alias")?) });
        }
        let alias = if self.is_alias() { Some(self.name("an alias")?) } else { None };
        Ok(ObjectRef { path, alias })
    }

    /// Some clauses begin with words that may also be aliases.
    pub(crate) fn is_alias(&self) -> bool {
        let clause = match self.peek(1).kind {
            TokenKind::Integer | TokenKind::Plus | TokenKind::Minus | TokenKind::Colon => self.is_word(0, "OFFSET"),
            _ if self.is_word(1, "BY") => self.is_word(0, "GROUP") || self.is_word(0, "ORDER"),
            _ => self.options.apex && self.is_word(0, "ALL") && self.is_word(1, "ROWS"),
        };
        self.is_name(0) && !clause
    }

    fn further_aliases(&mut self) -> Parsed<Vec<ObjectRef>> {
        if self.take(TokenKind::Comma) { self.list(Self::object) } else { Ok(Vec::new()) }
    }
}
