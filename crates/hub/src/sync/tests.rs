//! The driver at work: a twin in memory on the left, a SQLite database on the right.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tombolo_engine::sync::{Canon, Command, Conflict, ConflictKind, Plan, Rhythm, Settings, Side, Style};

use super::{Calendar, Engine, Happened, Report, Setup};
use crate::{
    Result,
    state::{State, memory::MemoryState},
    systems::{
        conformance::{plan_of, text},
        database::Database,
        system::{FieldKind, System as _},
        twin::World,
    },
};

const CONTACTS: &str = "CREATE TABLE contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, email TEXT)";

/// A hub between a world and a database.
struct Stage {
    world: World,
    state: Arc<MemoryState>,
    /// The same as the hub has it.
    driven: Arc<dyn State>,
    path: PathBuf,
    plan: Arc<Plan>,
    /// The rhythm on which is written, if not at once.
    every: Option<Duration>,
    calendar: Calendar,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<Report>>>,
    events: mpsc::Receiver<Happened>,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set(names: &[&str]) -> Self {
        let state = Arc::<MemoryState>::default();
        Self::over(Arc::clone(&state), state, names).await
    }

    async fn over(state: Arc<MemoryState>, driven: Arc<dyn State>, names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        std::fs::write(&path, "").unwrap();
        let world = World::new();
        world
            .table("Contact", &[("name__c", FieldKind::Text(None), false), ("email__c", FieldKind::Text(None), false)]);
        for name in names {
            world.insert("Contact", &vec![("name__c".to_owned(), text(name)), ("email__c".to_owned(), text("e"))]);
        }
        let plan = plan_of(None, "contacts", &[("name", Canon::Text(None)), ("email", Canon::Text(None))]);
        let mut plan = Arc::unwrap_or_clone(plan);
        plan.mappings[0].ends[0].style = Style::Compared;
        let (_, events) = mpsc::channel(1);
        let mut stage = Self {
            world,
            state,
            driven,
            path,
            plan: Arc::new(plan),
            every: None,
            calendar: Calendar::default(),
            stop: None,
            running: None,
            events,
            _folder: folder,
        };
        stage.app(CONTACTS).await;
        stage.start().await;
        stage
    }

    async fn start(&mut self) {
        let crm = Arc::new(self.world.twin("crm"));
        let app = Arc::new(Database::new("app", &format!("sqlite:{}", self.path.display())).unwrap());
        crm.prepare(Arc::clone(&self.plan)).await.unwrap();
        app.prepare(Arc::clone(&self.plan)).await.unwrap();
        let systems = BTreeMap::from([("crm".to_owned(), crm as _), ("app".to_owned(), app as _)]);
        let told = self.calendar.schedules.iter().map(|(mapping, _)| (*mapping, Rhythm::Told));
        let rhythms = self.every.map(|every| (0, Rhythm::Every(every))).into_iter().chain(told).collect();
        let calendar = self.calendar.clone();
        let (window, retry) = (Duration::from_millis(10), Duration::from_millis(20));
        let settings = Settings { window, rhythms, retry, ..Settings::default() };
        let (lease, retention) = (Duration::from_secs(60), Duration::from_secs(3600));
        let (state, plan, holder) = (Arc::clone(&self.driven), Arc::clone(&self.plan), "test".to_owned());
        let setup = Setup { systems, plan, settings, calendar, lease, retention };
        let engine = Engine { state, setup, file: None, holder };
        let (stop, stopped) = oneshot::channel();
        let (sender, events) = mpsc::channel(100);
        (self.stop, self.events) = (Some(stop), events);
        self.running = Some(tokio::spawn(engine.run(async { drop(stopped.await) }, sender)));
    }

    async fn stop(&mut self) {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap().unwrap();
    }

    async fn database(&self) -> SqliteConnection {
        let url = format!("sqlite:{}", self.path.display());
        SqliteConnection::connect(&url).await.unwrap()
    }

    async fn app(&self, script: &str) {
        sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(&mut self.database().await).await.unwrap();
    }

    /// The names on the right.
    async fn names(&self) -> Vec<String> {
        let rows = sqlx::raw_sql("SELECT name FROM contacts ORDER BY id").fetch_all(&mut self.database().await).await;
        rows.map(|rows| rows.iter().map(|row| row.get(0)).collect()).unwrap_or_default()
    }

    async fn until_names(&self, wanted: &[&str]) {
        until(wanted, async || self.names().await == wanted).await;
    }

    /// Why the mapping is stopped on the right.
    async fn stopped(&self) -> Option<String> {
        let shard = self.state.shard(&self.plan.tenant).await.unwrap();
        let status = self.state.status(shard).await.unwrap();
        status.mappings.first().and_then(|(_, state, _)| state.halted[1].clone())
    }
}

/// Waits for a state that something else brings about.
async fn until(what: impl std::fmt::Debug, done: impl AsyncFn() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let waiting = async {
        while !done().await {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "never: {what:?}");
}

#[tokio::test]
async fn a_table_that_was_dropped_and_made_again_gets_its_records_back() {
    let mut stage = Stage::set(&["one", "two", "three"]).await;
    stage.until_names(&["one", "two", "three"]).await;
    stage.app("DROP TABLE contacts").await;
    stage.world.update("Contact", "1", &vec![("name__c".to_owned(), text("1"))]);
    until("stopped", async || stage.stopped().await.is_some_and(|why| why.starts_with("UNDEFINED_TABLE"))).await;
    // Whoever comes next finds it stopped, and goes on trying.
    stage.stop().await;
    stage.app(CONTACTS).await;
    stage.start().await;
    let shard = stage.state.shard(&stage.plan.tenant).await.unwrap();
    stage.state.ask(shard, &Command::Resume(None)).await.unwrap();
    stage.until_names(&["1", "two", "three"]).await;
    until("going on", async || stage.stopped().await.is_none()).await;
    stage.app("INSERT INTO contacts (name) VALUES ('four'); DELETE FROM contacts WHERE id = 2").await;
    until("what happens in it is heard", async || {
        stage.world.shows("Contact", "2").is_none() && stage.world.shows("Contact", "4").is_some()
    })
    .await;
    stage.stop().await;
}

#[tokio::test]
async fn a_table_swapped_for_an_empty_one_deletes_nothing() {
    let mut stage = Stage::set(&["one", "two"]).await;
    stage.until_names(&["one", "two"]).await;
    stage.app(&format!("BEGIN; DROP TABLE contacts; {CONTACTS}; COMMIT")).await;
    // The record that this is written to is not there.
    stage.world.update("Contact", "1", &vec![("name__c".to_owned(), text("1"))]);
    stage.until_names(&["1", "two"]).await;
    until("going on", async || stage.stopped().await.is_none()).await;
    assert!(["1", "2"].iter().all(|key| stage.world.shows("Contact", key).is_some()));
    stage.stop().await;
}

#[tokio::test]
async fn a_mapping_with_a_rhythm_is_written_to_on_the_beat() {
    let mut stage = Stage::set(&["one", "two"]).await;
    stage.until_names(&["one", "two"]).await;
    stage.stop().await;
    // The next full thousand years.
    stage.every = Some(Duration::from_secs(1000 * 365 * 86_400));
    stage.start().await;
    stage.world.update("Contact", "1", &vec![("name__c".to_owned(), text("1"))]);
    let shard = stage.state.shard(&stage.plan.tenant).await.unwrap();
    let under_way = async || stage.state.status(shard).await.unwrap().active;
    until("decided", async || under_way().await == 1).await;
    stage.app("UPDATE contacts SET email = 'new' WHERE id = 2").await;
    until("decided, too", async || under_way().await == 2).await;
    assert_eq!(stage.names().await, ["one", "two"]);
    // What waits is no reason not to end, and is there for whoever comes next.
    stage.stop().await;
    assert_eq!(stage.names().await, ["one", "two"]);
    stage.every = Some(Duration::from_secs(1));
    stage.start().await;
    stage.until_names(&["1", "two"]).await;
    until("the other way", async || {
        stage.world.shows("Contact", "2").is_some_and(|row| format!("{row:?}").contains("new"))
    })
    .await;
    stage.stop().await;
}

#[tokio::test]
async fn a_mapping_is_written_to_by_the_calendar() {
    let mut stage = Stage::set(&["one"]).await;
    stage.until_names(&["one"]).await;
    stage.stop().await;
    stage.calendar = Calendar { schedules: vec![(0, "0 0 29 2 *".parse().unwrap())], ..Calendar::default() };
    stage.start().await;
    stage.world.update("Contact", "1", &vec![("name__c".to_owned(), text("1"))]);
    let shard = stage.state.shard(&stage.plan.tenant).await.unwrap();
    until("decided", async || stage.state.status(shard).await.unwrap().active == 1).await;
    assert_eq!(stage.names().await, ["one"]);
    stage.stop().await;
    stage.calendar = Calendar::default();
    stage.start().await;
    stage.until_names(&["1"]).await;
    stage.stop().await;
}

#[tokio::test]
async fn what_nobody_told_is_found_beside_the_live_stream() {
    let mut stage = Stage::set(&["one"]).await;
    stage.until_names(&["one"]).await;
    stage.stop().await;
    stage.calendar = Calendar { compared: vec![0], compare_every: Duration::from_secs(1), ..Calendar::default() };
    stage.start().await;
    // A change that no trigger sees.
    let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'";
    for row in sqlx::raw_sql(triggers).fetch_all(&mut stage.database().await).await.unwrap() {
        stage.app(&format!("DROP TRIGGER {}", row.get::<String, _>(0))).await;
    }
    stage.app("UPDATE contacts SET name = 'two'").await;
    until("found", async || stage.world.shows("Contact", "1").is_some_and(|row| format!("{row:?}").contains("two")))
        .await;
    stage.stop().await;
}

#[tokio::test]
async fn a_person_decides_about_what_is_taken_for_a_duplicate() {
    let mut stage = Stage::set(&["one"]).await;
    stage.until_names(&["one"]).await;
    stage.world.doubt("twin");
    stage.app("INSERT INTO contacts (name) VALUES ('twin'); UPDATE contacts SET name = 'twin' WHERE id = 1").await;
    stage.app("INSERT INTO contacts (name) VALUES ('twin')").await;
    let (state, shard) = (Arc::clone(&stage.state), stage.state.shard(&stage.plan.tenant).await.unwrap());
    let open = async || state.conflicts(shard, true, 9).await.unwrap();
    until("three questions", async || open().await.len() == 3).await;
    assert_eq!(state.dead_letters(shard, 9).await.unwrap(), []);
    let conflicts = open().await;
    assert!(conflicts.iter().all(|conflict| conflict.kind == ConflictKind::Duplicate), "{conflicts:?}");
    let of = |key: &str| conflicts.iter().find(|conflict| conflict.keys[1].as_deref() == Some(key)).unwrap();
    let decide = async |key: &str, side| {
        let Conflict { id, link, .. } = of(key).clone();
        state.ask(shard, &Command::Decide { conflict: id, link, side }).await.unwrap();
    };
    // What it holds is what is meant.
    decide("1", Side::Left).await;
    stage.until_names(&["one", "twin", "twin"]).await;
    // It is another record, whatever it looks like.
    decide("2", Side::Right).await;
    until("made", async || stage.world.shows("Contact", "2").is_some()).await;
    // It is not made.
    decide("3", Side::Left).await;
    until("decided", async || open().await.is_empty()).await;
    assert_eq!(stage.world.shows("Contact", "3"), None);
    // An edit answers by itself.
    stage.app("UPDATE contacts SET name = 'twin' WHERE id = 1").await;
    until("a question", async || open().await.len() == 1).await;
    stage.app("UPDATE contacts SET name = 'nobody' WHERE id = 1").await;
    until("written", async || open().await.is_empty()).await;
    assert!(format!("{:?}", stage.world.shows("Contact", "1")).contains("nobody"));
    stage.stop().await;
}

#[tokio::test]
async fn calls_are_counted_beyond_a_restart_and_no_more_are_made_than_allowed() {
    let mut stage = Stage::set(&["one"]).await;
    stage.until_names(&["one"]).await;
    stage.stop().await;
    // Half of them are ours.
    stage.world.allow(2 * stage.world.calls() + 40);
    let mut plan = Arc::unwrap_or_clone(Arc::clone(&stage.plan));
    plan.connections.get_mut("crm").unwrap().budgeted = true;
    stage.plan = Arc::new(plan);
    stage.start().await;
    let shard = stage.state.shard(&stage.plan.tenant).await.unwrap();
    let state = Arc::clone(&stage.state);
    let budget = async || state.status(shard).await.unwrap().budgets;
    until("the ledger is shown", async || !budget().await.is_empty()).await;
    let before = stage.world.calls();
    let mut made = 0;
    for round in 0..100 {
        let old = stage.world.calls();
        stage.app(&format!("UPDATE contacts SET email = '{round}'")).await;
        let shows = || format!("{:?}", stage.world.shows("Contact", "1")).contains(&format!("Text(\"{round}\")"));
        let written = tokio::time::timeout(Duration::from_secs(2), until("written", async || shows())).await.is_ok();
        made += stage.world.calls() - old;
        if round == 5 {
            stage.stop().await;
            let ledger = &budget().await[0].1;
            assert_eq!(ledger.used(jiff::Timestamp::now()), stage.world.calls(), "what was not spent is given back");
            stage.start().await;
        }
        if !written {
            break;
        }
    }
    let (standing, ledger) = budget().await.remove(0);
    let limit = stage.world.allowed();
    assert_eq!((standing.connection.as_str(), ledger.limit), ("crm", Some(limit)));
    assert!(made > 10 && before + made <= limit / 2, "{before} and {made} calls, {limit} allowed for everybody");
    stage.stop().await;
}

/// Redis in a folder of the test's own, and a state whose asking wakes whoever works.
#[cfg(feature = "redis")]
mod redis {
    use tokio::time::Instant;

    use super::*;
    use crate::{
        state::{
            Wake,
            tests::wakeups::{Redis, at},
            wakeup::WakingState,
        },
        sync::tenure,
    };

    /// Longer than a test lasts.
    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn what_is_asked_is_done_at_once_and_without_redis_a_little_later() {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = Redis::start(folder.path()).await else { return };
        let kept = Arc::<MemoryState>::default();
        let working = WakingState::working(kept.clone(), &at(folder.path()), "a").unwrap();
        let asking = WakingState::asking(kept.clone(), &at(folder.path()), "a").unwrap();
        let mut wakes = working.wakes();
        let mut stage = Stage::over(kept, Arc::new(working), &["one"]).await;
        stage.until_names(&["one"]).await;
        let shard = stage.state.shard(&stage.plan.tenant).await.unwrap();
        let done = async |command: &Command| {
            asking.ask(shard, command).await.unwrap();
            until("done", async || asking.commands(shard).await.unwrap().is_empty()).await;
        };
        wakes.until(Wake::All).await;
        let began = Instant::now();
        for round in 0..20 {
            done(if round % 2 == 0 { &Command::Pause(None) } else { &Command::Resume(None) }).await;
        }
        // Each would have waited for the look half a second after that before.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let client = ::redis::Client::open(at(folder.path()).url.expose()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        ::redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
        drop((server, connection));
        done(&Command::Pause(None)).await;
        stage.world.update("Contact", "1", &vec![("name__c".to_owned(), text("1"))]);
        done(&Command::Resume(None)).await;
        stage.until_names(&["1"]).await;
        let _server = Redis::start(folder.path()).await.unwrap();
        wakes.until(Wake::All).await;
        stage.stop().await;
    }

    #[tokio::test]
    async fn a_shard_that_is_given_back_is_taken_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let Some(_server) = Redis::start(folder.path()).await else { return };
        let kept = Arc::<MemoryState>::default();
        let working = || WakingState::working(kept.clone(), &at(folder.path()), "a").unwrap();
        let (first, second): (Arc<dyn State>, Arc<dyn State>) = (Arc::new(working()), Arc::new(working()));
        let mut wakes = second.wakes();
        let shard = first.shard("t").await.unwrap();
        let (lease, _) = tenure::acquire(&first, shard, "first", HOUR, || ()).await.unwrap();
        wakes.until(Wake::All).await;
        let waiting = tokio::spawn(async move { tenure::acquire(&second, shard, "second", HOUR, || ()).await });
        first.release(&lease).await.unwrap();
        let taken = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        let (lease, _) = taken.expect("nobody was woken").unwrap().unwrap();
        assert_eq!((lease.holder.as_str(), lease.epoch), ("second", 2));
    }
}
