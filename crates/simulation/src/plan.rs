//! The mappings of a history: three pairs of entities, their policies drawn from the seed.

use std::{collections::BTreeMap, sync::Arc};

use fastrand::Rng;
use tombolo_engine::sync::{
    Canon, Connection, DeleteConflict, Deletes, End, FieldPair, Filter, Flow, Mapping, ParentPath, Plan, Policy,
    Reference, Side, Style,
};

/// The connection of the org.
pub const CRM: &str = "crm";
/// The connection of the database.
pub const APP: &str = "app";
/// The field of the org that carries the database's key.
pub const EXTERNAL_ID: &str = "Penguin_Id__c";
/// The database's unique key for records made by Salesforce.
pub const ACCOUNT: usize = 0;
/// The place of contacts among the mappings.
pub const CONTACT: usize = 1;
/// The place of leads among the mappings.
pub const LEAD: usize = 2;
/// The objects, by mapping.
pub const OBJECTS: [&str; 3] = ["Account", "Contact", "Lead"];
/// The tables, by mapping.
pub const TABLES: [&str; 3] = ["accounts", "contacts", "leads"];
/// The column of soft deletes.
pub const DELETED_AT: &str = "deleted_at";
/// The field of a lead that says that it was converted.
pub const IS_CONVERTED: &str = "IsConverted";

/// What differs from plan to plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// How writes to the org are kept from overwriting.
    pub style: Style,
    /// The policy of each pair, in order over all mappings; the last one goes on.
    pub policies: Vec<Policy>,
    /// What deletes do.
    pub deletes: [Deletes; 2],
    /// What becomes of a delete against an edit.
    pub delete_conflict: DeleteConflict,
    /// Whether contacts show their account's name in the database.
    pub path: bool,
    /// Whether a contact needs its account in the database.
    pub required: bool,
    /// Whether records that were there before are joined.
    pub matched: bool,
    /// Whether records with a soft delete take no part.
    pub filter: bool,
}

impl Choices {
    /// Everything plain, and this policy for all.
    pub fn plain(policy: Policy) -> Self {
        Self {
            style: Style::Tagged,
            policies: vec![policy],
            deletes: [Deletes::Hard, Deletes::Hard],
            delete_conflict: DeleteConflict::Keep,
            path: false,
            required: false,
            matched: false,
            filter: false,
        }
    }

    /// Drawn.
    pub fn drawn(rng: &mut Rng) -> Self {
        let soft = rng.u8(..4) == 0;
        let from_left = if soft { Deletes::Soft(DELETED_AT.to_owned()) } else { deletes(rng) };
        Self {
            style: if rng.u8(..4) == 0 { Style::Conditional } else { Style::Tagged },
            policies: (0..9).map(|_| policy(rng)).collect(),
            deletes: [from_left, deletes(rng)],
            delete_conflict: match rng.u8(..6) {
                0 => DeleteConflict::Delete,
                1 => DeleteConflict::Manual,
                _ => DeleteConflict::Keep,
            },
            path: rng.bool(),
            required: rng.u8(..4) == 0,
            matched: rng.bool(),
            filter: soft && rng.bool(),
        }
    }
}

fn deletes(rng: &mut Rng) -> Deletes {
    if rng.u8(..5) == 0 { Deletes::Ignore } else { Deletes::Hard }
}

fn policy(rng: &mut Rng) -> Policy {
    let side = if rng.bool() { Side::Left } else { Side::Right };
    match rng.u8(..9) {
        0..=2 => Policy::Wins(side),
        3 | 4 => Policy::Newest(side),
        5 => Policy::PreferNonBlank(side),
        6 => Policy::Max,
        7 => Policy::Min,
        _ => Policy::Manual,
    }
}

/// The plan that these choices make.
pub fn plan(choices: &Choices) -> Arc<Plan> {
    let database = Connection { batch: 50, parallel: 2, budgeted: false };
    let org = Connection { batch: 20, parallel: 2, budgeted: true };
    let mappings = (0..3).map(|index| mapping(choices, index)).collect();
    let connections = BTreeMap::from([(CRM.to_owned(), org), (APP.to_owned(), database)]);
    Arc::new(Plan { tenant: "acme".to_owned(), mappings, connections })
}

fn mapping(choices: &Choices, index: usize) -> Mapping {
    let pairs = pairs(choices, index);
    let policies = pairs.into_iter().enumerate().map(|(place, mut pair)| {
        let place = (index * 4 + place).min(choices.policies.len() - 1);
        pair.policy = choices.policies[place];
        pair
    });
    let filter = choices.filter.then(|| Filter::parse_sql(&format!("{DELETED_AT} IS NULL")).ok()).flatten();
    let watches = filter.is_some() && !matches!(choices.deletes[Side::Left], Deletes::Hard | Deletes::Ignore);
    let end = |side: Side| End {
        connection: [CRM, APP][side as usize].to_owned(),
        entity: [OBJECTS[index], TABLES[index]][side as usize].to_owned(),
        style: if side == Side::Left { choices.style } else { Style::Compared },
        external_id: (side == Side::Left).then(|| EXTERNAL_ID.to_owned()),
        filter: filter.clone().filter(|_| side == Side::Right && watches),
        watch: if side == Side::Right && watches { vec![DELETED_AT.to_owned()] } else { Vec::new() },
        creates: true,
        key: None,
        tenant_column: None,
    };
    Mapping {
        name: OBJECTS[index].to_lowercase(),
        ends: [end(Side::Left), end(Side::Right)],
        fields: policies.collect(),
        match_on: if choices.matched && index == CONTACT { vec![1] } else { Vec::new() },
        deletes: choices.deletes.clone(),
        delete_conflict: choices.delete_conflict,
    }
}

fn pairs(choices: &Choices, index: usize) -> Vec<FieldPair> {
    let text = Canon::Text(Some(80));
    match index {
        ACCOUNT => {
            vec![pair("Name", "name", text), pair("Phone", "phone", text), pair("Rank__c", "rank", Canon::Integer)]
        }
        CONTACT => {
            let mut pairs = vec![
                pair("LastName", "last_name", text),
                pair("Email", "email", text),
                pair("Title", "job_title", text),
                pair("Score__c", "score", Canon::Decimal(2)),
                pair("Active__c", "active", Canon::Boolean),
                pair("AccountId", "account_id", Canon::Key),
            ];
            pairs[5].reference = Some(Reference { mapping: ACCOUNT, required: [false, choices.required] });
            if choices.path {
                let (via, parent, field) = ("AccountId".to_owned(), "Account".to_owned(), "Name".to_owned());
                let path = Some(ParentPath { via, parent, field });
                pairs.push(FieldPair { flow: Flow::To(Side::Right), path, ..pair("Account.Name", "company", text) });
            }
            pairs
        }
        _ => vec![pair("LastName", "last_name", text), pair("Company", "company", text)],
    }
}

fn pair(left: &str, right: &str, canon: Canon) -> FieldPair {
    FieldPair {
        names: [left.to_owned(), right.to_owned()],
        flow: Flow::Both,
        policy: Policy::Wins(Side::Left),
        canon,
        reference: None,
        path: None,
    }
}

/// The name of a mapping's entity on a side.
pub const fn entity(mapping: usize, side: Side) -> &'static str {
    match side {
        Side::Left => OBJECTS[mapping],
        Side::Right => TABLES[mapping],
    }
}

/// The mapping of an entity.
pub fn mapping_of(side: Side, entity: &str) -> usize {
    let names = [OBJECTS, TABLES][side as usize];
    names.iter().position(|name| *name == entity).unwrap_or(LEAD)
}
