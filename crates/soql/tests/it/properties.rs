//! What holds for every text.

use proptest::prelude::*;
use tombolo_soql::{Options, ast::Literal, parse, pretty, quote, quote_like};

const EVERYTHING: Options = Options { apex: true, comments: true };

/// Pieces of SOQL in any order: nearly statements, most of them wrong.
fn nearly() -> impl Strategy<Value = String> {
    let pieces = [
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "LIKE",
        "GROUP BY",
        "HAVING",
        "ORDER BY",
        "LIMIT",
        "Id",
        "Name",
        "A",
        "COUNT()",
        "MAX",
        "TYPEOF",
        "WHEN",
        "THEN",
        "END",
        "FIELDS",
        "DISTANCE",
        "GEOLOCATION",
        "WITH",
        "USING SCOPE",
        "INCLUDES",
        "(",
        ")",
        ",",
        ".",
        ":",
        "=",
        "<",
        ">=",
        "-",
        "5",
        ".5",
        "'a'",
        "'",
        "\\",
        "/*",
        "2020-01-01",
        "TODAY",
        "LAST_N_DAYS",
        "USD5",
        "null",
        "new",
        "[",
        "]",
        "é",
        "\n",
        ";",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.join(" "))
}

fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        // No keyword begins with an X.
        "X[a-z]{0,3}(__c)? (=|!=|<|>=) (-?[0-9]{1,4}|TRUE|NULL|TODAY|LAST_N_HOURS:[0-9])",
        any::<String>().prop_map(|text| format!("Name = {}", quote(&text))),
        any::<String>().prop_map(|text| format!("Name LIKE '%{}_'", quote_like(&text))),
        Just("Id NOT IN (SELECT A__c FROM B WHERE C = 1)".to_owned()),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let joined = |word: &'static str| {
            let operand = inner.clone().prop_map(|condition| format!("({condition})"));
            prop::collection::vec(operand, 1..4).prop_map(move |operands| operands.join(word))
        };
        prop_oneof![joined(" AND "), joined(" OR "), inner.clone().prop_map(|c| format!("NOT ({c})"))]
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        for options in [Options::default(), EVERYTHING] {
            if let Err(error) = parse(&text, options) {
                let _ = (error.to_string(), error.salesforce_message(&text));
            }
        }
    }

    #[test]
    fn no_order_of_tokens_panics(text in nearly()) {
        match parse(&text, EVERYTHING) {
            Ok(select) => {
                prop_assert_eq!(&parse(&pretty(&select, 20), EVERYTHING), &Ok(select.clone()));
                prop_assert_eq!(parse(&select.to_string(), EVERYTHING), Ok(select));
            }
            Err(error) => {
                prop_assert!(error.offset <= text.len());
                let _ = error.salesforce_message(&text);
            }
        }
    }

    #[test]
    fn what_is_printed_is_what_was_read(condition in conditions(), width in 0..200_usize) {
        let source = format!("SELECT Id FROM A WHERE {condition}");
        let select = parse(&source, Options::default()).unwrap();
        prop_assert_eq!(&parse(&pretty(&select, width), Options::default()), &Ok(select.clone()));
        prop_assert_eq!(parse(&select.to_string(), Options::default()), Ok(select));
    }

    #[test]
    fn quoted_text_comes_back(text in any::<String>()) {
        let source = format!("SELECT Id FROM A WITH B = {}", quote(&text));
        let select = parse(&source, Options::default()).unwrap();
        let found = match &select.with[..] {
            [tombolo_soql::ast::With::Setting(_, value)] => &value.literal,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(found, &Literal::String(text));
    }
}
