//! Starting an org and stopping it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    CdcSelection, Fault, OrgConfig, Ready, SchemaEdit, Storage,
    core::{
        Core,
        faults::FaultId,
        record::CoreError,
        security::{CLIENT_ID, CLIENT_SECRET, PASSWORD, Security},
    },
    server::{self, Behind, CertificateError, Certificates, Door, Names, RunningFile, RuntimeFiles},
    wire::{
        App, cometd,
        origin::{Hosts, PROXIED, bracketed},
        routes,
    },
};

/// The org cannot start, or cannot do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrgError {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
    /// A port cannot be had.
    #[error("cannot listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The projects, plans or data cannot be read, or a selection names what is not there.
    #[error("{0}")]
    Setup(String),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Files {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The certificate for HTTPS cannot be made.
    #[error("cannot make the certificate for HTTPS")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something nobody foresaw.
    #[error("the org failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<CertificateError> for OrgError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(Box::new(error))
    }
}

impl From<CoreError> for OrgError {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Setup(message) => Self::Setup(message),
            CoreError::Refused(faults) => {
                Self::Setup(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))
            }
            other => Self::Internal(Box::new(other)),
        }
    }
}

/// An org that answers requests. It stops when it is dropped; [`RunningOrg::stop`] waits for that.
pub struct RunningOrg {
    app: Arc<App>,
    ready: Ready,
    shutdown: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _files: RuntimeFiles,
}

/// The listeners, bound but not yet listened to.
struct Bound {
    http: Option<(TcpListener, SocketAddr)>,
    https: Option<(TcpListener, SocketAddr)>,
    proxy: Option<(TcpListener, SocketAddr)>,
}

impl RunningOrg {
    /// Starts an org. When this returns, requests are answered.
    pub async fn start(config: OrgConfig) -> Result<Self, OrgError> {
        let bound = Bound::bind(&config).await?;
        let certificates = Certificates::make(&names(&config))?;
        let core_config = config.core();
        let core = blocking(move || Core::open(core_config)).await?;
        let (shutdown, stopping) = watch::channel(false);
        let user = core.admin_user();
        let security = Security::new(core.org_id(), user.id, &user.username, &config.security_token, config.seed);
        let token = security.open(core.clock().now()).token;
        let hosts = Hosts::new(config.bind, &config.hosts, config.proxy.is_some());
        let app = Arc::new(App::new(core, security, hosts, token, stopping.clone()));

        let port = bound.port();
        let in_folder = |source| OrgError::Files { path: PathBuf::from("the runtime folder"), source };
        let files = RuntimeFiles::create(port).map_err(in_folder)?;
        let folder = match &config.storage {
            Storage::Memory => files.folder().to_owned(),
            Storage::Directory(folder) => folder.clone(),
        };
        let ca_cert = write_ca(&folder, &certificates.ca_pem)?;
        let ready = ready(&config, &app, &bound, ca_cert);
        warn_if_reachable(config.bind);
        let mut tasks = JoinSet::new();
        tasks.spawn(cometd::duplicates::repeat(Arc::clone(&app)));
        let https_port = bound.https.as_ref().map_or(port, |(_, address)| address.port());
        bound.listen(&mut tasks, &app, &certificates, &stopping);
        let running = RunningFile { ready: ready.clone(), port, https_port };
        files.announce(&running).map_err(in_folder)?;
        Ok(Self { app, ready, shutdown, tasks, _files: files })
    }

    /// What clients need to know.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Stops: requests that run are finished, held polls are answered, connections end.
    pub async fn stop(mut self) {
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    /// Selects the objects that deliver change events.
    pub async fn select_cdc(&self, selection: CdcSelection) -> Result<(), OrgError> {
        let app = Arc::clone(&self.app);
        blocking(move || app.select_cdc(selection)).await
    }

    /// Edits the schema: all of the edits, or none. Describe, queries, writes and events follow at once.
    pub async fn edit_schema(&self, edits: Vec<SchemaEdit>) -> Result<(), OrgError> {
        let app = Arc::clone(&self.app);
        blocking(move || app.core.edit_schema(&edits)).await
    }

    /// Misbehaves from now on.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.app.inject(fault)
    }

    /// Takes a fault back; tells whether it was still there.
    pub fn clear(&self, fault: FaultId) -> bool {
        self.app.core.faults().clear(fault)
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.app.core.faults().clear_all();
    }

    /// Sets the org's clock forward.
    pub fn advance_clock(&self, by: std::time::Duration) {
        self.app.core.clock().advance(by);
    }

    /// How many CometD polls are held now: who waits for an event is there.
    pub fn held_polls(&self) -> usize {
        self.app.cometd.polls_held()
    }

    /// Goes back to the state right after the start.
    pub async fn reset(&self) -> Result<(), OrgError> {
        let app = Arc::clone(&self.app);
        blocking(move || app.reset()).await
    }
}

impl Drop for RunningOrg {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
    }
}

impl Bound {
    async fn bind(config: &OrgConfig) -> Result<Self, OrgError> {
        if config.http.is_none() && config.https.is_none() {
            return Err(OrgError::Config("an org needs an HTTP or an HTTPS port".to_owned()));
        }
        if config.proxy.is_some() && config.https.is_none() {
            return Err(OrgError::Config("the proxy leads to the HTTPS port, so there has to be one".to_owned()));
        }
        let at = async |port: Option<u16>| {
            let Some(port) = port else { return Ok(None) };
            let address = SocketAddr::new(config.bind, port);
            server::bind(address).await.map(Some).map_err(|source| OrgError::Listen { address, source })
        };
        Ok(Self { http: at(config.http).await?, https: at(config.https).await?, proxy: at(config.proxy).await? })
    }

    /// The port that the org is known by.
    fn port(&self) -> u16 {
        self.http.as_ref().or(self.https.as_ref()).map_or(0, |(_, address)| address.port())
    }

    fn listen(
        self,
        tasks: &mut JoinSet<()>,
        app: &Arc<App>,
        certificates: &Certificates,
        stopping: &watch::Receiver<bool>,
    ) {
        let door = Door::new(Arc::clone(app), routes::router(app));
        let https = self.https.as_ref().map(|(_, address)| reachable(*address));
        let mut accept = |listener, behind| tasks.spawn(server::accept(listener, behind, stopping.clone()));
        if let Some((listener, _)) = self.http {
            accept(listener, Behind::Http(door.clone()));
        }
        if let Some((listener, _)) = self.https {
            accept(listener, Behind::Https(door, server::acceptor(certificates)));
        }
        if let (Some((listener, _)), Some(https)) = (self.proxy, https) {
            accept(listener, Behind::Proxy(https));
        }
    }
}

fn ready(config: &OrgConfig, app: &App, bound: &Bound, ca_cert: PathBuf) -> Ready {
    let url = |scheme: &str, bound: &Option<(TcpListener, SocketAddr)>| {
        let address = reachable(bound.as_ref()?.1);
        Some(format!("{scheme}://{}:{}", bracketed(address.ip()), address.port()))
    };
    let (http, https) = (url("http", &bound.http), url("https", &bound.https));
    let instance_url = http.or_else(|| https.clone()).unwrap_or_default();
    let user = app.core.admin_user();
    Ready {
        https_url: https.unwrap_or_else(|| instance_url.clone()),
        instance_url,
        proxy_url: url("http", &bound.proxy),
        ca_cert,
        username: user.username,
        password: PASSWORD.to_owned(),
        security_token: config.security_token.clone(),
        access_token: app.ready_token.clone(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.to_owned(),
        org_id: app.core.org_id().to_string(),
        user_id: user.id.to_string(),
        admin_token: app.admin_token.clone(),
        pid: std::process::id(),
    }
}

/// Names for the certificate: this machine's, and with a proxy Salesforce's.
fn names(config: &OrgConfig) -> Names {
    let mut dns = vec!["localhost".to_owned()];
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    for host in &config.hosts {
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) => addresses.push(address),
            Err(_) => dns.push(host.clone()),
        }
    }
    if config.proxy.is_some() {
        dns.extend(PROXIED.map(str::to_owned));
    }
    if !config.bind.is_unspecified() {
        addresses.push(config.bind);
    }
    addresses.sort_unstable();
    addresses.dedup();
    Names { dns, addresses }
}

/// The address a client on this machine uses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}

fn write_ca(folder: &Path, pem: &str) -> Result<PathBuf, OrgError> {
    let path = folder.join("ca.pem");
    server::write_private(&path, pem.as_bytes()).map_err(|source| OrgError::Files { path: path.clone(), source })?;
    Ok(path)
}

fn warn_if_reachable(bind: IpAddr) {
    if !bind.is_loopback() {
        tracing::warn!(
            %bind,
            "THE LOCAL ORG IS REACHABLE FROM OTHER MACHINES. It is a test server with a well-known password; \
             whoever reaches it can read and change everything in it."
        );
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CoreError> + Send + 'static,
) -> Result<T, OrgError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(OrgError::Internal(Box::new(error))),
    }
}
