//! Sessions that wait for work. One that was given up half-way is closed, and never comes back.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    address::Address,
    fault::{Fault, FaultKind},
    session::Session,
};

/// How many sessions there are at once, beside the one that listens.
const SESSIONS: usize = 6;

pub(super) struct Pool {
    address: Address,
    idle: Mutex<Vec<Session>>,
    free: Arc<Semaphore>,
}

/// A session on loan. Dropped without [`Pool::give_back`] it is closed, and what it had begun is undone.
pub(super) struct Lent {
    pub(super) session: Session,
    /// It was used before: its server may have gone meanwhile.
    used: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(address: Address) -> Self {
        Self { address, idle: Mutex::default(), free: Arc::new(Semaphore::new(SESSIONS)) }
    }

    async fn lend(&self) -> Result<Lent, Fault> {
        let closed = || Fault::new(FaultKind::Lost, "CONNECTION", "the database was closed");
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| closed())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let used = idle.is_some();
        let session = match idle {
            Some(session) => session,
            None => Session::open(&self.address).await?,
        };
        Ok(Lent { session, used, _permit: permit })
    }

    /// A session in which these statements were run. One that had waited too long is replaced.
    pub(super) async fn begin(&self, script: &str) -> Result<Lent, Fault> {
        loop {
            let mut lent = self.lend().await?;
            match lent.session.script(script).await {
                Ok(()) => return Ok(lent),
                Err(fault) if fault.kind == FaultKind::Lost && lent.used => self.forget(),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// A session that answers.
    pub(super) async fn live(&self) -> Result<Lent, Fault> {
        self.begin("SELECT 1").await
    }

    /// Runs a transaction. What it did is undone if it fails.
    pub(super) async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut lent = self.begin(self.address.dialect().begin()).await?;
        let done = work(&mut lent.session).await;
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = lent.session.script(end).await;
        if ended.is_ok() {
            self.give_back(lent);
        }
        let done = done?;
        ended.map(|()| done)
    }

    pub(super) fn give_back(&self, lent: Lent) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lent.session);
    }

    /// The others that wait are as old.
    fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
