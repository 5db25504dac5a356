//! How fast records are written over HTTP: collections of 200, alone and five in a composite request, with change events.
//!
//! `cargo bench -p tombolo-org --bench writes`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people, whose failures are bugs")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tombolo_org::{CdcSelection, LimitProfile, OrgConfig, RunningOrg};

const RECORDS: usize = 10_000;
const BATCH: usize = 200;
const PARTS: usize = 5;
const TURN: Duration = Duration::from_secs(5);

struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let request = self.http.request(method, format!("{}/services/data/v66.0/{path}", self.base));
        let request = request.bearer_auth(&self.token).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

#[tokio::main]
async fn main() {
    for (name, cdc) in [
        ("without change events", CdcSelection::None),
        ("with change events", CdcSelection::Named(vec!["Contact".to_owned()])),
    ] {
        let config = OrgConfig { cdc, limits: LimitProfile::Unlimited, ..OrgConfig::default() };
        let org = RunningOrg::start(config).await.unwrap();
        let (base, token) = (org.ready().instance_url.clone(), org.ready().access_token.clone());
        let client = Client { http: reqwest::Client::builder().no_proxy().build().unwrap(), base, token };
        println!("{name}");
        measure(&client).await;
        org.stop().await;
    }
}

async fn measure(client: &Client) {
    let started = Instant::now();
    let mut ids = Vec::new();
    for batch in 0..RECORDS / BATCH {
        let records =
            records(BATCH, |i| json!({ "LastName": format!("L{}", batch * BATCH + i), "Email": "a@example.com" }));
        let saved = client.send(reqwest::Method::POST, "composite/sobjects", &json!({ "records": records })).await;
        ids.extend(saved.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
    }
    tell("inserts, 200 a request", RECORDS, started);
    let mut round = 0;
    let mut body = |from: usize| {
        round += 1;
        let records = records(BATCH, |i| {
            let id = &ids[(from + i) % RECORDS];
            json!({ "id": id, "Title": format!("T{round}-{i}"), "Phone": format!("{round}") })
        });
        json!({ "allOrNone": false, "records": records })
    };
    let (mut written, started) = (0, Instant::now());
    while started.elapsed() < TURN {
        client.send(reqwest::Method::PATCH, "composite/sobjects", &body(written)).await;
        written += BATCH;
    }
    tell("updates, 200 a request", written, started);
    for all_or_none in [false, true] {
        let (mut written, started) = (0, Instant::now());
        while started.elapsed() < TURN {
            let parts = (0..PARTS).map(|part| {
                let body = body(written + part * BATCH);
                json!({ "method": "PATCH", "url": "/services/data/v66.0/composite/sobjects", "referenceId": format!("r{part}"),
                        "httpHeaders": { "Sforce-Call-Options": "client=bench.1.1.1" }, "body": body })
            });
            let request = json!({ "allOrNone": all_or_none, "compositeRequest": parts.collect::<Vec<_>>() });
            let answer = client.send(reqwest::Method::POST, "composite", &request).await;
            assert_eq!(answer["compositeResponse"][4]["body"][199]["success"], true, "{answer}");
            written += PARTS * BATCH;
        }
        tell(if all_or_none { "updates, 5 x 200, allOrNone" } else { "updates, 5 x 200 a request" }, written, started);
    }
}

fn records(count: usize, one: impl Fn(usize) -> Value) -> Vec<Value> {
    let with_type = |i: usize| {
        let mut record = one(i);
        record["attributes"] = json!({ "type": "Contact" });
        record
    };
    (0..count).map(with_type).collect()
}

fn tell(what: &str, records: usize, started: Instant) {
    println!("  {what:<32} {:>9.0} records/s", records as f64 / started.elapsed().as_secs_f64());
}
