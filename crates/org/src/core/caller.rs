//! Who asks, and through which door.

use tombolo_schema::{ApiVersion, Id};

/// The API a request came through, as `changeOrigin` names it (streaming.md 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Rest,
    Soap,
    /// The org itself: plans it was started with.
    Internal,
}

/// The one on whose behalf an operation runs.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user_id: Id,
    pub(crate) api: Api,
    pub(crate) version: ApiVersion,
    /// `client=` of `Sforce-Call-Options`.
    pub(crate) client: Option<String>,
    /// `allowSave=true` of `Sforce-Duplicate-Rule-Header`.
    pub(crate) duplicates_allowed: bool,
    /// The session that the request carried.
    pub(crate) session: String,
}

impl Caller {
    /// What change events give as the origin of the caller's changes.
    pub(crate) fn change_origin(&self) -> String {
        let api = match self.api {
            Api::Rest => "rest",
            Api::Soap => "soap",
            Api::Internal => return String::new(),
        };
        let client = self.client.as_deref().map(|c| format!(";client={c}")).unwrap_or_default();
        format!("com/salesforce/api/{api}/{}{client}", self.version)
    }
}
