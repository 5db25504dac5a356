//! The mappings of a file: what is kept equal, as it is written. Whether the objects and fields are there is not known
//! here.

use std::{collections::BTreeMap, time::Duration};

use tombolo_engine::sync::{DeleteConflict, Deletes, Flow, Policy, Side};

use super::{
    At, Findings, Place, amount,
    connection::{Named, is_name},
    finding::nearest,
    line::{self, Arrow, Line},
    policy::{self, Names},
    schedule::Schedule,
    section::{Section, text, wrong_word},
    tree::{Kind, Node},
};

/// A mapping, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Its name.
    pub(crate) name: At<String>,
    /// The two ends, as `between` lists them.
    pub(crate) ends: [EndName; 2],
    /// The field that is the key of the end that is not Salesforce, unless its primary key.
    pub(crate) key: Option<At<String>>,
    /// The field of Salesforce that carries that key.
    pub(crate) external_id: Option<At<String>>,
    /// The pairs by which records that were there before are joined.
    pub(crate) match_on: Vec<Line>,
    /// Which records of each end take part.
    pub(crate) filters: [Option<At<String>>; 2],
    /// The field lines.
    pub(crate) fields: Vec<FieldLine>,
    /// What a delete on a side does to the other one.
    pub(crate) deletes: [At<Deletes>; 2],
    /// What becomes of a delete on one side against an edit on the other.
    pub(crate) delete_conflict: DeleteConflict,
    /// What the engine does not see.
    pub(crate) options: MappingOptions,
    /// How changes are heard.
    pub(crate) capture: At<Capture>,
}

/// An end of a mapping: `crm.Contact`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndName {
    /// The connection.
    pub(crate) connection: At<String>,
    /// The object or table.
    pub(crate) entity: At<String>,
    /// Whether the connection is to Salesforce.
    pub(crate) salesforce: bool,
}

/// A field line, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldLine {
    /// The line.
    pub(crate) line: Line,
    /// Which way values go.
    pub(crate) flow: Flow,
    /// Who decides.
    pub(crate) policy: Policy,
}

/// What of a mapping the hub and its systems have to know beside the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappingOptions {
    /// Whether assignment rules run.
    pub(crate) assignment_rules: bool,
    /// What becomes of records that Salesforce takes for duplicates.
    pub(crate) duplicates: Duplicates,
    /// How often changes are taken.
    pub(crate) frequency: Frequency,
    /// Whether everything that changed is compared every hour, beside the live stream.
    pub(crate) hourly_reconcile: bool,
}

/// What becomes of records that Salesforce takes for duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duplicates {
    /// They are refused.
    Block,
    /// They are saved.
    Allow,
    /// A person decides.
    Manual,
}

/// How often changes are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frequency {
    /// As they happen.
    RealTime,
    /// Every so often.
    Every(Duration),
    /// By the calendar.
    Cron(Box<Schedule>),
}

/// How changes are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// As well as can be.
    Auto,
    /// Change events, or not at all.
    ChangeEvents,
    /// By asking Salesforce for what changed.
    Polling,
    /// Triggers and an outbox in the database.
    Outbox,
}

/// The keys of a mapping.
const KEYS: [&str; 16] = [
    "between",
    "key",
    "tenant_column",
    "external_id",
    "match",
    "filter",
    "direction",
    "fields",
    "conflict_resolution",
    "deletes",
    "delete_conflict",
    "assignment_rules",
    "duplicates",
    "capture",
    "frequency",
    "fallback",
];

/// Reads `mappings:`.
pub(super) fn read(node: &Node, connections: &BTreeMap<String, Named>, findings: &mut Findings) -> Vec<Mapping> {
    let Kind::Map(entries) = &node.kind else {
        findings.error(node.place, format!("`mappings` is a name and its keys for each, not {}", node.word()));
        return Vec::new();
    };
    let mut mappings: Vec<Mapping> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, node) in entries {
        if !is_name(&name.value) {
            findings
                .error(name.place, format!("`{}` is no name of a mapping", name.value))
                .hint("a letter, then letters, digits, _ or -");
        }
        if seen.contains(&name.value.as_str()) {
            findings.error(name.place, format!("`{}` stands twice", name.value));
            continue;
        }
        seen.push(&name.value);
        mappings.extend(mapping(name, node, connections, findings));
    }
    mappings
}

fn mapping(
    name: &At<String>,
    node: &Node,
    connections: &BTreeMap<String, Named>,
    findings: &mut Findings,
) -> Option<Mapping> {
    let section = Section::read(node, format!("the mapping `{}`", name.value), &KEYS, findings)?;
    section.not_yet("tenant_column", "one org a tenant", findings);
    let ends = section.required("between", findings).and_then(|node| between(node, connections, findings));
    let lines = section.required("fields", findings).map(|node| lines(node, "fields", findings)).unwrap_or_default();
    let match_on = section.value("match").map(|node| lines_of_match(node, findings)).unwrap_or_default();
    let options = options(&section, findings);
    let delete_conflict =
        [("keep", DeleteConflict::Keep), ("delete", DeleteConflict::Delete), ("manual", DeleteConflict::Manual)];
    let delete_conflict = section.choice("delete_conflict", &delete_conflict, findings);
    let capture = capture(&section, findings);
    let key = section.text("key", findings);
    let external_id = section.text("external_id", findings);
    let ends = ends?;
    let names = Names::new(&ends);
    for (at, key) in [(&key, "key"), (&external_id, "external_id")] {
        if let (Some(at), None) = (at, names.salesforce()) {
            findings.error(at.place, format!("`{key}` needs one end of the mapping to be Salesforce"));
        }
    }
    Some(Mapping {
        name: name.clone(),
        key,
        external_id,
        match_on,
        filters: filters(&section, &ends, findings),
        fields: field_lines(lines, &section, &names, findings),
        deletes: deletes(&section, &names, findings),
        delete_conflict: delete_conflict.map_or(DeleteConflict::Keep, |at| at.value),
        options,
        capture: capture.unwrap_or(At::new(Capture::Auto, section.place)),
        ends,
    })
}

fn between(node: &Node, connections: &BTreeMap<String, Named>, findings: &mut Findings) -> Option<[EndName; 2]> {
    let example = "between: [crm.Contact, app.contacts]";
    let items = match &node.kind {
        Kind::List(items) if items.len() == 2 => items,
        _ => {
            findings.error(node.place, "`between` lists the two ends of a mapping").hint(example);
            return None;
        }
    };
    let left = end_name(&items[0], connections, findings);
    let right = end_name(&items[1], connections, findings);
    let ends = [left?, right?];
    if ends[0].connection.value == ends[1].connection.value {
        let name = &ends[0].connection.value;
        findings
            .error(items[1].place, format!("both ends are of `{name}`: a mapping joins two connections"))
            .hint("a second connection may lead to the same system");
        return None;
    }
    Some(ends)
}

fn end_name(node: &Node, connections: &BTreeMap<String, Named>, findings: &mut Findings) -> Option<EndName> {
    let text = text(node, "between", findings)?;
    let Some((connection, entity)) = text.value.split_once('.').filter(|(a, b)| !a.is_empty() && !b.is_empty()) else {
        let message = format!("`{}` is no end of a mapping", text.value);
        findings.error(text.place, message).hint("it is a connection and an object or table: crm.Contact");
        return None;
    };
    let Some(known) = connections.get(connection) else {
        let finding = findings.error(text.place, format!("there is no connection `{connection}`"));
        match nearest(connection, connections.keys().map(String::as_str)) {
            Some(near) => finding.did_you_mean(Some(near)),
            None if connections.is_empty() => finding.hint("connections stand under `connections:`"),
            None => finding
                .hint(format!("there is {}", connections.keys().map(String::as_str).collect::<Vec<_>>().join(", "))),
        }
        return None;
    };
    let entity_place = text.place.right(connection.chars().count() + 1);
    Some(EndName {
        // Of a system that nobody knows nothing more can be said; that is an error already.
        salesforce: known.salesforce?,
        connection: At::new(connection.to_owned(), text.place),
        entity: At::new(entity.to_owned(), entity_place),
    })
}

/// Field lines: a list of them, or one block.
fn lines(node: &Node, key: &str, findings: &mut Findings) -> Vec<Line> {
    let texts: Vec<At<String>> = match &node.kind {
        Kind::Scalar(scalar) => scalar.lines.clone(),
        Kind::List(items) => items.iter().filter_map(|item| line_text(item, key, findings)).collect(),
        Kind::Map(_) | Kind::Null => line_text(node, key, findings).into_iter().collect(),
    };
    let read: Vec<Line> = texts.iter().filter_map(|text| line::read(text, findings)).collect();
    if texts.iter().all(|text| text.value.is_empty()) && !matches!(node.kind, Kind::Map(_)) {
        findings.error(node.place, format!("`{key}` is empty"));
    }
    read
}

/// The text of an item of the list.
fn line_text(item: &Node, key: &str, findings: &mut Findings) -> Option<At<String>> {
    match &item.kind {
        Kind::Scalar(scalar) => match scalar.lines.as_slice() {
            [one] => Some(one.clone()),
            _ => Some(At::new(scalar.text.clone(), item.place)),
        },
        Kind::Map(entries) => {
            let finding = findings.error(item.place, format!("a line of `{key}` is text, not {}", item.word()));
            if let Some((left, Node { kind: Kind::Scalar(right), .. })) = entries.first() {
                finding.hint(format!("did you mean `{} = {}`?", left.value, right.text));
            }
            None
        }
        _ => {
            findings.error(item.place, format!("a line of `{key}` is text, not {}", item.word()));
            None
        }
    }
}

fn lines_of_match(node: &Node, findings: &mut Findings) -> Vec<Line> {
    let mut lines = lines(node, "match", findings);
    lines.retain(|line| {
        if line.arrow != Arrow::Equal {
            findings.error(line.left.place, "`match` compares: its lines have `=`");
        }
        if let Some(policy) = &line.policy {
            findings.error(policy.place, "`match` compares: its lines have no policy");
        }
        line.arrow == Arrow::Equal && line.policy.is_none()
    });
    lines
}

/// The field lines with direction and policy.
fn field_lines(lines: Vec<Line>, section: &Section<'_>, names: &Names<'_>, findings: &mut Findings) -> Vec<FieldLine> {
    let direction = section.text("direction", findings).and_then(|text| names.direction(&text, findings));
    let direction = direction.unwrap_or(Flow::Both);
    let policy = section.text("conflict_resolution", findings);
    let policy = policy.and_then(|text| names.policy(&text, "conflict_resolution", findings));
    let policy = policy.unwrap_or(Policy::Wins(names.owner()));
    let mut fields = Vec::new();
    for line in lines {
        let flow = match line.arrow {
            Arrow::Equal => direction,
            Arrow::ToRight => Flow::To(Side::Right),
            Arrow::ToLeft => Flow::To(Side::Left),
        };
        let own = line.policy.as_ref();
        if let (Some(own), Flow::To(_)) = (own, flow) {
            findings.error(own.place, "a line that goes one way has no conflicts, so it needs no policy");
        }
        let own = own.and_then(|text| names.policy(text, "the policy of a field", findings));
        fields.push(FieldLine { policy: own.unwrap_or(policy), flow, line });
    }
    fields
}

fn filters(section: &Section<'_>, ends: &[EndName; 2], findings: &mut Findings) -> [Option<At<String>>; 2] {
    let known: Vec<&str> = ends.iter().map(|end| end.connection.value.as_str()).collect();
    let Some(inner) = section.value("filter").and_then(|node| Section::read(node, "`filter`", &known, findings)) else {
        return [None, None];
    };
    [inner.text(known[0], findings), inner.text(known[1], findings)]
}

fn deletes(section: &Section<'_>, names: &Names<'_>, findings: &mut Findings) -> [At<Deletes>; 2] {
    let mut deletes = [Side::Left, Side::Right].map(|_| At::new(Deletes::Ignore, section.place));
    let keys = names.delete_keys();
    let known: Vec<&str> = keys.iter().map(String::as_str).collect();
    let Some(inner) = section.value("deletes").and_then(|node| Section::read(node, "`deletes`", &known, findings))
    else {
        return deletes;
    };
    let mut said = [None; 2];
    for key in known {
        let (Some(text), Some(to)) = (inner.text(key, findings), names.towards(key)) else { continue };
        if let Some(before) = said[to] {
            findings.error(text.place, format!("`{key}` says again what `{before}` says"));
        }
        said[to] = Some(key);
        if let Some(meant) = policy::deletes(&text, key, findings) {
            deletes[to.other()] = At::new(meant, text.place);
        }
    }
    deletes
}

fn options(section: &Section<'_>, findings: &mut Findings) -> MappingOptions {
    let duplicates = [("block", Duplicates::Block), ("allow", Duplicates::Allow), ("manual", Duplicates::Manual)];
    let fallback = [("hourly_batch", true), ("none", false)];
    MappingOptions {
        assignment_rules: section.boolean("assignment_rules", findings).unwrap_or(false),
        duplicates: section.choice("duplicates", &duplicates, findings).map_or(Duplicates::Manual, |at| at.value),
        frequency: section.text("frequency", findings).map_or(Frequency::RealTime, |text| frequency(&text, findings)),
        hourly_reconcile: section.choice("fallback", &fallback, findings).is_some_and(|at| at.value),
    }
}

/// How a schedule is written.
const CRON: &str =
    "minute, hour, day, month, weekday: cron \"0 6 * * MON-FRI\", in UTC, or with a zone behind it: Europe/Berlin";

fn frequency(text: &At<String>, findings: &mut Findings) -> Frequency {
    if text.value == "real_time" {
        return Frequency::RealTime;
    }
    if let Some(pattern) = text.value.strip_prefix("cron ") {
        return match pattern.trim().parse() {
            Ok(schedule) => Frequency::Cron(Box::new(schedule)),
            Err(why) => {
                findings.error(text.place, format!("`frequency: {}` cannot be read: {why}", text.value)).hint(CRON);
                Frequency::RealTime
            }
        };
    }
    let every = text.value.strip_prefix("every ").and_then(amount::duration);
    match every.filter(|every| *every >= Duration::from_secs(1)) {
        Some(every) => Frequency::Every(every),
        None => {
            wrong_word("frequency", text, &["real_time", "every 5m", "cron \"0 6 * * MON-FRI\""], findings);
            Frequency::RealTime
        }
    }
}

fn capture(section: &Section<'_>, findings: &mut Findings) -> Option<At<Capture>> {
    let words = [
        ("auto", Some(Capture::Auto)),
        ("change_events", Some(Capture::ChangeEvents)),
        ("polling", Some(Capture::Polling)),
        ("outbox", Some(Capture::Outbox)),
        ("wal", None),
    ];
    let word = section.choice("capture", &words, findings)?;
    if word.value.is_none() {
        findings.error(word.place, "`capture: wal` is not supported yet").hint("use `auto` or `outbox`");
    }
    Some(At::new(word.value?, word.place))
}

impl Mapping {
    /// Where the mapping begins.
    pub(crate) const fn place(&self) -> Place {
        self.name.place
    }
}
