//! Conditions as SQL. Truth is two-valued (soql.md 3): whatever compares with null is false, and NOT turns that
//! around. So NOT is pushed down to the comparisons, and a turned comparison is `… IS NOT TRUE`.

use tombolo_schema::{ErrorCode, FieldType};
use tombolo_soql::ast::{
    Comparison, Condition, Expr, Includes, Like, LikePart, Literal, Membership, Operator, Set, Value,
};

use super::{
    operand::{Form, Operand},
    refusal::{Asked, Refusal},
    source::Sources,
    sql::{Sql, joined},
    value::{Meaning, meaning, mistyped},
};
use crate::store::Cell;

/// Where a condition stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// Whether rows are grouped, so that aggregates may be compared.
    pub(super) grouped: bool,
    /// Whether it is the whole condition or joined by AND to nothing but others like it.
    pub(super) top: bool,
    /// Whether an OR is around it.
    pub(super) either: bool,
    pub(super) negated: bool,
}

impl Context {
    pub(super) const WHERE: Self = Self { grouped: false, top: true, either: false, negated: false };
    pub(super) const HAVING: Self = Self { grouped: true, ..Self::WHERE };
}

impl Sources<'_> {
    pub(super) fn condition(&mut self, sql: &mut Sql, condition: &Condition, context: Context) -> Asked<String> {
        match condition {
            Condition::And(operands) => self.operands(sql, operands, context, "AND"),
            Condition::Or(operands) => self.operands(sql, operands, Context { either: true, ..context }, "OR"),
            Condition::Not(inner) => {
                self.condition(sql, inner, Context { negated: !context.negated, top: false, ..context })
            }
            Condition::Compare(comparison) => self.comparison(sql, comparison, context),
            Condition::Like(like) => self.like(sql, like, context),
            Condition::In(membership) => self.membership(sql, membership, context),
            Condition::Includes(includes) => self.includes(sql, includes, context),
        }
    }

    fn operands(&mut self, sql: &mut Sql, operands: &[Condition], context: Context, word: &str) -> Asked<String> {
        let word = match (word, context.negated) {
            ("AND", false) | ("OR", true) => "AND",
            _ => "OR",
        };
        let inner = |operand: &Condition| Context { top: context.top && operand.left().is_some(), ..context };
        let parts: Asked<Vec<_>> =
            operands.iter().map(|operand| self.condition(sql, operand, inner(operand))).collect();
        Ok(joined(parts?, word))
    }

    /// The left side of a condition, if it may be filtered by.
    fn filtered(&mut self, sql: &mut Sql, expr: &Expr, context: Context) -> Asked<Operand> {
        let operand = match expr {
            expr if context.grouped => self.grouped_operand(sql, expr)?,
            Expr::Formula { text, span } => self.formula_operand(sql, text, *span)?,
            expr => self.operand(sql, expr, false)?,
        };
        if operand.form == Form::Converted {
            return Err(Refusal::malformed(operand.span, "convertCurrency is not allowed in a condition"));
        }
        let unfilterable = operand.field().filter(|field| !field.flags.filterable);
        match unfilterable {
            Some(field) if operand.form != Form::Aggregate => {
                let text = format!("field '{}' can not be filtered in a query call", field.name);
                Err(Refusal::invalid_field(operand.span, text))
            }
            _ => Ok(operand),
        }
    }

    fn comparison(&mut self, sql: &mut Sql, comparison: &Comparison, context: Context) -> Asked<String> {
        let operand = self.filtered(sql, &comparison.left, context)?;
        let operator = comparison.operator;
        let ordering = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordering && matches!(operand.field_type, FieldType::Boolean | FieldType::MultiPicklist) {
            return Err(wrong_operator(&operand));
        }
        let values = self.meanings(&operand, std::slice::from_ref(&comparison.value))?;
        let sides = Sides { operand: &operand, negated: context.negated };
        match (operator, values.as_slice()) {
            (Operator::Equal, values) => Ok(sides.one_of(sql, values)),
            (Operator::NotEqual, values) => Ok(sides.turned().one_of(sql, values)),
            (_, [Meaning::One(cell)]) => {
                let place = sql.bind(cell.clone());
                Ok(sides.truth(format!("{} {} {place}", operand.sql, operator.as_str())))
            }
            (_, [Meaning::Range(start, end)]) => {
                // Before the start or at and after it, before the end or at and after it (soql.md 4).
                let (word, cell) = match operator {
                    Operator::Less => ("<", start),
                    Operator::GreaterOrEqual => (">=", start),
                    Operator::LessOrEqual => ("<", end),
                    _ => (">=", end),
                };
                let place = sql.bind(cell.clone());
                Ok(sides.truth(format!("{} {word} {place}", operand.sql)))
            }
            _ => Ok(sides.truth("0".to_owned())),
        }
    }

    /// What values mean for an operand; for the label of a picklist, the values that carry the label.
    fn meanings(&self, operand: &Operand, values: &[Value]) -> Asked<Vec<Meaning>> {
        let mut meanings = Vec::with_capacity(values.len());
        for value in values {
            let meaning = meaning(self.env, operand, value)?;
            match (&meaning, operand.field()) {
                (Meaning::One(Cell::Text(label)), Some(field)) if operand.form == Form::Label => {
                    let known: Vec<_> = field.picklist_values.iter().filter(|v| same_text(&v.label, label)).collect();
                    meanings.extend(known.iter().map(|v| Meaning::One(Cell::Text(v.value.clone()))));
                    if known.is_empty() {
                        meanings.push(meaning);
                    }
                }
                _ => meanings.push(meaning),
            }
        }
        Ok(meanings)
    }

    fn like(&mut self, sql: &mut Sql, like: &Like, context: Context) -> Asked<String> {
        let operand = self.filtered(sql, &like.left, context)?;
        if !operand.field_type.is_text() || operand.field_type == FieldType::MultiPicklist {
            return Err(wrong_operator(&operand));
        }
        let sides = Sides { operand: &operand, negated: context.negated };
        match &like.pattern.literal {
            Literal::Pattern(parts) => Ok(sides.truth(sides.like(sql, parts))),
            Literal::Null => Ok(sides.truth("0".to_owned())),
            Literal::Bind(_) => Err(Refusal::malformed(like.pattern.span, "Bind variables only allowed in Apex code")),
            _ => Err(mistyped(&operand)),
        }
    }

    fn membership(&mut self, sql: &mut Sql, membership: &Membership, context: Context) -> Asked<String> {
        let values = match &membership.set {
            Set::List(values) => values.as_slice(),
            Set::Bind(value) => return Err(Refusal::malformed(value.span, "Bind variables only allowed in Apex code")),
            Set::Select(select) => return self.semi_join(sql, membership, select, context),
        };
        let operand = self.filtered(sql, &membership.left, context)?;
        let values = self.meanings(&operand, values)?;
        let sides = Sides { operand: &operand, negated: context.negated != membership.negated };
        Ok(sides.one_of(sql, &values))
    }

    fn includes(&mut self, sql: &mut Sql, includes: &Includes, context: Context) -> Asked<String> {
        let operand = self.filtered(sql, &includes.left, context)?;
        if operand.field_type != FieldType::MultiPicklist {
            let text =
                format!("includes and excludes operators may only be used on multipicklist fields: {}", operand.name);
            return Err(Refusal::at(operand.span, ErrorCode::InvalidQueryFilterOperator, text));
        }
        let sides = Sides { operand: &operand, negated: context.negated != includes.negated };
        let mut tests = Vec::new();
        for value in self.meanings(&operand, &includes.values)? {
            tests.push(match value {
                Meaning::One(cell) => format!("sf_includes({}, {})", operand.sql, sql.bind(cell)),
                _ => format!("{} IS NULL", operand.sql),
            });
        }
        Ok(sides.truth(joined(tests, "OR")))
    }
}

/// An operand, and whether what is said of it is turned around.
struct Sides<'a> {
    operand: &'a Operand,
    negated: bool,
}

impl Sides<'_> {
    fn turned(&self) -> Self {
        Self { operand: self.operand, negated: !self.negated }
    }

    /// A test that may be null, which counts as false.
    fn truth(&self, test: String) -> String {
        if self.negated { format!("({test}) IS NOT TRUE") } else { test }
    }

    fn like(&self, sql: &mut Sql, parts: &[LikePart]) -> String {
        let function = if self.is_case_sensitive() { "sf_like_exactly" } else { "sf_like" };
        let pattern = sql.bind(Cell::Text(escaped(parts)));
        let test = |text: &str| format!("{function}({text}, {pattern})");
        if self.operand.form == Form::Label {
            return test(&self.label(sql));
        }
        let column = &self.operand.sql;
        match (parts.first(), self.operand.form) {
            (Some(LikePart::Text(prefix)), Form::Field) => {
                // Text that begins like this lies between these two: an index finds it.
                let (from, to) = (prefix.clone(), format!("{prefix}\u{10ffff}"));
                let (from, to) = (sql.bind(Cell::Text(from)), sql.bind(Cell::Text(to)));
                format!("({column} >= {from} AND {column} < {to} AND {})", test(column))
            }
            _ => test(column),
        }
    }

    /// The label of the operand's value; of a value that has none, the value.
    fn label(&self, sql: &mut Sql) -> String {
        let column = &self.operand.sql;
        let values = self.operand.field().map(|field| field.picklist_values.as_slice()).unwrap_or_default();
        let labels = values.iter().filter(|value| value.label != value.value).map(|value| {
            let (value, label) = (Cell::Text(value.value.clone()), Cell::Text(value.label.clone()));
            format!(" WHEN {column} = {} THEN {}", sql.bind(value), sql.bind(label))
        });
        let labels: String = labels.collect();
        if labels.is_empty() { column.clone() } else { format!("(CASE{labels} ELSE {column} END)") }
    }

    /// Whether the operand is one of the values or lies in one of the ranges.
    fn one_of(&self, sql: &mut Sql, values: &[Meaning]) -> String {
        let column = &self.operand.sql;
        let mut tests = Vec::new();
        let ones: Vec<_> =
            values.iter().filter_map(|v| if let Meaning::One(cell) = v { Some(cell) } else { None }).collect();
        match ones.as_slice() {
            [] => {}
            [one] => tests.push(self.equals(sql, one)),
            ones => {
                let cells: Vec<_> = ones.iter().map(|&cell| cell.clone()).collect();
                tests.push(format!("{column} IN ({})", sql.bind_list(&cells)));
                if self.is_case_sensitive() {
                    let test = format!("{column} COLLATE BINARY IN ({})", sql.bind_list(&cells));
                    tests = vec![joined(vec![tests.remove(0), test], "AND")];
                }
            }
        }
        for value in values {
            if let Meaning::Range(start, end) = value {
                let (start, end) = (sql.bind(start.clone()), sql.bind(end.clone()));
                tests.push(format!("({column} >= {start} AND {column} < {end})"));
            }
        }
        if values.contains(&Meaning::Null) {
            tests.push(match self.operand.field_type {
                FieldType::Boolean => format!("{column} = 0"),
                _ => format!("{column} IS NULL"),
            });
        }
        self.truth(joined(tests, "OR"))
    }

    fn equals(&self, sql: &mut Sql, cell: &Cell) -> String {
        let column = &self.operand.sql;
        let place = sql.bind(cell.clone());
        if self.is_case_sensitive() {
            // The first test finds it by the index, the second one tells `a` from `A`.
            return format!("({column} = {place} AND {column} = {place} COLLATE BINARY)");
        }
        format!("{column} = {place}")
    }

    fn is_case_sensitive(&self) -> bool {
        self.operand.field_type.is_text() && self.operand.field().is_some_and(|field| field.flags.case_sensitive)
    }
}

/// A pattern as `sf_like` takes it: with a backslash before what stands for itself.
fn escaped(parts: &[LikePart]) -> String {
    let mut pattern = String::new();
    for part in parts {
        match part {
            LikePart::Any => pattern.push('%'),
            LikePart::One => pattern.push('_'),
            LikePart::Text(text) => {
                for char in text.chars() {
                    if matches!(char, '%' | '_' | '\\') {
                        pattern.push('\\');
                    }
                    pattern.push(char);
                }
            }
        }
    }
    pattern
}

fn same_text(a: &str, b: &str) -> bool {
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

fn wrong_operator(operand: &Operand) -> Refusal {
    let kind = match operand.field_type {
        FieldType::Id | FieldType::Reference => "id",
        kind => kind.name(),
    };
    let text = format!("invalid operator on {kind} field");
    Refusal::at(operand.span, ErrorCode::InvalidQueryFilterOperator, text)
}
