//! The org through the eyes of the engine: against a local org, and against a server that answers by script.

mod live;
mod scripted;
mod server;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;
use tombolo_client::{Client, Credentials, RetryPolicy};
use tombolo_engine::sync::{
    Batch, Canon, Class, Connection, DeleteConflict, Deletes, End, FieldPair, Flow, Key, Mapping, Operation,
    ParentPath, Plan, Policy, Side, Stored, Style, Tag, Values, Write,
};

use super::*;

const TAG: Tag = Tag { shard: 7, epoch: 3, batch: 42 };

fn client(origin: &str, token: &str) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let impatient = RetryPolicy::default().max_attempts(2).delays(Duration::from_millis(1), Duration::from_millis(2));
    Client::builder().credentials(Credentials::token(origin, token)).retry(impatient).build().unwrap()
}

fn end(connection: &str, entity: &str, style: Style) -> End {
    End {
        connection: connection.to_owned(),
        entity: entity.to_owned(),
        style,
        external_id: (connection == "crm").then(|| "Penguin_Id__c".to_owned()),
        filter: None,
        watch: Vec::new(),
        creates: true,
        key: None,
        tenant_column: None,
    }
}

fn pair(left: &str, right: &str) -> FieldPair {
    let path = left.split_once('.').map(|(parent, field)| ParentPath {
        via: format!("{parent}Id"),
        parent: parent.to_owned(),
        field: field.to_owned(),
    });
    FieldPair {
        names: [left.to_owned(), right.to_owned()],
        flow: Flow::Both,
        policy: Policy::Wins(Side::Left),
        canon: Canon::Text(None),
        reference: None,
        path,
    }
}

/// Contacts of an org and of an app, which want these fields of the org.
fn plan(style: Style, fields: &[&str]) -> Arc<Plan> {
    let mapping = Mapping {
        name: "contact".to_owned(),
        ends: [end("crm", "Contact", style), end("app", "contacts", Style::Compared)],
        fields: fields.iter().map(|name| pair(name, &name.to_lowercase())).collect(),
        match_on: Vec::new(),
        deletes: [Deletes::Hard, Deletes::Hard],
        delete_conflict: DeleteConflict::Keep,
    };
    let connection = Connection { batch: 1000, parallel: 4, budgeted: true };
    let connections = BTreeMap::from([("crm".to_owned(), connection)]);
    Arc::new(Plan { tenant: String::new(), mappings: vec![mapping], connections })
}

fn values(values: &[(&str, Stored)]) -> Values {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn write(operation: Operation, fields: &[(&str, Stored)]) -> Write {
    Write {
        link: 1,
        mapping: 0,
        side: Side::Left,
        operation,
        values: values(fields),
        expect: Vec::new(),
        unmodified_since: None,
        operation_id: "1.1".to_owned(),
        insists: false,
        group: None,
    }
}

fn create(other: &str, fields: &[(&str, Stored)]) -> Write {
    write(Operation::Create { key: None, other: other.to_owned() }, fields)
}

fn update(key: &Key, fields: &[(&str, Stored)]) -> Write {
    write(Operation::Update(key.clone()), fields)
}

fn batch(writes: Vec<Write>) -> Batch {
    Batch { tag: TAG, connection: "crm".to_owned(), writes, class: Class::Live }
}

fn fence() -> Fence {
    Fence { shard: 7, epoch: 3, until: Instant::now() + Duration::from_secs(30) }
}
