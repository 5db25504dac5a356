//! The invariants of ARCHITECTURE.md, each as a check that names the line which breaks it.

mod layers;
mod layout;

use crate::{
    Outcome,
    workspace::{self, Graph},
};

pub(crate) fn run() -> Outcome {
    let graph = Graph::load()?;
    let rust = workspace::sources(".rs")?;
    let mut wrong = layers::crates(&graph);
    wrong.extend(layers::modules(&rust));
    wrong.extend(layout::check(&rust));
    wrong.extend(places(&workspace::sources("")?));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// A project stands for itself: no path of somebody's machine, no address of somebody's registry.
fn places(files: &[(String, String)]) -> Vec<String> {
    // Spelt apart, so that this list does not find itself.
    let traces =
        [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("registry.npm", "js.org")];
    let mut wrong = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path != "Cargo.lock") {
        for (number, line) in text.lines().enumerate() {
            if let Some(trace) = traces.iter().find(|trace| line.contains(**trace)) {
                wrong.push(format!("{path}:{}: `{trace}` belongs to a machine, not to the project", number + 1));
            }
        }
    }
    wrong
}
