//! Who may write: one holder at a time, and nobody after it was taken over.

use super::*;

/// Asks until the shard is free.
async fn taken_over(state: &dyn State, shard: u64, holder: &str) -> Lease {
    loop {
        match state.acquire(shard, holder, MINUTE).await {
            Ok(Some(lease)) => return lease,
            Ok(None) => tokio::task::yield_now().await,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_lease_is_held_renewed_given_back_and_lost() {
    on_all(async |state| {
        let first = begin(&*state).await;
        let shard = first.shard;
        assert_eq!(state.acquire(shard, "second", MINUTE).await.unwrap(), None);
        assert!(state.renew(&first, MINUTE).await.unwrap());
        state.release(&first).await.unwrap();
        assert!(!state.renew(&first, MINUTE).await.unwrap(), "given back is given back");
        assert_eq!(state.commit(&first, &links([row(link(1))])).await.unwrap_err().kind(), ErrorKind::Fenced);
        let second = state.acquire(shard, "second", Duration::from_millis(30)).await.unwrap().unwrap();
        assert_eq!(second.epoch, first.epoch + 1);
        let third = taken_over(&*state, shard, "third").await;
        assert_eq!(third.epoch, second.epoch + 1);
        assert!(!state.renew(&second, MINUTE).await.unwrap());
        state.release(&second).await.unwrap();
        assert!(state.renew(&third, MINUTE).await.unwrap(), "nobody gives back what is not theirs");
        let mut forged = third.clone();
        forged.holder = "second".to_owned();
        assert!(!state.renew(&forged, MINUTE).await.unwrap());
        for lease in [&first, &second, &forged] {
            assert_eq!(state.commit(lease, &links([row(link(1))])).await.unwrap_err().kind(), ErrorKind::Fenced);
            assert_eq!(state.start(lease).await.unwrap_err().kind(), ErrorKind::Fenced);
        }
        assert_eq!(by_id(&*state, shard, &[1]).await, []);
        state.commit(&third, &links([row(link(1))])).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_and_nobody_took_still_writes() {
    on_all(async |state| {
        state.prepare().await.unwrap();
        let shard = state.shard("acme").await.unwrap();
        let lease = state.acquire(shard, "first", Duration::ZERO).await.unwrap().unwrap();
        state.commit(&lease, &links([row(link(1))])).await.unwrap();
        assert!(state.renew(&lease, MINUTE).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_it() {
    on_all(async |state| {
        state.prepare().await.unwrap();
        let shard = state.shard("acme").await.unwrap();
        for round in 1..=5 {
            let holders: Vec<String> = (0..8).map(|number| format!("{round}.{number}")).collect();
            let asking = holders.iter().map(|holder| state.acquire(shard, holder, MINUTE));
            let leases: Vec<Lease> =
                futures_util::future::try_join_all(asking).await.unwrap().into_iter().flatten().collect();
            // Whoever finds it locked may have asked before anybody had it.
            assert_eq!(leases.len(), 1, "{leases:?}");
            assert_eq!(leases[0].epoch, round);
            state.release(&leases[0]).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn two_processes_share_a_server_and_not_a_shard() {
    for place in TestPlace::servers().await {
        let (one, two) = (place.open().await, place.open().await);
        let (made, also) = futures_util::join!(one.prepare(), two.prepare());
        made.and(also).unwrap();
        let (a, b) = futures_util::join!(one.shard("acme"), two.shard("acme"));
        let shard = a.unwrap();
        assert_eq!(shard, b.unwrap());
        for round in 0..20 {
            let (a, b) = futures_util::join!(one.acquire(shard, "one", MINUTE), two.acquire(shard, "two", MINUTE));
            let leases = [a.unwrap(), b.unwrap()];
            let holders: Vec<&Lease> = leases.iter().flatten().collect();
            assert_eq!(holders.len(), 1, "round {round}: {leases:?}");
            one.release(holders[0]).await.unwrap();
        }
        place.clean().await;
    }
}

/// The old holder is stopped with its transaction half written; the next one gets the shard when the database has
/// ended that transaction, not before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_stops_in_the_middle_is_taken_over_and_refused() {
    for place in TestPlace::servers().await {
        let (reached, stopped) = tokio::sync::mpsc::unbounded_channel::<()>();
        let stopped = std::sync::Mutex::new(stopped);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let hook = move |name: &'static str| {
            if name == failpoints::HALF_WRITTEN {
                reached.send(()).unwrap();
                let _ = tokio::task::block_in_place(|| wait.lock().unwrap().recv());
            }
            Ok(())
        };
        let old = place.open_with(Failpoints::new(hook)).await;
        let new = place.open().await;
        old.prepare().await.unwrap();
        let shard = old.shard("acme").await.unwrap();
        let lease = old.acquire(shard, "old", Duration::ZERO).await.unwrap().unwrap();
        let mut at_place = stopped.into_inner().unwrap();
        let committing = tokio::spawn({
            let (old, lease) = (old.clone(), lease.clone());
            async move { old.commit(&lease, &links([row(link(1))])).await }
        });
        at_place.recv().await.unwrap();
        // It holds the lease's row: nobody waits for it, and nobody passes.
        assert_eq!(new.acquire(shard, "new", MINUTE).await.unwrap(), None);
        assert_eq!(by_id(&*new, shard, &[1]).await, []);
        // As the database does after a while.
        place.end_others().await;
        let next = taken_over(&*new, shard, "new").await;
        assert_eq!(next.epoch, lease.epoch + 1);
        go.send(()).unwrap();
        let broken = committing.await.unwrap().unwrap_err();
        assert!(broken.is_retryable() && broken.kind() == ErrorKind::Connect, "{broken}");
        drop(go);
        assert_eq!(old.commit(&lease, &links([row(link(1))])).await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(by_id(&*new, shard, &[1]).await, []);
        place.clean().await;
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_has_one_worker_and_any_number_who_look_on() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("state.db").display());
    assert!(open_beside(&url).await.err().unwrap().to_string().contains("no state"), "looking on makes nothing");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let worker = open(&url).await.unwrap();
    assert!(open_beside(&url).await.err().unwrap().to_string().contains("no state yet"));
    let lease = begin(&*worker).await;
    let same = format!(
        "sqlite:{}",
        folder.path().join("../").join(folder.path().file_name().unwrap()).join("state.db").display()
    );
    for url in [&url, &same] {
        let refused = open(url).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Usage);
        assert!(refused.to_string().contains("another process works"), "{refused}");
    }
    drop(worker);
    open(&url).await.unwrap().commit(&lease, &Transaction::default()).await.unwrap();
}

#[tokio::test]
async fn who_looks_on_reads_and_asks_and_changes_nothing() {
    for place in TestPlace::all().await {
        let worker = place.open().await;
        let lease = begin(&*worker).await;
        worker.commit(&lease, &links([row(link(1))])).await.unwrap();
        let beside = open_beside(&place.url()).await.unwrap();
        beside.prepare().await.unwrap();
        let shard = beside.shard("acme").await.unwrap();
        assert_eq!(shard, lease.shard);
        assert!(beside.shard("nobody").await.unwrap_err().to_string().contains("no tenant `nobody`"));
        assert_eq!(beside.status(shard).await.unwrap().holder.unwrap().0, "first");
        assert_eq!(beside.find(shard, "1").await.unwrap(), [link(1)]);
        let number = beside.ask(shard, &Command::Pause(None)).await.unwrap();
        assert_eq!(worker.commands(shard).await.unwrap(), [(number, Command::Pause(None))]);
        for refused in [
            beside.commit(&lease, &Transaction::default()).await.unwrap_err(),
            beside.acquire(shard, "x", MINUTE).await.unwrap_err(),
            beside.renew(&lease, MINUTE).await.unwrap_err(),
            beside.release(&lease).await.unwrap_err(),
            beside.prune(shard, at(1), 1).await.unwrap_err(),
            beside.reserve("crm", &ask(1, 1, None)).await.unwrap_err(),
            beside.keep_standing(shard, &standing("crm")).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Usage, "{refused}");
        }
        worker.commit(&lease, &Transaction { commands: vec![number], ..Transaction::default() }).await.unwrap();
        assert_eq!(beside.commands(shard).await.unwrap(), []);
        place.clean().await;
    }
}
