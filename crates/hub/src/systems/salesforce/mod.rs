//! Salesforce as a source. The only place that knows the client.

mod deletes;
mod describe;
mod errors;
mod fields;
mod login;
mod query;
mod stream;
mod system;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
pub(crate) use tombolo_client::Client;
use tombolo_engine::{Cursor, Row};
use tombolo_schema::Id;

pub(super) use self::login::client as login;

use self::errors::failed;
pub(crate) use self::system::{SalesforceSystem, WriteRules};
use super::{Deletes, Entity, News, Source, Stamps};
use crate::{Error, Result};

/// An org, through a client.
pub(crate) struct Salesforce {
    client: Client,
    calls: Mutex<HashMap<String, u64>>,
}

impl Salesforce {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, calls: Mutex::default() }
    }

    /// Counts calls made for an object.
    fn count(&self, object: &str, calls: usize) {
        let mut counts = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(object.to_owned()).or_default() += calls as u64;
    }

    async fn org_id(&self) -> Result<String> {
        let identity = self.client.identity().await.map_err(|error| failed("cannot reach the org", error))?;
        Ok(identity.organization_id)
    }

    async fn date(&self) -> Result<Timestamp> {
        date(&self.client).await
    }
}

/// The `Date` of an answer that costs no API call: the list of versions (`rest.md 2.3`).
async fn date(client: &Client) -> Result<Timestamp> {
    let request = http::Request::get("/services/data/")
        .body(bytes::Bytes::new())
        .map_err(|error| Error::failed("cannot ask for the org's time").with_source(error))?;
    let answer = client.request(request).await.map_err(|error| failed("cannot ask for the org's time", error))?;
    let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    let moment = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
    moment.ok_or_else(|| Error::failed("the org's answer has no date"))
}

impl Source for Salesforce {
    fn identity(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(self.org_id())
    }

    fn clock(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(self.date())
    }

    fn describe<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<Entity>> {
        Box::pin(self.describe_entity(object))
    }

    fn read<'a>(&'a self, entity: &'a Entity, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<Row>>> {
        Box::pin(self.read_rows(entity, ids))
    }

    fn page<'a>(
        &'a self,
        entity: &'a Entity,
        after: Option<Cursor>,
        bin: bool,
    ) -> BoxFuture<'a, Result<(Vec<Row>, bool)>> {
        Box::pin(self.read_page(entity, after, bin))
    }

    fn deleted<'a>(&'a self, entity: &'a Entity, since: Timestamp) -> BoxFuture<'a, Result<Deletes>> {
        Box::pin(self.list_deletes(entity, since))
    }

    fn list<'a>(&'a self, entity: &'a Entity, after: Option<Id>) -> BoxFuture<'a, Result<(Stamps, bool)>> {
        Box::pin(self.list_ids(entity, after))
    }

    fn listen(&self, entity: &Entity, after: Option<Vec<u8>>) -> BoxStream<'static, Result<News>> {
        stream::listen(&self.client, entity, after)
    }

    fn calls(&self, object: &str) -> u64 {
        let counts = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(object).copied().unwrap_or_default()
    }
}
