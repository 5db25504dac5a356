//! Who the org is, and the rows it starts with: its Organization, a profile, a user.

use tombolo_schema::{ApiVersion, Id};

use super::{
    Api, Caller, Core, ObjectDef,
    dml::Work,
    ids::{self, Seed},
    record::{CoreError, Result},
};
use crate::store::Cell;

/// A user, as identity answers and login need it.
#[derive(Debug, Clone)]
pub(crate) struct UserInfo {
    pub(crate) id: Id,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    /// `FirstName LastName`
    pub(crate) name: String,
    pub(crate) nickname: String,
    pub(crate) profile_id: Id,
    /// `GMT`
    pub(crate) time_zone: String,
    /// `en_US`, for both locale and language
    pub(crate) locale: String,
    /// `USD`
    pub(crate) currency: String,
}

/// The org's own facts, the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) org: Id,
    pub(crate) org_name: String,
    pub(crate) admin: UserInfo,
}

const USERNAME: &str = "admin@tombolo.test";

impl Identity {
    pub(super) fn of(seed: Seed) -> Result<Self> {
        let admin = UserInfo {
            id: seed.id("005", 1)?,
            username: USERNAME.to_owned(),
            email: USERNAME.to_owned(),
            first_name: "Tombolo".to_owned(),
            last_name: "Admin".to_owned(),
            name: "Tombolo Admin".to_owned(),
            nickname: "admin".to_owned(),
            profile_id: seed.id("00e", 1)?,
            time_zone: "GMT".to_owned(),
            locale: "en_US".to_owned(),
            currency: "USD".to_owned(),
        };
        Ok(Self { org: seed.id("00D", 1)?, org_name: "Tombolo".to_owned(), admin })
    }
}

impl Core {
    /// The org itself as a caller: its user, through no API.
    pub(super) fn internal_caller(&self) -> Caller {
        Caller {
            user_id: self.0.identity.admin.id,
            api: Api::Internal,
            version: ApiVersion::DEFAULT,
            client: None,
            duplicates_allowed: false,
            session: String::new(),
        }
    }

    /// The rows of a new org.
    pub(super) fn add_first_rows(&self, work: &mut Work<'_>) -> Result<()> {
        let Identity { org, org_name, admin } = &self.0.identity;
        let license = self.seed().id("100", 1)?;
        let values = [("Name", text("Salesforce")), ("LicenseDefinitionKey", text("SFDC")), ("Status", text("Active"))];
        add(work, "UserLicense", license, &values)?;
        let values = [
            ("Name", text("System Administrator")),
            ("UserType", text("Standard")),
            ("UserLicenseId", text(license.as_str())),
        ];
        add(work, "Profile", admin.profile_id, &values)?;
        add(work, "User", admin.id, &user_values(admin))?;
        add(work, "Organization", *org, &organization_values(org_name, admin))
    }
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn user_values(user: &UserInfo) -> Vec<(&'static str, Cell)> {
    vec![
        ("Username", text(&user.username)),
        ("FirstName", text(&user.first_name)),
        ("LastName", text(&user.last_name)),
        ("Name", text(&user.name)),
        ("Email", text(&user.email)),
        ("Alias", text("admin")),
        ("CommunityNickname", text(&user.nickname)),
        ("IsActive", Cell::Integer(1)),
        ("TimeZoneSidKey", text(&user.time_zone)),
        ("LocaleSidKey", text(&user.locale)),
        ("LanguageLocaleKey", text(&user.locale)),
        ("EmailEncodingKey", text("UTF-8")),
        ("ProfileId", text(user.profile_id.as_str())),
        ("UserType", text("Standard")),
        ("DigestFrequency", text("N")),
        ("DefaultGroupNotificationFrequency", text("N")),
    ]
}

fn organization_values(name: &str, admin: &UserInfo) -> Vec<(&'static str, Cell)> {
    vec![
        ("Name", text(name)),
        ("Country", text("US")),
        ("PrimaryContact", text(&admin.name)),
        ("DefaultLocaleSidKey", text(&admin.locale)),
        ("TimeZoneSidKey", text(&admin.time_zone)),
        ("LanguageLocaleKey", text(&admin.locale)),
        ("FiscalYearStartMonth", Cell::Integer(1)),
        ("OrganizationType", text("Developer Edition")),
        ("InstanceName", text("TMB1")),
        ("UiSkin", text("Theme3")),
        ("NumKnowledgeService", Cell::Integer(0)),
        ("MonthlyPageViewsUsed", Cell::Integer(0)),
        ("MonthlyPageViewsEntitlement", Cell::Integer(0)),
    ]
}

/// Adds a row that no client could: the org makes it itself.
fn add(work: &mut Work<'_>, object: &str, id: Id, values: &[(&str, Cell)]) -> Result<()> {
    let object = work.registry.object(object).cloned();
    let object = object.ok_or_else(|| CoreError::Internal("a standard object is missing".to_owned()))?;
    let mut row = blank(work, &object);
    let id_cell = Cell::Text(id.as_str().to_owned());
    for (name, cell) in values.iter().chain([&("Id", id_cell)]) {
        if let Some(column) = object.column_of(name) {
            row[column] = cell.clone();
        }
    }
    object.rows().insert(work.connection, &row)?;
    // The next record of the object is the second.
    ids::next(work.connection, &format!("id {}", object.name), 1)?;
    Ok(())
}

fn blank(work: &Work<'_>, object: &ObjectDef) -> Vec<Cell> {
    let mut row = vec![Cell::Null; object.columns().len()];
    crate::core::dml::defaults(work, object, &mut row, &[]);
    row
}
