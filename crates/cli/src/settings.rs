//! Which org a command talks to, and how: flags first, then the environment.

use std::{env, fs, io::IsTerminal as _, path::PathBuf};

use clap::Args;
use tombolo_client::{Client, Credentials, SecretString};
use tombolo_schema::ApiVersion;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// The flags that choose an org.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Org")]
pub(crate) struct OrgArguments {
    /// The org: `local` or `local:PORT` for one that `tombolo org serve` runs here
    #[arg(short = 'o', long = "org", value_name = "NAME")]
    name: Option<String>,
    /// The org's address; its token comes from SF_ACCESS_TOKEN
    #[arg(long, value_name = "URL", conflicts_with = "name")]
    instance_url: Option<String>,
    /// One more certificate authority to trust, as PEM
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// The API version [default: 66.0, at most what the org offers]
    #[arg(long, value_name = "VERSION")]
    api_version: Option<ApiVersion>,
}

/// An org to talk to, before the first word is exchanged.
#[derive(Debug)]
pub(crate) struct Connection {
    credentials: Credentials,
    ca_certificates: Vec<Vec<u8>>,
}

impl OrgArguments {
    /// A client for the org that the flags or the environment name, in the order of CONTRACTS:
    /// `--org`, `--instance-url`, `TOMBOLO_ORG`, `SF_INSTANCE_URL`, and last a user name and password.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        let connection = self.connection()?;
        let wanted = self.api_version.unwrap_or(ApiVersion::DEFAULT);
        let build = |version| {
            let mut builder = Client::builder().credentials(connection.credentials.clone()).client_name("tombolo");
            for pem in &connection.ca_certificates {
                builder = builder.ca_certificate(pem.clone());
            }
            if let Some(host) = variable("SF_LOGIN_URL").as_deref().and_then(host_of) {
                builder = builder.allow_login_host(host);
            }
            builder.api_version(version).build().map_err(Failure::from)
        };
        let client = build(wanted)?;
        if self.api_version.is_some() {
            return Ok(client);
        }
        // The default gives way to an older org; a version that was asked for does not.
        let offered = client.versions().await?;
        match offered.iter().map(|v| v.version).max() {
            Some(newest) if newest < wanted => build(newest),
            _ => Ok(client),
        }
    }

    fn connection(&self) -> Result<Connection, Failure> {
        let mut ca_certificates = Vec::new();
        if let Some(path) = &self.ca_cert {
            let pem = fs::read(path)
                .map_err(|e| Failure::usage(format!("cannot read --ca-cert {}", path.display())).caused_by(e))?;
            ca_certificates.push(pem);
        }
        let credentials = if let Some(name) = self.name.clone().or_else(|| self.named_by_environment()) {
            named(&name)?
        } else if let Some(url) = self.instance_url.clone().or_else(|| variable("SF_INSTANCE_URL")) {
            token_for(&url)?
        } else if let Some(username) = variable("SF_USERNAME") {
            password_for(username)?
        } else {
            return Err(Failure::usage("no org is named")
                .hint("try `-o local` with `tombolo org serve` running, or set SF_INSTANCE_URL and SF_ACCESS_TOKEN"));
        };
        Ok(Connection { credentials, ca_certificates })
    }

    /// `--instance-url` stands before `TOMBOLO_ORG`.
    fn named_by_environment(&self) -> Option<String> {
        self.instance_url.is_none().then(|| variable("TOMBOLO_ORG")).flatten()
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    rest.split(['/', ':']).next().map(str::to_owned)
}

fn named(name: &str) -> Result<Credentials, Failure> {
    let Some(port) = name.strip_prefix("local") else {
        return Err(Failure::usage(format!("there is no saved login named `{name}`"))
            .hint("give --instance-url and put the token into SF_ACCESS_TOKEN, or use `-o local`"));
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) => Some(digits.parse().map_err(|_| Failure::usage(format!("`{digits}` is not a port")))?),
        None => return Err(Failure::usage(format!("there is no saved login named `{name}`"))),
    };
    let ready = running_org(port)?;
    Ok(Credentials::token(ready.instance_url, ready.access_token))
}

/// The local org that runs on this machine, or the one of several that listens on this port.
pub(crate) fn running_org(port: Option<u16>) -> Result<tombolo_org::Ready, Failure> {
    let all = tombolo_org::running().map_err(|e| Failure::failed("cannot look for running orgs").caused_by(e))?;
    let mut found: Vec<_> = all
        .into_iter()
        .map(|running| running.ready)
        .filter(|ready| port.is_none_or(|port| ready.instance_url.ends_with(&format!(":{port}"))))
        .collect();
    if found.len() > 1 {
        let urls: Vec<&str> = found.iter().map(|ready| ready.instance_url.as_str()).collect();
        return Err(Failure::usage(format!("several orgs run here: {}", urls.join(", ")))
            .hint("say which by its port: `--port PORT`, or `-o local:PORT`"));
    }
    let none = || match port {
        Some(port) => Failure::connection(format!("no local org listens on port {port}")),
        None => Failure::connection("no local org runs here"),
    };
    found.pop().ok_or_else(|| none().hint("start one with `tombolo org serve`"))
}

fn token_for(url: &str) -> Result<Credentials, Failure> {
    let token = variable("SF_ACCESS_TOKEN").ok_or_else(|| {
        Failure::usage("there is no token for this address").hint("put it into the environment as SF_ACCESS_TOKEN")
    })?;
    Ok(Credentials::token(url.trim_end_matches('/'), token))
}

fn password_for(username: String) -> Result<Credentials, Failure> {
    let needed =
        |name: &str| variable(name).ok_or_else(|| Failure::usage(format!("SF_USERNAME is set, but {name} is not")));
    Ok(Credentials::Password {
        login_url: variable("SF_LOGIN_URL").unwrap_or_else(|| "https://login.salesforce.com".to_owned()),
        username,
        password: SecretString::from(needed("SF_PASSWORD")?),
        security_token: SecretString::from(variable("SF_SECURITY_TOKEN").unwrap_or_default()),
        client_id: needed("SF_CLIENT_ID")?,
        client_secret: SecretString::from(needed("SF_CLIENT_SECRET")?),
    })
}

/// Logs go to stderr: warnings, more with `-v`, or what `TOMBOLO_LOG` says.
pub(crate) fn start_logging(verbose: u8) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = variable("TOMBOLO_LOG").unwrap_or_else(|| format!("warn,tombolo={level}"));
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let coloured = variable("NO_COLOR").is_none() && std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(coloured).init();
}
