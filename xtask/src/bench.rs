//! Figures, from the release profile. They take minutes, so CI does not take them.

use crate::{
    Outcome,
    process::{cargo, visible},
};

/// Parsing, and the org's queries beside their SQL.
pub(crate) fn soql() -> Outcome {
    visible(&mut cargo(&[
        "bench",
        "--quiet",
        "--locked",
        "--package",
        "tombolo-org",
        "--features",
        "bench",
        "--bench",
        "soql",
    ]))
}
