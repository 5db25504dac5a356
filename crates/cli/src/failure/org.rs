//! How errors of the local org end a command.

use tombolo_org::OrgError;

use super::Failure;

impl From<OrgError> for Failure {
    fn from(error: OrgError) -> Self {
        let message = error.to_string();
        match &error {
            OrgError::Config(_) | OrgError::Setup(_) => Self::usage(message),
            OrgError::Listen { .. } => Self::failed(message)
                .caused_by(&error)
                .hint("does another org run there? --http and --https choose other ports, 0 any free one"),
            _ => Self::failed(message).caused_by(&error),
        }
    }
}
