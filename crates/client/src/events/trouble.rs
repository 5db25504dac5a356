//! What a refusal means and what helps against it: one table from the server's words (streaming.md 1.5) to remedies.

use crate::{ApiError, Error, ErrorKind};

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The server forgot the client: a new handshake, all subscriptions anew.
    Handshake,
    /// The session is not accepted: a new one, then a new handshake.
    Login,
    /// Later; a new handshake then.
    Later,
    /// The position is gone.
    NewPosition,
    /// Nothing: the caller has to decide.
    None,
}

/// A refusal, as its text and the server's advice give it.
pub(super) fn remedy(reason: &str, reconnect: Option<&str>) -> Remedy {
    let (code, text) = reason.split_once(':').unwrap_or(("", reason));
    let says = |part: &str| text.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
    match code {
        "503" => Remedy::Later,
        "400" if says("replayId") && says("invalid") => Remedy::NewPosition,
        // faye says it with 401, CometD with 402, Salesforce with 403 in two flavours of advice.
        _ if says("Unknown client") || says("session_unknown") || says("not completed handshake") => Remedy::Handshake,
        "401" => Remedy::Login,
        "400" if says("user id does not match") || says("has established a session") => Remedy::Handshake,
        "403" if says("concurrent user limit") || says("simultaneous connections") => Remedy::Later,
        "403" if says("Handshake denied") => Remedy::Login,
        _ if reconnect == Some("handshake") => Remedy::Handshake,
        _ => Remedy::None,
    }
}

/// The refusal as an error: what the caller sees.
pub(super) fn error(reason: &str, remedy: Remedy) -> Error {
    let (code, text) = match reason.split_once("::") {
        Some((code, text)) => (code, text),
        None => reason.split_once(':').unwrap_or(("", reason)),
    };
    let is_limit = text.contains("limit") || text.contains("simultaneous");
    let kind = match (remedy, code) {
        (Remedy::Handshake | Remedy::NewPosition, _) => ErrorKind::Connect,
        (Remedy::Later, _) => ErrorKind::Unavailable,
        (_, "401") => ErrorKind::SessionExpired,
        (_, "403") if is_limit => ErrorKind::LimitExceeded,
        (_, "403") => ErrorKind::Forbidden,
        (_, "404") => ErrorKind::NotFound,
        (_, "413") => ErrorKind::TooLarge,
        (_, "400") if text.contains("exist") => ErrorKind::NotFound,
        _ => ErrorKind::Api,
    };
    let api = ApiError::new(code.into(), text.trim(), Vec::new());
    Error::from_api(kind, "the server refused the subscription", api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let gone = "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all \
                    events, or -1 to replay only new events.";
        for (reason, advice, expect, kind) in [
            (
                "503::Server is too busy.  Please try your request again later.",
                "none",
                Remedy::Later,
                ErrorKind::Unavailable,
            ),
            (gone, "", Remedy::NewPosition, ErrorKind::Connect),
            ("403::Unknown client", "handshake", Remedy::Handshake, ErrorKind::Connect),
            ("403::Unknown client", "none", Remedy::Handshake, ErrorKind::Connect),
            ("401:abc:Unknown client", "handshake", Remedy::Handshake, ErrorKind::Connect),
            ("402::session_unknown", "handshake", Remedy::Handshake, ErrorKind::Connect),
            ("401::Authentication invalid", "none", Remedy::Login, ErrorKind::SessionExpired),
            ("401::Request requires authentication", "none", Remedy::Login, ErrorKind::SessionExpired),
            ("403::Handshake denied", "none", Remedy::Login, ErrorKind::Forbidden),
            (
                "400::Authenticated user id does not match the session's user id",
                "none",
                Remedy::Handshake,
                ErrorKind::Connect,
            ),
            ("403::Organization concurrent user limit exceeded", "none", Remedy::Later, ErrorKind::Unavailable),
            ("403::Organization total events daily limit exceeded", "none", Remedy::None, ErrorKind::LimitExceeded),
            (
                "400::The channel you requested to subscribe to doesn't exist {/data/X}",
                "",
                Remedy::None,
                ErrorKind::NotFound,
            ),
            ("403:denied_by_security_policy:create_denied", "", Remedy::None, ErrorKind::Forbidden),
            (
                "403::User not allowed to subscribe CDC without View All Data permissions",
                "",
                Remedy::None,
                ErrorKind::Forbidden,
            ),
            ("413::Maximum Request Size Exceeded", "", Remedy::None, ErrorKind::TooLarge),
            ("something new", "handshake", Remedy::Handshake, ErrorKind::Connect),
            ("something new", "none", Remedy::None, ErrorKind::Api),
            ("", "", Remedy::None, ErrorKind::Api),
        ] {
            let seen = remedy(reason, Some(advice).filter(|advice| !advice.is_empty()));
            assert_eq!((seen, error(reason, seen).kind()), (expect, kind), "{reason} {advice}");
        }
    }

    #[test]
    fn the_server_s_words_are_kept() {
        let error = error("403::Unknown client", Remedy::Handshake);
        assert_eq!(error.api_errors()[0].to_string(), "403: Unknown client");
        assert!(error.is_retryable());
    }
}
