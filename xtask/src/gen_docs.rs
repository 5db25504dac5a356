//! Reference pages that the program writes about itself.

use crate::{Outcome, gen_schema::write_or_compare, process};

/// (page, arguments that print it)
const PAGES: [(&str, &[&str]); 2] =
    [("docs/org.md", &["reference", "org"]), ("docs/commands.md", &["reference", "commands"])];

pub(crate) fn run(check_only: bool) -> Outcome {
    for (page, arguments) in PAGES {
        let mut run = process::cargo(&["run", "--quiet", "--package", "tombolo-cli", "--bin", "tombolo", "--"]);
        let written = process::captured(run.args(arguments))?;
        write_or_compare(page, &written, check_only)?;
    }
    Ok(())
}
