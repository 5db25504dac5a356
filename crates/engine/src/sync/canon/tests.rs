use proptest::prelude::*;
use tombolo_schema::parse_datetime;

use super::*;

fn t(text: &str) -> Stored {
    text.into()
}

fn at(text: &str) -> Stored {
    Stored::DateTime(parse_datetime(text).unwrap())
}

fn day(text: &str) -> Stored {
    Stored::Date(text.parse().unwrap())
}

fn clock(text: &str) -> Stored {
    Stored::Time(text.parse().unwrap())
}

/// All of these are one value under the form, and the form is this.
fn one(canon: Canon, form: Stored, spellings: &[Stored]) {
    for spelling in spellings {
        assert_eq!(canon.of(spelling), form, "{canon:?} of {spelling:?}");
        for other in spellings {
            assert!(canon.same(spelling, other), "{canon:?}: {spelling:?} and {other:?}");
        }
    }
}

#[test]
fn text_is_trimmed_and_blank_is_null() {
    let text = Canon::Text(Some(3));
    one(text, t("a b"), &[t("a b"), t(" a b"), t("a b\t\n")]);
    one(text, Stored::Null, &[Stored::Null, t(""), t(" \r\n")]);
    one(text, t("a\nb"), &[t("a\r\nb"), t("a\nb"), t("a\rb\r\n")]);
    one(text, t("5"), &[t("5"), Stored::Int(5), Stored::Double(5.0)]);
    one(text, t("true"), &[t("true"), Stored::Boolean(true)]);
    one(text, t("0"), &[Stored::Double(0.0), Stored::Double(-0.0), Stored::Int(0)]);
    assert!(!text.same(&t("a"), &t("A")), "case counts");
    assert!(!text.same(&t("abcd"), &t("abce")), "nothing is cut");
}

#[test]
fn what_is_too_long_is_known_before_it_is_refused() {
    for (value, fits) in
        [(t("abc"), true), (t("äöü"), true), (t("abcd"), false), (Stored::Int(1234), false), (Stored::Null, true)]
    {
        assert_eq!(Canon::Text(Some(3)).fits(&value), fits, "{value:?}");
    }
    assert!(Canon::Text(None).fits(&t(&"x".repeat(1_000_000))));
    assert!(Canon::Integer.fits(&t("anything")));
}

#[test]
fn decimals_are_rounded_as_people_do() {
    let d = Stored::Double;
    for (scale, value, form) in [
        (2, d(1.005), d(1.01)),
        (2, d(-1.005), d(-1.01)),
        (2, d(1.004_999), d(1.0)),
        (2, d(0.1 + 0.2), d(0.3)),
        (18, d(0.1 + 0.2), d(0.3)),
        (0, d(0.5), d(1.0)),
        (0, d(0.05), d(0.0)),
        (0, d(9.5), d(10.0)),
        (1, d(0.96), d(1.0)),
        (2, d(99.995), d(100.0)),
        (2, Stored::Int(7), d(7.0)),
        (2, t(" 7.10 "), d(7.1)),
        (2, t("+1e3"), d(1000.0)),
        (2, d(-0.0), d(0.0)),
        (2, d(-0.001), d(0.0)),
        (3, d(12_345_678_901_234.567), d(12_345_678_901_234.6)),
        (0, Stored::Int(i64::MAX), d(9.223_372_036_854_78e18)),
        (255, d(1e-200), d(1e-200)),
        (2, d(f64::INFINITY), d(f64::INFINITY)),
        (2, d(f64::NAN), t("NaN")),
        (2, t("inf"), t("inf")),
        (2, t("seven"), t("seven")),
        (2, t(" "), Stored::Null),
        (2, Stored::Null, Stored::Null),
    ] {
        assert_eq!(Canon::Decimal(scale).of(&value), form, "{scale} {value:?}");
    }
}

#[test]
fn whole_numbers_are_exact_as_long_as_doubles_are() {
    let whole = Canon::Integer;
    one(whole, Stored::Int(5), &[Stored::Int(5), Stored::Double(5.0), t("5"), t(" 5.0 "), Stored::Double(4.5)]);
    one(whole, Stored::Int(0), &[Stored::Int(0), Stored::Double(-0.0), Stored::Double(0.4)]);
    let edge = 1_i64 << 53;
    assert_eq!(whole.of(&Stored::Int(edge - 1)), Stored::Int(edge - 1));
    assert!(!whole.same(&Stored::Int(edge - 1), &Stored::Int(edge)));
    // What a double cannot tell apart is not told apart, whichever side holds it.
    assert!(whole.same(&Stored::Int(edge * 4 + 1), &Stored::Double((edge * 4) as f64)));
    assert_eq!(whole.of(&t("many")), t("many"));
}

#[test]
fn null_is_no() {
    let boolean = Canon::Boolean;
    one(
        boolean,
        Stored::Boolean(false),
        &[Stored::Null, Stored::Boolean(false), Stored::Int(0), t(""), t("FALSE"), t("f"), t("0")],
    );
    one(
        boolean,
        Stored::Boolean(true),
        &[Stored::Boolean(true), Stored::Int(1), Stored::Int(2), t("True"), t("t"), t("1")],
    );
    assert_eq!(boolean.of(&t("maybe")), t("maybe"));
}

#[test]
fn days_and_moments() {
    one(
        Canon::Date,
        day("2026-11-22"),
        &[day("2026-11-22"), t("2026-11-22"), at("2026-11-22T23:59:59.999Z"), t("2026-11-22T01:00:00.000+0000")],
    );
    assert_eq!(Canon::Date.of(&t("soon")), t("soon"));
    let second = Canon::DateTime(Precision::Second);
    one(
        second,
        at("2026-11-22T01:02:03Z"),
        &[
            at("2026-11-22T01:02:03.999Z"),
            t("2026-11-22T01:02:03.000+0000"),
            t("2026-11-22 01:02:03"),
            t("2026-11-22T02:02:03+01:00"),
        ],
    );
    one(second, at("1969-12-31T23:59:59Z"), &[at("1969-12-31T23:59:59.500Z"), at("1969-12-31T23:59:59Z")]);
    one(second, at("2026-11-22T00:00:00Z"), &[day("2026-11-22"), t("2026-11-22")]);
    let milli = Canon::DateTime(Precision::Millisecond);
    assert_eq!(milli.of(&t("2026-11-22T01:02:03.0009Z")), at("2026-11-22T01:02:03Z"));
    assert!(!milli.same(&at("2026-11-22T01:02:03.001Z"), &at("2026-11-22T01:02:03Z")));
    let micro = Canon::DateTime(Precision::Microsecond);
    assert_eq!(
        micro.of(&t("2026-11-22T01:02:03.0000019Z")),
        Stored::DateTime("2026-11-22T01:02:03.000001Z".parse().unwrap())
    );
    one(Canon::Time, clock("13:05:00.001"), &[clock("13:05:00.0019"), t("13:05:00.001Z"), t("13:05:00.001")]);
}

#[test]
fn sets_ids_and_keys() {
    one(Canon::MultiPicklist, t("a;b c"), &[t("a;b c"), t("b c;a"), t(" b c ;; a;a")]);
    one(Canon::MultiPicklist, Stored::Null, &[Stored::Null, t(""), t(" ; ")]);
    one(Canon::Id, t("0015500001QdQWaAAN"), &[t("0015500001QdQWa"), t("0015500001QdQWaAAN"), t(" 0015500001QdQWaaan")]);
    assert_eq!(Canon::Id.of(&t("0015500001QdQWaAAA")), t("0015500001QdQWaAAA"), "no Id");
    one(Canon::Key, t("5"), &[t("5"), Stored::Int(5), Stored::Double(5.0), t("5   ")]);
    one(
        Canon::Key,
        t("2f1e0c7a-0000-4000-8000-00000000abcd"),
        &[t("2F1E0C7A-0000-4000-8000-00000000ABCD"), t("2f1e0c7a-0000-4000-8000-00000000abcd")],
    );
    assert!(!Canon::Key.same(&t("ABC"), &t("abc")));
    assert!(!Canon::Key.same(&t("007"), &t("7")));
}

#[test]
fn a_value_is_said_in_the_type_of_the_pair() {
    for (canon, value, said) in [
        (Canon::Text(Some(2)), t("  long "), t("  long ")),
        (Canon::Text(None), t("  "), Stored::Null),
        (Canon::Text(None), Stored::Int(5), t("5")),
        (Canon::Integer, t("5"), Stored::Int(5)),
        (Canon::Integer, t("9007199254740993"), Stored::Int(9_007_199_254_740_993)),
        (Canon::Integer, Stored::Int(i64::MAX), Stored::Int(i64::MAX)),
        (Canon::Decimal(2), t("5"), Stored::Int(5)),
        (Canon::Decimal(2), Stored::Double(1.005), Stored::Double(1.01)),
        (Canon::Decimal(18), Stored::Double(0.1 + 0.2), Stored::Double(0.1 + 0.2)),
        (Canon::Boolean, Stored::Null, Stored::Boolean(false)),
        (Canon::Date, t("2026-11-22"), day("2026-11-22")),
        (Canon::DateTime(Precision::Second), at("2026-11-22T01:02:03.9Z"), at("2026-11-22T01:02:03Z")),
        (Canon::MultiPicklist, t("b; a;b"), t("b;a")),
        (Canon::Id, t("0015500001QdQWa"), t("0015500001QdQWaAAN")),
        (Canon::Key, Stored::Int(5), t("5")),
    ] {
        assert_eq!(canon.say(&value, Side::Right), said, "{canon:?} {value:?}");
    }
}

fn canons() -> impl Strategy<Value = Canon> {
    let precision = prop_oneof![Just(Precision::Second), Just(Precision::Millisecond), Just(Precision::Microsecond)];
    prop_oneof![
        prop::option::of(0u32..5).prop_map(Canon::Text),
        any::<u8>().prop_map(Canon::Decimal),
        (0u8..19).prop_map(Canon::Decimal),
        Just(Canon::Integer),
        Just(Canon::Boolean),
        Just(Canon::Date),
        precision.prop_map(Canon::DateTime),
        Just(Canon::Time),
        Just(Canon::MultiPicklist),
        Just(Canon::Id),
        Just(Canon::Key),
    ]
}

fn values() -> impl Strategy<Value = Stored> {
    let texts = prop_oneof![
        "[ab ;\r\n\t]{0,6}",
        "[-+]?[0-9]{0,18}(\\.[0-9]{0,6})?(e[0-9]{1,3})?",
        "[ ]?(true|FALSE|t|0|1|inf|NaN)[ ]?",
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|\\+0200)?)?",
        "[0-9A-Za-z]{15}([A-Z]{3})?",
        "\\PC{0,8}",
    ];
    prop_oneof![
        Just(Stored::Null),
        any::<bool>().prop_map(Stored::Boolean),
        any::<i64>().prop_map(Stored::Int),
        (-3i64..3).prop_map(Stored::Int),
        (-2i64..3).prop_map(|step| Stored::Int((1 << 53) + step)),
        any::<f64>().prop_map(Stored::Double),
        (any::<i32>(), 0i32..6).prop_map(|(number, scale)| Stored::Double(f64::from(number) / 10f64.powi(scale))),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(f64::MAX), Just(9_007_199_254_740_993.0)]
            .prop_map(Stored::Double),
        texts.prop_map(Stored::Text),
        (-4_000_000i64..4_000_000, 0i32..1_000_000_000)
            .prop_map(|(second, nano)| Stored::DateTime(Timestamp::new(second, nano.abs()).unwrap_or_default())),
        Just(Stored::DateTime(Timestamp::MIN)),
        Just(Stored::DateTime(Timestamp::MAX)),
        Just(Stored::Date(Date::MIN)),
        Just(Stored::Date(Date::MAX)),
        (1i16..3000, 1i8..13, 1i8..29).prop_map(|(y, m, d)| Stored::Date(jiff::civil::date(y, m, d))),
        (0i8..24, 0i32..1_000_000_000).prop_map(|(hour, nano)| Stored::Time(jiff::civil::time(hour, 1, 2, nano))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_form_of_a_form_is_itself(canon in canons(), value in values()) {
        let form = canon.of(&value);
        prop_assert_eq!(canon.of(&form), form);
    }

    #[test]
    fn sameness_is_an_equivalence(canon in canons(), a in values(), b in values(), c in values()) {
        prop_assert!(canon.same(&a, &a));
        prop_assert!(canon.same(&a, &canon.of(&a)));
        prop_assert_eq!(canon.same(&a, &b), canon.same(&b, &a));
        prop_assert!(!(canon.same(&a, &b) && canon.same(&b, &c)) || canon.same(&a, &c));
        prop_assert_eq!(canon.same(&a, &b), canon.of(&a) == canon.of(&b));
    }

    #[test]
    fn what_is_said_is_the_same(canon in canons(), value in values()) {
        for side in Side::BOTH {
            let said = canon.say(&value, side);
            prop_assert_eq!(canon.of(&said), canon.of(&value));
            prop_assert_eq!(canon.say(&said, side.other()), said);
        }
    }
}
