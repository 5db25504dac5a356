//! An org for a test, and a client that knows nothing of it but HTTP.

use std::path::PathBuf;

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;
use tombolo_org::{CdcSelection, OrgConfig, Ready, RunningOrg};

/// A running org and a client of it.
pub(crate) struct TestOrg {
    pub(crate) org: RunningOrg,
    pub(crate) http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The keys of the body, which is an object, in their order.
    pub(crate) fn keys(&self) -> Vec<String> {
        keys(&self.json())
    }
}

/// The keys of an object in their order.
pub(crate) fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().cloned().collect()
}

impl TestOrg {
    pub(crate) async fn start() -> Self {
        Self::with(OrgConfig::default()).await
    }

    /// An org in which these objects deliver change events.
    pub(crate) async fn with_events(objects: &[&str]) -> Self {
        let named = objects.iter().map(|name| (*name).to_owned()).collect();
        Self::with(OrgConfig { cdc: CdcSelection::Named(named), ..OrgConfig::default() }).await
    }

    pub(crate) async fn with(config: OrgConfig) -> Self {
        let org = RunningOrg::start(config).await.unwrap();
        let redirect = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(redirect).no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { org, http }
    }

    pub(crate) fn ready(&self) -> &Ready {
        self.org.ready()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready().instance_url)
    }

    /// A request with the session of the ready line.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/services/data/v66.0/{path}") };
        self.http.request(method, self.url(&path)).bearer_auth(&self.ready().access_token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        read(self.request(Method::DELETE, path)).await
    }

    /// Sends JSON.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("content-type", "application/json").body(body.to_string());
        read(request).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, body).await
    }

    /// Makes a record and says its Id.
    pub(crate) async fn create(&self, object: &str, fields: Value) -> String {
        let answer = self.post(&format!("sobjects/{object}"), &fields).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a poll is held.
    pub(crate) async fn poll_is_held(&self) {
        while self.org.held_polls() == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// A request to the admin's door.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request =
            self.http.request(method, self.url(path)).header("x-tombolo-admin", &self.ready().admin_token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        read(request).await
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn read(request: reqwest::RequestBuilder) -> Answer {
    try_read(request).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Sends a request; the connection may break.
pub(crate) async fn try_read(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

/// A file of the shared folder; none, with a word, where there is no such folder and nobody insists on it.
pub(crate) fn shared(path: &str) -> Option<String> {
    let root = std::env::var_os("TOMBOLO_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let file = root.join(path);
    if let Ok(text) = std::fs::read_to_string(&file) {
        return Some(text);
    }
    let required = std::env::var("TOMBOLO_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|what| what == "shared"), "{} is required and missing", file.display());
    eprintln!("skipped: there is no {}", file.display());
    None
}
