//! `mirror OBJECT… --to URL`: Salesforce objects in a database, as they are and as they change.

use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tombolo_client::Client;
use tombolo_hub::mirror::{Applied, Mirror, MirrorOptions, Progress, Report, Target};

use super::org::interrupted;
use crate::{
    arguments::MirrorArguments,
    failure::{Done, Failure},
    output::{Format, Layout, Printer, RecordWriter},
};

/// Progress that nobody has read yet; the mirror goes on without waiting for a slow terminal.
const UNREAD: usize = 1024;

pub(super) async fn run(what: &MirrorArguments, printer: &Printer) -> Result<Done, Failure> {
    let target: Target = what.to.parse()?;
    let client = what.org.client().await?;
    let mut options = MirrorOptions::new(what.objects.clone(), target);
    options.schema.clone_from(&what.schema);
    options.once = what.once;
    let (report, done) = mirror(client, options, printer, interrupted()).await?;
    print_report(&report, printer)?;
    Ok(done)
}

/// Runs a mirror until it is done or stopped, saying on stderr what happens.
async fn mirror(
    client: Client,
    options: MirrorOptions,
    printer: &Printer,
    stop: impl Future<Output = Result<(), Failure>>,
) -> Result<(Report, Done), Failure> {
    let mirror = Mirror::open(client, options).await?;
    let (sender, mut progress) = mpsc::channel(UNREAD);
    let (stopped, wait) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(mirror.run(
        async move {
            // A sender that is gone means the same: stop.
            let _ = wait.await;
        },
        sender,
    ));
    tokio::pin!(stop);
    let mut stopped = Some(stopped);
    let mut done = Done::Whole;
    loop {
        tokio::select! {
            next = progress.recv() => match next {
                Some(step) => note(&step, printer),
                None => break,
            },
            signal = &mut stop, if stopped.is_some() => {
                signal?;
                done = Done::Interrupted;
                stopped = None;
            }
        }
    }
    let report = running.await.map_err(|e| Failure::failed("the mirror broke off").caused_by(e))??;
    Ok((report, done))
}

fn note(step: &Progress, printer: &Printer) {
    if let Some(text) = sentence(step) {
        printer.note(&text);
    }
}

fn sentence(step: &Progress) -> Option<String> {
    Some(match step {
        Progress::Snapshot { object, rows } => format!("{object}: {rows} rows read"),
        Progress::Live { object } => format!("{object}: up to date, following changes"),
        Progress::Applied { object, id, change, .. } => format!("{object} {id} {}", word(*change)),
        Progress::Gap { object, reason } => format!("{object}: a stretch of the stream was missed: {reason}"),
        Progress::GapClosed { object, upserted, deleted } => {
            format!("{object}: the gap is made good: {upserted} rows written, {deleted} marked deleted")
        }
        Progress::Polled { object, reason } => format!("{object}: polled, it has no change events: {reason}"),
        Progress::Trouble { object, message } => format!("{object}: {message}; trying again"),
        _ => return None,
    })
}

pub(super) const fn word(change: Applied) -> &'static str {
    match change {
        Applied::Inserted => "inserted",
        Applied::Updated => "updated",
        Applied::Deleted => "deleted",
        Applied::Undeleted => "undeleted",
    }
}

pub(super) fn report_json(report: &Report) -> Vec<Json> {
    let rows = report.objects.iter().map(|o| {
        json!({
            "object": o.object,
            "rows": o.rows,
            "inserted": o.inserted,
            "updated": o.updated,
            "deleted": o.deleted,
            "api_calls": o.api_calls,
            "lag_ms": o.lag_ms,
            "gaps": o.gaps,
        })
    });
    rows.collect()
}

fn print_report(report: &Report, printer: &Printer) -> Result<(), Failure> {
    let rows = report_json(report);
    if printer.format() == Format::Json {
        return printer.line(&json!({ "objects": rows }).to_string());
    }
    let mut writer = RecordWriter::new(printer, Layout::default(), Vec::new());
    let total = rows.len() as u64;
    for row in rows {
        writer.push(row.as_object().cloned().unwrap_or_default())?;
    }
    writer.finish(total)
}
