//! A table that was made anew while the hub runs, driven by hand.

use jiff::{SignedDuration, Timestamp};
use tombolo_engine::sync::{
    Answer, Batch, Delivery, Effect, Input, Link, Loaded, MADE_ANEW, MappingState, News, NewsKind, Operation, Outcome,
    Presence, Read, Reserved, Settings, Shard, Side, SourceId, Start, Stored,
};

use crate::sync::plan;

const ID: &str = "001000000000001AAA";

/// A record that is on both sides.
fn whole() -> Link {
    let mut link = Link::new(1, 0, 1);
    link.keys = [Some(ID.to_owned()), Some("1".to_owned())];
    link.presence = [Presence::Present, Presence::Present];
    link.fields[0].image = [Some(Stored::from("Acme")), Some(Stored::from("Acme"))];
    link
}

fn renamed(at: Timestamp) -> Input {
    let news = News {
        connection: "crm".to_owned(),
        entity: "Account".to_owned(),
        key: Some(ID.to_owned()),
        identity: "t:1:1".to_owned(),
        kind: NewsKind::Update,
        values: vec![("Name".to_owned(), Stored::from("Acme & Co"))],
        origin: None,
        at: Some(at),
        order: None,
    };
    let source = SourceId { connection: "crm".to_owned(), channel: "Account".to_owned() };
    Input::Heard(Delivery { source, news: vec![news], position: None, committed: Some(at) })
}

/// The hub around a shard, and a table that holds what was written to it.
struct Stage {
    shard: Shard,
    now: Timestamp,
    /// The keys in the table.
    table: Vec<String>,
    /// What was sent to the table and is not answered.
    sent: Vec<Batch>,
    /// How often its keys were listed.
    lists: usize,
}

impl Stage {
    fn set() -> Self {
        let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        let loaded = MappingState { loaded: [true, true], ..MappingState::default() };
        let start = Start { shard: 1, epoch: 1, last_link: 1, mappings: vec![(0, loaded)], ..Start::default() };
        let shard = Shard::new(now, plan(), Settings::default(), start);
        Self { shard, now, table: Vec::new(), sent: Vec::new(), lists: 0 }
    }

    /// Tells something, and does what is asked for; writes are kept.
    fn tell(&mut self, input: Input) {
        self.shard.handle(self.now, input);
        while let Some(effect) = self.shard.next_effect() {
            let input = match effect {
                Effect::Commit { ticket, .. } => Input::Committed { ticket, known: Vec::new() },
                Effect::Reserve(ask) => {
                    let reserved = Reserved { given: ask.calls, used: ask.calls, limit: ask.limit };
                    Input::Reserved { connection: ask.connection, reserved }
                }
                Effect::Load { ticket, load } => {
                    let wanted = !load.by_key.is_empty() || !load.by_id.is_empty();
                    let links = if wanted { vec![whole()] } else { Vec::new() };
                    let by_match = load.by_match.iter().map(|_| Vec::new()).collect();
                    let parked_on = load.parked_on.iter().map(|_| Vec::new()).collect();
                    let keys = load.keys.iter().map(|_| "1".to_owned()).collect();
                    let loaded = Loaded { links, by_match, parked_on, keys, ..Loaded::default() };
                    Input::Loaded { ticket, loaded: Box::new(loaded) }
                }
                Effect::Read { ticket, read, .. } => {
                    let answer = match read {
                        Read::Keys { side: Side::Right, .. } => {
                            self.lists += 1;
                            Answer::Keys { keys: self.table.clone(), next: None }
                        }
                        Read::Page { .. } | Read::Rows { .. } => {
                            Answer::Rows { rows: Vec::new(), next: None, server: None }
                        }
                        read => panic!("{read:?}"),
                    };
                    Input::Answered { ticket, answer }
                }
                Effect::Write(batch) => {
                    self.sent.push(batch);
                    continue;
                }
                Effect::Acknowledge { .. } => continue,
            };
            self.shard.handle(self.now, input);
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.tell(Input::Tick);
    }

    fn made_anew(&mut self) {
        let source = SourceId { connection: "app".to_owned(), channel: "*".to_owned() };
        self.tell(Input::Lost { source: source.clone(), reason: MADE_ANEW.to_owned() });
        self.tell(Input::Opened { source, at: self.now });
    }

    fn answer(&mut self, outcome: Outcome) {
        let batch = self.sent.remove(0);
        self.tell(Input::Written { tag: batch.tag, outcomes: vec![outcome] });
    }

    fn operations(&self) -> Vec<&Operation> {
        self.sent.iter().flat_map(|batch| &batch.writes).map(|write| &write.operation).collect()
    }
}

#[test]
fn what_is_written_while_the_keys_of_a_new_table_are_listed_is_not_taken_for_lost() {
    let mut stage = Stage::set();
    stage.tell(renamed(stage.now));
    stage.wait(1);
    assert_eq!(stage.operations(), [&Operation::Update("1".to_owned())]);
    // The list does not show what this write leaves there.
    stage.made_anew();
    assert_eq!(stage.lists, 1);
    stage.table.push("1".to_owned());
    stage.answer(Outcome::Done { key: "1".to_owned(), row: None });
    stage.wait(10);
    assert_eq!(stage.lists, 2);
    assert_eq!(stage.operations(), [] as [&Operation; 0]);
}

#[test]
fn what_a_new_table_lacks_after_a_write_was_not_done_is_made_again() {
    let mut stage = Stage::set();
    stage.tell(renamed(stage.now));
    stage.wait(1);
    stage.made_anew();
    stage.answer(Outcome::NotDone(None));
    stage.wait(10);
    stage.wait(1);
    assert!(matches!(stage.operations()[..], [Operation::Create { key: Some(_), .. }]), "{:?}", stage.sent);
}
