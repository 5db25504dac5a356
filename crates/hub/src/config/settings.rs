//! The numbers of a file: `settings:` and `budget:`. Each has a default.

use std::time::Duration;

use tombolo_engine::sync;

use super::{At, Findings, section::Section, tree::Node};

/// The numbers of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Those of the engine.
    pub(crate) engine: sync::Settings,
    /// How long a shard is held unless it is renewed; that is done at a third of it.
    pub(crate) lease: Duration,
    /// How long journal, history and what is closed is kept.
    pub(crate) retention: Duration,
    /// How often `fallback: hourly_batch` compares.
    pub(crate) reconcile_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: sync::Settings::default(),
            lease: Duration::from_secs(10),
            retention: Duration::from_secs(30 * 86_400),
            reconcile_every: Duration::from_secs(3600),
        }
    }
}

const KEYS: [&str; 15] = [
    "window",
    "echo_wait",
    "landing",
    "parked",
    "margin",
    "brake",
    "mass_delete",
    "lease",
    "retention",
    "poll_every",
    "scrub_every",
    "reconcile_every",
    "retry",
    "step",
    "cache",
];

/// Reads `settings:`.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Settings {
    let mut settings = Settings::default();
    let Some(section) = Section::read(node, "`settings`", &KEYS, findings) else { return settings };
    let engine = &mut settings.engine;
    for (key, into) in [
        ("window", &mut engine.window),
        ("echo_wait", &mut engine.echo_wait),
        ("landing", &mut engine.landing),
        ("parked", &mut engine.parked),
        ("margin", &mut engine.margin),
        ("scrub_every", &mut engine.scrub_every),
        ("poll_every", &mut engine.poll_every),
        ("retry", &mut engine.retry),
        ("lease", &mut settings.lease),
        ("retention", &mut settings.retention),
        ("reconcile_every", &mut settings.reconcile_every),
    ] {
        if let Some(read) = section.duration(key, findings) {
            *into = read;
        }
    }
    let least = [("lease", 3), ("retention", 86_400), ("poll_every", 1), ("echo_wait", 1), ("reconcile_every", 60)];
    for (key, least) in least {
        let read = match key {
            "lease" => settings.lease,
            "retention" => settings.retention,
            "poll_every" => settings.engine.poll_every,
            "reconcile_every" => settings.reconcile_every,
            _ => settings.engine.echo_wait,
        };
        if read < Duration::from_secs(least)
            && let Some(node) = section.value(key)
        {
            let least = super::amount::spoken(Duration::from_secs(least));
            findings.error(node.place, format!("`{key}` is at least {least}"));
        }
    }
    let engine = &mut settings.engine;
    for (key, into) in [("step", &mut engine.step), ("cache", &mut engine.cache)] {
        if let Some(read) = section.number(key, 1, findings) {
            *into = usize::try_from(read).unwrap_or(usize::MAX);
        }
    }
    brakes(&section, engine, findings);
    settings
}

fn brakes(section: &Section<'_>, engine: &mut sync::Settings, findings: &mut Findings) {
    if let Some(inner) =
        section.value("brake").and_then(|node| Section::read(node, "`brake`", &["writes", "within"], findings))
    {
        let (writes, within) = engine.brake;
        let read = inner.number("writes", 1, findings).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        engine.brake = (read.unwrap_or(writes), inner.duration("within", findings).unwrap_or(within));
    }
    if let Some(inner) = section
        .value("mass_delete")
        .and_then(|node| Section::read(node, "`mass_delete`", &["share", "rows", "within"], findings))
    {
        let (share, rows, within) = engine.mass_delete;
        engine.mass_delete = (
            inner.percent("share", findings).unwrap_or(share),
            inner.number("rows", 0, findings).unwrap_or(rows),
            inner.duration("within", findings).unwrap_or(within),
        );
    }
}

/// Reads `budget:` into the settings.
pub(super) fn budget(node: &Node, settings: &mut Settings, findings: &mut Findings) {
    let Some(section) = Section::read(node, "`budget`", &["share", "reserve"], findings) else { return };
    let (share, reserve) = settings.engine.budget;
    settings.engine.budget =
        (section.percent("share", findings).unwrap_or(share), section.percent("reserve", findings).unwrap_or(reserve));
}

/// Reads `listen:`, which nothing answers to yet.
pub(super) fn listen(text: &At<String>, findings: &mut Findings) {
    if text.value.parse::<std::net::SocketAddr>().is_err() {
        findings
            .error(text.place, format!("`listen` cannot be `{}`", text.value))
            .hint("it is an address and a port: 127.0.0.1:7400");
    } else {
        findings.warning(text.place, "nothing listens yet: console, API and webhooks come later");
    }
}
