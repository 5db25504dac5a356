//! Subscribing: which channels there are, and where on them a client wants to begin (streaming.md 1.6).

use serde_json::Value;

use crate::{
    core::{Channel, EventLog, Registry, faults::FaultKind, record::Result},
    wire::App,
};

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// -1, or nothing said.
    New,
    /// -2
    All,
    After(u64),
}

/// What a client asked for is no position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPosition(String);

impl Replay {
    /// Reads a replay id. Texts are accepted, and null is nothing said.
    pub(super) fn read(asked: Option<&Value>) -> Result<Self, NoPosition> {
        let text = match asked {
            None | Some(Value::Null) => return Ok(Self::New),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(other) => other.to_string(),
        };
        match text.parse::<i64>() {
            Ok(-1) => Ok(Self::New),
            Ok(-2) => Ok(Self::All),
            Ok(id) => u64::try_from(id).map(Self::After).map_err(|_| NoPosition(text)),
            Err(_) => Err(NoPosition(text)),
        }
    }
}

/// The channel of this name, or what is wrong with it.
pub(super) fn channel(schema: &Registry, name: &str) -> Result<Channel, String> {
    if name.is_empty() {
        return Err("400::Channel name not specified".to_owned());
    }
    if !name.starts_with('/') {
        return Err("400::Channel subscriptions must start with a leading '/'".to_owned());
    }
    let known = Channel::parse(name).filter(|channel| match channel {
        Channel::All => true,
        // Channel names have their case, other than objects' names.
        Channel::Entity(object) => schema.object(object).is_some_and(|found| *found.name == **object),
    });
    known.ok_or_else(|| format!("400::The channel you requested to subscribe to doesn't exist {{{name}}}"))
}

/// The replay id behind which delivery begins; or the refusal of a position that is lost.
pub(super) fn begin_after(
    app: &App,
    path: &str,
    name: &str,
    replay: Result<Replay, NoPosition>,
) -> Result<Result<u64, String>> {
    let log: &EventLog = app.core.events();
    Ok(match replay {
        Ok(Replay::New) => Ok(log.latest()),
        Ok(Replay::All) => Ok(0),
        Ok(Replay::After(id)) => {
            let expired =
                app.core.faults().take_for_channel(FaultKind::ExpireReplay, path, name, app.core.clock().now());
            let retained = expired.is_none() && id <= log.latest() && id >= log.dropped_up_to()?;
            if retained { Ok(id) } else { Err(invalid(&id.to_string())) }
        }
        Err(NoPosition(text)) => Err(invalid(&text.chars().take(40).collect::<String>())),
    })
}

/// The braces and the two blanks are Salesforce's (streaming.md 1.5).
fn invalid(id: &str) -> String {
    format!(
        "400::The replayId {{{id}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn replay_ids_are_read() {
        for (asked, expected) in [
            (None, Some(Replay::New)),
            (Some(Value::Null), Some(Replay::New)),
            (Some(json!(-1)), Some(Replay::New)),
            (Some(json!("-1")), Some(Replay::New)),
            (Some(json!(-2)), Some(Replay::All)),
            (Some(json!("-2")), Some(Replay::All)),
            (Some(json!(82)), Some(Replay::After(82))),
            (Some(json!("82")), Some(Replay::After(82))),
            (Some(json!(-3)), None),
            (Some(json!(1.5)), None),
            (Some(json!("soon")), None),
            (Some(json!([1])), None),
        ] {
            assert_eq!(Replay::read(asked.as_ref()).ok(), expected, "{asked:?}");
        }
    }
}
