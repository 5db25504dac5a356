//! Salesforce's error codes: the ones this project knows by name, and every other one as it came.

use std::fmt;

macro_rules! error_codes {
    ($($variant:ident = $text:literal,)*) => {
        /// An error code as Salesforce spells it in `errorCode`, `statusCode` and SOAP faults.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A code that has no name here.
            Other(String),
        }

        impl ErrorCode {
            /// The code as Salesforce spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text.to_owned()),
                }
            }
        }
    };
}

error_codes! {
    AllOrNoneOperationRolledBack = "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ApexError = "APEX_ERROR",
    ApiDisabledForOrg = "API_DISABLED_FOR_ORG",
    BatchProcessingHalted = "BATCH_PROCESSING_HALTED",
    CannotInsertUpdateActivateEntity = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    CannotUpdateConvertedLead = "CANNOT_UPDATE_CONVERTED_LEAD",
    DeleteFailed = "DELETE_FAILED",
    DependencyExists = "DEPENDENCY_EXISTS",
    DuplicateExternalId = "DUPLICATE_EXTERNAL_ID",
    DuplicateValue = "DUPLICATE_VALUE",
    DuplicatesDetected = "DUPLICATES_DETECTED",
    EntityIsDeleted = "ENTITY_IS_DELETED",
    EntityIsLocked = "ENTITY_IS_LOCKED",
    ExceededIdLimit = "EXCEEDED_ID_LIMIT",
    FieldCustomValidationException = "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    FieldFilterValidationException = "FIELD_FILTER_VALIDATION_EXCEPTION",
    FieldIntegrityException = "FIELD_INTEGRITY_EXCEPTION",
    IllegalQueryParameterValue = "ILLEGAL_QUERY_PARAMETER_VALUE",
    InsufficientAccess = "INSUFFICIENT_ACCESS",
    InsufficientAccessOnCrossReferenceEntity = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    InsufficientAccessOrReadonly = "INSUFFICIENT_ACCESS_OR_READONLY",
    InvalidAuthHeader = "INVALID_AUTH_HEADER",
    InvalidBatchSize = "INVALID_BATCH_SIZE",
    InvalidCrossReferenceKey = "INVALID_CROSS_REFERENCE_KEY",
    InvalidEmailAddress = "INVALID_EMAIL_ADDRESS",
    InvalidField = "INVALID_FIELD",
    InvalidFieldForInsertUpdate = "INVALID_FIELD_FOR_INSERT_UPDATE",
    InvalidIdField = "INVALID_ID_FIELD",
    InvalidLogin = "INVALID_LOGIN",
    InvalidOperation = "INVALID_OPERATION",
    InvalidOrNullForRestrictedPicklist = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    InvalidQueryFilterOperator = "INVALID_QUERY_FILTER_OPERATOR",
    InvalidQueryLocator = "INVALID_QUERY_LOCATOR",
    InvalidReplicationDate = "INVALID_REPLICATION_DATE",
    InvalidSessionId = "INVALID_SESSION_ID",
    InvalidType = "INVALID_TYPE",
    InvalidTypeOnFieldInRecord = "INVALID_TYPE_ON_FIELD_IN_RECORD",
    JsonParserError = "JSON_PARSER_ERROR",
    MalformedId = "MALFORMED_ID",
    MalformedQuery = "MALFORMED_QUERY",
    MalformedSearch = "MALFORMED_SEARCH",
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
    MissingArgument = "MISSING_ARGUMENT",
    NotFound = "NOT_FOUND",
    NumberOutsideValidRange = "NUMBER_OUTSIDE_VALID_RANGE",
    OperationEnqueued = "OPERATION_ENQUEUED",
    ProcessingHalted = "PROCESSING_HALTED",
    QueryTimeout = "QUERY_TIMEOUT",
    QueryTooComplicated = "QUERY_TOO_COMPLICATED",
    RequestLimitExceeded = "REQUEST_LIMIT_EXCEEDED",
    RequestRunningTooLong = "REQUEST_RUNNING_TOO_LONG",
    RequiredFieldMissing = "REQUIRED_FIELD_MISSING",
    ServerUnavailable = "SERVER_UNAVAILABLE",
    StorageLimitExceeded = "STORAGE_LIMIT_EXCEEDED",
    StringTooLong = "STRING_TOO_LONG",
    TxnSecurityMeteringError = "TXN_SECURITY_METERING_ERROR",
    TxnSecurityNoAccess = "TXN_SECURITY_NO_ACCESS",
    UnableToLockRow = "UNABLE_TO_LOCK_ROW",
    UndeleteFailed = "UNDELETE_FAILED",
    UnknownException = "UNKNOWN_EXCEPTION",
    UnsupportedApiVersion = "UNSUPPORTED_API_VERSION",
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_round_trip() {
        assert_eq!(ErrorCode::from("UNABLE_TO_LOCK_ROW"), ErrorCode::UnableToLockRow);
        assert_eq!(ErrorCode::from("SOMETHING_NEW").as_str(), "SOMETHING_NEW");
    }
}
