//! A change event as CometD delivers it (streaming.md 1.7, 2.1).

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    core::{ChangeEvent, StoredEvent},
    wire::json_out::Value,
};

/// A delivery on a channel.
pub(super) struct Delivery<'a> {
    pub(super) channel: &'a str,
    pub(super) stored: &'a StoredEvent,
}

impl Serialize for Delivery<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("data", &Data(self.stored))?;
        map.serialize_entry("channel", self.channel)?;
        map.end()
    }
}

struct Data<'a>(&'a StoredEvent);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Place {
            replay_id: u64,
        }
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("schema", &schema_id(&self.0.event))?;
        map.serialize_entry("payload", &Payload(&self.0.event))?;
        map.serialize_entry("event", &Place { replay_id: self.0.replay_id })?;
        map.end()
    }
}

struct Payload<'a>(&'a ChangeEvent);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const MODIFIED: &str = "LastModifiedDate";
        let event = self.0;
        let (before, after): (Vec<_>, Vec<_>) = event.fields.iter().partition(|(name, _)| **name == *MODIFIED);
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in before {
            map.serialize_entry(&**name, &Value { value, moment })?;
        }
        map.serialize_entry("ChangeEventHeader", &Header(event))?;
        for (name, value) in after {
            map.serialize_entry(&**name, &Value { value, moment })?;
        }
        map.end()
    }
}

struct Header<'a>(&'a ChangeEvent);

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let ids: Vec<_> = event.record_ids.iter().map(tombolo_schema::Id::as_str).collect();
        let mut map = serializer.serialize_map(Some(10))?;
        map.serialize_entry("commitNumber", &event.commit_number)?;
        map.serialize_entry("commitUser", event.commit_user.as_str())?;
        map.serialize_entry("sequenceNumber", &event.sequence_number)?;
        map.serialize_entry("entityName", &event.entity)?;
        map.serialize_entry("changeType", event.change_type.as_str())?;
        map.serialize_entry("changedFields", &event.changed_fields)?;
        map.serialize_entry("changeOrigin", &event.origin)?;
        map.serialize_entry("transactionKey", &event.transaction_key)?;
        map.serialize_entry("commitTimestamp", &event.commit_timestamp)?;
        map.serialize_entry("recordIds", &ids)?;
        map.end()
    }
}

/// `2024-02-25T08:46:44.000Z`: events write moments otherwise than rows.
fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// 22 characters, one text an object. Salesforce's are a hash of the Avro schema, which nothing here serves yet.
fn schema_id(event: &ChangeEvent) -> String {
    let digest = digest::digest(&digest::SHA256, format!("com.sforce.eventbus.{}", event.entity).as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{events::ChangeType, record::Output};
    use tombolo_schema::Id;

    #[test]
    fn it_looks_like_a_recorded_one() {
        let event = ChangeEvent {
            entity: "Distributor__c".to_owned(),
            change_type: ChangeType::Update,
            record_ids: vec![Id::parse("a02Hs0000179WZ2").unwrap()],
            changed_fields: vec!["Name".to_owned(), "LastModifiedDate".to_owned()],
            fields: vec![
                ("Name".into(), Output::Text("Mistral-7b".to_owned())),
                ("LastModifiedDate".into(), Output::DateTime("2024-02-25T08:46:44Z".parse().unwrap())),
            ],
            origin: "com/salesforce/api/rest/60.0".to_owned(),
            transaction_key: "00013cf0-cb61-dec0-e2bc-088707cf5744".to_owned(),
            sequence_number: 1,
            commit_timestamp: 1_708_850_804_000,
            commit_number: 11_640_466_607_976,
            commit_user: Id::parse("005Hs00000BkK19").unwrap(),
        };
        let stored = StoredEvent { replay_id: 15_529_464, event };
        let delivery = Delivery { channel: "/data/Distributor__ChangeEvent", stored: &stored };
        let text = serde_json::to_string(&delivery).unwrap();
        let (head, rest) = text.split_once("\",\"payload\":").unwrap();
        assert_eq!(head.len(), r#"{"data":{"schema":""#.len() + 22);
        assert_eq!(
            rest,
            r#"{"LastModifiedDate":"2024-02-25T08:46:44.000Z","ChangeEventHeader":{"commitNumber":11640466607976,"commitUser":"005Hs00000BkK19IAF","sequenceNumber":1,"entityName":"Distributor__c","changeType":"UPDATE","changedFields":["Name","LastModifiedDate"],"changeOrigin":"com/salesforce/api/rest/60.0","transactionKey":"00013cf0-cb61-dec0-e2bc-088707cf5744","commitTimestamp":1708850804000,"recordIds":["a02Hs0000179WZ2IAM"]},"Name":"Mistral-7b"},"event":{"replayId":15529464}},"channel":"/data/Distributor__ChangeEvent"}"#
        );
    }
}
