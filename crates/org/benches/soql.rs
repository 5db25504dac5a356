//! How fast SOQL is: parsing alone, the org's queries beside the SQL that finds the same rows, and queries over HTTP.
//!
//! `cargo xtask bench soql`. A kind of query fails when it has less than half the rate of its SQL.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people, whose failures are bugs")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::json;
use tombolo_org::{LimitProfile, OrgConfig, RunningOrg, Storage, bench::BenchOrg};

const ACCOUNTS: usize = 2_000;
const CONTACTS: usize = 10_000;
const OPPORTUNITIES: usize = 100_000;
/// How long each side of a comparison runs before it is the other's turn, and how many turns both have.
const TURN: Duration = Duration::from_millis(60);
const TURNS: usize = 21;
/// What a kind of query has to reach of the rate of its SQL.
const LEAST: f64 = 0.5;

fn main() -> ExitCode {
    parsing();
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(folder.path().to_owned());
    let org = BenchOrg::open(storage.clone()).unwrap();
    let accounts = seed(&org);
    let kinds = kinds();
    let slow = queries(&org, &kinds, &accounts);
    drop(org);
    http(storage, &kinds, &accounts);
    if slow.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("below {:.0} % of the rate of SQL: {}", 100.0 * LEAST, slow.join(", "));
    ExitCode::FAILURE
}

fn parsing() {
    let list: Vec<String> = (0..4_500).map(|n| format!("'001{n:015}'")).collect();
    let long = format!("SELECT Id, Name FROM Account WHERE Id IN ({})", list.join(", "));
    let long = &long[..long.floor_char_boundary(tombolo_soql::MAX_LENGTH - 1)];
    let long = format!("{})", &long[..long.rfind(',').unwrap()]);
    println!("{:<44} {:>12} {:>10}", "parse", "a second", "MB/s");
    for (name, text) in [
        ("by Id", "SELECT Id, Name, Industry FROM Account WHERE Id = '001000000000001AAA'"),
        (
            "parents and conditions",
            "SELECT Id, Name, Account.Name, Owner.Name FROM Contact WHERE (Name LIKE 'A%' OR Account.Industry IN ('A', 'B')) \
             AND CreatedDate = LAST_N_DAYS:30 ORDER BY Name DESC NULLS LAST LIMIT 200",
        ),
        (
            "child sets",
            "SELECT Id, (SELECT Id, Name FROM Contacts WHERE Email != NULL), (SELECT Id FROM Opportunities) FROM Account",
        ),
        (
            "grouped",
            "SELECT StageName, COUNT(Id) n, SUM(Amount) FROM Opportunity GROUP BY StageName HAVING COUNT(Id) > 1",
        ),
        ("IN list of 100,000 characters", &long),
    ] {
        let options = tombolo_soql::Options::default();
        let rates: Vec<f64> =
            (0..TURNS).map(|_| rate(|_| drop(black_box(tombolo_soql::parse(text, options).unwrap())))).collect();
        let rate = median(rates);
        println!("{name:<44} {rate:>12.0} {:>10.0}", rate * text.len() as f64 / 1e6);
    }
}

fn seed(org: &BenchOrg) -> Vec<String> {
    let start = Instant::now();
    let industries = ["Banking", "Energy", "Education", "Retail"];
    let stages = ["Prospecting", "Qualification", "Closed Won", "Closed Lost"];
    let accounts = insert(org, "Account", ACCOUNTS, |n| {
        vec![
            ("Name", json!(format!("Account {n}"))),
            ("Industry", json!(industries[n % 4])),
            ("AnnualRevenue", json!(n * 1000)),
        ]
    });
    insert(org, "Contact", CONTACTS, |n| {
        vec![
            ("FirstName", json!(format!("First {n}"))),
            ("LastName", json!(format!("Last {n}"))),
            ("Email", json!(format!("c{n}@example.com"))),
            ("AccountId", json!(accounts[n % ACCOUNTS])),
        ]
    });
    insert(org, "Opportunity", OPPORTUNITIES, |n| {
        vec![
            ("Name", json!(format!("Opportunity {n}"))),
            ("StageName", json!(stages[n % 4])),
            ("Amount", json!(n % 1000)),
            ("CloseDate", json!(format!("2026-{:02}-{:02}", n % 12 + 1, n % 28 + 1))),
            ("AccountId", json!(accounts[n % ACCOUNTS])),
        ]
    });
    println!("\n{} rows made in {:.0} s", ACCOUNTS + CONTACTS + OPPORTUNITIES, start.elapsed().as_secs_f64());
    accounts
}

type Row = Vec<(&'static str, serde_json::Value)>;

fn insert(org: &BenchOrg, object: &str, count: usize, row: impl Fn(usize) -> Row) -> Vec<String> {
    let numbers: Vec<usize> = (0..count).collect();
    numbers.chunks(2_000).flat_map(|some| org.insert(object, some.iter().map(|&n| row(n)).collect()).unwrap()).collect()
}

/// A kind of query: for some Ids of accounts the SOQL, and the SQL that finds the same rows.
struct Kind {
    name: &'static str,
    ids: usize,
    soql: fn(&str) -> String,
    sql: fn(&str) -> Vec<String>,
    /// The least share of the rate of SQL; none where the figure is only told.
    least: Option<f64>,
}

fn kinds() -> [Kind; 6] {
    let by_id = Kind {
        name: "by Id",
        least: Some(LEAST),
        ids: 1,
        soql: |id| format!("SELECT Id, Name, Industry, AnnualRevenue, CreatedDate FROM Account WHERE Id = {id}"),
        sql: |id| {
            vec![format!(
                "SELECT Id, Name, Industry, AnnualRevenue, CreatedDate FROM Account WHERE Id = {id} AND IsDeleted = 0"
            )]
        },
    };
    let filter = Kind {
        name: "indexed filter, 5 rows",
        least: Some(LEAST),
        ids: 1,
        soql: |id| format!("SELECT Id, Name, Email, CreatedDate FROM Contact WHERE AccountId = {id}"),
        sql: |id| {
            vec![format!("SELECT Id, Name, Email, CreatedDate FROM Contact WHERE AccountId = {id} AND IsDeleted = 0")]
        },
    };
    let parents = Kind {
        name: "parent path, 50 rows",
        least: Some(LEAST),
        ids: 1,
        soql: |id| {
            format!("SELECT Id, Name, Amount, Account.Name, Account.Owner.Name FROM Opportunity WHERE AccountId = {id}")
        },
        sql: |id| {
            vec![format!(
                "SELECT o.Id, o.Name, o.Amount, a.Id, a.Name, u.Id, u.Name FROM Opportunity o LEFT JOIN Account a ON \
                 a.Id = o.AccountId LEFT JOIN User u ON u.Id = a.OwnerId WHERE o.AccountId = {id} AND o.IsDeleted = 0"
            )]
        },
    };
    let children = Kind {
        name: "child sets, 10 parents with 55 rows each",
        least: Some(LEAST),
        ids: 10,
        soql: |ids| {
            format!(
                "SELECT Id, Name, (SELECT Id, Name, Email FROM Contacts), (SELECT Id, Name, Amount FROM Opportunities) \
                 FROM Account WHERE Id IN ({ids})"
            )
        },
        sql: |ids| {
            vec![
                format!("SELECT Id, Name FROM Account WHERE Id IN ({ids}) AND IsDeleted = 0"),
                format!("SELECT Id, Name, Email, AccountId FROM Contact WHERE AccountId IN ({ids}) AND IsDeleted = 0"),
                format!(
                    "SELECT Id, Name, Amount, AccountId FROM Opportunity WHERE AccountId IN ({ids}) AND IsDeleted = 0"
                ),
            ]
        },
    };
    let page = Kind {
        name: "a page of 2,000 rows",
        least: None,
        ids: 1,
        soql: |_| "SELECT Id, Name, StageName, Amount, CloseDate FROM Opportunity LIMIT 2000".to_owned(),
        sql: |_| {
            let columns =
                "SELECT Id, Name, StageName, Amount, CloseDate FROM Opportunity WHERE IsDeleted = 0 LIMIT 2000";
            vec![columns.to_owned()]
        },
    };
    let grouped = Kind {
        name: "aggregate over 100,000 rows",
        least: Some(LEAST),
        ids: 1,
        soql: |_| "SELECT StageName, COUNT(Id) n, SUM(Amount) total FROM Opportunity GROUP BY StageName".to_owned(),
        sql: |_| {
            let text = "SELECT StageName, COUNT(Id) n, SUM(Amount) total FROM Opportunity WHERE IsDeleted = 0 GROUP BY StageName";
            vec![text.to_owned()]
        },
    };
    [by_id, filter, parents, children, page, grouped]
}

/// The Ids that a kind of query asks for the `n`th time.
fn ids(kind: &Kind, accounts: &[String], n: usize) -> String {
    let ids = (0..kind.ids).map(|i| format!("'{}'", accounts[(n * 7 + i * 191) % accounts.len()]));
    ids.collect::<Vec<_>>().join(", ")
}

/// A table; returns the kinds that are too slow.
fn queries(org: &BenchOrg, kinds: &[Kind], accounts: &[String]) -> Vec<&'static str> {
    println!("\n{:<44} {:>12} {:>12} {:>8}", "query, in process", "SOQL/s", "SQL/s", "ratio");
    let mut slow = Vec::new();
    for kind in kinds {
        let soql = |n| drop(black_box(org.query(&(kind.soql)(&ids(kind, accounts, n))).unwrap()));
        let sql = |n| drop(black_box(org.sql(&(kind.sql)(&ids(kind, accounts, n))).unwrap()));
        let turns: Vec<(f64, f64)> = (0..TURNS).map(|_| (rate(soql), rate(sql))).collect();
        let ratio = median(turns.iter().map(|(soql, sql)| soql / sql).collect());
        let (soql, sql): (Vec<f64>, Vec<f64>) = turns.into_iter().unzip();
        println!("{:<44} {:>12.0} {:>12.0} {:>7.0}%", kind.name, median(soql), median(sql), 100.0 * ratio);
        if kind.least.is_some_and(|least| ratio < least) {
            slow.push(kind.name);
        }
    }
    slow
}

fn http(storage: Storage, kinds: &[Kind], accounts: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("\n{:<44} {:>12}", "query, over HTTP", "a second");
    runtime.block_on(async {
        let org = RunningOrg::start(OrgConfig { storage, limits: LimitProfile::Unlimited, ..OrgConfig::default() })
            .await
            .unwrap();
        let url = format!("{}/services/data/v67.0/query", org.ready().instance_url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for kind in kinds {
            let (start, mut done) = (Instant::now(), 0);
            while start.elapsed() < TURN * 10 {
                let soql = (kind.soql)(&ids(kind, accounts, done));
                let request = client.get(format!("{url}?q={}", encoded(&soql))).bearer_auth(&org.ready().access_token);
                let answer = request.send().await.unwrap().error_for_status().unwrap();
                black_box(answer.bytes().await.unwrap());
                done += 1;
            }
            println!("{:<44} {:>12.0}", kind.name, done as f64 / start.elapsed().as_secs_f64());
        }
        org.stop().await;
    });
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// How often something is done in a second.
fn rate(work: impl Fn(usize)) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < TURN || done == 0 {
        work(done);
        done += 1;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
