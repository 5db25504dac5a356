//! The project's own tasks: what CI runs, and what writes the generated files.
//!
//! `cargo xtask ci` is CI. Everything else is one of its steps, or what is too long for it (`soak`).
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a task reports to the person who runs it")]

mod bench;
mod ci;
mod dependencies;
mod fuzz;
mod gen_docs;
mod gen_schema;
mod interop;
mod process;
mod tidy;
mod workspace;

use std::{env, process::ExitCode};

/// What a task ends with; the error is a sentence for the person who ran it.
pub(crate) type Outcome = Result<(), String>;

const USAGE: &str = "usage: cargo xtask TASK
  ci                    everything that CI checks
  test                  all tests, doc tests included
  tidy                  the invariants of ARCHITECTURE.md
  dependencies          licences, bans and unused dependencies
  interop [--all]       unmodified third-party clients against the local org
  fuzz [SECONDS]        the corpus of the fuzz targets and mutations of it; `fuzz planted` has to find a bug
  bench soql            parsing, and the org's queries beside their SQL (release profile)
  soak mirror [ROUNDS]  kill a live mirror at random moments (50 rounds unless told)
  gen [--check]         write (or compare) what is generated";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => ci::run(),
        ["test"] => ci::test(),
        ["tidy"] => tidy::run(),
        ["dependencies"] => dependencies::run(),
        ["interop"] => interop::run(interop::Tier::Always),
        ["interop", "--all"] => interop::run(interop::Tier::All),
        ["soak", "mirror"] => interop::soak_mirror(50),
        ["soak", "mirror", rounds] => match rounds.parse() {
            Ok(rounds) => interop::soak_mirror(rounds),
            Err(_) => Err(format!("`{rounds}` is not a number of rounds")),
        },
        ["bench", "soql"] => bench::soql(),
        ["fuzz"] => fuzz::run(fuzz::SMOKE),
        ["fuzz", "planted"] => fuzz::planted(),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds),
            Err(_) => Err(format!("`{seconds}` is not a number of seconds")),
        },
        ["gen"] => generate(false),
        ["gen", "--check"] => generate(true),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn generate(check_only: bool) -> Outcome {
    gen_schema::run(check_only)?;
    gen_docs::run(check_only)
}
