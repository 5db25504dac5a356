//! The commands that work on a file of mappings.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Keep both ends of every mapping in step, until interrupted
    Up(UpArguments),
    /// Say what is wrong with the file: in itself, and against both ends of every mapping
    Check(CheckArguments),
    /// Say what would be written now, and write nothing
    Plan(PlanArguments),
    /// Say how every mapping stands
    Status(FileOnly),
    /// Write nothing for a mapping, or for all, until it is resumed; changes are heard on
    Pause(OneMapping),
    /// Go on with a mapping, or with all; a brake is released, too
    Resume(OneMapping),
    /// Take over a file that was changed
    Reload(FileOnly),
    /// List conflicts, and decide them
    #[command(args_conflicts_with_subcommands = true)]
    Conflicts(ConflictsArguments),
    /// List the writes that a system refuses, with their causes
    DeadLetters(DeadLettersArguments),
    /// Merge dead letters anew, from what both ends show
    Retry(RetryArguments),
    /// Tell the life of a record: what was heard, decided, sent and answered
    History(HistoryArguments),
    /// Compare what changed at both ends since a moment
    Reconcile(ReconcileArguments),
    /// Compare keys and values of everything at both ends
    Scrub(OneMapping),
    /// Take triggers, outbox and bookkeeping out of the databases
    Uninstall(UninstallArguments),
}

/// The file.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileArgument {
    /// The file of connections and mappings
    #[arg(short = 'c', long = "config", value_name = "FILE", default_value = "tombolo.yaml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FileOnly {
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Only read the file; ask no system anything
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// How many writes of each kind are shown
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) show: usize,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct OneMapping {
    /// The mapping; without one, all
    pub(crate) mapping: Option<String>,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct ConflictsArguments {
    #[command(subcommand)]
    pub(crate) decide: Option<ConflictsCommand>,
    /// Only those that wait for a decision
    #[arg(long)]
    pub(crate) open: bool,
    /// At most so many, newest first
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConflictsCommand {
    /// Decide a conflict by taking what one end shows
    Decide {
        /// The conflict, as the list names it
        id: String,
        /// left or right as `between` lists the ends, or the name of a connection
        #[arg(long, value_name = "END")]
        take: String,
        #[command(flatten)]
        file: FileArgument,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DeadLettersArguments {
    /// At most so many, newest first
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["record", "code", "all"])]
pub(crate) struct RetryArguments {
    /// Those of this record, by any of its keys
    pub(crate) record: Option<String>,
    /// Those with this code
    #[arg(long)]
    pub(crate) code: Option<String>,
    /// All
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArguments {
    /// The record, by any of its keys
    pub(crate) record: String,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct ReconcileArguments {
    /// The mapping; without one, all
    pub(crate) mapping: Option<String>,
    /// Since when: 2026-11-22T08:00:00Z, or how long ago: 36h [default: what the last position may have missed]
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    /// Really do it
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Also while changes wait that no other end has got
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) file: FileArgument,
}
