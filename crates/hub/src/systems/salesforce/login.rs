//! From a file's words to a client.

use tombolo_client::{Client, Credentials, SecretString};
use tombolo_schema::ApiVersion;

use super::errors::failed;
use crate::{
    Error, Result,
    config::{Login, Org, Secret},
};

/// A client for an org of the file. A version that nobody asked for gives way to an older org.
pub(crate) async fn client(org: &Org) -> Result<Client> {
    let wanted = org.api_version.unwrap_or(ApiVersion::DEFAULT);
    let certificate = org.ca_cert.as_ref().map(|path| {
        std::fs::read(path)
            .map_err(|error| Error::usage(format!("cannot read ca_cert {}", path.display())).with_source(error))
    });
    let certificate = certificate.transpose()?;
    let build = |version| {
        let mut builder = Client::builder().credentials(credentials(&org.login)).client_name("tombolo");
        if let Some(pem) = &certificate {
            builder = builder.ca_certificate(pem.clone());
        }
        // Whoever wrote the file named this host.
        if let Login::Password { login_url, .. } = &org.login
            && let Some(host) = host(login_url)
        {
            builder = builder.allow_login_host(host);
        }
        builder.api_version(version).build().map_err(|error| failed("cannot make a client", error))
    };
    let client = build(wanted)?;
    if org.api_version.is_some() {
        return Ok(client);
    }
    let offered = client.versions().await.map_err(|error| failed("cannot reach the org", error))?;
    match offered.iter().map(|one| one.version).max() {
        Some(newest) if newest < wanted => build(newest),
        _ => Ok(client),
    }
}

fn host(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split(['/', ':']).next()
}

fn credentials(login: &Login) -> Credentials {
    let secret = |secret: &Secret| SecretString::from(secret.expose());
    match login {
        Login::Token { instance_url, access_token } => Credentials::token(instance_url.as_str(), access_token.expose()),
        Login::Password { login_url, username, password, security_token, client_id, client_secret } => {
            Credentials::Password {
                login_url: login_url.clone(),
                username: username.clone(),
                password: secret(password),
                security_token: secret(security_token),
                client_id: client_id.clone(),
                client_secret: secret(client_secret),
            }
        }
    }
}
