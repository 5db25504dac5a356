//! From a connection of the file to a system: the only place that knows which are which.

use std::sync::Arc;

use super::{
    database::Database,
    salesforce::{self, SalesforceSystem, WriteRules},
    system::System,
};
use crate::{
    Error, Result,
    config::{
        Access, Config, Connection,
        mapping::{Duplicates, MappingOptions},
    },
};

/// Logs in to the system of a connection of the file.
pub(crate) async fn open(config: &Config, connection: &Connection) -> Result<Arc<dyn System>> {
    let opened = match &connection.access {
        Access::Salesforce(org) => salesforce::login(org).await.map(|client| open_org(config, connection, client)),
        Access::Database(database) => {
            let opened = Database::new(connection.name.value.as_str(), database.url.expose());
            opened.map(|database| Arc::new(database) as Arc<dyn System>)
        }
    };
    opened.map_err(|error| named(connection, error))
}

/// An org, with what each mapping's writes may do on the side.
fn open_org(config: &Config, connection: &Connection, client: salesforce::Client) -> Arc<dyn System> {
    let rules = config.mappings.iter().map(|mapping| {
        let MappingOptions { assignment_rules, duplicates, .. } = mapping.options;
        let (duplicates_allowed, duplicates_asked) =
            (duplicates == Duplicates::Allow, duplicates == Duplicates::Manual);
        (mapping.name.value.clone(), WriteRules { assignment_rules, duplicates_allowed, duplicates_asked })
    });
    Arc::new(SalesforceSystem::new(connection.name.value.as_str(), client, rules.collect()))
}

fn named(connection: &Connection, error: Error) -> Error {
    let hint = error.hint().map(str::to_owned);
    let named = Error::new(error.kind(), format!("cannot open the connection `{}`", connection.name.value));
    let named = named.may_pass(error.is_retryable());
    match hint {
        Some(hint) => named.with_hint(hint).with_source(error),
        None => named.with_source(error),
    }
}
