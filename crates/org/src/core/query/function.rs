//! The functions of SOQL: aggregates, parts of dates, and the rest by name.

use tombolo_schema::FieldType;
use tombolo_soql::ast::Expr;

use super::operand::Operand;
use crate::core::schema::FieldDef;

/// A function by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Aggregate(Aggregate),
    Date(DatePart),
    ToLabel,
    /// Of what is selected only.
    Format,
    ConvertCurrency,
    /// Of what is grouped by, where there are groups.
    Grouping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatePart {
    CalendarYear,
    CalendarQuarter,
    CalendarMonth,
    FiscalYear,
    FiscalQuarter,
    FiscalMonth,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

const FUNCTIONS: &[(&str, Function)] = &[
    ("COUNT", Function::Aggregate(Aggregate::Count)),
    ("COUNT_DISTINCT", Function::Aggregate(Aggregate::CountDistinct)),
    ("SUM", Function::Aggregate(Aggregate::Sum)),
    ("AVG", Function::Aggregate(Aggregate::Avg)),
    ("MIN", Function::Aggregate(Aggregate::Min)),
    ("MAX", Function::Aggregate(Aggregate::Max)),
    ("CALENDAR_YEAR", Function::Date(DatePart::CalendarYear)),
    ("CALENDAR_QUARTER", Function::Date(DatePart::CalendarQuarter)),
    ("CALENDAR_MONTH", Function::Date(DatePart::CalendarMonth)),
    ("FISCAL_YEAR", Function::Date(DatePart::FiscalYear)),
    ("FISCAL_QUARTER", Function::Date(DatePart::FiscalQuarter)),
    ("FISCAL_MONTH", Function::Date(DatePart::FiscalMonth)),
    ("DAY_IN_MONTH", Function::Date(DatePart::DayInMonth)),
    ("DAY_IN_WEEK", Function::Date(DatePart::DayInWeek)),
    ("DAY_IN_YEAR", Function::Date(DatePart::DayInYear)),
    ("DAY_ONLY", Function::Date(DatePart::DayOnly)),
    ("HOUR_IN_DAY", Function::Date(DatePart::HourInDay)),
    ("WEEK_IN_MONTH", Function::Date(DatePart::WeekInMonth)),
    ("WEEK_IN_YEAR", Function::Date(DatePart::WeekInYear)),
    ("TOLABEL", Function::ToLabel),
    ("FORMAT", Function::Format),
    ("CONVERTCURRENCY", Function::ConvertCurrency),
    ("GROUPING", Function::Grouping),
];

impl Function {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
    }
}

/// What is inside `FORMAT(…)`, and whether it is inside one.
pub(super) fn unformatted(expr: &Expr) -> (&Expr, bool) {
    match expr {
        Expr::Call(call) if call.function.is("FORMAT") => (&call.argument, true),
        other => (other, false),
    }
}

impl Aggregate {
    pub(super) fn name(self) -> &'static str {
        let this = Function::Aggregate(self);
        FUNCTIONS.iter().find(|(_, function)| *function == this).map_or("", |(name, _)| name)
    }

    pub(super) fn sql(self, column: &str) -> String {
        match self {
            Self::Count => format!("COUNT({column})"),
            Self::CountDistinct => format!("COUNT(DISTINCT {column})"),
            Self::Sum => format!("SUM({column})"),
            Self::Avg => format!("AVG({column})"),
            Self::Min => format!("MIN({column})"),
            Self::Max => format!("MAX({column})"),
        }
    }

    /// Which fields it applies to (soql.md 5).
    pub(super) fn applies_to(self, field: &FieldDef) -> bool {
        let of = field.field_type;
        let number = of.is_decimal() || of.is_integer();
        match self {
            Self::Sum | Self::Avg => number,
            _ => {
                let never = matches!(
                    of,
                    FieldType::Boolean
                        | FieldType::Time
                        | FieldType::MultiPicklist
                        | FieldType::EncryptedString
                        | FieldType::Base64
                ) || of.is_compound();
                !never && (number || field.flags.aggregatable || field.flags.filterable)
            }
        }
    }

    pub(super) fn result_type(self, of: FieldType) -> FieldType {
        match self {
            Self::Count | Self::CountDistinct => FieldType::Int,
            Self::Avg => FieldType::Double,
            Self::Sum | Self::Min | Self::Max => of,
        }
    }
}

impl DatePart {
    /// The part of a date or date-time as SQL, and its type; none where it applies to something else.
    pub(super) fn sql(self, of: &Operand, fiscal_start_month: i8) -> Option<(String, FieldType)> {
        let day = match of.field_type {
            FieldType::Date => of.sql.clone(),
            FieldType::DateTime => format!("date({} / 1000, 'unixepoch')", of.sql),
            _ => return None,
        };
        let part = |format: &str| format!("CAST(strftime('{format}', {day}) AS INTEGER)");
        let month = part("%m");
        let fiscal_month = format!("(({month} - {fiscal_start_month} + 12) % 12 + 1)");
        let text = match self {
            Self::CalendarYear => part("%Y"),
            Self::CalendarMonth => month,
            Self::CalendarQuarter => format!("(({month} + 2) / 3)"),
            // A fiscal year is named after the calendar year it ends in.
            Self::FiscalYear if fiscal_start_month == 1 => part("%Y"),
            Self::FiscalYear => format!("({} + ({month} >= {fiscal_start_month}))", part("%Y")),
            Self::FiscalMonth => fiscal_month,
            Self::FiscalQuarter => format!("(({fiscal_month} + 2) / 3)"),
            Self::DayInMonth => part("%d"),
            Self::DayInWeek => format!("({} + 1)", part("%w")),
            Self::DayInYear => part("%j"),
            Self::WeekInMonth => format!("(({} + 6) / 7)", part("%d")),
            Self::WeekInYear => format!("(({} + 6) / 7)", part("%j")),
            Self::DayOnly => return (of.field_type == FieldType::DateTime).then_some((day, FieldType::Date)),
            Self::HourInDay if of.field_type == FieldType::DateTime => {
                format!("CAST(strftime('%H', {} / 1000, 'unixepoch') AS INTEGER)", of.sql)
            }
            Self::HourInDay => return None,
        };
        Some((text, FieldType::Int))
    }
}
