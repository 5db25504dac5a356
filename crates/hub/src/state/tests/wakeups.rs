//! Wake-ups through a Redis that comes and goes. Each test has a server of its own, on a socket in a folder of its own.

use std::{
    path::Path,
    process::{Child, Command as Process, Stdio},
};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    super::{
        Wake,
        wakeup::{Wakeup, WakingState},
    },
    *,
};
use crate::config::{Redis as Address, Secret};

/// A private server, gone with the test.
pub(crate) struct Redis {
    child: Child,
}

impl Redis {
    /// None where it is not installed.
    pub(crate) async fn start(folder: &Path) -> Option<Self> {
        let mut server = Process::new("redis-server");
        server.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(folder.join("redis.sock"));
        let spawned = server.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = spawned else {
            let required =
                std::env::var("TOMBOLO_REQUIRE").is_ok_and(|list| list.split(',').any(|what| what == "servers"));
            assert!(!required, "no redis-server, and TOMBOLO_REQUIRE asks for servers");
            eprintln!("skipped: no redis-server");
            return None;
        };
        let started = Self { child };
        let client = redis::Client::open(url(folder)).unwrap();
        while client.get_multiplexed_async_connection().await.is_err() {
            tokio::task::yield_now().await;
        }
        Some(started)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).unwrap();
    }
}

fn url(folder: &Path) -> String {
    format!("redis+unix://{}", folder.join("redis.sock").display())
}

pub(crate) fn at(folder: &Path) -> Address {
    address(&url(folder))
}

fn address(url: &str) -> Address {
    Address { url: Secret::new(url.to_owned()), ca_cert: None }
}

/// Waits until this is heard; what comes before does not matter.
async fn hears(listener: &mut Receiver<Wake>, wake: Wake) {
    tells_until_heard(listener, wake, || ()).await;
}

/// Tells again whenever something else is heard: what is told while too much waits is not kept.
async fn tells_until_heard(listener: &mut Receiver<Wake>, wake: Wake, tell: impl Fn()) {
    let hearing = async {
        loop {
            tell();
            match listener.recv().await {
                Ok(heard) if heard == wake => break,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("nobody tells any more"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), hearing).await.unwrap_or_else(|_| panic!("{wake:?} is not heard"));
}

#[tokio::test]
async fn others_are_woken_by_commands_and_shards_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_redis) = Redis::start(folder.path()).await else { return };
    let there = Wakeup::start(&at(folder.path()), "a").unwrap();
    let other = Wakeup::start(&at(folder.path()), "b").unwrap();
    let (mut listener, mut stranger) = (there.listen(), other.listen());
    hears(&mut listener, Wake::All).await;
    hears(&mut stranger, Wake::All).await;
    let kept = Arc::new(MemoryState::default());
    let state = WakingState::working(kept.clone(), &at(folder.path()), "a").unwrap();
    let lease = begin(&state).await;
    let number = state.ask(lease.shard, &Command::Pause(None)).await.unwrap();
    hears(&mut listener, Wake::Asked(lease.shard)).await;
    assert_eq!(state.commands(lease.shard).await.unwrap(), [(number, Command::Pause(None))]);
    state.release(&lease).await.unwrap();
    hears(&mut listener, Wake::Released(lease.shard)).await;
    // Whoever ends right after has told by then.
    let asking = WakingState::asking(kept, &at(folder.path()), "a").unwrap();
    asking.ask(lease.shard, &Command::Resume(None)).await.unwrap();
    drop(asking);
    hears(&mut listener, Wake::Asked(lease.shard)).await;
    assert!(stranger.try_recv().is_err(), "another installation is left alone");
}

#[tokio::test]
async fn nothing_is_lost_with_redis_and_wake_ups_come_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(redis) = Redis::start(folder.path()).await else { return };
    let wakeup = Wakeup::start(&at(folder.path()), "a").unwrap();
    let mut listener = wakeup.listen();
    let state = WakingState::working(Arc::new(MemoryState::default()), &at(folder.path()), "a").unwrap();
    let lease = begin(&state).await;
    hears(&mut listener, Wake::All).await;
    let client = redis::Client::open(url(folder.path())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    state.ask(lease.shard, &Command::Pause(None)).await.unwrap();
    hears(&mut listener, Wake::Asked(lease.shard)).await;
    drop(redis);
    let number = state.ask(lease.shard, &Command::Resume(None)).await.unwrap();
    for _ in 0..1000 {
        wakeup.tell(Wake::Asked(1));
    }
    assert_eq!(state.commands(lease.shard).await.unwrap().last().unwrap(), &(number, Command::Resume(None)));
    state.commit(&lease, &links([row(link(1))])).await.unwrap();
    assert_eq!(by_id(&state, lease.shard, &[1]).await, [link(1)]);
    let _redis = Redis::start(folder.path()).await.unwrap();
    hears(&mut listener, Wake::All).await;
    tells_until_heard(&mut listener, Wake::Asked(99), || wakeup.tell(Wake::Asked(99))).await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_no_error_and_an_address_that_makes_no_sense_is() {
    let folder = tempfile::tempdir().unwrap();
    let wakeup = Wakeup::start(&at(folder.path()), "a").unwrap();
    wakeup.tell(Wake::Asked(1));
    let refused = Wakeup::start(&address("postgres://u:secret@h/db"), "a").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    assert!(!format!("{refused} {refused:?}").contains("secret"));
}

#[tokio::test]
async fn a_shared_redis_serves_as_well() {
    let url = std::env::var("TOMBOLO_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    if !places::is_there("Redis", &url) {
        return;
    }
    let wakeup = Wakeup::start(&address(&url), &format!("test {}", std::process::id())).unwrap();
    let mut listener = wakeup.listen();
    hears(&mut listener, Wake::All).await;
    wakeup.tell(Wake::Released(3));
    hears(&mut listener, Wake::Released(3)).await;
}

/// A Redis that speaks TLS alone, on a port of its own, with a certificate of a CA of the test's own.
struct TlsRedis {
    child: Child,
    port: u16,
}

impl TlsRedis {
    /// None where it is not installed, or was built without TLS.
    async fn start(folder: &Path) -> Option<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        for (name, pem) in [("ca.pem", ca.pem()), ("cert.pem", leaf.pem()), ("key.pem", key.serialize_pem())] {
            std::fs::write(folder.join(name), pem).unwrap();
        }
        drop(Redis::start(folder).await?);
        // A port that was free a moment ago may be taken by now: another one then.
        for _ in 0..20 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut server = Process::new("redis-server");
            server.args(["--port", "0", "--save", "", "--appendonly", "no", "--tls-auth-clients", "no"]);
            server.args(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem"]);
            server.args(["--bind", "127.0.0.1", "--tls-port", &port.to_string()]).current_dir(folder);
            let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let mut started = Self { child, port };
            if started.listens() {
                return Some(started);
            }
        }
        eprintln!("skipped: this redis-server does not speak TLS");
        None
    }

    /// Waits until it listens; false when it ended instead.
    fn listens(&mut self) -> bool {
        while self.child.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    fn address(&self, folder: &Path, ca_cert: Option<&str>) -> Address {
        let url = Secret::new(format!("rediss://localhost:{}", self.port));
        Address { url, ca_cert: ca_cert.map(|name| folder.join(name)) }
    }
}

impl Drop for TlsRedis {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).unwrap();
    }
}

#[tokio::test]
async fn a_redis_is_spoken_to_over_tls_and_only_if_it_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = TlsRedis::start(folder.path()).await else { return };
    let trusted = server.address(folder.path(), Some("ca.pem"));
    let wakeup = Wakeup::start(&trusted, "a").unwrap();
    let mut listener = wakeup.listen();
    hears(&mut listener, Wake::All).await;
    wakeup.tell(Wake::Released(3));
    hears(&mut listener, Wake::Released(3)).await;
    // Nobody on this machine knows that CA.
    let why = super::super::wakeup::trouble(&server.address(folder.path(), None)).await.unwrap_err();
    assert!(why.contains("invalid peer certificate"), "{why}");
    let plain = address(&format!("redis://localhost:{}", server.port));
    super::super::wakeup::trouble(&plain).await.unwrap_err();
    for (name, said) in [("key.pem", "there is no certificate in"), ("nowhere.pem", "cannot read")] {
        let refused = Wakeup::start(&server.address(folder.path(), Some(name)), "a").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage);
        assert!(refused.to_string().contains(said), "{refused}");
    }
}
