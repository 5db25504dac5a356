//! Tries the corpus and what mutation makes of it; also packs and unpacks the corpus.

use std::{
    env, io,
    panic::catch_unwind,
    process::ExitCode,
    time::{Duration, Instant},
};

use tombolo_fuzz::{Corpus, Mutation, Property, read_folder, soql, sosl};

const TARGETS: [(&str, Property); 2] = [("soql", soql), ("sosl", sosl)];

/// No text may take longer; a usual one takes microseconds.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack"] => TARGETS.iter().try_for_each(|(name, _)| Corpus::of(name).unpack()),
        ["pack"] => TARGETS.iter().try_for_each(|(name, _)| pack(&Corpus::of(name))),
        [seconds, seed] => match (seconds.parse(), seed.parse()) {
            (Ok(seconds), Ok(seed)) => TARGETS.iter().try_for_each(|target| run(target, seconds, seed)),
            _ => Err(io::Error::other("the seconds and the seed are numbers")),
        },
        _ => Err(io::Error::other("usage: smoke SECONDS SEED | unpack | pack")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn pack(corpus: &Corpus) -> io::Result<()> {
    let mut texts = corpus.read()?;
    texts.extend(read_folder(&corpus.unpacked())?);
    corpus.write(texts)
}

fn run(&(name, property): &(&'static str, Property), seconds: f64, seed: u64) -> io::Result<()> {
    let texts = Corpus::of(name).read()?;
    for text in &texts {
        holds(name, property, text.as_bytes())?;
    }
    let mut mutation = Mutation::new(&texts, seed);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut tried = 0;
    while Instant::now() < end {
        holds(name, property, &mutation.text())?;
        tried += 1;
    }
    println!("  {name}: {} texts of the corpus and {tried} mutations of them (seed {seed})", texts.len());
    Ok(())
}

fn holds(name: &str, property: Property, text: &[u8]) -> io::Result<()> {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let start = Instant::now();
    if catch_unwind(|| property(text)).is_err() {
        return Err(io::Error::other(format!("{name}: FAILED for {:?}", shown())));
    }
    if start.elapsed() > PATIENCE {
        return Err(io::Error::other(format!("{name}: too slow for {:?}", shown())));
    }
    Ok(())
}
