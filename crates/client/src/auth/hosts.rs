//! Where credentials and sessions may go.

use std::fmt;

use http::Uri;

use crate::{Error, ErrorKind, Result, stack::transport::is_loopback_host};

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` URL. A user name in it is not skipped over: such a URL has no origin.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        if uri.authority()?.as_str().contains('@') {
            return None;
        }
        let host = uri.host()?.to_ascii_lowercase();
        Some(Self { https, host, port: uri.port_u16().unwrap_or(if https { 443 } else { 80 }) })
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::of(&text.trim().parse().ok()?)
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    fn is_salesforce(&self) -> bool {
        self.https && (self.host.ends_with(".salesforce.com") || self.host.ends_with(".force.com"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The hosts that may be given credentials: Salesforce's own, loopback, and those that were named.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedHosts {
    named: Vec<String>,
}

impl TrustedHosts {
    pub(crate) fn new(named: &[String]) -> Self {
        Self { named: named.iter().map(|host| host.trim().to_ascii_lowercase()).collect() }
    }

    /// The origin to log in at.
    pub(crate) fn login(&self, url: &str) -> Result<Origin> {
        let origin = parse(url)?;
        let host = origin.host();
        let is_login = matches!(host, "login.salesforce.com" | "test.salesforce.com");
        if (origin.https && (is_login || host.ends_with(".my.salesforce.com"))) || self.is_ours(&origin) {
            return Ok(origin);
        }
        let message =
            format!("`{origin}` is no login host of Salesforce; a host of your own has to be allowed by name");
        Err(Error::new(ErrorKind::Configuration, message))
    }

    /// The origin that a session given together with its address goes to: whoever names both means both, but in the
    /// clear only to a host of one's own.
    pub(crate) fn instance(&self, url: &str) -> Result<Origin> {
        let origin = parse(url)?;
        if origin.https || self.is_ours(&origin) {
            return Ok(origin);
        }
        Err(Error::new(ErrorKind::Configuration, format!("a session is not sent to `{origin}` in the clear")))
    }

    /// The origin that a login answered with.
    pub(crate) fn answered(&self, url: &str, login: &Origin) -> Result<Origin> {
        let origin = parse(url)?;
        let at_home = login.is_loopback() && origin.is_loopback();
        if origin == *login || origin.is_salesforce() || at_home || self.is_named(&origin) {
            return Ok(origin);
        }
        Err(Error::new(ErrorKind::Login, format!("the login leads to `{origin}`, which is not Salesforce's")))
    }

    fn is_ours(&self, origin: &Origin) -> bool {
        origin.is_loopback() || self.is_named(origin)
    }

    fn is_named(&self, origin: &Origin) -> bool {
        self.named.iter().any(|host| host == origin.host())
    }
}

fn parse(url: &str) -> Result<Origin> {
    let shown: String = url.split(['?', '#']).next().unwrap_or_default().chars().take(80).collect();
    let wrong = || Error::new(ErrorKind::Configuration, format!("`{shown}` is no http or https address"));
    if url.contains('@') {
        return Err(Error::new(ErrorKind::Configuration, "an address with a user name in it is not used"));
    }
    Origin::parse(url).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_passwords_may_go() {
        let trusted = TrustedHosts::new(&["Org.Internal".to_owned()]);
        for (url, allowed) in [
            ("https://login.salesforce.com", true),
            ("https://test.salesforce.com/", true),
            ("https://acme.my.salesforce.com", true),
            ("https://acme--dev.sandbox.my.salesforce.com", true),
            ("http://127.0.0.1:7411", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://org.internal:7411", true),
            ("http://login.salesforce.com", false),
            ("https://salesforce.com", false),
            ("https://evil-my.salesforce.com.example", false),
            ("https://login.salesforce.com@evil.example", false),
            ("https://evil.example/login.salesforce.com", false),
            ("ftp://login.salesforce.com", false),
            ("login.salesforce.com", false),
            ("", false),
        ] {
            assert_eq!(trusted.login(url).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn where_sessions_may_go() {
        let trusted = TrustedHosts::default();
        for (url, allowed) in [
            ("https://acme.my.salesforce.com", true),
            ("https://crm.example.com", true),
            ("http://127.0.0.1:7411", true),
            ("http://acme.my.salesforce.com", false),
        ] {
            assert_eq!(trusted.instance(url).is_ok(), allowed, "{url}");
        }
        let login = Origin::parse("https://login.salesforce.com").unwrap();
        let local = Origin::parse("http://localhost:7411").unwrap();
        for (url, login, allowed) in [
            ("https://acme.my.salesforce.com", &login, true),
            ("https://na1.salesforce.com", &login, true),
            ("http://acme.my.salesforce.com", &login, false),
            ("https://evil.example", &login, false),
            ("http://127.0.0.1:7411", &login, false),
            ("http://127.0.0.1:7411", &local, true),
        ] {
            assert_eq!(trusted.answered(url, login).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn origins_in_short() {
        for (url, shown) in [
            ("https://A.my.salesforce.com:443/x?y", "https://a.my.salesforce.com"),
            ("http://127.0.0.1:7411/", "http://127.0.0.1:7411"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(Origin::parse(url).unwrap().to_string(), shown);
        }
    }
}
