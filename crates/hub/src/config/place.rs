//! Where something stands in the file.

use std::fmt;

use serde::Serialize;

/// A line and a column, both from one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// The beginning of the file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// So many characters further on the same line.
    pub(crate) const fn right(self, characters: usize) -> Self {
        Self { line: self.line, column: self.column + characters }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value, and where it stands. Two are equal that say the same, wherever they stand.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it stands.
    pub(crate) place: Place,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T> At<T> {
    /// A value that stands there.
    pub(crate) const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}
