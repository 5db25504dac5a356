//! The whole run against an org in memory: what arrives, what is told, and what a crash leaves.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::*;
use crate::{
    ErrorKind,
    store::{Failpoints, memory::MemoryStore},
    systems::memory::{MemoryOrg, id},
};

fn options() -> MirrorOptions {
    let mut options = MirrorOptions::new(["account", "Account"], Target::Sqlite("unused".into()));
    let short = SignedDuration::from_millis(20);
    options.settings = Settings {
        window: short,
        retry: short,
        poll: short,
        scrub: SignedDuration::from_millis(100),
        ..options.settings
    };
    options
}

async fn open(org: &MemoryOrg, store: Arc<dyn Store>, options: MirrorOptions) -> Result<Mirror> {
    let (name, entities) = look(org, &options).await?;
    assert_eq!(entities.len(), 1, "one object, however often it is named");
    Mirror::over(Arc::new(org.clone()), store, options, name, entities).await
}

/// A mirror that runs in the background.
struct Running {
    stop: oneshot::Sender<()>,
    run: tokio::task::JoinHandle<Result<Report>>,
    progress: mpsc::Receiver<Progress>,
}

impl Running {
    async fn start(org: &MemoryOrg, store: Arc<dyn Store>, options: MirrorOptions) -> Self {
        let mirror = open(org, store, options).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let (sender, progress) = mpsc::channel(10);
        let run = tokio::spawn(async move { mirror.run(async { drop(stopped.await) }, sender).await });
        Self { stop, run, progress }
    }

    async fn live(org: &MemoryOrg, store: &Arc<MemoryStore>, options: MirrorOptions) -> Self {
        let mut running = Self::start(org, store.clone(), options).await;
        running.until(|progress| matches!(progress, Progress::Live { .. })).await;
        running
    }

    /// Waits for news that answers the question.
    async fn until(&mut self, wanted: impl Fn(&Progress) -> bool) -> Progress {
        loop {
            let progress = self.progress.recv().await.expect("the mirror ended");
            if wanted(&progress) {
                return progress;
            }
        }
    }

    async fn until_applied(&mut self, number: u64, wanted: Applied) {
        let wanted_id = id(number).to_string();
        self.until(|progress| matches!(progress, Progress::Applied { id, change, .. } if *id == wanted_id && *change == wanted))
            .await;
    }

    async fn stop(mut self) -> ObjectReport {
        self.progress.close();
        drop(self.stop);
        self.run.await.unwrap().unwrap().objects.remove(0)
    }
}

fn assert_equal(org: &MemoryOrg, store: &MemoryStore) {
    let table = store.kept("account").rows;
    for row in org.rows().values() {
        assert!(table.get(&row.id) == Some(row) || (row.deleted && !table.contains_key(&row.id)), "{row:?}");
    }
    for row in table.values().filter(|row| !row.deleted) {
        assert!(org.rows().contains_key(&row.id), "still live: {row:?}");
    }
}

#[tokio::test]
async fn once_reads_everything_and_then_what_changed() {
    let (org, store) = (MemoryOrg::new(false), Arc::new(MemoryStore::default()));
    for number in 0..20 {
        org.upsert(number, "a");
    }
    let once = MirrorOptions { once: true, ..options() };
    let mut counts = Vec::new();
    for step in 0..3 {
        if step == 1 {
            org.upsert(3, "b");
            org.upsert(20, "c");
            org.set_deleted(4, true);
        }
        let (progress, _) = mpsc::channel(1);
        let mirror = open(&org, store.clone(), once.clone()).await.unwrap();
        let report = mirror.run(std::future::pending(), progress).await.unwrap().objects.remove(0);
        counts.push((report.rows, report.inserted, report.updated, report.deleted));
        assert_equal(&org, &store);
    }
    assert_eq!(counts, [(20, 20, 0, 0), (20, 1, 1, 1), (20, 0, 0, 0)]);
}

#[tokio::test]
async fn changes_are_followed() {
    for (selected, refused) in [(true, false), (false, false), (true, true)] {
        let (org, store) = (MemoryOrg::new(selected), Arc::new(MemoryStore::default()));
        (0..10).for_each(|number| org.upsert(number, "a"));
        if refused {
            org.refuse();
        }
        let mut running = Running::live(&org, &store, options()).await;
        org.upsert(3, "b");
        running.until_applied(3, Applied::Updated).await;
        org.upsert(11, "new");
        running.until_applied(11, Applied::Inserted).await;
        org.set_deleted(5, true);
        running.until_applied(5, Applied::Deleted).await;
        org.set_deleted(5, false);
        running.until_applied(5, Applied::Undeleted).await;
        org.hard_delete(6);
        running.until_applied(6, Applied::Deleted).await;
        let report = running.stop().await;
        assert_equal(&org, &store);
        assert_eq!((report.inserted, report.updated, report.deleted, report.gaps), (11, 2, 2, 0));
        assert!(report.lag_ms.is_some_and(|lag| lag < 2_000), "{:?}", report.lag_ms);
    }
}

#[tokio::test]
async fn an_expired_position_is_a_gap_that_is_told_of_and_made_good() {
    let (org, store) = (MemoryOrg::new(true), Arc::new(MemoryStore::default()));
    (0..10).for_each(|number| org.upsert(number, "a"));
    let mut running = Running::live(&org, &store, options()).await;
    org.upsert(1, "b");
    running.until_applied(1, Applied::Updated).await;
    running.stop().await;
    org.upsert(2, "missed");
    org.hard_delete(3);
    org.expire();
    let mut running = Running::start(&org, store.clone(), options()).await;
    running.until(|progress| matches!(progress, Progress::Gap { .. })).await;
    running.until(|progress| matches!(progress, Progress::GapClosed { upserted: 1, deleted: 1, .. })).await;
    assert_eq!(running.stop().await.gaps, 1);
    assert_equal(&org, &store);
    assert_eq!(store.kept("account").closed[0].gap.reason, "the replay id has expired");
}

#[tokio::test]
async fn cuts_and_an_org_that_is_away_are_outlived() {
    let (org, store) = (MemoryOrg::new(true), Arc::new(MemoryStore::default()));
    (0..10).for_each(|number| org.upsert(number, "a"));
    let mut running = Running::live(&org, &store, options()).await;
    org.cut();
    org.upsert(1, "b");
    running.until_applied(1, Applied::Updated).await;
    org.fail(1);
    org.upsert(2, "c");
    running.until(|progress| matches!(progress, Progress::Trouble { .. })).await;
    running.until_applied(2, Applied::Updated).await;
    running.stop().await;
    assert_equal(&org, &store);
}

#[tokio::test]
async fn a_crash_at_any_failpoint_loses_and_doubles_nothing() {
    for name in failpoint_names::ALL {
        for hit in [1, 2, 3, 5, 8] {
            let folder = tempfile::tempdir().unwrap();
            let target = Target::Sqlite(folder.path().join("mirror.db"));
            let org = MemoryOrg::new(hit % 2 == 1);
            (0..20).for_each(|number| org.upsert(number, "a"));
            let countdown = Arc::new(AtomicU32::new(hit));
            let crash = move |reached| {
                let now = reached == name && countdown.fetch_sub(1, Ordering::Relaxed) == 1;
                if now { Err(Error::failed("crash")) } else { Ok(()) }
            };
            let crashing = options().with_failpoints(crash);
            let store = SqlStore::open(&target, None, "default", crashing.failpoints.clone()).await.unwrap();
            let running = Running::start(&org, Arc::new(store), crashing).await;
            org.upsert(3, "b");
            org.set_deleted(4, true);
            org.hard_delete(5);
            drop(running.progress);
            let crashed = go_on_until(&org, running.run).await.unwrap_err();
            let inside = [failpoint_names::ROWS_WRITTEN, failpoint_names::BEFORE_COMMIT].contains(&name);
            let shown = if inside { format!("cannot write to {target}") } else { "crash".to_owned() };
            assert_eq!(crashed.to_string(), shown);

            let store = Arc::new(SqlStore::open(&target, None, "default", Failpoints::default()).await.unwrap());
            let once = MirrorOptions { once: true, ..options() };
            let mirror = open(&org, store, once).await.unwrap();
            let (progress, _) = mpsc::channel(1);
            let report = mirror.run(std::future::pending(), progress).await.unwrap();
            let live = org.rows().into_values().filter(|row| !row.deleted);
            let mut expected: Vec<_> = live.map(|row| (row.id, row.stamp)).collect();
            assert_eq!(report.objects[0].rows, expected.len() as u64, "{name} {hit}");
            let store = SqlStore::open(&target, None, "default", Failpoints::default()).await.unwrap();
            let mut stored = store.live(&org.describe("Account").await.unwrap().table).await.unwrap();
            expected.sort();
            stored.sort();
            assert_eq!(stored, expected, "{name} {hit}");
        }
    }
}

/// Changes the org again and again until the mirror ends.
async fn go_on_until(org: &MemoryOrg, mut run: tokio::task::JoinHandle<Result<Report>>) -> Result<Report> {
    let mut again = tokio::time::interval(std::time::Duration::from_millis(5));
    for number in 40.. {
        tokio::select! {
            ended = &mut run => return ended.unwrap(),
            _ = again.tick() => org.upsert(number, "more"),
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let org = MemoryOrg::new(true);
    for objects in [vec![], vec!["Contct"], vec!["Account", "Contct"]] {
        let options = MirrorOptions::new(objects, Target::Sqlite("unused".into()));
        assert_eq!(look(&org, &options).await.unwrap_err().kind(), ErrorKind::Usage);
    }
}
