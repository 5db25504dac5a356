//! SOAP, partner and enterprise: logging in, and what REST cannot do (rest.md 1.14, metadata.md 4).

mod envelope;
mod records;

use http::StatusCode;
use tombolo_schema::{ApiVersion, ErrorCode};

use self::envelope::{Element, Envelope, Xml};
use super::{
    answer::{self, Outcome, Refusal, Reply},
    call::Call,
    dispatch::{NEWEST, OLDEST},
    gate::{Counted, Untouched},
};
use crate::core::{
    Api, Caller, UserInfo, limits,
    record::{CoreError, Fault, Saved},
    security::{SESSION_TIMEOUT, Session},
};

/// From 65.0 on there is no login() (rest.md 1.14).
const LAST_LOGIN: ApiVersion = ApiVersion::new(64);
const MAX_IDS: usize = 200;

/// What went wrong: the kind of fault, its code, its text.
struct SoapFault {
    element: &'static str,
    code: String,
    message: String,
}

/// What an operation answers with.
struct Answered {
    body: Xml,
    /// Whether it counts as an API call.
    counted: bool,
    wrote: bool,
}

/// `POST /services/Soap/u/64.0`
pub(crate) fn serve(call: &Call) -> Outcome {
    let dialect = if call.path.starts_with("/services/Soap/c") { "enterprise" } else { "partner" };
    let answered = String::from_utf8(call.body.to_vec())
        .map_err(|_| "The request is not UTF-8".to_owned())
        .and_then(|text| envelope::read(&text))
        .map_err(client_fault)
        .and_then(|envelope| {
            let name = envelope.operation.name.clone();
            operate(call, dialect, &envelope).map(|answered| (name, answered))
        });
    match answered {
        Ok((name, answered)) => Ok(success(call, dialect, &name, answered)),
        Err(fault) => Err(Refusal::Finished(Box::new(refused(dialect, &fault)))),
    }
}

fn operate(call: &Call, dialect: &str, envelope: &Envelope) -> Result<Answered, SoapFault> {
    let operation = &envelope.operation;
    let is_login = operation.name == "login";
    let newest = if is_login { LAST_LOGIN } else { NEWEST };
    if call.version < OLDEST || call.version > newest {
        let what = if is_login && call.version > newest { "login() is not available in" } else { "Invalid" };
        let message = format!("{what} API version {}", call.param("version").chars().take(20).collect::<String>());
        return Err(unexpected(&ErrorCode::UnsupportedApiVersion, message));
    }
    if is_login {
        return login(call, dialect, operation);
    }
    let session = session_of(call, envelope)?;
    let caller = || Caller {
        user_id: session.user_id,
        api: Api::Soap,
        version: call.version,
        client: client_of(envelope),
        duplicates_allowed: false,
        session: session.token.clone(),
    };
    let core = &call.app.core;
    let quietly = |body| Ok(Answered { body, counted: true, wrote: false });
    let wrote = |results: Vec<Saved>| Ok(Answered { body: saved(&results), counted: true, wrote: true });
    match operation.name.as_str() {
        "undelete" => wrote(core.undelete(&caller(), ids(operation)?).map_err(core_fault)?),
        "emptyRecycleBin" => wrote(core.empty_recycle_bin(&caller(), ids(operation)?).map_err(core_fault)?),
        "merge" => {
            let results = core.merge(&caller(), records::merges(operation)?).map_err(core_fault)?;
            Ok(Answered { body: records::merged(&results), counted: true, wrote: true })
        }
        "convertLead" => {
            let results = core.convert_leads(&caller(), records::conversions(operation)).map_err(core_fault)?;
            Ok(Answered { body: records::converted(&results), counted: true, wrote: true })
        }
        "getUserInfo" => quietly(Xml::default().parent("result", user_info(call, &core.admin_user()))),
        "getServerTimestamp" => {
            let now = core.clock().now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            quietly(Xml::default().parent("result", Xml::default().text("timestamp", &now)))
        }
        "logout" => {
            call.app.security.revoke(&session.token);
            quietly(Xml::default())
        }
        name => Err(client_fault(format!("No operation available for request {{{}}}{name}", operation.namespace))),
    }
}

fn login(call: &Call, dialect: &str, operation: &Element) -> Result<Answered, SoapFault> {
    let (username, password) = (operation.text_of("username"), operation.text_of("password"));
    let now = call.app.core.clock().now();
    let session = call.app.security.login(username.trim(), password, now).map_err(|_| SoapFault {
        element: "LoginFault",
        code: ErrorCode::InvalidLogin.to_string(),
        message: "Invalid username, password, security token; or user locked out.".to_owned(),
    })?;
    let user = call.app.core.admin_user();
    let instance = call.origin.instance_url();
    let letter = if dialect == "enterprise" { 'c' } else { 'u' };
    let url = |letter| format!("{instance}/services/Soap/{letter}/{}/{}", call.version, call.app.core.org_id().short());
    let result = Xml::default()
        .text("metadataServerUrl", &url('m'))
        .text("passwordExpired", "false")
        .text("sandbox", "false")
        .text("serverUrl", &url(letter))
        .text("sessionId", &session.token)
        .text("userId", user.id.as_str())
        .parent("userInfo", user_info(call, &user));
    Ok(Answered { body: Xml::default().parent("result", result), counted: false, wrote: false })
}

/// The order matters to clients that read by schema (metadata.md 4).
fn user_info(call: &Call, user: &UserInfo) -> Xml {
    Xml::default()
        .text("accessibilityMode", "false")
        .text("chatterExternal", "false")
        .text("currencySymbol", "$")
        .text("orgAttachmentFileSizeLimit", "5242880")
        .text("orgDefaultCurrencyIsoCode", &user.currency)
        .text("orgDefaultCurrencyLocale", &user.locale)
        .text("orgDisallowHtmlAttachments", "false")
        .text("orgHasPersonAccounts", "false")
        .text("organizationId", call.app.core.org_id().as_str())
        .text("organizationMultiCurrency", "false")
        .text("organizationName", &call.app.core.org_name())
        .text("profileId", user.profile_id.as_str())
        .nil("roleId")
        .text("sessionSecondsValid", &SESSION_TIMEOUT.as_secs().to_string())
        .nil("userDefaultCurrencyIsoCode")
        .text("userEmail", &user.email)
        .text("userFullName", &user.name)
        .text("userId", user.id.as_str())
        .text("userLanguage", &user.locale)
        .text("userLocale", &user.locale)
        .text("userName", &user.username)
        .text("userTimeZone", &user.time_zone)
        .text("userType", "Standard")
        .text("userUiSkin", "Theme3")
}

fn session_of(call: &Call, envelope: &Envelope) -> Result<Session, SoapFault> {
    let token = envelope.headers.child("SessionHeader").map_or("", |header| header.text_of("sessionId")).trim();
    call.app.authenticate(token, &call.path).map_err(|_| {
        unexpected(&ErrorCode::InvalidSessionId, "Invalid Session ID found in SessionHeader: Illegal Session")
    })
}

fn client_of(envelope: &Envelope) -> Option<String> {
    let client = envelope.headers.child("CallOptions")?.text_of("client").trim();
    (!client.is_empty()).then(|| client.to_owned())
}

fn ids(operation: &Element) -> Result<Vec<String>, SoapFault> {
    let ids: Vec<_> = operation.texts_of("ids").map(str::to_owned).collect();
    if ids.len() <= MAX_IDS {
        return Ok(ids);
    }
    let message = format!("record limit reached. cannot submit more than {MAX_IDS} records into this call");
    Err(unexpected(&ErrorCode::ExceededIdLimit, message))
}

/// What is wrong with a record.
fn error_elements(faults: &[Fault]) -> Xml {
    faults.iter().fold(Xml::default(), |xml, fault| {
        let fields = fault.fields.iter().flatten().fold(Xml::default(), |xml, field| xml.text("fields", field));
        let error = fields.text("message", &fault.message).text("statusCode", fault.code.as_str());
        xml.parent("errors", error)
    })
}

/// One result element a record.
fn saved(results: &[Saved]) -> Xml {
    results.iter().fold(Xml::default(), |xml, saved| {
        let errors = error_elements(&saved.faults);
        let with_id = match saved.id {
            Some(id) => errors.text("id", id.as_str()),
            None => errors.nil("id"),
        };
        xml.parent("result", with_id.text("success", if saved.faults.is_empty() { "true" } else { "false" }))
    })
}

fn success(call: &Call, dialect: &str, operation: &str, answered: Answered) -> Reply {
    let mut header = String::new();
    if answered.counted {
        let limits = call.app.core.limits();
        limits.count(limits::Counted::ApiRequests, 1);
        let (used, max) = limits.api_usage();
        let info = Xml::default().text("current", &used.to_string()).text("limit", &max.to_string());
        let info = Xml::default().parent("limitInfo", info.text("type", "API REQUESTS"));
        let info = Xml::default().parent("LimitInfoHeader", info);
        header = format!("<soapenv:Header>{}</soapenv:Header>", info.into_string());
    }
    let body = Xml::default().parent(&format!("{operation}Response"), answered.body).into_string();
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:{dialect}.soap.sforce.com\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{header}<soapenv:Body>{body}</soapenv:Body>\
         </soapenv:Envelope>"
    );
    let mut reply = answer::text(StatusCode::OK, "text/xml;charset=UTF-8", xml);
    if answered.counted {
        reply.extensions_mut().insert(Counted(1));
    }
    if !answered.wrote {
        reply.extensions_mut().insert(Untouched);
    }
    reply
}

/// Clients look for the prefix `sf:` as it stands (rest.md 1.14).
fn refused(dialect: &str, fault: &SoapFault) -> Reply {
    let SoapFault { element, code, message } = fault;
    let fault = match *element {
        "" => Xml::default().text("faultcode", "soapenv:Client").text("faultstring", message).into_string(),
        element => {
            let detail =
                Xml::default().text("sf:exceptionCode", code).text("sf:exceptionMessage", message).into_string();
            let head = Xml::default()
                .text("faultcode", &format!("sf:{code}"))
                .text("faultstring", &format!("{code}: {message}"))
                .into_string();
            format!("{head}<detail><sf:{element} xsi:type=\"sf:{element}\">{detail}</sf:{element}></detail>")
        }
    };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:sf=\"urn:fault.{dialect}.soap.sforce.com\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault>{fault}</soapenv:Fault>\
         </soapenv:Body></soapenv:Envelope>"
    );
    answer::text(StatusCode::INTERNAL_SERVER_ERROR, "text/xml;charset=UTF-8", xml)
}

/// The refusal of a request that could not be read, as a fault.
pub(super) fn not_read(status: StatusCode, message: String) -> Refusal {
    let mut reply = refused("partner", &client_fault(message));
    *reply.status_mut() = status;
    Refusal::Finished(Box::new(reply))
}

/// The refusal of a request that is one too many.
pub(super) fn limit_exceeded(message: &str) -> Refusal {
    Refusal::Finished(Box::new(refused("partner", &unexpected(&ErrorCode::RequestLimitExceeded, message))))
}

fn unexpected(code: &ErrorCode, message: impl Into<String>) -> SoapFault {
    SoapFault { element: "UnexpectedErrorFault", code: code.to_string(), message: message.into() }
}

/// The request itself is no request.
fn client_fault(message: String) -> SoapFault {
    SoapFault { element: "", code: String::new(), message }
}

fn core_fault(error: CoreError) -> SoapFault {
    match Refusal::from(error) {
        Refusal::Rest { faults, .. } => match faults.into_iter().next() {
            Some(fault) => unexpected(&fault.code, fault.message),
            None => unexpected(&ErrorCode::UnknownException, "An unexpected error occurred"),
        },
        Refusal::Finished(_) => unexpected(&ErrorCode::UnknownException, "An unexpected error occurred"),
    }
}
