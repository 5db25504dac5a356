//! Taking out of databases what was put into them.

use jiff::Timestamp;
use serde::Serialize;

use super::{TENANT, check::open_all, desk::open_state};
use crate::{Error, Result, config::Config};

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uninstalled {
    /// The connections that nothing of ours is left in.
    pub uninstalled: Vec<String>,
}

/// Removes triggers, outbox and bookkeeping from every system of the file. Refused while a hub runs, and while changes
/// wait unless forced. The state store is left as it is.
pub async fn uninstall(config: &Config, force: bool) -> Result<Uninstalled> {
    let state = open_state(config).await?;
    let shard = state.shard(TENANT).await?;
    if let Some((holder, until)) = state.status(shard).await?.holder
        && until > Timestamp::now()
    {
        return Err(
            Error::usage(format!("{holder} works on this file's mappings")).with_hint("stop `tombolo up` first")
        );
    }
    let mut uninstalled = Vec::new();
    for (name, system) in open_all(config).await? {
        system.uninstall(force).await?;
        uninstalled.push(name);
    }
    Ok(Uninstalled { uninstalled })
}
