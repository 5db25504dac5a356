//! `tombolo`: Salesforce, joined to the systems a company runs itself.

mod arguments;
mod commands;
mod failure;
mod output;
mod reference;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Arguments, output::Printer};

/// Links, rows and JSON come and go by the hundred thousand: the system's allocator took a third of a load's time, and
/// kept what it was given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider for everything in the process; a second installation is harmless.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return arguments::refuse(&usage),
    };
    let printer = Printer::new(&arguments.output);
    settings::start_logging(arguments.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return printer.fail(&failure::Failure::failed("cannot start the async runtime").caused_by(error));
        }
    };
    let outcome = runtime.block_on(commands::run(arguments, &printer));
    // A server that is still finishing a long poll must not hold the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(done) => done.into(),
        Err(failure) => printer.fail(&failure),
    }
}
