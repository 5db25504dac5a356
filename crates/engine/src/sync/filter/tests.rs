use proptest::prelude::*;
use tombolo_schema::parse_datetime;

use super::*;

/// A record: what is not in it is not known.
fn record(name: &str) -> Option<Stored> {
    Some(match name.to_ascii_lowercase().as_str() {
        "name" => "Acme Corp".into(),
        "blank" => "".into(),
        "nothing" => Stored::Null,
        "id" => "0015500001QdQWaAAN".into(),
        "amount" => Stored::Double(12.5),
        "number" => Stored::Int(7),
        "big" => Stored::Int(9_007_199_254_740_993),
        "active" => Stored::Boolean(true),
        "closed" => Stored::Boolean(false),
        "day" => Stored::Date("2026-11-22".parse().unwrap()),
        "moment" => Stored::DateTime(parse_datetime("2026-11-22T10:00:00Z").unwrap()),
        "clock" => Stored::Time("13:05:00".parse().unwrap()),
        "colours" => "red;blue".into(),
        "owner.name" => "Ada".into(),
        "digits" => "42".into(),
        _ => return None,
    })
}

fn judged(filter: Result<Filter, FilterError>) -> Option<bool> {
    filter.unwrap_or_else(|error| panic!("{}: {error}", error.offset)).judge(&record)
}

fn refused(filter: Result<Filter, FilterError>) -> (usize, String) {
    match filter {
        Ok(filter) => panic!("`{}` was read", filter.text),
        Err(error) => (error.offset, error.message),
    }
}

#[test]
fn soql_conditions() {
    for (text, expected) in [
        // Case does not count, blanks at the end neither.
        ("Name = 'acme CORP'", true),
        ("name != 'acme corp'", false),
        ("Name > 'ACME'", true),
        ("Name IN ('x', 'ACME corp')", true),
        ("Name NOT IN ('x')", true),
        // Null is a value.
        ("Nothing = null", true),
        ("Nothing = ''", true),
        ("Blank = null", true),
        ("Name != null", true),
        ("Nothing != 'x'", true),
        ("Nothing NOT IN ('x')", true),
        ("Nothing IN ('x', null)", true),
        ("Nothing < 5", false),
        ("Nothing LIKE '%'", false),
        ("(NOT Nothing LIKE '%')", true),
        ("NOT Nothing < 5", true),
        // Checkboxes.
        ("Active = true", true),
        ("Closed = null", true),
        ("Active != null", true),
        ("Nothing = false", true),
        // Numbers, days, moments, times.
        ("Amount = 12.50", true),
        ("Amount > 12", true),
        ("Number <= 7.0", true),
        ("Big = 9007199254740993", true),
        ("Day = 2026-11-22", true),
        ("Day < 2026-11-22", false),
        ("Moment >= 2026-11-22T11:00:00+01:00", true),
        ("Moment > 2026-11-22", true),
        ("Clock < 14:00:00.000Z", true),
        // Patterns.
        ("Name LIKE 'ACME%'", true),
        ("Name LIKE 'a_me corp'", true),
        ("Name LIKE '%o%r%'", true),
        ("Name LIKE 'Acme'", false),
        (r"Name LIKE 'Acme\_Corp'", false),
        // Sets.
        ("Colours INCLUDES ('RED')", true),
        ("Colours INCLUDES ('green', 'red;blue')", true),
        ("Colours INCLUDES ('red;green')", false),
        ("Colours EXCLUDES ('green')", true),
        ("Nothing EXCLUDES ('green')", true),
        // Ids in both lengths; and Ids are of one case.
        ("Id = '0015500001QdQWa'", true),
        ("Id IN ('0015500001QdQWaAAN')", true),
        ("Id = '0015500001qdqwa'", false),
        // Joined.
        ("Name = 'x' OR (Amount > 5 AND (NOT Closed = true))", true),
        ("Owner.Name = 'ada'", true),
    ] {
        assert_eq!(judged(Filter::parse_soql(text)), Some(expected), "{text}");
    }
}

#[test]
fn sql_conditions() {
    for (text, expected) in [
        // Case counts.
        ("name = 'Acme Corp'", true),
        ("name = 'acme corp'", false),
        ("NAME <> 'x'", true),
        ("name in ('x', 'Acme Corp')", true),
        // Null is unknown, and so is its contrary.
        ("nothing = 'x'", false),
        ("NOT nothing = 'x'", false),
        ("nothing <> 'x'", false),
        ("nothing NOT IN ('x')", false),
        ("name NOT IN ('x', NULL)", false),
        ("name IN ('Acme Corp', NULL)", true),
        ("nothing IS NULL", true),
        ("name IS NOT NULL", true),
        ("blank IS NULL", false),
        ("nothing = 'x' OR active", true),
        ("NOT (nothing = 'x' AND closed)", true),
        // Boolean columns.
        ("active", true),
        ("NOT closed", true),
        ("(closed)", false),
        ("active AND number = 7", true),
        ("nothing IS TRUE", false),
        ("nothing IS NOT TRUE", true),
        ("closed IS FALSE", true),
        ("active = 1", true),
        ("closed = 'f'", true),
        ("number = TRUE", false),
        // Numbers.
        ("amount = 1.25e1", true),
        ("5 < amount", true),
        ("-5 > amount", false),
        ("number BETWEEN 7 AND 8", true),
        ("number NOT BETWEEN -1 AND +6", true),
        ("digits = 42", true),
        ("number = '7'", true),
        ("name > 5", false),
        ("NOT name > 5", false),
        // Days and moments, as text or with their type.
        ("day >= '2026-11-22'", true),
        ("day = DATE '2026-11-22'", true),
        ("moment > '2026-11-22 09:59:59'", true),
        ("moment < TIMESTAMP '2026-11-22T10:00:00Z'", false),
        ("clock >= TIME '13:05:00'", true),
        ("day > 'soon'", false),
        // Patterns.
        ("name LIKE 'Acme%'", true),
        ("name LIKE 'acme%'", false),
        ("name ILIKE 'acme_corp'", true),
        ("name NOT LIKE '%x%'", true),
        ("name LIKE 'Acme!_Corp' ESCAPE '!'", false),
        ("nothing NOT LIKE 'x'", false),
        // Names and texts in quotes.
        ("\"name\" = 'Acme Corp'", true),
        ("`name` = 'Acme Corp' and [number] = 7", true),
        ("name <> 'O''Brien'", true),
        // AND before OR.
        ("active OR closed AND closed", true),
        ("TRUE", true),
        ("false OR active", true),
    ] {
        assert_eq!(judged(Filter::parse_sql(text)), Some(expected), "{text}");
    }
}

#[test]
fn what_hangs_on_an_unknown_value_is_not_judged() {
    for (text, expected) in [
        ("other = 1", None),
        ("NOT other = 1", None),
        ("other IS NULL", None),
        ("other = 1 AND closed", Some(false)),
        ("other = 1 OR active", Some(true)),
        ("other = 1 AND nothing = 1", None),
        ("other = 1 AND active", None),
    ] {
        let filter = Filter::parse_sql(text).unwrap();
        assert_eq!(filter.judge(&record), expected, "{text}");
        assert_eq!(filter.holds(&record), expected == Some(true), "{text}");
    }
    assert_eq!(Filter::parse_soql("Other != null").unwrap().judge(&record), None);
}

#[test]
fn the_fields_are_told_once() {
    let filter = Filter::parse_soql("Email != null AND (email LIKE '%@x.com' OR Account.Name = 'x')").unwrap();
    assert_eq!(filter.fields().collect::<Vec<_>>(), ["Email", "Account.Name"]);
    let filter = Filter::parse_sql("deleted_at IS NULL and \"Kind\" in (1, 2) and DELETED_AT < 5").unwrap();
    assert_eq!(filter.fields().collect::<Vec<_>>(), ["deleted_at", "Kind"]);
}

#[test]
fn what_cannot_be_judged_in_memory_is_refused_by_name() {
    for (text, offset, says) in [
        ("CreatedDate = TODAY", 14, "what day it is"),
        ("CreatedDate > LAST_N_DAYS:5", 14, "what day it is"),
        ("CALENDAR_YEAR(CreatedDate) = 2026", 0, "cannot compute"),
        ("AccountId IN (SELECT Id FROM Account)", 0, "other records"),
        ("Amount > USD5", 9, "currencies"),
        ("Name = 'x' LIMIT 5", 11, "nothing may follow"),
        ("Name = 'x' ORDER BY Name", 11, "nothing may follow"),
        ("Name = 'x') OR (Name = 'y'", 10, "found `)`"),
        ("Name = 'x' AND Name = 'y' OR Name = 'z'", 26, "parentheses"),
        ("Name = :x", 7, "Apex"),
        ("Name = 'x", 7, "no closing quote"),
        ("Day = 2026-13-01", 6, "no date"),
        ("", 0, "found the end"),
        ("Name IS NULL", 5, "a comparison"),
    ] {
        let (at, message) = refused(Filter::parse_soql(text));
        assert!(message.contains(says), "{text}: {message}");
        assert_eq!(at, offset, "{text}: {message}");
    }
    for (text, offset, says) in [
        ("lower(name) = 'x'", 0, "`lower`"),
        ("created_at > now()", 13, "`now`"),
        ("created_at > CURRENT_DATE", 13, "when it is asked"),
        ("id IN (SELECT id FROM x)", 7, "other rows"),
        ("EXISTS (SELECT 1)", 0, "other rows"),
        ("name = NULL", 7, "IS NULL"),
        ("name = other", 7, "two columns"),
        ("contacts.name = 'x'", 0, "without the table"),
        ("amount + 1 > 5", 7, "cannot compute"),
        ("amount > 5 * 2", 11, "cannot compute"),
        ("day::text = 'x'", 3, "cannot compute"),
        (r"name LIKE 'a\%'", 10, "backslash"),
        ("name = 'x", 7, "no closing quote"),
        ("name = 'x' ORDER BY name", 11, "AND, OR or the end"),
        ("name", 0, ""),
        ("day = DATE 'soon'", 6, "make no value"),
        ("name LIKE 'x' ESCAPE '!!'", 21, "one character"),
        ("5 = 5", 4, "a column"),
        ("name = $1", 7, "`$`"),
        ("(name = 'x'", 11, "`)`"),
        ("", 0, "found the end"),
        ("name NOT 5", 9, "IN, BETWEEN or LIKE"),
        ("name IS 5", 8, "NULL, TRUE or FALSE"),
    ] {
        if says.is_empty() {
            assert!(Filter::parse_sql(text).is_ok(), "{text}");
            continue;
        }
        let (at, message) = refused(Filter::parse_sql(text));
        assert!(message.contains(says), "{text}: {message}");
        assert_eq!(at, offset, "{text}: {message}");
    }
    let deep = format!("{}a = 1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(refused(Filter::parse_sql(&deep)).1.contains("too many"));
    assert!(Filter::parse_sql(&"NOT ".repeat(100_000)).is_err());
    assert!(Filter::parse_soql(&deep[..50_000]).is_err());
}

/// Pieces of both dialects, put together by chance.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("Name"),
        Just("amount"),
        Just("="),
        Just("<>"),
        Just("("),
        Just(")"),
        Just("AND"),
        Just("OR"),
        Just("NOT"),
        Just("IN"),
        Just("LIKE"),
        Just("'a%'"),
        Just("'"),
        Just("5"),
        Just("-1.5e"),
        Just("NULL"),
        Just("IS"),
        Just("TRUE"),
        Just("TODAY"),
        Just("2026-01-01"),
        Just(","),
        Just("INCLUDES"),
        Just("DATE"),
        Just("BETWEEN"),
        Just("ESCAPE"),
        Just("ä\u{0}"),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_answered(text in prop_oneof![words(), "\\PC{0,40}"]) {
        for filter in [Filter::parse_soql(&text), Filter::parse_sql(&text)] {
            match filter {
                Ok(filter) => {
                    prop_assert_eq!(filter.holds(&record), filter.judge(&record) == Some(true));
                    prop_assert!(filter.fields().all(|field| !field.is_empty() || text.contains("\"\"")));
                }
                Err(error) => prop_assert!(error.offset <= text.len() && text.is_char_boundary(error.offset)),
            }
        }
    }

    #[test]
    fn a_record_takes_part_or_its_contrary_does(text in words()) {
        if let Ok(filter) = Filter::parse_soql(&text) {
            let contrary = Filter::parse_soql(&format!("NOT ({text})")).unwrap();
            match filter.judge(&record) {
                Some(holds) => prop_assert_eq!(contrary.judge(&record), Some(!holds)),
                None => prop_assert_eq!(contrary.judge(&record), None),
            }
        }
    }

    #[test]
    fn patterns_match_what_they_were_made_from(text in "[a-c]{0,8}", holes in prop::collection::vec(any::<bool>(), 8)) {
        let mut pattern = String::new();
        for (letter, hole) in text.chars().zip(holes) {
            pattern.push(if hole { '_' } else { letter });
        }
        for pattern in [pattern.clone(), format!("%{pattern}"), format!("{pattern}%"), pattern.replace('_', "%")] {
            let filter = Filter::parse_sql(&format!("x LIKE '{pattern}'")).unwrap();
            prop_assert!(filter.holds(&|_| Some(Stored::Text(text.clone()))), "{} {}", pattern, text);
        }
    }
}
