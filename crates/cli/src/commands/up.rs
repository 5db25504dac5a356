//! `up`: both ends of every mapping are kept in step, until interrupted.

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tombolo_hub::sync::{Happened, Hub};

use super::{org::interrupted, read_config};
use crate::{
    arguments::UpArguments,
    failure::{Done, Failure},
    output::Printer,
};

/// News that nobody has read yet; the hub goes on without waiting for a slow terminal.
const UNREAD: usize = 1024;

pub(super) async fn run(what: &UpArguments, printer: &Printer) -> Result<Done, Failure> {
    let config = read_config(&what.file)?;
    for line in config.warnings().lines() {
        printer.note(&line);
    }
    let mut mappings: Vec<String> = config.mappings().map(str::to_owned).collect();
    let mut signal = std::pin::pin!(interrupted());
    let hub = tokio::select! {
        hub = Hub::open_when_there(&config, |event| note(&event, printer)) => hub?,
        heard = &mut signal => return heard.map(|()| Done::Whole),
    };
    let (sender, mut events) = mpsc::channel(UNREAD);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(hub.run(
        async move {
            // A sender that is gone means the same: stop.
            let _ = stopped.await;
        },
        sender,
    ));
    let mut stop = Some(stop);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Happened::Ready) => ready(&mappings, printer)?,
                Some(Happened::Reloaded { mappings: now, changes }) => {
                    mappings = now;
                    printer.note(&format!("the changed file is taken over: {}", changes.join(", ")));
                }
                Some(event) => note(&event, printer),
                None => break,
            },
            heard = &mut signal, if stop.is_some() => {
                heard?;
                printer.note("stopping: what was begun is finished");
                stop = None;
            }
        }
    }
    running.await.map_err(|e| Failure::failed("the hub broke off").caused_by(e))??;
    Ok(Done::Whole)
}

/// One line on stdout, for whoever waits for it: from here on changes are followed.
fn ready(mappings: &[String], printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        let pid = std::process::id();
        return printer.line(&json!({ "ready": true, "mappings": mappings, "pid": pid }).to_string());
    }
    let count = mappings.len();
    let (noun, verb) = if count == 1 { ("mapping", "is") } else { ("mappings", "are") };
    printer.line(&format!("ready: {count} {noun} {verb} kept in step"))
}

fn note(event: &Happened, printer: &Printer) {
    match event {
        Happened::Waiting => printer.note("another process works on this file: waiting to take over"),
        Happened::TakenOver => printer.note("another process took over"),
        Happened::Note(text) => printer.note(text),
        Happened::Trouble(text) => printer.note(&format!("{text}; trying again")),
        _ => {}
    }
}
