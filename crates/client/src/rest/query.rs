//! Queries: page by page, or as a stream that asks for the next page while the current one is consumed.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream};
use http::{Request, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::pages::{Page, Pages};
use crate::{
    Client, Error, ErrorKind, Record, Result,
    client::decode,
    error::server_time,
    request::query::{self, Scope},
};

/// One page of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPage {
    /// The number of records of all pages.
    pub total_size: u64,
    /// Whether this is the last page.
    pub done: bool,
    /// The records of this page.
    pub records: Vec<Record>,
    /// Where the next page is; for [`Client::next_page`].
    pub next: Option<String>,
    /// The server's clock when it answered (the answer's `Date`), whole seconds. A part of a composite has none of
    /// its own.
    pub server_time: Option<Timestamp>,
}

/// A page as it comes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    total_size: u64,
    done: bool,
    records: Vec<Record>,
    next_records_url: Option<String>,
}

impl TryFrom<Answered> for QueryPage {
    type Error = Error;

    fn try_from(page: Answered) -> Result<Self> {
        let Answered { total_size, done, records, next_records_url } = page;
        if !done && next_records_url.is_none() {
            // To go on as if it were the last page would lose records without a word.
            return Err(Error::new(ErrorKind::Decode, "the query has more pages, but the answer does not say where"));
        }
        Ok(Self { total_size, done, records, next: next_records_url.filter(|_| !done), server_time: None })
    }
}

/// The records of a query. Ends after its first error.
#[must_use = "a stream does nothing unless polled"]
pub struct RecordStream {
    pages: Pages<Record>,
    first: Arc<OnceLock<First>>,
}

/// What the first page says about all of them.
#[derive(Debug)]
struct First {
    total_size: u64,
    server_time: Option<Timestamp>,
}

impl RecordStream {
    fn new(client: &Client, soql: String, scope: Scope) -> Self {
        let known = Arc::new(OnceLock::new());
        let (first_client, first_known) = (client.clone(), known.clone());
        let first = async move {
            let page = first_client.page(query::query(first_client.api_version(), &soql, scope)?).await?;
            // Set once, here.
            let _ = first_known.set(First { total_size: page.total_size, server_time: page.server_time });
            Ok(Page { items: page.records, next: page.next })
        };
        let client = client.clone();
        let fetch = move |next: String| {
            let client = client.clone();
            let page = async move { client.next_page(&next).await };
            page.map(|page| page.map(|page| Page { items: page.records, next: page.next })).boxed()
        };
        Self { pages: Pages::new(first.boxed(), fetch), first: known }
    }

    /// The number of records of all pages, once the first page has come.
    pub fn total_size(&self) -> Option<u64> {
        self.first.get().map(|first| first.total_size)
    }

    /// The server's clock when it answered with the first page (the answer's `Date`), whole seconds.
    pub fn server_time(&self) -> Option<Timestamp> {
        self.first.get()?.server_time
    }
}

impl fmt::Debug for RecordStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordStream").field("total_size", &self.total_size()).finish_non_exhaustive()
    }
}

impl Stream for RecordStream {
    type Item = Result<Record>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.pages).poll_next(cx)
    }
}

impl Client {
    /// Runs a query and gives its records one by one.
    pub fn query(&self, soql: impl Into<String>) -> RecordStream {
        RecordStream::new(self, soql.into(), Scope::Live)
    }

    /// Like [`query`](Self::query), deleted and archived records included.
    pub fn query_all(&self, soql: impl Into<String>) -> RecordStream {
        RecordStream::new(self, soql.into(), Scope::All)
    }

    /// Runs a query and gives its first page.
    pub async fn query_page(&self, soql: &str) -> Result<QueryPage> {
        self.page(query::query(self.api_version(), soql, Scope::Live)?).await
    }

    /// Like [`query_page`](Self::query_page), deleted and archived records included.
    pub async fn query_all_page(&self, soql: &str) -> Result<QueryPage> {
        self.page(query::query(self.api_version(), soql, Scope::All)?).await
    }

    /// The page after one that was not the last. An address outside the org is refused.
    pub async fn next_page(&self, next: &str) -> Result<QueryPage> {
        self.page(query::next_page(next)?).await
    }

    /// The number that a `SELECT COUNT() FROM …` counts.
    pub async fn count(&self, soql: &str) -> Result<u64> {
        Ok(self.query_page(soql).await?.total_size)
    }

    async fn page(&self, request: Request<Bytes>) -> Result<QueryPage> {
        let read = |answer: &Response<Bytes>| {
            let page = QueryPage::try_from(decode::<Answered>(answer)?)?;
            Ok(QueryPage { server_time: server_time(answer.headers()), ..page })
        };
        self.read_with(request, read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Result<QueryPage> {
        serde_json::from_str::<Answered>(body).unwrap().try_into()
    }

    #[test]
    fn pages_that_say_where_to_go_on() {
        let last = page(r#"{"totalSize":1,"done":true,"records":[{"attributes":{"type":"A"},"Id":"1"}]}"#).unwrap();
        assert_eq!((last.total_size, last.next.as_deref(), last.records[0].object()), (1, None, "A"));
        let first =
            page(r#"{"done":false,"totalSize":3,"records":[],"nextRecordsUrl":"/services/data/v66.0/query/01g-1"}"#);
        assert_eq!(first.unwrap().next.as_deref(), Some("/services/data/v66.0/query/01g-1"));
        let lost = page(r#"{"totalSize":3,"done":false,"records":[]}"#).unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Decode);
    }
}
