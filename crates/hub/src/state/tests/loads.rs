//! What the engine asks back.

use super::*;

#[tokio::test]
async fn a_load_sees_every_commit_before_it() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        for writes in 1..=20 {
            let mut changed = link(1);
            changed.writes = writes;
            state.commit(&lease, &links([row(changed.clone())])).await.unwrap();
            assert_eq!(by_id(&*state, lease.shard, &[1]).await, [changed]);
        }
    })
    .await;
}

#[tokio::test]
async fn links_are_found_by_key_once() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let mut odd = link(3);
        let long = format!("{}/ä", "k".repeat(700));
        odd.keys = [Some("a\0b".to_owned()), Some(long.clone())];
        let mut other = link(4);
        other.mapping = 1;
        let rows = [row(link(1)), row(link(2)), row(odd.clone()), row(other.clone())];
        state.commit(&lease, &links(rows)).await.unwrap();
        let load = Load {
            by_key: vec![
                (0, Side::Left, key(1)),
                (0, Side::Right, "1".to_owned()),
                (0, Side::Right, long),
                (0, Side::Left, "a\0b".to_owned()),
                (1, Side::Right, "4".to_owned()),
                (1, Side::Left, key(2)),
                (0, Side::Left, key(1).to_lowercase()),
                (0, Side::Right, "1 ".to_owned()),
            ],
            by_id: vec![4],
            ..Load::default()
        };
        let loaded = state.load(lease.shard, &load).await.unwrap();
        assert_eq!(loaded, Loaded { links: vec![link(1), odd, other], ..Loaded::default() });
        let other_shard = state.shard("other").await.unwrap();
        assert_eq!(state.load(other_shard, &load).await.unwrap(), Loaded::default());
        assert_eq!(state.load(lease.shard, &Load::default()).await.unwrap(), Loaded::default());
    })
    .await;
}

#[tokio::test]
async fn matches_are_answered_in_order_with_three_at_most() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let matching = |id, left: &str| LinkRow { matches: [Some(left.to_owned()), None], ..row(link(id)) };
        let long = "m".repeat(3000);
        let rows = (1..=5).map(|id| matching(id, "many")).chain([
            matching(6, "one"),
            matching(7, &long),
            LinkRow { matches: [None, Some("one".to_owned())], ..row(link(8)) },
            row(link(9)),
        ]);
        state.commit(&lease, &links(rows)).await.unwrap();
        let ask = |side, text: &str| (0, side, text.to_owned());
        let load = Load {
            by_match: vec![
                ask(Side::Left, "one"),
                ask(Side::Left, "many"),
                ask(Side::Left, "One"),
                ask(Side::Right, "one"),
                ask(Side::Left, &long),
                ask(Side::Left, "one"),
                (1, Side::Left, "one".to_owned()),
            ],
            ..Load::default()
        };
        let loaded = state.load(lease.shard, &load).await.unwrap();
        assert_eq!(loaded.by_match, [vec![6], vec![1, 2, 3], vec![], vec![8], vec![7], vec![6], vec![]]);
        assert_eq!(loaded.links.iter().map(|link| link.id).collect::<Vec<_>>(), [1, 2, 3, 6, 7, 8]);
        // What it matches may change.
        state.commit(&lease, &links([matching(1, "one"), row(link(2))])).await.unwrap();
        let loaded = state.load(lease.shard, &load).await.unwrap();
        assert_eq!(loaded.by_match[..2], [vec![1, 6], vec![3, 4, 5]]);
    })
    .await;
}

#[tokio::test]
async fn children_are_found_by_the_parent_they_wait_for() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let child = |id, parent: (usize, Side, String)| {
            let mut child = link(id);
            child.parked = Some(Parked { parent, since: at(1), required: false });
            row(child)
        };
        let parents = [(1, Side::Left, key(1)), (1, Side::Right, key(1)), (2, Side::Left, key(1))];
        let rows = (1..=12).map(|id| child(id, parents[if id == 11 { 1 } else { 0 }].clone()));
        state.commit(&lease, &links(rows)).await.unwrap();
        state.commit(&lease, &links([row(link(4))])).await.unwrap();
        let load = Load { parked_on: parents.to_vec(), ..Load::default() };
        let loaded = state.load(lease.shard, &load).await.unwrap();
        assert_eq!(loaded.parked_on, [vec![1, 2, 3, 5, 6, 7, 8, 9, 10, 12], vec![11], vec![]]);
        assert_eq!(loaded.links.len(), 11);
    })
    .await;
}

#[tokio::test]
async fn keys_come_in_pages_in_the_order_of_their_bytes() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let long = format!("9{}", "9".repeat(600));
        let texts = ["10", "9", "Zoë", "a", "Z", "b ", "b", &long];
        let rows = texts.iter().enumerate().map(|(at, text)| {
            let mut link = link(at as u64 + 1);
            link.keys[1] = Some((*text).to_owned());
            row(link)
        });
        state.commit(&lease, &links(rows)).await.unwrap();
        let mut gone = link(20);
        gone.presence[1] = Presence::Deleted;
        let mut other = link(21);
        other.mapping = 1;
        state.commit(&lease, &links([row(gone), row(other)])).await.unwrap();
        let mut expected: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        expected.sort();
        let mut pages = Vec::new();
        let mut behind = None;
        loop {
            let load = Load { keys: Some((0, Side::Right, behind.clone(), 3)), ..Load::default() };
            let loaded = state.load(lease.shard, &load).await.unwrap();
            assert_eq!(loaded.links, []);
            behind = loaded.keys.last().cloned();
            pages.push(loaded.keys.len());
            assert_eq!(loaded.keys[..], expected[..loaded.keys.len()]);
            expected.drain(..loaded.keys.len());
            if behind.is_none() {
                break;
            }
        }
        assert_eq!(pages, [3, 3, 2, 0]);
    })
    .await;
}

#[tokio::test]
async fn halves_come_in_pages_in_the_order_of_their_numbers() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let half = |id, presence, keys: [bool; 2]| {
            let mut link = link(id);
            link.presence = presence;
            for (key, kept) in link.keys.iter_mut().zip(keys) {
                *key = key.take().filter(|_| kept);
            }
            row(link)
        };
        use Presence::{Absent, Deleted, Present};
        let rows = (1..=7).map(|id| half(id, [Present, Absent], [true, false])).chain([
            half(8, [Absent, Present], [false, true]),
            // It is being made: it has a key already.
            half(9, [Present, Absent], [true, true]),
            half(10, [Present, Deleted], [true, true]),
            half(11, [Deleted, Absent], [true, false]),
            row(link(12)),
        ]);
        state.commit(&lease, &links(rows)).await.unwrap();
        state.commit(&lease, &links([row(link(3))])).await.unwrap();
        let page = async |side, behind, limit| {
            let load = Load { halves: Some((0, side, behind, limit)), ..Load::default() };
            let loaded = state.load(lease.shard, &load).await.unwrap();
            assert_eq!(loaded.links.len(), loaded.halves.len());
            loaded.halves
        };
        assert_eq!(page(Side::Left, 0, 4).await, [1, 2, 4, 5]);
        assert_eq!(page(Side::Left, 5, 4).await, [6, 7]);
        assert_eq!(page(Side::Left, 7, 4).await, Vec::<u64>::new());
        assert_eq!(page(Side::Right, 0, 4).await, [8]);
    })
    .await;
}

#[tokio::test]
async fn many_at_once_are_no_other_than_few() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let wide = |id: u64| {
            let mut link = link(id);
            // A few of them together are more than one packet takes.
            let size = if id.is_multiple_of(500) { 3 << 20 } else { 10 };
            link.fields[1].image[0] = Some(Stored::Text("w".repeat(size)));
            row(link)
        };
        let rows = 1300;
        let transaction = Transaction {
            heard: (1..=rows).map(|place| entry(place, &place.to_string())).collect(),
            links: (1..=rows).map(wide).collect(),
            history: (1..=rows).map(|id| step(id, 1, "x")).collect(),
            ..Transaction::default()
        };
        state.commit(&lease, &transaction).await.unwrap();
        assert_eq!(state.commit(&lease, &transaction).await.unwrap(), Vec::<u64>::new());
        let load = Load {
            by_key: (1..=9000).map(|id| (0, Side::Left, key(id))).collect(),
            by_id: (1..=5000).collect(),
            journal: Some((0, 10_000)),
            ..Load::default()
        };
        let loaded = state.load(lease.shard, &load).await.unwrap();
        assert_eq!(loaded.links, transaction.links.iter().map(|row| row.link.clone()).collect::<Vec<_>>());
        assert_eq!(loaded.journal, transaction.heard);
        let decided = Transaction { decided: (1..=rows).collect(), ..Transaction::default() };
        state.commit(&lease, &decided).await.unwrap();
        assert_eq!(undecided(&*state, lease.shard).await, Vec::<u64>::new());
    })
    .await;
}
