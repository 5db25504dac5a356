//! The cases of `tests/data/soql/cases`: queries of the voyage, what they find, and the line of soql.md that says so.
//!
//! A case is a query and what comes of it, under a heading that cites the line:
//!
//! ```text
//! ## 3 F != 'x' finds rows where F is null
//! SELECT Name FROM Ship__c WHERE Kind__c != 'Brig' ORDER BY Name
//! => BORA | Delta
//! ```
//!
//! `=>` are values, `=:` values with the names of their fields, `=#` the total size; `!>` is a refusal: its code and
//! text, without the excerpt of the query (`*` for the code where soql.md has none, `…` for words that it leaves out),
//! `!!` a refusal with the excerpt in the lines below, each behind a `|`. In front of a query, `[v57]` sets the version of the API, `[all]`
//! makes it queryAll, `[as yorker]` lets that user ask. `UPDATE_EXPECT=1` writes down what the engine says.

use std::{collections::HashSet, fmt::Write as _, fs};

use tombolo_schema::ApiVersion;

use super::{
    short, value_in_short,
    voyage::{Asking, Voyage, folder, voyage},
};
use crate::core::record::{CoreError, Fault, Output, Page, Record};

struct Case<'a> {
    /// Where it stands, for messages.
    at: String,
    asked: String,
    asking: Asking<'a>,
    query: String,
    expect: String,
}

#[test]
fn cases() {
    let voyage = voyage();
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let (mut count, mut wrong, mut known) = (0, String::new(), HashSet::new());
    let mut files: Vec<_> = fs::read_dir(folder().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let mut written = String::new();
        for part in parts(&name, &text) {
            let case = match part {
                Ok(case) => case,
                Err(line) => {
                    writeln!(written, "{line}").unwrap();
                    continue;
                }
            };
            count += 1;
            let whole = case.expect.starts_with("!!");
            assert!(known.insert((case.asked.clone(), whole)), "{}: asked twice", case.at);
            let found = check(&voyage, &case);
            writeln!(written, "{}\n{}", case.asked, found.as_deref().unwrap_or(&case.expect)).unwrap();
            if let Some(found) = found {
                writeln!(wrong, "{}\n{}\nexpected {}\nfound    {found}\n", case.at, case.asked, case.expect).unwrap();
            }
        }
        if update && written != text {
            fs::write(&path, written).unwrap();
        }
    }
    assert!(wrong.is_empty() || update, "{wrong}");
    assert!(count >= 300, "{count} cases");
}

/// The cases of a file, and the lines that are none.
fn parts<'a>(name: &str, text: &'a str) -> Vec<Result<Case<'a>, &'a str>> {
    let (mut parts, mut query, mut cited) = (Vec::new(), Vec::new(), false);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let at = format!("{name}:{}", number + 1);
        if ["=>", "=:", "=#", "!>", "!!"].iter().any(|mark| line.starts_with(mark)) {
            assert!(cited && !query.is_empty(), "{at}: a query and the line of soql.md that it rests on");
            let mut expect = line.to_owned();
            while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with('|')) {
                write!(expect, "\n{line}").unwrap();
            }
            let asked: String = std::mem::take(&mut query).join("\n");
            let (asking, query) = asking(text, &asked);
            parts.push(Ok(Case { at, asking, query: query.to_owned(), asked: asked.clone(), expect }));
        } else if line.starts_with("# ") || line.starts_with("## ") || line.is_empty() {
            assert!(query.is_empty(), "{at}: the query above says nothing of what comes of it");
            // A heading cites its section: `## 3 …`.
            cited |= line.strip_prefix("## ").is_some_and(|l| l.starts_with(|c: char| ('1'..='9').contains(&c)));
            parts.push(Err(line));
        } else {
            query.push(line);
        }
    }
    assert!(query.is_empty(), "{name}: the last query says nothing of what comes of it");
    parts
}

/// The options in front of a query.
fn asking<'a>(text: &'a str, asked: &str) -> (Asking<'a>, String) {
    let mut asking = Asking { version: ApiVersion::DEFAULT, user: None, include_deleted: false };
    let mut rest = asked;
    while let Some((option, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        match option.split_once(' ') {
            Some(("as", user)) => asking.user = text.find(user).map(|at| &text[at..at + user.len()]),
            _ if option == "all" => asking.include_deleted = true,
            _ => asking.version = ApiVersion::new(option.strip_prefix('v').unwrap().parse().unwrap()),
        }
        rest = behind;
    }
    (asking, rest.to_owned())
}

/// What is found instead of what is expected.
fn check(voyage: &Voyage, case: &Case<'_>) -> Option<String> {
    let found = match voyage.ask(&case.query, case.asking) {
        Ok(page) => told(&page, &case.expect),
        Err(CoreError::Refused(faults)) if is_as_expected(&faults[0], &case.expect) => return None,
        Err(CoreError::Refused(faults)) => refused(&faults[0], case.expect.starts_with("!!")),
        Err(error) => format!("{error:?}"),
    };
    let found = voyage.without_ids(&found);
    (found.trim_end() != case.expect).then(|| found.trim_end().to_owned())
}

/// Whether a refusal is one that is not expected word for word: `*` is any code, `…` any further words.
fn is_as_expected(fault: &Fault, expect: &str) -> bool {
    let Some(expect) = expect.strip_prefix("!> ") else { return false };
    let (code, text) = expect.split_once(' ').unwrap_or((expect, "…"));
    let found = last_line(fault);
    (code == "*" || fault.code.as_str() == code)
        && text.strip_suffix('…').map_or(found == text, |text| found.starts_with(text))
}

fn told(page: &Page, expect: &str) -> String {
    let records = |tell: fn(&Record) -> String| page.records.iter().map(tell).collect::<Vec<_>>().join(" | ");
    match expect.get(..2) {
        Some("=:") => format!("=: {}", records(named)),
        Some("=#") => format!("=# {} {}", page.total_size, records(short)),
        _ => format!("=> {}", records(short)),
    }
}

/// A record with the names of its fields and its object's.
fn named(record: &Record) -> String {
    let fields = record.fields.iter().map(|(name, value)| match value {
        Output::Record(parent) => format!("{name}: {}", named(parent)),
        value => format!("{name}: {}", value_in_short(value)),
    });
    format!("{}({})", record.object, fields.collect::<Vec<_>>().join(", "))
}

fn refused(fault: &Fault, whole: bool) -> String {
    if whole {
        return format!("!! {}\n|{}", fault.code, fault.message.replace('\n', "\n|"));
    }
    format!("!> {} {}", fault.code, last_line(fault))
}

/// The text of a refusal without the excerpt of the query.
fn last_line(fault: &Fault) -> &str {
    match fault.message.split_once("\nERROR at Row:") {
        Some((_, behind)) => behind.split_once('\n').map_or(behind, |(_, text)| text),
        None => &fault.message,
    }
}
