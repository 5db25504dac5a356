//! Which objects deliver change events: none in a new org, five without the add-on (streaming.md 2.6).

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use tombolo_schema::ErrorCode;

use super::{
    CdcSelection, Core, LimitProfile, ObjectDef, Registry,
    record::{Fault, Result},
    schema::Kind,
};

/// What an org without the add-on may select.
const WITHOUT_ADD_ON: usize = 5;

impl Core {
    /// The selected objects, by name.
    pub(crate) fn cdc_selected(&self) -> Vec<String> {
        self.selection().iter().cloned().collect()
    }

    /// Selects other objects, from the next write on.
    pub(crate) fn select_cdc(&self, selection: CdcSelection) -> Result<()> {
        let chosen = chosen(&self.schema(), self.limits().profile(), &selection)?;
        *self.0.selected.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(chosen);
        Ok(())
    }

    pub(super) fn selection(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.0.selected.read().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn chosen(
    registry: &Registry,
    profile: LimitProfile,
    selection: &CdcSelection,
) -> Result<BTreeSet<String>, Fault> {
    match selection {
        CdcSelection::None => Ok(BTreeSet::new()),
        CdcSelection::All => {
            Ok(registry.objects().iter().filter(|o| o.has_change_events()).map(|o| o.name.to_string()).collect())
        }
        CdcSelection::Named(names) => {
            let chosen = names.iter().map(|name| one(registry, name)).collect::<Result<BTreeSet<_>, Fault>>()?;
            if chosen.len() > WITHOUT_ADD_ON && profile != LimitProfile::Unlimited {
                let message = format!(
                    "{} objects are selected for change events; without the add-on an org may select {WITHOUT_ADD_ON}. \
                     Select all of them, or use the unlimited profile.",
                    chosen.len()
                );
                return Err(Fault::new(ErrorCode::from("LIMIT_EXCEEDED"), message));
            }
            Ok(chosen)
        }
    }
}

fn one(registry: &Registry, name: &str) -> Result<String, Fault> {
    let object = registry.object(name.trim());
    let object = object.ok_or_else(|| Fault::new(ErrorCode::InvalidType, format!("there is no object `{name}`")))?;
    if object.has_change_events() {
        return Ok(object.name.to_string());
    }
    Err(Fault::new(ErrorCode::InvalidType, format!("{} has no change events", object.name)))
}

/// Standard objects with change events, of those the org has.
const STANDARD: &[&str] = &[
    "Account",
    "AccountContactRole",
    "Address",
    "Asset",
    "AssetRelationship",
    "Campaign",
    "CampaignMember",
    "Case",
    "Contact",
    "Contract",
    "ContractLineItem",
    "EmailMessage",
    "Entitlement",
    "Event",
    "EventRelation",
    "Individual",
    "Lead",
    "Location",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "Order",
    "OrderItem",
    "Pricebook2",
    "PricebookEntry",
    "Product2",
    "Quote",
    "QuoteLineItem",
    "ServiceContract",
    "Task",
    "TaskRelation",
    "User",
    "WorkOrder",
    "WorkOrderLineItem",
];

impl ObjectDef {
    /// Whether it can be selected for change events.
    pub(crate) fn has_change_events(&self) -> bool {
        let custom = self.name.ends_with("__c") && !self.flags.custom_setting;
        self.kind == Kind::Rows && (custom || STANDARD.contains(&&*self.name))
    }
}
