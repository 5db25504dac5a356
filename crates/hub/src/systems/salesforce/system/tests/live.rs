//! Against a local org.

use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use tombolo_engine::sync::{Delivery, News, NewsKind, Refusal, Row};
use tombolo_org::{CdcSelection, Fault, FaultKind, OrgConfig, RunningOrg};

use super::*;
use crate::systems::system::ChangeEvents;

struct Live {
    org: RunningOrg,
    client: Client,
    system: SalesforceSystem,
}

const FIELDS: [&str; 5] = ["FirstName", "LastName", "Email", "AccountId", "Account.Name"];

impl Live {
    async fn start(style: Style) -> Self {
        let config = OrgConfig { cdc: CdcSelection::All, https: None, seed: Some(7), ..OrgConfig::default() };
        let org = RunningOrg::start(config).await.unwrap();
        let client = client(&org.ready().instance_url, &org.ready().access_token);
        let field = json!({
            "FullName": "Contact.Penguin_Id__c",
            "Metadata": { "type": "Text", "label": "Penguin", "length": 36, "externalId": true, "unique": true },
        });
        let request = http::Request::post("/services/data/v66.0/tooling/sobjects/CustomField")
            .body(bytes::Bytes::from(field.to_string()))
            .unwrap();
        client.request(request).await.unwrap();
        let system = SalesforceSystem::new("crm", client.clone(), HashMap::new());
        system.prepare(plan(style, &FIELDS)).await.unwrap();
        Self { org, client, system }
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Outcome> {
        self.system.write(&batch(writes), fence()).await
    }

    /// Makes contacts and answers with their keys.
    async fn contacts(&self, names: &[&str]) -> Vec<Key> {
        let writes = names.iter().map(|name| create(name, &[("LastName", (*name).into())])).collect();
        self.write(writes).await.iter().map(|outcome| done_key(outcome).to_owned()).collect()
    }

    async fn account(&self, name: &str) -> String {
        let fields = json!({ "Name": name }).as_object().cloned().unwrap();
        self.client.create("Account", &fields).await.unwrap().id.unwrap()
    }

    async fn edit(&self, object: &str, id: &str, fields: Json) {
        self.client.update(object, id, &fields.as_object().cloned().unwrap()).await.unwrap();
    }

    async fn merge(&self, master: &str, loser: &str) {
        let token = &self.org.ready().access_token;
        let envelope = format!(
            r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"
                xmlns:s="urn:sobject.partner.soap.sforce.com">
              <e:Header><SessionHeader><sessionId>{token}</sessionId></SessionHeader></e:Header>
              <e:Body><merge><request><masterRecord><s:type>Contact</s:type><s:Id>{master}</s:Id></masterRecord>
                <recordToMergeIds>{loser}</recordToMergeIds></request></merge></e:Body></e:Envelope>"#
        );
        let request = http::Request::post("/services/Soap/u/64.0")
            .header("content-type", "text/xml; charset=UTF-8")
            .header("soapaction", "\"\"")
            .body(bytes::Bytes::from(envelope))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        assert!(String::from_utf8_lossy(answer.body()).contains("<success>true</success>"), "{answer:?}");
    }

    async fn rows(&self, keys: &[Key]) -> Vec<Row> {
        match self.system.read(&Read::Rows { mapping: 0, side: Side::Left, keys: keys.to_vec() }).await {
            Answer::Rows { rows, .. } => rows,
            other => panic!("{other:?}"),
        }
    }
}

fn done_key(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Done { key, .. } => key,
        other => panic!("{other:?}"),
    }
}

fn shown<'a>(row: &'a Row, field: &str) -> &'a Stored {
    &row.values.iter().find(|(name, _)| name == field).unwrap().1
}

/// The next news of a stream.
async fn heard(
    told: &mut futures_util::stream::BoxStream<'static, Result<Told>>,
    count: usize,
) -> (Vec<News>, Delivery) {
    let mut news = Vec::new();
    loop {
        match told.next().await.unwrap().unwrap() {
            Told::Heard(delivery) => {
                news.extend(delivery.news.clone());
                if news.len() >= count {
                    return (news, delivery);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_org_is_described() {
    let live = Live::start(Style::Tagged).await;
    let contact = live.system.describe("contact").await.unwrap().unwrap();
    assert_eq!((&*contact.name, &contact.key), ("Contact", &vec!["Id".to_owned()]));
    assert_eq!(contact.change_events, ChangeEvents::Selected);
    assert!(contact.may.create && contact.may.delete && contact.objections.is_empty());
    let field = contact.fields.iter().find(|field| field.name == "Penguin_Id__c").unwrap();
    assert!(field.external_id && field.unique);
    assert_eq!(live.system.describe("Nonsense__c").await.unwrap(), None);
    assert!(live.system.entities().await.unwrap().contains(&"Account".to_owned()));
    assert_eq!(live.system.identity().await.unwrap(), live.client.identity().await.unwrap().organization_id);
    let clock = live.system.clock().await.unwrap();
    assert!(clock.ahead_ms.unsigned_abs() < 2_000 && clock.uncertain_ms >= 500, "{clock:?}");
    assert!(live.system.usage().is_some_and(|(used, limit)| used > 0 && limit > used));
    let channels: Vec<String> = live.system.sources().into_iter().map(|source| source.channel).collect();
    assert_eq!(channels, ["Account", "Contact"], "parents are heard, too");
}

#[tokio::test]
async fn writes_come_back_under_their_tag() {
    let live = Live::start(Style::Tagged).await;
    let source = SourceId { connection: "crm".to_owned(), channel: "Contact".to_owned() };
    let mut told = live.system.listen(&source, SourceState::default());
    assert!(matches!(told.next().await.unwrap().unwrap(), Told::Opened(_)));

    let keys = live.contacts(&["A", "B"]).await;
    let (news, delivery) = heard(&mut told, 2).await;
    for (news, (key, name)) in news.iter().zip(keys.iter().zip(["A", "B"])) {
        assert_eq!((news.key.as_ref(), news.origin, &news.kind), (Some(key), Some(TAG), &NewsKind::Create));
        let value = |name: &str| news.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!(value("LastName"), Some(name.into()));
        assert_eq!(value("Email"), Some(Stored::Null), "an empty field of a new record is known to be empty");
        assert!(value("Account.Name").is_none());
    }
    assert_ne!(news[0].identity, news[1].identity);

    live.edit("Contact", &keys[0], json!({ "FirstName": "Ann", "Phone": "1" })).await;
    let (news, _) = heard(&mut told, 1).await;
    assert_eq!((news[0].origin, &news[0].kind), (None, &NewsKind::Update));
    assert_eq!(news[0].values, values(&[("FirstName", "Ann".into())]));

    // From a position on, what came behind it is told again under the same identity.
    let state = SourceState { position: delivery.position, opened: None, committed: None };
    let mut again = live.system.listen(&source, state);
    assert!(matches!(again.next().await.unwrap().unwrap(), Told::Opened(_)));
    assert_eq!(heard(&mut again, 1).await.0[0].identity, news[0].identity);

    assert_eq!(
        live.write(vec![write(Operation::Delete(keys[1].clone()), &[])]).await,
        [Outcome::Done { key: keys[1].clone(), row: None }]
    );
    let (news, _) = heard(&mut told, 1).await;
    assert_eq!((news[0].key.as_ref(), &news[0].kind), (Some(&keys[1]), &NewsKind::Delete { merged_into: None }));
    assert_eq!(news[0].origin, Some(TAG));
}

#[tokio::test]
async fn a_lost_position_is_told() {
    let live = Live::start(Style::Tagged).await;
    let source = SourceId { connection: "crm".to_owned(), channel: "Contact".to_owned() };
    let quiet = SourceState { opened: Some(jiff::Timestamp::now()), ..SourceState::default() };
    let mut told = live.system.listen(&source, quiet);
    assert!(matches!(told.next().await.unwrap().unwrap(), Told::Lost(_)), "a quiet channel has no position");
    assert!(matches!(told.next().await.unwrap().unwrap(), Told::Opened(_)));
    let odd = SourceState { position: Some(b"cometd:999999".to_vec()), ..SourceState::default() };
    let mut told = live.system.listen(&source, odd);
    assert!(matches!(told.next().await.unwrap().unwrap(), Told::Lost(_)));
    assert!(matches!(told.next().await.unwrap().unwrap(), Told::Opened(_)));
    live.org.inject(Fault::new(FaultKind::OverflowEvents));
    live.contacts(&["A"]).await;
    let (news, _) = heard(&mut told, 1).await;
    assert_eq!((news[0].key.as_ref(), &news[0].kind), (None, &NewsKind::Gap));
}

#[tokio::test]
async fn records_are_made_set_deleted_and_brought_back() {
    let live = Live::start(Style::Tagged).await;
    let keys = live.contacts(&["A", "B", "C"]).await;
    // The same key again is the same record, and it is named.
    let twin = create("A", &[("LastName", "Twin".into())]);
    let outcomes = live.write(vec![twin, update(&keys[1], &[("Email", "b@example.com".into())])]).await;
    assert_eq!(outcomes[0], Outcome::Duplicate { key: Some(keys[0].clone()) });
    assert_eq!(done_key(&outcomes[1]), keys[1]);
    let delete = |key: &Key| write(Operation::Delete(key.clone()), &[]);
    assert_eq!(done_key(&live.write(vec![delete(&keys[2])]).await[0]), keys[2]);
    let outcomes = live.write(vec![delete(&keys[2]), update(&keys[2], &[("Email", "x@example.com".into())])]).await;
    assert_eq!(outcomes, [Outcome::Gone { certain: true }, Outcome::Gone { certain: true }]);
    let back = write(Operation::Undelete(keys[2].clone()), &[("Email", "c@example.com".into())]);
    assert_eq!(done_key(&live.write(vec![back]).await[0]), keys[2]);
    let rows = live.rows(&keys).await;
    assert!(rows.iter().all(|row| !row.deleted));
    assert_eq!(shown(&rows[2], "Email"), &"c@example.com".into());
    assert_eq!(rows[2].foreign_at, None, "we are the only user");
    let missing = write(Operation::Update("003000000000009AAA".to_owned()), &[("Email", "x@example.com".into())]);
    assert!(matches!(live.write(vec![missing]).await[0], Outcome::Gone { .. }));
    // What a lost answer leaves behind is not known.
    live.org.inject(Fault::new(FaultKind::LostAnswer));
    assert_eq!(live.write(vec![update(&keys[0], &[("FirstName", "Lost".into())])]).await, [Outcome::Unknown]);
    live.org.inject(Fault::new(FaultKind::RowLock).count(1));
    let outcomes = live.write(vec![update(&keys[0], &[("FirstName", "Locked".into())])]).await;
    assert!(matches!(&outcomes[0], Outcome::Refused(refusal) if refusal.passing), "{outcomes:?}");
}

#[tokio::test]
async fn a_condition_that_is_not_met_shows_what_is_there() {
    let live = Live::start(Style::Conditional).await;
    let keys = live.contacts(&["A", "B"]).await;
    let rows = live.rows(&keys).await;
    let stamp = rows[0].stamp.unwrap();
    live.org.advance_clock(Duration::from_secs(5));
    live.edit("Contact", &keys[0], json!({ "FirstName": "Foreign" })).await;
    let conditional =
        |operation| Write { unmodified_since: Some(stamp), ..write(operation, &[("Email", "x@example.com".into())]) };
    let outcomes = live
        .write(vec![conditional(Operation::Update(keys[0].clone())), conditional(Operation::Update(keys[1].clone()))])
        .await;
    let Outcome::Moved { row: Some(row), .. } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!((shown(row, "FirstName"), shown(row, "Email")), (&"Foreign".into(), &Stored::Null));
    assert_eq!(done_key(&outcomes[1]), keys[1]);
    let delete = |key: &Key| Write { unmodified_since: Some(stamp), ..write(Operation::Delete(key.clone()), &[]) };
    let outcomes = live.write(vec![delete(&keys[0])]).await;
    assert!(matches!(outcomes[0], Outcome::Moved { row: Some(_), .. }), "{outcomes:?}");
    assert!(live.system.sources().iter().all(|source| source.channel != "Contact"), "it is polled");
}

#[tokio::test]
async fn a_thousand_records_are_one_call() {
    let live = Live::start(Style::Tagged).await;
    let before = live.client.calls();
    let writes = (0..1000).map(|number| create(&number.to_string(), &[("LastName", "x".into())])).collect();
    let keys: Vec<Key> = live.write(writes).await.iter().map(|outcome| done_key(outcome).to_owned()).collect();
    assert_eq!(live.client.calls() - before, 1);
    let before = live.client.calls();
    assert_eq!(live.rows(&keys).await.len(), 1000);
    assert!(live.client.calls() - before <= 2, "the rows, and who we are");
    // Pages without a hole, keys in order.
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let read = Read::Page { mapping: 0, side: Side::Left, since: Some(jiff::Timestamp::UNIX_EPOCH), after };
        let Answer::Rows { rows, next, server } = live.system.read(&read).await else { panic!("no rows") };
        assert!(server.is_some());
        seen.extend(rows.into_iter().map(|row| row.key));
        after = next;
        if after.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(seen, sorted);
    let Answer::Keys { keys: listed, next } =
        live.system.read(&Read::Keys { mapping: 0, side: Side::Left, after: Some(sorted[9].clone()) }).await
    else {
        panic!("no keys")
    };
    assert_eq!((listed, next), (sorted[10..].to_vec(), None));
}

#[tokio::test]
async fn parents_and_deletes_are_read() {
    let live = Live::start(Style::Tagged).await;
    let account = live.account("Acme").await;
    let writes = ["A", "B"]
        .map(|name| create(name, &[("LastName", name.into()), ("AccountId", account.as_str().into())]))
        .to_vec();
    let keys: Vec<Key> = live.write(writes).await.iter().map(|outcome| done_key(outcome).to_owned()).collect();
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5);
    let rows = live.rows(&keys).await;
    assert!(
        rows.iter()
            .all(|row| *shown(row, "Account.Name") == "Acme".into()
                && *shown(row, "AccountId") == account.as_str().into())
    );
    let children = Read::Children { mapping: 0, via: "AccountId".to_owned(), parent: account.clone(), after: None };
    let Answer::Rows { rows, next: None, .. } = live.system.read(&children).await else { panic!("no children") };
    assert_eq!(
        rows.iter().map(|row| row.values.clone()).collect::<Vec<_>>(),
        vec![values(&[("Account.Name", "Acme".into())]); 2]
    );
    let external = |other: &str| Read::External { mapping: 0, side: Side::Left, other: other.to_owned() };
    let Answer::Rows { rows, .. } = live.system.read(&external("B")).await else { panic!("no row") };
    assert_eq!(rows.iter().map(|row| &row.key).collect::<Vec<_>>(), [&keys[1]]);
    assert!(matches!(live.system.read(&external("'; --")).await, Answer::Rows { rows, .. } if rows.is_empty()));
    // Many at once are few queries, and each is told its own.
    let (before, _) = live.system.usage().unwrap();
    let asked: Vec<String> = (0..300).map(|n| format!("x{n}")).chain(["b".to_owned()]).collect();
    let answers = asked.iter().map(|key| {
        let read = external(key);
        let system = &live.system;
        async move { system.read(&read).await }
    });
    let answers = futures_util::future::join_all(answers).await;
    let found = |answer: &Answer| matches!(answer, Answer::Rows { rows, .. } if !rows.is_empty());
    assert_eq!(answers.iter().map(found).filter(|found| *found).count(), 1);
    assert!(found(&answers[300]), "whatever its case");
    let (used, _) = live.system.usage().unwrap();
    assert!((1..=4).contains(&(used - before)), "{}", used - before);

    live.client.delete("Contact", &keys[0]).await.unwrap();
    let rows = live.rows(&keys).await;
    let deleted: Vec<(&Key, bool)> = rows.iter().map(|row| (&row.key, row.deleted)).collect();
    assert!(deleted.contains(&(&keys[0], true)) && deleted.contains(&(&keys[1], false)), "{deleted:?}");
    assert_eq!(shown(rows.iter().find(|row| row.deleted).unwrap(), "LastName"), &"A".into());
    let Answer::Deleted { keys: gone, complete } =
        live.system.read(&Read::Deleted { mapping: 0, side: Side::Left, since }).await
    else {
        panic!("no deletes")
    };
    assert!(complete && gone == [(keys[0].clone(), None)], "{gone:?}");
    let changed = Read::Page { mapping: 0, side: Side::Left, since: Some(since), after: None };
    assert!(
        matches!(live.system.read(&changed).await, Answer::Rows { rows, .. } if rows.iter().any(|row| row.deleted))
    );
    let all = Read::Page { mapping: 0, side: Side::Left, since: None, after: None };
    assert!(matches!(live.system.read(&all).await, Answer::Rows { rows, .. } if rows.len() == 1));
    assert!(matches!(
        live.system.read(&Read::Page { mapping: 0, side: Side::Left, since: None, after: Some(b"x".to_vec()) }).await,
        Answer::Failed(_)
    ));
}

#[tokio::test]
async fn a_record_that_was_merged_names_its_master() {
    let live = Live::start(Style::Tagged).await;
    let keys = live.contacts(&["A", "B"]).await;
    let source = SourceId { connection: "crm".to_owned(), channel: "Contact".to_owned() };
    let mut told = live.system.listen(&source, SourceState::default());
    assert!(matches!(told.next().await.unwrap().unwrap(), Told::Opened(_)));
    live.merge(&keys[0], &keys[1]).await;
    let mut deletes = Vec::new();
    while deletes.is_empty() {
        let (news, _) = heard(&mut told, 1).await;
        deletes.extend(news.into_iter().filter(|news| news.key.as_ref() == Some(&keys[1])));
    }
    assert_eq!(deletes[0].kind, NewsKind::Delete { merged_into: Some(keys[0].clone()) });
    assert_eq!(live.rows(&keys[1..]).await[0].merged_into.as_ref(), Some(&keys[0]));
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5);
    let read = Read::Deleted { mapping: 0, side: Side::Left, since };
    let Answer::Deleted { keys: gone, .. } = live.system.read(&read).await else { panic!("no deletes") };
    assert_eq!(gone, [(keys[1].clone(), Some(keys[0].clone()))]);
}

#[tokio::test]
async fn a_field_that_is_gone_is_left_out() {
    let live = Live::start(Style::Tagged).await;
    let keys = live.contacts(&["A"]).await;
    let hidden = live.org.inject(Fault::new(FaultKind::HideField).object("Contact").field("Email"));
    let rows = live.rows(&keys).await;
    assert_eq!(shown(&rows[0], "LastName"), &"A".into());
    assert!(rows[0].values.iter().all(|(name, _)| name != "Email"), "{rows:?}");
    let writes =
        vec![update(&keys[0], &[("FirstName", "x".into())]), update(&keys[0], &[("Email", "x@example.com".into())])];
    let outcomes = live.write(writes).await;
    assert_eq!(done_key(&outcomes[0]), keys[0]);
    assert!(
        matches!(&outcomes[1], Outcome::Refused(refusal) if refusal.code == "INVALID_FIELD" && refusal.fields == ["Email"]),
        "{outcomes:?}"
    );
    live.org.clear(hidden);
}

#[tokio::test]
async fn what_a_duplicate_rule_refuses_is_refused_asked_about_or_saved() {
    let live = Live::start(Style::Tagged).await;
    let system = |rules: WriteRules| {
        SalesforceSystem::new("crm", live.client.clone(), HashMap::from([("contact".to_owned(), rules)]))
    };
    let write = async |rules, write: Write| {
        let system = system(rules);
        system.prepare(plan(Style::Tagged, &FIELDS)).await.unwrap();
        system.write(&batch(vec![write]), fence()).await.remove(0)
    };
    live.org.inject(Fault::new(FaultKind::DuplicatesDetected).object("Contact").message("Is it Ann?"));
    let block = WriteRules::default();
    let ask = WriteRules { duplicates_asked: true, ..block };
    let allow = WriteRules { duplicates_allowed: true, ..block };
    let ann = |other: &str| create(other, &[("LastName", "Ann".into())]);
    let said = Refusal {
        code: "DUPLICATES_DETECTED".to_owned(),
        message: "Is it Ann?".to_owned(),
        fields: Vec::new(),
        passing: false,
    };
    assert_eq!(write(block, ann("1")).await, Outcome::Refused(said.clone()));
    assert_eq!(write(ask, ann("1")).await, Outcome::Questioned(said.clone()));
    let saved = write(allow, ann("1")).await;
    let edit = |key: &Key| update(key, &[("FirstName", "Ann".into())]);
    let key = done_key(&saved).to_owned();
    assert_eq!(write(ask, edit(&key)).await, Outcome::Questioned(said));
    // A person said that it is meant.
    assert!(matches!(write(ask, Write { insists: true, ..edit(&key) }).await, Outcome::Done { .. }));
    assert!(matches!(write(ask, Write { insists: true, ..ann("2") }).await, Outcome::Done { .. }));
    // Deleting is no duplicate.
    assert!(matches!(write(block, super::write(Operation::Delete(key), &[])).await, Outcome::Done { .. }));
}

#[tokio::test]
async fn calls_and_events_are_counted() {
    let live = Live::start(Style::Tagged).await;
    live.system.metered();
    let allocations = live.system.allocations().await.unwrap();
    let (used, limit) = allocations.calls.unwrap();
    assert!(used > 0 && limit == 15_000, "{allocations:?}");
    assert_eq!(allocations.events, Some((0, 10_000)));
    assert_eq!(live.system.metered(), Metered { calls: 1, events: 0 });
    let source = SourceId { connection: "crm".to_owned(), channel: "Contact".to_owned() };
    let mut told = live.system.listen(&source, SourceState::default());
    assert!(matches!(told.next().await, Some(Ok(Told::Opened(_)))));
    live.contacts(&["Ann", "Ben"]).await;
    let mut heard = 0;
    while heard < 2 {
        if let Some(Ok(Told::Heard(delivery))) = told.next().await {
            heard += delivery.news.len();
        }
    }
    let Metered { calls, events } = live.system.metered();
    assert!(calls >= 1 && events == 2, "{calls} calls, {events} events");
    assert_eq!(live.system.allocations().await.unwrap().events, Some((2, 10_000)));
    assert_eq!(live.system.usage().map(|(_, limit)| limit), Some(15_000));
}
