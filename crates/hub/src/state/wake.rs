//! Why somebody is woken, and waiting for it.

use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Why somebody is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wake {
    /// Something was asked of a shard.
    Asked(u64),
    /// A shard was given back.
    Released(u64),
    /// Wake-ups may have been missed: look at everything.
    All,
}

/// What is told from now on.
#[derive(Debug)]
pub(crate) struct Wakes(Option<Receiver<Wake>>);

impl Wakes {
    /// Nobody tells anything: what there is is found by asking.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// What comes here.
    pub(crate) const fn of(told: Receiver<Wake>) -> Self {
        Self(Some(told))
    }

    /// Waits until this is told, or something that may stand for it. For ever where nobody tells anything. What is told
    /// while nobody waits is kept.
    pub(crate) async fn until(&mut self, wanted: Wake) {
        while let Some(told) = &mut self.0 {
            match told.recv().await {
                Ok(wake) if wake == wanted || wake == Wake::All => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => self.0 = None,
            }
        }
        std::future::pending::<()>().await;
    }
}
