//! Why a query is refused, and where in its text: Salesforce's codes and words (soql.md 8).

use tombolo_schema::ErrorCode;
use tombolo_soql::{ParseError, ast::Span, excerpt};

use crate::core::record::Fault;

/// A query that the org does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    code: ErrorCode,
    text: String,
    /// The place that the caret points at; none for what concerns the query as a whole.
    offset: Option<usize>,
}

pub(super) type Asked<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn at(span: Span, code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), offset: Some(span.start) }
    }

    pub(super) fn of_query(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), offset: None }
    }

    pub(super) fn malformed(span: Span, text: impl Into<String>) -> Self {
        Self::at(span, ErrorCode::MalformedQuery, text)
    }

    pub(super) fn invalid_field(span: Span, text: impl Into<String>) -> Self {
        Self::at(span, ErrorCode::InvalidField, text)
    }

    pub(super) fn no_column(span: Span, field: &str, object: &str) -> Self {
        Self::invalid_field(
            span,
            format!(
                "No such column '{field}' on entity '{object}'. If you are attempting to use a custom field, be sure to \
                 append the '__c' after the custom field name. {REFERENCE}"
            ),
        )
    }

    pub(super) fn no_parent(span: Span, relationship: &str) -> Self {
        Self::invalid_field(
            span,
            format!(
                "Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom \
                 relationship, be sure to append the '__r' after the custom relationship name. {REFERENCE}"
            ),
        )
    }

    pub(super) fn no_children(span: Span, relationship: &str) -> Self {
        Self::at(
            span,
            ErrorCode::InvalidType,
            format!(
                "Didn't understand relationship '{relationship}' in FROM part of query call. If you are attempting to \
                 use a custom relationship, be sure to append the '__r' after the custom relationship name. {REFERENCE}"
            ),
        )
    }

    pub(super) fn no_object(span: Span, object: &str) -> Self {
        Self::at(
            span,
            ErrorCode::InvalidType,
            format!(
                "sObject type '{object}' is not supported. If you are attempting to use a custom object, be sure to \
                 append the '__c' after the entity name. {REFERENCE}"
            ),
        )
    }

    /// What Salesforce answers and this org does not yet.
    pub(super) fn unsupported(span: Span, what: &str) -> Self {
        Self::malformed(span, format!("{what} is not supported by this local org"))
    }

    /// As the client is told.
    pub(super) fn fault(self, query: &str) -> Fault {
        match self.offset {
            Some(offset) => Fault::new(self.code, excerpt(query, offset, &self.text)),
            None => Fault::new(self.code, self.text),
        }
    }
}

const REFERENCE: &str = "Please reference your WSDL or the describe call for the appropriate names.";

/// A query that does not parse.
pub(super) fn of_parse(error: &ParseError, query: &str) -> Fault {
    Fault::new(ErrorCode::MalformedQuery, error.salesforce_message(query))
}
