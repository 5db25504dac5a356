//! What went in and out of the engine, said so that a person can follow it.

use tombolo_engine::sync::{Answer, Effect, Input, Link, News, Operation, Outcome, Row, Stored, Transaction, Write};

use crate::canon;

/// An input in a line.
pub(super) fn input(input: &Input) -> String {
    match input {
        Input::Heard(delivery) => {
            let news: Vec<String> = delivery.news.iter().map(heard).collect();
            format!("heard on {}: {}", delivery.source.channel, news.join("; "))
        }
        Input::Loaded { ticket, loaded } => {
            let links: Vec<String> = loaded.links.iter().map(link).collect();
            let entries: Vec<u64> = loaded.journal.iter().map(|entry| entry.place).collect();
            format!("loaded {ticket}: {} journal {entries:?}", links.join("; "))
        }
        Input::Answered { ticket, answer } => format!("answered {ticket}: {}", answered(answer)),
        Input::Written { tag, outcomes } => {
            let outcomes: Vec<String> = outcomes.iter().map(outcome).collect();
            format!("written {tag}: {}", outcomes.join("; "))
        }
        other => format!("{other:?}"),
    }
}

/// An effect in a line.
pub(super) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Commit { ticket, transaction: what } => format!("commit {ticket}: {}", transaction(what)),
        Effect::Write(batch) => {
            let writes: Vec<String> = batch.writes.iter().map(write).collect();
            format!("write {} to {}: {}", batch.tag, batch.connection, writes.join("; "))
        }
        Effect::Read { ticket, class, connection, read } => format!("read {ticket} {connection} {class:?} {read:?}"),
        other => format!("{other:?}"),
    }
}

fn values(values: &[(String, Stored)]) -> String {
    values.iter().map(|(name, value)| format!("{name}={}", canon::shown(value))).collect::<Vec<_>>().join(" ")
}

fn heard(news: &News) -> String {
    let News { entity, key, identity, kind, values: shown, origin, at, .. } = news;
    let key = key.as_deref().unwrap_or("*");
    let origin = origin.map(|tag| format!(" by {tag}")).unwrap_or_default();
    let at = at.map(|at| at.strftime("%H:%M:%S%.f").to_string()).unwrap_or_default();
    format!("{entity} {key} {kind:?} {}{origin} at {at} ({identity})", values(shown))
}

fn row(row: &Row) -> String {
    let Row { key, values: shown, stamp, foreign_at, order, deleted, merged_into } = row;
    let moment = |at: &Option<jiff::Timestamp>| at.map(|at| at.strftime("%H:%M:%S%.f").to_string()).unwrap_or_default();
    let gone = if *deleted { format!(" deleted into {merged_into:?}") } else { String::new() };
    format!("{key} {} stamp {} foreign {} order {order:?}{gone}", values(shown), moment(stamp), moment(foreign_at))
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Rows { rows, next, .. } => {
            let more = if next.is_some() { " and more" } else { "" };
            format!("rows [{}]{more}", rows.iter().map(row).collect::<Vec<_>>().join("; "))
        }
        other => format!("{other:?}"),
    }
}

fn write(write: &Write) -> String {
    let Write { link, side, operation, values: set, expect, unmodified_since, operation_id, .. } = write;
    let operation = match operation {
        Operation::Create { key, other } => format!("create {} for {other}", key.as_deref().unwrap_or_default()),
        Operation::Update(key) => format!("update {key}"),
        Operation::Delete(key) => format!("delete {key}"),
        Operation::Undelete(key) => format!("undelete {key}"),
    };
    let expect = if expect.is_empty() { String::new() } else { format!(" if {}", values(expect)) };
    let since = unmodified_since.map(|at| format!(" unmodified since {at}")).unwrap_or_default();
    format!("link {link} {side:?} {operation} {}{expect}{since} ({operation_id})", values(set))
}

/// An outcome in a line.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { key, row: shown } => {
            format!("done {key} {}", shown.as_ref().map(row).unwrap_or_default())
        }
        Outcome::Moved { pending, row: shown } => {
            let pending: Vec<String> = pending.iter().map(heard).collect();
            format!("moved: {} pending [{}]", shown.as_ref().map_or("gone".to_owned(), row), pending.join("; "))
        }
        other => format!("{other:?}"),
    }
}

/// What is not as in any other link.
fn link(link: &Link) -> String {
    let mut said = vec![format!("link {} {:?} {:?} {:?}", link.id, link.keys, link.presence, link.fate)];
    for (index, field) in link.fields.iter().enumerate() {
        let images: Vec<String> = field.image.iter().map(|v| v.as_ref().map_or("-".to_owned(), canon::shown)).collect();
        let mut text = format!("{index}:{}", images.join("/"));
        if let Some(taken) = &field.taken {
            text += &format!(" took {:?} {} place {}", taken.side, canon::shown(&taken.value), taken.place);
        }
        for (open, side) in field.open.iter().zip(["left", "right"]) {
            let open: Vec<String> = open.iter().map(|o| format!("{} {}", o.tag, canon::shown(&o.value))).collect();
            if !open.is_empty() {
                text += &format!(" open {side} {open:?}");
            }
        }
        for (held, side) in field.held.iter().zip(["left", "right"]) {
            let held: Vec<String> =
                held.iter().map(|h| format!("{} place {}", canon::shown(&h.value), h.place)).collect();
            if !held.is_empty() {
                text += &format!(" held {side} {held:?}");
            }
        }
        if field.manual {
            text += " manual";
        }
        if field.rewriting != tombolo_engine::sync::Rewriting::No {
            text += &format!(" rewriting {:?}", field.rewriting);
        }
        if field.refused.iter().any(Option::is_some) {
            text += " refused";
        }
        said.push(text);
    }
    let flights =
        link.flight.iter().flatten().map(|flight| format!("flight {} unknown {}", flight.tag, flight.unknown));
    said.extend(flights);
    let sent = link.ledger.iter().flatten().map(|sent| format!("sent {} {:?}", sent.tag, sent.state));
    said.extend(sent);
    if link.reread.iter().any(Option::is_some) {
        said.push(format!("reread {:?}", link.reread));
    }
    if let Some(parked) = &link.parked {
        said.push(format!("parked on {:?}", parked.parent));
    }
    format!("{{{}}}", said.join(", "))
}

fn transaction(what: &Transaction) -> String {
    let mut said = Vec::new();
    said.extend(what.heard.iter().map(|entry| format!("journal {} {}", entry.place, entry.news.identity)));
    if !what.decided.is_empty() {
        said.push(format!("decided {:?}", what.decided));
    }
    said.extend(what.links.iter().map(|row| link(&row.link)));
    for conflict in &what.conflicts {
        let names = conflict.field.as_ref().map_or("the record", |names| names[0].as_str());
        let values: Vec<String> =
            conflict.values.iter().map(|v| v.as_ref().map_or("-".to_owned(), canon::shown)).collect();
        let winner = conflict.winner.map_or("nobody".to_owned(), |side| format!("{side:?}"));
        said.push(format!(
            "conflict {:?} link {} {names} {} won by {winner}",
            conflict.kind,
            conflict.link,
            values.join(" / ")
        ));
    }
    let letters = what.dead_letters.iter();
    said.extend(letters.map(|l| format!("dead letter {} {:?} {:?} {}", l.link, l.side, l.fields, l.cause.code)));
    said.extend(what.gaps.iter().map(|gap| format!("gap {} {} closed {:?}", gap.id, gap.entity, gap.closed)));
    said.extend(what.jobs.iter().map(|(name, job)| match job {
        Some(job) => format!("job {name} {:?} since {:?}", job.stage, job.since),
        None => format!("job {name} done"),
    }));
    said.extend(what.sources.iter().map(|(source, _)| format!("source {}", source.channel)));
    said.join("; ")
}
