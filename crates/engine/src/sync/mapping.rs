//! What the file says, resolved: which entities are kept equal, field by field, and who decides.

use std::collections::BTreeMap;

use super::{Canon, Filter, Side};

/// Everything one shard works on.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whose data it is.
    pub tenant: String,
    /// The mappings, named by their place here.
    pub mappings: Vec<Mapping>,
    /// How each connection's systems are written to, by name.
    pub connections: BTreeMap<String, Connection>,
}

/// The place of a mapping in the [`Plan`].
pub type MappingIndex = usize;

/// A connection, as far as the engine needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// How many records one request may write.
    pub batch: usize,
    /// How many requests may be under way at once.
    pub parallel: usize,
    /// Whether its requests are counted against a budget.
    pub budgeted: bool,
}

/// Two entities whose records are kept equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Its name in the file.
    pub name: String,
    /// The two sides, as `between` lists them.
    pub ends: [End; 2],
    /// The field lines.
    pub fields: Vec<FieldPair>,
    /// The pairs by which records that were there before are joined. Blank never matches.
    pub match_on: Vec<usize>,
    /// What a delete on a side does to the other one.
    pub deletes: [Deletes; 2],
    /// What becomes of a delete on one side against an edit on the other.
    pub delete_conflict: DeleteConflict,
}

/// One side of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The connection's name in the file.
    pub connection: String,
    /// The object or table.
    pub entity: String,
    /// How writes to it are kept from overwriting what was not seen.
    pub style: Style,
    /// The field that carries the other side's key on creates. Without it Salesforce gets no creates.
    pub external_id: Option<String>,
    /// Which records take part; the others keep their link, dormant.
    pub filter: Option<Filter>,
    /// Fields that are heard though no line maps them: those of the filter.
    pub watch: Vec<String>,
    /// Whether records may be created here.
    pub creates: bool,
    /// The field that is the key here, where it is not the primary key.
    pub key: Option<String>,
    /// The column that says whose record it is: only those of the plan's tenant are read, heard and written.
    pub tenant_column: Option<String>,
}

/// How a side tells which of its changes a write had not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// A commit-ordered stream whose events carry the tag of the write (change events).
    Tagged,
    /// A transaction that compares before it writes (databases).
    Compared,
    /// A condition on the time of the last change (Salesforce where it is polled).
    Conditional,
}

/// One field line.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPair {
    /// The field of each side. Of a parent path, `Account.Name`.
    pub names: [String; 2],
    /// Which way values go.
    pub flow: Flow,
    /// Who decides when both sides moved.
    pub policy: Policy,
    /// When two values of this pair are the same.
    pub canon: Canon,
    /// The values are keys of records of this mapping, and are translated through its links.
    pub reference: Option<Reference>,
    /// The field is read through a parent of the left side.
    pub path: Option<ParentPath>,
}

/// A field that holds the key of another record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The mapping whose links translate it.
    pub mapping: MappingIndex,
    /// Whether a record of that side cannot be created without it.
    pub required: [bool; 2],
}

/// `Account.Name`: the field of a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentPath {
    /// The field that points to the parent: `AccountId`.
    pub via: String,
    /// The parent's object: `Account`.
    pub parent: String,
    /// The parent's field: `Name`.
    pub field: String,
}

/// Which way a field line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// Both ways.
    Both,
    /// To this side only.
    To(Side),
}

impl Flow {
    /// Whether values may be written to this side.
    pub fn writes(self, side: Side) -> bool {
        match self {
            Self::Both => true,
            Self::To(only) => only == side,
        }
    }
}

/// Who decides when both sides of a field moved apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Always this side: `salesforce_wins`, `<connection>_wins`.
    Wins(Side),
    /// The later one; this side where the times do not tell.
    Newest(Side),
    /// The one that has a value; this side where both have.
    PreferNonBlank(Side),
    /// The greater one.
    Max,
    /// The smaller one.
    Min,
    /// A person.
    Manual,
}

/// What a delete on one side does to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletes {
    /// The record is deleted there, too.
    Hard,
    /// The field is set to the time of the delete, and cleared when the record comes back.
    Soft(String),
    /// Nothing: the link stays as it is, and what is left is kept in step with nothing.
    Ignore,
}

/// What becomes of a delete on one side against an edit on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeleteConflict {
    /// The edited record stays, and the other side gets it back.
    Keep,
    /// The delete goes through.
    Delete,
    /// A person decides.
    Manual,
}

impl Mapping {
    /// The sides that belong to this connection and entity, compared as Salesforce compares names.
    pub fn sides_of<'a>(&'a self, connection: &'a str, entity: &'a str) -> impl Iterator<Item = Side> + 'a {
        Side::BOTH.into_iter().filter(move |side| {
            let end = &self.ends[*side];
            end.connection == connection && end.entity.eq_ignore_ascii_case(entity)
        })
    }

    /// The names of the fields that are heard on a side: mapped ones, then watched ones, then the one that carries the
    /// other side's key.
    pub fn heard(&self, side: Side) -> impl Iterator<Item = &str> {
        let mapped = self.fields.iter().map(move |pair| pair.names[side].as_str());
        let named = mapped.chain(self.ends[side].watch.iter().map(String::as_str));
        let carrying = self.ends[side].external_id.as_deref().filter(|name| {
            let mut known = self.fields.iter().map(|pair| &pair.names[side]).chain(&self.ends[side].watch);
            !known.any(|known| known.eq_ignore_ascii_case(name))
        });
        named.chain(carrying)
    }
}
