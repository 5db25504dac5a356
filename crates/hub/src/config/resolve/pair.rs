//! The field lines of a mapping: fields that are there, types that go together, references that can be translated.

use tombolo_engine::sync::{Canon, FieldPair, Flow, ParentPath, Policy, Reference, Side};

use super::{Known, Resolver, field_or_say};
use crate::{
    config::{At, FieldLine, Place, canon, nearest},
    systems::system::{Entity, Field, FieldKind},
};

/// The field that leads to a parent: `AccountId` for `Account`.
pub(super) fn by_relationship<'e>(entity: &'e Entity, relationship: &str) -> Option<&'e Field> {
    let named =
        |field: &&Field| field.relationship.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(relationship));
    entity.fields.iter().find(named)
}

impl<'r> Resolver<'r, '_> {
    /// The field lines that are right.
    pub(super) fn pairs(&mut self, known: &Known<'_>) -> Vec<FieldPair> {
        let mut pairs: Vec<FieldPair> = Vec::new();
        for line in &known.mapping.fields {
            let Some(pair) = self.pair(known, line) else { continue };
            if let Some(what) = said_before(&pairs, &pair) {
                self.findings.error(line.line.left.place, what);
                continue;
            }
            pairs.push(pair);
        }
        pairs
    }

    fn pair(&mut self, known: &Known<'_>, line: &FieldLine) -> Option<FieldPair> {
        let (left, right) = (&line.line.left, &line.line.right);
        if right.value.contains('.') && known.mapping.ends[Side::Right].salesforce {
            let message = "a field of a parent stands on the left";
            self.findings.error(right.place, message).hint("list the Salesforce end first in `between`");
            return None;
        }
        let is_path = left.value.contains('.') && known.mapping.ends[Side::Left].salesforce;
        let (one, path) = if is_path {
            let (field, path) = self.parent_path(known, line)?;
            (Some(field), Some(path))
        } else {
            (field_or_say(known.entities[Side::Left], &known.end(Side::Left), left, self.findings), None)
        };
        let other = field_or_say(known.entities[Side::Right], &known.end(Side::Right), right, self.findings);
        let (one, other) = (one?, other?);
        let written = Side::BOTH.into_iter().filter(|side| line.flow.writes(*side));
        let mut writable = true;
        for side in written {
            let (field, at) = if side == Side::Left { (one, left) } else { (other, right) };
            writable &= self.may_write(known, side, field, at.place, line.flow);
        }
        let reference = if path.is_some() { None } else { self.reference(known, line, [one, other])? };
        let canon = self.canon(line, [one, other], reference.as_ref())?;
        if matches!(line.policy, Policy::Max | Policy::Min) && line.flow == Flow::Both && !canon::has_order(canon) {
            let place = line.line.policy.as_ref().map_or(left.place, |at| at.place);
            let message = format!("`{}` is {}: none is greater than another", one.name, one.type_name);
            self.findings.error(place, message).hint("max and min compare numbers, dates and times");
        }
        let name = match &path {
            Some(path) => format!("{}.{}", left.value.split('.').next().unwrap_or_default(), path.field),
            None => one.name.clone(),
        };
        let names = [name, other.name.clone()];
        writable.then_some(FieldPair { names, flow: line.flow, policy: line.policy, canon, reference, path })
    }

    /// `Account.Name`: a field that is read through a parent.
    fn parent_path(&mut self, known: &Known<'_>, line: &FieldLine) -> Option<(&'r Field, ParentPath)> {
        let facts = self.facts;
        let left = &line.line.left;
        let entity = known.entities[Side::Left];
        let steps: Vec<&str> = left.value.split('.').collect();
        let [relationship, name] = steps.as_slice() else {
            self.findings.error(left.place, format!("`{}` leads through more than one parent", left.value));
            return None;
        };
        if line.flow != Flow::To(Side::Right) {
            let message = format!("`{}` is read, not written: it is the parent's", left.value);
            self.findings.error(left.place, message).hint(format!("{} -> {}", left.value, line.line.right.value));
            return None;
        }
        let Some(via) = by_relationship(entity, relationship) else {
            let message = format!("`{}` has no parent `{relationship}`", known.end(Side::Left));
            let finding = self.findings.error(left.place, message);
            let names = entity.fields.iter().filter_map(|field| field.relationship.as_deref());
            finding.did_you_mean(nearest(relationship, names));
            return None;
        };
        let connection = &known.mapping.ends[Side::Left].connection.value;
        let [parent] = via.references.as_slice() else {
            let message = format!("`{relationship}` may be of several objects: {}", via.references.join(", "));
            self.findings.error(left.place, message);
            return None;
        };
        let Some(parent) = facts.entity(connection, parent) else {
            self.findings.error(left.place, format!("`{connection}` does not show `{parent}` to this user"));
            return None;
        };
        let named = At::new((*name).to_owned(), left.place.right(relationship.chars().count() + 1));
        let field = field_or_say(parent, &format!("{connection}.{}", parent.name), &named, self.findings)?;
        let path = ParentPath { via: via.name.clone(), parent: parent.name.clone(), field: field.name.clone() };
        Some((field, path))
    }

    /// Whether values can be written to this field.
    fn may_write(&mut self, known: &Known<'_>, side: Side, field: &Field, place: Place, flow: Flow) -> bool {
        let end = known.end(side);
        let carries = known.mapping.ends[side].salesforce.then_some(known.mapping.external_id.as_ref()).flatten();
        if carries.is_some_and(|at| at.value.eq_ignore_ascii_case(&field.name)) {
            let other = known.end(side.other());
            let message = format!("`{}` carries the key of `{other}`: no line may write it", field.name);
            self.findings.error(place, message);
            return false;
        }
        if known.keys[side].is_some_and(|key| key.name == field.name) {
            if field.defaulted || !field.createable || !field.updateable {
                let message = format!("`{}` is the key of `{end}`: no line may write it", field.name);
                self.findings.error(place, message).hint("links join the keys of both ends by themselves");
                return false;
            }
            return true;
        }
        if field.updateable {
            let code = ["StateCode", "CountryCode"].iter().any(|word| field.name.ends_with(word));
            if known.mapping.ends[side].salesforce && code {
                let message = format!("`{}` and its text field write the same value: map one of them", field.name);
                self.findings.warning(place, message).hint("with State and Country picklists, the codes are enough");
            }
            return true;
        }
        let why = if field.calculated { "it is calculated" } else { "this user may not" };
        let arrow = if side == Side::Left { "->" } else { "<-" };
        if field.createable {
            let message = format!("`{}` of `{end}` can be set when a record is made, not later", field.name);
            let finding = self.findings.warning(place, message);
            if flow == Flow::Both {
                finding.hint(format!("`{arrow}` only reads it"));
            }
            return true;
        }
        let finding = self.findings.error(place, format!("`{}` of `{end}` cannot be written: {why}", field.name));
        if flow == Flow::Both {
            finding.hint(format!("`{arrow}` only reads it"));
        }
        false
    }

    /// The mapping through whose links the values of two fields are translated, if they are keys of other records.
    /// None at all if there should be one and is not.
    #[expect(clippy::option_option, reason = "no reference, and a reference that cannot be translated, are two things")]
    fn reference(&mut self, known: &Known<'_>, line: &FieldLine, fields: [&Field; 2]) -> Option<Option<Reference>> {
        let Some(side) = Side::BOTH.into_iter().find(|side| refers(fields[*side])) else { return Some(None) };
        let objects = &fields[side].references;
        let places = [line.line.left.place, line.line.right.place];
        let mine: Vec<usize> = (0..self.known.len()).filter(|at| self.maps(*at, known, side, objects)).collect();
        // A foreign key on the other side says which of several it is.
        let other = fields[side.other()];
        let exact: Vec<usize> = mine
            .iter()
            .copied()
            .filter(|at| refers(other) && self.maps(*at, known, side.other(), &other.references))
            .collect();
        let found = if refers(other) { &exact } else { &mine };
        let [mapping] = found.as_slice() else {
            let goes = canon::of(fields[side].kind, other.kind).is_some();
            // A raw Id is as good as any text, as long as nobody has to find the record by it.
            if mine.is_empty() && line.flow == Flow::To(side.other()) && !refers(other) && goes {
                return Some(None);
            }
            self.say_no_mapping(known, places[side], fields[side], other, found.len());
            return None;
        };
        let theirs = self.known.get(*mapping).and_then(Option::as_ref)?;
        if theirs.mapping.ends[side].connection.value != known.mapping.ends[side].connection.value {
            let message = format!("the mapping `{}` lists its ends the other way round", theirs.mapping.name.value);
            self.findings.error(places[side], message).hint("list them alike: references are translated side by side");
            return None;
        }
        self.check_keys(theirs, side, fields, places);
        let required = Side::BOTH.map(|side| !fields[side].nullable && !fields[side].defaulted);
        Some(Some(Reference { mapping: *mapping, required }))
    }

    fn say_no_mapping(&mut self, known: &Known<'_>, place: Place, field: &Field, other: &Field, found: usize) {
        let names = field.references.join(" or ");
        let theirs = if refers(other) {
            format!(", `{}` to {}", other.name, other.references.join(" or "))
        } else {
            String::new()
        };
        let what = match (found, theirs.is_empty()) {
            (0, true) => ", which no mapping joins".to_owned(),
            (0, false) => format!("{theirs}: no mapping joins them"),
            _ => ", which several mappings join".to_owned(),
        };
        let finding = self.findings.error(place, format!("`{}` refers to {names}{what}", field.name));
        if found == 0 {
            let [one, two] = &known.mapping.ends;
            finding.hint(format!("add a mapping between {} and {}", one.connection.value, two.connection.value));
        } else {
            finding.hint("a foreign key on the column would say which");
        }
    }

    /// A field that refers can hold the keys of the records that it refers to, and of no others.
    fn check_keys(&mut self, theirs: &Known<'_>, side: Side, fields: [&Field; 2], places: [Place; 2]) {
        let other = side.other();
        if let Some(key) = theirs.keys[other]
            && canon::of(key.kind, fields[other].kind).is_none()
        {
            let message = format!(
                "`{}` ({}) cannot hold the key `{}` ({}) of `{}`",
                fields[other].name,
                fields[other].type_name,
                key.name,
                key.type_name,
                theirs.end(other)
            );
            self.findings.error(places[other], message);
        }
        let joined = &theirs.entities[side].name;
        let others: Vec<&str> = fields[side]
            .references
            .iter()
            .filter(|object| !object.eq_ignore_ascii_case(joined))
            .map(String::as_str)
            .collect();
        if !others.is_empty() {
            let message = format!(
                "`{}` may refer to {}, too: only {joined} is translated, by `{}`",
                fields[side].name,
                others.join(", "),
                theirs.mapping.name.value
            );
            self.findings.warning(places[side], message);
        }
    }

    /// Whether a mapping joins one of these objects of this side's connection with something of the other side's.
    fn maps(&self, at: usize, known: &Known<'_>, side: Side, objects: &[String]) -> bool {
        let Some(theirs) = self.known.get(at).and_then(Option::as_ref) else { return false };
        let (mine, other) =
            (&known.mapping.ends[side].connection.value, &known.mapping.ends[side.other()].connection.value);
        Side::BOTH.into_iter().any(|place| {
            theirs.mapping.ends[place].connection.value == *mine
                && theirs.mapping.ends[place.other()].connection.value == *other
                && objects.iter().any(|object| object.eq_ignore_ascii_case(&theirs.entities[place].name))
        })
    }

    /// When two values are the same.
    fn canon(&mut self, line: &FieldLine, fields: [&Field; 2], reference: Option<&Reference>) -> Option<Canon> {
        let places = [line.line.left.place, line.line.right.place];
        if reference.is_some() {
            return Some(Canon::Key);
        }
        let [one, other] = [fields[0].kind, fields[1].kind];
        let canon = match line.flow {
            Flow::Both => canon::of(one, other),
            Flow::To(Side::Right) => canon::one_way(one, other),
            Flow::To(Side::Left) => canon::one_way(other, one),
        };
        if canon.is_none() {
            let odd = Side::BOTH.into_iter().find(|side| fields[*side].kind == FieldKind::Other);
            let said = |field: &Field| format!("`{}` ({})", field.name, field.type_name);
            let (place, message) = match odd {
                Some(side) => (places[side], format!("{} cannot be mapped", said(fields[side]))),
                None => (places[0], format!("{} and {} do not go together", said(fields[0]), said(fields[1]))),
            };
            self.findings.error(place, message);
            return None;
        }
        for to in Side::BOTH.into_iter().filter(|side| line.flow.writes(*side)) {
            for loss in canon::losses(fields[to.other()], fields[to]) {
                self.findings.warning(places[to], format!("`{}` {loss}", fields[to].name));
            }
        }
        canon
    }

    /// The pairs by which records are joined.
    pub(super) fn match_on(&mut self, known: &Known<'_>, pairs: &[FieldPair]) -> Vec<usize> {
        let mut places = Vec::new();
        for line in &known.mapping.match_on {
            let named = |pair: &FieldPair| {
                pair.names[0].eq_ignore_ascii_case(&line.left.value)
                    && pair.names[1].eq_ignore_ascii_case(&line.right.value)
            };
            let pair = format!("{} = {}", line.left.value, line.right.value);
            match pairs.iter().position(named) {
                Some(at) if pairs[at].reference.is_some() => {
                    let message = format!("`{pair}` is a reference: records are not joined by it");
                    self.findings.error(line.left.place, message);
                }
                Some(at) if places.contains(&at) => {
                    self.findings.error(line.left.place, format!("`{pair}` stands twice"));
                }
                Some(at) => places.push(at),
                // A line that is wrong in itself has been told.
                None if known.mapping.fields.iter().any(|field| same_line(field, line)) => {}
                None => {
                    let finding = self.findings.error(line.left.place, format!("`fields` has no line `{pair}`"));
                    finding.hint("what records are joined by is mapped, too");
                }
            }
        }
        places
    }
}

fn same_line(field: &FieldLine, line: &crate::config::Line) -> bool {
    field.line.left.value.eq_ignore_ascii_case(&line.left.value)
        && field.line.right.value.eq_ignore_ascii_case(&line.right.value)
}

/// Whether a field holds keys of other records.
fn refers(field: &Field) -> bool {
    !field.references.is_empty()
}

/// What is wrong with a pair after those before it.
fn said_before(pairs: &[FieldPair], pair: &FieldPair) -> Option<String> {
    pairs.iter().find_map(|before| {
        if before.names == pair.names {
            return Some(format!("`{}` and `{}` stand in two lines", pair.names[0], pair.names[1]));
        }
        let twice = Side::BOTH.into_iter().find(|side| {
            before.names[*side] == pair.names[*side] && before.flow.writes(*side) && pair.flow.writes(*side)
        })?;
        Some(format!("`{}` is written by two lines", pair.names[twice]))
    })
}
