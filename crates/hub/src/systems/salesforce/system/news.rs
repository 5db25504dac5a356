//! From change events to news.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value as Json;
use tombolo_client::ChangeMessage;
use tombolo_engine::sync::{Key, News, NewsKind, Stored, Tag, Values};
use tombolo_schema::Id;

use super::{object::Object, value};

/// What is wanted of an entity's events.
pub(super) struct Heard {
    pub(super) connection: String,
    /// As the plan spells it.
    pub(super) entity: String,
    pub(super) object: Arc<Object>,
    /// The fields, by name in lower case: as the plan spells them.
    pub(super) fields: HashMap<String, String>,
}

impl Heard {
    /// The news that an event tells: one for each of its records.
    ///
    /// Where an event does not tell a wanted value in full, a gap of the record comes behind it: the row is read.
    pub(super) fn news(&self, message: &ChangeMessage) -> Vec<News> {
        let header = &message.header;
        let kind = kind(&header.change_type);
        let whole = header.change_type == "GAP_OVERFLOW" || header.record_ids.is_empty();
        let keys: Option<Vec<Key>> = header.record_ids.iter().map(|id| record(id)).collect();
        let Some(keys) = keys.filter(|_| !whole) else {
            let id = header.record_ids.first().map_or("", String::as_str);
            return vec![self.told(message, None, id, NewsKind::Gap, Vec::new())];
        };
        let (values, untold) = match kind {
            NewsKind::Create | NewsKind::Update => self.values(message, kind == NewsKind::Create),
            _ => (Vec::new(), false),
        };
        let mut news = Vec::with_capacity(keys.len());
        for key in keys {
            news.push(self.told(message, Some(&key), &key, kind.clone(), values.clone()));
            if untold {
                news.push(self.told(message, Some(&key), &format!("{key}|rest"), NewsKind::Gap, Vec::new()));
            }
        }
        news
    }

    fn told(&self, message: &ChangeMessage, key: Option<&Key>, id: &str, kind: NewsKind, values: Values) -> News {
        let header = &message.header;
        News {
            connection: self.connection.clone(),
            entity: self.entity.clone(),
            key: key.cloned(),
            identity: format!("{}|{}|{}|{id}", message.channel, header.transaction_key, header.sequence_number),
            kind,
            values,
            origin: Tag::find(&header.change_origin),
            at: Timestamp::from_millisecond(header.commit_timestamp).ok(),
            order: None,
        }
    }

    /// The wanted values, and whether some of them are not told in full.
    fn values(&self, message: &ChangeMessage, created: bool) -> (Values, bool) {
        let wanted = |name: &str| self.fields.get(&name.to_ascii_lowercase());
        let mut told: Values = Vec::new();
        for (name, json) in message.fields() {
            if let Some(spelt) = wanted(&name) {
                let kind = self.object.field(&name).and_then(|field| field.kind);
                told.push((spelt.clone(), value::read(&json, kind)));
            }
        }
        let differences = message.diffed();
        let mut untold = differences.iter().any(|name| wanted(name).is_some());
        // Of a person's name the parts are told, and the whole is not.
        untold |= wanted("Name").is_some() && matches!(message.payload.get("Name"), Some(Json::Object(_)));
        if created {
            untold |= self.complete(&mut told, &differences);
        }
        (told, untold)
    }

    /// An event of a new record leaves out what is empty (`streaming.md 2.2`). Whether it leaves out more than that.
    fn complete(&self, told: &mut Values, differences: &[&str]) -> bool {
        let mut untold = false;
        for (name, spelt) in &self.fields {
            let Some(field) = self.object.field(name) else { continue };
            let known = |told: &Values| told.iter().any(|(told, _)| told == spelt);
            if known(told) || differences.iter().any(|difference| difference.eq_ignore_ascii_case(name)) {
                continue;
            }
            if field.writable {
                told.push((spelt.clone(), Stored::Null));
            }
            untold |= field.derived;
        }
        untold
    }
}

fn kind(change_type: &str) -> NewsKind {
    match change_type {
        "CREATE" => NewsKind::Create,
        "UPDATE" => NewsKind::Update,
        "DELETE" | "GAP_DELETE" => NewsKind::Delete { merged_into: None },
        "UNDELETE" => NewsKind::Undelete,
        // What cannot be understood is looked up: the one wrong answer is to drop it.
        _ => NewsKind::Gap,
    }
}

/// `001*` stands for any record, `000000000000000AAA` for all that an overflow swallowed (`streaming.md 2.1`).
fn record(text: &str) -> Option<Key> {
    let id = Id::parse(text).ok()?;
    id.short().bytes().any(|byte| byte != b'0').then(|| id.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tombolo_client::{ChangeEventHeader, ReplayId};

    use super::*;
    use crate::systems::salesforce::system::object::tests::contact;

    const RECORD: &str = "0035500001H9kZuAAJ";
    const OTHER: &str = "0031i000013x2TEAAY";

    fn heard(fields: &[&str]) -> Heard {
        Heard {
            connection: "crm".to_owned(),
            entity: "Contact".to_owned(),
            object: Arc::new(Object::of(&contact()).unwrap()),
            fields: fields.iter().map(|name| (name.to_ascii_lowercase(), (*name).to_owned())).collect(),
        }
    }

    fn message(change_type: &str, ids: &[&str], payload: Json) -> ChangeMessage {
        let header = json!({
            "entityName": "Contact", "recordIds": ids, "changeType": change_type, "transactionKey": "0001-t",
            "sequenceNumber": 2, "commitTimestamp": 1_795_309_323_000_i64,
            "changeOrigin": "com/salesforce/api/rest/66.0;client=tombolo.1.2.3",
        });
        let header: ChangeEventHeader = serde_json::from_value(header).unwrap();
        let payload = payload.as_object().cloned().unwrap();
        ChangeMessage { channel: "/data/ContactChangeEvent".to_owned(), replay: ReplayId::new("7"), header, payload }
    }

    fn sorted(mut values: Values) -> Values {
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    }

    #[test]
    fn an_update_tells_what_changed_and_is_wanted() {
        let update = json!({ "Name": { "LastName": "Li", "FirstName": null }, "Score__c": 5, "Phone": "1" });
        let news = heard(&["LastName", "FirstName", "score__c", "Email"]).news(&message("UPDATE", &[RECORD], update));
        assert_eq!(news.len(), 1);
        assert_eq!(news[0].key.as_deref(), Some(RECORD));
        assert_eq!(news[0].identity, format!("/data/ContactChangeEvent|0001-t|2|{RECORD}"));
        assert_eq!(news[0].origin, Some(Tag { shard: 1, epoch: 2, batch: 3 }));
        assert_eq!(news[0].at, Some("2026-11-22T01:02:03Z".parse().unwrap()));
        assert_eq!(
            sorted(news[0].values.clone()),
            [
                ("FirstName".to_owned(), Stored::Null),
                ("LastName".to_owned(), "Li".into()),
                ("score__c".to_owned(), Stored::Double(5.0))
            ]
        );
    }

    #[test]
    fn a_create_leaves_out_only_what_is_empty() {
        let create = json!({ "Name": { "LastName": "Li" }, "Agreed__c": true });
        let news = heard(&["LastName", "Email", "Agreed__c", "LastModifiedDate"]).news(&message(
            "CREATE",
            &[RECORD],
            create.clone(),
        ));
        assert_eq!(news.len(), 1, "nothing derived is wanted");
        assert_eq!(
            sorted(news[0].values.clone()),
            [
                ("Agreed__c".to_owned(), Stored::Boolean(true)),
                ("Email".to_owned(), Stored::Null),
                ("LastName".to_owned(), "Li".into())
            ]
        );
        let news = heard(&["LastName", "Grade__c"]).news(&message("CREATE", &[RECORD], create));
        assert_eq!(news.iter().map(|news| &news.kind).collect::<Vec<_>>(), [&NewsKind::Create, &NewsKind::Gap]);
    }

    #[test]
    fn what_is_not_told_in_full_is_read() {
        let difference = json!({ "Description": { "diff": "--- \n+++ x" } });
        let news = heard(&["Description"]).news(&message("UPDATE", &[RECORD], difference.clone()));
        assert_eq!(news.iter().map(|news| &news.kind).collect::<Vec<_>>(), [&NewsKind::Update, &NewsKind::Gap]);
        assert!(news[0].values.is_empty());
        assert_ne!(news[0].identity, news[1].identity);
        assert_eq!(heard(&["Email"]).news(&message("UPDATE", &[RECORD], difference)).len(), 1, "it is not wanted");
        let name = json!({ "Name": { "LastName": "Li" } });
        assert_eq!(heard(&["Name"]).news(&message("UPDATE", &[RECORD], name)).len(), 2);
    }

    #[test]
    fn an_event_of_several_records_is_several_changes() {
        let news = heard(&["Email"]).news(&message("UPDATE", &[RECORD, OTHER], json!({ "Email": "x" })));
        assert_eq!(news.iter().map(|news| news.key.as_deref()).collect::<Vec<_>>(), [Some(RECORD), Some(OTHER)]);
        assert_ne!(news[0].identity, news[1].identity);
    }

    #[test]
    fn gaps_of_a_record_and_of_everything() {
        for (change_type, ids, key, kind) in [
            ("GAP_UPDATE", &[RECORD][..], Some(RECORD), NewsKind::Gap),
            ("GAP_DELETE", &[RECORD], Some(RECORD), NewsKind::Delete { merged_into: None }),
            ("DELETE", &[RECORD], Some(RECORD), NewsKind::Delete { merged_into: None }),
            ("UNDELETE", &[RECORD], Some(RECORD), NewsKind::Undelete),
            ("GAP_UNDELETE", &[RECORD], Some(RECORD), NewsKind::Gap),
            ("OF_A_LATER_RELEASE", &[RECORD], Some(RECORD), NewsKind::Gap),
            ("GAP_OVERFLOW", &["000000000000000AAA"], None, NewsKind::Gap),
            ("UPDATE", &["003*"], None, NewsKind::Gap),
            ("UPDATE", &[], None, NewsKind::Gap),
        ] {
            let news = heard(&["Email"]).news(&message(change_type, ids, json!({ "Email": "x" })));
            assert_eq!(news.len(), 1, "{change_type}");
            assert_eq!((news[0].key.as_deref(), &news[0].kind), (key, &kind), "{change_type} {ids:?}");
            assert!(news[0].values.is_empty());
        }
    }
}
