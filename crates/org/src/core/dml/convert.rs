//! Lead conversion: an account, a contact and an opportunity come of a lead, which cannot be changed any more.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use tombolo_schema::{ErrorCode, Id};

use super::{
    Condition, faults, insert,
    update::{live_row, meant, save, stamp, update_one},
    work::{Outcome, Work},
};
use crate::{
    core::{
        Caller, Core, ObjectDef,
        events::ChangeType,
        record::{Atomicity, Fault, Input, Result, RowInput, Saved},
    },
    store::Cell,
};

/// The statuses that a new org has for converted leads.
const CONVERTED: &[&str] = &["Closed - Converted"];
/// The stage in which an opportunity begins.
const FIRST_STAGE: &str = "Prospecting";

/// How a lead is to be converted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conversion {
    pub(crate) lead: String,
    pub(crate) status: String,
    /// Into these, if they are there already.
    pub(crate) account: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) opportunity: Option<String>,
    pub(crate) opportunity_name: Option<String>,
    pub(crate) without_opportunity: bool,
    pub(crate) overwrite_lead_source: bool,
    pub(crate) owner: Option<String>,
}

/// What became of a conversion.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) saved: Saved,
    pub(crate) account: Option<Id>,
    pub(crate) contact: Option<Id>,
    pub(crate) opportunity: Option<Id>,
}

impl Core {
    /// Converts leads, each for itself.
    pub(crate) fn convert_leads(&self, caller: &Caller, requests: Vec<Conversion>) -> Result<Vec<Converted>> {
        let mut results = Vec::new();
        let target = |request: &Conversion| Id::parse(&request.lead).ok();
        let saved = self.write_each(caller, requests, Atomicity::EachRecord, target, |work, request| {
            results.push((None, None, None));
            let (lead, made) = convert(work, &request)?;
            if let Some(last) = results.last_mut() {
                *last = made;
            }
            Ok(Outcome::Changed(lead))
        })?;
        let results = saved.into_iter().zip(results);
        Ok(results
            .map(|(saved, (account, contact, opportunity))| Converted { saved, account, contact, opportunity })
            .collect())
    }
}

type Made = (Option<Id>, Option<Id>, Option<Id>);

fn convert(work: &mut Work<'_>, request: &Conversion) -> Result<(Id, Made)> {
    let (object, lead) = meant(work, Some("Lead"), &request.lead)?;
    let row = live_row(work, &object, lead)?;
    check_not_converted(&object, &row)?;
    if !CONVERTED.iter().any(|status| status.eq_ignore_ascii_case(&request.status)) {
        let message = format!("invalid convertedStatus: {}", request.status);
        return Err(Fault::of_fields(ErrorCode::from("INVALID_STATUS"), message, &[]).into());
    }
    let source = Lead { object: &object, row: &row };
    let owner = match &request.owner {
        Some(owner) => owner.clone(),
        None => source.text("OwnerId").unwrap_or_default(),
    };
    let account = match &request.account {
        Some(id) => meant(work, Some("Account"), id)?.1,
        None => make(work, "Account", source.account(), &[("OwnerId", &owner)])?,
    };
    let contact = contact(work, request, &source, account, &owner)?;
    let opportunity = opportunity(work, request, &source, account, &owner)?;
    close(work, &object, lead, &row, (request, account, contact, opportunity))?;
    if let (Some(opportunity), None) = (opportunity, &request.opportunity) {
        let role = vec![
            ("OpportunityId", opportunity.to_string()),
            ("ContactId", contact.to_string()),
            ("IsPrimary", "true".to_owned()),
        ];
        make(work, "OpportunityContactRole", role, &[])?;
    }
    Ok((lead, (Some(account), Some(contact), opportunity)))
}

fn contact(work: &mut Work<'_>, request: &Conversion, lead: &Lead<'_>, account: Id, owner: &str) -> Result<Id> {
    let Some(id) = &request.contact else {
        return make(work, "Contact", lead.contact(), &[("AccountId", account.as_str()), ("OwnerId", owner)]);
    };
    // What the contact has stays; what it lacks, the lead gives.
    let (object, id) = meant(work, Some("Contact"), id)?;
    let row = live_row(work, &object, id)?;
    let lacks = |name: &str| object.column_of(name).is_some_and(|at| row[at] == Cell::Null);
    let wanted = |name: &str| lacks(name) || (name == "LeadSource" && request.overwrite_lead_source);
    let fields = lead.contact().into_iter().filter(|(name, _)| wanted(name));
    update_one(work, &object, id, &input(fields, &[]), &Condition::default())?;
    Ok(id)
}

fn opportunity(
    work: &mut Work<'_>,
    request: &Conversion,
    lead: &Lead<'_>,
    account: Id,
    owner: &str,
) -> Result<Option<Id>> {
    if let Some(id) = &request.opportunity {
        return Ok(Some(meant(work, Some("Opportunity"), id)?.1));
    }
    if request.without_opportunity {
        return Ok(None);
    }
    let name = request.opportunity_name.clone().filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| format!("{}-", lead.text("Company").unwrap_or_default()));
    let close = end_of_quarter(work.now).to_string();
    let fields = lead.picked(&[("LeadSource", "LeadSource")]);
    let given = [
        ("Name", name.as_str()),
        ("StageName", FIRST_STAGE),
        ("CloseDate", &close),
        ("AccountId", account.as_str()),
        ("OwnerId", owner),
    ];
    make(work, "Opportunity", fields, &given).map(Some)
}

fn end_of_quarter(now: Timestamp) -> Date {
    let today = now.to_zoned(TimeZone::UTC).date();
    let last_month = (today.month() - 1) / 3 * 3 + 3;
    let first = Date::new(today.year(), last_month, 1).unwrap_or(today);
    first.saturating_add(1.month()).saturating_sub(1.day())
}

/// The lead is told what became of it.
fn close(
    work: &mut Work<'_>,
    object: &Arc<ObjectDef>,
    lead: Id,
    before: &[Cell],
    (request, account, contact, opportunity): (&Conversion, Id, Id, Option<Id>),
) -> Result<()> {
    let mut after = before.to_vec();
    let status = CONVERTED.iter().find(|status| status.eq_ignore_ascii_case(&request.status)).copied();
    let text = |value: &str| Cell::Text(value.to_owned());
    let mut values = vec![
        ("IsConverted", Cell::Integer(1)),
        ("ConvertedDate", text(&work.now.to_zoned(TimeZone::UTC).date().to_string())),
        ("ConvertedAccountId", text(account.as_str())),
        ("ConvertedContactId", text(contact.as_str())),
        ("Status", text(status.unwrap_or(&request.status))),
    ];
    values.extend(opportunity.map(|id| ("ConvertedOpportunityId", text(id.as_str()))));
    for (name, cell) in values {
        if let Some(at) = object.column_of(name) {
            after[at] = cell;
        }
    }
    stamp(work, object, &mut after);
    save(work, object, lead, ChangeType::Update, before.to_vec(), after)
}

/// A lead that was converted is closed to everybody.
pub(super) fn check_not_converted(object: &ObjectDef, row: &[Cell]) -> Result<()> {
    let is_lead = &*object.name == "Lead";
    if is_lead && object.column_of("IsConverted").is_some_and(|at| row[at] == Cell::Integer(1)) {
        return Err(faults::converted().into());
    }
    Ok(())
}

fn make(work: &mut Work<'_>, object: &str, fields: Vec<(&'static str, String)>, given: &[(&str, &str)]) -> Result<Id> {
    let object = work.object(object)?;
    insert::insert_record(work, &object, &input(fields.into_iter(), given), None)
}

fn input(fields: impl Iterator<Item = (&'static str, String)>, given: &[(&str, &str)]) -> RowInput {
    let fields = fields.map(|(name, value)| (name.to_owned(), Input::Untyped(value)));
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), Input::Untyped((*value).to_owned())));
    RowInput { fields: fields.chain(given).collect() }
}

/// The lead as the others come of it.
struct Lead<'a> {
    object: &'a ObjectDef,
    row: &'a [Cell],
}

impl Lead<'_> {
    fn text(&self, name: &str) -> Option<String> {
        match self.object.column_of(name).and_then(|at| self.row.get(at))? {
            Cell::Text(text) => Some(text.clone()),
            Cell::Integer(number) => Some(number.to_string()),
            Cell::Real(number) => Some(number.to_string()),
            Cell::Null | Cell::Blob(_) => None,
        }
    }

    /// What the lead has of these fields, under the names they have elsewhere.
    fn picked(&self, names: &[(&str, &'static str)]) -> Vec<(&'static str, String)> {
        names.iter().filter_map(|(from, to)| Some((*to, self.text(from)?))).collect()
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        self.picked(&[
            ("Company", "Name"),
            ("Phone", "Phone"),
            ("Fax", "Fax"),
            ("Website", "Website"),
            ("Industry", "Industry"),
            ("AnnualRevenue", "AnnualRevenue"),
            ("NumberOfEmployees", "NumberOfEmployees"),
            ("Rating", "Rating"),
            ("Street", "BillingStreet"),
            ("City", "BillingCity"),
            ("State", "BillingState"),
            ("PostalCode", "BillingPostalCode"),
            ("Country", "BillingCountry"),
        ])
    }

    fn contact(&self) -> Vec<(&'static str, String)> {
        self.picked(&[
            ("LastName", "LastName"),
            ("FirstName", "FirstName"),
            ("Salutation", "Salutation"),
            ("Title", "Title"),
            ("Email", "Email"),
            ("Phone", "Phone"),
            ("MobilePhone", "MobilePhone"),
            ("Fax", "Fax"),
            ("LeadSource", "LeadSource"),
            ("Description", "Description"),
            ("HasOptedOutOfEmail", "HasOptedOutOfEmail"),
            ("Street", "MailingStreet"),
            ("City", "MailingCity"),
            ("State", "MailingState"),
            ("PostalCode", "MailingPostalCode"),
            ("Country", "MailingCountry"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_end() {
        for (now, end) in [
            ("2026-01-01T00:00:00Z", "2026-03-31"),
            ("2026-06-30T23:59:59Z", "2026-06-30"),
            ("2026-11-22T00:00:00Z", "2026-12-31"),
        ] {
            assert_eq!(end_of_quarter(now.parse().unwrap()).to_string(), end);
        }
    }
}
