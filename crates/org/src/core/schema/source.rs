//! SFDX projects: the metadata files of objects and fields, found and parsed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::markup::Element;
use crate::core::record::{CoreError, Result};

/// What a project says about the schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// Objects by name, whose own file may be missing (a standard object with custom fields).
    pub(super) objects: BTreeMap<String, SourceObject>,
    /// Global value sets by name.
    pub(super) value_sets: BTreeMap<String, Element>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SourceObject {
    pub(super) file: Option<(PathBuf, Element)>,
    pub(super) fields: BTreeMap<String, (PathBuf, Element)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    package_directories: Vec<PackageDirectory>,
}

#[derive(Deserialize)]
struct PackageDirectory {
    path: PathBuf,
}

pub(super) fn wrong(path: &Path, problem: impl std::fmt::Display) -> CoreError {
    CoreError::Setup(format!("{}: {problem}", path.display()))
}

impl Source {
    /// What these project folders hold.
    pub(crate) fn of_projects(projects: &[PathBuf]) -> Result<Self> {
        let mut source = Self::default();
        for project in projects {
            source.read_project(project)?;
        }
        Ok(source)
    }

    /// Adds what a project folder holds.
    fn read_project(&mut self, folder: &Path) -> Result<()> {
        let file = folder.join("sfdx-project.json");
        let text = fs::read_to_string(&file)
            .map_err(|e| wrong(&file, format_args!("{e}; a project is the folder that holds this file")))?;
        let project: Project = serde_json::from_str(&text).map_err(|e| wrong(&file, e))?;
        for package in project.package_directories {
            let path = folder.join(&package.path);
            if !path.is_dir() {
                return Err(wrong(
                    &file,
                    format_args!("its package directory {} is not there", package.path.display()),
                ));
            }
            self.walk(&path)?;
        }
        Ok(())
    }

    fn walk(&mut self, folder: &Path) -> Result<()> {
        for path in entries(folder)? {
            let name = file_name(&path);
            if !path.is_dir() || name.starts_with('.') || name == "node_modules" {
                continue;
            }
            match name {
                "objects" => self.read_objects(&path)?,
                "globalValueSets" => self.read_value_sets(&path)?,
                _ => self.walk(&path)?,
            }
        }
        Ok(())
    }

    fn read_objects(&mut self, folder: &Path) -> Result<()> {
        for path in entries(folder)?.into_iter().filter(|p| p.is_dir()) {
            let object = self.objects.entry(file_name(&path).to_owned()).or_default();
            for file in entries(&path)? {
                if file_name(&file).ends_with(".object-meta.xml") {
                    object.file = Some((file.clone(), parse(&file, "CustomObject")?));
                }
            }
            let fields = path.join("fields");
            if !fields.is_dir() {
                continue;
            }
            for file in entries(&fields)? {
                if let Some(name) = file_name(&file).strip_suffix(".field-meta.xml") {
                    let element = parse(&file, "CustomField")?;
                    let name = element.text("fullName").unwrap_or(name).to_owned();
                    object.fields.insert(name, (file.clone(), element));
                }
            }
        }
        Ok(())
    }

    fn read_value_sets(&mut self, folder: &Path) -> Result<()> {
        for file in entries(folder)? {
            if let Some(name) = file_name(&file).strip_suffix(".globalValueSet-meta.xml") {
                self.value_sets.insert(name.to_owned(), parse(&file, "GlobalValueSet")?);
            }
        }
        Ok(())
    }
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = read().map_err(|e| wrong(folder, e))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn parse(file: &Path, root: &str) -> Result<Element> {
    let text = fs::read_to_string(file).map_err(|e| wrong(file, e))?;
    let element = Element::parse(&text).map_err(|e| wrong(file, e))?;
    if element.name == root {
        return Ok(element);
    }
    Err(wrong(file, format_args!("its root is {}, not {root}", element.name)))
}
