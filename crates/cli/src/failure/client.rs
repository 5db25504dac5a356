//! How errors of the client, the hub and the local org end a command.

use serde_json::{Value as Json, json};
use tombolo_client::{Client, Error, ErrorKind};

use super::{Failure, Kind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::InvalidQuery | ErrorKind::InvalidName | ErrorKind::InvalidRequest | ErrorKind::Configuration => {
                Kind::Usage
            }
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Login | ErrorKind::SessionExpired => Kind::Connection,
            _ => Kind::Failed,
        };
        let Some(first) = error.api_errors().first() else {
            return Self::new(kind, error.to_string()).hint_for(error.kind()).caused_by(&error);
        };
        let details: Vec<Json> = error
            .api_errors()
            .iter()
            .map(|e| json!({ "code": e.code().as_str(), "message": e.message(), "fields": e.fields() }))
            .collect();
        let (excerpt, message) = split(first.message());
        let mut failure = Self::new(kind, message).code(first.code().as_str()).hint_for(error.kind());
        failure.0.excerpt = excerpt;
        failure.0.details = Some(Json::Array(details));
        for other in &error.api_errors()[1..] {
            failure.0.causes.push(other.to_string());
        }
        failure
    }
}

/// Salesforce puts the excerpt of a query with its caret before the sentence that says what is wrong.
fn split(message: &str) -> (Option<String>, String) {
    let Some((excerpt, sentence)) = message.trim_matches('\n').split_once("\nERROR at Row:") else {
        return (None, message.to_owned());
    };
    let sentence = sentence.split_once('\n').map_or(sentence, |(_, rest)| rest);
    let indented: Vec<String> = excerpt.lines().map(|line| format!("  {line}")).collect();
    (Some(indented.join("\n")), sentence.to_owned())
}

impl Failure {
    /// Salesforce answers alike when a row is not there and when its object is not; only a look at the object tells.
    pub(crate) async fn of_object(error: Error, client: &Client, object: &str) -> Self {
        let not_found = |error: &Error| error.kind() == ErrorKind::NotFound;
        if not_found(&error) && client.describe(object).await.is_err_and(|e| not_found(&e)) {
            return Self::usage(format!("there is no object named {object}"))
                .code("NOT_FOUND")
                .hint("their names are listed by `tombolo describe`");
        }
        Self::from(error)
    }

    fn hint_for(self, kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::SessionExpired => self.hint("log in again and put the new token into SF_ACCESS_TOKEN"),
            ErrorKind::Login => self.hint("check user name, password, security token and the connected app"),
            ErrorKind::Connect => self.hint("is the address right, and does the org run?"),
            ErrorKind::UnknownOutcome => self.hint("the write may have happened: read the record before you repeat it"),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_is_parted_from_the_sentence() {
        let text =
            "\nSELECT X FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'X' on entity 'Account'.";
        let (excerpt, sentence) = split(text);
        assert_eq!(excerpt.unwrap(), "  SELECT X FROM Account\n         ^");
        assert_eq!(sentence, "No such column 'X' on entity 'Account'.");
        assert_eq!(split("plain"), (None, "plain".to_owned()));
    }
}
