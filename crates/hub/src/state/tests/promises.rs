//! What is put away, and what of it is told again.

use super::*;

#[tokio::test]
async fn the_shape_of_the_plan_is_kept_by_shard() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        assert_eq!(state.shape(lease.shard).await.unwrap(), None);
        for shape in ["one", "two"] {
            state.keep_shape(lease.shard, shape).await.unwrap();
            assert_eq!(state.shape(lease.shard).await.unwrap().as_deref(), Some(shape));
        }
        let other = state.shard("other").await.unwrap();
        assert_eq!(state.shape(other).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_shard_is_made_once_and_keeps_its_number() {
    on_all(async |state| {
        state.prepare().await.unwrap();
        state.prepare().await.unwrap();
        let first = state.shard("acme").await.unwrap();
        let long = "ü".repeat(600);
        let second = state.shard(&long).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(state.shard("acme").await.unwrap(), first);
        assert_eq!(state.shard(&long).await.unwrap(), second);
        assert_ne!(state.shard("ACME ").await.unwrap(), first, "names are compared as they are");
        assert_ne!(state.shard("acme ").await.unwrap(), first, "names are compared as they are");
        for refused in [
            state.acquire(99, "x", MINUTE).await.unwrap_err(),
            state.status(99).await.unwrap_err(),
            state.ask(99, &Command::Scrub(None)).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Usage);
            assert!(refused.to_string().contains("no shard 99"), "{refused}");
        }
    })
    .await;
}

/// Everything that a transaction can hold.
fn everything() -> Transaction {
    let mut parked = link(3);
    parked.keys[1] = None;
    parked.presence[1] = Presence::Absent;
    parked.parked = Some(Parked { parent: (1, Side::Left, key(77)), since: at(2), required: true });
    Transaction {
        heard: vec![entry(1, "a"), entry(2, "b")],
        sources: vec![source("/data/ContactChangeEvent", 1), source("outbox", 2)],
        decided: vec![1],
        links: vec![row(link(1)), LinkRow { active: true, ..row(link(2)) }, row(parked)],
        forgotten: Vec::new(),
        history: vec![step(1, 5, "first"), step(1, 5, "second"), step(2, 5, "other"), step(1, 4, "before")],
        conflicts: vec![conflict("c1", 1, 10, None), conflict("c2", 2, 11, Some(Side::Left))],
        dead_letters: vec![dead_letter(1, Side::Left, 10), dead_letter(1, Side::Right, 11)],
        delivered: Vec::new(),
        gaps: vec![gap(1, 10, None), gap(2, 11, Some(12))],
        jobs: vec![("load/0/Right".to_owned(), Some(job(5))), ("gone".to_owned(), None)],
        commands: Vec::new(),
        operations: vec![("app".to_owned(), "1.1".to_owned())],
        mappings: vec![(0, MappingState { loaded: [true, false], paused: true, ..MappingState::default() })],
    }
}

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        assert_eq!(
            state.start(&lease).await.unwrap(),
            Start { shard: lease.shard, epoch: lease.epoch, ..Start::default() }
        );
        let transaction = everything();
        assert_eq!(state.commit(&lease, &transaction).await.unwrap(), Vec::<u64>::new());
        let again = state.acquire(lease.shard, "first", MINUTE).await.unwrap().unwrap();
        assert_eq!(again.epoch, lease.epoch + 1, "a restart is another epoch");
        let start = Start {
            shard: lease.shard,
            epoch: again.epoch,
            last_link: 3,
            last_place: 2,
            last_gap: 2,
            active: vec![2],
            sources: transaction.sources.clone(),
            jobs: vec![("load/0/Right".to_owned(), job(5))],
            gaps: vec![gap(1, 10, None)],
            mappings: transaction.mappings.clone(),
        };
        assert_eq!(state.start(&again).await.unwrap(), start);
        assert_eq!(state.start(&lease).await.unwrap_err().kind(), ErrorKind::Fenced);
        let stored: Vec<Link> = transaction.links.iter().map(|row| row.link.clone()).collect();
        assert_eq!(by_id(&*state, lease.shard, &[3, 1, 2, 9, 1]).await, stored);
        let load = Load { journal: Some((0, 10)), ..Load::default() };
        assert_eq!(state.load(lease.shard, &load).await.unwrap().journal, [entry(2, "b")]);
        let notes: Vec<String> =
            state.history(lease.shard, 1).await.unwrap().into_iter().map(|step| step.note).collect();
        assert_eq!(notes, ["before", "first", "second"]);
        assert_eq!(state.conflicts(lease.shard, false, 1).await.unwrap(), [conflict("c2", 2, 11, Some(Side::Left))]);
        assert_eq!(state.conflicts(lease.shard, true, 9).await.unwrap(), [conflict("c1", 1, 10, None)]);
        assert_eq!(
            state.dead_letters(lease.shard, 9).await.unwrap(),
            [dead_letter(1, Side::Right, 11), dead_letter(1, Side::Left, 10)]
        );
        assert_eq!(state.gaps(lease.shard, 9).await.unwrap(), [gap(2, 11, Some(12)), gap(1, 10, None)]);
    })
    .await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_may_be_repeated() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        state.commit(&lease, &heard([entry(1, "known")])).await.unwrap();
        let mut transaction = everything();
        transaction.heard = vec![entry(2, "a"), entry(3, "known"), entry(4, "b"), entry(5, "a")];
        transaction.decided = vec![2];
        for _ in 0..3 {
            assert_eq!(state.commit(&lease, &transaction).await.unwrap(), [3, 5]);
            assert_eq!(undecided(&*state, lease.shard).await, [1, 4]);
            assert_eq!(state.history(lease.shard, 1).await.unwrap().len(), 3);
            assert_eq!(state.conflicts(lease.shard, false, 9).await.unwrap().len(), 2);
            assert_eq!(state.status(lease.shard).await.unwrap().waiting, 2);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_heard_is_known_by_connection_and_identity() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let long = "x".repeat(2000);
        let entries = [entry(1, "a"), entry(2, "A"), entry(3, "a "), entry(4, &long), entry(5, &format!("{long}y"))];
        assert_eq!(state.commit(&lease, &heard(entries)).await.unwrap(), Vec::<u64>::new());
        let mut other = entry(6, "a");
        other.news.connection = "app".to_owned();
        let again = [other, entry(7, "a"), entry(8, "A"), entry(9, "new"), entry(10, &long)];
        assert_eq!(state.commit(&lease, &heard(again)).await.unwrap(), [7, 8, 10]);
        assert_eq!(undecided(&*state, lease.shard).await, [1, 2, 3, 4, 5, 6, 9]);
        // Decided or not, it stays known.
        let decided = Transaction { decided: vec![1, 2], ..heard([entry(11, "a")]) };
        assert_eq!(state.commit(&lease, &decided).await.unwrap(), [11]);
        assert_eq!(undecided(&*state, lease.shard).await, [3, 4, 5, 6, 9]);
        assert_eq!(state.commit(&lease, &heard([entry(12, "A")])).await.unwrap(), [12]);
        let other_shard = state.shard("other").await.unwrap();
        let other_lease = state.acquire(other_shard, "first", MINUTE).await.unwrap().unwrap();
        assert_eq!(state.commit(&other_lease, &heard([entry(1, "a")])).await.unwrap(), Vec::<u64>::new());
        assert_eq!(undecided(&*state, other_shard).await, [1]);
        let limited = Load { journal: Some((3, 2)), ..Load::default() };
        let places = state.load(lease.shard, &limited).await.unwrap().journal;
        assert_eq!(places.iter().map(|entry| entry.place).collect::<Vec<_>>(), [4, 5]);
    })
    .await;
}

#[tokio::test]
async fn a_place_in_the_journal_is_given_once() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        state.commit(&lease, &heard([entry(1, "a")])).await.unwrap();
        let refused = state.commit(&lease, &Transaction { links: vec![row(link(1))], ..heard([entry(1, "b")]) }).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Failed);
        assert_eq!(by_id(&*state, lease.shard, &[1]).await, []);
    })
    .await;
}

#[tokio::test]
async fn of_two_states_in_one_transaction_the_later_counts() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let mut later = link(1);
        later.writes = 7;
        let transaction = Transaction {
            links: vec![row(link(1)), row(later.clone())],
            sources: vec![source("a", 1), source("a", 2)],
            jobs: vec![
                ("x".to_owned(), Some(job(1))),
                ("x".to_owned(), None),
                ("y".to_owned(), None),
                ("y".to_owned(), Some(job(2))),
            ],
            gaps: vec![gap(1, 1, None), gap(1, 1, Some(2))],
            conflicts: vec![conflict("c", 1, 1, None), conflict("c", 1, 1, Some(Side::Right))],
            dead_letters: vec![dead_letter(1, Side::Left, 1), dead_letter(1, Side::Left, 2)],
            ..Transaction::default()
        };
        state.commit(&lease, &transaction).await.unwrap();
        assert_eq!(by_id(&*state, lease.shard, &[1]).await, [later]);
        let start = state.start(&lease).await.unwrap();
        assert_eq!((start.sources, start.jobs), (vec![source("a", 2)], vec![("y".to_owned(), job(2))]));
        assert_eq!(start.gaps, []);
        assert_eq!(state.conflicts(lease.shard, true, 9).await.unwrap(), []);
        assert_eq!(state.dead_letters(lease.shard, 9).await.unwrap(), [dead_letter(1, Side::Left, 2)]);
        let transaction = Transaction {
            delivered: vec![(1, Side::Left), (1, Side::Right)],
            dead_letters: vec![dead_letter(1, Side::Right, 3)],
            ..Transaction::default()
        };
        state.commit(&lease, &transaction).await.unwrap();
        assert_eq!(state.dead_letters(lease.shard, 9).await.unwrap(), [dead_letter(1, Side::Right, 3)]);
    })
    .await;
}

#[tokio::test]
async fn what_is_forgotten_leaves_nothing_and_its_number_is_not_given_again() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let mut transaction = everything();
        transaction.links = vec![row(link(1)), row(link(2))];
        state.commit(&lease, &transaction).await.unwrap();
        // Its key goes to another link at the same moment.
        let mut heir = link(1);
        heir.keys[0] = Some(key(2));
        let forget = Transaction {
            forgotten: vec![2],
            history: vec![step(2, 9, "late")],
            conflicts: vec![conflict("late", 2, 9, None)],
            ..links([row(heir.clone()), row(link(2))])
        };
        for _ in 0..2 {
            state.commit(&lease, &forget).await.unwrap();
            assert_eq!(by_id(&*state, lease.shard, &[1, 2]).await, std::slice::from_ref(&heir));
            assert_eq!(state.history(lease.shard, 2).await.unwrap(), []);
            assert_eq!(state.conflicts(lease.shard, false, 9).await.unwrap(), [conflict("c1", 1, 10, None)]);
            assert_eq!(state.start(&lease).await.unwrap().last_link, 2);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_one_link_and_may_change_hands() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        state.commit(&lease, &links([row(link(1)), row(link(2)), row(link(3))])).await.unwrap();
        let (mut one, mut two) = (link(1), link(2));
        std::mem::swap(&mut one.keys, &mut two.keys);
        let swapped = links([row(one.clone()), row(two.clone())]);
        for _ in 0..2 {
            state.commit(&lease, &swapped).await.unwrap();
            let load =
                Load { by_key: vec![(0, Side::Left, key(2)), (0, Side::Right, "1".to_owned())], ..Load::default() };
            assert_eq!(state.load(lease.shard, &load).await.unwrap().links, [one.clone(), two.clone()]);
        }
        // A key of a link that is not part of the transaction is refused, whatever else it holds.
        let mut thief = link(4);
        thief.keys[1] = Some("3".to_owned());
        let refused = state.commit(&lease, &links([row(thief.clone()), row(link(5))])).await.unwrap_err();
        assert!(refused.kind() == ErrorKind::Failed && !refused.is_retryable(), "{refused}");
        assert_eq!(by_id(&*state, lease.shard, &[3, 4, 5]).await, [link(3)]);
        // In another mapping it is another key.
        thief.mapping = 1;
        state.commit(&lease, &links([row(thief)])).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn commands_wait_for_whoever_holds_the_shard() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let pause = Command::Pause(Some(3));
        let forget = Command::Forget { mapping: 0, side: Side::Left, key: key(1) };
        let first = state.ask(lease.shard, &pause).await.unwrap();
        let second = state.ask(lease.shard, &forget).await.unwrap();
        assert!(first < second);
        assert_eq!(state.commands(lease.shard).await.unwrap(), [(first, pause), (second, forget.clone())]);
        let other = state.shard("other").await.unwrap();
        assert_eq!(state.commands(other).await.unwrap(), []);
        let done = Transaction { commands: vec![first], ..Transaction::default() };
        state.commit(&lease, &done).await.unwrap();
        assert_eq!(state.commands(lease.shard).await.unwrap(), [(second, forget)]);
    })
    .await;
}

#[tokio::test]
async fn status_counts() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        state.commit(&lease, &everything()).await.unwrap();
        let mut gone = link(4);
        gone.presence[0] = Presence::Deleted;
        let mut other = link(5);
        other.mapping = 2;
        state.commit(&lease, &links([row(gone), row(other)])).await.unwrap();
        let status = state.status(lease.shard).await.unwrap();
        let (holder, until) = status.holder.clone().unwrap();
        assert_eq!((&*holder, status.epoch), ("first", lease.epoch));
        let left = until.duration_since(Timestamp::now()).as_secs();
        assert!((50..=61).contains(&left), "{left}");
        assert_eq!((status.waiting, status.oldest), (1, Some(at(2))));
        assert_eq!(status.sources, everything().sources);
        assert_eq!(status.jobs, [("load/0/Right".to_owned(), job(5))]);
        let counts = Counts { linked: 2, half: [1, 1], conflicts: 1, dead_letters: [1, 1] };
        let other = Counts { linked: 1, ..Counts::default() };
        let mapping = everything().mappings.remove(0).1;
        assert_eq!(status.mappings, [(0, mapping, counts), (2, MappingState::default(), other)]);
        state.release(&lease).await.unwrap();
        assert_eq!(state.status(lease.shard).await.unwrap().holder, None);
    })
    .await;
}

#[tokio::test]
async fn a_record_is_found_by_any_of_its_ids() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        assert_eq!(state.find(lease.shard, &key(1)).await.unwrap(), []);
        let mut other = link(9);
        other.mapping = 4;
        other.keys = [Some(key(1)), Some("a/b c".to_owned())];
        state.commit(&lease, &links([row(link(1)), row(other.clone())])).await.unwrap();
        for (asked, found) in [
            (key(1), vec![link(1), other.clone()]),
            (key(1)[..15].to_owned(), vec![link(1), other.clone()]),
            ("1".to_owned(), vec![link(1)]),
            ("a/b c".to_owned(), vec![other]),
            ("2".to_owned(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(state.find(lease.shard, &asked).await.unwrap(), found, "{asked}");
        }
    })
    .await;
}

#[tokio::test]
async fn calls_are_given_out_until_there_are_no_more_and_come_back_after_a_day() {
    const HOUR: i64 = 3600;
    on_all(async |state| {
        state.prepare().await.unwrap();
        let reserve = async |second, calls, limit| {
            let reserved = state.reserve("crm", &ask(second, calls, limit)).await.unwrap();
            (reserved.given, reserved.used, reserved.limit)
        };
        // Half of the org's calls are ours.
        assert_eq!(reserve(0, 50, None).await, (50, 50, None), "nobody knows a limit");
        assert_eq!(reserve(0, 600, Some(2000)).await, (600, 650, Some(2000)));
        assert_eq!(reserve(HOUR, 600, None).await, (350, 1000, Some(2000)), "one was told, all are held to it");
        assert_eq!(reserve(HOUR, 600, Some(1000)).await, (0, 1000, Some(1000)), "a limit that sank");
        let back = Reservation { back: Some((at(HOUR), 100)), ..ask(2 * HOUR, 0, None) };
        assert_eq!(state.reserve("crm", &back).await.unwrap().used, 900);
        let owed = Reservation { owed: 30, ..ask(2 * HOUR, 0, None) };
        assert_eq!(state.reserve("crm", &owed).await.unwrap().used, 930);
        assert_eq!(reserve(25 * HOUR, 600, Some(2000)).await, (600, 880, Some(2000)));
        assert_eq!(state.reserve("other", &ask(0, 7, None)).await.unwrap().used, 7);
        let all: Vec<Reservation> = (0..20).map(|_| ask(0, 7, Some(200))).collect();
        let all = all.iter().map(|ask| state.reserve("third", ask));
        let given = futures_util::future::try_join_all(all).await.unwrap();
        assert_eq!(given.iter().map(|reserved| reserved.given).sum::<u64>(), 100, "together they get what there is");
    })
    .await;
}

#[tokio::test]
async fn what_connections_were_told_is_shown_with_the_ledgers_of_their_orgs() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let now = Reservation { at: Timestamp::now(), ..ask(0, 40, Some(1000)) };
        state.reserve("org", &now).await.unwrap();
        let told = Standing { calls: Some(Told { used: 70, limit: 1000, at: at(5) }), ..standing("crm") };
        for standing in [&standing("crm"), &standing("second"), &told] {
            state.keep_standing(lease.shard, standing).await.unwrap();
        }
        let budgets = state.status(lease.shard).await.unwrap().budgets;
        let [(first, ledger), (second, same)] = &budgets[..] else { panic!("{budgets:?}") };
        assert_eq!((first, second), (&told, &standing("second")));
        assert_eq!((ledger.used(now.at), ledger.limit), (40, Some(1000)));
        assert_eq!(ledger, same, "both lead to one org");
    })
    .await;
}

#[tokio::test]
async fn what_is_old_and_done_is_forgotten_bit_by_bit() {
    on_all(async |state| {
        let lease = begin(&*state).await;
        let transaction = Transaction {
            heard: (1..=6).map(|place| entry(place, &place.to_string())).collect(),
            decided: vec![1, 2, 4, 6],
            history: vec![step(1, 1, "old"), step(1, 9, "new")],
            conflicts: vec![
                conflict("open", 1, 1, None),
                conflict("done", 1, 1, Some(Side::Left)),
                conflict("new", 1, 9, Some(Side::Left)),
            ],
            dead_letters: vec![dead_letter(1, Side::Left, 1)],
            gaps: vec![gap(1, 1, None), gap(2, 1, Some(2)), gap(3, 1, Some(9))],
            ..links([row(link(1))])
        };
        state.commit(&lease, &transaction).await.unwrap();
        assert_eq!(state.prune(lease.shard, at(5), 2).await.unwrap(), 2);
        assert_eq!(state.prune(lease.shard, at(5), 0).await.unwrap(), 0);
        assert_eq!(state.prune(lease.shard, at(5), 100).await.unwrap(), 4);
        assert_eq!(state.prune(lease.shard, at(5), 100).await.unwrap(), 0);
        assert_eq!(undecided(&*state, lease.shard).await, [3, 5]);
        // What is forgotten is heard anew, what is not is known.
        let again = heard([entry(7, "1"), entry(8, "3"), entry(9, "6")]);
        assert_eq!(state.commit(&lease, &again).await.unwrap(), [8, 9]);
        assert_eq!(state.history(lease.shard, 1).await.unwrap(), [step(1, 9, "new")]);
        let left = state.conflicts(lease.shard, false, 9).await.unwrap();
        assert_eq!(left.iter().map(|conflict| &*conflict.id).collect::<Vec<_>>(), ["new", "open"]);
        assert_eq!(state.gaps(lease.shard, 9).await.unwrap(), [gap(3, 1, Some(9)), gap(1, 1, None)]);
        assert_eq!(state.dead_letters(lease.shard, 9).await.unwrap().len(), 1);
        assert_eq!(by_id(&*state, lease.shard, &[1]).await, [link(1)]);
        assert_eq!(state.start(&lease).await.unwrap().last_place, 9);
    })
    .await;
}
