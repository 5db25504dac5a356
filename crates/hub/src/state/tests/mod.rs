//! What every state store promises, run on each of them.

mod breaks;
mod layouts;
mod leases;
mod loads;
mod places;
mod promises;
mod speed;
#[cfg(feature = "redis")]
pub(crate) mod wakeups;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use places::TestPlace;
use tombolo_engine::sync::{
    Class, Conflict, ConflictKind, DeadLetter, Entry, Gap, History, Job, JobKind, Link, LinkRow, Load, Loaded, News,
    NewsKind, Parked, Presence, Refusal, Side, SourceId, SourceState, Stage, Step, Stored, Transaction,
};

use super::{memory::MemoryState, *};
use crate::{Error, ErrorKind, store::Failpoints};

const MINUTE: Duration = Duration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn key(number: u64) -> String {
    tombolo_schema::Id::from_number(*b"003", number).to_string()
}

/// A link of mapping 0 that both sides show.
fn link(id: u64) -> Link {
    let mut link = Link::new(id, 0, 2);
    link.keys = [Some(key(id)), Some(id.to_string())];
    link.presence = [Presence::Present; 2];
    link.fields[0].image = [Some(Stored::from("Änne \u{1F980} 'O\"'")), Some(Stored::Null)];
    link.stamp = [Some(at(1)), None];
    link
}

fn row(link: Link) -> LinkRow {
    LinkRow { link, matches: [None, None], active: false }
}

fn entry(place: u64, identity: &str) -> Entry {
    let news = News {
        connection: "crm".to_owned(),
        entity: "Contact".to_owned(),
        key: Some(key(place)),
        identity: identity.to_owned(),
        kind: NewsKind::Update,
        values: vec![("Title".to_owned(), Stored::from("a\0b\u{1F980}"))],
        origin: None,
        at: Some(at(place as i64)),
        order: None,
    };
    Entry { place, heard: at(place as i64), news }
}

fn step(link: u64, second: i64, note: &str) -> History {
    History {
        link,
        at: at(second),
        step: Step::Heard,
        side: Side::Left,
        place: None,
        values: vec![("Title".to_owned(), Stored::Int(1))],
        note: note.to_owned(),
    }
}

fn conflict(id: &str, link: u64, second: i64, winner: Option<Side>) -> Conflict {
    Conflict {
        id: id.to_owned(),
        link,
        mapping: 0,
        keys: [None, Some(link.to_string())],
        field: Some(["Title".to_owned(), "job_title".to_owned()]),
        images: [None, Some(Stored::Null)],
        values: [Some(Stored::from("a")), Some(Stored::from("b"))],
        times: [Some(at(1)), None],
        kind: ConflictKind::Edit,
        winner,
        at: at(second),
        rule: "manual".to_owned(),
    }
}

fn dead_letter(link: u64, side: Side, second: i64) -> DeadLetter {
    let cause = Refusal {
        code: "FIELD_CUSTOM_VALIDATION_EXCEPTION".to_owned(),
        message: "no".to_owned(),
        fields: Vec::new(),
        passing: false,
    };
    DeadLetter { link, side, mapping: 0, keys: [None, None], fields: vec!["Title".to_owned()], cause, at: at(second) }
}

fn ask(second: i64, calls: u64, limit: Option<u64>) -> Reservation {
    Reservation {
        connection: "crm".to_owned(),
        at: at(second),
        calls,
        owed: 0,
        back: None,
        limit,
        budget: (50, 0),
        class: Class::Live,
    }
}

fn standing(connection: &str) -> Standing {
    Standing { connection: connection.to_owned(), ledger: "org".to_owned(), budget: (50, 0), calls: None, events: None }
}

fn gap(id: u64, second: i64, closed: Option<i64>) -> Gap {
    Gap {
        id,
        connection: "crm".to_owned(),
        entity: String::new(),
        from: None,
        noticed: at(second),
        reason: "expired".to_owned(),
        done: String::new(),
        closed: closed.map(at),
    }
}

fn job(rows: u64) -> Job {
    Job {
        kind: JobKind::Load,
        mapping: 0,
        side: Side::Right,
        stage: Stage::Rows,
        after: Some(vec![0, 255, 7]),
        since: None,
        rows,
        found: 1,
        parent: None,
        gap: None,
        began: at(1),
    }
}

fn source(channel: &str, position: u8) -> (SourceId, SourceState) {
    let id = SourceId { connection: "crm".to_owned(), channel: channel.to_owned() };
    (id, SourceState { position: Some(vec![position, 0, 255]), opened: Some(at(1)), committed: Some(at(2)) })
}

fn links(rows: impl IntoIterator<Item = LinkRow>) -> Transaction {
    Transaction { links: rows.into_iter().collect(), ..Transaction::default() }
}

fn heard(entries: impl IntoIterator<Item = Entry>) -> Transaction {
    Transaction { heard: entries.into_iter().collect(), ..Transaction::default() }
}

/// A state made ready, a shard of its own, and the right to work on it.
async fn begin(state: &dyn State) -> Lease {
    state.prepare().await.unwrap();
    let shard = state.shard("acme").await.unwrap();
    state.acquire(shard, "first", MINUTE).await.unwrap().expect("nobody holds it")
}

async fn undecided(state: &dyn State, shard: u64) -> Vec<u64> {
    let load = Load { journal: Some((0, 1000)), ..Load::default() };
    state.load(shard, &load).await.unwrap().journal.iter().map(|entry| entry.place).collect()
}

async fn by_id(state: &dyn State, shard: u64, ids: &[u64]) -> Vec<Link> {
    state.load(shard, &Load { by_id: ids.to_vec(), ..Load::default() }).await.unwrap().links
}

/// Runs a promise on every state store that there is.
async fn on_all(promise: impl AsyncFn(Arc<dyn State>)) {
    promise(Arc::new(MemoryState::default())).await;
    for place in TestPlace::all().await {
        promise(place.open().await).await;
        place.clean().await;
    }
}
