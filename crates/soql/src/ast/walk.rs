//! Ways through the tree.

use super::{Condition, Select, SelectExpr, Selection, Set};

impl Select {
    /// Shows each comparison of the statement, of its child queries and of its semi-joins.
    pub(crate) fn comparisons_mut(&mut self, see: &mut dyn FnMut(&mut Condition)) {
        if let Selection::Items(items) = &mut self.selection {
            for item in items {
                if let SelectExpr::Children(select) = &mut item.expr {
                    select.comparisons_mut(see);
                }
            }
        }
        for condition in [&mut self.condition, &mut self.having].into_iter().flatten() {
            condition.comparisons_mut(see);
        }
    }
}

impl Condition {
    /// Shows each comparison, those of semi-joins behind the one they belong to.
    pub(crate) fn comparisons_mut(&mut self, see: &mut dyn FnMut(&mut Self)) {
        match self {
            Self::And(operands) | Self::Or(operands) => {
                operands.iter_mut().for_each(|operand| operand.comparisons_mut(see));
            }
            Self::Not(inner) => inner.comparisons_mut(see),
            _ => {
                see(self);
                if let Self::In(membership) = self
                    && let Set::Select(select) = &mut membership.set
                    && let Some(condition) = &mut select.condition
                {
                    condition.comparisons_mut(see);
                }
            }
        }
    }
}
