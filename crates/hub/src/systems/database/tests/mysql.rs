//! MySQL and MariaDB: conformance, and what is particular to it.

use super::ground::{Kind, SqlGround, with};
use crate::systems::conformance::{Ground, conformance};

async fn on_mysql(case: impl AsyncFn(&dyn Ground)) {
    with(Kind::MySql, async |ground: &SqlGround| case(ground).await).await;
}

conformance!(on_mysql);

#[tokio::test]
async fn what_triggers_cannot_see_is_objected_to() {
    with(Kind::MySql, async |ground: &SqlGround| {
        ground
            .app(
                "CREATE TABLE orders (id INT PRIMARY KEY, contact INT, \
                 FOREIGN KEY (contact) REFERENCES contacts (id) ON DELETE CASCADE) ENGINE = InnoDB; \
                 CREATE TABLE plain (name TEXT) ENGINE = MyISAM",
            )
            .await;
        let system = ground.handle();
        let orders = system.describe("orders").await.unwrap().unwrap();
        assert!(orders.objections[0].contains("CASCADE"), "{:?}", orders.objections);
        let plain = system.describe("plain").await.unwrap().unwrap();
        assert_eq!(plain.objections.len(), 2, "{:?}", plain.objections);
    })
    .await;
}
