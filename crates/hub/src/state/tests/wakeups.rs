//! Wake-ups through a Redis that comes and goes. Each test has a server of its own, on a socket in a folder of its own.

use std::{
    path::Path,
    process::{Child, Command as Process, Stdio},
};

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    super::{
        Wake,
        wakeup::{Wakeup, WakingState},
    },
    *,
};

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

pub(crate) fn url(folder: &Path) -> String {
    format!("redis+unix://{}", folder.join("redis.sock").display())
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
    let there = Wakeup::start(&url(folder.path()), "a").unwrap();
    let other = Wakeup::start(&url(folder.path()), "b").unwrap();
    let (mut listener, mut stranger) = (there.listen(), other.listen());
    hears(&mut listener, Wake::All).await;
    hears(&mut stranger, Wake::All).await;
    let kept = Arc::new(MemoryState::default());
    let state = WakingState::working(kept.clone(), &url(folder.path()), "a").unwrap();
    let lease = begin(&state).await;
    let number = state.ask(lease.shard, &Command::Pause(None)).await.unwrap();
    hears(&mut listener, Wake::Asked(lease.shard)).await;
    assert_eq!(state.commands(lease.shard).await.unwrap(), [(number, Command::Pause(None))]);
    state.release(&lease).await.unwrap();
    hears(&mut listener, Wake::Released(lease.shard)).await;
    // Whoever ends right after has told by then.
    let asking = WakingState::asking(kept, &url(folder.path()), "a").unwrap();
    asking.ask(lease.shard, &Command::Resume(None)).await.unwrap();
    drop(asking);
    hears(&mut listener, Wake::Asked(lease.shard)).await;
    assert!(stranger.try_recv().is_err(), "another installation is left alone");
}

#[tokio::test]
async fn nothing_is_lost_with_redis_and_wake_ups_come_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(redis) = Redis::start(folder.path()).await else { return };
    let wakeup = Wakeup::start(&url(folder.path()), "a").unwrap();
    let mut listener = wakeup.listen();
    let state = WakingState::working(Arc::new(MemoryState::default()), &url(folder.path()), "a").unwrap();
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
    let wakeup = Wakeup::start(&url(folder.path()), "a").unwrap();
    wakeup.tell(Wake::Asked(1));
    let refused = Wakeup::start("postgres://u:secret@h/db", "a").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    assert!(!format!("{refused} {refused:?}").contains("secret"));
}

#[tokio::test]
async fn a_shared_redis_serves_as_well() {
    let url = std::env::var("TOMBOLO_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    if !places::is_there("Redis", &url) {
        return;
    }
    let wakeup = Wakeup::start(&url, &format!("test {}", std::process::id())).unwrap();
    let mut listener = wakeup.listen();
    hears(&mut listener, Wake::All).await;
    wakeup.tell(Wake::Released(3));
    hears(&mut listener, Wake::Released(3)).await;
}
