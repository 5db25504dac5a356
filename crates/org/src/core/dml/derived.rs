//! Fields that the org itself fills from others of the same row: names of persons, stages, cases, tasks.

use jiff::civil::Date;

use super::number;
use crate::{core::ObjectDef, store::Cell};

/// A row that is being written, by field name.
pub(super) struct RowView<'a> {
    object: &'a ObjectDef,
    row: &'a mut Vec<Cell>,
    /// The columns that the client gave.
    given: &'a [usize],
    /// Those of them that are not as they were.
    changed: &'a [usize],
}

impl<'a> RowView<'a> {
    pub(super) fn new(object: &'a ObjectDef, row: &'a mut Vec<Cell>, given: &'a [usize], changed: &'a [usize]) -> Self {
        Self { object, row, given, changed }
    }

    fn get(&self, name: &str) -> &Cell {
        self.object.column_of(name).and_then(|at| self.row.get(at)).unwrap_or(&Cell::Null)
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    fn set(&mut self, name: &str, cell: Cell) {
        if let Some(slot) = self.object.column_of(name).and_then(|at| self.row.get_mut(at)) {
            *slot = cell;
        }
    }

    fn is_among(&self, columns: &[usize], name: &str) -> bool {
        self.object.column_of(name).is_some_and(|at| columns.contains(&at))
    }

    /// Sets it unless the client did.
    fn suggest(&mut self, name: &str, cell: Cell) {
        if !self.is_among(self.given, name) {
            self.set(name, cell);
        }
    }
}

/// Fills what follows from the row as it is now.
pub(super) fn fill(mut row: RowView<'_>, now_ms: i64) {
    if row.object.is_person() {
        person(&mut row);
    }
    match &*row.object.name {
        "Opportunity" => opportunity(&mut row, now_ms),
        "Case" => closing(&mut row, "Closed", Some("ClosedDate"), now_ms),
        "Task" => {
            closing(&mut row, "Completed", Some("CompletedDateTime"), now_ms);
            let high = row.text("Priority").is_some_and(|p| p.eq_ignore_ascii_case("High"));
            row.set("IsHighPriority", Cell::Integer(high.into()));
        }
        _ => {}
    }
}

fn person(row: &mut RowView<'_>) {
    let parts = ["FirstName", "MiddleName", "LastName", "Suffix"].into_iter().filter_map(|name| row.text(name));
    let name = parts.collect::<Vec<_>>().join(" ");
    row.set("Name", if name.is_empty() { Cell::Null } else { Cell::Text(name) });
}

fn closing(row: &mut RowView<'_>, closed_value: &str, date: Option<&str>, now_ms: i64) {
    let closed = row.text("Status").is_some_and(|s| s.eq_ignore_ascii_case(closed_value));
    let was_closed = *row.get("IsClosed") == Cell::Integer(1);
    row.set("IsClosed", Cell::Integer(closed.into()));
    if let (Some(date), true) = (date, closed != was_closed) {
        row.set(date, if closed { Cell::Integer(now_ms) } else { Cell::Null });
    }
}

/// The stages of a new org: name, probability, closed, won, forecast category and its label.
const STAGES: &[(&str, f64, bool, bool, &str, &str)] = &[
    ("Prospecting", 10.0, false, false, "Pipeline", "Pipeline"),
    ("Qualification", 10.0, false, false, "Pipeline", "Pipeline"),
    ("Needs Analysis", 20.0, false, false, "Pipeline", "Pipeline"),
    ("Value Proposition", 50.0, false, false, "Pipeline", "Pipeline"),
    ("Id. Decision Makers", 60.0, false, false, "Pipeline", "Pipeline"),
    ("Perception Analysis", 70.0, false, false, "Pipeline", "Pipeline"),
    ("Proposal/Price Quote", 75.0, false, false, "Pipeline", "Pipeline"),
    ("Negotiation/Review", 90.0, false, false, "Pipeline", "Pipeline"),
    ("Closed Won", 100.0, true, true, "Closed", "Closed"),
    ("Closed Lost", 0.0, true, false, "Omitted", "Omitted"),
];

fn opportunity(row: &mut RowView<'_>, now_ms: i64) {
    let stage = row.text("StageName").unwrap_or_default();
    let known = STAGES.iter().find(|s| s.0.eq_ignore_ascii_case(stage));
    let &(_, probability, closed, won, forecast, forecast_label) =
        known.unwrap_or(&("", 0.0, false, false, "Pipeline", "Pipeline"));
    if row.is_among(row.changed, "StageName") {
        row.suggest("Probability", Cell::Real(probability));
        row.set("ForecastCategory", Cell::Text(forecast.to_owned()));
        row.suggest("ForecastCategoryName", Cell::Text(forecast_label.to_owned()));
        row.set("LastStageChangeDate", Cell::Integer(now_ms));
    }
    row.set("IsClosed", Cell::Integer(closed.into()));
    row.set("IsWon", Cell::Integer(won.into()));
    let expected = match (row.get("Amount"), row.get("Probability")) {
        (Cell::Real(amount), Cell::Real(probability)) => Cell::Real(number::round(amount * probability / 100.0, 2)),
        _ => Cell::Null,
    };
    row.set("ExpectedRevenue", expected);
    fiscal(row);
}

/// The fiscal year of a new org is the calendar year.
fn fiscal(row: &mut RowView<'_>) {
    let Some(close): Option<Date> = row.text("CloseDate").and_then(|text| text.parse().ok()) else { return };
    let quarter = (close.month() - 1) / 3 + 1;
    row.set("FiscalQuarter", Cell::Integer(quarter.into()));
    row.set("FiscalYear", Cell::Integer(close.year().into()));
    row.set("Fiscal", Cell::Text(format!("{} {quarter}", close.year())));
}
