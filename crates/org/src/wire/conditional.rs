//! Conditional requests: their headers in, `ETag` and `Last-Modified` out (rest.md 2.8).

use axum::body::Body;
use http::{
    HeaderName, Response, StatusCode,
    header::{ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED},
};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use tombolo_schema::ErrorCode;

use super::{
    answer::{Refusal, Reply, with_header},
    call::Call,
};
use crate::core::{Condition, Mark, Verdict};

/// The condition of a read. What makes no sense is left out, as HTTP wants it.
pub(crate) fn of_read(call: &Call) -> Condition {
    let moment = |name| moment(call, &name).and_then(Result::ok);
    Condition {
        modified_since: moment(IF_MODIFIED_SINCE),
        unmodified_since: moment(IF_UNMODIFIED_SINCE),
        matching: tags(call, &IF_MATCH),
        not_matching: tags(call, &IF_NONE_MATCH),
    }
}

/// The condition of a write. What makes no sense is refused: it was meant to hold something back.
pub(crate) fn of_write(call: &Call) -> Result<Condition, Refusal> {
    Ok(Condition { unmodified_since: moment(call, &IF_UNMODIFIED_SINCE).transpose()?, ..of_read(call) })
}

fn moment(call: &Call, name: &HeaderName) -> Option<Result<Timestamp, Refusal>> {
    let text = call.headers.get(name)?.to_str().unwrap_or_default().trim();
    Some(parse(text).ok_or_else(|| {
        let message = format!("Invalid value of the header {name}: {}", text.chars().take(40).collect::<String>());
        Refusal::bad(ErrorCode::Other("INVALID_HTTP_HEADER".to_owned()), message)
    }))
}

/// `Fri, 14 Aug 2020 20:53:02 GMT`
fn parse(text: &str) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(text).ok()
}

/// Quoted tags; what a compression added to them does not count.
fn tags(call: &Call, name: &HeaderName) -> Option<Vec<String>> {
    let text = call.headers.get(name)?.to_str().ok()?;
    let tag = |tag: &str| {
        let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
        tag.trim_end_matches("gzip").trim_end_matches('-').to_owned()
    };
    Some(text.split(',').map(tag).filter(|tag| !tag.is_empty()).collect())
}

/// The answer that a condition leads to, marked with what the caller can ask by next time.
pub(crate) fn judged(verdict: Verdict, mark: &Mark, whole: impl FnOnce() -> Reply) -> Reply {
    let reply = match verdict {
        Verdict::Met => whole(),
        Verdict::NotModified => empty(StatusCode::NOT_MODIFIED),
        Verdict::Failed => empty(StatusCode::PRECONDITION_FAILED),
    };
    let reply = match &mark.tag {
        Some(tag) => with_header(reply, ETAG, &format!("\"{tag}\"")),
        None => reply,
    };
    match mark.modified {
        Some(modified) => with_header(reply, LAST_MODIFIED, &http_date(modified)),
        None => reply,
    }
}

/// A status that says everything.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http() {
        let moment = "2020-08-14T20:53:02Z".parse().unwrap();
        assert_eq!(http_date(moment), "Fri, 14 Aug 2020 20:53:02 GMT");
        for text in
            ["Fri, 14 Aug 2020 20:53:02 GMT", "Fri, 14 Aug 2020 22:53:02 +0200", "Mon, 14 Aug 2020 20:53:02 GMT"]
        {
            assert_eq!(parse(text), Some(moment), "{text}");
        }
        for text in ["", "yesterday", "2020-08-14T20:53:02Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
