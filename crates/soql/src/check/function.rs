//! The functions of SOQL (soql.md 2, 5).

use super::FieldKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    /// `SUM` and `AVG`, which want numbers.
    Sum,
    /// `MIN`, `MAX`
    Extreme,
    /// A part of a date.
    DatePart,
    /// `DAY_ONLY` and `HOUR_IN_DAY`, which want a time with the date.
    TimePart,
    ToLabel,
    Format,
    ConvertCurrency,
    ConvertTimezone,
    Grouping,
}

impl Function {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "COUNT" | "COUNT_DISTINCT" => Self::Count,
            "SUM" | "AVG" => Self::Sum,
            "MIN" | "MAX" => Self::Extreme,
            "CALENDAR_MONTH" | "CALENDAR_QUARTER" | "CALENDAR_YEAR" | "FISCAL_MONTH" | "FISCAL_QUARTER"
            | "FISCAL_YEAR" | "DAY_IN_MONTH" | "DAY_IN_WEEK" | "DAY_IN_YEAR" | "WEEK_IN_MONTH" | "WEEK_IN_YEAR" => {
                Self::DatePart
            }
            "DAY_ONLY" | "HOUR_IN_DAY" => Self::TimePart,
            "TOLABEL" => Self::ToLabel,
            "FORMAT" => Self::Format,
            "CONVERTCURRENCY" => Self::ConvertCurrency,
            "CONVERTTIMEZONE" => Self::ConvertTimezone,
            "GROUPING" => Self::Grouping,
            _ => return None,
        })
    }

    pub(super) const fn is_aggregate(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Extreme)
    }

    pub(super) const fn is_date(self) -> bool {
        matches!(self, Self::DatePart | Self::TimePart)
    }

    /// Whether it applies to fields of a type.
    pub(super) const fn takes(self, kind: FieldKind) -> bool {
        match self {
            Self::Sum => kind.is_number(),
            Self::Count | Self::Extreme => !matches!(
                kind,
                FieldKind::Boolean
                    | FieldKind::Time
                    | FieldKind::MultiPicklist
                    | FieldKind::Address
                    | FieldKind::Location
                    | FieldKind::Base64
                    | FieldKind::Encrypted
            ),
            Self::DatePart => kind.is_day(),
            Self::TimePart | Self::ConvertTimezone => matches!(kind, FieldKind::DateTime),
            Self::ConvertCurrency => matches!(kind, FieldKind::Currency),
            Self::ToLabel => kind.is_text(),
            Self::Format => kind.is_number() || kind.is_day() || matches!(kind, FieldKind::Time),
            Self::Grouping => true,
        }
    }

    /// The type of what it makes.
    pub(super) fn result(self, name: &str, of: Option<FieldKind>) -> Option<FieldKind> {
        match self {
            Self::Count | Self::DatePart | Self::Grouping => Some(FieldKind::Integer),
            Self::TimePart if name.eq_ignore_ascii_case("DAY_ONLY") => Some(FieldKind::Date),
            Self::TimePart => Some(FieldKind::Integer),
            Self::ToLabel | Self::Format => Some(FieldKind::Text),
            Self::Sum | Self::Extreme | Self::ConvertCurrency | Self::ConvertTimezone => of,
        }
    }
}
