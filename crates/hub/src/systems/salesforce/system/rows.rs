//! What is selected, and how a record becomes a row.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;
use tombolo_client::Record;
use tombolo_engine::sync::{Key, Row, Values};
use tombolo_schema::{FieldType, Id, parse_datetime};

use super::{object::Object, value};

/// What every row tells of itself, where the object has it.
const HEAD: [&str; 4] = ["IsDeleted", "LastModifiedDate", "LastModifiedById", "MasterRecordId"];

/// The fields that are read of an object.
pub(super) struct Columns {
    pub(super) object: Arc<Object>,
    /// As the plan spells them, paths to parents included.
    pub(super) wanted: Vec<(String, Option<FieldType>)>,
}

impl Columns {
    /// `SELECT … FROM …`
    pub(super) fn select(&self) -> String {
        self.select_with("Id")
    }

    /// The same with one field more.
    pub(super) fn select_with(&self, more: &str) -> String {
        let wanted = self.wanted.iter().map(|(name, _)| name.as_str()).chain([more]);
        format!("SELECT {} FROM {}", self.names(wanted).join(", "), self.object.name)
    }

    /// The fields of the record itself, and those that lead to its parents: what can be asked for by Id.
    pub(super) fn own_fields(&self) -> Vec<&str> {
        let own = self.wanted.iter().map(|(name, _)| name.as_str()).filter(|name| !name.contains('.'));
        let leading = self.paths().filter_map(|(relationship, _)| Some(&*self.object.via(relationship)?.name));
        self.names(own.chain(leading))
    }

    /// `Account.Name` as (`Account`, `Name`).
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.wanted.iter().filter_map(|(name, _)| name.split_once('.'))
    }

    fn names<'a>(&'a self, wanted: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut names: Vec<&str> = vec!["Id", &self.object.stamp];
        for name in HEAD.into_iter().filter(|name| self.object.has(name)).chain(wanted) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name);
            }
        }
        names
    }

    /// None for a record without an Id.
    pub(super) fn row(&self, record: &Record, ours: &str) -> Option<Row> {
        let by_us = text(record, "LastModifiedById").is_some_and(|user| same_id(user, ours));
        let modified = moment(record, "LastModifiedDate");
        Some(Row {
            key: key(record, "Id")?,
            values: self.values(record),
            stamp: moment(record, &self.object.stamp),
            foreign_at: modified.filter(|_| !by_us && record.get("LastModifiedById").is_some()),
            order: None,
            deleted: record.get("IsDeleted").and_then(Json::as_bool).unwrap_or_default(),
            merged_into: key(record, "MasterRecordId"),
        })
    }

    fn values(&self, record: &Record) -> Values {
        let shown = |(name, kind): &(String, Option<FieldType>)| {
            Some((name.clone(), value::read(at_path(record, name)?, *kind)))
        };
        self.wanted.iter().filter_map(shown).collect()
    }
}

/// `Account.Name` of a record; null where there is no such parent.
fn at_path<'a>(record: &'a Record, path: &str) -> Option<&'a Json> {
    let mut names = path.split('.');
    let mut found = record.get(names.next()?)?;
    for name in names {
        if found.is_null() {
            break;
        }
        let parent = found.as_object()?;
        found = parent
            .get(name)
            .or_else(|| parent.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))?;
    }
    Some(found)
}

fn text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.get(name).and_then(Json::as_str)
}

pub(super) fn key(record: &Record, name: &str) -> Option<Key> {
    Some(Id::parse(text(record, name)?).ok()?.as_str().to_owned())
}

pub(super) fn moment(record: &Record, name: &str) -> Option<Timestamp> {
    parse_datetime(text(record, name)?).ok()
}

fn same_id(one: &str, other: &str) -> bool {
    match (Id::parse(one), Id::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Where a page ended: behind this record, which was last changed then.
pub(super) struct Cursor {
    pub(super) stamp: Option<Timestamp>,
    pub(super) id: Key,
}

impl Cursor {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let stamp = self.stamp.map(literal).unwrap_or_default();
        format!("{stamp}|{}", self.id).into_bytes()
    }

    /// None for what is no cursor.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (stamp, id) = std::str::from_utf8(bytes).ok()?.split_once('|')?;
        let stamp = if stamp.is_empty() { None } else { Some(parse_datetime(stamp).ok()?) };
        Some(Self { stamp, id: Id::parse(id).ok()?.as_str().to_owned() })
    }
}

/// A moment in SOQL.
pub(super) fn literal(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The condition for rows that changed since a moment, behind a cursor. The first term is what an index can serve.
pub(super) fn changed(stamp: &str, since: Timestamp, after: Option<&Cursor>) -> String {
    match after {
        Some(Cursor { stamp: Some(at), id }) => {
            let at = literal(*at);
            format!(" WHERE {stamp} >= {at} AND ({stamp} > {at} OR Id > '{id}')")
        }
        _ => format!(" WHERE {stamp} >= {}", literal(since)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tombolo_engine::sync::Stored;

    use super::*;
    use crate::systems::salesforce::system::object::tests::contact;

    const RECORD: &str = "0035500001H9kZuAAJ";
    const US: &str = "0057e00000RmwSWAAZ";

    fn columns(wanted: &[(&str, Option<FieldType>)]) -> Columns {
        let wanted = wanted.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Columns { object: Arc::new(Object::of(&contact()).unwrap()), wanted }
    }

    fn record(value: Json) -> Record {
        Record::new("Contact", value.as_object().cloned().unwrap())
    }

    #[test]
    fn each_field_is_selected_once() {
        let columns = columns(&[("email", None), ("Account.Name", None), ("lastmodifieddate", None), ("Id", None)]);
        assert_eq!(
            columns.select(),
            "SELECT Id, SystemModstamp, IsDeleted, LastModifiedDate, LastModifiedById, MasterRecordId, email, \
             Account.Name FROM Contact"
        );
        assert_eq!(columns.own_fields()[5..], ["MasterRecordId", "email", "AccountId"]);
        assert_eq!(columns.paths().collect::<Vec<_>>(), [("Account", "Name")]);
    }

    #[test]
    fn a_record_becomes_a_row() {
        let columns = columns(&[
            ("email", Some(FieldType::Email)),
            ("Account.Name", Some(FieldType::String)),
            ("Owner.Manager.Name", None),
            ("Gone__c", None),
        ]);
        let body = json!({
            "Id": RECORD, "SystemModstamp": "2026-11-22T01:02:04.000+0000", "IsDeleted": true, "Email": "a@b",
            "LastModifiedDate": "2026-11-22T01:02:03.000+0000", "LastModifiedById": "0057e00000RmwSW",
            "MasterRecordId": "0031i000013x2TE", "Account": { "attributes": {}, "Name": "Acme" }, "Owner": null,
        });
        let row = columns.row(&record(body.clone()), US).unwrap();
        assert_eq!((&*row.key, row.deleted, row.merged_into.as_deref()), (RECORD, true, Some("0031i000013x2TEAAY")));
        assert_eq!(row.stamp, Some("2026-11-22T01:02:04Z".parse().unwrap()));
        assert_eq!(row.foreign_at, None, "it was us");
        assert_eq!(
            row.values,
            [
                ("email".to_owned(), "a@b".into()),
                ("Account.Name".to_owned(), "Acme".into()),
                ("Owner.Manager.Name".to_owned(), Stored::Null)
            ]
        );
        let other = columns.row(&record(body), "0057e00000RmwSXAAZ").unwrap();
        assert_eq!(other.foreign_at, Some("2026-11-22T01:02:03Z".parse().unwrap()));
        assert!(columns.row(&record(json!({ "Email": "x" })), US).is_none());
    }

    #[test]
    fn pages_go_on_behind_stamp_and_id() {
        let at: Timestamp = "2026-11-22T01:02:03Z".parse().unwrap();
        let cursor = Cursor { stamp: Some(at), id: RECORD.to_owned() };
        let again = Cursor::read(&cursor.bytes()).unwrap();
        assert_eq!((again.stamp, &*again.id), (Some(at), RECORD));
        assert_eq!(changed("S", at, None), " WHERE S >= 2026-11-22T01:02:03.000Z");
        assert_eq!(
            changed("S", Timestamp::UNIX_EPOCH, Some(&again)),
            format!(" WHERE S >= 2026-11-22T01:02:03.000Z AND (S > 2026-11-22T01:02:03.000Z OR Id > '{RECORD}')")
        );
        let plain = Cursor::read(&Cursor { stamp: None, id: RECORD.to_owned() }.bytes()).unwrap();
        assert_eq!(plain.stamp, None);
        for odd in [&b""[..], b"|", b"x|y", b"\xff|", b"2026-11-22T01:02:03.000Z|' OR Id != '"] {
            assert!(Cursor::read(odd).is_none());
        }
    }
}
