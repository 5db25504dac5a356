//! The compact text form of object facts: one tab-separated line an object (`O`), scope (`S`),
//! field (`F`), picklist value (`V`) and child relationship (`C`), each belonging to what stands above it.
//! Empty columns at the end of a line are left out.

use std::fmt::Write as _;

use crate::{ChildRelationship, DefaultValue, Field, FieldFlags, FieldType, Object, ObjectFlags, PicklistValue, Scope};

/// A line that does not say what its kind must say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the object facts: {what}")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Writes objects in the compact form.
pub fn write(objects: &[Object]) -> String {
    let mut out = String::new();
    for object in objects {
        write_object(&mut out, object);
    }
    out
}

fn line(out: &mut String, columns: &[&str]) {
    let used = columns.iter().rposition(|c| !c.is_empty()).map_or(0, |last| last + 1);
    let _ = writeln!(out, "{}", columns[..used].join("\t"));
}

fn write_object(out: &mut String, object: &Object) {
    let prefix = object.key_prefix.as_deref().unwrap_or_default();
    line(out, &["O", &object.name, prefix, &object.label, &object.label_plural, &object.flags.letters()]);
    for scope in &object.supported_scopes {
        line(out, &["S", &scope.name, &scope.label]);
    }
    for field in &object.fields {
        write_field(out, field);
    }
    for child in &object.child_relationships {
        let flags = [("x", child.cascade_delete), ("r", child.restricted_delete)];
        let flags: String = flags.iter().filter(|(_, on)| *on).map(|(letter, _)| *letter).collect();
        let name = child.relationship_name.as_deref().unwrap_or_default();
        line(out, &["C", &child.child_object, &child.field, name, &flags]);
    }
}

fn write_field(out: &mut String, field: &Field) {
    let number = |n: u32| if n == 0 { String::new() } else { n.to_string() };
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let default = match &field.default_value {
        None => String::new(),
        Some(DefaultValue::Boolean(on)) => format!("b:{on}"),
        Some(DefaultValue::Text(value)) => format!("t:{value}"),
    };
    line(
        out,
        &[
            "F",
            &field.name,
            field.field_type.name(),
            &number(field.length),
            &number(field.precision),
            &number(field.scale),
            &number(field.digits),
            &field.flags.letters(),
            &field.label,
            &field.reference_to.join(","),
            &text(&field.relationship_name),
            &default,
            &text(&field.compound_field_name),
            &text(&field.controller_name),
            &text(&field.extra_type_info),
        ],
    );
    for value in &field.picklist_values {
        let flags = [("a", value.active), ("d", value.default_value)];
        let flags: String = flags.iter().filter(|(_, on)| *on).map(|(letter, _)| *letter).collect();
        let label = if value.label == value.value { "" } else { &value.label };
        line(out, &["V", &value.value, label, &flags, &text(&value.valid_for)]);
    }
}

/// Reads the compact form.
pub fn read(text: &str) -> Result<Vec<Object>, Malformed> {
    let mut objects: Vec<Object> = Vec::new();
    for (index, row) in text.lines().enumerate().filter(|(_, row)| !row.starts_with('#')) {
        let malformed = |what| Malformed { line: index + 1, what };
        let columns = Columns(row.split('\t').collect());
        if columns.get(0) == "O" {
            objects.push(read_object(&columns).map_err(malformed)?);
            continue;
        }
        let object = objects.last_mut().ok_or_else(|| malformed("nothing may stand before the first object"))?;
        read_part(object, &columns).map_err(malformed)?;
    }
    Ok(objects)
}

struct Columns<'a>(Vec<&'a str>);

impl<'a> Columns<'a> {
    fn get(&self, at: usize) -> &'a str {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn text(&self, at: usize) -> Option<String> {
        Some(self.get(at)).filter(|t| !t.is_empty()).map(str::to_owned)
    }

    fn number(&self, at: usize) -> Result<u32, &'static str> {
        match self.get(at) {
            "" => Ok(0),
            digits => digits.parse().map_err(|_| "no number"),
        }
    }
}

fn read_object(columns: &Columns<'_>) -> Result<Object, &'static str> {
    Ok(Object {
        key_prefix: columns.text(2),
        label: columns.get(3).to_owned(),
        label_plural: columns.get(4).to_owned(),
        flags: ObjectFlags::from_letters(columns.get(5)).ok_or("no such object flag")?,
        ..Object::new(columns.get(1))
    })
}

fn read_part(object: &mut Object, columns: &Columns<'_>) -> Result<(), &'static str> {
    match columns.get(0) {
        "S" => {
            object.supported_scopes.push(Scope { name: columns.get(1).to_owned(), label: columns.get(2).to_owned() });
        }
        "F" => object.fields.push(read_field(columns)?),
        "V" => {
            let field = object.fields.last_mut().ok_or("a picklist value without a field")?;
            field.picklist_values.push(read_value(columns));
        }
        "C" => object.child_relationships.push(ChildRelationship {
            child_object: columns.get(1).to_owned(),
            field: columns.get(2).to_owned(),
            relationship_name: columns.text(3),
            cascade_delete: columns.get(4).contains('x'),
            restricted_delete: columns.get(4).contains('r'),
        }),
        _ => return Err("no such kind of line"),
    }
    Ok(())
}

fn read_field(columns: &Columns<'_>) -> Result<Field, &'static str> {
    let field_type = FieldType::from_name(columns.get(2)).ok_or("no such field type")?;
    let default_value = match columns.get(11) {
        "" => None,
        "b:true" => Some(DefaultValue::Boolean(true)),
        "b:false" => Some(DefaultValue::Boolean(false)),
        other => Some(DefaultValue::Text(other.strip_prefix("t:").ok_or("no such default")?.to_owned())),
    };
    Ok(Field {
        label: columns.get(8).to_owned(),
        length: columns.number(3)?,
        precision: columns.number(4)?,
        scale: columns.number(5)?,
        digits: columns.number(6)?,
        flags: FieldFlags::from_letters(columns.get(7)).ok_or("no such field flag")?,
        reference_to: columns.get(9).split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect(),
        relationship_name: columns.text(10),
        default_value,
        compound_field_name: columns.text(12),
        controller_name: columns.text(13),
        extra_type_info: columns.text(14),
        ..Field::new(columns.get(1), field_type)
    })
}

fn read_value(columns: &Columns<'_>) -> PicklistValue {
    let value = columns.get(1).to_owned();
    PicklistValue {
        label: columns.text(2).unwrap_or_else(|| value.clone()),
        active: columns.get(3).contains('a'),
        default_value: columns.get(3).contains('d'),
        valid_for: columns.text(4),
        value,
    }
}
