//! Searches: the crate's own table, and whatever proptest thinks of.

use proptest::prelude::*;
use tombolo_soql::{
    Options,
    sosl::{TermQuery, parse, quote_term},
};

use crate::table::lines;

const API: Options = Options { apex: false, comments: false };
const APEX: Options = Options { apex: true, comments: true };

#[test]
fn accepted_searches_print_as_expected() {
    for line in lines(include_str!("../data/accepted.sosl")) {
        let (source, printed) = line.split_once(" ==> ").unwrap_or((line, line));
        let search = parse(source, API).unwrap_or_else(|error| panic!("{source}\n{error}"));
        assert_eq!(search.to_string(), printed);
        assert_eq!(parse(printed, API).as_ref(), Ok(&search), "{printed}");
    }
}

#[test]
fn refused_searches_say_what_and_where() {
    for line in lines(include_str!("../data/refused_sosl.tsv")) {
        let [marked, ours, theirs] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let source = marked.replacen('^', "", 1);
        let error = parse(&source, API).expect_err(&source);
        assert_eq!(Some(error.offset), marked.find('^'), "{source}: {error}");
        assert_eq!(error.kind.to_string(), ours, "{source}");
        assert_eq!(error.salesforce_text(), theirs, "{source}");
        assert!(error.salesforce_message(&source).ends_with(theirs), "{source}");
    }
}

#[test]
fn searches_of_apex_have_quotes_or_variables() {
    for source in
        ["FIND 'it\\'s' IN ALL FIELDS RETURNING A(Id WHERE B = :c LIMIT :d)", "FIND :term RETURNING A LIMIT :n"]
    {
        let search = parse(source, APEX).unwrap();
        assert_eq!(search.to_string(), source);
        assert!(parse(source, API).is_err());
    }
    assert!(parse("FIND {a}", APEX).is_err());
    assert!(parse("FIND 'a' // the end", APEX).is_ok());
}

#[test]
fn deep_and_long_searches_are_refused_in_time() {
    for piece in ["(", "{", "\\", "\"", "a(", "a,", "NOT ("] {
        for start in ["FIND {", "FIND {a} RETURNING A(Id WHERE ", "FIND {a} RETURNING A(", "FIND {a} RETURNING "] {
            let text = format!("{start}{}", piece.repeat(90_000 / piece.len()));
            assert!(parse(&text, API).is_err());
            assert!(parse(&format!("{text}}}"), API).is_err() || start.ends_with('{'));
        }
    }
}

/// Pieces of SOSL in any order: nearly searches, most of them wrong.
fn nearly() -> impl Strategy<Value = String> {
    let pieces = [
        "FIND",
        "{a b}",
        "{",
        "}",
        "IN",
        "ALL FIELDS",
        "RETURNING",
        "Account",
        "(",
        ")",
        ",",
        "Id",
        "USING",
        "ListView",
        "WHERE",
        "Name = 'x'",
        "ORDER BY",
        "LIMIT",
        "OFFSET",
        "5",
        "WITH",
        "SNIPPET",
        "NETWORK",
        "=",
        "'a'",
        "UPDATE",
        "é",
    ];
    let rest = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.join(" "));
    rest.prop_map(|rest| format!("FIND {{x}} {rest}"))
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        for options in [API, APEX] {
            for source in [text.clone(), format!("FIND {{{text}}}"), format!("FIND {{a}} {text}")] {
                match parse(&source, options) {
                    Ok(search) => {
                        let _ = search.term.query();
                        prop_assert_eq!(parse(&search.to_string(), options), Ok(search));
                    }
                    Err(error) => {
                        let _ = (error.to_string(), error.salesforce_message(&source));
                    }
                }
            }
        }
    }

    #[test]
    fn no_order_of_pieces_panics(text in nearly()) {
        match parse(&text, API) {
            Ok(search) => prop_assert_eq!(parse(&search.to_string(), API), Ok(search)),
            Err(error) => prop_assert!(error.offset <= text.len()),
        }
    }

    #[test]
    fn a_quoted_term_stays_one(word in "[^\\s]{1,20}") {
        prop_assume!(!["AND", "OR", "NOT"].iter().any(|operator| word.eq_ignore_ascii_case(operator)));
        let search = parse(&format!("FIND {{{}}} IN NAME FIELDS LIMIT 3", quote_term(&word)), API).unwrap();
        prop_assert!(search.group.is_some() && search.limit.is_some());
        let expected = TermQuery::Word(vec![tombolo_soql::ast::LikePart::Text(word)]);
        prop_assert_eq!(search.term.query(), Ok(Some(expected)));
    }
}
