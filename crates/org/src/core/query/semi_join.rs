//! `IN (SELECT …)`: semi-joins and anti-joins, and the many ways in which Salesforce does not want them (soql.md 3).

use tombolo_schema::{ErrorCode, FieldType};
use tombolo_soql::ast::{Expr, Membership, SubSelect};

use super::{
    filter::Context,
    refusal::{Asked, Refusal},
    source::{Resolved, Sources},
    sql::{Sql, joined},
};

/// Objects that no inner select may be on.
const NOT_INSIDE: [&str; 7] = ["ActivityHistory", "Attachment", "Event", "Note", "OpenActivity", "Tag", "Task"];
const MOST: usize = 2;

impl Sources<'_> {
    pub(super) fn semi_join(
        &mut self,
        sql: &mut Sql,
        membership: &Membership,
        select: &SubSelect,
        context: Context,
    ) -> Asked<String> {
        self.check_place(select, context)?;
        let left = match &membership.left {
            Expr::Field(path) => self.resolve(sql, path)?,
            other => return Err(not_an_id(other.span(), &other.to_string())),
        };
        if left.source != 0 || !left.field().field_type.is_id() {
            return Err(not_an_id(left.span, &left.field().name));
        }
        let object = super::select::queryable(self.env, &select.from)?;
        if NOT_INSIDE.contains(&&*object.name) {
            let text = format!("Entity '{}' is not supported for semi join inner selects", object.name);
            return Err(Refusal::malformed(select.span, text));
        }
        if object.name == self.root().name {
            let text = "The inner and outer selects should not be on the same object type";
            return Err(Refusal::malformed(select.span, text));
        }
        let mut inner = self.inside(sql, &object, &select.from);
        inner.add_aliases(sql, &select.aliases)?;
        let field = inner.only_field(sql, select)?;
        same_target(&left, &field)?;
        let column = inner.column(field.source, field.field());
        let mut conditions = vec![format!("{column} IS NOT NULL")];
        inner.add_scope(&mut conditions, select.using.as_ref(), &select.with)?;
        if let Some(condition) = &select.condition {
            conditions.push(inner.condition(sql, condition, Context::WHERE)?);
        }
        let outer = self.column(left.source, left.field());
        let test =
            format!("{outer} IN (SELECT {column} FROM {} WHERE {})", inner.joined_tables(), joined(conditions, "AND"));
        Ok(if membership.negated { format!("({test}) IS NOT TRUE") } else { test })
    }

    fn check_place(&mut self, select: &SubSelect, context: Context) -> Asked<()> {
        let refused = |text: &str| Err(Refusal::malformed(select.span, text));
        if context.either {
            return refused("Semi join sub-selects are not allowed with the 'OR' operator");
        }
        if context.negated {
            return refused("Semi join sub-selects are not allowed with the 'NOT' operator. Use NOT IN instead");
        }
        if !context.top {
            return refused(
                "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE \
                 expressions.",
            );
        }
        if self.depth() > 1 {
            return refused("Nesting of semi join sub-selects is not supported");
        }
        if self.count_semi_join() > MOST {
            return refused("Maximum 2 semi join sub-selects are allowed");
        }
        Ok(())
    }

    /// The one Id or reference field that an inner select has.
    fn only_field(&mut self, sql: &mut Sql, select: &SubSelect) -> Asked<Resolved> {
        match select.items.as_slice() {
            [Expr::Field(path)] => {
                let field = self.resolve(sql, path)?;
                if field.source != 0 || !field.field().field_type.is_id() {
                    return Err(not_an_id(field.span, &field.field().name));
                }
                Ok(field)
            }
            [other] => Err(not_an_id(other.span(), &other.to_string())),
            _ => Err(Refusal::malformed(select.span, "Only one field may be selected in a semi join sub-select")),
        }
    }
}

fn not_an_id(span: tombolo_soql::ast::Span, name: &str) -> Refusal {
    let text = format!("Only an Id or reference field of the object itself can be used in a semi join: {name}");
    Refusal::at(span, ErrorCode::InvalidField, text)
}

fn same_target(left: &Resolved, inner: &Resolved) -> Asked<()> {
    let targets = |resolved: &Resolved| match resolved.field().field_type {
        FieldType::Id => vec![resolved.object().name.to_string()],
        _ => resolved.field().reference_to.clone(),
    };
    let (ours, theirs) = (targets(left), targets(inner));
    if ours.iter().any(|target| theirs.contains(target)) {
        return Ok(());
    }
    let text = format!(
        "The selected field '{}' in the subquery and the left operand field '{}' in the where expression in the outer \
         query should point to the same object type",
        inner.field().name,
        left.field().name
    );
    Err(Refusal::malformed(inner.span, text))
}
