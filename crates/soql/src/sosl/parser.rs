//! Text to tree.

use super::{FieldGroup, Narrowing, Returning, Search, SearchWith, Term};
use crate::{
    ErrorKind, Options, ParseError,
    ast::{SelectItem, Span, Using, Value},
    parser::{Parsed, Parser},
    token::TokenKind,
};

/// Reads a search. The term stands in braces; with [`Options::apex`] in single quotes, or it is a bind variable.
pub fn parse(source: &str, options: Options) -> Result<Search, ParseError> {
    let mut parser = Parser::new(source, options)?;
    let search = parser.search()?;
    parser.end_of_statement(Parser::after_search)?;
    Ok(search)
}

/// A filter of `WITH` that has a value.
type Setting = fn(Value) -> SearchWith;

impl Parser<'_> {
    fn search(&mut self) -> Parsed<Search> {
        let start = self.span().start;
        self.expect_word("FIND")?;
        let term = self.term()?;
        let mut advanced = self.advanced()?;
        let group = if self.take_word("IN") { Some(self.field_group()?) } else { None };
        advanced |= self.advanced()?;
        let returning = if self.take_word("RETURNING") { self.list(Self::returning)? } else { Vec::new() };
        let mut search = Search {
            term,
            group,
            advanced,
            returning,
            with: self.search_withs()?,
            limit: self.bound("LIMIT")?,
            update: self.update()?,
            span: Span::default(),
        };
        search.span = self.since(start);
        Ok(search)
    }

    fn term(&mut self) -> Parsed<Term> {
        let start = self.span().start;
        if self.options.apex {
            if self.kind() == TokenKind::Colon {
                return self.bind().map(Term::Bind);
            }
            let text = self.plain_string("a search term in quotes")?;
            return Ok(Term::Quoted { text, span: self.since(start) });
        }
        // Inside the braces nothing is SOQL, so the tokens found there mean nothing.
        if self.text(self.peek(0)) != "{" {
            let found = self.text(self.peek(0)).chars().take(40).collect();
            return Err(self.error(start, ErrorKind::NoSearchTerm { found }));
        }
        let inner = &self.source()[start + 1..];
        let Some(length) = closing_brace(inner) else {
            let kind = ErrorKind::Unexpected { expected: "`}` behind the search term", found: String::new() };
            return Err(self.error(self.source().len(), kind));
        };
        let end = start + length + 2;
        self.go_on_from(end);
        Ok(Term::Braces { text: inner[..length].to_owned(), span: Span { start, end } })
    }

    fn advanced(&mut self) -> Parsed<bool> {
        if !self.take_word("USING") {
            return Ok(false);
        }
        if self.take_words(&["ADVANCED", "SEARCH"]) { Ok(true) } else { Err(self.unexpected("ADVANCED SEARCH")) }
    }

    fn field_group(&mut self) -> Parsed<FieldGroup> {
        let Some(group) = FieldGroup::ALL.into_iter().find(|group| self.take_word(group.as_str())) else {
            return Err(self.unexpected("ALL, NAME, EMAIL, PHONE or SIDEBAR"));
        };
        self.expect_word("FIELDS")?;
        Ok(group)
    }

    fn returning(&mut self) -> Parsed<Returning> {
        let start = self.span().start;
        let mut returning = Returning {
            object: self.name("an object")?,
            items: Vec::new(),
            using: None,
            condition: None,
            order_by: Vec::new(),
            limit: None,
            offset: None,
            span: Span::default(),
        };
        if self.take(TokenKind::LeftParen) {
            returning.items = self.list(Self::returned)?;
            returning.using = self.narrowing()?;
            returning.condition = self.where_clause()?;
            returning.order_by = self.order_by()?;
            returning.limit = self.bound("LIMIT")?;
            returning.offset = self.bound("OFFSET")?;
            self.expect(
                TokenKind::RightParen,
                "`,`, `)` or one of USING, WHERE, ORDER BY, LIMIT, OFFSET in this order",
            )?;
        }
        returning.span = self.since(start);
        Ok(returning)
    }

    fn returned(&mut self) -> Parsed<SelectItem> {
        if self.kind() == TokenKind::LeftParen {
            return Err(self.unexpected("a field (a search has no child queries)"));
        }
        let expr = self.select_expr()?;
        let alias = if self.is_alias() { Some(self.name("an alias")?) } else { None };
        Ok(SelectItem { expr, alias })
    }

    fn narrowing(&mut self) -> Parsed<Option<Narrowing>> {
        if self.take_words(&["USING", "LISTVIEW"]) {
            self.expect(TokenKind::Equals, "`=`")?;
            return self.name("a list view").map(|view| Some(Narrowing::ListView(view)));
        }
        let start = self.span().start;
        let mut using = self.using()?;
        self.bindings(&mut using)?;
        match using {
            None => Ok(None),
            Some(Using::Lookup { field, bindings }) => Ok(Some(Narrowing::Lookup { field, bindings })),
            Some(Using::Scope(scope)) => {
                let kind = ErrorKind::Unexpected { expected: "USING ListView or USING LOOKUP", found: scope.text };
                Err(self.error(start, kind))
            }
        }
    }

    fn search_withs(&mut self) -> Parsed<Vec<SearchWith>> {
        let mut with = Vec::new();
        while self.take_word("WITH") {
            with.push(self.search_with()?);
        }
        Ok(with)
    }

    fn search_with(&mut self) -> Parsed<SearchWith> {
        if self.take_words(&["DATA", "CATEGORY"]) {
            return self.category_filters().map(SearchWith::DataCategory);
        }
        let settings: [(&str, Setting); 4] = [
            ("DIVISION", SearchWith::Division),
            ("METADATA", SearchWith::Metadata),
            ("PRICEBOOKID", SearchWith::Pricebook),
            ("SPELL_CORRECTION", SearchWith::SpellCorrection),
        ];
        for (word, with) in settings {
            if self.take_word(word) {
                self.expect(TokenKind::Equals, "`=`")?;
                return self.value().map(with);
            }
        }
        for (word, with) in [
            ("HIGHLIGHT", SearchWith::Highlight),
            ("USER_MODE", SearchWith::UserMode),
            ("SYSTEM_MODE", SearchWith::SystemMode),
        ] {
            if self.take_word(word) {
                return Ok(with);
            }
        }
        if self.take_word("SNIPPET") {
            return self.snippet();
        }
        if self.take_word("NETWORK") {
            return self.network();
        }
        Err(self.unexpected(
            "DATA CATEGORY, DIVISION, HIGHLIGHT, METADATA, NETWORK, PricebookId, SNIPPET, SPELL_CORRECTION, USER_MODE \
             or SYSTEM_MODE",
        ))
    }

    fn snippet(&mut self) -> Parsed<SearchWith> {
        if !self.take(TokenKind::LeftParen) {
            return Ok(SearchWith::Snippet(None));
        }
        self.expect_word("target_length")?;
        self.expect(TokenKind::Equals, "`=`")?;
        let length = self.whole_number(false)?;
        self.expect(TokenKind::RightParen, "`)`")?;
        Ok(SearchWith::Snippet(Some(length)))
    }

    fn network(&mut self) -> Parsed<SearchWith> {
        if self.take_word("IN") {
            return self.parenthesised(Self::value).map(SearchWith::Networks);
        }
        self.expect(TokenKind::Equals, "`=` or IN")?;
        self.value().map(SearchWith::Network)
    }

    fn after_search(&self) -> &'static str {
        let clauses = ["IN", "USING", "RETURNING", "WITH", "LIMIT", "UPDATE"];
        if clauses.iter().any(|word| self.is_word(0, word)) {
            "the end of the search (the order of clauses is IN, USING, RETURNING, WITH, LIMIT, UPDATE)"
        } else {
            "the end of the search"
        }
    }
}

/// Where the brace stands that closes a term; one behind a backslash does not.
fn closing_brace(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'}' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
