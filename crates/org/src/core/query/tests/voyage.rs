//! The org of `tests/data/soql/world.json`: ports, ships, crews and a fixed clock, for the cases of that folder.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use tombolo_schema::{ApiVersion, Id};

use super::QueryOptions;
use crate::core::{
    Caller, ClockMode, Core, CoreConfig,
    record::{Page, Result},
    tests::{add, caller, delete},
};

/// Where the data files are.
pub(super) fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/soql"))
}

/// An org, and the names of its rows.
pub(super) struct Voyage {
    pub(super) core: Core,
    /// Ids by the names that stand for them.
    ids: Vec<(String, String)>,
}

/// Who asks, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) version: ApiVersion,
    /// The row of the user; the org's own one if there is none.
    pub(super) user: Option<&'a str>,
    pub(super) include_deleted: bool,
}

#[derive(Deserialize)]
pub(super) struct World {
    pub(super) clock: Option<Timestamp>,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) rows: Vec<Row>,
}

#[derive(Deserialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) activities: bool,
    /// The metadata of each field.
    pub(super) fields: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Row {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) object: String,
    pub(super) values: Map<String, Value>,
    #[serde(default)]
    pub(super) deleted: bool,
}

/// The org of the folder.
pub(super) fn voyage() -> Voyage {
    let text = fs::read_to_string(folder().join("world.json")).unwrap();
    Voyage::of(&serde_json::from_str(&text).unwrap())
}

impl Voyage {
    pub(super) fn of(world: &World) -> Self {
        let project = tempfile::tempdir().unwrap();
        write_project(project.path(), world);
        let projects = vec![project.path().to_owned()];
        let config = CoreConfig { projects, clock: ClockMode::Manual, seed: Some(1), ..CoreConfig::default() };
        let core = Core::open(config).unwrap();
        if let Some(clock) = world.clock {
            core.clock().advance(Duration::try_from(core.clock().now().duration_until(clock)).unwrap());
        }
        let admin = core.admin_user();
        let own = [("admin", admin.id), ("profile", admin.profile_id)];
        let ids = own.map(|(name, id)| (name.to_owned(), id.as_str().to_owned())).to_vec();
        let mut voyage = Self { core, ids };
        for row in &world.rows {
            let json = voyage.with_ids(&Value::from(row.values.clone()).to_string());
            let id = add(&voyage.core, &row.object, &json);
            if row.deleted {
                assert_eq!(delete(&voyage.core, &id).faults, []);
            }
            voyage.ids.push((row.name.clone(), id));
        }
        voyage
    }

    /// `{argo}` becomes the Id of that row, `{argo:15}` its short form.
    pub(super) fn with_ids(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), id).replace(&format!("{{{name}:15}}"), &id[..15])
        })
    }

    /// The Ids of rows become their names again.
    pub(super) fn without_ids(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(id.as_str(), &format!("{{{name}}}")))
    }

    pub(super) fn ask(&self, soql: &str, asking: Asking<'_>) -> Result<Page> {
        let me = caller(&self.core);
        let user = asking.user.map(|user| Id::parse(&self.with_ids(&format!("{{{user}}}"))).unwrap());
        let me = Caller { version: asking.version, user_id: user.unwrap_or(me.user_id), ..me };
        let options = QueryOptions { include_deleted: asking.include_deleted, batch_size: None };
        self.core.query(&me, &self.with_ids(soql), options)
    }
}

fn write_project(folder: &Path, world: &World) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("sfdx-project.json", r#"{"packageDirectories": [{"path": "src"}]}"#);
    for (name, object) in &world.objects {
        let at = format!("src/main/default/objects/{name}");
        let activities = object.activities;
        write(
            &format!("{at}/{name}.object-meta.xml"),
            &format!(
                "<CustomObject><label>{name}</label><enableActivities>{activities}</enableActivities>\
                 <nameField><label>Name</label><type>Text</type></nameField></CustomObject>"
            ),
        );
        for (field, xml) in &object.fields {
            let xml = format!("<CustomField><fullName>{field}</fullName><label>{field}</label>{xml}</CustomField>");
            write(&format!("{at}/fields/{field}.field-meta.xml"), &xml);
        }
    }
}
