//! Wake-ups through Redis: another process notices at once what it would find by asking a little later.
//!
//! Nothing is kept there, and nothing depends on it: who waits for a wake-up also asks the state from time to time.
//! While Redis is away nobody is woken; when it is back everybody is told to look, because something may have been
//! missed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use redis::{
    Client, RedisError, TlsCertificates,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
};
use tombolo_engine::sync::{
    Command, Conflict, DeadLetter, Gap, History, Link, LinkId, Load, Loaded, Reservation, Reserved, Start, Transaction,
};

use super::{Lease, Standing, State, Status, Wake, Wakes};
use crate::{Error, Result, config::Redis};

impl Wake {
    fn text(self) -> String {
        match self {
            Self::Asked(shard) => format!("asked {shard}"),
            Self::Released(shard) => format!("released {shard}"),
            Self::All => "all".to_owned(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (what, shard) = text.split_once(' ').unwrap_or((text, "0"));
        let shard = shard.parse().ok()?;
        match what {
            "asked" => Some(Self::Asked(shard)),
            "released" => Some(Self::Released(shard)),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// How long to wait before Redis is asked again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a person waits until a hub is woken.
const BRIEFLY: Duration = Duration::from_secs(1);
/// How long nothing may be told before Redis is asked whether it is there.
const QUIET: Duration = Duration::from_secs(30);
/// How many wake-ups wait to be sent while Redis is slow; for more, one is sent that stands for all.
const WAITING: usize = 256;

/// Tells others and is told by them. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Wakeup {
    outgoing: mpsc::Sender<Wake>,
    /// Some did not fit.
    missed: Arc<AtomicBool>,
    heard: broadcast::Sender<Wake>,
    tasks: [JoinHandle<()>; 2],
}

impl Wakeup {
    /// Begins to tell and to listen, in the background, under a name that all processes of one installation share. Only
    /// an address that cannot be read is an error: a Redis that is away is asked again.
    pub(crate) fn start(redis: &Redis, name: &str) -> Result<Self> {
        let (client, channel) = (client(redis)?, channel(name));
        let (outgoing, waiting) = mpsc::channel(WAITING);
        let (heard, _) = broadcast::channel(WAITING);
        let missed = Arc::new(AtomicBool::new(false));
        let tasks = [
            tokio::spawn(tell(client.clone(), channel.clone(), waiting, missed.clone())),
            tokio::spawn(listen(client, channel, heard.clone())),
        ];
        Ok(Self { outgoing, missed, heard, tasks })
    }

    /// Wakes whoever listens, here and elsewhere, if it can be done; it is never waited for.
    pub(crate) fn tell(&self, wake: Wake) {
        if self.outgoing.try_send(wake).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }

    /// What is told from now on. One that lags has to look at everything.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Wake> {
        self.heard.subscribe()
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Whether an address can be read.
pub(crate) fn is_address(url: &str) -> bool {
    Client::open(url).is_ok()
}

/// Whoever is trusted over TLS is known from here on: a file of certificates is read once.
fn client(redis: &Redis) -> Result<Client> {
    let url = redis.url.expose();
    let Some(path) = &redis.ca_cert else {
        // The parser's own message may quote the address, and with it the password.
        return Client::open(url).map_err(|_| {
            Error::usage("the address of Redis cannot be read")
                .with_hint("it looks like redis://host:6379, or rediss://host:6380 over TLS")
        });
    };
    let unread = |what: &str| Error::usage(format!("{what} redis_ca_cert {}", path.display()));
    let pem = std::fs::read(path).map_err(|error| unread("cannot read").with_source(error))?;
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
    let none = !String::from_utf8_lossy(&pem).contains("BEGIN CERTIFICATE");
    match Client::build_with_tls(url, trusted) {
        Ok(client) if !none => Ok(client),
        _ => Err(unread("there is no certificate in").with_hint("it holds one or more in PEM")),
    }
}

/// Why Redis does not serve. Of most errors the kind alone: the text may quote the address. What the network and TLS
/// say does not.
fn why(error: &RedisError) -> String {
    if error.is_io_error() { error.to_string() } else { error.category().to_owned() }
}

fn channel(name: &str) -> String {
    format!("tombolo:{name}")
}

/// Asks once, and says why it does not work.
#[cfg(test)]
pub(crate) async fn trouble(redis: &Redis) -> std::result::Result<(), String> {
    let client = client(redis).map_err(|error| error.to_string())?;
    in_time(publish(&client, &mut None, "test", Wake::All)).await.map_err(|error| why(&error))
}

/// A pause that grows with every failure.
struct Pause(Duration);

impl Pause {
    const fn new() -> Self {
        Self(PAUSES.0)
    }

    async fn wait(&mut self) {
        let jitter = fastrand::f64().mul_add(0.5, 0.75);
        tokio::time::sleep(self.0.mul_f64(jitter)).await;
        self.0 = (self.0 * 2).min(PAUSES.1);
    }
}

async fn tell(client: Client, channel: String, mut waiting: mpsc::Receiver<Wake>, missed: Arc<AtomicBool>) {
    let mut connection: Option<MultiplexedConnection> = None;
    while let Some(wake) = waiting.recv().await {
        let wake = if missed.swap(false, Ordering::Relaxed) { Wake::All } else { wake };
        let mut pause = Pause::new();
        // What was not sent is sent when Redis is back, so that nobody has to wait for a poll.
        while let Err(error) = publish(&client, &mut connection, &channel, wake).await {
            connection = None;
            tracing::debug!(error = why(&error), "nobody is woken");
            pause.wait().await;
        }
    }
}

async fn publish(
    client: &Client,
    connection: &mut Option<MultiplexedConnection>,
    channel: &str,
    wake: Wake,
) -> redis::RedisResult<()> {
    let sending = async {
        let connection = match connection {
            Some(connection) => connection,
            empty => empty.insert(client.get_multiplexed_async_connection().await?),
        };
        redis::cmd("PUBLISH").arg(channel).arg(wake.text()).exec_async(connection).await
    };
    in_time(sending).await
}

async fn listen(client: Client, channel: String, heard: broadcast::Sender<Wake>) {
    let mut pause = Pause::new();
    // One line for each time that it goes away, however often it is asked again.
    let mut told = false;
    loop {
        match in_time(subscribe(&client, &channel)).await {
            Ok(subscription) => {
                (pause, told) = (Pause::new(), false);
                // Whatever was told before was not heard. Nobody listening here is no error.
                drop(heard.send(Wake::All));
                pass_on(subscription, &heard).await;
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!("Redis does not serve ({}): what is asked is noticed a little later", why(&error));
            }
            Err(error) => tracing::debug!(error = why(&error), "Redis is away"),
        }
        pause.wait().await;
    }
}

async fn subscribe(client: &Client, channel: &str) -> redis::RedisResult<PubSub> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(channel).await?;
    Ok(subscription)
}

/// Passes on what is told until the connection ends, or is silent even when it is spoken to.
async fn pass_on(subscription: PubSub, heard: &broadcast::Sender<Wake>) {
    let (mut sink, mut messages) = subscription.split();
    loop {
        match tokio::time::timeout(QUIET, messages.next()).await {
            Ok(Some(message)) => {
                if let Some(wake) = message.get_payload::<String>().ok().and_then(|text| Wake::read(&text)) {
                    drop(heard.send(wake));
                }
            }
            Ok(None) => return,
            Err(_) if in_time(sink.ping::<redis::Value>()).await.is_err() => return,
            Err(_) => {}
        }
    }
}

async fn in_time<T>(asking: impl Future<Output = redis::RedisResult<T>>) -> redis::RedisResult<T> {
    let late = |_| redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(PATIENCE, asking).await.map_err(late)?
}

/// A state that wakes others when something is asked or a shard is given back.
pub(crate) struct WakingState {
    state: Arc<dyn State>,
    teller: Teller,
}

/// How others are woken.
enum Teller {
    /// By a process that goes on: in the background, and it is woken itself.
    Background(Wakeup),
    /// By a process that ends right after: once, before it goes on.
    Once(Box<Client>, String),
}

impl WakingState {
    /// The same state, for a process that works on it.
    pub(crate) fn working(state: Arc<dyn State>, redis: &Redis, name: &str) -> Result<Self> {
        Ok(Self { state, teller: Teller::Background(Wakeup::start(redis, name)?) })
    }

    /// The same state, for a process that asks something and ends.
    pub(crate) fn asking(state: Arc<dyn State>, redis: &Redis, name: &str) -> Result<Self> {
        Ok(Self { state, teller: Teller::Once(Box::new(client(redis)?), channel(name)) })
    }

    async fn tell(&self, wake: Wake) {
        match &self.teller {
            Teller::Background(wakeup) => wakeup.tell(wake),
            Teller::Once(client, channel) => {
                let told = tokio::time::timeout(BRIEFLY, publish(client, &mut None, channel, wake)).await;
                let why = match told {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => why(&error),
                    Err(_) => "no answer".to_owned(),
                };
                tracing::warn!("Redis does not serve ({why}): what is asked is noticed a little later");
            }
        }
    }
}

impl State for WakingState {
    fn wakes(&self) -> Wakes {
        match &self.teller {
            Teller::Background(wakeup) => Wakes::of(wakeup.listen()),
            Teller::Once(..) => Wakes::none(),
        }
    }

    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        self.state.prepare()
    }

    fn shard<'a>(&'a self, tenant: &'a str) -> BoxFuture<'a, Result<u64>> {
        self.state.shard(tenant)
    }

    fn acquire<'a>(&'a self, shard: u64, holder: &'a str, lease: Duration) -> BoxFuture<'a, Result<Option<Lease>>> {
        self.state.acquire(shard, holder, lease)
    }

    fn renew<'a>(&'a self, lease: &'a Lease, length: Duration) -> BoxFuture<'a, Result<bool>> {
        self.state.renew(lease, length)
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.state.release(lease).await?;
            self.tell(Wake::Released(lease.shard)).await;
            Ok(())
        })
    }

    fn shape(&self, shard: u64) -> BoxFuture<'_, Result<Option<String>>> {
        self.state.shape(shard)
    }

    fn keep_shape<'a>(&'a self, shard: u64, shape: &'a str) -> BoxFuture<'a, Result<()>> {
        self.state.keep_shape(shard, shape)
    }

    fn start<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Start>> {
        self.state.start(lease)
    }

    fn commit<'a>(&'a self, lease: &'a Lease, transaction: &'a Transaction) -> BoxFuture<'a, Result<Vec<u64>>> {
        self.state.commit(lease, transaction)
    }

    fn load<'a>(&'a self, shard: u64, load: &'a Load) -> BoxFuture<'a, Result<Loaded>> {
        self.state.load(shard, load)
    }

    fn commands(&self, shard: u64) -> BoxFuture<'_, Result<Vec<(u64, Command)>>> {
        self.state.commands(shard)
    }

    fn ask<'a>(&'a self, shard: u64, command: &'a Command) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            let number = self.state.ask(shard, command).await?;
            self.tell(Wake::Asked(shard)).await;
            Ok(number)
        })
    }

    fn status(&self, shard: u64) -> BoxFuture<'_, Result<Status>> {
        self.state.status(shard)
    }

    fn conflicts(&self, shard: u64, open_only: bool, limit: usize) -> BoxFuture<'_, Result<Vec<Conflict>>> {
        self.state.conflicts(shard, open_only, limit)
    }

    fn dead_letters(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>>> {
        self.state.dead_letters(shard, limit)
    }

    fn gaps(&self, shard: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Gap>>> {
        self.state.gaps(shard, limit)
    }

    fn find<'a>(&'a self, shard: u64, key: &'a str) -> BoxFuture<'a, Result<Vec<Link>>> {
        self.state.find(shard, key)
    }

    fn history(&self, shard: u64, link: LinkId) -> BoxFuture<'_, Result<Vec<History>>> {
        self.state.history(shard, link)
    }

    fn reserve<'a>(&'a self, ledger: &'a str, ask: &'a Reservation) -> BoxFuture<'a, Result<Reserved>> {
        self.state.reserve(ledger, ask)
    }

    fn keep_standing<'a>(&'a self, shard: u64, standing: &'a Standing) -> BoxFuture<'a, Result<()>> {
        self.state.keep_standing(shard, standing)
    }

    fn prune(&self, shard: u64, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64>> {
        self.state.prune(shard, before, limit)
    }
}
