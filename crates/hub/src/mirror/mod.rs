//! Salesforce objects in a database, and kept there.

mod clock;
mod options;
mod report;
mod requests;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;
mod worker;

use std::{future::Future, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{mpsc, watch};
use tombolo_engine::mirror::State;

pub use options::MirrorOptions;
pub use report::{ObjectReport, Progress, Report};
pub use tombolo_engine::mirror::Settings;

pub use crate::store::{Applied, Target, failpoint_names};
use crate::{
    Error, Result,
    store::{Owner, SqlStore, Store},
    systems::{Client, Entity, Salesforce, Source},
};
use clock::Clock;
use worker::{Desk, Worker};

/// A mirror that is ready to run: objects are known, tables are made, the database is locked against a second one.
pub struct Mirror {
    desk: Desk,
    org: String,
    options: MirrorOptions,
    entities: Vec<(Entity, State)>,
    stop: watch::Sender<bool>,
}

impl Mirror {
    /// Looks at the org and the database, and makes what is missing. Nothing is made if anything is refused.
    pub async fn open(client: Client, options: MirrorOptions) -> Result<Self> {
        let source = Arc::new(Salesforce::new(client));
        let failpoints = options.failpoints.clone();
        let (org, entities) = look(&*source, &options).await?;
        let (schema, tenant) = (options.schema.as_deref(), &options.tenant);
        let store = Arc::new(SqlStore::open(&options.to, schema, tenant, failpoints).await?);
        Self::over(source, store, options, org, entities).await
    }

    async fn over(
        source: Arc<dyn Source>,
        store: Arc<dyn Store>,
        options: MirrorOptions,
        org: String,
        entities: Vec<Entity>,
    ) -> Result<Self> {
        let clock = Clock::set(source.clock().await?);
        let tables: Vec<_> = entities.iter().map(|entity| entity.table.clone()).collect();
        let owner = Owner { tenant: options.tenant.clone(), org: org.clone() };
        let states = match store.prepare(&owner, &tables).await {
            Ok(states) => states,
            Err(error) => {
                // The refusal is the news; that the lock goes as well is not.
                drop(store.close().await);
                return Err(error);
            }
        };
        let (stop, _) = watch::channel(false);
        let desk = Desk { source, store, clock, failpoints: options.failpoints.clone() };
        Ok(Self { desk, org, options, entities: entities.into_iter().zip(states).collect(), stop })
    }

    /// Runs until the shutdown resolves, with [`MirrorOptions::once`] until everything was read, or until it fails.
    ///
    /// Progress has to be taken or its receiver dropped: a full channel slows the mirror down.
    pub async fn run(self, shutdown: impl Future<Output = ()>, progress: mpsc::Sender<Progress>) -> Result<Report> {
        let result = self.run_workers(shutdown, &progress).await;
        let closed = self.desk.store.close().await;
        let mut report = result?;
        closed?;
        report.objects.sort_by_key(|object| self.place(&object.object));
        Ok(report)
    }

    async fn run_workers(
        &self,
        shutdown: impl Future<Output = ()>,
        progress: &mpsc::Sender<Progress>,
    ) -> Result<Report> {
        let mut workers: FuturesUnordered<_> = self
            .entities
            .iter()
            .map(|(entity, state)| {
                let worker = Worker::new(self.desk.clone(), &self.org, entity.clone(), &self.options, progress.clone());
                let stop = self.stop.subscribe();
                let state = state.clone();
                // Tasks of their own, so that objects do not wait for each other's work.
                tokio::spawn(async move { worker.run(state, stop).await })
            })
            .collect();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut stopping = false;
        let mut first_error = None;
        let mut report = Report { objects: Vec::new() };
        loop {
            let ended = tokio::select! {
                () = &mut shutdown, if !stopping => {
                    stopping = true;
                    self.stop.send_replace(true);
                    continue;
                }
                ended = workers.next() => ended,
            };
            let Some(ended) = ended else { break };
            match ended.map_err(|error| Error::failed("a worker ended").with_source(error)).flatten() {
                Ok(object) => report.objects.push(object),
                Err(error) => {
                    self.stop.send_replace(true);
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(report), Err)
    }

    /// Where an object stood in the list that was asked for.
    fn place(&self, object: &str) -> usize {
        self.entities.iter().position(|(entity, _)| entity.table.object == object).unwrap_or_default()
    }
}

/// The org's Id and the objects that were asked for, each once.
async fn look(source: &dyn Source, options: &MirrorOptions) -> Result<(String, Vec<Entity>)> {
    if options.objects.is_empty() {
        return Err(Error::usage("no object to mirror was named"));
    }
    let org = source.identity().await?;
    let mut entities: Vec<Entity> = Vec::new();
    for object in &options.objects {
        let entity = source.describe(object).await?;
        if !entities.iter().any(|known| known.table.object == entity.table.object) {
            entities.push(entity);
        }
    }
    Ok((org, entities))
}
