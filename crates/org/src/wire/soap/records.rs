//! Merges and lead conversions: what REST cannot do with records.

use tombolo_schema::Id;

use super::{
    SoapFault, client_fault,
    envelope::{Element, Xml},
    error_elements,
};
use crate::core::{
    Conversion, Converted, Merge, Merged,
    record::{Input, RowInput},
};

/// The requests of a `merge`.
pub(super) fn merges(operation: &Element) -> Result<Vec<Merge>, SoapFault> {
    let requests = operation.children.iter().filter(|child| child.name == "request");
    requests.map(merge).collect()
}

fn merge(request: &Element) -> Result<Merge, SoapFault> {
    let master =
        request.child("masterRecord").ok_or_else(|| client_fault("A merge request has no masterRecord".to_owned()))?;
    let (mut object, mut id, mut row) = (String::new(), String::new(), RowInput::default());
    for field in &master.children {
        let text = field.text.clone();
        match field.name.as_str() {
            "type" => object = text,
            "Id" => id = text.trim().to_owned(),
            "fieldsToNull" => row.fields.push((text.trim().to_owned(), Input::Null)),
            name => row.fields.push((name.to_owned(), Input::Untyped(text))),
        }
    }
    let others = request.texts_of("recordToMergeIds").map(str::to_owned).collect();
    Ok(Merge { object, master: id, row, others })
}

pub(super) fn merged(results: &[Merged]) -> Xml {
    results.iter().fold(Xml::default(), |xml, result| {
        let own = error_elements(&result.saved.faults);
        let own = id_or_nil(own, "id", result.saved.id);
        let own = result.merged.iter().fold(own, |own, id| own.text("mergedRecordIds", id.as_str()));
        let own = own.text("success", if result.saved.faults.is_empty() { "true" } else { "false" });
        let own = result.related.iter().fold(own, |own, id| own.text("updatedRelatedIds", id.as_str()));
        xml.parent("result", own)
    })
}

/// The requests of a `convertLead`.
pub(super) fn conversions(operation: &Element) -> Vec<Conversion> {
    operation.children.iter().filter(|child| child.name == "leadConverts").map(conversion).collect()
}

fn conversion(request: &Element) -> Conversion {
    let given = |name: &str| Some(request.text_of(name).trim().to_owned()).filter(|text| !text.is_empty());
    let is = |name: &str| request.text_of(name).trim() == "true";
    Conversion {
        lead: given("leadId").unwrap_or_default(),
        status: given("convertedStatus").unwrap_or_default(),
        account: given("accountId"),
        contact: given("contactId"),
        opportunity: given("opportunityId"),
        opportunity_name: given("opportunityName"),
        without_opportunity: is("doNotCreateOpportunity"),
        overwrite_lead_source: is("overwriteLeadSource"),
        owner: given("ownerId"),
    }
}

pub(super) fn converted(results: &[Converted]) -> Xml {
    results.iter().fold(Xml::default(), |xml, result| {
        let own = id_or_nil(Xml::default(), "accountId", result.account);
        let own = id_or_nil(own, "contactId", result.contact).append(error_elements(&result.saved.faults));
        let own = id_or_nil(own, "leadId", result.saved.id);
        let own = id_or_nil(own, "opportunityId", result.opportunity);
        xml.parent("result", own.text("success", if result.saved.faults.is_empty() { "true" } else { "false" }))
    })
}

fn id_or_nil(xml: Xml, name: &str, id: Option<Id>) -> Xml {
    match id {
        Some(id) => xml.text(name, id.as_str()),
        None => xml.nil(name),
    }
}
