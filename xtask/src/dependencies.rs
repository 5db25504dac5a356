//! Licences, bans and unused dependencies. Duplicate versions are counted, not refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{
    Outcome, process,
    workspace::{Graph, Package},
};

/// What a permissively licensed, statically linked program may be built from.
const LICENCES: [&str; 13] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "Unicode-3.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "MIT-0",
    "OpenSSL",
];

/// Crates that must not come in, and why.
const BANNED: [(&str, &str); 9] = [
    ("openssl-sys", "one TLS provider: aws-lc-rs"),
    ("native-tls", "one TLS provider: aws-lc-rs"),
    ("ring", "one TLS provider: aws-lc-rs; with two, rustls panics for lack of a default"),
    ("rsa", "RUSTSEC-2023-0071 has no fix"),
    ("serde_yaml", "archived"),
    ("serde_yml", "RUSTSEC-2025-0068"),
    ("backoff", "RUSTSEC-2025-0012, unmaintained"),
    ("serde_avro_fast", "depends on LGPL-3.0 code"),
    ("chrono", "dates are jiff's"),
];

pub(crate) fn run() -> Outcome {
    let mut graph = Graph::load()?;
    let built = built()?;
    graph.packages.retain(|_, package| built.contains(&format!("{} v{}", package.name, package.version)));
    let mut wrong = licences(&graph);
    let present = |name: &str| graph.packages.values().any(|p| p.name == name);
    wrong.extend(BANNED.iter().filter(|(name, _)| present(name)).map(|(name, why)| format!("{name} is banned: {why}")));
    for id in &graph.members {
        wrong.extend(graph.packages.get(id).into_iter().flat_map(unused));
    }
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for package in graph.packages.values() {
        *versions.entry(&package.name).or_default() += 1;
    }
    let twice = versions.values().filter(|count| **count > 1).count();
    println!("  {} packages, {twice} of them in more than one version", graph.packages.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What is really built, on any platform; the metadata also names what only an unused feature would bring.
fn built() -> Result<BTreeSet<String>, String> {
    let tree = process::captured(&mut process::cargo(&[
        "tree",
        "--workspace",
        "--target",
        "all",
        "--edges",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--locked",
    ]))?;
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(tree.lines().map(name_and_version).collect())
}

fn licences(graph: &Graph) -> Vec<String> {
    let allowed = |expression: &str| {
        spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX).is_ok_and(|expression| {
            expression.evaluate(|part| part.license.id().is_some_and(|id| LICENCES.contains(&id.name)))
        })
    };
    let refused = graph.packages.values().filter(|p| !p.license.as_deref().is_some_and(allowed));
    refused
        .map(|p| format!("{} {}: licence {}", p.name, p.version, p.license.as_deref().unwrap_or("not stated")))
        .collect()
}

/// A dependency is used if its name stands in the sources of the kind it was declared for.
fn unused(package: &Package) -> Vec<String> {
    let mut product = String::new();
    read_sources(&package.folder.join("src"), &mut product);
    let mut tests = product.clone();
    read_sources(&package.folder.join("tests"), &mut tests);
    let idle = |(name, kind): &&(String, String)| {
        let name = name.replace('-', "_");
        let text = if kind == "dev" { &tests } else { &product };
        !text.contains(&format!("{name}::"))
            && !text.contains(&format!("use {name}"))
            && !text.contains(&format!("extern crate {name}"))
    };
    let idle = package.declared.iter().filter(idle);
    idle.map(|(name, kind)| format!("{}: the {kind} dependency {name} is not used", package.name)).collect()
}

fn read_sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}
