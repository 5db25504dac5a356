//! The properties. Each panics for a text for which it does not hold.

use std::sync::LazyLock;

use tombolo_soql::{
    Options,
    check::{Findings, MemorySchema, Rules, check, lint},
    parse, pretty, sosl as search,
};

use crate::schema::schema;

/// Something that must hold for a text.
pub type Property = fn(&[u8]);

static SCHEMA: LazyLock<MemorySchema> = LazyLock::new(schema);

const EVERYTHING: Options = Options { apex: true, comments: true };

/// What parses is printed so that it parses to the same tree, and the semantic check comes to an end.
pub fn soql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for options in [Options::default(), EVERYTHING] {
        match parse(text, options) {
            Ok(select) => {
                assert_eq!(parse(&select.to_string(), options).as_ref(), Ok(&select), "printed");
                for width in [0, 40] {
                    assert_eq!(parse(&pretty(&select, width), options).as_ref(), Ok(&select), "laid out");
                }
                let rules = Rules { apex: options.apex, multi_currency: true, ..Rules::default() };
                tell(&check(&select, &*SCHEMA, rules), text);
                tell(&lint(&select, Rules { api_version: 40, ..rules }), text);
            }
            Err(error) => {
                assert!(text.is_char_boundary(error.offset), "an error inside a character");
                let _ = (error.to_string(), error.salesforce_message(text));
            }
        }
    }
}

fn tell(findings: &Findings, text: &str) {
    for finding in findings.errors.iter().chain(&findings.warnings) {
        let _ = finding.message(text);
    }
}

/// Likewise for searches; and the term can be asked for.
pub fn sosl(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for options in [Options::default(), EVERYTHING] {
        match search::parse(text, options) {
            Ok(found) => {
                assert_eq!(search::parse(&found.to_string(), options).as_ref(), Ok(&found), "printed");
                assert_eq!(search::parse(&search::pretty(&found, 40), options).as_ref(), Ok(&found), "laid out");
                let _ = found.term.query();
            }
            Err(error) => {
                assert!(text.is_char_boundary(error.offset), "an error inside a character");
                let _ = (error.to_string(), error.salesforce_message(text));
            }
        }
    }
}
