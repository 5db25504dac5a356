//! The crate's own cases: `tests/data/accepted.soql` and `tests/data/refused.tsv`.

use jiff::Timestamp;
use tombolo_soql::{
    DateLiteralKind, ErrorKind, MAX_DEPTH, MAX_LENGTH, Options,
    check::{Rules, lint},
    parse, pretty, rewrite_hours,
};

pub(crate) fn lines(data: &'static str) -> impl Iterator<Item = &'static str> {
    data.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn accepted_statements_print_as_expected() {
    for line in lines(include_str!("../data/accepted.soql")) {
        let (source, printed) = line.split_once(" ==> ").unwrap_or((line, line));
        let select = parse(source, Options::default()).unwrap_or_else(|error| panic!("{source}\n{error}"));
        assert_eq!(select.to_string(), printed);
        for text in [printed.to_owned(), pretty(&select, 0), pretty(&select, 30), pretty(&select, 100)] {
            assert_eq!(parse(&text, Options::default()).as_ref(), Ok(&select), "{text}");
        }
    }
}

#[test]
fn statements_are_laid_out_as_expected() {
    for case in include_str!("../data/pretty.txt").split("===\n") {
        let (source, expect) = case.split_once("\n---\n").unwrap();
        let select = parse(source, Options::default()).unwrap_or_else(|error| panic!("{source}\n{error}"));
        assert_eq!(pretty(&select, 40), expect.trim_end());
    }
}

#[test]
fn refused_statements_say_what_and_where() {
    for line in lines(include_str!("../data/refused.tsv")) {
        let [marked, ours, theirs] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let source = marked.replacen('^', "", 1);
        let error = parse(&source, Options::default()).expect_err(&source);
        assert_eq!(Some(error.offset), marked.find('^'), "{source}: {error}");
        assert_eq!(error.kind.to_string(), ours, "{source}");
        assert_eq!(error.salesforce_text(), theirs, "{source}");
        assert!(error.salesforce_message(&source).ends_with(theirs), "{source}");
    }
}

#[test]
fn apex_and_comments_are_options() {
    let apex = Options { apex: true, comments: true };
    for source in [
        "SELECT Id FROM A WHERE Id IN :new Map<Id, A>(list).keySet() FOR UPDATE ALL ROWS",
        "SELECT Id FROM A WHERE B = :('x' + y[0].z) LIMIT :n OFFSET :m.size()",
        "SELECT Id FROM A WHERE D > LAST_N_DAYS:n AND C INCLUDES :values FOR VIEW, UPDATE",
        "SELECT Id, DISTANCE(L, GEOLOCATION(:x, 2), 'km') FROM A ORDER BY DISTANCE(L, :there, 'mi')",
    ] {
        let select = parse(source, apex).unwrap_or_else(|error| panic!("{source}\n{error}"));
        assert_eq!(select.to_string(), source);
        assert!(parse(source, Options::default()).is_err(), "{source}");
    }
    let commented = "SELECT Id /* ' */ FROM A // the end";
    assert_eq!(parse(commented, apex).unwrap().to_string(), "SELECT Id FROM A");
    assert_eq!(parse("SELECT Id /* FROM A", apex).unwrap_err().kind, ErrorKind::OpenComment);
}

#[test]
fn long_statements_are_read_and_longer_ones_refused() {
    let fields = ["Name"; 16_000].join(", ");
    let source = format!("SELECT {fields} FROM A");
    assert!(source.len() < MAX_LENGTH);
    parse(&source, Options::default()).unwrap();
    let error = parse(&format!("{source}{}", " ".repeat(MAX_LENGTH)), Options::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLong);
    assert_eq!(error.salesforce_message(&source), "SOQL statements can not be longer than 100000 characters");
    let euros = "€".repeat(MAX_LENGTH - 40);
    parse(&format!("SELECT Id FROM A WHERE B = '{euros}'"), Options::default()).unwrap();
}

#[test]
fn every_date_literal_is_read() {
    for kind in DateLiteralKind::ALL {
        let literal = format!("{}{}", kind.as_str(), if kind.takes_count() { ":7" } else { "" });
        let source = format!("SELECT Id FROM A WHERE B = {literal} OR C IN ({literal})");
        assert_eq!(parse(&source, Options::default()).unwrap().to_string(), source);
        assert_eq!(parse(&source.to_lowercase(), Options::default()).map(|_| ()), Ok(()));
    }
}

/// Texts of the greatest length; each would take minutes if reading them took time beyond linear.
#[test]
fn no_shape_of_a_long_text_is_slow() {
    for piece in [
        "(", "'", "''", "\\'", "a.", ":", "-", "/*", "//\n", "[", ".5", "9", "\n", "é", "1-", "NOT (", "x(", "x IN (",
        ":a(",
    ] {
        for start in ["SELECT ", "SELECT Id FROM A WHERE ", "SELECT Id FROM A WHERE B LIKE "] {
            let text = format!("{start}{}", piece.repeat((MAX_LENGTH - start.len()) / piece.chars().count()));
            for (apex, comments) in [(false, false), (true, true)] {
                if let Err(error) = parse(&text, Options { apex, comments }) {
                    assert!(error.salesforce_message(&text).contains(&error.salesforce_text()));
                }
            }
        }
    }
}

/// Statements of each kind of nesting, this deep; the last two nest queries.
fn nested(depth: usize) -> [String; 5] {
    let around = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
    [
        format!("SELECT Id FROM A WHERE {}", around("(", "B = 1", ")")),
        format!("SELECT Id FROM A WHERE NOT {}", around("(NOT ", "B = 1", ")")),
        format!("SELECT {} FROM A", around("MAX(", "B", ")")),
        around("SELECT (", "SELECT Id FROM A", ") FROM A"),
        format!("SELECT Id FROM A WHERE {}", around("B IN (SELECT C FROM D WHERE ", "B = 1", ")")),
    ]
}

#[test]
fn deep_statements_are_refused() {
    let queries = MAX_DEPTH / 8 - 1;
    for source in nested(MAX_DEPTH - 8).into_iter().take(3).chain(nested(queries)) {
        let select = parse(&source, Options::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parse(&select.to_string(), Options::default()), Ok(select));
    }
    let too_deep = nested(MAX_DEPTH - 7).into_iter().chain(nested(queries + 1).into_iter().skip(3));
    for source in too_deep.chain(nested(3_000)) {
        assert_eq!(parse(&source, Options::default()).unwrap_err().kind, ErrorKind::TooDeep, "{source}");
    }
}

#[test]
fn the_deepest_statements_fit_a_small_stack() {
    let deepest = || {
        for source in nested(MAX_DEPTH - 8).into_iter().take(3).chain(nested(MAX_DEPTH / 8 - 1)) {
            let select = parse(&source, Options::default()).unwrap();
            assert_eq!(parse(&select.to_string(), Options::default()), Ok(select.clone()));
            assert_eq!(parse(&pretty(&select, 80), Options::default()), Ok(select.clone()));
            lint(&select, Rules::default());
            rewrite_hours(&source, Options::default(), Timestamp::UNIX_EPOCH).unwrap();
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(deepest).unwrap().join().unwrap();
}
