//! What was deleted in a window of time.

use jiff::{SignedDuration, Timestamp};
use tombolo_client::{Client, Result};
use tombolo_schema::{ErrorCode, Id};

use crate::systems::Deletes;

/// Lists deletes of an object since a moment; `now` is the org's time. Each call that is made is counted first.
pub(super) async fn list(
    client: &Client,
    object: &str,
    since: Timestamp,
    now: Timestamp,
    count: impl Fn(),
) -> Result<Deletes> {
    let minute = Timestamp::from_second(now.as_second().div_euclid(60) * 60).unwrap_or(now);
    // The server drops the seconds of both ends (`rest.md 2.4`): the minute that runs is listed by asking for its end,
    // which a server may refuse as lying ahead.
    for end in [minute + SignedDuration::from_mins(1), minute] {
        count();
        match client.deleted(object, since, end).await {
            Ok(deleted) => {
                let complete = deleted.earliest_date_available <= since;
                // What becomes visible late is listed again; what was seen costs nothing more.
                let settled = minute - SignedDuration::from_mins(1);
                let until = deleted.latest_date_covered.min(settled).max(since);
                let ids = deleted.records.iter().filter_map(|record| Id::parse(&record.id).ok()).collect();
                return Ok(Deletes { ids, until, complete });
            }
            Err(error) if error.code() == Some(&ErrorCode::InvalidReplicationDate) => {}
            Err(error) => return Err(error),
        }
    }
    // The window begins before what the server remembers.
    Ok(Deletes { ids: Vec::new(), until: minute - SignedDuration::from_mins(1), complete: false })
}
