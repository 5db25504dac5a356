//! SQL's conditions, as far as they are about one row.

use super::{
    Fields, FilterError,
    condition::{Condition, Operator, Pattern, Piece},
    token::{Token, TokenKind, tokens},
};
use crate::sync::{
    Stored,
    canon::{parse_number, read_date, read_moment, read_time},
};

/// Parentheses and NOTs may be this deep inside each other.
const MAX_DEPTH: usize = 128;
/// Words that stand for the time of the question, or for who asks.
const HANGING: [&str; 8] = [
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "CURRENT_USER",
    "SESSION_USER",
    "USER",
];
/// Words that are no column, unless they are quoted.
const RESERVED: [&str; 16] = [
    "AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "BETWEEN", "NULL", "SELECT", "FROM", "WHERE", "EXISTS", "CASE",
    "ESCAPE", "INTERVAL",
];

pub(super) fn parse(text: &str, fields: &mut Fields) -> Result<Condition, FilterError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, fields };
    let condition = parser.any()?;
    match parser.peek().kind {
        TokenKind::End => Ok(condition),
        _ => Err(parser.unexpected("AND, OR or the end of the filter")),
    }
}

struct Parser<'a, 'f> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    fields: &'f mut Fields,
}

/// The side of a comparison.
enum Operand {
    Field(usize),
    Value(Stored),
}

type Parsed<T> = Result<T, FilterError>;

impl<'a> Parser<'a, '_> {
    /// The next token; behind the last one it is always the end.
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn wrong<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(FilterError::new(self.peek().offset, message))
    }

    fn unexpected(&self, expected: &str) -> FilterError {
        let found = match &self.peek().kind {
            TokenKind::Word(text) | TokenKind::Number(text) | TokenKind::Sign(text) => format!("found `{text}`"),
            TokenKind::Quoted(name) => format!("found the name `{name}`"),
            TokenKind::Text(_) => "found a text".to_owned(),
            TokenKind::End => "found the end".to_owned(),
        };
        FilterError::new(self.peek().offset, format!("expected {expected}, {found}"))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Sign(found) if found == sign);
        self.at += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Parsed<()> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn any(&mut self) -> Parsed<Condition> {
        let mut any = vec![self.all()?];
        while self.take_word("OR") {
            any.push(self.all()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    fn all(&mut self) -> Parsed<Condition> {
        let mut all = vec![self.one()?];
        while self.take_word("AND") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn one(&mut self) -> Parsed<Condition> {
        if self.depth == MAX_DEPTH {
            return self.wrong("too many parentheses inside each other");
        }
        self.depth += 1;
        let condition = if self.take_word("NOT") {
            Condition::Not(Box::new(self.one()?))
        } else if self.take_sign("(") {
            let condition = self.any()?;
            self.expect_sign(")")?;
            condition
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Parsed<Condition> {
        let start = self.peek().offset;
        let field = match self.operand()? {
            Operand::Field(field) => field,
            Operand::Value(value) => return self.behind_value(start, value),
        };
        if let Some(operator) = self.operator() {
            return Ok(Condition::Compare(field, operator, self.value("a value")?));
        }
        if self.take_word("IS") {
            return self.is(field);
        }
        let negated = self.take_word("NOT");
        let condition = if self.take_word("IN") {
            Condition::In(field, self.list()?)
        } else if self.take_word("BETWEEN") {
            let from = self.value("a value")?;
            if !self.take_word("AND") {
                return Err(self.unexpected("AND"));
            }
            let to = self.value("a value")?;
            Condition::All(vec![
                Condition::Compare(field, Operator::GreaterOrEqual, from),
                Condition::Compare(field, Operator::LessOrEqual, to),
            ])
        } else if self.take_word("LIKE") {
            Condition::Like(field, self.pattern(false)?)
        } else if self.take_word("ILIKE") {
            Condition::Like(field, self.pattern(true)?)
        } else if negated {
            return Err(self.unexpected("IN, BETWEEN or LIKE"));
        } else {
            return self.alone(field);
        };
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    /// A boolean column on its own.
    fn alone(&mut self, field: usize) -> Parsed<Condition> {
        match self.peek().kind {
            TokenKind::Sign("(") => self.wrong("a filter cannot call functions"),
            TokenKind::Sign(")") | TokenKind::End => Ok(is_true(field)),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("AND") || word.eq_ignore_ascii_case("OR") => {
                Ok(is_true(field))
            }
            TokenKind::Sign("::" | "->" | "+" | "-" | "*" | "/" | "%" | "||") => {
                self.wrong("a filter compares columns; it cannot compute")
            }
            _ => Err(self.unexpected("a comparison")),
        }
    }

    /// `5 < amount`, or a condition that is always the same.
    fn behind_value(&mut self, start: usize, value: Stored) -> Parsed<Condition> {
        if let Some(operator) = self.operator() {
            let at = self.peek().offset;
            return match self.operand()? {
                Operand::Field(field) => Ok(Condition::Compare(field, operator.mirrored(), value)),
                Operand::Value(_) => Err(FilterError::new(at, "expected a column, as there is none on the other side")),
            };
        }
        match value {
            Stored::Boolean(true) => Ok(Condition::All(Vec::new())),
            Stored::Boolean(false) => Ok(Condition::Any(Vec::new())),
            _ => Err(FilterError::new(start, "expected a column")),
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        let TokenKind::Sign(sign) = self.peek().kind else { return None };
        let operator = match sign {
            "=" | "==" => Operator::Equal,
            "<>" | "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn is(&mut self, field: usize) -> Parsed<Condition> {
        let negated = self.take_word("NOT");
        let condition = if self.take_word("NULL") {
            Condition::IsNull(field)
        } else if self.is_word("TRUE") || self.is_word("FALSE") {
            let wanted = self.take_word("TRUE");
            self.at += usize::from(!wanted);
            // `IS TRUE` is never unknown.
            let seen = Condition::Not(Box::new(Condition::IsNull(field)));
            Condition::All(vec![seen, Condition::Compare(field, Operator::Equal, Stored::Boolean(wanted))])
        } else {
            return Err(self.unexpected("NULL, TRUE or FALSE"));
        };
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn list(&mut self) -> Parsed<Vec<Stored>> {
        self.expect_sign("(")?;
        if self.is_word("SELECT") || self.is_word("WITH") || self.is_word("VALUES") {
            return self.wrong("a filter cannot look at other rows");
        }
        let mut list = Vec::new();
        loop {
            list.push(if self.take_word("NULL") { Stored::Null } else { self.value("a value")? });
            if !self.take_sign(",") {
                self.expect_sign(")")?;
                return Ok(list);
            }
        }
    }

    fn pattern(&mut self, any_case: bool) -> Parsed<Pattern> {
        let text = self.text("a pattern")?;
        let mut escape = None;
        if self.take_word("ESCAPE") {
            let at = self.peek().offset;
            let escapes = self.text("a character")?;
            let mut letters = escapes.chars();
            escape = letters.next();
            if escape.is_none() || letters.next().is_some() {
                return Err(FilterError::new(at, "ESCAPE takes one character"));
            }
        }
        let mut pieces = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            pieces.push(match letter {
                _ if Some(letter) == escape => Piece::Letter(letters.next().unwrap_or(letter)),
                '%' => Piece::Any,
                '_' => Piece::One,
                _ => Piece::Letter(letter),
            });
        }
        Ok(Pattern::new(pieces, any_case))
    }

    fn text(&mut self, expected: &str) -> Parsed<String> {
        let TokenKind::Text(text) = &self.peek().kind else { return Err(self.unexpected(expected)) };
        let text = text.clone();
        self.at += 1;
        Ok(text)
    }

    fn value(&mut self, expected: &str) -> Parsed<Stored> {
        if self.is_word("NULL") {
            return self.wrong("nothing equals NULL in SQL: write IS NULL or IS NOT NULL");
        }
        let at = self.peek().offset;
        match self.operand()? {
            Operand::Value(value) => match self.peek().kind {
                TokenKind::Sign("::" | "->" | "+" | "-" | "*" | "/" | "%" | "||") => {
                    self.wrong("a filter compares with values; it cannot compute")
                }
                _ => Ok(value),
            },
            Operand::Field(_) => {
                Err(FilterError::new(at, format!("expected {expected}: a filter cannot compare two columns")))
            }
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Text(text) => {
                self.at += 1;
                Ok(Operand::Value(Stored::Text(text)))
            }
            TokenKind::Number(_) | TokenKind::Sign("-" | "+") => self.number().map(Operand::Value),
            TokenKind::Quoted(name) => self.column(&name),
            TokenKind::Word(word) => self.word(word),
            _ => Err(self.unexpected("a column or a value")),
        }
    }

    fn number(&mut self) -> Parsed<Stored> {
        let negative = self.take_sign("-");
        if !negative {
            self.take_sign("+");
        }
        let TokenKind::Number(digits) = self.peek().kind else { return Err(self.unexpected("a number")) };
        let text = if negative { format!("-{digits}") } else { digits.to_owned() };
        let Some(number) = parse_number(&text) else { return self.wrong("the number is too large") };
        self.at += 1;
        Ok(number)
    }

    fn word(&mut self, word: &str) -> Parsed<Operand> {
        let is = |wanted: &&str| word.eq_ignore_ascii_case(wanted);
        if is(&"TRUE") || is(&"FALSE") {
            self.at += 1;
            return Ok(Operand::Value(Stored::Boolean(is(&"TRUE"))));
        }
        if HANGING.iter().any(&is) {
            return self.wrong("a filter cannot hang on when it is asked: a row would leave it without a change");
        }
        if is(&"EXISTS") || is(&"SELECT") {
            return self.wrong("a filter cannot look at other rows");
        }
        if RESERVED.iter().any(&is) {
            return Err(self.unexpected("a column or a value"));
        }
        if let Some(TokenKind::Text(text)) = self.tokens.get(self.at + 1).map(|token| &token.kind) {
            let Some(literal) = typed_literal(word, text) else {
                return self
                    .wrong(format!("`{word}` and this text make no value: DATE, TIME and TIMESTAMP may stand so"));
            };
            self.at += 2;
            return Ok(Operand::Value(literal));
        }
        self.column(word)
    }

    fn column(&mut self, name: &str) -> Parsed<Operand> {
        self.at += 1;
        match self.peek().kind {
            TokenKind::Sign("(") => {
                self.at -= 1;
                self.wrong(format!("a filter cannot call functions: `{name}` would have to be asked of the database"))
            }
            TokenKind::Sign(".") => {
                self.at -= 1;
                self.wrong("a filter names columns of its own table, without the table")
            }
            _ => Ok(Operand::Field(self.fields.place(name))),
        }
    }
}

fn is_true(field: usize) -> Condition {
    Condition::Compare(field, Operator::Equal, Stored::Boolean(true))
}

fn typed_literal(kind: &str, text: &str) -> Option<Stored> {
    let is = |wanted: &str| kind.eq_ignore_ascii_case(wanted);
    if is("DATE") {
        read_date(text).map(Stored::Date)
    } else if is("TIMESTAMP") || is("TIMESTAMPTZ") || is("DATETIME") {
        read_moment(text).map(Stored::DateTime)
    } else if is("TIME") {
        read_time(text).map(Stored::Time)
    } else {
        None
    }
}
