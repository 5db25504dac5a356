//! `pause`, `resume`, `reload`, `retry`, `reconcile`, `scrub`: what a running hub is asked to do.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tombolo_hub::operate::{self, Asked, Reload, Retry};

use super::{desk, read_config};
use crate::{
    arguments::{FileArgument, OneMapping, ReconcileArguments, RetryArguments},
    failure::{Done, Failure},
    output::Printer,
};

pub(super) async fn pause(what: &OneMapping, printer: &Printer) -> Result<Done, Failure> {
    let asked = desk(&what.file).await?.pause(what.mapping.as_deref()).await?;
    tell(&asked, &format!("to pause {}", named(what.mapping.as_deref())), printer)
}

pub(super) async fn resume(what: &OneMapping, printer: &Printer) -> Result<Done, Failure> {
    let asked = desk(&what.file).await?.resume(what.mapping.as_deref()).await?;
    tell(&asked, &format!("to go on with {}", named(what.mapping.as_deref())), printer)
}

pub(super) async fn scrub(what: &OneMapping, printer: &Printer) -> Result<Done, Failure> {
    let asked = desk(&what.file).await?.scrub(what.mapping.as_deref()).await?;
    tell(&asked, &format!("to compare all of {}", named(what.mapping.as_deref())), printer)
}

pub(super) async fn reconcile(what: &ReconcileArguments, printer: &Printer) -> Result<Done, Failure> {
    let since = what.since.as_deref().map(|text| moment(text, Timestamp::now())).transpose()?;
    let asked = desk(&what.file).await?.reconcile(what.mapping.as_deref(), since).await?;
    tell(&asked, &format!("to compare what changed of {}", named(what.mapping.as_deref())), printer)
}

pub(super) async fn retry(what: RetryArguments, printer: &Printer) -> Result<Done, Failure> {
    let (which, words) = match (what.record, what.code) {
        (Some(record), _) => (Retry::Record(record.clone()), format!("to merge {record} anew")),
        (None, Some(code)) => (Retry::Code(code.clone()), format!("to merge anew what was refused with {code}")),
        (None, None) => (Retry::All, "to merge anew all that was refused".to_owned()),
    };
    let asked = desk(&what.file).await?.retry(&which).await?;
    tell(&asked, &words, printer)
}

/// A file that is wrong is told so, and nobody takes it over.
pub(super) async fn reload(file: &FileArgument, printer: &Printer) -> Result<Done, Failure> {
    let Reload { asked, findings } = operate::reload(read_config(file)?).await?;
    for line in findings.lines() {
        printer.note(&line);
    }
    if !asked.running && !printer.is_json() {
        printer.line("nobody runs this file's hub: the next `tombolo up` takes the file as it is")?;
        return Ok(Done::Whole);
    }
    tell(&asked, &format!("to take over {}", file.config.display()), printer)
}

/// Says what was asked, and whether anybody is there to do it.
pub(super) fn tell(asked: &Asked, words: &str, printer: &Printer) -> Result<Done, Failure> {
    if printer.is_json() {
        printer.document(&json!(asked))?;
    } else {
        printer.line(&format!("asked {words}"))?;
        if !asked.running {
            printer.note("nobody runs this file's hub: it is done as soon as `tombolo up` runs");
        }
    }
    Ok(Done::Whole)
}

fn named(mapping: Option<&str>) -> String {
    mapping.map_or_else(|| "every mapping".to_owned(), |mapping| format!("the mapping {mapping}"))
}

/// A moment, or how long ago it was.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let ago = text.parse::<SignedDuration>().ok().filter(|ago| !ago.is_negative());
    ago.and_then(|ago| now.checked_sub(ago).ok()).ok_or_else(|| {
        Failure::usage(format!("`{text}` is no moment"))
            .hint("it looks like 2026-11-22T08:00:00Z, or how long ago it was: 36h")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_how_long_ago_they_were() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-20T00:00:00Z", Some("2026-11-20T00:00:00Z")),
            ("2026-11-20T01:00:00+01:00", Some("2026-11-20T00:00:00Z")),
            ("36h", Some("2026-11-20T20:00:00Z")),
            ("90m", Some("2026-11-22T06:30:00Z")),
            ("-1h", None),
            ("yesterday", None),
        ] {
            assert_eq!(moment(text, now).ok().map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        }
    }
}
