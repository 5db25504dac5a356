//! The one task that talks to the state store for a shard: commits and loads in the order in which they were asked
//! for, commits that wait together put away together.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};
use tombolo_engine::sync::{Input, Load, Transaction};

use super::{bundle, tenure::Tenure};
use crate::{
    Result,
    state::{Lease, State},
};

/// What is asked of the state store.
#[derive(Debug)]
pub(super) enum Ask {
    Commit(u64, Box<Transaction>),
    Load(u64, Load),
}

/// What was done: the inputs for the shard, and operations of connections that may be forgotten.
#[derive(Debug)]
pub(super) enum Kept {
    Input(Input),
    Settled(Vec<(String, String)>),
    /// The state store fails, and is asked again.
    Trouble(String),
    /// The shard is somebody else's: nothing more is put away.
    Fenced,
}

/// So many changes are put away in one transaction at most.
const ROWS: usize = 5_000;

pub(super) async fn keep(
    state: Arc<dyn State>,
    lease: Lease,
    tenure: watch::Receiver<Tenure>,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    kept: mpsc::UnboundedSender<Kept>,
) {
    let keeper = Keeper { state, lease, tenure, kept };
    let mut waiting = Vec::new();
    while asks.recv_many(&mut waiting, 256).await > 0 {
        let mut tickets = Vec::new();
        let mut sum = Transaction::default();
        for ask in waiting.drain(..) {
            match ask {
                Ask::Commit(ticket, transaction) => {
                    tickets.push(ticket);
                    bundle::add(&mut sum, *transaction);
                    if sum.heard.len() + sum.links.len() + sum.history.len() > ROWS
                        && !keeper.commit(&mut tickets, &mut sum).await
                    {
                        return;
                    }
                }
                Ask::Load(ticket, load) => {
                    if !keeper.commit(&mut tickets, &mut sum).await || !keeper.load(ticket, &load).await {
                        return;
                    }
                }
            }
        }
        if !keeper.commit(&mut tickets, &mut sum).await {
            return;
        }
    }
}

struct Keeper {
    state: Arc<dyn State>,
    lease: Lease,
    tenure: watch::Receiver<Tenure>,
    kept: mpsc::UnboundedSender<Kept>,
}

impl Keeper {
    async fn commit(&self, tickets: &mut Vec<u64>, sum: &mut Transaction) -> bool {
        if tickets.is_empty() {
            return true;
        }
        let mut transaction = std::mem::take(sum);
        bundle::tidy(&mut transaction);
        let known = self.persist(|| self.state.commit(&self.lease, &transaction)).await;
        let Some(known) = known else { return false };
        for ticket in tickets.drain(..) {
            let known = known.clone();
            drop(self.kept.send(Kept::Input(Input::Committed { ticket, known })));
        }
        if !transaction.operations.is_empty() {
            drop(self.kept.send(Kept::Settled(transaction.operations)));
        }
        true
    }

    async fn load(&self, ticket: u64, load: &Load) -> bool {
        let loaded = self.persist(|| self.state.load(self.lease.shard, load)).await;
        let Some(loaded) = loaded else { return false };
        drop(self.kept.send(Kept::Input(Input::Loaded { ticket, loaded: Box::new(loaded) })));
        true
    }

    /// Asks again and again what may pass, as long as the lease lasts. None when it is over.
    async fn persist<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Option<T> {
        let mut wait = Duration::from_millis(20);
        let mut told = String::new();
        loop {
            match ask().await {
                Ok(answer) => return Some(answer),
                Err(error) if error.is_fenced() => {
                    tracing::warn!(shard = self.lease.shard, "another process holds the shard now");
                    break;
                }
                Err(error) => {
                    tracing::warn!(shard = self.lease.shard, ?error, "the state store failed, trying again");
                    let text = error.in_full();
                    if text != told {
                        told.clone_from(&text);
                        drop(self.kept.send(Kept::Trouble(text)));
                    }
                }
            }
            if self.tenure.borrow().is_over() {
                break;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(1));
        }
        drop(self.kept.send(Kept::Fenced));
        None
    }
}
