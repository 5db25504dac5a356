//! What an error of Salesforce means for a write: one table of codes.

use std::time::Duration;

use jiff::Timestamp;
use tombolo_client::{ApiError, Error, ErrorKind, SaveResult};
use tombolo_engine::sync::{Answer, Operation, Outcome, Refusal};
use tombolo_schema::{ErrorCode, Id};

use super::compose::Prepared;

/// When a limit of the day is asked about again, and when one of requests at once.
const DAILY: Duration = Duration::from_secs(15 * 60);
const CROWDED: Duration = Duration::from_secs(1);
/// When a refused login is tried again: somebody has to do something.
const LOGIN: Duration = Duration::from_secs(60);

/// What became of a record of a collection, or of one that was undeleted.
pub(super) fn of_result(result: &SaveResult, write: &Prepared) -> Outcome {
    if !result.success {
        return of_errors(&result.errors, write);
    }
    let told = result.id.as_deref().and_then(|id| Id::parse(id).ok()).map(|id| id.as_str().to_owned());
    match told.or_else(|| write.id.clone()) {
        Some(key) => Outcome::Done { key, row: None },
        // It was made, and nobody says what it is called.
        None => Outcome::Unknown,
    }
}

/// What became of a record whose own request was refused, alone or as a part of a composite.
pub(super) fn of_error(error: &Error, write: &Prepared) -> Outcome {
    match error.kind() {
        ErrorKind::UnknownOutcome => Outcome::Unknown,
        ErrorKind::Halted => Outcome::NotDone(None),
        _ => match not_done(error) {
            Some(later) => Outcome::NotDone(later),
            None if error.api_errors().is_empty() => Outcome::Refused(refusal(error)),
            None => of_errors(error.api_errors(), write),
        },
    }
}

/// Whether a whole request was certainly not carried out, for a reason that is not in what it asks; and when it may be
/// made again.
pub(super) fn not_done(error: &Error) -> Option<Option<Timestamp>> {
    match error.kind() {
        ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Unavailable => Some(None),
        ErrorKind::LimitExceeded if error.code() == Some(&ErrorCode::StorageLimitExceeded) => None,
        ErrorKind::LimitExceeded => Some(after(if error.is_retryable() { CROWDED } else { DAILY })),
        ErrorKind::SessionExpired | ErrorKind::Login => Some(after(LOGIN)),
        _ => None,
    }
}

fn after(pause: Duration) -> Option<Timestamp> {
    Timestamp::now().checked_add(pause).ok()
}

/// Of several errors of one record the first one that tells the most.
pub(super) fn of_errors(errors: &[ApiError], write: &Prepared) -> Outcome {
    let Some(first) = errors.first() else { return Outcome::Unknown };
    let names_field =
        errors.iter().any(|error| error.named_fields().iter().any(|name| !name.eq_ignore_ascii_case("Id")));
    let of_a_record = !matches!(write.operation, Operation::Create { .. }) && !names_field;
    match first.code() {
        ErrorCode::DuplicateValue | ErrorCode::DuplicateExternalId if write.is_twin(first) => {
            Outcome::Duplicate { key: first.duplicate_of().map(|id| id.as_str().to_owned()) }
        }
        // A reference to a deleted parent is refused with the same code and names no field.
        ErrorCode::EntityIsDeleted if of_a_record => Outcome::Gone { certain: !write.has_references },
        ErrorCode::InvalidCrossReferenceKey | ErrorCode::NotFound | ErrorCode::UndeleteFailed if of_a_record => {
            Outcome::Gone { certain: false }
        }
        ErrorCode::DuplicatesDetected if write.rules.duplicates_asked => Outcome::Questioned(refusal_of(errors)),
        ErrorCode::RequestLimitExceeded => Outcome::NotDone(after(DAILY)),
        ErrorCode::AllOrNoneOperationRolledBack | ErrorCode::ProcessingHalted | ErrorCode::BatchProcessingHalted => {
            Outcome::NotDone(None)
        }
        _ => Outcome::Refused(refusal_of(errors)),
    }
}

fn refusal_of(errors: &[ApiError]) -> Refusal {
    let (code, message) = errors.first().map_or(("", ""), |error| (error.code().as_str(), error.message()));
    let mut fields: Vec<String> = Vec::new();
    for name in errors.iter().flat_map(ApiError::named_fields) {
        if !fields.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            fields.push(name.to_owned());
        }
    }
    let passing = errors.iter().any(|error| is_passing(error.code()));
    Refusal { code: code.to_owned(), message: message.to_owned(), fields, passing }
}

/// What may be accepted later, unchanged.
fn is_passing(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnableToLockRow
            | ErrorCode::QueryTimeout
            | ErrorCode::RequestRunningTooLong
            | ErrorCode::ServerUnavailable
            | ErrorCode::TxnSecurityMeteringError
    )
}

/// Why something was refused, in the words of Salesforce where there are any.
pub(super) fn refusal(error: &Error) -> Refusal {
    if error.api_errors().is_empty() {
        let code = error.kind().as_str().to_ascii_uppercase();
        return Refusal { code, message: error.to_string(), fields: Vec::new(), passing: false };
    }
    refusal_of(error.api_errors())
}

/// What an error means for something that was asked.
pub(super) fn unread(error: &Error) -> Answer {
    if let Some(later) = not_done(error) {
        return Answer::Later(later);
    }
    let refusal = refusal(error);
    if refusal.passing { Answer::Later(None) } else { Answer::Failed(refusal) }
}
