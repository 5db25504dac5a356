//! Who the client is logged in as, and which API versions the org offers.

use serde::Deserialize;
use serde_json::{Map, Value};
use tombolo_schema::{ApiVersion, InvalidApiVersion};

use crate::{Client, Error, ErrorKind, Result, request::describe};

/// The user of the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The org's Id, 18 characters.
    pub organization_id: String,
    /// The user's Id, 18 characters.
    pub user_id: String,
    /// The user name, which looks like an email address.
    pub username: String,
    /// The user's full name.
    pub display_name: Option<String>,
    /// The user's email address.
    pub email: Option<String>,
    raw: Map<String, Value>,
}

impl Identity {
    /// The answer as it came.
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }
}

/// An API version that the org offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The season: `Spring '26`.
    pub label: String,
    /// The path under which its resources are.
    pub url: String,
    /// The version.
    pub version: ApiVersion,
}

/// The identity service and userinfo spell the same things differently (rest.md 1.13).
fn read_identity(raw: Map<String, Value>) -> Option<Identity> {
    let text = |names: &[&str]| names.iter().find_map(|name| raw.get(*name)?.as_str()).map(str::to_owned);
    Some(Identity {
        organization_id: text(&["organization_id"])?,
        user_id: text(&["user_id"])?,
        username: text(&["preferred_username", "username"])?,
        display_name: text(&["name", "display_name"]),
        email: text(&["email"]),
        raw,
    })
}

#[derive(Deserialize)]
struct Offered {
    label: String,
    url: String,
    version: String,
}

impl Client {
    /// The user of the session.
    pub async fn identity(&self) -> Result<Identity> {
        let raw = self.read(describe::userinfo()?).await?;
        read_identity(raw).ok_or_else(|| Error::new(ErrorKind::Decode, "the answer does not say who the user is"))
    }

    /// The API versions that the org offers, oldest first.
    pub async fn versions(&self) -> Result<Vec<Version>> {
        let offered: Vec<Offered> = self.read(describe::versions()?).await?;
        let read = |offer: Offered| {
            let version = offer.version.parse().map_err(|e: InvalidApiVersion| {
                Error::new(ErrorKind::Decode, "the org offers a version that is none").with_source(e)
            })?;
            Ok(Version { label: offer.label, url: offer.url, version })
        };
        offered.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings() {
        for raw in [
            json!({"organization_id": "00Dx", "user_id": "005x", "preferred_username": "u@x", "name": "U", "email": "e"}),
            json!({"organization_id": "00Dx", "user_id": "005x", "username": "u@x", "display_name": "U", "email": "e"}),
        ] {
            let identity = read_identity(raw.as_object().cloned().unwrap()).unwrap();
            assert_eq!(
                (identity.username.as_str(), identity.display_name.as_deref(), identity.raw().len()),
                ("u@x", Some("U"), 5)
            );
        }
        assert!(read_identity(Map::new()).is_none());
    }
}
