//! Kills, cuts and lost answers: all of a transaction or nothing, and the next call goes on.

use super::*;

fn stopping_at(stop_at: &'static str) -> Failpoints {
    Failpoints::new(move |name| if name == stop_at { Err(Error::failed("stopped")) } else { Ok(()) })
}

fn both() -> Transaction {
    Transaction { history: vec![step(1, 1, "x")], links: vec![row(link(1))], ..heard([entry(1, "a")]) }
}

async fn shown(state: &dyn State, shard: u64) -> [usize; 3] {
    let links = by_id(state, shard, &[1]).await.len();
    [undecided(state, shard).await.len(), links, state.history(shard, 1).await.unwrap().len()]
}

#[tokio::test]
async fn a_commit_is_whole_or_not_at_all_wherever_it_stops() {
    for (stop_at, kept) in [
        (failpoints::LEASE_LOCKED, 0),
        (failpoints::HALF_WRITTEN, 0),
        (failpoints::BEFORE_COMMIT, 0),
        (failpoints::COMMITTED, 1),
    ] {
        let memory = MemoryState::new(stopping_at(stop_at));
        let lease = begin(&memory).await;
        memory.commit(&lease, &both()).await.unwrap_err();
        assert_eq!(shown(&memory, lease.shard).await, [kept; 3], "{stop_at}");
        for place in TestPlace::all().await {
            let stopped = place.open_with(stopping_at(stop_at)).await;
            let lease = begin(&*stopped).await;
            stopped.commit(&lease, &both()).await.unwrap_err();
            assert_eq!(shown(&*stopped, lease.shard).await, [kept; 3], "{stop_at}");
            drop(stopped);
            let state = place.open().await;
            assert_eq!(shown(&*state, lease.shard).await, [kept; 3], "{stop_at}");
            assert_eq!(state.commit(&lease, &both()).await.unwrap(), Vec::<u64>::new(), "{stop_at}");
            assert_eq!(shown(&*state, lease.shard).await, [1; 3], "{stop_at}");
            place.clean().await;
        }
    }
}

#[tokio::test]
async fn a_shard_that_was_taken_and_nobody_was_told_is_taken_again() {
    for place in TestPlace::all().await {
        let stopped = place.open_with(stopping_at(failpoints::ACQUIRED)).await;
        stopped.prepare().await.unwrap();
        let shard = stopped.shard("acme").await.unwrap();
        stopped.acquire(shard, "first", MINUTE).await.unwrap_err();
        drop(stopped);
        let state = place.open().await;
        assert_eq!(state.acquire(shard, "second", MINUTE).await.unwrap(), None);
        assert_eq!(state.acquire(shard, "first", MINUTE).await.unwrap().unwrap().epoch, 2);
        place.clean().await;
    }
}

#[tokio::test]
async fn a_commit_given_up_half_way_leaves_nothing_behind() {
    for place in TestPlace::all().await {
        let state = place.open().await;
        let lease = begin(&*state).await;
        let many = Transaction { links: (1..=300).map(|id| row(link(id))).collect(), ..both() };
        for polls in 1..40 {
            let mut committing = state.commit(&lease, &many);
            for _ in 0..polls {
                if futures_util::poll!(&mut committing).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(committing);
            let shown = shown(&*state, lease.shard).await;
            assert!(shown == [0; 3] || shown == [1; 3], "{shown:?}");
        }
        state.commit(&lease, &many).await.unwrap();
        assert_eq!(shown(&*state, lease.shard).await, [1; 3]);
        place.clean().await;
    }
}

#[tokio::test]
async fn a_broken_connection_is_an_error_that_may_pass_and_the_next_call_connects() {
    for place in TestPlace::servers().await {
        let state = place.open().await;
        let lease = begin(&*state).await;
        // More than one connection is kept.
        let statuses = futures_util::future::join_all((0..6).map(|_| state.status(lease.shard))).await;
        assert!(statuses.iter().all(Result::is_ok));
        place.end_others().await;
        let broken = state.commit(&lease, &both()).await.unwrap_err();
        assert!(broken.is_retryable() && broken.kind() == ErrorKind::Connect, "{broken}");
        state.commit(&lease, &both()).await.unwrap();
        assert_eq!(shown(&*state, lease.shard).await, [1; 3]);
        place.clean().await;
    }
}

#[tokio::test]
async fn commits_of_many_shards_do_not_stand_in_each_others_way() {
    for place in TestPlace::all().await {
        let state = place.open().await;
        state.prepare().await.unwrap();
        let working = (0..6).map(|number| {
            let state = state.clone();
            async move {
                let shard = state.shard(&format!("tenant {number}")).await.unwrap();
                let lease = state.acquire(shard, "first", MINUTE).await.unwrap().unwrap();
                for round in 0..10_u64 {
                    let from = round * 20 + 1;
                    let transaction = Transaction {
                        heard: (from..from + 20).map(|place| entry(place, &place.to_string())).collect(),
                        decided: (1..from).collect(),
                        links: (1..from + 20).map(|id| row(link(id))).collect(),
                        ..Transaction::default()
                    };
                    loop {
                        match state.commit(&lease, &transaction).await {
                            Ok(known) => break assert_eq!(known, Vec::<u64>::new()),
                            // A deadlock may be, and may not be final.
                            Err(error) => assert!(error.is_retryable(), "{error:?}"),
                        }
                    }
                }
                assert_eq!(undecided(&*state, shard).await, (181..=200).collect::<Vec<u64>>());
            }
        });
        futures_util::future::join_all(working).await;
        place.clean().await;
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_keeps_the_password() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "plain text, and quite a lot of it ".repeat(100)).unwrap();
    let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    for (url, kind) in [
        (file("no/such/folder/a.db"), ErrorKind::Failed),
        (file("text"), ErrorKind::Failed),
        ("postgres://u:secret@127.0.0.1:1/db".to_owned(), ErrorKind::Connect),
        ("postgres://u:secret@127.0.0.1:port/db".to_owned(), ErrorKind::Usage),
        ("mysql://u:secret@127.0.0.1:1/db".to_owned(), ErrorKind::Connect),
        ("mysql://u:secret@127.0.0.1:port/db".to_owned(), ErrorKind::Usage),
        ("mysql://u:secret@127.0.0.1:1".to_owned(), ErrorKind::Usage),
        ("redis://u:secret@127.0.0.1".to_owned(), ErrorKind::Usage),
    ] {
        for error in [open(&url).await.err().unwrap(), open_beside(&url).await.err().unwrap()] {
            let shown = format!("{error} {error:?}");
            assert!(error.kind() == kind || url.contains("such"), "{shown}");
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}

/// A process that was stopped in the middle of a transaction keeps its shard locked for no longer than this.
#[tokio::test]
async fn the_server_ends_transactions_that_nobody_goes_on_with() {
    for place in TestPlace::servers().await {
        let (sql, seconds) = match &place {
            #[cfg(feature = "postgres")]
            TestPlace::Postgres { .. } => ("SELECT current_setting('idle_in_transaction_session_timeout')", "10s"),
            #[cfg(feature = "mysql")]
            TestPlace::MySql { .. } => ("SELECT CAST(@@wait_timeout AS CHAR)", "20"),
            #[cfg(feature = "sqlite")]
            TestPlace::Sqlite(_) => continue,
        };
        assert_eq!(place.fetch(sql).await[0].required(0).unwrap(), seconds);
        place.clean().await;
    }
}

/// Whoever is broken off in the middle leaves no lock behind, at whatever moment it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_broken_off_keeps_nobody_out() {
    for place in TestPlace::all().await {
        let state = place.open().await;
        let lease = begin(&*state).await;
        for round in 0..60_u64 {
            let many = links((1..200).map(|id| row(Link { writes: round, ..link(id) })));
            let (other, held) = (Arc::clone(&state), lease.clone());
            let commit = tokio::spawn(async move { drop(other.commit(&held, &many).await) });
            let (other, shard) = (Arc::clone(&state), lease.shard);
            let read = tokio::spawn(async move { drop(other.status(shard).await) });
            let moment = tokio::time::timeout(Duration::from_micros(round * 250), std::future::pending::<()>());
            moment.await.unwrap_err();
            commit.abort();
            read.abort();
            let last = heard([entry(round + 1, &format!("e{round}"))]);
            let done = tokio::time::timeout(Duration::from_secs(20), state.commit(&lease, &last)).await;
            assert_eq!(done.expect("a lock was left").unwrap(), Vec::<u64>::new(), "round {round}");
            assert!(state.renew(&lease, MINUTE).await.unwrap(), "round {round}");
        }
        place.clean().await;
    }
}
