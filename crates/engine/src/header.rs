//! From the header of a change event to changes.

use jiff::Timestamp;
use tombolo_schema::Id;

use crate::{Change, ChangeIdentity, ChangeKind, Key, Position};

/// The header of a change event, in no particular wire format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeHeader {
    /// The object.
    pub entity: String,
    /// The records: usually one, several when events were merged, a wildcard when the source does not know.
    pub record_ids: Vec<String>,
    /// `CREATE`, `GAP_UPDATE`, …
    pub change_type: String,
    /// The fields an update touched.
    pub changed_fields: Vec<String>,
    /// The client that made the change.
    pub origin: String,
    /// The transaction.
    pub transaction_key: String,
    /// Its place in the transaction.
    pub sequence_number: u32,
    /// When it was committed.
    pub committed: Timestamp,
}

impl ChangeHeader {
    /// The changes that the event tells: one for each record, each known by an identity of its own.
    ///
    /// What cannot be understood becomes a gap of the whole entity, because the one wrong answer is to drop it.
    pub fn changes(&self, tenant: &str, system: &str, position: &Position) -> Vec<Change> {
        let kind = self.kind();
        let mut keys: Vec<Key> = self.record_ids.iter().map(|text| record_key(text)).collect();
        if keys.is_empty() || self.change_type == "GAP_OVERFLOW" || keys.contains(&Key::Entity) {
            keys = vec![Key::Entity];
        }
        keys.into_iter()
            .map(|key| Change {
                tenant: tenant.to_owned(),
                system: system.to_owned(),
                entity: self.entity.clone(),
                key,
                kind: if key == Key::Entity { ChangeKind::Gap } else { kind },
                changed_fields: self.changed_fields.clone(),
                position: position.clone(),
                origin: self.origin.clone(),
                committed: self.committed,
                identity: ChangeIdentity {
                    channel: position.channel.clone(),
                    transaction_key: self.transaction_key.clone(),
                    sequence_number: self.sequence_number,
                    key,
                },
            })
            .collect()
    }

    fn kind(&self) -> ChangeKind {
        match self.change_type.as_str() {
            "CREATE" => ChangeKind::Create,
            "UPDATE" => ChangeKind::Update,
            "DELETE" | "GAP_DELETE" => ChangeKind::Delete,
            "UNDELETE" => ChangeKind::Undelete,
            _ => ChangeKind::Gap,
        }
    }
}

/// `001*` stands for any record, `000000000000000AAA` for all that an overflow swallowed (`streaming.md 2.1`).
fn record_key(text: &str) -> Key {
    match Id::parse(text) {
        Ok(id) if id.short().bytes().any(|byte| byte != b'0') => Key::Record(id),
        _ => Key::Entity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn header(change_type: &str, record_ids: &[&str]) -> ChangeHeader {
        ChangeHeader {
            entity: "Account".to_owned(),
            record_ids: record_ids.iter().map(|id| (*id).to_owned()).collect(),
            change_type: change_type.to_owned(),
            changed_fields: Vec::new(),
            origin: String::new(),
            transaction_key: "0000".to_owned(),
            sequence_number: 1,
            committed: Timestamp::UNIX_EPOCH,
        }
    }

    fn keys_and_kinds(header: &ChangeHeader) -> Vec<(Option<String>, ChangeKind)> {
        let position = Position {
            source: "00D".to_owned(),
            channel: "/data/AccountChangeEvent".to_owned(),
            transport: Transport::CometD,
            bytes: b"7".to_vec(),
            committed: Timestamp::UNIX_EPOCH,
        };
        let record = |key| match key {
            Key::Record(id) => Some(Id::to_string(&id)),
            Key::Entity => None,
        };
        header.changes("t", "s", &position).into_iter().map(|c| (record(c.key), c.kind)).collect()
    }

    #[test]
    fn each_record_is_a_change_and_what_is_unclear_is_a_gap() {
        let (a, b) = ("0015500001QdQWaAAN", "0016f00002iPs9mAAC");
        let one = |id: &str, kind| (Some(id.to_owned()), kind);
        let all = vec![(None, ChangeKind::Gap)];
        for (change_type, ids, expected) in [
            ("CREATE", vec![a], vec![one(a, ChangeKind::Create)]),
            ("UPDATE", vec![a, b], vec![one(a, ChangeKind::Update), one(b, ChangeKind::Update)]),
            ("UPDATE", vec![&a[..15]], vec![one(a, ChangeKind::Update)]),
            ("UNDELETE", vec![a], vec![one(a, ChangeKind::Undelete)]),
            ("GAP_UPDATE", vec![a], vec![one(a, ChangeKind::Gap)]),
            ("GAP_DELETE", vec![a], vec![one(a, ChangeKind::Delete)]),
            ("SNAPSHOT", vec![a], vec![one(a, ChangeKind::Gap)]),
            ("GAP_OVERFLOW", vec!["000000000000000AAA"], all.clone()),
            ("GAP_OVERFLOW", vec![a], all.clone()),
            ("UPDATE", vec!["001*"], all.clone()),
            ("UPDATE", vec![a, "001*"], all.clone()),
            ("UPDATE", vec![], all.clone()),
            ("UPDATE", vec!["no id"], all),
        ] {
            assert_eq!(keys_and_kinds(&header(change_type, &ids)), expected, "{change_type} {ids:?}");
        }
    }
}
