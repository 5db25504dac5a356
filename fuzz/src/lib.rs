//! What must hold for every text, and what makes such texts when libFuzzer is not at hand.
//!
//! - `cargo fuzz run -s none --features libfuzzer soql` looks for a text for which it does not, guided by coverage.
//! - `cargo xtask fuzz` tries the corpus and what mutation makes of it for some seconds; CI does that.
#![forbid(unsafe_code)]

mod corpus;
mod mutation;
mod properties;
mod schema;

pub use corpus::{Corpus, read_folder};
pub use mutation::Mutation;
pub use properties::{Property, soql, sosl};
