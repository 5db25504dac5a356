//! Older and newer layouts.

use super::*;

impl TestPlace {
    async fn layout(&self) -> u64 {
        self.fetch("SELECT layout FROM {state}").await[0].number(0).unwrap()
    }
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    for place in TestPlace::all().await {
        let state = place.open().await;
        state.prepare().await.unwrap();
        place.run("UPDATE {state} SET layout = 99").await;
        let refused = [state.prepare().await.unwrap_err(), open_beside(&place.url()).await.err().unwrap()];
        for refused in refused {
            assert_eq!(refused.kind(), ErrorKind::Usage);
            assert!(refused.to_string().contains("newer tombolo: its layout is 99"), "{refused}");
            assert!(refused.hint().is_some());
        }
        place.clean().await;
    }
}

impl TestPlace {
    /// The state as the first layout had it, with a record of each kind.
    async fn make_first(&self) {
        let tables = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => include_str!("v1_sqlite.sql"),
            #[cfg(feature = "postgres")]
            Self::Postgres { schema } => {
                let name = super::super::dialect::quoted(schema);
                self.run(&format!("CREATE SCHEMA {name}")).await;
                include_str!("v1_postgres.sql")
            }
            #[cfg(feature = "mysql")]
            Self::MySql { .. } => include_str!("v1_mysql.sql"),
        };
        let dialect = self.place().dialect().unwrap();
        let named = dialect.table("");
        let rows = include_str!("v1_rows.sql");
        self.connect().await.raw(format!("{tables}{rows}").replace('@', &named)).await.unwrap();
    }
}

/// What the fixture holds is what this program writes today: nothing of it may be lost on the way.
async fn holds_what_the_first_held(state: &dyn State) {
    let shard = state.shard("acme").await.unwrap();
    assert_eq!(shard, 1);
    let lease = state.acquire(shard, "new", MINUTE).await.unwrap().unwrap();
    assert_eq!(lease.epoch, 8);
    let start = state.start(&lease).await.unwrap();
    assert_eq!((start.last_link, start.last_place, start.last_gap), (5, 2, 1));
    assert_eq!(start.active, [1]);
    assert_eq!((start.sources, start.jobs), (vec![source("a", 1)], vec![("load".to_owned(), job(1))]));
    assert_eq!((start.gaps, start.mappings), (vec![gap(1, 1, None)], vec![(0, MappingState::default())]));
    let mut shown = link(1);
    shown.fields[0].image[0] = Some(Stored::from("Ä"));
    let load = Load {
        by_match: vec![(0, Side::Left, "m".to_owned())],
        by_key: vec![(0, Side::Left, key(1))],
        journal: Some((0, 9)),
        ..Load::default()
    };
    let loaded = state.load(shard, &load).await.unwrap();
    assert_eq!((loaded.links, loaded.by_match), (vec![shown], vec![vec![1]]));
    assert_eq!(loaded.journal[0].news.values, [("Title".to_owned(), Stored::from("Ä"))]);
    assert_eq!(state.history(shard, 1).await.unwrap(), [step(1, 1, "x")]);
    assert_eq!(state.conflicts(shard, true, 9).await.unwrap(), [conflict("c", 1, 1, None)]);
    assert_eq!(state.dead_letters(shard, 9).await.unwrap(), [dead_letter(1, Side::Right, 1)]);
    assert_eq!(state.commands(shard).await.unwrap(), [(1, Command::Pause(None))]);
    // It goes on where it stood.
    assert_eq!(state.commit(&lease, &heard([entry(3, "a"), entry(4, "b"), entry(5, "c")])).await.unwrap(), [3, 4]);
    assert!(state.shard("another").await.unwrap() > 1);
    assert!(state.ask(shard, &Command::Resume(None)).await.unwrap() > 1);
    assert_eq!(state.reserve("crm", &ask(1, 5, None)).await.unwrap().given, 5);
}

#[tokio::test]
async fn an_older_layout_is_migrated_and_a_migration_may_stop_anywhere() {
    for place in TestPlace::all().await {
        place.make_first().await;
        let beside = open_beside(&place.url()).await.err().unwrap();
        assert!(beside.to_string().contains("older tombolo"), "{beside}");
        let stopping = Failpoints::new(|name| match name {
            failpoints::MIGRATING => Err(Error::failed("stopped")),
            _ => Ok(()),
        });
        let stopped = place.open_with(stopping).await;
        stopped.prepare().await.unwrap_err();
        assert_eq!(place.layout().await, 1);
        drop(stopped);
        let state = place.open().await;
        state.prepare().await.unwrap();
        assert_eq!(place.layout().await, 4);
        state.prepare().await.unwrap();
        open_beside(&place.url()).await.unwrap();
        holds_what_the_first_held(&*state).await;
        place.clean().await;
    }
}

#[tokio::test]
async fn the_first_migration_may_stop_anywhere_too() {
    for place in TestPlace::all().await {
        let stopping = Failpoints::new(|name| match name {
            failpoints::MIGRATING => Err(Error::failed("stopped")),
            _ => Ok(()),
        });
        let stopped = place.open_with(stopping).await;
        stopped.prepare().await.unwrap_err();
        drop(stopped);
        begin(&*place.open().await).await;
        place.clean().await;
    }
}

#[test]
fn every_failpoint_is_in_a_test() {
    let tests = [include_str!("breaks.rs"), include_str!("layouts.rs"), include_str!("leases.rs")].concat();
    for name in failpoints::ALL {
        let constant = name.trim_start_matches("state.").to_uppercase();
        assert!(tests.contains(&format!("failpoints::{constant}")), "{name}");
    }
}
