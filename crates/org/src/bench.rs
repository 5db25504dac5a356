//! A door for `benches/soql.rs`, behind a feature that nothing else asks for: the query core without a server around it.

use rusqlite::{Row, types::ValueRef};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value as Json;
use tombolo_schema::ApiVersion;

use crate::{
    Storage,
    core::{
        Api, Caller, Core, CoreConfig, QueryOptions,
        record::{Atomicity, CoreError, Input, RowInput},
    },
    wire::json_out::PageJson,
};

/// An org that is asked in process.
pub struct BenchOrg {
    core: Core,
    caller: Caller,
}

type Result<T> = std::result::Result<T, String>;

fn told(error: CoreError) -> String {
    format!("{error:?}")
}

impl BenchOrg {
    /// Opens one.
    pub fn open(storage: Storage) -> Result<Self> {
        let core = Core::open(CoreConfig { storage, ..CoreConfig::default() }).map_err(told)?;
        let user_id = core.admin_user().id;
        let version = ApiVersion::DEFAULT;
        let caller = Caller {
            user_id,
            api: Api::Rest,
            version,
            client: None,
            duplicates_allowed: false,
            session: "bench".to_owned(),
        };
        Ok(Self { core, caller })
    }

    /// Makes records, and returns their Ids.
    pub fn insert(&self, object: &str, rows: Vec<Vec<(&str, Json)>>) -> Result<Vec<String>> {
        let field = |(name, value): (&str, Json)| (name.to_owned(), input(value));
        let row = |row: Vec<_>| (object.to_owned(), RowInput { fields: row.into_iter().map(field).collect() });
        let rows = rows.into_iter().map(row);
        let saved = self.core.insert(&self.caller, rows.collect(), Atomicity::AllOrNone).map_err(told)?;
        saved.into_iter().map(|one| one.id.map(|id| id.to_string()).ok_or(format!("{:?}", one.faults))).collect()
    }

    /// SOQL text in, Salesforce's JSON out.
    pub fn query(&self, soql: &str) -> Result<Vec<u8>> {
        let page = self.core.query(&self.caller, soql, QueryOptions::default()).map_err(told)?;
        let page = PageJson { page: &page, base: "/services/data/v67.0" };
        serde_json::to_vec(&page).map_err(|error| error.to_string())
    }

    /// SQL texts, each prepared anew, and their rows as JSON.
    pub fn sql(&self, texts: &[String]) -> Result<Vec<u8>> {
        let mut json = Vec::new();
        let rows = |connection: &rusqlite::Connection| {
            for text in texts {
                let mut statement = connection.prepare(text)?;
                let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
                let mut rows = statement.query([])?;
                json.push(b'[');
                while let Some(row) = rows.next()? {
                    let row = RowJson { names: &names, row };
                    serde_json::to_writer(&mut json, &row).map_err(|error| CoreError::Internal(error.to_string()))?;
                    json.push(b',');
                }
                json.push(b']');
            }
            Ok(())
        };
        self.core.snapshot(rows).map_err(told)?;
        Ok(json)
    }
}

fn input(value: Json) -> Input {
    match value {
        Json::Null => Input::Null,
        Json::Bool(value) => Input::Boolean(value),
        Json::Number(value) => Input::Number(value.to_string()),
        Json::String(value) => Input::Text(value),
        Json::Array(_) => Input::List,
        Json::Object(parts) => Input::Nested(parts.into_iter().map(|(name, value)| (name, input(value))).collect()),
    }
}

struct RowJson<'a> {
    names: &'a [String],
    row: &'a Row<'a>,
}

impl Serialize for RowJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.names.len()))?;
        for (at, name) in self.names.iter().enumerate() {
            match self.row.get_ref(at).map_err(serde::ser::Error::custom)? {
                ValueRef::Null => map.serialize_entry(name, &())?,
                ValueRef::Integer(value) => map.serialize_entry(name, &value)?,
                ValueRef::Real(value) => map.serialize_entry(name, &value)?,
                ValueRef::Text(value) => map.serialize_entry(name, &String::from_utf8_lossy(value))?,
                ValueRef::Blob(value) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}
