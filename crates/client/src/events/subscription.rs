//! The subscription that callers hold, and the task behind it that does what the state machine says.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use http::{Response, header};
use jiff::Timestamp;
use tokio::{runtime::Handle, sync::mpsc, time::sleep};

use super::{
    Replay, ReplayId, StreamItem, Subscribe, bayeux,
    cookies::Cookies,
    machine::{Action, Input, Machine},
};
use crate::{
    Client, Error, ErrorKind, Result,
    auth::Session,
    error::server_time,
    request::bayeux::{Say, message},
};

/// Items that wait for the reader. When there are more, the server is not asked for the next ones.
const BUFFER: usize = 64;
/// What taking leave may take.
const LEAVE: Duration = Duration::from_secs(2);

type Items = mpsc::Sender<Result<StreamItem>>;

/// The events of a channel.
///
/// An error that [`is_retryable`](crate::Error::is_retryable) is news, not the end: the next poll goes on. After any
/// other error (a refused login, a channel that does not exist) the stream ends. A slow reader slows the server
/// down; nothing is dropped. Polling may be given up at any moment (`select!`). Must be polled inside a tokio
/// runtime.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use tombolo_client::{StreamItem, Subscribe};
///
/// # async fn run(client: tombolo_client::Client) -> tombolo_client::Result<()> {
/// let mut events = client.subscribe(Subscribe::new("/data/AccountChangeEvent"));
/// while let Some(item) = events.next().await {
///     match item {
///         Ok(StreamItem::Event(event)) => println!("{} {:?}", event.header.change_type, event.header.record_ids),
///         Ok(StreamItem::PositionLost { reason }) => eprintln!("read everything again: {reason}"),
///         Ok(_) => {}
///         Err(error) if error.is_retryable() => eprintln!("{error}; going on"),
///         Err(error) => return Err(error),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless polled"]
pub struct Subscription {
    source: Source,
    position: Option<ReplayId>,
}

enum Source {
    Unpolled(Box<(Client, Subscribe)>),
    Running(mpsc::Receiver<Result<StreamItem>>),
    Ended,
}

impl Subscription {
    pub(crate) fn new(client: Client, what: Subscribe) -> Self {
        let position = match &what.replay {
            Replay::After(id) => Some(id.clone()),
            Replay::New | Replay::All => None,
        };
        Self { source: Source::Unpolled(Box::new((client, what))), position }
    }

    /// The position of the last event that was handed over by this stream, or where it was told to begin. `None`
    /// before the first event, and after the position was lost.
    pub fn position(&self) -> Option<&ReplayId> {
        self.position.as_ref()
    }

    /// Starts the task with the first poll.
    fn start(&mut self) -> Result<()> {
        self.source = match std::mem::replace(&mut self.source, Source::Ended) {
            Source::Unpolled(start) => {
                let runtime = Handle::try_current().map_err(|e| {
                    let message = "a subscription is polled inside a tokio runtime";
                    Error::new(ErrorKind::Configuration, message).with_source(e)
                })?;
                let (sender, receiver) = mpsc::channel(BUFFER);
                runtime.spawn(run(start.0, start.1, sender));
                Source::Running(receiver)
            }
            started => started,
        };
        Ok(())
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Stream for Subscription {
    type Item = Result<StreamItem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(error) = self.start() {
            return Poll::Ready(Some(Err(error)));
        }
        let polled = match &mut self.source {
            Source::Running(items) => items.poll_recv(cx),
            Source::Unpolled(_) | Source::Ended => Poll::Ready(None),
        };
        match &polled {
            Poll::Ready(Some(Ok(StreamItem::Event(event)))) => self.position = Some(event.replay.clone()),
            Poll::Ready(Some(Ok(StreamItem::PositionLost { .. }))) => self.position = None,
            Poll::Ready(None) => self.source = Source::Ended,
            Poll::Ready(Some(_)) | Poll::Pending => {}
        }
        polled
    }
}

/// Performs what the machine asks for, until it stops or nobody listens any more.
async fn run(client: Client, what: Subscribe, items: Items) {
    let mut machine = Machine::new(what.channel, what.replay, client.shared().backoff.clone());
    let mut line = Line { client, cookies: Cookies::default(), messages: 0, session: None };
    let mut input = Input::Start;
    while let Some(outcome) = line.perform(machine.step(input), &items).await {
        input = outcome;
    }
    if let Some(client_id) = machine.client_id() {
        // The number of concurrent clients is limited: the place is given back. If that fails it expires.
        let say = Say::Disconnect { client_id: client_id.to_owned() };
        let _ = line.exchange(&say, LEAVE).await;
    }
}

/// The line to the server: one CometD session at a time.
struct Line {
    client: Client,
    cookies: Cookies,
    messages: u64,
    /// Which session of the org the last answer was for.
    session: Option<Arc<Session>>,
}

impl Line {
    /// Does everything on the list; `None` when it is over.
    async fn perform(&mut self, actions: Vec<Action>, items: &Items) -> Option<Input> {
        for action in actions {
            match action {
                Action::Give(item) => items.send(item).await.ok()?,
                Action::Pause(pause) => unless_closed(items, sleep(pause)).await?,
                Action::ForgetCookies => self.cookies = Cookies::default(),
                Action::Send { say, within } => {
                    let answer = unless_closed(items, self.exchange(&say, within)).await?;
                    return Some(answer.unwrap_or_else(Input::Failed));
                }
                Action::LogIn => {
                    let renewed = unless_closed(items, self.log_in()).await?;
                    return Some(renewed.map_or_else(Input::Failed, |()| Input::LoggedIn));
                }
                Action::Stop => return None,
            }
        }
        None
    }

    async fn exchange(&mut self, say: &Say, within: Duration) -> Result<Input> {
        self.messages += 1;
        let mut request = message(self.client.api_version(), self.messages, say, within)?;
        let (method, uri) = (request.method().clone(), request.uri().clone());
        if let Some(cookies) = self.cookies.header(uri.path()) {
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        let answer = self.client.send(request).await?;
        self.cookies.store(answer.headers());
        self.session = answer.extensions().get::<Arc<Session>>().cloned();
        read(&answer, uri.path()).map_err(|error| error.with_request(&method, &uri))
    }

    async fn log_in(&self) -> Result<()> {
        let sessions = &self.client.shared().sessions;
        match &self.session {
            Some(stale) => sessions.renew(stale).await.map(drop),
            None => sessions.current().await.map(drop),
        }
    }
}

/// Bayeux whatever the status: a 400 may carry it too (streaming.md 1.1).
fn read(answer: &Response<Bytes>, path: &str) -> Result<Input> {
    if let Some(messages) = bayeux::read(answer.body()) {
        let server_time = server_time(answer.headers()).unwrap_or_else(Timestamp::now);
        return Ok(Input::Answer { messages, server_time });
    }
    if answer.status().is_success() {
        return Err(Error::new(ErrorKind::Unavailable, "the answer is not one of a CometD server").mark_sent());
    }
    Err(Error::from_answer(answer, path))
}

async fn unless_closed<T>(items: &Items, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = items.closed() => None,
        done = work => Some(done),
    }
}
