//! SQLite: conformance, and what is particular to it.

use super::ground::{Kind, SqlGround, with};
use crate::systems::conformance::{Ground, conformance};

async fn on_sqlite(case: impl AsyncFn(&dyn Ground)) {
    with(Kind::Sqlite, async |ground: &SqlGround| case(ground).await).await;
}

conformance!(on_sqlite);
