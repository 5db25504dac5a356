//! How the log keeps an event's body: a private text, that no client sees.

use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};
use tombolo_schema::Id;

use super::{ChangeEvent, ChangeType};
use crate::core::record::{CoreError, Output, Result};

#[derive(Serialize, Deserialize)]
struct Kept {
    entity: String,
    change: String,
    ids: Vec<String>,
    changed: Vec<String>,
    fields: Vec<(String, KeptValue)>,
    origin: String,
    key: String,
    sequence: u32,
    at: i64,
    number: u64,
    user: String,
}

#[derive(Serialize, Deserialize)]
enum KeptValue {
    Null,
    Boolean(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Date(civil::Date),
    DateTime(Timestamp),
    Time(civil::Time),
    Compound(Vec<(String, KeptValue)>),
}

fn broken(error: impl std::fmt::Display) -> CoreError {
    CoreError::Internal(format!("the event log: {error}"))
}

pub(super) fn encode(event: &ChangeEvent) -> Result<String> {
    let fields = event.fields.iter().map(|(name, value)| Ok((name.to_string(), keep(value)?)));
    let kept = Kept {
        entity: event.entity.clone(),
        change: event.change_type.as_str().to_owned(),
        ids: event.record_ids.iter().map(|id| id.as_str().to_owned()).collect(),
        changed: event.changed_fields.clone(),
        fields: fields.collect::<Result<_>>()?,
        origin: event.origin.clone(),
        key: event.transaction_key.clone(),
        sequence: event.sequence_number,
        at: event.commit_timestamp,
        number: event.commit_number,
        user: event.commit_user.as_str().to_owned(),
    };
    serde_json::to_string(&kept).map_err(broken)
}

pub(super) fn decode(text: &str) -> Result<ChangeEvent> {
    let kept: Kept = serde_json::from_str(text).map_err(broken)?;
    Ok(ChangeEvent {
        entity: kept.entity,
        change_type: ChangeType::from_str(&kept.change).ok_or_else(|| broken("no such change type"))?,
        record_ids: kept.ids.iter().map(|id| Id::parse(id)).collect::<Result<_, _>>().map_err(broken)?,
        changed_fields: kept.changed,
        fields: kept.fields.into_iter().map(|(name, value)| (name.into(), give_back(value))).collect(),
        origin: kept.origin,
        transaction_key: kept.key,
        sequence_number: kept.sequence,
        commit_timestamp: kept.at,
        commit_number: kept.number,
        commit_user: Id::parse(&kept.user).map_err(broken)?,
    })
}

fn keep(value: &Output) -> Result<KeptValue> {
    Ok(match value {
        Output::Null => KeptValue::Null,
        Output::Boolean(on) => KeptValue::Boolean(*on),
        Output::Int(number) => KeptValue::Int(*number),
        Output::Double(number) => KeptValue::Double(*number),
        Output::Text(text) => KeptValue::Text(text.clone()),
        Output::Date(date) => KeptValue::Date(*date),
        Output::DateTime(moment) => KeptValue::DateTime(*moment),
        Output::Time(time) => KeptValue::Time(*time),
        Output::Compound(parts) => {
            let parts = parts.iter().map(|(name, value)| Ok((name.to_string(), keep(value)?)));
            KeptValue::Compound(parts.collect::<Result<_>>()?)
        }
        Output::Record(_) | Output::Children(_) | Output::Blob(_) => {
            return Err(broken("no event carries such a value"));
        }
    })
}

fn give_back(value: KeptValue) -> Output {
    match value {
        KeptValue::Null => Output::Null,
        KeptValue::Boolean(on) => Output::Boolean(on),
        KeptValue::Int(number) => Output::Int(number),
        KeptValue::Double(number) => Output::Double(number),
        KeptValue::Text(text) => Output::Text(text),
        KeptValue::Date(date) => Output::Date(date),
        KeptValue::DateTime(moment) => Output::DateTime(moment),
        KeptValue::Time(time) => Output::Time(time),
        KeptValue::Compound(parts) => {
            Output::Compound(parts.into_iter().map(|(name, value)| (name.into(), give_back(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_as_they_were() {
        let id = Id::from_number(*b"001", 7);
        let event = ChangeEvent {
            entity: "Account".to_owned(),
            change_type: ChangeType::Update,
            record_ids: vec![id],
            changed_fields: vec!["BillingAddress.City".to_owned()],
            fields: vec![
                ("Nulled".into(), Output::Null),
                ("Amount".into(), Output::Double(0.1)),
                ("CloseDate".into(), Output::Date(civil::date(2026, 1, 2))),
                ("At".into(), Output::DateTime(Timestamp::from_second(1_700_000_000).unwrap())),
                ("Time".into(), Output::Time(civil::time(1, 2, 3, 4_000_000))),
                ("BillingAddress".into(), Output::Compound(vec![("City".into(), Output::Text("Ü".to_owned()))])),
                ("On".into(), Output::Boolean(true)),
                ("Number".into(), Output::Int(-3)),
            ],
            origin: String::new(),
            transaction_key: "k".to_owned(),
            sequence_number: 1,
            commit_timestamp: 1_708_850_804_000,
            commit_number: 1_709_306_004_367_179_779,
            commit_user: id,
        };
        assert_eq!(decode(&encode(&event).unwrap()).unwrap(), event);
    }
}
