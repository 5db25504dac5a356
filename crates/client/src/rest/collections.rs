//! Many records in one call. Longer lists are split; results come in the order of what was given.

use bytes::Bytes;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use tombolo_schema::{ApiVersion, ErrorCode};

use crate::{
    Client, Error, ErrorKind, Record, Result, SaveResult,
    client::decode,
    request::collections::{self, MAX_READ, MAX_WRITTEN},
};

/// Whether one bad record undoes the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AllOrNone {
    /// Each record for itself.
    #[default]
    No,
    /// All records or none. Holds within one call, so at most 200 records.
    Yes,
}

/// Writes and reads many records at once; see [`Client::collections`].
#[derive(Debug, Clone)]
pub struct Collections {
    client: Client,
}

impl Client {
    /// Many records in one call.
    ///
    /// ```no_run
    /// # async fn run(client: tombolo_client::Client) -> tombolo_client::Result<()> {
    /// let rows = client.collections().retrieve("Contact", &["003000000000001AAA"], &["Id", "LastName"]).await?;
    /// for row in rows.iter().flatten() {
    ///     println!("{:?}", row.get("LastName"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn collections(&self) -> Collections {
        Collections { client: self.clone() }
    }
}

impl Collections {
    /// Creates records, 200 a call.
    ///
    /// If a call after the first fails as a whole, what the earlier ones wrote stays written; give at most 200
    /// records to know exactly what an error is about. Records that met a lock are sent again.
    pub async fn create(&self, records: &[Record], all_or_none: AllOrNone) -> Result<Vec<SaveResult>> {
        let records: Vec<&Record> = records.iter().collect();
        self.write(&records, all_or_none, &collections::create).await
    }

    /// Changes records, 200 a call. Each holds its `Id` among its fields.
    pub async fn update(&self, records: &[Record], all_or_none: AllOrNone) -> Result<Vec<SaveResult>> {
        let records: Vec<&Record> = records.iter().collect();
        self.write(&records, all_or_none, &collections::update).await
    }

    /// Creates or changes records of one object, 200 a call, by an external id that each holds among its fields.
    ///
    /// ```no_run
    /// # use tombolo_client::{AllOrNone, Record};
    /// # async fn run(client: tombolo_client::Client, people: Vec<Record>) -> tombolo_client::Result<()> {
    /// let results = client.collections().upsert("Contact", "Penguin_Id__c", &people, AllOrNone::No).await?;
    /// println!("{} are new", results.iter().filter(|result| result.created == Some(true)).count());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn upsert(
        &self,
        object: &str,
        field: &str,
        records: &[Record],
        all_or_none: AllOrNone,
    ) -> Result<Vec<SaveResult>> {
        let records: Vec<&Record> = records.iter().collect();
        let request = |version, records: &[&Record], all| collections::upsert(version, object, field, records, all);
        self.write(&records, all_or_none, &request).await
    }

    /// Deletes records, 200 a call.
    pub async fn delete<I: AsRef<str>>(&self, ids: &[I], all_or_none: AllOrNone) -> Result<Vec<SaveResult>> {
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        self.write(&ids, all_or_none, &collections::delete).await
    }

    /// Reads records of one object, 2,000 a call. `None` stands for one that does not exist or is not visible.
    pub async fn retrieve<I: AsRef<str>, F: AsRef<str>>(
        &self,
        object: &str,
        ids: &[I],
        fields: &[F],
    ) -> Result<Vec<Option<Record>>> {
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let fields: Vec<&str> = fields.iter().map(AsRef::as_ref).collect();
        let mut records = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(MAX_READ) {
            let request = collections::retrieve(self.client.api_version(), object, chunk, &fields)?;
            records.extend(self.answers(request, chunk.len()).await?);
        }
        Ok(records)
    }

    async fn write<T: Copy>(
        &self,
        items: &[T],
        all_or_none: AllOrNone,
        request: &Making<'_, T>,
    ) -> Result<Vec<SaveResult>> {
        if all_or_none == AllOrNone::Yes && items.len() > MAX_WRITTEN {
            let message = format!("all or none holds for at most {MAX_WRITTEN} records, not for {}", items.len());
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let mut results = Vec::with_capacity(items.len());
        for chunk in items.chunks(MAX_WRITTEN) {
            results.extend(self.write_chunk(chunk, all_or_none, request).await?);
        }
        Ok(results)
    }

    /// A lock is met record by record, under a status of 200 (rest.md 6.4): those records were not written, and are
    /// sent again; with all or none, nothing was.
    async fn write_chunk<T: Copy>(
        &self,
        items: &[T],
        all_or_none: AllOrNone,
        request: &Making<'_, T>,
    ) -> Result<Vec<SaveResult>> {
        let (version, backoff) = (self.client.api_version(), &self.client.shared().backoff);
        let mut results: Vec<SaveResult> = self.answers(request(version, items, all_or_none)?, items.len()).await?;
        // Whoever sends once wants one call and its results.
        let attempts = if self.client.options().sends_once() { 1 } else { backoff.max_attempts() };
        for attempt in 1..attempts {
            let again = match all_or_none {
                AllOrNone::No => positions_locked(&results),
                AllOrNone::Yes if results.iter().any(is_locked) => (0..items.len()).collect(),
                AllOrNone::Yes => Vec::new(),
            };
            if again.is_empty() {
                break;
            }
            let delay = backoff.delay(attempt);
            if self.client.options().deadline().is_some_and(|deadline| deadline.left() <= delay) {
                break;
            }
            tokio::time::sleep(delay).await;
            let locked: Vec<T> = again.iter().map(|at| items[*at]).collect();
            let answers = match self.answers(request(version, &locked, all_or_none)?, locked.len()).await {
                Ok(answers) => answers,
                Err(error) if error.kind() == ErrorKind::UnknownOutcome => return Err(error),
                // Nothing was written: the records stay reported as locked, and the others' results are not lost.
                Err(_) => break,
            };
            for (at, result) in again.into_iter().zip(answers) {
                results[at] = result;
            }
        }
        Ok(results)
    }

    async fn answers<T: DeserializeOwned>(&self, request: Request<Bytes>, expected: usize) -> Result<Vec<T>> {
        let read = |answer: &Response<Bytes>| {
            let answers: Vec<T> = decode(answer)?;
            if answers.len() != expected {
                let message = format!("{expected} records were sent, but {} were answered", answers.len());
                return Err(Error::new(ErrorKind::Decode, message));
            }
            Ok(answers)
        };
        self.client.read_with(request, read).await
    }
}

/// How the request for some of the items is made.
type Making<'a, T> = dyn Fn(ApiVersion, &[T], AllOrNone) -> Result<Request<Bytes>> + Send + Sync + 'a;

fn is_locked(result: &SaveResult) -> bool {
    !result.success && result.errors.iter().any(|error| *error.code() == ErrorCode::UnableToLockRow)
}

fn positions_locked(results: &[SaveResult]) -> Vec<usize> {
    results.iter().enumerate().filter(|(_, result)| is_locked(result)).map(|(at, _)| at).collect()
}
