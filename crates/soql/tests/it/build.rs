//! Statements made by programs: no value changes what a statement is, and split lists find what the whole one finds.

use jiff::{Timestamp, civil};
use proptest::prelude::*;
use tombolo_soql::{
    DateLiteralKind, MAX_DEPTH, Options,
    ast::{Condition, DateLiteral, LikePart, Literal, Select, Set},
    build::{BuildError, Filter, Measure, Pattern, SplitError, Template, Value, count, field, select, split_in_list},
    parse,
};

#[track_caller]
fn check(query: Result<Select, BuildError>, expect: &str) {
    match query {
        Ok(query) => assert_eq!(query.to_string(), expect),
        Err(error) => assert_eq!(error.to_string(), expect),
    }
}

fn where_(filter: Filter) -> Result<Select, BuildError> {
    select(["Id"]).from("A").filter(filter).build()
}

#[track_caller]
fn check_filter(filter: Filter, expect: &str) {
    check(where_(filter), &format!("SELECT Id FROM A WHERE {expect}"));
}

#[test]
fn statements() {
    check(count().from("Account").build(), "SELECT COUNT() FROM Account");
    let grouped = select(["Industry", "MAX(AnnualRevenue) most"]).from("Account a").group_by(["Industry"]);
    let grouped = grouped.having(field("COUNT(Id)").gt(5)).order_by(field("COUNT(Id)").ascending().nulls_first());
    check(
        grouped.build(),
        "SELECT Industry, MAX(AnnualRevenue) most FROM Account a GROUP BY Industry HAVING COUNT(Id) > 5 ORDER BY \
         COUNT(Id) ASC NULLS FIRST",
    );
    let contacts = select(["LastName"]).from("Contacts").order_by(field("LastName").descending().nulls_last()).limit(5);
    let accounts = select(["Id"]).children(contacts).from("Account").scope("mine").filter(field("Name").ne("x"));
    check(
        accounts.filter(field("Id").eq("y")).limit(10).offset(20).build(),
        "SELECT Id, (SELECT LastName FROM Contacts ORDER BY LastName DESC NULLS LAST LIMIT 5) FROM Account USING SCOPE \
         mine WHERE Name != 'x' AND Id = 'y' LIMIT 10 OFFSET 20",
    );
    check(select(["A"]).from("B").cube(["A", "C"]).build(), "SELECT A FROM B GROUP BY CUBE(A, C)");
    check(select(["A"]).from("B").rollup(["A"]).build(), "SELECT A FROM B GROUP BY ROLLUP(A)");
}

#[test]
fn filters() {
    let relative = |kind, count| Value::Relative(DateLiteral { kind, count });
    check_filter(field("A").eq(None::<i64>), "A = NULL");
    check_filter(
        field("A").eq(true).or(field("B").lt(-5)).and(field("C").ge(0.25)),
        "(A = TRUE OR B < -5) AND C >= 0.25",
    );
    check_filter(field("A").le(1e21), "A <= 1000000000000000000000");
    check_filter(field("A").eq(civil::date(2026, 2, 3)), "A = 2026-02-03");
    check_filter(field("A").eq(civil::time(1, 2, 3, 40_000_000)), "A = 01:02:03.040Z");
    check_filter(field("A").gt(Timestamp::UNIX_EPOCH), "A > 1970-01-01T00:00:00.000Z");
    check_filter(field("A").eq(relative(DateLiteralKind::Today, None)), "A = TODAY");
    check_filter(field("A").like(Pattern::contains("50%").one()), r"A LIKE '%50\%%_'");
    check_filter(field("A").like(Pattern::exactly("")), "A LIKE ''");
    check_filter(field("A").is_in(["a", "b'"]).negated(), r"NOT A IN ('a', 'b\'')");
    check_filter(field("A").not_in([1, 2]), "A NOT IN (1, 2)");
    check_filter(field("A").includes(["a;b", "c"]), "A INCLUDES ('a;b', 'c')");
    check_filter(field("A").excludes(["a"]), "A EXCLUDES ('a')");
    let rows = || select(["B"]).from("C").filter(field("D").eq("x"));
    check_filter(field("A").in_rows(rows()), "A IN (SELECT B FROM C WHERE D = 'x')");
    check_filter(field("A").not_in_rows(rows()), "A NOT IN (SELECT B FROM C WHERE D = 'x')");
    check_filter(Filter::any([field("A").eq(1), field("A").eq(2), field("A").eq(3)]), "A = 1 OR A = 2 OR A = 3");
    check_filter(Filter::all([field("CALENDAR_YEAR(A)").eq(1)]), "CALENDAR_YEAR(A) = 1");
}

#[test]
fn what_cannot_be_built_is_said() {
    for name in ["", "A B", "A, B", "A FROM B", "1", "From", "A = 1 OR B", "A--", "a'b", "(SELECT Id FROM B)", "A;"] {
        check(where_(field(name).eq(1)), &format!("`{name}` can not stand here"));
        if name != "A B" {
            check(select([name]).from("A").build(), &format!("`{name}` can not stand here"));
            check(select(["Id"]).from(name).build(), &format!("`{name}` can not stand here"));
        }
    }
    check(select(["Id"]).from("A WHERE B = 1").build(), "`A WHERE B = 1` can not stand here");
    check(select([]).from("A").build(), "nothing is selected");
    check(where_(field("A").is_in(Vec::<i64>::new())), "a list needs at least one value");
    check(where_(Filter::all([])), "a list needs at least one value");
    check(where_(field("A").eq(f64::NAN)), "SOQL has no way to write NaN");
    check(where_(field("A").eq(civil::date(-5, 1, 1))), "SOQL has no way to write -000005-01-01");
    check(
        where_(field("A").in_rows(select(["B"]).from("C").limit(5))),
        "the parameter `C` takes fields and a condition only, where it is the query of a semi-join",
    );
    check(where_(field("A").eq("x".repeat(100_000))), "the statement is not SOQL");
    let deep = (0..100_000).fold(field("A").eq(1), |filter, _| filter.negated());
    check(where_(deep), "too many conditions inside each other");
    let almost = (0..MAX_DEPTH - 1).fold(field("A").eq(1), |filter, _| filter.negated());
    check(where_(almost), "the statement is not SOQL");
    let wide = (0..3_000).fold(field("A").eq(1), |filter, at| filter.or(field("A").eq(at)));
    assert!(where_(wide).is_ok());
}

#[test]
fn templates() {
    let template = |text: &str| Template::parse(text).unwrap();
    let all = "SELECT Id, DISTANCE(L, GEOLOCATION(:x, -1), 'km') d, (SELECT Id FROM B WHERE C = :c LIMIT :n) FROM A \
               WHERE D IN :list AND E LIKE :text AND F LIKE :pattern AND G > LAST_N_DAYS:n AND H INCLUDES :list AND \
               (NOT I IN (:c, 5)) AND J IN (SELECT K FROM L WHERE M = :c) AND N > LAST_N_HOURS:n LIMIT :n OFFSET :n";
    let bound = template(all).bind("x", 1.5).bind("c", "it's").bind("n", 3).bind_list("list", ["a", "b"]);
    let bound = bound.bind("text", "50%_").bind_pattern("pattern", Pattern::starts_with("a"));
    check(
        bound.finish(),
        r"SELECT Id, DISTANCE(L, GEOLOCATION(1.5, -1), 'km') d, (SELECT Id FROM B WHERE C = 'it\'s' LIMIT 3) FROM A WHERE D IN ('a', 'b') AND E LIKE '50\%\_' AND F LIKE 'a%' AND G > LAST_N_DAYS:3 AND H INCLUDES ('a', 'b') AND (NOT I IN ('it\'s', 5)) AND J IN (SELECT K FROM L WHERE M = 'it\'s') AND N > LAST_N_HOURS:3 LIMIT 3 OFFSET 3",
    );
    let simple = || template("SELECT Id FROM A WHERE B = :b");
    check(simple().finish(), "the parameter `b` has no value");
    check(simple().bind("b", 1).bind("c", 2).finish(), "the statement has no parameter `c`");
    check(simple().bind_list("b", [1]).finish(), "the parameter `b` takes one value");
    check(simple().bind_pattern("b", Pattern::exactly("x")).finish(), "the parameter `b` takes one value");
    check(simple().bind("b", None::<String>).finish(), "SELECT Id FROM A WHERE B = NULL");
    check(template("SELECT Id FROM A WHERE B IN :b").bind("b", 1).finish(), "the parameter `b` takes a list of values");
    check(
        template("SELECT Id FROM A WHERE B IN :b").bind_list("b", Vec::<i64>::new()).finish(),
        "a list needs at least one value",
    );
    check(
        template("SELECT Id FROM A LIMIT :b").bind("b", "5 FOR VIEW").finish(),
        "the parameter `b` takes a whole number that is not negative",
    );
    check(template("SELECT Id FROM A FOR UPDATE").finish(), "the statement is not SOQL");
    assert!(Template::parse("SELECT Id FROM A WHERE :b = 1").is_err());
}

fn with_ids(count: usize, rest: &str) -> Select {
    let ids = (0..count).map(|at| format!("'{at:015}'")).collect::<Vec<_>>().join(", ");
    parse(&format!("SELECT Id FROM A WHERE Id IN ({ids}){rest}"), Options::default()).unwrap()
}

#[test]
fn lists_that_cannot_be_split() {
    let split =
        |rest: &str, limit| split_in_list(&with_ids(10, rest), limit, Measure::Characters).map(|parts| parts.len());
    assert_eq!(split("", 1_000), Ok(1));
    assert_eq!(split(" AND B = 1", 100), Ok(4));
    assert_eq!(split("", 48), Ok(10));
    assert_eq!(split("", 47), Err(SplitError::TooLong));
    for rest in [" LIMIT 5", " OFFSET 5", " ORDER BY Id", " GROUP BY Id"] {
        assert_eq!(split(rest, 100), Err(SplitError::Whole), "{rest}");
    }
    assert_eq!(split(" OR B = 1", 100), Err(SplitError::NoList));
    let not_in = parse("SELECT Id FROM A WHERE B NOT IN ('a', 'b', 'c')", Options::default()).unwrap();
    assert_eq!(split_in_list(&not_in, 40, Measure::Characters), Err(SplitError::NoList));
    let counted = parse("SELECT COUNT() FROM A WHERE B IN ('a', 'b', 'c')", Options::default()).unwrap();
    assert_eq!(split_in_list(&counted, 40, Measure::Characters), Err(SplitError::Whole));
}

#[test]
fn values_that_may_be_equal_stay_together() {
    let source = "SELECT Id FROM A WHERE B IN ('001000000000001', 'x', 'y', '001000000000001AAA', 'X', 'z', 'x')";
    let query = parse(source, Options::default()).unwrap();
    let parts = split_in_list(&query, 72, Measure::Characters).unwrap();
    let lists: Vec<_> =
        parts.iter().map(|part| part.to_string()["SELECT Id FROM A WHERE B IN ".len()..].to_owned()).collect();
    let nulls = parse("SELECT Id FROM A WHERE B IN ('', 'aaaaaaaaa', 'bbbbbbbbb', NULL)", Options::default()).unwrap();
    let parts = split_in_list(&nulls, 48, Measure::Characters).unwrap();
    assert_eq!(parts[0].to_string(), "SELECT Id FROM A WHERE B IN ('', NULL)");
    assert_eq!(lists, ["('001000000000001', '001000000000001AAA')", "('x', 'X', 'y', 'z')"]);
}

fn listed(select: &Select) -> Vec<Literal> {
    match &select.condition {
        Some(Condition::And(operands)) => match &operands[0] {
            Condition::In(membership) => match &membership.set {
                Set::List(values) => values.iter().map(|value| value.literal.clone()).collect(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Whatever is bound is found again as the same literal, in a statement of the same shape.
    #[test]
    fn no_text_gets_out_of_its_literal(text in any::<String>(), other in "['\\\\%_ a-z\n]{0,12}") {
        for text in [text, other] {
            let built = where_(field("B").eq(&text).and(field("C").like(Pattern::contains(&text)))).unwrap();
            let template = Template::parse("SELECT Id FROM A WHERE B = :b AND C LIKE :c").unwrap();
            let bound = template.bind("b", &text).bind_pattern("c", Pattern::contains(&text)).finish().unwrap();
            prop_assert_eq!(&built, &bound);
            let read = parse(&built.to_string(), Options::default()).unwrap();
            prop_assert_eq!(&read, &built);
            let Some(Condition::And(operands)) = read.condition else { panic!() };
            let [Condition::Compare(equal), Condition::Like(like)] = operands.as_slice() else { panic!() };
            prop_assert_eq!(&equal.value.literal, &Literal::String(text.clone()));
            let Literal::Pattern(parts) = &like.pattern.literal else { panic!() };
            let expected: Vec<_> = [LikePart::Any, LikePart::Text(text.clone()), LikePart::Any].into_iter().filter(|part| *part != LikePart::Text(String::new())).collect();
            prop_assert_eq!(parts, &expected);
            prop_assert_eq!(read.limit, None);
        }
    }

    #[test]
    fn no_name_is_more_than_a_name(name in any::<String>(), nearly in "[A-Za-z_.() ,='0-9]{0,10}") {
        for name in [name, nearly] {
            if let Ok(built) = where_(field(&name).eq(1)) {
                prop_assert!(matches!(&built.condition, Some(Condition::Compare(_))), "{}", name);
            }
            let _ = select([name.as_str()]).from(&name).scope(&name).group_by([name.as_str()]).build();
        }
    }

    #[test]
    fn numbers_come_back(number in any::<f64>(), whole in any::<i64>()) {
        for (value, expect) in [(Value::from(number), number.to_string()), (Value::from(whole), whole.to_string())] {
            match where_(field("B").eq(value)) {
                Ok(built) => prop_assert_eq!(built.to_string(), ["SELECT Id FROM A WHERE B = ", &expect].concat()),
                Err(error) => prop_assert!(!number.is_finite() && matches!(error, BuildError::Value(_)), "{}", error),
            }
        }
    }

    #[test]
    fn moments_come_back(second in -60_000_000_000_i64..250_000_000_000, nano in 0..1_000_000_000_i32) {
        let moment = Timestamp::new(second, nano).unwrap();
        prop_assert!(where_(field("B").eq(moment).and(field("C").eq(moment.to_zoned(jiff::tz::TimeZone::UTC).time()))).is_ok());
    }

    #[test]
    fn split_lists_hold_each_value_once(values in prop::collection::vec("[a-cA-C']{1,4}", 1..60), limit in 60..300_usize, url in any::<bool>()) {
        let measure = if url { Measure::UrlBytes } else { Measure::Characters };
        let query = where_(field("B").is_in(&values).and(field("C").eq("x"))).unwrap();
        match split_in_list(&query, limit, measure) {
            Ok(parts) => {
                let mut seen = Vec::new();
                for part in &parts {
                    let text = part.to_string();
                    prop_assert!(measure.of(&text) <= limit);
                    prop_assert_eq!(&parse(&text, Options::default()), &Ok(part.clone()));
                    let folded: Vec<_> = listed(part).iter().map(|literal| literal.to_string().to_lowercase()).collect();
                    prop_assert!(folded.iter().all(|value| !seen.contains(value)));
                    seen.extend(folded);
                }
                let mut expected: Vec<_> = listed(&query).iter().map(|literal| literal.to_string().to_lowercase()).collect();
                for list in [&mut seen, &mut expected] {
                    list.sort();
                    list.dedup();
                }
                prop_assert_eq!(seen, expected);
            }
            Err(error) => prop_assert_eq!(error, SplitError::TooLong),
        }
    }
}
