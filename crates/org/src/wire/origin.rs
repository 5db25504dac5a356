//! Under which name a client reached the org, and which names it answers to at all.

use std::net::IpAddr;

/// What a client's URLs begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `http` or `https`
    pub(crate) scheme: &'static str,
    /// `127.0.0.1:7411`
    pub(crate) authority: String,
}

impl Origin {
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// The instance a login leads to: the host that was asked, except that the login hosts lead to the org's own.
    pub(crate) fn instance_url(&self) -> String {
        match host_of(&self.authority).as_str() {
            "login.salesforce.com" | "test.salesforce.com" => "https://tombolo.my.salesforce.com".to_owned(),
            _ => format!("{}://{}", self.scheme, self.authority),
        }
    }
}

/// The Host names an org answers to; others are misdirected, or a page that rebinds its DNS name.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(bind: IpAddr, named: &[String], with_proxy: bool) -> Self {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned(), bracketed(bind)];
        names.extend(named.iter().map(|name| name.to_ascii_lowercase()));
        if with_proxy {
            names.extend(PROXIED.iter().map(|name| (*name).to_owned()));
        }
        Self(names)
    }

    /// Whether the org answers to this authority.
    pub(crate) fn answer_to(&self, authority: &str) -> bool {
        let host = host_of(authority);
        self.0.iter().any(|name| match name.strip_prefix('*') {
            // A star stands for one label.
            Some(suffix) => host.strip_suffix(suffix).is_some_and(|label| !label.is_empty() && !label.contains('.')),
            None => *name == host,
        })
    }
}

/// The names that the certificate has when there is a proxy.
pub(crate) const PROXIED: [&str; 3] = ["*.salesforce.com", "*.my.salesforce.com", "*.sandbox.my.salesforce.com"];

/// The host of an authority, in lower case, without its port.
fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// An address as it stands in a URL.
pub(crate) fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_it_answers_to() {
        let hosts = Hosts::new("192.168.1.2".parse().unwrap(), &["Org.Example".to_owned()], false);
        for host in
            ["localhost", "localhost:7411", "127.0.0.1:1", "[::1]:7412", "192.168.1.2:80", "org.example:1", "LOCALHOST"]
        {
            assert!(hosts.answer_to(host), "{host}");
        }
        for host in ["evil.example", "login.salesforce.com", "127.0.0.1.evil.example", "", "::1", "localhost.evil:80"] {
            assert!(!hosts.answer_to(host), "{host}");
        }
        let proxied = Hosts::new("127.0.0.1".parse().unwrap(), &[], true);
        for host in ["login.salesforce.com", "acme.my.salesforce.com:443", "a--b.sandbox.my.salesforce.com"] {
            assert!(proxied.answer_to(host), "{host}");
        }
        for host in ["salesforce.com", "a.b.c.my.salesforce.com", "evilsalesforce.com"] {
            assert!(!proxied.answer_to(host), "{host}");
        }
    }

    #[test]
    fn login_hosts_lead_to_the_orgs_own() {
        let instance = |scheme, authority: &str| Origin { scheme, authority: authority.to_owned() }.instance_url();
        assert_eq!(instance("http", "127.0.0.1:7411"), "http://127.0.0.1:7411");
        assert_eq!(instance("https", "localhost:7412"), "https://localhost:7412");
        assert_eq!(instance("https", "login.salesforce.com"), "https://tombolo.my.salesforce.com");
        assert_eq!(instance("https", "test.salesforce.com:443"), "https://tombolo.my.salesforce.com");
        assert_eq!(instance("https", "acme.my.salesforce.com"), "https://acme.my.salesforce.com");
    }
}
