//! What an org is started with, and what it says of itself when it runs.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::core::{CdcSelection, ClockMode, CoreConfig, LimitProfile, Storage};

/// What an org is started with. The default takes any free ports and keeps nothing.
#[derive(Debug, Clone)]
pub struct OrgConfig {
    /// The address to listen at.
    pub bind: IpAddr,
    /// The HTTP port, 0 for any free one; none for no HTTP.
    pub http: Option<u16>,
    /// The HTTPS port, 0 for any free one; none for no HTTPS.
    pub https: Option<u16>,
    /// The port of a CONNECT proxy that leads `*.salesforce.com:443` to the HTTPS port.
    pub proxy: Option<u16>,
    /// Where the data lies.
    pub storage: Storage,
    /// Folders of SFDX projects, whose objects and fields the org has.
    pub projects: Vec<PathBuf>,
    /// Plans of `sf data tree`, whose records it has.
    pub imports: Vec<PathBuf>,
    /// The objects that deliver change events.
    pub cdc: CdcSelection,
    /// More Host names to answer to.
    pub hosts: Vec<String>,
    /// Which edition's allocations apply.
    pub limits: LimitProfile,
    /// What has to stand behind the password.
    pub security_token: String,
    /// How time passes.
    pub clock: ClockMode,
    /// Same seed, same requests, same clock: same Ids and bodies.
    pub seed: Option<u64>,
}

impl Default for OrgConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http: Some(0),
            https: Some(0),
            proxy: None,
            storage: Storage::Memory,
            projects: Vec::new(),
            imports: Vec::new(),
            cdc: CdcSelection::None,
            hosts: Vec::new(),
            limits: LimitProfile::Developer,
            security_token: String::new(),
            clock: ClockMode::Offset,
            seed: None,
        }
    }
}

impl OrgConfig {
    pub(crate) fn core(&self) -> CoreConfig {
        CoreConfig {
            storage: self.storage.clone(),
            projects: self.projects.clone(),
            imports: self.imports.clone(),
            cdc: self.cdc.clone(),
            limits: self.limits,
            clock: self.clock,
            seed: self.seed,
        }
    }
}

/// What an org says of itself once it answers: the ready line.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where REST, SOAP, CometD and OAuth are: `http://127.0.0.1:7411`.
    pub instance_url: String,
    /// The same over TLS.
    pub https_url: String,
    /// The CONNECT proxy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proxy_url: Option<String>,
    /// The file with the CA's certificate.
    pub ca_cert: PathBuf,
    /// The one user.
    pub username: String,
    /// Its password, without the security token.
    pub password: String,
    /// What has to stand behind the password.
    pub security_token: String,
    /// A session that is open already.
    pub access_token: String,
    /// The connected app.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The org's Id.
    pub org_id: String,
    /// The user's Id.
    pub user_id: String,
    /// What `/_tombolo` wants to see.
    pub admin_token: String,
    /// The process.
    pub pid: u32,
}

/// Secrets stay out of debug output.
impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("instance_url", &self.instance_url)
            .field("https_url", &self.https_url)
            .field("proxy_url", &self.proxy_url)
            .field("org_id", &self.org_id)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}
