//! Runs seeds and prints the first one that fails.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task reports to the person who runs it")]

use std::{collections::BTreeMap, process::ExitCode, time::Instant};

use tombolo_engine::sync::{Mutation, Policy, Shard, Side};
use tombolo_simulation::{Found, Walk, explore, history::Boundary};

/// How many seeds lie between two lines of progress.
const SLICE: u64 = 1000;

struct Wanted {
    from: u64,
    count: u64,
    survey: bool,
    table: bool,
    exhaustive: Exhaustive,
    mutation: Option<Mutation>,
}

/// Which small histories are tried in every order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exhaustive {
    No,
    /// Two edits and a crash, three edits without one.
    Yes,
    /// Three edits and a crash.
    Deep,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(message) => {
            eprintln!(
                "{message}\nusage: tombolo-simulation [--seeds N] [--from S] [--seed S] [--mutation NAME] [--mutations yes] [--survey yes] [--exhaustive yes|deep]"
            );
            return ExitCode::from(2);
        }
    };
    if wanted.table {
        return table(&wanted);
    }
    if wanted.exhaustive != Exhaustive::No {
        return exhaustive(wanted.exhaustive, wanted.mutation);
    }
    if wanted.survey {
        return survey(&wanted);
    }
    let start = Instant::now();
    for seed in wanted.from..wanted.from + wanted.count {
        if let Some(failure) = tombolo_simulation::check::<Shard>(seed, wanted.mutation) {
            println!("{failure}");
            return ExitCode::FAILURE;
        }
        let done = seed + 1 - wanted.from;
        if done % SLICE == 0 || done == wanted.count {
            let each = start.elapsed().as_secs_f64() * 1000.0 / done as f64;
            println!("{done} seeds passed, {each:.1} ms each; go on with --from {}", seed + 1);
        }
    }
    ExitCode::SUCCESS
}

/// Each fault that can be put into the engine, the seed that finds it, and what it finds.
fn table(wanted: &Wanted) -> ExitCode {
    let mut missed = 0;
    for mutation in Mutation::ALL {
        let mut seeds = wanted.from..wanted.from + wanted.count;
        let caught = seeds.find_map(|seed| {
            let wrong = tombolo_simulation::wrong_with::<Shard>(seed, mutation);
            wrong.first().map(|wrong| (seed, wrong.kind))
        });
        let name = format!("{mutation:?}");
        match caught {
            Some((seed, kind)) => println!("{name:<24} seed {seed:<6} {kind}"),
            None => {
                missed += 1;
                println!("{name:<24} not caught");
            }
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every order of two edits and a crash at each boundary, and of three edits; or of three edits and a crash. Takes
/// minutes, the deeper ones an hour, and gigabytes at most.
fn exhaustive(which: Exhaustive, mutation: Option<Mutation>) -> ExitCode {
    const MOST: usize = 2_000_000;
    let two: &[Side] = &[Side::Left, Side::Right];
    let three: &[Side] = &[Side::Left, Side::Right, Side::Left];
    let deep = which == Exhaustive::Deep;
    let mut walks = if deep { Vec::new() } else { vec![(three, None)] };
    let sides = if deep { three } else { two };
    walks.extend(Boundary::ALL.into_iter().map(|boundary| (sides, Some(boundary))));
    let mut right = true;
    for (sides, crash) in walks {
        let walk = Walk { mutation, most: MOST, ..Walk::of_edits(Policy::Wins(Side::Left), sides, crash) };
        let start = Instant::now();
        let name = crash.map_or_else(|| "no crash".to_owned(), |boundary| format!("a crash {boundary:?}"));
        match explore::<Shard>(&walk) {
            Found::Nothing { worlds, ends } => {
                let took = start.elapsed().as_secs_f64();
                println!("{} edits, {name}: {worlds} worlds, {ends} ends, nothing wrong, {took:.1} s", sides.len());
            }
            Found::Wrong { wrong, trace } => {
                right = false;
                println!("{}", trace.join("\n"));
                println!("{} edits, {name}: {wrong:#?}", sides.len());
            }
            Found::TooMany => {
                right = false;
                println!("{} edits, {name}: more than {MOST} worlds", sides.len());
            }
        }
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every seed, without making any short: what is wrong, how often, and where.
fn survey(wanted: &Wanted) -> ExitCode {
    let mut found: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    for seed in wanted.from..wanted.from + wanted.count {
        if let Some(wrong) = tombolo_simulation::wrong::<Shard>(seed, wanted.mutation).first() {
            found.entry(wrong.kind).or_default().push(seed);
        }
    }
    let failed: usize = found.values().map(Vec::len).sum();
    for (kind, seeds) in &found {
        let first: Vec<String> = seeds.iter().take(60).map(u64::to_string).collect();
        println!("{:>5} {kind}: {}", seeds.len(), first.join(" "));
    }
    println!("{failed} of {} seeds fail", wanted.count);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted =
        Wanted { from: 0, count: SLICE, survey: false, table: false, exhaustive: Exhaustive::No, mutation: None };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("`{value}` is not a number"));
        match flag.as_str() {
            "--seeds" => wanted.count = number()?,
            "--from" => wanted.from = number()?,
            "--seed" => (wanted.from, wanted.count) = (number()?, 1),
            "--survey" => wanted.survey = value == "yes",
            "--mutations" => wanted.table = value == "yes",
            "--exhaustive" => {
                wanted.exhaustive = match value.as_str() {
                    "yes" => Exhaustive::Yes,
                    "deep" => Exhaustive::Deep,
                    _ => Exhaustive::No,
                }
            }
            "--mutation" => wanted.mutation = Some(mutation(&value)?),
            _ => return Err(format!("unknown flag {flag}")),
        }
    }
    Ok(wanted)
}

fn mutation(name: &str) -> Result<Mutation, String> {
    let mut all = Mutation::ALL.into_iter();
    all.find(|mutation| format!("{mutation:?}") == name).ok_or_else(|| format!("no mutation is called `{name}`"))
}
