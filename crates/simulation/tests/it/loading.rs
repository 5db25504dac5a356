//! Loading: a page is read ahead, and a restart goes on behind what was decided.

use std::collections::VecDeque;

use jiff::Timestamp;
use tombolo_engine::sync::{
    Answer, Effect, Input, JobKind, Policy, Read, Row, Settings, Shard, Side, SourceId, Transaction,
};
use tombolo_simulation::{
    plan::{self, APP, CONTACT, CRM, Choices, OBJECTS},
    store::Store,
};

/// A shard whose state store answers at once; what it asks to read is kept, and the transactions are.
struct Loading {
    shard: Shard,
    store: Store,
    asked: VecDeque<(u64, Read)>,
    put_away: Vec<Transaction>,
}

impl Loading {
    fn begin() -> Self {
        let mut store = Store::default();
        let plan = plan::plan(&Choices::plain(Policy::Newest(Side::Left)));
        let shard = Shard::new(Timestamp::UNIX_EPOCH, plan, Settings::default(), store.take_over());
        let mut loading = Self { shard, store, asked: VecDeque::new(), put_away: Vec::new() };
        for (connection, channel) in [(CRM, OBJECTS[CONTACT]), (APP, "*")] {
            let source = SourceId { connection: connection.to_owned(), channel: channel.to_owned() };
            loading.tell(Input::Opened { source, at: Timestamp::UNIX_EPOCH });
        }
        loading
    }

    fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.shard.handle(Timestamp::UNIX_EPOCH, input);
            while let Some(effect) = self.shard.next_effect() {
                match effect {
                    Effect::Commit { ticket, transaction } => {
                        self.put_away.push(Transaction::clone(&transaction));
                        let known = self.store.commit(*transaction, false);
                        inputs.push_back(Input::Committed { ticket, known });
                    }
                    Effect::Load { ticket, load } => {
                        let loaded = Box::new(self.store.load(&load));
                        inputs.push_back(Input::Loaded { ticket, loaded });
                    }
                    Effect::Read { ticket, read, .. } => self.asked.push_back((ticket, read)),
                    Effect::Reserve(ask) => {
                        let reserved = self.store.ledger.reserve(&ask);
                        inputs.push_back(Input::Reserved { connection: ask.connection, reserved });
                    }
                    Effect::Write(_) | Effect::Acknowledge { .. } => {}
                }
            }
        }
    }

    /// The page of contacts that is asked for, and where it begins.
    fn page(&mut self) -> Option<(u64, Option<Vec<u8>>)> {
        let wanted = |read: &Read| matches!(read, Read::Page { mapping: CONTACT, side: Side::Left, .. });
        let at = self.asked.iter().position(|(_, read)| wanted(read))?;
        match self.asked.remove(at)? {
            (ticket, Read::Page { after, .. }) => Some((ticket, after)),
            _ => None,
        }
    }

    /// Where the loading of contacts would go on after a restart now.
    fn goes_on_behind(&self) -> Option<Vec<u8>> {
        let mut jobs =
            self.put_away.iter().flat_map(|transaction| &transaction.jobs).filter_map(|(_, job)| job.as_ref());
        let own = |job: &&tombolo_engine::sync::Job| {
            (job.kind, job.mapping, job.side) == (JobKind::Load, CONTACT, Side::Left)
        };
        jobs.rfind(own).and_then(|job| job.after.clone())
    }

    fn links(&self) -> usize {
        self.put_away
            .iter()
            .flat_map(|transaction| &transaction.links)
            .filter(|row| row.link.mapping == CONTACT)
            .count()
    }
}

fn rows(numbers: std::ops::Range<usize>) -> Vec<Row> {
    let row = |number: usize| Row {
        key: format!("003{number:015}"),
        values: vec![("LastName".to_owned(), format!("L{number}").as_str().into())],
        stamp: Some(Timestamp::UNIX_EPOCH),
        foreign_at: None,
        order: None,
        deleted: false,
        merged_into: None,
    };
    numbers.map(row).collect()
}

#[test]
fn a_page_is_read_ahead_and_a_restart_goes_on_behind_what_is_put_away() {
    let mut loading = Loading::begin();
    let step = Settings::default().step;
    let (ticket, after) = loading.page().expect("the first page is asked for");
    assert_eq!(after, None);
    // Its rows are decided in several steps; the page behind it is asked for before the first of them.
    let end = b"end of the first".to_vec();
    let server = Some(Timestamp::UNIX_EPOCH);
    let answer = Answer::Rows { rows: rows(0..step * 3), next: Some(end.clone()), server };
    loading.put_away.clear();
    loading.tell(Input::Answered { ticket, answer });
    let (ticket, after) = loading.page().expect("the next page is asked for");
    assert_eq!(after, Some(end.clone()));
    assert_eq!(loading.goes_on_behind(), Some(end));
    assert_eq!(loading.links(), step * 3);
    let last = loading.put_away.iter().position(|transaction| {
        transaction.jobs.iter().any(|(_, job)| job.as_ref().is_some_and(|job| job.after.is_some()))
    });
    let before = last.expect("the end of the page is put away");
    let until = loading.put_away[..=before].iter().flat_map(|transaction| &transaction.links);
    assert_eq!(
        until.filter(|row| row.link.mapping == CONTACT).count(),
        step * 3,
        "its end is put away with its last row"
    );
    loading.tell(Input::Answered {
        ticket,
        answer: Answer::Rows { rows: rows(step * 3..step * 3 + 1), next: None, server },
    });
    assert_eq!(loading.page(), None, "nothing is behind the last page");
    assert_eq!(loading.links(), step * 3 + 1);
}
