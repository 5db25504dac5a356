//! Having a running hub take over a changed file.

use super::{
    check::{Survey, survey},
    desk::{Asked, Desk},
};
use crate::{
    Result,
    config::{Config, Findings},
    sync::shape,
};

/// A changed file that a hub was asked to take over.
#[derive(Debug, Clone)]
pub struct Reload {
    /// What was asked; nothing if no process works: the next one takes the file as it is.
    pub asked: Asked,
    /// What is worth knowing about the file.
    pub findings: Findings,
}

/// Looks at the file as a check does, and at what the state knows of the one before; asks the running hub to take it
/// over only if it can be used. What is wrong with the file is the error's source, a [`Findings`].
pub async fn reload(config: Config) -> Result<Reload> {
    let Survey { resolved, findings, .. } = survey(&config).await?;
    let Some(resolved) = resolved else { return Err(findings.into()) };
    let desk = Desk::open(config).await?;
    shape::compare(desk.state(), &resolved.plan).await?;
    let asked = match desk.is_running().await? {
        true => desk.reload().await?,
        false => Asked { asked: Vec::new(), running: false },
    };
    Ok(Reload { asked, findings })
}
