//! `LAST_N_HOURS:n`, which people write though Salesforce has no such literal (its shortest stretch is a day).
//! It stands for the moment n hours ago, and becomes that moment before a statement is sent anywhere.

use std::{borrow::Cow, fmt};

use jiff::{SignedDuration, Timestamp};

use crate::{
    ErrorKind, Options, ParseError,
    ast::{Comparison, Condition, Count, Literal, Operator, Select, Span},
    parse,
};

pub(crate) const LAST_N_HOURS: &str = "LAST_N_HOURS";

/// So many hours ago there was no date that SOQL could write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoursOutOfRange {
    /// Where the literal stands.
    pub span: Span,
}

impl fmt::Display for HoursOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so many hours ago there was no date that SOQL could write")
    }
}

impl std::error::Error for HoursOutOfRange {}

/// Puts the moment n hours before now in the place of each `LAST_N_HOURS:n`, and says whether there was one.
///
/// `=` becomes `>=` (in these hours) and `!=` becomes `<` (before them), for nothing equals a moment.
/// A count that is a bind variable stays.
pub fn resolve_hours(select: &mut Select, now: Timestamp) -> Result<bool, HoursOutOfRange> {
    let mut outcome = Ok(false);
    select.comparisons_mut(&mut |condition| match (resolved(condition, now), &outcome) {
        (_, Err(_)) | (Ok(None), _) => {}
        (Ok(Some((operator, moment))), _) => {
            if let Condition::Compare(comparison) = condition {
                comparison.operator = operator;
                comparison.value.literal = Literal::DateTime(moment);
            }
            outcome = Ok(true);
        }
        (Err(error), _) => outcome = Err(error),
    });
    outcome
}

/// The same for a text, of which everything else stays as it is.
///
/// ```
/// use tombolo_soql::{Options, rewrite_hours};
///
/// let now = "2026-11-22T10:00:00Z".parse()?;
/// let query = "select Id from Case where CreatedDate = last_n_hours:3";
/// let sent = rewrite_hours(query, Options::default(), now)?;
/// assert_eq!(sent, "select Id from Case where CreatedDate >= 2026-11-22T07:00:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rewrite_hours(query: &str, options: Options, now: Timestamp) -> Result<Cow<'_, str>, ParseError> {
    let mut edits = Vec::new();
    let mut failed = None;
    parse(query, options)?.comparisons_mut(&mut |condition| match (resolved(condition, now), &*condition) {
        (Ok(Some((operator, moment))), Condition::Compare(comparison)) => {
            let place = comparison.left.span().end..comparison.value.span.end;
            edits.push((place, format!(" {} {moment}", operator.as_str())));
        }
        (Err(error), _) => failed = failed.or(Some(error.span)),
        _ => {}
    });
    if let Some(span) = failed {
        return Err(ParseError::new(query, span.start, ErrorKind::NumberTooLarge));
    }
    if edits.is_empty() {
        return Ok(Cow::Borrowed(query));
    }
    edits.sort_by_key(|(place, _)| place.start);
    let mut text = String::with_capacity(query.len() + 16 * edits.len());
    let mut at = 0;
    for (place, replacement) in edits {
        text.push_str(&query[at..place.start]);
        text.push_str(&replacement);
        at = place.end;
    }
    text.push_str(&query[at..]);
    Ok(Cow::Owned(text))
}

/// The comparison that says the same with a moment, where there is one to be said.
fn resolved(condition: &Condition, now: Timestamp) -> Result<Option<(Operator, String)>, HoursOutOfRange> {
    let Condition::Compare(Comparison { operator, value, .. }) = condition else { return Ok(None) };
    let Literal::LastHours(Count::Number(hours)) = value.literal else { return Ok(None) };
    let moment = moment(now, hours).ok_or(HoursOutOfRange { span: value.span })?;
    let operator = match operator {
        Operator::Equal => Operator::GreaterOrEqual,
        Operator::NotEqual => Operator::Less,
        other => *other,
    };
    Ok(Some((operator, moment)))
}

/// The moment as SOQL writes it: to the second, in a year of four digits.
fn moment(now: Timestamp, hours: i64) -> Option<String> {
    let ago = SignedDuration::from_secs(hours.checked_mul(3_600)?);
    let second = now.checked_sub(ago).ok()?.as_second();
    let text = Timestamp::from_second(second).ok()?.to_string();
    (text.len() == "2026-11-22T10:00:00Z".len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APEX: Options = Options { apex: true, comments: true };

    #[track_caller]
    fn check(condition: &str, expect: &str) {
        let now: Timestamp = "2026-11-22T10:00:00.75Z".parse().unwrap();
        let query = |condition: &str| format!("SELECT Id FROM A WHERE {condition}");
        assert_eq!(rewrite_hours(&query(condition), APEX, now).unwrap(), query(expect));
        let mut select = parse(&query(condition), APEX).unwrap();
        assert_eq!(resolve_hours(&mut select, now), Ok(condition != expect));
        assert_eq!(Ok(select), parse(&query(expect), APEX));
    }

    #[test]
    fn hours_become_moments() {
        check("B > LAST_N_HOURS:1", "B > 2026-11-22T09:00:00Z");
        check("B>=last_n_hours : 24 AND C = 1", "B >= 2026-11-21T10:00:00Z AND C = 1");
        check("B = LAST_N_HOURS:0", "B >= 2026-11-22T10:00:00Z");
        check("B != LAST_N_HOURS:2 OR C < LAST_N_HOURS:3", "B < 2026-11-22T08:00:00Z OR C < 2026-11-22T07:00:00Z");
        check(
            "Id IN (SELECT B FROM C WHERE D = LAST_N_HOURS:1)",
            "Id IN (SELECT B FROM C WHERE D >= 2026-11-22T09:00:00Z)",
        );
        check("NOT (B <= LAST_N_HOURS:1)", "NOT (B <= 2026-11-22T09:00:00Z)");
        check("B = TODAY AND C = 'LAST_N_HOURS:1'", "B = TODAY AND C = 'LAST_N_HOURS:1'");
        check("B > LAST_N_HOURS:n", "B > LAST_N_HOURS:n");
    }

    #[test]
    fn hours_in_child_queries_and_having() {
        let query =
            "SELECT Id, (SELECT Id FROM B WHERE C > LAST_N_HOURS:1) FROM A GROUP BY D HAVING MAX(D) > LAST_N_HOURS:1";
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let text = rewrite_hours(query, Options::default(), now).unwrap();
        assert_eq!(text, query.replace("LAST_N_HOURS:1", "2026-11-22T09:00:00Z"));
    }

    #[test]
    fn too_many_hours_are_refused() {
        let query = format!("SELECT Id FROM A WHERE B > LAST_N_HOURS:{}", i64::MAX);
        let error = rewrite_hours(&query, Options::default(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!((error.offset, error.kind), (27, ErrorKind::NumberTooLarge));
        let mut select = parse("SELECT Id FROM A WHERE B > LAST_N_HOURS:99999999", Options::default()).unwrap();
        assert_eq!(resolve_hours(&mut select, Timestamp::UNIX_EPOCH), Err(HoursOutOfRange { span: Span::default() }));
    }
}
