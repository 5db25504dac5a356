//! What the workspace is made of, as cargo and git see it.

use std::{
    collections::{BTreeSet, HashMap},
    env, fs,
    path::PathBuf,
    process::Command,
};

use serde_json::Value as Json;

use crate::process;

/// The folder of shared cases, if it is there.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = env::var_os("TOMBOLO_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Whether `TOMBOLO_REQUIRE` names this.
pub(crate) fn required(what: &str) -> bool {
    env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|item| item.trim() == what))
}

/// The files that git tracks, and those it would if they were added, with their text.
pub(crate) fn sources(ending: &str) -> Result<Vec<(String, String)>, String> {
    let list = process::captured(Command::new("git").args(["ls-files", "-co", "--exclude-standard"]))?;
    let named = list.lines().filter(|path| path.ends_with(ending));
    named
        .filter(|path| PathBuf::from(path).is_file())
        .map(|path| fs::read(path).map(|bytes| (path.to_owned(), String::from_utf8_lossy(&bytes).into_owned())))
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())
}

/// The dependency graph of `cargo metadata`.
pub(crate) struct Graph {
    pub(crate) packages: HashMap<String, Package>,
    /// Ids of the workspace's own packages.
    pub(crate) members: Vec<String>,
    normal_edges: HashMap<String, Vec<String>>,
    all_edges: HashMap<String, Vec<String>>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) folder: PathBuf,
    /// Declared dependencies: the name in code, and its kind (`normal`, `dev`, `build`).
    pub(crate) declared: Vec<(String, String)>,
}

impl Graph {
    pub(crate) fn load() -> Result<Self, String> {
        let text = process::captured(&mut process::cargo(&["metadata", "--format-version", "1", "--locked"]))?;
        let json: Json = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let packages = list(&json["packages"]).map(|p| (string(&p["id"]), package(p))).collect();
        let members = list(&json["workspace_members"]).map(string).collect();
        let mut normal_edges = HashMap::new();
        let mut all_edges = HashMap::new();
        for node in list(&json["resolve"]["nodes"]) {
            let id = string(&node["id"]);
            let normal = |dep: &&Json| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null());
            normal_edges.insert(id.clone(), list(&node["deps"]).filter(normal).map(|d| string(&d["pkg"])).collect());
            all_edges.insert(id, list(&node["deps"]).map(|d| string(&d["pkg"])).collect());
        }
        Ok(Self { packages, members, normal_edges, all_edges })
    }

    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|id| self.packages.get(*id).is_some_and(|p| p.name == name)).map(String::as_str)
    }

    /// The names of everything a member is built from.
    pub(crate) fn tree(&self, id: &str) -> BTreeSet<&str> {
        self.reach(&self.normal_edges, id)
    }

    /// Likewise, tests and build scripts of the member itself included.
    pub(crate) fn direct_and_test(&self, id: &str) -> BTreeSet<&str> {
        let direct = self.all_edges.get(id).into_iter().flatten();
        direct.filter_map(|dep| self.packages.get(dep)).map(|p| p.name.as_str()).collect()
    }

    fn reach<'a>(&'a self, edges: &'a HashMap<String, Vec<String>>, from: &str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = edges.get(from).into_iter().flatten().collect();
        while let Some(id) = open.pop() {
            if seen.insert(id.as_str()) {
                open.extend(edges.get(id).into_iter().flatten());
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).map(|p| p.name.as_str()).collect()
    }
}

fn package(json: &Json) -> Package {
    let declared = list(&json["dependencies"]).map(|dep| {
        let name = dep["rename"].as_str().map_or_else(|| string(&dep["name"]), str::to_owned);
        (name, dep["kind"].as_str().unwrap_or("normal").to_owned())
    });
    let manifest = PathBuf::from(string(&json["manifest_path"]));
    Package {
        name: string(&json["name"]),
        version: string(&json["version"]),
        license: json["license"].as_str().map(str::to_owned),
        folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
        declared: declared.collect(),
    }
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn string(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}
