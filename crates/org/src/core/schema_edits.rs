//! Changing the schema of an org that runs, and keeping the changes for its next start.

use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use tombolo_schema::Id;

use super::{
    Core, FieldDef, Registry, SchemaEdit, Source,
    record::{CoreError, Fault, Result},
    schema::{Kind, storage},
    setup::{read_prefixes, write_prefixes},
};
use crate::store::tables;

/// What the edits need in the database.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS _schema_edits (place INTEGER PRIMARY KEY, edit TEXT NOT NULL)")
}

/// The schema of the projects with the edits of earlier runs.
pub(super) fn with_kept(connection: &Connection, mut source: Source) -> Result<(Source, Registry)> {
    let mut prefixes = read_prefixes(connection)?;
    let mut registry = Registry::of(&source, &mut prefixes)?;
    let edits: Vec<String> = {
        let mut statement = connection.prepare("SELECT edit FROM _schema_edits ORDER BY place")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    for text in edits {
        let edit: SchemaEdit = serde_json::from_str(&text).map_err(|e| CoreError::Setup(e.to_string()))?;
        match edit.apply(&mut source, &registry) {
            Ok(()) => registry = Registry::of(&source, &mut prefixes)?,
            // A project that has changed since may have made it already.
            Err(fault) => tracing::warn!(edit = %text, why = %fault.message, "left out: an edit of the schema"),
        }
    }
    write_prefixes(connection, &prefixes)?;
    for object in registry.objects().iter().filter(|o| o.kind == Kind::Rows) {
        tables::ensure(connection, &object.name, &storage::columns(object)).map_err(setup)?;
    }
    Ok((source, registry))
}

fn setup(error: impl std::fmt::Display) -> CoreError {
    CoreError::Setup(error.to_string())
}

impl Core {
    /// Edits the schema: all of the edits, or none. Describe, queries, writes and events follow at once.
    pub(crate) fn edit_schema(&self, edits: &[SchemaEdit]) -> Result<()> {
        let mut source = self.0.source.lock().unwrap_or_else(PoisonError::into_inner);
        let mut edited = source.clone();
        let registry = self.store().write(|connection| -> Result<_> {
            let mut prefixes = read_prefixes(connection)?;
            let mut registry = Registry::of(&edited, &mut prefixes)?;
            for edit in edits {
                edit.apply(&mut edited, &registry)?;
                registry = Registry::of(&edited, &mut prefixes).map_err(told)?;
                bring_in_line(connection, &registry, edit)?;
                let text = serde_json::to_string(edit).map_err(|e| CoreError::Internal(e.to_string()))?;
                connection.execute("INSERT INTO _schema_edits (edit) VALUES (?1)", [text])?;
            }
            write_prefixes(connection, &prefixes)?;
            Ok(registry)
        })?;
        *source = edited;
        self.replace_schema(registry);
        Ok(())
    }

    /// The Id of a custom field: the same one as long as it has its name.
    pub(crate) fn custom_field_id(&self, object: &str, field: &str) -> Result<Id> {
        let name = format!("{object}.{field}").to_ascii_lowercase();
        self.seed().id("00N", self.seed().number(&name, 0) >> 16)
    }

    /// The custom field with this Id: object and field.
    pub(crate) fn custom_field(&self, id: Id) -> Result<Option<(String, String)>> {
        let schema = self.schema();
        for object in schema.objects() {
            for field in object.fields().iter().filter(|f| f.name.ends_with("__c")) {
                if self.custom_field_id(&object.name, &field.name)? == id {
                    return Ok(Some((object.name.to_string(), field.name.to_string())));
                }
            }
        }
        Ok(None)
    }

    /// Back to the schema of the start.
    pub(super) fn undo_schema_edits(&self) -> Result<()> {
        let mut source = self.0.source.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Source::of_projects(&self.0.config.projects)?;
        let registry = self.store().write(|connection| -> Result<_> {
            let edited: Option<i64> =
                connection.query_row("SELECT 1 FROM _schema_edits LIMIT 1", [], |row| row.get(0)).optional()?;
            if edited.is_none() {
                return Ok(None);
            }
            connection.execute("DELETE FROM _schema_edits", [])?;
            with_kept(connection, fresh).map(Some)
        })?;
        if let Some((fresh, registry)) = registry {
            *source = fresh;
            self.replace_schema(registry);
        }
        Ok(())
    }

    fn replace_schema(&self, registry: Registry) {
        *self.0.schema.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        self.schema_changed();
    }
}

/// What is wrong with an edit is the editor's business, whoever finds it.
fn told(error: CoreError) -> CoreError {
    match error {
        CoreError::Setup(message) => Fault::new("INVALID_FIELD".into(), message).into(),
        other => other,
    }
}

/// A new field begins empty, also where one of its name was before; a shorter one cuts what is too long for it.
fn bring_in_line(connection: &Connection, registry: &Registry, edit: &SchemaEdit) -> Result<()> {
    let Some(object) = registry.object(edit.object()) else { return Ok(()) };
    // A field of activities is one of tasks and one of events.
    let twins = ["Task", "Event"].into_iter().filter(|_| matches!(&*object.name, "Task" | "Event"));
    let names = twins.chain([&*object.name]);
    for object in names.filter_map(|name| registry.object(name)).filter(|o| o.kind == Kind::Rows) {
        if matches!(edit, SchemaEdit::Add { .. }) {
            let is_new = |name: &str| name.eq_ignore_ascii_case(edit.field());
            let own = |f: &&FieldDef| is_new(&f.name) || f.compound_field_name.as_deref().is_some_and(is_new);
            for field in object.columns().filter(own) {
                tables::put_aside(connection, &object.name, &field.name)?;
            }
        }
        tables::ensure(connection, &object.name, &storage::columns(object)).map_err(setup)?;
        if let Some(field) = object.field(edit.field()).filter(|f| f.column.is_some() && f.field_type.is_text()) {
            tables::shorten(connection, &object.name, &field.name, field.length)?;
        }
    }
    Ok(())
}
