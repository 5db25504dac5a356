//! What a client adds to its calls: a tag, what writes may do on the side, how often they leave, and until when.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use tokio::time::Instant;

use crate::{
    Client, Error, ErrorKind, Result,
    request::{Deadline, Repeat, Writes},
};

/// As Salesforce spells it; inside a composite the name is JSON, not HTTP.
pub(crate) const CALL_OPTIONS: &str = "Sforce-Call-Options";
const DUPLICATE_RULES: &str = "Sforce-Duplicate-Rule-Header";
const ASSIGNMENT_RULES: &str = "Sforce-Auto-Assign";

/// A header to be: its name as Salesforce spells it, and its value.
pub(crate) type Header = (&'static str, HeaderValue);

/// What is set about the calls of one client. Clones of a client carry their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    tag: Option<Tag>,
    duplicates_allowed: bool,
    assignment_rules: Option<bool>,
    send_once: bool,
    deadline: Option<Deadline>,
}

/// The `NAME` of `Sforce-Call-Options: client=NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    name: String,
    header: HeaderValue,
}

impl Tag {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let wrong = || {
            let message = format!("`{name}` cannot be a client's name: letters, digits, blanks and `._-/` can");
            Error::new(ErrorKind::Configuration, message)
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._-/".contains(c);
        if name.trim().is_empty() || !name.chars().all(is_plain) {
            return Err(wrong());
        }
        let header = HeaderValue::try_from(format!("client={name}")).map_err(|_| wrong())?;
        Ok(Self { name: name.to_owned(), header })
    }

    pub(crate) fn header(&self) -> Header {
        (CALL_OPTIONS, self.header.clone())
    }
}

impl Options {
    pub(crate) fn new(name: Option<&str>) -> Result<Self> {
        Ok(Self { tag: name.map(Tag::new).transpose()?, ..Self::default() })
    }

    /// The name in the call options, for APIs that carry it in their body.
    pub(crate) fn call_tag(&self) -> Option<&str> {
        self.tag.as_ref().map(|tag| tag.name.as_str())
    }

    /// What a write carries. A subrequest of a composite inherits none of it (rest.md 2.8, 3.1).
    pub(crate) fn write_headers(&self) -> Vec<Header> {
        let mut headers: Vec<Header> = self.tag.iter().map(Tag::header).collect();
        if self.duplicates_allowed {
            headers.push((DUPLICATE_RULES, HeaderValue::from_static("allowSave=true")));
        }
        if let Some(rules) = self.assignment_rules {
            headers.push((ASSIGNMENT_RULES, HeaderValue::from_static(if rules { "TRUE" } else { "FALSE" })));
        }
        headers
    }

    pub(crate) fn sends_once(&self) -> bool {
        self.send_once
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The same without a deadline, for what is no single call.
    pub(crate) fn unhurried(&self) -> Self {
        Self { deadline: None, ..self.clone() }
    }

    /// Puts the options on a request. What it says itself stays.
    pub(crate) fn apply(&self, request: &mut Request<Bytes>) {
        let writes = request.extensions().get::<Writes>().is_some();
        let headers = if writes { self.write_headers() } else { self.tag.iter().map(Tag::header).collect() };
        for (name, value) in headers {
            let Ok(name) = HeaderName::try_from(name) else { continue };
            request.headers_mut().entry(name).or_insert(value);
        }
        if let Some(deadline) = self.deadline {
            request.extensions_mut().insert(deadline);
        }
        if self.send_once && writes {
            request.extensions_mut().insert(Repeat::Never);
        }
    }
}

impl Client {
    /// The same client under another `Sforce-Call-Options: client=TAG`, say for one batch of writes. It comes back in
    /// the `changeOrigin` of their change events.
    ///
    /// ```no_run
    /// # async fn run(client: tombolo_client::Client, fields: tombolo_client::Fields) -> tombolo_client::Result<()> {
    /// let batch = client.with_call_tag("tombolo.7.3.1042")?.with_assignment_rules(false).with_send_once(true);
    /// batch.update("Contact", "003000000000001AAA", &fields).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_call_tag(&self, tag: &str) -> Result<Self> {
        let tag = Some(Tag::new(tag)?);
        Ok(self.with_options(|options| options.tag = tag))
    }

    /// The same client, whose writes are saved (or not) although a duplicate rule that only warns finds a duplicate:
    /// `Sforce-Duplicate-Rule-Header: allowSave=true`. Salesforce's default is not.
    pub fn with_duplicates_allowed(&self, yes: bool) -> Self {
        self.with_options(|options| options.duplicates_allowed = yes)
    }

    /// The same client, whose writes run the assignment rules of accounts, cases and leads, or do not:
    /// `Sforce-Auto-Assign`. Salesforce's default is that they run.
    pub fn with_assignment_rules(&self, yes: bool) -> Self {
        self.with_options(|options| options.assignment_rules = Some(yes))
    }

    /// The same client, which sends no write again that may have been carried out: deletes and upserts neither,
    /// whatever the [`RetryPolicy`](crate::RetryPolicy) says. If the answer is lost the error is
    /// [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome).
    ///
    /// What certainly was not carried out is still sent again: there was no connection, it was turned away at the
    /// door, a lock was in the way of a row. A collection is one call with one set of results: its locked records
    /// are reported, not sent again.
    pub fn with_send_once(&self, yes: bool) -> Self {
        self.with_options(|options| options.send_once = yes)
    }

    /// The same client, all of whose calls are over at a moment, which is this long *from now*: logins, waiting and
    /// every attempt included. So a lease that is measured once bounds whatever is done under it. Subscriptions are
    /// no calls.
    ///
    /// What had not left by then is a [`Timeout`](crate::ErrorKind::Timeout); a write whose answer was still
    /// missing is an [`UnknownOutcome`](crate::ErrorKind::UnknownOutcome).
    pub fn with_deadline(&self, from_now: Duration) -> Self {
        // What lies beyond the end of time is no deadline.
        let deadline = Instant::now().checked_add(from_now).map(Deadline);
        self.with_options(|options| options.deadline = deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_a_header() {
        for (name, expect) in [
            ("payroll", Some("client=payroll")),
            ("tombolo.3.12.7", Some("client=tombolo.3.12.7")),
            ("sfdx toolbelt", Some("client=sfdx toolbelt")),
            ("", None),
            (" ", None),
            ("a;defaultNamespace=b", None),
            ("a,b", None),
            ("a\r\nX: y", None),
            ("ä", None),
        ] {
            let seen = Tag::new(name).ok().map(|tag| tag.header.to_str().unwrap().to_owned());
            assert_eq!(seen.as_deref(), expect, "{name:?}");
        }
    }

    #[test]
    fn what_a_request_is_given() {
        let options = Options {
            duplicates_allowed: true,
            assignment_rules: Some(false),
            send_once: true,
            ..Options::new(Some("t.1")).unwrap()
        };
        for (write, own, expect, repeat) in [
            (
                true,
                None,
                "sforce-auto-assign: FALSE, sforce-call-options: client=t.1, sforce-duplicate-rule-header: allowSave=true",
                Repeat::Never,
            ),
            (
                true,
                Some("client=mine"),
                "sforce-auto-assign: FALSE, sforce-call-options: client=mine, sforce-duplicate-rule-header: allowSave=true",
                Repeat::Never,
            ),
            (false, None, "sforce-call-options: client=t.1", Repeat::Safe),
        ] {
            let mut request = Request::get("/x").extension(Repeat::Safe).body(Bytes::new()).unwrap();
            if write {
                request.extensions_mut().insert(Writes);
            }
            if let Some(own) = own {
                request.headers_mut().insert("sforce-call-options", HeaderValue::from_static(own));
            }
            options.apply(&mut request);
            let mut headers: Vec<_> =
                request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            headers.sort();
            assert_eq!(headers.join(", "), expect);
            assert_eq!(request.extensions().get(), Some(&repeat));
        }
    }
}
