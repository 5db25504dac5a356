//! Whether a file is right: both ends of every mapping are asked what they look like.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use tombolo_engine::sync::{Flow, Side, Style};

use super::TENANT;
use crate::{
    Result,
    config::{
        Config, Findings,
        resolve::{Facts, Resolved, resolve},
    },
    systems::{open::open, system::System},
};

/// What came out of a check.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What is wrong with the file, and what is worth knowing.
    pub findings: Findings,
    /// What is kept equal; empty if the file cannot be used.
    pub mappings: Vec<MappingSummary>,
}

/// A mapping, in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingSummary {
    /// Its name.
    pub mapping: String,
    /// Its ends: `crm.Contact`.
    pub between: [String; 2],
    /// How many fields are kept equal both ways.
    pub both_ways: usize,
    /// How many go to each end only.
    pub one_way: [usize; 2],
    /// Whether records are made at each end.
    pub creates: [bool; 2],
    /// How changes at each end are heard: `change_events`, `polling`, `outbox`.
    pub capture: [String; 2],
}

/// The systems of a file, and what it comes to.
pub(crate) struct Survey {
    /// The systems, by the names of their connections.
    pub(crate) systems: BTreeMap<String, Arc<dyn System>>,
    /// The file, resolved, unless there are errors.
    pub(crate) resolved: Option<Resolved>,
    /// What was found.
    pub(crate) findings: Findings,
}

/// Asks both ends of every mapping, and says what is wrong with the file.
pub async fn check(config: &Config) -> Result<Checked> {
    let Survey { resolved, findings, .. } = survey(config).await?;
    let mappings = resolved.map(|resolved| resolved.plan.mappings.iter().map(summary).collect());
    Ok(Checked { findings, mappings: mappings.unwrap_or_default() })
}

/// Opens every system that a mapping names, and resolves the file.
pub(crate) async fn survey(config: &Config) -> Result<Survey> {
    let systems = open_all(config).await?;
    let facts = learn(config, &systems).await?;
    let (resolved, findings) = resolve(config, &facts, TENANT);
    Ok(Survey { systems, resolved, findings })
}

/// Opens every system that a mapping names.
pub(crate) async fn open_all(config: &Config) -> Result<BTreeMap<String, Arc<dyn System>>> {
    let mut systems = BTreeMap::new();
    for end in config.mappings.iter().flat_map(|mapping| &mapping.ends) {
        let name = &end.connection.value;
        if let (None, Some(connection)) = (systems.get(name), config.connections.get(name)) {
            systems.insert(name.clone(), open(config, connection).await?);
        }
    }
    Ok(systems)
}

/// What the systems say of the objects and tables that the file names.
pub(crate) async fn learn(config: &Config, systems: &BTreeMap<String, Arc<dyn System>>) -> Result<Facts> {
    let mut facts = Facts::default();
    for mapping in &config.mappings {
        for end in &mapping.ends {
            look(&mut facts, systems, &end.connection.value, &end.entity.value).await?;
        }
    }
    for (connection, object) in facts.parents(config) {
        look(&mut facts, systems, &connection, &object).await?;
    }
    Ok(facts)
}

async fn look(
    facts: &mut Facts,
    systems: &BTreeMap<String, Arc<dyn System>>,
    connection: &str,
    name: &str,
) -> Result<()> {
    let Some(system) = systems.get(connection).filter(|_| facts.entity(connection, name).is_none()) else {
        return Ok(());
    };
    match system.describe(name).await? {
        Some(entity) => facts.learn(connection, name, entity),
        None if !facts.knows_names(connection) => facts.learn_names(connection, system.entities().await?),
        None => {}
    }
    Ok(())
}

fn summary(mapping: &tombolo_engine::sync::Mapping) -> MappingSummary {
    let count = |flow| mapping.fields.iter().filter(|pair| pair.flow == flow).count();
    let capture = |style: Style| match style {
        Style::Tagged => "change_events",
        Style::Conditional => "polling",
        Style::Compared => "outbox",
    };
    let ends = mapping.ends.each_ref();
    MappingSummary {
        mapping: mapping.name.clone(),
        between: ends.map(|end| format!("{}.{}", end.connection, end.entity)),
        both_ways: count(Flow::Both),
        one_way: Side::BOTH.map(|side| count(Flow::To(side))),
        creates: ends.map(|end| end.creates),
        capture: ends.map(|end| capture(end.style).to_owned()),
    }
}
