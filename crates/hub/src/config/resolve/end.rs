//! The ends of a mapping: keys, external ids, filters, deletes, and how writes are kept from overwriting.

use tombolo_engine::sync::{self, Deletes, Filter, Side, Style};

use super::{Known, Resolver, field, field_or_say};
use crate::{
    config::{At, Capture, EndName, Findings, Mapping, MappingOptions},
    systems::system::{ChangeEvents, Entity, Field, FieldKind},
};

/// The field that is the key of each end.
pub(super) fn keys<'c>(
    mapping: &Mapping,
    entities: [&'c Entity; 2],
    findings: &mut Findings,
) -> [Option<&'c Field>; 2] {
    Side::BOTH.map(|side| {
        let (end, entity) = (&mapping.ends[side], entities[side]);
        let named = mapping.key.as_ref().filter(|_| !end.salesforce);
        let name = format!("{}.{}", end.connection.value, entity.name);
        if let Some(named) = named {
            let field = field_or_say(entity, &name, named, findings)?;
            let primary = entity.key.as_slice() == [field.name.clone()];
            if !primary && (!field.unique || field.nullable) {
                let message = format!("`{}` cannot be the key: not every record has one of its own", field.name);
                findings.error(named.place, message).hint("a key is NOT NULL and UNIQUE");
                return None;
            }
            return Some(field);
        }
        match entity.key.as_slice() {
            [one] => field(entity, one),
            [] => {
                let message = format!("`{name}` has no primary key");
                findings.error(end.entity.place, message).hint("name a column that is NOT NULL and UNIQUE with `key:`");
                None
            }
            several => {
                let message = format!("the primary key of `{name}` is {} columns", several.len());
                findings.error(end.entity.place, message).hint("name one that is NOT NULL and UNIQUE with `key:`");
                None
            }
        }
    })
}

impl Resolver<'_, '_> {
    /// A mapping of the plan; where something is wrong, what is left of it.
    pub(super) fn mapping(&mut self, known: &Known<'_>) -> (sync::Mapping, MappingOptions) {
        let mapping = known.mapping;
        for side in Side::BOTH {
            let place = mapping.ends[side].entity.place;
            for objection in &known.entities[side].objections {
                self.findings.error(place, format!("`{}`: {objection}", known.end(side)));
            }
        }
        let fields = self.pairs(known);
        let match_on = self.match_on(known, &fields);
        let deletes = Side::BOTH.map(|side| self.deletes(known, side));
        let ends = Side::BOTH.map(|side| self.end(known, side, &fields));
        let resolved = sync::Mapping {
            name: mapping.name.value.clone(),
            ends,
            fields,
            match_on,
            deletes,
            delete_conflict: mapping.delete_conflict,
        };
        (resolved, mapping.options.clone())
    }

    fn end(&mut self, known: &Known<'_>, side: Side, fields: &[sync::FieldPair]) -> sync::End {
        let end = &known.mapping.ends[side];
        let entity = known.entities[side];
        let written = fields.iter().any(|pair| pair.flow.writes(side));
        if written && !entity.may.update {
            let message = format!("records of `{}` may not be changed by this user", known.end(side));
            self.findings.error(end.entity.place, message);
        }
        let external_id = if end.salesforce { self.external_id(known, side) } else { None };
        let wanted = written && (!end.salesforce || external_id.is_some());
        let filter = known.mapping.filters[side].as_ref().and_then(|text| self.filter(known, side, text));
        let watch = self.watch(known, side, filter.as_ref(), fields);
        sync::End {
            connection: end.connection.value.clone(),
            entity: entity.name.clone(),
            style: self.style(known, end, entity),
            creates: wanted && self.can_create(known, side),
            external_id,
            filter,
            watch,
            key: known.keys[side].map(|field| field.name.clone()).filter(|name| *entity.key != [name.clone()]),
            tenant_column: None,
        }
    }

    /// How writes are kept from overwriting what was not seen.
    fn style(&mut self, known: &Known<'_>, end: &EndName, entity: &Entity) -> Style {
        if !end.salesforce {
            return Style::Compared;
        }
        let capture = &known.mapping.capture;
        match (capture.value, entity.change_events) {
            (Capture::Polling, _) => Style::Conditional,
            (_, ChangeEvents::Selected) => Style::Tagged,
            (Capture::ChangeEvents, _) => {
                let message = format!("no change events come of `{}`", entity.name);
                self.findings.error(capture.place, message).hint(select(entity));
                Style::Tagged
            }
            (_, ChangeEvents::Available) => {
                let message = format!("no change events come of `{}`: it is polled", entity.name);
                self.findings.warning(end.entity.place, message).hint(select(entity));
                Style::Conditional
            }
            (_, ChangeEvents::None) => {
                let message = format!("there are no change events of `{}`: it is polled", entity.name);
                self.findings.warning(end.entity.place, message);
                Style::Conditional
            }
        }
    }

    /// The field that carries the key of the other end.
    fn external_id(&mut self, known: &Known<'_>, side: Side) -> Option<String> {
        let named = known.mapping.external_id.as_ref()?;
        let entity = known.entities[side];
        let field = field_or_say(entity, &known.end(side), named, self.findings)?;
        let place = named.place;
        if !field.external_id || !field.unique {
            let message = format!("`{}` is not unique and an external id: nothing would keep doubles out", field.name);
            self.findings.error(place, message).hint("set both on the field, or leave `external_id` out: no creates");
        }
        if !field.createable {
            self.findings.error(place, format!("`{}` may not be set by this user", field.name));
        }
        if let Some(key) = known.keys[side.other()] {
            let fits = match (key.kind, field.kind) {
                (FieldKind::Uuid, FieldKind::Text(length)) => length.is_none_or(|length| length >= 36),
                (FieldKind::Integer, FieldKind::Decimal(Some(0)) | FieldKind::Integer) => true,
                (FieldKind::Integer, FieldKind::Text(length)) => length.is_none_or(|length| length >= 20),
                (FieldKind::Text(key), FieldKind::Text(length)) => {
                    length.is_none_or(|l| key.is_none_or(|key| key <= l))
                }
                (FieldKind::Id, FieldKind::Text(length)) => length.is_none_or(|length| length >= 18),
                _ => false,
            };
            if !fits {
                let message = format!(
                    "`{}` ({}) may not hold every `{}` ({})",
                    field.name, field.type_name, key.name, key.type_name
                );
                self.findings.warning(place, message);
            }
        }
        Some(field.name.clone())
    }

    /// Whether records can be made: what they must have is given by a line or by the system itself.
    fn can_create(&mut self, known: &Known<'_>, side: Side) -> bool {
        let (end, entity) = (&known.mapping.ends[side], known.entities[side]);
        if !entity.may.create {
            let message = format!("no records are made in `{}`: this user may not", known.end(side));
            self.findings.warning(end.entity.place, message);
            return false;
        }
        // A line that is wrong in itself has been told.
        let given = |name: &str| {
            let named = known.mapping.fields.iter().any(|line| {
                let names = [&line.line.left.value, &line.line.right.value];
                line.flow.writes(side) && names[side].eq_ignore_ascii_case(name)
            });
            let carries = known.mapping.external_id.as_ref().is_some_and(|at| at.value.eq_ignore_ascii_case(name));
            named || (end.salesforce && carries)
        };
        let missing: Vec<&str> = entity
            .fields
            .iter()
            .filter(|field| !field.nullable && !field.defaulted && !field.calculated && field.createable)
            .map(|field| field.name.as_str())
            .filter(|name| !given(name))
            .collect();
        if missing.is_empty() {
            return true;
        }
        let (verb, whom) = if missing.len() == 1 { ("is", "it") } else { ("are", "them") };
        let message = format!(
            "no records can be made in `{}`: {} {verb} required, and no line sets {whom}",
            known.end(side),
            missing.join(", ")
        );
        // Where creates were asked for by name it is a mistake, else worth knowing.
        if end.salesforce {
            self.findings.error(end.entity.place, message).hint("add a line, or leave `external_id` out: no creates");
        } else {
            self.findings.warning(end.entity.place, message);
        }
        false
    }

    /// What a delete on this side does to the other one.
    fn deletes(&mut self, known: &Known<'_>, side: Side) -> Deletes {
        let deletes = &known.mapping.deletes[side];
        let other = side.other();
        let (end, entity) = (known.end(other), known.entities[other]);
        match &deletes.value {
            Deletes::Ignore => Deletes::Ignore,
            Deletes::Hard => {
                if !entity.may.delete {
                    let message = format!("records of `{end}` may not be deleted by this user");
                    self.findings.error(deletes.place, message);
                }
                Deletes::Hard
            }
            Deletes::Soft(column) => {
                let named = At::new(column.clone(), deletes.place.right("soft(".len()));
                let Some(field) = field_or_say(entity, &end, &named, self.findings) else { return Deletes::Ignore };
                if !matches!(field.kind, FieldKind::DateTime(_)) {
                    let message =
                        format!("`{}` is {}: it cannot hold the time of a delete", field.name, field.type_name);
                    self.findings.error(named.place, message);
                } else if !field.nullable || !field.updateable {
                    let message = format!("`{}` has to be writable and nullable: a record may come back", field.name);
                    self.findings.error(named.place, message);
                }
                Deletes::Soft(field.name.clone())
            }
        }
    }

    fn filter(&mut self, known: &Known<'_>, side: Side, text: &At<String>) -> Option<Filter> {
        let salesforce = known.mapping.ends[side].salesforce;
        let read = if salesforce { Filter::parse_soql(&text.value) } else { Filter::parse_sql(&text.value) };
        match read {
            Ok(filter) => Some(filter),
            Err(error) => {
                let before = text.value.get(..error.offset).unwrap_or(&text.value).chars().count();
                let language = if salesforce { "SOQL" } else { "SQL" };
                let message = format!("the filter of `{}`: {error}", known.end(side));
                let finding = self.findings.error(text.place.right(before), message);
                finding.hint(format!("a condition in {language} over fields of the record itself"));
                None
            }
        }
    }

    /// The fields that the filter looks at and no line maps.
    fn watch(
        &mut self,
        known: &Known<'_>,
        side: Side,
        filter: Option<&Filter>,
        fields: &[sync::FieldPair],
    ) -> Vec<String> {
        let Some((filter, text)) = filter.zip(known.mapping.filters[side].as_ref()) else { return Vec::new() };
        let mut watch: Vec<String> = Vec::new();
        for name in filter.fields() {
            let before = text.value.find(name).map_or(0, |byte| text.value[..byte].chars().count());
            let named = At::new(name.to_owned(), text.place.right(before));
            let Some(field) = field_or_say(known.entities[side], &known.end(side), &named, self.findings) else {
                continue;
            };
            let heard = fields.iter().any(|pair| pair.names[side] == field.name) || watch.contains(&field.name);
            if !heard {
                watch.push(field.name.clone());
            }
        }
        watch
    }
}

/// How change events of an object are had.
fn select(entity: &Entity) -> String {
    let name = &entity.name;
    format!("select {name} under Setup, Change Data Capture; of a local org with `tombolo org cdc {name}`")
}
