//! Where the hub keeps what it knows: `state:`, an address alone or with a Redis beside it.

use std::path::PathBuf;

use super::{
    Findings, Place, Secret,
    connection::{Database, database},
    secret::{Surroundings, expand},
    section::{self, Section},
    tree::{Kind, Node},
};

/// What the address of Redis is, where the file names none.
const VARIABLE: &str = "TOMBOLO_REDIS_URL";

/// What `state:` says.
pub(super) struct State {
    /// Where everything is kept.
    pub(super) database: Database,
    /// The Redis through which processes wake each other.
    pub(super) redis: Option<Redis>,
}

/// A Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redis {
    /// Its address; with a password, perhaps.
    pub(crate) url: Secret,
    /// The certificates that are trusted there instead of those of this machine: a file in PEM.
    pub(crate) ca_cert: Option<PathBuf>,
}

/// Reads `state:`.
pub(super) fn read(node: &Node, around: &Surroundings<'_>, findings: &mut Findings) -> Option<State> {
    let (url, redis, ca_cert) = match node.kind {
        Kind::Map(_) => {
            let section = Section::read(node, "`state`", &["url", "redis", "redis_ca_cert"], findings)?;
            let url = section.required("url", findings).and_then(|node| section::text(node, "url", findings));
            let redis = section.text("redis", findings);
            let ca_cert = section.text("redis_ca_cert", findings);
            (url.and_then(|url| database(&url, "url", None, around, findings)), redis, ca_cert)
        }
        _ => {
            let url = section::text(node, "state", findings);
            (url.and_then(|url| database(&url, "state", None, around, findings)), None, None)
        }
    };
    let url_of_redis = match redis {
        Some(written) => {
            let url = expand(&written, "redis", around, findings)?;
            Some(checked(url, "`redis`", written.place, findings)?)
        }
        None => match (around.variable)(VARIABLE).filter(|url| !url.is_empty()) {
            Some(url) => Some(checked(Secret::new(url), VARIABLE, node.place, findings)?),
            None => None,
        },
    };
    if let Some(named) = &ca_cert
        && !url_of_redis.as_ref().is_some_and(|url| url.expose().starts_with("rediss://"))
    {
        findings
            .error(named.place, "`redis_ca_cert` is for a Redis that is spoken to over TLS")
            .hint("its address begins with rediss://");
    }
    let ca_cert = ca_cert.map(|path| around.folder.join(path.value));
    Some(State { database: url?, redis: url_of_redis.map(|url| Redis { url, ca_cert }) })
}

/// What is no address is not repeated: it may hold a password.
fn checked(url: Secret, key: &str, place: Place, findings: &mut Findings) -> Option<Secret> {
    if is_address(url.expose()) {
        return Some(url);
    }
    findings
        .error(place, format!("{key} is no address of Redis"))
        .hint("it looks like redis://:password@host:6379, or rediss:// over TLS");
    None
}

#[cfg(feature = "redis")]
fn is_address(url: &str) -> bool {
    crate::state::wakeup::is_address(url)
}

#[cfg(not(feature = "redis"))]
fn is_address(url: &str) -> bool {
    url.contains("://")
}
