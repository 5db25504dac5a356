//! The rows that a search found, read like those of a query.

use std::sync::Arc;

use rusqlite::Connection;
use tombolo_soql::{
    ast::{Name, Select},
    resolve_hours,
};

use super::{
    refusal::Refusal,
    run::MAX_BATCH,
    select::{self, Plan, Rows},
};
use crate::{
    core::{
        Caller, Core, Registry,
        record::{Fault, Record, Result},
    },
    store::Cell,
};

/// What is wanted of the found rows of an object.
#[derive(Debug)]
pub(crate) struct Found(Rows);

/// Nobody's name.
pub(crate) fn no_object(name: &Name, source: &str) -> Fault {
    Refusal::no_object(name.span, &name.text).fault(source)
}

impl Core {
    /// Plans a query of found rows; `source` is the text that it stands in.
    pub(crate) fn plan_found(
        &self,
        caller: &Caller,
        registry: &Registry,
        select: &Select,
        source: &str,
    ) -> Result<Found> {
        let mut select = select.clone();
        let resolved = resolve_hours(&mut select, self.clock().now());
        resolved.map_err(|error| Refusal::malformed(error.span, error.to_string()).fault(source))?;
        let env = self.env(registry, caller, false);
        let plan = select::plan(&env, &select).map_err(|refusal| refusal.fault(source))?;
        let rows = match plan {
            Plan::Rows(rows) => Arc::into_inner(rows),
            Plan::Count(_) | Plan::Groups { .. } => None,
        };
        let text = "A search returns fields, no aggregates";
        Ok(Found(rows.ok_or_else(|| Refusal::malformed(select.span, text).fault(source))?))
    }
}

impl Found {
    /// At most `room` of the rows that are among the hits, the best ones first unless they have an order.
    /// `hits` writes the query that gives their `id` and `rank` from the places of these two parameters.
    pub(crate) fn read(
        self,
        connection: &Connection,
        hits: impl FnOnce([&str; 2]) -> String,
        params: [&str; 2],
        room: i64,
    ) -> Result<Vec<Record>> {
        let Self(mut rows) = self;
        rows.params.extend(params.map(|param| Cell::Text(param.to_owned())));
        let last = rows.params.len();
        let hits = hits([&format!("?{}", last - 1), &format!("?{last}")]);
        // The hits come first: there are fewer of them than rows.
        rows.from = format!("({hits}) AS hit CROSS JOIN {}", rows.from);
        rows.condition = format!("hit.id = {} AND {}", rows.columns[0], rows.condition);
        if rows.order.is_empty() {
            rows.order = format!("hit.rank, {}", rows.columns[0]);
        }
        rows.limit = Some(rows.limit.map_or(room, |limit| limit.min(room)));
        Ok(rows.find(connection, MAX_BATCH)?.0)
    }
}
