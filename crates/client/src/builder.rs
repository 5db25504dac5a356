//! Everything that can be set about a client.

use std::{
    sync::{Arc, atomic::AtomicU16},
    time::Duration,
};

use tombolo_schema::ApiVersion;
use tower::util::BoxCloneSyncService;

use crate::{
    Client, Credentials, Error, ErrorKind, Result, RetryPolicy,
    auth::{Fixed, LogIn, Password, Sessions, TrustedHosts},
    client::Shared,
    stack::{
        Backoff, Stack,
        clock::Clock,
        limit::Usage,
        stack,
        trace::Trace,
        transport::{Settings, Transport},
    },
};

const TIMEOUT: Duration = Duration::from_secs(120);
const MAX_BODY: usize = 128 << 20;

/// Makes a [`Client`]. Only the credentials are required.
#[derive(Debug, Clone, Default)]
pub struct ClientBuilder {
    credentials: Option<Credentials>,
    api_version: Option<ApiVersion>,
    ca_certificates: Vec<Vec<u8>>,
    client_name: Option<String>,
    retry: RetryPolicy,
    login_hosts: Vec<String>,
    timeout: Option<Duration>,
    max_body: Option<usize>,
}

impl ClientBuilder {
    /// How to log in.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The API version to use. Without it the client uses 66.0, or the newest one of the org if that is older and
    /// [`Client::login`] was called.
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.api_version = Some(version);
        self
    }

    /// One more certificate authority to trust (PEM, one or several certificates), besides the system's.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates.push(pem.into());
        self
    }

    /// The name in `Sforce-Call-Options: client=NAME`; it comes back as the `changeOrigin` of change events.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// When and how often a request is sent again. On by default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// A host, besides Salesforce's own and loopback, that may be given credentials.
    pub fn allow_login_host(mut self, host: impl Into<String>) -> Self {
        self.login_hosts.push(host.into());
        self
    }

    /// How long one request may take, answer included; 120 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The largest body that is accepted, in bytes after decompression; 128 MiB unless set.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Builds the client. Nothing is sent: it logs in with its first request.
    pub fn build(self) -> Result<Client> {
        let credentials =
            self.credentials.ok_or_else(|| Error::new(ErrorKind::Configuration, "a client needs credentials"))?;
        let transport = BoxCloneSyncService::new(Transport::new(&Settings {
            ca_certificates: &self.ca_certificates,
            timeout: self.timeout.unwrap_or(TIMEOUT),
            max_body: self.max_body.unwrap_or(MAX_BODY),
        })?);
        let renewable = !matches!(credentials, Credentials::Token { .. });
        let login = login(credentials, TrustedHosts::new(&self.login_hosts), transport.clone())?;
        let sessions = Arc::new(Sessions::new(login));
        let (usage, clock) = (Arc::new(Usage::default()), Arc::new(Clock::default()));
        let shared = Shared {
            stack: stack(transport, sessions.clone(), usage.clone(), clock.clone(), &self.retry),
            sessions,
            usage,
            clock,
            backoff: Backoff::new(&self.retry),
            version: AtomicU16::new(self.api_version.unwrap_or(ApiVersion::DEFAULT).major()),
            version_was_chosen: self.api_version.is_some(),
            renewable,
        };
        Client::new(shared, self.client_name.as_deref())
    }
}

fn login(credentials: Credentials, trusted: TrustedHosts, transport: Stack) -> Result<Box<dyn LogIn>> {
    Ok(match credentials {
        Credentials::Token { instance_url, access_token } => {
            Box::new(Fixed::new(trusted.instance(&instance_url)?, access_token))
        }
        Credentials::Password { login_url, username, password, security_token, client_id, client_secret } => {
            Box::new(Password {
                network: BoxCloneSyncService::new(Trace::new(transport)),
                login: trusted.login(&login_url)?,
                trusted,
                username,
                password,
                security_token,
                client_id,
                client_secret,
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(login_url: &str) -> Credentials {
        Credentials::Password {
            login_url: login_url.into(),
            username: "u".into(),
            password: "pw-1".to_owned().into(),
            security_token: String::new().into(),
            client_id: "c".into(),
            client_secret: "secret-1".to_owned().into(),
        }
    }

    #[test]
    fn what_cannot_be_built() {
        let token = |url: &str| Credentials::token(url, "00D!x");
        for (builder, fine) in [
            (Client::builder(), false),
            (Client::builder().credentials(token("https://acme.my.salesforce.com")), true),
            (Client::builder().credentials(token("http://acme.my.salesforce.com")), false),
            (Client::builder().credentials(token("acme")), false),
            (Client::builder().credentials(password("https://login.salesforce.com")), true),
            (Client::builder().credentials(password("https://evil.example")), false),
            (Client::builder().credentials(password("https://org.test")).allow_login_host("org.test"), true),
            (Client::builder().credentials(token("http://localhost:1")).client_name("a;b"), false),
            (Client::builder().credentials(token("http://localhost:1")).ca_certificate("no PEM"), false),
        ] {
            let built = builder.build();
            assert_eq!(built.is_ok(), fine, "{built:?}");
            assert!(built.map_or_else(|e| e.kind() == ErrorKind::Configuration, |_| true));
        }
    }

    #[test]
    fn two_logins_in_one_collection_and_no_secret_shown() {
        let builders = [
            Client::builder().credentials(password("https://login.salesforce.com")),
            Client::builder().credentials(Credentials::token("https://acme.my.salesforce.com", "00D!x")),
        ];
        let shown = format!("{builders:?}");
        assert!(!shown.contains("pw-1") && !shown.contains("secret-1") && !shown.contains("00D!x"), "{shown}");
        let clients: Vec<Client> = builders.into_iter().map(|builder| builder.build().unwrap()).collect();
        assert_eq!(clients.len(), 2);
    }
}
