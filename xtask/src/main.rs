//! The project's own tasks: `cargo xtask ci|tidy|test|interop|gen`.
#![expect(clippy::print_stderr, reason = "a task reports to the person who runs it")]

mod gen_schema;

use std::{env, path::Path, process::ExitCode};

/// What a task ends with; the error is a sentence for the person who ran it.
pub(crate) type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["gen"] => generate(false),
        ["gen", "--check"] => generate(true),
        _ => Err("usage: cargo xtask gen [--check]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn generate(check_only: bool) -> Outcome {
    let shared = env::var("TOMBOLO_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    gen_schema::generate(Path::new(&shared), Path::new("crates/schema/data/standard_objects.tsv"), check_only)
}
