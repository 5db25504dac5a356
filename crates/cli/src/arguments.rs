//! The command line: what can be asked for.

mod hub;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

pub(crate) use self::hub::{
    CheckArguments, ConflictsArguments, ConflictsCommand, DeadLettersArguments, FileArgument, HistoryArguments,
    HubCommand, OneMapping, PlanArguments, ReconcileArguments, RetryArguments, UninstallArguments, UpArguments,
};
use crate::{failure::Failure, output::OutputArguments, settings::OrgArguments};

/// Salesforce, joined to the systems a company runs itself.
#[derive(Debug, Parser)]
#[command(name = "tombolo", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// Say more on stderr; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep Salesforce objects in a database, as they are and as they change
    Mirror(MirrorArguments),
    /// See it work: a local org and a database in one process, with live traffic
    Demo(DemoArguments),
    #[command(flatten)]
    Hub(HubCommand),
    /// Print the records that a SOQL query selects
    Query(QueryArguments),
    /// Print a record
    Get(GetArguments),
    /// Make a record
    Create(CreateArguments),
    /// Change a record
    Update(UpdateArguments),
    /// Change the record with this external id, or make it
    Upsert(UpsertArguments),
    /// Delete a record
    Delete(DeleteArguments),
    /// Print what Salesforce says of an object, or of all
    Describe(DescribeArguments),
    /// Print the org's limits
    Limits(OrgOnly),
    /// Send any request to the API
    Api(ApiArguments),
    /// Check and format queries
    #[command(subcommand)]
    Soql(SoqlCommand),
    /// The local Salesforce org
    #[command(subcommand)]
    Org(OrgCommand),
    /// Print reference pages of the documentation
    #[command(hide = true)]
    Reference { page: ReferencePage },
}

#[derive(Debug, Args)]
pub(crate) struct OrgOnly {
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct MirrorArguments {
    /// The objects, by API name
    #[arg(required = true, value_name = "OBJECT")]
    pub(crate) objects: Vec<String>,
    /// The database: postgres://… or sqlite:FILE
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// The PostgreSQL schema for the tables [default: public]
    #[arg(long, value_name = "NAME")]
    pub(crate) schema: Option<String>,
    /// Bring the tables up to date and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// End after a fixed round of changes
    #[arg(long)]
    pub(crate) once: bool,
    /// Leave the database, the org's data and changes.jsonl in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// The seed of the made-up data and traffic
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// The query; - reads it from stdin
    #[arg(value_name = "SOQL")]
    pub(crate) soql: String,
    /// Include deleted records
    #[arg(long)]
    pub(crate) all: bool,
    /// Keep the attributes of records
    #[arg(long)]
    pub(crate) attributes: bool,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    pub(crate) object: String,
    pub(crate) id: String,
    /// Only these fields
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) fields: Vec<String>,
    /// Keep the attributes of the record
    #[arg(long)]
    pub(crate) attributes: bool,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

/// Values of fields, one by one or as JSON.
#[derive(Debug, Args)]
pub(crate) struct FieldArguments {
    /// Field=value; an empty value clears the field
    #[arg(value_name = "FIELD=VALUE")]
    pub(crate) assignments: Vec<String>,
    /// The fields as a JSON object: text, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", conflicts_with = "assignments")]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    pub(crate) object: String,
    #[command(flatten)]
    pub(crate) fields: FieldArguments,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    pub(crate) object: String,
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) fields: FieldArguments,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpsertArguments {
    pub(crate) object: String,
    /// The external id field and its value
    #[arg(value_name = "EXT=VALUE")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) fields: FieldArguments,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    pub(crate) object: String,
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArguments {
    /// The object; without one, all are listed
    pub(crate) object: Option<String>,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ApiArguments {
    /// GET, POST, PATCH, PUT, DELETE or HEAD
    pub(crate) method: String,
    /// From the root of the host (/services/…), or below the API version (sobjects/Account)
    pub(crate) path: String,
    /// The body: text, @FILE, or - for stdin
    #[arg(long)]
    pub(crate) data: Option<String>,
    /// A header, as Name: value
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    #[command(flatten)]
    pub(crate) org: OrgArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SoqlCommand {
    /// Say of each line of stdin whether it is a query: one JSON line each
    Check,
    /// Print each line of stdin as it is best written: one JSON line each
    Fmt,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Serve a local Salesforce org until interrupted
    Serve(Box<ServeArguments>),
    /// Print the settings of a running org, for `eval` or as JSON
    Env(RunningArguments),
    /// Choose the entities whose changes are published
    Cdc(CdcArguments),
    /// Put a running org back to how it started
    Reset(RunningArguments),
}

#[derive(Debug, Args)]
pub(crate) struct RunningArguments {
    /// The HTTP port of the org, where several run
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct CdcArguments {
    /// all, none, or entities by name
    #[arg(required = true, value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    #[command(flatten)]
    pub(crate) running: RunningArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Limits {
    Unlimited,
    Developer,
    Enterprise,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Clock {
    /// Runs, and may be shifted
    Offset,
    /// Stands still until it is told to go on
    Manual,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) bind: std::net::IpAddr,
    /// The port for http; 0 for any that is free
    #[arg(long, default_value_t = 7411, value_name = "PORT")]
    pub(crate) http: u16,
    /// The port for https; 0 for any that is free
    #[arg(long, default_value_t = 7412, value_name = "PORT")]
    pub(crate) https: u16,
    /// Forget everything at the end (the default)
    #[arg(long, conflicts_with = "data")]
    pub(crate) memory: bool,
    /// Keep the org's data in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// An SFDX project whose objects and fields the org gets; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Vec<PathBuf>,
    /// An `sf data tree` plan whose records the org gets; may be repeated
    #[arg(long, value_name = "PLAN.json")]
    pub(crate) import: Vec<PathBuf>,
    /// Whose changes are published: all, none, or entities by name
    #[arg(long, default_value = "none", value_name = "all|none|A,B")]
    pub(crate) cdc: String,
    /// One more Host name to answer to; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// The limits of which edition
    #[arg(long, value_enum, default_value = "developer")]
    pub(crate) limits: Limits,
    /// The security token that passwords end with
    #[arg(long, default_value = "", value_name = "TOKEN", hide_default_value = true)]
    pub(crate) security_token: String,
    /// How the org's clock runs
    #[arg(long, value_enum, default_value = "offset")]
    pub(crate) clock: Clock,
    /// The same seed and requests give the same Ids
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// A CONNECT proxy that leads *.salesforce.com to this org; 0 for any port that is free
    #[arg(long, value_name = "PORT")]
    pub(crate) proxy: Option<u16>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ReferencePage {
    Org,
    Commands,
}

/// Answers a command line that could not be read; `--json` holds for this failure, too.
pub(crate) fn refuse(usage: &clap::Error) -> ExitCode {
    let help = matches!(usage.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let wants_json = std::env::args().any(|arg| arg == "--json" || arg == "--format=json");
    if help || !wants_json {
        let _ = usage.print();
        return ExitCode::from(if help { 0 } else { 2 });
    }
    let text = usage.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let printer = crate::output::Printer::for_json();
    printer.fail(&Failure::usage(message).hint("see tombolo --help"))
}
