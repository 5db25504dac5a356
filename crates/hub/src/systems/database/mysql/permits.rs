//! Permits: how MySQL's triggers know the cap without reading the outbox, whose rows they would lock.
//!
//! Ids come in stretches. The hub puts a permit for each stretch that begins within the cap of the oldest row; a
//! trigger whose id has none keeps only that something happened. A permit is looked up by its key, so that no two
//! transactions wait for each other, and the hub only adds new ones.

use super::super::{
    dialect::{Dialect, Sql},
    fault::Fault,
    outbox,
    session::Session,
};

/// How many ids make a stretch: a hundredth of the cap.
pub(in super::super) const fn stretch(cap: u64) -> u64 {
    if cap < 100 { 1 } else { cap / 100 }
}

/// Puts the permits that are missing.
pub(in super::super) async fn grant(session: &mut Session, cap: u64) -> Result<(), Fault> {
    let oldest = "SELECT CAST(COALESCE(MIN(id), 0) AS SIGNED) FROM tombolo_outbox";
    let mut oldest = session.number(Sql::new(Dialect::MySql, oldest)).await?;
    if oldest == 0 {
        oldest = outbox::newest(session).await?.unwrap_or_default() + 1;
    }
    let stretch = i64::try_from(stretch(cap)).unwrap_or(i64::MAX);
    let last = oldest.saturating_add(i64::try_from(cap).unwrap_or(i64::MAX)) / stretch;
    let first = oldest / stretch;
    let known = "SELECT CAST(COALESCE(MAX(stretch), -1) AS SIGNED) FROM tombolo_permits";
    let known = session.number(Sql::new(Dialect::MySql, known)).await?;
    if known >= last {
        return Ok(());
    }
    let missing: Vec<i64> = (first.max(known + 1)..=last).collect();
    let mut sql = Sql::new(Dialect::MySql, "INSERT IGNORE INTO tombolo_permits (stretch) VALUES ");
    sql.bind_list(&missing, |sql, stretch| {
        sql.push("(").bind(*stretch).push(")");
    });
    session.run(sql).await.map(drop)
}
