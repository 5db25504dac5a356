//! The clients that shook hands: their subscriptions, their polls, their end.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tombolo_schema::Id;

use crate::core::Channel;

/// A client that does not come back within this time of an answer is forgotten (streaming.md 1.4).
const ABSENCE: SignedDuration = SignedDuration::from_secs(40);

/// The clients of an org.
#[derive(Default)]
pub(crate) struct Clients(Mutex<HashMap<String, Arc<Client>>>);

/// One client.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) user_id: Id,
    state: Mutex<State>,
    /// Rung when a held poll should look around.
    pub(super) bell: Notify,
    /// Held by the poll that waits.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

struct State {
    subscriptions: BTreeMap<String, Subscription>,
    polled: bool,
    polls_held: usize,
    latest_poll: u64,
    answered: Timestamp,
    ended: Option<End>,
}

/// A channel a client listens to.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) channel: Channel,
    /// Events up to this replay id were delivered, or not asked for.
    pub(super) after: u64,
}

/// How a client came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It said goodbye.
    Disconnected,
    /// The org has forgotten it.
    Forgotten,
}

impl Clients {
    /// A new client.
    pub(super) fn add(&self, id: String, user_id: Id, now: Timestamp) -> Arc<Client> {
        let state = State {
            subscriptions: BTreeMap::new(),
            polled: false,
            polls_held: 0,
            latest_poll: 0,
            answered: now,
            ended: None,
        };
        let client = Arc::new(Client {
            id: id.clone(),
            user_id,
            state: Mutex::new(state),
            bell: Notify::new(),
            turn: Arc::default(),
        });
        let mut clients = self.clients();
        clients.retain(|_, other| !other.is_absent(now));
        clients.insert(id, Arc::clone(&client));
        client
    }

    /// The client of this Id, unless it stayed away for too long.
    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<Arc<Client>> {
        let mut clients = self.clients();
        let client = clients.get(id)?;
        if client.is_absent(now) {
            clients.remove(id);
            return None;
        }
        Some(Arc::clone(client))
    }

    /// Ends a client; a poll that it holds is answered.
    pub(super) fn end(&self, client: &Client, end: End) {
        self.clients().remove(&client.id);
        client.end(end);
    }

    /// Forgets all clients: whoever polls has to shake hands again.
    pub(crate) fn forget_all(&self) {
        for (_, client) in self.clients().drain() {
            client.end(End::Forgotten);
        }
    }

    /// How many polls are held now.
    pub(crate) fn polls_held(&self) -> usize {
        self.clients().values().map(|client| client.state().polls_held).sum()
    }

    /// Has every held poll look around.
    pub(crate) fn wake_all(&self) {
        for client in self.clients().values() {
            client.bell.notify_waiters();
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<String, Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_absent(&self, now: Timestamp) -> bool {
        let state = self.state();
        state.polls_held == 0 && now.duration_since(state.answered) > ABSENCE
    }

    fn end(&self, end: End) {
        self.state().ended.get_or_insert(end);
        self.bell.notify_waiters();
    }

    pub(super) fn ended(&self) -> Option<End> {
        self.state().ended
    }

    /// Something was answered: the time to come back begins anew.
    pub(super) fn answered(&self, now: Timestamp) {
        let mut state = self.state();
        state.answered = state.answered.max(now);
    }

    pub(super) fn subscribe(&self, name: &str, subscription: Subscription) {
        self.state().subscriptions.insert(name.to_owned(), subscription);
        self.bell.notify_waiters();
    }

    /// Tells whether there was such a subscription.
    pub(super) fn unsubscribe(&self, name: &str) -> bool {
        self.state().subscriptions.remove(name).is_some()
    }

    /// The subscriptions by their channels' names.
    pub(super) fn subscriptions(&self) -> Vec<(String, Subscription)> {
        self.state().subscriptions.iter().map(|(name, s)| (name.clone(), s.clone())).collect()
    }

    /// Notes what was delivered, unless the channel was subscribed to anew in the meantime.
    pub(super) fn delivered(&self, name: &str, from: u64, up_to: u64) {
        if let Some(subscription) = self.state().subscriptions.get_mut(name)
            && subscription.after == from
        {
            subscription.after = up_to;
        }
    }

    /// Begins a poll, which makes an older one give up.
    pub(super) fn begin_poll(self: &Arc<Self>) -> Poll {
        let mut state = self.state();
        let first = !std::mem::replace(&mut state.polled, true);
        state.polls_held += 1;
        state.latest_poll += 1;
        let number = state.latest_poll;
        drop(state);
        self.bell.notify_waiters();
        Poll { client: Arc::clone(self), number, first, seen: None }
    }
}

/// A poll that is held. However it ends, the client's time to come back begins then.
pub(super) struct Poll {
    client: Arc<Client>,
    number: u64,
    /// Whether it is the first after the handshake.
    pub(super) first: bool,
    seen: Option<Timestamp>,
}

impl Poll {
    /// Whether the client has begun another poll since.
    pub(super) fn is_superseded(&self) -> bool {
        self.client.state().latest_poll != self.number
    }

    /// Notes the time, for the case that the poll ends without another word.
    pub(super) fn seen_at(&mut self, now: Timestamp) {
        self.seen = Some(now);
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut state = self.client.state();
        state.polls_held -= 1;
        if let Some(seen) = self.seen {
            state.answered = state.answered.max(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_client_is_forgotten_when_it_stays_away() {
        let clients = Clients::default();
        let user = Id::from_number(*b"005", 1);
        let client = clients.add("c1".to_owned(), user, at(0));
        assert!(clients.find("c1", at(40)).is_some());
        client.answered(at(40));
        let mut poll = client.begin_poll();
        assert!(poll.first);
        assert!(clients.find("c1", at(5000)).is_some(), "a held poll keeps it");
        poll.seen_at(at(5000));
        drop(poll);
        assert!(clients.find("c1", at(5040)).is_some());
        assert!(clients.find("c1", at(5041)).is_none());
        assert!(clients.find("c1", at(0)).is_none(), "forgotten is forgotten");
    }

    #[test]
    fn a_second_poll_supersedes_the_first() {
        let client = Clients::default().add("c1".to_owned(), Id::from_number(*b"005", 1), at(0));
        let first = client.begin_poll();
        let second = client.begin_poll();
        assert!(first.is_superseded() && !second.is_superseded());
        assert!(first.first && !second.first);
    }

    #[test]
    fn a_new_position_is_not_overwritten_by_an_old_delivery() {
        let client = Clients::default().add("c1".to_owned(), Id::from_number(*b"005", 1), at(0));
        let subscription = |after| Subscription { channel: Channel::All, after };
        client.subscribe("/data/ChangeEvents", subscription(5));
        client.subscribe("/data/ChangeEvents", subscription(2));
        client.delivered("/data/ChangeEvents", 5, 9);
        assert_eq!(client.subscriptions()[0].1.after, 2);
        client.delivered("/data/ChangeEvents", 2, 9);
        assert_eq!(client.subscriptions()[0].1.after, 9);
    }
}
