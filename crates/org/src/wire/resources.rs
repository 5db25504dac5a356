//! Where everything begins: the versions, and the resources of a version (rest.md 2.3).

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use tombolo_schema::ApiVersion;

use super::{
    answer::{Outcome, json},
    call::Call,
    dispatch::{NEWEST, OLDEST},
};

#[derive(Serialize)]
struct Version {
    label: String,
    url: String,
    version: String,
}

/// `GET /services/data`
pub(crate) fn versions(_: &Call) -> Outcome {
    let versions = (OLDEST.major()..=NEWEST.major()).map(|major| {
        let version = ApiVersion::new(major);
        Version { label: version.label(), url: format!("/services/data/v{version}"), version: version.to_string() }
    });
    Ok(json(StatusCode::OK, &versions.collect::<Vec<_>>()))
}

/// `GET /services/data/v66.0`: what is served here, and the identity URL.
pub(crate) fn resources(call: &Call) -> Outcome {
    let base = call.base();
    let mut resources = Map::new();
    for name in ["query", "queryAll", "search", "parameterizedSearch", "limits", "composite", "sobjects"] {
        resources.insert(name.to_owned(), Value::from(format!("{base}/{name}")));
    }
    let identity = super::identity::url(call, call.session.as_ref().map(|session| session.user_id));
    resources.insert("identity".to_owned(), Value::from(identity));
    Ok(json(StatusCode::OK, &resources))
}
