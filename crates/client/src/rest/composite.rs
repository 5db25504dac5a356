//! Up to 25 requests in one call, one after the other, which may refer to each other (rest.md 3.1).

mod answer;

pub use answer::{CompositeResponse, SubResponse};
use bytes::Bytes;
use http::Response;

use crate::{
    AllOrNone, Client, Result, Subrequest,
    error::server_time,
    request::composite::{Whole, composite},
};

/// A composite request to be; see [`Client::composite`].
#[derive(Debug, Clone)]
#[must_use = "a composite does nothing unless sent"]
pub struct Composite {
    client: Client,
    all_or_none: AllOrNone,
    collate: Option<bool>,
    parts: Vec<Subrequest>,
}

impl Client {
    /// Up to 25 requests in one call, of which five may be queries or collections of 200 records: it counts as one
    /// API call, whatever is inside.
    ///
    /// Each writing part carries what is set about this client's writes ([`with_call_tag`](Self::with_call_tag) and
    /// the like); Salesforce does not hand such headers down by itself.
    ///
    /// ```no_run
    /// use tombolo_client::{AllOrNone, ErrorKind, Subrequest};
    /// # use tombolo_client::{Client, Fields, Record, Result};
    /// # async fn run(client: Client, acme: Fields, jane: Fields, old: Fields, stamp: jiff::Timestamp) -> Result<()> {
    /// let answer = client
    ///     .with_call_tag("tombolo.7.3.1042")?
    ///     .composite()
    ///     .add(Subrequest::create("acme", "Account", &acme))
    ///     .add(Subrequest::create("jane", "Contact", &jane)) // with "AccountId": "@{acme.id}"
    ///     .add(Subrequest::update("old", "Contact", "003000000000001AAA", &old).if_unmodified_since(stamp))
    ///     .send()
    ///     .await?;
    /// println!("{:?}", answer.get("acme")?.save_result()?.id);
    /// match answer.get("old")?.save_result() {
    ///     Err(error) if error.kind() == ErrorKind::PreconditionFailed => println!("somebody was faster"),
    ///     other => drop(other?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn composite(&self) -> Composite {
        Composite { client: self.clone(), all_or_none: AllOrNone::No, collate: None, parts: Vec::new() }
    }
}

impl Composite {
    /// Whether one part that fails undoes all others, those of collections included. Otherwise each collection has
    /// its own say.
    pub fn all_or_none(mut self, all_or_none: AllOrNone) -> Self {
        self.all_or_none = all_or_none;
        self
    }

    /// Whether the server may put independent parts that are alike together, and so change their order. Unless set
    /// it may (since version 49), but it leaves alone what has headers of its own.
    pub fn collate_subrequests(mut self, yes: bool) -> Self {
        self.collate = Some(yes);
        self
    }

    /// Adds a part.
    #[expect(clippy::should_implement_trait, reason = "it adds a part, not a number")]
    pub fn add(mut self, part: Subrequest) -> Self {
        self.parts.push(part);
        self
    }

    /// The parts so far.
    pub fn parts(&self) -> &[Subrequest] {
        &self.parts
    }

    /// Sends it, in one call.
    ///
    /// Refused before that is what the server would refuse as a whole: more than 25 parts, more than five queries
    /// and collections, more than 200 records in one, two parts of the same name, a reference to what is not there.
    ///
    /// An error is about the call. What became of each part is in the answer. If the call was lost, or its answer
    /// cannot be read, and a part writes, that is an [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome) of all
    /// parts that write; it is never sent again by itself.
    pub async fn send(self) -> Result<CompositeResponse> {
        let version = self.client.api_version();
        let write_headers = self.client.options().write_headers();
        let whole = Whole {
            all_or_none: self.all_or_none == AllOrNone::Yes,
            collate: self.collate,
            parts: &self.parts,
            write_headers: &write_headers,
        };
        let read = |answer: &Response<Bytes>| {
            let responses = answer::read(answer.body(), &self.parts, version)?;
            Ok(CompositeResponse { responses, server_time: server_time(answer.headers()) })
        };
        self.client.read_with(composite(version, &whole)?, read).await
    }
}
