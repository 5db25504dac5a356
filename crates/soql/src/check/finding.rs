//! What was found.

use crate::excerpt;

/// What was found in a statement, in the order of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What a server refuses. It tells only the first that it comes upon.
    pub errors: Vec<Finding>,
    /// What a server may refuse, or takes in another sense than the one it was probably written in.
    pub warnings: Vec<Finding>,
}

impl Findings {
    /// Whether a server takes the statement as far as can be seen.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Something wrong with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Salesforce's code for it.
    pub code: Code,
    /// What is wrong.
    pub text: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

impl Finding {
    /// As a server answers it: an excerpt of the statement, a caret, the place and the text (soql.md 8).
    pub fn message(&self, query: &str) -> String {
        excerpt(query, self.offset, &self.text)
    }
}

macro_rules! codes {
    ($($variant:ident = $text:literal,)*) => {
        /// An error code of Salesforce.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl Code {
            /// How it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    InvalidField = "INVALID_FIELD",
    InvalidQueryFilterOperator = "INVALID_QUERY_FILTER_OPERATOR",
    InvalidQueryScope = "INVALID_QUERY_SCOPE",
    InvalidType = "INVALID_TYPE",
    InvalidTypeForOperation = "INVALID_TYPE_FOR_OPERATION",
    MalformedQuery = "MALFORMED_QUERY",
    NumberOutsideValidRange = "NUMBER_OUTSIDE_VALID_RANGE",
    QueryTooComplicated = "QUERY_TOO_COMPLICATED",
    UnsupportedApiVersion = "UNSUPPORTED_API_VERSION",
}

/// How Salesforce ends what it says of names that it does not know.
pub(super) const REFERENCE: &str = "Please reference your WSDL or the describe call for the appropriate names.";
