//! Made-up customers and what happens to them; the same seed tells the same story.

use fastrand::Rng;
use futures_util::TryStreamExt as _;
use serde_json::{Value as Json, json};
use tombolo_client::{AllOrNone, Client, Fields, Record, SaveResult};

use crate::failure::Failure;

const ACCOUNTS: usize = 100;
const CONTACTS: usize = 200;
const SHIPMENTS: usize = 100;
const PLACES: [(&str, &str); 8] = [
    ("Oslo", "Norway"),
    ("Porto", "Portugal"),
    ("Lyon", "France"),
    ("Bern", "Switzerland"),
    ("Graz", "Austria"),
    ("Ghent", "Belgium"),
    ("Turku", "Finland"),
    ("Padua", "Italy"),
];
const TRADES: [&str; 6] = ["Bakery", "Boatyard", "Pottery", "Printworks", "Nursery", "Foundry"];
const FIRST: [&str; 10] = ["Ada", "Bela", "Carl", "Dora", "Emil", "Finn", "Gita", "Hugo", "Ines", "Jara"];
const LAST: [&str; 10] = ["Aalto", "Brun", "Costa", "Dubois", "Egger", "Falk", "Greco", "Haas", "Ivanov", "Janda"];
const TITLES: [&str; 5] = ["Owner", "Head of Sales", "Buyer", "Accountant", "Harbour Master"];
const STATUSES: [&str; 3] = ["Packed", "On its way", "Delivered"];

/// A record that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Touched {
    pub(super) object: String,
    pub(super) id: String,
}

pub(super) struct Traffic {
    client: Client,
    random: Rng,
    accounts: Vec<String>,
    contacts: Vec<String>,
    shipments: Vec<String>,
}

impl Traffic {
    /// Takes up the org as it is, and fills it if it is empty.
    pub(super) async fn begin(client: Client, seed: u64) -> Result<Self, Failure> {
        let mut traffic = Self {
            accounts: ids(&client, "Account").await?,
            contacts: ids(&client, "Contact").await?,
            shipments: ids(&client, "Shipment__c").await?,
            random: Rng::with_seed(seed),
            client,
        };
        if traffic.accounts.is_empty() {
            traffic.fill().await?;
        }
        Ok(traffic)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        let accounts = (0..ACCOUNTS).map(|i| self.account(i)).collect();
        self.accounts = self.make("Account", accounts).await?;
        let contacts = (0..CONTACTS).map(|_| self.contact()).collect();
        self.contacts = self.make("Contact", contacts).await?;
        let shipments = (0..SHIPMENTS).map(|_| self.shipment()).collect();
        self.shipments = self.make("Shipment__c", shipments).await?;
        Ok(())
    }

    /// One thing that happens.
    pub(super) async fn step(&mut self) -> Result<Touched, Failure> {
        match self.random.u8(0..10) {
            0 => {
                let fields = self.contact();
                let id = self.make("Contact", vec![fields]).await?.pop().unwrap_or_default();
                self.contacts.push(id.clone());
                Ok(Touched { object: "Contact".to_owned(), id })
            }
            1 if self.contacts.len() > CONTACTS / 2 => {
                let id = self.contacts.swap_remove(self.random.usize(0..self.contacts.len()));
                self.client.delete("Contact", &id).await?;
                Ok(Touched { object: "Contact".to_owned(), id })
            }
            2 | 3 => {
                let employees = self.random.u32(1..500);
                let id = self.pick(&self.accounts.clone());
                self.change("Account", id, json!({ "NumberOfEmployees": employees })).await
            }
            4..=6 => {
                let status = self.random.choice(STATUSES).unwrap_or(STATUSES[0]);
                let id = self.pick(&self.shipments.clone());
                self.change("Shipment__c", id, json!({ "Status__c": status })).await
            }
            _ => {
                let title = self.random.choice(TITLES).unwrap_or(TITLES[0]);
                let phone = format!(
                    "+41 31 {:03} {:02} {:02}",
                    self.random.u16(0..1000),
                    self.random.u8(0..100),
                    self.random.u8(0..100)
                );
                let id = self.pick(&self.contacts.clone());
                self.change("Contact", id, json!({ "Title": title, "Phone": phone })).await
            }
        }
    }

    async fn change(&self, object: &str, id: String, fields: Json) -> Result<Touched, Failure> {
        self.client.update(object, &id, &fields_of(fields)).await?;
        Ok(Touched { object: object.to_owned(), id })
    }

    async fn make(&self, object: &str, rows: Vec<Json>) -> Result<Vec<String>, Failure> {
        let records: Vec<Record> = rows.into_iter().map(|row| Record::new(object, fields_of(row))).collect();
        let saved = self.client.collections().create(&records, AllOrNone::Yes).await?;
        saved
            .into_iter()
            .map(|result: SaveResult| {
                let why = result.errors.first().map(ToString::to_string);
                result
                    .id
                    .filter(|_| result.success)
                    .ok_or_else(|| Failure::failed(why.unwrap_or_else(|| "a record was not made".to_owned())))
            })
            .collect()
    }

    fn pick(&mut self, ids: &[String]) -> String {
        ids[self.random.usize(0..ids.len())].clone()
    }

    fn choice<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(0..of.len())]
    }

    fn account(&mut self, number: usize) -> Json {
        let (city, country) = self.choice(&PLACES);
        let trade = self.choice(&TRADES);
        json!({
            "Name": format!("{city} {trade} {number}"),
            "BillingCity": city,
            "BillingCountry": country,
            "NumberOfEmployees": self.random.u32(1..500),
            "AnnualRevenue": f64::from(self.random.u32(10_000..9_000_000)) / 100.0,
        })
    }

    fn contact(&mut self) -> Json {
        let (first, last) = (self.choice(&FIRST), self.choice(&LAST));
        json!({
            "FirstName": first,
            "LastName": last,
            "Email": format!("{}.{}{}@example.com", first.to_lowercase(), last.to_lowercase(), self.random.u32(0..10_000)),
            "Title": self.choice(&TITLES),
            "AccountId": self.pick(&self.accounts.clone()),
        })
    }

    fn shipment(&mut self) -> Json {
        json!({
            "Account__c": self.pick(&self.accounts.clone()),
            "Weight__c": f64::from(self.random.u32(10..100_000)) / 100.0,
            "Due__c": format!("2027-{:02}-{:02}", self.random.u8(1..13), self.random.u8(1..29)),
        })
    }
}

fn fields_of(json: Json) -> Fields {
    match json {
        Json::Object(fields) => fields,
        _ => Fields::new(),
    }
}

async fn ids(client: &Client, object: &str) -> Result<Vec<String>, Failure> {
    let mut records = client.query(format!("SELECT Id FROM {object} ORDER BY Id"));
    let mut ids = Vec::new();
    while let Some(record) = records.try_next().await? {
        ids.extend(record.id().map(str::to_owned));
    }
    Ok(ids)
}
