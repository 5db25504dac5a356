//! Reference pages of the documentation, written from the program itself.

use clap::CommandFactory as _;

use crate::{
    arguments::{Arguments, ReferencePage},
    failure::{Done, Failure},
    output::Printer,
};

const GENERATED: &str = "<!-- Written by `cargo xtask gen`. -->\n";

pub(crate) fn print(page: ReferencePage, printer: &Printer) -> Result<Done, Failure> {
    let text = match page {
        ReferencePage::Org => org_page(),
        ReferencePage::Commands => commands_page(),
    };
    printer.data(&text)?;
    Ok(Done::Whole)
}

fn org_page() -> String {
    let mut page = format!(
        "{GENERATED}# The local org: served paths\n\n`{{version}}` is an API version, `v66.0` (in SOAP and CometD `66.0`), from 31.0 to 68.0. What differs from \
         Salesforce is in [deviations.md](deviations.md).\n\n| method | path | what |\n| --- | --- | --- |\n"
    );
    for (method, path, note) in tombolo_org::served_paths() {
        page.push_str(&format!("| {method} | `{path}` | {note} |\n"));
    }
    page
}

fn commands_page() -> String {
    let mut page = format!("{GENERATED}# Commands\n");
    let mut root = Arguments::command().term_width(100);
    root.build();
    describe(&root, "tombolo", &mut page);
    page
}

fn describe(command: &clap::Command, path: &str, page: &mut String) {
    let mut shown = command.clone().term_width(100).bin_name(path);
    let help = shown.render_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {path}\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        describe(inner, &format!("{path} {}", inner.get_name()), page);
    }
}
