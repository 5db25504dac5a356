//! The objects that the semantic check knows here: enough for each kind of relationship and field.

use tombolo_soql::check::{FieldKind::*, MemorySchema};

pub(crate) fn schema() -> MemorySchema {
    let account = [
        ("Id", Id),
        ("Name", Text),
        ("Industry", Picklist),
        ("AnnualRevenue", Currency),
        ("NumberOfEmployees", Integer),
        ("Description", LongText),
        ("CreatedDate", DateTime),
        ("Active__c", Boolean),
        ("Founded__c", Date),
        ("Opens__c", Time),
        ("Colors__c", MultiPicklist),
        ("Loc__c", Location),
    ];
    MemorySchema::new()
        .object("Name", &[("Id", Id), ("Name", Text), ("Type", Text)])
        .object("User", &[("Id", Id), ("Name", Text)])
        .reference("ManagerId", "Manager", &["User"], None)
        .object("Account", &account)
        .reference("ParentId", "Parent", &["Account"], Some("ChildAccounts"))
        .reference("OwnerId", "Owner", &["User"], None)
        .object("Contact", &[("Id", Id), ("LastName", Text)])
        .reference("AccountId", "Account", &["Account"], Some("Contacts"))
        .object("Opportunity", &[("Id", Id), ("Name", Text), ("Amount", Currency)])
        .reference("AccountId", "Account", &["Account"], Some("Opportunities"))
        .object("Event", &[("Id", Id), ("Subject", Text)])
        .reference("WhatId", "What", &["Account", "Opportunity"], None)
}
