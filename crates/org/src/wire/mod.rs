//! The org's wire formats: REST, OAuth, SOAP, CometD, and the admin's own. Each is a skin over one operation of the core.

mod admin;
mod answer;
mod body;
mod call;
mod collections;
mod columns_json;
pub(crate) mod cometd;
mod composite;
mod conditional;
mod describe;
mod dispatch;
pub(crate) mod gate;
mod identity;
mod journal;
mod json_in;
pub(crate) mod json_out;
mod limits;
mod multipart;
mod oauth;
pub(crate) mod origin;
mod query;
mod replication;
mod resources;
pub(crate) mod routes;
mod rows;
mod search;
mod soap;
mod tooling;

use jiff::Timestamp;
use tokio::sync::watch;

use self::{cometd::Clients, journal::Journal, origin::Hosts};
use crate::core::{
    CdcSelection, Core,
    faults::{Before, Fault, FaultId, FaultKind},
    record::Result,
    security::{Denied, Security, Session},
};

/// What every request may need.
pub(crate) struct App {
    pub(crate) core: Core,
    pub(crate) security: Security,
    pub(crate) hosts: Hosts,
    pub(crate) cometd: Clients,
    pub(crate) admin_token: String,
    /// The session of the ready line, which a reset leaves alone.
    pub(crate) ready_token: String,
    pub(crate) started: Timestamp,
    /// Becomes true when the org is to stop.
    pub(crate) shutdown: watch::Receiver<bool>,
    journal: Journal,
}

impl App {
    pub(crate) fn new(
        core: Core,
        security: Security,
        hosts: Hosts,
        ready_token: String,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self {
            started: core.clock().now(),
            admin_token: security.random_text(40),
            cometd: Clients::default(),
            journal: Journal::default(),
            core,
            security,
            hosts,
            ready_token,
            shutdown,
        }
    }

    /// Turns a fault on.
    pub(crate) fn inject(&self, fault: Fault) -> FaultId {
        let kind = fault.kind;
        let before = Before { event: self.core.events().latest(), session: self.security.last_session() };
        let id = self.core.faults().inject(fault, self.core.clock().now(), before);
        if kind == FaultKind::ExpireReplay {
            // Streams that are open have to subscribe again, and find out.
            self.cometd.forget_all();
        }
        id
    }

    /// The session of a token that a request to a path carries.
    pub(crate) fn authenticate(&self, token: &str, path: &str) -> Result<Session, Denied> {
        let now = self.core.clock().now();
        let session = self.security.authenticate(token, now)?;
        if self.core.faults().expires_session(session.number, path, now) {
            return Err(Denied::Session);
        }
        Ok(session)
    }

    /// Back to the state right after the start.
    pub(crate) fn reset(&self) -> Result<()> {
        self.core.reset()?;
        self.security.reset(&self.ready_token, self.core.clock().now());
        self.core.faults().clear_all();
        self.cometd.forget_all();
        self.journal.clear();
        Ok(())
    }

    /// Selects the objects that deliver change events.
    pub(crate) fn select_cdc(&self, selection: CdcSelection) -> Result<()> {
        self.core.select_cdc(selection)
    }
}
