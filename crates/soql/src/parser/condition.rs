//! Conditions. AND and OR do not mix without parentheses, and NOT stands alone or in parentheses (soql.md 3).

use super::{Parsed, Parser};
use crate::{
    ast::{Comparison, Condition, Expr, Includes, Like, Membership, Operator, Set},
    token::TokenKind,
};

/// Which clause a condition belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clause {
    Where,
    /// Takes neither formulas nor queries.
    Having,
}

impl Parser<'_> {
    pub(crate) fn condition(&mut self, clause: Clause) -> Parsed<Condition> {
        if self.take_word("NOT") {
            return Ok(Condition::Not(Box::new(self.operand(clause)?)));
        }
        let first = self.operand(clause)?;
        if self.is_word(0, "AND") {
            self.joined(first, "AND", clause).map(Condition::And)
        } else if self.is_word(0, "OR") {
            self.joined(first, "OR", clause).map(Condition::Or)
        } else {
            Ok(first)
        }
    }

    fn joined(&mut self, first: Condition, word: &str, clause: Clause) -> Parsed<Vec<Condition>> {
        let mut operands = vec![first];
        while self.take_word(word) {
            operands.push(self.operand(clause)?);
        }
        if self.is_word(0, "AND") || self.is_word(0, "OR") {
            return Err(self.unexpected("parentheses where AND and OR are mixed"));
        }
        Ok(operands)
    }

    /// A comparison, or a condition in parentheses.
    fn operand(&mut self, clause: Clause) -> Parsed<Condition> {
        if self.is_word(0, "NOT") {
            return Err(self.unexpected("parentheses around NOT and what follows it"));
        }
        if self.kind() != TokenKind::LeftParen {
            return self.comparison(clause);
        }
        self.deeper(1, |parser| {
            parser.advance();
            let condition = parser.condition(clause)?;
            parser.expect(TokenKind::RightParen, "AND, OR or `)`")?;
            Ok(condition)
        })
    }

    fn comparison(&mut self, clause: Clause) -> Parsed<Condition> {
        let is_distance = self.is_distance();
        let left = self.left(clause)?;
        if let Some(operator) = self.operator() {
            return Ok(Condition::Compare(Comparison { left, operator, value: self.compared_value()? }));
        }
        if is_distance {
            return Err(self.unexpected("`=`, `!=`, `<`, `<=`, `>` or `>=`"));
        }
        if self.take_word("LIKE") {
            return Ok(Condition::Like(Like { left, pattern: self.pattern()? }));
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.take_word(word) {
                return Ok(Condition::Includes(Includes { left, negated, values: self.values()? }));
            }
        }
        let negated = self.take_word("NOT");
        if self.take_word("IN") {
            return Ok(Condition::In(Membership { left, negated, set: self.set(clause)? }));
        }
        Err(self.unexpected(if negated { "IN" } else { "a comparison" }))
    }

    fn left(&mut self, clause: Clause) -> Parsed<Expr> {
        let formula =
            clause == Clause::Where && self.is_word(0, "FORMULA") && self.peek(1).kind == TokenKind::LeftParen;
        if !formula {
            return self.expr_or_distance("a condition");
        }
        let start = self.span().start;
        self.at += 2;
        let text = self.plain_string("a formula in quotes")?;
        self.expect(TokenKind::RightParen, "`)`")?;
        Ok(Expr::Formula { text, span: self.since(start) })
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = match self.kind() {
            TokenKind::Equals => Operator::Equal,
            TokenKind::NotEquals => Operator::NotEqual,
            TokenKind::Less => Operator::Less,
            TokenKind::LessEquals => Operator::LessOrEqual,
            TokenKind::Greater => Operator::Greater,
            TokenKind::GreaterEquals => Operator::GreaterOrEqual,
            _ => return None,
        };
        self.advance();
        Some(operator)
    }

    fn values(&mut self) -> Parsed<Vec<crate::ast::Value>> {
        if self.kind() == TokenKind::Colon { Ok(vec![self.value()?]) } else { self.parenthesised(Self::value) }
    }

    fn set(&mut self, clause: Clause) -> Parsed<Set> {
        if self.kind() == TokenKind::Colon {
            return self.value().map(Set::Bind);
        }
        let is_select = self.kind() == TokenKind::LeftParen
            && clause == Clause::Where
            && self.peek(1).kind == TokenKind::Ident
            && self.is_word(1, "SELECT");
        if !is_select {
            return self.parenthesised(Self::value).map(Set::List);
        }
        self.advance();
        let select = self.sub_select()?;
        self.expect(TokenKind::RightParen, "`)`")?;
        Ok(Set::Select(Box::new(select)))
    }
}
