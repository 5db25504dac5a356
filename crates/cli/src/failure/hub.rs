//! How errors of the hub end a command.

use tombolo_hub::{Error, ErrorKind};

use super::{Failure, Kind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Usage => Kind::Usage,
            ErrorKind::Connect | ErrorKind::Login => Kind::Connection,
            _ => Kind::Failed,
        };
        let failure = Self::new(kind, error.to_string()).caused_by(&error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
