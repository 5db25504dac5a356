//! Who may see whom: between crates by `cargo metadata`, inside `org` and `hub` by the paths in the code.

use crate::workspace::Graph;

/// Crates without IO, and what must not be anywhere in their tree.
const PURE: [&str; 4] = ["tombolo-schema", "tombolo-soql", "tombolo-engine", "tombolo-simulation"];
const IMPURE: [&str; 8] = ["tokio", "axum", "hyper", "reqwest", "rusqlite", "sqlx", "sqlx-core", "tonic"];
const PURE_DIRECT_LIMIT: usize = 12;

/// (crate, what it must never depend on, not even for its tests)
const STRANGERS: [(&str, &str); 2] = [("tombolo-org", "tombolo-client"), ("tombolo-client", "tombolo-org")];

/// (folder, text that must not stand in its code, why, folders excepted)
const FORBIDDEN: [(&str, &str, &str, &[&str]); 8] = [
    ("crates/org/src/wire", "rusqlite", "a wire format knows no SQL", &[]),
    ("crates/org/src/wire", "crate::store", "wire calls core, core calls store", &[]),
    ("crates/org/src/core", "crate::wire", "core knows no wire format", &[]),
    ("crates/org/src/core", "axum", "core knows no wire format", &[]),
    ("crates/org/src/core", "http::", "core knows no wire format", &[]),
    ("crates/org/src/store", "crate::wire", "nothing goes back from the store", &[]),
    ("crates/org/src/store", "crate::core", "nothing goes back from the store", &[]),
    (
        "crates/hub/src",
        "tombolo_client",
        "only systems/salesforce talks to Salesforce",
        &["crates/hub/src/systems/salesforce", "crates/hub/src/migrate"],
    ),
];

pub(super) fn crates(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in PURE {
        let Some(id) = graph.member(name) else { continue };
        let tree = graph.tree(id);
        let found = IMPURE.iter().filter(|crate_name| tree.contains(**crate_name));
        wrong.extend(found.map(|crate_name| format!("{name} is pure, yet {crate_name} is in its tree")));
        let direct =
            graph.packages.get(id).map_or(0, |p| p.declared.iter().filter(|(_, kind)| kind == "normal").count());
        if direct > PURE_DIRECT_LIMIT {
            wrong.push(format!("{name} is pure and has {direct} dependencies; {PURE_DIRECT_LIMIT} are the most"));
        }
    }
    for (name, stranger) in STRANGERS {
        let Some(id) = graph.member(name) else { continue };
        if graph.tree(id).contains(stranger) || graph.direct_and_test(id).contains(stranger) {
            wrong.push(format!("{name} and {stranger} must not see each other"));
        }
    }
    for name in ["tombolo-schema", "tombolo-soql"] {
        let serde = graph.member(name).is_some_and(|id| graph.tree(id).contains("serde"));
        if serde {
            wrong.push(format!("{name} is shared by org and client and must not name JSON keys: no serde"));
        }
    }
    wrong
}

pub(super) fn modules(rust: &[(String, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in rust {
        for (folder, forbidden, why, except) in FORBIDDEN {
            if !path.starts_with(folder) || except.iter().any(|e| path.starts_with(e)) {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if code.contains(forbidden) {
                    wrong.push(format!("{path}:{}: `{forbidden}`: {why}", number + 1));
                }
            }
        }
    }
    wrong
}
