//! Where a demo lives: a folder that is kept, or one that goes with the process.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tombolo_org::Storage;

use crate::failure::Failure;

/// The SFDX project of the demo's custom object, as it stands in `crates/cli/demo`.
const PROJECT: [(&str, &str); 6] = [
    ("sfdx-project.json", include_str!("../../../demo/sfdx-project.json")),
    (
        "Shipment__c.object-meta.xml",
        include_str!("../../../demo/force-app/main/default/objects/Shipment__c/Shipment__c.object-meta.xml"),
    ),
    (
        "fields/Account__c.field-meta.xml",
        include_str!("../../../demo/force-app/main/default/objects/Shipment__c/fields/Account__c.field-meta.xml"),
    ),
    (
        "fields/Status__c.field-meta.xml",
        include_str!("../../../demo/force-app/main/default/objects/Shipment__c/fields/Status__c.field-meta.xml"),
    ),
    (
        "fields/Weight__c.field-meta.xml",
        include_str!("../../../demo/force-app/main/default/objects/Shipment__c/fields/Weight__c.field-meta.xml"),
    ),
    (
        "fields/Due__c.field-meta.xml",
        include_str!("../../../demo/force-app/main/default/objects/Shipment__c/fields/Due__c.field-meta.xml"),
    ),
];
const OBJECT_FOLDER: &str = "force-app/main/default/objects/Shipment__c";

pub(super) struct Home {
    folder: PathBuf,
    kept: bool,
}

impl Home {
    pub(super) fn open(keep: Option<&Path>) -> Result<Self, Failure> {
        let folder = match keep {
            Some(folder) => folder.to_owned(),
            None => std::env::temp_dir().join(format!("tombolo-demo-{}", std::process::id())),
        };
        let home = Self { folder, kept: keep.is_some() };
        home.write_project()
            .map_err(|e| Failure::failed(format!("cannot write to {}", home.folder.display())).caused_by(e))?;
        Ok(home)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder.join("app.db")
    }

    pub(super) fn storage(&self) -> Storage {
        if self.kept { Storage::Directory(self.folder.join("org")) } else { Storage::Memory }
    }

    /// The file for the lines, if they are to stay.
    pub(super) fn changes(&self) -> Option<PathBuf> {
        self.kept.then(|| self.folder.join("changes.jsonl"))
    }

    fn write_project(&self) -> io::Result<()> {
        let project = self.project();
        let object = project.join(OBJECT_FOLDER);
        fs::create_dir_all(object.join("fields"))?;
        for (name, text) in PROJECT {
            let place = if name == "sfdx-project.json" { project.join(name) } else { object.join(name) };
            fs::write(place, text)?;
        }
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
