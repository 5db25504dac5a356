//! `/_tombolo`: what a test tells the org itself. Only for whoever holds the admin token.

use std::time::Duration;

use http::{StatusCode, request::Parts};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use tombolo_schema::ErrorCode;

use super::{
    App,
    answer::{self, Outcome, Refusal},
    call::Call,
    json_in,
};
use crate::core::{
    CdcSelection, SchemaEdit,
    faults::{Fault, FaultId, FaultKind, FaultSpan, Place, Rewrite},
};

/// Lets in who carries the admin token.
pub(crate) fn admit(app: &App, parts: &Parts) -> Result<(), Refusal> {
    let given = parts.headers.get("x-tombolo-admin").map(|value| value.as_bytes()).unwrap_or_default();
    if aws_lc_rs::constant_time::verify_slices_are_equal(given, app.admin_token.as_bytes()).is_ok() {
        return Ok(());
    }
    let message = "This needs the header X-Tombolo-Admin with the admin_token of the ready line";
    Err(Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidAuthHeader, message))
}

/// `GET /_tombolo/requests`
pub(crate) fn requests(call: &Call) -> Outcome {
    Ok(answer::json(StatusCode::OK, &call.app.journal.entries()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultBody {
    kind: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    count: Option<u64>,
    #[serde(rename = "match")]
    matching: Option<MatchBody>,
    delay: Option<String>,
    status: Option<u16>,
    every: Option<u64>,
    code: Option<String>,
    message: Option<String>,
    object: Option<String>,
    field: Option<String>,
    how: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchBody {
    path: Option<String>,
    channel: Option<String>,
    object: Option<String>,
}

#[derive(Serialize)]
struct Injected {
    id: String,
}

/// `POST /_tombolo/faults`
pub(crate) fn inject(call: &Call) -> Outcome {
    let body: FaultBody = body(call)?;
    let id = call.app.inject(fault(body)?);
    Ok(answer::json(StatusCode::OK, &Injected { id: id.to_string() }))
}

fn fault(body: FaultBody) -> Result<Fault, Refusal> {
    let kind = FaultKind::ALL.iter().find(|kind| kind.name() == body.kind).ok_or_else(|| {
        let names: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        wrong(format!("There is no fault {:?}; there are {}", body.kind, names.join(", ")))
    })?;
    let mut fault = Fault::new(*kind);
    fault.span = match (body.lasting, body.count) {
        (Some(_), Some(_)) => return Err(wrong("Either \"for\" or \"count\", not both")),
        (Some(lasting), None) => FaultSpan::For(duration(&lasting)?),
        (None, Some(count)) => FaultSpan::Count(count),
        (None, None) => fault.span,
    };
    if let Some(delay) = body.delay {
        fault.delay = duration(&delay)?;
    }
    if let Some(status) = body.status {
        if !(500..=599).contains(&status) {
            return Err(wrong("\"status\" is one from 500 to 599"));
        }
        fault.status = Some(status);
    }
    if body.every == Some(0) {
        return Err(wrong("\"every\" is 1 or more"));
    }
    fault.every = body.every.unwrap_or(1);
    (fault.code, fault.message, fault.field) = (body.code, body.message, body.field);
    if let Some(how) = body.how {
        let read = Rewrite::parse(&how);
        let known = "upper, lower, trim, prefix TEXT, suffix TEXT, set VALUE";
        fault.rewrite = Some(read.ok_or_else(|| wrong(format!("{how:?} is no rewriting; there are {known}")))?);
    }
    let matching = body.matching.unwrap_or_default();
    (fault.path, fault.channel) = (matching.path, matching.channel);
    fault.object = matching.object.or(body.object);
    check(&fault)?;
    Ok(fault)
}

/// What a fault names has to make sense for what it befalls.
fn check(fault: &Fault) -> Result<(), Refusal> {
    let name = fault.kind.name();
    let place = fault.kind.place();
    let by_path = matches!(place, Place::Request | Place::Client);
    let by_channel = matches!(place, Place::Event | Place::Client);
    let by_object = matches!(place, Place::Event | Place::Record);
    let given = [
        ("path", fault.path.is_some(), by_path),
        ("channel", fault.channel.is_some(), by_channel),
        ("object", fault.object.is_some(), by_object),
        ("field", fault.field.is_some(), matches!(fault.kind, FaultKind::RewriteField | FaultKind::HideField)),
        ("how", fault.rewrite.is_some(), fault.kind == FaultKind::RewriteField),
    ];
    if let Some((what, ..)) = given.iter().find(|(_, given, fits)| *given && !fits) {
        return Err(wrong(format!("{name} knows no {what}")));
    }
    let needed = match fault.kind {
        FaultKind::RewriteField => fault.object.is_none() || fault.field.is_none() || fault.rewrite.is_none(),
        FaultKind::HideField => fault.object.is_none() || fault.field.is_none(),
        _ => false,
    };
    if needed {
        let how = if fault.kind == FaultKind::RewriteField { ", how" } else { "" };
        return Err(wrong(format!("{name} needs object, field{how}")));
    }
    if fault.kind == FaultKind::HideField && matches!(fault.span, FaultSpan::Count(_)) {
        return Err(wrong(format!("{name} lasts a while or until it is taken back, not a number of times")));
    }
    Ok(())
}

/// `DELETE /_tombolo/faults`
pub(crate) fn clear_all(call: &Call) -> Outcome {
    call.app.core.faults().clear_all();
    Ok(answer::no_content())
}

/// `DELETE /_tombolo/faults/ID`
pub(crate) fn clear(call: &Call) -> Outcome {
    let known = call.param("id").parse().is_ok_and(|id| call.app.core.faults().clear(FaultId(id)));
    if known { Ok(answer::no_content()) } else { Err(Refusal::not_found()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    advance: String,
}

/// `POST /_tombolo/clock`
pub(crate) fn clock(call: &Call) -> Outcome {
    let body: ClockBody = body(call)?;
    call.app.core.advance_clock(duration(&body.advance)?)?;
    let now = call.app.core.clock().now();
    Ok(answer::json(StatusCode::OK, &json!({ "now": tombolo_schema::format_datetime(now) })))
}

/// `POST /_tombolo/reset`
pub(crate) fn reset(call: &Call) -> Outcome {
    call.app.reset()?;
    Ok(answer::no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CdcBody {
    select: Select,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Select {
    Word(String),
    Names(Vec<String>),
}

/// `POST /_tombolo/cdc`
pub(crate) fn cdc(call: &Call) -> Outcome {
    let body: CdcBody = body(call)?;
    let selection = match body.select {
        Select::Word(word) if word == "all" => CdcSelection::All,
        Select::Word(word) if word == "none" => CdcSelection::None,
        Select::Word(word) => CdcSelection::Named(word.split(',').map(|name| name.trim().to_owned()).collect()),
        Select::Names(names) if names.is_empty() => CdcSelection::None,
        Select::Names(names) => CdcSelection::Named(names),
    };
    call.app.select_cdc(selection)?;
    Ok(answer::json(StatusCode::OK, &json!({ "selected": call.app.core.cdc_selected() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaBody {
    #[serde(default)]
    add: Vec<Defined>,
    #[serde(default)]
    change: Vec<Defined>,
    #[serde(default)]
    remove: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defined {
    object: String,
    field: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    object: String,
    field: String,
}

impl Defined {
    /// The object, the field's name, and the rest of what is said of it.
    fn parts(mut self) -> Result<(String, String, serde_json::Value), Refusal> {
        match self.field.remove("fullName") {
            Some(serde_json::Value::String(name)) => Ok((self.object, name, self.field.into())),
            _ => Err(wrong("A field needs its \"fullName\"")),
        }
    }
}

/// `POST /_tombolo/schema`
pub(crate) fn schema(call: &Call) -> Outcome {
    let body: SchemaBody = body(call)?;
    let mut edits = Vec::new();
    for Named { object, field } in body.remove {
        edits.push(SchemaEdit::Remove { object, field });
    }
    for defined in body.add {
        let (object, field, definition) = defined.parts()?;
        edits.push(SchemaEdit::Add { object, field, definition });
    }
    for defined in body.change {
        let (object, field, definition) = defined.parts()?;
        edits.push(SchemaEdit::Change { object, field, definition });
    }
    call.app.core.edit_schema(&edits)?;
    Ok(answer::no_content())
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    json_in::parse(call.json_text()?)
}

/// `30s`, `5m`, `2h`, `1d`, `250ms`
fn duration(text: &str) -> Result<Duration, Refusal> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match &text[digits..] {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number = text[..digits].parse::<u64>().ok();
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .map(Duration::from_millis)
        .ok_or_else(|| wrong(format!("{text:?} is no duration; one looks like 30s, 5m, 2h or 250ms")))
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::bad(ErrorCode::Other("INVALID_ARGUMENT".to_owned()), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [("30s", 30_000), ("250ms", 250), ("5m", 300_000), ("2h", 7_200_000), ("3d", 259_200_000)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "s", "30", "-1s", "1.5h", "99999999999999999999s", "9999999999999999999d", "1 h", "é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn faults_are_read() {
        let read = |text: &str| json_in::parse(text).and_then(fault);
        let late = read(r#"{"kind":"delay_events","for":"30s","match":{"channel":"/data/ChangeEvents"}}"#).unwrap();
        assert_eq!(late.span, FaultSpan::For(Duration::from_secs(30)));
        assert_eq!(late.channel.as_deref(), Some("/data/ChangeEvents"));
        for text in [
            r#"{"kind":"nonsense","count":1}"#,
            r#"{"kind":"status_503","count":1,"for":"1s"}"#,
            r#"{"kind":"status_503","count":-1}"#,
            r#"{"kind":"status_503","for":"soon"}"#,
            r#"{"kind":"status_503","sometimes":true}"#,
            r#"{"kind":"lost_answer","status":200}"#,
            r#"{"kind":"lost_answer","match":{"object":"Account"}}"#,
            r#"{"kind":"row_lock","match":{"path":"/x"}}"#,
            r#"{"kind":"row_lock","every":0}"#,
            r#"{"kind":"rewrite_field","object":"Account","how":"upper"}"#,
            r#"{"kind":"rewrite_field","object":"Account","field":"Name","how":"shout"}"#,
            r#"{"kind":"hide_field","object":"Account","field":"X__c","count":1}"#,
            r#"{"count":1}"#,
            "[]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
