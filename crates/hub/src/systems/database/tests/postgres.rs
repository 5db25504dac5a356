//! PostgreSQL: conformance, and what is particular to it.

use tombolo_engine::sync::{NewsKind, Outcome};

use super::{
    super::Database,
    ground::{Kind, SqlGround, with},
};
use crate::systems::{
    conformance::{CONNECTION, Ground, conformance, create, plan, ready, text, value, write, write_one},
    system::{System as _, Told},
};

async fn on_postgres(case: impl AsyncFn(&dyn Ground)) {
    with(Kind::Postgres, async |ground: &SqlGround| case(ground).await).await;
}

conformance!(on_postgres);

#[tokio::test]
async fn truncating_is_a_gap() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        let (system, mut ear) = ready(ground).await;
        ground.insert(&[("name", text("a"))]).await;
        ground.app("TRUNCATE contacts").await;
        let news = ear.news(2).await;
        assert_eq!((news[1].kind.clone(), news[1].key.clone()), (NewsKind::Gap, None));
        ear.acknowledge(&*system, &news).await;
        assert_eq!(ground.waiting().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_role_without_grants_writes_its_tables_and_is_heard() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        let (_system, mut ear) = ready(ground).await;
        let role = format!("tombolo_app_{:016x}", fastrand::u64(..));
        ground.app(&format!("CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO {role}")).await;
        ground.app(&format!("GRANT USAGE ON SEQUENCE contacts_id_seq TO {role}; SET ROLE {role}")).await;
        let mut stranger = ground.session().await;
        stranger.script(format!("SET ROLE {role}")).await.unwrap();
        stranger.script("SELECT * FROM tombolo.outbox").await.unwrap_err();
        let key = ground.insert(&[("name", text("theirs"))]).await;
        ground.update(&key, &[("name", text("still theirs"))]).await;
        assert_eq!(ear.news(2).await[1].kind, NewsKind::Update);
        // Even with everything of ours out of order.
        ground.app("RESET ROLE; DROP TABLE tombolo.captures").await;
        ground.app(&format!("SET ROLE {role}; UPDATE contacts SET name = 'unheard'")).await;
        ground.app(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")).await;
    })
    .await;
}

#[tokio::test]
async fn what_another_trigger_does_in_turn_comes_behind() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        ground
            .app(
                "CREATE FUNCTION greet() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN UPDATE contacts SET notes = ''new'', name = ''greeted'' WHERE id = NEW.id; RETURN NULL; END'; \
                 CREATE TRIGGER a_greeting AFTER INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION greet()",
            )
            .await;
        let (_system, mut ear) = ready(ground).await;
        ground.app("INSERT INTO contacts (name) VALUES ('new')").await;
        let news = ear.news(2).await;
        assert_eq!((news[0].kind.clone(), value(&news[0].values, "name")), (NewsKind::Create, &text("new")));
        assert_eq!((news[1].kind.clone(), value(&news[1].values, "name")), (NewsKind::Update, &text("greeted")));
    })
    .await;
}

#[tokio::test]
async fn connections_that_break_are_made_again() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        let (system, mut ear) = ready(ground).await;
        write_one(&*system, 1, write(create(), &[("name", text("one"))], &[], "1.1")).await;
        ear.news(1).await;
        ground
            .app(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
        let made = write_one(&*system, 2, write(create(), &[("name", text("two"))], &[], "1.2")).await;
        assert!(matches!(made, Outcome::Done { .. }), "{made:?}");
        loop {
            match ear.told().await {
                Told::Opened(_) => {}
                Told::Heard(delivery) => {
                    assert_eq!(value(&delivery.news[0].values, "name"), &text("two"));
                    break;
                }
                lost @ Told::Lost(_) => panic!("{lost:?}"),
            }
        }
    })
    .await;
}

/// Lets everything through until a commit was sent: its answer is lost, though the server did it.
async fn losing_answers(server: &str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest = server.split_once('@').map_or_else(|| server.split_once("://").unwrap().1, |(_, rest)| rest);
    let (place, database) = rest.split_once('/').unwrap();
    let (place, port) = (place.to_owned(), listener.local_addr().unwrap().port());
    let url = server.replace(&format!("{place}/{database}"), &format!("127.0.0.1:{port}/{database}?sslmode=disable"));
    let proxy = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(&place).await.unwrap();
            tokio::spawn(carry(client, server));
        }
    });
    (url, proxy)
}

async fn carry(client: tokio::net::TcpStream, server: tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let read = read.unwrap_or(0);
                if read == 0 {
                    return;
                }
                let committing = asked[..read].windows(7).any(|word| word == b"COMMIT\0");
                to_server.write_all(&asked[..read]).await.unwrap();
                if committing {
                    // It is done when the server answers.
                    assert!(from_server.read(&mut answered).await.unwrap() > 0);
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let read = read.unwrap_or(0);
                if read == 0 {
                    return;
                }
                to_client.write_all(&answered[..read]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_an_unknown_outcome_and_the_operation_is_known_again() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        let (system, mut ear) = ready(ground).await;
        let (url, proxy) = losing_answers(&ground.url).await;
        let far = Database::new(CONNECTION, &url).unwrap().telling_own();
        // Looking at tables commits, too: what was learned near is what the far one knows.
        *far.inner.mapped.write().unwrap() = Some(near(ground).await);
        let make = || write(create(), &[("name", text("once"))], &[], "1.1");
        assert_eq!(write_one(&far, 1, make()).await, Outcome::Unknown);
        let key = ear.news(1).await[0].key.clone().unwrap();
        assert_eq!(write_one(&*system, 2, make()).await, Outcome::AlreadyDone { key });
        proxy.abort();
    })
    .await;
}

async fn near(ground: &SqlGround) -> std::sync::Arc<super::super::mapped::Mapped> {
    let near = ground.database(1_000_000);
    near.prepare(plan(None)).await.unwrap();
    near.inner.mapped().unwrap()
}

#[tokio::test]
async fn a_user_who_may_not_is_told_so() {
    with(Kind::Postgres, async |ground: &SqlGround| {
        let role = format!("tombolo_weak_{:016x}", fastrand::u64(..));
        ground.app(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON contacts TO {role}")).await;
        let url = ground.url.replace("postgres@", &format!("{role}@"));
        let weak = Database::new(CONNECTION, &url).unwrap();
        let entity = weak.describe("contacts").await.unwrap().unwrap();
        assert!(!entity.may.create && !entity.may.update && !entity.may.delete);
        assert_eq!(entity.objections.len(), 2, "{:?}", entity.objections);
        let error = weak.prepare(plan(None)).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
        ground.app(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    })
    .await;
}
