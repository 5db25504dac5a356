//! The left sides of conditions, and what is ordered and grouped by: fields and functions as SQL.

use std::sync::Arc;

use tombolo_schema::FieldType;
use tombolo_soql::ast::{Call, Coordinate, Distance, Expr, FieldPath, Place, Span};

use super::{
    function::{Aggregate, Function},
    refusal::{Asked, Refusal},
    source::{Resolved, Sources},
    sql::Sql,
};
use crate::{
    core::schema::{FieldDef, ObjectDef},
    store::Cell,
};

/// Something with a value in each row, or in each group of rows.
pub(super) struct Operand {
    pub(super) sql: String,
    pub(super) field_type: FieldType,
    /// What messages call it.
    pub(super) name: String,
    pub(super) span: Span,
    /// The field it is or is computed from.
    pub(super) resolved: Option<Resolved>,
    pub(super) form: Form,
}

/// How an operand comes from its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It is the field.
    Field,
    /// It is the label of the field's picklist value.
    Label,
    /// It is the field's amount in the user's currency, which is the org's only one.
    Converted,
    /// It is computed from the field of each row.
    Computed,
    /// It is computed from a group of rows.
    Aggregate,
}

impl Operand {
    pub(super) fn field(&self) -> Option<&FieldDef> {
        self.resolved.as_ref().map(Resolved::field)
    }
}

impl Sources<'_> {
    /// A field or a function. Aggregates only where rows are grouped.
    pub(super) fn operand(&mut self, sql: &mut Sql, expr: &Expr, aggregates: bool) -> Asked<Operand> {
        match expr {
            Expr::Field(path) => self.field_operand(sql, path),
            Expr::Call(call) => self.call_operand(sql, call, aggregates),
            Expr::Distance(distance) => self.distance_operand(sql, distance),
            Expr::Formula { span, .. } => Err(Refusal::malformed(*span, "FORMULA is only allowed in WHERE")),
        }
    }

    pub(super) fn field_operand(&mut self, sql: &mut Sql, path: &FieldPath) -> Asked<Operand> {
        let resolved = self.resolve(sql, path)?;
        let field = resolved.field();
        let mut column = self.column(resolved.source, field);
        if field.field_type == FieldType::Boolean && resolved.source != 0 {
            // A checkbox is never null, not even that of a parent that is not there (soql.md 3).
            column = format!("COALESCE({column}, 0)");
        }
        Ok(Operand {
            sql: column,
            field_type: field.field_type,
            name: field.name.to_string(),
            span: resolved.span,
            resolved: Some(resolved),
            form: Form::Field,
        })
    }

    fn call_operand(&mut self, sql: &mut Sql, call: &Call, aggregates: bool) -> Asked<Operand> {
        let Some(function) = Function::from_name(&call.function.text) else {
            return Err(Refusal::malformed(call.span, format!("unknown function: {}", call.function.text)));
        };
        match function {
            Function::Aggregate(_) if !aggregates => {
                Err(Refusal::malformed(call.span, "Aggregate functions are not allowed here"))
            }
            Function::Aggregate(aggregate) => self.aggregate_operand(sql, call, aggregate),
            Function::Date(part) => {
                let inner = self.date_argument(sql, call)?;
                let Some((text, field_type)) = part.sql(&inner, FISCAL_START_MONTH) else {
                    let text = format!("The function {part:?} does not apply to field '{}'", inner.name);
                    return Err(Refusal::malformed(call.span, text));
                };
                Ok(Operand { sql: text, field_type, span: call.span, form: Form::Computed, ..inner })
            }
            Function::ToLabel => {
                let inner = self.operand(sql, &call.argument, false)?;
                Ok(Operand { span: call.span, form: Form::Label, ..inner })
            }
            Function::ConvertCurrency => {
                let inner = self.operand(sql, &call.argument, aggregates)?;
                if inner.field_type != FieldType::Currency {
                    let text = format!("convertCurrency takes a currency field, which '{}' is not", inner.name);
                    return Err(Refusal::malformed(call.span, text));
                }
                let form = if inner.form == Form::Field { Form::Converted } else { inner.form };
                Ok(Operand { span: call.span, form, ..inner })
            }
            Function::Format => Err(Refusal::malformed(call.span, "FORMAT is only allowed in SELECT")),
            Function::Grouping => Err(Refusal::malformed(call.span, "GROUPING is only allowed where rows are grouped")),
        }
    }

    /// What a date function is applied to: a field, in GMT or converted to the user's time zone.
    fn date_argument(&mut self, sql: &mut Sql, call: &Call) -> Asked<Operand> {
        match &*call.argument {
            Expr::Field(path) => self.field_operand(sql, path),
            Expr::Call(inner) if inner.function.is("convertTimezone") => match &*inner.argument {
                Expr::Field(path) => {
                    let mut operand = self.field_operand(sql, path)?;
                    if let (Some(zone), FieldType::DateTime) = (self.env.time()?.zone(), operand.field_type) {
                        // No parameter: what is grouped by is known by its SQL.
                        operand.sql = format!("sf_local({}, '{}')", operand.sql, zone.replace('\'', "''"));
                    }
                    Ok(operand)
                }
                other => Err(nested(other.span(), &call.function.text)),
            },
            other => Err(nested(other.span(), &call.function.text)),
        }
    }

    fn aggregate_operand(&mut self, sql: &mut Sql, call: &Call, aggregate: Aggregate) -> Asked<Operand> {
        let inner = match &*call.argument {
            Expr::Field(path) => self.field_operand(sql, path)?,
            Expr::Call(inner) if inner.function.is("convertCurrency") => self.call_operand(sql, inner, false)?,
            other => return Err(nested(other.span(), &call.function.text)),
        };
        let field = inner.field();
        if field.is_some_and(|field| !aggregate.applies_to(field)) {
            let text = format!("field {} does not support aggregate operator {}", inner.name, aggregate.name());
            return Err(Refusal::malformed(call.span, text));
        }
        let field_type = aggregate.result_type(inner.field_type);
        let mut text = aggregate.sql(&inner.sql);
        if field_type.is_text() {
            // What is computed from a column does not compare as the column does.
            text.push_str(" COLLATE SF");
        }
        Ok(Operand { sql: text, field_type, span: call.span, form: Form::Aggregate, ..inner })
    }

    fn distance_operand(&mut self, sql: &mut Sql, distance: &Distance) -> Asked<Operand> {
        let (from, name) = self.location(sql, &distance.field)?;
        let to = match &distance.place {
            Place::Point(latitude, longitude) => {
                [bind_coordinate(sql, latitude, distance.span)?, bind_coordinate(sql, longitude, distance.span)?]
            }
            Place::Field(path) => self.location(sql, path)?.0,
            Place::Bind(_) => {
                return Err(Refusal::malformed(distance.span, "Bind variables only allowed in Apex code"));
            }
        };
        let radius = match distance.unit.trim().to_ascii_lowercase().as_str() {
            "mi" => EARTH_RADIUS_KM / KM_PER_MILE,
            "km" => EARTH_RADIUS_KM,
            _ => return Err(Refusal::malformed(distance.span, "DISTANCE unit must be 'mi' or 'km'")),
        };
        let radius = sql.bind(Cell::Real(radius));
        let ([lat1, lon1], [lat2, lon2]) = (from, to);
        Ok(Operand {
            sql: format!("sf_distance({lat1}, {lon1}, {lat2}, {lon2}, {radius})"),
            field_type: FieldType::Double,
            name,
            span: distance.span,
            resolved: None,
            form: Form::Computed,
        })
    }

    /// Latitude and longitude of a compound field.
    fn location(&mut self, sql: &mut Sql, path: &FieldPath) -> Asked<([String; 2], String)> {
        let resolved = self.resolve(sql, path)?;
        let field = resolved.field();
        if !field.field_type.is_compound() {
            return Err(Refusal::invalid_field(path.span(), format!("field '{}' is not a location", field.name)));
        }
        let part = |key: &str| {
            let object: &Arc<ObjectDef> = resolved.object();
            let part = field.parts.iter().find(|part| &*part.key == key);
            part.map_or_else(|| "NULL".to_owned(), |part| self.column(resolved.source, &object.fields()[part.field]))
        };
        Ok(([part("latitude"), part("longitude")], field.name.to_string()))
    }
}

/// The fiscal year is the calendar year.
const FISCAL_START_MONTH: i8 = 1;
const EARTH_RADIUS_KM: f64 = 6371.0088;
const KM_PER_MILE: f64 = 1.609_344;

fn bind_coordinate(sql: &mut Sql, coordinate: &Coordinate, span: Span) -> Asked<String> {
    match coordinate {
        Coordinate::Number(text) => {
            let number: f64 = text.parse().map_err(|_| Refusal::malformed(span, format!("invalid number: {text}")))?;
            Ok(sql.bind(Cell::Real(number)))
        }
        Coordinate::Bind(_) => Err(Refusal::malformed(span, "Bind variables only allowed in Apex code")),
    }
}

fn nested(span: Span, function: &str) -> Refusal {
    let text = "nested functional syntax can only be used in the following manner: \
                date_function(convertTimezone(columnName))";
    Refusal::malformed(span, format!("{text}: {}", function.to_ascii_uppercase()))
}
