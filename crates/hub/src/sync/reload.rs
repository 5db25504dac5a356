//! Taking over a changed file while the process runs: the file is read and looked at while everything goes on, and only
//! what can be used replaces what is there.

use std::{sync::Arc, time::Duration};

use tombolo_engine::sync::Plan;

use super::{Happened, Setup, Systems, shape, shard::Driver};
use crate::{
    Error, ErrorKind, Result,
    config::{Config, Findings, changes},
    operate::check::{Survey, survey},
    state::State,
};

/// How long to wait before what cannot be reached is tried again, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A changed file that can be used.
pub(super) struct Fresh {
    file: Config,
    setup: Setup,
    changes: Vec<String>,
    findings: Findings,
}

impl Setup {
    /// Looks at both ends of every mapping. What is wrong with the file is the error's source, a [`Findings`].
    pub(super) async fn of(file: &Config) -> Result<(Self, Findings)> {
        let Survey { systems, resolved, findings } = survey(file).await?;
        let Some(resolved) = resolved else { return Err(Error::from(findings)) };
        let plan = Arc::new(resolved.plan);
        let mut settings = file.settings.engine.clone();
        settings.rhythms = file.rhythms().collect();
        let calendar = file.calendar();
        let (lease, retention) = (file.settings.lease, file.settings.retention);
        Ok((Self { systems, plan, settings, calendar, lease, retention }, findings))
    }

    /// Makes the systems ready: outboxes, triggers.
    pub(super) async fn prepare(&self) -> Result<()> {
        prepare(&self.systems, &self.plan).await
    }
}

async fn prepare(systems: &Systems, plan: &Arc<Plan>) -> Result<()> {
    for system in systems.values() {
        system.prepare(Arc::clone(plan)).await?;
    }
    Ok(())
}

/// Reads the file again. None if it says, and its ends show, what is known already.
pub(super) async fn read(file: &Config, plan: &Plan, state: &dyn State) -> Result<Option<Fresh>> {
    let new = file.read_again()?;
    if new.state != file.state || new.redis != file.redis {
        return Err(Error::usage("`state` is another one").with_hint("stop `tombolo up` and start it again"));
    }
    let mut changes = changes(file, &new);
    let (setup, findings) = Setup::of(&new).await?;
    shape::compare(state, &setup.plan).await?;
    if changes.is_empty() {
        if *setup.plan == *plan {
            return Ok(None);
        }
        changes.push("what the ends of the mappings show of themselves".to_owned());
    }
    Ok(Some(Fresh { file: new, setup, changes, findings }))
}

impl Driver {
    /// Takes over a file that was changed while another process worked. Whether it was.
    pub(super) async fn catch_up(&mut self) -> Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let read = match file.read_again() {
            Ok(new) if changes(file, &new).is_empty() => return Ok(false),
            Ok(_) => read(file, &self.setup.plan, &*self.state).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(Some(fresh)) => self.take(fresh).await,
            Ok(None) => Ok(false),
            Err(error) => {
                self.tell(not_taken(&error));
                Ok(false)
            }
        }
    }

    /// Works by a changed file from here on. What it needs and cannot be made leaves everything as it was.
    pub(super) async fn take(&mut self, fresh: Fresh) -> Result<bool> {
        let Fresh { file, setup, changes, findings } = fresh;
        let made = insist(|| setup.prepare(), |event| self.tell(event)).await;
        let kept = match made {
            Ok(()) => insist(|| shape::check(&*self.state, &setup.plan), |event| self.tell(event)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            self.tell(not_taken(&error));
            insist(|| self.setup.prepare(), |event| self.tell(event)).await?;
            return Ok(false);
        }
        for line in findings.lines() {
            self.tell(Happened::Note(line));
        }
        let mappings = file.mappings().map(str::to_owned).collect();
        self.tell(Happened::Reloaded { mappings, changes });
        (self.setup, self.file) = (setup, Some(file));
        Ok(true)
    }

    pub(super) fn tell(&self, event: Happened) {
        drop(self.events.try_send(event));
    }
}

/// Why everything stays as it was.
pub(super) fn not_taken(error: &Error) -> Happened {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Happened::Note(format!("the changed file was not taken over: {}{hint}", error.in_full()))
}

/// Asks until there is an answer: what cannot be reached is told, and tried again. What waiting does not mend is an
/// error at once.
pub(super) async fn insist<T, F: Future<Output = Result<T>>>(
    ask: impl Fn() -> F,
    tell: impl Fn(Happened),
) -> Result<T> {
    let (mut wait, mut told) = (FIRST_WAIT, String::new());
    loop {
        let error = match ask().await {
            Err(error) if error.kind() == ErrorKind::Connect || error.is_retryable() => error,
            answer => return answer,
        };
        let text = error.in_full();
        if text != told {
            told.clone_from(&text);
            tell(Happened::Trouble(text));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
