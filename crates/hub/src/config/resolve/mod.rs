//! From what the file says and what both ends say of themselves to a plan, or to what is wrong with it.

mod end;
mod overlap;
mod pair;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tombolo_engine::sync;

use super::{At, Config, EndName, Findings, Mapping, MappingOptions, nearest};
use crate::systems::system::{Entity, Field};

/// What the systems say of their objects and tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    entities: BTreeMap<(String, String), Entity>,
    names: BTreeMap<String, Vec<String>>,
}

impl Facts {
    /// Learns what an object or table looks like, by the name that it was asked for.
    pub(crate) fn learn(&mut self, connection: &str, asked: &str, entity: Entity) {
        self.entities.insert((connection.to_owned(), asked.to_owned()), entity);
    }

    /// Learns what objects or tables there are.
    pub(crate) fn learn_names(&mut self, connection: &str, names: Vec<String>) {
        self.names.insert(connection.to_owned(), names);
    }

    /// Whether the objects or tables of a connection are known.
    pub(crate) fn knows_names(&self, connection: &str) -> bool {
        self.names.contains_key(connection)
    }

    /// What an object or table looks like.
    pub(crate) fn entity(&self, connection: &str, name: &str) -> Option<&Entity> {
        self.entities.get(&(connection.to_owned(), name.to_owned()))
    }

    /// The objects of Salesforce whose fields are read through a parent: (connection, object).
    pub(crate) fn parents(&self, config: &Config) -> Vec<(String, String)> {
        let mut parents = Vec::new();
        for mapping in &config.mappings {
            let end = &mapping.ends[0];
            let Some(entity) = self.entity(&end.connection.value, &end.entity.value) else { continue };
            for line in &mapping.fields {
                let Some((relationship, _)) = line.line.left.value.split_once('.') else { continue };
                let field = pair::by_relationship(entity, relationship);
                let Some([parent]) = field.map(|field| field.references.as_slice()) else { continue };
                parents.push((end.connection.value.clone(), parent.clone()));
            }
        }
        parents.sort();
        parents.dedup();
        parents
    }
}

/// A file that was resolved.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// What a shard works on.
    pub(crate) plan: sync::Plan,
    /// What of each mapping is not in the plan, in its order.
    #[cfg_attr(not(test), expect(dead_code, reason = "the adapters of systems will ask for it"))]
    pub(crate) options: Vec<MappingOptions>,
}

/// Resolves a file. Without errors there is a plan; the findings are what is wrong, and what is worth knowing.
pub(crate) fn resolve(config: &Config, facts: &Facts, tenant: &str) -> (Option<Resolved>, Findings) {
    let mut findings = config.warnings().clone();
    let known: Vec<Option<Known<'_>>> =
        config.mappings.iter().map(|mapping| know(config, mapping, facts, &mut findings)).collect();
    let mut mappings = Vec::new();
    let mut options = Vec::new();
    for one in known.iter().flatten() {
        let mut resolver = Resolver { facts, known: &known, findings: &mut findings };
        let (mapping, more) = resolver.mapping(one);
        mappings.push(mapping);
        options.push(more);
    }
    overlap::check(&known, &mappings, &mut findings);
    if findings.has_errors() || mappings.len() < config.mappings.len() {
        return (None, findings);
    }
    let connections = config.connections.values().map(|one| (one.name.value.clone(), bounds(one.is_salesforce())));
    let plan = sync::Plan { tenant: tenant.to_owned(), mappings, connections: connections.collect() };
    (Some(Resolved { plan, options }), findings)
}

/// Five collections of 200 in one composite; a transaction of a database is kept short.
const fn bounds(salesforce: bool) -> sync::Connection {
    if salesforce {
        sync::Connection { batch: 1000, parallel: 4, budgeted: true }
    } else {
        sync::Connection { batch: 500, parallel: 4, budgeted: false }
    }
}

/// A mapping of which both ends are known.
struct Known<'c> {
    mapping: &'c Mapping,
    /// What each end looks like.
    entities: [&'c Entity; 2],
    /// The field that is the key of each end; none if that is wrong.
    keys: [Option<&'c Field>; 2],
}

impl Known<'_> {
    /// An end, for messages: `crm.Contact`.
    fn end(&self, side: sync::Side) -> String {
        format!("{}.{}", self.mapping.ends[side].connection.value, self.entities[side].name)
    }
}

/// One mapping on its way into the plan.
struct Resolver<'r, 'c> {
    facts: &'r Facts,
    known: &'r [Option<Known<'c>>],
    findings: &'r mut Findings,
}

fn know<'c>(config: &'c Config, mapping: &'c Mapping, facts: &'c Facts, findings: &mut Findings) -> Option<Known<'c>> {
    let mut entity = |end: &EndName| {
        let (connection, name) = (&end.connection.value, &end.entity.value);
        let found = facts.entity(connection, name);
        if found.is_none() {
            let what = if end.salesforce { "object" } else { "table" };
            let finding = findings.error(end.entity.place, format!("`{connection}` has no {what} `{name}`"));
            let names = facts.names.get(connection).map(Vec::as_slice).unwrap_or_default();
            finding.did_you_mean(nearest(name, names.iter().map(String::as_str)));
        }
        found
    };
    let entities = [entity(&mapping.ends[0]), entity(&mapping.ends[1])];
    let entities = [entities[0]?, entities[1]?];
    let keys = end::keys(mapping, entities, findings);
    debug_assert!(config.connections.contains_key(&mapping.ends[0].connection.value));
    Some(Known { mapping, entities, keys })
}

/// A field by its name: as it is written, or in other letters if only one is meant.
fn field<'e>(entity: &'e Entity, name: &str) -> Option<&'e Field> {
    entity.fields.iter().find(|field| field.name == name).or_else(|| {
        let mut alike = entity.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        alike.next().filter(|_| alike.next().is_none())
    })
}

/// A field by its name, or a finding.
fn field_or_say<'e>(entity: &'e Entity, end: &str, name: &At<String>, findings: &mut Findings) -> Option<&'e Field> {
    let found = field(entity, &name.value);
    if found.is_none() {
        let finding = findings.error(name.place, format!("`{end}` has no field `{}`", name.value));
        finding.did_you_mean(nearest(&name.value, entity.fields.iter().map(|field| field.name.as_str())));
    }
    found
}
