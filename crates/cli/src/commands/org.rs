//! `org serve|env|cdc|reset`: the local Salesforce org.

use bytes::Bytes;
use http::Request;
use serde_json::{Value as Json, json};
use tombolo_client::{Client, Credentials};
use tombolo_org::{CdcSelection, ClockMode, LimitProfile, OrgConfig, Ready, RunningOrg, Storage};

use crate::{
    arguments::{CdcArguments, Clock, Limits, OrgCommand, RunningArguments, ServeArguments},
    failure::{Done, Failure},
    output::Printer,
    settings::running_org,
};

pub(super) async fn run(what: OrgCommand, printer: &Printer) -> Result<Done, Failure> {
    match what {
        OrgCommand::Serve(arguments) => serve(*arguments, printer).await,
        OrgCommand::Env(arguments) => env(&arguments, printer),
        OrgCommand::Cdc(arguments) => cdc(&arguments, printer).await,
        OrgCommand::Reset(arguments) => reset(&arguments, printer).await,
    }
}

async fn serve(arguments: ServeArguments, printer: &Printer) -> Result<Done, Failure> {
    let org = RunningOrg::start(config(arguments)).await?;
    if printer.is_json() {
        printer.line(&ready_json(org.ready())?.to_string())?;
    } else {
        printer.data(&greeting(org.ready()))?;
    }
    interrupted().await?;
    org.stop().await;
    Ok(Done::Whole)
}

/// Ends when the person, or whoever runs the process, asks for it.
pub(super) async fn interrupted() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Failure::failed("cannot wait for signals").caused_by(e));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn config(arguments: ServeArguments) -> OrgConfig {
    OrgConfig {
        bind: arguments.bind,
        http: Some(arguments.http),
        https: Some(arguments.https),
        proxy: arguments.proxy,
        storage: arguments.data.map_or(Storage::Memory, Storage::Directory),
        projects: arguments.project,
        imports: arguments.import,
        cdc: selection(arguments.cdc.split(',').map(str::to_owned).collect()),
        hosts: arguments.host,
        limits: match arguments.limits {
            Limits::Unlimited => LimitProfile::Unlimited,
            Limits::Developer => LimitProfile::Developer,
            Limits::Enterprise => LimitProfile::Enterprise,
        },
        security_token: arguments.security_token,
        clock: match arguments.clock {
            Clock::Offset => ClockMode::Offset,
            Clock::Manual => ClockMode::Manual,
        },
        seed: arguments.seed,
    }
}

fn selection(names: Vec<String>) -> CdcSelection {
    match names.as_slice() {
        [one] if one.eq_ignore_ascii_case("all") => CdcSelection::All,
        [one] if one.eq_ignore_ascii_case("none") => CdcSelection::None,
        _ => CdcSelection::Named(names),
    }
}

fn ready_json(ready: &Ready) -> Result<Json, Failure> {
    serde_json::to_value(ready).map_err(|e| Failure::failed("cannot print the ready line").caused_by(e))
}

fn greeting(ready: &Ready) -> String {
    let proxy = ready.proxy_url.as_ref().map(|url| format!("  proxy     {url}\n")).unwrap_or_default();
    let port = ready.instance_url.rsplit(':').next().unwrap_or_default();
    format!(
        "A local Salesforce org is ready.\n\n  http      {}\n  https     {}\n{proxy}  CA        {}\n  user      {}\n  \
         password  {}{}\n  client    {} / {}\n\nFor the shell: eval \"$(tombolo org env --port {port})\"\nEnd it with Ctrl-C.\n",
        ready.instance_url,
        ready.https_url,
        ready.ca_cert.display(),
        ready.username,
        ready.password,
        ready.security_token,
        ready.client_id,
        ready.client_secret,
    )
}

fn env(arguments: &RunningArguments, printer: &Printer) -> Result<Done, Failure> {
    let ready = running_org(arguments.port)?;
    if printer.is_json() {
        printer.document(&ready_json(&ready)?)?;
        return Ok(Done::Whole);
    }
    let ca = ready.ca_cert.display().to_string();
    let settings = [
        ("SF_INSTANCE_URL", ready.instance_url.as_str()),
        ("SF_ACCESS_TOKEN", &ready.access_token),
        ("SF_LOGIN_URL", &ready.instance_url),
        ("TOMBOLO_HTTPS_URL", &ready.https_url),
        ("TOMBOLO_CA_CERT", &ca),
    ];
    for (name, value) in settings {
        printer.line(&format!("export {name}='{}'", value.replace('\'', r"'\''")))?;
    }
    Ok(Done::Whole)
}

async fn cdc(arguments: &CdcArguments, printer: &Printer) -> Result<Done, Failure> {
    let select: Vec<&str> = match arguments.select.as_slice() {
        [one] if one.eq_ignore_ascii_case("none") => Vec::new(),
        names => names.iter().map(String::as_str).collect(),
    };
    let answer = admin(&arguments.running, "cdc", &json!({ "select": select })).await?;
    acknowledge(printer, &answer, "done: the selection holds from now on")
}

async fn reset(arguments: &RunningArguments, printer: &Printer) -> Result<Done, Failure> {
    let answer = admin(arguments, "reset", &json!({})).await?;
    acknowledge(printer, &answer, "done: the org is as it was at its start")
}

fn acknowledge(printer: &Printer, answer: &Json, sentence: &str) -> Result<Done, Failure> {
    if printer.is_json() {
        printer.document(answer)?;
    } else {
        printer.note(sentence);
    }
    Ok(Done::Whole)
}

/// Asks a running org's admin interface, with the token that its ready line told.
async fn admin(running: &RunningArguments, path: &str, body: &Json) -> Result<Json, Failure> {
    let ready = running_org(running.port)?;
    let credentials = Credentials::token(ready.instance_url.as_str(), ready.access_token.as_str());
    let client = Client::builder().credentials(credentials).build()?;
    let request = Request::post(format!("/_tombolo/{path}"))
        .header("X-Tombolo-Admin", &ready.admin_token)
        .header("Content-Type", "application/json")
        .body(Bytes::from(body.to_string()))
        .map_err(|e| Failure::failed("cannot build the request").caused_by(e))?;
    let answer = client.request(request).await?;
    Ok(serde_json::from_slice(answer.body()).unwrap_or(Json::Null))
}
