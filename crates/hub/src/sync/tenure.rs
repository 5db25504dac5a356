//! How long a shard is ours: the lease is renewed at a third of its length, and what is left of it bounds every remote
//! call.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::{
    Result,
    state::{Lease, State, Wake},
};

/// Until when the shard is ours, by our own clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tenure {
    pub(super) until: Instant,
}

impl Tenure {
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// Waits until the shard is ours: asks from time to time, and at once when somebody tells that it was given back.
/// That somebody else has it is told once.
pub(super) async fn acquire(
    state: &Arc<dyn State>,
    shard: u64,
    holder: &str,
    length: Duration,
    waits: impl Fn(),
) -> Result<(Lease, watch::Sender<Tenure>)> {
    let (mut wakes, mut told) = (state.wakes(), false);
    loop {
        // Counted from before the question, so that our lease never outlasts the state store's.
        let asked = Instant::now();
        match state.acquire(shard, holder, length).await {
            Ok(Some(lease)) => return Ok((lease, watch::Sender::new(Tenure { until: asked + length }))),
            Ok(None) if !told => {
                waits();
                told = true;
            }
            Ok(None) => {}
            Err(error) if error.is_retryable() => {
                tracing::warn!(shard, %error, "the state store cannot be asked for the shard, trying again");
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(length / 6) => {}
            () = wakes.until(Wake::Released(shard)) => {}
        }
    }
}

/// Renews the lease until it is lost.
pub(super) async fn renew(state: Arc<dyn State>, lease: Lease, length: Duration, tenure: watch::Sender<Tenure>) {
    loop {
        tokio::time::sleep(length / 3).await;
        let asked = Instant::now();
        match state.renew(&lease, length).await {
            Ok(true) => drop(tenure.send_replace(Tenure { until: asked + length })),
            Ok(false) => {
                tenure.send_replace(Tenure { until: asked });
                return;
            }
            Err(error) => tracing::warn!(shard = lease.shard, %error, "the lease could not be renewed"),
        }
        if tenure.borrow().is_over() {
            return;
        }
    }
}
