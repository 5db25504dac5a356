//! Files, good and broken.

use std::time::Duration;
use std::{fmt::Write as _, path::Path};

use tombolo_engine::sync::{DeleteConflict, Deletes, Flow, Policy, Rhythm, Side};

use super::*;

/// A file of which single lines are replaced.
const GOOD: &str = include_str!("tests/good.yaml");

fn parse(text: &str) -> Result<Config, Findings> {
    let variable = |name: &str| match name {
        "DATABASE_URL" => Some("postgres://app:hunter2@db/shop".to_owned()),
        "CRM_PASSWORD" => Some("hunter2".to_owned()),
        "NOT_A_URL" => Some("hunter2".to_owned()),
        "NOTHING" => Some(String::new()),
        _ => None,
    };
    Config::parse("tombolo.yaml", text, &Surroundings { folder: Path::new("/etc/tombolo"), variable: &variable })
}

#[test]
fn a_security_token_may_be_blank() {
    for (written, token) in [
        ("\"\"", Some("")),
        ("", Some("")),
        ("\"${NOTHING}\"", Some("")),
        ("abc", Some("abc")),
        ("\"${NOWHERE}\"", None),
    ] {
        let text = GOOD.replace("client_id: app\n", &format!("client_id: app\n      security_token: {written}\n"));
        let read = parse(&text).ok().map(|config| match &config.connections["crm"].access {
            Access::Salesforce(org) => match &org.login {
                Login::Password { security_token, .. } => security_token.expose().to_owned(),
                Login::Token { .. } => panic!("crm has a password"),
            },
            Access::Database(_) => panic!("crm is Salesforce"),
        });
        assert_eq!(read.as_deref(), token, "{written}");
    }
}

#[test]
fn a_redis_stands_beside_the_state_or_in_the_environment() {
    let named = "state: { url: sqlite:hub.db, redis: \"redis://:${CRM_PASSWORD}@cache\" }";
    for (state, variable, redis) in [
        ("state: sqlite:hub.db", None, None),
        ("state: sqlite:hub.db", Some("redis://cache:1"), Some("redis://cache:1")),
        ("state: { url: sqlite:hub.db }", Some("redis://cache:1"), Some("redis://cache:1")),
        (named, Some("redis://cache:1"), Some("redis://:hunter2@cache")),
        (
            "state: { url: sqlite:hub.db, redis: \"rediss://cache\", redis_ca_cert: ca.pem }",
            None,
            Some("rediss://cache"),
        ),
    ] {
        let around = |name: &str| match name {
            "TOMBOLO_REDIS_URL" => variable.map(str::to_owned),
            "DATABASE_URL" => Some("postgres://db/shop".to_owned()),
            _ => Some("hunter2".to_owned()),
        };
        let text = GOOD.replace("state: sqlite:hub.db", state);
        let config = Config::parse("f", &text, &Surroundings { folder: Path::new("/etc"), variable: &around });
        let config = config.unwrap_or_else(|findings| panic!("{}", findings.lines().join("\n")));
        assert_eq!(config.state.to_string(), "sqlite:/etc/hub.db");
        assert_eq!(config.redis.as_ref().map(|redis| redis.url.expose()), redis, "{state}");
    }
}

#[test]
fn what_a_changed_file_says_otherwise() {
    let old = parse(GOOD).unwrap();
    let score = GOOD.find("  score:").unwrap();
    let without_score = format!("{}{}", &GOOD[..score], &GOOD[GOOD.find("budget:").unwrap()..]);
    for (text, expected) in [
        (GOOD.replace("connections:", "# moved\n\nconnections:"), ""),
        (GOOD.replace("window: 1s", "window: 2s"), "the settings"),
        (GOOD.replace("${CRM_PASSWORD}", "other"), "the connection `crm`"),
        (GOOD.replace("delete_conflict: manual", "delete_conflict: keep"), "the mapping `contact` (deletes)"),
        (GOOD.replace("Email != null", "Email = null"), "the mapping `contact` (filter)"),
        (
            GOOD.replace("conflict_resolution: app_wins", "conflict_resolution: newest"),
            "the mapping `contact` (policies)",
        ),
        (without_score, "the mapping `score` is gone"),
    ] {
        let new = parse(&text).unwrap_or_else(|findings| panic!("{}", findings.lines().join("\n")));
        assert_eq!(changes(&old, &new).join(", "), expected, "{text}");
    }
    let more = parse(&GOOD.replace("  score:", "  more:")).unwrap();
    assert_eq!(changes(&old, &more), ["the new mapping `more`", "the mapping `score` is gone"]);
}

#[test]
fn a_file_with_everything_is_understood() {
    let config = parse(GOOD).unwrap_or_else(|findings| panic!("{}", findings.lines().join("\n")));
    assert_eq!(config.state.to_string(), "sqlite:/etc/tombolo/hub.db");
    assert_eq!(config.connections.keys().collect::<Vec<_>>(), ["app", "crm", "shop"]);
    let Access::Salesforce(org) = &config.connections["crm"].access else { panic!("crm is Salesforce") };
    let Login::Password { login_url, password, .. } = &org.login else { panic!("crm has a password") };
    assert_eq!((login_url.as_str(), password.expose()), ("https://test.salesforce.com", "hunter2"));
    let Access::Database(database) = &config.connections["app"].access else { panic!("app is a database") };
    assert_eq!(database.to_string(), "postgres://db/shop");
    assert_eq!(config.mappings().collect::<Vec<_>>(), ["account", "contact", "score"]);

    let contact = &config.mappings[1];
    assert_eq!(contact.ends.each_ref().map(|end| end.salesforce), [true, false]);
    assert_eq!(contact.ends[1].entity.value, "sales.contacts");
    let fields: Vec<_> = contact
        .fields
        .iter()
        .map(|f| (f.line.left.value.as_str(), f.line.right.value.as_str(), f.flow, f.policy))
        .collect();
    let app = Policy::Wins(Side::Right);
    assert_eq!(
        fields,
        [
            ("Email", "email", Flow::Both, app),
            ("Title", "job_title", Flow::Both, Policy::Newest(Side::Left)),
            ("Phone", "phone", Flow::Both, Policy::Newest(Side::Right)),
            ("AccountId", "account_id", Flow::Both, app),
            ("Account.Name", "company", Flow::To(Side::Right), app),
            ("Score__c", "lead_score", Flow::To(Side::Left), app),
        ]
    );
    let deletes: Vec<_> = contact.deletes.iter().map(|at| at.value.clone()).collect();
    assert_eq!(deletes, [Deletes::Soft("deleted_at".to_owned()), Deletes::Hard]);
    assert_eq!(contact.delete_conflict, DeleteConflict::Manual);
    assert_eq!(contact.filters[0].as_ref().map(|at| at.value.as_str()), Some("Email != null"));
    assert_eq!(contact.fields[1].line.right.place, Place { line: 44, column: 17 });

    let account = &config.mappings[0];
    assert_eq!(account.fields.len(), 3, "a block of lines, with comments");
    assert_eq!(account.fields[2].line.left.place, Place { line: 31, column: 7 });
    assert_eq!(account.options.frequency, Frequency::Every(Duration::from_secs(300)));
    assert_eq!(config.rhythms().collect::<Vec<_>>(), [(0, Rhythm::Every(Duration::from_secs(300)))]);
    let score = &config.mappings[2];
    assert!(score.ends.iter().all(|end| !end.salesforce));
    assert!(score.fields.iter().all(|field| field.flow == Flow::To(Side::Right)));
    assert_eq!(config.settings.engine.mass_delete.0, 10);
    assert_eq!(config.settings.engine.brake.0, 50);
    assert_eq!(config.settings.engine.budget, (40, 10));
    assert_eq!(config.settings.lease.as_secs(), 6);
    assert_eq!(
        config.warnings().lines(),
        ["tombolo.yaml:3:9: warning: nothing listens yet: console, API and webhooks come later"]
    );
    assert!(!format!("{config:?} {:?}", config.connections).contains("hunter2"));
}

/// Cases in a file: what is replaced by what, and under it what is then said.
pub(super) fn compare(file: &str, table: &str, said: impl Fn(&str, &str) -> Vec<String>) -> usize {
    let mut found = String::new();
    let mut cases = 0;
    for line in table.lines().filter(|line| !line.starts_with("    | ")) {
        writeln!(found, "{line}").unwrap();
        let Some((from, to)) = line.split_once(" ==> ") else { continue };
        cases += 1;
        let plain = |text: &str| text.replace("\\n", "\n");
        let said = said(&plain(from), &plain(to));
        if said.is_empty() {
            writeln!(found, "    | nothing").unwrap();
        }
        for line in said {
            writeln!(
                found,
                "    | {}",
                line.split_once(':').filter(|(f, _)| !f.starts_with(' ')).map_or(&*line, |(_, rest)| rest)
            )
            .unwrap();
        }
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config").join(file), &found).unwrap();
    } else {
        assert_eq!(table, found, "run with UPDATE_EXPECT=1 and look at the difference");
    }
    assert!(!found.contains("hunter2"));
    cases
}

#[test]
fn broken_files_are_told_where_why_and_what_was_meant() {
    let cases = compare("tests/broken.txt", include_str!("tests/broken.txt"), |from, to| {
        assert_eq!(GOOD.matches(from).count(), 1, "`{from}` has to stand once in the good file");
        let lines = parse(&GOOD.replace(from, to)).err().map(|findings| findings.lines()).unwrap_or_default();
        lines.into_iter().filter(|line| !line.contains("nothing listens")).collect()
    });
    assert!(cases >= 60, "{cases} cases");
}

#[test]
fn several_faults_are_told_at_once() {
    let text = GOOD
        .replace("direction: bi", "directoin: bi")
        .replace("- Email = email", "- Email => email")
        .replace("window: 1s", "window: soon");
    let findings = parse(&text).unwrap_err();
    assert_eq!(findings.count(Severity::Error), 3, "{}", findings.lines().join("\n"));
    assert_eq!(findings.to_string(), "tombolo.yaml: 3 errors, 1 warning");
}

#[test]
fn what_is_no_file_of_ours_is_said_so() {
    for (text, expected) in [
        ("", "tombolo.yaml:1:1: error: the file is keys and values, not nothing"),
        ("- a", "tombolo.yaml:1:1: error: the file is keys and values, not a list"),
        ("state", "tombolo.yaml:1:1: error: the file is keys and values, not a single value"),
        ("a: [", "tombolo.yaml:1:4: error: this is not YAML: unclosed bracket '['"),
        ("a: b: c", "tombolo.yaml:1:5: error: this is not YAML: mapping values are not allowed in this context"),
        ("a: 1\n---\nb: 2", "tombolo.yaml:3:1: error: this is not YAML: multiple YAML documents detected"),
        ("state: *nowhere", "tombolo.yaml:1:8: error: this is not YAML: alias references unknown anchor"),
    ] {
        assert_eq!(parse(text).unwrap_err().lines()[0], expected, "{text}");
    }
    let empty = parse("{}").unwrap_err().lines();
    assert_eq!(empty.len(), 3, "{empty:?}");
}
