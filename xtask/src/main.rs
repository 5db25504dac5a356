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
mod simulate;
mod soak;
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
  simulate [--seeds N] [--from S] [--seed S] [--mutation NAME] [--exhaustive yes]
                        seeded trouble for the sync engine (1,000 seeds unless told), a slice at a time
  bench sync [FLAGS]    two-way sync: changes a second, latency, calls, the load, the engine alone (release profile)
  soak mirror [ROUNDS]  kill a live mirror at random moments (50 rounds unless told)
  soak sync [--app postgres|mysql] [--kills N] [--takeovers N] [--changes N]
                        kill, freeze and flush everything under two-way sync; goes on where it was stopped
  soak blind|app|fanout|trouble|real|match [ROWS]
                        one case of two-way sync with real processes; `soak slice` is what CI runs of all
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
        ["soak", "mirror"] => soak::mirror(50),
        ["soak", "mirror", rounds] => match rounds.parse() {
            Ok(rounds) => soak::mirror(rounds),
            Err(_) => Err(format!("`{rounds}` is not a number of rounds")),
        },
        ["soak", "sync", ref arguments @ ..] => soak::sync(arguments),
        ["soak", "slice"] => soak::slice(),
        ["soak", name, ref arguments @ ..] => soak::case(name, arguments),
        ["bench", "sync", ref arguments @ ..] => soak::bench(arguments),
        ["bench", "soql"] => bench::soql(),
        ["simulate", ref arguments @ ..] => simulate::run(arguments),
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
